//! Claims about the parser: what real senders write, what breaks, and that no bytes make it panic.

use proptest::prelude::*;

use super::{MalformedMessage, Message, parse};

/// A line, its host, program and process, and its text.
type Case = (&'static [u8], [Option<&'static str>; 3], &'static str);

fn parsed(line: &[u8]) -> Message {
    parse(line).unwrap()
}

#[test]
fn what_debians_logger_sends_as_rfc_3164_is_understood() {
    let message = parsed("<13>Nov 21 04:54:32 vm app[2845]: héllo wörld".as_bytes());
    assert_eq!(
        (
            message.facility.to_string().as_str(),
            message.severity.name()
        ),
        ("user", "notice")
    );
    assert_eq!(message.timestamp.as_deref(), Some("Nov 21 04:54:32"));
    assert_eq!(message.host.as_deref(), Some("vm"));
    assert_eq!(message.program.as_deref(), Some("app"));
    assert_eq!(message.procid.as_deref(), Some("2845"));
    assert_eq!(message.text, "héllo wörld");
}

#[test]
fn what_debians_logger_sends_as_rfc_5424_is_understood() {
    let line = b"<13>1 2026-11-21T04:54:29.941654+00:00 vm root - - [timeQuality tzKnown=\"1\" isSynced=\"0\"] one\n";
    let message = parsed(line);
    assert_eq!(
        message.timestamp.as_deref(),
        Some("2026-11-21T04:54:29.941654+00:00")
    );
    assert_eq!(
        (message.host.as_deref(), message.program.as_deref()),
        (Some("vm"), Some("root"))
    );
    assert_eq!((message.procid, message.msgid), (None, None));
    let quality = &message.structured_data[0];
    assert_eq!(quality.id, "timeQuality");
    assert_eq!(quality.params[1], ("isSynced".into(), "0".into()));
    assert_eq!(message.text, "one");
}

#[test]
fn the_options_of_logger_that_leave_fields_out_give_none() {
    let message = parsed(b"<13>1 - - root - - - text");
    assert_eq!((message.timestamp, message.host), (None, None));
    assert_eq!(message.program.as_deref(), Some("root"));
    assert_eq!(message.text, "text");
}

#[test]
fn the_examples_of_rfc_5424_parse_and_lose_their_byte_order_mark() {
    let first = parsed(b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xEF\xBB\xBF'su root' failed");
    assert_eq!(
        (first.facility.to_string().as_str(), first.severity.name()),
        ("auth", "crit")
    );
    assert_eq!(first.msgid.as_deref(), Some("ID47"));
    assert_eq!(first.text, "'su root' failed");
    let line = b"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [a@32473 iut=\"3\" eventID=\"1011\"][b@32473 class=\"high\"]";
    let fourth = parsed(line);
    assert_eq!(fourth.structured_data.len(), 2);
    assert_eq!(fourth.structured_data[1].id, "b@32473");
    assert_eq!(fourth.text, "");
}

#[test]
fn escapes_in_values_are_undone_and_other_backslashes_stay() {
    let message = parsed(br#"<34>1 - - - - - [x a="q\" b\\ c\] d\n" b=""] t"#);
    let params = &message.structured_data[0].params;
    assert_eq!(params[0].1, r#"q" b\ c] d\n"#);
    assert_eq!(params[1].1, "");
}

#[test]
fn each_way_to_break_rfc_5424_names_the_field_and_the_byte() {
    let bad = |field, offset| MalformedMessage::Bad { field, offset };
    let missing = |field, offset| MalformedMessage::Missing { field, offset };
    let table: [(&[u8], MalformedMessage); 13] = [
        (b"", MalformedMessage::Empty),
        (b"\r\n\0", MalformedMessage::Empty),
        (b"no priority", MalformedMessage::NoPriority),
        (b"<1234>x", MalformedMessage::NoPriority),
        (b"<>x", MalformedMessage::NoPriority),
        (
            b"<192>x",
            MalformedMessage::PriorityOutOfRange { value: 192 },
        ),
        (b"<34>1 yesterday h a - - - t", bad("timestamp", 6)),
        (b"<34>1 ", missing("timestamp", 6)),
        (b"<34>1 -  a - - - t", bad("hostname", 8)),
        (b"<34>1 - h a p m", missing("structured data", 15)),
        (b"<34>1 - h a p m text", bad("structured data", 16)),
        (
            b"<34>1 - h a p m [x a=\"never closed",
            bad("parameter value", 22),
        ),
        (b"<34>1 - h a p m [x]text", bad("structured data", 19)),
    ];
    for (line, expected) in table {
        assert_eq!(
            parse(line),
            Err(expected),
            "{}",
            String::from_utf8_lossy(line)
        );
    }
}

#[test]
fn a_bsd_line_without_some_parts_keeps_every_word() {
    let table: [Case; 8] = [
        (
            b"<13>Nov  1 04:54:32 sshd[7]: hi",
            [None, Some("sshd"), Some("7")],
            "hi",
        ),
        (
            b"<13>Nov 21 04:54:32 vm no tag here",
            [Some("vm"), None, None],
            "no tag here",
        ),
        (b"<13>Nov 21 04:54:32 alone", [None, None, None], "alone"),
        (b"<13>app: hi", [None, Some("app"), None], "hi"),
        (b"<13>just words", [None, None, None], "just words"),
        (b"<13>2 files: gone", [None, None, None], "2 files: gone"),
        (
            b"<13>2026-11-21T04:54:32Z vm app: hi",
            [Some("vm"), Some("app"), None],
            "hi",
        ),
        (
            b"<13>Nov 21 04:54:32 [::1] app[x: hi",
            [Some("[::1]"), None, None],
            "app[x: hi",
        ),
    ];
    for (line, [host, program, procid], text) in table {
        let message = parsed(line);
        let found = [
            message.host.as_deref(),
            message.program.as_deref(),
            message.procid.as_deref(),
        ];
        assert_eq!(
            found,
            [host, program, procid],
            "{}",
            String::from_utf8_lossy(line)
        );
        assert_eq!(message.text, text);
    }
}

#[test]
fn every_priority_has_names_and_severities_sort_worst_first() {
    let message = |value: u8| parsed(format!("<{value}>x").as_bytes());
    for value in 0..=191 {
        assert_ne!(message(value).facility.to_string().as_str(), "unknown");
        assert_ne!(message(value).severity.name(), "unknown");
    }
    assert_eq!(
        (
            message(191).facility.to_string().as_str(),
            message(191).severity.name()
        ),
        ("local7", "debug")
    );
    assert!(message(0).severity < message(7).severity);
}

#[test]
fn bytes_that_are_not_utf_8_become_replacement_characters() {
    assert_eq!(parsed(b"<13>app: \xFF\xFEx").text, "\u{FFFD}\u{FFFD}x");
}

#[test]
fn every_prefix_of_a_valid_line_gives_a_message_or_an_error() {
    let line =
        br#"<165>1 2003-10-11T22:14:15.003Z h evntslog 7 ID47 [a@1 iut="3\]"][b c="d"] text"#;
    for end in 0..=line.len() {
        let whole = parse(&line[..end]);
        assert_eq!(
            whole.is_ok_and(|message| message.structured_data.len() == 2),
            end >= 74,
            "{end}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(parse(&bytes));
    }

    /// Random bytes seldom get past the priority; these are made of the grammar's own characters.
    #[test]
    fn no_mixture_of_the_grammars_characters_makes_the_parser_panic(
        bsd in "<[0-9]{1,4}>[a-zN \\[\\]:0-9-]{0,60}",
        new in "<[0-9]{1,3}>1 [-T:Z.0-9 ]{0,30}[a-z\\[\\]\"=\\\\ -]{0,60}",
    ) {
        drop(parse(bsd.as_bytes()));
        drop(parse(new.as_bytes()));
    }

    #[test]
    fn what_rfc_5424_can_say_comes_back(
        host in "[!-,.-~]{1,40}", program in "[!-,.-~]{1,40}", value in "\\PC{0,40}", text in "[ -~]{0,60}[!-~]",
    ) {
        let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace(']', "\\]");
        let line = format!("<0>1 2003-10-11T22:14:15Z {host} {program} - - [x v=\"{escaped}\"] {text}");
        let message = parsed(line.as_bytes());
        prop_assert_eq!(message.host.as_deref(), Some(host.as_str()));
        prop_assert_eq!(message.program.as_deref(), Some(program.as_str()));
        prop_assert_eq!(&message.structured_data[0].params[0].1, &value);
        prop_assert_eq!(message.text, text);
    }
}
