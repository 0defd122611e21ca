//! Names that start at what a descriptor is open on.

use super::*;
use crate::event::{AT_EMPTY_PATH, Tree};
use std::os::fd::AsRawFd;

/// An open of `name` from a descriptor that was seen to lead to `directory`.
fn opened_from(processes: &mut Processes, directory: &str, tree: Tree, name: &str) -> Event {
    let mut open = event(Action::Open, SHELL, name);
    open.dirfd = 7;
    open.opened.path.extend_from_slice(directory.as_bytes()).unwrap();
    open.opened.tree = Some(tree);
    processes.enrich(&mut open);
    open
}

#[test]
fn a_name_from_a_descriptor_starts_at_what_that_was_seen_to_be() {
    let mut processes = with_shell("/home/u");
    for (name, path) in [("f", "/d/e/f"), ("", "/d/e"), (".", "/d/e"), ("/f", "/f")] {
        let mut open = event(Action::Chmod, SHELL, name);
        (open.dirfd, open.by_descriptor) = (7, name.is_empty());
        open.opened.path.extend_from_slice(b"/d/e").unwrap();
        open.opened.tree = Some(Tree::Host);
        processes.enrich(&mut open);
        assert_eq!((&open.path[..], open.flags), (path.as_bytes(), Flags(0)), "{name}");
    }
    // The call may have moved the directory.
    let open = opened_from(&mut processes, "/d/e", Tree::Host, "../f");
    assert_eq!((&open.path[..], open.flags), (&b"/d/f"[..], Flags::PATH_UNRESOLVED));
    // Behind a name that may be a link, as everywhere.
    let open = opened_from(&mut processes, "/d", Tree::Host, "link/../f");
    assert_eq!((&open.path[..], open.flags), (&b"/d/link/../f"[..], Flags::PATH_UNRESOLVED));
    let mut rename = event(Action::Rename, SHELL, "new");
    rename.from.extend_from_slice(b"old").unwrap();
    (rename.dirfd, rename.from_dirfd) = (7, 8);
    for (opened, path) in [(&mut rename.opened, "/"), (&mut rename.from_opened, "/d")] {
        opened.path.extend_from_slice(path.as_bytes()).unwrap();
        opened.tree = Some(Tree::Host);
    }
    processes.enrich(&mut rename);
    assert_eq!((&rename.path[..], &rename.from[..]), (&b"/new"[..], &b"/d/old"[..]));
    assert!(rename.flags.is_empty());
    // The name that a file had is its descriptor's; what a symbolic link leads to is as it was given.
    for (action, call_flags, old, new) in [
        (Action::Link, Some(AT_EMPTY_PATH), "", "/d"),
        (Action::Link, Some(0), "a", "/d/a"),
        (Action::Symlink, None, "a", "a"),
        (Action::Setxattr, None, "user.a", "user.a"),
    ] {
        let mut link = event(action, SHELL, "/l");
        link.from.extend_from_slice(old.as_bytes()).unwrap();
        (link.from_dirfd, link.call_flags) = (8, call_flags);
        link.from_opened.path.extend_from_slice(b"/d").unwrap();
        link.from_opened.tree = Some(Tree::Host);
        processes.enrich(&mut link);
        assert_eq!((&link.from[..], link.flags), (new.as_bytes(), Flags(0)), "{action:?}");
    }
    // Also of a process that is not known any more.
    let mut open = opened_from(&mut processes, "/d", Tree::Host, "");
    processes.forget();
    open.path.clear();
    open.path.extend_from_slice(b"f").unwrap();
    processes.enrich(&mut open);
    assert_eq!((&open.path[..], open.flags), (&b"/d/f"[..], Flags(0)));
}

/// Any user can mount anything in a namespace, and hand its descriptors to others.
#[test]
fn a_descriptor_of_other_mounts_is_certain_only_where_nothing_is_taken_for_the_hosts() {
    let unresolved = Flags::PATH_UNRESOLVED;
    let namespaces = Relocation::Namespaces;
    let users = Flags::OTHER_ROOT.union(Flags::USER_NAMESPACE);
    for (relocation, clone_flags, other, host) in [
        (namespaces, CLONE_FS, unresolved, Flags(0)),
        (namespaces, CLONE_NEWNS, Flags::OTHER_MOUNTS.union(unresolved), Flags::OTHER_MOUNTS),
        (namespaces, CLONE_NEWUSER, users, users),
        (Relocation::Root, 0, Flags::OTHER_ROOT, Flags::OTHER_ROOT),
    ] {
        let mut processes = with_shell("/home/u");
        let mut call = event(Action::Open, SHELL, "/jail");
        call.call_flags = Some(clone_flags);
        processes.relocate(relocation, &mut call);
        for (tree, flags) in [(Tree::Other, other), (Tree::Host, host)] {
            let open = opened_from(&mut processes, "/d", tree, "f");
            assert_eq!((&open.path[..], open.flags), (&b"/d/f"[..], flags), "{clone_flags:x}");
        }
    }
}

#[test]
fn a_descriptor_that_was_seen_becomes_the_working_directory() {
    for (tree, path, flags) in [
        (Tree::Host, "/d/f", Flags(0)),
        // As if it had not been seen.
        (Tree::Other, "../f", Flags::PATH_RELATIVE),
        (Tree::Doubtful, "../f", Flags::PATH_RELATIVE),
    ] {
        let mut processes = with_shell("/home/u");
        let mut fchdir = event(Action::Open, SHELL, "");
        fchdir.dirfd = 7;
        fchdir.opened.path.extend_from_slice(b"/d/e").unwrap();
        fchdir.opened.tree = Some(tree);
        processes.relocate(Relocation::Directory, &mut fchdir);
        assert_eq!(opened(&mut processes, SHELL, "../f"), (path.into(), flags));
    }
}

/// Nothing says where it is, also not to those who have another root; and what /proc calls the root
/// directory is none if the kernel part saw no way from it.
#[test]
fn a_doubtful_way_is_never_certain() {
    let mut processes = with_shell("/home/u");
    processes.relocate(Relocation::Root, &mut event(Action::Open, SHELL, "/jail"));
    let open = opened_from(&mut processes, "/etc", Tree::Doubtful, "shadow");
    let marks = Flags::OTHER_ROOT.union(Flags::PATH_UNRESOLVED);
    assert_eq!((&open.path[..], open.flags), (&b"/etc/shadow"[..], marks));
    let root = std::fs::File::open("/").unwrap();
    for (action, path) in [(Action::Open, &b""[..]), (Action::Chmod, b"/")] {
        let mut call = event(action, std::process::id(), "");
        (call.by_descriptor, call.dirfd) = (true, root.as_raw_fd());
        processes.enrich(&mut call);
        assert_eq!((&call.path[..], call.flags), (path, Flags::PATH_UNRESOLVED), "{action:?}");
    }
}
