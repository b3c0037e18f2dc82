//! The serializer of the format: values, written by the primitives of the codec.
//!
//! The codec has one of its own, which writes the same bytes. It says nothing of a field that is
//! left out, so that whoever reads takes what follows for that field.

use std::fmt::Display;

use bincode::config::Configuration;
use bincode::enc::write::Writer;
use bincode::enc::{Encode, EncoderImpl};
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::EncodeError;

/// Where a value is written, and the parts of one that has parts.
pub(super) struct Output<'a, W: Writer>(pub(super) &'a mut EncoderImpl<W, Configuration>);

impl<W: Writer> Output<'_, W> {
    #[inline(always)]
    fn primitive<T: Encode + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        Ok(value.encode(self.0)?)
    }

    #[inline(always)]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        value.serialize(Output(self.0))
    }
}

/// Why a value could not be written; as small as can be, because every part of it could be that.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Failure(Box<EncodeError>);

impl Failure {
    pub(super) fn into_inner(self) -> EncodeError {
        *self.0
    }
}

impl From<EncodeError> for Failure {
    #[cold]
    fn from(error: EncodeError) -> Self {
        Self(Box::new(error))
    }
}

impl From<bincode::error::EncodeError> for Failure {
    #[cold]
    fn from(error: bincode::error::EncodeError) -> Self {
        EncodeError::Invalid(error.to_string()).into()
    }
}

impl serde::ser::Error for Failure {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        EncodeError::Invalid(message.to_string()).into()
    }
}

/// Methods that write one primitive.
macro_rules! primitives {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method(mut self, value: $type) -> Result<(), Failure> {
            self.primitive(&value)
        }
    )*};
}

impl<W: Writer> Serializer for Output<'_, W> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    primitives! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32)
        serialize_i64(i64) serialize_i128(i128) serialize_f32(f32) serialize_f64(f64)
    }

    #[inline]
    fn serialize_none(mut self) -> Result<(), Failure> {
        self.primitive(&0_u8)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Failure> {
        self.primitive(&1_u8)?;
        self.part(value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Failure> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Failure> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        mut self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Result<(), Failure> {
        self.primitive(&index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.part(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.primitive(&index)?;
        self.part(value)
    }

    #[inline]
    fn serialize_seq(mut self, len: Option<usize>) -> Result<Self, Failure> {
        self.primitive(&len.ok_or(EncodeError::UnknownLength)?)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _len: usize) -> Result<Self, Failure> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Self, Failure> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        mut self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self, Failure> {
        self.primitive(&index)?;
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self, Failure> {
        self.serialize_seq(len)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Self, Failure> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, Failure> {
        self.serialize_tuple_variant(name, index, variant, len)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Parts without names.
macro_rules! elements {
    ($($trait:ident $method:ident)*) => {$(
        impl<W: Writer> $trait for Output<'_, W> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.part(value)
            }

            #[inline]
            fn end(self) -> Result<(), Failure> {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// Parts with names, each of which has its place.
macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl<W: Writer> $trait for Output<'_, W> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _name: &'static str,
                value: &T,
            ) -> Result<(), Failure> {
                self.part(value)
            }

            #[cold]
            fn skip_field(&mut self, field: &'static str) -> Result<(), Failure> {
                Err(EncodeError::LeftOut { field }.into())
            }

            #[inline]
            fn end(self) -> Result<(), Failure> {
                Ok(())
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl<W: Writer> SerializeMap for Output<'_, W> {
    type Ok = ();
    type Error = Failure;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.part(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.part(value)
    }

    #[inline]
    fn end(self) -> Result<(), Failure> {
        Ok(())
    }
}
