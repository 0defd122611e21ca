//! The CPUs of this machine.

use std::fs;
use std::io;

/// The CPUs that run now.
pub fn online() -> io::Result<Vec<i32>> {
    redbpf::cpus::get_online()
}

/// One of them.
pub fn some() -> io::Result<i32> {
    Ok(online()?.first().copied().unwrap_or(0))
}

/// How many there may ever be. Their numbers may have gaps: of the highest, and one.
pub fn possible() -> io::Result<usize> {
    // redbpf panics if it cannot read this.
    fs::read("/sys/devices/system/cpu/possible")?;
    let highest = redbpf::cpus::get_possible()?.into_iter().max();
    Ok(highest.map_or(1, |cpu| cpu as usize + 1))
}
