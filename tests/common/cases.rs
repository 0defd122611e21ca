//! Names that are to do harm.

use super::bytes;
use fastrand::Rng;
use mote::event::{Event, Flags, Given};

/// What begins or ends something in one of the formats, or on a screen.
const HOSTILE: &[&[u8]] = &[
    b"]]></Data></EventData></Event><Event>",
    b"<!-- & --> &lt; &#0; \"'",
    b"x\nCEF:0|evil|evil|1|exec|x|10|spid=1",
    b"a spid=1 act=none cs1Label=x",
    b"a|b\\|c=d\\=e\\",
    b"\r\n\r\n",
    b"\x1b]0;title\x07\x1b[2J\x08\x7f",
    b"\" pid=1 executable=\"/bin/true",
    b"\\\" x=\\x41,\\u{41}",
    b",\",\",",
    b" ",
    b"\xff\xfe\xfd",
    b"\xed\xa0\x80\xc0\xaf\xf8",
    b"\0\0\0",
    "\u{85}\u{2028}\u{2029}".as_bytes(),
    "\u{202e}gpj.exe\u{202c}\u{feff}".as_bytes(),
    "\u{fffe}\u{ffff}\u{10ffff}\u{fffd}".as_bytes(),
    "\u{1f600}\u{301}".as_bytes(),
    b"{\"mote\":{}}",
    b"@abstract",
    b"-",
];

/// Puts such names into every field that has room.
pub fn make_hostile(rng: &mut Rng, event: &mut Event) {
    let mut pick = || HOSTILE[rng.usize(..HOSTILE.len())];
    let joined = |parts: [&[u8]; 3]| parts.concat();
    for path in [&mut event.executable, &mut event.lineage.parent_executable] {
        *path = bytes(&joined([b"/", pick(), pick()]));
    }
    if !event.path.is_empty() {
        event.path = bytes(&joined([pick(), b"/", pick()]));
    }
    if !event.from.is_empty() {
        event.from = bytes(&joined([pick(), b"/", pick()]));
    }
    if !event.working_directory.is_empty() {
        event.working_directory = bytes(&joined([b"/", pick(), b"/"]));
    }
    if !event.args.is_empty() {
        let arguments = [pick(), pick(), pick()].map(|argument| {
            argument.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect::<Vec<u8>>()
        });
        event.args =
            bytes(&[&arguments[0], &b"\0"[..], &arguments[1], b"\0", &arguments[2]].concat());
    }
    let cut = |bytes: &'static [u8], most: usize| &bytes[..bytes.len().min(most)];
    event.comm = bytes(cut(pick(), 15));
    if !event.lineage.container.is_empty() {
        event.lineage.container = bytes(cut(pick(), 64));
    }
    match &mut event.given {
        Some(Given::Type(kind)) => *kind = bytes(cut(pick(), 11)),
        Some(Given::Step(step)) => step.option = bytes(cut(pick(), 11)),
        _ => {}
    }
}

/// Gives it a result that formats tell from others.
pub fn settle(rng: &mut Rng, event: &mut Event) {
    // Success, EPERM, ENOENT, EINTR, EACCES, ECONNREFUSED, EINPROGRESS.
    const RESULTS: [i64; 7] = [0, -1, -2, -4, -13, -111, -115];
    event.flags.remove(Flags::RESULT_UNKNOWN);
    event.ret = Some(RESULTS[rng.usize(..RESULTS.len())]);
}
