//! Pages of the manual have what the program has.

use mote::config::Managed;
use std::collections::BTreeSet;
use std::process::Command;

/// Options that the help of a command has.
fn options(command: &str) -> BTreeSet<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mote")).args([command, "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let names = help.lines().filter_map(|line| line.strip_prefix("  --"));
    let names = names.map(|line| line.split([' ', ',']).next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

/// Those that a page has an item for: `.It Fl -NAME`.
fn items(page: &str) -> BTreeSet<String> {
    let names = page.lines().filter_map(|line| line.strip_prefix(".It Fl -"));
    names.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_option_is_there_and_no_other() {
    let pages = [
        ("run", include_str!("../packaging/man/mote.8")),
        ("decode", include_str!("../packaging/man/mote-decode.1")),
    ];
    for (command, page) in pages {
        let expected = options(command);
        assert!(expected.len() > 6, "{expected:?}");
        assert_eq!(items(page), expected, "mote {command}");
    }
}

/// How many exclusions a configuration adds, all of which has to mean something.
fn exclusions(configuration: &str) -> usize {
    let managed = Managed::parse(configuration.as_bytes()).unwrap();
    assert!(managed.unused.is_empty(), "{:?}", managed.unused);
    let defaults = Managed::parse(b"{}").unwrap().filter.rules().count();
    managed.filter.rules().count() - defaults
}

#[test]
fn the_examples_of_a_configuration_are_such() {
    let page = include_str!("../packaging/man/mote_managed.json.5");
    let (_, example) = page.split_once(".Bd -literal\n").unwrap();
    let (example, _) = example.split_once(".Ed").unwrap();
    assert_eq!(exclusions(example), 2);
    assert_eq!(exclusions(include_str!("../packaging/examples/mote_managed.json")), 2);
}
