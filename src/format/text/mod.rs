//! Events as `key=value` pairs, for eyes and for grep.
//!
//! A line is fields with one space between them; a field is a key, `=` and a value; a value is an
//! item, or several with a comma between them. An item is either bare, in printable ASCII without
//! space, `"`, `,`, `=` and `\`, or in double quotes. `quote` says what stands there. So a line can
//! be split at spaces outside quotes, and the bytes of every name be read back.
//!
//! `time`, `host`, `action`, `pid` and `executable` come first, then what the action has, then what
//! else is known of the process. What follows from another field is left out, and so are the
//! classes of the Elastic Common Schema.

mod key;
mod quote;

pub(super) use key::Part;

use super::Scratch;
use super::ecs::document::document;
use super::object::{Value, Visit, Visitor};
use super::value::Timestamp;
use crate::event::Event;
use crate::record::Origin;
use key::key;
use std::io::{self, Write};

/// Writes one event as one line.
pub fn write(
    out: &mut dyn io::Write,
    scratch: &mut Scratch,
    origin: &Origin,
    event: &Event,
) -> io::Result<()> {
    let mut document = document(origin, event);
    document.leave_out_told_twice();
    let Scratch { name, value, parts, .. } = scratch.cleared();
    document.visit(name, &mut Line { parts, item: value })?;
    // Each field has a space before it.
    let mut skipped = 1;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        out.write_all(&part[skipped..])?;
        skipped = 0;
    }
    out.write_all(b"\n")
}

/// A line in the making.
struct Line<'a> {
    /// Its parts, in their order.
    parts: &'a mut [Vec<u8>; Part::COUNT],
    /// An item, before it is quoted.
    item: &'a mut Vec<u8>,
}

impl Visitor for Line<'_> {
    fn field(&mut self, name: &str, value: Value) -> io::Result<()> {
        let Some((part, key)) = key(name) else { return Ok(()) };
        let out = &mut self.parts[part as usize];
        write!(out, " {key}=")?;
        match value {
            Value::Plain(value) => {
                self.item.clear();
                write!(self.item, "{value}")?;
                quote::write(out, self.item)
            }
            Value::Time(time_ns) => write!(out, "{}", Timestamp(time_ns)),
            Value::Bytes(bytes) => quote::write(out, bytes),
            Value::Names(names) => list(out, names.iter().map(|name| name.as_bytes())),
            Value::Args(args) | Value::CommandLine(args) => list(out, args.each()),
        }
    }
}

fn list<'a>(out: &mut impl io::Write, items: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    for (number, item) in items.enumerate() {
        if number > 0 {
            out.write_all(b",")?;
        }
        quote::write(out, item)?;
    }
    Ok(())
}
