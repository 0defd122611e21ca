//! Objects with named fields: what a document is made of, and how it is read field by field.

use super::value::{
    Address, Args, CommandLine, DeviceNumbers, EntityId, Hex, HexArgs, Keyword, Octal, RunName,
    Text, Timestamp, Uuid,
};
use core::fmt::Display;
use core::net::IpAddr;
use serde::{Serialize, Serializer};
use std::io;

/// A value of a field.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// What has neither spaces nor quotes in it, or is of this program's own making.
    Plain(&'a dyn Display),
    /// Unix time in nanoseconds.
    Time(i128),
    /// Bytes that somebody else chose.
    Bytes(&'a [u8]),
    /// Names of this program's own, in a list.
    Names(&'a [&'static str]),
    /// Arguments.
    Args(Args<'a>),
    /// The same, as one text.
    CommandLine(Args<'a>),
}

/// Takes the fields of an object, one by one, in their order.
pub(super) trait Visitor {
    /// The name has a point before that of each object inside another.
    fn field(&mut self, name: &str, value: Value) -> io::Result<()>;
}

/// A field's value, or an object that has fields itself.
pub(super) trait Visit {
    /// `name` is that of the field, and is as it was when this returns.
    fn visit(&self, name: &mut String, visitor: &mut dyn Visitor) -> io::Result<()>;
}

/// Structs of fields that are left out if they are `None`: serialized, and visited, by their
/// names, in their order.
macro_rules! objects {
    ($(
        $(#[$meta:meta])*
        $name:ident $(<$life:lifetime>)? {
            $($(#[doc = $doc:literal])* $field:ident $(as $renamed:literal)?: $type:ty,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Default, serde::Serialize)]
        pub(in crate::format) struct $name $(<$life>)? {
            $(
                $(#[doc = $doc])*
                $(#[serde(rename = $renamed)])?
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// Itself, unless it has no field.
            #[allow(dead_code)] // of some objects only
            pub fn some(self) -> Option<Self> {
                let has_field = $(self.$field.is_some())||*;
                has_field.then_some(self)
            }
        }

        impl $(<$life>)? $crate::format::object::Visit for $name $(<$life>)? {
            fn visit(
                &self,
                name: &mut String,
                visitor: &mut dyn $crate::format::object::Visitor,
            ) -> std::io::Result<()> {
                let outer = name.len();
                $(
                    if let Some(value) = &self.$field {
                        if outer > 0 {
                            name.push('.');
                        }
                        name.push_str($crate::format::object::field_name!($field $(as $renamed)?));
                        $crate::format::object::Visit::visit(value, name, visitor)?;
                        name.truncate(outer);
                    }
                )*
                Ok(())
            }
        }
    )*};
}
pub(super) use objects;

/// A field's name: its identifier, or what it is renamed to.
macro_rules! field_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident as $renamed:literal) => {
        $renamed
    };
}
pub(super) use field_name;

/// Values that are one field.
macro_rules! visited {
    ($($type:ty: |$value:ident| $made:expr;)*) => {$(
        impl Visit for $type {
            fn visit(&self, name: &mut String, visitor: &mut dyn Visitor) -> io::Result<()> {
                let $value = self;
                visitor.field(name, $made)
            }
        }
    )*};
}

visited! {
    &'static str: |value| Value::Plain(value);
    bool: |value| Value::Plain(value);
    u16: |value| Value::Plain(value);
    u32: |value| Value::Plain(value);
    u64: |value| Value::Plain(value);
    i32: |value| Value::Plain(value);
    i64: |value| Value::Plain(value);
    IpAddr: |value| Value::Plain(value);
    Keyword: |value| Value::Plain(value);
    Octal: |value| Value::Plain(value);
    Uuid: |value| Value::Plain(value);
    EntityId: |value| Value::Plain(value);
    RunName: |value| Value::Plain(value);
    DeviceNumbers: |value| Value::Plain(value);
    Hex<'_>: |value| Value::Plain(value);
    Timestamp: |value| Value::Time(value.0);
    Text<'_>: |value| Value::Bytes(value.0);
    Args<'_>: |value| Value::Args(*value);
    CommandLine<'_>: |value| Value::CommandLine(value.0);
    HexArgs<'_>: |value| Value::Args(value.0);
    Names: |value| Value::Names(&value.0);
    [&'static str; 1]: |value| Value::Names(value);
    &'static [&'static str]: |value| Value::Names(value);
    SideAddress<'_>: |value| match value {
        SideAddress::Ip(ip) => Value::Plain(ip),
        SideAddress::Unix(name) => Value::Bytes(name),
    };
}

/// An address, as text.
pub(super) enum SideAddress<'a> {
    Ip(IpAddr),
    Unix(&'a [u8]),
}

impl Serialize for SideAddress<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SideAddress::Ip(ip) => serializer.collect_str(ip),
            SideAddress::Unix(name) => Address(name).serialize(serializer),
        }
    }
}

/// A set of at most as many names as there are bits.
#[derive(Default)]
pub(super) struct Names(heapless::Vec<&'static str, 32>);

impl Names {
    /// `None` if there are no names.
    pub fn some(names: impl Iterator<Item = &'static str>) -> Option<Names> {
        let names: heapless::Vec<_, 32> = names.take(32).collect();
        (!names.is_empty()).then_some(Names(names))
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}
