//! `mote diagnostic create`: one file with what a report of a fault needs.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;
use time::OffsetDateTime;

use super::statistics;
use crate::command::{check, exclusion};
use crate::config;
use crate::control::{Diagnostic, RUNTIME_DIR, Reply, Request, STATE_DIR, client};
use crate::exit;
use crate::host;
use crate::say;

/// How long the statistics in it are watched.
const STATISTICS_SECONDS: u32 = 5;

/// Write a file with what a report of a fault needs: health, configuration, facts of the
/// kernel, attached programs, statistics, the sensor's own log. It has names of files and
/// programs of this host, and no records.
#[derive(FromArgs)]
#[argh(subcommand, name = "create")]
pub(super) struct CreateCommand {
    /// directory to write it to (default: the working directory)
    #[argh(option, default = "PathBuf::from(\".\")")]
    path: PathBuf,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

impl CreateCommand {
    /// Collects and writes.
    pub fn run(self) -> ExitCode {
        let now = OffsetDateTime::now_utc();
        let (year, month, day) = now.to_calendar_date();
        let (hour, minute, second) = now.to_hms();
        let month = u8::from(month);
        let stamp = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z");
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host: String =
            host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).collect();
        // Somebody else may begin in the same second.
        let pid = std::process::id();
        let file = self.path.join(format!("mote-diagnostic-{host}-{stamp}-{pid}.tar"));
        match self.write(&file, now.unix_timestamp()) {
            Ok(()) => {
                let file = file.canonicalize().unwrap_or(file);
                say::answer(&format!("Diagnostic file created: \"{}\"\n", file.display()))
            }
            Err(error) => exit::fail(
                exit::IOERR,
                format_args!(
                    "{} could not be written ({error}); name a directory that can be written to \
                     with --path",
                    file.display()
                ),
            ),
        }
    }

    fn write(&self, path: &Path, now_s: i64) -> io::Result<()> {
        // What is in it is for whoever may read the sensor's records.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut bundle = Bundle { tar: tar::Builder::new(file), now_s: now_s.max(0) as u64 };
        let sensor = self.add_sensor(&mut bundle)?;
        let managed = sensor
            .as_ref()
            .map_or(config::DEFAULT_PATH.to_owned(), |sensor| sensor.managed_file.clone());
        let local = sensor.as_ref().map_or_else(
            || Path::new(STATE_DIR).join(config::local::FILE_NAME).display().to_string(),
            |sensor| sensor.local_file.clone(),
        );
        bundle.add_file("configuration/managed.json", Path::new(&managed))?;
        bundle.add_file("configuration/local.json", Path::new(&local))?;
        bundle.add("facts.txt", check::facts_text().as_bytes())?;
        for name in ["version", "cmdline", "modules", "meminfo", "cpuinfo", "mounts"] {
            bundle.add_file(&format!("proc/{name}"), &Path::new("/proc").join(name))?;
        }
        bundle.add_file("os-release", Path::new("/etc/os-release"))?;
        if let Some(sensor) = sensor {
            for name in ["status", "limits", "stat", "cgroup", "mountinfo"] {
                let file = format!("/proc/{}/{name}", sensor.pid);
                bundle.add_file(&format!("sensor/{name}"), Path::new(&file))?;
            }
            match statistics::watch(&self.runtime_dir, STATISTICS_SECONDS, 10) {
                Ok(statistics) => {
                    bundle.add("statistics.txt", statistics::text(&statistics).as_bytes())?;
                }
                // Why was said.
                Err(_) => say::warn(format_args!("the bundle lacks statistics")),
            }
        }
        bundle.tar.into_inner()?.sync_all()
    }

    /// What the sensor tells. `None`: it does not run, which the bundle then says.
    fn add_sensor(&self, bundle: &mut Bundle) -> io::Result<Option<Diagnostic>> {
        let sensor = match client::ask(&self.runtime_dir, &Request::Diagnostic {}) {
            Ok(Reply::Diagnostic(sensor)) => *sensor,
            Ok(_) => {
                bundle.add("sensor.txt", b"the sensor is of another version\n")?;
                return Ok(None);
            }
            Err(error) => {
                bundle.add("sensor.txt", format!("{error}\n").as_bytes())?;
                say::warn(format_args!("the bundle lacks what the sensor tells: {error}"));
                return Ok(None);
            }
        };
        bundle.add("health.txt", sensor.health.text().as_bytes())?;
        bundle.add("health.json", format!("{:#}\n", sensor.health.json()).as_bytes())?;
        let exclusions = exclusion::table(&sensor.exclusions);
        bundle.add("exclusions.txt", exclusions.as_bytes())?;
        let mut programs = String::from("id       program                  hook\n");
        for one in &sensor.programs {
            programs += &format!("{:<8} {:<24} {}\n", one.id, one.program, one.hook);
        }
        bundle.add("programs.txt", programs.as_bytes())?;
        bundle.add("log.txt", (sensor.log.join("\n") + "\n").as_bytes())?;
        Ok(Some(sensor))
    }
}

struct Bundle {
    tar: tar::Builder<File>,
    now_s: u64,
}

impl Bundle {
    fn add(&mut self, name: &str, contents: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.now_s);
        self.tar.append_data(&mut header, Path::new("mote-diagnostic").join(name), contents)
    }

    /// A file that is not there is told so in its place.
    fn add_file(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let contents = host::read(path)
            .unwrap_or_else(|error| format!("{}: {error}\n", path.display()).into_bytes());
        self.add(name, &contents)
    }
}
