//! Where a value of the configuration was written.
//!
//! A value that can't be traced is a value that nobody dares to change. Every node of a document carries
//! its origin through all merging, and every complaint about it begins with that.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Where a value comes from, from the lowest layer to the highest.
#[derive(Clone)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The program set it, before any file was read.
    Builder,
    /// A file says so, here.
    File(Place),
    /// An environment variable says so.
    Environment(Given),
    /// An argument of the command line says so.
    CommandLine(Given),
}

impl Origin {
    /// Returns the text as it was given outside of a file: such a value may be meant as text although
    /// it reads as a number.
    pub(crate) fn given_text(&self) -> Option<&str> {
        match self {
            Self::Environment(given) | Self::CommandLine(given) => Some(&given.text),
            _ => None,
        }
    }

    /// Returns the origin of a value inside one that was given outside of a file.
    pub(crate) fn within(&self, text: &str) -> Self {
        match self {
            Self::Environment(given) => Self::Environment(Given::new(&given.by, text)),
            Self::CommandLine(given) => Self::CommandLine(Given::new(&given.by, text)),
            other => other.clone(),
        }
    }

    /// Returns the place, for a value of a file.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::File(place) => Some(place),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Builder => f.write_str("program"),
            Self::File(place) => place.fmt(f),
            Self::Environment(given) | Self::CommandLine(given) => f.write_str(&given.by),
        }
    }
}

/// Shows what [`Display`](fmt::Display) does: the text of a value may be a secret.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// A value from outside of every file.
#[derive(Clone)]
pub struct Given {
    /// The variable, or the argument up to its `=`.
    by: Arc<str>,
    text: Arc<str>,
}

impl Given {
    pub(crate) fn new(by: &str, text: &str) -> Self {
        Self {
            by: by.into(),
            text: text.into(),
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given")
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}

/// A place in a file.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    /// Where the key stands; for an element of an array the element itself.
    key: Range<usize>,
    value: Range<usize>,
}

impl Place {
    pub(crate) fn new(source: &Arc<Source>, key: Range<usize>, value: Range<usize>) -> Self {
        Self {
            source: Arc::clone(source),
            key,
            value,
        }
    }

    /// Returns the file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.source.path
    }

    /// Returns the line and the column of the value, both counted from 1, the column in characters.
    #[must_use]
    pub fn line_and_column(&self) -> (usize, usize) {
        self.source.line_and_column(self.value.start)
    }

    /// Returns where the value stands in the text.
    pub(crate) fn value(&self) -> &Range<usize> {
        &self.value
    }

    /// Returns this place in another text, in which the value stands there and the key as far before it
    /// as in this one.
    pub(crate) fn moved(&self, source: &Arc<Source>, value: Range<usize>) -> Self {
        let before = self.value.start.saturating_sub(self.key.start);
        let key = match before {
            0 => value.clone(),
            _ => {
                let begin = value.start.saturating_sub(before);
                begin..begin + self.key.len()
            }
        };
        Self {
            source: Arc::clone(source),
            key,
            value,
        }
    }

    /// Returns this place with the key in the stead of the value.
    pub(crate) fn at_key(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            key: self.key.clone(),
            value: self.key.clone(),
        }
    }

    /// Returns the text at this place, its first line, and no more of it than a person needs to see.
    pub(crate) fn excerpt(&self) -> String {
        let text = self.source.text.get(self.value.clone()).unwrap_or_default();
        shorten(text)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_and_column();
        write!(f, "{}:{line}:{column}", self.source.path.display())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// How many characters of an offending text are shown: enough to find it, too few to fill a log.
const EXCERPT_CHARACTERS: usize = 60;

/// Returns the first line of a text, cut to what is shown.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let mut short: String = line.chars().take(EXCERPT_CHARACTERS).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// A file that was read.
pub(crate) struct Source {
    path: PathBuf,
    text: String,
    /// Where the lines begin; made when the first place is shown.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            text,
            lines: OnceLock::new(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let lines = self.lines.get_or_init(|| {
            let ends = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(ends).collect()
        });
        let line = lines.partition_point(|begin| *begin <= offset).max(1);
        let begin = lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(begin..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Source};
    use std::path::Path;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let source = Source::new(Path::new("a.toml"), "x = 1\nä = \"é\"\n\ny=2".to_owned());
        for (needle, expected) in [
            ("x", "1:1"),
            ("1", "1:5"),
            ("\"é", "2:5"),
            ("y", "4:1"),
            ("2", "4:3"),
        ] {
            let at = source.text().find(needle).expect("it is there");
            let place = Place::new(&source, at..at + 1, at..at + needle.len());
            assert_eq!(place.to_string(), format!("a.toml:{expected}"), "{needle}");
        }
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        let text = format!("{}\nnext", "é".repeat(100));
        let source = Source::new(Path::new("a.toml"), text);
        let place = Place::new(&source, 0..1, 0..source.text().len());
        assert_eq!(place.excerpt(), format!("{}…", "é".repeat(60)));
    }
}
