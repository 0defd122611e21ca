//! What a sensor takes of a host: disk, memory, and time when nothing and when much happens.

#[path = "../common/kept.rs"]
mod kept;
#[path = "../common/live.rs"]
mod live;
#[path = "../../rootfs-tests/support/mod.rs"]
mod support;

mod profiles;

use kept::assert_as_kept;
use live::figures::Figures;
use live::{count, cpus};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, read_to_string};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::memory::{kernel_bytes, resident_bytes};
use support::runner::skip;
use support::sensor::run_command;
use support::{Sensor, mote, require_live, scratch};

const STARTS: usize = 5;
/// How long nothing is done, and how long much is.
const IDLE: Duration = Duration::from_secs(30);
const LOAD: Duration = Duration::from_secs(10);
/// Renames, each an event with two names.
const EVENTS_A_SECOND: u32 = 100_000;
/// Between two bursts of them.
const STEP: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    // `cargo bench` says so; `cargo test` says nothing. Both as tests, for the root check and the
    // verdict line.
    match std::env::args().any(|arg| arg == "--bench") {
        // The first one forks, while this process is small.
        true => support::runner::run(&[("profiles", profiles::bench), ("footprint", bench)]),
        false => support::runner::run(&[("sizes_are_as_kept", sizes_are_as_kept)]),
    }
}

/// On disk, and of a sensor that has nothing to do. What maps and programs take differs from kernel to kernel.
fn sizes_are_as_kept() {
    require_live();
    let cpus = std::thread::available_parallelism().unwrap().get();
    if !cfg!(target_arch = "x86_64") || cpus != 2 || !mote().ends_with("dist/mote") {
        skip("sizes are kept of dist/mote on x86-64 with two CPUs");
    }
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout"]);
    // After what a running sensor touches has come back.
    sleep(Duration::from_secs(5));
    let sizes = [
        ("binary_bytes", mote().metadata().unwrap().len()),
        ("resident_bytes", resident_bytes(sensor.pid())),
        ("rings_bytes", kernel_bytes(sensor.pid()).rings),
    ];
    sensor.stop();
    assert_as_kept("footprint", &sizes.map(|(name, bytes)| (name, bytes as f64)));
}

fn bench() {
    require_live();
    let (_guard, dir) = scratch();
    let (loop_cpu, sensor_cpu) = cpus::two();
    cpus::pin(None, loop_cpu);
    let mut figures = Figures::new();
    println!("{}\n\n| what | measured |\n| --- | --- |", figures.machine);
    let mut row = |what: &str, name: &str, rounds: &[f64]| {
        let figure = figures.add(name, rounds);
        println!(
            "| {what} | {:.2} ({:.2} to {:.2}) |",
            figure.median, figure.lowest, figure.highest
        );
    };
    const MIB: f64 = (1 << 20) as f64;
    row("binary, MiB", "binary_mib", &[mote().metadata().unwrap().len() as f64 / MIB]);
    let starts: Vec<f64> = (0..STARTS).map(|_| start_ms(&dir)).collect();
    row("from its start to attached, ms", "start_ms", &starts);

    let (sensor, receiver) = live::start(&dir, sensor_cpu, &["--bulk-budget", "0"]);
    sleep(Duration::from_secs(5));
    let (switches, cpu) = (switches(&sensor), sensor.cpu_time());
    sleep(IDLE);
    let seconds = IDLE.as_secs_f64();
    let cpu = (sensor.cpu_time() - cpu).as_secs_f64();
    row(
        "idle: wake-ups a second",
        "idle_wakeups_a_second",
        &[(self::switches(&sensor) - switches) as f64 / seconds],
    );
    row("idle: % of a CPU", "idle_cpu_percent", &[100.0 * cpu / seconds]);
    row("idle: resident MiB", "idle_rss_mib", &[resident_bytes(sensor.pid()) as f64 / MIB]);
    let kernel = kernel_bytes(sensor.pid());
    row("kernel: rings MiB", "rings_mib", &[kernel.rings as f64 / MIB]);
    row("kernel: maps MiB", "maps_mib", &[kernel.maps as f64 / MIB]);
    row(
        "kernel: rings and maps MiB",
        "rings_and_maps_mib",
        &[(kernel.rings + kernel.maps) as f64 / MIB],
    );
    row("kernel: programs MiB", "programs_mib", &[kernel.programs as f64 / MIB]);

    let before = sensor.cpu_time();
    let (made, resident) = load(&dir, sensor.pid());
    let percent = 100.0 * (sensor.cpu_time() - before).as_secs_f64() / LOAD.as_secs_f64();
    // What is on its way is the load's too, and small.
    sleep(Duration::from_millis(1500));
    row("100,000 events a second: % of a CPU", "load_cpu_percent", &[percent]);
    row("100,000 events a second: resident MiB", "load_rss_mib", &[resident as f64 / MIB]);
    sensor.stop();
    let (seen, lost) = count(&receiver.stop());
    row(
        "100,000 events a second: made a second",
        "load_events_a_second",
        &[made as f64 / LOAD.as_secs_f64()],
    );
    row("100,000 events a second: lost", "load_lost", &[(made - seen) as f64]);
    figures.keep("footprint");
    println!("\nEvents reported lost, of all processes of this machine: {lost}");
    assert!(made - seen <= lost as usize, "renames were lost silently");
}

/// Until it says that it is ready.
fn start_ms(dir: &Path) -> f64 {
    let records = File::create(dir.join("records")).unwrap();
    let start = Instant::now();
    let mut command = run_command(dir, &["--syslog", "stdout"]);
    let mut child = command.stdout(records).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    said.find(|line| line.contains("mote: ready:")).expect("a sensor that starts");
    let ms = start.elapsed().as_secs_f64() * 1e3;
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    said.for_each(drop);
    assert!(child.wait().unwrap().success());
    ms
}

/// How often it went to sleep.
fn switches(sensor: &Sensor) -> u64 {
    let status = read_to_string(format!("/proc/{}/status", sensor.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

/// Renames, evenly: how many were made, and the most that was resident of the sensor.
fn load(dir: &Path, sensor: u32) -> (usize, u64) {
    let mut names = [dir.join("a"), dir.join("b")];
    std::fs::write(&names[0], "").unwrap();
    let burst = EVENTS_A_SECOND * STEP.as_millis() as u32 / 1000;
    let start = Instant::now();
    let (mut made, mut resident, mut step) = (0, 0, 0);
    while start.elapsed() < LOAD {
        for _ in 0..burst {
            rustix::fs::rename(&names[0], &names[1]).unwrap();
            names.reverse();
            made += 1;
        }
        step += 1;
        if step % 20 == 0 {
            resident = resident.max(resident_bytes(sensor));
        }
        // A machine that cannot do so many does as many as it can.
        sleep((STEP * step).saturating_sub(start.elapsed()));
    }
    (made, resident)
}
