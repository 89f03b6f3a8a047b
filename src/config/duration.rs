//! Durations as people write them: `"5s"`, `"1m30s"`, `"250ms"`.
//!
//! For a field of your own: `#[serde(with = "perennial::config::duration")]`. A number without a unit is
//! refused, because nobody can see what it means; for a key that ends in `_ms` there is
//! [`milliseconds`].

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;

/// The units, the largest first, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a duration: numbers with units `d`, `h`, `m`, `s`, `ms`, `us`, `ns`, one after another, each
/// whole or with a decimal point.
///
/// # Errors
///
/// [`InvalidDuration`], for anything else and for more than a `Duration` holds.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let refused = || InvalidDuration(text.to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(refused());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        let end = rest.find(|letter| !is_number(letter)).ok_or_else(refused)?;
        let (number, after) = rest.split_at(end);
        let is_unit = |letter: char| letter.is_ascii_alphabetic() || letter == 'µ';
        let end = after.find(|letter| !is_unit(letter)).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let nanos = UNITS
            .iter()
            .find(|(name, _)| *name == unit.replace('µ', "u"));
        let (_, nanos) = nanos.ok_or_else(refused)?;
        let part = scaled(number, *nanos).ok_or_else(refused)?;
        total = total.checked_add(part).ok_or_else(refused)?;
        rest = after.trim_start();
    }
    Ok(total)
}

/// Multiplies a decimal number with a unit, exactly as far as nanoseconds go.
fn scaled(number: &str, nanos: u128) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let mut total = whole.parse::<u128>().ok()?.checked_mul(nanos)?;
    let mut unit = nanos;
    for digit in fraction.chars() {
        unit /= 10;
        total = total.checked_add(u128::from(digit.to_digit(10)?) * unit)?;
    }
    // An empty fraction is a slip: `1.s`.
    if fraction.is_empty() {
        return None;
    }
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    Some(Duration::new(
        seconds,
        u32::try_from(total % 1_000_000_000).ok()?,
    ))
}

/// Writes a duration in the form that [`parse`] reads, exactly.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, nanos) in UNITS {
        let count = rest / nanos;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
        rest %= nanos;
    }
    text
}

/// Says that a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration; write a number with a unit, such as \"5s\", \"250ms\" or \"1m30s\"")]
pub struct InvalidDuration(String);

/// Writes the field as a text.
///
/// # Errors
///
/// The serialiser's.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// Reads the field from a text.
///
/// # Errors
///
/// [`InvalidDuration`] in the deserialiser's form; a number without a unit is none.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration such as \"5s\" or \"250ms\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            parse(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text)
}

/// A duration as a number of milliseconds, for keys that end in `_ms`.
pub mod milliseconds {
    use std::time::Duration;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    /// Writes the field as a number, rounded down.
    ///
    /// # Errors
    ///
    /// The serialiser's.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads the field from a number.
    ///
    /// # Errors
    ///
    /// The deserialiser's, for anything but a whole number that is not negative.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::{format, parse};
    use proptest::prelude::{any, proptest};
    use std::time::Duration;

    #[test]
    fn a_duration_is_numbers_with_units() {
        for (text, expected) in [
            ("5s", Some(Duration::from_secs(5))),
            ("1m30s", Some(Duration::from_secs(90))),
            ("1h 5m", Some(Duration::from_secs(3_900))),
            ("0.5s", Some(Duration::from_millis(500))),
            ("250ms", Some(Duration::from_millis(250))),
            ("7µs", Some(Duration::from_micros(7))),
            ("0s", Some(Duration::ZERO)),
            ("5", None),
            ("s", None),
            ("", None),
            ("-5s", None),
            ("1.s", None),
            ("1.2.3s", None),
            ("5 s", None),
            ("99999999999999999999999d", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in any::<u64>(), nanos in 0_u32..1_000_000_000) {
            let duration = Duration::new(seconds, nanos);
            assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            drop(parse(&text));
        }
    }
}
