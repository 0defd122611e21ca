use super::*;
use crate::limits::PATH_BYTES;

fn event(action: Action, executable: &str, path: &str, from: &str) -> Event {
    let mut event = Event::new();
    event.action = action;
    event.executable.extend_from_slice(executable.as_bytes()).unwrap();
    event.path.extend_from_slice(path.as_bytes()).unwrap();
    event.from.extend_from_slice(from.as_bytes()).unwrap();
    event
}

fn rule(kind: RuleKind, path: &str) -> Rule {
    Rule::new(kind, path, Origin::Local, false).unwrap()
}

fn filter(rules: &[(RuleKind, &str)]) -> Filter {
    let mut filter = Filter::new();
    for (kind, path) in rules {
        filter.add(rule(*kind, path)).unwrap();
    }
    filter
}

#[test]
fn kinds_have_one_word_each() {
    for kind in RuleKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
}

/// The path of the rule that excludes the event.
fn excluded_by(filter: &mut Filter, event: &Event) -> Option<String> {
    let id = filter.excluded_by(event)?;
    Some(String::from_utf8(filter.rule(id).unwrap().path.to_vec()).unwrap())
}

fn hits(filter: &Filter, kind: RuleKind, path: &str) -> u64 {
    let rules = filter.rules();
    let mut of_it = rules.filter(|(rule, _)| rule.kind == kind && *rule.path == *path.as_bytes());
    of_it.next().unwrap().1
}

#[test]
fn rules_exclude_what_they_name_and_no_more() {
    let mut filter = filter(&[
        (RuleKind::File, "/var/log/x.log"),
        (RuleKind::Folder, "/srv/build/"),
        (RuleKind::Process, "/usr/bin/make"),
    ]);
    for (excluded, action, executable, path, from) in [
        (true, Action::Open, "/bin/sh", "/var/log/x.log", ""),
        (false, Action::Open, "/bin/sh", "/var/log/x.log.1", ""),
        (false, Action::Open, "/bin/sh", "/var/log/x.log/a", ""),
        (false, Action::Open, "/bin/sh", "var/log/x.log", ""),
        (true, Action::Mkdir, "/bin/sh", "/srv/build", ""),
        (true, Action::Unlink, "/bin/sh", "/srv/build/a/b", ""),
        (false, Action::Unlink, "/bin/sh", "srv/build/a/b", ""),
        (false, Action::Unlink, "/bin/sh", "/srv/builder/a", ""),
        (false, Action::Unlink, "/bin/sh", "/srv/buil/a", ""),
        (false, Action::Unlink, "/bin/sh", "/a/srv/build", ""),
        (false, Action::Unlink, "/bin/sh", "/srv", ""),
        (true, Action::Rename, "/bin/sh", "/srv/build/a", "/srv/build/b"),
        (true, Action::Rename, "/bin/sh", "/srv/build/a", "/var/log/x.log"),
        (false, Action::Rename, "/bin/sh", "/srv/build/a", "/tmp/b"),
        (false, Action::Rename, "/bin/sh", "/tmp/a", "/srv/build/b"),
        (true, Action::Link, "/bin/sh", "/srv/build/a", "/srv/build/b"),
        (false, Action::Link, "/bin/sh", "/srv/build/passwd", "/etc/passwd"),
        (true, Action::Symlink, "/bin/sh", "/srv/build/l", "/etc/passwd"),
        (false, Action::Symlink, "/bin/sh", "/etc/l", "/srv/build/a"),
        (false, Action::Setxattr, "/bin/sh", "/etc/f", "user.x"),
        (true, Action::Exit, "/usr/bin/make", "", ""),
        (true, Action::Connect, "/usr/bin/make", "", ""),
        (false, Action::Exit, "/usr/bin/make2", "", ""),
        (false, Action::Exit, "/usr/bin", "", ""),
        (false, Action::Exec, "/bin/sh", "/srv/build/tool", ""),
        (true, Action::Open, "/bin/sh", "/dev/null", ""),
        (true, Action::Open, "/bin/sh", "/dev/tty", ""),
        (false, Action::Open, "/bin/sh", "/dev/tty1", ""),
        (false, Action::Rename, "/bin/sh", "/dev/null", "/tmp/x"),
        (false, Action::Symlink, "/bin/sh", "/dev/null", "/etc/shadow"),
        (false, Action::Mknod, "/bin/sh", "/dev/null", ""),
        (false, Action::Unlink, "/bin/sh", "/dev/null", ""),
        (false, Action::Loss, "/usr/bin/make", "", ""),
    ] {
        let event = event(action, executable, path, from);
        let by = filter.excluded_by(&event);
        assert_eq!(by.is_some(), excluded, "{action:?} {executable} {path} {from}");
    }
}

/// What a look by length and mark leaves out must not matter, nor what it lets through.
#[test]
fn rules_of_every_length_match() {
    let mut filter = Filter::new();
    let path = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
    let lengths = [2, 3, 62, 63, 64, 65, 127, 128, 129, PATH_BYTES - 1, PATH_BYTES];
    for bytes in lengths {
        filter.add(rule(RuleKind::Folder, &path(bytes))).unwrap();
    }
    // As long as a rule, and with its end: only the whole path tells.
    filter.add(rule(RuleKind::File, "/a/xxxxxxxxxxxx")).unwrap();
    for (path, excluded) in [("/a/xxxxxxxxxxxx", true), ("/b/xxxxxxxxxxxx", false)] {
        let event = event(Action::Open, "", path, "");
        assert_eq!(filter.excluded_by(&event).is_some(), excluded, "{path}");
    }
    for bytes in 2..=PATH_BYTES {
        let itself = event(Action::Mkdir, "", &path(bytes), "");
        assert_eq!(filter.excluded_by(&itself).is_some(), lengths.contains(&bytes), "{bytes}");
        if bytes + 2 <= PATH_BYTES {
            let below = event(Action::Mkdir, "", &(path(bytes) + "/y"), "");
            assert_eq!(filter.excluded_by(&below).is_some(), lengths.contains(&bytes), "{bytes}");
        }
    }
}

#[test]
fn the_root_folder_excludes_all_files_and_no_process() {
    let mut filter = filter(&[(RuleKind::Folder, "/")]);
    for (action, path, excluded) in [
        (Action::Open, "/", true),
        (Action::Open, "/a/b", true),
        (Action::Open, "a", false),
        (Action::Exec, "/a/b", false),
    ] {
        let by = filter.excluded_by(&event(action, "/bin/sh", path, ""));
        assert_eq!(by.is_some(), excluded, "{action:?} {path}");
    }
}

#[test]
fn rules_do_not_apply_to_what_is_in_doubt() {
    let mut filter =
        filter(&[(RuleKind::Folder, "/srv/build"), (RuleKind::Process, "/usr/bin/make")]);
    let by_path = || event(Action::Rename, "/bin/sh", "/srv/build/a", "/srv/build/b");
    let by_program = || event(Action::Open, "/usr/bin/make", "/tmp/x", "");
    let both = (Flags::default(), Truncated::default());
    for ((flag, cut), path_applies, program_applies) in [
        (both, true, true),
        ((Flags::PATH_UNRESOLVED, Truncated(0)), false, true),
        ((Flags::USER_NAMESPACE, Truncated(0)), false, false),
        ((Flags::READ_LATE, Truncated(0)), false, true),
        ((Flags::OTHER_ROOT, Truncated(0)), false, false),
        ((Flags::OTHER_MOUNTS, Truncated(0)), true, true),
        ((Flags::EXECUTABLE_UNRESOLVED, Truncated(0)), true, false),
        ((Flags(0), Truncated::PATH), false, true),
        ((Flags(0), Truncated::FROM), false, true),
        ((Flags(0), Truncated::EXECUTABLE), true, false),
    ] {
        for (mut event, applies) in [(by_path(), path_applies), (by_program(), program_applies)] {
            (event.flags, event.truncated) = (flag, cut);
            assert_eq!(filter.excluded_by(&event).is_some(), applies, "{flag:?} {cut:?}");
        }
    }
}

#[test]
fn a_descendant_is_excluded_by_the_rule_of_its_ancestor() {
    let mut filter = filter(&[(RuleKind::Process, "/usr/bin/make")]);
    let with_children = Rule::new(RuleKind::Process, "/usr/bin/ci", Origin::Managed, true).unwrap();
    filter.add(with_children).unwrap();
    let (make, no_children) = filter.process_rule(b"/usr/bin/make").unwrap();
    let (ci, children) = filter.process_rule(b"/usr/bin/ci").unwrap();
    assert_eq!((no_children, children), (false, true));
    assert_eq!(filter.process_rule(b"/usr/bin/sh"), None);

    let mut descendant = event(Action::Exec, "/bin/sh", "/bin/sh", "");
    descendant.flags = Flags::EXECUTABLE_UNRESOLVED.union(Flags::OTHER_ROOT);
    assert_eq!(filter.excluded_by(&descendant), None);
    descendant.excluded_ancestor = Some(ci);
    assert_eq!(filter.excluded_by(&descendant), Some(ci));
    // Numbers of an older filter.
    for stale in [make, RuleId(999)] {
        descendant.excluded_ancestor = Some(stale);
        assert_eq!(filter.excluded_by(&descendant), None);
    }
    descendant.excluded_ancestor = Some(ci);
    descendant.action = Action::Loss;
    assert_eq!(filter.excluded_by(&descendant), None);
    assert_eq!(hits(&filter, RuleKind::Process, "/usr/bin/ci"), 1);
}

#[test]
fn a_hit_is_of_the_process_first_and_of_the_outermost_folder() {
    let mut filter = filter(&[
        (RuleKind::Folder, "/srv/build/out"),
        (RuleKind::Folder, "/srv/build"),
        (RuleKind::File, "/srv/build/out/log"),
        (RuleKind::Process, "/usr/bin/make"),
    ]);
    for (executable, path, from, by) in [
        ("/usr/bin/make", "/srv/build/out/log", "", Some("/usr/bin/make")),
        ("/bin/sh", "/srv/build/out/log", "", Some("/srv/build/out/log")),
        ("/bin/sh", "/srv/build/out/x", "", Some("/srv/build")),
        ("/bin/sh", "/srv/build/out/log", "/srv/build/x", Some("/srv/build/out/log")),
        ("/bin/sh", "/srv/build/x", "/srv/build/out/log", Some("/srv/build")),
        ("/bin/sh", "/srv/build/x", "/srv/x", None),
    ] {
        let action = if from.is_empty() { Action::Open } else { Action::Rename };
        let event = event(action, executable, path, from);
        assert_eq!(excluded_by(&mut filter, &event).as_deref(), by, "{executable} {path} {from}");
    }
    assert_eq!(hits(&filter, RuleKind::Folder, "/srv/build"), 2);
    assert_eq!(hits(&filter, RuleKind::Folder, "/srv/build/out"), 0);
    assert_eq!(hits(&filter, RuleKind::File, "/srv/build/out/log"), 2);
    assert_eq!(hits(&filter, RuleKind::Process, "/usr/bin/make"), 1);
}

#[test]
fn hits_outlive_a_reload_with_their_rule() {
    let mut old = filter(&[(RuleKind::File, "/gone"), (RuleKind::Folder, "/stays")]);
    let id = old.excluded_by(&event(Action::Open, "", "/stays/x", "")).unwrap();
    old.count(id, 41);
    old.excluded_by(&event(Action::Open, "", "/gone", "")).unwrap();
    let mut new = filter(&[(RuleKind::Folder, "/new"), (RuleKind::Folder, "/stays")]);
    new.keep_hits(&old);
    assert_eq!(hits(&new, RuleKind::Folder, "/stays"), 42);
    assert_eq!(hits(&new, RuleKind::Folder, "/new"), 0);
    new.count(RuleId(u16::MAX), 1);
    new.count(id, u64::MAX);
    assert_eq!(new.rules().map(|(_, hits)| hits).max(), Some(u64::MAX));
}

#[test]
fn of_two_rules_for_one_thing_the_stronger_origin_is_kept() {
    for (first, second, kept) in [
        (Origin::Local, Origin::Managed, Origin::Managed),
        (Origin::Managed, Origin::Local, Origin::Managed),
        (Origin::Default, Origin::Local, Origin::Local),
    ] {
        let mut filter = Filter::new();
        let rule = |origin, children| Rule::new(RuleKind::Process, "/p", origin, children).unwrap();
        filter.add(rule(first, true)).unwrap();
        filter.add(rule(second, false)).unwrap();
        let rules: Vec<_> = filter.rules().skip(DEFAULTS.len()).collect();
        assert_eq!(rules, [(&rule(kept, true), 0)]);
    }
    // The same path of another kind is another rule.
    let filter = filter(&[(RuleKind::File, "/p"), (RuleKind::Folder, "/p")]);
    assert_eq!(filter.rules().count(), DEFAULTS.len() + 2);
}

#[test]
fn what_cannot_match_as_written_is_refused() {
    use RuleKind::{File, Folder, Process};
    let long = format!("/{}", "x".repeat(PATH_BYTES));
    for (kind, path, error) in [
        (Folder, "var/log", RuleError::Relative("var/log".into())),
        (Folder, "", RuleError::Empty),
        (Process, "cat", RuleError::NameOnly("cat".into())),
        (File, "cat", RuleError::Relative("cat".into())),
        (Process, "bin/cat", RuleError::Relative("bin/cat".into())),
        (Folder, "/home/*/git", RuleError::Wildcard("/home/*/git".into())),
        (File, "/var/log/?", RuleError::Wildcard("/var/log/?".into())),
        (Folder, "/a/../b", RuleError::NotClean("/a/../b".into())),
        (Folder, "/a/./b", RuleError::NotClean("/a/./b".into())),
        (Folder, "/..", RuleError::NotClean("/..".into())),
        (File, "/a//b", RuleError::NotClean("/a//b".into())),
        (File, "/a/", RuleError::EndsInSlash(File, "/a/".into())),
        (Process, "/a/", RuleError::EndsInSlash(Process, "/a/".into())),
        (File, "/", RuleError::Root(File)),
        (Process, "//", RuleError::Root(Process)),
        (File, "/a\0b", RuleError::Nul("/a\0b".into())),
        (File, &long, RuleError::TooLong(PATH_BYTES + 1)),
    ] {
        assert_eq!(Rule::new(kind, path, Origin::Local, false), Err(error), "{kind} {path:?}");
    }
    assert_eq!(Rule::new(File, "/a", Origin::Local, true), Err(RuleError::Children(File)));
    for (written, path) in
        [("/", "/"), ("//", "/"), ("/a/", "/a"), ("/a//", "/a"), ("/..a", "/..a")]
    {
        assert_eq!(*rule(Folder, written).path, *path.as_bytes(), "{written}");
    }
}

#[test]
fn more_rules_than_there_is_room_for_are_refused() {
    let mut filter = Filter::new();
    for n in 0..EXCLUSIONS - DEFAULTS.len() {
        filter.add(rule(RuleKind::File, &format!("/{n}"))).unwrap();
    }
    assert_eq!(filter.add(rule(RuleKind::File, "/one/more")), Err(RuleError::TooMany));
    filter.add(rule(RuleKind::File, "/7")).unwrap();
    assert_eq!(filter.rules().count(), EXCLUSIONS);
}

#[test]
fn an_explanation_says_which_rule_and_why() {
    let mut filter = filter(&[(RuleKind::File, "/var/log/x"), (RuleKind::Process, "/bin/make")]);
    let managed = |kind, path, children| Rule::new(kind, path, Origin::Managed, children).unwrap();
    filter.add(managed(RuleKind::Folder, "/srv/build", false)).unwrap();
    filter.add(managed(RuleKind::Process, "/bin/ci", true)).unwrap();
    let path = |path: &'static str| Subject::Path(path.as_bytes());
    let process = |path: &'static str| Subject::Process(path.as_bytes());
    for (subject, rule, sentence) in [
        (path("/srv/build/a/b"), true, "/srv/build/a/b is below the folder /srv/build (managed)"),
        (path("/srv/build/"), true, "/srv/build is an excluded folder itself (managed)"),
        (path("/var/log/x"), true, "/var/log/x is an excluded file (local)"),
        (path("/dev/null"), true, "/dev/null is an excluded file (default)"),
        (
            process("/bin/make"),
            true,
            "/bin/make is an excluded process, without its descendants (local)",
        ),
        (
            process("/bin/ci"),
            true,
            "/bin/ci is an excluded process, with its descendants (managed)",
        ),
        (path("/srv/builder"), false, "no exclusion matches the path /srv/builder"),
        (path("/"), false, "no exclusion matches the path /"),
        (process("/srv/build/x"), false, "no exclusion matches the process /srv/build/x"),
        (path("/a\x1b[2J"), false, "no exclusion matches the path /a\\u{1b}[2J"),
    ] {
        let explanation = filter.explain(subject).unwrap();
        assert_eq!((explanation.rule.is_some(), &*explanation.sentence), (rule, sentence));
    }
    for (subject, error) in [
        (path(""), RuleError::Empty),
        (path("build/x"), RuleError::Relative("build/x".into())),
        (process("make"), RuleError::Relative("make".into())),
        (path("/srv/build/../x"), RuleError::NotClean("/srv/build/../x".into())),
        (process("/bin/make/"), RuleError::NotClean("/bin/make/".into())),
        (Subject::Path(&[b'a'; PATH_BYTES + 1]), RuleError::TooLong(PATH_BYTES + 1)),
    ] {
        assert_eq!(filter.explain(subject), Err(error));
    }
    assert!(filter.rules().all(|(_, hits)| hits == 0));
}
