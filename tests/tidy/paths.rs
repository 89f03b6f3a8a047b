//! Finds the paths in Rust code: `a::b::c` in an expression, and every branch of a `use` tree.
//!
//! It resolves nothing; it says what is written, so that a rule can judge by the first names.

use crate::source::{closing, end_of_word, is_word, skip_space};

/// A path of at least two names, or one that is imported.
#[derive(Debug)]
pub(crate) struct WrittenPath {
    /// Where its first own name stands; the prefix of a group stands before it.
    pub(crate) offset: usize,
    /// The names from left to right; `*` for a glob.
    pub(crate) names: Vec<String>,
    /// Whether it begins with `::`, so that the first name is a crate.
    pub(crate) is_absolute: bool,
    /// What a `use` calls it in this file.
    pub(crate) binding: Option<String>,
}

/// Lists the paths in code without comments, in the order in which they are written.
pub(crate) fn paths(code: &str) -> Vec<WrittenPath> {
    let mut scan = Scan {
        code,
        bytes: code.as_bytes(),
        is_import: false,
        is_absolute: false,
        found: Vec::new(),
    };
    let mut at = 0;
    while at < scan.bytes.len() {
        if !is_word(scan.bytes[at]) {
            at += 1;
            continue;
        }
        let end = end_of_word(scan.bytes, at);
        if &code[at..end] == "use" {
            at = scan.import(end);
        } else if scan.can_begin(at) {
            scan.is_import = false;
            scan.is_absolute = scan.is_absolute_at(at);
            at = scan.branch(at, &[]);
        } else {
            at = end;
        }
    }
    scan.found
}

struct Scan<'a> {
    code: &'a str,
    bytes: &'a [u8],
    is_import: bool,
    is_absolute: bool,
    found: Vec<WrittenPath>,
}

impl Scan<'_> {
    /// Reads the tree after a `use`; `use<'a>` in a type is none.
    fn import(&mut self, at: usize) -> usize {
        let mut at = skip_space(self.bytes, at);
        self.is_import = true;
        self.is_absolute = self.bytes[at..].starts_with(b"::");
        if self.is_absolute {
            at = skip_space(self.bytes, at + 2);
        }
        self.branch(at, &[])
    }

    /// Reads one branch of a tree, whose prefix has been read, and returns where it ends.
    fn branch(&mut self, start: usize, prefix: &[String]) -> usize {
        let mut names = prefix.to_vec();
        let mut at = start;
        loop {
            match self.bytes.get(at) {
                Some(b'{') if self.is_import => return self.group(at, &names),
                Some(b'*') if self.is_import => {
                    names.push("*".to_owned());
                    at += 1;
                    break;
                }
                Some(byte) if is_word(*byte) => {
                    let end = self.end_of_name(at);
                    names.push(self.code[at..end].trim_start_matches("r#").to_owned());
                    at = end;
                }
                _ => break,
            }
            let next = skip_space(self.bytes, at);
            if !self.bytes[next..].starts_with(b"::") {
                break;
            }
            at = skip_space(self.bytes, next + 2);
        }
        self.record(start, at, names);
        at.max(start + 1)
    }

    /// Reads the branches between brackets.
    fn group(&mut self, open: usize, prefix: &[String]) -> usize {
        let close = closing(self.bytes, open).unwrap_or(self.bytes.len());
        let mut at = open + 1;
        while at < close {
            at = skip_space(self.bytes, at);
            if is_word(self.bytes[at]) || matches!(self.bytes[at], b'*' | b'{') {
                at = self.branch(at, prefix);
                // Skips `as name`.
                while at < close && self.bytes[at] != b',' {
                    at += 1;
                }
            } else {
                at += 1;
            }
        }
        close + 1
    }

    fn record(&mut self, offset: usize, end: usize, mut names: Vec<String>) {
        if self.is_import && names.last().is_some_and(|name| name == "self") && names.len() > 1 {
            names.pop();
        }
        let is_path = names.len() > 1 || self.is_import || self.is_absolute;
        if names.is_empty() || !is_path {
            return;
        }
        let binding = self.is_import.then(|| self.alias(end)).flatten();
        let binding = binding.or_else(|| names.last().filter(|_| self.is_import).cloned());
        self.found.push(WrittenPath {
            offset,
            names,
            is_absolute: self.is_absolute,
            binding,
        });
    }

    /// Reads `as name` after an imported path.
    fn alias(&self, at: usize) -> Option<String> {
        let keyword = skip_space(self.bytes, at);
        let end = end_of_word(self.bytes, keyword);
        let name = skip_space(self.bytes, end);
        let name = name..end_of_word(self.bytes, name);
        (&self.code[keyword..end] == "as").then(|| self.code[name].to_owned())
    }

    fn end_of_name(&self, at: usize) -> usize {
        if self.bytes[at..].starts_with(b"r#") {
            end_of_word(self.bytes, at + 2)
        } else {
            end_of_word(self.bytes, at)
        }
    }

    /// Tells whether the name at `at` can begin a path: it is no field, no method, no lifetime, no
    /// number, no macro variable, and it does not go on after `>::` or `$crate::`.
    fn can_begin(&self, at: usize) -> bool {
        let before = &self.bytes[..at];
        let range = before.ends_with(b"..");
        let continues = before.ends_with(b"::") && !self.is_absolute_at(at);
        let follows = before
            .last()
            .is_some_and(|byte| matches!(byte, b'\'' | b'$' | b'.'));
        !self.bytes[at].is_ascii_digit() && !continues && (!follows || range)
    }

    fn is_absolute_at(&self, at: usize) -> bool {
        let before = &self.bytes[..at];
        let Some(before) = before.strip_suffix(b"::") else {
            return false;
        };
        !before
            .last()
            .is_some_and(|byte| is_word(*byte) || matches!(byte, b'>' | b')' | b']' | b'}'))
    }
}

#[cfg(test)]
mod tests {
    use super::paths;

    fn written(code: &str) -> Vec<String> {
        paths(code)
            .into_iter()
            .map(|path| {
                let root = if path.is_absolute { "::" } else { "" };
                let binding = path.binding.map(|name| format!(" as {name}"));
                format!(
                    "{root}{}{}",
                    path.names.join("::"),
                    binding.unwrap_or_default()
                )
            })
            .collect()
    }

    #[test]
    fn every_branch_of_an_import_is_a_path() {
        for (code, expected) in [
            ("use a;", vec!["a as a"]),
            ("pub(crate) use a::b as c;", vec!["a::b as c"]),
            ("use ::a::b;", vec!["::a::b as b"]),
            ("use a::*;", vec!["a::* as *"]),
            (
                "use a::{self, b as c, d::{e, f::*}};",
                vec!["a as a", "a::b as c", "a::d::e as e", "a::d::f::* as *"],
            ),
            ("use {a::b, c};", vec!["a::b as b", "c as c"]),
            ("use a :: {\n b,\n};", vec!["a::b as b"]),
        ] {
            assert_eq!(written(code), expected, "{code:?}");
        }
    }

    #[test]
    fn an_expression_is_a_path_from_its_first_name() {
        for (code, expected) in [
            ("a::b(c::d(), e)", vec!["a::b", "c::d"]),
            ("Vec::<a::B>::new()", vec!["Vec", "a::B"][1..].to_vec()),
            ("<a::B as c::D>::e()", vec!["a::B", "c::D"]),
            ("x.a::<b::C>()", vec!["b::C"]),
            ("0..a::B", vec!["a::B"]),
            ("pub(in a::b) fn f() -> ::c::D {}", vec!["a::b", "::c::D"]),
            ("$crate::a::b!()", vec![]),
            ("a::r#type::b", vec!["a::type::b"]),
            ("fn f() -> impl T + use<'a> {}", vec![]),
            ("a::b!{ c::d }", vec!["a::b", "c::d"]),
        ] {
            assert_eq!(written(code), expected, "{code:?}");
        }
    }
}
