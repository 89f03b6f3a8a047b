//! Constants: each has a comment above it that says where its value comes from.
//!
//! The rule speaks of the library without its tests; a number in a test is explained by the claim.

use crate::source::{closing, code_only, end_of_word, skip_space, without_tests};
use crate::tree::{SourceFile, Tree, Violation};

/// Lists the constants without a comment.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let library = tree.library().filter(|file| !file.is_test());
    library.flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Violation> {
    let code = without_tests(&code_only(&file.text));
    let written: Vec<&str> = file.text.lines().collect();
    let lines: Vec<&str> = code.lines().collect();
    let mut offset = 0;
    let mut violations = Vec::new();
    for (index, line) in code.split_inclusive('\n').enumerate() {
        let constant = constant_at(code.as_bytes(), skip_space(code.as_bytes(), offset));
        offset += line.len();
        if let Some(name) = constant.filter(|_| !line.trim().is_empty())
            && !has_comment(&written, &lines, index)
        {
            let name = &code[name];
            let what = format!("`{name}` has no comment; say above it where its value comes from");
            violations.push(file.violation_in(index + 1, what));
        }
    }
    violations
}

/// Returns the name of the constant that is declared at `at`, after its visibility.
fn constant_at(bytes: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let end = end_of_word(bytes, at);
    let name = skip_space(bytes, end);
    match &bytes[at..end] {
        b"pub" if bytes.get(name) == Some(&b'(') => {
            let close = closing(bytes, name)?;
            constant_at(bytes, skip_space(bytes, close + 1))
        }
        b"pub" => constant_at(bytes, name),
        // `const fn` and `const {` are no constants.
        b"const" => {
            let name = name..end_of_word(bytes, name);
            let colon = skip_space(bytes, name.end);
            let is_constant = bytes.get(colon) == Some(&b':') && !is_parameter(bytes, colon);
            (!name.is_empty() && is_constant).then_some(name)
        }
        _ => None,
    }
}

/// Tells whether what is declared before the colon is a parameter, `<const N: usize>`: it ends
/// with a comma or an angle bracket before it is given a value.
fn is_parameter(bytes: &[u8], colon: usize) -> bool {
    let mut angles = 0usize;
    let mut at = colon;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'=' | b';' => return false,
            b',' if angles == 0 => return true,
            b'<' => angles += 1,
            b'>' if bytes[at - 1] != b'-' => match angles.checked_sub(1) {
                Some(left) => angles = left,
                None => return true,
            },
            b'(' | b'[' | b'{' => at = closing(bytes, at).unwrap_or(bytes.len()),
            _ => {}
        }
        at += 1;
    }
    false
}

/// Tells whether a comment ends in the line above, attributes aside.
///
/// A line that has text but no code is a comment.
fn has_comment(written: &[&str], code: &[&str], index: usize) -> bool {
    let mut above = index;
    while above > 0 {
        above -= 1;
        let text = written[above].trim();
        if code[above].trim().is_empty() {
            return !text.is_empty() && !text.starts_with("//!");
        }
        // An attribute over several lines ends with its bracket and begins further up.
        let line = code[above].trim();
        if line.starts_with("#[") && line.ends_with(']') {
            continue;
        }
        let begins = code[..above]
            .iter()
            .rposition(|line| line.trim().starts_with("#["));
        match begins {
            Some(begins) if line == ")]" => above = begins,
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::{in_memory, places};

    #[test]
    fn a_constant_with_a_comment_is_fine() {
        for text in [
            "/// Why.\npub const A: u8 = 1;",
            "// Why.\nconst A: u8 = 1;",
            "/* Why. */\nconst A: u8 = 1;",
            "/// Why.\n#[doc(hidden)]\npub(crate) const A: u8 = 1;",
            "/// Why.\n#[cfg_attr(\n    x,\n    y\n)]\npub(in crate::a) const A: u8 = 1;",
            "impl A {\n    /// Why.\n    const B: Map<u8, u8> = f();\n}",
            "const fn f() {}\npub const fn g() {}\nconst { 1 }\n*const u8",
            "struct A<\n    const N: usize,\n    const M: usize\n>;",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    const A: u8 = 1;\n}",
            "let a = \"\nconst A: u8 = 1;\n\";",
        ] {
            let tree = in_memory(&[("src/a.rs", text), ("src/a/tests.rs", "const A: u8 = 1;")]);
            assert_eq!(places(&check(&tree)), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_constant_without_a_comment_is_reported() {
        for (text, line) in [
            ("const A: u8 = 1;", 1),
            ("\npub const A: u8 = 1; // Why.", 2),
            ("// Not this.\n\nconst A: u8 = 1;", 3),
            ("//! Nor the head.\nconst A: u8 = 1;", 2),
            ("/// Why.\nconst A: u8 = 1;\nconst B: u8 = 2;", 3),
            ("f();\n#[doc(hidden)]\nconst A: u8 = 1;", 3),
            ("trait A {\n    const B: Map<u8, u8>;\n}", 2),
            ("fn f() {\n    pub(crate) const A: [u8; 1] = [1];\n}", 2),
            ("const _: () = assert!(true);", 1),
        ] {
            let violations = check(&in_memory(&[("src/a.rs", text)]));
            assert_eq!(places(&violations), [format!("src/a.rs:{line}")], "{text}");
        }
    }
}
