//! The provider where eBPF cannot run: the kernel's process connector.
//!
//! It tells ids only, and only of processes: what they execute is looked up in /proc, by the
//! process table.

pub mod decode;
#[cfg(test)]
pub(crate) mod decode_tests;
mod error;
pub mod sequence;
mod socket;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use heapless::Deque;
use rustix::thread::{
    CapabilitySet, CpuSet, capabilities, sched_getaffinity, sched_setaffinity, set_name,
};

use super::namespace;
use crate::event::{Class, Loss, LossPlace};
use crate::limits::CONNECTOR_MESSAGES;
use decode::{Message, What};
pub use error::StartError;
use sequence::Sequences;
use socket::{Received, Socket};

/// How often a new socket is tried until the kernel sends: see [`Netlink::listen`].
const ATTEMPTS: u32 = 8;
/// How long nothing may come before it is tried whether anything can, and before a trial has
/// failed: no trial while there are messages.
const SILENCE_NS: u64 = 3_000_000_000;

/// For how long after an overrun it is the reason of any gap: until every CPU has sent
/// something since (see [`Netlink::count_overrun`]).
const OVERRUN_NS: u64 = 3_000_000_000;

/// The running provider. The death of the process ends it: nothing of it stays.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    own_pid: u32,
    own_name: CString,
    /// Messages that were received and not handed out: they take a twentieth of what they
    /// take in the socket, and a socket that has overrun takes none until it is empty.
    waiting: Box<Deque<Message, CONNECTOR_MESSAGES>>,
    sequences: Sequences,
    /// What is known to be missing and not handed out.
    lost: u64,
    malformed: u64,
    /// The socket has overrun; how much is missing, the next message of each CPU tells.
    overrun: bool,
    /// When it last has.
    overrun_ns: u64,
    /// When the last message came, and when a trial was made since.
    heard_ns: u64,
    tried_ns: Option<u64>,
    /// What the kernel answered to the request.
    answer: Option<u32>,
}

/// What came from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// A message.
    Message(&'a Message),
    /// Messages that are missing.
    Loss(Loss),
}

/// What a look after the provider showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works, as far as is known.
    Well,
    /// The kernel had stopped to send, and was asked again, with another socket. The time of
    /// the last message.
    Renewed(u64),
}

impl Netlink {
    /// Listens.
    pub fn start(now_ns: u64) -> Result<Netlink, StartError> {
        if !namespace::is_first("pid") {
            return Err(StartError::PidNamespace);
        }
        if !namespace::is_first("user") {
            return Err(StartError::UserNamespace);
        }
        // From 6.6 on anybody may listen; but only root may see what others execute.
        if !rustix::process::geteuid().is_root() && !may_administer_network() {
            return Err(StartError::Permission);
        }
        let own_pid = std::process::id();
        let name = rustix::thread::name();
        let mut netlink = Netlink {
            socket: Socket::listen(own_pid)?,
            own_pid,
            own_name: name.map_err(|errno| StartError::Call("read its own name", errno.into()))?,
            waiting: Box::new(Deque::new()),
            sequences: Sequences::new(),
            lost: 0,
            malformed: 0,
            overrun: false,
            overrun_ns: 0,
            heard_ns: now_ns,
            tried_ns: None,
            answer: None,
        };
        netlink.listen(now_ns)?;
        Ok(netlink)
    }

    /// Asks again, with new sockets, until the kernel sends.
    ///
    /// It counts its listeners, and its count may be too low: whoever says that he listens no
    /// more is subtracted, whether he was counted or not (`cn_proc_mcast_ctl`). Every socket
    /// that asks for the first time adds one.
    fn listen(&mut self, now_ns: u64) -> Result<(), StartError> {
        for _ in 0..ATTEMPTS {
            if self.hears(now_ns)? {
                return Ok(());
            }
            if let Some(errno @ 1..) = self.answer {
                let errno = errno as i32;
                return Err(match errno {
                    libc::EPERM => StartError::Permission,
                    _ => StartError::Call(
                        "listen to the process connector",
                        io::Error::from_raw_os_error(errno),
                    ),
                });
            }
            self.socket = Socket::listen(self.own_pid)?;
        }
        Err(why_silent())
    }

    /// Whether something comes that has to come. The kernel sends within the call that it
    /// tells of, so there is nothing to wait for.
    fn hears(&mut self, now_ns: u64) -> Result<bool, StartError> {
        let failed = |error| StartError::Call("receive from the process connector", error);
        let before = self.waiting.len();
        let _ = set_name(&self.own_name);
        self.fill(now_ns).map_err(failed)?;
        let own = self.own_pid;
        let mut new = self.waiting.iter().skip(before);
        // A socket that is full hears as well.
        Ok(self.waiting.is_full()
            || self.overrun
            || new.any(|message| matches!(message.what, What::Name(task, _) if task.pid == own)))
    }

    /// The descriptor to poll.
    pub fn fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }

    /// Receives what is there, as far as there is room.
    fn fill(&mut self, now_ns: u64) -> io::Result<()> {
        // Each of them has one message, but that is not for this side to decide.
        while !self.waiting.is_full() {
            match self.socket.receive()? {
                Received::Nothing => break,
                Received::Refused => {}
                Received::Overrun => (self.overrun, self.overrun_ns) = (true, now_ns),
                Received::Datagram(datagram) => {
                    (self.heard_ns, self.tried_ns) = (now_ns, None);
                    for message in decode::messages(datagram) {
                        match message {
                            Ok(message) => {
                                if let What::Answer(ack, errno) = message.what
                                    && ack == self.own_pid.wrapping_add(1)
                                {
                                    self.answer = Some(errno);
                                }
                                if self.waiting.push_back(message).is_err() {
                                    self.lost += 1;
                                }
                            }
                            Err(decode::Malformed::Foreign(..)) => {}
                            Err(decode::Malformed::Short(_)) => self.malformed += 1,
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands out up to `budget` messages from before `end_ns`, in the order in which the
    /// kernel sent them. Returns how many there were. `is_last`: what is missing of them by now
    /// does not come any more.
    pub fn drain(
        &mut self,
        now_ns: u64,
        end_ns: u64,
        is_last: bool,
        budget: usize,
        mut each: impl FnMut(Taken<'_>),
    ) -> io::Result<usize> {
        /// After so many looks into /proc the socket had better be emptied again.
        const BETWEEN_FILLS: usize = 16;
        let mut taken = 0;
        while taken < budget {
            if taken % BETWEEN_FILLS == 0 {
                self.fill(now_ns)?;
            }
            if self.waiting.front().is_none_or(|message| message.time_ns > end_ns) {
                break;
            }
            let Some(message) = self.waiting.pop_front() else { break };
            taken += 1;
            if let Some(cpu) = message.cpu {
                self.lost += self.sequences.note(cpu, message.sequence, message.time_ns);
            }
            // What a full socket did not take does not come later.
            self.lost += if self.has_overrun(now_ns) {
                self.sequences.give_up_all()
            } else {
                self.sequences.give_up(message.time_ns)
            };
            self.tell_losses(&mut each);
            each(Taken::Message(&message));
        }
        self.lost += if is_last || self.has_overrun(now_ns) {
            self.sequences.give_up_all()
        } else {
            self.sequences.give_up(now_ns.min(end_ns))
        };
        self.tell_losses(&mut each);
        Ok(taken)
    }

    /// Whether the socket was full a short time ago.
    fn has_overrun(&self, now_ns: u64) -> bool {
        self.overrun || now_ns.saturating_sub(self.overrun_ns) < OVERRUN_NS
    }

    fn tell_losses(&mut self, each: &mut impl FnMut(Taken<'_>)) {
        for (place, count) in
            [(LossPlace::Connector, &mut self.lost), (LossPlace::Malformed, &mut self.malformed)]
        {
            if *count > 0 {
                let class = Some(Class::Priority);
                each(Taken::Loss(Loss { place, class, cpu: None, receiver: None, count: *count }));
                *count = 0;
            }
        }
    }

    /// After an overrun, makes every CPU send a message, from whose number the loss is known.
    /// What they send is handed out by the next [`drain`](Netlink::drain).
    pub fn count_overrun(&mut self) {
        if !self.overrun || !self.waiting.is_empty() {
            return;
        }
        self.overrun = false;
        let Ok(allowed) = sched_getaffinity(None) else { return };
        for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)) {
            let mut only = CpuSet::new();
            only.set(cpu);
            // A CPU that went offline in between has nothing to tell.
            if sched_setaffinity(None, &only).is_ok() {
                let _ = set_name(&self.own_name);
            }
        }
        let _ = sched_setaffinity(None, &allowed);
    }

    /// Tries, after a time without messages, whether any can come; if not, asks again.
    pub fn look_after(&mut self, now_ns: u64) -> Result<Health, StartError> {
        let silent_since = |since: u64| now_ns.saturating_sub(since) >= SILENCE_NS;
        match self.tried_ns {
            None if silent_since(self.heard_ns) => {
                self.tried_ns = Some(now_ns);
                let _ = set_name(&self.own_name);
            }
            // The last drain has read what there was.
            Some(at) if silent_since(at) => {
                let heard_ns = self.heard_ns;
                self.socket = Socket::listen(self.own_pid)?;
                self.answer = None;
                self.listen(now_ns)?;
                // How many events are missing nobody knows: they were not numbered.
                self.lost += 1;
                return Ok(Health::Renewed(heard_ns));
            }
            _ => {}
        }
        Ok(Health::Well)
    }
}

fn may_administer_network() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN))
}

/// Why nothing comes although the request was taken.
fn why_silent() -> StartError {
    // `cn_proc_show` of linux drivers/connector/connector.c: a line for each that can be
    // asked.
    let registered = std::fs::read_to_string("/proc/net/connector");
    if registered.is_ok_and(|lines| !lines.contains("cn_proc")) {
        return StartError::NoProcessEvents;
    }
    // A refusal is told only while another program listens.
    if may_administer_network() { StartError::Silent } else { StartError::Permission }
}
