//! The acknowledged protocol of `--ack`: what a client says and what it is answered.
//!
//! Plain syslog cannot tell a sender what arrived, so a restart of either side loses lines or doubles
//! them. A client that begins with `HELLO <client>` numbers its lines and is told which are on disk:
//!
//! ```text
//! client: HELLO web-1          server: ACK 41     the last line of web-1 that was fsynced; 0 if none
//! client: 42 <13>1 - - - …     server: ACK 43     later, once 42 and 43 are fsynced
//! client: 43 <13>1 - - - …
//! ```
//!
//! 1. A number is used for one line only, begins at 1, and rises on each connection; gaps are allowed.
//! 2. `ACK n` promises every line up to `n` that the client sent in order, not `n` alone. The server must
//!    therefore store a connection's lines in order and may never drop one and store a later one: see
//!    [`Numbered::follows`].
//! 3. After a reconnect the client sends everything above the `ACK` again; the store drops what it has.
//!
//! A first line without `HELLO` is plain syslog, so `logger` works on the same port. A client name is a
//! claim and no proof: this protocol is for networks in which senders are trusted.

use thiserror::Error;

/// The longest client name: that of a DNS label, RFC 1035 §2.3.4.
const MAX_CLIENT_NAME: usize = 63;

/// The name under which a client's numbers are kept: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientName(String);

impl ClientName {
    /// Gives the name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a connection's first frame makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstFrame {
    /// An acknowledged connection; the caller switches the framer to `lines_only`.
    Hello(ClientName),
    /// Plain syslog: the frame is its first message.
    Plain,
}

/// Says how a client broke the protocol; the connection ends, since its numbers mean nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum AckError {
    /// The name after `HELLO` is empty, too long, or has other characters.
    #[error("a client name is 1 to {MAX_CLIENT_NAME} letters, digits, '.', '_' or '-'")]
    BadClientName,
    /// A frame does not begin with a number from 1 on and a space.
    #[error("a line does not begin with its number and a space")]
    BadNumber,
    /// A number is not above the one before it on this connection.
    #[error("line {number} comes after line {after}")]
    NotRising {
        /// The number of this frame.
        number: u64,
        /// The number of the frame before.
        after: u64,
    },
}

/// One frame of an acknowledged connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbered<'a> {
    /// The client's number for this line.
    pub(crate) number: u64,
    /// The number before it on this connection, `None` for the first.
    ///
    /// Who stores this line must hold `follows` already, else lines were lost between the connection and
    /// the store (a restarted writer, say) and the connection must end so that the client sends them again.
    pub(crate) follows: Option<u64>,
    /// The syslog line.
    pub(crate) message: &'a [u8],
}

/// The state of one acknowledged connection: the last number read.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    last: Option<u64>,
}

impl Numbers {
    /// Reads `<number> <line>` and checks that the numbers rise.
    ///
    /// # Errors
    ///
    /// [`AckError`] if the frame has no number, or one that is not above the last.
    pub(crate) fn read<'a>(&mut self, frame: &'a [u8]) -> Result<Numbered<'a>, AckError> {
        let (number, message) = split_number(frame).ok_or(AckError::BadNumber)?;
        let follows = self.last;
        if let Some(after) = follows.filter(|&last| number <= last) {
            return Err(AckError::NotRising { number, after });
        }
        self.last = Some(number);
        Ok(Numbered {
            number,
            follows,
            message,
        })
    }

    /// The last number read, if any was.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }
}

/// Tells an acknowledged connection from a plain one by its first frame.
///
/// # Errors
///
/// [`AckError::BadClientName`] if the frame says `HELLO` and no valid name.
pub(crate) fn read_first(frame: &[u8]) -> Result<FirstFrame, AckError> {
    let Some(name) = frame.strip_prefix(b"HELLO ") else {
        return Ok(FirstFrame::Plain);
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_CLIENT_NAME || !name.iter().all(allowed) {
        return Err(AckError::BadClientName);
    }
    Ok(FirstFrame::Hello(ClientName(
        String::from_utf8_lossy(name).into_owned(),
    )))
}

/// Writes the answer for the last fsynced number; a client of which nothing is kept is told 0.
pub(crate) fn answer(synced: Option<u64>) -> String {
    format!("ACK {}\n", synced.unwrap_or(0))
}

/// Splits at the first space; leading zeros, signs and numbers over `u64` are no numbers.
fn split_number(frame: &[u8]) -> Option<(u64, &[u8])> {
    let space = frame.iter().position(|&byte| byte == b' ')?;
    let (digits, message) = (frame.get(..space)?, frame.get(space + 1..)?);
    if !matches!(digits.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AckError, FirstFrame, Numbered, Numbers, answer, read_first};

    #[test]
    fn hello_names_the_client_and_anything_else_is_plain_syslog() {
        let Ok(FirstFrame::Hello(client)) = read_first(b"HELLO web-1.example_x") else {
            panic!("a valid hello");
        };
        assert_eq!(client.as_str(), "web-1.example_x");
        for plain in [&b"<13>HELLO x"[..], b"HELLO", b"hello x", b""] {
            assert_eq!(read_first(plain), Ok(FirstFrame::Plain));
        }
    }

    #[test]
    fn a_hello_with_a_bad_name_is_refused() {
        let long = [&b"HELLO "[..], &[b'a'; 64]].concat();
        for frame in [
            &b"HELLO "[..],
            b"HELLO a b",
            b"HELLO \xFF",
            b"HELLO ../x",
            &long,
        ] {
            assert_eq!(read_first(frame), Err(AckError::BadClientName));
        }
    }

    #[test]
    fn each_line_carries_its_number_and_the_one_it_follows() {
        let mut numbers = Numbers::default();
        let first = numbers.read(b"7 <13>a b").unwrap();
        assert_eq!(
            first,
            Numbered {
                number: 7,
                follows: None,
                message: b"<13>a b"
            }
        );
        let second = numbers.read(b"18446744073709551615 ").unwrap();
        assert_eq!(
            second,
            Numbered {
                number: u64::MAX,
                follows: Some(7),
                message: b""
            }
        );
    }

    #[test]
    fn a_number_that_does_not_rise_is_refused() {
        for again in [&b"7 x"[..], b"6 x"] {
            let mut numbers = Numbers::default();
            numbers.read(b"7 x").unwrap();
            assert!(matches!(
                numbers.read(again),
                Err(AckError::NotRising { after: 7, .. })
            ));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let frames = [
            &b""[..],
            b"7",
            b" x",
            b"0 x",
            b"07 x",
            b"+7 x",
            b"-7 x",
            b"7a x",
            b"18446744073709551616 x",
        ];
        for frame in frames {
            assert_eq!(Numbers::default().read(frame), Err(AckError::BadNumber));
        }
    }

    #[test]
    fn the_answer_is_one_line_and_0_for_an_unknown_client() {
        assert_eq!(answer(Some(43)), "ACK 43\n");
        assert_eq!(answer(None), "ACK 0\n");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_protocol_panic(frame: Vec<u8>, number: u64) {
            drop(read_first(&frame));
            drop(Numbers::default().read(&frame));
            let line = [format!("{number} ").as_bytes(), &frame].concat();
            prop_assert_eq!(Numbers::default().read(&line).is_ok(), number > 0);
        }
    }
}
