//! Stands in for the syslog daemon: a process that keeps each datagram.

use crate::support::child;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

pub struct Receiver {
    pub address: String,
    file: PathBuf,
    pid: u32,
}

impl Receiver {
    /// A process and not a thread: what is measured is forked.
    pub fn start(dir: &Path) -> Receiver {
        let (path, file) = (dir.join("log.sock"), dir.join("lines"));
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut out = File::create(&file).unwrap();
        let pid = child::fork(|| {
            let mut line = vec![0; 65536];
            loop {
                let bytes = socket.recv(&mut line[..65535]).unwrap();
                assert!(!line[..bytes].contains(&b'\n'));
                line[bytes] = b'\n';
                // At once: the file never ends within a line.
                out.write_all(&line[..=bytes]).unwrap();
            }
        });
        Receiver { address: format!("unix:{}", path.display()), file, pid }
    }

    /// How much it has.
    pub fn bytes(&self) -> usize {
        self.file.metadata().unwrap().len() as usize
    }

    /// The datagrams that came between two sizes.
    pub fn stop(self, begin: usize, end: usize) -> Vec<Vec<u8>> {
        let bytes = &fs::read(&self.file).unwrap()[begin..end];
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_raw(self.pid as i32).unwrap(), Signal::KILL);
        child::wait(self.pid);
    }
}
