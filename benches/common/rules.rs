//! Exclusions, many of them, and where events are.

use mote::filter::{Filter, Origin, Rule, RuleKind};

/// Where events are.
pub const FOLDERS: [&str; 12] = [
    "/usr/lib/x86_64-linux-gnu",
    "/var/lib/docker/overlay2/4f3c1d9ab7",
    "/home/user/project/target/debug",
    "/var/log/journal/0123456789abcdef",
    "/opt/app/releases/current/static",
    "/tmp/build-8Hq2/src/module",
    "/proc/self/task/1/net",
    "/etc/systemd/system/multi-user.target.wants",
    "/run/user/1000/systemd/transient",
    "/usr/share/locale/de/LC_MESSAGES",
    "/var/cache/apt/archives/partial",
    "/srv/www/htdocs/images/2024",
];

/// So many rules of a kind, or of every kind in turn. They match no event: they are below the folders
/// of the events, and some as long as their paths, since others would be told apart with less work.
pub fn rules(kind: Option<RuleKind>, count: usize) -> impl Iterator<Item = (RuleKind, String)> {
    const IN_TURN: [RuleKind; 3] = [RuleKind::Folder, RuleKind::File, RuleKind::Process];
    (0..count).map(move |n| {
        let folder = FOLDERS[n % FOLDERS.len()];
        let kind = kind.unwrap_or(IN_TURN[n % IN_TURN.len()]);
        let path = match kind {
            RuleKind::Folder => format!("{folder}/{n}"),
            RuleKind::File => format!("{folder}/part/{n:x}.dat"),
            RuleKind::Process => format!("/usr/{}program{n}", "lib/".repeat(n % 4)),
        };
        (kind, path)
    })
}

/// What excludes by these, and the defaults.
pub fn filter(rules: impl Iterator<Item = (RuleKind, String)>) -> Filter {
    let mut filter = Filter::new();
    for (kind, path) in rules {
        filter.add(Rule::new(kind, &path, Origin::Local, false).unwrap()).unwrap();
    }
    filter
}
