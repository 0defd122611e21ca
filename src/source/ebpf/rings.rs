//! All rings, read as one: records leave merged by kernel time.

use std::os::fd::{AsRawFd, RawFd};

use super::ring::{Entry, RECORD_BYTES, Ring};
use crate::event::Class;

/// No record waits in a ring, or none that may be taken yet.
const NO_TIME: u64 = u64::MAX;

/// A ring and whose it is.
#[derive(Debug)]
struct CpuRing {
    ring: Ring,
    class: Class,
    cpu: u32,
    /// Kernel time of the record in front, in nanoseconds.
    front_time_ns: u64,
}

/// Where an entry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which ring.
    pub class: Class,
    /// Of which CPU.
    pub cpu: u32,
}

/// The rings of all CPUs.
#[derive(Debug)]
pub struct Rings {
    rings: Vec<CpuRing>,
    scratch: Box<[u8; RECORD_BYTES]>,
}

impl Rings {
    /// No rings yet.
    pub fn new() -> Rings {
        Rings { rings: Vec::new(), scratch: Box::new([0; RECORD_BYTES]) }
    }

    /// Adds a ring that was just opened.
    pub fn add(&mut self, ring: Ring, class: Class, cpu: u32) {
        self.rings.push(CpuRing { ring, class, cpu, front_time_ns: NO_TIME });
    }

    /// The CPUs whose rings are open, each once a ring.
    pub fn cpus(&self) -> impl Iterator<Item = u32> {
        self.rings.iter().map(|ring| ring.cpu)
    }

    /// Closes the rings of CPUs for which `keep` is false, and forgets what is in them.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        self.rings.retain(|ring| keep(ring.cpu));
    }

    /// Whether a CPU's ring is open.
    pub fn has(&self, cpu: u32, class: Class) -> bool {
        self.rings.iter().any(|ring| ring.cpu == cpu && ring.class == class)
    }

    /// The descriptors to poll.
    pub fn fds(&self) -> impl Iterator<Item = RawFd> {
        use std::os::fd::AsFd;
        self.rings.iter().map(|ring| ring.ring.as_fd().as_raw_fd())
    }

    /// Looks how far the kernel has written: [`drain`](Rings::drain) goes no further.
    pub fn refresh(&mut self) {
        for ring in &mut self.rings {
            ring.ring.refresh();
            ring.front_time_ns = front_time(&ring.ring, &mut self.scratch);
        }
    }

    /// Hands up to `budget` entries written before `horizon_ns` (`CLOCK_MONOTONIC`) to
    /// `each`, oldest first. Returns how many there were.
    ///
    /// A record is stamped before it is written. Without a horizon a little in the past,
    /// one that is stamped but not yet written on one CPU would be overtaken by a younger
    /// one of another CPU.
    pub fn drain(
        &mut self,
        horizon_ns: u64,
        budget: usize,
        mut each: impl FnMut(Origin, Entry<'_>),
    ) -> usize {
        let mut taken = 0;
        while taken < budget {
            let Some((oldest, next_time_ns)) = oldest(&self.rings) else { break };
            let ring = &mut self.rings[oldest];
            if ring.front_time_ns == NO_TIME || ring.front_time_ns > horizon_ns {
                break;
            }
            let origin = Origin { class: ring.class, cpu: ring.cpu };
            // Stay with this ring as long as it has the oldest record.
            while taken < budget
                && ring.front_time_ns <= next_time_ns.min(horizon_ns)
                && let Some((entry, bytes)) = ring.ring.front(&mut self.scratch)
            {
                each(origin, entry);
                ring.ring.advance(bytes);
                ring.front_time_ns = front_time(&ring.ring, &mut self.scratch);
                taken += 1;
            }
        }
        for ring in &self.rings {
            ring.ring.release();
        }
        taken
    }
}

impl Default for Rings {
    fn default() -> Rings {
        Rings::new()
    }
}

/// The index of the ring with the oldest record, and the time of the next oldest ring.
fn oldest(rings: &[CpuRing]) -> Option<(usize, u64)> {
    let mut first = (0, rings.first()?.front_time_ns);
    let mut second_time_ns = NO_TIME;
    for (index, ring) in rings.iter().enumerate().skip(1) {
        if ring.front_time_ns < first.1 {
            second_time_ns = first.1;
            first = (index, ring.front_time_ns);
        } else {
            second_time_ns = second_time_ns.min(ring.front_time_ns);
        }
    }
    Some((first.0, second_time_ns))
}

/// When the record in front was stamped. Loss and malformed records have no time and are
/// taken at once.
fn front_time(ring: &Ring, scratch: &mut [u8; RECORD_BYTES]) -> u64 {
    match ring.front(scratch) {
        None => NO_TIME,
        Some((Entry::Sample(bytes), _)) => match bytes.first_chunk() {
            // `time_ns` is the first field of `struct mote_header`.
            Some(time_ns) => u64::from_ne_bytes(*time_ns).min(NO_TIME - 1),
            None => 0,
        },
        Some(_) => 0,
    }
}

#[cfg(test)]
#[path = "rings_tests.rs"]
mod tests;
