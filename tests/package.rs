//! What `packaging/dist` makes of a binary. `make service` installs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Makes them in `out`, of a file that stands for the binary, with this mask of modes: how many bytes
/// the package and the tarball have, and what is in them.
fn make(out: &Path, mask: &str) -> [Vec<u8>; 2] {
    fs::create_dir(out).unwrap();
    let script = "umask \"$1\"; exec packaging/dist amd64 1.2.3 LICENSE \"$0\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(out).arg(mask).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ["mote_1.2.3_amd64.deb", "mote-1.2.3-amd64.tar.xz"]
        .map(|name| fs::read(out.join(name)).unwrap())
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn they_are_the_same_each_time_and_harm_no_root() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        println!("skipped: dpkg-deb is not here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
    let (made, again) = (make(&first, "022"), make(&second, "077"));
    assert!(made == again, "the same to the byte");

    let package = first.join("mote_1.2.3_amd64.deb");
    let list = run(Command::new("dpkg-deb").arg("--contents").arg(&package));
    let has = |line: &str| list.lines().any(|listed| listed.starts_with(line));
    assert!(has("drwxr-xr-x root/root ") && !list.contains("drwx------"), "{list}");
    for (mode, path) in [
        ("-rwxr-xr-x", "./usr/bin/mote"),
        ("-rw-r--r--", "./usr/lib/systemd/system/mote.service"),
        ("-rw-r--r--", "./etc/default/mote"),
        ("-rw-r--r--", "./usr/share/man/man8/mote.8.gz"),
        ("-rw-r--r--", "./usr/share/doc/mote/copyright"),
    ] {
        let mut lines = list.lines();
        assert!(lines.any(|line| line.starts_with(mode) && line.ends_with(path)), "{path}: {list}");
    }

    // Where /lib leads to /usr/lib it goes on to do so.
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("usr/lib")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    run(Command::new("tar")
        .arg("-C")
        .arg(&root)
        .arg("-xf")
        .arg(first.join("mote-1.2.3-amd64.tar.xz")));
    assert_eq!(fs::read_link(root.join("lib")).unwrap(), Path::new("usr/lib"));
    assert!(root.join("lib/systemd/system/mote.service").is_file());
}
