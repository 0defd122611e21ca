//! Every property on its seeds, and on seeds that were damaged: the same ones on every run.
//!
//! `MOTE_SEEDS=DIR cargo test --lib fuzzed` writes the seeds, for `scripts/fuzz`, to a folder for each
//! target.

use super::damage::damage;
use super::*;
use fastrand::Rng;
use std::fs;
use std::path::PathBuf;

/// A target's name, its property, its seeds.
type Target = (&'static str, fn(&[u8]) -> bool, fn() -> Vec<Vec<u8>>);

const TARGETS: [Target; 13] = [
    ("audit", audit::check, seeds::audit),
    ("configuration", configuration::check, seeds::configuration),
    ("control", control::check, seeds::control),
    ("format_file", format_file::check, seeds::format_file),
    ("host", host::check, seeds::host),
    ("line", line::check, seeds::line),
    ("netlink", netlink::check, seeds::netlink),
    ("recent", recent::check, seeds::recent),
    ("record", record::check, seeds::record),
    ("ring", ring::check, seeds::ring),
    ("ring_record", ring_record::check, seeds::ring_record),
    ("spool", spool::check, seeds::spool),
    ("spool_log", spool_log::check, seeds::spool_log),
];

/// Damaged seeds of each target.
const ROUNDS: usize = 4_000;

#[test]
fn seeds_are_accepted() {
    for (name, check, seeds) in TARGETS {
        for (number, seed) in seeds().iter().enumerate() {
            assert!(check(seed), "seed {number} of {name}");
            if let Some(directory) = std::env::var_os("MOTE_SEEDS") {
                let directory = PathBuf::from(directory).join(name);
                fs::create_dir_all(&directory).unwrap();
                fs::write(directory.join(format!("seed-{number}")), seed).unwrap();
            }
        }
    }
}

#[test]
fn what_is_damaged_keeps_every_property() {
    for (name, check, seeds) in TARGETS {
        let mut rng = Rng::with_seed(1);
        let seeds = seeds();
        let mut accepted = 0;

        for _ in 0..ROUNDS {
            let mut bytes = seeds[rng.usize(..seeds.len())].clone();
            let other = &seeds[rng.usize(..seeds.len())];
            damage(&mut rng, &mut bytes, other);
            accepted += usize::from(check(&bytes));
        }
        // Damage that is always noticed, or never, shows nothing.
        assert!((ROUNDS / 100..ROUNDS - ROUNDS / 100).contains(&accepted), "{name}: {accepted}");
    }
}

/// Each has a program in `fuzz/`, and each of those is here.
#[test]
fn every_target_can_be_fuzzed() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    let lines = manifest.lines().skip_while(|line| *line != "[[bin]]");
    let names: Vec<&str> =
        lines.filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert_eq!(names, TARGETS.map(|(name, ..)| name));
}
