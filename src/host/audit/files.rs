//! The files that rules come from: `/etc/audit/rules.d/*.rules`, of which augenrules(8) makes
//! `/etc/audit/audit.rules`, which is what auditctl(8) loads.

use std::collections::BTreeSet;
use std::path::Path;

use super::Rule;
use crate::host::{files_in, read_text, root, shown};

/// What the host's files say.
#[derive(Debug, Default)]
pub struct RuleFiles(Vec<(String, Vec<Line>)>);

impl RuleFiles {
    /// This host's.
    pub fn read() -> RuleFiles {
        RuleFiles::read_below(root())
    }

    fn read_below(root: &Path) -> RuleFiles {
        let directory = root.join("etc/audit");
        let mut paths = files_in(&directory.join("rules.d"));
        // As augenrules(8) does.
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "rules"));
        paths.push(directory.join("audit.rules"));
        let lines = |text: String| text.lines().map(Line::parse).collect();
        let read = |path| Some((shown(root, path), lines(read_text(path)?)));
        RuleFiles(paths.iter().filter_map(|path| read(path)).collect())
    }

    /// The files that have this rule.
    pub fn of(&self, rule: &Rule) -> Vec<&str> {
        let line = Line::parse(&rule.to_string());
        self.with(|own| *own == line)
    }

    /// The files with a rule of the same key, or on the same path: where a rule that is in
    /// none as it is may come from.
    pub fn like(&self, rule: &Rule) -> Vec<&str> {
        let line = Line::parse(&rule.to_string());
        self.with(|own| {
            own.keys.iter().any(|key| line.keys.contains(key))
                || (own.path.is_some() && own.path == line.path)
        })
    }

    /// The files that make audit immutable.
    pub fn immutable(&self) -> Vec<&str> {
        self.with(|line| line.immutable)
    }

    fn with(&self, wanted: impl Fn(&Line) -> bool) -> Vec<&str> {
        let has = |(_, lines): &&(String, Vec<Line>)| lines.iter().any(&wanted);
        self.0.iter().filter(has).map(|(path, _)| path.as_str()).collect()
    }
}

/// What a line of auditctl's options says, in whatever order and way it says it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    path: Option<String>,
    keys: BTreeSet<String>,
    /// List and action, system calls, fields.
    others: BTreeSet<String>,
    /// `-e 2`.
    immutable: bool,
}

impl Line {
    pub(crate) fn parse(text: &str) -> Line {
        let mut line = Line::default();
        let text = text.trim();
        let mut words = if text.starts_with('#') { "" } else { text }.split_whitespace();
        let mut watch = false;
        while let Some(word) = words.next() {
            // `-k key` or `-kkey` (getopt(3)).
            let Some(option) = word.strip_prefix('-').and_then(|rest| rest.chars().next()) else {
                continue;
            };
            let attached = &word[1 + option.len_utf8()..];
            let value = if attached.is_empty() { words.next().unwrap_or("") } else { attached };
            let value = value.trim_matches(['"', '\'']);
            match option {
                'w' => {
                    watch = true;
                    line.set_path(value);
                }
                'p' => line.set_permissions(value),
                'k' => drop(line.keys.insert(value.into())),
                'e' => line.immutable |= value == "2",
                'F' => line.add_field(value),
                // All is what is meant without.
                'S' => {
                    let calls = value.split(',').filter(|call| *call != "all");
                    line.others.extend(calls.map(|call| format!("S {call}")));
                }
                // `exit,always` is `always,exit`.
                'a' | 'A' => {
                    let mut words: Vec<&str> = value.split(',').collect();
                    words.sort_unstable();
                    line.others.insert(format!("a {}", words.join(",")));
                }
                'C' => drop(line.others.insert(format!("C {value}"))),
                _ => {}
            }
        }
        if watch {
            line.others.insert("a always,exit".into());
            if !line.others.iter().any(|other| other.starts_with("p ")) {
                // What auditctl(8) takes without `-p`.
                line.set_permissions("rwxa");
            }
        }
        line
    }

    /// auditctl takes a slash away at the end.
    fn set_path(&mut self, path: &str) {
        let trimmed = path.trim_end_matches('/');
        self.path = Some(if trimmed.is_empty() { path } else { trimmed }.into());
    }

    fn set_permissions(&mut self, letters: &str) {
        let letters: BTreeSet<char> = letters.chars().collect();
        self.others.insert(format!("p {}", letters.into_iter().collect::<String>()));
    }

    fn add_field(&mut self, field: &str) {
        match field.split_once('=') {
            Some(("key", value)) => drop(self.keys.insert(value.into())),
            Some(("path" | "dir", value)) => self.set_path(value),
            Some(("perm", value)) => self.set_permissions(value),
            Some((name @ ("auid" | "auid!" | "loginuid" | "loginuid!"), value)) => {
                let name = name.trim_start_matches("login").trim_start_matches('a');
                // Three ways to say nobody.
                let value = match value {
                    "unset" | "4294967295" => "-1",
                    value => value,
                };
                self.others.insert(format!("F a{name}={value}"));
            }
            _ => drop(self.others.insert(format!("F {field}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::field;
    use super::super::rule_tests::{Made, number, text};
    use super::*;
    use std::fs;

    #[test]
    fn ways_to_write_the_same_rule() {
        for (one, other) in [
            ("-w /etc/passwd -p wa -k id", "  -w /etc/passwd/ -k id -p aw"),
            ("-w /etc/passwd -p wa -k id", "-w/etc/passwd -pwa -kid"),
            ("-w /etc -k id", "-w /etc/ -p rwxa -k id"),
            ("-w /a -p wa", "-a always,exit -S all -F path=/a -F perm=wa"),
            ("-w /a -p wa", "-a exit,always -F dir=/a -F perm=wa"),
            ("-a always,exit -S a,b -F key=x", "-A exit,always -S b -S a -k x"),
            ("-a always,exit -F auid!=-1", "-a always,exit -F auid!=4294967295"),
            ("-a always,exit -F auid!=-1", "-a always,exit -F loginuid!=unset"),
            ("-a never,task", "-a task,never"),
        ] {
            assert_eq!(Line::parse(one), Line::parse(other), "{one} | {other}");
        }
        for (one, other) in [
            ("-w /etc/passwd -p wa", "-w /etc/passwd -p r"),
            ("-w /", "-w /etc"),
            ("-a always,exit -S a", "-a always,exit -S b"),
            ("-a always,exit -F auid=-1", "-a always,exit -F auid!=-1"),
            ("-a always,exit -F uid=1", "-a always,exit -F auid=1"),
        ] {
            assert_ne!(Line::parse(one), Line::parse(other), "{one} | {other}");
        }
    }

    #[test]
    fn lines_that_are_no_rule() {
        for text in ["", "#-w /etc", "-", "-D", "--backlog_wait_time 60000", "word", "-é x", "-k"]
        {
            let line = Line::parse(text);
            assert!(line.path.is_none() && line.others.is_empty(), "{text}: {line:?}");
        }
        assert!(Line::parse("-e 2").immutable && Line::parse(" -e2 ").immutable);
        assert!(!Line::parse("-e 1").immutable && !Line::parse("# -e 2").immutable);
    }

    #[test]
    fn files_that_have_a_rule() {
        let root = tempfile::tempdir().unwrap();
        let rules = root.path().join("etc/audit/rules.d");
        fs::create_dir_all(&rules).unwrap();
        for (name, content) in [
            ("10-id.rules", "## identity\n-w /etc/passwd -p wa -k id\n"),
            ("20-id.rules", "-w /etc/group -p wa -k id\n"),
            ("99-end.rules", "-e 2\n"),
            ("50-off.rules.bak", "-w /etc/passwd -p wa -k id\n"),
        ] {
            fs::write(rules.join(name), content).unwrap();
        }
        let all = "-w /etc/passwd -p wa -k id\n-w /etc/group -p wa -k id\n-e 2\n";
        fs::write(root.path().join("etc/audit/audit.rules"), all).unwrap();
        // Would never end.
        let pipe = rules.join("60-pipe.rules");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        let files = RuleFiles::read_below(root.path());

        let watch = |path: &str, key: &str| {
            let fields = [text(field::PATH, path), number(field::PERM, 10), text(field::KEY, key)];
            Made { fields: fields.into(), ..Made::default() }.rule()
        };
        let generated = "/etc/audit/audit.rules";
        let first = "/etc/audit/rules.d/10-id.rules";
        let second = "/etc/audit/rules.d/20-id.rules";
        assert_eq!(files.of(&watch("/etc/passwd", "id")), [first, generated]);
        for (path, key, like) in [
            ("/etc/group", "other", &[second, generated][..]),
            ("/etc/shadow", "id", &[first, second, generated]),
            ("/etc/shadow", "other", &[]),
        ] {
            assert_eq!(files.of(&watch(path, key)), [""; 0]);
            assert_eq!(files.like(&watch(path, key)), like);
        }
        assert_eq!(files.immutable(), ["/etc/audit/rules.d/99-end.rules", generated]);
        assert_eq!(RuleFiles::read_below(&rules).immutable(), [""; 0]);
    }
}
