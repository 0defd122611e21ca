//! The installation of a package, and away with it.

use crate::support::{output_of, require_program, scratch, skip};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// 431 files, some 1.5 MB, in need of no other package; and seldom there.
const PACKAGE: &str = "mc-data";

/// `measure` is given a directory, and what installs the package once it is called. One that is
/// there is installed again.
pub fn installed(measure: impl FnOnce(&Path, &dyn Fn() -> bool)) {
    require_program("apt-get");
    let (_guard, dir) = scratch();
    // apt downloads as a user of its own.
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir_all(dir.join("archives/partial")).unwrap();
    let before = state();
    let is_there = before.contains("install ok installed");
    if !apt(&dir, &["-s", "install", PACKAGE]) {
        skip(&format!("apt-get does not find {PACKAGE}"));
    }
    // Also if what follows fails.
    let purge = (!is_there).then(|| Purge(dir.clone()));
    measure(&dir, &|| match is_there {
        true => apt(&dir, &["install", "--reinstall", PACKAGE]),
        false => apt(&dir, &["install", PACKAGE]),
    });
    drop(purge);
    assert_eq!(state(), before, "{PACKAGE} is not as it was");
}

struct Purge(PathBuf);

impl Drop for Purge {
    fn drop(&mut self) {
        if !apt(&self.0, &["purge", PACKAGE]) {
            eprintln!("{PACKAGE} is still installed");
        }
    }
}

/// With what it downloads, and its logs, in `dir`.
fn apt(dir: &Path, args: &[&str]) -> bool {
    let at = |name: &str, file: &str| format!("{name}={}", dir.join(file).display());
    let mut command = Command::new("apt-get");
    command.args(["-qq", "-y", "--no-install-recommends"]);
    command.args(["-o", &at("Dir::Cache::archives", "archives"), "-o", &at("Dir::Log", "apt")]);
    command.args(["-o", &at("DPkg::Options::=--log", "dpkg.log")]).args(args);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn state() -> String {
    let mut query = Command::new("dpkg-query");
    output_of(query.args(["-W", "-f", "${Package} ${Version} ${Status}\n"]))
        .lines()
        .filter(|line| line.starts_with(PACKAGE))
        .collect()
}
