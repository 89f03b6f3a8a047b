//! The sample file is held to the settings: each key is there, with its default.

use perennial::config::Loader;

/// Takes the comment from before the keys that have no default.
fn uncommented(sample: &str) -> String {
    let is_key = |line: &str| {
        line.strip_prefix("# ")
            .is_some_and(|rest| rest.split(' ').nth(1) == Some("="))
    };
    let lines = sample
        .lines()
        .map(|line| if is_key(line) { &line[2..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Lists the keys of a document.
fn keys(above: &str, table: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in table {
        let key = if above.is_empty() {
            name.clone()
        } else {
            format!("{above}.{name}")
        };
        match value.as_table() {
            Some(inside) => found.extend(keys(&key, inside)),
            None => found.push(key),
        }
    }
    found
}

#[test]
fn the_sample_has_every_key_with_its_default_and_what_is_commented_out_can_be_used() {
    let sample = include_str!("../../examples/daemon.toml");
    let folder = crate::folder::Folder::new("sample");
    let load = |text: &str| {
        let file = folder.write("app.toml", text);
        let loaded = Loader::new("app").file(file).environment([]).load();
        loaded.map(|reloader| reloader.live().snapshot())
    };
    let defaults = load("").expect("nothing is wrong with nothing");
    let as_it_is = load(sample).expect("it can be used");
    assert_eq!(as_it_is.settings(), defaults.settings());
    let everything = uncommented(sample);
    // A CPU or a folder need not be there: what is checked is that each key has the right name and type.
    let everything_read = load(&everything).expect("it can be used");
    assert_eq!(
        everything_read.settings().daemon.name.as_deref(),
        Some("app")
    );
    let written = toml::Value::try_from(everything_read.settings()).expect("it can be written");
    let mut expected = keys("", written.as_table().expect("a table"));
    let mut there = keys("", &everything.parse().expect("it is TOML"));
    expected.sort();
    there.sort();
    assert_eq!(there, expected);
}
