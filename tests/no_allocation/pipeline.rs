//! Record → event → known process → filter → line.

use crate::allocator::without_heap;
use crate::records::{
    Lines, call, connect, exec, exit, fork, open_to_write, pipeline, record, rename,
};
use mote::event::{Class, Loss, LossPlace};
use mote::limits::{PROCESS_STRINGS, PROCESSES};
use mote::source::ebpf::Unsent;

/// Larger than the kernel gives.
const NO_PID: u32 = 5_000_000;

fn ring_full(class: Class) -> Loss {
    Loss { place: LossPlace::RingFull, class: Some(class), cpu: Some(1), receiver: None, count: 1 }
}

/// One process from its fork to its exit, with a rename by relative names, which asks the
/// process table, and /proc where that does not know.
fn life(pid: u32) -> [(Class, Vec<u8>); 5] {
    [
        (Class::Priority, fork(pid)),
        (Class::Priority, exec(pid, &format!("/usr/bin/tool-{pid}"))),
        (Class::Bulk, rename(pid)),
        (Class::Priority, exit(pid)),
        (Class::Bulk, record(99, 0, pid)),
    ]
}

#[test]
fn lives_touch_no_heap() {
    const LIVES: u32 = 2_000;
    // Built before counting begins.
    let lives: Vec<_> = (0..LIVES).map(|n| life(NO_PID + n)).collect();
    let mut pipeline = pipeline();
    pipeline.scan_processes();
    let mut lines = Lines::default();
    without_heap(|| {
        for (class, bytes) in lives.iter().flatten() {
            pipeline.record(*class, 0, bytes, &mut lines);
        }
        pipeline.lose(ring_full(Class::Bulk));
        // The process table starts anew.
        pipeline.lose(ring_full(Class::Priority));
        pipeline.flush(&mut lines);
    });
    // Four events of every process, and three loss records: two rings' and the malformed.
    assert_eq!(lines.events, u64::from(4 * LIVES + 3));
    assert_eq!(pipeline.totals().received, u64::from(4 * LIVES));
    assert_eq!(pipeline.totals().lost, u64::from(LIVES + 2));
    assert!(lines.lines > 10, "batches were finished in between");
}

/// Of a process that goes on, of one that ends, and of nobody.
#[test]
fn floods_touch_no_heap() {
    const TURNS: u64 = 100;
    let own = std::process::id();
    let suppressed = |pid, suppressed| Unsent { pid, excluded: 0, lost: 0, suppressed };
    let life = life(NO_PID);
    let mut pipeline = pipeline();
    let mut lines = Lines::default();
    without_heap(|| {
        for _ in 0..TURNS {
            let [fork, exec, rename, exit, _] = &life;
            [fork, exec, rename].iter().for_each(|(class, bytes)| {
                pipeline.record(*class, 0, bytes, &mut lines);
            });
            for pid in [Some(own), Some(NO_PID), None, Some(NO_PID)] {
                pipeline.count_unsent(suppressed(pid, 10));
            }
            pipeline.record(exit.0, 0, &exit.1, &mut lines);
            pipeline.flush(&mut lines);
        }
    });
    // Four events of the process that ends, and a record of each of the three.
    assert_eq!(lines.events, TURNS * 7);
    assert_eq!(pipeline.totals().lost, TURNS * 40);
    assert_eq!(pipeline.totals().suppressed, TURNS * 40);
    let floods: Vec<_> = pipeline.floods().iter().map(|flood| (flood.pid, flood.events)).collect();
    let [mut of_own, mut of_ended] = [0, 0];
    for flood in pipeline.floods() {
        match flood.pid {
            NO_PID => {
                assert_eq!(*flood.executable, *b"/usr/bin/tool-5000000", "known until its end");
                of_ended += flood.events;
            }
            pid if pid == own => of_own += flood.events,
            _ => assert_eq!(flood.events, TURNS * 10),
        }
    }
    assert_eq!((of_own, of_ended), (TURNS * 10, TURNS * 20), "{floods:?}");
}

/// What changes the meaning of names: each is followed by an event with a relative name.
#[test]
fn relocations_touch_no_heap() {
    let pid = std::process::id();
    let moves = [
        call(libc::SYS_chdir, pid, "/usr"),
        call(libc::SYS_chdir, pid, "lib"),
        call(libc::SYS_chdir, pid, "../lib"),
        call(libc::SYS_fchdir, pid, ""),
        call(libc::SYS_chroot, pid, "/"),
        call(libc::SYS_unshare, pid, ""),
        call(libc::SYS_setns, pid, ""),
    ];
    let mkdir = call(libc::SYS_mkdirat, pid, "new");
    let mut pipeline = pipeline();
    let mut lines = Lines::default();
    without_heap(|| {
        for _ in 0..100 {
            for relocation in &moves {
                pipeline.record(Class::Bulk, 0, relocation, &mut lines);
                pipeline.record(Class::Bulk, 0, &mkdir, &mut lines);
            }
        }
        pipeline.flush(&mut lines);
    });
    // The last two are events themselves.
    assert_eq!(lines.events, 100 * (moves.len() as u64 + 2));
    assert_eq!(pipeline.totals().lost, 0, "every record was well formed");
}

/// What is looked up in /proc: a login in doubt, and the cgroup of a program behind another
/// process's namespaces.
#[test]
fn logins_and_containers_touch_no_heap() {
    let pid = std::process::id();
    let records = [
        open_to_write(pid, "/proc/self/loginuid"),
        call(libc::SYS_mkdirat, pid, "new"),
        call(libc::SYS_setsid, pid, "-"),
        call(libc::SYS_setns, pid, ""),
        exec(pid, "/usr/bin/tool"),
        exec(pid, "/proc/self/exe"),
    ];
    let mut pipeline = pipeline();
    pipeline.scan_processes();
    let mut lines = Lines::default();
    without_heap(|| {
        for _ in 0..100 {
            for record in &records {
                pipeline.record(Class::Bulk, 0, record, &mut lines);
            }
        }
        pipeline.flush(&mut lines);
    });
    assert_eq!(lines.events, 100 * records.len() as u64);
    assert_eq!(pipeline.totals().lost, 0, "every record was well formed");
}

#[test]
fn connections_touch_no_heap() {
    let pid = std::process::id();
    let address = |family: i32, rest: &[u8]| -> Vec<u8> {
        [&(family as u16).to_ne_bytes()[..], rest].concat()
    };
    let connects = [
        connect(pid, &address(libc::AF_INET, &[1, 187, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
        connect(pid, &address(libc::AF_INET6, &[7; 26])),
        connect(pid, &address(libc::AF_UNIX, b"/run/a\0")),
        connect(pid, &address(libc::AF_UNIX, b"relative\0")),
        connect(pid, &address(libc::AF_UNIX, b"\0abstract")),
        connect(pid, &address(libc::AF_NETLINK, &[0; 10])),
        connect(pid, &[]),
    ];
    let mut pipeline = pipeline();
    let mut lines = Lines::default();
    without_heap(|| {
        for _ in 0..100 {
            for connect in &connects {
                pipeline.record(Class::Bulk, 0, connect, &mut lines);
            }
        }
        pipeline.flush(&mut lines);
    });
    assert_eq!(lines.events, 100 * connects.len() as u64);
    assert_eq!(pipeline.totals().lost, 0, "every record was well formed");
}

/// A process that the table does not know, again and again.
#[test]
fn a_look_into_proc_touches_no_heap() {
    let pid = std::process::id();
    let events = [rename(pid), call(libc::SYS_mkdirat, pid, "new"), exec(pid, "./tool")];
    let mut pipeline = pipeline();
    let mut lines = Lines::default();
    without_heap(|| {
        for _ in 0..100 {
            for event in &events {
                pipeline.lose(ring_full(Class::Priority));
                pipeline.record(Class::Bulk, 0, event, &mut lines);
            }
        }
        pipeline.flush(&mut lines);
    });
    // And one loss record.
    assert_eq!(lines.events, 100 * events.len() as u64 + 1);
}

/// More processes than there are places, none of which ends, with more executables than there
/// are places: the table is searched for dead ones once, when the first of them fill it, and
/// the next ones fill it for good.
#[test]
fn full_process_tables_touch_no_heap() {
    const FORKS: u32 = 5 * PROCESSES as u32;
    const EXECS: u32 = 2 * PROCESS_STRINGS as u32;
    let forks: Vec<_> = (0..FORKS).map(|n| fork(NO_PID + n)).collect();
    let execs: Vec<_> = (PROCESSES as u32..)
        .take(EXECS as usize)
        .map(|n| exec(NO_PID + n, &format!("/tool-{n}")))
        .collect();
    let mut pipeline = pipeline();
    let mut lines = Lines::default();
    without_heap(|| {
        for record in forks.iter().chain(&execs) {
            pipeline.record(Class::Priority, 0, record, &mut lines);
        }
        pipeline.flush(&mut lines);
    });
    assert_eq!(lines.events, u64::from(FORKS + EXECS) + 1, "and the record of a full table");
    assert_eq!(pipeline.totals().lost, 0, "no event is lost by it");
}
