//! An event as a document.

use super::kind::{category, types};
use super::mote::mote;
use super::shape::{
    Agent, Auditd, Boot, Container, Document, Ecs, EventSet, Ext, File, Host, Id, Network,
    Original, Os, Parent, Process, SessionLeader, Side, Thread, User,
};
use crate::event::{Action, Endpoint, Event, FileType, Given, NO_ID, Runtime, Transport};
use crate::format::meaning::{
    Second, arguments, container_names, entity_id, exit_code, file_name, file_path, has_process,
    internet, kernel_release, process_name, sensor_version, start, text,
};
use crate::format::object::SideAddress;
use crate::format::outcome::Outcome;
use crate::format::value::{CommandLine, Keyword, Octal, RunName, Timestamp, Uuid};
use crate::record::Origin;

pub(in crate::format) fn document<'a>(origin: &Origin<'a>, event: &'a Event) -> Document<'a> {
    let outcome = Outcome::of(event);
    let sides = Sides::of(event);
    Document {
        timestamp: Some(Timestamp(event.time_ns.into())),
        ecs: Some(Ecs { version: Some(super::VERSION) }),
        agent: Some(Agent {
            ephemeral_id: Some(RunName(origin.run())),
            version: sensor_version(event),
        }),
        event: Some(EventSet {
            kind: Some(if event.action == Action::Heartbeat { "metric" } else { "event" }),
            category: Some([category(event.action)]),
            types: Some(types(event, outcome)),
            action: Some(event.action.name()),
            sequence: Some(event.sequence),
            provider: origin.provider.map(|provider| provider.name()),
            outcome: outcome.name(event.action),
        }),
        host: Some(Host {
            hostname: text(origin.hostname),
            boot: Some(Boot { id: Some(Uuid(origin.boot_id)) }),
            os: kernel_release(event).map(|kernel| Os { kernel: Some(kernel) }),
        }),
        process: has_process(event).then(|| process(origin, event)),
        user: event.lineage.login_uid.map(|uid| User { audit: id(uid) }),
        auditd: event
            .lineage
            .audit_session
            .map(|session| Auditd { session: Some(Keyword(session)) }),
        container: container(event),
        file: file(event),
        source: sides.source,
        destination: sides.destination,
        server: sides.server,
        network: network(event),
        mote: mote(origin, event),
    }
}

impl Document<'_> {
    /// For formats that have no place for it: what another field tells as well, and bytes that
    /// they write as they are or in a way of their own.
    pub(in crate::format) fn leave_out_told_twice(&mut self) {
        if let Some(mote) = &mut self.mote {
            mote.bytes = None;
            if mote.syscall_name.is_some() {
                mote.syscall = None;
            }
        }
        for side in [&mut self.source, &mut self.destination, &mut self.server] {
            if let Some(Side { ip: Some(_), address, .. }) = side {
                *address = None;
            }
        }
    }
}

fn process<'a>(origin: &Origin<'_>, event: &'a Event) -> Process<'a> {
    Process {
        pid: Some(event.pid),
        entity_id: entity_id(origin, Some(event.pid), event.start),
        start: start(origin, event.start),
        parent: parent(origin, event),
        executable: text(&event.executable),
        name: text(process_name(event)),
        args: arguments(event),
        args_count: event.args_count,
        command_line: arguments(event).map(CommandLine),
        working_directory: text(&event.working_directory),
        user: id(event.uid),
        group: id(event.gid),
        thread: Some(Thread { id: Some(event.tid), name: text(&event.comm) }),
        session_leader: event.lineage.session.map(|pid| SessionLeader {
            pid: Some(pid),
            entity_id: entity_id(origin, Some(pid), event.lineage.session_start),
        }),
        exit_code: exit_code(event),
    }
}

fn parent<'a>(origin: &Origin<'_>, event: &'a Event) -> Option<Parent<'a>> {
    let executable = &event.lineage.parent_executable;
    let parent = Parent {
        pid: event.ppid,
        entity_id: entity_id(origin, event.ppid, event.lineage.parent_start),
        executable: text(executable),
        name: text(file_name(executable)),
    };
    parent.some()
}

fn container(event: &Event) -> Option<Container<'_>> {
    if event.lineage.container.is_empty() {
        return None;
    }
    let (id, name) = container_names(event);
    let runtime = event.lineage.runtime.map(Runtime::name);
    Some(Container { id: text(id), name: text(name), runtime })
}

fn id(id: u32) -> Option<Id> {
    (id != NO_ID).then_some(Id { id: Some(Keyword(id)) })
}

fn file(event: &Event) -> Option<File<'_>> {
    let path = text(file_path(event));
    let mode = event.mode.map(Octal);
    let second = Second::of(event);
    let original = text(second.original_path);
    let ext = original.map(|path| Ext { original: Some(Original { path: Some(path) }) });
    let mut file = File { path, mode, ext, ..File::default() };
    match event.given {
        Some(Given::Node(kind, _)) => file.kind = kind.map(FileType::name),
        Some(Given::Owner(uid, gid)) => {
            (file.uid, file.gid) = (uid.map(Keyword), gid.map(Keyword));
        }
        Some(Given::Size(size)) => file.size = Some(size),
        Some(Given::Modified(modified_ns)) => {
            file.mtime = modified_ns.map(|ns| Timestamp(ns.into()));
        }
        _ => {}
    }
    file.target_path = text(second.target_path);
    file.some()
}

/// The ends of a connection, as ECS calls them: it begins at the source.
#[derive(Default)]
struct Sides<'a> {
    source: Option<Side<'a>>,
    destination: Option<Side<'a>>,
    server: Option<Side<'a>>,
}

impl<'a> Sides<'a> {
    fn of(event: &'a Event) -> Sides<'a> {
        let (local, peer) = (side(event.local), side(event.peer));
        let named = || (!event.path.is_empty()).then(|| named(&event.path));
        let none = Sides::default();
        match event.action {
            Action::Connect | Action::Send => {
                Sides { source: local, destination: peer.or_else(named), ..none }
            }
            Action::Accept => Sides { source: peer, destination: local, ..none },
            Action::Bind | Action::Listen => Sides { server: local.or_else(named), ..none },
            _ => none,
        }
    }
}

/// An end with an internet address.
fn side(endpoint: Option<Endpoint>) -> Option<Side<'static>> {
    let (ip, port) = internet(endpoint?)?;
    Some(Side { ip: Some(ip), port: Some(port), address: Some(SideAddress::Ip(ip)) })
}

/// A unix socket's.
fn named(name: &[u8]) -> Side<'_> {
    Side { address: Some(SideAddress::Unix(name)), ..Side::default() }
}

fn network(event: &Event) -> Option<Network> {
    if !event.action.is_on_socket() {
        return None;
    }
    let network = Network {
        transport: event.transport.map(Transport::name),
        kind: match event.peer.or(event.local) {
            Some(Endpoint::V4(..)) => Some("ipv4"),
            Some(Endpoint::V6(..)) => Some("ipv6"),
            Some(Endpoint::Unix) => Some("unix"),
            Some(Endpoint::Other(_)) | None => None,
        },
        direction: match event.action {
            Action::Connect | Action::Send => Some("egress"),
            Action::Accept => Some("ingress"),
            _ => None,
        },
    };
    network.some()
}
