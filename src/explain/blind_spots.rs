//! What eBPF does not see or tell on this kernel, though it is there.

use crate::event::BlindSpots;
use crate::source::ebpf::{Compat, Ebpf, Known};

/// Each with a sentence.
pub fn blind_spots(ebpf: &Ebpf) -> impl Iterator<Item = (BlindSpots, &'static str)> {
    of(ebpf.known(), ebpf.compat())
}

fn of(known: Known, compat: Compat) -> impl Iterator<Item = (BlindSpots, &'static str)> {
    let all = [
        (
            BlindSpots::EXIT_STATUS,
            !known.exit_status,
            "this kernel's task_struct could not be measured: exit events have no status",
        ),
        (
            BlindSpots::LAST_THREAD,
            !known.last_thread,
            "this kernel's task_struct could not be measured: a process whose first thread ends \
             before others is reported as ended then",
        ),
        (
            BlindSpots::GROUP_STATUS,
            known.last_thread && !known.group_status,
            "this kernel's signal_struct could not be measured: a process whose threads end with \
             different statuses may be reported with another one than its parent gets",
        ),
        (
            BlindSpots::DESCRIPTORS,
            !known.descriptors,
            "this kernel's open files could not be measured: names that start at a descriptor \
             are looked up in /proc, late, and marked",
        ),
        (
            BlindSpots::SOCKETS,
            known.descriptors && !known.sockets,
            "this kernel's sockets could not be measured as a whole: of some or all of them their own \
             addresses and who connects to them are not told, or the transport is not",
        ),
        (
            BlindSpots::IO_URING,
            !known.uring,
            "this kernel's io_uring could not be measured: its operations are told without names and \
             addresses, and what they send is not told",
        ),
        (
            BlindSpots::COMPAT_SYSCALLS,
            compat == Compat::Unseen,
            "32-bit system calls, which any program can make by int 0x80, are not seen: no kprobe fits \
             this kernel; mote run --watch-compat-calls sees them, at some 90 ns for every system \
             call of the host",
        ),
        (
            BlindSpots::COMPAT_SYSCALLS,
            compat == Compat::Failed,
            "32-bit system calls, which any program can make by int 0x80, are not seen, as this kernel \
             could not be measured, or the sensor may not make one itself (with systemd, \
             SystemCallArchitectures=native forbids it)",
        ),
        (
            BlindSpots::X32_SYSCALLS,
            !known.no_x32,
            "this kernel has the system calls of x32, which any program can make and which are not \
             seen; if nothing here needs them, build or boot it without (CONFIG_X86_X32_ABI, \
             syscall.x32)",
        ),
    ];
    all.into_iter().filter(|(_, is_so, _)| *is_so).map(|(spot, _, sentence)| (spot, sentence))
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
            assert_eq!(of(known, seen).count(), 0);
        }
        let [(BlindSpots::COMPAT_SYSCALLS, unseen)] =
            of(known, Compat::Unseen).collect::<Vec<_>>()[..]
        else {
            panic!("one")
        };
        assert!(unseen.contains("--watch-compat-calls"));
        assert_eq!(of(known, Compat::Failed).count(), 1);
        // What follows from something else is not said too.
        assert_eq!(of(Known::default(), Compat::Absent).count(), 5);
    }
}
