//! A week of operation, in process: events, flushes, heartbeats, watches, losses, changes of the
//! configuration, all by a clock that this sets.

use crate::Table;
use crate::allocator::heap_of;
use crate::common::context;
use crate::receiver::Receiver;
use crate::records::{LATER_NS, at, call, exec, exit, fork, open_to_write, pair};
use crate::rules::{filter, rules};
use crate::support::memory::resident_bytes;
use mio::{Poll, Token};
use mote::event::{Action, Class, Heartbeat, Loss, LossPlace};
use mote::filter::{Filter, Origin, Rule, RuleKind};
use mote::limits::{PROCESS_STRINGS, PROCESSES};
use mote::process::Capacity;
use mote::record::Provider;
use mote::sensor::pipeline::Pipeline;
use mote::sink::{self, Sink, Target};
use mote::source::ebpf::Unsent;
use std::cell::Cell;
use std::time::{Duration, Instant};

const DAYS: u64 = 7;
const DAY_S: u64 = 86_400;
const HOUR_S: u64 = 3_600;
const MINUTE_S: u64 = 60;
const S_NS: u64 = 1_000_000_000;

/// Seconds from one burst of events to the next, which makes 19 million events of a week.
const LONG: u64 = 1;
/// The same, for 332,000 events.
const SHORT: u64 = MINUTE_S;

/// Processes that begin in a burst, and that live at a time.
const BEGINNING: u32 = 4;
const LIVING: u32 = 500;

/// Larger than the kernel gives.
const FIRST_PID: u32 = 5_000_000;
/// Ids are used again, as on a host with the kernel's default (`pid_max`).
const PIDS: u32 = 32_768;
/// More than there is room for: those of the processes that live find it.
const PROGRAMS: u32 = 5 * PROCESS_STRINGS as u32;
const EXCLUDED: &str = "/usr/bin/excluded";
/// One process in so many executes it.
const EXCLUDED_EACH: u32 = 50;

/// Each hour.
const RING_LOST: u64 = 3;
const SUPPRESSED: u64 = 1_000;

thread_local! {
    static NOW_NS: Cell<u64> = const { Cell::new(LATER_NS) };
}

/// What came of it. No number is missing.
struct Played {
    events: u64,
    /// What a day kept of the heap, from the second on.
    kept_bytes: Vec<i64>,
    /// At the end of the first day, and of the last.
    resident_bytes: [u64; 2],
    took: Duration,
}

pub fn bench(table: &mut Table) {
    let Played { events, kept_bytes, resident_bytes, took } = play(LONG);
    let kept: Vec<f64> = kept_bytes.iter().map(|bytes| *bytes as f64).collect();
    let [first, last] = resident_bytes.map(|bytes| bytes as f64);
    table.row("a week: million events", "week_million_events", &[events as f64 / 1e6]);
    table.row("a week: played in s", "week_s", &[took.as_secs_f64()]);
    table.row("a week: heap that a day keeps, bytes", "week_heap_kept_bytes", &kept);
    let more = [(last - first) / 1024.0];
    table.row("a week: resident, more than after a day, KiB", "week_rss_more_kib", &more);
}

pub fn a_week_changes_nothing() {
    play(SHORT);
}

/// The sensor but for its rings, and who reads what it sends.
struct Host {
    pipeline: Pipeline,
    sink: Sink,
    poll: Poll,
    receiver: Receiver,
    start: Instant,
    /// Processes that began.
    begun: u32,
    /// Events that were made.
    made: u64,
}

/// Plays a week with a burst of events each `every_s` seconds.
fn play(every_s: u64) -> Played {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let receiver = Receiver::bind(&path);
    let poll = Poll::new().unwrap();
    let to = sink::Receiver::from(format!("unix:{}", path.display()).parse::<Target>().unwrap());
    let sink = Sink::open(&to, "host", poll.registry(), Token(1), None).unwrap();
    let pipeline =
        Pipeline::with_clock(context(), exclusions(0), Capacity::default(), || NOW_NS.get())
            .unwrap();
    let start = Instant::now();
    let mut host = Host { pipeline, sink, poll, receiver, start, begun: 0, made: 0 };
    let (mut kept_bytes, mut resident) = (Vec::new(), Vec::new());
    for day in 0..DAYS {
        let heap = heap_of(|| host.day(day, every_s));
        kept_bytes.push(heap.allocated_bytes as i64 - heap.freed_bytes as i64);
        resident.push(resident_bytes(std::process::id()));
    }
    // What is allocated once.
    kept_bytes.remove(0);
    assert!(kept_bytes.iter().all(|bytes| *bytes == 0), "days keep {kept_bytes:?} bytes");
    host.check();
    Played {
        events: host.made,
        kept_bytes,
        resident_bytes: [resident[0], resident[resident.len() - 1]],
        took: start.elapsed(),
    }
}

/// Others each day, as many and as long ones.
fn exclusions(day: u64) -> Filter {
    let others = rules(None, 100).map(|(kind, path)| (kind, format!("{path}-{day}")));
    let mut filter = filter(others);
    filter.add(Rule::new(RuleKind::Process, EXCLUDED, Origin::Local, true).unwrap()).unwrap();
    filter
}

impl Host {
    fn day(&mut self, day: u64, every_s: u64) {
        self.pipeline.set_filter(exclusions(day));
        // The process connector has a moment.
        self.pipeline.set_provider(Provider::Netlink, &mut self.sink);
        self.pipeline.set_provider(Provider::Ebpf, &mut self.sink);
        for second in (day * DAY_S..(day + 1) * DAY_S).step_by(every_s as usize) {
            // Events are read when they are of before.
            NOW_NS.set(LATER_NS + (second + 1) * S_NS);
            self.burst(second);
            if second.is_multiple_of(HOUR_S) {
                self.hour();
            }
            if second.is_multiple_of(MINUTE_S) {
                self.minute(second % HOUR_S);
            }
            let now = self.start + Duration::from_secs(second);
            self.pipeline.take_excluded(NOW_NS.get(), |_, _| false);
            self.pipeline.flush(&mut self.sink);
            self.sink.tick(self.poll.registry(), now);
            self.receiver.receive();
        }
    }

    /// Processes that begin, and as many that end.
    fn burst(&mut self, second: u64) {
        let mut offset_ns = second * S_NS;
        let mut tell = |class, bytes: Vec<u8>| {
            self.pipeline.record(class, 0, &at(offset_ns, bytes), &mut self.sink);
            offset_ns += 1_000_000;
            self.made += 1;
        };
        // Whoever starts them does something too: after a loss /proc is asked where it works.
        tell(Class::Bulk, open_to_write(std::process::id(), "/home/user/history"));
        for number in self.begun..self.begun + BEGINNING {
            let pid = pid(number);
            let program = match number % EXCLUDED_EACH {
                0 => EXCLUDED.to_owned(),
                _ => format!("/usr/bin/program-{}", number % PROGRAMS),
            };
            let file = format!("/home/user/{number}/file");
            tell(Class::Priority, fork(pid));
            tell(Class::Priority, exec(pid, &program));
            tell(Class::Bulk, open_to_write(pid, &file));
            tell(Class::Bulk, pair(pid, &file, "new"));
            tell(Class::Bulk, call(libc::SYS_mkdirat, pid, "folder"));
            tell(Class::Bulk, call(libc::SYS_unlinkat, pid, &file));
            tell(Class::Bulk, call(libc::SYS_fchmodat, pid, &file));
            if let Some(number) = number.checked_sub(LIVING) {
                tell(Class::Priority, exit(self::pid(number)));
            }
        }
        self.begun += BEGINNING;
    }

    /// Records are lost, after which nothing is certain of any process, and a flood is kept back.
    fn hour(&mut self) {
        let (class, cpu) = (Some(Class::Priority), Some(1));
        let place = LossPlace::RingFull;
        self.pipeline.lose(Loss { place, class, cpu, receiver: None, count: RING_LOST });
        let pid = Some(pid(self.begun - 1));
        self.pipeline.count_unsent(Unsent { pid, excluded: 0, lost: 0, suppressed: SUPPRESSED });
    }

    /// Somebody watches the first one of an hour.
    fn minute(&mut self, of_hour_s: u64) {
        let totals = self.pipeline.totals();
        let sent = self.sink.sent_events();
        let heartbeat = Heartbeat {
            ebpf: true,
            received: totals.received,
            excluded: totals.excluded,
            lost: totals.lost,
            sent,
            more: None,
        };
        self.pipeline.write_heartbeat(heartbeat, &mut self.sink);
        if of_hour_s == 0 {
            self.pipeline.begin_watch();
        } else if let Some(watch) = self.pipeline.end_watch() {
            let statistics = watch.statistics(MINUTE_S as u32, 10);
            assert!(statistics.events > 0 && !statistics.file_paths.is_empty(), "{statistics:?}");
        }
    }

    /// All was told once, or excluded; and what was lost is what was made to be.
    fn check(&self) {
        let Host { pipeline, sink, receiver, .. } = self;
        let totals = pipeline.totals();
        let of = |actions: &[Action]| -> u64 {
            actions.iter().filter_map(|action| receiver.events.get(action)).sum()
        };
        let all: u64 = receiver.events.values().sum();
        let own = of(&[Action::Heartbeat, Action::Loss]);
        assert!(receiver.is_complete(), "{} of {all} numbers", receiver.complete_until);
        assert_eq!((sink.backlog(), sink.sent_events()), (0, all));
        assert_eq!(totals.received, self.made);
        assert_eq!(all - own, self.made - totals.excluded, "{totals:?}");
        // But for the forks of those, and for ends after a loss, when nobody knows who they were.
        let of_excluded = self.made / u64::from(EXCLUDED_EACH);
        assert!((of_excluded / 2..of_excluded).contains(&totals.excluded), "{totals:?}");
        assert_eq!(of(&[Action::Heartbeat]), DAYS * DAY_S / MINUTE_S);
        let hours = DAYS * DAY_S / HOUR_S;
        let mut lost: Vec<_> =
            receiver.lost.iter().map(|(place, count)| (*place, *count)).collect();
        lost.sort_by_key(|(place, _)| *place as u8);
        // None of the process table: no place stays taken, though there were many times as many
        // processes and names as there are places.
        let turns = [self.begun as usize / PROCESSES, PROGRAMS as usize / PROCESS_STRINGS];
        assert!(turns.iter().all(|turns| *turns >= 5), "{turns:?}");
        assert_eq!(
            lost,
            [(LossPlace::RingFull, hours * RING_LOST), (LossPlace::FloodGuard, hours * SUPPRESSED)]
        );
        assert_eq!(totals.lost, hours * (RING_LOST + SUPPRESSED));
    }
}

fn pid(number: u32) -> u32 {
    FIRST_PID + number % PIDS
}
