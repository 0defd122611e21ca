//! What eBPF does not see or tell on this kernel, though it is there.

use crate::source::ebpf::{Compat, Ebpf, Known};

/// A sentence each.
pub fn blind_spots(ebpf: &Ebpf) -> Vec<String> {
    sentences(ebpf.known(), ebpf.compat())
}

fn sentences(known: Known, compat: Compat) -> Vec<String> {
    let of = [
        (
            !known.exit_status,
            "this kernel's task_struct could not be measured: exit events have no status",
        ),
        (
            !known.last_thread,
            "this kernel's task_struct could not be measured: a process whose first thread ends \
             before others is reported as ended then",
        ),
        (
            known.last_thread && !known.group_status,
            "this kernel's signal_struct could not be measured: a process whose threads end with \
             different statuses may be reported with another one than its parent gets",
        ),
        (
            !known.descriptors,
            "this kernel's open files could not be measured: names that start at a descriptor \
             are looked up in /proc, late, and marked",
        ),
        (
            known.descriptors && !known.sockets,
            "this kernel's sockets could not be measured as a whole: of some or all of them their own \
             addresses and who connects to them are not told, or the transport is not",
        ),
        (
            !known.uring,
            "this kernel's io_uring could not be measured: its operations are told without names and \
             addresses, and what they send is not told",
        ),
        (
            compat == Compat::Unseen,
            "32-bit system calls, which any program can make by int 0x80, are not seen: no kprobe fits \
             this kernel; mote run --watch-compat-calls sees them, at some 90 ns for every system \
             call of the host",
        ),
        (
            compat == Compat::Failed,
            "32-bit system calls, which any program can make by int 0x80, are not seen, as this kernel \
             could not be measured, or the sensor may not make one itself (with systemd, \
             SystemCallArchitectures=native forbids it)",
        ),
        (
            !known.no_x32,
            "this kernel has the system calls of x32, which any program can make and which are not \
             seen; if nothing here needs them, build or boot it without (CONFIG_X86_X32_ABI, \
             syscall.x32)",
        ),
    ];
    of.into_iter().filter(|(is_so, _)| *is_so).map(|(_, sentence)| sentence.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_no_blind_spot() {
        let known = Known {
            exit_status: true,
            last_thread: true,
            group_status: true,
            descriptors: true,
            sockets: true,
            uring: true,
            no_x32: true,
        };
        for seen in [Compat::Absent, Compat::Seen] {
            assert_eq!(sentences(known, seen), [""; 0]);
        }
        let [unseen] = &sentences(known, Compat::Unseen)[..] else { panic!("one") };
        assert!(unseen.contains("--watch-compat-calls"));
        assert_eq!(sentences(known, Compat::Failed).len(), 1);
        // What follows from something else is not said too.
        assert_eq!(sentences(Known::default(), Compat::Absent).len(), 5);
    }
}
