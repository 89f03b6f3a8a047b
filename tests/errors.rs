//! Holds `docs/errors.md` to the codes, and the codes to the errors that the library has.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use perennial::error::ErrorCode;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Lists the words that `code()` returns in the error types of a file.
fn words(text: &str) -> Vec<String> {
    let mut errors = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let derives_error = line.trim_start().starts_with("#[derive(") && line.contains("Error");
        if derives_error {
            let declared = lines
                .clone()
                .find(|line| line.contains("pub enum ") || line.contains("pub struct "));
            let name = declared.and_then(|line| {
                line.split_once("enum ")
                    .or_else(|| line.split_once("struct "))
                    .map(|(_, rest)| rest)
            });
            let name =
                name.and_then(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next());
            errors.extend(name.map(str::to_owned));
        }
    }
    // Not an error by itself, but the code of one.
    errors.insert("ProblemKind".to_owned());
    let (mut of_error, mut inside, mut found) = (false, false, Vec::new());
    for line in text.lines() {
        if line.starts_with("impl") {
            let rest = line.rsplit(" for ").next().unwrap_or(line);
            let name = rest
                .trim_start_matches("impl")
                .trim_start_matches("<M>")
                .trim();
            let name = name
                .split(|letter: char| !letter.is_alphanumeric())
                .next()
                .unwrap_or_default();
            of_error = errors.contains(name);
        }
        inside |= line.contains("fn code(");
        if inside && of_error {
            found.extend(line.split('"').skip(1).step_by(2).map(str::to_owned));
        }
        inside &= !line.starts_with("    }");
    }
    found
}

#[test]
fn every_error_of_the_library_has_a_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    for path in sources(&root) {
        for word in words(&std::fs::read_to_string(&path).expect("text")) {
            assert!(
                ErrorCode::named(&word).is_some(),
                "`{word}` of {} has no number; give it one in src/error.rs",
                path.display()
            );
            seen.insert(word);
        }
    }
    assert!(seen.len() > 40, "the scan finds them: {seen:?}");
}

#[test]
fn the_page_lists_every_code_and_no_other() {
    let page = include_str!("../docs/errors.md");
    let listed: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .collect();
    let expected: Vec<String> = ErrorCode::ALL
        .iter()
        .map(|code| {
            let again = if code.is_retryable() { "yes" } else { "no" };
            format!(
                "| {} | `{}` | {again} | {} |",
                code.number(),
                code.word(),
                code.meaning()
            )
        })
        .collect();
    assert_eq!(listed, expected);
}
