//! Oracle's live patches of the kernel (ksplice), and the pause that they need.

use std::path::Path;

use super::distribution::Distribution;
use super::release::Numbers;
use super::{files_in, read_text, root, shown};

/// What patches a running kernel.
const PROGRAMS: [&str; 3] = ["usr/sbin/uptrack-upgrade", "usr/bin/ksplice", "usr/sbin/ksplice"];
/// Where cron(8) and crontab(1) look for what is to be run.
const CRON_DIRECTORIES: [&str; 6] = [
    "etc/cron.d",
    "etc/cron.hourly",
    "etc/cron.daily",
    "etc/cron.weekly",
    "var/spool/cron",
    "var/spool/cron/crontabs",
];
const CRONTAB: &str = "etc/crontab";
const PAUSE: &str = "mote pause";

/// A line for /etc/crontab, or a file in /etc/cron.d.
pub const CRON_LINE: &str =
    "15 3 * * * root mote pause --if-running --limit-seconds 3600 -- uptrack-upgrade -y";

/// What there is of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ksplice {
    /// A program of it.
    pub program: Option<String>,
    /// A patch is in the kernel.
    pub is_loaded: bool,
    /// The file that pauses the sensor meanwhile.
    pub pause: Option<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it is about.
    pub sentence: &'static str,
    /// What to put into a file in /etc/cron.d.
    pub cron_line: &'static str,
    /// It is known of this system that it hangs: a warning. Elsewhere it is a fact only.
    pub is_known_to_hang: bool,
}

/// Whether it is known of this system that it hangs if it is patched under eBPF.
pub fn is_known_to_hang(distribution: &Distribution) -> bool {
    let version = Numbers::of(&distribution.version);
    distribution.id == "ol" && version.begins_with(&Numbers::of("7.9"))
}

impl Ksplice {
    /// On this machine.
    pub fn read() -> Ksplice {
        let modules = read_text(Path::new("/proc/modules")).unwrap_or_default();
        Ksplice::read_below(root(), &modules)
    }

    fn read_below(root: &Path, modules: &str) -> Ksplice {
        let program = PROGRAMS.iter().map(|name| root.join(name)).find(|path| path.exists());
        let mut cron: Vec<_> =
            CRON_DIRECTORIES.iter().flat_map(|name| files_in(&root.join(name))).collect();
        cron.push(root.join(CRONTAB));
        let pauses = |path: &&std::path::PathBuf| {
            let text = read_text(path).unwrap_or_default();
            text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(PAUSE))
        };
        Ksplice {
            program: program.map(|path| shown(root, &path)),
            is_loaded: modules.lines().any(|line| line.starts_with("ksplice")),
            pause: cron.iter().find(pauses).map(|path| shown(root, path)),
        }
    }

    /// Whether there is anything of it.
    fn is_here(&self) -> bool {
        self.program.is_some() || self.is_loaded
    }

    /// What to do, if it is here and nothing pauses the sensor.
    pub fn advice(&self, distribution: &Distribution) -> Option<Advice> {
        if !self.is_here() || self.pause.is_some() {
            return None;
        }
        let is_known_to_hang = is_known_to_hang(distribution);
        let sentence = if is_known_to_hang {
            "Oracle Linux 7.9 hangs if ksplice patches the kernel while eBPF programs are \
             attached, and nothing in cron pauses the sensor: take ksplice's own line out of \
             cron, and put this one into a file in /etc/cron.d"
        } else {
            "ksplice is installed, and nothing in cron pauses the sensor while it patches the \
             kernel; only Oracle Linux 7.9 is known to hang then. If this system does, put this \
             line into a file in /etc/cron.d"
        };
        Some(Advice { sentence, cron_line: CRON_LINE, is_known_to_hang })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn below(files: &[(&str, &str)], modules: &str) -> Ksplice {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Ksplice::read_below(root.path(), modules)
    }

    fn system(id: &str, version: &str) -> Distribution {
        Distribution { id: id.into(), version: version.into(), name: String::new() }
    }

    const UPTRACK: (&str, &str) = ("usr/sbin/uptrack-upgrade", "");

    #[test]
    fn programs_and_modules() {
        assert_eq!(below(&[], ""), Ksplice::default());
        for name in PROGRAMS {
            let found = below(&[(name, "")], "");
            assert_eq!(found.program.as_deref(), Some(&*format!("/{name}")));
            assert!(found.is_here() && !found.is_loaded);
        }
        assert!(below(&[], "ext4 1 0\nksplice_abc_vmlinux 4096 0 - Live 0x0\n").is_here());
        assert!(!below(&[], "ext4 1 0 ksplice\nnot_ksplice 1 0\n").is_here());
    }

    #[test]
    fn the_pause_in_every_place_of_cron() {
        for place in CRON_DIRECTORIES {
            let file = format!("{place}/live-patches");
            let found = below(&[UPTRACK, (&file, &format!("# daily\n{CRON_LINE}\n"))], "");
            assert_eq!(found.pause, Some(format!("/{file}")));
            assert_eq!(found.advice(&system("ol", "7.9")), None);
        }
        let found = below(&[UPTRACK, (CRONTAB, "0 4 * * * root /usr/sbin/mote pause -- x")], "");
        assert_eq!(found.pause.as_deref(), Some("/etc/crontab"));
        // Taken out.
        let found = below(&[UPTRACK, (CRONTAB, &format!(" # {CRON_LINE}"))], "");
        assert_eq!(found.pause, None);
    }

    #[test]
    fn a_warning_where_it_is_known_to_hang_and_a_fact_elsewhere() {
        let found = below(&[UPTRACK], "");
        for (id, version, known) in
            [("ol", "7.9", true), ("ol", "8.8", false), ("rhel", "7.9", false), ("", "", false)]
        {
            let advice = found.advice(&system(id, version)).unwrap();
            assert_eq!(advice.is_known_to_hang, known, "{id} {version}");
            assert_eq!(
                advice.cron_line,
                "15 3 * * * root mote pause --if-running --limit-seconds 3600 -- uptrack-upgrade -y"
            );
        }
        assert_eq!(below(&[], "").advice(&system("ol", "7.9")), None);
    }
}
