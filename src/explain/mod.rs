//! Why the sensor does not run: what happened, why, and what to do about it.

pub mod audit;
mod blind_spots;
pub mod connector;

pub use blind_spots::blind_spots;

use std::process::ExitCode;

use crate::exit;
use crate::health::Issue;
use crate::limits;
use crate::say::{self, REPORT};
use crate::sensor::{Fallback, SensorError};
use crate::source::ebpf::StartError;
use crate::source::ebpf::formats::FormatError;
use crate::source::ebpf::load_error::Failure;
use rustix::process::{Resource, geteuid, getrlimit};

const KERNEL_NEEDED: &str = "a kernel from RHEL 7.6's 3.10.0-957 on with BPF is needed";

/// Says it, and gives the exit code.
pub fn explain(error: &SensorError) -> ExitCode {
    if let SensorError::Ebpf(ebpf) | SensorError::NoProvider(Fallback::Failed(ebpf), _) = error {
        show_log(ebpf);
    }
    let host = Host::read();
    let (code, sentence) = verdict(error, host);
    exit::fail(code, format_args!("{sentence}"))
}

/// What the advice depends on, beside the error.
#[derive(Clone, Copy)]
pub struct Host {
    root: bool,
    /// `RLIMIT_MEMLOCK` could not be raised.
    locked_memory_limited: bool,
}

impl Host {
    /// As it is now.
    pub fn read() -> Host {
        Host {
            root: geteuid().is_root(),
            locked_memory_limited: getrlimit(Resource::Memlock).current.is_some(),
        }
    }
}

/// What the verifier said, if it refused.
pub fn show_log(error: &StartError) {
    if let StartError::Load(load) = error
        && load.failure == Failure::Verifier
    {
        say::lines(&load.log);
    }
}

/// What a user is told whom the kernel does not permit it.
pub const NEEDS_ROOT: (&str, &str) =
    ("watching the host needs root", "start it as root, or with sudo");
/// What is said of the configuration's switch.
pub const DISABLED: &str = "eBPF is disabled in the configuration \
    (features.ebpfSupplementaryEventProvider)";

/// Why it is not eBPF, and what to do.
pub fn why(fallback: &Fallback, host: Host) -> (String, String) {
    match fallback {
        Fallback::Disabled => (
            DISABLED.into(),
            "enable it there, or by mote config ebpf-supplementary-event-provider --value enabled"
                .into(),
        ),
        Fallback::Paused => {
            ("eBPF is paused for the time of a command".into(), "wait until that has ended".into())
        }
        Fallback::Unsupported(refusal) => (refusal.to_string(), refusal.remedy.into()),
        Fallback::Failed(error) => {
            let remedy = shortage(error.errno()).unwrap_or_else(|| advice(error, host));
            (error.to_string(), remedy)
        }
    }
}

fn verdict(error: &SensorError, host: Host) -> (u8, String) {
    let denied = matches!(error.errno(), Some(libc::EPERM | libc::EACCES));
    let of_provider = matches!(error, SensorError::Ebpf(_) | SensorError::NoProvider(..));
    if denied && !host.root && of_provider {
        let (reason, remedy) = NEEDS_ROOT;
        return (exit::NOPERM, format!("{reason}; {remedy}"));
    }
    if let Some(remedy) = shortage(error.errno()) {
        return (exit::OSERR, format!("{error}; {remedy}"));
    }
    match error {
        SensorError::Ebpf(ebpf) => (exit::UNAVAILABLE, format!("{error}; {}", advice(ebpf, host))),
        SensorError::NoProvider(Fallback::Failed(ebpf), netlink) => {
            let sentence = format!("{error}; {}", advice(ebpf, host));
            (exit::UNAVAILABLE, connector::or(sentence, ebpf, netlink))
        }
        SensorError::NoProvider(Fallback::Unsupported(refusal), netlink) => {
            let sentence = format!("eBPF is not run here: {refusal}; {}", refusal.remedy);
            (exit::UNAVAILABLE, connector::nor(sentence, netlink))
        }
        SensorError::NoProvider(Fallback::Disabled | Fallback::Paused, netlink) => (
            exit::UNAVAILABLE,
            format!(
                "{error}; {}, or enable eBPF (features.ebpfSupplementaryEventProvider)",
                connector::remedy(netlink)
            ),
        ),
        SensorError::Netlink(netlink) => {
            (exit::UNAVAILABLE, format!("{error}; {}", connector::remedy(netlink)))
        }
        SensorError::Sink(_) => {
            (exit::IOERR, format!("{error}; give it a file, a pipe or a terminal"))
        }
        SensorError::NoReceiver(target, why) => (
            exit::UNAVAILABLE,
            format!(
                "no syslog daemon receives at {target} ({why}); start it, or name another \
                 receiver with --syslog"
            ),
        ),
        SensorError::Claimed(..) => (
            exit::TEMPFAIL,
            format!(
                "{error}; end that one, or give this one others with --runtime-dir and --state-dir"
            ),
        ),
        SensorError::Proc(..) => {
            (exit::UNAVAILABLE, format!("{error}; mount /proc: mount -t proc proc /proc"))
        }
        SensorError::ReaderGone => {
            (exit::IOERR, format!("{error}, and nobody sees what happens; start both again"))
        }
        SensorError::Undelivered(_, why) => {
            let receiver = why.as_ref().map_or(String::new(), |(target, _)| format!(", {target}"));
            (exit::IOERR, format!("{error}; look at the receiver{receiver}"))
        }
        SensorError::Os(..) => (exit::OSERR, format!("{error}; {REPORT}")),
    }
}

/// The same, for whoever asks how the sensor is.
pub fn fallback(fallback: &Fallback) -> Issue {
    let (reason, remedy) = why(fallback, Host::read());
    let problem = match fallback {
        Fallback::Disabled | Fallback::Paused => reason,
        Fallback::Unsupported(_) => format!("eBPF is not run here: {reason}"),
        Fallback::Failed(_) => format!("eBPF does not run: {reason}"),
    };
    Issue { problem, remedy }
}

/// What to do about eBPF.
pub fn advice(error: &StartError, host: Host) -> String {
    match error.errno() {
        Some(libc::EPERM | libc::EACCES) => permission(error, host),
        _ => remedy(error),
    }
}

/// What to do if there is not enough of something, whatever it was wanted for.
fn shortage(errno: Option<i32>) -> Option<String> {
    match errno? {
        // Two rings for each CPU; programs, maps and attached events are some hundred.
        libc::EMFILE => {
            let enough = (2 * limits::CPUS + 512).next_power_of_two();
            Some(format!("raise the limit of open files (ulimit -n {enough})"))
        }
        libc::ENFILE => {
            Some("raise the host's limit of open files (sysctl fs.file-max)".to_owned())
        }
        libc::ENOMEM => Some("free memory, or raise the memory limit of its cgroup".to_owned()),
        _ => None,
    }
}

/// What to do about an error, unless something was short.
pub fn or_shortage(errno: Option<i32>, remedy: &str) -> String {
    shortage(errno).unwrap_or_else(|| remedy.to_owned())
}

/// What to do if root is not permitted to do it.
fn permission(error: &StartError, host: Host) -> String {
    let (remedy, limit) = match error {
        StartError::Tracefs(_) => return remedy(error),
        // Kernels before 5.11 charge maps and programs to the limit of locked memory, and
        // say EPERM if it is reached.
        StartError::Load(_) => (
            "give the sensor CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8), and look \
             whether kernel lockdown is on",
            "; before Linux 5.11, also raise the limit of locked memory (ulimit -l unlimited)",
        ),
        // Rings are charged to it on every kernel (perf_event_open(2)).
        _ => (
            "give the sensor CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8)",
            ", or raise the limit of locked memory (ulimit -l unlimited)",
        ),
    };
    format!("{remedy}{}", if host.locked_memory_limited { limit } else { "" })
}

fn remedy(error: &StartError) -> String {
    let remedy = match error {
        StartError::PidNamespace => {
            "start it on the host, or with the host's process ids (docker: --pid=host)"
        }
        StartError::Tracefs(_) => "mount it: mount -t tracefs tracefs /sys/kernel/tracing",
        StartError::Format(FormatError::Absent(_)) => {
            "a kernel with tracepoints of scheduler and system calls (CONFIG_FTRACE_SYSCALLS) is \
             needed"
        }
        StartError::Load(load) => match load.failure {
            Failure::Call(_) | Failure::Kernel(_) => KERNEL_NEEDED,
            Failure::Verifier => {
                "report it with the lines above and the kernel's version (uname -a)"
            }
            Failure::Object(_) => "this program's file is damaged: install it again",
        },
        StartError::CpuList(_) => "mount /sys: mount -t sysfs sysfs /sys",
        StartError::Cpus(_) => {
            let most = limits::CPUS;
            return format!(
                "if it does not have so many, start its kernel with nr_cpus={most}, or limit the \
                 CPUs that may be added to the virtual machine"
            );
        }
        StartError::Format(_)
        | StartError::Ring(..)
        | StartError::Attach(..)
        | StartError::Settings(_)
        | StartError::Maps(_) => REPORT,
    };
    remedy.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Holder;
    use crate::sink::{Errno, SinkError, Target};
    use crate::source::ebpf::load_error::LoadError;
    use std::io;

    const ROOT: Host = Host { root: true, locked_memory_limited: false };

    fn load(failure: Failure) -> SensorError {
        let step = "load the BPF object";
        SensorError::Ebpf(StartError::Load(LoadError { step, failure, log: String::new() }))
    }

    fn os(code: i32) -> io::Error {
        io::Error::from_raw_os_error(code)
    }

    #[test]
    fn every_error_says_what_to_do() {
        let ebpf = SensorError::Ebpf;
        for (error, code, advice) in [
            (
                load(Failure::Call(libc::EMFILE)),
                71,
                "raise the limit of open files (ulimit -n 1024)",
            ),
            (load(Failure::Call(libc::ENFILE)), 71, "fs.file-max"),
            (load(Failure::Call(libc::ENOMEM)), 71, "free memory"),
            (load(Failure::Call(libc::EINVAL)), 69, "3.10.0-957"),
            (load(Failure::Call(libc::EPERM)), 69, "kernel lockdown is on"),
            (load(Failure::Verifier), 69, "report it with the lines above"),
            (load(Failure::Kernel("")), 69, "3.10.0-957"),
            (load(Failure::Object("")), 69, "install it again"),
            (ebpf(StartError::Ring(1, os(libc::EMFILE))), 71, "ulimit -n"),
            (ebpf(StartError::Ring(1, os(libc::EPERM))), 69, "(CAP_SYS_ADMIN before Linux 5.8)"),
            (ebpf(StartError::Ring(1, os(libc::EINVAL))), 69, "report it"),
            (ebpf(StartError::Attach("x", os(libc::EMFILE))), 71, "ulimit -n"),
            (ebpf(StartError::Tracefs(os(libc::EPERM))), 69, "mount -t tracefs"),
            (ebpf(StartError::Format(FormatError::Absent("x"))), 69, "CONFIG_FTRACE_SYSCALLS"),
            (ebpf(StartError::CpuList(os(libc::ENOENT))), 69, "mount -t sysfs"),
            (ebpf(StartError::Cpus(300)), 69, "nr_cpus=256"),
            (SensorError::Sink(SinkError::Discarded), 74, "closed or /dev/null"),
            (SensorError::Sink(SinkError::Output(Errno::BADF)), 74, "(Bad file descriptor"),
            (
                SensorError::NoReceiver(Target::default(), Errno::NOENT),
                69,
                "name another receiver with --syslog",
            ),
            (SensorError::NoReceiver(Target::default(), Errno::MFILE), 71, "ulimit -n"),
            (
                SensorError::Claimed(Holder(Some(7)), "/run/mote".into()),
                75,
                "another sensor (process 7) runs, and has the directory /run/mote; end that one",
            ),
            (SensorError::Proc("/proc/x", os(libc::ENOENT)), 69, "mount -t proc proc /proc"),
            (SensorError::Os("wait", os(libc::EMFILE)), 71, "ulimit -n"),
            (SensorError::Os("wait", os(libc::EINVAL)), 71, "report it"),
        ] {
            let (given, sentence) = verdict(&error, ROOT);
            assert_eq!(given, code, "{sentence}");
            assert!(sentence.contains(advice), "`{advice}` in {sentence}");
            assert!(!sentence.contains('\n') && sentence.contains("; "), "{sentence}");
        }
    }

    #[test]
    fn a_limit_of_locked_memory_is_told_where_it_may_be_the_reason() {
        let limited = Host { locked_memory_limited: true, ..ROOT };
        for (error, told) in [
            (load(Failure::Call(libc::EPERM)), true),
            (SensorError::Ebpf(StartError::Ring(1, os(libc::EPERM))), true),
            (SensorError::Ebpf(StartError::Tracefs(os(libc::EPERM))), false),
            (load(Failure::Verifier), false),
        ] {
            for (host, told) in [(limited, told), (ROOT, false)] {
                let (_, sentence) = verdict(&error, host);
                assert_eq!(sentence.contains("ulimit -l unlimited"), told, "{sentence}");
            }
        }
    }

    #[test]
    fn a_user_is_told_to_be_root() {
        let user = Host { root: false, ..ROOT };
        let (code, sentence) = verdict(&load(Failure::Call(libc::EPERM)), user);
        assert_eq!(code, exit::NOPERM, "{sentence}");
        // A socket that is not his is another matter.
        let socket = SensorError::NoReceiver(Target::default(), Errno::ACCESS);
        assert_eq!(verdict(&socket, user).0, exit::UNAVAILABLE);
    }
}
