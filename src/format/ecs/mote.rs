//! What the Elastic Common Schema has no field for.

use super::shape::{Asked, Exact, Lost, Mote, NewIds};
use crate::event::{Action, Class, Endpoint, Event, ExecutableKind, Given, MountStep, Resumption};
use crate::format::flags::open_flags;
use crate::format::meaning::{
    Second, arguments, call_name, container_names, file_path, hooks_missing, internet,
    kernel_release, sensor_version, text, unix_name,
};
use crate::format::names;
use crate::format::object::Names;
use crate::format::value::{Args, DeviceNumbers, Hex, HexArgs, Timestamp};
use crate::record::Origin;

pub(in crate::format) fn mote<'a>(origin: &Origin<'a>, event: &'a Event) -> Option<Mote<'a>> {
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
            receiver: loss.receiver.map(u32::from),
            count: Some(loss.count),
        }),
        pause_limit_seconds: event.pause.map(|pause| pause.limit_s),
        resumed_because: event.resumption.map(Resumption::name),
        bytes: exact(origin, event),
        ..Mote::default()
    };
    name_flags(origin, event, &mut mote);
    given(event, &mut mote);
    own(event, &mut mote);
    mote.some()
}

/// What a sensor tells of itself.
fn own<'a>(event: &'a Event, mote: &mut Mote<'a>) {
    if let Some(heartbeat) = event.heartbeat {
        mote.ebpf_status = Some(heartbeat.ebpf);
        mote.events_received = Some(heartbeat.received);
        mote.events_excluded = Some(heartbeat.excluded);
        mote.events_lost = Some(heartbeat.lost);
        mote.events_sent = Some(heartbeat.sent);
        if let Some(more) = heartbeat.more {
            mote.hooks = Some(more.hooks);
            mote.events_suppressed = Some(more.suppressed);
            mote.heartbeat_seconds = Some(more.interval_s);
        }
    }
    if let Some(capability) = event.capability {
        mote.ebpf_status = Some(capability.ebpf);
        mote.hooks = Some(capability.hooks);
        mote.hooks_missing = hooks_missing(event);
        mote.blind_spots = Names::some(capability.blind_spots.names());
        mote.exclusions = Some(capability.exclusions);
        mote.bulk_budget = Some(capability.bulk_budget);
        mote.send_window_seconds = Some(capability.send_window_s);
    }
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
    let hex_list = |list: Option<Args<'a>>| {
        list.filter(|list| core::str::from_utf8(list.0).is_err()).map(HexArgs)
    };
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
        agent_version: sensor_version(event).and_then(|version| hex(version.0)),
        kernel: kernel_release(event).and_then(|release| hex(release.0)),
        hooks_missing: hex_list(hooks_missing(event)),
        executable: hex(&event.executable),
        parent_executable: hex(&event.lineage.parent_executable),
        thread_name: hex(&event.comm),
        args: hex_list(arguments(event)),
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
