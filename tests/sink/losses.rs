//! What a lost loss record was to tell is told by the next one.

use crate::rig::{Rig, small};
use crate::unix::Place;
use mote::event::{Bytes, Class, Event, IfLost, Loss, LossPlace};
use mote::filter::Filter;
use mote::record::{Batch, Context, Provider, Scratch};
use mote::sensor::pipeline::{Output, Pipeline};
use mote::sink::{Capacity, SpoolOptions};
use mote::syscalls::Arch;
use std::time::{Duration, Instant};

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

struct Both<'r>(&'r mut Rig, &'r mut Rig);

impl Output for Both<'_> {
    fn offer(&mut self, class: Class, events: u32, if_lost: &IfLost, line: &[u8]) {
        self.0.sink.offer(class, events, if_lost.of(0), line);
        self.1.sink.offer(class, events, if_lost.of(1), line);
    }
}

/// A record of what one was not sent goes to both, and is of no other's loss: else two that lose all
/// would double the counts each time.
#[test]
fn what_one_receiver_misses_is_told_for_it_alone() {
    let places = [Place::new(), Place::new()];
    let capacity = Capacity { messages: 1, ..Capacity::default() };
    let [mut first, mut second] = places.map(|place| Rig::new(&place.target(), capacity));
    let mut pipeline = pipeline();
    let mut told = [0; 2];
    for _ in 0..40 {
        pipeline.lose(loss(LossPlace::Malformed, 1));
        pipeline.flush(&mut Both(&mut first, &mut second));
        for (number, rig) in [(1, &mut first), (2, &mut second)] {
            let shed = rig.sink.take_shed();
            pipeline.shed(shed.losses(Some(number)), shed.new_events());
            let count: u64 = shed.losses(None).map(|loss| loss.count).sum();
            let told = &mut told[usize::from(number) - 1];
            *told = count.max(*told);
        }
    }
    // One event a turn, and at most three records that tell of losses.
    assert!(told.iter().all(|count| (40..=40 * 4).contains(count)), "{told:?}");
}

/// What is taken out of the spool again was refused, and counted, before.
#[test]
fn what_cannot_be_sent_is_counted_once() {
    let place = Place::new();
    let disk = tempfile::tempdir().unwrap();
    let options = SpoolOptions { dir: disk.path().join("spool"), bytes: 1 << 20 };
    let mut daemon = place.daemon();
    let target = format!("{},format=json", place.target());
    let mut rig = Rig::spooling(&target, small(8), Some(&options));
    rig.sink.offer(Class::Bulk, 5, 5, b"m1:nobatch");
    rig.run_empty();
    assert_eq!(rig.sink.take_shed().refused.new_events, 5);
    let mut pipeline = pipeline();
    for round in 0..3 {
        drop(daemon);
        pipeline.lose(loss(LossPlace::RingFull, 3));
        pipeline.flush(&mut rig.sink);
        daemon = place.daemon();
        let mut got = Vec::new();
        let end = Instant::now() + Duration::from_secs(20);
        rig.run("deliver", |_| {
            got.extend(daemon.read_all());
            assert!(Instant::now() < end);
            got.len() > round
        });
        assert_eq!(rig.sink.take_shed().messages(), 0, "{round}");
    }
}
