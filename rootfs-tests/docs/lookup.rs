//! Commands that are not executed, in blocks and in the text: whether mote has these commands and
//! options, and the Makefile these targets and variables.

use crate::pages::{Kind, blocks, names, repository, spans, text};
use crate::support::{mote, output_of};
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::Command;

/// Of all pages.
pub fn commands_are_there() {
    let mut lookup = Lookup::new();
    let (mut in_blocks, mut in_text) = (0, 0);
    for name in names() {
        let page = text(&name);
        for block in blocks(&name, &page).unwrap_or_else(|error| panic!("{error}")) {
            if matches!(block.kind, Kind::Output | Kind::Message | Kind::Text) {
                continue;
            }
            for line in &block.lines {
                in_blocks +=
                    lookup.line(line).unwrap_or_else(|why| panic!("{}: {why}", block.place));
            }
        }
        for span in spans(&page).iter().filter(|span| begins_as_command(span)) {
            in_text += lookup.line(span).unwrap_or_else(|why| panic!("{}: {why}", name.display()));
        }
    }
    println!("{in_blocks} commands of mote and make in blocks and {in_text} in the text are there");
    assert!(in_blocks > 30 && in_text > 50, "{in_blocks} {in_text}");
}

/// A command that is not there has to be found.
pub fn a_command_that_is_not_there_is_found() {
    let mut lookup = Lookup::new();
    for (line, count) in [
        ("mote run --spool /s --profile tiny", Some(1)),
        ("mote run --spol /s", None),
        ("mote exclusion file|folder add|remove --path P", Some(1)),
        ("mote exclusion file|disk add", None),
        ("15 3 * * * root mote pause --if-running -- uptrack-upgrade --now", Some(1)),
        ("mote pause --if-run -- true", None),
        ("journalctl -o cat | dist/mote decode --follow x && mote health", Some(2)),
        ("mote decode --follow x | mote helth", None),
        ("make kernels ROW=x", Some(1)),
        ("make kernels ROW=\"x make y\" z", None),
        ("make kernel", None),
        ("make kernels RAW=x", None),
        ("logger -t mote -p user.info x; scp dist/mote a:/usr/bin/mote", Some(0)),
    ] {
        assert_eq!(lookup.line(line).ok(), count, "{line}");
    }
}

fn begins_as_command(span: &str) -> bool {
    ["mote ", "dist/mote ", "make "].iter().any(|begin| span.starts_with(begin))
}

struct Lookup {
    makefile: String,
    /// By the words of the command.
    help: BTreeMap<String, String>,
}

impl Lookup {
    fn new() -> Lookup {
        let makefile = read_to_string(repository().join("Makefile")).unwrap();
        Lookup { makefile, help: BTreeMap::new() }
    }

    /// How many commands of mote and make are in a line, or what is wrong with one.
    fn line(&mut self, line: &str) -> Result<u32, String> {
        let line = line.split(" #").next().unwrap_or_default();
        // What is quoted is one word, whatever it says.
        let line: Vec<&str> = line.split('"').step_by(2).collect();
        let line = line.join("");
        let mut count = 0;
        for part in line.split(" | ").flat_map(|part| part.split(" && ")) {
            let words: Vec<&str> = part.split_whitespace().collect();
            // Behind the times and the user of cron, perhaps; not the value of another one's option.
            let of_mote = (0..words.len()).find(|at| match at.checked_sub(1) {
                None => ["mote", "dist/mote"].contains(&words[0]),
                Some(before) => words[*at] == "mote" && !words[before].starts_with('-'),
            });
            match (of_mote, words.first()) {
                (_, Some(&"make")) => self.make(&words[1..])?,
                (Some(at), _) => self.mote(&words[at + 1..])?,
                _ => continue,
            }
            count += 1;
        }
        Ok(count)
    }

    fn mote(&mut self, words: &[&str]) -> Result<(), String> {
        let mut path = Vec::new();
        for word in words.iter().take_while(|word| **word != "--") {
            let help = self.help(&path);
            if let Some(option) = word.strip_prefix("--") {
                let option = option.split(['=', '|', ']']).next().unwrap_or_default();
                let option = format!("--{option}");
                let is_it = |line: &str| line.split_whitespace().next() == Some(option.as_str());
                if !help.lines().any(is_it) && option != "--version" {
                    return Err(format!("mote {} has no {option}", path.join(" ")));
                }
            } else if let Some((_, commands)) = help.split_once("Commands:\n") {
                let known: Vec<&str> =
                    commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
                for one in word.split('|') {
                    if !known.contains(&one) {
                        return Err(format!("mote {} has no {one}", path.join(" ")));
                    }
                }
                path.push(word.split('|').next().unwrap_or_default().to_owned());
            }
        }
        Ok(())
    }

    fn help(&mut self, path: &[String]) -> String {
        let known = self.help.entry(path.join(" "));
        known.or_insert_with(|| output_of(Command::new(mote()).args(path).arg("--help"))).clone()
    }

    fn make(&self, words: &[&str]) -> Result<(), String> {
        for word in words {
            let is_there = match word.split_once('=') {
                Some((variable, _)) => {
                    self.makefile.contains(&format!("$({variable}"))
                        || self.makefile.contains(&format!("{variable} ?="))
                }
                None => self.makefile.contains(&format!("\n{word}: ")),
            };
            if !is_there {
                return Err(format!("the Makefile has no {word}"));
            }
        }
        Ok(())
    }
}
