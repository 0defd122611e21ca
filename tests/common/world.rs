//! Events as they come: of some actors, with names in some directories, of a few actions at a time.

use super::{bytes, random_event};
use fastrand::Rng;
use mote::event::{Action, Bytes, Event};
use mote::limits::PATH_BYTES;

/// What the events of a batch have in common.
pub struct World {
    actors: Vec<Event>,
    directories: usize,
    actions: Vec<Action>,
    last: Vec<u8>,
    sequence: u64,
    time_ns: u64,
}

impl World {
    /// A few actors up to more than a batch has room for, and as many directories.
    pub fn new(rng: &mut Rng) -> World {
        let is_plain = rng.bool();
        let count = [1, 2, 17, 40, 200][rng.usize(..5)];
        let few = rng.usize(1..6);
        let all = &Action::ALL;
        World {
            actors: (0..count).map(|pid| actor(rng, pid, is_plain)).collect(),
            directories: [1, 3, 40, 400][rng.usize(..4)],
            actions: match rng.u8(..4) {
                0 => all.to_vec(),
                _ => (0..few).map(|_| all[rng.usize(..all.len())]).collect(),
            },
            last: vec![],
            sequence: if rng.bool() { 0 } else { u64::MAX - 5 },
            time_ns: if rng.bool() { 1_000_000_000 } else { rng.u64(..) },
        }
    }

    pub fn event(&mut self, rng: &mut Rng) -> Event {
        let action = self.actions[rng.usize(..self.actions.len())];
        let mut event = random_event(rng, action);
        if !matches!(action, Action::Loss | Action::Heartbeat | Action::Capability) {
            let actor = &self.actors[rng.usize(..self.actors.len())];
            is_done_by(&mut event, actor);
            if rng.u8(..4) > 0 {
                (event.syscall, event.ret) = (Some(82), Some(0));
                (event.flags, event.truncated) = Default::default();
            }
            if has_names(action) {
                event.path = self.name(rng, actor);
                if matches!(action, Action::Rename | Action::Link | Action::Symlink) {
                    event.from = self.name(rng, actor);
                }
                self.last = event.path.to_vec();
            }
        }
        let gap = if rng.u8(..4) == 0 { rng.u64(..) } else { 0 };
        let later = if rng.u8(..20) == 0 { rng.u64(..) } else { rng.u64(..1000) };
        self.sequence = self.sequence.wrapping_add(1).wrapping_add(gap);
        self.time_ns = self.time_ns.wrapping_add(later).wrapping_sub(300);
        (event.sequence, event.time_ns) = (self.sequence, self.time_ns);
        event
    }

    /// The last one, a part of it, the executable, one as long as there is room for, or another.
    fn name(&self, rng: &mut Rng, actor: &Event) -> Bytes<PATH_BYTES> {
        let (last, executable) = (&self.last[..], &actor.executable[..]);
        let directory = format!("/d{}/sub{}/", rng.usize(..self.directories), rng.usize(..3));
        let is_long = rng.u8(..20) == 0;
        let name = match rng.u8(..40) {
            0 => vec![],
            1 => last.to_vec(),
            2 => last[..rng.usize(..=last.len())].to_vec(),
            3 => [last, b"x"].concat(),
            4 => executable.to_vec(),
            5 => [executable, b".old"].concat(),
            6 => b"/".to_vec(),
            7 => b"relative".to_vec(),
            8 => vec![0xff; rng.usize(1..30)],
            9 => directory.into_bytes(),
            10 if is_long => vec![b'/'; PATH_BYTES - rng.usize(..3)],
            11 if is_long => [&[b'q'; PATH_BYTES - 8], &b"/abcdefg"[rng.usize(..8)..]].concat(),
            _ => format!("{directory}f{}", rng.usize(..50)).into_bytes(),
        };
        bytes(&name[..name.len().min(PATH_BYTES)])
    }
}

fn actor(rng: &mut Rng, pid: u32, is_plain: bool) -> Event {
    let mut event = Event::new();
    match rng.u8(..10) {
        // Nobody.
        0 => {}
        _ if is_plain => {
            (event.pid, event.tid) = (pid, pid);
            if rng.bool() {
                event.executable = bytes(format!("/usr/bin/program{pid}").as_bytes());
            }
        }
        _ => event = random_event(rng, Action::Fork),
    }
    event
}

fn is_done_by(event: &mut Event, actor: &Event) {
    (event.pid, event.tid, event.ppid) = (actor.pid, actor.tid, actor.ppid);
    (event.uid, event.gid, event.start) = (actor.uid, actor.gid, actor.start);
    event.comm = actor.comm.clone();
    event.executable = actor.executable.clone();
    event.executable_kind = actor.executable_kind;
    event.lineage = actor.lineage.clone();
}

fn has_names(action: Action) -> bool {
    use Action::*;
    matches!(
        action,
        Exec | ModuleLoad
            | Mount
            | Umount
            | KexecLoad
            | Open
            | Rename
            | Unlink
            | Rmdir
            | Link
            | Symlink
            | Mkdir
            | Mknod
            | Chmod
            | Chown
            | Truncate
            | Utime
            | Setxattr
    )
}
