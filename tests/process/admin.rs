//! The admin socket of a process.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::folder::{Folder, pair};
use crate::harness::{PATIENCE, POLL, Running};

struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    fn connect(folder: &Folder) -> Self {
        let stream = UnixStream::connect(folder.path("run/admin.sock")).expect("it listens");
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.stream.get_mut(), "{line}").expect("it reads");
    }

    /// Says that nothing more will be said, as `nc -N` does at the end of its input.
    fn has_said_all(&self) {
        let stream = self.stream.get_ref();
        stream.shutdown(Shutdown::Write).expect("it is open");
    }

    /// Tells whether the daemon has closed its side.
    fn is_closed(&mut self) -> bool {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("text") == 0
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("text");
        serde_json::from_str(&line).expect("each line is JSON")
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.send(&request.to_string());
        self.next()
    }

    /// Reads events until one is of this kind.
    fn until_event(&mut self, kind: &str) -> Value {
        loop {
            let line = self.next();
            if line["event"]["kind"] == kind {
                return line["event"].clone();
            }
        }
    }
}

fn start(folder: &Folder) -> Running {
    folder.write(
        "app.toml",
        format!("{}[admin]\nsocket = \"run/admin.sock\"\n", pair(1)),
    );
    let mut running = Running::start(folder, &[]);

    running.hears("pair 1");
    // It listens before the tree says anything; what it says first is said after that. A tree that is not
    // up yet refuses what is asked of its children.
    let (mut client, deadline) = (Client::connect(folder), Instant::now() + PATIENCE);
    while client.ask(&json!({ "command": "tree" }))["ok"]["root"]["state"] != "running" {
        assert!(Instant::now() < deadline, "the tree is not up");
        std::thread::park_timeout(POLL);
    }
    running
}

#[allow(clippy::too_many_lines, reason = "one conversation")]
#[test]
fn everything_can_be_asked_and_ordered_by_path() {
    let folder = Folder::new("admin");
    let mut running = start(&folder);
    let mode = |name: &str| {
        std::fs::symlink_metadata(folder.path(name))
            .expect("it is there")
            .mode()
            & 0o777
    };
    assert_eq!((mode("run"), mode("run/admin.sock")), (0o700, 0o600));
    let mut client = Client::connect(&folder);
    let mut listener = Client::connect(&folder);
    let begun = listener.ask(&json!({ "id": "e", "command": "events", "below": ["/app/shows"] }));
    assert_eq!(begun, json!({ "id": "e", "ok": null }));

    let tree = client.ask(&json!({ "id": 1, "command": "tree" }));
    assert_eq!(tree["ok"]["root"]["path"], "/app");
    assert_eq!(
        client.ask(&json!({ "command": "restart", "path": "/app/shows" }))["ok"],
        Value::Null
    );
    running.hears("pair 1");
    assert_eq!(listener.until_event("started")["incarnation"], 2);
    assert_eq!(
        client.ask(&json!({ "command": "stop", "path": "/app/shows" }))["ok"],
        Value::Null
    );
    assert_eq!(listener.until_event("stopped")["path"], "/app/shows");
    assert_eq!(
        client.ask(&json!({ "command": "start", "path": "/app/shows" }))["ok"],
        Value::Null
    );
    running.hears("pair 1");
    let refused = client.ask(&json!({ "id": 2, "command": "start", "path": "/app/shows" }));
    assert_eq!(
        (&refused["id"], &refused["error"]["word"]),
        (&json!(2), &json!("running"))
    );
    let refused = client.ask(&json!({ "command": "release", "path": "/app/shows" }));
    assert_eq!(refused["error"]["word"], "not_quarantined");
    let refused = client.ask(&json!({ "command": "stop", "path": "/app/none" }));
    assert_eq!(
        (&refused["error"]["word"], &refused["error"]["code"]),
        (&json!("not_found"), &json!(4006))
    );

    assert_eq!(client.ask(&json!({ "command": "level" }))["ok"], "info");
    assert_eq!(
        client.ask(&json!({ "command": "level", "level": "debug" }))["ok"],
        Value::Null
    );
    assert_eq!(
        client.ask(&json!({ "command": "level", "level": "lowd" }))["error"]["word"],
        "log_level"
    );
    let config = client.ask(&json!({ "command": "config" }));
    assert!(
        config["ok"]
            .as_str()
            .expect("text")
            .contains("first = 1 # "),
        "{config}"
    );

    client.send("no JSON");
    assert_eq!(client.next()["error"]["word"], "bad_request");
    assert_eq!(
        client.ask(&json!({ "command": "shutdown" }))["ok"],
        Value::Null
    );
    let (status, _, log) = running.end_by_itself();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        log.contains("asked on the admin socket command=\"stop\" uid="),
        "{log}"
    );
    assert!(
        !folder.path("run/admin.sock").exists(),
        "it goes with the process"
    );
}

#[test]
fn a_reload_on_the_socket_says_what_came_of_it() {
    let folder = Folder::new("admin-reload");
    let running = start(&folder);
    let mut client = Client::connect(&folder);
    let socket = "[admin]\nsocket = \"run/admin.sock\"\n";
    // Where the watch is faster there is nothing left to do; so it reads a part that is new.
    folder.write("app.toml", format!("{}{socket}", pair(2)));
    let changed = client.ask(&json!({ "command": "reload" }));
    assert_eq!(changed["ok"]["version"], 2, "{changed}");
    folder.write("app.toml", format!("[pair]\nfirst = 1\nlast = 2\n{socket}"));
    let refused = client.ask(&json!({ "command": "reload" }));
    let message = refused["error"]["message"].as_str().expect("text");
    assert!(message.contains("app.toml:3:8: `pair.last`"), "{message}");
    assert_eq!(refused["error"]["word"], "config_invalid");
    drop(running);
}

#[test]
fn a_second_daemon_on_the_same_socket_exits_75_and_leaves_it() {
    let folder = Folder::new("admin-second");
    let _first = start(&folder);
    let (status, _, log) = Running::start(&folder, &[]).end();
    assert_eq!(status.code(), Some(75), "{log}");
    assert!(
        log.contains("somebody listens on run/admin.sock already"),
        "{log}"
    );
    assert_eq!(
        Client::connect(&folder).ask(&json!({ "command": "level" }))["ok"],
        "info"
    );
}

#[test]
fn a_line_that_is_too_long_ends_the_connection_with_a_word() {
    let folder = Folder::new("admin-long");
    let _running = start(&folder);
    let mut client = Client::connect(&folder);
    // More than that would not be read, and its writer told so.
    client.send(&"x".repeat(64 * 1024));
    assert_eq!(
        client.next()["error"]["message"],
        "the line is longer than 64 KiB"
    );
}

#[test]
fn a_client_that_has_said_all_is_answered_and_hears_events_until_it_is_gone() {
    let folder = Folder::new("admin-half");
    let mut running = start(&folder);
    let mut asks = Client::connect(&folder);
    asks.send(r#"{"id":1,"command":"level"}"#);
    asks.has_said_all();
    assert_eq!(asks.next(), json!({ "id": 1, "ok": "info" }));
    assert!(asks.is_closed());
    let mut listens = Client::connect(&folder);
    listens.send(r#"{"id":2,"command":"events","below":["/app/shows"],"kinds":["started"]}"#);
    listens.has_said_all();
    assert_eq!(listens.next(), json!({ "id": 2, "ok": null }));
    let mut orders = Client::connect(&folder);
    for incarnation in 2..4 {
        let restart = json!({ "command": "restart", "path": "/app/shows" });
        assert_eq!(orders.ask(&restart), json!({ "id": null, "ok": null }));
        running.hears("pair 1");
        while listens.until_event("started")["incarnation"] != incarnation {}
    }
    let refused = orders.ask(&json!({ "id": 3, "command": "events", "kinds": ["strated"] }));
    assert_eq!(refused["error"]["word"], "unknown_event", "{refused}");
}

#[test]
fn where_all_places_are_taken_the_client_that_is_silent_for_longest_gives_way() {
    let folder = Folder::new("admin-places");
    let _running = start(&folder);
    let level = json!({ "command": "level" });
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..perennial::admin::MAX_CONNECTIONS {
        let mut client = Client::connect(&folder);
        assert_eq!(client.ask(&level)["ok"], "info");
        clients.push(client);
    }
    // The first asks again: now the second one is silent for longest.
    assert_eq!(clients[0].ask(&level)["ok"], "info");
    let mut one_more = Client::connect(&folder);
    assert_eq!(one_more.ask(&level)["ok"], "info");
    let told = clients[1].next();
    assert_eq!(
        (&told["error"]["word"], &told["error"]["is_retryable"]),
        (&json!("too_many_clients"), &json!(true))
    );
    assert!(clients[1].is_closed());
    assert_eq!(clients[0].ask(&level)["ok"], "info");
    // Who listens to events waits for something, and is not silent.
    clients.remove(1);
    clients.push(one_more);
    for client in &mut clients {
        client.send(r#"{"command":"events"}"#);
        assert_eq!(client.next()["ok"], Value::Null);
    }
    let refused = Client::connect(&folder).next();
    assert_eq!(
        refused["error"]["message"],
        "too many clients are connected"
    );
    // The place of one that is gone is free again.
    drop(clients.pop());
    let deadline = Instant::now() + PATIENCE;
    while Client::connect(&folder).ask(&level)["ok"] != "info" {
        assert!(Instant::now() < deadline, "nobody gives way");
    }
}

#[test]
fn a_level_that_was_set_by_hand_stays_until_the_configuration_says_something_else_of_it() {
    let folder = Folder::new("admin-level");
    let running = start(&folder);
    let mut client = Client::connect(&folder);
    let mut ask = |command: &str| client.ask(&json!({ "command": command }))["ok"].clone();
    let mut other = Client::connect(&folder);
    let set = json!({ "command": "level", "level": "debug" });
    assert_eq!(other.ask(&set)["ok"], Value::Null);
    let socket = "[admin]\nsocket = \"run/admin.sock\"\n";
    folder.write("app.toml", format!("{}{socket}", pair(2)));
    assert_eq!(ask("reload")["version"], 2);
    assert_eq!(ask("level"), "debug");
    let level = "[logging]\nlevel = \"warn\"\n";
    folder.write("app.toml", format!("{}{socket}{level}", pair(2)));
    assert_eq!(ask("reload")["version"], 3);
    assert_eq!(ask("level"), "warn");
    drop(running);
}

#[cfg(not(any(feature = "profiling", feature = "heap-profiling")))]
#[test]
fn a_profile_that_was_not_built_in_is_refused_with_the_feature_that_has_it() {
    let folder = Folder::new("admin-profile");
    let running = start(&folder);
    let mut client = Client::connect(&folder);
    for (command, feature) in [("profile", "`profiling`"), ("heap", "`heap-profiling`")] {
        let error = client.ask(&json!({ "command": command, "seconds": 300 }))["error"].clone();
        assert_eq!(error["word"], "unsupported", "{error}");
        let message = error["message"].as_str().expect("text");
        assert!(message.contains(feature), "{message}");
    }
    drop(running);
}
