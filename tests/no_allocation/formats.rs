//! Event → line of text.

use crate::allocator::without_heap;
use crate::common::each_event;
use crate::common::largest::each_largest;
use mote::event::Event;
use mote::format::{Format, Scratch};
use mote::record::Origin;
use std::io::ErrorKind;

const FORMATS: [Format; 5] = [Format::Ecs, Format::Ocsf, Format::Cef, Format::Text, Format::Sysmon];

/// More than any line has.
const BUFFER_BYTES: usize = 1 << 18;

/// What writes lines, as a sensor does: made once.
struct Writer {
    scratch: Scratch,
    line: Vec<u8>,
    again: Vec<u8>,
}

impl Writer {
    fn new() -> Writer {
        let [line, again] = [(); 2].map(|()| vec![0; BUFFER_BYTES]);
        Writer { scratch: Scratch::new(), line, again }
    }

    /// Writes the event in every format: whole, into too little room, and whole again.
    fn write_each(&mut self, origin: &Origin, event: &Event) {
        let Writer { scratch, line, again } = self;
        for format in FORMATS {
            let mut bytes = 0;
            without_heap(|| bytes = write(format, line, scratch, origin, event).unwrap());
            // Of a kind that Sysmon does not have.
            if bytes == 0 {
                assert_eq!(format, Format::Sysmon);
                continue;
            }
            for room in [0, bytes / 2, bytes - 1] {
                without_heap(|| {
                    let written = write(format, &mut again[..room], scratch, origin, event);
                    assert!(written.is_err_and(|error| error.kind() == ErrorKind::WriteZero));
                });
            }
            without_heap(|| {
                let written = write(format, again, scratch, origin, event).unwrap();
                assert!(again[..written] == line[..bytes], "{format:?}");
            });
        }
    }
}

/// How many bytes it wrote.
fn write(
    format: Format,
    mut buffer: &mut [u8],
    scratch: &mut Scratch,
    origin: &Origin,
    event: &Event,
) -> std::io::Result<usize> {
    let room = buffer.len();
    let has_form = format.write(&mut buffer, scratch, origin, event)?;
    let written = room - buffer.len();
    assert_eq!(has_form, written > 0);
    Ok(written)
}

#[test]
fn lines_of_random_and_hostile_events_touch_no_heap() {
    let mut writer = Writer::new();
    each_event(31, 30, |origin, event| writer.write_each(origin, event));
}

#[test]
fn lines_of_the_largest_events_touch_no_heap() {
    /// Of each action and filling there are twenty and more.
    const EVERY: usize = 11;
    let mut writer = Writer::new();
    let mut number = 0;
    each_largest(|origin, event| {
        if number % EVERY == 0 {
            writer.write_each(origin, event);
        }
        number += 1;
    });
}
