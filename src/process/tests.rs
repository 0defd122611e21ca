mod descriptors;
mod executed;
mod lineages;
mod moves;
mod places;
mod sessions;

use super::place::Spelling;
use super::*;
use crate::event::{Endpoint, Given};

/// No process has a pid this large: /proc knows nothing of them.
const SHELL: u32 = 5_000_001;
const CHILD: u32 = 5_000_002;

fn processes() -> Processes {
    let mut processes = Processes::new(|| 0).unwrap();
    processes.clock = BootClock::new(|| [0; 3]);
    processes
}

/// The leader of our session; 0 where process 1 has begun none, which rustix's `getsid` takes for
/// an error.
pub fn own_session() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSsid:")).unwrap();
    ids.split_ascii_whitespace().last().unwrap().parse().unwrap()
}

fn event(action: Action, pid: u32, path: &str) -> Event {
    let mut event = Event::new();
    (event.action, event.pid, event.ret) = (action, pid, Some(0));
    event.path.extend_from_slice(path.as_bytes()).unwrap();
    // After whatever was before.
    event.entered_ns = u64::MAX;
    event
}

/// A shell that the table knows of from the beginning.
fn shell(processes: &mut Processes, directory: &str) -> Process {
    Process {
        ppid: Some(1),
        executable: processes.strings.hold(b"/bin/sh"),
        executable_kind: None,
        executable_look: Look::default(),
        executable_since_ns: None,
        excluded_with: None,
        forked_ns: 0,
        start: Some(1_000),
        memfd: None,
        lineage: Lineage::default(),
        place: Place {
            directory: processes.strings.hold(directory.as_bytes()),
            spelling: Spelling::Kernel,
            look: Look::default(),
            changed_ns: 0,
            changed_by: 0,
            unseen_until_ns: 0,
            view: View::Host,
            epoch: processes.epoch,
        },
        sharing: Sharing::Own,
        identity: None,
        life: Life::default(),
    }
}

/// A table with a shell in a directory that the kernel spelled.
fn with_shell(directory: &str) -> Processes {
    let mut processes = processes();
    let shell = shell(&mut processes, directory);
    processes.insert(SHELL, shell);
    processes
}

fn fork_with(processes: &mut Processes, clone_flags: u32) -> Event {
    let mut fork = event(Action::Fork, CHILD, "");
    (fork.ppid, fork.call_flags) = (Some(SHELL), Some(clone_flags));
    processes.enrich(&mut fork);
    fork
}

fn fork(processes: &mut Processes) -> Event {
    fork_with(processes, 0)
}

fn chdir(processes: &mut Processes, pid: u32, path: &str) {
    processes.relocate(Relocation::Directory, &mut event(Action::Open, pid, path));
}

/// The path that an open of `name` comes out with, and the marks.
fn opened(processes: &mut Processes, pid: u32, name: &str) -> (String, Flags) {
    let mut open = event(Action::Open, pid, name);
    processes.enrich(&mut open);
    (String::from_utf8(open.path.to_vec()).unwrap(), open.flags)
}

#[test]
fn a_child_is_its_parent_until_it_executes() {
    let mut processes = with_shell("/home/u");
    assert_eq!(&fork(&mut processes).executable[..], b"/bin/sh");
    let mut exec = event(Action::Exec, CHILD, "./tool");
    processes.enrich(&mut exec);
    assert_eq!(&exec.path[..], b"/home/u/tool");
    assert_eq!(&exec.executable[..], b"/home/u/tool");
    assert_eq!(exec.ppid, Some(SHELL));
    let mut open = event(Action::Open, CHILD, "f");
    processes.enrich(&mut open);
    assert_eq!((&open.executable[..], &open.path[..]), (&b"/home/u/tool"[..], &b"/home/u/f"[..]));
    assert_eq!(open.ppid, Some(SHELL));
}

#[test]
fn an_exec_that_fails_changes_nothing() {
    let mut processes = with_shell("/");
    let mut exec = event(Action::Exec, SHELL, "/no/such");
    exec.ret = Some(-2);
    processes.enrich(&mut exec);
    assert_eq!((&exec.executable[..], &exec.path[..]), (&b"/bin/sh"[..], &b"/no/such"[..]));
    let mut exit = event(Action::Exit, SHELL, "");
    processes.enrich(&mut exit);
    assert_eq!(&exit.executable[..], b"/bin/sh");
}

#[test]
fn an_executable_in_doubt_stays_in_doubt() {
    let mut processes = with_shell("/home/u");
    fork(&mut processes);
    chdir(&mut processes, CHILD, "link/..");
    let mut exec = event(Action::Exec, CHILD, "make");
    processes.enrich(&mut exec);
    assert!(exec.flags.contains(Flags::EXECUTABLE_UNRESOLVED));
    assert!(opened(&mut processes, CHILD, "/f").1.contains(Flags::EXECUTABLE_UNRESOLVED));
    let mut exec = event(Action::Exec, CHILD, "/usr/bin/make");
    processes.enrich(&mut exec);
    assert!(exec.flags.is_empty());
    assert!(opened(&mut processes, CHILD, "/f").1.is_empty());
}

/// A user's own mounts: whatever /proc says that its executable is.
#[test]
fn a_process_in_a_user_namespace_is_never_certain_to_be_a_program() {
    let mut processes = processes();
    // As if ours were the host's.
    processes.host = HostNamespaces::of_another_host();
    let own = std::process::id();
    let (_, flags) = opened(&mut processes, own, "/f");
    assert!(flags.contains(Flags::USER_NAMESPACE.union(Flags::EXECUTABLE_UNRESOLVED)));
}

/// /proc told of a later executable than that of the event.
#[test]
fn an_event_older_than_the_look_at_proc_has_a_doubtful_executable() {
    let mut processes = Processes::new(|| 100).unwrap();
    let own = std::process::id();
    for (time_ns, in_doubt) in [(99, true), (100, false)] {
        let mut exit = event(Action::Open, own, "/f");
        exit.time_ns = time_ns;
        processes.enrich(&mut exit);
        assert_eq!(exit.flags.contains(Flags::EXECUTABLE_UNRESOLVED), in_doubt);
    }
    // Nor does a child get it from a parent that was looked at after the fork.
    let mut fork = event(Action::Fork, CHILD, "");
    (fork.ppid, fork.time_ns) = (Some(own), 99);
    processes.enrich(&mut fork);
    assert!(processes.table.get(&CHILD).is_none());
}

#[test]
fn the_parent_of_a_clone_parent_is_the_callers() {
    let mut processes = with_shell("/");
    assert_eq!(fork_with(&mut processes, CLONE_PARENT).ppid, Some(1));
    assert_eq!(fork(&mut processes).ppid, Some(SHELL));
}

#[test]
fn only_a_unix_sockets_name_is_a_path() {
    let mut processes = with_shell("/run");
    let mut connect = event(Action::Connect, SHELL, "s");
    connect.peer = Some(Endpoint::Unix);
    processes.enrich(&mut connect);
    assert_eq!(&connect.path[..], b"/run/s");
    let mut connect = event(Action::Connect, SHELL, "\0abstract");
    connect.peer = Some(Endpoint::Unix);
    processes.enrich(&mut connect);
    assert_eq!(&connect.path[..], b"\0abstract");
    assert!(connect.flags.is_empty());
}

/// A user who keeps as many processes as there are places must not hide others.
#[test]
fn in_a_full_table_the_newcomer_has_a_place() {
    for places in [16, PROCESSES] {
        let capacity = Capacity { processes: places, ..Capacity::default() };
        let mut processes = Processes::with_capacity(|| 0, capacity).unwrap();
        let mut entry = shell(&mut processes, "/");
        (entry.executable, entry.place.directory) = (None, None);
        for n in 0..places as u32 {
            processes.insert(SHELL + n, entry);
        }
        assert_eq!((processes.table.len(), processes.take_unplaced()), (places, 0));
        let own = std::process::id();
        assert!(processes.known(own).is_some());
        assert!(processes.table.get(&own).is_some());
        assert_eq!((processes.table.len(), processes.take_unplaced()), (places, 1));
    }
}

/// Two threads that end at once may both find that none is left.
#[test]
fn an_end_that_is_told_twice_is_known() {
    let mut processes = with_shell("/");
    fork(&mut processes);
    let exit = event(Action::Exit, CHILD, "");
    assert!(!processes.is_told_twice(&exit));
    processes.enrich(&mut exit.clone());
    assert!(processes.is_told_twice(&exit));
    assert!(!processes.is_told_twice(&event(Action::Open, CHILD, "/f")));
    // Another process of this number.
    fork(&mut processes);
    assert!(!processes.is_told_twice(&exit));
    for n in 0..=crate::limits::PROCESSES_ENDED as u32 {
        processes.enrich(&mut event(Action::Exit, CHILD + n, ""));
    }
    assert!(!processes.is_told_twice(&exit));
}

#[test]
fn every_string_is_given_back() {
    let mut processes = with_shell("/home/u");
    fork(&mut processes);
    processes.enrich(&mut event(Action::Exec, CHILD, "/bin/true"));
    chdir(&mut processes, CHILD, "/tmp");
    fork_with(&mut processes, CLONE_FS);
    chdir(&mut processes, SHELL, "/tmp/a");
    let mut unshare = event(Action::Open, SHELL, "");
    unshare.call_flags = Some(CLONE_NEWNS);
    processes.relocate(Relocation::Namespaces, &mut unshare);
    processes.enrich(&mut event(Action::Exec, SHELL, "/bin/true"));
    processes.enrich(&mut event(Action::Exit, CHILD, ""));
    processes.forget();
    // As many places are free as there are.
    for n in 0..crate::limits::PROCESS_STRINGS {
        assert!(processes.strings.hold(format!("/{n}").as_bytes()).is_some());
    }
}
