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
fn a_clash_of_two_variables_names_both() {
    for (one, other) in [
        ("X__A", "X__a"),
        ("X__A", "X__A__B"),
        ("X__A__B__C", "X__a__b"),
    ] {
        let given = variables(&[(one, "1"), (other, "2")]);
        let told = environment("X__", given).expect_err("they clash")[0].to_string();
        assert!(told.contains(one) && told.contains(other), "{told}");
    }
    let given = variables(&[("X__A", "1"), ("X__AB", "2"), ("X__A_B", "3")]);
    assert_eq!(
        environment("X__", given).expect("they do not clash").len(),
        3
    );
}

#[test]
fn an_element_of_a_list_that_is_given_by_a_variable_has_its_own_text() {
    #[derive(serde::Deserialize)]
    struct Lists {
        ports: Vec<String>,
        inside: std::collections::BTreeMap<String, Vec<String>>,
        whole: String,
    }
    let given = variables(&[
        ("X__PORTS", "[8080, \"9090\", 1.50]"),
        ("X__INSIDE", "{ a = [1, 2] }"),
        ("X__WHOLE", "1.50"),
    ]);
    let table = environment("X__", given).expect("all are well");
    let (lists, _) = crate::config::reader::read::<Lists>(&table, &[]).expect("the types fit");
    assert_eq!(lists.ports, ["8080", "9090", "1.50"]);
    assert_eq!(lists.inside["a"], ["1", "2"]);
    assert_eq!(lists.whole, "1.50");
}

#[test]
fn a_word_in_rust_log_that_is_no_level_is_a_target_as_everywhere_else() {
    for (text, expected) in [
        ("myapp", "myapp=trace"),
        ("my_app", "my_app=trace"),
        ("debug", "debug"),
        ("DEBUG", "DEBUG"),
        ("myapp,hyper=warn", "myapp,hyper=warn"),
        ("my::module", "my::module"),
    ] {
        let table = super::rust_log(&variables(&[("RUST_LOG", text)])).expect("it is text");
        let level = find(&table, "logging.level").map(|node| &node.value);
        assert!(
            matches!(level, Some(Value::String(level)) if level == expected),
            "{text}: {level:?}"
        );
    }
}

#[test]
fn an_assignment_without_its_sign_is_not_shown() {
    for text in ["hunter2", "db.password hunter2"] {
        let told = arguments([text], command_line).expect_err("there is no `=`")[0].to_string();
        assert_eq!(told, "--set: expected `section.key=value`, with the `=`");
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
