//! A list of CPUs as the kernel and `taskset` write it: `0-3,6`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use thiserror::Error;

/// The most CPUs that a set of glibc's has room for.
const MOST_CPUS: usize = 1_024;

/// A list of CPUs, in rising order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

impl CpuList {
    /// Returns the numbers of the CPUs.
    #[must_use]
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }
}

/// Says that a text is no list of CPUs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no list of CPUs; write numbers below 1024 and ranges, such as \"0-3,6\"")]
pub struct InvalidCpuList(String);

impl FromStr for CpuList {
    type Err = InvalidCpuList;

    fn from_str(text: &str) -> Result<Self, InvalidCpuList> {
        let refused = || InvalidCpuList(text.to_owned());
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<usize>().ok();
            let (first, last) = (
                number(first).ok_or_else(refused)?,
                number(last).ok_or_else(refused)?,
            );
            if first > last || last >= MOST_CPUS {
                return Err(refused());
            }
            numbers.extend(first..=last);
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Self(numbers))
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|one, next| one + 1 == *next);
        for (index, run) in runs.enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match run {
                [only] => write!(f, "{comma}{only}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

impl Serialize for CpuList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CpuList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::CpuList;

    #[test]
    fn a_list_is_numbers_and_ranges() {
        for (text, expected) in [
            ("0-3,6", Some("0-3,6")),
            ("6, 0-1", Some("0-1,6")),
            ("3,2,3", Some("2-3")),
            ("0", Some("0")),
            ("", None),
            ("3-1", None),
            ("0-1024", None),
            ("a", None),
        ] {
            let list = text.parse::<CpuList>().ok().map(|list| list.to_string());
            assert_eq!(list.as_deref(), expected, "{text:?}");
        }
    }
}
