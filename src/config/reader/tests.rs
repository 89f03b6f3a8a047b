//! Reading documents into structs: what is complained about, and how.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::read;
use crate::config::Secret;
use crate::config::document::{Table, parse};
use crate::config::settings::{SECTIONS, Settings};

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Store {
    path: String,
    limit: Option<u16>,
    ratio: f64,
    mode: Mode,
    by_port: HashMap<u16, String>,
    tags: Vec<(String, i8)>,
    since: Option<toml::value::Datetime>,
    password: Secret<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Memory,
    Disk {
        sync: bool,
    },
    Both(u8, u8),
    Other(String),
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Mine {
    store: Store,
    stores: BTreeMap<String, Store>,
}

fn document(text: &str) -> Table {
    parse(Path::new("a.toml"), text.as_bytes().to_vec()).expect("it is TOML")
}

fn mine(text: &str) -> Mine {
    read::<Mine>(&document(text), &SECTIONS).expect("it fits").0
}

fn complaints<T: serde::de::DeserializeOwned>(text: &str) -> Vec<String> {
    let read = read::<T>(&document(text), &[]);
    let problems = read.err().expect("it does not fit");
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_struct_gets_what_toml_itself_would_give_it() {
    for text in [
        "",
        "[store]\npath = \"x\"\nlimit = 7\nratio = 1",
        "[store]\nratio = 0.5\nby_port = { 80 = \"http\" }\ntags = [[\"a\", 1], [\"b\", -1]]",
        "[store]\nmode = \"memory\"",
        "[store]\nmode = { disk = { sync = true } }",
        "[store]\nmode = { both = [1, 2] }",
        "[store]\nmode = { other = \"x\" }",
        "[store]\nsince = 1979-05-27T07:32:00Z\npassword = \"p\"",
        "[stores.a]\nlimit = 1\n[stores.b]\npath = \"b\"",
    ] {
        assert_eq!(mine(text), toml::from_str(text).expect("it fits"), "{text}");
    }
}

#[test]
fn all_values_of_a_wrong_type_are_told_at_once_each_with_its_place() {
    let told = complaints::<Mine>(
        "[store]\npath = 1\nlimit = \"x\"\nlost = 2\nratio = \"y\"\ntags = [[\"a\", 1], [2, 3]]\n\
         [stores.a]\nlimit = true\n[stores.b]\nlost = 1",
    );
    let begins: Vec<_> = told
        .iter()
        .map(|problem| problem.split_once("`: ").map_or("", |(begin, _)| begin))
        .collect();
    let mut sorted = begins.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "a.toml:10:1: `stores.b.lost",
            "a.toml:2:8: `store.path",
            "a.toml:3:9: `store.limit",
            "a.toml:4:1: `store.lost",
            "a.toml:5:9: `store.ratio",
            "a.toml:6:20: `store.tags[1][0]",
            "a.toml:8:9: `stores.a.limit",
        ]
    );
}

#[test]
fn what_follows_from_a_mistake_that_was_told_is_not_told_as_another() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "it is never made")]
    struct Needed {
        first: u8,
        inside: Inside,
        last: u8,
    }
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "it is never made")]
    struct Inside {
        one: u8,
        other: u8,
    }
    let text = "first = \"x\"\nlast = true\n[inside]\none = 1000\nother = -1";
    let told = complaints::<Needed>(text);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(
        told.iter()
            .all(|problem| !problem.contains("missing field")),
        "{told:?}"
    );
    let told = complaints::<Needed>("first = 1\nlast = 2\n[inside]\none = 1");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("missing field `other`"), "{told:?}");
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_what_was_meant_although_the_struct_ignores_it() {
    assert_eq!(
        complaints::<Mine>("[store]\nlimt = 1\n\n[stores.a]\npaht = \"x\""),
        [
            "a.toml:2:1: `store.limt`: unknown key, at `limt`; did you mean `limit`?",
            "a.toml:5:1: `stores.a.paht`: unknown key, at `paht`; did you mean `path`?",
        ]
    );
    let found = complaints::<Mine>("nothing_like_it = 1");
    assert_eq!(
        found,
        [
            "a.toml:1:1: `nothing_like_it`: unknown key, at `nothing_like_it`; there are `store`, `stores`"
        ]
    );
}

#[test]
fn a_mistyped_section_of_the_daemon_is_recognised_beside_those_of_the_program() {
    let problems = read::<Mine>(&document("[loging]\nlevel = \"info\""), &SECTIONS).err();
    let text = problems.expect("nobody knows it")[0].to_string();
    assert_eq!(
        text,
        "a.toml:1:2: `loging`: unknown key, at `loging`; did you mean `logging`?"
    );
}

#[test]
fn a_wrong_type_is_told_with_its_place_key_and_text() {
    for (text, expected) in [
        (
            "[store]\nlimit = \"many\"",
            "a.toml:2:9: `store.limit`: invalid type: string \"many\", expected u16, at `\"many\"`",
        ),
        (
            "[store]\nlimit = 70000",
            "a.toml:2:9: `store.limit`: invalid value: integer `70000`, expected u16, at `70000`",
        ),
        (
            "[store]\ntags = [[\"a\", 1], [\"b\", 300]]",
            "a.toml:2:25: `store.tags[1][1]`: invalid value: integer `300`, expected i8, at `300`",
        ),
    ] {
        assert_eq!(complaints::<Mine>(text), [expected]);
    }
    let found = complaints::<Mine>("[store]\nmode = \"dsik\"");
    assert!(
        found[0].starts_with("a.toml:2:8: `store.mode`: unknown variant `dsik`"),
        "{found:?}"
    );
    assert!(found[0].contains("did you mean `disk`?"), "{found:?}");
}

#[test]
fn a_secret_is_never_shown() {
    for text in [
        "[store]\npassword = 12345",
        "[store]\npassword = [\"12345\"]",
    ] {
        let found = complaints::<Mine>(text);
        assert!(!found[0].contains("12345"), "{found:?}");
        assert!(
            found[0].contains("a.toml:2:12: `store.password`"),
            "{found:?}"
        );
    }
    let (mine, findings) =
        read::<Mine>(&document("[store]\npassword = \"12345\""), &[]).expect("it fits");
    assert!(!format!("{mine:?}").contains("12345"));
    assert_eq!(
        findings.secrets.into_iter().collect::<Vec<_>>(),
        ["store.password"]
    );
}

/// Secrets further inside, where their type is not asked for before the value is seen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keys {
    list: Vec<Secret<String>>,
    map: BTreeMap<String, Secret<String>>,
    pair: Option<(Secret<String>, Secret<String>)>,
    inside: Option<Inside>,
    login: Option<Login>,
}

#[derive(Debug, Deserialize)]
struct Inside {
    _key: Secret<u64>,
}

#[derive(Debug, Deserialize)]
enum Login {
    #[serde(rename = "password")]
    Password(#[allow(dead_code, reason = "only its type is of interest")] Secret<String>),
}

#[test]
fn what_may_be_a_secret_is_told_by_its_kind_alone() {
    let of = |key: &str, value: &str| {
        let name = format!("X__{}", key.to_uppercase());
        let given = [(name.into(), value.into())];
        let by_variable = crate::config::given::environment("X__", given).expect("it is well");
        [document(&format!("{key} = {value}")), by_variable]
    };
    for (key, value, kind) in [
        (
            "list",
            "\"hunter2\"",
            "invalid type: a string, expected a sequence",
        ),
        (
            "list",
            "1234567",
            "invalid type: an integer, expected a sequence",
        ),
        ("list", "[[\"hunter2\"]]", "a secret of the wrong type"),
        (
            "map",
            "\"hunter2\"",
            "invalid type: a string, expected a map",
        ),
        (
            "map",
            "[\"hunter2\"]",
            "invalid type: a sequence, expected a map",
        ),
        ("map", "{ a = [\"hunter2\"] }", "a secret of the wrong type"),
        (
            "pair",
            "\"hunter2\"",
            "invalid type: a string, expected a tuple of size 2",
        ),
        ("pair", "[\"hunter2\"]", "invalid length 1"),
        (
            "inside",
            "\"hunter2\"",
            "invalid type: a string, expected struct Inside",
        ),
        (
            "login",
            "\"hunter2\"",
            "unknown variant, expected one of `password`",
        ),
        (
            "login",
            "1234567",
            "invalid type: an integer, expected enum Login",
        ),
    ] {
        for table in of(key, value) {
            let problems = read::<Keys>(&table, &[]).expect_err("it does not fit");
            let told = problems[0].to_string();
            let is_shown = told.contains("hunter2") || told.contains("1234567");
            assert!(told.contains(kind) && !is_shown, "{key} = {value}: {told}");
            assert!(told.contains(&format!("`{key}")), "{told}");
        }
    }
}

#[test]
fn a_variable_that_reads_as_a_number_is_text_where_text_is_wanted() {
    let given = [
        ("X__STORE__PATH".into(), "123".into()),
        ("X__STORE__LIMIT".into(), "7".into()),
    ];
    let table = crate::config::given::environment("X__", given).expect("it is well");
    let (mine, _) = read::<Mine>(&table, &[]).expect("it fits");
    assert_eq!(
        (mine.store.path.as_str(), mine.store.limit),
        ("123", Some(7))
    );
}

#[test]
fn a_field_with_the_name_of_a_section_is_refused() {
    #[derive(Debug, Deserialize)]
    struct Clash {
        #[serde(default)]
        http: u8,
    }
    let problems = read::<Clash>(&Table::new(), &SECTIONS).map(|(clash, _)| clash.http);
    assert_eq!(problems.expect_err("it is ours")[0].key, "http");
}

#[test]
fn the_keys_of_the_earlier_systems_fail_with_their_new_names() {
    let found = complaints::<Settings>(
        "[logging]\njson = true\nmax_file_size = 1\n[shutdown]\nforce_timeout_ms = 1\ntimeout_ms = 2\n\
         [monitoring]\nenable_metrics = true\nhealth_check_interval_ms = 1\n",
    );
    for (place, now) in [
        ("a.toml:2:1: `logging.json`", "format = \"json\""),
        ("a.toml:3:1: `logging.max_file_size`", "max_file_size_bytes"),
        (
            "a.toml:5:1: `shutdown.force_timeout_ms`",
            "force_ms = 10000",
        ),
        ("a.toml:6:1: `shutdown.timeout_ms`", "graceful_ms = 5000"),
        (
            "a.toml:8:1: `monitoring.enable_metrics`",
            "`enabled` in [http]",
        ),
        (
            "a.toml:9:1: `monitoring.health_check_interval_ms`",
            "health_interval_ms = 5000",
        ),
    ] {
        let told = found
            .iter()
            .any(|text| text.starts_with(place) && text.contains(now));
        assert!(told, "{place}: {found:#?}");
    }
    let found =
        complaints::<Mine>("name = \"x\"\n[performance]\nworker_threads = 2\nlock_free = true\n");
    assert!(
        found
            .iter()
            .any(|text| text.starts_with("a.toml:1:1: `name`") && text.contains("[daemon]"))
    );
    assert!(found.iter().any(
        |text| text.starts_with("a.toml:3:1: `performance.worker_threads`")
            && text.contains("[runtime]")
    ));
    assert!(found.iter().any(
        |text| text.starts_with("a.toml:4:1: `performance.lock_free`")
            && text.contains("no such key any more")
    ));
}

#[test]
fn of_a_hundred_thousand_unknown_keys_some_are_shown_and_the_rest_is_counted() {
    let long = "x".repeat(100_000);
    let keys = (1..100_000).map(|number| format!("key{number} = {number}\n"));
    let told = complaints::<Settings>(&format!("{long} = 0\n{}", keys.collect::<String>()));
    assert_eq!(told.len(), 21);
    assert_eq!(told[20], "and 99980 more keys that nobody knows");
    let bytes: usize = told.iter().map(String::len).sum();
    assert!(bytes < 10_000, "{bytes} bytes");
}
