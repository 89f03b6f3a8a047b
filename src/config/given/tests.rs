//! Variables and arguments: which key they mean, and that none of them panics.

use std::ffi::OsString;

use proptest::prelude::{any, proptest};

use super::{arguments, command_line, environment, environment_prefix};
use crate::config::document::{Value, find};

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, text)| (OsString::from(name), OsString::from(text)))
        .collect()
}

#[test]
fn a_variable_reaches_any_depth_and_keys_of_several_words() {
    let given = variables(&[
        ("MY_APP__LOGGING__MAX_FILES", "3"),
        ("MY_APP__A__B__C__D", "[1, 2]"),
        ("MY_APP__NAME", "plain text"),
        ("OTHER__NAME", "x"),
        ("MY_APP", "x"),
    ]);
    let table = environment(&environment_prefix("my-app"), given).expect("all are well");
    assert!(matches!(
        find(&table, "logging.max_files").map(|node| &node.value),
        Some(Value::Integer(3))
    ));
    assert!(matches!(
        find(&table, "a.b.c.d").map(|node| &node.value),
        Some(Value::Array(_))
    ));
    assert!(matches!(
        find(&table, "name").map(|node| &node.value),
        Some(Value::String(_))
    ));
    assert_eq!(table.len(), 3);
    let origin = find(&table, "a.b.c.d").map(|node| node.origin.to_string());
    assert_eq!(origin.as_deref(), Some("MY_APP__A__B__C__D"));
}

#[test]
fn a_text_can_t_smuggle_in_another_key() {
    let given = variables(&[("X__A", "1\nb = 2")]);
    let table = environment("X__", given).expect("it is text");
    assert!(matches!(&table["a"].value, Value::String(text) if text == "1\nb = 2"));
}

#[test]
fn a_key_that_is_a_value_and_a_table_is_refused() {
    for given in [
        variables(&[("X__A", "1"), ("X__A__B", "2")]),
        variables(&[("X__A", "1"), ("X__a", "2")]),
        variables(&[("X__A____B", "1")]),
        variables(&[("X__", "1")]),
        variables(&[(&format!("X__{}A", "A__".repeat(40)), "1")]),
    ] {
        let problems = environment("X__", given.clone()).expect_err("it has no meaning");
        assert!(
            problems[0].to_string().starts_with("X__"),
            "{given:?}: {}",
            problems[0]
        );
    }
}

#[test]
fn of_two_arguments_for_one_key_the_later_wins() {
    let table = arguments(["a.b=1", "a.c=2", "a.b=x=y"], command_line).expect("all are well");
    assert!(
        matches!(find(&table, "a.b").map(|node| &node.value), Some(Value::String(text)) if text == "x=y")
    );
    assert!(matches!(
        find(&table, "a.c").map(|node| &node.value),
        Some(Value::Integer(2))
    ));
    let origin = find(&table, "a.b").map(|node| node.origin.to_string());
    assert_eq!(origin.as_deref(), Some("--set a.b"));
    assert!(arguments(["a.b"], command_line).is_err());
    assert!(arguments(["=1"], command_line).is_err());
}

#[cfg(unix)]
fn from_bytes(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(unix)]
proptest! {
    #[test]
    fn no_environment_panics(pairs in any::<Vec<(Vec<u8>, Vec<u8>)>>()) {
        let given = pairs.into_iter().map(|(name, text)| {
            (from_bytes([b"X__".to_vec(), name].concat()), from_bytes(text))
        });
        drop(environment("X__", given));
    }

    #[test]
    fn no_likely_name_panics(name in "[A-C_]{0,12}", text in "[\\[\\]{}=.,\"a-c0-9 \n]{0,12}") {
        drop(environment("X__", variables(&[(&format!("X__{name}"), &text)])));
        drop(arguments([text.as_str()], command_line));
    }
}
