//! `--output`.

use crate::event::Event;
use crate::format::{cef, ecs, ocsf, sysmon, text};
use crate::record::Origin;
use argh::FromArgValue;
use std::io;

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
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

impl Output {
    /// Every one, with what it is called.
    pub const NAMES: [(&'static str, Output); 6] = [
        ("json", Output::Ecs),
        ("ecs", Output::Ecs),
        ("ocsf", Output::Ocsf),
        ("cef", Output::Cef),
        ("text", Output::Text),
        ("sysmon", Output::Sysmon),
    ];

    /// Writes the event in one line. Returns whether the format has events of its kind.
    pub fn write(
        self,
        out: &mut impl io::Write,
        origin: &Origin,
        event: &Event,
    ) -> io::Result<bool> {
        match self {
            Output::Ecs => ecs::write(out, origin, event),
            Output::Ocsf => ocsf::write(out, origin, event),
            Output::Cef => cef::write(out, origin, event),
            Output::Text => text::write(out, origin, event),
            Output::Sysmon => return sysmon::write(out, origin, event),
        }?;
        Ok(true)
    }
}

impl FromArgValue for Output {
    fn from_arg_value(value: &str) -> Result<Output, String> {
        match Output::NAMES.iter().find(|(name, _)| *name == value) {
            Some((_, output)) => Ok(*output),
            None => {
                let names = Output::NAMES.map(|(name, _)| name).join(", ");
                Err(format!("unknown output '{value}'; write one of {names}"))
            }
        }
    }
}
