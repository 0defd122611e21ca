//! The end of a provider without a stop of the loop, and what is attached until then.

use super::Ebpf;
use super::hooks::Hook;

/// A program that is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachedProgram {
    /// To which tracepoint or kprobe, and which function it is.
    pub hook: Hook,
    /// The number by which tools as bpftool know it; `None` before 4.13.
    pub id: Option<u32>,
}

impl Ebpf {
    /// What is attached. A program that runs twice is there twice.
    pub fn programs(&self) -> impl Iterator<Item = AttachedProgram> + '_ {
        self.attached.iter().map(|attached| attached.program)
    }

    /// Ends the provider: no program does anything any more, and [`step`](Retiring::step)
    /// takes all of it away.
    pub fn retire(mut self) -> Retiring {
        self.settings.off = 1;
        // If it failed, all would go on until it is detached: into rings that take what fits.
        let _ = self.object.set_settings(&self.settings);
        // What measured at the start, and has not ended yet, goes with the rest.
        self.attached.append(&mut self.trials.0);
        Retiring { rest: Some(self) }
    }
}

/// A provider that is being detached. The kernel waits some 60 ms for each program until no
/// CPU runs it any more. Dropping this does what is left to do.
#[derive(Debug)]
pub struct Retiring {
    rest: Option<Ebpf>,
}

impl Retiring {
    /// Detaches one program, or takes away the rest if none is attached any more. Returns
    /// whether there is more to do.
    pub fn step(&mut self) -> bool {
        let Some(ebpf) = &mut self.rest else { return false };
        if ebpf.attached.pop().is_none() {
            self.rest = None;
        }
        self.rest.is_some()
    }

    /// How many programs are still attached.
    pub fn attached(&self) -> usize {
        self.rest.as_ref().map_or(0, |ebpf| ebpf.attached.len())
    }

    /// The provider until the last step: its rings hold what was written before its end, and
    /// so do its counters.
    pub fn rest(&mut self) -> Option<&mut Ebpf> {
        self.rest.as_mut()
    }
}
