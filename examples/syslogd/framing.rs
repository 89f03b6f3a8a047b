//! Cuts a TCP byte stream into syslog frames, as RFC 6587 describes both ways of doing it.
//!
//! A frame that begins with a number from 1 on and a space is octet-counted (`5 hello`), any other ends at
//! a line feed; senders of both kinds, and one that mixes them, work on one port without configuration. The
//! cutting depends on the bytes alone and never on how the network split them.
//!
//! 1. A frame is never longer than [`MAX_FRAME`]: of a longer line the first part is a frame and the rest
//!    is dropped and counted; a longer octet count ends the connection, since what follows is unknown.
//! 2. Between frames LF, CR and NUL are skipped, so an empty line is no frame.
//! 3. Once [`Framer::lines_only`] is called, only a line that arrived with its line feed is a frame.
//!
//! It does no input or output. Its memory is bounded by [`MAX_FRAME`] and the largest single
//! [`Framer::push`], as long as the caller takes the frames out between pushes.

#[cfg(test)]
mod tests;

use thiserror::Error;

/// The longest frame in bytes, 64 KiB: more than a UDP datagram can carry, and far above the 8 KiB that
/// rsyslog sends by default.
pub(crate) const MAX_FRAME: usize = 64 * 1024;

/// The digits of [`MAX_FRAME`]; a longer count cannot be right.
const MAX_COUNT_DIGITS: usize = 5;

/// Says why a connection cannot go on: the next frame's beginning is not known any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FramingError {
    /// The count is over [`MAX_FRAME`].
    #[error("an octet count is over {MAX_FRAME} bytes")]
    CountTooLarge,
    /// The stream ended inside an octet-counted frame.
    #[error("the stream ended inside an octet-counted frame, {received} bytes after its start")]
    Incomplete {
        /// The bytes that did arrive, with the count.
        received: usize,
    },
}

/// Collects bytes and gives frames; see the head for the rules.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    buffer: Vec<u8>,
    // Where the next frame begins in `buffer`: taking a frame does not move the bytes behind it.
    start: usize,
    // How much after `start` is known to hold no line feed, so that a slow line is scanned once.
    scanned: usize,
    skipping: bool,
    lines_only: bool,
    truncated_lines: u64,
}

impl Framer {
    /// Starts a connection: nothing received, both framings accepted.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came from the network.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Turns octet counting off from the next frame on: in an acknowledged stream a frame begins with its
    /// number, and a line without its end must not be taken for whole.
    pub(crate) fn lines_only(&mut self) {
        self.lines_only = true;
    }

    /// Counts the lines of which only the first [`MAX_FRAME`] bytes were given.
    pub(crate) fn truncated_lines(&self) -> u64 {
        self.truncated_lines
    }

    /// Gives the next whole frame without its framing, or `None` until more bytes are pushed.
    ///
    /// # Errors
    ///
    /// [`FramingError`] if an octet count is bad; every later call says the same.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        self.skip_rest_of_long_line();
        self.skip_blank();
        match self.pending().first() {
            None => Ok(None),
            Some(_) if self.may_be_counted() => self.counted_frame(),
            Some(_) => Ok(self.line_frame()),
        }
    }

    /// Gives what is left when the sender has closed: a last line without its line feed, if any. Call it
    /// at a clean end of the stream, after [`Framer::next_frame`] gave `None`.
    ///
    /// In an acknowledged stream there is no such line: it could be cut, and the sender will send it again.
    ///
    /// # Errors
    ///
    /// [`FramingError`] if the stream ended inside an octet-counted frame.
    pub(crate) fn finish(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        self.skip_rest_of_long_line();
        self.skip_blank();
        let may_be_counted = self.may_be_counted();
        let rest = trim_line_end(self.pending()).to_vec();
        let received = self.pending().len();
        self.take(received);
        match rest.first() {
            None => Ok(None),
            Some(_) if self.lines_only => Ok(None),
            Some(_) if may_be_counted => Err(FramingError::Incomplete { received }),
            Some(_) => Ok(Some(rest)),
        }
    }

    fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn take(&mut self, count: usize) {
        self.start = (self.start + count).min(self.buffer.len());
        self.scanned = 0;
    }

    /// Says whether the next frame begins with an octet count, as far as it can be seen: `2024-11-21` is
    /// the beginning of a line.
    fn may_be_counted(&self) -> bool {
        let pending = self.pending();
        let digits = count_digits(pending);
        // So many digits are a count that is too large, whatever follows.
        let ends_well =
            digits > MAX_COUNT_DIGITS || matches!(pending.get(digits), None | Some(b' '));
        !self.lines_only && matches!(pending.first(), Some(b'1'..=b'9')) && ends_well
    }

    /// Drops what follows a truncated line, up to its line feed, as it arrives.
    fn skip_rest_of_long_line(&mut self) {
        if !self.skipping {
            return;
        }
        let line_feed = self.pending().iter().position(|&byte| byte == b'\n');
        self.skipping = line_feed.is_none();
        self.take(line_feed.map_or(self.pending().len(), |at| at + 1));
    }

    fn skip_blank(&mut self) {
        let blank = self
            .pending()
            .iter()
            .take_while(|byte| matches!(byte, b'\n' | b'\r' | 0))
            .count();
        if blank > 0 {
            self.take(blank);
        }
    }

    fn line_frame(&mut self) -> Option<Vec<u8>> {
        let pending = self.pending();
        let window = &pending[..pending.len().min(MAX_FRAME + 1)];
        let line_feed = window
            .iter()
            .skip(self.scanned)
            .position(|&byte| byte == b'\n');
        if let Some(found) = line_feed {
            let end = self.scanned + found;
            let frame = trim_line_end(&pending[..end]).to_vec();
            self.take(end + 1);
            return Some(frame);
        }
        if window.len() <= MAX_FRAME {
            self.scanned = window.len();
            return None;
        }
        let frame = trim_line_end(&window[..MAX_FRAME]).to_vec();
        self.take(MAX_FRAME);
        self.skipping = true;
        self.truncated_lines += 1;
        Some(frame)
    }

    fn counted_frame(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        let pending = self.pending();
        let digits = count_digits(pending);
        if digits > MAX_COUNT_DIGITS {
            return Err(FramingError::CountTooLarge);
        }
        if digits == pending.len() {
            return Ok(None);
        }
        let count = pending[..digits]
            .iter()
            .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        if count > MAX_FRAME {
            return Err(FramingError::CountTooLarge);
        }
        let (begin, end) = (digits + 1, digits + 1 + count);
        let Some(frame) = pending.get(begin..end).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.take(end);
        Ok(Some(frame))
    }
}

/// Counts no further than tells a count that is too large.
fn count_digits(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.take(MAX_COUNT_DIGITS + 1).count()
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let last = line.iter().rposition(|byte| !matches!(byte, b'\r' | 0));
    last.map_or(&[], |last| &line[..=last])
}
