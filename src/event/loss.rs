//! Events that are missing.

use super::numbered::numbered;
use super::{Class, Event};
use crate::limits::RECEIVERS;

numbered! {
    /// Where events were lost. The numbers are part of the record format.
    LossPlace {
        /// A perf ring was full (`PERF_RECORD_LOST`, or `ENOSPC` from the output helper).
        RingFull = 1, "ring_full";
        /// The output helper failed for another reason.
        RingOutput = 2, "ring_output";
        /// The kernel skipped a program because another one was running on that CPU, and
        /// counted it (`bpf_prog_info.recursion_misses`; older kernels do not).
        ProgramSkipped = 3, "program_skipped";
        /// A ring record was not of the agreed shape.
        Malformed = 4, "malformed";
        /// The queue to syslog was full.
        SyslogQueue = 5, "syslog_queue";
        /// The receiver refused a message for its size or form.
        SyslogRefused = 6, "syslog_refused";
        /// A process found no place in the process table: its later events lack what only
        /// the table knows. No event was lost.
        ProcessTable = 7, "process_table";
        /// An event was larger than a batch.
        BatchFull = 8, "batch_full";
        /// The kernel's process connector made messages that could not be received: the socket
        /// was full, or there was no memory. At most so many events are missing: messages of
        /// threads, names and ids count too.
        Connector = 9, "connector";
        /// The flood guard of the kernel part did not let them pass: their process had more file
        /// and network events than its budget (`bpf/flood.h`).
        FloodGuard = 10, "flood_guard";
        /// The spool on disk was full: its oldest events were removed.
        Spool = 11, "spool";
    }
}

/// The fields of a loss record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where they were lost.
    pub place: LossPlace,
    /// Which ring or batch, where the place has one.
    pub class: Option<Class>,
    /// Which CPU's ring, where the place has one.
    pub cpu: Option<u16>,
    /// Which receiver was not sent them, by its place on the command line, from 1 on; `None`: there is
    /// one, or all of them were not.
    pub receiver: Option<u8>,
    /// How many since the last loss record of the same place, ring, CPU and receiver.
    pub count: u64,
}

impl Loss {
    /// How many events are missing. A full process table loses knowledge, not events.
    pub fn events(&self) -> u64 {
        match self.place {
            LossPlace::ProcessTable => 0,
            _ => self.count,
        }
    }
}

/// How many events a reader does not learn of without a message, by receiver: what one of several was
/// not sent, the others were, and need not be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IfLost {
    of_each: u64,
    of_one: [u64; RECEIVERS],
}

impl IfLost {
    /// The message has this event too.
    pub fn add(&mut self, event: &Event) {
        let count = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        match event.loss.and_then(|loss| Some((loss, loss.receiver?))) {
            Some((loss, receiver)) => {
                count(&mut self.of_each, 1);
                let place = usize::from(receiver).checked_sub(1);
                if let Some(of_one) = place.and_then(|place| self.of_one.get_mut(place)) {
                    count(of_one, loss.events());
                }
            }
            None => count(&mut self.of_each, event.if_lost()),
        }
    }

    /// Of the receiver at this place, from 0 on.
    pub fn of(&self, place: usize) -> u64 {
        self.of_each.saturating_add(self.of_one.get(place).copied().unwrap_or(0))
    }
}
