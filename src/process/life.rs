//! Which thread's end is the end of its process, and with what status, where a provider tells
//! of each thread's.

/// Threads that end this close to each other may have been ended together. A thread that is
/// joined is still on its way out then, and is told of after the one that joined it, if that
/// gets the CPU first: on a slow machine 20 ms were not enough.
const TOGETHER_NS: u64 = 250_000_000;

/// The threads of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// How many it has. `None`: not known, /proc has to be asked.
    threads: Option<u32>,
    /// The thread that began it has ended; its entry in /proc stays until the last one has.
    leader_ended: bool,
    /// The last status that is not 0, and when it was.
    status: u32,
    status_ns: u64,
}

/// The end of a thread.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub leader: bool,
    pub time_ns: u64,
    pub status: u32,
}

impl Life {
    /// A process that was made just now.
    pub const ONE: Life = Life { threads: Some(1), leader_ended: false, status: 0, status_ns: 0 };

    /// It has one thread more.
    pub fn grows(&mut self) {
        self.threads = self.threads.map(|threads| threads.saturating_add(1));
    }

    /// It executes another program, and has one thread from then on: the one that executes,
    /// as the leader. The others were ended before, but may be told of after it, the old
    /// leader among them (`de_thread` of linux `fs/exec.c` waits until they can be buried,
    /// which is before they tell).
    pub fn executes(&mut self) {
        *self = Life { threads: self.threads.filter(|threads| *threads == 1), ..Life::default() };
    }

    /// A thread ends: the status of the process, if it was the last one. `others_live` is
    /// asked where the count is not known, and told whether the leader ended.
    ///
    /// What is told of a thread is its own status. It is the process's if the process was
    /// ended by exit_group(2) or a signal; threads that end by themselves end with 0
    /// (pthread_exit(3)). So of those that end together one that is not 0 is the process's.
    pub fn ends(&mut self, end: End, others_live: impl FnOnce(bool) -> bool) -> Option<u32> {
        self.leader_ended |= end.leader;
        let is_last = match self.threads {
            Some(0..=1) => true,
            Some(threads) => {
                self.threads = Some(threads - 1);
                false
            }
            None => !others_live(self.leader_ended),
        };
        if end.status != 0 {
            (self.status, self.status_ns) = (end.status, end.time_ns);
        }
        let together = end.time_ns.saturating_sub(self.status_ns) < TOGETHER_NS;
        is_last.then_some(if together { self.status } else { end.status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: bool = true;
    const OTHER: bool = false;

    /// Plays ends at these milliseconds: the index of the one that is the process's, and the
    /// status.
    fn play(mut life: Life, ends: &[(bool, u64, u32)]) -> Option<(usize, u32)> {
        let mut told = ends.iter().enumerate().filter_map(|(n, &(leader, ms, status))| {
            let end = End { leader, time_ns: 1_000_000_000 + ms * 1_000_000, status };
            life.ends(end, |_| panic!("the count is known")).map(|status| (n, status))
        });
        let first = told.next();
        assert_eq!(told.next(), None, "a process ends once");
        first
    }

    fn with_threads(threads: u32) -> Life {
        let mut life = Life::ONE;
        (1..threads).for_each(|_| life.grows());
        life
    }

    #[test]
    fn the_last_thread_ends_its_process() {
        for (threads, ends, expected) in [
            (1, &[(LEADER, 0, 0x300)][..], Some((0, 0x300))),
            (2, &[(OTHER, 0, 0)], None),
            (2, &[(LEADER, 0, 0)], None),
            // The leader first, by itself.
            (2, &[(LEADER, 0, 0), (OTHER, 500, 0x600)], Some((1, 0x600))),
            // exit_group: all have its status.
            (3, &[(OTHER, 0, 0x800), (LEADER, 0, 0x800), (OTHER, 0, 0x800)], Some((2, 0x800))),
            // Joined, and told of after the leader.
            (2, &[(LEADER, 0, 0x400), (OTHER, 1, 0)], Some((1, 0x400))),
            // A signal.
            (2, &[(OTHER, 0, 9), (LEADER, 0, 9)], Some((1, 9))),
            // Not at the same time.
            (2, &[(OTHER, 0, 0x700), (LEADER, 500, 0)], Some((1, 0))),
        ] {
            assert_eq!(play(with_threads(threads), ends), expected, "{ends:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_asked() {
        let end = End { leader: false, time_ns: 5, status: 0 };
        let mut life = Life::default();
        assert_eq!(life.ends(end, |leader_ended| !leader_ended), None);
        assert_eq!(life.ends(End { leader: true, ..end }, |leader_ended| leader_ended), None);
        assert_eq!(life.ends(end, |leader_ended| !leader_ended), Some(0));
    }

    #[test]
    fn threads_that_an_exec_ends_may_be_told_of_after_it() {
        let mut life = with_threads(1);
        life.executes();
        assert_eq!(play(life, &[(LEADER, 0, 0)]), Some((0, 0)));
        let mut life = with_threads(2);
        life.executes();
        let old_leader = End { leader: true, time_ns: 5, status: 9 };
        assert_eq!(life.ends(old_leader, |_| true), None);
    }
}
