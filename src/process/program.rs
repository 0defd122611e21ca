//! What a process executes.

use super::place::{Look, Sharing, Spelling, View};
use super::strings::StringId;
use super::{Process, Processes, proc};
use crate::event::{Event, ExecutableKind, Flags, replace};

/// Where a program is executed from a descriptor, and other links that lead anywhere.
const MAGIC_LINKS: [&[u8]; 2] = [b"/dev/fd/", b"/proc/"];

/// `MFD_CLOEXEC` (linux `include/uapi/linux/memfd.h`).
const MFD_CLOEXEC: u32 = 1;

/// The file in memory that a process made last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memfd {
    fd: u32,
    /// Whether the next program has it too.
    is_kept: bool,
}

impl Memfd {
    /// The one that a call made that succeeded.
    pub fn made(event: &Event) -> Option<Memfd> {
        let fd = u32::try_from(event.ret?).ok()?;
        let is_kept = event.call_flags.is_some_and(|flags| flags & MFD_CLOEXEC == 0);
        Some(Memfd { fd, is_kept })
    }
}

/// Whether a path leads wherever the kernel's link does.
pub fn is_magic(path: &[u8]) -> bool {
    MAGIC_LINKS.iter().any(|link| path.starts_with(link))
}

/// The descriptor that a path names, and whose it is; `None`: the caller's.
fn descriptor(path: &[u8]) -> Option<(Option<u32>, u32)> {
    let path = core::str::from_utf8(path).ok()?;
    if let Some(fd) = path.strip_prefix("/dev/fd/") {
        return Some((None, fd.parse().ok()?));
    }
    let (owner, fd) = path.strip_prefix("/proc/")?.split_once("/fd/")?;
    let owner = match owner {
        "self" | "thread-self" => None,
        pid => Some(pid.parse().ok()?),
    };
    Some((owner, fd.parse().ok()?))
}

impl Processes {
    /// What it executes now.
    pub(super) fn read_executable(
        &mut self,
        pid: u32,
    ) -> (Option<StringId>, Option<ExecutableKind>) {
        let Some(link) = self.proc.link(pid, format_args!("exe"), &mut self.link) else {
            return (None, None);
        };
        let (path, kind) = proc::executable(link);
        (super::table::hold(&mut self.strings, &mut self.unplaced, path), kind)
    }

    /// A look at what a process executes that ends now. Where any file can be mounted at any
    /// path, its name is never certain.
    pub(super) fn look(&self, began_ns: u64, view: View) -> Look {
        match view {
            View::UserNamespace => Look::NEVER,
            _ => Look { began_ns, ended_ns: (self.now_ns)() },
        }
    }

    /// Says in an event what is executed. `pid` is that of the process whose program it is, and
    /// the event's or its parent's.
    pub(super) fn tell_program(&mut self, pid: u32, program: Program, event: &mut Event) {
        let mut certain = event.time_ns >= program.look.ended_ns;
        event.executable_kind = program.kind;
        if let Some(id) = program.executable {
            replace(&mut event.executable, self.strings.get(id));
        } else if let Some(link) = self.proc.link(pid, format_args!("exe"), &mut self.link) {
            let (path, kind) = proc::executable(link);
            replace(&mut event.executable, path);
            event.executable_kind = kind;
            certain = false;
        }
        if !certain && !event.executable.is_empty() {
            event.flags.insert(Flags::EXECUTABLE_UNRESOLVED);
        }
    }

    /// What was executed through a link that leads anywhere: as the process has it now, if it
    /// lives; else a file in memory, if it is the descriptor of the last one that was made.
    pub(super) fn resolve(&mut self, event: &mut Event) {
        if let Some(link) = self.proc.link(event.pid, format_args!("exe"), &mut self.link) {
            let (path, kind) = proc::executable(link);
            replace(&mut event.executable, path);
            event.executable_kind = kind;
            return;
        }
        let Some((owner, fd)) = descriptor(&event.path) else { return };
        let owner = self.table.get(&owner.unwrap_or(event.pid));
        if owner.and_then(|owner| owner.memfd).is_some_and(|memfd| memfd.fd == fd) {
            event.executable_kind = Some(ExecutableKind::Memfd);
        }
    }

    /// Remembers a file in memory.
    pub(super) fn made_memfd(&mut self, event: &Event) {
        if let Some(made) = Memfd::made(event)
            && let Some(process) = self.table.get_mut(&event.pid)
        {
            process.memfd = Some(made);
        }
    }

    /// Says in an event where its process works, if that is certain.
    pub(super) fn tell_directory(&self, event: &mut Event) {
        let Some(Process { place, sharing, .. }) = self.table.get(&event.pid) else { return };
        let certain = place.epoch == self.epoch
            && place.unseen_until_ns == 0
            && place.spelling != Spelling::Doubtful
            && *sharing == Sharing::Own
            && event.time_ns >= place.look.ended_ns;
        if let (true, Some(id)) = (certain, place.directory) {
            replace(&mut event.working_directory, self.strings.get(id));
        }
    }
}

/// What a process executes, as the table has it.
#[derive(Clone, Copy)]
pub(super) struct Program {
    executable: Option<StringId>,
    kind: Option<ExecutableKind>,
    look: Look,
}

impl Process {
    pub(super) fn program(&self) -> Program {
        let &Process { executable, executable_kind: kind, executable_look: look, .. } = self;
        Program { executable, kind, look }
    }

    /// It executes another program, and its descriptors are closed that are not for that.
    pub(super) fn close_on_exec(&mut self) {
        self.memfd = self.memfd.filter(|memfd| memfd.is_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_found_in_paths() {
        for (path, expected) in [
            ("/dev/fd/3", Some((None, 3))),
            ("/proc/self/fd/17", Some((None, 17))),
            ("/proc/thread-self/fd/17", Some((None, 17))),
            ("/proc/42/fd/5", Some((Some(42), 5))),
            ("/dev/fd/3/prog", None),
            ("/proc/self/exe", None),
            ("/proc/x/fd/5", None),
            ("/tmp/fd/5", None),
        ] {
            assert_eq!(descriptor(path.as_bytes()), expected, "{path}");
        }
        assert!(is_magic(b"/proc/self/exe") && !is_magic(b"/process"));
    }
}
