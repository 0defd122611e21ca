//! The loop: the only module that names every stage.

mod complaint;
#[allow(dead_code)]
mod overlap;
pub mod pipeline;
mod source;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use crate::config::Config;
use crate::event::{Bytes, Class};
use crate::record::Context;
use crate::say::{say, warn};
use crate::sink::{Errno, Sink, SinkError, State, Target};
use crate::source::{ebpf, netlink};
use crate::stats::Totals;
use crate::syscalls::Arch;
use complaint::Complaint;
use pipeline::{Output, Pipeline, monotonic_ns};
use source::Turn;
pub use source::{Fallback, Source};

const SIGNALS: Token = Token(0);
const SINK: Token = Token(1);

/// How long an event waits in a ring that is not filled to its watermark: while there is
/// something to do, and while there is not.
const BUSY_TICK: Duration = Duration::from_millis(50);
const IDLE_TICK: Duration = Duration::from_millis(200);
/// How long an event waits in a batch that is not full.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);
/// How often the kernel's loss counters and the CPUs are looked at.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);
/// How long the receiver may take for what is left at the end.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// Why the sensor does not start, or ends.
#[derive(Debug)]
pub enum SensorError {
    /// The eBPF provider does not run, and no other is to.
    Ebpf(ebpf::StartError),
    /// The process connector does not run any more.
    Netlink(netlink::StartError),
    /// It does not run, nor does eBPF, for this reason.
    NoProvider(Fallback, netlink::StartError),
    /// There is no way out for events.
    Sink(SinkError),
    /// No syslog daemon has the socket at the start. One that leaves later is waited for.
    NoReceiver(Errno),
    /// A file of /proc could not be read.
    Proc(&'static str, io::Error),
    /// A system call that should not fail did: what it was for.
    Os(&'static str, io::Error),
    /// The reader of standard output is gone.
    ReaderGone,
    /// Messages that the receiver did not take before the end, and why if it is known.
    Undelivered(u64, Option<Errno>),
}

impl SensorError {
    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            SensorError::Ebpf(error) | SensorError::NoProvider(Fallback::Failed(error), _) => {
                error.errno()
            }
            SensorError::Netlink(error) | SensorError::NoProvider(Fallback::Disabled, error) => {
                error.errno()
            }
            // Both have their reasons, and the first is no error number.
            SensorError::NoProvider(Fallback::Unsupported(_), _) => None,
            SensorError::Sink(SinkError::Output(error)) | SensorError::NoReceiver(error) => {
                Some(error.raw_os_error())
            }
            // Whatever the number is: it is about what was sent, not about this host.
            SensorError::Sink(SinkError::Discarded)
            | SensorError::ReaderGone
            | SensorError::Undelivered(..) => None,
            SensorError::Proc(_, error) | SensorError::Os(_, error) => error.raw_os_error(),
        }
    }
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SensorError::Ebpf(error) | SensorError::NoProvider(Fallback::Failed(error), _) => {
                error.fmt(f)
            }
            SensorError::NoProvider(Fallback::Unsupported(refusal), _) => refusal.fmt(f),
            SensorError::Netlink(error) | SensorError::NoProvider(Fallback::Disabled, error) => {
                error.fmt(f)
            }
            SensorError::Sink(error) => error.fmt(f),
            SensorError::NoReceiver(error) => {
                write!(f, "the syslog daemon could not be reached: {error}")
            }
            SensorError::Proc(path, error) => write!(f, "{path} could not be read: {error}"),
            SensorError::Os(what, error) => write!(f, "could not {what}: {error}"),
            SensorError::ReaderGone => f.write_str("the reader of standard output is gone"),
            SensorError::Undelivered(messages, why) => {
                write!(f, "{messages} messages were not delivered before the end")?;
                why.map_or(Ok(()), |why| write!(f, " ({why})"))
            }
        }
    }
}

impl std::error::Error for SensorError {}

/// A started sensor.
pub struct Sensor {
    poll: Poll,
    signals: Signals,
    source: Source,
    pipeline: Pipeline,
    sink: Sink,
    source_lacking: Complaint,
    delivery: Complaint,
}

impl Output for Sink {
    fn offer(&mut self, class: Class, events: u32, if_lost: u64, line: &[u8]) {
        Sink::offer(self, class, events, if_lost, line);
    }
}

impl Sensor {
    /// Attaches, learns what runs already, and begins to connect to the receiver.
    pub fn start(config: Config, target: &Target) -> Result<Sensor, SensorError> {
        // The first look at the clock opens /proc/self/auxv before 6.4 (rustix's vDSO), and
        // panics where that fails: so before descriptors can run out.
        let _ = monotonic_ns();
        let os = |what| move |error: io::Error| SensorError::Os(what, error);
        let poll = Poll::new().map_err(os("wait for events (epoll)"))?;
        // Signals first: one that comes while the programs are loaded is not missed.
        let mut signals =
            Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(os("wait for signals"))?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)
            .map_err(os("wait for signals"))?;
        let uname = rustix::system::uname();
        let hostname = uname.nodename().to_string_lossy();
        let sink =
            Sink::open(target, &hostname, poll.registry(), SINK).map_err(SensorError::Sink)?;
        if let (Target::Unix(_), State::Down(error)) = (target, sink.state()) {
            return Err(SensorError::NoReceiver(error));
        }
        let boot_id = boot_id().map_err(|error| SensorError::Proc(BOOT_ID, error))?;
        let source = Source::start(config.provider)?;
        let context = Context {
            boot_id,
            start_ns: monotonic_ns(),
            hostname: Bytes::from_slice(hostname.as_bytes()).unwrap_or_default(),
            arch: Arch::HOST,
            provider: source.provider(),
        };
        let mut pipeline = Pipeline::new(context, config.filter)
            .map_err(|error| SensorError::Proc("/proc", error.into()))?;
        // After attaching: a process that starts in between is seen by one or the other.
        source.scan(&mut pipeline);
        source.register(poll.registry())?;
        Ok(Sensor {
            poll,
            signals,
            source,
            pipeline,
            sink,
            source_lacking: Complaint::default(),
            delivery: Complaint::default(),
        })
    }

    /// The provider, for what is said at the start.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Runs until SIGTERM or SIGINT. Not before the receiver has what was seen, if it takes it.
    pub fn run(mut self) -> Result<(), SensorError> {
        let mut events = Events::with_capacity(64);
        let mut tick = BUSY_TICK;
        let mut next_flush = Instant::now() + FLUSH_INTERVAL;
        let mut next_housekeeping = Instant::now();
        loop {
            let sink_in = self.sink.deadline().map(|at| at.duration_since(Instant::now()));
            let timeout = tick.min(sink_in.unwrap_or(tick));
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(SensorError::Os("wait for events (epoll)", error));
                }
                _ => {}
            }
            let mut ending = false;
            for event in &events {
                match event.token() {
                    // Configuration is read once: SIGHUP is taken and changes nothing.
                    SIGNALS => ending |= self.signals.pending().any(|signal| signal != SIGHUP),
                    SINK => self.sink.ready(self.poll.registry(), event),
                    _ => {}
                }
            }
            if ending || self.sink.is_closed() {
                break;
            }
            let now = Instant::now();
            self.sink.tick(self.poll.registry(), now);
            tick = match self.drain(None)? {
                Turn::Full => Duration::ZERO,
                Turn::Idle => IDLE_TICK,
                Turn::Busy => BUSY_TICK,
            };
            if now >= next_housekeeping {
                self.keep_house();
                next_housekeeping = now + HOUSEKEEPING_INTERVAL;
            }
            if now >= next_flush {
                self.flush();
                next_flush = now + FLUSH_INTERVAL;
            }
            self.note_shed();
        }
        self.end()
    }

    /// Finishes batches that are not full. While a receiver is slow, those of file events
    /// had better fill up; while there is none, all of them.
    fn flush(&mut self) {
        if self.sink.backlog() == 0 {
            self.pipeline.flush(&mut self.sink);
        } else if self.sink.state() == State::Ready {
            self.pipeline.flush_priority(&mut self.sink);
        }
    }

    fn drain(&mut self, end_ns: Option<u64>) -> Result<Turn, SensorError> {
        self.source.drain(end_ns, &mut self.pipeline, &mut self.sink)
    }

    /// Takes everything that was before this moment.
    fn drain_all(&mut self) -> Result<(), SensorError> {
        let end_ns = Some(monotonic_ns());
        while self.drain(end_ns)? != Turn::Idle {}
        Ok(())
    }

    /// What fails here is tried again the next time: a CPU may go offline between two looks.
    fn keep_house(&mut self) {
        self.source.read_losses(&mut self.pipeline);
        self.look_at_delivery();
        let registry = self.poll.registry();
        let kept = self.source.look_after(registry, &mut self.pipeline, &mut self.sink);
        let missing = match self.source {
            Source::Ebpf(_) => "events of that CPU",
            Source::Netlink(..) => "events",
        };
        if let Some(error) = self.source_lacking.news(kept.err()) {
            warn(format_args!(
                "{error}; it is tried again every second, and {missing} are missing until it works"
            ));
        }
    }

    /// Says what keeps records from being delivered, once.
    fn look_at_delivery(&mut self) {
        let problem = match self.sink.state() {
            State::Down(error) => Some(io::Error::from(error)),
            // Another attempt: it will show.
            State::Connecting => return,
            State::Ready | State::Closed => None,
        };
        if let Some(error) = self.delivery.news(problem) {
            warn(format_args!(
                "records cannot be delivered ({error}): they wait in memory, and what finds no \
                 room there is counted; it is tried again until it works"
            ));
        }
    }

    /// Counts what the sink could not deliver.
    fn note_shed(&mut self) {
        for loss in self.sink.take_shed().losses() {
            self.pipeline.lose(loss);
        }
    }

    /// Delivers what was seen until now. The kernel detaches when the process ends: closing
    /// a tracepoint's event waits for every CPU (`tracepoint_synchronize_unregister`), some
    /// 60 ms each, and the last events should not wait for that.
    fn end(mut self) -> Result<(), SensorError> {
        self.drain_all()?;
        self.source.read_losses(&mut self.pipeline);
        // Of what was lost, the messages tell that it makes come.
        self.drain_all()?;
        let until = Instant::now() + DRAIN_TIME;
        self.note_shed();
        self.pipeline.flush(&mut self.sink);
        self.sink.drain(until);
        if self.sink.backlog() == 0 {
            // What was shed meanwhile can be told.
            self.note_shed();
            self.pipeline.flush(&mut self.sink);
            self.sink.drain(until);
        }
        let shed = self.sink.take_shed();
        let undelivered = self.sink.backlog() as u64 + shed.queue.messages + shed.refused.messages;
        let Totals { received, excluded, lost } = self.pipeline.totals();
        let detaching = match self.source {
            Source::Ebpf(_) => "; detaching takes some seconds",
            Source::Netlink(..) => "",
        };
        say(format_args!(
            "ending: {received} events seen, {excluded} of them excluded, {lost} lost{detaching}"
        ));
        match self.sink.state() {
            State::Closed => Err(SensorError::ReaderGone),
            _ if undelivered == 0 => Ok(()),
            State::Down(error) => Err(SensorError::Undelivered(undelivered, Some(error))),
            _ => Err(SensorError::Undelivered(undelivered, None)),
        }
    }
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The 16 bytes of the boot id, which the kernel prints as a UUID (random(4)).
fn boot_id() -> io::Result<[u8; 16]> {
    let text = std::fs::read_to_string(BOOT_ID)?;
    parse_boot_id(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_boot_id(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u32> =
        text.trim().chars().filter(|c| *c != '-').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_boot_id;

    #[test]
    fn the_boot_id_keeps_the_order_of_its_text() {
        assert_eq!(
            parse_boot_id("00112233-4455-6677-8899-aabbccddeeff\n"),
            Some([0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255])
        );
        for text in ["", "0011", "00112233-4455-6677-8899-aabbccddeefg", "0".repeat(34).as_str()] {
            assert_eq!(parse_boot_id(text), None);
        }
    }
}
