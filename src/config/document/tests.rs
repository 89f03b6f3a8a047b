//! Reading files: values with places, mistakes with places, and any bytes at all.

use std::path::Path;

use proptest::prelude::{any, proptest};

use super::{Table, Value, find, parse};
use crate::config::problem::{Problem, ProblemKind};

fn parsed(text: &str) -> Table {
    parse(Path::new("a.toml"), text.as_bytes().to_vec()).expect("it is TOML")
}

fn refused(bytes: &[u8]) -> Vec<Problem> {
    parse(Path::new("a.toml"), bytes.to_vec()).expect_err("it is not TOML")
}

#[test]
fn every_value_knows_its_place() {
    let table = parsed("a = 1\n[b.c]\nd = [\"x\", true]\ne = { f = 0x1F }\n");
    for (key, expected) in [
        ("a", "a.toml:1:5"),
        ("b.c.d", "a.toml:3:5"),
        ("b.c.e.f", "a.toml:4:11"),
    ] {
        let node = find(&table, key).expect("it is there");
        assert_eq!(node.origin.to_string(), expected, "{key}");
    }
    let Some(Value::Integer(31)) = find(&table, "b.c.e.f").map(|node| &node.value) else {
        panic!("0x1F is 31")
    };
    let Some(Value::Array(values)) = find(&table, "b.c.d").map(|node| &node.value) else {
        panic!("it is an array")
    };
    assert_eq!(values[1].origin.to_string(), "a.toml:3:11");
}

#[test]
fn a_mistake_in_the_syntax_is_told_with_its_place() {
    let problems = refused(b"a = 1\nb = = 2\n");
    assert_eq!(problems[0].kind, ProblemKind::Syntax);
    assert!(
        problems[0].to_string().starts_with("a.toml:2:"),
        "{}",
        problems[0]
    );
}

#[test]
fn what_is_not_utf_8_is_told_with_its_place() {
    let text = refused(b"a = 1\nb = \"\xff\"\n")[0].to_string();
    assert_eq!(text, "a.toml:2:6: the byte 0xff is not UTF-8");
}

#[test]
fn a_number_that_is_too_large_is_told_with_its_place_and_key() {
    let text = refused(b"a = 99999999999999999999\n")[0].to_string();
    assert_eq!(text, "a.toml:1:5: `a`: a number that is out of range");
    let text = refused(b"[a]\nb = [1, { c = 99999999999999999999 }]\n")[0].to_string();
    assert_eq!(
        text,
        "a.toml:2:15: `a.b[1].c`: a number that is out of range"
    );
}

#[test]
fn what_is_no_toml_is_not_shown_because_it_may_be_a_secret() {
    for text in [
        "password = hunter2",
        "password = \"hunter2",
        "password = 'hunter2",
        "password = \"\"\"hunter2",
        "password = \"hunter2\" hunter2",
        "password = \"\\hunter2\"",
        "password = [hunter2",
        "password hunter2",
        "hunter2",
        "password = { a = hunter2 }",
    ] {
        for problem in refused(text.as_bytes()) {
            let told = problem.to_string();
            assert!(told.starts_with("a.toml:1:"), "{told}");
            assert!(!told.contains("hunter"), "{text}: {told}");
        }
    }
}

#[test]
fn nesting_is_bounded() {
    refused(format!("a = {}", "[".repeat(100_000)).as_bytes());
    refused(format!("{}a = 1", "a.".repeat(100_000)).as_bytes());
    refused(format!("[{}a]", "a.".repeat(100_000)).as_bytes());
}

#[test]
fn ten_megabytes_are_read() {
    let mut text = String::new();
    while text.len() < 10 * 1024 * 1024 {
        text.push_str(&format!("key{} = \"{}\"\n", text.len(), "x".repeat(1_000)));
    }
    assert!(parsed(&text).len() > 10_000);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        for problem in parse(Path::new("a.toml"), bytes).err().into_iter().flatten() {
            drop(problem.to_string());
        }
    }

    #[test]
    fn nothing_that_looks_like_toml_panics(text in "[\\[\\]{}=.,\"'#a-c0-9\\-+_:TZ\\\\\n \t]{0,64}") {
        for problem in parse(Path::new("a.toml"), text.into_bytes()).err().into_iter().flatten() {
            drop(problem.to_string());
        }
    }
}
