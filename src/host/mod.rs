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
use std::io::{self, Read};
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

/// What a regular file begins with, up to [`HOST_FILE_BYTES`]: a pipe would never end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(HOST_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same as text; what cannot be read has none.
fn read_text(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&read(path).ok()?).into_owned())
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
