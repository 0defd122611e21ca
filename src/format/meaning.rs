//! What the fields of an event mean: the same in every format.

use super::value::{Args, EntityId, Text, Timestamp};
use crate::event::{Action, Endpoint, Event, Loss, LossPlace, Runtime};
use crate::record::Origin;
use crate::syscalls::by_number;
use core::net::IpAddr;

/// Whether a process did it, or had so many events that they were kept back.
pub(super) fn has_process(event: &Event) -> bool {
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

/// What was executed was given these.
pub(super) fn arguments(event: &Event) -> Option<Args<'_>> {
    let has = !event.args.is_empty() && event.action == Action::Exec;
    has.then_some(Args(&event.args))
}

/// Names of hooks that the kernel does not have.
pub(super) fn hooks_missing(event: &Event) -> Option<Args<'_>> {
    let has = !event.args.is_empty() && event.action == Action::Capability;
    has.then_some(Args(&event.args))
}

/// The version of the sensor, where it tells of itself.
pub(super) fn sensor_version(event: &Event) -> Option<Text<'_>> {
    let tells = matches!(event.action, Action::Heartbeat | Action::Capability);
    text(&event.from).filter(|_| tells)
}

/// The same of the kernel.
pub(super) fn kernel_release(event: &Event) -> Option<Text<'_>> {
    text(&event.path).filter(|_| event.action == Action::Capability)
}

/// The name of a unix socket.
pub(super) fn unix_name(event: &Event) -> &[u8] {
    if event.action.is_on_socket() { &event.path } else { b"" }
}

/// The last part of a path.
pub(super) fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The last part of what a process executes, or its thread's name if that is not known.
pub(super) fn process_name(event: &Event) -> &[u8] {
    match file_name(&event.executable) {
        b"" => &event.comm,
        name => name,
    }
}

/// The id or the name of a process's container.
pub(super) fn container_names(event: &Event) -> (&[u8], &[u8]) {
    let name = &event.lineage.container[..];
    if event.lineage.runtime.is_some_and(Runtime::has_names) { (b"", name) } else { (name, b"") }
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

/// An internet address and its port.
pub(super) fn internet(endpoint: Endpoint) -> Option<(IpAddr, u16)> {
    match endpoint {
        Endpoint::V4(ip, port) => Some((ip.into(), port)),
        Endpoint::V6(ip, port) => Some((ip.into(), port)),
        Endpoint::Unix | Endpoint::Other(_) => None,
    }
}

/// What tells a process from all others, where it is known when it began.
pub(super) fn entity_id(
    origin: &Origin<'_>,
    pid: Option<u32>,
    start: Option<u64>,
) -> Option<EntityId> {
    Some(EntityId { boot_id: origin.boot_id, pid: pid?, start: start? })
}

/// When a process began, by the clock with which the event has its time: both move if it is set. To
/// the hundredth, as is known.
pub(super) fn start(origin: &Origin<'_>, start: Option<u64>) -> Option<Timestamp> {
    const HUNDREDTH_NS: i128 = 10_000_000;
    let start_ns = i128::from(origin.boot_time_ns?) + i128::from(start?) * HUNDREDTH_NS;
    let start_ns = start_ns.div_euclid(HUNDREDTH_NS) * HUNDREDTH_NS;
    i64::try_from(start_ns).is_ok().then_some(Timestamp(start_ns))
}

/// What a process ends with, as a shell gives it: a signal is 128 and its number.
pub(super) fn exit_code(event: &Event) -> Option<u32> {
    event.exit_status.map(|status| match status & 0x7f {
        0 => status >> 8 & 0xff,
        signal => 128 + signal,
    })
}

/// A text that is not empty.
pub(super) fn text(bytes: &[u8]) -> Option<Text<'_>> {
    (!bytes.is_empty()).then_some(Text(bytes))
}

/// The name of the system call.
pub(super) fn call_name(origin: &Origin<'_>, event: &Event) -> Option<&'static str> {
    let call = by_number(origin.arch?, event.syscall?)?;
    Some(call.name)
}
