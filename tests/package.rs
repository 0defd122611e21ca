//! What `packaging/dist` makes of a binary. `make service` installs it on hosts with systemd.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of amd64, in the version that is asked for.
const MADE: [&str; 4] =
    ["mote_VERSION_amd64.deb", "mote-VERSION-1.x86_64.rpm", "mote-VERSION-amd64.tar.xz", SBOM];
const SBOM: &str = "mote-VERSION-amd64.cdx.json";

fn named(pattern: &str, version: &str) -> String {
    pattern.replace("VERSION", version)
}

/// Makes them in `out`, of a file that stands for the binary, with this mask of modes.
fn make(out: &Path, version: &str, mask: &str) -> [PathBuf; 4] {
    fs::create_dir(out).unwrap();
    let script = "umask \"$1\"; exec packaging/dist amd64 \"$2\" LICENSE \"$0\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(out).args([mask, version]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("SOURCE_DATE_EPOCH", "1700000000");
    run(&mut command);
    MADE.map(|pattern| out.join(named(pattern, version)))
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether what makes packages is here; a test without is skipped.
fn can_make() -> bool {
    let missing = ["dpkg-deb", "rpmbuild"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(program) = missing {
        println!("skipped: package {program} is not here");
    }
    missing.is_none()
}

/// Modes and SHA-256 of the files of a package of rpm, by path, and the fields that are asked for.
fn of_rpm(package: &Path, format: &str) -> String {
    run(Command::new("rpm").args(["--query", "--queryformat", format, "--package"]).arg(package))
}

/// The same of what the package of dpkg unpacks to, below `root`.
fn of_deb(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            of_deb(root, &entry.path(), found);
            continue;
        }
        let mode = entry.metadata().unwrap().permissions().mode();
        let sum = run(Command::new("sha256sum").arg(entry.path()));
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        found.insert(format!("/{path}"), format!("{mode:o} {}", &sum[..64]));
    }
}

#[test]
fn they_are_the_same_each_time_and_harm_no_root() {
    if !can_make() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
    let made = make(&first, "1.2.3", "022");
    for (one, other) in made.iter().zip(make(&second, "1.2.3", "077")) {
        assert!(fs::read(one).unwrap() == fs::read(other).unwrap(), "{}", one.display());
    }

    let [deb, rpm, tarball, _] = made;
    let list = run(Command::new("dpkg-deb").arg("--contents").arg(&deb));
    let has = |line: &str| list.lines().any(|listed| listed.starts_with(line));
    assert!(has("drwxr-xr-x root/root ") && !list.contains("drwx------"), "{list}");
    for (mode, path) in [
        ("-rwxr-xr-x", "./usr/bin/mote"),
        ("-rw-r--r--", "./usr/lib/systemd/system/mote.service"),
        ("-rw-r--r--", "./etc/default/mote"),
        ("-rw-r--r--", "./usr/share/man/man8/mote.8.gz"),
        ("-rw-r--r--", "./usr/share/doc/mote/copyright"),
        ("-rw-r--r--", "./usr/share/doc/mote/third-party.txt.gz"),
        ("-rwxr-xr-x", "./usr/share/doc/mote/init/sysv"),
        ("-rw-r--r--", "./usr/share/doc/mote/examples/mote_managed.json"),
        ("-rw-r--r--", "./usr/share/zsh/vendor-completions/_mote"),
    ] {
        let mut lines = list.lines();
        assert!(lines.any(|line| line.starts_with(mode) && line.ends_with(path)), "{path}: {list}");
    }

    // Where /lib leads to /usr/lib it goes on to do so.
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("usr/lib")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    run(Command::new("tar").arg("-C").arg(&root).arg("-xf").arg(tarball));
    assert_eq!(fs::read_link(root.join("lib")).unwrap(), Path::new("usr/lib"));
    assert!(root.join("lib/systemd/system/mote.service").is_file());

    let unpacked = dir.path().join("unpacked");
    run(Command::new("dpkg-deb").arg("--extract").args([&deb, &unpacked]));
    let mut expected = BTreeMap::new();
    of_deb(&unpacked, &unpacked, &mut expected);
    let completion = expected.remove("/usr/share/zsh/vendor-completions/_mote").unwrap();
    expected.insert("/usr/share/zsh/site-functions/_mote".into(), completion);
    let files = of_rpm(&rpm, "[%{FILENAMES} %{FILEMODES:octal} %{FILEDIGESTS}\n]");
    let files = files.lines().filter_map(|line| line.split_once(' '));
    // Folders have no sum.
    let files = files.filter(|(_, rest)| !rest.ends_with(' '));
    let files: BTreeMap<String, String> =
        files.map(|(path, rest)| (path.to_owned(), rest.to_owned())).collect();
    assert_eq!(files, expected);
}

#[test]
fn rpm_of_old_distributions_can_read_it() {
    if !can_make() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [_, package, ..] = make(&dir.path().join("made"), "1.2.3", "022");
    let fields = "%{ARCH} %{OS} %{PAYLOADCOMPRESSOR} %{BUILDHOST} %{BUILDTIME}";
    assert_eq!(of_rpm(&package, fields), "x86_64 linux xz localhost 1700000000");
    // What rpm 4.11 can do, and a shell for the scripts.
    let needs = of_rpm(&package, "[%{REQUIRENAME}\n]");
    for need in needs.lines() {
        let known = ["CompressedFileNames", "FileDigests", "PayloadFilesHavePrefix", "PayloadIsXz"];
        let known = known.map(|name| format!("rpmlib({name})"));
        assert!(
            known.iter().any(|name| name == need) || ["/bin/sh", "config(mote)"].contains(&need)
        );
    }
}

/// A root file system with a shell, and a systemctl of this version that writes down what it is told.
fn small_root(root: &Path, systemd: u32) {
    for folder in ["bin", "dev", "etc/default", "run/systemd/system", "usr/lib/systemd/system"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for applet in ["sh", "sed", "mkdir", "rm"] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("dev/null"), "").unwrap();
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'systemd {systemd} (x)' ||");
    let systemctl = root.join("bin/systemctl");
    fs::write(&systemctl, format!("{script} echo \"$@\" >>/told\n")).unwrap();
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn rpm_installs_upgrades_and_removes_it() {
    if !can_make() {
        return;
    }
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || !Path::new("/bin/busybox").exists() {
        println!("skipped: package it takes root and busybox-static");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [_, old, ..] = make(&dir.path().join("old"), "1.2.3", "022");
    let [_, new, ..] = make(&dir.path().join("new"), "1.2.4", "022");
    for systemd in [219, 252] {
        let root = dir.path().join(format!("root-{systemd}"));
        small_root(&root, systemd);
        let rpm = |args: &[&str], package: &Path| {
            let mut command = Command::new("rpm");
            // The shell is there, but no package has it.
            command.arg("--root").arg(&root).arg("--nodeps");
            run(command.args(args).arg(package));
        };
        let told = || {
            let told = fs::read_to_string(root.join("told")).unwrap_or_default();
            let _ = fs::remove_file(root.join("told"));
            told.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let options = root.join("etc/default/mote");
        let without_filter = root.join("usr/lib/systemd/system/mote.service.d/old-systemd.conf");

        rpm(&["--ignorearch", "--install"], &old);
        assert_eq!(told(), ["daemon-reload", "preset mote.service"]);
        assert!(root.join("usr/bin/mote").is_file() && options.is_file());
        assert_eq!(without_filter.exists(), systemd < 239);
        if systemd < 239 {
            let unit = fs::read_to_string(&without_filter).unwrap();
            assert_eq!(unit, "[Service]\nSystemCallFilter=\n");
        }

        let own = "MOTE_OPTIONS=\"--profile tiny\"\n";
        fs::write(&options, own).unwrap();
        rpm(&["--ignorearch", "--upgrade"], &new);
        let restart = "try-restart mote.service";
        assert_eq!(told(), ["daemon-reload", "daemon-reload", restart]);
        assert_eq!(fs::read_to_string(&options).unwrap(), own);
        assert_eq!(without_filter.exists(), systemd < 239);

        rpm(&["--erase"], Path::new("mote"));
        let disable = "--no-reload disable mote.service";
        assert_eq!(told(), [disable, "stop mote.service", "daemon-reload"]);
        let left = run(Command::new("find").arg(&root).args(["-name", "*mote*"]));
        // Of what was changed rpm keeps a copy.
        assert_eq!(left, format!("{}.rpmsave\n", options.display()));
        for shell in ["bash-completion", "zsh", "fish"] {
            assert!(!root.join("usr/share").join(shell).exists(), "{shell}");
        }
    }
}

#[test]
fn all_that_is_linked_in_is_listed_with_its_licence() {
    if !can_make() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    let [deb, _, _, sbom] = make(&made, "1.2.3", "022");
    let sbom: Value = serde_json::from_slice(&fs::read(sbom).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed: BTreeMap<(String, String), String> = sbom["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let licence = text(&part["licenses"][0]["expression"]);
            ((text(&part["name"]), text(&part["version"])), licence)
        })
        .collect();
    assert!(listed.values().all(|licence| !licence.is_empty()), "{listed:?}");

    let target = "x86_64-unknown-linux-gnu";
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "-e", "normal", "--prefix", "none", "--target", target]);
    let tree = run(tree.current_dir(env!("CARGO_MANIFEST_DIR")));
    let crates: Vec<_> = tree.lines().map(|line| line.split_whitespace()).collect();
    assert!(crates.len() > 40);
    for mut words in crates {
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let part = (name.to_owned(), version.trim_start_matches('v').to_owned());
        assert!(name == "mote" || listed.contains_key(&part), "{name} {version}");
    }
    // bpf-sys has one of them inside, and names two; the rest is in any static binary of Rust.
    for library in ["libbpf", "elfutils", "zlib", "glibc", "gcc", "rust-std"] {
        assert!(listed.keys().any(|(name, _)| name == library), "{library}");
    }

    let unpacked = dir.path().join("unpacked");
    run(Command::new("dpkg-deb").arg("--extract").args([&deb, &unpacked]));
    let documents = unpacked.join("usr/share/doc/mote");
    let rights = fs::read_to_string(documents.join("copyright")).unwrap();
    let texts = run(Command::new("zcat").arg(documents.join("third-party.txt.gz")));
    for ((name, version), licence) in &listed {
        let line = format!("\n{name} {version}: {licence}\n");
        assert!(rights.contains(&line), "{line}");
        // The terms of gcc's are an exception from its licence.
        assert!(name == "gcc" || texts.contains(&format!("{name} {version}")), "{name}");
    }
    for text in ["GNU LESSER GENERAL PUBLIC LICENSE", "Permission is hereby granted"] {
        assert!(texts.contains(text), "{text}");
    }
}
