//! Who made a process, and what it has from there.

use super::*;
use crate::event::{AT_FDCWD, Runtime};

/// In the middle of the hundredth 2,000.
const LATER_NS: u64 = 20_005_000_000;
const GRANDCHILD: u32 = 5_000_003;

/// An event of a process, told by what it is about.
fn told(processes: &mut Processes, action: Action, pid: u32, path: &str) -> Event {
    let mut event = event(action, pid, path);
    (event.tid, event.time_ns, event.dirfd) = (pid, LATER_NS, AT_FDCWD);
    processes.enrich(&mut event);
    event
}

fn forked(processes: &mut Processes, parent: u32, pid: u32, clone_flags: u32) -> Event {
    let mut fork = event(Action::Fork, pid, "");
    (fork.ppid, fork.time_ns, fork.call_flags) = (Some(parent), LATER_NS, Some(clone_flags));
    processes.enrich(&mut fork);
    fork
}

fn parent(event: &Event) -> (Option<u32>, Option<u64>, &str) {
    let executable = std::str::from_utf8(&event.lineage.parent_executable).unwrap();
    (event.ppid, event.lineage.parent_start, executable)
}

#[test]
fn a_parent_is_who_forked_whatever_becomes_of_it() {
    let mut processes = with_shell("/");
    let fork = forked(&mut processes, SHELL, CHILD, 0);
    assert_eq!(fork.start, Some(2_000));
    let of_shell = (Some(SHELL), Some(1_000), "/bin/sh");
    assert_eq!(parent(&fork), of_shell);
    told(&mut processes, Action::Exec, CHILD, "/bin/make");
    forked(&mut processes, CHILD, GRANDCHILD, 0);
    told(&mut processes, Action::Exec, SHELL, "/bin/other");
    told(&mut processes, Action::Exit, SHELL, "");
    for (pid, expected) in
        [(CHILD, of_shell), (GRANDCHILD, (Some(CHILD), Some(2_000), "/bin/make"))]
    {
        for action in [Action::Open, Action::Exec, Action::Exit] {
            let event = told(&mut processes, action, pid, "/f");
            assert_eq!((event.start, parent(&event)), (Some(2_000), expected), "{action:?}");
        }
    }
}

#[test]
fn a_sibling_has_the_same_parent() {
    let mut processes = with_shell("/");
    forked(&mut processes, SHELL, CHILD, 0);
    told(&mut processes, Action::Exec, CHILD, "/bin/make");
    let sibling = forked(&mut processes, CHILD, GRANDCHILD, CLONE_PARENT);
    assert_eq!(parent(&sibling), (Some(SHELL), Some(1_000), "/bin/sh"));
    assert_eq!(&sibling.executable[..], b"/bin/make");
}

#[test]
fn a_process_older_than_the_table_is_as_proc_says() {
    let mut processes = processes();
    let proc = Proc::open().unwrap();
    let own = std::process::id();
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let event = told(&mut processes, Action::Open, child.id(), "/f");
    let start = |pid| proc.stat(pid).map(|stat| stat.start);
    let starts = (start(child.id()), start(own));
    child.kill().unwrap();
    child.wait().unwrap();
    let executable = std::env::current_exe().unwrap();
    assert_eq!(event.start, starts.0);
    assert_eq!(parent(&event), (Some(own), starts.1, executable.to_str().unwrap()));
}

/// Its id was another's before.
#[test]
fn a_parent_that_began_later_is_none() {
    let mut processes = processes();
    let own = std::process::id();
    processes.known(own);
    let lineage = processes.read_lineage(own, 0);
    assert!(lineage.parent_start.is_none() && lineage.parent_executable.is_none());
}

/// Every string that is held is given back once.
#[test]
fn an_end_gives_back_what_a_lineage_holds() {
    let mut processes = with_shell("/");
    forked(&mut processes, SHELL, CHILD, 0);
    forked(&mut processes, CHILD, GRANDCHILD, CLONE_PARENT);
    told(&mut processes, Action::Exec, CHILD, "/bin/make");
    for pid in [SHELL, CHILD, GRANDCHILD] {
        told(&mut processes, Action::Exit, pid, "");
    }
    assert_eq!(processes.strings.free(), crate::limits::PROCESS_STRINGS);
}

/// It has the container of who made it, until it may be in one of its own.
#[test]
fn a_container_is_inherited_and_looked_for_again_in_other_namespaces() {
    let mut processes = with_shell("/");
    let id = processes.strings.hold(b"4f797c539e6c");
    let shell = processes.table.get_mut(&SHELL).unwrap();
    shell.place.view = View::OtherRoot;
    shell.lineage = Lineage {
        container: id,
        runtime: Some(Runtime::Docker),
        is_looked_at: true,
        ..Lineage::default()
    };
    let contained = |processes: &Processes, pid| processes.table[&pid].lineage.is_looked_at;
    for (clone_flags, expected) in [(0, true), (CLONE_PARENT, true), (CLONE_NEWUSER, false)] {
        let fork = forked(&mut processes, SHELL, CHILD, clone_flags);
        assert_eq!(&fork.lineage.container[..], b"4f797c539e6c");
        assert_eq!(fork.lineage.runtime, Some(Runtime::Docker));
        assert_eq!(contained(&processes, CHILD), expected, "{clone_flags:#x}");
    }
    let mut setns = event(Action::Setns, SHELL, "");
    setns.call_flags = Some(CLONE_NEWNS);
    processes.relocate(Relocation::Namespaces, &mut setns);
    assert!(!contained(&processes, SHELL));
    // It is gone: what is known stays.
    let exec = told(&mut processes, Action::Exec, SHELL, "/bin/true");
    assert_eq!(&exec.lineage.container[..], b"4f797c539e6c");
    for pid in [SHELL, CHILD] {
        told(&mut processes, Action::Exit, pid, "");
    }
    assert_eq!(processes.strings.free(), crate::limits::PROCESS_STRINGS);
}

/// What sees the host's files is in no container, whatever its cgroup is called.
#[test]
fn the_cgroup_of_a_process_of_the_host_is_not_looked_at() {
    let mut processes = processes();
    let own = std::process::id();
    for (view, looked_at) in [(View::Host, false), (View::OtherMounts, true)] {
        let mut lineage = Lineage::default();
        processes.find_container(own, view, &mut lineage);
        assert_eq!(lineage.is_looked_at, looked_at, "{view:?}");
    }
}
