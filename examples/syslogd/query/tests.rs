//! Claims about the report: what is counted, how it looks, and that it disturbs no running collector.

use std::fs;

use serde_json::{Value, json};

use super::Counts;
use crate::segment;
use crate::store::scratch::ScratchDir;
use crate::store::{Entry, Store, StoreOptions};

/// Stores the lines and leaves the store open, as a running collector does.
fn store(dir: &ScratchDir, lines: &[&str]) -> Store {
    let (mut store, _) = Store::open(dir.path(), StoreOptions { segment_bytes: 300 }).unwrap();
    for line in lines {
        let peer = "10.0.0.9:514".parse().unwrap();
        store
            .append(&Entry::received(1, peer, None, line.as_bytes().to_vec()).0)
            .unwrap();
    }
    store
}

const LINES: [&str; 4] = [
    "<13>Nov 21 04:54:32 web-frontend app: a",
    "<11>Nov 21 04:54:32 web-frontend sshd[7]: b",
    "<13>Nov 21 04:54:32 db app: c",
    "garbage",
];

#[test]
fn the_table_is_aligned_and_has_the_most_lines_first() {
    let dir = ScratchDir::new("query-table");
    let _open = store(&dir, &LINES);
    let expected = "lines 4, malformed 1

host          lines
web-frontend      2
10.0.0.9          1
db                1

severity  lines
notice        2
-             1
err           1

program  lines
app          2
-            1
sshd         1
";
    assert_eq!(Counts::read(dir.path()).unwrap().to_table(), expected);
}

#[test]
fn the_json_says_the_same_and_parses() {
    let dir = ScratchDir::new("query-json");
    let _open = store(&dir, &LINES);
    let object: Value = serde_json::from_str(&Counts::read(dir.path()).unwrap().to_json()).unwrap();
    assert_eq!(
        (
            &object["lines"],
            &object["malformed"],
            &object["torn_bytes"]
        ),
        (&json!(4), &json!(1), &json!(0))
    );
    assert_eq!(
        object["by_host"][0],
        json!({ "name": "web-frontend", "lines": 2 })
    );
    assert_eq!(
        object["by_severity"][2],
        json!({ "name": "err", "lines": 1 })
    );
    assert_eq!(
        object["by_program"][0],
        json!({ "name": "app", "lines": 2 })
    );
}

#[test]
fn an_unfinished_record_is_reported_and_left_as_it_is() {
    let dir = ScratchDir::new("query-torn");
    drop(store(&dir, &LINES[..1]));
    let path = segment::path_of(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"SLG1\x40");
    fs::write(&path, &bytes).unwrap();
    let table = Counts::read(dir.path()).unwrap().to_table();
    assert!(
        table.starts_with("lines 1, malformed 0, unfinished at the end 5 bytes\n"),
        "{table}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_name_cannot_send_control_characters_to_the_terminal() {
    let dir = ScratchDir::new("query-escape");
    let _open = store(&dir, &["<13>1 - \u{1b}[2Jevil app - - - x"]);
    let table = Counts::read(dir.path()).unwrap().to_table();
    assert!(
        table.contains("\\u{1b}[2Jevil") && !table.contains('\u{1b}'),
        "{table}"
    );
}

#[test]
fn an_empty_store_has_headings_only_and_a_missing_directory_is_an_error() {
    let dir = ScratchDir::new("query-empty");
    let table = Counts::read(dir.path()).unwrap().to_table();
    assert!(
        table.starts_with("lines 0, malformed 0\n\nhost  lines\n\nseverity  lines\n"),
        "{table}"
    );
    Counts::read(&dir.path().join("missing")).unwrap_err();
}
