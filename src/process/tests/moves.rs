//! Changes of the working directory: those that are told, and those that are not.

use super::*;
use crate::limits::PROCESS_STRINGS;
use fastrand::Rng;

fn move_at(processes: &mut Processes, relocation: Relocation, path: &str, time_ns: u64) {
    let mut chdir = event(Action::Open, std::process::id(), path);
    (chdir.time_ns, chdir.entered_ns) = (time_ns, time_ns - 1);
    processes.relocate(relocation, &mut chdir);
}

/// The path that an open of our own comes out with, and whether it may be wrong.
fn open_at(processes: &mut Processes, path: &str, time_ns: u64) -> (String, bool) {
    let mut open = event(Action::Open, std::process::id(), path);
    (open.time_ns, open.entered_ns) = (time_ns, time_ns - 1);
    processes.enrich(&mut open);
    let path = String::from_utf8(open.path.to_vec()).unwrap();
    (path, open.flags.contains(Flags::PATH_UNRESOLVED))
}

fn own_f() -> String {
    std::env::current_dir().unwrap().join("f").to_str().unwrap().to_owned()
}

/// Our own process, looked up at 100.
fn with_own() -> Processes {
    let mut processes = Processes::new(|| 100).unwrap();
    processes.enrich(&mut event(Action::Open, std::process::id(), "/x"));
    processes
}

/// Within the window a look at /proc shows where it was for a moment.
#[test]
fn a_process_that_moves_unseen_is_nowhere_for_certain() {
    let (mut processes, f) = (with_own(), own_f());
    assert_eq!(open_at(&mut processes, "f", 150), (f.clone(), false));
    move_at(&mut processes, Relocation::Unseen, "/srv", 200);
    for _ in 0..2 {
        assert_eq!(open_at(&mut processes, "f", 300), (f.clone(), true));
    }
    assert_eq!(open_at(&mut processes, "/f", 300), ("/f".into(), false));
    let mut exec = event(Action::Exec, std::process::id(), "/bin/true");
    exec.time_ns = 300;
    processes.enrich(&mut exec);
    assert!(exec.working_directory.is_empty());
    // The window has passed.
    processes.now_ns = || 201 + MOVES_UNSEEN_NS;
    assert_eq!(open_at(&mut processes, "f", 202 + MOVES_UNSEEN_NS), (f.clone(), false));
    // What is told within it may be overtaken by what is not; what is told later is known.
    move_at(&mut processes, Relocation::Unseen, "/srv", 300 + MOVES_UNSEEN_NS);
    move_at(&mut processes, Relocation::Directory, "/srv", 400 + MOVES_UNSEEN_NS);
    assert_eq!(open_at(&mut processes, "f", 500 + MOVES_UNSEEN_NS), (f, true));
    move_at(&mut processes, Relocation::Directory, "/srv", 302 + 2 * MOVES_UNSEEN_NS);
    assert_eq!(open_at(&mut processes, "f", 400 + 2 * MOVES_UNSEEN_NS), ("/srv/f".into(), false));
}

/// One that uses no relative name is looked at too.
#[test]
fn a_process_has_a_directory_again_once_its_window_has_passed() {
    let mut processes = with_own();
    move_at(&mut processes, Relocation::Unseen, "/srv", 200);
    processes.now_ns = || 201 + MOVES_UNSEEN_NS;
    let mut exec = event(Action::Exec, std::process::id(), "/bin/true");
    for time_ns in [202, 203] {
        exec.time_ns = time_ns + MOVES_UNSEEN_NS;
        exec.working_directory.clear();
        processes.enrich(&mut exec);
    }
    let here = std::env::current_dir().unwrap();
    assert_eq!(&exec.working_directory[..], here.as_os_str().as_encoded_bytes());
}

/// The kernel part leaves out its moves still.
#[test]
fn a_process_that_is_forgotten_moves_unseen_still() {
    let mut processes = with_own();
    move_at(&mut processes, Relocation::Unseen, "/srv", 200);
    processes.remove(std::process::id());
    assert_eq!(open_at(&mut processes, "f", 300), (own_f(), true));
    // Whether one was told is not known.
    let mut processes = with_own();
    processes.forget();
    assert_eq!(open_at(&mut processes, "f", 300), (own_f(), true));
    processes.now_ns = || 100 + MOVES_UNSEEN_NS;
    assert_eq!(open_at(&mut processes, "f", 300 + MOVES_UNSEEN_NS), (own_f(), false));
}

#[test]
fn a_process_that_is_forgotten_shares_its_directory_still() {
    let own = std::process::id();
    let mut processes = with_own();
    processes.table.get_mut(&own).unwrap().sharing = Sharing::Processes;
    let mut entry = shell(&mut processes, "/");
    (entry.executable, entry.place.directory) = (None, None);
    for n in 0..2 * PROCESSES as u32 {
        processes.insert(SHELL + n, entry);
    }
    assert!(!processes.table.contains_key(&own));
    assert_eq!(open_at(&mut processes, "f", 300), (own_f(), true));
    // Its number is another one's.
    processes.enrich(&mut event(Action::Exit, own, ""));
    assert_eq!(open_at(&mut processes, "f", 300), (own_f(), false));
}

/// Each thread is told when its call returns; which of two took effect last is not.
#[test]
fn a_process_is_nowhere_for_certain_after_two_moves_at_a_time() {
    let place = |second_entered_ns, second_tid| {
        let mut processes = with_shell("/home/u");
        let mut move_to = |path, tid, entered_ns, time_ns| {
            let mut chdir = event(Action::Open, SHELL, path);
            (chdir.tid, chdir.entered_ns, chdir.time_ns) = (tid, entered_ns, time_ns);
            processes.relocate(Relocation::Directory, &mut chdir);
        };
        move_to("/tmp/a", 1, 100, 200);
        move_to("/tmp/b", second_tid, second_entered_ns, 300);
        opened(&mut processes, SHELL, "f").0
    };
    assert_eq!(place(201, 2), "/tmp/b/f");
    assert_eq!(place(150, 1), "/tmp/b/f", "one thread has one call at a time");
    assert_eq!(place(200, 2), "f");
}

/// A thread changes the directory while another one's call is under way.
#[test]
fn a_call_that_began_elsewhere_is_in_doubt() {
    let (mut processes, f) = (with_own(), own_f());
    let mut open = event(Action::Open, std::process::id(), "f");
    open.time_ns = 150;
    // Before the look at /proc; or it is not known when.
    for (entered_ns, in_doubt) in [(99, true), (0, true), (101, false)] {
        let mut open = open.clone();
        open.entered_ns = entered_ns;
        processes.enrich(&mut open);
        assert_eq!(&open.path[..], f.as_bytes());
        assert_eq!(open.flags.contains(Flags::PATH_UNRESOLVED), in_doubt, "{entered_ns}");
    }
    // It executes a program, and has the first thread's id by then.
    let mut processes = with_shell("/home/u");
    chdir(&mut processes, SHELL, "/usr/bin");
    let mut exec = event(Action::Exec, SHELL, "./make");
    exec.entered_ns = 0;
    processes.enrich(&mut exec);
    assert!(exec.flags.contains(Flags::PATH_UNRESOLVED.union(Flags::EXECUTABLE_UNRESOLVED)));
}

/// The kernel copies the directory first, then all that the process has in memory, then tells.
#[test]
fn a_child_that_was_made_meanwhile_has_the_directory_of_before_perhaps() {
    let child = |by, time_ns| {
        let mut processes = with_shell("/home/u");
        let mut chdir = event(Action::Open, SHELL, "/usr/bin");
        (chdir.tid, chdir.time_ns) = (7, 1_000_000_000);
        processes.relocate(Relocation::Directory, &mut chdir);
        let mut fork = event(Action::Fork, CHILD, "");
        (fork.ppid, fork.call_flags, fork.time_ns) = (Some(SHELL), Some(0), time_ns);
        fork.given = Some(Given::Process(by));
        processes.enrich(&mut fork);
        assert_eq!(fork.given, None, "it is not told");
        opened(&mut processes, CHILD, "f").0
    };
    assert_eq!(child(7, 1_000_000_001), "/usr/bin/f");
    assert_eq!(child(8, 1_000_000_001), "f");
    assert_eq!(child(8, 12_000_000_000), "/usr/bin/f");
}

#[test]
fn a_move_that_comes_late_tells_nothing() {
    let mut processes = with_own();
    move_at(&mut processes, Relocation::Unseen, "/srv", 200);
    move_at(&mut processes, Relocation::Directory, "/srv", 199);
    assert_eq!(open_at(&mut processes, "f", 300), (own_f(), true));
}

/// /proc shows where it led already.
#[test]
fn a_relative_move_from_nowhere_leads_nowhere() {
    let mut processes = with_own();
    move_at(&mut processes, Relocation::Unseen, "/srv", 200);
    processes.now_ns = || 201 + MOVES_UNSEEN_NS;
    move_at(&mut processes, Relocation::Directory, "sub", 300 + MOVES_UNSEEN_NS);
    assert_eq!(open_at(&mut processes, "f", 400 + MOVES_UNSEEN_NS), (own_f(), false));
}

/// Names are held once for all; one too many given back would be another one's name.
#[test]
fn names_are_given_back_as_often_as_they_are_held() {
    let own = std::process::id();
    let mut rng = Rng::with_seed(9);
    for _ in 0..50 {
        let mut processes = with_own();
        for step in 0..40 {
            let time_ns = 200 + 10 * step;
            let path = ["/tmp/a", "/tmp/a", "/tmp/b", ".", "sub", "..", ""][rng.usize(..7)];
            let relocation = match rng.u8(..8) {
                0 => Relocation::Unseen,
                1 => Relocation::Namespaces,
                2 => Relocation::Root,
                3 => {
                    open_at(&mut processes, "f", time_ns);
                    continue;
                }
                4 => {
                    processes.forget_places();
                    continue;
                }
                _ => Relocation::Directory,
            };
            let time_ns = time_ns - rng.u64(..30);
            let mut chdir = event(Action::Open, own, path);
            (chdir.tid, chdir.time_ns) = (rng.u32(..2), time_ns);
            chdir.entered_ns = time_ns - rng.u64(..30);
            processes.relocate(relocation, &mut chdir);
            if rng.bool() {
                let mut fork = event(Action::Fork, CHILD, "");
                (fork.ppid, fork.call_flags, fork.time_ns) = (Some(own), Some(0), time_ns);
                processes.enrich(&mut fork);
                processes.enrich(&mut event(Action::Exec, CHILD, "./prog"));
            }
        }
        processes.remove(own);
        let held = PROCESS_STRINGS - processes.strings.free();
        let others: Vec<u32> = processes.table.keys().copied().collect();
        others.into_iter().for_each(|pid| processes.remove(pid));
        assert_eq!(processes.strings.free(), PROCESS_STRINGS, "{held} held by others before");
        assert_eq!(processes.take_unplaced(), 0);
    }
}
