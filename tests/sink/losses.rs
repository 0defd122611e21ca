//! What a lost loss record was to tell is told by the next one.

use crate::rig::Rig;
use crate::unix::Place;
use mote::event::{Bytes, Class, Event, Loss, LossPlace};
use mote::filter::Filter;
use mote::record::{Batch, Context, Provider, Scratch};
use mote::sensor::pipeline::Pipeline;
use mote::sink::Capacity;
use mote::syscalls::Arch;

fn pipeline() -> Pipeline {
    let context = Context {
        boot_id: [7; 16],
        start_ns: 1,
        hostname: Bytes::from_slice(b"host").unwrap(),
        arch: Arch::HOST,
        provider: Provider::Ebpf,
    };
    Pipeline::new(context, Filter::new()).unwrap()
}

fn loss(place: LossPlace, count: u64) -> Loss {
    Loss { place, class: Some(Class::Priority), cpu: None, receiver: None, count }
}

/// As the sensor does after each turn.
fn note_shed(pipeline: &mut Pipeline, rig: &mut Rig) {
    let shed = rig.sink.take_shed();
    pipeline.shed(shed.losses(None), shed.new_events());
}

fn decode(lines: &[String]) -> Vec<Loss> {
    let mut scratch = Scratch::new();
    let mut event = Event::new();
    let mut losses = Vec::new();
    for line in lines {
        let mut batch = Batch::parse(line.as_bytes(), &mut scratch).unwrap();
        while let Some(result) = batch.next(&mut event) {
            result.unwrap();
            losses.extend(event.loss);
        }
    }
    losses
}

#[test]
fn a_shed_loss_record_is_in_the_next_ones_count() {
    let place = Place::new();
    let capacity = Capacity { messages: 1, ..Capacity::default() };
    let mut rig = Rig::new(&place.target(), capacity);
    let mut pipeline = pipeline();
    pipeline.lose(loss(LossPlace::RingFull, 100));
    pipeline.lose(loss(LossPlace::ProcessTable, 9));
    pipeline.flush(&mut rig.sink);
    note_shed(&mut pipeline, &mut rig);
    // The queue has one place.
    pipeline.lose(loss(LossPlace::Malformed, 7));
    pipeline.flush(&mut rig.sink);
    note_shed(&mut pipeline, &mut rig);
    let daemon = place.daemon();
    rig.run_empty();
    pipeline.flush(&mut rig.sink);
    rig.run_empty();
    assert_eq!(
        decode(&daemon.read_all()),
        [loss(LossPlace::Malformed, 7), loss(LossPlace::SyslogQueue, 102)]
    );
    assert_eq!(rig.sink.sent_events(), 2);
    // Of two that were shed the first counted 100 events; a full table loses none.
    assert_eq!(pipeline.totals().lost, 100 + 2 + 7);
}

#[test]
fn a_refused_loss_record_is_in_the_next_ones_count() {
    let place = Place::new();
    let _daemon = place.daemon();
    let capacity = Capacity { messages: 1, line_bytes: 64 };
    let mut rig = Rig::new(&place.target(), capacity);
    let mut pipeline = pipeline();
    pipeline.lose(loss(LossPlace::RingFull, 100));
    for records in 1..4 {
        pipeline.flush(&mut rig.sink);
        let shed = rig.sink.take_shed();
        let refused: Vec<Loss> = shed.losses(None).filter(|loss| loss.count > 0).collect();
        // What was lost first, and the records that should have told it.
        assert_eq!(refused, [loss(LossPlace::SyslogRefused, 100 + records)]);
        pipeline.shed(shed.losses(None), shed.new_events());
        assert_eq!((pipeline.totals().lost, pipeline.totals().shed), (100 + records, records));
    }
}
