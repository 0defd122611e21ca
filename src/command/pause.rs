//! `mote pause`: runs a command while eBPF is detached.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use argh::FromArgs;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;

use super::asks::{understood, unexpected};
use super::number::{Number, UpTo};
use crate::control::client::Connection;
use crate::control::{RUNTIME_DIR, Reply, Request};
use crate::exit;
use crate::say::{say, warn};

/// Detaching takes seconds, on slow machines more.
const DETACH_PATIENCE: Duration = Duration::from_secs(300);

/// How often it is looked whether the command has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Run a command while eBPF is detached, for a live patch of the kernel perhaps, and attach
/// it again, whatever becomes of the command. Processes are seen meanwhile, files and
/// connections are not. Exits as the command does.
#[derive(FromArgs)]
#[argh(subcommand, name = "pause")]
pub struct PauseCommand {
    /// attach again after so many seconds, even if the command still runs (default 600)
    #[argh(option, default = "Number(600)")]
    limit_seconds: UpTo<{ u32::MAX }>,

    /// run the command even if no sensor runs that could be paused
    #[argh(switch)]
    if_running: bool,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,

    /// the command and its arguments
    #[argh(positional, greedy)]
    command: Vec<String>,
}

impl PauseCommand {
    /// Pauses, runs, resumes.
    pub fn run(mut self) -> ExitCode {
        if self.command.first().is_some_and(|word| word == "--") {
            self.command.remove(0);
        }
        let Some((program, arguments)) = self.command.split_first() else {
            return exit::fail(
                exit::USAGE,
                format_args!("there is no command; write mote pause -- COMMAND"),
            );
        };
        // Not after seconds in which nothing of files was seen.
        if let Err(error) = find(Path::new(program)) {
            return not_run(program, &error);
        }
        let mut connection = match self.pause() {
            Ok(connection) => connection,
            Err(code) => return code,
        };
        let status = wait(Command::new(program).args(arguments));
        if let Some(connection) = &mut connection {
            resume(connection);
        }
        match status {
            // As a shell gives it.
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => ExitCode::from(code as u8),
                (None, Some(signal)) => ExitCode::from(128u8.wrapping_add(signal as u8)),
                (None, None) => exit::OSERR.into(),
            },
            Err(error) => not_run(program, &error),
        }
    }

    /// `None`: no sensor runs, and that is all right.
    fn pause(&self) -> Result<Option<Connection>, ExitCode> {
        let mut connection = match Connection::open(&self.runtime_dir) {
            Ok(connection) => connection,
            Err(crate::control::client::ClientError::NotRunning(_)) if self.if_running => {
                return Ok(None);
            }
            Err(error) => return Err(exit::fail(error.code(), format_args!("{error}"))),
        };
        let Number(limit_seconds) = self.limit_seconds;
        let request = Request::Pause { limit_seconds };
        let reply =
            connection.wait_at_most(DETACH_PATIENCE).and_then(|()| connection.ask(&request));
        match understood(reply)? {
            Reply::Done(notes) => notes.iter().for_each(|note| say(format_args!("{note}"))),
            _ => return Err(unexpected()),
        }
        Ok(Some(connection))
    }
}

/// With the exit code of a shell: 126 cannot be executed, 127 is not there.
fn not_run(program: &str, error: &io::Error) -> ExitCode {
    exit::fail(
        if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 },
        format_args!("{program} could not be run ({error}); look at its path and mode"),
    )
}

/// Whether there is such a program, where execvp(3) looks for it.
fn find(program: &Path) -> io::Result<()> {
    let is_executable = |path: &Path| {
        access(path, Access::EXEC_OK)?;
        if path.is_dir() { Err(Errno::ACCESS) } else { Ok(()) }
    };
    if program.as_os_str().as_bytes().contains(&b'/') {
        return Ok(is_executable(program)?);
    }
    let dirs = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut result = Err(Errno::NOENT);
    for dir in std::env::split_paths(&dirs) {
        match is_executable(&dir.join(program)) {
            Ok(()) => return Ok(()),
            // One that is there and cannot be executed says more than all that have none.
            Err(Errno::ACCESS) => result = Err(Errno::ACCESS),
            Err(_) => {}
        }
    }
    Ok(result?)
}

/// Runs it to its end, whatever signal comes: if this ended before, eBPF would be attached while
/// the command goes on. A terminal sends SIGINT and SIGQUIT to both; what is sent to this process
/// alone is passed on. Handlers are the default again in the command (execve(2)).
fn wait(command: &mut Command) -> io::Result<ExitStatus> {
    let taken = Arc::new(AtomicUsize::new(0));
    for signal in [SIGINT, SIGQUIT, SIGTERM, SIGHUP] {
        flag::register_usize(signal, Arc::clone(&taken), signal as usize)?;
    }
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match taken.swap(0, Ordering::Relaxed) as i32 {
            SIGTERM => drop(kill_process(Pid::from_child(&child), Signal::TERM)),
            SIGHUP => drop(kill_process(Pid::from_child(&child), Signal::HUP)),
            _ => sleep(LOOK_INTERVAL),
        }
    }
}

/// Whatever fails here: the sensor attaches again when the connection ends.
fn resume(connection: &mut Connection) {
    match connection.ask(&Request::Resume {}) {
        Ok(Reply::Done(notes)) => notes.iter().for_each(|note| say(format_args!("{note}"))),
        Ok(Reply::Refused(refused)) => warn(format_args!("{}", refused.message)),
        Ok(_) => {}
        Err(error) => warn(format_args!("{error}")),
    }
}
