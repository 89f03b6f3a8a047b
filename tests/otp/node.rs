//! One Erlang node for the whole test process, spoken to over its standard input and output.
//!
//! The driver is compiled into a temporary folder when the first script runs. The node ends when its
//! input is closed, which the end of this process does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::script::Script;
use crate::trace::Step;

/// Set by the gate: there, a missing Erlang is a failure.
const REQUIRE: &str = "PERENNIAL_REQUIRE_ERLANG";

struct Node {
    /// Kept so that it is not taken for a zombie before this process ends.
    _process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
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
        let mut line = String::new();
        let read = node.output.read_line(&mut line).expect("the node lives");
        assert!(read > 0, "the node ended in the middle of {script}");
        match line.trim_end().split_at_checked(2) {
            Some(("t ", event)) => step.trace.push(event.to_owned()),
            Some(("a ", answer)) => answer.clone_into(&mut step.answer),
            Some(("s ", state)) => step.state.push(state.to_owned()),
            _ if line.trim_end() == "." => steps.push(std::mem::take(&mut step)),
            _ if line.trim_end() == "done" => return steps,
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
    let input = process.stdin.take().expect("piped");
    let mut node = Node {
        input,
        output: BufReader::new(process.stdout.take().expect("piped")),
        _process: process,
    };
    // The module is loaded once this is answered; nothing of the folder is needed any more.
    let empty = "{{sup,<<\"r\">>,temporary,false,infinity,one_for_one,1,never,[]},[]}.";
    writeln!(node.input, "{empty}").expect("the node lives");
    let mut line = String::new();
    while line.trim_end() != "done" {
        line.clear();
        assert!(node.output.read_line(&mut line).expect("the node lives") > 0);
    }
    drop(std::fs::remove_dir_all(&folder));
    node
}
