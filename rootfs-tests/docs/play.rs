//! Does what the pages say, in their order.

use crate::hosts::{Ended, Host, Job};
use crate::pages::{Block, Kind, blocks, exit_code, names, text};
use crate::support::{PATIENCE, again, require_live, skip};
use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub fn pages() {
    require_live();
    if !cfg!(target_arch = "x86_64") {
        skip("the pages are about amd64");
    }
    let mut first = Host::first();
    let mut second = Host::second(&mut first);
    first.take_program();
    first.take_package();
    // As its package does.
    first.well("systemctl start rsyslog");
    let mut sensors = Vec::new();
    let mut asked = BTreeSet::new();
    let mut counts = BTreeMap::new();
    for name in names() {
        let blocks = blocks(&name, &text(&name)).unwrap_or_else(|error| panic!("{error}"));
        for (number, mut block) in blocks.clone().into_iter().enumerate() {
            // What only asks, and takes its time, is asked once.
            block
                .lines
                .retain(|line| !line.starts_with("mote diagnostic") || asked.insert(plain(line)));
            let output = blocks.get(number + 1).filter(|next| next.kind == Kind::Output);
            let output = output.map_or(&[][..], |block| &block.lines);
            let done = match &block.kind {
                Kind::Run { on_collector, soon } => {
                    let host = if *on_collector { &mut second } else { &mut first };
                    run(host, &block, *soon, output);
                    "executed"
                }
                Kind::CtrlC => {
                    sensors.extend(block.lines.iter().filter_map(|line| go_on(&mut first, line)));
                    "executed"
                }
                Kind::Make => "only looked up in the Makefile: a target is not made within another",
                Kind::Elsewhere(why) => {
                    let count = block.lines.len();
                    println!("{}: {count} not executed, options looked up: {why}", block.place);
                    "not executed here"
                }
                Kind::Output | Kind::Message | Kind::Text => continue,
            };
            *counts.entry(done).or_insert(0) += block.lines.len();
        }
    }
    for (_, sensor) in sensors {
        sensor.wait_for_interrupted();
    }
    for (done, count) in &counts {
        println!("{count} commands of the pages were {done}");
    }
    assert!(counts["executed"] > 50, "{counts:?}");
}

/// Without its comment.
fn plain(line: &str) -> String {
    line.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

/// Until Ctrl-C. A sensor has a host of its own, on which no other runs, and ends while the pages go on.
fn go_on(host: &mut Host, line: &str) -> Option<(Host, Job)> {
    if !line.contains("mote run") {
        let command = host.start_until_ready(line);
        command.interrupt();
        command.wait_for_interrupted();
        return None;
    }
    let mut own = Host::beside(host);
    own.take_program();
    own.well("cp dist/mote /usr/bin/mote && systemctl start rsyslog");
    let sensor = own.start_until_ready(line);
    sensor.interrupt();
    Some((own, sensor))
}

/// A block that takes longer is named.
const SLOW: Duration = Duration::from_secs(4);

/// What `mote health` exits with if there are issues, and `mote decode --verify` if events are missing.
const NO: i32 = 1;

fn run(host: &mut Host, block: &Block, soon: bool, output: &[String]) {
    let begin = Instant::now();
    loop {
        let mut printed = String::new();
        let mut wrong = None;
        for line in &block.lines {
            let Ended { code, out, err } = host.run(line);
            // Others flood this machine, perhaps.
            let is_lossy = line.starts_with("mote health")
                && host.run("mote health").out.contains("events were lost");
            // A run is in two files, since the page gave its records another one: of the two classes one
            // is ahead of the other in each.
            let is_split = line.contains("decode --verify") && err.is_empty();
            if code != exit_code(line) && !((is_lossy || is_split) && code == NO) {
                wrong = Some(format!("{line}: exit code {code}: {out}{err}"));
                break;
            }
            printed += &(out + &err);
        }
        let wrong = wrong.or_else(|| {
            let missing =
                output.iter().find(|line| !printed.lines().any(|own| is_as(own, line)))?;
            if printed.contains("events were lost") {
                again("events were lost");
            }
            Some(format!("\"{missing}\" is not in what was printed: {printed}"))
        });
        match wrong {
            None => {
                let took = begin.elapsed();
                if took > SLOW {
                    println!("{} took {:.1} s", block.place, took.as_secs_f64());
                }
                return;
            }
            Some(wrong) => {
                assert!(soon && begin.elapsed() < PATIENCE, "{}: {wrong}", block.place);
            }
        }
        sleep(Duration::from_millis(200));
    }
}

/// Whether a line is as the page has it: any number stands for any, blanks for more, `…` for anything.
fn is_as(line: &str, expected: &str) -> bool {
    let (line, expected) = (without_numbers(line), without_numbers(expected));
    let mut parts: Vec<&str> = expected.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        return line == last;
    }
    let Some(mut rest) = line.strip_prefix(parts[0]) else { return false };
    for part in &parts[1..] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for character in line.trim_end().chars() {
        match character {
            '0'..='9' if text.ends_with('0') => {}
            ' ' if text.ends_with(' ') => {}
            '0'..='9' => text.push('0'),
            _ => text.push(character),
        }
    }
    text
}

pub fn another_output_is_found() {
    for (line, expected, is_so) in [
        ("a 17 b", "a 3 b", true),
        ("a 17 b", "a 3 c", false),
        ("time=1 x=2 path=/a from=/b", "time=… path=/a …", true),
        ("time=1 x=2 path=/b from=/b", "time=… path=/a …", false),
        ("local   171  /a", "local 3 /a", true),
        ("ab", "a", false),
        ("a}b}", "a…}", true),
        ("abc", "a…d", false),
        ("healthy  : true", "healthy  : false", false),
    ] {
        assert_eq!(is_as(line, expected), is_so, "{line}: {expected}");
    }
}
