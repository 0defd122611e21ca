//! A record of the kernel part → [`Event`] → a record of ours and back.

use super::rewrite::Rewriter;
use crate::event::{Action, Event, Given};
use crate::source::ebpf::decode::{Decoded, decode};
use std::cell::RefCell;

/// What a ring adds behind a record.
const PADDING: [u8; 7] = [0xa5; 7];

/// Names become at most so much longer: `.` for a rooted name that is empty, `/` for no components.
const MORE_BYTES: usize = 3;

struct State {
    event: Box<Event>,
    padded: Box<Event>,
    bytes: Vec<u8>,
    rewriter: Rewriter,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State {
        event: Box::new(Event::new()),
        padded: Box::new(Event::new()),
        bytes: Vec::new(),
        rewriter: Rewriter::new(),
    });
}

/// See [`fuzzed`](super).
pub fn check(record: &[u8]) -> bool {
    STATE.with_borrow_mut(|state| {
        let State { event, padded, bytes, rewriter } = state;
        event.clear();
        let decoded = match decode(record, event) {
            Ok(decoded) => decoded,
            Err(malformed) => {
                assert!(!malformed.to_string().is_empty());
                return false;
            }
        };
        bytes.clear();
        bytes.extend_from_slice(record);
        bytes.extend_from_slice(&PADDING);
        padded.clear();
        assert_eq!(decode(bytes, padded), Ok(decoded), "padding changes nothing");
        assert_eq!(event, padded, "padding changes nothing");
        let Event { path, from, args, opened, from_opened, .. } = &**event;
        let names = [path.len(), from.len(), args.len(), opened.path.len(), from_opened.path.len()];
        assert!(names.iter().sum::<usize>() <= record.len() + MORE_BYTES, "nothing is made up");
        if !matches!(decoded, Decoded::Relocation(_)) {
            told(event, padded, rewriter);
        }
        true
    })
}

/// What is told reaches a reader of records, and nothing that it reads gets lost when it is written again.
fn told(event: &mut Event, again: &mut Event, rewriter: &mut Rewriter) {
    event.sequence = 1;
    let read = rewriter.rewrite(event);
    let head = |e: &Event| (e.action, e.time_ns, e.pid, e.tid, e.ppid, e.uid, e.gid, e.syscall);
    assert_eq!(head(read), head(event));
    assert_eq!((read.ret, read.flags, read.truncated), (event.ret, event.flags, event.truncated));
    assert_eq!((&read.comm, &read.peer, &read.local), (&event.comm, &event.peer, &event.local));
    for (read, own) in [(&read.path, &event.path), (&read.from, &event.from)] {
        assert!(read.is_empty() || read == own, "a name that is told is the one that was there");
    }
    assert_eq!(read.args, event.args);
    if event.action != Action::Fork {
        let is_same = read.given == event.given || event.given.is_none() && is_unsaid(&read.given);
        assert!(is_same, "{read:?}, {event:?}");
    }
    again.clone_from(read);
    let twice = rewriter.rewrite(again);
    assert_eq!(twice, again, "what was read is written the same");
}

/// What a record has in the place of what was not read.
fn is_unsaid(given: &Option<Given>) -> bool {
    matches!(
        given,
        None | Some(Given::Modified(None) | Given::Owner(None, None) | Given::Node(None, None))
    )
}
