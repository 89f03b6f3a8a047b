//! An error of a program's own that has a number, and how it is sent to somebody else.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

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
    /// What it comes from; where a backtrace was asked for, a [`Traced`] that has both. So an error is small,
    /// quickly made and quickly dropped.
    source: Option<BoxError>,
}

/// What an error comes from, with the backtrace of where it was made.
struct Traced {
    backtrace: Backtrace,
    source: Option<BoxError>,
}

/// What an error shows that has no backtrace.
static NO_BACKTRACE: Backtrace = Backtrace::disabled();

/// Whether `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asks for backtraces: [`NOT_KNOWN`], [`NO`] or [`YES`]. The
/// standard library looks once, too.
static IS_TRACED: AtomicU8 = AtomicU8::new(NOT_KNOWN);

/// Nobody has asked yet.
const NOT_KNOWN: u8 = 0;
/// None is asked for.
const NO: u8 = 1;
/// One is.
const YES: u8 = 2;

/// Takes a backtrace if one is asked for.
#[cold]
fn traced() -> Option<BoxError> {
    let backtrace = Backtrace::capture();
    let is_traced = backtrace.status() == BacktraceStatus::Captured;
    IS_TRACED.store(if is_traced { YES } else { NO }, Ordering::Relaxed);
    let traced = Traced {
        backtrace,
        source: None,
    };
    is_traced.then(|| traced.into())
}

impl CodedError {
    /// Makes an error.
    #[inline]
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let source = match IS_TRACED.load(Ordering::Relaxed) {
            NO => None,
            _ => traced(),
        };
        Self {
            code,
            message: message.into(),
            source,
        }
    }

    /// Says what it comes from.
    #[inline]
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        let source = Some(source.into());
        match self.traced_mut() {
            None => self.source = source,
            Some(traced) => traced.source = source,
        }
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
        self.traced()
            .map_or(&NO_BACKTRACE, |traced| &traced.backtrace)
    }

    fn traced(&self) -> Option<&Traced> {
        self.source.as_ref()?.downcast_ref()
    }

    #[inline]
    fn traced_mut(&mut self) -> Option<&mut Traced> {
        self.source.as_mut()?.downcast_mut()
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
        match self.traced() {
            Some(traced) => write!(f, "\n{}", traced.backtrace),
            None => Ok(()),
        }
    }
}

impl Error for CodedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = match self.traced() {
            Some(traced) => traced.source.as_deref()?,
            None => self.source.as_deref()?,
        };
        Some(source)
    }
}

/// Never seen: whoever asks for the source of an error is given what is inside.
impl Error for Traced {}

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.backtrace.fmt(f)
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
