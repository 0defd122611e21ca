//! Who logged in, and in which session a process is.

use super::*;

const LATER_NS: u64 = 20_000_000_000;
/// What nobody has: it is in the table until that is looked up again.
const STALE: Option<u32> = Some(7_654_321);

fn at(processes: &mut Processes, action: Action, pid: u32, path: &str, ms: u64) -> Event {
    let mut event = event(action, pid, path);
    (event.tid, event.time_ns) = (pid, LATER_NS + ms * 1_000_000);
    event.call_flags = Some(libc::O_WRONLY as u32);
    processes.enrich(&mut event);
    event
}

/// This process, with a login uid that it does not have.
fn with_own() -> (Processes, u32) {
    let mut processes = processes();
    let own = std::process::id();
    processes.known(own);
    spoil(&mut processes, own);
    (processes, own)
}

fn spoil(processes: &mut Processes, pid: u32) {
    processes.table.get_mut(&pid).unwrap().lineage.sessions.login_uid = STALE;
}

/// Whether an event of it has what /proc says, not what the table had.
fn is_looked_up(processes: &mut Processes, pid: u32, ms: u64) -> bool {
    at(processes, Action::Unlink, pid, "/f", ms).lineage.login_uid != STALE
}

#[test]
fn a_session_is_inherited_until_one_is_begun() {
    let mut processes = with_shell("/");
    let shell = processes.table.get_mut(&SHELL).unwrap();
    shell.lineage.sessions.lead(SHELL, Some(1_000));
    let session = |event: &Event| (event.lineage.session, event.lineage.session_start);
    let of_shell = (Some(SHELL), Some(1_000));
    assert_eq!(session(&fork(&mut processes)), of_shell);
    let mut setsid = event(Action::Setsid, CHILD, "");
    setsid.ret = Some(-1);
    processes.enrich(&mut setsid);
    assert_eq!(session(&at(&mut processes, Action::Open, CHILD, "/f", 0)), of_shell);
    // The result is a number in the caller's pid namespace.
    setsid.ret = Some(2);
    processes.enrich(&mut setsid);
    assert_eq!(session(&setsid), of_shell, "that which it leaves");
    let start = processes.table[&CHILD].start;
    let exit = at(&mut processes, Action::Exit, CHILD, "", 0);
    assert_eq!(session(&exit), (Some(CHILD), start));
}

#[test]
fn a_process_that_is_found_has_what_proc_says() {
    let (mut processes, own) = with_own();
    processes.remove(own);
    let event = at(&mut processes, Action::Unlink, own, "/f", 0);
    let session = Some(own_session()).filter(|session| *session != 0);
    assert_eq!(event.lineage.session, session);
    let uid = std::fs::read_to_string("/proc/self/loginuid").ok();
    let uid = uid.and_then(|text| text.parse().ok()).filter(|uid| *uid != u32::MAX);
    assert_eq!(event.lineage.login_uid, uid);
}

#[test]
fn a_login_uid_is_looked_up_from_its_opening_to_an_exec() {
    let (mut processes, own) = with_own();
    assert!(!is_looked_up(&mut processes, own, 0));
    // An attempt, and another file.
    let mut vain = event(Action::Open, own, "/proc/self/loginuid");
    (vain.tid, vain.ret, vain.time_ns) = (own, Some(-13), LATER_NS);
    processes.enrich(&mut vain);
    at(&mut processes, Action::Open, own, "/srv/loginuid.txt", 0);
    assert!(!is_looked_up(&mut processes, own, 1));
    at(&mut processes, Action::Open, own, "/proc/self/loginuid", 2);
    assert!(is_looked_up(&mut processes, own, 3));
    // Not for each of its events.
    spoil(&mut processes, own);
    assert!(!is_looked_up(&mut processes, own, 102));
    assert!(is_looked_up(&mut processes, own, 103));
    spoil(&mut processes, own);
    let exec = at(&mut processes, Action::Exec, own, "/bin/true", 104);
    assert_ne!(exec.lineage.login_uid, STALE);
    spoil(&mut processes, own);
    assert!(!is_looked_up(&mut processes, own, 1_000));
}

#[test]
fn what_is_not_told_of_an_excluded_process_is_looked_up() {
    let (mut processes, own) = with_own();
    processes.doubt_sessions(own);
    assert!(is_looked_up(&mut processes, own, 0));
}

/// The opening may be among what was lost.
#[test]
fn a_login_uid_is_looked_up_once_after_a_loss() {
    let (mut processes, own) = with_own();
    processes.forget_places();
    assert!(!is_looked_up(&mut processes, own, 0), "before it hands on anything");
    let forked = |processes: &mut Processes| {
        let mut fork = event(Action::Fork, CHILD, "");
        (fork.ppid, fork.call_flags, fork.time_ns) = (Some(own), Some(0), LATER_NS);
        processes.enrich(&mut fork);
        fork.lineage.login_uid
    };
    assert_ne!(forked(&mut processes), STALE);
    spoil(&mut processes, own);
    assert_eq!(forked(&mut processes), STALE);
}

#[test]
fn who_is_gone_keeps_what_it_had() {
    let mut processes = with_shell("/");
    spoil(&mut processes, SHELL);
    fork(&mut processes);
    processes.doubt_sessions(CHILD);
    assert!(!is_looked_up(&mut processes, CHILD, 0));
    let exec = at(&mut processes, Action::Exec, CHILD, "/bin/true", 1);
    assert_eq!(exec.lineage.login_uid, STALE);
}
