//! The priority: facility and severity, the one field that both RFCs share.
//!
//! The names are those of `logger -p`, so that a report reads like the command that caused it.

use std::fmt;

use super::MalformedMessage;
use super::cursor::Cursor;

/// 23 facilities of 8 severities each come before the last: RFC 5424 §6.2.1.
const HIGHEST_PRIORITY: u16 = 191;

/// RFC 5424 table 1; 12 to 15 carry the names that util-linux leaves out, after rsyslog.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// RFC 5424 table 2, the most severe first.
const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

/// The part of the system a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facility(u8);

/// Names it as `logger -p` does.
impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FACILITIES.get(usize::from(self.0)).copied();
        f.write_str(name.unwrap_or("unknown"))
    }
}

/// How bad a message is; 0 is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Severity(u8);

impl Severity {
    /// Accepts the eight codes there are.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        (usize::from(code) < SEVERITIES.len()).then_some(Self(code))
    }

    /// The number on the wire, 0 to 7.
    pub(crate) fn code(self) -> u8 {
        self.0
    }

    /// Names it as `logger -p` does.
    pub(crate) fn name(self) -> &'static str {
        SEVERITIES
            .get(usize::from(self.0))
            .copied()
            .unwrap_or("unknown")
    }
}

/// Reads `<n>`. Leading zeros are let through: they cannot mean anything else.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<(Facility, Severity), MalformedMessage> {
    if !cursor.eat(b"<") {
        return Err(MalformedMessage::NoPriority);
    }
    let digits = cursor.until(|byte| !byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > 3 || !cursor.eat(b">") {
        return Err(MalformedMessage::NoPriority);
    }
    let value = digits
        .iter()
        .fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    if value > HIGHEST_PRIORITY {
        return Err(MalformedMessage::PriorityOutOfRange { value });
    }
    // Both halves of a number up to 191 fit a byte.
    let [facility, severity] =
        [value / 8, value % 8].map(|half| u8::try_from(half).unwrap_or(u8::MAX));
    Ok((Facility(facility), Severity(severity)))
}
