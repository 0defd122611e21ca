//! Records of version 2 at the limits of their fields, and with values that stand for none. They are
//! made by hand: an encoder and a decoder with the same fault would agree.

mod common;

use common::{HEADER, bytes, context, line_of, seal};
use mote::event::{Action, Class, Event, Given, MountStep, Truncated};
use mote::limits::{ARGS_BYTES, COMM_BYTES, CONTAINER_BYTES, PATH_BYTES, WORD_BYTES};
use mote::record::{Batch, DecodeError, Encoder, Reason, Scratch};

/// What a batch decodes to, and how many events and fields of it are not known.
type Decoded = Result<(Vec<Event>, [u64; 2]), DecodeError>;

fn decode(actors: &[Vec<u8>], events: &[Vec<u8>]) -> Decoded {
    let mut batch = [HEADER, b"\0"].concat();
    for list in [actors, events] {
        batch.push(u8::try_from(list.len()).unwrap());
        list.iter().for_each(|entry| batch.extend(blob(entry)));
    }
    seal(&mut batch);
    let mut scratch = Scratch::new();
    let line = line_of(&batch);
    let mut batch = Batch::parse(&line, &mut scratch)?;
    let (mut event, mut events) = (Event::new(), Vec::new());
    while let Some(result) = batch.next(&mut event) {
        result?;
        events.push(event.clone());
    }
    Ok((events, [batch.unknown_events(), batch.unknown_fields()]))
}

/// Its length, below 16,384, and these bytes.
fn blob(bytes: &[u8]) -> Vec<u8> {
    let length = [bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8];
    match bytes.len() {
        0..128 => [&[bytes.len() as u8], bytes].concat(),
        _ => [&length, bytes].concat(),
    }
}

/// A byte string of so many bytes.
fn long(length: usize) -> Vec<u8> {
    blob(&vec![b'x'; length])
}

/// An actor up to its executable.
fn actor(comm: &[u8], executable: &[u8]) -> Vec<u8> {
    [&b"\x07\0\0\x01\x02"[..], &blob(comm), b"\0", &blob(executable)].concat()
}

/// An actor with a lineage.
fn descendant(lineage: &[u8]) -> Vec<u8> {
    [&actor(b"a", b"")[..], b"\0\0", &blob(lineage)].concat()
}

/// An event of actor 1.
fn event(action: Action, fields: &[&[u8]]) -> Vec<u8> {
    [&[0x05, action as u8, 0, 1], fields.concat().as_slice()].concat()
}

#[test]
fn a_string_beyond_its_capacity_is_cut_and_marked() {
    type Made = fn(&[u8]) -> Vec<u8>;
    let events: &[(Truncated, usize, Action, Made)] = &[
        (Truncated::PATH, PATH_BYTES, Action::Open, |s| [b"\0", s].concat()),
        (Truncated::FROM, PATH_BYTES, Action::Rename, |s| [b"\0", s, b"\0\0"].concat()),
        (Truncated::PATH, PATH_BYTES, Action::Rename, |s| [b"\0\0\0", s].concat()),
        (Truncated::FROM, PATH_BYTES, Action::ModuleLoad, |s| [b"\0\0", s].concat()),
        (Truncated::FROM, PATH_BYTES, Action::Setxattr, |s| [b"\0\0", s].concat()),
        (Truncated::FROM, PATH_BYTES, Action::Mount, |s| [b"\0\0\0", s, b"\0"].concat()),
        (Truncated::MOUNT_TYPE, WORD_BYTES, Action::Mount, |s| [b"\0\0\0\0", s].concat()),
        (Truncated::MOUNT_OPTION, WORD_BYTES, Action::Mount, |s| {
            [b"\0\0\0\0\0\0", s, b"\0"].concat()
        }),
        (Truncated::ARGS, ARGS_BYTES, Action::Exec, |s| [b"\0\0", s, b"\0"].concat()),
        (Truncated::WORKING_DIRECTORY, PATH_BYTES, Action::Exec, |s| [b"\0\0\0\0\0", s].concat()),
        (Truncated::ADDRESS, PATH_BYTES, Action::Connect, |s| [b"\0\x06\0", s].concat()),
        (Truncated::FROM, PATH_BYTES, Action::Heartbeat, |s| {
            [b"\x01\0\0\0\0", s, b"\0\0\0"].concat()
        }),
        (Truncated::FROM, PATH_BYTES, Action::Capability, |s| [s, b"\0\x01\0\0\0\0\0\0"].concat()),
        (Truncated::PATH, PATH_BYTES, Action::Capability, |s| {
            [b"\0", s, b"\x01\0\0\0\0\0\0"].concat()
        }),
        (Truncated::ARGS, ARGS_BYTES, Action::Capability, |s| {
            [b"\0\0\x01\0", s, b"\0\0\0\0"].concat()
        }),
    ];
    let marks = |actor: Vec<u8>, event: Vec<u8>| {
        let (events, unknown) = decode(&[actor], &[event]).unwrap();
        assert_eq!((events.len(), unknown), (1, [0, 0]));
        events[0].truncated
    };
    for (bit, capacity, action, fields) in events {
        let of = |length| marks(actor(b"a", b""), event(*action, &[&fields(&long(length))]));
        assert_eq!([of(*capacity), of(capacity + 1)], [Truncated(0), *bit], "{action:?} {bit:?}");
    }
    let of = |length| marks(actor(b"a", &vec![b'x'; length]), event(Action::Setsid, &[]));
    assert_eq!([of(PATH_BYTES), of(PATH_BYTES + 1)], [Truncated(0), Truncated::EXECUTABLE]);
    let of = |length| {
        let lineage = [&b"\0\0"[..], &long(length)].concat();
        marks(descendant(&lineage), event(Action::Setsid, &[]))
    };
    assert_eq!([of(PATH_BYTES), of(PATH_BYTES + 1)], [Truncated(0), Truncated::PARENT_EXECUTABLE]);
}

/// The kernel and the runtimes have no longer ones.
#[test]
fn a_thread_and_a_container_with_too_long_a_name_are_refused() {
    let reason = |actor| decode(&[actor], &[event(Action::Setsid, &[])]).map_err(|e| e.reason);
    let named = |length| reason(actor(&vec![b'x'; length], b""));
    assert_eq!(named(COMM_BYTES).unwrap().0[0].comm.len(), COMM_BYTES);
    assert_eq!(named(COMM_BYTES + 1), Err(Reason::TooLong));
    let contained = |length| reason(descendant(&[&b"\0\0\0\x01\0"[..], &long(length)].concat()));
    let events = contained(CONTAINER_BYTES).unwrap().0;
    assert_eq!(events[0].lineage.container.len(), CONTAINER_BYTES);
    assert_eq!(contained(CONTAINER_BYTES + 1), Err(Reason::TooLong));
    // Of an actor that no event has.
    let of_nobody = vec![0x01, Action::Setsid as u8, 0];
    assert!(decode(&[actor(&[b'x'; COMM_BYTES + 1], b"")], &[of_nobody]).is_ok());
}

#[test]
fn a_lineage_is_in_one_part_and_what_is_behind_it_is_counted() {
    let lineage = [0; 11];
    let setsid = [event(Action::Setsid, &[])];
    let whole = descendant(&lineage[..10]);
    assert_eq!(decode(&[whole], &setsid).unwrap().1, [0, 0]);
    assert_eq!(decode(&[descendant(&lineage)], &setsid).unwrap().1, [0, 1]);
    let mut batch = [HEADER, b"\x01\x01\0\x01"].concat();
    // String 1, and the rest of it.
    batch.extend(blob(&[&actor(b"a", b"")[..], b"\0\x01\x01\0"].concat()));
    batch.push(0);
    seal(&mut batch);
    let error = Batch::parse(&line_of(&batch), &mut Scratch::new()).unwrap_err();
    assert_eq!((error.reason, error.what), (Reason::Value, "a lineage"));
}

#[test]
fn what_a_later_version_may_put_in_a_known_field_is_not_guessed() {
    let socket = |transport| event(Action::Connect, &[b"\0", &[transport], b"\0\0\0\0\0"]);
    let (events, unknown) = decode(&[actor(b"a", b"")], &[socket(6), socket(200)]).unwrap();
    let transports = [&events[0], &events[1]].map(|event| event.transport.map(|t| t as u8));
    assert_eq!((transports, unknown), ([Some(6), None], [0, 0]));
    let loss = |class| event(Action::Loss, &[b"\x01\x01", &[class], b"\0\x05"]);
    let (events, unknown) = decode(&[actor(b"a", b"")], &[loss(1), loss(9)]).unwrap();
    assert_eq!((events.len(), unknown), (1, [1, 0]));
}

/// Who writes a later field writes those that stand before it.
#[test]
fn a_field_that_need_not_be_there_may_say_none() {
    let loss = |tail| event(Action::Loss, &[b"\x05\0\0\x05", tail]);
    let mount = |tail| event(Action::Mount, &[b"\0\0\0\0\x01x", tail]);
    let events = [loss(b""), loss(b"\0"), loss(b"\x02"), mount(b""), mount(b"\0\0\0")];
    let (told, unknown) = decode(&[actor(b"a", b"")], &events).unwrap();
    let receivers = [0, 1, 2].map(|at: usize| told[at].loss.unwrap().receiver);
    assert_eq!((receivers, unknown), ([None, None, Some(2)], [0, 0]));
    for event in &told[3..] {
        assert_eq!(event.given, Some(Given::Type(bytes(b"x"))));
    }
    let step = event(Action::Mount, &[b"\0\0\0\0\0", b"\x01\x08\0\0"]);
    let (told, _) = decode(&[actor(b"a", b"")], &[step]).unwrap();
    let step = MountStep { descriptor: Some(4), ..MountStep::default() };
    assert_eq!(told[0].given, Some(Given::Step(step)));
}

fn unlink(actor: u8, name: &[u8]) -> Vec<u8> {
    [&[0x05, Action::Unlink as u8, 0, actor], name].concat()
}

fn paths(actors: &[Vec<u8>], events: &[Vec<u8>]) -> Vec<String> {
    let (events, _) = decode(actors, events).unwrap();
    events.iter().map(|event| String::from_utf8(event.path.to_vec()).unwrap()).collect()
}

#[test]
fn an_empty_name_and_the_last_one_again_are_not_remembered() {
    let names: &[&[u8]] = &[b"\0\x03abc", b"\0\x03xyz", b"\0\0", b"\x0c\0", b"\x0d\0", b"\x0d\0"];
    let events: Vec<_> = names.iter().map(|name| unlink(0, name)).collect();
    // Of the last name, of the one before, and once more of the one before.
    assert_eq!(paths(&[], &events), ["abc", "xyz", "", "xyz", "abc", "xyz"]);
}

#[test]
fn names_are_remembered_in_sixteen_places() {
    let actors = vec![actor(b"a", b""); 17];
    let first: Vec<_> = (0..16).map(|at| unlink(at, &[0, 1, b'a' + at])).collect();
    let again = (0..18).map(|at| unlink(at, b"\x04\0"));
    let events: Vec<_> = first.into_iter().chain(again).collect();
    let told = paths(&actors, &events).concat();
    assert_eq!(told, "abcdefghijklmnopabcdefghijklmnopab");
}

#[test]
fn a_name_that_an_executable_begins_has_2048_bytes_of_it() {
    let actors = [actor(b"a", &[b'x'; 3000])];
    let (events, _) = decode(&actors, &[unlink(1, b"\x03\0"), unlink(1, b"\x80\x40\0")]).unwrap();
    for event in &events {
        assert_eq!(event.path, [b'x'; 2048]);
    }
    let beyond = decode(&actors, &[unlink(1, b"\x03\0"), unlink(1, b"\x84\x40\0")]);
    assert_eq!(beyond.unwrap_err().reason, Reason::Index);
    assert_eq!(decode(&[], &[unlink(0, b"\x03\x01a")]).unwrap().0[0].path, *b"a");
}

#[test]
fn a_gap_of_the_first_event_is_added() {
    let gap = vec![0x03, Action::Setsid as u8, 0, 2];
    assert_eq!(decode(&[], &[gap]).unwrap().0[0].sequence, 0x29 + 2);
}

/// docs/record-format.md has the same list for version 1. Flags of a fork are the sensor's own.
#[test]
fn an_action_without_call_flags_or_mode_is_written_without() {
    use Action::*;
    const MODE: [Action; 7] = [Umount, Open, Unlink, Rmdir, Mkdir, Chmod, Mknod];
    const CALL_FLAGS: [Action; 21] = [
        Umount,
        Open,
        Unlink,
        Rmdir,
        Mkdir,
        Chmod,
        Ptrace,
        ModuleLoad,
        ModuleUnload,
        BpfLoad,
        MemfdCreate,
        KexecLoad,
        ClockSet,
        Kill,
        Rename,
        Link,
        Symlink,
        Mount,
        Unshare,
        Setns,
        IoUring,
    ];
    let mut scratch = Scratch::new();
    let mut read = 0;
    for action in Action::ALL {
        let mut event = Event::new();
        (event.action, event.call_flags, event.mode) = (action, Some(5), Some(0o700));
        let mut encoder = Encoder::new(Class::Bulk, context());
        encoder.push(&event).unwrap();
        let mut line = mote::event::Bytes::new();
        encoder.finish(0, &mut line);
        let mut batch = Batch::parse(&line, &mut scratch).unwrap();
        if let Some(result) = batch.next(&mut event) {
            result.unwrap();
            let expected = (CALL_FLAGS.contains(&action), MODE.contains(&action));
            let found = (event.call_flags == Some(5), event.mode == Some(0o700));
            assert_eq!(found, expected, "{action:?}");
            read += 1;
        }
    }
    assert!(read >= 40, "{read}");
}
