//! Parses one syslog line, of RFC 5424 or of the older RFC 3164, into a [`Message`].
//!
//! Lines come from anybody who can reach the port, so a line is bytes and not text: every input gives a
//! message or a [`MalformedMessage`], none panics, and bytes that are not UTF-8 become U+FFFD. The caller
//! keeps the raw line either way. RFC 3164 describes habits and no grammar, so a line of that family only
//! needs its priority; whatever else cannot be told apart stays in the text.
//!
//! It does not interpret timestamps, and it does not shorten fields to the lengths the RFCs allow.

mod cursor;
mod priority;
mod rfc3164;
mod rfc5424;
#[cfg(test)]
mod tests;

use thiserror::Error;

use self::cursor::Cursor;
pub(crate) use self::priority::{Facility, Severity};

/// One parsed line; a field the sender left out, or wrote as `-`, is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The part of the system that speaks.
    pub(crate) facility: Facility,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The sender's clock, as it wrote it: RFC 3339, or `Nov 21 04:50:59` in a line of RFC 3164.
    pub(crate) timestamp: Option<String>,
    /// The sender's own name for its machine.
    pub(crate) host: Option<String>,
    /// `APP-NAME` of RFC 5424, the tag of RFC 3164.
    pub(crate) program: Option<String>,
    /// The process, mostly a number.
    pub(crate) procid: Option<String>,
    /// The kind of message; only RFC 5424 has one.
    pub(crate) msgid: Option<String>,
    /// The elements in the sender's order; only RFC 5424 has them.
    pub(crate) structured_data: Vec<SdElement>,
    /// What is left: the message for people, without a byte order mark.
    pub(crate) text: String,
}

/// One `[id name="value" …]` of RFC 5424 §6.3, with its escapes undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SdElement {
    /// The element's name, such as `timeQuality`.
    pub(crate) id: String,
    /// Names and values in the sender's order; a name may come more than once.
    pub(crate) params: Vec<(String, String)>,
}

/// Says why a line is no syslog message, and at which byte of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum MalformedMessage {
    /// Nothing was left once the line's end was taken off.
    #[error("the line is empty")]
    Empty,
    /// There is no `<` digits `>` at the start.
    #[error("the line does not begin with a priority, <0> to <191>")]
    NoPriority,
    /// 191 is facility 23, severity 7: the last that exists.
    #[error("priority {value} is over 191")]
    PriorityOutOfRange {
        /// The number between the brackets.
        value: u16,
    },
    /// An RFC 5424 header stops short.
    #[error("the line ends at byte {offset}, before its {field}")]
    Missing {
        /// The first field that is not there.
        field: &'static str,
        /// Where it should have begun.
        offset: usize,
    },
    /// A field is there and is not what RFC 5424 says.
    #[error("bad {field} at byte {offset}")]
    Bad {
        /// The field, or the part of the structured data.
        field: &'static str,
        /// Where the trouble begins.
        offset: usize,
    },
}

/// Parses `line`, which may still carry its line end (LF, CR or NUL).
///
/// # Errors
///
/// [`MalformedMessage`] for a line without a valid priority, and for one that declares itself RFC 5424
/// (`<n>1 `) and breaks its grammar.
pub(crate) fn parse(line: &[u8]) -> Result<Message, MalformedMessage> {
    let mut cursor = Cursor::new(trim_end(line));
    if cursor.rest().is_empty() {
        return Err(MalformedMessage::Empty);
    }
    let (facility, severity) = priority::read(&mut cursor)?;
    let message = Message::empty(facility, severity);
    if cursor.eat(b"1 ") {
        rfc5424::read(&mut cursor, message)
    } else {
        Ok(rfc3164::read(&mut cursor, message))
    }
}

impl Message {
    fn empty(facility: Facility, severity: Severity) -> Self {
        Self {
            facility,
            severity,
            timestamp: None,
            host: None,
            program: None,
            procid: None,
            msgid: None,
            structured_data: Vec::new(),
            text: String::new(),
        }
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let end = line
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0));
    end.map_or(&[], |last| &line[..=last])
}
