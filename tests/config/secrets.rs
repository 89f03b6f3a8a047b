//! Secrets in structs that serde reads in two steps: their values are printed nowhere.

use std::collections::BTreeMap;

use perennial::config::{Cause, Loader, Secret};
use serde::{Deserialize, Serialize};

use crate::folder::Folder;

#[derive(Serialize, Deserialize)]
struct Everything {
    flat: Flat,
    tagged: Tagged,
    adjacent: Adjacent,
    untagged: Vec<Untagged>,
}

#[derive(Serialize, Deserialize)]
struct Flat {
    host: String,
    #[serde(flatten)]
    login: Login,
    #[serde(flatten)]
    others: BTreeMap<String, Secret<String>>,
}

#[derive(Serialize, Deserialize)]
struct Login {
    user: String,
    password: Secret<String>,
    /// Written out under another name than it is read by.
    #[serde(default, alias = "pass_phrase")]
    phrase: Secret<String>,
    pins: Vec<Secret<u64>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Tagged {
    Token { name: String, token: Secret<String> },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "lowercase")]
enum Adjacent {
    Token { name: String, token: Secret<String> },
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Key { key: Secret<u64> },
    Name { name: String },
    Bare(Secret<String>),
}

const TEXT: &str = r#"
[flat]
host = "shown-host"
user = "shown-user"
password = "hunter2"
pass_phrase = "hunter2"
pins = [1234567, 1234567]
other = "hunter2"

[tagged]
kind = "token"
name = "shown-tagged"
token = "hunter2"

[adjacent]
kind = "token"
of = { name = "shown-adjacent", token = "hunter2" }
"#;

fn text() -> String {
    format!(
        "untagged = [{{ key = 1234567 }}, {{ name = \"shown-untagged\" }}, \"hunter2\"]\n{TEXT}"
    )
}

fn is_free_of_secrets(text: &str) -> bool {
    !text.contains("hunter2") && !text.contains("1234567")
}

#[test]
fn a_secret_that_serde_reads_in_two_steps_is_not_printed_and_its_neighbours_are() {
    let folder = Folder::new("two-steps");
    let main = folder.write("app.toml", text());
    let loader = Loader::new("app").config::<Everything>().file(main);
    let reloader = loader.environment([]).load().expect("it is valid");
    let printed = reloader.live().effective();
    assert!(is_free_of_secrets(&printed), "{printed}");
    for shown in ["host", "user", "tagged", "adjacent", "untagged"] {
        assert!(printed.contains(&format!("\"shown-{shown}\"")), "{printed}");
    }
    let snapshot = reloader.live().snapshot();
    let flat = &snapshot.config().flat;
    assert_eq!(flat.login.password.expose(), "hunter2");
    assert_eq!(flat.login.phrase.expose(), "hunter2");
}

#[test]
fn what_is_wrong_with_a_value_that_serde_reads_in_two_steps_is_told_without_it() {
    let folder = Folder::new("two-steps-wrong");
    let main = folder.write("app.toml", text());
    let loader = Loader::new("app").config::<Everything>().file(main);
    let mut reloader = loader.environment([]).load().expect("it is valid");
    for (right, wrong) in [
        ("password = \"hunter2\"", "password = 1234567"),
        ("pins = [1234567, 1234567]", "pins = \"hunter2\""),
        ("pins = [1234567, 1234567]", "pins = [\"hunter2\"]"),
        ("user = \"shown-user\"", "user = 1234567"),
        ("other = \"hunter2\"", "other = 1234567"),
        ("token = \"hunter2\"", "token = 1234567"),
        ("kind = \"token\"", "kind = \"hunter2\""),
        ("{ key = 1234567 }", "{ key = [\"hunter2\"] }"),
        ("{ key = 1234567 }", "1234567"),
    ] {
        let changed = text().replace(right, wrong);
        assert_ne!(changed, text());
        folder.write("app.toml", changed);
        let refused = reloader.reload(Cause::Call);
        let told = refused.expect_err("it does not fit").to_string();
        assert!(is_free_of_secrets(&told), "{wrong}: {told}");
        assert!(told.contains("app.toml:"), "{wrong}: {told}");
    }
}
