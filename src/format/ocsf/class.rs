//! Which class an event is of, and which activity.

use crate::event::{Action, Event, Given};
use crate::format::flags::Creates;
use crate::format::meaning::call_name;
use crate::format::outcome::{ECONNREFUSED, Outcome};
use crate::record::Origin;

/// The classes in use, by `class_uid`. The thousands are the category, `category_uid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Base Event: what no class is for.
    Base = 0,
    /// File System Activity.
    File = 1001,
    /// Kernel Extension Activity.
    KernelExtension = 1002,
    /// Kernel Activity.
    Kernel = 1003,
    /// Process Activity.
    Process = 1007,
    /// Network Activity.
    Network = 4001,
    /// Application Lifecycle.
    Application = 6002,
}

impl Class {
    pub fn uid(self) -> u32 {
        self as u32
    }

    pub fn category_uid(self) -> u32 {
        self.uid() / 1000
    }
}

/// A class with one of its activities: `activity_id` and `activity_name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub class: Class,
    pub activity: u32,
    pub name: &'static str,
}

/// `activity_id` of what a class has no activity for.
const OTHER: u32 = 99;

/// `activity_id` of Launch, of the process class.
pub(super) const LAUNCH: u32 = 1;

impl Kind {
    pub fn of(origin: &Origin<'_>, event: &Event) -> Kind {
        let (class, activity) = classify(origin, event);
        let (activity, name) = activity.unwrap_or((OTHER, event.action.name()));
        Kind { class, activity, name }
    }

    pub fn type_uid(self) -> u32 {
        self.class.uid() * 100 + self.activity
    }
}

/// An activity of a class, or another one than it has.
type Activity = Option<(u32, &'static str)>;

fn classify(origin: &Origin<'_>, event: &Event) -> (Class, Activity) {
    let process = |activity| (Class::Process, activity);
    let file = |id, name| (Class::File, Some((id, name)));
    let network = |id, name| (Class::Network, Some((id, name)));
    match event.action {
        Action::Exec | Action::Fork => process(Some((LAUNCH, "Launch"))),
        Action::Exit => process(Some((2, "Terminate"))),
        Action::Setuid => process(Some((5, "Set User ID"))),
        Action::Setgid | Action::Setsid | Action::Unshare | Action::Setns => process(None),
        // The class is of a process that something is done to.
        Action::Ptrace | Action::Kill if target(event).is_none() => (Class::Base, None),
        Action::Ptrace => process(Some(tracing(origin, event))),
        Action::Kill => process(event.call_flags.is_none_or(ends).then_some((2, "Terminate"))),
        Action::ModuleLoad => (Class::KernelExtension, Some((1, "Load"))),
        Action::ModuleUnload => (Class::KernelExtension, Some((2, "Unload"))),
        Action::BpfLoad | Action::IoUring | Action::KexecLoad => {
            (Class::Kernel, Some((1, "Create")))
        }
        Action::Mount => match call_name(origin, event) {
            Some("mount" | "move_mount") | None => file(12, "Mount"),
            // A step of it.
            Some(_) => (Class::File, None),
        },
        Action::Umount => file(13, "Unmount"),
        Action::MemfdCreate => file(1, "Create"),
        // A request to create, and so also of a file that was there already.
        Action::Open => match Creates::of(event.call_flags.unwrap_or(0)) {
            Creates::Proven | Creates::Perhaps => file(1, "Create"),
            Creates::Not => file(14, "Open"),
        },
        Action::Link | Action::Symlink | Action::Mkdir | Action::Mknod => file(1, "Create"),
        Action::Truncate => file(3, "Update"),
        Action::Unlink | Action::Rmdir => file(4, "Delete"),
        Action::Rename => file(5, "Rename"),
        Action::Utime | Action::Setxattr => file(6, "Set Attributes"),
        Action::Chmod | Action::Chown => file(7, "Set Security"),
        Action::Connect | Action::Accept if Outcome::of(event) == Outcome::Failure => {
            match event.ret {
                Some(ret) if ret == -ECONNREFUSED => network(5, "Refuse"),
                _ => network(4, "Fail"),
            }
        }
        Action::Connect | Action::Accept => network(1, "Open"),
        Action::Send => network(6, "Traffic"),
        Action::Listen => network(7, "Listen"),
        Action::Bind => (Class::Network, None),
        Action::Pause => (Class::Application, Some((7, "Disable"))),
        Action::Resume => (Class::Application, Some((6, "Enable"))),
        Action::ClockSet | Action::Loss | Action::Heartbeat | Action::Capability => {
            (Class::Base, None)
        }
    }
}

/// `PTRACE_TRACEME` (linux `include/uapi/linux/ptrace.h`).
const PTRACE_TRACEME: u32 = 0;

/// The process that something is done to. One that lets its parent trace it names none.
pub(super) fn target(event: &Event) -> Option<u32> {
    match event.given {
        Some(Given::Process(0)) if event.call_flags == Some(PTRACE_TRACEME) => Some(event.pid),
        Some(Given::Process(pid)) => Some(pid),
        _ => None,
    }
}

/// What a tracer does: it takes hold of a process, changes its memory or registers, or ends it.
fn tracing(origin: &Origin<'_>, event: &Event) -> (u32, &'static str) {
    /// `PTRACE_POKE*`, `PTRACE_SET*REGS`, `PTRACE_SETREGSET`.
    const CHANGES: [u32; 6] = [4, 5, 6, 13, 15, 0x4205];
    const PTRACE_KILL: u32 = 8;
    match (call_name(origin, event), event.call_flags) {
        (Some("process_vm_writev"), _) => (4, "Inject"),
        (Some("pidfd_getfd"), _) => (3, "Open"),
        (_, Some(request)) if CHANGES.contains(&request) => (4, "Inject"),
        (_, Some(PTRACE_KILL)) => (2, "Terminate"),
        _ => (3, "Open"),
    }
}

/// Whether a signal ends the sensor: not SIGHUP, which it takes, nor those that are ignored, stop
/// or continue (signal(7)).
fn ends(signal: u32) -> bool {
    !matches!(signal, 0 | 1 | 17..=23 | 28)
}
