//! One stored line: the raw bytes as received, and the few fields that queries count by.
//!
//! The raw line is the truth and is kept whether or not it parsed; the fields are there so that a query
//! does not parse everything again. The encoding is this module's own, length before content, since a raw
//! line is bytes and would double in JSON.

use std::net::SocketAddr;

use crate::message::{self, MalformedMessage, Severity};

/// Stands where a line names no program, as in RFC 5424.
pub(crate) const NIL: &str = "-";

/// The first byte of an entry.
const VERSION: u8 = 1;

/// RFC 5424 §6 allows a hostname 255 bytes and a program 48; a sender that writes more is cut here, so
/// that the fields cannot outgrow the record.
const MAX_NAME_BYTES: usize = 255;

/// In place of a severity code, which is 0 to 7.
const NO_SEVERITY: u8 = 255;

/// One line with where and when it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The collector's clock, in milliseconds since 1970.
    pub(crate) received_unix_ms: u64,
    /// The sender's address and port.
    pub(crate) peer: String,
    /// The client and its number for this line, on an acknowledged connection.
    pub(crate) client: Option<(String, u64)>,
    /// The line did not parse: host is the peer's address, severity and program are not known.
    pub(crate) malformed: bool,
    /// The host the line names, or the peer's address if it names none.
    pub(crate) host: String,
    /// The severity, `None` only in a malformed line.
    pub(crate) severity: Option<Severity>,
    /// The program the line names, or [`NIL`].
    pub(crate) program: String,
    /// The line without its framing.
    pub(crate) raw: Vec<u8>,
}

impl Entry {
    /// Makes an entry of a received line; what is wrong with a malformed one is given beside it.
    pub(crate) fn received(
        received_unix_ms: u64,
        peer: SocketAddr,
        client: Option<(String, u64)>,
        raw: Vec<u8>,
    ) -> (Self, Option<MalformedMessage>) {
        let (message, malformed) = match message::parse(&raw) {
            Ok(message) => (Some(message), None),
            Err(error) => (None, Some(error)),
        };
        let severity = message.as_ref().map(|message| message.severity);
        let (host, program) =
            message.map_or((None, None), |message| (message.host, message.program));
        let entry = Self {
            received_unix_ms,
            peer: peer.to_string(),
            client,
            malformed: malformed.is_some(),
            host: shortened(host.unwrap_or_else(|| peer.ip().to_string())),
            severity,
            program: shortened(program.unwrap_or_else(|| NIL.to_owned())),
            raw,
        };
        (entry, malformed)
    }

    /// Writes the entry as a record's payload.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(self.raw.len() + self.host.len() + self.program.len() + 96);
        let severity = self.severity.map_or(NO_SEVERITY, Severity::code);
        out.extend([VERSION, u8::from(self.malformed), severity]);
        out.extend(self.received_unix_ms.to_le_bytes());
        // Numbers begin at 1, and a client's name is never empty; 0 and "" stand for no client.
        let (client, number) = self
            .client
            .as_ref()
            .map_or(("", 0), |(client, number)| (client, *number));
        out.extend(number.to_le_bytes());
        for field in [
            client.as_bytes(),
            self.peer.as_bytes(),
            self.host.as_bytes(),
            self.program.as_bytes(),
            &self.raw,
        ] {
            // A field of 4 GiB makes a record that the segment refuses, so its length does not matter.
            out.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend_from_slice(field);
        }
        out
    }

    /// Reads a payload; `None` if it is not one that [`Entry::encode`] wrote.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let (&[version, malformed, severity], rest) = payload.split_first_chunk()?;
        if version != VERSION || malformed > 1 {
            return None;
        }
        let mut rest = rest;
        let received_unix_ms = take_u64(&mut rest)?;
        let number = take_u64(&mut rest)?;
        let client = take_text(&mut rest)?;
        let entry = Self {
            received_unix_ms,
            peer: take_text(&mut rest)?,
            client: (!client.is_empty()).then_some((client, number)),
            malformed: malformed == 1,
            host: take_text(&mut rest)?,
            severity: if severity == NO_SEVERITY {
                None
            } else {
                Some(Severity::from_code(severity)?)
            },
            program: take_text(&mut rest)?,
            raw: take_field(&mut rest)?.to_vec(),
        };
        rest.is_empty().then_some(entry)
    }
}

fn shortened(mut name: String) -> String {
    let mut end = name.len().min(MAX_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u64::from_le_bytes(*bytes))
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (field, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some(field)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_field(rest)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Entry, MAX_NAME_BYTES, Severity};
    use crate::framing::MAX_FRAME;
    use crate::message::MalformedMessage;
    use crate::segment::MAX_PAYLOAD;

    fn received(raw: &[u8]) -> (Entry, Option<MalformedMessage>) {
        Entry::received(7, "127.0.0.1:514".parse().unwrap(), None, raw.to_vec())
    }

    #[test]
    fn a_line_that_parses_gives_its_fields_and_keeps_its_bytes() {
        let (entry, malformed) = received(b"<11>Nov 21 04:54:32 web app[7]: hi");
        assert_eq!(
            (entry.host.as_str(), entry.program.as_str(), malformed),
            ("web", "app", None)
        );
        assert_eq!(entry.severity.map(Severity::name), Some("err"));
        assert_eq!(entry.raw, b"<11>Nov 21 04:54:32 web app[7]: hi");
    }

    #[test]
    fn a_malformed_line_is_kept_under_its_peers_address() {
        let (entry, malformed) = received(b"garbage");
        assert_eq!(malformed, Some(MalformedMessage::NoPriority));
        assert_eq!(
            (entry.host.as_str(), entry.program.as_str()),
            ("127.0.0.1", "-")
        );
        assert_eq!((entry.severity, entry.malformed), (None, true));
        assert_eq!(entry.raw, b"garbage");
    }

    #[test]
    fn the_longest_frame_always_fits_a_record() {
        // Each invalid byte becomes three in the host; only the cut keeps the record small.
        let mut raw = b"<11>1 - ".to_vec();
        raw.resize(MAX_FRAME - 20, 0xFF);
        raw.extend(b" app - - - text");
        let (entry, malformed) = received(&raw);
        assert_eq!(malformed, None);
        assert_eq!(entry.host.len(), MAX_NAME_BYTES);
        assert!(entry.encode().len() <= MAX_PAYLOAD);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_and_no_prefix_of_it_is(
            raw: Vec<u8>, name in "\\PC{0,20}", number in 0_u64.., code in 0_u8..9,
        ) {
            let (mut entry, _) = received(&raw);
            entry.client = (number % 2 == 1).then(|| ("web-1".to_owned(), number));
            (entry.severity, entry.host) = (Severity::from_code(code), name);
            let payload = entry.encode();
            for end in 0..payload.len() {
                prop_assert_eq!(Entry::decode(&payload[..end]), None);
            }
            prop_assert_eq!(Entry::decode(&payload), Some(entry));
        }

        #[test]
        fn no_bytes_make_decoding_panic(payload: Vec<u8>) {
            drop(Entry::decode(&payload));
            drop(Entry::decode(&[&[1, 0, 3], payload.as_slice()].concat()));
        }
    }
}
