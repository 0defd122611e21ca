//! `mote exclusion`: what the running sensor does not report.

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use super::asks::{ask, change, unexpected};
use super::output::Output;
use crate::control::{ListedExclusion, RUNTIME_DIR, Reply, Request};
use crate::exit;
use crate::filter::RuleKind;
use crate::say;

/// Add, remove, list and try what is not to be reported. It has effect at once, and is kept
/// when the sensor starts again.
#[derive(FromArgs)]
#[argh(subcommand, name = "exclusion")]
pub struct ExclusionCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    File(FileCommand),
    Folder(FolderCommand),
    Process(ProcessCommand),
    List(ListCommand),
    Test(TestCommand),
}

/// One file.
#[derive(FromArgs)]
#[argh(subcommand, name = "file")]
struct FileCommand {
    #[argh(subcommand)]
    change: Change,
}

/// A folder and everything below it.
#[derive(FromArgs)]
#[argh(subcommand, name = "folder")]
struct FolderCommand {
    #[argh(subcommand)]
    change: Change,
}

/// What a program does.
#[derive(FromArgs)]
#[argh(subcommand, name = "process")]
struct ProcessCommand {
    #[argh(subcommand)]
    change: ProcessChange,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Change {
    Add(AddPath),
    Remove(RemovePath),
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum ProcessChange {
    Add(AddProcess),
    Remove(RemovePath),
}

/// Exclude it.
#[derive(FromArgs)]
#[argh(subcommand, name = "add")]
struct AddPath {
    /// absolute path, without wildcards
    #[argh(option)]
    path: String,

    /// global, the only scope that there is at a sensor
    #[argh(option, default = "Scope")]
    #[expect(dead_code, reason = "taken as the model's commands are written")]
    scope: Scope,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

/// Exclude it.
#[derive(FromArgs)]
#[argh(subcommand, name = "add")]
struct AddProcess {
    /// full path of the program
    #[argh(option)]
    path: String,

    /// exclude also what it starts, whatever program that is
    #[argh(switch)]
    include_children: bool,

    /// global, the only scope that there is at a sensor
    #[argh(option, default = "Scope")]
    #[expect(dead_code, reason = "taken as the model's commands are written")]
    scope: Scope,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

/// Exclude it no longer.
#[derive(FromArgs)]
#[argh(subcommand, name = "remove")]
struct RemovePath {
    /// the path that was added
    #[argh(option)]
    path: String,

    /// global, the only scope that there is at a sensor
    #[argh(option, default = "Scope")]
    #[expect(dead_code, reason = "taken as the model's commands are written")]
    scope: Scope,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

struct Scope;

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(name: &str) -> Result<Scope, String> {
        match name {
            "global" => Ok(Scope),
            "epp" => Err("the scope epp is a virus scanner's: at a sensor there is only global, \
                          which is the default"
                .to_owned()),
            _ => Err(format!("\"{name}\" is no scope; write global, or leave it out")),
        }
    }
}

/// Show all exclusions, where they come from, and how many events each has excluded.
#[derive(FromArgs)]
#[argh(subcommand, name = "list")]
struct ListCommand {
    /// text (default) or json
    #[argh(option, default = "Output::Text")]
    output: Output,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

/// Tell which exclusion would match, and why. Exits with 0 if one does, 1 if none does.
#[derive(FromArgs)]
#[argh(subcommand, name = "test")]
struct TestCommand {
    /// a file
    #[argh(option)]
    path: Option<String>,

    /// a program
    #[argh(option)]
    process: Option<String>,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

impl ExclusionCommand {
    /// Asks for the change, or prints.
    pub fn run(self) -> ExitCode {
        match self.what {
            What::File(FileCommand { change }) => change.run(RuleKind::File),
            What::Folder(FolderCommand { change }) => change.run(RuleKind::Folder),
            What::Process(ProcessCommand { change: ProcessChange::Add(add) }) => {
                let children = add.include_children;
                self::add(RuleKind::Process, add.path, children, &add.runtime_dir)
            }
            What::Process(ProcessCommand { change: ProcessChange::Remove(remove) }) => {
                self::remove(RuleKind::Process, remove)
            }
            What::List(command) => command.run(),
            What::Test(command) => command.run(),
        }
    }
}

impl Change {
    fn run(self, kind: RuleKind) -> ExitCode {
        match self {
            Change::Add(AddPath { path, runtime_dir, .. }) => add(kind, path, false, &runtime_dir),
            Change::Remove(command) => remove(kind, command),
        }
    }
}

fn title(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::File => "File",
        RuleKind::Folder => "Folder",
        RuleKind::Process => "Process",
    }
}

fn add(kind: RuleKind, path: String, children: bool, runtime_dir: &Path) -> ExitCode {
    let notes = notes(kind, Path::new(&path));
    let done = format!("{} exclusion configured successfully", title(kind));
    let code = change(runtime_dir, &Request::ExclusionAdd { kind, path, children }, &done);
    if code == ExitCode::SUCCESS {
        notes.iter().for_each(|note| say::say(format_args!("note: {note}")));
    }
    code
}

fn remove(kind: RuleKind, RemovePath { path, runtime_dir, .. }: RemovePath) -> ExitCode {
    let done = format!("{} exclusion removed successfully", title(kind));
    change(&runtime_dir, &Request::ExclusionRemove { kind, path }, &done)
}

/// What may not be as it was meant. It is as it was written all the same: what the path leads to
/// may be another thing later.
fn notes(kind: RuleKind, path: &Path) -> Vec<String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return vec![format!("there is no {path:?} now; the exclusion is for when there is")];
        }
        Err(_) => return Vec::new(),
    };
    let other_kind = match kind {
        RuleKind::File if metadata.is_dir() => {
            "is a folder, and what is in it is not excluded; exclude it as a folder if that is meant"
        }
        RuleKind::Folder if !metadata.is_dir() => {
            "is no folder, and only it itself is excluded; exclude it as a file if that is meant, or \
             as a process if what it does is meant"
        }
        RuleKind::Process if metadata.is_dir() => {
            "is a folder, which no process executes; exclude it as a folder if what is done with \
             files in it is meant"
        }
        RuleKind::Process if metadata.mode() & 0o111 == 0 => {
            "is not executable, so that no process is excluded; exclude it as a file if what is \
             done with it is meant"
        }
        RuleKind::File | RuleKind::Folder | RuleKind::Process => "",
    };
    let mut notes = Vec::new();
    if !other_kind.is_empty() {
        notes.push(format!("{path:?} {other_kind}"));
    }
    notes.extend(other_name(path));
    notes
}

/// Events have the names that processes use, and rules are compared with these.
fn other_name(path: &Path) -> Option<String> {
    let resolved = fs::canonicalize(path).ok()?;
    (resolved != path).then(|| {
        format!(
            "{path:?} leads to {resolved:?} by a symbolic link; the exclusion is for the first name \
             only: exclude the other one too if programs use it"
        )
    })
}

impl ListCommand {
    fn run(self) -> ExitCode {
        match ask(&self.runtime_dir, &Request::ExclusionList {}) {
            Ok(Reply::Exclusions(list)) => say::answer(&match self.output {
                Output::Text => table(&list),
                Output::Json => serde_json::to_string(&list).unwrap_or_default() + "\n",
            }),
            Ok(_) => unexpected(),
            Err(code) => code,
        }
    }
}

/// A line each, most used first.
pub(super) fn table(list: &[ListedExclusion]) -> String {
    let mut text = format!("{:<8} {:<8} {:>12}  path\n", "kind", "origin", "excluded");
    let mut list: Vec<&ListedExclusion> = list.iter().collect();
    list.sort_by_key(|one| std::cmp::Reverse(one.hits));
    for ListedExclusion { kind, path, origin, children, hits } in list {
        let children = if *children { " (and what it starts)" } else { "" };
        let path = path.escape_debug();
        let _ = writeln!(text, "{kind:<8} {origin:<8} {hits:>12}  {path}{children}");
    }
    text
}

impl TestCommand {
    fn run(self) -> ExitCode {
        let (path, process) = match (self.path, self.process) {
            (Some(path), None) => (path, false),
            (None, Some(path)) => (path, true),
            _ => {
                return exit::fail(
                    exit::USAGE,
                    format_args!("write either --path FILE or --process PROGRAM"),
                );
            }
        };
        match ask(&self.runtime_dir, &Request::ExclusionTest { path, process }) {
            Ok(Reply::Explanation(explained)) => {
                let code = say::answer(&format!("{}\n", explained.sentence));
                if code != ExitCode::SUCCESS || explained.excluded {
                    code
                } else {
                    exit::NO_MATCH.into()
                }
            }
            Ok(_) => unexpected(),
            Err(code) => code,
        }
    }
}
