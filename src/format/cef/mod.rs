//! Events in the Common Event Format, version 0.
//!
//! The source of its rules is ArcSight's "Implementing ArcSight Common Event Format (CEF)", version
//! 25: a header of seven fields and an extension of `key=value` pairs.
//!
//! - The signature id, and `act`, are the action; the severity is by action.
//! - A field is under the key that CEF has for it. What has none but is wanted often has one of the
//!   custom keys (`cs1` with `cs1Label`), always the same. All else has a key of its own, as the
//!   document wants it: `mote` and a name.
//! - `src` and `dst` of version 0 are of IPv4; addresses of IPv6 are `c6a2` and `c6a3`.
//! - Times are in milliseconds since 1970; `externalId` has the order of events.
//! - `reason` is the name of the error of a call that failed.
//! - What is not UTF-8, and control characters but for line ends, which CEF can write, are shown as
//!   U+FFFD. `moteExactBytes` then has the whole field in hex, by its name in the Elastic Common
//!   Schema; of arguments with the NULs that close them.

mod escape;
mod key;
mod name;

use super::ecs::document::document;
use super::meaning::file_name;
use super::object::{Value, Visit, Visitor};
use super::outcome::{Outcome, error_name};
use super::severity::Severity;
use super::value::{Args, Hex, Timestamp};
use super::{PRODUCT, Scratch};
use crate::event::Event;
use crate::record::Origin;
use core::fmt::Display;
use key::Key;
use std::io::{self, Write};
use std::net::IpAddr;

/// Writes one event as one line.
pub fn write(
    out: &mut dyn io::Write,
    scratch: &mut Scratch,
    origin: &Origin,
    event: &Event,
) -> io::Result<()> {
    write!(
        out,
        "CEF:0|{PRODUCT}|{PRODUCT}|{}|{}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        event.action.name(),
        name::of(event.action),
        Severity::of(event.action).cef()
    )?;
    let mut document = document(origin, event);
    document.leave_out_told_twice();
    let Scratch { name, value, exact, .. } = scratch.cleared();
    let mut extension = Extension { pairs: Pairs { out, between: "" }, value, exact };
    document.visit(name, &mut extension)?;
    let Extension { mut pairs, exact, .. } = extension;
    if Outcome::of(event).name(event.action).is_some()
        && let Some(reason) = error_name(event)
    {
        pairs.plain("reason", reason.as_bytes())?;
    }
    if !exact.is_empty() {
        pairs.plain("moteExactBytes", exact)?;
    }
    out.write_all(b"\n")
}

/// What makes the pairs of fields.
struct Extension<'a> {
    pairs: Pairs<'a>,
    /// A value, before it is escaped.
    value: &'a mut Vec<u8>,
    /// The fields that had to be changed, as they are.
    exact: &'a mut Vec<u8>,
}

impl Visitor for Extension<'_> {
    fn field(&mut self, name: &str, value: Value) -> io::Result<()> {
        self.value.clear();
        match value {
            Value::Plain(value) => write!(self.value, "{value}")?,
            Value::Time(time_ns) => write!(self.value, "{}", Timestamp(time_ns).milliseconds())?,
            Value::Bytes(bytes) => self.bytes(name, bytes)?,
            Value::Names(names) => {
                for (number, name) in names.iter().enumerate() {
                    self.value.extend_from_slice(if number > 0 { b"," } else { b"" });
                    self.value.extend_from_slice(name.as_bytes());
                }
            }
            // With a space between two arguments, as ps(1) has it.
            Value::CommandLine(args) => self.list("process.args", args, b' ')?,
            // They are the command line.
            Value::Args(_) if name == "process.args" => {}
            Value::Args(items) => self.list(name, items, b',')?,
        }
        self.pairs.field(name, self.value)
    }
}

impl Extension<'_> {
    /// The name of an abstract unix socket has `@` for the NUL before it.
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let changed = match (bytes, name.ends_with(".address")) {
            ([0, rest @ ..], true) => {
                self.value.push(b'@');
                escape::replace(rest, self.value);
                true
            }
            _ => escape::replace(bytes, self.value),
        };
        if changed { self.keep(name, bytes) } else { Ok(()) }
    }

    fn list(&mut self, name: &str, items: Args, between: u8) -> io::Result<()> {
        let mut changed = false;
        for (number, item) in items.each().enumerate() {
            if number > 0 {
                self.value.push(between);
            }
            changed |= escape::replace(item, self.value);
        }
        if changed { self.keep(name, items.0) } else { Ok(()) }
    }

    fn keep(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let between = if self.exact.is_empty() { "" } else { "," };
        write!(self.exact, "{between}{name}:{}", Hex(bytes))
    }
}

/// The pairs behind the header.
struct Pairs<'a> {
    out: &'a mut dyn io::Write,
    between: &'static str,
}

impl Pairs<'_> {
    /// Under the key of the field.
    fn field(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        match Key::of(name) {
            Key::LeftOut => Ok(()),
            Key::Standard(key) => self.put(key, value),
            Key::Labelled(key, label) => self.labelled(key, label, value),
            Key::Own(key) => self.put(key, value),
            Key::Ip { v4, v6, label } => match is_v6(value) {
                true => self.labelled(v6, label, value),
                false => self.put(v4, value),
            },
            Key::Path => {
                let name = file_name(value);
                if !name.is_empty() {
                    self.put("fname", name)?;
                }
                self.put("filePath", value)
            }
            // 0 inbound, 1 outbound.
            Key::Direction => {
                self.plain("deviceDirection", if value == b"egress" { b"1" } else { b"0" })
            }
        }
    }

    fn labelled(&mut self, key: &str, label: &str, value: &[u8]) -> io::Result<()> {
        self.put(key, value)?;
        write!(self.out, " {key}Label={label}")
    }

    fn put(&mut self, key: impl Display, value: &[u8]) -> io::Result<()> {
        write!(self.out, "{}{key}=", self.between)?;
        self.between = " ";
        escape::write(self.out, value)
    }

    /// What needs no escapes.
    fn plain(&mut self, key: &str, value: &[u8]) -> io::Result<()> {
        write!(self.out, "{}{key}=", self.between)?;
        self.between = " ";
        self.out.write_all(value)
    }
}

fn is_v6(value: &[u8]) -> bool {
    let address = core::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    matches!(address, Some(IpAddr::V6(_)))
}
