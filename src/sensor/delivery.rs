//! Where records go, and what becomes of those that cannot.

use std::io;
use std::time::{Duration, Instant};

use super::complaint::News;
use super::pipeline::Output;
use super::{Sensor, SensorError};
use crate::event::{Class, IfLost};
use crate::say::{self, say, warn};
use crate::sink::{Receiver, Sink, Sinks, SpoolOptions, State};
use crate::stats::Totals;

/// How long the receiver may take for what is left at the end.
const DRAIN_TIME: Duration = Duration::from_secs(3);
/// How long an event waits in a batch that is not full while no receiver is there: it is lost with the
/// process, where messages are not.
const SPOOL_INTERVAL: Duration = Duration::from_secs(5);

impl Output for Sinks {
    fn offer(&mut self, class: Class, events: u32, if_lost: &IfLost, line: &[u8]) {
        Sinks::offer(self, class, events, if_lost, line);
    }
}

impl Output for Sink {
    fn offer(&mut self, class: Class, events: u32, if_lost: &IfLost, line: &[u8]) {
        Sink::offer(self, class, events, if_lost.of(0), line);
    }
}

/// Where records go.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// At most [`RECEIVERS`].
    pub receivers: Vec<Receiver>,
    /// Where they are kept until they are delivered; `None`: in memory only.
    pub spool: Option<SpoolOptions>,
}

impl Sensor {
    /// Finishes batches that are not full. While a receiver is slow, those of file events
    /// had better fill up; while there is none, all of them, but not for long if messages are
    /// kept on disk.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.sinks.any_is_empty() {
            self.pipeline.flush(&mut self.sinks);
        } else if self.sinks.any_is_ready() {
            self.pipeline.flush_priority(&mut self.sinks);
        } else if !self.sinks.any_has_spool() || now < self.next_spooling {
            return;
        } else {
            self.pipeline.flush(&mut self.sinks);
        }
        self.next_spooling = now + SPOOL_INTERVAL;
    }

    /// Says what keeps records from being delivered, once.
    pub(super) fn look_at_delivery(&mut self) {
        let complaints = self.delivery.iter_mut().zip(&mut self.spooling).zip(&mut self.damage);
        for (sink, ((delivery, spooling), damage)) in self.sinks.iter().zip(complaints) {
            let receiver = sink.receiver();
            match spooling.news(sink.spool_error()) {
                Some(News::Wrong(error)) => warn(format_args!(
                    "records for {receiver} are not kept on disk: {error}; they wait in memory, \
                     and it is tried again"
                )),
                Some(News::Well) => {
                    say(format_args!("records for {receiver} are kept on disk again"));
                }
                None => {}
            }
            let found = sink.spool_damage();
            let before = core::mem::replace(damage, found);
            if found.lines > before.lines {
                warn(format_args!(
                    "{} messages for {receiver} on disk could not be read; their files will be kept \
                     there with the ending .bad, and the numbers of events tell what is missing",
                    found.lines
                ));
            }
            if found.foreign_files > before.foreign_files {
                warn(format_args!(
                    "{} files for {receiver} on disk are of another version of the spool, or do not \
                     belong there; they are kept with the ending .bad, and what is in them is not sent",
                    found.foreign_files
                ));
            }
            let problem = match sink.state() {
                State::Down(error) => Some(io::Error::from(error)),
                // Another attempt: it will show.
                State::Connecting => continue,
                State::Ready | State::Closed => None,
            };
            let place = match sink.spool_error() {
                None if sink.has_spool() => "on disk",
                _ => "in memory",
            };
            match delivery.news(problem) {
                Some(News::Wrong(error)) => warn(format_args!(
                    "records cannot be delivered to {receiver} ({error}): they wait {place}, and \
                     what finds no room there is counted; it is tried again until it works"
                )),
                Some(News::Well) => {
                    say(format_args!("{receiver} can be reached again, and is sent what waits"));
                }
                None => {}
            }
        }
    }

    /// Counts what the sinks could not deliver: how many messages it was.
    pub(super) fn note_shed(&mut self) -> u64 {
        let several = self.sinks.iter().nth(1).is_some();
        let mut messages = 0;
        for (number, shed) in (1..).zip(self.sinks.take_shed()) {
            let receiver = several.then_some(number);
            self.pipeline.shed(shed.losses(receiver), shed.new_events());
            messages += shed.messages();
        }
        messages
    }

    /// Sends what the sensor said of itself.
    pub(super) fn send_log(&mut self) {
        if self.log_is_journal || !say::has_unsent() {
            return;
        }
        say::take_unsent(|level, line| self.sinks.offer_log(level, line));
    }

    /// Delivers what was seen until now. The kernel detaches when the process ends: closing
    /// a tracepoint's event waits for every CPU (`tracepoint_synchronize_unregister`), some
    /// 60 ms each, and the last events should not wait for that.
    pub(super) fn end(mut self) -> Result<(), SensorError> {
        // The next sensor may want them before the kernel has detached this one.
        self.server.leave();
        self.settings.release();
        self.drain_all(true)?;
        self.providers.read_losses(&mut self.pipeline);
        // Of what was lost, the messages tell that it makes come.
        self.drain_all(true)?;
        let until = Instant::now() + DRAIN_TIME;
        self.note_shed();
        let mut lost = 0;
        self.beat();
        self.pipeline.flush(&mut self.sinks);
        self.sinks.drain(until);
        if self.sinks.any_is_empty() {
            // What was shed meanwhile can be told.
            lost += self.note_shed();
            self.pipeline.flush(&mut self.sinks);
            self.sinks.drain(until);
        }
        lost += self.note_shed();
        let Totals { received, excluded, lost: lost_events, .. } = self.pipeline.totals();
        let detaching =
            if self.providers.is_detached() { "" } else { "; detaching takes some seconds" };
        say(format_args!(
            "ending: {received} events seen, {excluded} of them excluded, {lost_events} lost{detaching}"
        ));
        for sink in self.sinks.iter() {
            if let Some(bytes) = sink.kept_bytes().filter(|bytes| *bytes > 0) {
                say(format_args!(
                    "{bytes} bytes of records for {} stay on disk until the next start",
                    sink.receiver()
                ));
            }
        }
        self.send_log();
        self.sinks.drain(until);
        self.sinks.drain_repeats(until);
        if self.sinks.is_closed() {
            return Err(SensorError::ReaderGone);
        }
        let late = self.sinks.iter().find(|sink| sink.unkept() > 0);
        let waiting: usize = self.sinks.iter().map(Sink::unkept).sum();
        let undelivered = waiting as u64 + lost;
        let why = late.map(|sink| (sink.receiver().target.clone(), sink.state()));
        match why {
            _ if undelivered == 0 => Ok(()),
            Some((target, State::Down(error))) => {
                Err(SensorError::Undelivered(undelivered, Some((target, Some(error)))))
            }
            Some((target, _)) => Err(SensorError::Undelivered(undelivered, Some((target, None)))),
            None => Err(SensorError::Undelivered(undelivered, None)),
        }
    }
}
