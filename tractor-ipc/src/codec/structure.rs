//! The structure of values: sequences, maps, options and enums, read without trusting a length.
//!
//! It is the deserializer of the format whose primitives `codec.rs` reads.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::{DecodeError, Input};

/// Methods that hand one primitive to the visitor.
macro_rules! primitives {
    ($($method:ident $visit:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            visitor.$visit(self.primitive()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Input<'de> {
    type Error = DecodeError;

    primitives! {
        deserialize_bool visit_bool deserialize_char visit_char
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32
        deserialize_u64 visit_u64 deserialize_u128 visit_u128
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32
        deserialize_i64 visit_i64 deserialize_i128 visit_i128
        deserialize_f32 visit_f32 deserialize_f64 visit_f64
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let text = std::str::from_utf8(self.slice()?).map_err(DecodeError::custom)?;
        visitor.visit_borrowed_str(text)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_bytes(self.slice()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.primitive::<u8>()? {
            0 => visitor.visit_none(),
            1 => self.nested(|input| visitor.visit_some(input)),
            byte => Err(DecodeError::Invalid(format!(
                "{byte} is neither some nor none"
            ))),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.nested(|input| visitor.visit_newtype_struct(input))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let len = self.len()?;
        self.nested(|input| visitor.visit_seq(Elements::<true>::new(input, len)))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.nested(|input| visitor.visit_seq(Elements::<false>::new(input, len)))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let len = self.len()?;
        self.nested(|input| visitor.visit_map(Elements::<true>::new(input, len)))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError::NotSelfDescribing)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError::NotSelfDescribing)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError::NotSelfDescribing)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<'de> EnumAccess<'de> for &mut Input<'de> {
    type Error = DecodeError;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let index: u32 = self.primitive()?;
        let index: serde::de::value::U32Deserializer<DecodeError> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Input<'de> {
    type Error = DecodeError;

    #[inline]
    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        self.nested(|input| seed.deserialize(input))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

/// The elements of a sequence, the entries of a map, or the fields of a struct.
///
/// Where the length was `CLAIMED` by the input, an element that took no bytes is charged.
/// Fields are not: their number is the type's.
struct Elements<'a, 'de, const CLAIMED: bool> {
    input: &'a mut Input<'de>,
    count: usize,
    /// Bytes left at the beginning.
    bytes: usize,
    /// Bytes left before the previous element.
    mark: usize,
}

impl<'a, 'de, const CLAIMED: bool> Elements<'a, 'de, CLAIMED> {
    #[inline]
    fn new(input: &'a mut Input<'de>, count: usize) -> Self {
        let bytes = input.left_bytes();
        Self {
            input,
            count,
            bytes,
            mark: usize::MAX,
        }
    }

    /// Steps to the next element, if there is one.
    #[inline]
    fn step(&mut self) -> Result<bool, DecodeError> {
        let Some(count) = self.count.checked_sub(1) else {
            return Ok(false);
        };
        self.count = count;
        if CLAIMED {
            let left = self.input.left_bytes();
            if left == self.mark {
                let rest = self.input.empties_left.checked_sub(1);
                self.input.empties_left = rest.ok_or(DecodeError::TooManyEmpty)?;
            }
            self.mark = left;
        }
        Ok(true)
    }

    /// Never more than there are bytes, so that what is reserved was really sent.
    #[inline]
    fn hint(&self) -> usize {
        self.count.min(self.bytes)
    }
}

impl<'de, const CLAIMED: bool> SeqAccess<'de> for Elements<'_, 'de, CLAIMED> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if self.step()? {
            seed.deserialize(&mut *self.input).map(Some)
        } else {
            Ok(None)
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de, const CLAIMED: bool> MapAccess<'de> for Elements<'_, 'de, CLAIMED> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if self.step()? {
            seed.deserialize(&mut *self.input).map(Some)
        } else {
            Ok(None)
        }
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        seed.deserialize(&mut *self.input)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}
