//! Reads the command line by hand: a dozen flags need no library, and an example should show few.
//!
//! It decides and does not act: printing, and exiting with [`USAGE_EXIT_CODE`], is up to `main`.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::store::FsyncPolicy;

/// The exit code for a bad command line: `EX_USAGE` of sysexits.h.
pub(crate) const USAGE_EXIT_CODE: u8 = 64;

/// The port syslog would have if it were not privileged: 514 (RFC 3164) and 5000.
const DEFAULT_SYSLOG_PORT: u16 = 5514;

const DEFAULT_HTTP_PORT: u16 = 9600;

/// A fifth of a second of lines at risk of a power failure, and five syncs a second, which any disk can do.
const DEFAULT_SYNC_INTERVAL: Duration = Duration::from_millis(200);

/// 64 MiB: a few hundred thousand lines, and a size that is still quick to copy.
const DEFAULT_SEGMENT_BYTES: u64 = 64 << 20;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
Collect syslog lines (RFC 5424, RFC 3164) into files that survive a crash.

Usage: syslogd [OPTIONS]
       syslogd --query [--dir PATH] [--json]

  --udp ADDR           receive datagrams here            [127.0.0.1:5514]
  --tcp ADDR           accept connections here, RFC 6587 [127.0.0.1:5514]
  --http ADDR          serve health and metrics here     [127.0.0.1:9600]
  --dir PATH           keep the lines here               [./syslogd-data]
  --fsync POLICY       always, every=LINES or interval=MILLISECONDS [interval=200]
  --segment-bytes N    begin a new file after N bytes    [67108864]
  --ack                understand HELLO on --tcp, and acknowledge numbered lines
  --chaos ADDR         take fault-injection commands here; loopback only
  --query              count the lines in --dir and exit; a collector may be running
  --json               with --query: print JSON
  --check-config       say whether the configuration can be used: exit 0 or 78
  --print-config       print the configuration with the origin of every value
  --help               print this

ADDR is an IP address and a port, such as 127.0.0.1:5514 or [::1]:0; port 0 lets the system choose.
";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Collect until told to stop.
    Collect(Args),
    /// Report what is in `dir`.
    Query {
        /// The store's directory.
        dir: PathBuf,
        /// JSON in place of a table.
        json: bool,
    },
    /// Print [`HELP`].
    Help,
}

/// The options of a collector; see [`HELP`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    /// Where datagrams arrive.
    pub(crate) udp: SocketAddr,
    /// Where connections arrive.
    pub(crate) tcp: SocketAddr,
    /// Where probes and the scrape are served.
    pub(crate) http: SocketAddr,
    /// The store's directory.
    pub(crate) dir: PathBuf,
    /// When the store is synced.
    pub(crate) fsync: FsyncPolicy,
    /// Where a segment ends.
    pub(crate) segment_bytes: u64,
    /// Whether `HELLO` begins an acknowledged connection.
    pub(crate) ack: bool,
    /// Where faults can be ordered, if anywhere; a loopback address.
    pub(crate) chaos: Option<SocketAddr>,
}

/// Says what is wrong with the command line, naming the flag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum UsageError {
    /// No such flag.
    #[error("unknown argument '{0}', see --help")]
    Unknown(String),
    /// The flag is last and needs a value.
    #[error("{0} needs a value")]
    NoValue(String),
    /// The flag stands alone and was given a value with `=`.
    #[error("{0} takes no value")]
    UnexpectedValue(String),
    /// The value is not one the flag can have.
    #[error("{flag}: '{value}' is not {expected}")]
    BadValue {
        /// The flag.
        flag: String,
        /// What was given.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// `--json` changes the report only.
    #[error("--json needs --query")]
    JsonWithoutQuery,
}

/// Reads the arguments after the program's name. The last of a repeated flag counts, and `--help` wins
/// over everything that is otherwise right.
///
/// # Errors
///
/// [`UsageError`] at the first argument that is wrong.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parsed = Parsed::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        parsed.read(&argument, &mut arguments)?;
    }
    parsed.command()
}

impl Default for Args {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            udp: loopback(DEFAULT_SYSLOG_PORT),
            tcp: loopback(DEFAULT_SYSLOG_PORT),
            http: loopback(DEFAULT_HTTP_PORT),
            dir: PathBuf::from("./syslogd-data"),
            fsync: FsyncPolicy::Interval(DEFAULT_SYNC_INTERVAL),
            segment_bytes: DEFAULT_SEGMENT_BYTES,
            ack: false,
            chaos: None,
        }
    }
}

#[derive(Debug, Default)]
struct Parsed {
    args: Args,
    query: bool,
    json: bool,
    help: bool,
    asks_of_config: bool,
}

impl Parsed {
    /// Reads one flag, and its value from after its `=` or from the next argument.
    fn read(
        &mut self,
        argument: &OsString,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), UsageError> {
        // Replacing what is not UTF-8 would change a path behind `--dir=`.
        let Some(text) = argument.to_str() else {
            return Err(UsageError::Unknown(argument.to_string_lossy().into_owned()));
        };
        let (flag, attached) = match text.split_once('=') {
            Some((flag, value)) => (flag, Some(OsString::from(value))),
            None => (text, None),
        };
        if let Some(switch) = self.switch(flag) {
            *switch = true;
            return attached.map_or(Ok(()), |_| {
                Err(UsageError::UnexpectedValue(flag.to_owned()))
            });
        }
        let known = [
            "--udp",
            "--tcp",
            "--http",
            "--chaos",
            "--dir",
            "--fsync",
            "--segment-bytes",
        ];
        if !known.contains(&flag) {
            return Err(UsageError::Unknown(flag.to_owned()));
        }
        let value = attached
            .or_else(|| rest.next())
            .ok_or_else(|| UsageError::NoValue(flag.to_owned()))?;
        self.set(flag, value)
    }

    fn switch(&mut self, flag: &str) -> Option<&mut bool> {
        match flag {
            "--ack" => Some(&mut self.args.ack),
            "--query" => Some(&mut self.query),
            "--json" => Some(&mut self.json),
            // The daemon, which is asked before anything starts, looks for these itself.
            "--check-config" | "--print-config" => Some(&mut self.asks_of_config),
            "--help" | "-h" => Some(&mut self.help),
            _ => None,
        }
    }

    fn set(&mut self, flag: &str, value: OsString) -> Result<(), UsageError> {
        if flag == "--dir" {
            self.args.dir = PathBuf::from(value);
            return Ok(());
        }
        let text = value.to_string_lossy();
        match set_text(&mut self.args, flag, &text) {
            Ok(()) => Ok(()),
            Err(expected) => {
                let (flag, value) = (flag.to_owned(), text.into_owned());
                Err(UsageError::BadValue {
                    flag,
                    value,
                    expected,
                })
            }
        }
    }

    fn command(self) -> Result<Command, UsageError> {
        match self {
            Self { help: true, .. } => Ok(Command::Help),
            Self {
                asks_of_config: true,
                args,
                ..
            } => Ok(Command::Collect(args)),
            Self {
                query: true,
                json,
                args,
                ..
            } => Ok(Command::Query {
                dir: args.dir,
                json,
            }),
            Self { json: true, .. } => Err(UsageError::JsonWithoutQuery),
            Self { args, .. } => Ok(Command::Collect(args)),
        }
    }
}

/// Sets the value of `flag`, or says what would have been a right one.
fn set_text(args: &mut Args, flag: &str, value: &str) -> Result<(), &'static str> {
    match flag {
        "--udp" => args.udp = address(value)?,
        "--tcp" => args.tcp = address(value)?,
        "--http" => args.http = address(value)?,
        // Who reaches this address can stop the collector, so it is for this machine only.
        "--chaos" => {
            let loopback = address(value)
                .ok()
                .filter(|address| address.ip().is_loopback());
            args.chaos = Some(loopback.ok_or("a loopback address and port, such as 127.0.0.1:0")?);
        }
        "--fsync" => {
            args.fsync =
                policy(value).ok_or("always, every=LINES or interval=MILLISECONDS, from 1 on")?
        }
        _ => {
            let bytes = value.parse().ok().filter(|&bytes| bytes > 0);
            args.segment_bytes = bytes.ok_or("a number of bytes from 1 on")?;
        }
    }
    Ok(())
}

fn address(value: &str) -> Result<SocketAddr, &'static str> {
    value
        .parse()
        .map_err(|_| "an IP address and port, such as 127.0.0.1:5514")
}

fn policy(value: &str) -> Option<FsyncPolicy> {
    match value.split_once('=') {
        None => (value == "always").then_some(FsyncPolicy::Always),
        Some(("every", lines)) => Some(FsyncPolicy::Every(lines.parse::<NonZeroUsize>().ok()?)),
        Some(("interval", milliseconds)) => {
            let milliseconds = milliseconds
                .parse::<u32>()
                .ok()
                .filter(|&count| count > 0)?;
            Some(FsyncPolicy::Interval(Duration::from_millis(
                milliseconds.into(),
            )))
        }
        Some(_) => None,
    }
}
