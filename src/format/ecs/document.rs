//! An event as a document.

use super::flags::open_flags;
use super::kind::{Outcome, category, types};
use super::names;
use super::shape::{
    Asked, Auditd, Boot, Container, Document, Ecs, EventSet, Exact, Ext, File, Host, Id, Lost,
    Mote, Names, Network, NewIds, Original, Parent, Process, SessionLeader, Side, SideAddress,
    Thread, User,
};
use super::text::{
    Args, CommandLine, DeviceNumbers, EntityId, Hex, HexArgs, Keyword, Octal, Text, Timestamp, Uuid,
};
use crate::event::{
    Action, Class, Endpoint, Event, ExecutableKind, FileType, Given, Loss, LossPlace, MountStep,
    NO_ID, Resumption, Runtime, Transport,
};
use crate::record::Origin;
use crate::syscalls::by_number;
use core::net::IpAddr;

pub(super) fn document<'a>(origin: &Origin<'a>, event: &'a Event) -> Document<'a> {
    let outcome = Outcome::of(event);
    let sides = Sides::of(event);
    Document {
        timestamp: Some(Timestamp(event.time_ns.into())),
        ecs: Some(Ecs { version: Some(super::VERSION) }),
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

/// Whether a process did it, or had so many events that they were kept back.
fn has_process(event: &Event) -> bool {
    match event.loss {
        Some(Loss { place: LossPlace::FloodGuard, .. }) => event.pid != 0,
        _ => !event.action.is_own() || event.action == Action::Pause,
    }
}

/// The path that is `file.path`.
fn file_path(event: &Event) -> &[u8] {
    match event.action {
        Action::Exec if event.path == event.executable => b"",
        action if action.is_on_socket() => b"",
        _ => &event.path,
    }
}

/// The name of a unix socket.
fn unix_name(event: &Event) -> &[u8] {
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
fn container_names(event: &Event) -> (&[u8], &[u8]) {
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
struct Second<'a> {
    original_path: &'a [u8],
    target_path: &'a [u8],
    attribute: &'a [u8],
    mount_source: &'a [u8],
    name: &'a [u8],
    parameters: &'a [u8],
}

impl<'a> Second<'a> {
    fn of(event: &'a Event) -> Second<'a> {
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

fn internet(endpoint: Endpoint) -> Option<(IpAddr, u16)> {
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

fn mote<'a>(origin: &Origin<'a>, event: &'a Event) -> Option<Mote<'a>> {
    let signal = event.exit_status.map(|status| status & 0x7f).filter(|signal| *signal != 0);
    let mut mote = Mote {
        syscall: event.syscall,
        syscall_name: call_name(origin, event),
        ret: event.ret,
        flags: Names::some(event.flags.names()),
        truncated: Names::some(event.truncated.names()),
        call_flags: event.call_flags,
        executable_kind: event.executable_kind.map(ExecutableKind::name),
        address_family: match event.peer.or(event.local) {
            Some(Endpoint::Other(family)) => Some(family),
            _ => None,
        },
        exit_signal: signal,
        // WCOREDUMP: bit 7, and only of a process that a signal ended.
        core_dumped: signal.and(event.exit_status).map(|status| status & 0x80 != 0),
        lost: event.loss.map(|loss| Lost {
            place: Some(loss.place.name()),
            ring: loss.class.map(Class::name),
            cpu: loss.cpu,
            count: Some(loss.count),
        }),
        ebpf_status: event.heartbeat.map(|heartbeat| heartbeat.ebpf),
        events_received: event.heartbeat.map(|heartbeat| heartbeat.received),
        events_excluded: event.heartbeat.map(|heartbeat| heartbeat.excluded),
        events_lost: event.heartbeat.map(|heartbeat| heartbeat.lost),
        events_sent: event.heartbeat.map(|heartbeat| heartbeat.sent),
        pause_limit_seconds: event.pause.map(|pause| pause.limit_s),
        resumed_because: event.resumption.map(Resumption::name),
        bytes: exact(origin, event),
        ..Mote::default()
    };
    name_flags(origin, event, &mut mote);
    given(event, &mut mote);
    mote.some()
}

/// Flags of the call by their names.
fn name_flags(origin: &Origin<'_>, event: &Event, mote: &mut Mote<'_>) {
    let Some(flags) = event.call_flags else { return };
    match event.action {
        Action::Open => mote.open_flags = Names::some(open_flags(origin.arch, flags)),
        Action::Kill => mote.signal = names::signal(flags),
        Action::Ptrace => mote.ptrace_request = names::ptrace_request(flags),
        Action::BpfLoad => mote.bpf_program_type = names::bpf_program_type(flags),
        Action::Unshare | Action::Setns => {
            mote.clone_flags = Names::some(names::clone_flags(flags));
        }
        Action::Mount => match call_name(origin, event) {
            Some("mount") => mote.mount_flags = Names::some(names::mount_flags(flags)),
            Some("fsconfig") => mote.mount_command = names::fsconfig_command(flags),
            // Those of the other calls are about their names and descriptors.
            _ => {}
        },
        Action::Umount => mote.mount_flags = Names::some(names::umount_flags(flags)),
        _ => {}
    }
}

fn call_name(origin: &Origin<'_>, event: &Event) -> Option<&'static str> {
    let call = by_number(origin.arch?, event.syscall?)?;
    Some(call.name)
}

/// What else the call was given.
fn given<'a>(event: &'a Event, mote: &mut Mote<'a>) {
    let second = Second::of(event);
    mote.attribute = text(second.attribute);
    mote.mount_source = text(second.mount_source);
    mote.name = text(second.name);
    mote.parameters = text(second.parameters);
    match &event.given {
        Some(Given::Node(_, device)) => mote.device = device.map(DeviceNumbers),
        Some(Given::Ids([real, effective, saved])) => {
            let ids = NewIds { real: *real, effective: *effective, saved: *saved };
            mote.new_ids = ids.some();
        }
        Some(Given::Process(pid)) => mote.target_pid = Some(*pid),
        Some(Given::Type(kind)) => mote.mount_type = text(kind),
        Some(Given::Step(MountStep { descriptor, option, attributes })) => {
            (mote.mount_descriptor, mote.mount_option) = (*descriptor, text(option));
            if let Some([set, cleared, propagation]) = *attributes {
                mote.mount_attributes_set = Names::some(names::mount_attributes(set));
                mote.mount_attributes_cleared = Names::some(names::mount_attributes(cleared));
                mote.mount_flags = Names::some(names::mount_flags(propagation));
            }
        }
        Some(Given::Asked(asked)) => {
            mote.asked =
                internet(*asked).map(|(ip, port)| Asked { ip: Some(ip), port: Some(port) });
        }
        Some(Given::Backlog(backlog)) => mote.backlog = Some(*backlog),
        Some(Given::Messages(messages)) => mote.messages = Some(*messages),
        Some(Given::Clock(time_ns)) => mote.new_time = Some(Timestamp((*time_ns).into())),
        _ => {}
    }
}

fn exact<'a>(origin: &Origin<'a>, event: &'a Event) -> Option<Exact<'a>> {
    let hex = |bytes: &'a [u8]| core::str::from_utf8(bytes).is_err().then_some(Hex(bytes));
    let name = unix_name(event);
    let name_bytes = if name.first() == Some(&0) { Some(Hex(name)) } else { hex(name) };
    let (server, destination) = match event.action {
        Action::Bind => (name_bytes, None),
        _ => (None, name_bytes),
    };
    let second = Second::of(event);
    let (container_id, container_name) = container_names(event);
    let (mount_type, mount_option) = match &event.given {
        Some(Given::Type(kind)) => (&kind[..], &b""[..]),
        Some(Given::Step(step)) => (&b""[..], &step.option[..]),
        _ => (&b""[..], &b""[..]),
    };
    let exact = Exact {
        hostname: hex(origin.hostname),
        executable: hex(&event.executable),
        parent_executable: hex(&event.lineage.parent_executable),
        thread_name: hex(&event.comm),
        args: hex(&event.args).map(|args| HexArgs(Args(args.0))),
        working_directory: hex(&event.working_directory),
        container_id: hex(container_id),
        container_name: hex(container_name),
        path: hex(file_path(event)),
        from: hex(second.original_path),
        target_path: hex(second.target_path),
        attribute: hex(second.attribute),
        mount_source: hex(second.mount_source),
        mount_type: hex(mount_type),
        mount_option: hex(mount_option),
        name: hex(second.name),
        parameters: hex(second.parameters),
        destination,
        server,
    };
    exact.some()
}

fn text(bytes: &[u8]) -> Option<Text<'_>> {
    (!bytes.is_empty()).then_some(Text(bytes))
}
