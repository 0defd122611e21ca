//! Events to test with: the same ones on every run of a seed.

#![allow(dead_code)] // each test binary uses its own part

pub mod cases;
pub mod damage;
pub mod largest;
pub mod world;

use base64ct::{Base64UrlUnpadded, Encoding};
use fastrand::Rng;
use mote::command::decode::decoder::{Counts, Decoder};
use mote::event::{
    Action, BlindSpots, Bytes, Capability, Class, Device, Endpoint, Event, ExecutableKind,
    FileType, Flags, Given, Heartbeat, HeartbeatMore, Loss, LossPlace, MountStep, Pause,
    Resumption, Runtime, Transport, Truncated,
};
use mote::limits::LINE_BYTES;
use mote::record::{Context, DecodeError, Encoder, Origin, PREFIX, Provider};
use mote::syscalls::Arch;

/// 2026-11-01, and not at a hundredth of a second.
const BOOT_TIME_NS: i64 = 1_793_491_200_007_654_321;

/// Bytes with a fixed capacity, of a test's literal.
pub fn bytes<const N: usize>(text: &[u8]) -> Bytes<N> {
    Bytes::from_slice(text).expect("a literal within its capacity")
}

pub fn context() -> Context {
    Context {
        boot_id: *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef",
        start_ns: 5_000_000_000,
        hostname: bytes(b"gate"),
        arch: Arch::X86_64,
        provider: Provider::Ebpf,
    }
}

/// Gives random events of every action, some with names that are to do harm.
pub fn each_event(seed: u64, rounds: usize, mut check: impl FnMut(&Origin, &Event)) {
    let mut rng = Rng::with_seed(seed);
    let mut strange = context();
    strange.hostname = bytes(b"g\xff<&\"'|=\\\n]]>");
    let usual = context();
    for round in 0..rounds * Action::ALL.len() {
        let action = Action::ALL[round % Action::ALL.len()];
        let mut event = random_event(&mut rng, action);
        event.sequence = rng.u64(..);
        event.time_ns = rng.u64(..);
        if rng.u8(..4) == 0 {
            cases::make_hostile(&mut rng, &mut event);
        }
        if rng.u8(..4) == 0 {
            cases::settle(&mut rng, &mut event);
        }
        let context = if rng.u8(..10) == 0 { &strange } else { &usual };
        let boot_time_ns = if rng.bool() { Some(BOOT_TIME_NS) } else { None };
        check(&Origin { boot_time_ns, ..context.origin() }, &event);
    }
}

/// Some of everything an event of `action` can have, in a small world of names so that
/// they repeat.
pub fn random_event(rng: &mut Rng, action: Action) -> Event {
    let mut event = Event::new();
    event.action = action;
    if action == Action::Loss {
        event.loss = Some(Loss {
            place: LossPlace::ALL[rng.usize(..LossPlace::ALL.len())],
            class: some(rng, |r| if r.bool() { Class::Priority } else { Class::Bulk }),
            cpu: some(rng, |r| r.u16(..)),
            receiver: some(rng, |r| r.u8(1..)),
            count: wide(rng),
        });
        return event;
    }
    if action == Action::Heartbeat {
        event.heartbeat = Some(Heartbeat {
            ebpf: rng.bool(),
            received: wide(rng),
            excluded: wide(rng),
            lost: wide(rng),
            sent: wide(rng),
            more: some(rng, |r| HeartbeatMore {
                hooks: r.u32(..400),
                suppressed: wide(r),
                interval_s: r.u32(..100),
            }),
        });
        if event.heartbeat.is_some_and(|heartbeat| heartbeat.more.is_some()) {
            event.from = bytes(some_bytes(rng, b"0.1.0"));
        }
        return event;
    }
    if action == Action::Capability {
        event.capability = Some(Capability {
            ebpf: rng.bool(),
            hooks: rng.u32(..400),
            exclusions: rng.u32(..1000),
            bulk_budget: rng.u32(..1_000_000),
            send_window_s: rng.u32(..100),
            blind_spots: BlindSpots(rng.u32(..1024)),
        });
        event.from = bytes(some_bytes(rng, b"0.1.0"));
        event.path = bytes(some_bytes(rng, b"6.12.0"));
        if rng.bool() {
            event.args = bytes(some_bytes(rng, b"syscalls:sys_exit_creat\0kprobe:f\0"));
        }
        return event;
    }
    event.pid = wide(rng) as u32;
    event.tid = if rng.u8(..4) > 0 { event.pid } else { wide(rng) as u32 };
    event.ppid = some(rng, |r| wide(r) as u32);
    event.uid = wide(rng) as u32;
    event.gid = wide(rng) as u32;
    event.comm = bytes(&text(rng, 15));
    event.executable = path(rng);
    event.start = some(rng, wide);
    let kinds = ExecutableKind::ALL;
    event.executable_kind = some(rng, |r| kinds[r.usize(..kinds.len())]);
    event.lineage.parent_start = some(rng, wide);
    event.lineage.parent_executable = short_path(rng);
    event.lineage.runtime = some(rng, |r| Runtime::ALL[r.usize(..Runtime::ALL.len())]);
    event.lineage.container = bytes(&text(rng, 20));
    // 4294967295 is unset, and never told.
    event.lineage.login_uid = some(rng, |r| r.u32(..u32::MAX));
    event.lineage.audit_session = some(rng, |r| wide(r) as u32);
    event.lineage.session = some(rng, |r| wide(r) as u32);
    event.lineage.session_start = some(rng, wide);
    event.syscall = some(rng, |r| r.u32(..500));
    event.ret = some(rng, |r| if r.bool() { -r.i64(0..133) } else { wide(r) as i64 });
    event.flags = Flags(wide(rng) as u32 & 0x1_ffff);
    event.truncated = Truncated(wide(rng) as u16);
    match action {
        Action::Exec => {
            event.path = if rng.bool() { event.executable.clone() } else { path(rng) };
            for _ in 0..rng.usize(..6) {
                let argument = text(rng, 40);
                event.args.extend_from_slice(&argument).unwrap();
                event.args.push(0).unwrap();
            }
            event.args_count = some(rng, |r| wide(r) as u32);
            event.working_directory = short_path(rng);
        }
        Action::Fork | Action::Loss | Action::Heartbeat | Action::Capability => {}
        Action::Pause => event.pause = Some(Pause { limit_s: wide(rng) as u32 }),
        Action::Resume => {
            event.resumption = Some(Resumption::ALL[rng.usize(..Resumption::ALL.len())]);
        }
        Action::Exit => event.exit_status = some(rng, |r| r.u32(..65536)),
        Action::Setuid | Action::Setgid => {
            event.given = some(rng, |r| Given::Ids([(); 3].map(|()| some(r, |r| wide(r) as u32))));
        }
        Action::Setsid => {}
        Action::Ptrace | Action::Kill => {
            event.given = some(rng, |r| Given::Process(wide(r) as u32));
            event.call_flags = some(rng, |r| r.u32(..20));
        }
        Action::ModuleUnload | Action::BpfLoad | Action::MemfdCreate => {
            event.from = bytes(&text(rng, 30));
            event.call_flags = some(rng, |r| r.u32(..40));
        }
        Action::ModuleLoad | Action::KexecLoad => {
            event.path = path(rng);
            event.from = bytes(&text(rng, 30));
            event.call_flags = some(rng, |r| r.u32(..40));
        }
        Action::Mount => {
            event.path = path(rng);
            event.from = path(rng);
            event.call_flags = some(rng, |r| if r.bool() { r.u32(..10) } else { wide(r) as u32 });
            let kind = text(rng, 11);
            event.given = match rng.bool() {
                true => Some(Given::Step(MountStep {
                    descriptor: some(rng, |r| wide(r) as i32),
                    option: bytes(&kind),
                    attributes: some(rng, |r| [(); 3].map(|()| wide(r) as u32)),
                })),
                false => (!kind.is_empty()).then(|| Given::Type(bytes(&kind))),
            };
            // mount, fsconfig, fsmount.
            event.syscall = some(rng, |r| [165, 431, 432][r.usize(..3)]);
        }
        Action::Unshare | Action::Setns | Action::IoUring => {
            event.call_flags = some(rng, |r| wide(r) as u32);
        }
        Action::ClockSet => {
            event.given = some(rng, |r| Given::Clock(wide(r) as i64));
            event.call_flags = some(rng, |r| r.u32(..12));
        }
        Action::Open => {
            event.path = path(rng);
            event.call_flags = some(rng, |r| wide(r) as u32);
            event.mode = some(rng, |r| wide(r) as u32);
        }
        Action::Unlink | Action::Rmdir => event.path = path(rng),
        Action::Mkdir | Action::Chmod => {
            event.path = path(rng);
            event.mode = some(rng, |r| wide(r) as u32);
        }
        Action::Umount => {
            event.path = path(rng);
            event.call_flags = some(rng, |r| wide(r) as u32);
        }
        Action::Link => {
            event.path = path(rng);
            event.from = path(rng);
            event.call_flags = some(rng, |_| 0x1000);
        }
        Action::Symlink => {
            event.path = path(rng);
            event.from = path(rng);
        }
        Action::Mknod => {
            event.path = path(rng);
            event.mode = some(rng, |r| r.u32(..0o10000));
            let kind = FileType::ALL[rng.usize(..FileType::ALL.len())];
            let device = some(rng, |r| Device { major: r.u32(..4096), minor: wide(r) as u32 });
            event.given = Some(Given::Node(some(rng, |_| kind), device));
        }
        Action::Chown => {
            event.path = path(rng);
            event.given =
                Some(Given::Owner(some(rng, |r| wide(r) as u32), some(rng, |r| wide(r) as u32)));
        }
        Action::Truncate => {
            event.path = path(rng);
            event.given = some(rng, |r| Given::Size(wide(r) as i64));
        }
        Action::Utime => {
            event.path = path(rng);
            event.given = Some(Given::Modified(some(rng, |r| wide(r) as i64)));
        }
        Action::Setxattr => {
            event.path = path(rng);
            event.from = bytes(&text(rng, 30));
        }
        Action::Rename => {
            event.path = path(rng);
            event.from = path(rng);
            event.call_flags = some(rng, |r| r.u32(..8));
        }
        Action::Connect | Action::Bind | Action::Listen | Action::Accept | Action::Send => {
            event.local = some(rng, endpoint);
            if !matches!(action, Action::Bind | Action::Listen) {
                event.peer = some(rng, endpoint);
            }
            if matches!(action, Action::Connect | Action::Bind) && event.is_on_unix_socket() {
                event.path = path(rng);
            }
            event.transport = some(rng, |r| Transport::ALL[r.usize(..Transport::ALL.len())]);
            event.given = match action {
                Action::Connect => some(rng, |r| Given::Asked(endpoint(r))),
                Action::Listen => some(rng, |r| Given::Backlog(wide(r) as u32)),
                Action::Send if rng.bool() => Some(Given::Asked(endpoint(rng))),
                Action::Send => some(rng, |r| Given::Messages(wide(r) as u32)),
                _ => None,
            };
        }
    }
    event
}

fn endpoint(rng: &mut Rng) -> Endpoint {
    match rng.u8(..4) {
        0 => Endpoint::V4(rng.u32(..).into(), rng.u16(..)),
        1 => Endpoint::V6(rng.u128(..).into(), rng.u16(..)),
        2 => Endpoint::Unix,
        _ => Endpoint::Other(rng.u16(..)),
    }
}

/// These, or what is no text.
fn some_bytes<'a>(rng: &mut Rng, usual: &'a [u8]) -> &'a [u8] {
    if rng.u8(..8) == 0 { b"\xff\0" } else { usual }
}

fn some<T>(rng: &mut Rng, value: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    if rng.bool() { Some(value(rng)) } else { None }
}

/// An integer of any length: uniform ones would all be long.
fn wide(rng: &mut Rng) -> u64 {
    rng.u64(..) >> rng.u32(..64)
}

fn text(rng: &mut Rng, most: usize) -> Vec<u8> {
    let length = rng.usize(..=most);
    let any = rng.u8(..8) == 0;
    (0..length).map(|_| if any { rng.u8(1..) } else { rng.u8(b'a'..=b'z') }).collect()
}

/// One that leaves room for others in a batch.
fn short_path<const N: usize>(rng: &mut Rng) -> Bytes<N> {
    loop {
        let path = path(rng);
        if path.len() < 100 {
            return path;
        }
    }
}

fn path<const N: usize>(rng: &mut Rng) -> Bytes<N> {
    const DIRECTORIES: [&[u8]; 8] =
        [b"", b"/", b"/etc/", b"/usr/bin/", b"/var/lib/", b"relative/", b"/tmp/\xff/", b"\0at/"];
    let mut path = DIRECTORIES[rng.usize(..DIRECTORIES.len())].to_vec();
    if rng.u8(..50) == 0 {
        path.resize(rng.usize(..N - 20), b'/');
    }
    path.extend(text(rng, 12));
    bytes(&path)
}

/// One line of events of every action.
pub fn line_of_all_actions(rng: &mut Rng) -> Bytes<LINE_BYTES> {
    line_of_actions(rng, Action::ALL.len())
}

/// The same of so many, each another one. A few very long paths may fill the batch before all
/// actions are in it: then others are made.
pub fn line_of_actions(rng: &mut Rng, count: usize) -> Bytes<LINE_BYTES> {
    loop {
        let mut encoder = Encoder::new(Class::Bulk, context());
        let mut sequence = rng.u64(1..1000);
        let mut actions = Action::ALL;
        rng.shuffle(&mut actions);
        for action in &actions[..count] {
            let mut event = random_event(rng, *action);
            event.sequence = sequence;
            event.time_ns = rng.u64(1_000_000..2_000_000);
            sequence += 1 + rng.u64(..3);
            let _ = encoder.push(&event);
        }
        let mut line = Bytes::new();
        if encoder.finish(1_800_000_000_000_000_000, &mut line) == count {
            return line;
        }
    }
}

/// Everything in front of the strings of a batch of version 2, with room for a checksum.
pub const HEADER: &[u8] = b"\x02\x03CRC_0123456789abcdef\x05\x3e\x01\x04gate\x80\x01\x29\x00";

/// The line of a batch.
pub fn line_of(batch: &[u8]) -> Vec<u8> {
    let mut text = vec![0; Base64UrlUnpadded::encoded_len(batch)];
    Base64UrlUnpadded::encode(batch, &mut text).unwrap();
    [PREFIX, &text].concat()
}

/// The batch of a line.
pub fn batch_of(line: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; line.len()];
    Base64UrlUnpadded::decode(&line[PREFIX.len()..], &mut bytes).unwrap().to_vec()
}

/// Gives a batch of version 2 the checksum of what it is now (docs/record-format.md).
pub fn seal(batch: &mut [u8]) {
    if let Some((before, rest)) = batch.split_at_mut_checked(2)
        && let Some((checksum, rest)) = rest.split_first_chunk_mut::<4>()
    {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(before);
        hasher.update(rest);
        *checksum = hasher.finalize().to_le_bytes();
    }
}

/// What `mote decode` makes of a line: documents, what it says, and its counts.
pub fn decode_line(line: &[u8]) -> (Vec<serde_json::Value>, Vec<DecodeError>, Counts) {
    let mut decoder = Decoder::new();
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    decoder.line(line, &mut out, &mut |error| errors.push(error)).unwrap();
    let documents =
        serde_json::Deserializer::from_slice(&out).into_iter().collect::<Result<_, _>>().unwrap();
    (documents, errors, *decoder.counts())
}
