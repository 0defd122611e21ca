//! The files of docs/siem, with the paths and ports of a test in the place of theirs.

use crate::support::mote;
use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// What a test of its own has.
const TRIED: [&str; 12] = [
    "logrotate.conf",
    "mote-decode-journal.service",
    "rsyslog-file.conf",
    "rsyslog-forward-relp.conf",
    "rsyslog-forward.conf",
    "rsyslog-mmexternal-relp.conf",
    "rsyslog-mmexternal.conf",
    "rsyslog-omprog-relp.conf",
    "rsyslog-omprog.conf",
    "syslog-ng-collector.conf",
    "syslog-ng-file.conf",
    "syslog-ng-forward.conf",
];

/// What needs a product that is not in Debian.
const UNTRIED: [(&str, &str); 5] = [
    ("filebeat.yml", "Filebeat"),
    ("splunk-inputs.conf", "Splunk"),
    ("splunk-props.conf", "Splunk"),
    ("wazuh-decoder.xml", "Wazuh"),
    ("wazuh-localfile.xml", "Wazuh"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/siem")
}

/// A file that no test knows would not be tried.
pub fn every_file_is_known() {
    let there: BTreeSet<String> = read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    let untried = UNTRIED.iter().map(|(name, _)| *name);
    let known: BTreeSet<_> = TRIED.into_iter().chain(untried).map(str::to_owned).collect();
    assert_eq!(there, known);
    let readme = read_to_string(folder().join("README.md")).unwrap();
    for name in &there {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
    }
    for (name, product) in UNTRIED {
        println!("skipped: {name} needs {product}, which is not in Debian");
    }
}

/// The text of a file, with each of `replaced` in it.
pub fn document(name: &str, replaced: &[(&str, &str)]) -> String {
    assert!(TRIED.contains(&name), "{name}");
    let mut text = read_to_string(folder().join(name)).unwrap();
    for (theirs, ours) in replaced {
        assert!(text.contains(theirs), "{name} has no {theirs}");
        text = text.replace(theirs, ours);
    }
    text
}

/// What differs from file to file is left to the caller: the program, if it is run, and the
/// directory of logs.
pub fn places(dir: &Path) -> [(&'static str, String); 2] {
    [
        ("/usr/bin/mote", mote().canonicalize().unwrap().display().to_string()),
        ("/var/log/mote", dir.join("log").display().to_string()),
    ]
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
