//! Where it runs instead of eBPF, and what is said then.

use crate::support::confine::{
    require_mounts, with_os_release, without_bpf, without_list_of_cpus, without_tracefs,
};
use crate::support::sensor::run_command;
use crate::support::{Sensor, child, require_connector, require_live, scratch};
use crate::{sees_an_end, start};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;
use std::process::Command;

const FAILED: &str = "mote: warning: eBPF does not run: ";

/// Starts a sensor whose eBPF fails, and sees a process end.
fn falls_back(confine: impl FnOnce(&mut Command), why: &str, words: &[&str]) {
    require_live();
    require_connector();
    require_mounts();
    let (_guard, dir) = scratch();
    let mut command = run_command(&dir, &["--syslog", "stdout"]);
    confine(&mut command);
    let sensor = Sensor::start_command(&dir, command);
    let log = sensor.log();
    sees_an_end(sensor, &dir, 5);
    for word in ["not files", "mote: ready: netlink", why].iter().chain(words) {
        assert!(log.contains(word), "`{word}` in {log}");
    }
}

pub fn bpf_refused() {
    falls_back(without_bpf, FAILED, &["BPF", "CAP_BPF"]);
}

pub fn no_tracefs() {
    falls_back(without_tracefs, FAILED, &["tracefs", "mount -t tracefs"]);
}

pub fn no_list_of_cpus() {
    falls_back(
        |command| without_list_of_cpus(command, UnshareFlags::empty()),
        FAILED,
        &["list of CPUs", "mount -t sysfs"],
    );
}

/// A system that no row of the support table is for, since all are for newer ones: eBPF, which
/// would run, is not tried.
pub fn system_below_the_minimum() {
    let (_guard, dir) = scratch();
    let file = dir.join("os-release");
    let text = "ID=ubuntu\nVERSION_ID=\"14.04\"\nPRETTY_NAME=\"Ubuntu 14.04.6 LTS\"\n";
    std::fs::write(&file, text).unwrap();
    falls_back(
        |command| with_os_release(command, &file),
        "mote: warning: eBPF is not run here: ",
        &["Ubuntu 14.04.6 LTS is older than Ubuntu 16.04", "update the system"],
    );
}

/// The kernel counts its listeners, and a sensor that is killed cannot say that it leaves.
pub fn killed_sensor_starts_again() {
    require_connector();
    let (_guard, first) = scratch();
    let (_guard, second) = scratch();
    let mut sensor = start(&first);
    sensor.signal(Signal::KILL);
    sensor.wait();
    // What nobody listens to.
    child::ends_with(child::fork(|| 1), 1);
    sees_an_end(start(&second), &second, 6);
}
