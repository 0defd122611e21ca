//! What this kernel's verifier says of every program: both objects, whichever of them this
//! kernel needs, since another build of it may need the other.
//!
//! The logs stay in the directory that `MOTE_ARTEFACTS` names, for those who want to know why
//! a program costs what it does, or how close it is to a limit.

#[path = "support/mod.rs"]
mod support;

use mote::source::ebpf::cpus;
use mote::source::ebpf::object::{CallContext, Kernel, Object};
use mote::source::ebpf::tracefs::Tracefs;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use support::require_live;

/// Half of what verifiers before 5.2 look at, on all paths of a program, before they give up
/// (`BPF_COMPLEXITY_LIMIT_INSNS`, linux `kernel/bpf/verifier.c`).
const MOST_VERIFIED: u32 = 131_072 / 2;

fn main() -> ExitCode {
    support::runner::run(&[("verifier_takes_every_program", verifier_takes_every_program)])
}

fn verifier_takes_every_program() {
    require_live();
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Memlock,
        rustix::process::Rlimit { current: None, maximum: None },
    );
    let needed = Kernel::from_tracefs(&Tracefs::find_or_mount().unwrap()).unwrap();
    let possible_cpus = cpus::possible().unwrap() as u32;
    for context in [CallContext::Usual, CallContext::Measured] {
        let kernel = Kernel { context, ..needed };
        let (object, logs) = Object::load_with_log(kernel, possible_cpus)
            .unwrap_or_else(|error| panic!("{context:?}: {error}\n{}", error.log));
        assert!(logs.len() > 20, "{context:?}: a log of {} programs", logs.len());
        for (program, log) in &logs {
            assert!(object.program(program).is_some(), "{program} is not loaded");
            let verified = verified(log).unwrap_or_else(|| panic!("{program}: {log}"));
            assert!(verified <= MOST_VERIFIED, "{context:?}: {program}: {verified}");
        }
        if context == needed.context {
            let most = logs.iter().max_by_key(|(_, log)| verified(log)).unwrap();
            println!("most instructions verified: {}, {}", verified(&most.1).unwrap(), most.0);
            keep(&logs);
        }
    }
}

/// How many instructions the verifier looked at, by its log.
fn verified(log: &str) -> Option<u32> {
    let (_, count) = log.rsplit_once("processed ")?;
    count.split_whitespace().next()?.parse().ok()
}

fn keep(logs: &[(String, String)]) {
    let Some(folder) = std::env::var_os("MOTE_ARTEFACTS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    // Piece by piece: all of it would not fit into a guest a second time.
    let mut file = BufWriter::new(File::create(folder.join("verifier.log")).unwrap());
    for (program, log) in logs {
        writeln!(file, "== {program}\n{}", log.trim_end()).unwrap();
    }
    file.flush().unwrap();
}
