use super::*;

/// No process has a pid this large: /proc knows nothing of them.
const SHELL: u32 = 5_000_001;
const CHILD: u32 = 5_000_002;

fn processes() -> Processes {
    Processes::new(|| 0).unwrap()
}

fn event(action: Action, pid: u32, path: &str) -> Event {
    let mut event = Event::new();
    (event.action, event.pid, event.ret) = (action, pid, Some(0));
    event.path.extend_from_slice(path.as_bytes()).unwrap();
    event
}

/// A table with a shell in a directory that the kernel spelled.
fn with_shell(directory: &str) -> Processes {
    let mut processes = processes();
    let executable = processes.strings.hold(b"/bin/sh");
    let directory = processes.strings.hold(directory.as_bytes());
    let shell =
        Process { ppid: Some(1), executable, directory, canonical: true, directory_since_ns: 0 };
    processes.insert(SHELL, shell);
    processes
}

fn fork(processes: &mut Processes) -> Event {
    let mut fork = event(Action::Fork, CHILD, "");
    fork.ppid = Some(SHELL);
    processes.enrich(&mut fork);
    fork
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
fn directories_are_followed_and_inherited() {
    let mut processes = with_shell("/home/u");
    processes.change_directory(&mut event(Action::Open, SHELL, "src"));
    fork(&mut processes);
    processes.change_directory(&mut event(Action::Open, SHELL, "/tmp"));
    let (mut child, mut shell) = (event(Action::Open, CHILD, "f"), event(Action::Open, SHELL, "f"));
    processes.enrich(&mut child);
    processes.enrich(&mut shell);
    assert_eq!(&child.path[..], b"/home/u/src/f");
    assert_eq!(&shell.path[..], b"/tmp/f");
    // `src` may be a symbolic link: its parent is not known by its text.
    let mut above = event(Action::Open, CHILD, "../f");
    processes.enrich(&mut above);
    assert_eq!(&above.path[..], b"/home/u/src/../f");
    assert!(above.flags.contains(Flags::PATH_UNRESOLVED));
}

#[test]
fn a_name_whose_directory_is_not_known_stays_relative_and_says_so() {
    let mut processes = with_shell("/home/u");
    // fchdir to a descriptor that cannot be asked for any more.
    let mut fchdir = event(Action::Open, SHELL, "");
    fchdir.dirfd = 7;
    processes.change_directory(&mut fchdir);
    let mut open = event(Action::Open, SHELL, "f");
    processes.enrich(&mut open);
    assert_eq!(&open.path[..], b"f");
    assert!(open.flags.contains(Flags::PATH_RELATIVE));
    let mut unknown = event(Action::Rename, CHILD, "new");
    unknown.from.extend_from_slice(b"/old").unwrap();
    processes.enrich(&mut unknown);
    assert_eq!((&unknown.path[..], &unknown.from[..]), (&b"new"[..], &b"/old"[..]));
    assert!(unknown.flags.contains(Flags::PATH_RELATIVE));
    assert!(!unknown.flags.contains(Flags::FROM_RELATIVE));
}

/// What /proc said after an event may not have been so at the event.
#[test]
fn a_name_older_than_the_look_at_proc_is_marked() {
    let mut processes = Processes::new(|| 100).unwrap();
    let own = std::process::id();
    processes.enrich(&mut event(Action::Open, own, "/x"));
    for (time_ns, unresolved) in [(99, true), (100, false)] {
        let mut open = event(Action::Open, own, "f");
        open.time_ns = time_ns;
        processes.enrich(&mut open);
        let mut expected = std::env::current_dir().unwrap();
        expected.push("f");
        assert_eq!(&open.path[..], expected.as_os_str().as_encoded_bytes());
        assert_eq!(open.flags.contains(Flags::PATH_UNRESOLVED), unresolved);
    }
    // A change that /proc already showed is not applied twice.
    let mut chdir = event(Action::Open, own, "sub");
    chdir.time_ns = 99;
    processes.change_directory(&mut chdir);
    let mut open = event(Action::Open, own, "f");
    open.time_ns = 100;
    processes.enrich(&mut open);
    assert!(!open.path.ends_with(b"sub/f"));
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

#[test]
fn a_full_table_makes_room_from_the_dead_and_counts_the_rest() {
    let mut processes = processes();
    let entry = Process {
        ppid: None,
        executable: None,
        directory: None,
        canonical: false,
        directory_since_ns: 0,
    };
    for n in 0..PROCESSES as u32 {
        processes.insert(SHELL + n, entry);
    }
    let own = std::process::id();
    assert!(processes.known(own).is_some());
    assert_eq!((processes.table.len(), processes.take_unplaced()), (1, 0));
    // Full again within the same second: it is not searched again.
    for n in 0..PROCESSES as u32 {
        processes.insert(SHELL + n, entry);
    }
    assert_eq!((processes.table.len(), processes.take_unplaced()), (PROCESSES, 1));
}

#[test]
fn every_string_is_given_back() {
    let mut processes = with_shell("/home/u");
    fork(&mut processes);
    processes.enrich(&mut event(Action::Exec, CHILD, "/bin/true"));
    processes.change_directory(&mut event(Action::Open, CHILD, "/tmp"));
    processes.enrich(&mut event(Action::Exit, CHILD, ""));
    processes.forget();
    // As many places are free as there are.
    for n in 0..crate::limits::PROCESS_STRINGS {
        assert!(processes.strings.hold(format!("/{n}").as_bytes()).is_some());
    }
}
