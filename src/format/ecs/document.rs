//! An event as a document.

use super::kind::{Outcome, category, types};
use super::mote::mote;
use super::shape::{
    Agent, Auditd, Boot, Container, Document, Ecs, EventSet, Ext, File, Host, Id, Network,
    Original, Os, Parent, Process, SessionLeader, Side, SideAddress, Thread, User,
};
use super::text::{Args, CommandLine, EntityId, Keyword, Octal, Text, Timestamp, Uuid};
use crate::event::{
    Action, Endpoint, Event, FileType, Given, Loss, LossPlace, NO_ID, Runtime, Transport,
};
use crate::record::Origin;
use core::net::IpAddr;

pub(super) fn document<'a>(origin: &Origin<'a>, event: &'a Event) -> Document<'a> {
    let outcome = Outcome::of(event);
    let sides = Sides::of(event);
    Document {
        timestamp: Some(Timestamp(event.time_ns.into())),
        ecs: Some(Ecs { version: Some(super::VERSION) }),
        agent: agent(event),
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
            os: (event.action == Action::Capability)
                .then(|| Os { kernel: text(&event.path) })
                .and_then(Os::some),
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

/// The sensor, where it tells of itself.
fn agent(event: &Event) -> Option<Agent<'_>> {
    let tells = matches!(event.action, Action::Heartbeat | Action::Capability);
    let version = text(&event.from).filter(|_| tells)?;
    Some(Agent { kind: Some("mote"), version: Some(version) })
}

/// Whether a process did it, or had so many events that they were kept back.
fn has_process(event: &Event) -> bool {
    match event.loss {
        Some(Loss { place: LossPlace::FloodGuard, .. }) => event.pid != 0,
        _ => !event.action.is_own() || event.action == Action::Pause,
    }
}

/// The path that is `file.path`.
pub(super) fn file_path(event: &Event) -> &[u8] {
    match event.action {
        Action::Exec if event.path == event.executable => b"",
        action if action.is_on_socket() || action.is_own() => b"",
        _ => &event.path,
    }
}

/// The name of a unix socket.
pub(super) fn unix_name(event: &Event) -> &[u8] {
    if event.action.is_on_socket() { &event.path } else { b"" }
}

fn process<'a>(origin: &Origin<'_>, event: &'a Event) -> Process<'a> {
    let file_name = file_name(&event.executable);
    Process {
        pid: Some(event.pid),
        entity_id: entity_id(origin, Some(event.pid), event.start),
        start: start(origin, event.start),
        parent: parent(origin, event),
        executable: text(&event.executable),
        name: text(if file_name.is_empty() { &event.comm } else { file_name }),
        args: (!event.args.is_empty()).then_some(Args(&event.args)),
        args_count: event.args_count,
        command_line: (!event.args.is_empty()).then_some(CommandLine(Args(&event.args))),
        working_directory: text(&event.working_directory),
        user: id(event.uid),
        group: id(event.gid),
        thread: Some(Thread { id: Some(event.tid), name: text(&event.comm) }),
        session_leader: event.lineage.session.map(|pid| SessionLeader {
            pid: Some(pid),
            entity_id: entity_id(origin, Some(pid), event.lineage.session_start),
        }),
        // As a shell gives it: a signal is 128 and its number.
        exit_code: event.exit_status.map(|status| match status & 0x7f {
            0 => status >> 8 & 0xff,
            signal => 128 + signal,
        }),
    }
}

/// The last part of a path.
fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
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

fn entity_id(origin: &Origin<'_>, pid: Option<u32>, start: Option<u64>) -> Option<EntityId> {
    Some(EntityId { boot_id: origin.boot_id, pid: pid?, start: start? })
}

/// By the clock with which the event has its time: both move if it is set. To the hundredth, as
/// is known.
fn start(origin: &Origin<'_>, start: Option<u64>) -> Option<Timestamp> {
    const HUNDREDTH_NS: i128 = 10_000_000;
    let start_ns = i128::from(origin.boot_time_ns?) + i128::from(start?) * HUNDREDTH_NS;
    let start_ns = start_ns.div_euclid(HUNDREDTH_NS) * HUNDREDTH_NS;
    i64::try_from(start_ns).is_ok().then_some(Timestamp(start_ns))
}

/// The id or the name of a process's container.
pub(super) fn container_names(event: &Event) -> (&[u8], &[u8]) {
    let name = &event.lineage.container[..];
    if event.lineage.runtime.is_some_and(Runtime::has_names) { (b"", name) } else { (name, b"") }
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

/// What `Event::from` is, by action.
#[derive(Default)]
pub(super) struct Second<'a> {
    pub original_path: &'a [u8],
    pub target_path: &'a [u8],
    pub attribute: &'a [u8],
    pub mount_source: &'a [u8],
    pub name: &'a [u8],
    pub parameters: &'a [u8],
}

impl<'a> Second<'a> {
    pub fn of(event: &'a Event) -> Second<'a> {
        let mut second = Second::default();
        let place = match event.action {
            Action::Rename | Action::Link => &mut second.original_path,
            Action::Symlink => &mut second.target_path,
            Action::Setxattr => &mut second.attribute,
            Action::Mount => &mut second.mount_source,
            Action::ModuleUnload | Action::BpfLoad | Action::MemfdCreate => &mut second.name,
            Action::ModuleLoad | Action::KexecLoad => &mut second.parameters,
            _ => return second,
        };
        *place = &event.from;
        second
    }
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

pub(super) fn internet(endpoint: Endpoint) -> Option<(IpAddr, u16)> {
    match endpoint {
        Endpoint::V4(ip, port) => Some((ip.into(), port)),
        Endpoint::V6(ip, port) => Some((ip.into(), port)),
        Endpoint::Unix | Endpoint::Other(_) => None,
    }
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

pub(super) fn text(bytes: &[u8]) -> Option<Text<'_>> {
    (!bytes.is_empty()).then_some(Text(bytes))
}
