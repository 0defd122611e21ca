//! Events with the most that can be in them: every string full, every number of the most digits,
//! every flag set.

use super::{bytes, context};
use mote::event::{
    Action, BlindSpots, Bytes, Capability, Class, Device, Endpoint, Event, ExecutableKind,
    FileType, Flags, Given, Heartbeat, HeartbeatMore, Loss, LossPlace, MountStep, Pause,
    Resumption, Runtime, Transport, Truncated,
};
use mote::record::Origin;

/// What strings are full of: once the first, then the second over and over. What the formats write
/// in more bytes, and in JSON the worst: all of it escaped, and in hex too, as one byte is no UTF-8.
const FILLS: [(&[u8], &[u8]); 16] = [
    (b"\xff", b"\x01"),
    (b"\xff", b"\x01\0"),
    (b"\xff", b"\0"),
    (b"\xff", b"\x01/"),
    (b"", b"\x01"),
    (b"", b"\xff"),
    (b"", b"\""),
    (b"", b"\\"),
    (b"", b"\n"),
    (b"", b"="),
    (b"", b"/"),
    (b"", b"a"),
    (b"\xff", "\u{80}".as_bytes()),
    (b"", "\u{80}".as_bytes()),
    (b"", "\u{202e}".as_bytes()),
    (b"", "\u{e0001}".as_bytes()),
];

/// Each of them, with each outcome and what else changes which fields a line has.
pub fn each_largest(mut check: impl FnMut(&Origin, &Event)) {
    for fill in FILLS {
        let mut context = context();
        fill_with(&mut context.hostname, b"", fill);
        // The latest start of a process that is still a time.
        let origin = Origin { start_ns: u64::MAX, boot_time_ns: Some(0), ..context.origin() };
        for action in Action::ALL {
            let mut event = Event::new();
            fill_all(&mut event, action, fill);
            for given in givens(action, fill) {
                event.given = given;
                each_call(&mut event, &mut |event| check(&origin, event));
            }
        }
    }
}

fn fill_with<const N: usize>(into: &mut Bytes<N>, before: &[u8], fill: (&[u8], &[u8])) {
    into.clear();
    into.extend_from_slice(before).unwrap();
    into.extend_from_slice(fill.0).unwrap();
    while into.extend_from_slice(fill.1).is_ok() {}
}

fn fill_all(event: &mut Event, action: Action, fill: (&[u8], &[u8])) {
    const MOST: u32 = u32::MAX;
    const START: u64 = 922_337_203_685;
    event.action = action;
    (event.sequence, event.time_ns) = (u64::MAX, u64::MAX);
    (event.pid, event.tid, event.ppid) = (MOST, MOST, Some(MOST));
    // MOST is unknown.
    (event.uid, event.gid) = (MOST - 1, MOST - 1);
    event.start = Some(START);
    event.executable_kind = Some(ExecutableKind::Deleted);
    event.lineage.parent_start = Some(START);
    event.lineage.login_uid = Some(MOST - 1);
    event.lineage.audit_session = Some(MOST);
    (event.lineage.session, event.lineage.session_start) = (Some(MOST), Some(START));
    (event.args_count, event.exit_status, event.mode) = (Some(MOST), Some(MOST), Some(MOST));
    event.transport = Some(Transport::Icmpv6);
    event.truncated = Truncated(u16::MAX);
    fill_with(&mut event.comm, b"", fill);
    fill_with(&mut event.executable, b"", fill);
    fill_with(&mut event.working_directory, b"", fill);
    fill_with(&mut event.lineage.parent_executable, b"", fill);
    fill_with(&mut event.lineage.container, b"", fill);
    fill_with(&mut event.args, b"", fill);
    fill_with(&mut event.from, b"", fill);
    // Otherwise than the executable, or an exec has it once.
    fill_with(&mut event.path, b"\x02", fill);
    match action {
        Action::Loss => {
            // Of a process.
            let (place, class) = (LossPlace::FloodGuard, Some(Class::Priority));
            event.loss = Some(Loss {
                place,
                class,
                cpu: Some(u16::MAX),
                receiver: Some(u8::MAX),
                count: u64::MAX,
            });
        }
        Action::Heartbeat => {
            event.heartbeat = Some(Heartbeat {
                ebpf: false,
                received: u64::MAX,
                excluded: u64::MAX,
                lost: u64::MAX,
                sent: u64::MAX,
                more: Some(HeartbeatMore { hooks: MOST, suppressed: u64::MAX, interval_s: MOST }),
            });
        }
        Action::Capability => {
            event.capability = Some(Capability {
                ebpf: false,
                hooks: MOST,
                exclusions: MOST,
                bulk_budget: MOST,
                send_window_s: MOST,
                blind_spots: BlindSpots(MOST),
            });
        }
        Action::Pause => event.pause = Some(Pause { limit_s: MOST }),
        Action::Resume => event.resumption = Some(Resumption::TimeLimit),
        _ => {}
    }
}

/// What calls of the action can be given beside names.
fn givens(action: Action, fill: (&[u8], &[u8])) -> Vec<Option<Given>> {
    const MOST: u32 = u32::MAX;
    let mut word = bytes(b"");
    fill_with(&mut word, b"", fill);
    let address = Endpoint::V6(u128::MAX.into(), u16::MAX);
    let given = match action {
        Action::Mknod => {
            let device = Device { major: MOST, minor: MOST };
            vec![Given::Node(Some(FileType::CharacterDevice), Some(device))]
        }
        Action::Chown => vec![Given::Owner(Some(MOST), Some(MOST))],
        Action::Truncate => vec![Given::Size(i64::MIN)],
        Action::Setuid | Action::Setgid => vec![Given::Ids([Some(MOST); 3])],
        Action::Ptrace | Action::Kill => vec![Given::Process(MOST)],
        Action::Mount => {
            let attributes = Some([MOST; 3]);
            let step = MountStep { descriptor: Some(i32::MIN), option: word.clone(), attributes };
            vec![Given::Type(word), Given::Step(step)]
        }
        Action::ClockSet => vec![Given::Clock(i64::MIN)],
        Action::Utime => vec![Given::Modified(Some(i64::MIN))],
        Action::Connect => vec![Given::Asked(address)],
        Action::Send => vec![Given::Asked(address), Given::Messages(MOST)],
        Action::Listen => vec![Given::Backlog(MOST)],
        _ => Vec::new(),
    };
    if given.is_empty() { vec![None] } else { given.into_iter().map(Some).collect() }
}

/// With every result, on every kind of socket and by every call that makes a difference.
fn each_call(event: &mut Event, check: &mut dyn FnMut(&Event)) {
    let address = Endpoint::V6(u128::MAX.into(), u16::MAX);
    let endpoints = [address, Endpoint::Unix, Endpoint::Other(u16::MAX)];
    let endpoints = if event.action.is_on_socket() { &endpoints[..] } else { &endpoints[..1] };
    let (calls, call_flags): (&[u32], &[u32]) = match event.action {
        // mount, fsconfig, fsmount.
        Action::Mount => (&[165, 431, 432], &[u32::MAX, 1]),
        // PTRACE_SET_SYSCALL_INFO.
        Action::Ptrace => (&[101], &[0x4212]),
        // SIGVTALRM.
        Action::Kill => (&[62], &[26]),
        // BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE.
        Action::BpfLoad => (&[321], &[24]),
        // rt_tgsigqueueinfo has the longest name but two.
        _ => (&[297], &[u32::MAX]),
    };
    // ENAMETOOLONG, ECONNREFUSED.
    for ret in [None, Some(i64::MAX), Some(i64::MIN), Some(-36), Some(-111)] {
        event.ret = ret;
        for flags in [u32::MAX, !Flags::RESULT_UNKNOWN.0] {
            event.flags = Flags(flags);
            for endpoint in endpoints {
                (event.local, event.peer) = (Some(*endpoint), Some(*endpoint));
                // An id, and a name.
                for runtime in [Runtime::Containerd, Runtime::SystemdNspawn] {
                    event.lineage.runtime = Some(runtime);
                    for call in calls {
                        event.syscall = Some(*call);
                        for flags in call_flags {
                            event.call_flags = Some(*flags);
                            check(event);
                        }
                    }
                }
            }
        }
    }
}
