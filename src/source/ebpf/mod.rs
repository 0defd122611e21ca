//! The eBPF provider: programs on tracepoints, and the rings that they fill.

pub mod abi;
mod attach;
pub mod btf;
mod child;
pub mod compat;
mod compat_forms;
pub mod cpus;
pub mod decode;
mod error;
pub mod excluded;
pub mod exits;
pub mod files;
pub mod formats;
pub mod hooks;
pub mod kallsyms;
mod known;
pub mod kprobe;
mod libbpf_log;
mod libbpf_object;
pub mod load_error;
pub mod losses;
pub mod measure;
pub mod mm;
pub mod object;
mod peek;
pub mod perf;
mod preempt;
mod program_info;
mod retire;
pub mod ring;
#[cfg(test)]
pub(crate) mod ring_file;
pub mod ring_sizes;
pub mod rings;
pub mod shared;
pub mod sockets;
pub mod tracefs;
pub mod unsent;
pub mod uring;
pub mod version_code;

use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, RawFd};
use std::time::Duration;

use super::namespace;
use crate::event::{Class, Loss, LossPlace};
use crate::limits;
pub use compat::Compat;
pub use error::StartError;
pub use known::Known;
use known::Trials;
pub use perf::IOCTLS;
pub use retire::{AttachedProgram, Retiring};
pub use ring_sizes::RingSizes;
pub use unsent::Unsent;

use abi::record::{MOTE_BULK_WINDOW_LOG2_NS, mote_settings};
use attach::Attached;
use excluded::Excluded;
use losses::{Counters, Losses};
use object::{Kernel, Object};
use ring::{Entry, Ring};
use rings::{Origin, Rings};
use tracefs::Tracefs;
use unsent::Counts;

/// What is chosen when the sensor is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The rings of each CPU, where there is memory for them.
    pub rings: RingSizes,
    /// What a process sends to the same peer is told once in this time.
    pub send_window: Duration,
    /// File and network events that are told of a process, a second; 0: all.
    pub bulk_budget: u32,
    /// Whether 32-bit system calls are seen at the price of every other one (see [`compat`]).
    pub watch_compat_calls: bool,
}

impl Options {
    /// The budget as the kernel part has it; 0 for none.
    fn bulk_budget_a_window(self) -> u32 {
        const NS_PER_S: u64 = 1_000_000_000;
        let events = (u64::from(self.bulk_budget) << MOTE_BULK_WINDOW_LOG2_NS) / NS_PER_S;
        u32::try_from(events).unwrap_or(u32::MAX)
    }
}

/// The running provider. Dropping it, or the death of the process, detaches everything:
/// nothing is pinned.
#[derive(Debug)]
pub struct Ebpf {
    kernel: Kernel,
    hooks: usize,
    attached: Vec<Attached>,
    missing: Vec<String>,
    known: Known,
    compat: Compat,
    rings: Rings,
    ring_sizes: RingSizes,
    /// CPUs whose rings take nothing: the kernel closes them when their CPU goes offline,
    /// and does not open them when it comes back.
    dead_cpus: Vec<u16>,
    losses: Losses,
    counters: Counters,
    excluded: Excluded,
    unsent: Counts,
    settings: mote_settings,
    trials: Trials,
    object: Object,
}

impl Ebpf {
    /// Loads, attaches, opens the rings.
    pub fn start(rings: RingSizes) -> Result<Ebpf, StartError> {
        Ebpf::start_on(rings, |kernel| kernel)
    }

    /// The same on a kernel that is taken for another one: for tests of what this one does not
    /// need.
    pub fn start_on(
        rings: RingSizes,
        taken_for: impl FnOnce(Kernel) -> Kernel,
    ) -> Result<Ebpf, StartError> {
        if !namespace::is_first("pid") {
            return Err(StartError::PidNamespace);
        }
        raise_locked_memory();
        let tracefs = Tracefs::find_or_mount().map_err(StartError::Tracefs)?;
        let mut settings = formats::settings(&tracefs).map_err(StartError::Format)?;
        settings.own_pid = std::process::id();
        settings.secret_key = secret() | 1;

        let possible_cpus = cpus::possible().map_err(StartError::CpuList)?;
        if possible_cpus > limits::CPUS {
            return Err(StartError::Cpus(possible_cpus));
        }
        let online = cpus::online().map_err(StartError::CpuList)?;
        let kernel = taken_for(Kernel::from_tracefs(&tracefs).map_err(StartError::Format)?);
        let object = Object::load(kernel, possible_cpus as u32).map_err(StartError::Load)?;
        settings.calls_run_twice = kernel.calls_run_twice.into();
        let mut provider = Ebpf {
            kernel,
            hooks: 0,
            attached: Vec::new(),
            missing: Vec::new(),
            known: Known { no_x32: !compat::has_x32(), ..Known::default() },
            compat: Compat::default(),
            rings: Rings::new(),
            // Those of CPUs that come later are as large. Of possible ones virtual machines have many
            // that never come.
            ring_sizes: rings.on_this_host(online.len()),
            dead_cpus: Vec::with_capacity(limits::CPUS),
            losses: Losses::new(possible_cpus, &object),
            counters: object.array(c"losses", false).map_err(StartError::Maps)?,
            excluded: Excluded::new(&object).map_err(StartError::Maps)?,
            unsent: Counts::new(&object).map_err(StartError::Maps)?,
            settings,
            trials: Trials::default(),
            object,
        };
        provider.sync_cpus(&online)?;
        provider.object.set_settings(&settings).map_err(StartError::Settings)?;
        let mut trials = Trials::default();
        provider.measure_calls(&tracefs, &mut settings)?;
        provider.measure_memory(&tracefs, &mut settings, &mut trials)?;
        provider.measure_exits(&tracefs, &mut settings, &mut trials)?;
        provider.measure_files(&tracefs, &mut settings, &mut trials)?;
        provider.measure_uring(&tracefs, &mut settings, &mut trials)?;
        provider.object.set_settings(&settings).map_err(StartError::Settings)?;
        provider.settings = settings;
        trials.make_way();
        provider.attach_all(&tracefs)?;
        provider.trials = trials;
        Ok(provider)
    }

    /// Follows what was chosen. Without this everything is told each time.
    pub fn set_options(&mut self, options: Options) -> Result<(), StartError> {
        let window_ns = options.send_window.as_nanos();
        self.settings.peer_window_ns = u64::try_from(window_ns).unwrap_or(u64::MAX);
        self.settings.bulk_budget = options.bulk_budget_a_window();
        self.object.set_settings(&self.settings).map_err(StartError::Settings)?;
        if options.watch_compat_calls { self.watch_compat_calls() } else { Ok(()) }
    }

    /// The hooks that are attached.
    pub fn attached(&self) -> usize {
        self.hooks
    }

    /// Tracepoints that this kernel does not have, or has in another shape.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// What could be measured of this kernel.
    pub fn known(&self) -> Known {
        self.known
    }

    /// Whether 32-bit system calls are seen.
    pub fn compat(&self) -> Compat {
        self.compat
    }

    /// The rings of each CPU.
    pub fn ring_sizes(&self) -> RingSizes {
        self.ring_sizes
    }

    /// The descriptors to poll.
    pub fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.rings.fds()
    }

    /// Whether events were lost on a CPU for want of a ring: it came online just now, or its ring has
    /// died.
    pub fn lacks_a_ring(&self) -> bool {
        !self.dead_cpus.is_empty()
    }

    /// Whether the rings are not those of these CPUs.
    pub fn lacks_cpus(&self, online: &[i32]) -> bool {
        let known = |cpu: &i32| Class::ALL.iter().all(|class| self.rings.has(*cpu as u32, *class));
        self.lacks_a_ring()
            || !online.iter().all(known)
            || self.rings.cpus().any(|cpu| !online.contains(&(cpu as i32)))
    }

    /// Opens rings for CPUs that came online, and closes those of CPUs that went offline.
    /// The error is that of the first CPU that lacks one.
    pub fn sync_cpus(&mut self, online: &[i32]) -> Result<(), StartError> {
        let dead = &self.dead_cpus;
        let lives = |cpu| !dead.iter().any(|dead| u32::from(*dead) == cpu);
        self.rings.retain(|cpu| online.contains(&(cpu as i32)) && lives(cpu));
        self.dead_cpus.clear();
        let mut result = Ok(());
        for &cpu in online {
            // A CPU that cannot have its rings does not keep the others from theirs.
            result = result.and(self.open_rings(cpu));
        }
        result
    }

    fn open_rings(&mut self, cpu: i32) -> Result<(), StartError> {
        let index = cpu as u32;
        for (class, map, bytes) in [
            (Class::Priority, c"priority", self.ring_sizes.priority_bytes),
            (Class::Bulk, c"bulk", self.ring_sizes.bulk_bytes),
        ] {
            if self.rings.has(index, class) {
                continue;
            }
            let watermark = (bytes / limits::RING_WATERMARK_DIVISOR) as u32;
            let failed = |error| StartError::Ring(index, error);
            let ring = Ring::open(cpu, bytes, watermark).map_err(failed)?;
            self.object.set_ring(map, index, ring.as_fd()).map_err(failed)?;
            self.rings.add(ring, class, index);
        }
        Ok(())
    }

    /// Looks how far the rings are written, and then what could not be written to them: a
    /// loss that an event follows is handed to `each_loss` before [`drain`](Ebpf::drain)
    /// hands out the event.
    pub fn refresh(&mut self, mut each_loss: impl FnMut(Loss)) {
        self.rings.refresh();
        let dead_cpus = &mut self.dead_cpus;
        // Counters only grow: what is not read now is read the next time.
        let _ = self.losses.read_rings(&self.counters, |loss| {
            if let (LossPlace::RingOutput, Some(cpu)) = (loss.place, loss.cpu)
                && !dead_cpus.contains(&cpu)
            {
                dead_cpus.push(cpu);
            }
            each_loss(loss);
        });
    }

    /// Hands out up to `budget` entries stamped before `horizon_ns` and written before the
    /// last [`refresh`](Ebpf::refresh), oldest first. Returns how many there were.
    pub fn drain(
        &mut self,
        horizon_ns: u64,
        budget: usize,
        mut each: impl FnMut(Taken<'_>),
    ) -> usize {
        let losses = &mut self.losses;
        self.rings.drain(horizon_ns, budget, |Origin { class, cpu }, entry| match entry {
            Entry::Sample(record) => each(Taken::Record { class, cpu, record }),
            Entry::Lost(count) => {
                losses.note(class, cpu, count, |loss| each(Taken::Loss(loss)));
            }
            // How many records it was is not known.
            Entry::Malformed(_) => each(Taken::Loss(Loss {
                place: LossPlace::Malformed,
                class: Some(class),
                cpu: u16::try_from(cpu).ok(),
                receiver: None,
                count: 1,
            })),
        })
    }

    /// Takes away one of the programs that measured at the start, for which the kernel waits as
    /// at the end of any other. Whether there are more.
    pub fn end_trial(&mut self) -> bool {
        self.trials.end_one()
    }

    /// Reads how often the kernel skipped a program.
    pub fn read_skipped(&mut self, each: impl FnMut(Loss)) {
        // As in `refresh`.
        let _ = self.losses.read_skipped(&self.object, each);
    }

    /// The same of a part of the programs: of all within some calls.
    pub fn read_next_skipped(&mut self, each: impl FnMut(Loss)) {
        let _ = self.losses.read_next_skipped(&self.object, each);
    }
}

/// Does what takes more than [`Ebpf::start`] needs afterwards, for all that it is called.
pub fn prepare() {
    Tracefs::keep();
    raise_locked_memory();
}

/// Whether this process, which has CAP_BPF and CAP_PERFMON and not CAP_SYS_ADMIN, may open perf buffers
/// and measure io_uring.
pub fn can_be_watched_without_admin() -> bool {
    cpus::some().and_then(|cpu| perf::open_ring(cpu, 0)).is_ok() && !uring::is_for_admin()
}

/// Not possible without CAP_SYS_RESOURCE. Programs and maps do not need it from 5.11 on, rings do.
fn raise_locked_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
}

/// A number that nobody else knows: what std seeds its hash tables with.
fn secret() -> u32 {
    RandomState::new().hash_one(0) as u32
}

/// What a ring held.
pub enum Taken<'a> {
    /// A record of a program.
    Record {
        /// Of which ring.
        class: Class,
        /// Of which CPU.
        cpu: u32,
        /// Its bytes, for [`decode`](decode::decode).
        record: &'a [u8],
    },
    /// Records that are missing.
    Loss(Loss),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_of_a_window_that_is_longer_than_a_second() {
        let of = |bulk_budget| {
            let options = Options {
                rings: RingSizes::default(),
                send_window: Duration::ZERO,
                bulk_budget,
                watch_compat_calls: false,
            };
            options.bulk_budget_a_window()
        };
        // A window has 2^30 ns.
        assert_eq!([0, 1, 100, 100_000].map(of), [0, 1, 107, 107_374]);
        assert_eq!(of(u32::MAX), u32::MAX);
    }
}
