//! Managed files that are wrong: each error names its place and the way out.

use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;

/// What is wrong, what the error says of it and of its place, and its remedy.
const BAD: &[(&str, &str, &str)] = &[
    ("", "EOF while parsing a value at line 1 column 0", "write {} if nothing is to be set"),
    ("{", "EOF while parsing an object at line 1 column 1", "close what is open"),
    ("{\n \"features\": {\"a\": \"b", "at line 2 column 21", "close what is open"),
    ("{\n\"features\": {},\n}", "trailing comma at line 3 column 1", "correct the JSON"),
    ("{'features': {}}", "key must be a string at line 1 column 2", "correct the JSON"),
    ("{\"features\" {}}", "expected `:` at line 1 column 13", "correct the JSON"),
    ("{} {}", "trailing characters at line 1 column 4", "correct the JSON"),
    ("{\"a\": 01}", "invalid number at line 1 column 8", "correct the JSON"),
    ("{\"a\": \"\\x\"}", "invalid escape at line 1 column 9", "correct the JSON"),
    ("{} // all", "trailing characters at line 1 column 4", "correct the JSON"),
    ("provider: ebpf", "expected value at line 1 column 1", "correct the JSON"),
    ("{\"a\":1,\n\"a\":2}", "the key \"a\" is there twice at line 2 column 3", "leave one"),
    (
        r#"{"exclusionSettings":{"exclusions":[{"path":"/a","path":"/b"}]}}"#,
        "the key \"path\" is there twice at line 1 column 55",
        "leave one",
    ),
    ("\u{feff}{}", "a byte order mark, at line 1 column 1", "save it as UTF-8 without"),
    ("{\n\0}", "a NUL byte at line 2 column 1", "remove it"),
    ("[]", "the whole file is a list, and an object is expected", r#"write it as {"exclusion"#),
    ("null", "the whole file is null, and an object", r#"write it as {"exclusionSettings"#),
    (r#"{"features":[]}"#, "features is a list, and an object is exp", r#"{"ebpfSupplementary"#),
    (
        r#"{"features":{"ebpfSupplementaryEventProvider":"off"}}"#,
        "features.ebpfSupplementaryEventProvider is \"off\", and \"enabled\" or \"disabled\" is",
        "write \"enabled\" or \"disabled\"",
    ),
    (
        r#"{"features":{"ebpfSupplementaryEventProvider":true}}"#,
        "features.ebpfSupplementaryEventProvider is true, and \"enabled\" or",
        "write \"enabled\" or \"disabled\"",
    ),
    (
        r#"{"exclusionSettings":7}"#,
        "exclusionSettings is a number, and an object",
        "\"exclusions\"",
    ),
    (
        r#"{"exclusionSettings":{"mergePolicy":"admin"}}"#,
        "exclusionSettings.mergePolicy is \"admin\", and \"merge\" or \"admin_only\" is expected",
        "write \"merge\" or \"admin_only\"",
    ),
    (
        r#"{"exclusionSettings":{"exclusions":{}}}"#,
        "exclusionSettings.exclusions is an object, and a list is expected",
        r#"write it as [{"$type""#,
    ),
    (
        r#"{"exclusionSettings":{"exclusions":null}}"#,
        "exclusionSettings.exclusions is null, and a list is expected",
        r#"write it as [{"$type""#,
    ),
];

/// The same for a second exclusion in the list.
const BAD_EXCLUSIONS: &[(&str, &str, &str)] = &[
    (r#""/srv""#, "exclusions[1] is \"/srv\", and an object is expected", "write it as {\"$type\""),
    (r#"{"path":"/a"}"#, "exclusions[1] has no \"$type\"", "add \"$type\" to it"),
    (
        r#"{"$type":"excludedFolder","path":"/a"}"#,
        "exclusions[1].$type is \"excludedFolder\", and \"excludedPath\" or \"exclu",
        "write \"excludedPath\" or",
    ),
    (r#"{"$type":"excludedPath"}"#, "exclusions[1] has no \"path\"", "add \"path\" to it"),
    (
        r#"{"$type":"excludedFileName","path":"/a"}"#,
        "exclusions[1] has no \"name\"",
        "add \"name\" to it",
    ),
    (
        r#"{"$type":"excludedPath","path":["/a"]}"#,
        "exclusions[1].path is a list, and a string is expected",
        "write it in quotation marks",
    ),
    (
        r#"{"$type":"excludedPath","path":"/a","isDirectory":"true"}"#,
        "exclusions[1].isDirectory is \"true\", and true or false is expected",
        "without quotation marks",
    ),
    (
        r#"{"$type":"excludedPath","path":"/a","scopes":[]}"#,
        "exclusions[1].scopes is empty",
        r#"write ["global"]"#,
    ),
    (
        r#"{"$type":"excludedPath","path":"/a","scopes":"global"}"#,
        "exclusions[1].scopes is \"global\", and a list is expected",
        r#"write it as ["global"]"#,
    ),
    (
        r#"{"$type":"excludedPath","path":"/a","scopes":["global","everywhere"]}"#,
        "exclusions[1].scopes[1] is \"everywhere\", and \"epp\" or \"global\" is expected",
        "write \"epp\" or \"global\"",
    ),
    (
        r#"{"$type":"excludedPath","path":"/a","includeChildren":true}"#,
        "exclusions[1].includeChildren is for processes only: a path has no descendants",
        "exclude the process by excludedFileName",
    ),
    (
        r#"{"$type":"excludedFileName","name":"/a","includeChildren":1}"#,
        "exclusions[1].includeChildren is a number, and true or false",
        "without quotation marks",
    ),
    (
        r#"{"$type":"excludedFileExtension","extension":".pdf"}"#,
        "exclusions[1].$type is \"excludedFileExtension\", and global exclusions have no file",
        "give it the scope \"epp\" only",
    ),
    (
        r#"{"$type":"excludedPath","path":"a/b"}"#,
        "exclusions[1].path: \"a/b\" is not an absolute path",
        "write it from / on",
    ),
    (r#"{"$type":"excludedPath","path":""}"#, "exclusions[1].path: the path is empty", "from / on"),
    (
        r#"{"$type":"excludedPath","path":"/a/*.log"}"#,
        "exclusions[1].path: \"/a/*.log\": wildcards are not supported in global exclusions",
        "name the folder instead",
    ),
    (
        r#"{"$type":"excludedPath","path":"/a/../b"}"#,
        "exclusions[1].path: \"/a/../b\" has \".\", \"..\" or \"//\" in it",
        "write the path without them",
    ),
    (
        r#"{"$type":"excludedPath","path":"/a/"}"#,
        "exclusions[1].path: \"/a/\" names a folder, and the exclusion is of a file",
        "exclude it as a folder",
    ),
    (
        r#"{"$type":"excludedPath","path":"/"}"#,
        "exclusions[1].path: \"/\" is the root folder, and the exclusion is of a file",
        "name what is meant",
    ),
    (
        r#"{"$type":"excludedPath","path":"/a\u0000b"}"#,
        "exclusions[1].path: \"/a\\0b\" has a NUL in it",
        "write the path without it",
    ),
    (
        r#"{"$type":"excludedFileName","name":"cat"}"#,
        "exclusions[1].name: \"cat\" is a process name, and global exclusions take only full paths",
        "write the full path of its executable",
    ),
];

/// Nothing, or what was said in the place of what should be.
fn difference(name: &str, error: &ConfigError, said: &str, remedy: &str) -> String {
    let (text, way_out) = (error.to_string(), error.remedy());
    if text.contains(said) && way_out.contains(remedy) {
        return String::new();
    }
    format!("{name}\n  said:   {text}; {way_out}\n  wanted: {said}; {remedy}\n")
}

fn check(name: &str, error: &ConfigError, said: &str, remedy: &str) {
    assert_eq!(difference(name, error, said, remedy), "");
}

fn refused(json: &[u8]) -> ConfigError {
    Managed::parse(json)
        .err()
        .unwrap_or_else(|| panic!("it was taken: {}", String::from_utf8_lossy(json)))
}

fn with_exclusions(exclusions: &str) -> String {
    format!(r#"{{"exclusionSettings":{{"exclusions":[{exclusions}]}}}}"#)
}

#[test]
fn every_wrong_file_is_told_by_place_and_remedy() {
    let mut differences = String::new();
    let mut compare = |json: &str, said: &str, remedy: &str| {
        let error = refused(json.as_bytes());
        differences += &difference(json, &error, said, remedy);
        differences += &difference(json, &error, " at line ", remedy);
    };
    for (json, said, remedy) in BAD {
        compare(json, said, remedy);
    }
    for (exclusion, said, remedy) in BAD_EXCLUSIONS {
        let first = r#"{"$type":"excludedPath","path":"/first"}"#;
        let json = with_exclusions(&format!("{first},{exclusion}"));
        compare(&json, &format!("exclusionSettings.{said}"), remedy);
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Of the value itself, or of the object that lacks one.
#[test]
fn a_wrong_value_is_told_by_line_and_column() {
    let file = |exclusion: &str| {
        format!(
            "{{\n  \"exclusion\\u0053ettings\": {{\n    \"exclusions\": [\n      \
             {{\"$type\": \"excludedPath\", \"path\": \"/\u{e4}\"}}, {exclusion}\n    ]\n  }}\n}}\n"
        )
    };
    for (exclusion, said) in [
        (r#"{"$type": "excludedPath", "path":  7}"#, "expected, at line 4 column 84"),
        (r#"{"$type": "excludedPath"}"#, "has no \"path\", at line 4 column 49"),
        ("{\"$type\":\"excludedPath\",\n\"path\": \"a\"}", "path, at line 5 column 9"),
        ("\n\n7", "expected, at line 6 column 1"),
    ] {
        let error = refused(file(exclusion).as_bytes()).to_string();
        assert!(error.ends_with(said), "{error}\nwanted: {said}");
    }
    let root = refused(b"\n\n []").to_string();
    assert!(root.ends_with("an object is expected, at line 3 column 2"), "{root}");
}

#[test]
fn what_is_no_text_is_told() {
    let utf8 = "save it as UTF-8";
    for (bytes, said) in [
        (&b"\xff\xfe{\0}\0"[..], "it is in UTF-16, from line 1 column 1"),
        (b"\0{\0}", "it is in UTF-16"),
        (b"{\0}\0", "it is in UTF-16"),
        (b"{\n \"a\xff\": 1}", "it has bytes that are no UTF-8 at line 2 column 4"),
    ] {
        check(said, &refused(bytes), said, utf8);
    }
}

#[test]
fn what_is_too_large_or_too_deep_is_told() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    check("deep", &refused(deep.as_bytes()), "recursion limit exceeded at line 1", "correct the");
    let long = format!(r#"{{"$type":"excludedPath","path":"/{}"}}"#, "x".repeat(5000));
    let long = refused(with_exclusions(&long).as_bytes());
    check("long", &long, "exclusions[0].path: the path has 5001 bytes", "name a folder above it");
    let one = |n| format!(r#"{{"$type":"excludedPath","path":"/{n}"}}"#);
    let many: Vec<_> = (0..crate::limits::EXCLUSIONS).map(one).collect();
    let many = refused(with_exclusions(&many.join(",")).as_bytes());
    let place = crate::limits::EXCLUSIONS - DEFAULTS.len();
    let said = format!("exclusions[{place}].path: there are more than 1024 exclusions");
    check("many", &many, &said, "remove some");
    let word =
        format!(r#"{{"features":{{"ebpfSupplementaryEventProvider":"{}"}}}}"#, "x".repeat(99));
    check("word", &refused(word.as_bytes()), "is a long string, and \"enabled\"", "write");
}

#[test]
fn what_is_no_file_is_told_and_does_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let loaded = |name: &str| Managed::load(&at(name)).unwrap_err();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    let _listener = UnixListener::bind(at("socket")).unwrap();
    std::os::unix::fs::symlink("/dev/full", at("device")).unwrap();
    for (name, said) in [
        ("fifo", "it is a FIFO and no file"),
        ("socket", "it is a socket and no file"),
        ("device", "it is a device and no file"),
        (".", "it is a directory and no file"),
        ("absent", "it could not be read: No such file or directory"),
    ] {
        check(name, &loaded(name), said, "name a readable file");
        assert_eq!(loaded(name).is_absent(), name == "absent");
    }
    fs::write(at("huge"), " ".repeat((1 << 20) + 1)).unwrap();
    check("huge", &loaded("huge"), "more than the 1048576 bytes", "name folders");
    fs::write(at("large"), " ".repeat((1 << 20) - 2) + "{}").unwrap();
    Managed::load(&at("large")).unwrap();
}

/// An exclusion of another product is not looked at more closely than it has to be.
#[test]
fn a_wrong_path_of_another_product_is_not_our_matter() {
    for exclusion in [
        r#"{"$type":"excludedPath","path":"a*","scopes":["epp"]}"#,
        r#"{"$type":"excludedPath","path":"/a","includeChildren":true,"scopes":["epp"]}"#,
        r#"{"$type":"excludedPath","path":"/a","isDirectory":"yes","scopes":["epp"]}"#,
        r#"{"$type":"excludedPath","scopes":["epp"]}"#,
        r#"{"$type":"excludedNetwork","address":"::1","scopes":["epp"]}"#,
        r#"{"$type":"excludedFileName","name":"cat","scopes":["epp"]}"#,
        r#"{"$type":"excludedFileExtension","extension":".pdf","scopes":["epp"]}"#,
    ] {
        let managed = managed(&with_exclusions(exclusion));
        assert_eq!(rules(&managed.filter), Vec::<String>::new(), "{exclusion}");
    }
}
