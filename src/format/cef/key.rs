//! The keys of fields, by their names in the Elastic Common Schema.

use crate::format::value::Lowercase;
use core::fmt::{self, Display, Write};

/// Under which key a field stands.
pub(super) enum Key<'a> {
    /// Under none.
    LeftOut,
    /// One of CEF's.
    Standard(&'static str),
    /// One of CEF's that says by a label what it has.
    Labelled(&'static str, &'static str),
    /// One of our own.
    Own(Own<'a>),
    /// An address: one of IPv6 has a key with a label.
    Ip { v4: &'static str, v6: &'static str, label: &'static str },
    /// A path, and the last part of it.
    Path,
    /// Which way a connection goes.
    Direction,
}

const SOURCE: Key<'static> = Key::Ip { v4: "src", v6: "c6a2", label: "Source IPv6 Address" };
const DESTINATION: Key<'static> =
    Key::Ip { v4: "dst", v6: "c6a3", label: "Destination IPv6 Address" };

impl Key<'_> {
    pub fn of(name: &str) -> Key<'_> {
        let standard = match name {
            "ecs.version"
            | "event.kind"
            | "event.type"
            | "process.name"
            | "process.args"
            | "process.parent.name" => return Key::LeftOut,
            "source.ip" => return SOURCE,
            "destination.ip" | "server.ip" => return DESTINATION,
            "file.path" => return Key::Path,
            "network.direction" => return Key::Direction,
            "process.command_line" => return Key::Labelled("cs1", "Command Line"),
            "process.parent.executable" => return Key::Labelled("cs2", "Parent Executable"),
            "process.entity_id" => return Key::Labelled("cs3", "Process Entity ID"),
            "process.parent.entity_id" => return Key::Labelled("cs4", "Parent Entity ID"),
            "container.id" => return Key::Labelled("cs5", "Container ID"),
            "mote.flags" => return Key::Labelled("cs6", "Flags"),
            "process.parent.pid" => return Key::Labelled("cn1", "Parent Process ID"),
            "process.thread.id" => return Key::Labelled("cn2", "Thread ID"),
            "process.exit_code" => return Key::Labelled("cn3", "Exit Code"),
            "process.start" => return Key::Labelled("deviceCustomDate1", "Process Start"),
            "mote.new_time" => return Key::Labelled("deviceCustomDate2", "New Time"),
            "@timestamp" => "rt",
            "event.category" => "cat",
            "event.action" => "act",
            "event.sequence" => "externalId",
            "event.provider" => "deviceFacility",
            "event.outcome" => "outcome",
            "host.hostname" => "dvchost",
            "process.pid" => "spid",
            "process.executable" => "sproc",
            "process.user.id" => "suid",
            "file.Ext.original.path" => "oldFilePath",
            "file.type" => "fileType",
            "file.mode" => "filePermission",
            "file.size" => "fsize",
            "file.mtime" => "fileModificationTime",
            "source.port" => "spt",
            "destination.port" | "server.port" => "dpt",
            "network.transport" => "proto",
            "mote.target_pid" => "dpid",
            _ => return Key::Own(Own(name)),
        };
        Key::Standard(standard)
    }
}

/// `mote` and the name without it, in words that begin with capitals: letters and digits.
pub(super) struct Own<'a>(&'a str);

impl Display for Own<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("mote")?;
        let name = self.0.strip_prefix("mote.").unwrap_or(self.0);
        name.split(['.', '_', ' ']).try_for_each(|word| {
            let mut letters = word.chars();
            if let Some(first) = letters.next() {
                f.write_char(first.to_ascii_uppercase())?;
            }
            Lowercase(letters.as_str()).fmt(f)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_keys_are_words() {
        for (name, key) in [
            ("mote.syscall_name", "moteSyscallName"),
            ("mote.EBPF STATUS", "moteEbpfStatus"),
            ("mote.lost.where", "moteLostWhere"),
            ("process.session_leader.pid", "moteProcessSessionLeaderPid"),
            ("host.boot.id", "moteHostBootId"),
        ] {
            assert_eq!(Own(name).to_string(), key);
        }
    }
}
