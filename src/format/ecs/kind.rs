//! What kind of event it is: `event.category` and `event.type`.

use crate::event::{Action, Event};
use crate::format::flags::{Creates, O_ACCMODE, O_TRUNC};
use crate::format::outcome::{EACCES, EPERM, Outcome};

pub(super) fn category(action: Action) -> &'static str {
    match action {
        Action::Exec
        | Action::Fork
        | Action::Exit
        | Action::Setuid
        | Action::Setgid
        | Action::Setsid
        | Action::Ptrace
        | Action::Kill
        | Action::Unshare
        | Action::Setns
        | Action::IoUring => "process",
        Action::ModuleLoad | Action::ModuleUnload | Action::BpfLoad => "driver",
        Action::Mount | Action::Umount | Action::KexecLoad | Action::ClockSet => "host",
        Action::MemfdCreate => "file",
        Action::Open
        | Action::Rename
        | Action::Unlink
        | Action::Rmdir
        | Action::Link
        | Action::Symlink
        | Action::Mkdir
        | Action::Mknod
        | Action::Chmod
        | Action::Chown
        | Action::Truncate
        | Action::Utime
        | Action::Setxattr => "file",
        Action::Connect | Action::Bind | Action::Listen | Action::Accept | Action::Send => {
            "network"
        }
        Action::Loss | Action::Heartbeat | Action::Pause | Action::Resume | Action::Capability => {
            "host"
        }
    }
}

pub(super) fn types(event: &Event, outcome: Outcome) -> &'static [&'static str] {
    let failed = outcome == Outcome::Failure;
    match event.action {
        Action::Exit => &["end"],
        Action::Loss | Action::Heartbeat | Action::Capability => &["info"],
        Action::Pause | Action::Resume => &["change"],
        Action::Connect | Action::Send | Action::Accept if failed => {
            match event.ret.map(i64::wrapping_neg) {
                Some(EPERM | EACCES) => &["connection", "denied"],
                _ => &["connection"],
            }
        }
        Action::Connect | Action::Send | Action::Accept => &["connection", "start"],
        _ if failed => &["info"],
        Action::Exec | Action::Fork | Action::ModuleLoad | Action::BpfLoad => &["start"],
        Action::ModuleUnload => &["end"],
        Action::Setuid
        | Action::Setgid
        | Action::Setsid
        | Action::Ptrace
        | Action::Kill
        | Action::Unshare
        | Action::Setns
        | Action::Mount
        | Action::Umount
        | Action::KexecLoad
        | Action::ClockSet => &["change"],
        Action::Listen => &["start"],
        Action::IoUring | Action::Bind => &["info"],
        Action::MemfdCreate => &["creation"],
        // Whether it wrote or created is not known.
        Action::Open if event.call_flags.is_none() => &["info"],
        Action::Open => open_types(event.call_flags.unwrap_or(0)),
        Action::Rename
        | Action::Chmod
        | Action::Chown
        | Action::Truncate
        | Action::Utime
        | Action::Setxattr => &["change"],
        Action::Unlink | Action::Rmdir => &["deletion"],
        Action::Link | Action::Symlink | Action::Mkdir | Action::Mknod => &["creation"],
    }
}

fn open_types(flags: u32) -> &'static [&'static str] {
    match Creates::of(flags) {
        Creates::Proven => &["creation"],
        Creates::Perhaps => &["change", "creation"],
        Creates::Not if flags & (O_ACCMODE | O_TRUNC) != 0 => &["change"],
        Creates::Not => &["access"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(
        action: Action,
        ret: Option<i64>,
        call_flags: u32,
    ) -> (Outcome, &'static [&'static str]) {
        let mut event = Event::new();
        (event.action, event.ret, event.call_flags) = (action, ret, Some(call_flags));
        let outcome = Outcome::of(&event);
        (outcome, types(&event, outcome))
    }

    #[test]
    fn types_say_what_came_about() {
        use Outcome::{Failure, Success, Unknown};
        for (action, ret, flags, expected) in [
            (Action::Exec, Some(0), 0, (Success, &["start"][..])),
            (Action::Exec, Some(-2), 0, (Failure, &["info"])),
            (Action::Exec, None, 0, (Unknown, &["start"])),
            (Action::Fork, Some(77), 0, (Success, &["start"])),
            (Action::Exit, None, 0, (Unknown, &["end"])),
            (Action::Open, Some(3), 0o0, (Success, &["access"])),
            (Action::Open, Some(3), 0o1, (Success, &["change"])),
            (Action::Open, Some(3), 0o1000, (Success, &["change"])),
            (Action::Open, Some(3), 0o101, (Success, &["change", "creation"])),
            (Action::Open, Some(3), 0o1101, (Success, &["change", "creation"])),
            (Action::Open, Some(3), 0o301, (Success, &["creation"])),
            (Action::Open, Some(3), 0o20200002, (Success, &["creation"])),
            (Action::Open, Some(-17), 0o301, (Failure, &["info"])),
            (Action::Rename, Some(0), 0, (Success, &["change"])),
            (Action::Unlink, Some(-1), 0, (Failure, &["info"])),
            (Action::Rmdir, Some(0), 0, (Success, &["deletion"])),
            (Action::Mkdir, Some(0), 0, (Success, &["creation"])),
            (Action::Link, Some(0), 0, (Success, &["creation"])),
            (Action::Symlink, Some(-17), 0, (Failure, &["info"])),
            (Action::Utime, Some(0), 0, (Success, &["change"])),
            (Action::Connect, Some(0), 0, (Success, &["connection", "start"])),
            (Action::Connect, Some(-115), 0, (Unknown, &["connection", "start"])),
            (Action::Connect, Some(-111), 0, (Failure, &["connection"])),
            (Action::Connect, Some(-13), 0, (Failure, &["connection", "denied"])),
            (Action::Connect, Some(i64::MIN), 0, (Failure, &["connection"])),
            (Action::Loss, None, 0, (Unknown, &["info"])),
        ] {
            assert_eq!(kind(action, ret, flags), expected, "{action:?} {ret:?} {flags:o}");
        }
    }
}
