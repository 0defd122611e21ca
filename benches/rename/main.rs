//! What the sensor costs the host: the same loops with it off and on, in one run.
//!
//! Rounds alternate, so that a change of the machine's speed hits both sides. The loops
//! have one CPU to themselves; the sensor and its receiver have another one, and what
//! they use of it is a row of its own.

#[path = "../common/auditd.rs"]
#[allow(dead_code)]
mod auditd;
#[path = "../../rootfs-tests/support/mod.rs"]
mod support;

mod guard;

use auditd::Auditd;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};
use support::expect::at;
use support::{Sensor, decode, require_live, scratch};

const ROUNDS: usize = 9;
const RENAMES: u32 = 5_000;
/// Renames without a rest between them: they fit a ring even if the sensor gets no CPU
/// meanwhile. This measures cost, not overload.
const BURST: u32 = 500;
const OPENS: u32 = 20_000;
const CALLS: u32 = 200_000;

/// Nanoseconds a turn, one number a round.
#[derive(Default)]
struct Loops {
    rename: Vec<f64>,
    open: Vec<f64>,
    getppid: Vec<f64>,
    send: Vec<f64>,
    sendto: Vec<f64>,
}

fn main() -> ExitCode {
    // As a test, for its root check and its verdict line.
    support::runner::run(&[("rename", bench)])
}

fn bench() {
    require_live();
    let (_guard, dir) = scratch();
    let (loop_cpu, sensor_cpu) = cpus();
    pin(None, loop_cpu);
    let name = dir.join("a");
    fs::write(&name, "").unwrap();

    let (mut off, mut on) = (Loops::default(), Loops::default());
    let (mut cpu_ns, mut seen, mut lost) = (Vec::new(), 0, 0);
    off.round(&dir);
    off = Loops::default();
    for _ in 0..ROUNDS {
        off.round(&dir);
        let receiver = Receiver::start(&dir, sensor_cpu);
        let sensor = Sensor::start(&dir, &receiver.address);
        let pid = Pid::from_raw(sensor.pid() as i32);
        pin(pid, sensor_cpu);
        // What start-up left to do is not the loop's.
        sleep(Duration::from_millis(500));
        let before = on_cpu_ns(sensor.pid());
        on.rename.push(renames(&dir));
        // Two ticks and a flush, so that all of the loop's events have left the sensor.
        sleep(Duration::from_millis(1500));
        cpu_ns.push((on_cpu_ns(sensor.pid()) - before) as f64 / f64::from(RENAMES));
        on.open.push(opens(&dir));
        on.getppid.push(calls());
        on.send.push(sends(false));
        on.sendto.push(sends(true));
        sensor.stop();
        let (round_seen, round_lost) = count(&receiver.stop());
        seen += round_seen;
        lost += round_lost;
    }
    let audited = audited(&dir);
    let dropped = guard::measure(&dir, ROUNDS, || renames(&dir));

    report(&off, &on, audited, dropped);
    let (median, low, high) = spread(&cpu_ns);
    println!("\nThe sensor's own CPU: {median:.0} ns a rename event ({low:.0} to {high:.0})");
    let made = RENAMES as usize * ROUNDS;
    println!("Rename events: {made} made, {seen} arrived");
    println!("Events reported lost, of all processes of this machine: {lost}");
    // Whose events were lost is not known, so more may be missing from others.
    assert!(seen <= made && made - seen <= lost as usize, "renames were lost silently");
}

impl Loops {
    fn round(&mut self, dir: &Path) {
        self.rename.push(renames(dir));
        self.open.push(opens(dir));
        self.getppid.push(calls());
        self.send.push(sends(false));
        self.sendto.push(sends(true));
    }
}

/// The same renames under auditd, with one rule on the same calls. Or why not.
fn audited(dir: &Path) -> Result<Vec<f64>, String> {
    let logs = tempfile::tempdir().unwrap();
    let mut auditd = Auditd::start(logs.path(), 8)?;
    auditd.add(&["-F", "arch=b64", "-S", "rename,renameat,renameat2", "-k", "mote-bench"])?;
    Ok((0..ROUNDS).map(|_| auditd::in_new_process(|| renames(dir))).collect())
}

/// Nanoseconds that one turn of `count` takes.
fn timed(count: u32, mut turn: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..count).for_each(|_| turn());
    start.elapsed().as_nanos() as f64 / f64::from(count)
}

/// One rename a turn, there and back in turn.
fn renames(dir: &Path) -> f64 {
    let mut names = (c_name(dir, "a"), c_name(dir, "b"));
    let bursts = RENAMES / BURST;
    let burst = || {
        sleep(Duration::from_millis(20));
        timed(BURST, || {
            rustix::fs::rename(&names.0, &names.1).unwrap();
            std::mem::swap(&mut names.0, &mut names.1);
        })
    };
    std::iter::repeat_with(burst).take(bursts as usize).sum::<f64>() / f64::from(bursts)
}

/// A call that is hooked, in a form that is not reported.
fn opens(dir: &Path) -> f64 {
    use rustix::fs::{Mode, OFlags, open};
    let name = c_name(dir, "a");
    timed(OPENS, || drop(open(&name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap()))
}

/// A call that is not hooked.
fn calls() -> f64 {
    timed(CALLS, || {
        std::hint::black_box(rustix::process::getppid());
    })
}

/// A datagram a turn, on a socket that is connected, or to an address that was told before.
fn sends(to_address: bool) -> f64 {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = receiver.local_addr().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    if !to_address {
        socket.connect(address).unwrap();
    }
    timed(OPENS, || {
        let sent = if to_address { socket.send_to(b"x", address) } else { socket.send(b"x") };
        assert_eq!(sent.unwrap(), 1);
    })
}

fn c_name(dir: &Path, name: &str) -> std::ffi::CString {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::CString::new(dir.join(name).as_os_str().as_bytes()).unwrap()
}

/// A CPU for the loops and another one for the sensor, the same where there is but one.
fn cpus() -> (usize, usize) {
    let allowed = sched_getaffinity(None).unwrap();
    let mut list = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let first = list.next().unwrap();
    (list.next().unwrap_or(first), first)
}

fn pin(pid: Option<Pid>, cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(pid, &set).unwrap();
}

/// Time on a CPU so far: the first number of schedstat.
fn on_cpu_ns(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Renames by this process, and events that loss records count.
fn count(lines: &Path) -> (usize, u64) {
    let events = decode(lines);
    let seen = events.iter().filter(|event| {
        at(event, "event.action") == "rename" && at(event, "process.pid") == std::process::id()
    });
    let lost = events.iter().filter_map(|event| at(event, "mote.lost.count").as_u64()).sum();
    (seen.count(), lost)
}

/// Stands in for the syslog daemon: reads what comes and keeps it.
struct Receiver {
    address: String,
    file: std::path::PathBuf,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Receiver {
    fn start(dir: &Path, cpu: usize) -> Receiver {
        let (socket_path, file) = (dir.join("log.sock"), dir.join("lines"));
        let _ = fs::remove_file(&socket_path);
        let socket = UnixDatagram::bind(&socket_path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, mut out) = (ended.clone(), File::create(&file).unwrap());
        let thread = std::thread::spawn(move || {
            pin(None, cpu);
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

    fn stop(self) -> std::path::PathBuf {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.file
    }
}

/// Median, lowest, highest.
fn spread(numbers: &[f64]) -> (f64, f64, f64) {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1])
}

fn report(
    off: &Loops,
    on: &Loops,
    audited: Result<Vec<f64>, String>,
    [suppressed, excluded]: [Vec<f64>; 2],
) {
    let system = rustix::system::uname();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = info.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("?");
    println!("\nLinux {}, {model}", system.release().to_string_lossy());
    println!("{ROUNDS} rounds; medians (lowest to highest), ns a turn\n");
    println!("| loop | off | on | ratio |\n| --- | --- | --- | --- |");
    let row = |name: &str, off: &[f64], on: &[f64]| {
        let ((o, o_low, o_high), (n, n_low, n_high)) = (spread(off), spread(on));
        println!(
            "| {name} | {o:.0} ({o_low:.0} to {o_high:.0}) | {n:.0} ({n_low:.0} to {n_high:.0}) | {:.2} |",
            n / o
        );
    };
    row("rename, reported", &off.rename, &on.rename);
    row("rename beyond the budget", &off.rename, &suppressed);
    row("rename, excluded", &off.rename, &excluded);
    row("open for reading and close", &off.open, &on.open);
    row("getppid, not hooked", &off.getppid, &on.getppid);
    row("send on a connected socket", &off.send, &on.send);
    row("send to an address, again", &off.sendto, &on.sendto);
    match audited {
        Ok(numbers) => row("rename under auditd", &off.rename, &numbers),
        Err(reason) => println!("\nskipped: auditd {reason}"),
    }
}
