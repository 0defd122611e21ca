//! Whether this process is in the host's namespaces.

/// Whether it is in the first namespace of this kind, whose number is the same on every
/// kernel: `PROC_PID_INIT_INO` and `PROC_USER_INIT_INO` (linux `include/linux/proc_ns.h`).
pub fn is_first(kind: &str) -> bool {
    let number = match kind {
        "pid" => "pid:[4026531836]",
        _ => "user:[4026531837]",
    };
    // Where /proc does not tell there is one for all.
    std::fs::read_link(format!("/proc/self/ns/{kind}"))
        .map_or(true, |own| own.as_os_str() == number)
}
