//! Reads a line from left to right, so that the parsers never compute an index themselves.
//!
//! Every step stays inside the line by construction; an error can always say [`Cursor::offset`].

/// A line and how far into it the parser has come.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    line: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the line's first byte.
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { line, rest: line }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes have been read.
    pub(super) fn offset(&self) -> usize {
        self.line.len() - self.rest.len()
    }

    /// Steps over `prefix` if it comes next; says whether it did.
    pub(super) fn eat(&mut self, prefix: &[u8]) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes the bytes before the first that `stop` accepts, or all of them.
    pub(super) fn until(&mut self, stop: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| stop(byte));
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Takes the next `count` bytes, if there are so many.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes the next byte, if there is one.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).and_then(|taken| taken.first().copied())
    }
}

/// Makes text of bytes that are mostly UTF-8.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
