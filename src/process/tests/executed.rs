//! What is executed, where there is no file that has a name.

use super::*;

fn made_memfd(processes: &mut Processes, pid: u32, fd: i64, flags: u32) {
    let mut made = event(Action::MemfdCreate, pid, "");
    (made.ret, made.call_flags) = (Some(fd), Some(flags));
    processes.enrich(&mut made);
}

fn executed(processes: &mut Processes, pid: u32, path: &str) -> Event {
    let mut exec = event(Action::Exec, pid, path);
    processes.enrich(&mut exec);
    exec
}

/// It is gone before anybody can look.
#[test]
fn a_file_in_memory_is_known_by_its_descriptor() {
    const CLOSE_ON_EXEC: u32 = 1;
    let memfd = Some(ExecutableKind::Memfd);
    let mut processes = with_shell("/");
    made_memfd(&mut processes, SHELL, -24, 0);
    assert_eq!(executed(&mut processes, SHELL, "/dev/fd/3").executable_kind, None);
    made_memfd(&mut processes, SHELL, 3, 0);
    fork(&mut processes);
    let exec = executed(&mut processes, CHILD, "/dev/fd/3");
    assert_eq!((&exec.executable[..], exec.executable_kind), (&b"/dev/fd/3"[..], memfd));
    assert!(exec.flags.contains(Flags::EXECUTABLE_UNRESOLVED));
    let mut open = event(Action::Open, CHILD, "/f");
    processes.enrich(&mut open);
    assert_eq!(open.executable_kind, memfd, "so are its other events");
    // Its number, and another one; by the name of whoever has it.
    for (path, expected) in [
        ("/proc/self/fd/3", memfd),
        ("/proc/self/fd/4", None),
        ("/dev/fd/3", memfd),
        ("/proc/5000001/fd/3", memfd),
        ("/bin/true", None),
        ("/proc/self/exe", None),
    ] {
        let exec = executed(&mut processes, CHILD, path);
        assert_eq!(exec.executable_kind, expected, "{path}");
    }
    made_memfd(&mut processes, CHILD, 5, CLOSE_ON_EXEC);
    assert_eq!(executed(&mut processes, CHILD, "/dev/fd/5").executable_kind, memfd);
    assert_eq!(executed(&mut processes, CHILD, "/dev/fd/5").executable_kind, None);
}

#[test]
fn what_a_link_leads_to_is_looked_up_while_its_process_lives() {
    let mut processes = processes();
    let exec = executed(&mut processes, std::process::id(), "/proc/self/fd/3");
    let own = std::env::current_exe().unwrap();
    assert_eq!(&exec.executable[..], own.as_os_str().as_encoded_bytes());
    assert_eq!((&exec.path[..], exec.executable_kind), (&b"/proc/self/fd/3"[..], None));
    assert!(exec.flags.contains(Flags::EXECUTABLE_UNRESOLVED));
}

#[test]
fn an_exec_tells_where_it_is_executed_if_that_is_certain() {
    let mut processes = with_shell("/home/u");
    fork(&mut processes);
    let exec = executed(&mut processes, CHILD, "/bin/true");
    assert_eq!(&exec.working_directory[..], b"/home/u");
    chdir(&mut processes, CHILD, "src");
    assert_eq!(&executed(&mut processes, CHILD, "./x").working_directory[..], b"/home/u/src");
    // `src` may be a link.
    chdir(&mut processes, CHILD, "..");
    assert!(executed(&mut processes, CHILD, "/bin/true").working_directory.is_empty());
    // Another process may change it.
    let mut processes = with_shell("/home/u");
    fork_with(&mut processes, CLONE_FS);
    assert!(executed(&mut processes, CHILD, "/bin/true").working_directory.is_empty());
    // After a loss, until it is known again.
    processes.forget_places();
    assert!(executed(&mut processes, SHELL, "/bin/true").working_directory.is_empty());
}
