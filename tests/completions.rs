//! What `packaging/completions` offers is what `mote --help` has, command by command: each shell is asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What a help has in one of its parts, `Options:` or `Commands:`.
fn part(help: &str, title: &str) -> BTreeSet<String> {
    let lines = help.lines().skip_while(|line| *line != title).skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names =
        lines.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    names.map(|line| line.split([' ', ',']).next().unwrap().to_owned()).collect()
}

struct Known {
    path: Vec<String>,
    options: BTreeSet<String>,
    /// Commands below it.
    below: BTreeSet<String>,
    usage: String,
}

/// Every command that there is.
fn commands(path: &[String], found: &mut Vec<Known>) {
    let help = output(Command::new(env!("CARGO_BIN_EXE_mote")).args(path).arg("--help"));
    let help = String::from_utf8(help.stdout).unwrap();
    let below = part(&help, "Commands:");
    let mut options = part(&help, "Options:");
    if path.is_empty() {
        options.insert("--version".to_owned());
    }
    let usage = help.lines().next().unwrap().to_owned();
    found.push(Known { path: path.to_vec(), options, below: below.clone(), usage });
    for name in below {
        commands(&[path, &[name]].concat(), found);
    }
}

/// How each shell is asked: what it completes is what comes out, a line each.
const SHELLS: [(&str, &[&str], &str); 3] = [
    (
        "bash",
        &["--norc", "-c"],
        r#"compopt() { :; }; . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mote; printf '%s\n' "${COMPREPLY[@]}""#,
    ),
    (
        "zsh",
        &["-f", "-c"],
        r#"compadd() { shift; print -rl -- "$@" }; _files() { print "$PWD" }; _command_names() { print ls }
           words=("$@"); CURRENT=$#; shift $#; . "$0""#,
    ),
    (
        "fish",
        &["--no-config", "-c"],
        r#"source $argv[1]; complete -C (string join -- ' ' $argv[2..] | string collect -a) | string replace -r '\t.*' ''; true"#,
    ),
];

/// What a shell completes this line to; its last word is being written.
fn completed(shell: usize, script: &Path, line: &[&str]) -> BTreeSet<String> {
    let (name, options, program) = SHELLS[shell];
    let mut command = Command::new(name);
    command.args(options).arg(program).arg(script).args(line);
    let output = output(&mut command);
    assert!(output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_shell_offers_what_the_help_has() {
    let mut all = Vec::new();
    commands(&[], &mut all);
    assert!(all.len() > 20);
    let dir = tempfile::tempdir().unwrap();
    for (shell, (name, ..)) in SHELLS.iter().enumerate() {
        if Command::new(name).arg("--version").output().is_err() {
            println!("skipped: completions {name} is not here");
            continue;
        }
        let generator = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/completions");
        let made = output(Command::new(generator).arg(name)).stdout;
        let script = dir.path().join(name);
        fs::write(&script, made).unwrap();
        let complete = |line: &[&str]| completed(shell, &script, line);
        for Known { path, options, below, usage } in &all {
            let mut line = vec!["mote"];
            line.extend(path.iter().map(String::as_str));
            // zsh itself leaves out what does not begin so.
            let offered = complete(&[&line[..], &["--"]].concat());
            let offered = offered.into_iter().filter(|word| word.starts_with("--"));
            assert_eq!(offered.collect::<BTreeSet<_>>(), *options, "{name}: {line:?}");
            // Behind one that takes a value no other is due, but for fish, which offers them wherever `--` is.
            for option in options.iter().filter(|_| *name != "fish") {
                let takes_value = usage.contains(&format!("{option} <"));
                let offered = complete(&[&line[..], &[option, "--"]].concat());
                assert_eq!(offered.contains("--help"), !takes_value, "{name}: {line:?} {option}");
            }
            if !below.is_empty() {
                let offered = complete(&[&line[..], &[""]].concat());
                let offered = offered.into_iter().filter(|word| !word.starts_with("--"));
                assert_eq!(offered.collect::<BTreeSet<_>>(), *below, "{name}: {line:?}");
            }
        }

        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        let levels = words("error warning info debug");
        assert_eq!(complete(&["mote", "run", "--log-level", ""]), levels, "{name}");
        let after_others = ["mote", "run", "--spool", "/x", "--log-level", ""];
        assert_eq!(complete(&after_others), levels, "{name}");
        assert_eq!(complete(&["mote", "health", "--output", ""]), words("text json"), "{name}");
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.tom");
        assert!(!complete(&["mote", "decode", file]).is_empty(), "{name}: no files");
        assert!(!complete(&["mote", "run", "--config", file]).is_empty(), "{name}: no files");
        assert!(!complete(&["mote", "pause", "--", "l"]).is_empty(), "{name}: no programs");
    }
}
