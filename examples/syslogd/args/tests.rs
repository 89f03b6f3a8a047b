//! Claims about the command line: defaults, each flag, and that every mistake names its flag.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::{Args, Command, HELP, UsageError, parse};
use crate::store::FsyncPolicy;

fn parsed(line: &str) -> Result<Command, UsageError> {
    parse(line.split_whitespace().map(OsString::from))
}

fn collected(line: &str) -> Args {
    match parsed(line) {
        Ok(Command::Collect(args)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn without_arguments_the_defaults_of_the_help_hold() {
    let args = collected("");
    for default in [
        args.udp.to_string(),
        args.http.to_string(),
        args.segment_bytes.to_string(),
        "interval=200".into(),
    ] {
        assert!(HELP.contains(&format!("[{default}]")), "{default}");
    }
    assert_eq!((args.udp, args.ack, args.chaos), (args.tcp, false, None));
    assert_eq!(args.dir, PathBuf::from("./syslogd-data"));
    assert_eq!(
        args.fsync,
        FsyncPolicy::Interval(Duration::from_millis(200))
    );
}

#[test]
fn each_flag_is_understood_with_a_space_or_an_equals_sign() {
    let spaced = "--udp 0.0.0.0:1 --tcp [::1]:0 --http 127.0.0.1:0 --chaos 127.0.0.1:0 --dir d --fsync every=5";
    let args = collected(&format!("{spaced} --segment-bytes 99 --ack"));
    assert_eq!(
        (args.udp.port(), args.tcp.port(), args.http.port()),
        (1, 0, 0)
    );
    assert_eq!(args.chaos.map(|address| address.port()), Some(0));
    assert_eq!(
        (args.dir.clone(), args.segment_bytes, args.ack),
        (PathBuf::from("d"), 99, true)
    );
    assert_eq!(
        args.fsync,
        FsyncPolicy::Every(NonZeroUsize::new(5).unwrap())
    );
    let equals = spaced
        .replace(" 0", "=0")
        .replace(" [", "=[")
        .replace(" 127", "=127")
        .replace(" d ", "=d ");
    assert_eq!(
        collected(&format!(
            "{} --segment-bytes=99 --ack",
            equals.replace(" every", "=every")
        )),
        args
    );
    assert_eq!(collected("--fsync always").fsync, FsyncPolicy::Always);
}

#[test]
fn a_query_takes_a_directory_and_json_and_help_wins() {
    assert_eq!(
        parsed("--query"),
        Ok(Command::Query {
            dir: "./syslogd-data".into(),
            json: false
        })
    );
    assert_eq!(
        parsed("--json --dir x --query"),
        Ok(Command::Query {
            dir: "x".into(),
            json: true
        })
    );
    assert_eq!(parsed("--query --help"), Ok(Command::Help));
    assert_eq!(parsed("--json"), Err(UsageError::JsonWithoutQuery));
}

#[test]
fn every_mistake_names_its_flag() {
    let wrong = [
        ("--verbose", "--verbose"),
        ("--verbose=3", "--verbose"),
        ("stray", "stray"),
        ("--udp", "--udp"),
        ("--ack=yes", "--ack"),
        ("--tcp localhost:5514", "--tcp"),
        ("--tcp 127.0.0.1", "--tcp"),
        ("--http 127.0.0.1:70000", "--http"),
        ("--chaos 0.0.0.0:0", "--chaos"),
        ("--chaos 192.168.0.1:1", "--chaos"),
        ("--fsync never", "--fsync"),
        ("--fsync every=0", "--fsync"),
        ("--fsync interval=0", "--fsync"),
        ("--fsync interval=-1", "--fsync"),
        ("--segment-bytes 0", "--segment-bytes"),
        ("--segment-bytes 64M", "--segment-bytes"),
    ];
    for (line, flag) in wrong {
        let message = parsed(line).unwrap_err().to_string();
        assert!(message.contains(flag), "{line}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_need_not_be_utf_8_and_another_argument_that_is_not_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(vec![b'd', 0xFF]);
    let command = parse(["--query".into(), "--dir".into(), odd.clone()]);
    assert_eq!(
        command,
        Ok(Command::Query {
            dir: PathBuf::from(&odd),
            json: false
        })
    );
    let joined = OsString::from_vec(b"--dir=d\xFF".to_vec());
    for argument in [odd, joined] {
        assert!(matches!(parse([argument]), Err(UsageError::Unknown(_))));
    }
}
