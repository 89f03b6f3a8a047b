//! Another text of a known file, held against parsing it.

use std::path::Path;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};

use super::Known;
use crate::config::document::{Node, Table, Value};

fn known(text: &str) -> Known {
    Known::parse(Path::new("a.toml"), text.as_bytes().to_vec()).expect("it is TOML")
}

/// Lists everything that is said of a table: values, places of values and keys, texts.
fn told(table: &Table) -> Vec<String> {
    fn tell(key: &str, node: &Node, told: &mut Vec<String>) {
        let place = node.origin.place().expect("it is of a file");
        told.push(format!("{key} at {place}, its key at {}", place.at_key()));
        match &node.value {
            Value::Table(table) => table
                .iter()
                .for_each(|(name, node)| tell(&format!("{key}.{name}"), node, told)),
            Value::Array(nodes) => nodes
                .iter()
                .enumerate()
                .for_each(|(index, node)| tell(&format!("{key}[{index}]"), node, told)),
            value => told.push(format!(
                "{value:?}, written {}, by {}",
                place.excerpt(),
                place.at_key().excerpt()
            )),
        }
    }
    let mut found = Vec::new();
    for (name, node) in table {
        tell(name, node, &mut found);
    }
    found
}

/// Fails unless the other text means the same whether what was known helped or not. Returns whether it did.
fn check(before: &Known, after: &str) -> Result<bool, TestCaseError> {
    let Some(changed) = before.changed_to(after.as_bytes()) else {
        return Ok(false);
    };
    let parsed = Known::parse(before.path(), after.as_bytes().to_vec());
    let parsed =
        parsed.map_err(|problems| TestCaseError::fail(format!("{after:?}: {problems:?}")))?;
    prop_assert_eq!(told(&changed), told(parsed.table()), "{:?}", after);
    prop_assert!(&changed == parsed.table());
    Ok(true)
}

#[test]
fn values_that_are_others_are_taken_over_and_anything_else_is_not() {
    let cases = [
        ("a = 1\nb = 2\n", "a = 1\nb = 2\n", true),
        ("a = 1\nb = 2\n", "a = 12\nb = 2\n", true),
        ("a = 12\nb = 2\n", "a = 1\nb = 2\n", true),
        ("a = 1\nb = 2", "a = 1\nb = 23", true),
        ("a = 1\nb = 2\nc = 3\n", "a = 4\nb = 2\nc = 'x'\n", true),
        ("a = \"x\" # y\n", "a = 1979-05-27T07:32:00Z # y\n", true),
        (
            "[[t]]\na = 1\n[[t]]\na = 1\n",
            "[[t]]\na = 1\n[[t]]\na = 2.5\n",
            true,
        ),
        (
            "[a]\nb = { c = 1, d = [1, 2] }\n",
            "[a]\nb = { c = 1, d = [1, 34] }\n",
            true,
        ),
        ("a = \"é\"\nb = 'ü'\n", "a = \"éé\"\nb = ''\n", true),
        ("a = true\r\nb = 1\r\n", "a = false\r\nb = 1\r\n", true),
        ("a = 'x' # 1\n", "a = 'y' # 1\n", true),
        // Places behind it would be others.
        ("a = [1, 2]\n", "a = [33, 2]\n", false),
        ("a = { b = 1, c = {} }\n", "a = { b = 22, c = {} }\n", false),
        // So many lines that those of what follows would be others.
        ("a = '''x\ny'''\nb = 1\n", "a = 'x'\nb = 1\n", false),
        ("a = 'x'\nb = 1\n", "a = '''x\ny'''\nb = 1\n", false),
        // The second half of a date is no value of its own.
        (
            "a = 1979-05-27 07:32:00\n",
            "a = 1979-05-28 07:32:00\n",
            false,
        ),
        ("a = 1979-05-27\n", "a = 1979-05-27 07:32:00\n", false),
        ("a = 1\n", "a = 1 # why\n", false),
        ("a = 1\n", "b = 1\n", false),
        ("a = 1\n", "a = 1\nb = 2\n", false),
        ("a = 1\nb = 2\n", "a = 1\n", false),
        ("a = 1\n", "a = [1]\n", false),
        ("a = 1\n", "a = {}\n", false),
        ("a = 1\n", "a = 1 2\n", false),
        ("a = 1\n", "a = \n", false),
        ("a = 1\n", "a = x\n", false),
        ("a = 'x'\n", "a = 'x\n", false),
        ("a = 1\n", "", false),
        ("", "a = 1\n", false),
    ];
    for (before, after, expected) in cases {
        let found = check(&known(before), after).expect("it means what parsing it means");
        assert_eq!(found, expected, "{before:?} to {after:?}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_left_to_the_parser() {
    assert!(known("a = 'x'\n").changed_to(b"a = '\xff'\n").is_none());
}

#[test]
fn what_did_not_change_is_there_once() {
    let before = known("[a]\nx = 1\n[b]\nx = 1\n");
    let after = before.changed_to(b"[a]\nx = 1\n[b]\nx = 2\n");
    let after = after.expect("a value alone is another");
    let is_shared = |name: &str| match (&before.table()[name].value, &after[name].value) {
        (Value::Table(one), Value::Table(other)) => std::sync::Arc::ptr_eq(one, other),
        _ => false,
    };
    assert_eq!([is_shared("a"), is_shared("b")], [true, false]);
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i8>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|value| value.to_string()),
        "[a-c]{0,3}".prop_map(|text| format!("\"{text}\"")),
        "[a-c\"é#,\\]]{0,3}".prop_map(|text| format!("'{text}'")),
        Just("\"\\\"\\\\\"".to_owned()),
        Just("'''x\ny'''".to_owned()),
        Just("1979-05-27 07:32:00".to_owned()),
        Just("0x1F".to_owned()),
        Just("1e3".to_owned()),
        Just("x".to_owned()),
        Just("[1, 2]".to_owned()),
    ]
}

/// A document of a shape, with these values.
fn document(shape: &[u8], values: &[String]) -> String {
    let mut text = String::new();
    let mut values = values.iter().cycle();
    let mut next = || values.next().map_or("0", String::as_str);
    for (index, kind) in shape.iter().enumerate() {
        match kind % 6 {
            0 => text.push_str(&format!("k{index} = {}\n", next())),
            1 => text.push_str(&format!("\"k {index}\".x = {} # é\n", next())),
            2 => text.push_str(&format!("k{index} = [ {}, {} ]\n", next(), next())),
            3 => text.push_str(&format!(
                "k{index} = {{ a = {}, b = {} }}\r\n",
                next(),
                next()
            )),
            4 => text.push_str("[[list]]\n"),
            _ => text.push_str(&format!("\n[t{index}]\n")),
        }
    }
    text
}

proptest! {
    #[test]
    fn other_values_mean_what_parsing_them_means(
        shape in proptest::collection::vec(any::<u8>(), 1..8),
        before in proptest::collection::vec(value(), 12),
        changes in proptest::collection::vec((0_usize..12, value()), 0..4),
    ) {
        let text = document(&shape, &before);
        if let Ok(known) = Known::parse(Path::new("a.toml"), text.into_bytes()) {
            let mut after = before;
            for (index, value) in changes {
                after[index] = value;
            }
            check(&known, &document(&shape, &after))?;
        }
    }

    #[test]
    fn a_text_with_a_few_other_bytes_means_what_parsing_it_means(
        shape in proptest::collection::vec(any::<u8>(), 1..8),
        values in proptest::collection::vec(value(), 12),
        at in any::<proptest::sample::Index>(),
        removed in 0_usize..4,
        added in "[\\[\\]{}=.,\"'#a-c0-9\\-é \n\\\\]{0,4}",
    ) {
        let text = document(&shape, &values);
        if let Ok(known) = Known::parse(Path::new("a.toml"), text.clone().into_bytes()) {
            let mut letters: Vec<char> = text.chars().collect();
            let from = at.index(letters.len());
            let to = (from + removed).min(letters.len());
            letters.splice(from..to, added.chars());
            check(&known, &letters.into_iter().collect::<String>())?;
        }
    }
}
