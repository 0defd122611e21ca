//! The bytes of a batch → events, in every format, and to a record of ours and back.
//!
//! Base64 and the checksum would keep a fuzzer out: both are made for it.

use super::rewrite::Rewriter;
use crate::event::Event;
use crate::format::{self, Format};
use crate::record::{Batch, PREFIX, Scratch, VERSION, find, origin_of_refused};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::IgnoredAny;
use std::cell::RefCell;

/// More of them are cut off: the longest line has fewer.
const MOST_BYTES: usize = 40_000;

struct State {
    scratch: Scratch,
    format_scratch: format::Scratch,
    event: Box<Event>,
    text: Vec<u8>,
    rewriter: Rewriter,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State {
        scratch: Scratch::new(),
        format_scratch: format::Scratch::new(),
        event: Box::new(Event::new()),
        text: Vec::new(),
        rewriter: Rewriter::new(),
    });
}

/// See [`fuzzed`](super). `batch` is one without its checksum.
pub fn check(batch: &[u8]) -> bool {
    let payload = payload_of(&batch[..batch.len().min(MOST_BYTES)]);
    assert_eq!(find(&payload), (payload.len() > PREFIX.len()).then_some(&payload[..]));
    STATE.with_borrow_mut(|state| {
        let accepted = read(&payload, state);
        if !accepted {
            origin_of_refused(&payload, &mut state.scratch);
        }
        accepted
    })
}

fn read(payload: &[u8], state: &mut State) -> bool {
    let State { scratch, format_scratch, event, text, rewriter } = state;
    let mut batch = match Batch::parse(payload, scratch) {
        Ok(batch) => batch,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let numbers: Vec<u64> = batch.sequences().collect();
    let origin = *batch.origin();
    let (mut left, mut events, mut errors) = (&numbers[..], 0u64, 0u64);
    while let Some(result) = batch.next(event) {
        if let Err(error) = result {
            assert!(!error.to_string().is_empty());
            errors += 1;
            continue;
        }
        // Of unknown events and those that cannot be read there are numbers too.
        let at = left.iter().position(|number| *number == event.sequence).expect("its number");
        left = &left[at + 1..];
        let format = Format::NAMES[events as usize % Format::NAMES.len()].1;
        events += 1;
        text.clear();
        let has_form = format.write(text, format_scratch, &origin, event).unwrap();
        let line = std::str::from_utf8(text).expect("text");
        let lines = usize::from(has_form);
        assert_eq!((line.matches('\n').count(), line.ends_with('\n')), (lines, has_form));
        if matches!(format, Format::Ecs | Format::Ocsf) {
            serde_json::from_str::<IgnoredAny>(line).expect("JSON");
        }
        let again = rewriter.rewrite(event);
        // A later sensor may tell them of actions that do not have them here.
        event.call_flags = event.call_flags.filter(|_| again.call_flags.is_some());
        event.mode = event.mode.filter(|_| again.mode.is_some());
        assert_eq!(again, &**event, "what was read is written the same");
    }
    let unknown = batch.unknown_events();
    assert!(events + unknown <= numbers.len() as u64, "{events} and {unknown}");
    assert!(batch.next(event).is_none(), "it stays at its end");
    errors == 0 && events > 0
}

/// A payload with this batch in it.
pub(super) fn payload_of(batch: &[u8]) -> Vec<u8> {
    let sealed = match batch.split_at_checked(2) {
        Some((begin, rest)) if begin[0] == VERSION => {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(begin);
            hasher.update(rest);
            let checksum = hasher.finalize().to_le_bytes();
            [begin, &checksum, rest].concat()
        }
        _ => batch.to_vec(),
    };
    let mut payload = PREFIX.to_vec();
    payload.resize(PREFIX.len() + Base64UrlUnpadded::encoded_len(&sealed), 0);
    Base64UrlUnpadded::encode(&sealed, &mut payload[PREFIX.len()..]).expect("it has room");
    payload
}
