//! This machine: what it can do, and what follows from it. Facts apart from decisions.

pub mod audit;
pub mod boot;
pub mod distribution;
pub mod facts;
pub mod ksplice;
pub mod provider;
pub mod release;
pub mod support;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::limits::HOST_FILE_BYTES;

/// The host's root directory, as process 1 has it, since the sensor may have another one, as in
/// a container; and the sensor's own, where process 1's cannot be looked at.
pub const ROOTS: [&str; 2] = ["/proc/1/root", "/"];

/// The host's files are below the first of [`ROOTS`] of which anything can be seen.
fn root() -> &'static Path {
    let seen = |root: &&&str| fs::read_dir(root).is_ok_and(|mut all| all.next().is_some());
    Path::new(ROOTS.iter().find(seen).unwrap_or(&ROOTS[1]))
}

/// The text of a regular file, up to what is read of any: a pipe of that name would never end.
fn read_text(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(HOST_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files of a directory, by name; none if there is no such directory.
fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// What the host calls a file below its root.
fn shown(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    Path::new("/").join(below).display().to_string()
}
