//! What serde asks for, answered from one value.

use serde::de::value::StringDeserializer;
use serde::de::{self, Deserializer, Visitor};

use super::Reader;
use super::access::{Elements, Entries, Variant};
use super::refused::{Asked, Located, Refused};
use crate::config::document::Value;
use crate::config::problem::nearest;
use crate::config::secret::{SECRET, WRONG_SECRET};

/// How `toml` marks a date; see `toml_datetime`.
const DATETIME: &str = "$__toml_private_Datetime";

impl<'de> Reader<'de, '_> {
    /// Answers with what there is.
    fn ask<V: Visitor<'de>>(self, asked: Asked, visitor: V) -> Result<V::Value, Refused> {
        self.visit(visitor)
            .map_err(|refused| self.locate(refused, asked))
    }

    fn visit<V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Refused> {
        match &self.node.value {
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::Datetime(value) => {
                let value = toml::Value::Datetime(*value);
                value.deserialize_any(visitor).map_err(Refused::custom_of)
            }
            Value::Array(values) => visitor.visit_seq(Elements::new(*self, values)),
            Value::Table(table) => visitor.visit_map(Entries::new(*self, table, None)),
        }
    }
}

/// Answers with what there is, whatever is asked for; what was decides what an error shows.
macro_rules! answered {
    ($($asked:ident: $($ask:ident($($hint:ty),*)),*;)*) => {$($(
        fn $ask<V: Visitor<'de>>(self, $(_: $hint,)* visitor: V) -> Result<V::Value, Refused> {
            self.ask(Asked::$asked, visitor)
        }
    )*)*};
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // What is inside a table or a list is asked for one by one.
        if self.is_one() {
            self.findings.borrow_mut().untyped.insert(self.trail.path());
        }
        self.ask(Asked::More, visitor)
    }

    answered! {
        One: deserialize_bool(), deserialize_i8(), deserialize_i16(), deserialize_i32(), deserialize_i64(),
            deserialize_i128(), deserialize_u8(), deserialize_u16(), deserialize_u32(),
            deserialize_u64(), deserialize_u128(), deserialize_f32(), deserialize_f64(),
            deserialize_char();
        More: deserialize_bytes(), deserialize_byte_buf(), deserialize_unit(),
            deserialize_unit_struct(&'static str), deserialize_seq(), deserialize_tuple(usize),
            deserialize_tuple_struct(&'static str, usize), deserialize_map(), deserialize_identifier();
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // A variable that reads as a number is text where text is asked for.
        match (&self.node.value, self.node.origin.given_text()) {
            (Value::String(_) | Value::Table(_) | Value::Array(_), _) | (_, None) => {
                self.ask(Asked::One, visitor)
            }
            (_, Some(text)) => {
                let visited = visitor.visit_str(text);
                visited.map_err(|refused| self.locate(refused, Asked::One))
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name != SECRET {
            return visitor.visit_newtype_struct(self);
        }
        let path = self.trail.path();
        self.findings.borrow_mut().secrets.insert(path.clone());
        visitor
            .visit_newtype_struct(self)
            .map_err(|_shows_it| Refused {
                message: WRONG_SECRET.to_owned(),
                bare: None,
                located: Some(Box::new(Located {
                    key: path,
                    origin: self.node.origin.clone(),
                    text: None,
                })),
            })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name == DATETIME
            && let Value::Datetime(value) = &self.node.value
        {
            let read = toml::Value::Datetime(*value).deserialize_struct(name, fields, visitor);
            return read.map_err(|error| self.locate(Refused::custom_of(error), Asked::More));
        }
        let Value::Table(table) = &self.node.value else {
            return self.ask(Asked::More, visitor);
        };
        self.report_unknown(table, fields);
        let read = visitor.visit_map(Entries::new(self, table, Some(fields)));
        read.map_err(|refused| self.locate(refused, Asked::More))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (name, read) = match &self.node.value {
            Value::String(name) => {
                let name_alone = StringDeserializer::<Refused>::new(name.clone());
                (name, visitor.visit_enum(name_alone))
            }
            Value::Table(table) => match table.iter().next() {
                Some((name, node)) if table.len() == 1 => {
                    (name, visitor.visit_enum(Variant::new(self, name, node)))
                }
                _ => {
                    let several = "expected a table with one key, the name of a variant";
                    return Err(self.locate(de::Error::custom(several), Asked::More));
                }
            },
            _ => return self.ask(Asked::More, visitor),
        };
        read.map_err(|refused| match nearest(name, variants.iter().copied()) {
            // A slip of the finger: what is that near to a variant is no secret.
            Some(near) if refused.located.is_none() => {
                self.locate(refused.suggest(near), Asked::One)
            }
            _ => self.locate(refused, Asked::More),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
}
