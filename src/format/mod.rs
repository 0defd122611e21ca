//! Events as text, one a line, for receivers that cannot read records.

pub mod cef;
pub mod ecs;
pub mod ocsf;
pub mod sysmon;
pub mod text;

mod flags;
mod json;
mod meaning;
mod names;
mod object;
mod outcome;
mod scratch;
mod severity;
pub(crate) mod value;

pub use scratch::Scratch;

use crate::event::Event;
use crate::record::Origin;
use core::str::FromStr;
use std::io;

/// What formats with a vendor and a product call both.
const PRODUCT: &str = "mote";

/// In which form events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One document of the Elastic Common Schema a line; `json` is the same.
    #[default]
    Ecs,
    /// One document of the Open Cybersecurity Schema Framework a line.
    Ocsf,
    /// ArcSight's Common Event Format.
    Cef,
    /// `key=value` pairs.
    Text,
    /// The XML of Sysmon for Linux, of events that it has.
    Sysmon,
}

impl Format {
    /// What each is called. Of two names the first is the one that is said.
    pub const NAMES: [(&'static str, Format); 6] = [
        ("json", Format::Ecs),
        ("ecs", Format::Ecs),
        ("ocsf", Format::Ocsf),
        ("cef", Format::Cef),
        ("text", Format::Text),
        ("sysmon", Format::Sysmon),
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Format::Ecs => "json",
            Format::Ocsf => "ocsf",
            Format::Cef => "cef",
            Format::Text => "text",
            Format::Sysmon => "sysmon",
        }
    }

    /// Writes the event in one line. Returns whether the format has events of its kind: only
    /// Sysmon's has not all. An error is one of `out`, which then has a part of the line. Neither
    /// touches the heap, unless `out` does.
    pub fn write(
        self,
        out: &mut dyn io::Write,
        scratch: &mut Scratch,
        origin: &Origin,
        event: &Event,
    ) -> io::Result<bool> {
        match self {
            Format::Ecs => ecs::write(out, origin, event),
            Format::Ocsf => ocsf::write(out, origin, event),
            Format::Cef => cef::write(out, scratch, origin, event),
            Format::Text => text::write(out, scratch, origin, event),
            Format::Sysmon => return sysmon::write(out, scratch, origin, event),
        }?;
        Ok(true)
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Format, String> {
        match Format::NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, format)) => Ok(*format),
            None => {
                let names = Format::NAMES.map(|(name, _)| name).join(", ");
                Err(format!("unknown format '{name}'; write one of {names}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_by_its_names() {
        for (name, format) in Format::NAMES {
            assert_eq!(name.parse(), Ok(format));
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert_eq!(Format::default().name(), "json");
        assert_eq!(
            "JSON".parse::<Format>(),
            Err("unknown format 'JSON'; write one of json, ecs, ocsf, cef, text, sysmon".to_owned())
        );
    }
}
