//! Stands in for the syslog daemon: reads what comes and keeps it.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub struct Receiver {
    pub address: String,
    file: PathBuf,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// On a CPU.
    pub fn start(dir: &Path, cpu: usize) -> Receiver {
        let (socket_path, file) = (dir.join("log.sock"), dir.join("lines"));
        let _ = std::fs::remove_file(&socket_path);
        let socket = UnixDatagram::bind(&socket_path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, mut out) = (ended.clone(), File::create(&file).unwrap());
        let thread = std::thread::spawn(move || {
            super::cpus::pin(None, cpu);
            let mut line = vec![0; 65536];
            loop {
                match socket.recv(&mut line) {
                    Ok(bytes) => {
                        out.write_all(&line[..bytes]).unwrap();
                        out.write_all(b"\n").unwrap();
                    }
                    Err(_) if stop.load(Ordering::Relaxed) => break,
                    Err(_) => {}
                }
            }
        });
        Receiver { address: format!("unix:{}", socket_path.display()), file, ended, thread }
    }

    /// Where the lines are.
    pub fn stop(self) -> PathBuf {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.file
    }
}
