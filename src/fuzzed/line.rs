//! Lines of a syslog file → the whole of what `mote decode` does to them: events, what is missing of
//! them, and answers to rsyslog.

use super::choice;
use crate::command::decode::decoder::{Counts, Decoder};
use crate::command::decode::rsyslog;
use crate::command::decode::verify::Report;
use crate::format::Format;
use crate::record::{PREFIX, find};
use serde_json::Value;

/// What daemons write in front of a message: RFC 3164, RFC 5424, files of rsyslog and of journalctl, and
/// JSON.
const HEADERS: [&str; 5] = [
    "<86>Nov 24 00:00:00 mote[12]: ",
    "<86>1 2026-11-24T00:00:00Z host mote 12 - - ",
    "2026-11-24T00:00:00.123456+01:00 host mote[12]: ",
    "Nov 24 00:00:00 host mote[12]: ",
    "{\"MESSAGE\":\"",
];

/// See [`fuzzed`](super). The first byte: 0 for what is counted, anything else for answers to rsyslog.
pub fn check(data: &[u8]) -> bool {
    let Some((reader, file)) = choice(data) else { return false };
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    let any = lines.iter().filter(|line| is_found(line)).count() > 0;
    if !any {
        return false;
    }
    match reader {
        0 => counted(&lines),
        _ => answered(file, &lines),
    }
}

fn counted(lines: &[&[u8]]) -> bool {
    let mut writing = Decoder::writing(Format::Text);
    let mut verifying = Decoder::verifying();
    let mut text = Vec::new();
    for line in lines {
        let before = *writing.counts();
        let mut complaints = 0;
        writing.line(line, &mut text, &mut |error| complaints += error.to_string().len()).unwrap();
        let now = *writing.counts();
        is_counted_once(line, &before, &now, complaints);
        verifying.line(line, &mut std::io::sink(), &mut |_| ()).unwrap();
    }
    let text = String::from_utf8(text).expect("text");
    let counts = *writing.counts();
    assert_eq!(text.matches('\n').count() as u64, counts.events);
    assert_eq!(verifying.counts(), &counts, "whatever becomes of events, they are counted");
    verified(verifying, &counts);
    counts.bad == 0 && counts.events > 0
}

/// Whether there is a payload in a line. Whatever stands around one, it is the same.
fn is_found(line: &[u8]) -> bool {
    let Some(payload) = find(line) else { return false };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let body = payload.strip_prefix(PREFIX).expect("its prefix");
    assert!(!body.is_empty() && body.iter().all(is_digit));
    let start = payload.as_ptr() as usize - line.as_ptr() as usize;
    assert!(start == 0 || !is_digit(&line[start - 1]), "it begins a word");
    assert!(line.get(start + payload.len()).is_none_or(|next| !is_digit(next)), "to its end");
    for header in HEADERS {
        let whole = [header.as_bytes(), payload, b"\"} trailer"].concat();
        assert_eq!(find(&whole), Some(payload));
    }
    true
}

/// Every line is without a record, or one of a few kinds.
fn is_counted_once(line: &[u8], before: &Counts, now: &Counts, complaints: usize) {
    let other = now.other_lines - before.other_lines;
    let bad = now.bad - before.bad;
    let unread = now.unknown_versions - before.unknown_versions;
    let repeated = now.duplicates - before.duplicates;
    assert!(other + bad + unread + repeated <= 1, "{now:?}");
    assert_eq!(other == 1, find(line).is_none());
    assert_eq!(bad == 1, complaints > 0, "what is bad is told");
    if other + unread + repeated == 1 {
        assert_eq!((now.events, now.unknown_events), (before.events, before.unknown_events));
    }
}

fn verified(mut decoder: Decoder, counts: &Counts) {
    let report = Report::new(decoder.take_verifier().expect("it verifies"));
    let (mut text, mut json) = (Vec::new(), Vec::new());
    report.write_text(&mut text).unwrap();
    report.write_json(&mut json).unwrap();
    assert_eq!(report.unreadable(), counts.bad);
    let text = String::from_utf8(text).expect("text");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    let mut events = 0u64;
    for line in json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let run: Value = serde_json::from_slice(line).expect("JSON");
        events += run["events"].as_u64().unwrap_or(0);
        let gaps = run["gaps"].as_array().into_iter().flatten();
        let missing = gaps.fold(0u64, |sum, gap| {
            let [first, last] = [0, 1].map(|at| gap[at].as_u64().expect("a number"));
            assert!(first <= last);
            sum.saturating_add(last - first).saturating_add(1)
        });
        assert_eq!(run["missing"].as_u64().unwrap_or(0), missing);
    }
    // Of records that can be read in part the numbers are counted too, if of any run.
    assert!(events <= counts.events + counts.unknown_events);
}

/// Each line is answered with a line of JSON.
fn answered(file: &[u8], lines: &[&[u8]]) -> bool {
    let mut answers = Vec::new();
    rsyslog::answer_each(file, &mut answers, Decoder::new(), Default::default()).unwrap();
    let answers = String::from_utf8(answers).expect("text");
    let ended = lines.len() - usize::from(lines.last().is_some_and(|last| last.is_empty()));
    assert_eq!(answers.lines().count(), ended);
    let mut is_good = true;
    for (answer, line) in answers.lines().zip(lines) {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        let mote = &answer["$!"]["mote"];
        assert_eq!(mote["events"].is_array(), find(line).is_some());
        is_good &= mote["error"].is_null();
    }
    is_good
}
