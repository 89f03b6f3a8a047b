//! Why a value could not be read, and how much of it that may show.
//!
//! # Invariants
//!
//! 1. A value is shown only where the type that refuses it has asked for that very value: a list, a table
//!    or a variant may be one of secrets, and of what serde has put aside the type is not known.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::config::origin::Origin;
use crate::config::problem::{Problem, ProblemKind};

/// What serde asked for, and so what may be shown of a value that is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A number, a text: no type that holds another.
    One,
    /// Something that may hold secrets.
    More,
}

/// Why a value could not be read.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(super) message: String,
    /// The message without the value, where it has one.
    pub(super) bare: Option<String>,
    pub(super) located: Option<Box<Located>>,
}

#[derive(Debug)]
pub(super) struct Located {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) text: Option<String>,
}

impl Refused {
    pub(super) fn custom_of(error: impl fmt::Display) -> Self {
        Self {
            message: error.to_string(),
            bare: None,
            located: None,
        }
    }

    fn of_value(what: &str, value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self {
            bare: Some(format!("{what}: {}, expected {expected}", kind(value))),
            ..Self::custom_of(format_args!("{what}: {value}, expected {expected}"))
        }
    }

    /// Names the variant that was meant.
    pub(super) fn suggest(mut self, near: &str) -> Self {
        self.message.push_str(&format!("; did you mean `{near}`?"));
        self
    }

    /// Takes the value out of the message.
    pub(super) fn bare(mut self) -> Self {
        if let Some(bare) = self.bare.take() {
            self.message = bare;
        }
        self
    }

    pub(super) fn into_problem(self) -> Problem {
        match self.located {
            Some(located) => Problem {
                key: located.key,
                origin: located.origin,
                text: located.text,
                ..Problem::new(ProblemKind::WrongType, self.message)
            },
            None => Problem::new(ProblemKind::WrongType, self.bare().message),
        }
    }
}

/// Names what a value is, without it.
fn kind(value: Unexpected<'_>) -> &'static str {
    match value {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Seq => "a sequence",
        Unexpected::Map => "a map",
        Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant => "a variant",
        _ => "something else",
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::custom_of(message)
    }

    fn invalid_type(value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of_value("invalid type", value, expected)
    }

    fn invalid_value(value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of_value("invalid value", value, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        let known = match known.is_empty() {
            true => "there are no variants".to_owned(),
            false => format!("expected one of {}", known.join(", ")),
        };
        Self {
            bare: Some(format!("unknown variant, {known}")),
            ..Self::custom_of(format_args!("unknown variant `{variant}`, {known}"))
        }
    }
}
