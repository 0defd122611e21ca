//! What a running sensor may do, as the kernel has it: capabilities and system calls.

mod support;

use mote::confine::confine;
use mote::source::ebpf::cpus;
use mote::source::ebpf::perf::open_ring;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use support::child::{ends_with, exec, fork, wait};
use support::command::{ask, health};
use support::confine::{require_mounts, tracefs_place, with_tracefs};
use support::sensor::run_command;
use support::sys::{c, sys};
use support::{Sensor, decode, require_connector, require_live, scratch};

fn main() -> ExitCode {
    support::runner::run(&[
        ("sensor_keeps_what_it_needs", sensor_keeps_what_it_needs),
        ("ebpf_starts_again_after_tracefs_is_gone", ebpf_starts_again_after_tracefs_is_gone),
        ("what_is_forbidden_fails", what_is_forbidden_fails),
        ("what_is_needed_works", what_is_needed_works),
        ("memory_does_not_become_code", memory_does_not_become_code),
        ("a_32_bit_call_is_no_way_out", a_32_bit_call_is_no_way_out),
    ])
}

/// Of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find(|line| line.split(':').next() == Some(name));
    line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_else(|| panic!("no {name}"))
}

fn set(status: &str, name: &str) -> CapabilitySet {
    CapabilitySet::from_bits_retain(u64::from_str_radix(field(status, name), 16).unwrap())
}

/// Whether this kernel lets nobody without CAP_SYS_ADMIN open a perf buffer.
fn admin_is_needed() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let few = set(&status, "CapEff") & (CapabilitySet::BPF | CapabilitySet::PERFMON);
    let tried = fork(|| {
        let sets = CapabilitySets { effective: few, permitted: few, inheritable: few };
        set_capabilities(None, sets).unwrap();
        i32::from(open_ring(cpus::some().unwrap(), 0).is_err())
    });
    wait(tried) != 0
}

fn sensor_keeps_what_it_needs() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let status = fs::read_to_string(format!("/proc/{}/status", sensor.pid())).unwrap();
    let mut needed = CapabilitySet::NET_ADMIN
        | CapabilitySet::SYS_PTRACE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::SYSLOG
        | (set(&status, "CapBnd") & (CapabilitySet::BPF | CapabilitySet::PERFMON));
    let bounding = needed | CapabilitySet::SYS_ADMIN;
    needed.set(CapabilitySet::SYS_ADMIN, admin_is_needed());
    assert_eq!(set(&status, "CapEff"), needed);
    assert_eq!(set(&status, "CapPrm"), needed);
    assert_eq!(set(&status, "CapBnd"), bounding);
    assert_eq!(set(&status, "CapInh"), CapabilitySet::empty());
    assert_eq!(field(&status, "Seccomp"), "2", "a filter");
    // Before 4.10 it is not told.
    if status.contains("NoNewPrivs:") {
        assert_eq!(field(&status, "NoNewPrivs"), "1");
    }
    fs::write(dir.join("a"), "").unwrap();
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    assert!(events.iter().all(|event| event["event"]["provider"] == "ebpf"));
}

/// Somebody unmounts it, and mounting is what a confined sensor may not do.
fn ebpf_starts_again_after_tracefs_is_gone() {
    require_live();
    require_connector();
    require_mounts();
    if sys!(SYS_fsopen, 0, 0).value == -i64::from(libc::ENOSYS) {
        support::skip("this kernel has tracefs in a directory only");
    }
    let (place, _) = tracefs_place();
    let (_guard, dir) = scratch();
    let mut command = run_command(&dir, &["--syslog", "stdout"]);
    with_tracefs(&mut command);
    let sensor = Sensor::start_command(&dir, command);
    let mounts = File::open(format!("/proc/{}/ns/mnt", sensor.pid())).unwrap();
    let unmounting = fork(|| {
        sys!(SYS_setns, mounts.as_raw_fd(), libc::CLONE_NEWNS).check(0);
        sys!(SYS_umount2, c(place).as_ptr(), libc::MNT_DETACH).check(0);
        0
    });
    ends_with(unmounting, 0);
    // Not while the provider before still runs: then it would only go on.
    for (value, subsystem) in [("disabled", "netlink"), ("enabled", "ebpf")] {
        let args = ["config", "ebpf-supplementary-event-provider", "--value", value];
        ask(&dir, &args).expect(0);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(health(&dir, "supplementary_events_subsystem"), subsystem, "{}", sensor.log());
    }
    sensor.leave();
}

/// Done by a child that is confined as a sensor is; 0 is right.
fn confined(act: impl FnOnce() -> i32) {
    let child = fork(|| {
        confine();
        act()
    });
    ends_with(child, 0);
}

/// The first of these that does not end with this errno, from 1 on; 0 if there is none.
fn first_other(results: &[i64], errno: i32) -> i32 {
    let other = results.iter().position(|result| *result != -i64::from(errno));
    other.map_or(0, |at| at as i32 + 1)
}

fn what_is_forbidden_fails() {
    require_live();
    confined(|| {
        let packet = sys!(SYS_socket, libc::AF_PACKET, libc::SOCK_RAW, 0).value;
        let results = [
            packet,
            sys!(SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0).value,
            sys!(SYS_mount, c"none".as_ptr(), c"/mnt".as_ptr(), c"tmpfs".as_ptr(), 0, 0).value,
            sys!(SYS_unshare, libc::CLONE_NEWUSER).value,
            sys!(SYS_setns, -1, 0).value,
            sys!(SYS_setuid, 0).value,
            sys!(SYS_init_module, 0, 0, c"".as_ptr()).value,
            sys!(SYS_chroot, c"/".as_ptr()).value,
            sys!(SYS_reboot, 0, 0, 0, 0).value,
            sys!(SYS_clock_settime, libc::CLOCK_REALTIME, 0).value,
            sys!(SYS_process_vm_writev, 1, 0, 0, 0, 0, 0).value,
            sys!(SYS_clone, libc::CLONE_NEWNET | libc::SIGCHLD, 0, 0, 0, 0).value,
            sys!(SYS_prctl, libc::PR_SET_KEEPCAPS, 1, 0, 0, 0).value,
            sys!(SYS_ioctl, 0, libc::TIOCSTI, c"x".as_ptr()).value,
        ];
        first_other(&results, libc::ENOSYS)
    });
    // It comes back only if it fails.
    confined(|| if exec(Path::new("/bin/true"), &[b"true"]) == 127 { 0 } else { 1 });
    let executed = fork(|| exec(Path::new("/bin/true"), &[b"true"]));
    ends_with(executed, 0);
}

/// Beside all that the sensors of other tests do. The parent has more capabilities, so that its
/// executable is not everybody's to see.
fn what_is_needed_works() {
    require_live();
    confined(|| {
        let pid = sys!(SYS_clone, libc::SIGCHLD, 0, 0, 0, 0).value;
        if pid == 0 {
            sys!(SYS_exit_group, 0);
        }
        let works = pid > 0
            && sys!(SYS_wait4, pid, 0, 0, 0).value == pid
            && capabilities(None).is_ok()
            && fs::read_link(format!("/proc/{}/exe", parent_id())).is_ok()
            && std::net::UdpSocket::bind("127.0.0.1:0").is_ok()
            && std::thread::spawn(|| ()).join().is_ok();
        i32::from(!works)
    });
}

#[allow(unsafe_code)]
fn memory_does_not_become_code() {
    require_live();
    confined(|| {
        let (read, execute) = (libc::PROT_READ, libc::PROT_READ | libc::PROT_EXEC);
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = sys!(SYS_mmap, 0, 4096, read, private, -1, 0).value;
        let mapped = sys!(SYS_mmap, 0, 4096, execute, private, -1, 0).value;
        let made = sys!(SYS_mprotect, page, 4096, execute).value;
        first_other(&[mapped, made], libc::ENOSYS)
    });
}

#[cfg(not(target_arch = "x86_64"))]
fn a_32_bit_call_is_no_way_out() {
    support::skip("there are none that it could make on this architecture");
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn a_32_bit_call_is_no_way_out() {
    require_live();
    if !Path::new("/proc/sys/abi/vsyscall32").exists() {
        support::skip("this kernel has no 32-bit calls");
    }
    let call = |number: u32| {
        let result: i32;
        // SAFETY: the calls below take nothing and touch no memory.
        unsafe {
            core::arch::asm!(
                "int 0x80",
                inlateout("eax") number => result,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            );
        }
        i64::from(result)
    };
    use syscalls::x86::Sysno;
    confined(|| i32::from(call(Sysno::getppid as u32) <= 0));
    confined(|| first_other(&[call(Sysno::vhangup as u32)], libc::ENOSYS));
}
