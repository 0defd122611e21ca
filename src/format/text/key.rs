//! The keys of fields, by their names in the Elastic Common Schema.

use crate::format::value::Lowercase;
use core::fmt::{self, Display};

/// Where a field stands in a line, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format) enum Part {
    /// When.
    Time,
    /// Where.
    Host,
    /// What, and who did it.
    Head,
    /// What the action has.
    Action,
    /// What all events of a process have, and where the event comes from.
    Process,
}

impl Part {
    /// How many there are.
    pub const COUNT: usize = Part::Process as usize + 1;
}

/// Those whose key is another than their name. An empty key: left out.
const KEYS: &[(&str, Part, &str)] = &[
    ("@timestamp", Part::Time, "time"),
    ("host.hostname", Part::Host, "host"),
    ("event.action", Part::Head, "action"),
    ("process.pid", Part::Head, "pid"),
    ("process.executable", Part::Head, "executable"),
    ("event.outcome", Part::Action, "outcome"),
    ("process.args", Part::Action, "args"),
    ("process.args_count", Part::Action, "args_count"),
    ("process.working_directory", Part::Action, "working_directory"),
    ("process.exit_code", Part::Action, "exit_code"),
    ("file.path", Part::Action, "path"),
    ("file.target_path", Part::Action, "target"),
    ("file.Ext.original.path", Part::Action, "from"),
    ("file.type", Part::Action, "file_type"),
    ("file.mode", Part::Action, "mode"),
    ("file.uid", Part::Action, "file_uid"),
    ("file.gid", Part::Action, "file_gid"),
    ("file.size", Part::Action, "size"),
    ("file.mtime", Part::Action, "mtime"),
    ("network.transport", Part::Action, "transport"),
    ("network.type", Part::Action, "network_type"),
    ("network.direction", Part::Action, "direction"),
    ("mote.syscall_name", Part::Action, "syscall"),
    ("mote.syscall", Part::Action, "syscall_number"),
    ("event.sequence", Part::Process, "sequence"),
    ("event.provider", Part::Process, "provider"),
    ("host.boot.id", Part::Process, "boot_id"),
    ("agent.ephemeral_id", Part::Process, "run"),
    ("process.entity_id", Part::Process, "entity_id"),
    ("process.start", Part::Process, "start"),
    ("process.parent.pid", Part::Process, "ppid"),
    ("process.parent.entity_id", Part::Process, "parent_entity_id"),
    ("process.parent.executable", Part::Process, "parent_executable"),
    ("process.user.id", Part::Process, "uid"),
    ("process.group.id", Part::Process, "gid"),
    ("process.thread.id", Part::Process, "tid"),
    ("process.thread.name", Part::Process, "thread"),
    ("process.session_leader.pid", Part::Process, "session"),
    ("process.session_leader.entity_id", Part::Process, "session_entity_id"),
    ("user.audit.id", Part::Process, "login_uid"),
    ("auditd.session", Part::Process, "audit_session"),
    ("container.id", Part::Process, "container_id"),
    ("container.name", Part::Process, "container_name"),
    ("container.runtime", Part::Process, "container_runtime"),
    ("ecs.version", Part::Head, ""),
    ("event.kind", Part::Head, ""),
    ("event.category", Part::Head, ""),
    ("event.type", Part::Head, ""),
    ("process.name", Part::Head, ""),
    ("process.command_line", Part::Head, ""),
    ("process.parent.name", Part::Head, ""),
];

/// Where a field stands, and its key: its name without `mote`, with `_` for what is no letter and
/// no digit, if the table has no other. `None`: it is left out.
pub(super) fn key(name: &str) -> Option<(Part, Key<'_>)> {
    if let Some((_, part, key)) = KEYS.iter().find(|(known, ..)| *known == name) {
        return (!key.is_empty()).then_some((*part, Key::Fixed(key)));
    }
    Some((Part::Action, Key::Own(name.strip_prefix("mote.").unwrap_or(name))))
}

/// A key.
pub(super) enum Key<'a> {
    /// One of the table.
    Fixed(&'static str),
    /// Of a name.
    Own(&'a str),
}

impl Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let name = match self {
            Key::Fixed(key) => return f.write_str(key),
            Key::Own(name) => name,
        };
        let mut between = "";
        name.split(|letter: char| !letter.is_ascii_alphanumeric()).try_for_each(|word| {
            f.write_str(between)?;
            between = "_";
            Lowercase(word).fmt(f)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_table_or_the_name() {
        for (name, written) in [
            ("process.parent.pid", Some((Part::Process, "ppid"))),
            ("mote.EBPF STATUS", Some((Part::Action, "ebpf_status"))),
            ("mote.lost.where", Some((Part::Action, "lost_where"))),
            ("destination.address", Some((Part::Action, "destination_address"))),
            ("ecs.version", None),
        ] {
            let key = key(name).map(|(part, key)| (part, key.to_string()));
            assert_eq!(key, written.map(|(part, key)| (part, key.to_owned())), "{name}");
        }
    }
}
