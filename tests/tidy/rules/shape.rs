//! The shape of files: their heads, their names, their lengths and those of their functions.

use crate::source::{code_only, functions};
use crate::tree::{Tree, Violation};

/// The most lines a file of the library may have; past this nobody holds it in their head.
const MAX_FILE_LINES: usize = 500;

/// The most lines a function of the library may have, its signature and comments included.
///
/// Clippy has the same limit but counts code alone.
const MAX_FUNCTION_LINES: usize = 70;

/// The most lines a numbered example may have: one idea that fits on a tall screen.
const MAX_EXAMPLE_LINES: usize = 79;

/// Names that say nothing about what a file is for, so that everything ends up in it.
const EMPTY_NAMES: [&str; 4] = ["util", "common", "core", "manager"];

/// Lists the files that do not open with a head.
pub(crate) fn check_heads(tree: &Tree) -> Vec<Violation> {
    let has_head = |text: &str| {
        let first = text.lines().next().unwrap_or_default();
        first
            .strip_prefix("//!")
            .is_some_and(|head| !head.trim().is_empty())
    };
    tree.files
        .iter()
        .filter(|file| !has_head(&file.text))
        .map(|file| {
            file.violation_in(
                1,
                "no head; open with `//!` and one sentence on what the file is for",
            )
        })
        .collect()
}

/// Lists the files of the library that are too long.
pub(crate) fn check_file_lengths(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.library().filter(|file| !file.is_test()) {
        let lines = file.text.lines().count();
        if lines > MAX_FILE_LINES {
            let what = format!("{lines} lines, more than {MAX_FILE_LINES}; split it by concept");
            violations.push(file.violation_in(MAX_FILE_LINES + 1, what));
        }
    }
    violations
}

/// Lists the functions of the library that are too long.
pub(crate) fn check_function_lengths(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.library() {
        for function in functions(&code_only(&file.text)) {
            let (name, lines) = (function.name, function.lines);
            if lines > MAX_FUNCTION_LINES {
                let what = format!(
                    "`{name}` has {lines} lines, more than {MAX_FUNCTION_LINES}; move a step out of it"
                );
                violations.push(file.violation_at(function.offset, what));
            }
        }
    }
    violations
}

/// Lists the files and folders with a name that says nothing, and every `mod.rs`.
pub(crate) fn check_names(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &tree.files {
        let path = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        if path.ends_with("/mod") {
            violations.push(file.violation_in(
                1,
                "a `mod.rs`; name the file after its folder and put it beside it",
            ));
        }
        if let Some(name) = path.split('/').find(|part| EMPTY_NAMES.contains(part)) {
            let what = format!("`{name}` says nothing; name it after what it holds");
            violations.push(file.violation_in(1, what));
        }
    }
    violations
}

/// Lists the numbered examples that are too long or break the sequence.
pub(crate) fn check_examples(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut expected = 1;
    // The files are sorted by path, and so by their number.
    for file in &tree.files {
        let Some(number) = example_number(&file.path) else {
            continue;
        };
        let lines = file.text.lines().count();
        if lines > MAX_EXAMPLE_LINES {
            let what =
                format!("{lines} lines, more than {MAX_EXAMPLE_LINES}; an example shows one idea");
            violations.push(file.violation_in(MAX_EXAMPLE_LINES + 1, what));
        }
        if number != expected {
            let what = format!(
                "has the number {number}, but {expected:02} is next; number the examples without gaps"
            );
            violations.push(file.violation_in(1, what));
        }
        expected = number + 1;
    }
    violations
}

/// Returns the number of an example `examples/NN_name.rs`.
fn example_number(path: &str) -> Option<usize> {
    let name = path.strip_prefix("examples/")?;
    let (number, rest) = name.split_once('_')?;
    if rest.contains('/') || number.len() != 2 {
        return None;
    }
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{
        check_examples, check_file_lengths, check_function_lengths, check_heads, check_names,
    };
    use crate::tree::{in_memory, places};

    #[test]
    fn a_file_without_a_head_is_reported() {
        let tree = in_memory(&[
            ("src/good.rs", "//! Says what it is for.\n"),
            ("src/late.rs", "\n//! Head.\n"),
            ("src/empty.rs", ""),
            ("src/bare.rs", "//!\n//! Head.\n"),
            ("tests/other.rs", "// A comment.\n"),
        ]);
        let expected = [
            "src/late.rs:1",
            "src/empty.rs:1",
            "src/bare.rs:1",
            "tests/other.rs:1",
        ];
        assert_eq!(places(&check_heads(&tree)), expected);
    }

    #[test]
    fn a_long_file_is_reported_unless_it_holds_tests() {
        let (full, long) = ("a\n".repeat(500), "a\n".repeat(501));
        let tree = in_memory(&[
            ("src/full.rs", &full),
            ("src/long.rs", &long),
            ("src/long/tests.rs", &long),
            ("tests/long.rs", &long),
        ]);
        assert_eq!(places(&check_file_lengths(&tree)), ["src/long.rs:501"]);
    }

    #[test]
    fn a_long_function_is_reported_where_it_begins() {
        let body = |lines: usize| format!("\nfn f() {{\n{}}}\n", "    // }\n".repeat(lines - 2));
        let (full, long) = (body(70), body(71));
        let tree = in_memory(&[
            ("src/full.rs", &full),
            ("src/long.rs", &long),
            ("tests/a.rs", &long),
        ]);
        assert_eq!(places(&check_function_lengths(&tree)), ["src/long.rs:2"]);
    }

    #[test]
    fn empty_names_and_mod_files_are_reported() {
        let tree = in_memory(&[
            ("src/util.rs", ""),
            ("src/core/a.rs", ""),
            ("src/bus/mod.rs", ""),
            ("tests/common/a.rs", ""),
            ("examples/manager.rs", ""),
            ("src/utilization.rs", ""),
            ("src/mode.rs", ""),
        ]);
        let expected = [
            "src/util.rs:1",
            "src/core/a.rs:1",
            "src/bus/mod.rs:1",
            "tests/common/a.rs:1",
            "examples/manager.rs:1",
        ];
        assert_eq!(places(&check_names(&tree)), expected);
    }

    #[test]
    fn examples_that_are_long_or_out_of_sequence_are_reported() {
        let (full, long) = ("a\n".repeat(79), "a\n".repeat(80));
        let tree = in_memory(&[
            ("examples/01_first.rs", &full),
            ("examples/02_second.rs", &long),
            ("examples/04_fourth.rs", &full),
            ("examples/04_again.rs", &full),
            ("examples/syslogd/main.rs", &long),
        ]);
        let expected = [
            "examples/02_second.rs:80",
            "examples/04_fourth.rs:1",
            "examples/04_again.rs:1",
        ];
        assert_eq!(places(&check_examples(&tree)), expected);
    }
}
