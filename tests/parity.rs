//! Holds `docs/parity.md` to the tests: each one that a row names exists and is run.
#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::{Path, PathBuf};

/// A Rust file, and what it is compiled under.
struct Source {
    path: PathBuf,
    text: String,
}

/// Reads all Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            found.push(Source { path, text });
        }
    }
}

/// Tells whether a condition of `cfg` holds where all tests are run: on Linux, with every feature.
fn holds(condition: &str) -> bool {
    let condition = condition.trim();
    let inside = |name: &str| {
        let rest = condition.strip_prefix(name)?.trim_start();
        rest.strip_prefix('(')?.strip_suffix(')')
    };
    match (inside("all"), inside("any"), inside("not")) {
        (Some(parts), ..) => split(parts).iter().all(|part| holds(part)),
        (_, Some(parts), _) => split(parts).iter().any(|part| holds(part)),
        (.., Some(part)) => !holds(part),
        _ => {
            matches!(condition, "unix" | "test" | r#"target_os = "linux""#)
                || condition.starts_with("feature = ")
        }
    }
}

/// Splits at the commas that are not inside of brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Lists the conditions of a kind of `cfg` in a text.
fn conditions<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    let found = text.match_indices(begin);
    found
        .filter_map(|(at, _)| text[at + begin.len()..].split_once(")]"))
        .map(|(condition, _)| condition)
        .collect()
}

/// Returns what keeps a test from being run; `None` when nothing does.
fn kept_from_running(source: &Source, at: usize, program: &str) -> Option<String> {
    let before = &source.text[..at];
    // From the last item on: its attributes and comments.
    let begin = before
        .rfind("\n\n")
        .max(before.rfind("}\n"))
        .max(before.rfind("{\n"));
    let above = &before[begin.unwrap_or(0)..];
    if !above.contains("test]") && !above.contains("test(") {
        return Some("it is no test".to_owned());
    }
    if above.contains("#[ignore") {
        return Some("it is ignored".to_owned());
    }
    let around = before.rfind("\nmod ").map_or("", |module| {
        let begin = before[..module].rfind("\n\n").unwrap_or(0);
        &before[begin..module]
    });
    let of_file = conditions(&source.text, "#![cfg(");
    let of_program = conditions(program, "#![cfg(");
    let items = [conditions(above, "#[cfg("), conditions(around, "#[cfg(")].concat();
    let all = [of_file, of_program, items].concat();
    let fails = all.into_iter().find(|condition| !holds(condition))?;
    Some(format!("it is compiled under `{fails}` alone"))
}

/// Looks for a test that is run.
fn find(test: &str, code: &[Source]) -> Result<(), String> {
    let mut why = "there is none".to_owned();
    for source in code {
        let main = source.path.with_file_name("main.rs");
        let program = code.iter().find(|source| source.path == main);
        for (at, _) in source.text.match_indices(&format!("fn {test}()")) {
            let program = program.map_or("", |program| &program.text);
            match kept_from_running(source, at, program) {
                None => return Ok(()),
                Some(reason) => why = format!("{}: {reason}", source.path.display()),
            }
        }
    }
    Err(why)
}

#[test]
fn every_test_that_a_row_names_exists_and_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = Vec::new();
    for folder in ["src", "tests", "perf-rigs/src", "perf-rigs/tests"] {
        sources(&root.join(folder), &mut code);
    }
    let rows = include_str!("../docs/parity.md")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    let mut named = 0;
    for row in rows {
        let tests = row
            .trim_end_matches(" |")
            .rsplit("| ")
            .next()
            .unwrap_or_default();
        for test in tests.split(", ").filter(|test| *test != "–") {
            let test = test.trim_matches('`');
            let found = find(test, &code);
            assert_eq!(found, Ok(()), "`{test}`, which docs/parity.md names");
            named += 1;
        }
    }
    assert!(named > 100, "the rows are found: {named}");
}

#[test]
fn a_test_that_is_not_run_is_found_out() {
    let in_file = |text: &str| {
        let source = Source {
            path: "tests/a.rs".into(),
            text: text.to_owned(),
        };
        find("a", &[source])
    };
    for (text, is_run) in [
        ("#[test]\nfn a() {}", true),
        ("#[tokio::test(start_paused = true)]\nasync fn a() {}", true),
        ("#[cfg(target_os = \"linux\")]\n#[test]\nfn a() {}", true),
        ("fn a() {}", false),
        ("#[test]\nfn b() {}\n\nfn a() {}", false),
        ("#[test]\n#[ignore = \"slow\"]\nfn a() {}", false),
        ("#[cfg(windows)]\n#[test]\nfn a() {}", false),
        (
            "#[cfg(all(test, shuttle))]\nmod tests {\n    #[test]\n    fn a() {}",
            false,
        ),
        (
            "#[cfg(all(test, not(shuttle)))]\nmod tests {\n    #[test]\n    fn a() {}",
            true,
        ),
        (
            "#![cfg(any(windows, feature = \"x\"))]\n#[test]\nfn a() {}",
            true,
        ),
        ("#![cfg(not(unix))]\n#[test]\nfn a() {}", false),
    ] {
        // A module begins a line of its own.
        let found = in_file(&format!("\n\n{text}"));
        assert_eq!(found.is_ok(), is_run, "{text}: {found:?}");
    }
}
