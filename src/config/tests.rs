use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::directory::Directory;
use crate::event::{Action, Event};
use crate::filter::{DEFAULTS, RuleError, RuleKind};

mod bad;

const EXAMPLE: &str = r#"{
    "exclusionSettings": {"mergePolicy": "merge", "exclusions": [
        {"$type": "excludedPath", "isDirectory": true, "path": "/home/*/git", "scopes": ["epp"]},
        {"$type": "excludedPath", "isDirectory": false, "path": "/var/log/x.log",
         "scopes": ["epp", "global"]},
        {"$type": "excludedPath", "isDirectory": true, "path": "/srv"},
        {"$type": "excludedFileExtension", "extension": ".pdf", "scopes": ["epp"]},
        {"$type": "excludedFileName", "name": "cat", "scopes": ["epp"]},
        {"$type": "excludedFileName", "name": "/usr/bin/make", "scopes": ["global"]},
        {"$type": "excludedFileName", "name": "/usr/bin/ci", "includeChildren": true}]},
    "features": {"ebpfSupplementaryEventProvider": "enabled"}}"#;

fn managed(json: &str) -> Managed {
    Managed::parse(json.as_bytes()).unwrap()
}

fn rules(filter: &Filter) -> Vec<String> {
    let rules = filter.rules().skip(DEFAULTS.len());
    let shown = |rule: &Rule| {
        let path = String::from_utf8_lossy(&rule.path);
        format!("{} {} {path} {}", rule.origin, rule.kind, rule.children)
    };
    rules.map(|(rule, _)| shown(rule)).collect()
}

#[test]
fn the_schema_of_the_model_is_read() {
    let mut config = Config::merge(&managed(EXAMPLE), &Local::default());
    assert_eq!(config.unused, Vec::<String>::new());
    assert_eq!(
        rules(&config.filter),
        [
            "managed file /var/log/x.log false",
            "managed folder /srv false",
            "managed process /usr/bin/make false",
            "managed process /usr/bin/ci true",
        ]
    );
    let mut event = Event::new();
    event.action = Action::Open;
    for (path, excluded) in [("/var/log/x.log", true), ("/srv/a", true), ("/home/u/git/a", false)] {
        event.path.clear();
        event.path.extend_from_slice(path.as_bytes()).unwrap();
        assert_eq!(config.filter.excluded_by(&event).is_some(), excluded, "{path}");
    }
    event.executable.extend_from_slice(b"/usr/bin/make").unwrap();
    assert!(config.filter.excluded_by(&event).is_some());
}

#[test]
fn the_managed_provider_wins() {
    let local = |provider| Local { provider, rules: Vec::new() };
    for (features, set, provider, is_managed) in [
        ("{}", None, Wanted::Ebpf, false),
        ("{}", Some(Wanted::Netlink), Wanted::Netlink, false),
        ("{}", Some(Wanted::Ebpf), Wanted::Ebpf, false),
        (r#"{"ebpfSupplementaryEventProvider":"enabled"}"#, None, Wanted::Ebpf, true),
        (
            r#"{"ebpfSupplementaryEventProvider":"enabled"}"#,
            Some(Wanted::Netlink),
            Wanted::Ebpf,
            true,
        ),
        (
            r#"{"ebpfSupplementaryEventProvider":"disabled"}"#,
            Some(Wanted::Ebpf),
            Wanted::Netlink,
            true,
        ),
    ] {
        let managed = managed(&format!(r#"{{"features":{features}}}"#));
        let config = Config::merge(&managed, &local(set));
        assert_eq!(
            (config.provider, config.provider_managed),
            (provider, is_managed),
            "{features}"
        );
    }
    assert_eq!(Config::default().provider, Wanted::Ebpf);
}

#[test]
fn local_exclusions_are_merged_unless_the_policy_forbids_it() {
    let mut local = Local::default();
    local.add_rule(RuleKind::Folder, "/srv", false).unwrap();
    local.add_rule(RuleKind::File, "/local", false).unwrap();
    local.add_rule(RuleKind::File, "/dev/null", false).unwrap();
    let of_policy = |policy: &str| {
        let json = format!(
            r#"{{"exclusionSettings":{{{policy}"exclusions":[
                {{"$type":"excludedPath","path":"/srv","isDirectory":true}}]}}}}"#
        );
        Config::merge(&managed(&json), &local)
    };
    for policy in ["", r#""mergePolicy":"merge","#] {
        let config = of_policy(policy);
        let expected = ["managed folder /srv false", "local file /local false"];
        assert_eq!(
            (rules(&config.filter), config.merge_policy),
            (expected.map(String::from).into(), MergePolicy::Merge)
        );
        assert_eq!(config.filter.rules().next().unwrap().0.origin, Origin::Local);
    }
    let config = of_policy(r#""mergePolicy":"admin_only","#);
    assert_eq!(rules(&config.filter), ["managed folder /srv false"]);
    assert_eq!(config.merge_policy, MergePolicy::AdminOnly);
    assert_eq!(config.problems, []);
}

#[test]
fn a_local_exclusion_that_cannot_be_used_is_a_problem_and_no_failure() {
    let rule = |kind, path: &str, children| LocalRule { kind, path: path.into(), children };
    let local = Local {
        provider: None,
        rules: vec![
            rule(RuleKind::File, "/a/*", false),
            rule(RuleKind::Folder, "/good", false),
            rule(RuleKind::File, "/b", true),
        ],
    };
    let config = Config::merge(&Managed::default(), &local);
    assert_eq!(rules(&config.filter), ["local folder /good false"]);
    let said = config.problems.iter().map(|issue| format!("{}; {}", issue.problem, issue.remedy));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            "the local exclusion of the file \"/a/*\" is not used: \"/a/*\": wildcards are not \
             supported in global exclusions; name the folder instead, which excludes all below it, \
             or remove it (mote exclusion file remove)",
            "the local exclusion of the file \"/b\" is not used: only a process has descendants \
             that could be excluded with it, a file has none; ask for it with a process only, or \
             remove it (mote exclusion file remove)",
        ]
    );
}

#[test]
fn keys_without_a_meaning_are_listed_with_their_places() {
    let managed = managed(
        r#"{"antivirusEngine": {"a": 1.5}, "features": {"supplementarySensorConfigurations": {}},
            "exclusionSettings": {"mergepolicy": "x", "exclusions": [
                {"$type": "excludedPath", "path": "/a", "scopes": ["epp"]},
                {"$type": "excludedPath", "path": "/b", "isDir": true},
                {"$type": "excludedFileName", "name": "/c", "isDirectory": false, "a\u001b": -1}
            ]}}"#,
    );
    assert_eq!(
        managed.unused,
        [
            "antivirusEngine, at line 1 column 21",
            "exclusionSettings.mergepolicy, at line 2 column 50",
            "exclusionSettings.exclusions[1].isDir, at line 4 column 66",
            "exclusionSettings.exclusions[2].a\\u{1b}, at line 5 column 94",
            "exclusionSettings.exclusions[2].isDirectory, at line 5 column 76",
            "features.supplementarySensorConfigurations, at line 1 column 83",
        ]
    );
}

#[test]
fn local_settings_are_read_back_as_they_were_saved() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("dir");
    fs::create_dir(&path).unwrap();
    let dir = Directory::open(&path).unwrap();
    assert_eq!(Local::load(&dir).unwrap(), Local::default());
    let mut local = Local { provider: Some(Wanted::Netlink), rules: Vec::new() };
    local.add_rule(RuleKind::Folder, "/srv/\"ä\" \u{1b}/", false).unwrap();
    local.add_rule(RuleKind::File, "/x", false).unwrap();
    local.add_rule(RuleKind::Process, "/bin/ci", true).unwrap();
    local.add_rule(RuleKind::Process, "/bin/make", false).unwrap();
    // What a crash left is in nobody's way, and a link in its place is not followed.
    fs::write(parent.path().join("victim"), "before").unwrap();
    std::os::unix::fs::symlink("../victim", path.join("local.json.next")).unwrap();
    local.save(&dir).unwrap();
    assert_eq!(Local::load(&dir).unwrap(), local);
    assert_eq!(fs::read_to_string(parent.path().join("victim")).unwrap(), "before");
    local.remove_rule(RuleKind::Folder, "/srv/\"ä\" \u{1b}").unwrap();
    local.provider = None;
    local.save(&dir).unwrap();
    assert_eq!(Local::load(&dir).unwrap(), local);

    assert_eq!(dir.names().unwrap(), ["local.json"]);
    let metadata = fs::metadata(path.join("local.json")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
}

#[test]
fn what_cannot_be_saved_leaves_the_old_settings() {
    let parent = tempfile::tempdir().unwrap();
    // A rename onto a directory fails.
    fs::create_dir_all(parent.path().join("local.json/x")).unwrap();
    let dir = Directory::open(parent.path()).unwrap();
    assert!(Local::default().save(&dir).is_err());
    assert_eq!(dir.names().unwrap(), ["local.json"], "no half-made file is left");
}

#[test]
fn a_local_file_that_is_broken_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let dir = Directory::open(parent.path()).unwrap();
    let path = parent.path().join("local.json");
    fs::write(&path, "{").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(matches!(Local::load(&dir), Err(ConfigError::Json(_))));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(Local::load(&dir), Err(ConfigError::NotAFile(_))));
}

#[test]
fn local_settings_that_others_can_change_are_not_used() {
    let parent = tempfile::tempdir().unwrap();
    let dir = Directory::open(parent.path()).unwrap();
    let path = parent.path().join("local.json");
    Local::default().save(&dir).unwrap();
    for mode in [0o620, 0o602] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let loaded = Local::load(&dir);
        assert!(matches!(loaded, Err(ConfigError::OthersCanWrite(None))), "{loaded:?}");
    }
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(Local::load(&dir).is_ok());
    // Only root can give a file away.
    if std::os::unix::fs::chown(&path, Some(65534), None).is_ok() {
        let loaded = Local::load(&dir);
        assert!(matches!(loaded, Err(ConfigError::OthersCanWrite(Some(65534)))), "{loaded:?}");
    }
}

#[test]
fn commands_on_local_exclusions_say_what_is_there_and_what_is_not() {
    use RuleKind::{File, Folder, Process};
    let mut local = Local::default();
    local.add_rule(Folder, "/srv/", false).unwrap();
    assert_eq!(local.add_rule(Process, "/bin/ci", false), Ok(Added::Rule));
    assert_eq!(local.add_rule(Process, "/bin/ci", true), Ok(Added::Children));
    assert!(local.rules[1].children);
    let said = |error: LocalError| format!("{error}; {}", error.remedy());
    let list = "see what is set by mote exclusion list";
    for path in ["/srv", "/srv/"] {
        assert_eq!(
            said(local.add_rule(Folder, path, false).unwrap_err()),
            format!("the folder \"/srv\" is in the local exclusions already; {list}")
        );
    }
    for children in [true, false] {
        assert_eq!(
            said(local.add_rule(Process, "/bin/ci", children).unwrap_err()),
            "the process \"/bin/ci\" is in the local exclusions already, with what it starts; \
             remove it first, if what it starts is to be reported"
        );
    }
    assert_eq!(
        said(local.remove_rule(File, "/x").unwrap_err()),
        format!("the file \"/x\" is not in the local exclusions; {list}")
    );
    assert_eq!(
        said(local.remove_rule(File, "/srv").unwrap_err()),
        "the file \"/srv\" is not in the local exclusions, but as a folder it is; remove it as a \
         folder"
    );
    let name = said(local.add_rule(Process, "cat", false).unwrap_err());
    assert!(name.contains("only full paths"), "{name}");
    local.remove_rule(Folder, "/srv/").unwrap();
    assert_eq!(local.rules.len(), 1);
    // One of another version goes too.
    local.rules.push(LocalRule { kind: File, path: "*".into(), children: false });
    local.remove_rule(File, "*").unwrap();
    for n in 1..crate::limits::EXCLUSIONS - DEFAULTS.len() {
        local.add_rule(File, &format!("/{n}"), false).unwrap();
    }
    assert_eq!(local.add_rule(File, "/more", false), Err(LocalError::Rule(RuleError::TooMany)));
    assert_eq!(Config::merge(&Managed::default(), &local).problems, []);
}

#[test]
fn a_fingerprint_tells_a_changed_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("a"), dir.path().join("b"));
    assert_eq!(Fingerprint::of(&path), Fingerprint::Absent);
    fs::write(&path, "1").unwrap();
    let first = Fingerprint::of(&path);
    assert_eq!(Fingerprint::of(&path), first);
    assert_ne!(first, Fingerprint::Absent);
    fs::write(&path, "12").unwrap();
    let second = Fingerprint::of(&path);
    assert_ne!(second, first);
    fs::write(&other, "34").unwrap();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    fs::File::options().write(true).open(&other).unwrap().set_modified(written).unwrap();
    fs::rename(&other, &path).unwrap();
    assert_ne!(Fingerprint::of(&path), second, "same size and time, another file");
    assert_eq!(Fingerprint::of(&path.join("x")), Fingerprint::Unknown(Some(20)));
}
