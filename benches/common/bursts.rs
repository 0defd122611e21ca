//! Turns that are timed while a sensor runs.

use super::figures::Figure;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Turns without a rest between them: what they make fits a ring even if the sensor gets no CPU
/// meanwhile. This measures cost, not overload.
pub const BURST: u32 = 500;
const REST: Duration = Duration::from_millis(20);
/// Of most loops. Machines that others use too are slow for moments: the median of many bursts is not.
pub const BURSTS: u32 = 40;
/// Of [`rename`].
pub const RENAMES: u32 = BURSTS * BURST;

/// Nanoseconds that a turn takes: the median of bursts of so many turns.
pub fn timed(bursts: u32, turns: u32, mut turn: impl FnMut()) -> f64 {
    let mut burst = || {
        sleep(REST);
        let start = Instant::now();
        (0..turns).for_each(|_| turn());
        start.elapsed().as_nanos() as f64 / f64::from(turns)
    };
    let all: Vec<f64> = (0..bursts).map(|_| burst()).collect();
    Figure::of(&all).median
}

/// Of the file `a`, there and back in turn.
pub fn rename(dir: &Path) -> f64 {
    let mut names = (c_name(dir, "a"), c_name(dir, "b"));
    timed(BURSTS, BURST, || {
        rustix::fs::rename(&names.0, &names.1).unwrap();
        std::mem::swap(&mut names.0, &mut names.1);
    })
}

pub fn c_name(dir: &Path, name: &str) -> CString {
    CString::new(dir.join(name).as_os_str().as_bytes()).unwrap()
}
