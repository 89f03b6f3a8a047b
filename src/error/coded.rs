//! An error of a program's own that has a number, and how it is sent to somebody else.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::LazyLock;

use super::ErrorCode;
use crate::exit::{BoxError, ErrorChain};

/// An error of the program's own that has a code.
///
/// Its backtrace is taken where it is made, if `RUST_BACKTRACE` says so, and shown by `Debug`. A task body
/// can return it as it is.
///
/// ```
/// use perennial::BoxError;
/// use perennial::error::{CodedError, ErrorCode};
///
/// fn read(text: &str) -> Result<u8, BoxError> {
///     let number = text.parse();
///     Ok(number.map_err(|error| CodedError::new(ErrorCode::CONFIG_INVALID, "no number").because(error))?)
/// }
/// assert_eq!(read("x").unwrap_err().to_string(), "no number");
/// ```
pub struct CodedError {
    code: ErrorCode,
    message: Cow<'static, str>,
    source: Option<BoxError>,
    /// `None` where none was asked for, so that an error is small and quickly made.
    backtrace: Option<Box<Backtrace>>,
}

/// What an error shows that has no backtrace.
static NO_BACKTRACE: Backtrace = Backtrace::disabled();

/// Whether `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asks for backtraces. The standard library looks once,
/// too.
static IS_TRACED: LazyLock<bool> =
    LazyLock::new(|| Backtrace::capture().status() == BacktraceStatus::Captured);

impl CodedError {
    /// Makes an error.
    #[inline]
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            source: None,
            backtrace: IS_TRACED.then(|| Box::new(Backtrace::capture())),
        }
    }

    /// Says what it comes from.
    #[inline]
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// Tells whether the same thing may succeed when it is tried again later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.code.is_retryable()
    }

    /// Returns the backtrace, which is empty unless `RUST_BACKTRACE` asks for it.
    pub fn backtrace(&self) -> &Backtrace {
        self.backtrace.as_deref().unwrap_or(&NO_BACKTRACE)
    }

    /// Returns everything that can be sent to somebody else.
    pub fn report(&self) -> ErrorReport {
        ErrorReport {
            code: self.code.number,
            word: self.code.word.to_owned(),
            category: self.code.category().code().to_owned(),
            is_retryable: self.code.is_retryable,
            messages: ErrorChain::new(self)
                .messages()
                .map(str::to_owned)
                .collect(),
        }
    }
}

impl fmt::Display for CodedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for CodedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, ErrorChain::new(self))?;
        match &self.backtrace {
            Some(backtrace) => write!(f, "\n{backtrace}"),
            None => Ok(()),
        }
    }
}

impl Error for CodedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

/// An error as it is sent to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ErrorReport {
    /// The number.
    pub code: u32,
    /// The word.
    pub word: String,
    /// The category's word.
    pub category: String,
    /// Whether the same thing may succeed when it is tried again later.
    pub is_retryable: bool,
    /// What is wrong and what it comes from, the outermost first.
    pub messages: Vec<String>,
}
