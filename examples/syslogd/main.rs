//! A syslog collector as a supervision tree: lines arrive over UDP and TCP, and end in files.
//!
//! ```text
//! syslogd          rest_for_one   what comes later needs what came before
//! ├─ chaos         task           only with --chaos; first, so that no fault it orders takes it down
//! ├─ store         worker         owns the files
//! ├─ parser        ractor actor   makes entries of raw lines
//! ├─ connections   dynamic        one temporary task for each TCP connection
//! └─ listeners     one_for_one
//!    ├─ udp        task
//!    └─ tcp        task
//! ```
//!
//! The modules without input or output come first; those from `chaos` on are the children and what they share.

mod ack;
mod args;
mod framing;
mod message;
mod query;
mod segment;
mod store;
// -- the children, and what they share --
mod chaos;
mod connection;
mod intake;
mod listen;
mod parser;
mod stats;
mod writer;

use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use perennial::{Backoff, Child, Daemon, Supervisor};

use crate::args::{Args, Command, HELP, USAGE_EXIT_CODE};
use crate::chaos::Faults;
use crate::intake::Intake;
use crate::listen::Endpoint;
use crate::parser::Parser;
use crate::query::Counts;
use crate::stats::Stats;
use crate::writer::{Setup, Synced};

/// How many messages may wait for the store: fewer than the parser's, so that a slow disk fills the
/// parser's mailbox, and TCP senders are slowed down, while datagrams still have room there.
const STORE_MAILBOX: usize = 4_096;

/// How long the store may take to open: it reads all it has, and 30 s, the default, are over at some ten
/// gigabytes. A kill would not help, as opening blocks its thread.
const STORE_START_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Senders are already waiting when a part restarts, so it comes back sooner than the default of 30 s.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Collect(args)) => collect(args),
        Ok(Command::Query { dir, json }) => query(&dir, json),
        Ok(Command::Help) => {
            say(HELP);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(USAGE_EXIT_CODE)
        }
    }
}

fn collect(args: Args) -> ExitCode {
    let stats = Arc::<Stats>::default();
    let tree = tree(&args, Arc::clone(&stats));
    let code = Daemon::new("syslogd")
        .http(args.http)
        .on_http_bound(|address| announce("http", address))
        .tree(tree)
        .run();
    // Here, and not in a child: what a child that hangs still holds is lost too.
    stats.log();
    code
}

fn query(dir: &Path, json: bool) -> ExitCode {
    match Counts::read(dir) {
        Ok(counts) if json => say(&format!("{}\n", counts.to_json())),
        Ok(counts) => say(&counts.to_table()),
        Err(error) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn tree(args: &Args, stats: Arc<Stats>) -> Supervisor {
    let (faults, synced) = (Faults::default(), Synced::default());
    let setup = Setup::new(args, &synced, &faults, &stats);
    let store = Child::worker("store", move |cx, inbox| {
        writer::run(cx, inbox, setup.clone())
    })
    .mailbox(STORE_MAILBOX)
    .start_timeout(STORE_START_TIMEOUT)
    .explicit_ready();
    let to_store = store.handle();
    let parser = Child::actor("parser", move |cx| {
        let store = to_store.clone();
        (Parser { cx, store }, ())
    });
    let connections = Supervisor::dynamic("connections");
    let intake = Intake {
        parser: parser.handle(),
        store: store.handle(),
        synced,
        stats,
        faults: faults.clone(),
        acknowledged: args.ack,
    };
    let chaos = args
        .chaos
        .map(|address| chaos::child(address, faults, parser.handle()));
    let listeners = Supervisor::one_for_one("listeners")
        .child(listen::udp(Endpoint::new("udp", args.udp), intake.clone()))
        .child(listen::tcp(
            Endpoint::new("tcp", args.tcp),
            intake,
            connections.handle(),
        ));
    let mut root = Supervisor::rest_for_one("syslogd")
        .backoff(Backoff::try_new(BACKOFF.0, BACKOFF.1).unwrap_or_default());
    if let Some(chaos) = chaos {
        root = root.child(chaos);
    }
    root.child(store)
        .child(parser)
        .child(connections)
        .child(listeners)
}

/// Tells whoever started the process where it listens: with port 0 nobody else knows.
fn announce(what: &str, address: SocketAddr) {
    say(&format!("syslogd: {what} listening on {address}\n"));
}

/// A closed stdout is no reason to fail.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(stdout.write_all(text.as_bytes()));
    drop(stdout.flush());
}

fn complain(error: &impl Display) {
    drop(writeln!(std::io::stderr().lock(), "syslogd: {error}"));
}
