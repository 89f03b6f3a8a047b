//! The rest of an RFC 3164 (BSD) line, after `<n>`.
//!
//! RFC 3164 wrote down what programs did, and they did different things: the timestamp may be missing or
//! be RFC 3339, the host may be missing (`/dev/log`), the tag may have no pid. Each part is taken when it
//! looks like itself and is left in the text when not; so nothing here can fail and no word is lost.

use super::Message;
use super::cursor::{Cursor, lossy};
use super::rfc5424::{has_shape, is_timestamp};

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Reads timestamp, host, tag and text into `message`.
pub(super) fn read(cursor: &mut Cursor<'_>, mut message: Message) -> Message {
    message.timestamp = read_timestamp(cursor);
    // Without a timestamp the first word is as likely a tag or plain text as it is a host.
    if message.timestamp.is_some() {
        message.host = read_host(cursor);
    }
    if let Some(tag) = read_tag(cursor) {
        message.program = Some(tag.program);
        message.procid = tag.procid;
    }
    message.text = lossy(cursor.rest());
    message
}

/// Reads `Nov 21 04:50:59 `, `Nov  1 …` with a padded day, or an RFC 3339 timestamp.
fn read_timestamp(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut ahead = cursor.clone();
    let stamp = match ahead.take(15) {
        Some(stamp) if is_bsd_timestamp(stamp) => stamp,
        _ => {
            ahead = cursor.clone();
            let word = ahead.until(|byte| byte == b' ');
            is_timestamp(word).then_some(word)?
        }
    };
    if !ahead.eat(b" ") {
        return None;
    }
    *cursor = ahead;
    Some(lossy(stamp))
}

fn is_bsd_timestamp(stamp: &[u8]) -> bool {
    let Some((month, rest)) = stamp.split_at_checked(3) else {
        return false;
    };
    MONTHS.contains(&month)
        && (has_shape(rest, b" 00 00:00:00") || has_shape(rest, b"  0 00:00:00"))
}

/// Takes a word for the host unless it is a tag (`app:`, `app[7]:`) or the last word of the line.
fn read_host(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut ahead = cursor.clone();
    let word = ahead.until(|byte| byte == b' ');
    let is_tag = word.ends_with(b":") || word.iter().skip(1).any(|&byte| byte == b'[');
    if word.is_empty() || is_tag || !ahead.eat(b" ") {
        return None;
    }
    *cursor = ahead;
    Some(lossy(word))
}

struct Tag {
    program: String,
    procid: Option<String>,
}

/// Reads `app:` or `app[pid]:` and one space; a first word without a colon is text.
fn read_tag(cursor: &mut Cursor<'_>) -> Option<Tag> {
    let mut ahead = cursor.clone();
    let program = ahead.until(|byte| matches!(byte, b':' | b'[') || !byte.is_ascii_graphic());
    let mut procid = None;
    if ahead.eat(b"[") {
        let pid = ahead.until(|byte| byte == b']' || !byte.is_ascii_graphic());
        if !ahead.eat(b"]") {
            return None;
        }
        procid = (!pid.is_empty()).then(|| lossy(pid));
    }
    if program.is_empty() || !ahead.eat(b":") {
        return None;
    }
    ahead.eat(b" ");
    *cursor = ahead;
    Some(Tag {
        program: lossy(program),
        procid,
    })
}
