//! What is wrong with a configuration, where, and what was probably meant.

use std::fmt;

use thiserror::Error;

use super::origin::Origin;

/// One mistake in a configuration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of mistake it is.
    pub kind: ProblemKind,
    /// Where it was made; [`Origin::Default`] when it is nowhere in particular.
    pub origin: Origin,
    /// The dotted key; empty when the mistake is not at a key.
    pub key: String,
    /// What is wrong, in words.
    pub message: String,
    /// The offending text; `None` where it may be a secret.
    pub text: Option<String>,
    /// What to write instead, when that can be guessed.
    pub suggestion: Option<String>,
}

/// The kinds of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A file or folder can't be read, or there is none where one was asked for.
    Unreadable,
    /// It is not TOML, or not UTF-8.
    Syntax,
    /// Nobody knows the key.
    UnknownKey,
    /// An earlier system had this key.
    RenamedKey,
    /// The value has the wrong type, or one that is needed is missing.
    WrongType,
    /// The value can't be used, by itself or together with others.
    Invalid,
}

impl ProblemKind {
    /// Returns the kind as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "config_unreadable",
            Self::Syntax => "config_syntax",
            Self::UnknownKey => "config_unknown_key",
            Self::RenamedKey => "config_renamed_key",
            Self::WrongType => "config_wrong_type",
            Self::Invalid => "config_invalid",
        }
    }
}

impl Problem {
    /// How many of one kind are shown: whoever has made more mends these first.
    pub(crate) const MOST_SHOWN: usize = 20;

    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            origin: Origin::Default,
            key: String::new(),
            message: message.into(),
            text: None,
            suggestion: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.origin, Origin::Default) {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(text) = &self.text {
            write!(f, ", at `{text}`")?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; {suggestion}")?;
        }
        Ok(())
    }
}

/// Says why a configuration can't be used: everything that is wrong with it.
#[derive(Debug, Clone, Error)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Makes one of at least one problem.
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// Returns what is wrong, in the order of the layers and of the files.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the first problem's kind as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        let first = self.problems.first();
        first.map_or(ProblemKind::Invalid.code(), |problem| problem.kind.code())
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::new(vec![problem])
    }
}

/// One problem a line.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// What a validation of the user's says against a configuration.
///
/// Made of any text, or of an error; [`at`](Self::at) names the key, whose place is then shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub(crate) key: String,
    pub(crate) message: String,
}

impl Invalid {
    /// Says what is wrong with the value of a dotted key.
    pub fn at(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl<M: Into<String>> From<M> for Invalid {
    fn from(message: M) -> Self {
        Self::at("", message)
    }
}

/// The distance up to which a word is taken for a mistyped other: a third of its letters, as rustc and
/// cargo do, and one at least.
fn tolerance(word: &str) -> usize {
    (word.chars().count() / 3).max(1)
}

/// Returns which of the words was probably meant.
pub(crate) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &'a str| (strsim::damerau_levenshtein(word, known), known);
    let near = words.into_iter().map(distance);
    let near = near.filter(|(distance, _)| *distance <= tolerance(word));
    near.min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let known = ["level", "format", "file", "max_files"];
        for (word, expected) in [
            ("levle", Some("level")),
            ("levels", Some("level")),
            ("max_file", Some("max_files")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
