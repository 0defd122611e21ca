//! The configuration of a running sensor: where it comes from, and how it changes.

use std::io;
use std::path::{Path, PathBuf};

use crate::claim::{Holder, LOCK, SoleDirectory, Unclaimed};
use crate::config::{Config, ConfigError, Fingerprint, Local, Managed, local, others_can_change};
use crate::directory::Directory;
use crate::explain::or_shortage;
use crate::filter::Filter;
use crate::health::Issue;
use crate::host::provider::Wanted;

/// What the sensor is configured to do.
pub struct Settings {
    managed_path: PathBuf,
    state_dir: SoleDirectory,
    /// As it was when it was last read.
    fingerprint: Fingerprint,
    managed: Managed,
    pub(super) local: Local,
    /// What both make.
    pub(super) config: Config,
    /// What keeps the managed file from being used as it is now.
    pub(super) managed_issue: Option<Issue>,
    /// What of it may not be meant.
    managed_doubts: Vec<Issue>,
    /// The same of what commands set.
    local_issue: Option<Issue>,
}

impl Settings {
    /// Reads both files. One that is not there sets nothing, but a managed one that was `named`
    /// has to be there at the start.
    pub fn read(
        managed_path: &Path,
        state_dir: &Path,
        named: bool,
    ) -> Result<Settings, ConfigError> {
        let fingerprint = Fingerprint::of(managed_path);
        let managed =
            if named { Managed::load(managed_path)? } else { read_managed(managed_path)? };
        // The sensor starts without what cannot be read: it is no better without a sensor.
        let (local, local_issue) = match load_local(Directory::open(state_dir), state_dir) {
            Ok(local) => (local, None),
            Err(issue) => (Local::default(), Some(issue)),
        };
        let config = Config::merge(&managed, &local);
        Ok(Settings {
            managed_path: managed_path.to_owned(),
            state_dir: SoleDirectory::new(state_dir, LOCK),
            fingerprint,
            managed,
            local,
            managed_issue: None,
            managed_doubts: doubts(managed_path, &config),
            config,
            local_issue,
        })
    }

    /// The configuration that results.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is wrong with the files, and what in them is not used.
    pub fn issues(&self) -> impl Iterator<Item = &Issue> {
        let Config { problems, blinding, .. } = &self.config;
        let of_managed = self.managed_issue.iter().chain(&self.managed_doubts);
        of_managed.chain(&self.local_issue).chain(problems).chain(blinding)
    }

    /// What to say of keys that mean nothing to the sensor, and need not.
    pub fn unused_keys(&self) -> Option<String> {
        let others = self.config.unused.iter().filter(|key| !is_of_exclusions(key));
        Some(format!(
            "the configuration {} has keys that mote does not use: {}; correct their spelling, \
             unless another product uses them",
            self.managed_path.display(),
            some_of(others)?
        ))
    }

    /// Takes the state directory, unless it is taken. Whether what was read of it may be old
    /// then: another sensor may have written it since.
    pub(super) fn claim(&mut self) -> bool {
        self.state_dir.take() && self.local_path().exists()
    }

    /// The same before something is set, for which the directory has to be there.
    pub(super) fn claim_to_set(&mut self) -> bool {
        self.state_dir.make_and_take() && self.local_path().exists()
    }

    /// Leaves the state directory to the next sensor.
    pub(super) fn release(&mut self) {
        self.state_dir.release();
    }

    pub(super) fn state_dir(&self) -> &Path {
        self.state_dir.path()
    }

    /// Another sensor that has it.
    pub(super) fn holder(&self) -> Option<Holder> {
        self.state_dir.holder()
    }

    /// That another sensor has taken it since this one has started, or nothing can be locked in it.
    pub(super) fn unclaimed_issue(&self) -> Option<Issue> {
        const LOCKABLE: &str = "make it a directory that can be written to, with room, and with nothing \
            else that is named lock, or name another with --state-dir";
        let dir = self.state_dir.path().display();
        let (problem, remedy) = match self.state_dir.unclaimed()? {
            Unclaimed::Other(holder) => (
                format!(
                    "{holder} keeps its settings in {dir}, so that nothing can be set here by command"
                ),
                "end one of them, or start it with another --state-dir".to_owned(),
            ),
            Unclaimed::Lock(error) => (
                format!(
                    "no lock can be had in {dir} ({error}), so that nothing can be set by command"
                ),
                or_shortage(Some(error.raw_os_error()), LOCKABLE),
            ),
        };
        Some(Issue { problem, remedy })
    }

    /// What other local settings would make.
    pub(super) fn merged_with(&self, local: &Local) -> Config {
        Config::merge(&self.managed, local)
    }

    pub(super) fn wanted(&self) -> Wanted {
        self.config.provider
    }

    pub(super) fn filter(&self) -> Filter {
        self.config.filter.clone()
    }

    pub(super) fn managed_path(&self) -> &Path {
        &self.managed_path
    }

    pub(super) fn local_path(&self) -> PathBuf {
        self.state_dir.path().join(local::FILE_NAME)
    }

    /// Whether there was a managed file when it was last read.
    pub(super) fn is_managed(&self) -> bool {
        self.fingerprint != Fingerprint::Absent
    }

    /// Whether the managed file is another one than was read.
    pub(super) fn has_changed(&self) -> bool {
        Fingerprint::of(&self.managed_path) != self.fingerprint
    }

    /// Reads the files again. One that cannot be used changes nothing.
    pub(super) fn read_again(&mut self) {
        self.fingerprint = Fingerprint::of(&self.managed_path);
        self.managed_issue = match read_managed(&self.managed_path) {
            Ok(managed) => {
                self.managed = managed;
                None
            }
            Err(error) => Some(Issue {
                problem: format!(
                    "the configuration {} is not valid, and the one before is kept: {error}",
                    self.managed_path.display()
                ),
                remedy: error.remedy().to_owned(),
            }),
        };
        self.read_local_again();
        self.managed_doubts = doubts(&self.managed_path, &self.config);
    }

    /// The same of what commands set.
    pub(super) fn read_local_again(&mut self) {
        let dir = self.state_dir.claimed_or(Directory::open);
        match load_local(dir, self.state_dir.path()) {
            Ok(local) => (self.local, self.local_issue) = (local, None),
            Err(issue) => self.local_issue = Some(issue),
        }
        self.config = Config::merge(&self.managed, &self.local);
    }

    /// Keeps other local settings, for good; the old ones stay if they cannot be written.
    pub(super) fn set_local(&mut self, local: Local) -> io::Result<()> {
        let dir = self.state_dir.claimed_or(Directory::make)?;
        // One that could not be used is kept beside.
        if self.local_issue.is_some() {
            let _ = dir.rename(local::FILE_NAME, local::BAD_NAME);
        }
        local.save(&dir)?;
        self.local = local;
        // What could not be used is replaced.
        self.local_issue = None;
        self.config = Config::merge(&self.managed, &self.local);
        Ok(())
    }
}

/// `exclusionSettings` and what is in it are the sensor's: a key without a meaning is a mistake.
fn is_of_exclusions(key: &str) -> bool {
    key.starts_with("exclusionSettings.")
}

/// A list of keys: a file may have any number of them.
fn some_of<'a>(mut keys: impl Iterator<Item = &'a String>) -> Option<String> {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = keys.by_ref().take(SHOWN).map(String::as_str).collect();
    let more = match keys.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!shown.is_empty()).then(|| shown.join("; ") + &more)
}

/// What of a managed file that is used may not be meant.
fn doubts(path: &Path, config: &Config) -> Vec<Issue> {
    let mut doubts = Vec::new();
    if let Some(keys) = some_of(config.unused.iter().filter(|key| is_of_exclusions(key))) {
        doubts.push(Issue {
            problem: format!(
                "the configuration {} has keys among its exclusions that mean nothing: {keys}",
                path.display()
            ),
            remedy: "correct their spelling, or remove them".to_owned(),
        });
    }
    if let Some(error) = others_can_change(path) {
        doubts.push(Issue {
            problem: format!(
                "the configuration {} decides what is not reported, and {error}",
                path.display()
            ),
            remedy: error.remedy().to_owned(),
        });
    }
    doubts
}

fn read_managed(path: &Path) -> Result<Managed, ConfigError> {
    match Managed::load(path) {
        Err(error) if error.is_absent() => Ok(Managed::default()),
        result => result,
    }
}

/// What commands set: nothing, if there is no such directory.
fn load_local(dir: io::Result<Directory>, path: &Path) -> Result<Local, Issue> {
    let loaded = match dir {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Local::default()),
        Err(error) => Err(ConfigError::Read(error)),
        Ok(dir) => Local::load(&dir),
    };
    loaded.map_err(|error| local_issue(path, &error))
}

fn local_issue(state_dir: &Path, error: &ConfigError) -> Issue {
    let path = state_dir.join(local::FILE_NAME);
    Issue {
        problem: format!("the local settings {} cannot be used: {error}", path.display()),
        remedy: format!("{}; or remove the file, and set them anew", error.remedy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_set_goes_to_the_directory_that_was_claimed() {
        let parent = tempfile::tempdir().unwrap();
        let [state, moved, managed] = ["state", "moved", "managed"].map(|n| parent.path().join(n));
        let mut settings = Settings::read(&managed, &state, false).unwrap();
        assert!(settings.issues().next().is_none(), "nothing is set where there is no directory");
        assert!(!settings.claim_to_set(), "nobody has set anything before");
        fs::rename(&state, &moved).unwrap();
        fs::create_dir(&state).unwrap();
        let local = Local { provider: Some(Wanted::Netlink), ..Local::default() };
        settings.set_local(local.clone()).unwrap();
        assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
        settings.read_local_again();
        assert_eq!(settings.local, local, "and is read there");
        assert!(moved.join("local.json").exists());
        assert!(!settings.claim_to_set());
        settings.read_local_again();
        assert_eq!(settings.local, Local::default(), "the one that is there now is claimed");
    }

    #[test]
    fn a_state_directory_that_is_none_is_told() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let mut settings = Settings::read(&parent.path().join("absent"), &file, false).unwrap();
        let problems: Vec<_> = settings.issues().map(|issue| issue.problem.clone()).collect();
        assert!(problems[0].contains("file/local.json cannot be used"), "{problems:?}");
        assert!(settings.set_local(Local::default()).is_err());
    }
}
