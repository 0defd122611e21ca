//! A load of renames, each of a name of its own, in several processes.

use crate::support::child;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, create_dir, read_dir, rename};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

pub const WORKERS: u64 = 4;
/// A worker rests so long after each burst. A burst is small against a ring.
const REST: Duration = Duration::from_millis(5);

/// Workers, each with a file that is called by the number of its renames so far.
pub struct Load {
    dir: PathBuf,
    /// Renames of each worker, in the end.
    pub each: u64,
    workers: Vec<Pid>,
}

impl Load {
    /// Prepares one of `events` renames below `dir`, which does not exist.
    pub fn new(dir: &Path, events: u64) -> Load {
        create_dir(dir).unwrap();
        for worker in 0..WORKERS {
            let own = dir.join(worker.to_string());
            create_dir(&own).unwrap();
            File::create(own.join("0")).unwrap();
        }
        Load { dir: dir.into(), each: events / WORKERS, workers: Vec::new() }
    }

    /// Starts the workers; together they make so many renames a second, or fewer.
    pub fn start(&mut self, per_second: u64) {
        let burst = (per_second * REST.as_millis() as u64).div_ceil(1000 * WORKERS);
        for worker in 0..WORKERS {
            let (dir, each) = (self.dir.join(worker.to_string()), self.each);
            let pid = child::fork(|| {
                for number in 0..each {
                    if number % burst == 0 {
                        sleep(REST);
                    }
                    let [old, new] = [number, number + 1].map(|n| dir.join(n.to_string()));
                    if rename(old, new).is_err() {
                        return 1;
                    }
                }
                0
            });
            self.workers.push(Pid::from_raw(pid as i32).unwrap());
        }
    }

    /// How many renames each worker has made.
    pub fn made(&self) -> Vec<u64> {
        (0..WORKERS).map(|worker| self.made_by(worker)).collect()
    }

    fn made_by(&self, worker: u64) -> u64 {
        let dir = self.dir.join(worker.to_string());
        // A name that changes while a directory is read may be told twice, or not at all.
        loop {
            let names = read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
            let numbers = names.map(|name| name.to_str().unwrap().parse().unwrap());
            if let Some(number) = numbers.max() {
                return number;
            }
        }
    }

    /// Whether this part of the renames has been made.
    pub fn has_made(&self, part: f64) -> bool {
        let made: u64 = self.made().iter().sum();
        made as f64 >= (self.each * WORKERS) as f64 * part
    }

    /// Lets the workers rest, or go on.
    pub fn rest(&self, does: bool) {
        let signal = if does { Signal::STOP } else { Signal::CONT };
        self.workers.iter().for_each(|worker| kill_process(*worker, signal).unwrap());
    }

    /// Waits for the end of all workers.
    pub fn wait(&mut self) {
        for worker in std::mem::take(&mut self.workers) {
            child::ends_with(worker.as_raw_nonzero().get() as u32, 0);
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for worker in &self.workers {
            let _ = kill_process(*worker, Signal::KILL);
            child::wait(worker.as_raw_nonzero().get() as u32);
        }
    }
}
