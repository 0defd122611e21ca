//! What the sensor costs the host: the same loops with it off and on, with programs that do nothing, beside
//! execsnoop, and under auditd alone and with LAUREL, in one run.
//!
//! Rounds alternate, so that a change of the machine's speed hits all sides. The loops have one CPU
//! to themselves; the sensor and its receiver have another one, and what they use of it is a row of
//! its own.

#[path = "../common/auditd.rs"]
#[allow(dead_code)]
mod auditd;
#[path = "../common/live.rs"]
mod live;
#[path = "../../rootfs-tests/support/mod.rs"]
mod support;

mod laurel;
mod loops;
mod nginx;
mod tracer;

use auditd::Auditd;
use live::bursts::{self, RENAMES};
use live::figures::{Figure, Figures};
use live::{count, cpus};
use loops::LOOPS;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use support::command::ask;
use support::{Sensor, require_live, scratch, wait_for};
use tracer::Tracer;

const ROUNDS: usize = 5;

/// Nanoseconds a turn: of each loop one a round.
type Rounds = [Vec<f64>; LOOPS.len()];

fn main() -> ExitCode {
    // As a test, for its root check and its verdict line.
    support::runner::run(&[("overhead", bench)])
}

fn bench() {
    require_live();
    let (_guard, dir) = scratch();
    let (loop_cpu, sensor_cpu) = cpus::two();
    cpus::pin(None, loop_cpu);
    loops::prepare(&dir);
    let _nginx = nginx::Nginx::start(&dir);

    let (mut off, mut on) = <(Rounds, Rounds)>::default();
    let mut tracers: [(_, _, fn(usize) -> _, _); 2] = [
        ("bpftrace", "empty programs of bpftrace", Tracer::bpftrace, Ok(Rounds::default())),
        ("execsnoop", "execsnoop", Tracer::execsnoop, Ok(Rounds::default())),
    ];
    let (mut suppressed, mut excluded) = (Vec::new(), Vec::new());
    let (mut sensor_ns, mut seen, mut lost) = (Vec::new(), 0, 0);
    // Whatever the first one does for all.
    turns(&dir);
    for _ in 0..ROUNDS {
        add(&mut off, turns(&dir));
        for (_, _, start, rounds) in &mut tracers {
            match (start(sensor_cpu), rounds) {
                (Ok(_tracer), Ok(rounds)) => add(rounds, turns(&dir)),
                (Err(reason), rounds) => *rounds = Err(reason),
                (Ok(_), Err(_)) => {}
            }
        }
        let (sensor, receiver) = live::start(&dir, sensor_cpu, &[]);
        // What start-up left to do is not the loop's.
        sleep(Duration::from_millis(500));
        let before = sensor.cpu_time();
        bursts::rename(&dir);
        // Two ticks and a flush, so that all of the loop's events have left the sensor.
        sleep(Duration::from_millis(1500));
        let took = sensor.cpu_time() - before;
        sensor_ns.push(took.as_nanos() as f64 / f64::from(RENAMES));
        add(&mut on, turns(&dir));
        sensor.stop();
        let (round_seen, round_lost) = count(&receiver.stop());
        seen += round_seen;
        lost += round_lost;
        let [beyond, left_out] = dropped(&dir);
        suppressed.push(beyond);
        excluded.push(left_out);
    }
    let mut others: Vec<_> = tracers
        .into_iter()
        .map(|(name, what, _, rounds)| (name, what, rounds.map(|on| (off.clone(), on))))
        .collect();
    others.push(("auditd", "auditd", audited(&dir, false)));
    others.push(("laurel", "auditd and LAUREL", audited(&dir, true)));

    let mut figures = Figures::new();
    println!("\n{}", figures.machine);
    println!("{ROUNDS} rounds; medians (lowest to highest), ns a turn; + is told\n");
    println!("| loop | without | with | ratio | more |\n| --- | --- | --- | --- | --- |");
    for (at, each) in LOOPS.iter().enumerate() {
        let what = format!("{}{}", each.what, if each.is_told { " +" } else { "" });
        row(&mut figures, &what, each.name, &off[at], &on[at]);
    }
    let rename = LOOPS.iter().position(|each| each.name == "rename").unwrap();
    row(&mut figures, "rename beyond the budget", "rename_suppressed", &off[rename], &suppressed);
    row(&mut figures, "rename, excluded", "rename_excluded", &off[rename], &excluded);
    for (name, what, rounds) in others {
        match rounds {
            Ok((off, on)) => {
                for (at, each) in LOOPS.iter().enumerate() {
                    let (what, name) =
                        (format!("{}, {what}", each.what), format!("{name}_{}", each.name));
                    row(&mut figures, &what, &name, &off[at], &on[at]);
                }
            }
            Err(reason) => println!("\nskipped: {name} {reason}"),
        }
    }
    let own = figures.add("sensor_rename_ns", &sensor_ns);
    println!("\nThe sensor's own CPU, ns a rename event: {}", spread(own));
    figures.keep("overhead");
    let made = 2 * RENAMES as usize * ROUNDS;
    println!("Rename events: {made} made, {seen} arrived");
    println!("Events reported lost, of all processes of this machine: {lost}");
    // Whose events were lost is not known, so more may be missing from others.
    assert!(seen <= made && made - seen <= lost as usize, "renames were lost silently");
}

fn turns(dir: &Path) -> [f64; LOOPS.len()] {
    std::array::from_fn(|at| (LOOPS[at].turns)(dir))
}

fn add(rounds: &mut Rounds, round: [f64; LOOPS.len()]) {
    for (rounds, ns) in rounds.iter_mut().zip(round) {
        rounds.push(ns);
    }
}

/// Prints and keeps what two sides of a loop took. The ratio is that of the two sides of a round.
fn row(figures: &mut Figures, what: &str, name: &str, off: &[f64], on: &[f64]) {
    let ratios: Vec<f64> = on.iter().zip(off).map(|(on, off)| on / off).collect();
    let more: Vec<f64> = on.iter().zip(off).map(|(on, off)| on - off).collect();
    let without = figures.add(format!("{name}_off_ns"), off);
    let with = figures.add(format!("{name}_on_ns"), on);
    let ratio = figures.add(format!("{name}_ratio"), &ratios);
    let more = figures.add(format!("{name}_more_ns"), &more);
    println!(
        "| {what} | {} | {} | {:.2} | {} |",
        spread(without),
        spread(with),
        ratio.median,
        spread(more)
    );
}

fn spread(Figure { median, lowest, highest }: Figure) -> String {
    format!("{median:.0} ({lowest:.0} to {highest:.0})")
}

/// A rename that the kernel part drops: of a process that has had its budget, and of an excluded one.
fn dropped(dir: &Path) -> [f64; 2] {
    let sensor = Sensor::start_with(dir, &["--syslog", "stdout", "--bulk-budget", "1"]);
    bursts::rename(dir);
    let beyond = bursts::rename(dir);
    exclude_self(dir);
    let excluded = bursts::rename(dir);
    let program = own_program();
    ask(dir, &["exclusion", "process", "remove", "--path", &program]).expect(0);
    sensor.stop();
    [beyond, excluded]
}

fn own_program() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

/// The kernel part drops what this program does.
fn exclude_self(dir: &Path) {
    let path = own_program();
    ask(dir, &["exclusion", "process", "add", "--path", &path]).expect(0);
    // By its next event.
    wait_for("an exclusion", || {
        std::fs::write(dir.join("c"), "").unwrap();
        sleep(Duration::from_millis(500));
        ask(dir, &["exclusion", "list"]).expect(0).out.contains(&path).then_some(())
    });
}

/// The same loops without and under auditd, with rules on the calls that the sensor tells, and LAUREL
/// behind it. Or why not.
fn audited(dir: &Path, with_laurel: bool) -> Result<(Rounds, Rounds), String> {
    const CALLS: &str =
        "rename,renameat,renameat2,connect,accept,accept4,execve,execveat,unlink,unlinkat";
    const RULES: [&[&str]; 2] = [
        &["-F", "arch=b64", "-S", CALLS, "-k", "mote-bench"],
        // As the sensor: of opens those that write.
        &["-F", "arch=b64", "-S", "open,openat,creat", "-F", "perm=wa", "-k", "mote-bench"],
    ];
    let logs = tempfile::tempdir().unwrap();
    if with_laurel {
        laurel::prepare(logs.path())?;
    }
    let mut auditd = Auditd::start(logs.path(), 8)?;
    auditd.set_backlog(8192, 60_000)?;
    let (mut off, mut on) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        // This process is older than auditd, and not audited; its children are looked at, by no rule.
        add(&mut off, turns(dir));
        for rule in RULES {
            auditd.add(rule)?;
        }
        let each = |at: usize| auditd::in_new_process(|| (LOOPS[at].turns)(dir));
        add(&mut on, std::array::from_fn(each));
        auditd.take_back_rules();
    }
    if with_laurel && !laurel::has_run(logs.path()) {
        return Err("was not run by auditd".into());
    }
    Ok((off, on))
}
