//! LAUREL, a plugin of auditd that writes each event as a JSON document.

use crate::auditd;
use std::fs;
use std::path::{Path, PathBuf};

const PROGRAM: &str = "/usr/sbin/laurel";

/// Has the auditd that is started in `dir` run it. Or says why it cannot.
pub fn prepare(dir: &Path) -> Result<(), String> {
    if !Path::new(PROGRAM).exists() {
        return Err("is not installed".into());
    }
    // Debian's settings, but that it stays root.
    let config = dir.join("laurel.toml");
    let log = log(dir);
    let text = format!(
        "directory = {:?}\n[auditlog]\nfile = {:?}\nsize = 5000000\ngenerations = 10\n\
         [transform]\nexecve-argv = [\"array\"]\n[enrich]\npid = true\ncontainer = true\n\
         execve-env = [\"LD_PRELOAD\", \"LD_LIBRARY_PATH\"]\nscript = true\n",
        log.parent().unwrap(),
        log.file_name().unwrap(),
    );
    fs::write(&config, text).unwrap();
    let plugins = auditd::plugins(dir);
    fs::create_dir_all(&plugins).unwrap();
    let plugin = format!(
        "active = yes\ndirection = out\ntype = always\nformat = string\npath = {PROGRAM}\n\
         args = --config {}\n",
        config.display()
    );
    fs::write(plugins.join("laurel.conf"), plugin).unwrap();
    Ok(())
}

/// Whether it wrote anything.
pub fn has_run(dir: &Path) -> bool {
    fs::metadata(log(dir)).is_ok_and(|log| log.len() > 0)
}

fn log(dir: &Path) -> PathBuf {
    dir.join("laurel/audit.log")
}
