//! A scanner for Rust source that knows comments, literals and brackets, and nothing else.
//!
//! It answers what the rules ask: which bytes are code, where a bracket closes, which functions
//! there are and how long, which items are only for tests. Every text it returns has the length
//! and the line breaks of the text it was given, so that an offset means the same place in both.

use std::ops::Range;

/// Replaces comments and the text of string and character literals by spaces.
pub(crate) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => end_of_line(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => end_of_block_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'\'' => end_of_character(text, at),
            byte if is_word(byte) => {
                let end = end_of_word(bytes, at);
                // `r`, `br` and `cr` may open a raw string; `r#type` is a name.
                let raw = matches!(&bytes[at..end], b"r" | b"br" | b"cr");
                let string = if raw {
                    end_of_raw_string(bytes, end)
                } else {
                    None
                };
                let Some(string) = string else {
                    at = end;
                    continue;
                };
                string
            }
            _ => {
                at += 1;
                continue;
            }
        };
        blank(&mut code, at..end);
        at = end.max(at + 1);
    }
    // A literal or comment ends on a character boundary, so the bytes that are left are UTF-8.
    String::from_utf8_lossy(&code).into_owned()
}

/// Replaces every item that is compiled for tests alone by spaces, in code without comments.
pub(crate) fn without_tests(code: &str) -> String {
    let bytes = code.as_bytes();
    let mut rest = bytes.to_vec();
    for (start, _) in code.match_indices("#[cfg(") {
        let open = start + "#[cfg".len();
        let Some(close) = closing(bytes, open) else {
            continue;
        };
        if is_for_tests(&code[open + 1..close]) {
            let item = bytes[close..].iter().position(|byte| *byte == b']');
            let item = close + item.unwrap_or(0) + 1;
            blank(&mut rest, start..end_of_item(bytes, item));
        }
    }
    String::from_utf8_lossy(&rest).into_owned()
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Where its `fn` stands.
    pub(crate) offset: usize,
    /// How many lines it takes, from `fn` to the bracket that closes it.
    pub(crate) lines: usize,
}

/// Lists the functions that have a body, in code without comments.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (offset, word) in words(code) {
        if word != "fn" {
            continue;
        }
        let name = skip_space(bytes, offset + word.len());
        let name = name..end_of_word(bytes, name);
        // `fn(u8) -> u8` is a type: it has no name.
        if name.is_empty() {
            continue;
        }
        let Some(open) = body_of(bytes, name.end) else {
            continue;
        };
        let Some(close) = closing(bytes, open) else {
            continue;
        };
        found.push(Function {
            name: code[name].to_owned(),
            offset,
            lines: line_of(code, close) - line_of(code, offset) + 1,
        });
    }
    found
}

/// Lists the bodies of the modules that are written inside this file.
pub(crate) fn inline_modules(code: &str) -> Vec<Range<usize>> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (offset, word) in words(code) {
        let name = skip_space(bytes, offset + word.len());
        let open = skip_space(bytes, end_of_word(bytes, name));
        if word == "mod" && bytes.get(open) == Some(&b'{') {
            found.extend(closing(bytes, open).map(|close| open..close));
        }
    }
    found
}

/// Iterates over the words of code without comments: keywords, names, numbers.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = code.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(|byte| is_word(*byte))?;
        at = end_of_word(bytes, start);
        Some((start, &code[start..at]))
    })
}

/// Returns where the bracket that opens at `open` is closed.
pub(crate) fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => continue,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Returns the line of an offset, counted from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

/// Tells whether a byte can be part of a name; every byte beyond ASCII can.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Returns where the word at `at` ends; `at` itself when there is none.
pub(crate) fn end_of_word(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is_word(**byte)).count()
}

/// Returns where the white space at `at` ends.
pub(crate) fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

/// Returns where the item after its attributes at `at` ends.
///
/// A field, a variant and an arm end with a comma, the last of them with the bracket around it.
fn end_of_item(bytes: &[u8], at: usize) -> usize {
    let mut at = skip_space(bytes, at);
    while bytes[at..].starts_with(b"#[") {
        let Some(close) = closing(bytes, at + 1) else {
            return bytes.len();
        };
        at = skip_space(bytes, close + 1);
    }
    let is_item = opens_an_item(bytes, at);
    let mut angles = 0usize;
    while at < bytes.len() {
        match bytes[at] {
            b';' => return at + 1,
            b',' if !is_item && angles == 0 => return at + 1,
            b')' | b']' | b'}' => return at,
            b'(' | b'[' | b'{' => {
                let Some(close) = closing(bytes, at) else {
                    return bytes.len();
                };
                if is_item && bytes[at] == b'{' {
                    return close + 1;
                }
                at = close;
            }
            b'<' => angles += 1,
            b'>' if !matches!(bytes[at - 1], b'-' | b'=') => angles = angles.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Tells whether an item begins at `at`, and not a field, a variant, an arm or a statement.
fn opens_an_item(bytes: &[u8], at: usize) -> bool {
    const ITEMS: [&[u8]; 11] = [
        b"fn", b"mod", b"use", b"impl", b"struct", b"enum", b"trait", b"type", b"static", b"const",
        b"union",
    ];
    const BEFORE: [&[u8]; 5] = [b"pub", b"async", b"unsafe", b"extern", b"default"];
    let end = end_of_word(bytes, at);
    let word = &bytes[at..end];
    if BEFORE.contains(&word) {
        let mut next = skip_space(bytes, end);
        if bytes.get(next) == Some(&b'(') {
            next = closing(bytes, next).map_or(bytes.len(), |close| skip_space(bytes, close + 1));
        }
        return opens_an_item(bytes, next);
    }
    ITEMS.contains(&word)
}

/// Tells whether a `cfg` predicate holds in test builds alone.
fn is_for_tests(predicate: &str) -> bool {
    let predicate: String = predicate.split_whitespace().collect();
    let all = predicate
        .strip_prefix("all(")
        .and_then(|rest| rest.strip_suffix(')'));
    predicate == "test" || all.is_some_and(|all| all.split(',').any(|part| part == "test"))
}

/// Returns where the body of a function opens whose name ends at `at`; none in a declaration.
fn body_of(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'{' => return Some(at),
            b';' => return None,
            b'(' | b'[' => at = closing(bytes, at)?,
            _ => {}
        }
        at += 1;
    }
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in &mut bytes[range] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    let line = bytes[at..].iter().position(|byte| *byte == b'\n');
    line.map_or(bytes.len(), |length| at + length)
}

/// Block comments nest in Rust.
fn end_of_block_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns where the raw string ends whose prefix ends at `at`; none if it is no raw string.
fn end_of_raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &bytes[at..open]].concat();
    let text = &bytes[open + 1..];
    let length = text.windows(end.len()).position(|window| window == end);
    Some(length.map_or(bytes.len(), |length| open + 1 + length + end.len()))
}

/// Returns where the character literal at `at` ends; `at` itself when it is a lifetime.
fn end_of_character(text: &str, at: usize) -> usize {
    let inside = &text[at + 1..];
    let first = inside.chars().next().map_or(0, char::len_utf8);
    let escaped = inside.starts_with('\\');
    // What follows a backslash may itself be a quote.
    let from = if escaped { 2 } else { first };
    match inside.get(from..).and_then(|rest| rest.find('\'')) {
        Some(length) if escaped || length == 0 => at + 1 + from + length + 1,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::{code_only, functions, inline_modules, without_tests};

    /// Strips a text and squeezes what is left, so that a case fits on a line.
    fn squeezed(text: &str) -> String {
        let code = code_only(text);
        assert_eq!(
            code.len(),
            text.len(),
            "offsets must stay valid in {text:?}"
        );
        assert_eq!(code.matches('\n').count(), text.matches('\n').count());
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        for (text, code) in [
            ("a // crate::x", "a"),
            ("/// crate::x\nb", "b"),
            ("a /* x /* y */ z */ b", "a b"),
            ("f(\"crate::x // \\\" y\") g", "f( ) g"),
            ("r\"a\\\" b", "b"),
            ("br#\"a \" b\"# c", "c"),
            ("r##\"a \"# b\"## c", "c"),
            ("r#type x", "r#type x"),
            ("bar\"x\" y", "bar y"),
            ("'{' a '\\'' b '\\u{7d}' c b'}' d", "a b c b d"),
            ("'ß' a '\"' b", "a b"),
            (
                "fn f<'a>(x: &'a str) -> &'a str {}",
                "fn f<'a>(x: &'a str) -> &'a str {}",
            ),
            (
                "'outer: loop { break 'outer; } 'x'",
                "'outer: loop { break 'outer; }",
            ),
            ("größe \"größe\" x", "größe x"),
            ("\"never closed", ""),
            ("'", "'"),
        ] {
            assert_eq!(squeezed(text), code, "{text:?}");
        }
    }

    #[test]
    fn a_function_is_measured_from_its_signature_to_its_closing_bracket() {
        let text = "trait T {\n fn declared(&self);\n}\nfn one() {}\nfn long<'a>(\n x: [u8; 2],\n \
                    f: fn(u8) -> u8,\n) -> &'a str\nwhere\n X: Y,\n{\n let c = '}'; // }\n \"}\"\n}\n";
        let found = functions(&code_only(text));
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.name.as_str(), found.lines))
            .collect();
        assert_eq!(found, [("one", 1), ("long", 10)]);
    }

    #[test]
    fn a_function_inside_another_is_measured_as_well() {
        let found = functions("fn outer() {\n fn inner() {\n }\n}\n");
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.name.as_str(), found.lines))
            .collect();
        assert_eq!(found, [("outer", 4), ("inner", 2)]);
    }

    #[test]
    fn only_the_item_under_a_test_attribute_is_for_tests() {
        for (code, left) in [
            ("#[cfg(test)] mod tests; use a;", "use a;"),
            (
                "#[cfg(test)]\n#[path = x] pub(crate) mod t { fn a() {} } fn b() {}",
                "fn b() {}",
            ),
            ("#[cfg(test)] use a::{b, c}; d", "; d"),
            (
                "#[cfg(all(test, feature = x))] fn a<B, C>() where B: D, C: D {} e",
                "e",
            ),
            (
                "struct S { #[cfg(test)] a: Map<B, C>, d: D }",
                "struct S { d: D }",
            ),
            ("struct S { d: D, #[cfg(test)] a: A }", "struct S { d: D, }"),
            (
                "#[cfg(any(test, unix))] use a;",
                "#[cfg(any(test, unix))] use a;",
            ),
            (
                "#[cfg(feature = test)] use a;",
                "#[cfg(feature = test)] use a;",
            ),
        ] {
            let rest = without_tests(code);
            assert_eq!(rest.len(), code.len());
            let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(rest, left, "{code:?}");
        }
    }

    #[test]
    fn a_module_is_inline_only_with_a_body() {
        let code = "mod a; mod b { mod c {} } fn d() {}";
        let found: Vec<_> = inline_modules(code)
            .into_iter()
            .map(|range| &code[range])
            .collect();
        assert_eq!(found, ["{ mod c {} ", "{"]);
    }
}
