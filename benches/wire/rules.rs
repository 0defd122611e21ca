//! Rules of audit on the system calls that the sensor tells.

use mote::event::Action;
use mote::syscalls::{Arch, Effect, SYSCALLS, Syscall};

/// `O_ACCMODE`, `O_CREAT` and `O_TRUNC`: an open that the sensor tells has one of them. They are
/// the same on x86-64 and arm64.
const WRITES: &str = "0x243";

/// Options of each rule. The sensor tells beside them forks, exits and the first datagram to an
/// address: rules on clone and sendto would log every thread and every datagram, and nobody has
/// them. 32-bit calls are left out on both sides.
pub fn rules() -> Vec<Vec<String>> {
    let mut plain = Vec::new();
    let mut rules = Vec::new();
    for call in SYSCALLS {
        let Some((action, number)) = reported(call) else { continue };
        // What is looked at of the arguments; flags of openat2 are in memory, which audit does
        // not read.
        let condition = match call.name {
            "open" => format!("a1&{WRITES}"),
            "openat" => format!("a2&{WRITES}"),
            // BPF_PROG_LOAD (linux include/uapi/linux/bpf.h).
            "bpf" => "a0=5".into(),
            _ if action == Action::Send => continue,
            // Most look; which ones do not is known by arguments that no run here has.
            "ptrace" | "adjtimex" | "clock_adjtime" => continue,
            _ => {
                plain.push(number);
                continue;
            }
        };
        rules.push(rule(&number, &["-F", &condition]));
    }
    rules.push(rule(&plain.join(","), &[]));
    rules
}

fn rule(calls: &str, conditions: &[&str]) -> Vec<String> {
    let options = [&["-F", "arch=b64", "-S", calls], conditions, &["-k", "mote-bench"]].concat();
    options.into_iter().map(str::to_owned).collect()
}

/// By number: the names of new calls are unknown to an auditctl that is older.
fn reported(call: &Syscall) -> Option<(Action, String)> {
    let (Effect::Report(action) | Effect::Both(action, _)) = call.effect else { return None };
    let number = match Arch::HOST {
        Arch::X86_64 => call.x86_64,
        Arch::Aarch64 => call.aarch64,
    };
    Some((action, number?.to_string()))
}
