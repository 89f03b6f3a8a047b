//! Bytes as a connection of the syslog example: cut into frames, and each frame parsed.
//!
//! The first byte says whether the connection sends lines only (bit 0) and whether each byte 255 of
//! the rest stands for 20 000 others (bit 1), which makes frames longer than may be. The second byte
//! says into what pieces the network splits the rest; 0 splits nothing.

#[allow(dead_code, reason = "the example uses what is not used here")]
#[path = "../../examples/syslogd"]
mod syslogd {
    pub(crate) mod framing;
    pub(crate) mod message;
}

use std::fmt::Write;

use self::syslogd::framing::{Framer, FramingError, MAX_FRAME};
use self::syslogd::message::{MalformedMessage, Message, parse};

/// How long what a byte 255 stands for is: four make a line that is too long.
const STRETCH: usize = 20_000;

/// Everything that a connection gave.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    frames: Vec<Vec<u8>>,
    truncated: u64,
    error: Option<FramingError>,
}

pub fn check(bytes: &[u8]) {
    let [flags, piece, stream @ ..] = bytes else {
        return;
    };
    let lines_only = flags & 1 != 0;
    let stretched;
    let stream = if flags & 2 == 0 {
        stream
    } else {
        let parts: Vec<&[u8]> = stream.split(|byte| *byte == u8::MAX).take(16).collect();
        stretched = parts.join(&[b'1'; STRETCH][..]);
        &stretched
    };
    let whole = outcome(&mut [stream].into_iter(), lines_only);
    let piece = match piece {
        0 => stream.len().max(1),
        piece if flags & 2 == 0 => usize::from(*piece),
        // So that a long stream is not split into very many.
        piece => usize::from(*piece) * 100,
    };
    let split = outcome(&mut stream.chunks(piece), lines_only);
    assert_eq!(whole, split, "the split shows");
    for frame in &whole.frames {
        assert!(!frame.is_empty() && frame.len() <= MAX_FRAME);
        parsed(frame);
    }
}

fn outcome(pieces: &mut dyn Iterator<Item = &[u8]>, lines_only: bool) -> Outcome {
    let mut framer = Framer::new();
    if lines_only {
        framer.lines_only();
    }
    let mut frames = Vec::new();
    let mut cut = |framer: &mut Framer| {
        while let Some(frame) = framer.next_frame()? {
            frames.push(frame);
        }
        Ok(())
    };
    let mut error = None;
    for piece in pieces {
        framer.push(piece);
        if let Err(bad) = cut(&mut framer) {
            assert_eq!(framer.next_frame(), Err(FramingError::clone(&bad)));
            error = Some(bad);
            break;
        }
    }
    if error.is_none() {
        match framer.finish() {
            Ok(last) => frames.extend(last),
            Err(bad) => error = Some(bad),
        }
    }
    Outcome {
        frames,
        truncated: framer.truncated_lines(),
        error,
    }
}

fn parsed(frame: &[u8]) {
    let message = parse(frame);
    assert_eq!(
        message,
        parse(&[frame, b"\r\n"].concat()),
        "a line's end is no part of it"
    );
    match message {
        Ok(message) => written_again(frame, &message),
        Err(MalformedMessage::Missing { offset, .. } | MalformedMessage::Bad { offset, .. }) => {
            assert!(offset <= frame.len());
        }
        Err(MalformedMessage::PriorityOutOfRange { value }) => assert!(value > 191),
        Err(_) => {}
    }
}

/// Writes a message of RFC 5424 by its grammar; it must read the same again.
fn written_again(frame: &[u8], message: &Message) {
    let version = frame.iter().position(|byte| *byte == b'>').map(|at| at + 1);
    let Some((priority, rest)) = version.and_then(|at| frame.split_at_checked(at)) else {
        panic!("a message without a priority: {frame:?}");
    };
    if !rest.starts_with(b"1 ") {
        return;
    }
    let mut text = format!("{}1", String::from_utf8_lossy(priority));
    let header = [
        &message.timestamp,
        &message.host,
        &message.program,
        &message.procid,
        &message.msgid,
    ];
    for field in header {
        write!(text, " {}", field.as_deref().unwrap_or("-")).expect("a string takes it");
    }
    text.push(' ');
    if message.structured_data.is_empty() {
        text.push('-');
    }
    for element in &message.structured_data {
        write!(text, "[{}", element.id).expect("a string takes it");
        for (name, value) in &element.params {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace(']', "\\]");
            write!(text, " {name}=\"{value}\"").expect("a string takes it");
        }
        text.push(']');
    }
    if !message.text.is_empty() {
        // With the mark that says UTF-8, which is no part of the text.
        write!(text, " \u{feff}{}", message.text).expect("a string takes it");
    }
    assert_eq!(parse(text.as_bytes()).as_ref(), Ok(message), "{text:?}");
}
