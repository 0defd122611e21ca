//! The eBPF provider: programs on tracepoints, and the rings that they fill.

pub mod abi;
pub mod decode;
pub mod hooks;
pub mod losses;
pub mod measure;
pub mod object;
pub mod perf;
pub mod ring;
pub mod rings;
pub mod tracefs;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::event::{Class, Loss};
use crate::limits;
use abi::record::mote_settings;
use hooks::{FormatError, Hook};
use losses::Losses;
use object::{LoadError, Object};
use ring::Ring;
use rings::Rings;
use tracefs::Tracefs;

/// Why the provider does not run.
#[derive(Debug)]
pub enum StartError {
    /// tracefs is not there and could not be mounted.
    Tracefs(io::Error),
    /// A tracepoint that everything depends on is not as expected.
    Format(FormatError),
    /// The kernel did not take the object.
    Load(LoadError),
    /// A ring could not be opened: CPU and reason.
    Ring(u32, io::Error),
    /// A tracepoint that everything depends on could not be attached.
    Attach(&'static str, io::Error),
    /// More CPUs than [`limits::CPUS`].
    Cpus(usize),
    /// The settings could not be written.
    Settings(io::Error),
}

impl StartError {
    /// The kernel's error number, where there is one.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            StartError::Load(error) => Some(&error.error),
            StartError::Format(FormatError::Read(_, error)) => Some(error),
            StartError::Format(FormatError::Layout(..)) | StartError::Cpus(_) => None,
            StartError::Tracefs(error)
            | StartError::Ring(_, error)
            | StartError::Attach(_, error)
            | StartError::Settings(error) => Some(error),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Tracefs(error) => {
                write!(f, "tracefs is not mounted and could not be mounted: {error}")
            }
            StartError::Format(error) => error.fmt(f),
            StartError::Load(error) => write!(f, "the kernel refused BPF: {error}"),
            StartError::Ring(cpu, error) => {
                write!(f, "the perf ring of CPU {cpu} could not be opened: {error}")
            }
            StartError::Attach(event, error) => {
                write!(f, "tracepoint {event} could not be attached: {error}")
            }
            StartError::Cpus(cpus) => {
                write!(f, "{cpus} CPUs are more than the {} supported", limits::CPUS)
            }
            StartError::Settings(error) => {
                write!(f, "the BPF settings could not be written: {error}")
            }
        }
    }
}

impl std::error::Error for StartError {}

/// The CPUs that run now.
pub fn online_cpus() -> io::Result<Vec<i32>> {
    redbpf::cpus::get_online()
}

/// The running provider. Dropping it, or the death of the process, detaches everything:
/// nothing is pinned.
#[derive(Debug)]
pub struct Ebpf {
    attached: Vec<(Hook, OwnedFd)>,
    missing: Vec<String>,
    status_known: bool,
    programs: Vec<String>,
    rings: Rings,
    losses: Losses,
    object: Object,
}

impl Ebpf {
    /// Loads, attaches, opens the rings.
    pub fn start() -> Result<Ebpf, StartError> {
        // Not raisable without CAP_SYS_RESOURCE, and not needed from 5.11 on.
        let _ = rustix::process::setrlimit(
            rustix::process::Resource::Memlock,
            rustix::process::Rlimit { current: None, maximum: None },
        );
        let tracefs = Tracefs::find_or_mount().map_err(StartError::Tracefs)?;
        let mut settings = hooks::settings(&tracefs).map_err(StartError::Format)?;
        settings.own_pid = std::process::id();

        let possible_cpus = redbpf::cpus::get_possible_num();
        if possible_cpus > limits::CPUS {
            return Err(StartError::Cpus(possible_cpus));
        }
        let object = Object::load(possible_cpus as u32).map_err(StartError::Load)?;
        let mut provider = Ebpf {
            attached: Vec::new(),
            missing: Vec::new(),
            status_known: false,
            programs: object.program_names(),
            rings: Rings::new(),
            losses: Losses::new(possible_cpus),
            object,
        };
        let online = online_cpus().map_err(|error| StartError::Ring(0, error))?;
        provider.sync_cpus(&online)?;
        provider.object.set_settings(&settings).map_err(StartError::Settings)?;
        settings.task_exit_code_offset = provider.measure(&tracefs, &settings)?.unwrap_or(0);
        provider.status_known = settings.task_exit_code_offset != 0;
        provider.object.set_settings(&settings).map_err(StartError::Settings)?;
        provider.attach_all(&tracefs)?;
        Ok(provider)
    }

    /// The hooks that are attached.
    pub fn attached(&self) -> usize {
        self.attached.len()
    }

    /// Tracepoints that this kernel does not have, or has in another shape.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Whether the status of a process that ends can be read.
    pub fn exit_status_known(&self) -> bool {
        self.status_known
    }

    /// The rings, to poll and to drain.
    pub fn rings(&mut self) -> &mut Rings {
        &mut self.rings
    }

    /// Whether the rings are not those of these CPUs.
    pub fn lacks_cpus(&self, online: &[i32]) -> bool {
        let known = |cpu: &i32| {
            [Class::Priority, Class::Bulk].iter().all(|class| self.rings.has(*cpu as u32, *class))
        };
        !online.iter().all(known) || self.rings.cpus().any(|cpu| !online.contains(&(cpu as i32)))
    }

    /// Opens rings for CPUs that came online, and closes those of CPUs that went offline.
    pub fn sync_cpus(&mut self, online: &[i32]) -> Result<(), StartError> {
        self.rings.retain(|cpu| online.contains(&(cpu as i32)));
        for &cpu in online {
            let index = cpu as u32;
            for (class, map, bytes) in [
                (Class::Priority, c"priority", limits::PRIORITY_RING_BYTES),
                (Class::Bulk, c"bulk", limits::BULK_RING_BYTES),
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
        }
        Ok(())
    }

    fn measure(
        &self,
        tracefs: &Tracefs,
        settings: &mote_settings,
    ) -> Result<Option<u32>, StartError> {
        const EVENT: &str = "sched_process_exit";
        let hook = Hook { category: "sched", event: EVENT, program: "probe_exit" };
        let attached = self.attach(tracefs, hook)?;
        if attached.is_none() {
            return Ok(None);
        }
        // Without it exit events have no status, which is said at the start.
        Ok(measure::exit_code_offset(&self.object, settings).unwrap_or(None))
    }

    fn attach_all(&mut self, tracefs: &Tracefs) -> Result<(), StartError> {
        for hook in hooks::PROCESS {
            self.attach_or_note(tracefs, hook)?;
        }
        for (enter, leave) in hooks::SYSCALLS {
            // Without its end a call would keep its slot until its thread ends.
            if self.attach_or_note(tracefs, leave)? {
                self.attach_or_note(tracefs, enter)?;
            }
        }
        Ok(())
    }

    fn attach_or_note(&mut self, tracefs: &Tracefs, hook: Hook) -> Result<bool, StartError> {
        match self.attach(tracefs, hook)? {
            Some(event) => {
                self.attached.push((hook, event));
                Ok(true)
            }
            None => {
                self.missing.push(format!("{}:{}", hook.category, hook.event));
                Ok(false)
            }
        }
    }

    /// `None`: this kernel does not have the tracepoint, or has it in another shape.
    fn attach(&self, tracefs: &Tracefs, hook: Hook) -> Result<Option<OwnedFd>, StartError> {
        let format = tracefs
            .format(hook.category, hook.event)
            .map_err(|error| StartError::Format(FormatError::Read(hook.event, error)))?;
        let Some(format) = format else { return Ok(None) };
        if hook.category == "syscalls" && !hooks::has_expected_layout(&format) {
            return Ok(None);
        }
        let failed = |error| StartError::Attach(hook.event, error);
        let program = self
            .object
            .program(hook.program)
            .ok_or_else(|| failed(io::Error::other("no such program in the object")))?;
        let cpus = online_cpus().map_err(failed)?;
        let cpu = cpus.first().copied().unwrap_or(0);
        perf::attach_tracepoint(format.id, program, cpu).map(Some).map_err(failed)
    }

    /// Reads what the kernel side counted since the last call, and hands each loss to
    /// `each`.
    pub fn read_losses(&mut self, each: impl FnMut(Loss)) -> io::Result<()> {
        self.losses.read(&self.object, &self.programs, each)
    }

    /// The rings, to drain, and what they lost.
    pub fn rings_and_losses(&mut self) -> (&mut Rings, &mut Losses) {
        (&mut self.rings, &mut self.losses)
    }
}
