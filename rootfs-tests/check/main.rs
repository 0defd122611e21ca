//! `mote check`: what it says of hosts that can run eBPF, and of those that cannot.

#[path = "../support/mod.rs"]
mod support;

mod audit;

use rustix::thread::UnshareFlags;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use support::confine::{require_mounts, with_host_root, without_bpf, without_list_of_cpus};
use support::{mote, require_connector, require_live, scratch};

const RUNS: i32 = 0;
const CONNECTOR_ONLY: i32 = 1;
const EX_USAGE: i32 = 64;
const EX_NOINPUT: i32 = 66;
const EX_UNAVAILABLE: i32 = 69;
const EX_NOPERM: i32 = 77;

fn main() -> ExitCode {
    support::runner::run(&[
        ("wrong_arguments", wrong_arguments),
        ("r5_ebpf_runs_here", r5_ebpf_runs_here),
        ("r7_disabled_and_tried_all_the_same", r7_disabled_and_tried_all_the_same),
        ("r8_only_the_connector", r8_only_the_connector),
        ("r8_neither", r8_neither),
        ("r10_older_system_is_not_tried", r10_older_system_is_not_tried),
        ("r12_ksplice_without_a_pause", r12_ksplice_without_a_pause),
        ("r12_ksplice_with_a_pause", r12_ksplice_with_a_pause),
        ("r13_rules_as_auditctl_lists_them", audit::r13_rules_as_auditctl_lists_them),
        ("r13_rule_of_any_kernel", audit::r13_rule_of_any_kernel),
        ("r13_the_file_to_remove", audit::r13_the_file_to_remove),
        ("not_root", not_root),
    ])
}

fn check() -> Command {
    let mut command = Command::new(mote());
    command.arg("check");
    command
}

/// Runs it; it has to end with this code. What it wrote.
fn told(mut command: Command, code: i32) -> String {
    let output = command.output().unwrap();
    let (told, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{command:?}: {told}{said}");
    // That it takes some seconds is for terminals.
    assert!(code != RUNS || said.is_empty(), "{command:?}: {said}");
    told
}

fn object(mut command: Command, code: i32) -> Value {
    command.args(["--output", "json"]);
    let told = told(command, code);
    assert_eq!(told.lines().count(), 1, "{told}");
    serde_json::from_str(&told).unwrap()
}

/// Below this directory, a root directory with these files.
fn root_with(process_1: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = process_1.join("root").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// On a host with such a root directory.
fn on(process_1: &Path) -> Command {
    let mut command = check();
    with_host_root(&mut command, process_1);
    command
}

/// Up to 5.15, and not on every distribution, maps are for anybody; the sensor's programs are not.
fn anybody_may_use_bpf() -> bool {
    fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled")
        .is_ok_and(|text| text.trim() == "0")
}

fn wrong_arguments() {
    let mut command = check();
    command.args(["--output", "nonsense"]);
    assert_eq!(told(command, EX_USAGE), "");
    let mut command = check();
    command.args(["--config", "/absent/mote_managed.json"]);
    assert_eq!(told(command, EX_NOINPUT), "");
}

fn r5_ebpf_runs_here() {
    require_live();
    let text = told(check(), RUNS);
    assert_eq!(text.lines().next(), Some("eBPF runs here"), "{text}");
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let facts: Vec<(&str, &str)> =
        text.lines().skip(1).map_while(|line| line.split_at_checked(44)).collect();
    assert_eq!(facts[0], (&*format!("{:44}", "kernel_release"), &*format!(": \"{release}\"")));
    let object = object(check(), RUNS);
    assert_eq!(object["verdict"], "ebpf");
    assert_eq!(object["reason"], Value::Null);
    assert_eq!(object["facts"]["kernelRelease"], release.as_str());
    assert_eq!(object["facts"]["bpf"], "available");
    // Every fact of one is in the other.
    assert!(facts.len() >= object["facts"].as_object().unwrap().len(), "{text}{object}");
}

fn r7_disabled_and_tried_all_the_same() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let config = dir.join("mote_managed.json");
    fs::write(&config, r#"{"features":{"ebpfSupplementaryEventProvider":"disabled"}}"#).unwrap();
    let mut command = check();
    command.arg("--config").arg(&config);
    let text = told(command, RUNS);
    let lines: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(lines[0], "eBPF runs here");
    assert!(lines[1].contains("disabled in the configuration"), "{text}");
    assert!(lines[2].contains("process connector runs instead"), "{text}");
}

fn r8_only_the_connector() {
    require_live();
    require_connector();
    require_mounts();
    let without = || {
        let mut command = check();
        without_bpf(&mut command);
        command
    };
    let text = told(without(), CONNECTOR_ONLY);
    let lines: Vec<&str> = text.lines().take(2).collect();
    assert!(lines[0].starts_with("eBPF does not run here: "), "{text}");
    // Reason, and remedy.
    for word in ["BPF", "CAP_BPF"] {
        assert!(lines[0].contains(word), "`{word}` in {text}");
    }
    assert!(lines[1].contains("process connector runs instead"), "{text}");
    let object = object(without(), CONNECTOR_ONLY);
    assert_eq!(object["verdict"], "netlink");
    assert!(object["remedy"].as_str().unwrap().contains("CAP_BPF"), "{object}");
    assert_eq!(object["processConnector"]["runs"], true);
    if !anybody_may_use_bpf() {
        assert!(object["facts"]["bpf"].as_str().unwrap().starts_with("refused"), "{object}");
    }
}

fn r8_neither() {
    require_live();
    require_mounts();
    let mut command = check();
    without_list_of_cpus(&mut command, UnshareFlags::NEWNET);
    let text = told(command, EX_UNAVAILABLE);
    let lines: Vec<&str> = text.lines().take(2).collect();
    assert!(lines[0].contains("list of CPUs") && lines[0].contains("mount -t sysfs"), "{text}");
    assert!(lines[1].contains("does not run either") && lines[1].contains("network"), "{text}");
}

/// eBPF, which would run, is not even tried: without the list of CPUs it would fail for that.
fn r10_older_system_is_not_tried() {
    require_live();
    require_connector();
    require_mounts();
    let (_guard, dir) = scratch();
    let text = "ID=ubuntu\nVERSION_ID=\"14.04\"\nPRETTY_NAME=\"Ubuntu 14.04.6 LTS\"\n";
    root_with(&dir, &[("etc/os-release", text)]);
    let mut command = on(&dir);
    without_list_of_cpus(&mut command, UnshareFlags::empty());
    let object = object(command, CONNECTOR_ONLY);
    let reason = object["reason"].as_str().unwrap();
    assert!(reason.contains("Ubuntu 14.04.6 LTS is older than Ubuntu 16.04"), "{object}");
    assert_eq!(object["remedy"], "update the system");
    assert_eq!(object["facts"]["distribution"], "Ubuntu 14.04.6 LTS");
}

const ORACLE: &str = "ID=\"ol\"\nVERSION_ID=\"7.9\"\nPRETTY_NAME=\"Oracle Linux Server 7.9\"\n";
const UPTRACK: (&str, &str) = ("usr/sbin/uptrack-upgrade", "");
const CRON_LINE: &str =
    "15 3 * * * root mote pause --if-running --limit-seconds 3600 -- uptrack-upgrade -y";

/// Oracle Linux 7.9, with kernels for which the table may have a word of its own: whatever the
/// verdict is.
fn with_ksplice(more: &[(&str, &str)]) -> String {
    require_live();
    require_connector();
    require_mounts();
    let (_guard, dir) = scratch();
    root_with(&dir, &[&[("etc/os-release", ORACLE), UPTRACK], more].concat());
    let output = on(&dir).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!([Some(RUNS), Some(CONNECTOR_ONLY)].contains(&output.status.code()), "{told}");
    told
}

fn r12_ksplice_without_a_pause() {
    let told = with_ksplice(&[]);
    assert!(told.contains(": \"/usr/sbin/uptrack-upgrade\"\n"), "{told}");
    assert!(told.contains("\nwarning: Oracle Linux 7.9 hangs"), "{told}");
    assert!(told.ends_with(&format!(":\n    {CRON_LINE}\n")), "{told}");
}

fn r12_ksplice_with_a_pause() {
    let told = with_ksplice(&[("etc/cron.d/live-patches", CRON_LINE)]);
    assert!(told.contains(": \"/etc/cron.d/live-patches\"\n"), "{told}");
    assert!(!told.contains("warning: "), "{told}");
}

fn not_root() {
    require_live();
    let (_guard, dir) = scratch();
    // Where it was built may be closed to others.
    let copy = dir.join("mote");
    fs::copy(mote(), &copy).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
    const NOBODY: u32 = 65534;
    let mut command = Command::new(copy);
    // Leaving root's identity clears the supplementary groups too.
    command.arg("check").uid(NOBODY).gid(NOBODY);
    let text = told(command, EX_NOPERM);
    let first = text.lines().next().unwrap();
    assert!(first.contains("not known") && first.contains("start it as root"), "{text}");
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    assert!(text.contains(&format!(": \"{release}\"\n")), "{text}");
    if !anybody_may_use_bpf() {
        assert!(text.contains(": \"refused: "), "{text}");
    }
}
