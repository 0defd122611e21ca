//! Where names start, and how far that can be trusted.

use super::*;

#[test]
fn directories_are_followed_and_inherited() {
    let mut processes = with_shell("/home/u");
    chdir(&mut processes, SHELL, "src");
    fork(&mut processes);
    chdir(&mut processes, SHELL, "/tmp");
    assert_eq!(opened(&mut processes, CHILD, "f"), ("/home/u/src/f".into(), Flags(0)));
    assert_eq!(opened(&mut processes, SHELL, "f"), ("/tmp/f".into(), Flags(0)));
    // `src` may be a symbolic link: its parent is not known by its text.
    let above = opened(&mut processes, CHILD, "../f");
    assert_eq!(above, ("/home/u/src/../f".into(), Flags::PATH_UNRESOLVED));
    // Nor is what lies below that parent.
    chdir(&mut processes, CHILD, "..");
    let there = opened(&mut processes, CHILD, "f");
    assert_eq!(there, ("/home/u/src/../f".into(), Flags::PATH_UNRESOLVED));
}

#[test]
fn a_name_whose_directory_is_not_known_stays_relative_and_says_so() {
    let mut processes = with_shell("/home/u");
    // fchdir to a descriptor that cannot be asked for any more.
    let mut fchdir = event(Action::Open, SHELL, "");
    fchdir.dirfd = 7;
    processes.relocate(Relocation::Directory, &mut fchdir);
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
    processes.relocate(Relocation::Directory, &mut chdir);
    let mut open = event(Action::Open, own, "f");
    open.time_ns = 100;
    processes.enrich(&mut open);
    assert!(!open.path.ends_with(b"sub/f"));
}

/// What any process can do to make a name mean something else.
#[test]
fn a_place_that_others_can_change_is_in_doubt() {
    let marked = |path: &str| (path.to_owned(), Flags::PATH_UNRESOLVED);
    // CLONE_FS: each of the two can change the other's directory.
    let mut processes = with_shell("/home/u");
    fork_with(&mut processes, CLONE_FS);
    for pid in [SHELL, CHILD] {
        assert_eq!(opened(&mut processes, pid, "f"), marked("/home/u/f"));
        assert_eq!(opened(&mut processes, pid, "/f"), ("/f".into(), Flags(0)));
    }
    processes.enrich(&mut event(Action::Exec, CHILD, "/bin/true"));
    assert_eq!(opened(&mut processes, CHILD, "f"), marked("/home/u/f"));
    // unshare(CLONE_FS): from now on each thread may have its own.
    let mut processes = with_shell("/home/u");
    let mut unshare = event(Action::Open, SHELL, "");
    unshare.call_flags = Some(CLONE_FS);
    processes.relocate(Relocation::Namespaces, &mut unshare);
    chdir(&mut processes, SHELL, "/tmp");
    assert_eq!(opened(&mut processes, SHELL, "f"), marked("/tmp/f"));
}

#[test]
fn names_of_another_root_are_marked() {
    let (root, mounts) = (Flags::OTHER_ROOT, Flags::OTHER_MOUNTS);
    let users = Flags::OTHER_ROOT.union(Flags::USER_NAMESPACE);
    let namespaces = Relocation::Namespaces;
    for (relocation, clone_flags, marks) in [
        (Relocation::Root, None, root),
        (namespaces, Some(CLONE_NEWNS), mounts),
        (namespaces, Some(CLONE_NEWUSER | CLONE_NEWNS), users),
        (namespaces, None, users),
        (namespaces, Some(CLONE_FS), Flags(0)),
    ] {
        let mut processes = with_shell("/home/u");
        let mut call = event(Action::Open, SHELL, "/jail");
        call.call_flags = clone_flags;
        processes.relocate(relocation, &mut call);
        fork(&mut processes);
        for pid in [SHELL, CHILD] {
            assert_eq!(opened(&mut processes, pid, "/f"), ("/f".into(), marks), "{relocation:?}");
        }
        // What is executed there may be anything, wherever its path points.
        let mut exec = event(Action::Exec, CHILD, "/usr/bin/make");
        processes.enrich(&mut exec);
        let unresolved = exec.flags.contains(Flags::EXECUTABLE_UNRESOLVED);
        assert_eq!(unresolved, marks == users);
    }
    let mut processes = with_shell("/home/u");
    fork_with(&mut processes, CLONE_NEWUSER);
    assert_eq!(opened(&mut processes, CHILD, "/f").1, users);
    assert_eq!(opened(&mut processes, SHELL, "/f").1, Flags(0));
}

#[test]
fn after_a_loss_a_place_that_cannot_be_asked_for_is_in_doubt() {
    let mut processes = with_shell("/home/u");
    processes.forget_places();
    assert_eq!(opened(&mut processes, SHELL, "/f"), ("/f".into(), Flags::PATH_UNRESOLVED));
    assert_eq!(opened(&mut processes, SHELL, "f"), ("f".into(), Flags::PATH_RELATIVE));
    // Who it is, is still known.
    let mut exit = event(Action::Exit, SHELL, "");
    processes.enrich(&mut exit);
    assert_eq!((&exit.executable[..], exit.flags), (&b"/bin/sh"[..], Flags(0)));
    // One that lives is where /proc says.
    let own = std::process::id();
    processes.known(own);
    processes.forget_places();
    let here = std::env::current_dir().unwrap().join("f").display().to_string();
    assert_eq!(opened(&mut processes, own, "f"), (here, Flags(0)));
}

#[test]
fn a_directory_too_long_for_the_table_is_asked_for() {
    let mut processes = processes();
    let own = std::process::id();
    processes.known(own);
    let process = processes.table.get_mut(&own).unwrap();
    // What a chdir to such a directory leaves.
    let directory = process.place.directory.take();
    processes.strings.give_back(directory);
    while processes.strings.hold(format!("/{}", processes.unplaced).as_bytes()).is_some() {
        processes.unplaced += 1;
    }
    let here = std::env::current_dir().unwrap().join("f").display().to_string();
    assert_eq!(opened(&mut processes, own, "f"), (here, Flags::PATH_UNRESOLVED));
}
