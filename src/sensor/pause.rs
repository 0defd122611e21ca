//! `mote pause`: eBPF is detached for the time of a command, whatever becomes of who asked.

use std::time::{Duration, Instant};

use super::pipeline::Asker;
use super::{Fallback, Sensor, SensorError};
use crate::control::Reply;
use crate::control::server::{Asked, ClientId};
use crate::event::Resumption;
use crate::exit;
use crate::explain;
use crate::say::{say, warn};

/// A pause that is under way.
pub struct Pausing {
    client: ClientId,
    asker: Asker,
    limit_s: u32,
    /// `None`: the client waits to be told that nothing of eBPF is attached any more.
    until: Option<Instant>,
}

impl Pausing {
    /// What is said of it.
    pub fn sentence(&self) -> String {
        format!("eBPF is paused by process {}, for {} s at most", self.asker.pid, self.limit_s)
    }
}

impl Sensor {
    /// Begins to detach. The client is told when that is done.
    pub(super) fn pause(&mut self, asked: &Asked, limit_s: u32) -> Result<(), SensorError> {
        if let Some(pause) = &self.pause {
            let reply = Reply::refused(
                format!("{} already; wait until that ends, and try again", pause.sentence()),
                exit::TEMPFAIL,
            );
            self.reply(asked.client, &reply, false);
            return Ok(());
        }
        if limit_s == 0 {
            let message = "the limit of a pause is one second at least; give it another \
                           --limit-seconds";
            self.reply(asked.client, &Reply::refused(message, exit::USAGE), false);
            return Ok(());
        }
        // Who asks was executed before the pause, and is told before it.
        self.drain_all(false)?;
        match self.disable_ebpf(Fallback::Paused) {
            Ok(()) => {}
            Err(SensorError::NoProvider(_, error)) => {
                let remedy = explain::connector::remedy(&error);
                let reply = Reply::refused(
                    format!(
                        "there is no pause, because processes could not be seen meanwhile: the \
                         process connector does not run: {error}; {remedy}, or stop the sensor \
                         for that time"
                    ),
                    exit::UNAVAILABLE,
                );
                self.reply(asked.client, &reply, false);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let asker = Asker { pid: asked.pid, uid: asked.uid, gid: asked.gid };
        let pause = Pausing { client: asked.client, asker, limit_s, until: None };
        say(format_args!("{}", pause.sentence()));
        self.pause = Some(pause);
        self.pipeline.write_pause(asker, limit_s, &mut self.sinks);
        self.beat();
        Ok(())
    }

    /// Tells the client that it may begin, and ends a pause that nobody ends.
    pub(super) fn look_after_pause(&mut self, now: Instant) -> Result<(), SensorError> {
        let Some(pause) = &mut self.pause else { return Ok(()) };
        if !self.server.is_connected(pause.client) {
            return self.resume(Resumption::Gone).map(|_| ());
        }
        match pause.until {
            Some(until) if now >= until => self.resume(Resumption::TimeLimit).map(|_| ()),
            Some(_) => Ok(()),
            None if self.providers.is_detached() => {
                // The time is the command's: detaching may take longer than a short limit.
                pause.until = Some(now + Duration::from_secs(pause.limit_s.into()));
                let client = pause.client;
                self.reply(client, &Reply::Done(Vec::new()), true);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The client's command has ended.
    pub(super) fn end_pause(&mut self, asked: &Asked) -> Result<(), SensorError> {
        let reply = match &self.pause {
            Some(pause) if pause.client == asked.client => self.resume(Resumption::Done)?,
            _ => Reply::Done(vec![
                "the pause had ended before the command: its time limit was reached; give it more \
                 by --limit-seconds"
                    .to_owned(),
            ]),
        };
        self.reply(asked.client, &reply, false);
        Ok(())
    }

    /// Attaches again, if eBPF is wanted.
    fn resume(&mut self, why: Resumption) -> Result<Reply, SensorError> {
        let Some(pause) = self.pause.take() else { return Ok(Reply::Done(Vec::new())) };
        match why {
            Resumption::Done => say(format_args!("the pause is over")),
            Resumption::Gone => warn(format_args!(
                "the pause is over, because process {}, which asked for it, is gone",
                pause.asker.pid
            )),
            Resumption::TimeLimit => warn(format_args!(
                "the pause is over, because it took longer than its limit of {} s; a command that \
                 needs more is given it by --limit-seconds",
                pause.limit_s
            )),
        }
        self.pipeline.write_resume(why, &mut self.sinks);
        // If eBPF is not wanted any more it stays as it is, for another reason.
        let problem = self.apply_provider()?;
        Ok(match problem {
            Ok(()) => Reply::Done(Vec::new()),
            Err(issue) => {
                let message = format!(
                    "eBPF could not be attached again: {}; {}",
                    issue.problem, issue.remedy
                );
                warn(format_args!("{message}"));
                Reply::refused(message, exit::UNAVAILABLE)
            }
        })
    }
}
