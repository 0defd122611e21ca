//! The tables of the README: what calls cost beside others, and the goals.

use crate::figures::Figures;

/// Loops of the overhead bench, for people.
const LOOPS: [(&str, &str); 8] = [
    ("rename", "rename, told"),
    ("open_write", "open for writing and close, told"),
    ("open_read", "open for reading and close"),
    ("getppid", "getppid, which nobody looks at"),
    ("connect", "connect and accept, told"),
    ("exec", "fork, exec, exit and wait, told"),
    ("compile", "a file of a build by make and gcc"),
    ("request", "a request of nginx"),
];

/// What figures begin with, and what that is.
const SIDES: [(&str, &str); 5] = [
    ("", "mote"),
    ("bpftrace_", "empty programs on the same calls"),
    ("execsnoop_", "execsnoop"),
    ("auditd_", "auditd, with rules on what is told"),
    ("laurel_", "auditd and LAUREL"),
];

/// How many times as long a turn takes as without, with each of them.
pub fn ratios(overhead: &Figures) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let heads = SIDES.iter().map(|(_, what)| what.to_string());
    let mut table = line([String::new()].into_iter().chain(heads).collect());
    table += &line(vec!["---".into(); SIDES.len() + 1]);
    for (name, what) in LOOPS {
        let ratio = |side: &str| {
            let figure = overhead.figures.get(&format!("{side}{name}_ratio"));
            figure.map_or("–".into(), |figure| format!("{:.2}", figure.median))
        };
        let cells = SIDES.iter().map(|(side, _)| ratio(side));
        table += &line([what.to_owned()].into_iter().chain(cells).collect());
    }
    table
}

const BEGIN: &str = "<!-- make bench README=yes: begin -->\n";
const END: &str = "<!-- end -->\n";

/// A README with these tables in the place of those that it has.
pub fn put(readme: &str, tables: &str) -> String {
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a beginning of tables");
    let (_, after) = rest.split_once(END).expect("the README has an end of tables");
    format!("{before}{BEGIN}{tables}{END}{after}")
}
