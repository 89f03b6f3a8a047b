//! One Erlang node for the whole test process, spoken to over its standard input and output.
//!
//! The driver is compiled into a temporary folder when the first script runs. The node ends when its
//! input is closed, which the end of this process does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::script::Script;
use crate::trace::Step;

/// Set by the gate: there, a missing Erlang is a failure.
const REQUIRE: &str = "PERENNIAL_REQUIRE_ERLANG";

/// How long the node may be silent. A script takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

struct Node {
    /// Kept so that it is not taken for a zombie before this process ends.
    _process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

static NODE: OnceLock<Mutex<Node>> = OnceLock::new();

/// Tells whether there is an Erlang to compare with; says so if there is none.
pub(crate) fn is_there() -> bool {
    let found = Command::new("erl")
        .args(["-noshell", "-noinput", "-eval", "halt(0)."])
        .status();
    if found.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(
        std::env::var_os(REQUIRE).is_none(),
        "no `erl` on the PATH, and {REQUIRE} is set"
    );
    println!("skipped: no `erl` on the PATH (Debian: erlang-base)");
    false
}

/// Runs a script on OTP.
pub(crate) fn run(script: &Script) -> Vec<Step> {
    let node = NODE.get_or_init(|| Mutex::new(start()));
    let mut node = node.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(node.input, "{script}").expect("the node lives");
    node.input.flush().expect("the node lives");
    let mut steps = Vec::new();
    let mut step = Step::default();
    loop {
        let line = node.lines.recv_timeout(PATIENCE);
        let line =
            line.unwrap_or_else(|error| panic!("nothing from the node ({error}) in {script}"));
        match line.trim_end().split_at_checked(2) {
            Some(("t ", event)) => step.trace.push(event.to_owned()),
            Some(("a ", answer)) => answer.clone_into(&mut step.answer),
            Some(("s ", state)) => step.state.push(state.to_owned()),
            _ if line == "." => steps.push(std::mem::take(&mut step)),
            _ if line == "done" => return steps,
            _ => panic!("the node wrote {line:?} in {script}"),
        }
    }
}

fn start() -> Node {
    let folder = std::env::temp_dir().join(format!("perennial-otp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room for the driver");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/otp/driver.erl");
    let compiled = Command::new("erlc")
        .arg("-o")
        .args([folder.as_os_str(), source.as_ref()])
        .status();
    assert!(compiled.expect("erlc runs").success(), "{source}");
    // One scheduler, so that what happens has an order; it sleeps when there is nothing to do.
    let mut process = Command::new("erl")
        .args(["-noshell", "-noinput", "+S", "1:1", "+sbwt", "none", "-pa"])
        .arg(&folder)
        .args(["-s", "driver", "main"])
        .env("ERL_CRASH_DUMP_BYTES", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("erl runs");
    let output = BufReader::new(process.stdout.take().expect("piped"));
    let (sender, lines) = sync_channel(1_024);
    std::thread::spawn(move || {
        // Over when the node is, or when nobody listens any more.
        let mut output = output.lines().map_while(Result::ok);
        output.all(|line| sender.send(line).is_ok())
    });
    let mut input = process.stdin.take().expect("piped");
    // The module is loaded once this is answered; nothing of the folder is needed any more.
    let empty = "{{sup,<<\"r\">>,temporary,false,infinity,one_for_one,1,1,never,[]},[]}.";
    writeln!(input, "{empty}").expect("the node lives");
    while lines.recv_timeout(PATIENCE).expect("the node lives") != "done" {}
    drop(std::fs::remove_dir_all(&folder));
    Node {
        _process: process,
        input,
        lines,
    }
}
