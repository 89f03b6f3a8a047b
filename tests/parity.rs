//! Holds `docs/parity.md` to the tests: each one that a row names exists.
#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;

/// Reads all Rust files below a folder into one text.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).expect("text"));
        }
    }
}

#[test]
fn every_test_that_a_row_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut code);
    }
    let rows = include_str!("../docs/parity.md")
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1);
    let mut named = 0;
    for row in rows {
        let test = row
            .trim_end_matches(" |")
            .rsplit("| ")
            .next()
            .unwrap_or_default();
        if test == "–" {
            continue;
        }
        let test = test.trim_matches('`');
        assert!(
            code.contains(&format!("fn {test}()")),
            "no test `{test}`, which docs/parity.md names"
        );
        named += 1;
    }
    assert!(named > 30, "the rows are found: {named}");
}
