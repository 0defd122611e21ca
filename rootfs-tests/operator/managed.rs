//! Exclusions of the managed file, and what becomes of those by command beside them.

use crate::exclusions::{change, listed};
use crate::support::command::{again_if_lost, ask, health, healthy, json};
use crate::support::expect::at;
use crate::support::runner::Test;
use crate::support::sensor::managed_file;
use crate::support::worker::Worker;
use crate::support::{Sensor, program_as, require_live, scratch, wait_for};
use crate::{finish, folder, made, make};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("r19_the_managed_file_excludes", r19_the_managed_file_excludes),
    ("r19_a_change_of_the_file_is_noticed", r19_a_change_of_the_file_is_noticed),
    ("r19_admin_only_leaves_local_exclusions_out", r19_admin_only),
];

fn exclusions(list: Value, policy: &str) -> Value {
    json!({"exclusionSettings": {"exclusions": list, "mergePolicy": policy}})
}

fn excluded_folder(path: &Path) -> Value {
    json!({"$type": "excludedPath", "path": path, "isDirectory": true})
}

/// Puts a file in the place of the managed one, as a tool for many hosts does.
fn manage(dir: &Path, content: &str) {
    let next = dir.join("next.json");
    std::fs::write(&next, content).unwrap();
    std::fs::rename(next, managed_file(dir)).unwrap();
}

fn healthy_soon(dir: &Path) {
    wait_for("health", || (health(dir, "healthy") == true).then_some(()));
}

fn r19_the_managed_file_excludes() {
    require_live();
    let (_guard, dir) = scratch();
    let (program, work) = (dir.join("program"), folder(&dir, "work"));
    program_as(&program);
    let (below, file, seen) = (folder(&dir, "below"), dir.join("file"), folder(&dir, "seen"));
    let list = json!([
        excluded_folder(&below),
        {"$type": "excludedPath", "path": file, "isDirectory": false, "scopes": ["global"]},
        {"$type": "excludedFileName", "name": program, "scopes": ["epp", "global"]},
        {"$type": "excludedPath", "path": seen, "isDirectory": true, "scopes": ["epp"]},
        {"$type": "excludedFileExtension", "extension": ".x", "scopes": ["epp"]},
    ]);
    let mut older = Worker::start_program(&program, &work);
    let sensor = Sensor::start_configured(&dir, &exclusions(list, "merge"));
    make(&below, "1");
    std::fs::create_dir(&file).unwrap();
    older.ask("mkdir 2");
    Worker::start_program(&program, &work).ask("mkdir 3");
    make(&seen, "4");
    for (path, kind, hits) in [(&below, "folder", 1), (&file, "file", 1), (&program, "process", 1)]
    {
        wait_for("the hits", || {
            let has_hits = listed(&dir, path)?["hits"].as_u64()? >= hits;
            if !has_hits {
                again_if_lost(&dir);
            }
            has_hits.then_some(())
        });
        let one = listed(&dir, path).unwrap();
        assert_eq!((&one["kind"], &one["origin"]), (&json!(kind), &json!("managed")));
    }
    assert_eq!(listed(&dir, &seen), None, "it is another product's");
    let path = below.join("x");
    let answer = ask(&dir, &["exclusion", "test", "--path", path.to_str().unwrap()]).expect(0);
    assert!(answer.out.contains(&format!("{} (managed)", below.display())), "{answer:?}");
    let remove = ["exclusion", "folder", "remove", "--path", below.to_str().unwrap()];
    ask(&dir, &remove).refused(78, &["managed", managed_file(&dir).to_str().unwrap()]);
    // As a shell completes it.
    let slash = format!("{}/", below.display());
    ask(&dir, &["exclusion", "folder", "remove", "--path", &slash]).refused(78, &["managed"]);
    let events = finish(sensor, &dir);
    assert_eq!(made(&events, &seen), ["4"]);
    let paths = [&below, &work, &file];
    let leaks = events.iter().filter_map(|event| at(event, "file.path").as_str());
    let leaks: Vec<&str> =
        leaks.filter(|path| paths.iter().any(|p| Path::new(path).starts_with(p))).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
}

fn r19_a_change_of_the_file_is_noticed() {
    require_live();
    let (_guard, dir) = scratch();
    let [first, second] = ["first", "second"].map(|name| folder(&dir, name));
    let set = |path: &PathBuf| exclusions(json!([excluded_folder(path)]), "merge").to_string();
    let sensor = Sensor::start_to_file(&dir);
    let is_set = |path: &PathBuf| {
        let begin = Instant::now();
        wait_for("the other exclusions", || listed(&dir, path).map(|_| ()));
        begin.elapsed()
    };
    // Not by its first look.
    std::thread::sleep(Duration::from_millis(500));
    make(&first, "1");
    manage(&dir, &set(&first));
    let noticed = is_set(&first);
    println!("noticed after {noticed:?}");
    assert!(noticed < Duration::from_secs(2));
    make(&first, "2");
    // A bad file keeps what was before, and is a problem until it is gone.
    let bad = ["", "{\"exclusionSettings\": {\"exclusions\": [{}]}}", "[]", "{}{}"];
    let warnings = || sensor.log().matches("is not valid").count();
    for bad in bad {
        let before = warnings();
        manage(&dir, bad);
        sensor.signal(Signal::HUP);
        wait_for("its warning", || (warnings() > before).then_some(()));
        let issues = health(&dir, "health_issues");
        let issue = issues[0].as_str().unwrap();
        for word in [managed_file(&dir).to_str().unwrap(), " at line 1 column "] {
            assert!(issue.contains(word), "{issue}");
        }
        make(&first, &format!("bad {}", bad.len()));
    }
    // A signal makes it read at once, also if it is the same.
    let times = sensor.log().matches("the configuration was read again").count();
    manage(&dir, &set(&second).replacen('{', "{\"featuers\": {}, ", 1));
    sensor.signal(Signal::HUP);
    is_set(&second);
    assert_eq!(listed(&dir, &first), None);
    let unused = "keys that mote does not use: featuers, at line 1 column 14; correct";
    assert!(sensor.log().contains(unused), "{}", sensor.log());
    make(&first, "3");
    make(&second, "4");
    sensor.signal(Signal::HUP);
    wait_for("another look", || {
        let looks = sensor.log().matches("the configuration was read again").count();
        (looks >= times + 2).then_some(())
    });
    // Among exclusions they are a problem; so is a file that others can change.
    let misspelt = set(&second).replacen("mergePolicy", "mergePolcy", 1);
    manage(&dir, &misspelt);
    let issues = || health(&dir, "health_issues").to_string();
    let told = "mean nothing: exclusionSettings.mergePolcy, at line 1 column ";
    wait_for("the issue of a key", || issues().contains(told).then_some(()));
    assert_ne!(listed(&dir, &second), None);
    manage(&dir, &set(&second));
    healthy_soon(&dir);
    std::fs::set_permissions(managed_file(&dir), Permissions::from_mode(0o646)).unwrap();
    wait_for("the issue of a mode", || {
        issues().contains("other users can change it").then_some(())
    });
    manage(&dir, &set(&second));
    healthy_soon(&dir);
    // No file is no configuration.
    std::fs::remove_file(managed_file(&dir)).unwrap();
    wait_for("the defaults", || listed(&dir, &second).is_none().then_some(()));
    let gone = format!("warning: the configuration {} is gone", managed_file(&dir).display());
    assert!(sensor.log().contains(&gone), "{}", sensor.log());
    make(&second, "5");
    healthy(&dir);
    let events = finish(sensor, &dir);
    assert_eq!(
        (made(&events, &first), made(&events, &second)),
        (vec!["1".to_owned(), "3".to_owned()], vec!["5".to_owned()],)
    );
}

fn r19_admin_only() {
    require_live();
    let (_guard, dir) = scratch();
    let [local, managed] = ["local", "managed"].map(|name| folder(&dir, name));
    let sensor = Sensor::start_to_file(&dir);
    change(&dir, "folder", "add", &local);
    make(&local, "1");
    let list = json!([excluded_folder(&managed)]);
    manage(&dir, &exclusions(list.clone(), "admin_only").to_string());
    wait_for("the managed exclusions", || listed(&dir, &managed).map(|_| ()));
    assert_eq!(listed(&dir, &local), None, "it is not used");
    make(&local, "2");
    make(&managed, "3");
    let other = ["exclusion", "folder", "add", "--path", "/srv/other"];
    ask(&dir, &other).refused(78, &["admin_only", managed_file(&dir).to_str().unwrap()]);
    // It was not forgotten.
    manage(&dir, &exclusions(list, "merge").to_string());
    wait_for("the local exclusions", || listed(&dir, &local).map(|_| ()));
    let origins = json(&dir, &["exclusion", "list"]);
    let origins = origins.as_array().unwrap().iter().map(|one| one["origin"].as_str().unwrap());
    assert_eq!(origins.filter(|origin| *origin != "default").count(), 2);
    make(&local, "4");
    make(&managed, "5");
    let events = finish(sensor, &dir);
    assert_eq!(made(&events, &local), ["2"]);
    assert!(made(&events, &managed).is_empty());
}
