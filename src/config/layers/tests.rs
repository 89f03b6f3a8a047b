//! Which layer wins, from files to the command line.

use serde::{Deserialize, Serialize};

use super::{Layers, program};
use crate::config::files::rest::Marks;
use crate::config::files::tests::Folder;
use crate::config::snapshot::Snapshot;
use crate::config::{ConfigError, Secret};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Mine {
    store: Store,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
struct Store {
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    password: Secret<String>,
}

impl Default for Store {
    fn default() -> Self {
        let password = Secret::new("hunter2".to_owned());
        Self {
            a: 1,
            b: 1,
            c: 1,
            d: 1,
            e: 1,
            f: 1,
            password,
        }
    }
}

fn load(layers: &Layers) -> Result<Snapshot<Mine>, ConfigError> {
    let files = layers.read_files(&mut Marks::default())?;
    Snapshot::interpret(layers.clone().assemble(&files)?, &files, 1)
}

#[test]
fn each_layer_wins_over_those_below_it_and_every_value_knows_its_own() {
    let folder = Folder::new("layers");
    let main = folder.write("app.toml", "[store]\nc = 3\nd = 3\ne = 3\nf = 3\n");
    folder.write("conf.d/1.toml", "[store]\nd = 4\ne = 4\nf = 4\n");
    let layers = Layers {
        program: program([
            "store.b=2",
            "store.c=2",
            "store.d=2",
            "store.e=2",
            "store.f=2",
        ])
        .expect("well"),
        searched: vec![main.clone()],
        required: true,
        prefix: "APP__".to_owned(),
        environment: vec![
            ("APP__STORE__E".into(), "5".into()),
            ("APP__STORE__F".into(), "5".into()),
        ],
        arguments: vec!["store.f=6".to_owned()],
        ..Layers::default()
    };
    let snapshot = load(&layers).expect("all is well");
    let store = &snapshot.config().store;
    assert_eq!(
        [store.a, store.b, store.c, store.d, store.e, store.f],
        [1, 2, 3, 4, 5, 6]
    );
    let part = folder.0.join("conf.d/1.toml");
    for (key, expected) in [
        ("store.a", "default".to_owned()),
        ("store.b", "program".to_owned()),
        ("store.c", format!("{}:2:5", main.display())),
        ("store.d", format!("{}:2:5", part.display())),
        ("store.e", "APP__STORE__E".to_owned()),
        ("store.f", "--set store.f".to_owned()),
    ] {
        assert_eq!(snapshot.origin(key).to_string(), expected, "{key}");
    }
}

#[test]
fn milliseconds_of_a_later_layer_win_over_a_text_of_an_earlier_one() {
    let layers = Layers {
        program: program(["shutdown.graceful=2s"]).expect("well"),
        arguments: vec!["shutdown.graceful_ms=300".to_owned()],
        ..Layers::default()
    };
    let snapshot = load(&layers).expect("all is well");
    assert_eq!(snapshot.settings().shutdown.graceful.as_millis(), 300);
}

#[test]
fn what_is_printed_has_every_origin_and_no_secret_and_is_toml() {
    let folder = Folder::new("print");
    let main = folder.write(
        "app.toml",
        "[store]\npassword = \"swordfish\"\nc = 3\n[logging]\nlevel = \"a=\\\"b\\\"\"\n",
    );
    let layers = Layers {
        searched: vec![folder.0.join("none.toml"), main.clone()],
        ..Layers::default()
    };
    let text = load(&layers).expect("all is well").effective();
    for line in [
        &format!(
            "# looked for {}: not read",
            folder.0.join("none.toml").display()
        ),
        &format!("# looked for {}: read", main.display()),
        &format!("c = 3 # {}:3:5", main.display()),
        &format!("password = \"[redacted]\" # {}:2:12", main.display()),
        "a = 1 # default",
        "graceful = \"5s\" # default",
        "[monitoring]",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    assert!(
        !text.contains("swordfish") && !text.contains("hunter2"),
        "{text}"
    );
    let read: toml::Table = text.parse().expect("it is TOML");
    assert_eq!(read["logging"]["level"].as_str(), Some("a=\"b\""));
}

#[test]
fn mistakes_of_all_layers_are_told_together() {
    let folder = Folder::new("mistakes");
    let main = folder.write("app.toml", "a = = 1\n");
    folder.write("conf.d/1.toml", "b = = 1\n");
    let layers = Layers {
        searched: vec![main],
        arguments: vec!["c".to_owned()],
        ..Layers::default()
    };
    let error = load(&layers).expect_err("nothing is well");
    let files: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.origin.to_string())
        .collect();
    assert!(
        files[0].contains("app.toml:1:") && files.last().is_some_and(|last| last == "--set"),
        "{error}"
    );
    assert!(error.to_string().contains("1.toml:1:"), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_document_of_bytes_and_variables_panics_on_its_way_into_the_structs(
        text in "([a-e\\[\\].={}\"0-9 ]{0,24}\n){0,6}",
        key in "(LOGGING|STORE|SHUTDOWN|X)__[A-F_]{0,8}",
        value in "[\\[\\]{}=.,\"a-c0-9 \n]{0,12}",
    ) {
        let files = crate::config::files::Files {
            main: Some(crate::config::files::Bytes { path: "a.toml".into(), bytes: text.into_bytes() }),
            ..crate::config::files::Files::default()
        };
        let layers = Layers {
            prefix: "APP__".to_owned(),
            environment: vec![(format!("APP__{key}").into(), value.into())],
            ..Layers::default()
        };
        let loaded = layers.clone().assemble(&files).and_then(|given| Snapshot::<Mine>::interpret(given, &files, 1));
        match loaded {
            Ok(snapshot) => drop(snapshot.effective()),
            Err(error) => drop(error.to_string()),
        }
    }
}
