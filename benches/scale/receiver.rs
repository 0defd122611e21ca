//! Reads what a sink sends, and looks at every number.

use mote::event::{Action, Event, LossPlace};
use mote::record::{Batch, Scratch, find};
use std::collections::{BTreeSet, HashMap};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

pub struct Receiver {
    socket: UnixDatagram,
    buffer: Box<[u8]>,
    scratch: Box<Scratch>,
    event: Box<Event>,
    /// All numbers up to this one came.
    pub complete_until: u64,
    /// Those beyond. The messages of one class may be before those of the other.
    early: BTreeSet<u64>,
    pub events: HashMap<Action, u64>,
    /// By loss records.
    pub lost: HashMap<LossPlace, u64>,
}

impl Receiver {
    pub fn bind(path: &Path) -> Receiver {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Receiver {
            socket,
            buffer: vec![0; 1 << 16].into(),
            scratch: Box::default(),
            event: Box::new(Event::new()),
            complete_until: 0,
            early: BTreeSet::new(),
            events: HashMap::new(),
            lost: HashMap::new(),
        }
    }

    /// Takes what waits.
    pub fn receive(&mut self) {
        while let Ok(bytes) = self.socket.recv(&mut self.buffer) {
            let record = find(&self.buffer[..bytes]).expect("a record in every message");
            let mut batch = Batch::parse(record, &mut self.scratch).unwrap();
            while let Some(read) = batch.next(&mut self.event) {
                read.unwrap();
                assert!(self.event.sequence > self.complete_until, "a number comes twice");
                assert!(self.early.insert(self.event.sequence), "a number comes twice");
                *self.events.entry(self.event.action).or_default() += 1;
                if let Some(loss) = self.event.loss {
                    *self.lost.entry(loss.place).or_default() += loss.count;
                }
            }
        }
        while self.early.remove(&(self.complete_until + 1)) {
            self.complete_until += 1;
        }
    }

    /// Whether no number is missing before one that came.
    pub fn is_complete(&self) -> bool {
        self.early.is_empty()
    }
}
