//! What every stage relies on.

use super::*;

/// The numbers are on the wire: changing one breaks every decoder in the field.
#[test]
fn action_and_loss_numbers_are_pinned() {
    let actions = Action::ALL.map(|a| (a as u8, a.name()));
    assert_eq!(
        actions,
        [
            (1, "exec"),
            (2, "fork"),
            (3, "exit"),
            (4, "setuid"),
            (5, "setgid"),
            (6, "setsid"),
            (7, "ptrace"),
            (8, "module_load"),
            (9, "module_unload"),
            (10, "bpf_load"),
            (11, "mount"),
            (12, "umount"),
            (13, "unshare"),
            (14, "setns"),
            (15, "memfd_create"),
            (16, "kexec_load"),
            (17, "clock_set"),
            (18, "io_uring"),
            (19, "kill"),
            (32, "open"),
            (33, "rename"),
            (34, "unlink"),
            (35, "rmdir"),
            (36, "link"),
            (37, "symlink"),
            (38, "mkdir"),
            (39, "mknod"),
            (40, "chmod"),
            (41, "chown"),
            (42, "truncate"),
            (43, "utime"),
            (44, "setxattr"),
            (64, "connect"),
            (65, "bind"),
            (66, "listen"),
            (67, "accept"),
            (68, "send"),
            (96, "loss"),
            (97, "heartbeat"),
            (98, "pause"),
            (99, "resume"),
            (100, "capability"),
        ]
    );
    assert_eq!(Class::ALL.map(|class| class as u8), [0, 1]);
    let places = LossPlace::ALL.map(|p| p as u8);
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    let runtimes = Runtime::ALL.map(|runtime| (runtime as u8, runtime.name()));
    assert_eq!(
        runtimes,
        [
            (1, "docker"),
            (2, "containerd"),
            (3, "cri-o"),
            (4, "podman"),
            (5, "lxc"),
            (6, "systemd-nspawn"),
        ]
    );
    let kinds = ExecutableKind::ALL.map(|kind| (kind as u8, kind.name()));
    assert_eq!(kinds, [(1, "memfd"), (2, "deleted")]);
    assert_eq!(Resumption::ALL.map(|why| why as u8), [1, 2, 3]);
}

#[test]
fn bits_have_names_and_unknown_bits_have_none() {
    let mut truncated = Truncated::default();
    truncated.insert(Truncated::ARGS);
    truncated.insert(Truncated(1 << 15));
    assert_eq!(truncated.names().collect::<Vec<_>>(), ["process.args"]);
}

#[test]
fn a_loss_record_is_worth_itself_and_what_it_counts() {
    let mut event = Event::new();
    event.action = Action::Exec;
    assert_eq!(event.if_lost(), 1);
    for (place, count, worth) in [
        (LossPlace::RingFull, 100, 101),
        (LossPlace::SyslogQueue, u64::MAX, u64::MAX),
        // The record itself: no event is behind it.
        (LossPlace::ProcessTable, 100, 1),
    ] {
        event.loss = Some(Loss { place, class: None, cpu: None, receiver: None, count });
        assert_eq!(event.if_lost(), worth, "{place:?}");
    }
}

#[test]
fn clear_leaves_a_new_event() {
    let mut event = Event::new();
    event.sequence = 7;
    event.path.extend_from_slice(b"/x").unwrap();
    event.peer = Some(Endpoint::Unix);
    event.dirfd = 3;
    event.excluded_ancestor = Some(RuleId(7));
    event.clear();
    assert_eq!(event, Event::new());
}
