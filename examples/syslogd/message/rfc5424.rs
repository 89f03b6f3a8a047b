//! The rest of an RFC 5424 line, after `<n>1 `.
//!
//! The grammar is strict where a mistake would put words into the wrong field, and lenient where it
//! cannot: lengths are not checked, and a value may hold any bytes.

use super::cursor::{Cursor, lossy};
use super::{MalformedMessage, Message, SdElement};

/// UTF-8's byte order mark, which §6.4 puts before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads header, structured data and text into `message`.
pub(super) fn read(
    cursor: &mut Cursor<'_>,
    mut message: Message,
) -> Result<Message, MalformedMessage> {
    message.timestamp = read_timestamp(cursor)?;
    message.host = read_field(cursor, "hostname")?;
    message.program = read_field(cursor, "app name")?;
    message.procid = read_field(cursor, "process id")?;
    message.msgid = read_field(cursor, "message id")?;
    message.structured_data = read_structured_data(cursor)?;
    cursor.eat(BYTE_ORDER_MARK);
    message.text = lossy(cursor.rest());
    Ok(message)
}

/// Says whether `field` has the shape of an RFC 3339 timestamp; the calendar is not consulted.
pub(super) fn is_timestamp(field: &[u8]) -> bool {
    let mut cursor = Cursor::new(field);
    let seconds = cursor
        .take(19)
        .is_some_and(|taken| has_shape(taken, b"0000-00-00T00:00:00"));
    if !seconds {
        return false;
    }
    // TIME-SECFRAC allows six digits; some senders write nine.
    if cursor.eat(b".") && cursor.until(|byte| !byte.is_ascii_digit()).is_empty() {
        return false;
    }
    let zone = cursor.rest();
    zone == b"Z" || has_shape(zone, b"+00:00") || has_shape(zone, b"-00:00")
}

/// Compares with a pattern in which `0` stands for any digit.
pub(super) fn has_shape(field: &[u8], pattern: &[u8]) -> bool {
    let same = |(byte, want): (&u8, &u8)| {
        if *want == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == want
        }
    };
    field.len() == pattern.len() && field.iter().zip(pattern).all(same)
}

fn read_timestamp(cursor: &mut Cursor<'_>) -> Result<Option<String>, MalformedMessage> {
    const FIELD: &str = "timestamp";
    let offset = cursor.offset();
    let field = read_field(cursor, FIELD)?;
    match field {
        Some(text) if !is_timestamp(text.as_bytes()) => Err(MalformedMessage::Bad {
            field: FIELD,
            offset,
        }),
        other => Ok(other),
    }
}

/// Reads one header field and the space that must follow it; `-` is RFC 5424's nil.
fn read_field(
    cursor: &mut Cursor<'_>,
    field: &'static str,
) -> Result<Option<String>, MalformedMessage> {
    let offset = cursor.offset();
    let bytes = cursor.until(|byte| byte == b' ');
    if bytes.is_empty() && cursor.rest().is_empty() {
        return Err(MalformedMessage::Missing { field, offset });
    }
    if bytes.is_empty() {
        return Err(MalformedMessage::Bad { field, offset });
    }
    if !cursor.eat(b" ") {
        let (field, offset) = ("structured data", cursor.offset());
        return Err(MalformedMessage::Missing { field, offset });
    }
    Ok((bytes != b"-").then(|| lossy(bytes)))
}

/// Reads `-` or the elements, and the space before the text if there is a text.
fn read_structured_data(cursor: &mut Cursor<'_>) -> Result<Vec<SdElement>, MalformedMessage> {
    let field = "structured data";
    let offset = cursor.offset();
    if cursor.rest().is_empty() {
        return Err(MalformedMessage::Missing { field, offset });
    }
    let mut elements = Vec::new();
    if !cursor.eat(b"-") {
        while cursor.eat(b"[") {
            elements.push(read_element(cursor)?);
        }
        if elements.is_empty() {
            return Err(MalformedMessage::Bad { field, offset });
        }
    }
    if !cursor.rest().is_empty() && !cursor.eat(b" ") {
        return Err(MalformedMessage::Bad {
            field,
            offset: cursor.offset(),
        });
    }
    Ok(elements)
}

/// Reads an element after its `[`, up to and with its `]`.
fn read_element(cursor: &mut Cursor<'_>) -> Result<SdElement, MalformedMessage> {
    let id = read_sd_name(cursor, "structured data id")?;
    let mut params = Vec::new();
    while cursor.eat(b" ") {
        let name = read_sd_name(cursor, "parameter name")?;
        if !cursor.eat(b"=\"") {
            return Err(MalformedMessage::Bad {
                field: "parameter",
                offset: cursor.offset(),
            });
        }
        params.push((name, read_value(cursor)?));
    }
    if !cursor.eat(b"]") {
        return Err(MalformedMessage::Bad {
            field: "end of structured data",
            offset: cursor.offset(),
        });
    }
    Ok(SdElement { id, params })
}

fn read_sd_name(cursor: &mut Cursor<'_>, field: &'static str) -> Result<String, MalformedMessage> {
    let offset = cursor.offset();
    let name = cursor.until(|byte| matches!(byte, b'=' | b']' | b'"') || !byte.is_ascii_graphic());
    if name.is_empty() {
        return Err(MalformedMessage::Bad { field, offset });
    }
    Ok(lossy(name))
}

/// Reads a value after its opening quote, up to and with the closing one.
fn read_value(cursor: &mut Cursor<'_>) -> Result<String, MalformedMessage> {
    let offset = cursor.offset();
    let mut value = Vec::new();
    loop {
        value.extend_from_slice(cursor.until(|byte| matches!(byte, b'"' | b'\\')));
        match cursor.byte() {
            Some(b'"') => return Ok(lossy(&value)),
            Some(_) => value.push(read_escaped(cursor)),
            None => {
                return Err(MalformedMessage::Bad {
                    field: "parameter value",
                    offset,
                });
            }
        }
    }
}

/// Undoes one escape after its `\`. Before any other character the `\` stands for itself: §6.3.3.
fn read_escaped(cursor: &mut Cursor<'_>) -> u8 {
    for escaped in [b'"', b'\\', b']'] {
        if cursor.eat(&[escaped]) {
            return escaped;
        }
    }
    b'\\'
}
