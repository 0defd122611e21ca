//! What auditd wrote.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The events that the rules made, and their records.
#[derive(Default)]
pub struct Audited {
    pub events: u64,
    pub records: u64,
    pub bytes: u64,
}

#[derive(Default)]
struct Event {
    /// Of one that the rules made.
    pid: Option<u32>,
    records: u64,
    bytes: u64,
}

impl Audited {
    /// Of all processes, and of these. Records of one event have its number, and may be among those
    /// of others. What auditd says of itself and of rules is left out.
    pub fn read(log: &Path, processes: &HashSet<u32>) -> [Audited; 2] {
        let mut events: HashMap<Vec<u8>, Event> = HashMap::new();
        let mut reader = BufReader::new(File::open(log).unwrap());
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).unwrap() > 0 {
            let event = events.entry(number(&line).to_vec()).or_default();
            if line.starts_with(b"type=SYSCALL ") && has_key(&line) {
                event.pid = Some(pid(&line));
            }
            event.records += 1;
            event.bytes += line.len() as u64;
            line.clear();
        }
        let (mut all, mut alone) = (Audited::default(), Audited::default());
        for event in events.into_values() {
            let Some(pid) = event.pid else { continue };
            all.add(&event);
            if processes.contains(&pid) {
                alone.add(&event);
            }
        }
        assert!(alone.events > 0, "auditd logged nothing of the run");
        [all, alone]
    }

    fn add(&mut self, event: &Event) {
        self.events += 1;
        self.records += event.records;
        self.bytes += event.bytes;
    }

    pub fn bytes_per_event(&self) -> f64 {
        self.bytes as f64 / self.events as f64
    }
}

/// Time and number: of `type=CWD msg=audit(1795478400.000:41): cwd="/"` what is in parentheses.
fn number(line: &[u8]) -> &[u8] {
    let of = |line: &[u8], byte| line.iter().position(|other| *other == byte);
    let begin = of(line, b'(').expect("a record has a number");
    let length = of(&line[begin..], b')').expect("a number ends");
    &line[begin + 1..begin + length]
}

fn has_key(line: &[u8]) -> bool {
    const KEY: &[u8] = b"key=\"mote-bench\"";
    line.windows(KEY.len()).any(|window| window == KEY)
}

fn pid(line: &[u8]) -> u32 {
    let line = String::from_utf8_lossy(line);
    let field = line.split(' ').find_map(|field| field.strip_prefix("pid="));
    field.expect("a system call has a process").parse().unwrap()
}
