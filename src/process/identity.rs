//! Who a process is for its events, where the provider tells ids only, and what else /proc
//! tells of it.

use core::fmt::Write;

use rustix::fs::AtFlags;

use super::proc::{Name, Proc};
use crate::event::{Bytes, Event, NO_ID, append};
use crate::limits::{ARGS_BYTES, COMM_BYTES};

/// What an event says of its process beside its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub comm: [u8; COMM_BYTES],
}

impl Identity {
    pub const UNKNOWN: Identity = Identity { uid: NO_ID, gid: NO_ID, comm: [0; COMM_BYTES] };

    /// Says it in an event.
    pub fn tell(&self, event: &mut Event) {
        (event.uid, event.gid) = (self.uid, self.gid);
        event.comm.clear();
        append(&mut event.comm, self.comm.split(|byte| *byte == 0).next().unwrap_or_default());
    }
}

/// A name with a fixed length.
pub fn comm(name: &[u8]) -> [u8; COMM_BYTES] {
    let mut comm = [0; COMM_BYTES];
    comm.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    comm
}

/// The arguments of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// They could not be read, or there are none.
    Unread,
    /// So many.
    Whole(u32),
    /// There are more.
    Cut,
}

impl Proc {
    /// Who a process is, and its parent.
    pub fn identity(&self, pid: u32) -> Option<(Identity, u32)> {
        // `Groups:`, which may be long, comes behind what is needed.
        let mut buffer = [0; 512];
        let status = self.read(pid, "status", &mut buffer)?;
        let (uid, gid, ppid) = parse_status(status)?;
        let mut buffer = [0; COMM_BYTES + 1];
        let name = self.read(pid, "comm", &mut buffer)?;
        let comm = comm(name.strip_suffix(b"\n").unwrap_or(name));
        Some((Identity { uid, gid, comm }, ppid))
    }

    /// `/proc/PID/cmdline`: the arguments as they are now, each closed by a NUL.
    ///
    /// The kernel reads them from the process's memory, and waits for no server that may be
    /// behind that memory: only anonymous memory is read (`FOLL_ANON` of linux
    /// `fs/proc/base.c`, from 4.17 and 3.10.0-957 on). It waits for the lock of the mappings,
    /// which a thread that waits for such a server holds up to 5.0 or so.
    pub fn arguments(&self, pid: u32, args: &mut Bytes<ARGS_BYTES>) -> Arguments {
        args.clear();
        let mut buffer = [0; ARGS_BYTES + 1];
        let Some(cmdline) = self.read(pid, "cmdline", &mut buffer) else {
            return Arguments::Unread;
        };
        if append(args, cmdline) {
            return Arguments::Cut;
        }
        // A process may have written over them (setproctitle(3)).
        if args.last().is_some_and(|last| *last != 0) && args.push(0).is_err() {
            return Arguments::Cut;
        }
        match args.iter().filter(|byte| **byte == 0).count() {
            0 => Arguments::Unread,
            count => Arguments::Whole(count as u32),
        }
    }

    /// Whether a thread of a process lives besides `ending`, which ends or has ended, and the
    /// leader, if that has ended.
    pub fn others_live(&self, pid: u32, ending: u32, leader_ended: bool) -> bool {
        let mut buffer = [0; 512];
        let Some(stat) = self.read(pid, "stat", &mut buffer) else { return false };
        let Some(threads) = parse_threads(stat) else { return false };
        // Whoever executes becomes the leader, and the one that it was before it has ended.
        if !threads.leader_ends || !leader_ended && !threads.leader_is_dead {
            return true;
        }
        // The leader is counted until the last thread is gone. One that ends is counted until
        // it is buried: before it is told of, but in 3.10 after (`do_exit` of linux
        // `kernel/exit.c`).
        threads.count > 1 + u32::from(ending != pid && self.has_thread(pid, ending))
    }

    fn has_thread(&self, pid: u32, tid: u32) -> bool {
        let mut name = Name::new();
        write!(name, "{pid}/task/{tid}").is_ok()
            && rustix::fs::accessat(
                self.fd(),
                name.as_str(),
                rustix::fs::Access::EXISTS,
                AtFlags::empty(),
            )
            .is_ok()
    }
}

/// The real user, the real group and the parent (proc_pid_status(5)). The name, which is the
/// first line, has its newlines escaped.
pub(crate) fn parse_status(status: &[u8]) -> Option<(u32, u32, u32)> {
    let field = |key: &str| {
        let mut lines = status.split(|byte| *byte == b'\n');
        let line = lines.find_map(|line| line.strip_prefix(key.as_bytes()))?;
        core::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
    };
    Some((field("Uid:")?, field("Gid:")?, field("PPid:")?))
}

/// The threads of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Threads {
    /// The leader is on its way out, or was: the kernel says so before it tells of the end.
    leader_ends: bool,
    /// It is a zombie or gone.
    leader_is_dead: bool,
    /// How many are counted.
    count: u32,
}

/// `PF_EXITING` of linux `include/linux/sched.h`.
const PF_EXITING: u32 = 4;

/// The 3rd, the 9th and the 20th field, proc_pid_stat(5).
fn parse_threads(stat: &[u8]) -> Option<Threads> {
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = core::str::from_utf8(&stat[behind_name..]).ok()?.split_ascii_whitespace();
    let leader_is_dead = matches!(fields.next()?, "Z" | "X" | "x");
    let flags: u32 = fields.nth(5)?.parse().ok()?;
    let leader_ends = leader_is_dead || flags & PF_EXITING != 0;
    Some(Threads { leader_ends, leader_is_dead, count: fields.nth(10)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_ids_are_the_first_of_four() {
        let status = b"Name:\tUid: 7\\nGid: 8\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\n\
            Ngid:\t0\nPid:\t42\nPPid:\t7\nTracerPid:\t0\nUid:\t1000\t0\t0\t0\nGid:\t100\t1\t1\t1\n";
        assert_eq!(parse_status(status), Some((1000, 100, 7)));
        assert_eq!(parse_status(b"Name:\tsh\nUid:\t1\n"), None);
        assert_eq!(parse_status(b""), None);
    }

    #[test]
    fn threads_are_the_twentieth_field() {
        let stat = |state, flags| {
            let stat = format!("42 (a) b) {state} 7 42 42 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 3 0 9");
            parse_threads(stat.as_bytes())
        };
        let threads = Threads { leader_ends: false, leader_is_dead: false, count: 3 };
        assert_eq!(stat("S", 4_194_560), Some(threads));
        assert_eq!(stat("R", 4_194_564), Some(Threads { leader_ends: true, ..threads }));
        let dead = Threads { leader_ends: true, leader_is_dead: true, count: 3 };
        assert_eq!(stat("Z", 4_194_564), Some(dead));
        assert_eq!(parse_threads(b"42 (sh) Z"), None);
    }

    #[test]
    fn our_own_identity_is_read() {
        let proc = Proc::open().unwrap();
        let own = std::process::id();
        let (identity, ppid) = proc.identity(own).unwrap();
        assert_eq!(identity.uid, rustix::process::getuid().as_raw());
        assert_eq!(identity.gid, rustix::process::getgid().as_raw());
        assert_eq!(ppid, std::os::unix::process::parent_id());
        let mut args = Bytes::new();
        let count = std::env::args_os().count() as u32;
        assert_eq!(proc.arguments(own, &mut args), Arguments::Whole(count));
        assert!(args.ends_with(b"\0"));
        // This thread is not the first one.
        assert!(proc.others_live(own, own + 1, false));
        assert!(!proc.others_live(4_194_305, 4_194_305, false));
        assert_eq!(proc.arguments(4_194_305, &mut args), Arguments::Unread);
    }
}
