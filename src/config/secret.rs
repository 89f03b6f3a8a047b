//! A value that is never shown.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// The name by which the reader of the configuration knows the type.
pub(crate) const SECRET: &str = "$perennial::Secret";

/// What is shown in its stead.
pub(crate) const REDACTED: &str = "[redacted]";

/// What is said of one that could not be read, whatever was wrong with it.
pub(crate) const WRONG_SECRET: &str = "a secret of the wrong type";

/// A value of the configuration that is shown nowhere: not by `Debug`, not as serialised, not in the
/// printed configuration and not in a complaint about it.
///
/// ```
/// # use perennial::config::Secret;
/// let password = Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{password:?}"), "[redacted]");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inside<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Inside<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inside: D) -> Result<T, D::Error> {
                // Here, and not by whoever reads: what serde puts aside is read by serde.
                T::deserialize(inside).map_err(|_shows_it| Error::custom(WRONG_SECRET))
            }
        }

        let inside = Inside(std::marker::PhantomData);
        deserializer
            .deserialize_newtype_struct(SECRET, inside)
            .map(Self)
    }
}
