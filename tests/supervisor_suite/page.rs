//! The page that maps OTP's cases to tests: what it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Returns the text of every test below a folder.
fn read(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is readable").path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("it is text"));
        }
    }
}

/// Returns what stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_case_is_mapped_once_and_every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/otp.md")).expect("the page");
    let heading = "## The scenarios of OTP's own tests\n";
    let (_, page) = page.split_once(heading).expect("the section");
    let page = page.split("\n## ").next().unwrap_or(page);
    let mut tests = String::new();
    read(&root.join("tests"), &mut tests);
    let (mut cases, mut without_meaning) = (BTreeSet::new(), 0);
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let (_, row) = row.split_once("| ").expect("a row");
        let (case, here) = row.split_once(" | ").expect("two columns");
        assert!(cases.insert(case), "{case} is there twice");
        let names: Vec<_> = quoted(here)
            .map(|name| name.rsplit("::").next().unwrap_or(name))
            .filter(|name| name.matches('_').count() > 2)
            .collect();
        for name in &names {
            let is_there = tests.contains(&format!("fn {name}()"));
            assert!(is_there, "{case}: there is no test {name}");
        }
        let has_meaning = !here.starts_with("No meaning");
        assert_eq!(has_meaning, !names.is_empty(), "{case}");
        without_meaning += usize::from(!has_meaning);
    }
    let said = format!("{} of {}", cases.len() - without_meaning, cases.len());
    assert!(page.contains(&said), "{said}");
}
