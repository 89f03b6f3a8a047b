//! What is inside a value: the entries of a table, the elements of an array, the content of a variant.

use std::collections::btree_map;
use std::slice;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::refused::Refused;
use super::{Reader, Step};
use crate::config::document::{Node, Table};

/// The entries of a table, in alphabetical order.
pub(super) struct Entries<'de, 't> {
    reader: Reader<'de, 't>,
    rest: btree_map::Iter<'de, String, Node>,
    /// Where only some are wanted: of the others the reader has told already.
    fields: Option<&'static [&'static str]>,
    next: Option<(&'de str, &'de Node)>,
}

impl<'de, 't> Entries<'de, 't> {
    pub(super) fn new(
        reader: Reader<'de, 't>,
        table: &'de Table,
        fields: Option<&'static [&'static str]>,
    ) -> Self {
        Self {
            reader,
            rest: table.iter(),
            fields,
            next: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        let fields = self.fields;
        let is_wanted = |name: &str| fields.is_none_or(|fields| fields.contains(&name));
        let Some((name, node)) = self.rest.find(|(name, _)| is_wanted(name)) else {
            return Ok(None);
        };
        self.next = Some((name, node));
        seed.deserialize(Key(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        match self.next.take() {
            Some((name, node)) => self.reader.read_inside(Step::Key(name), node, seed),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The elements of an array.
pub(super) struct Elements<'de, 't> {
    reader: Reader<'de, 't>,
    rest: std::iter::Enumerate<slice::Iter<'de, Node>>,
}

impl<'de, 't> Elements<'de, 't> {
    pub(super) fn new(reader: Reader<'de, 't>, nodes: &'de [Node]) -> Self {
        let rest = nodes.iter().enumerate();
        Self { reader, rest }
    }
}

impl<'de> SeqAccess<'de> for Elements<'de, '_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some((index, node)) = self.rest.next() else {
            return Ok(None);
        };
        self.reader
            .read_inside(Step::Index(index), node, seed)
            .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A variant that has content: `{ name = content }`.
pub(super) struct Variant<'de, 't> {
    reader: Reader<'de, 't>,
    name: &'de str,
    content: &'de Node,
}

impl<'de, 't> Variant<'de, 't> {
    pub(super) fn new(reader: Reader<'de, 't>, name: &'de str, content: &'de Node) -> Self {
        Self {
            reader,
            name,
            content,
        }
    }

    fn read<S: DeserializeSeed<'de>>(&self, seed: S) -> Result<S::Value, Refused> {
        self.reader
            .read_inside(Step::Key(self.name), self.content, seed)
    }
}

impl<'de> EnumAccess<'de> for Variant<'de, '_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Refused> {
        let name: StrDeserializer<'_, Refused> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Err(de::Error::custom(format_args!(
            "`{}` has no content",
            self.name
        )))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        self.read(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.read(AsTuple(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.read(AsStruct { fields, visitor })
    }
}

/// Asks for a sequence.
struct AsTuple<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for AsTuple<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, content: D) -> Result<V::Value, D::Error> {
        content.deserialize_seq(self.0)
    }
}

/// Asks for a struct.
struct AsStruct<V> {
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for AsStruct<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, content: D) -> Result<V::Value, D::Error> {
        content.deserialize_struct("", self.fields, self.visitor)
    }
}

/// A key, which a map may want as something else than text.
struct Key<'de>(&'de str);

macro_rules! parsed_keys {
    ($($ask:ident $visit:ident,)*) => {$(
        fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_text) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_borrowed_str(self.0)
    }

    parsed_keys! {
        deserialize_bool visit_bool,
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let name: StrDeserializer<'_, Refused> = self.0.into_deserializer();
        visitor.visit_enum(name)
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}
