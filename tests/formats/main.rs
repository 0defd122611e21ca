//! The formats of `mote decode`: each well formed, whatever an event has in it, and as
//! `docs/formats.md` says.

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod ecs;
mod explicit;
mod ocsf;
mod readers;
mod tables;
mod values;

use common::{bytes, context, random_event};
use fastrand::Rng;
use mote::command::decode::output::Output;
use mote::event::{Action, Event};
use mote::record::Origin;

/// 2026-11-01, and not at a hundredth of a second.
const BOOT_TIME_NS: i64 = 1_793_491_200_007_654_321;

/// The line of an event without its end, or nothing if the format has none of its kind.
fn line(output: Output, origin: &Origin, event: &Event) -> Option<String> {
    let mut out = Vec::new();
    let has_form = output.write(&mut out, origin, event).unwrap();
    if !has_form {
        assert_eq!(out, b"", "{output:?}");
        return None;
    }
    let line = String::from_utf8(out).expect("text");
    let line = line.strip_suffix('\n').expect("a line end");
    // As Unicode has it, and programs that split lines by it.
    let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{85}', '\u{2028}', '\u{2029}'];
    let separators: &[char] = match output {
        // JSON escapes what is a control in ASCII, no more.
        Output::Ecs | Output::Ocsf => &ends[..5],
        _ => &ends,
    };
    assert_eq!(line.find(separators), None, "{output:?}: one line: {line}");
    Some(line.to_owned())
}

/// Gives random events of every action, some with names that are to do harm.
fn each_event(seed: u64, rounds: usize, mut check: impl FnMut(&Origin, &Event)) {
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
