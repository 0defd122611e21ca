//! Processes, and who does what.

use super::class::{Class, Kind, target};
use super::file::{REGULAR, named};
use super::shape::{Actor, Container, Group, Parent, Process, Session, User};
use crate::event::{Action, Event, Given, NO_ID, Runtime};
use crate::format::meaning::{
    arguments, container_names, entity_id, file_name, has_process, process_name, start, text,
};
use crate::format::outcome::Outcome;
use crate::format::value::{CommandLine, Keyword};
use crate::record::Origin;

/// Who did it: of a fork the parent, whose child the event's process is.
pub(super) fn actor<'a>(origin: &Origin<'_>, event: &'a Event) -> Option<Actor<'a>> {
    if !has_process(event) {
        return None;
    }
    let process = match event.action {
        Action::Fork => match parent(origin, event) {
            Some(Parent { pid, uid, name, file }) if pid.is_some() => {
                Process { pid, uid, name, file, ..Process::default() }
            }
            _ => itself(origin, event),
        },
        // What it executed before is not known.
        Action::Exec if is_new(event) => common(origin, event),
        _ => running(origin, event),
    };
    let session = event.lineage.audit_session.map(|id| Session { uid: Some(Keyword(id)) });
    Some(Actor { process: Some(process), user: user(event.uid), session })
}

/// The process that something is done to, of the process class.
pub(super) fn affected<'a>(
    origin: &Origin<'_>,
    event: &'a Event,
    kind: Kind,
) -> Option<Process<'a>> {
    if kind.class != Class::Process {
        return None;
    }
    let process = match event.action {
        Action::Exec => executed(origin, event),
        Action::Fork | Action::Exit => running(origin, event),
        Action::Ptrace | Action::Kill => Process { pid: target(event), ..Process::default() },
        _ => changed(origin, event),
    };
    Some(process)
}

/// Whether it executes another program by now.
fn is_new(event: &Event) -> bool {
    Outcome::of(event) == Outcome::Success
}

/// With the program that it was to execute, or executes.
fn executed<'a>(origin: &Origin<'_>, event: &'a Event) -> Process<'a> {
    let mut process = if is_new(event) {
        running(origin, event)
    } else {
        let file = (!event.path.is_empty()).then(|| named(&event.path, REGULAR));
        let name = text(file_name(&event.path));
        Process { file, name, ..common(origin, event) }
    };
    process.cmd_line = arguments(event).map(CommandLine);
    process.working_directory = text(&event.working_directory);
    process
}

/// With what is new, unless it was refused.
fn changed<'a>(origin: &Origin<'_>, event: &Event) -> Process<'a> {
    let mut process = itself(origin, event);
    if let Some(Given::Ids([_, effective, _])) = event.given
        && Outcome::of(event) != Outcome::Failure
    {
        match event.action {
            Action::Setuid => process.euid = effective,
            _ => process.egid = effective,
        }
    }
    process
}

/// With the program that it executes.
fn running<'a>(origin: &Origin<'_>, event: &'a Event) -> Process<'a> {
    let file = (!event.executable.is_empty()).then(|| named(&event.executable, REGULAR));
    Process { file, name: text(process_name(event)), ..common(origin, event) }
}

/// All but its program.
fn common<'a>(origin: &Origin<'_>, event: &'a Event) -> Process<'a> {
    let created = start(origin, event.start);
    Process {
        created_time: created.map(|at| at.milliseconds()),
        created_time_dt: created,
        ptid: Some(event.tid),
        user: user(event.uid),
        group: id(event.gid).map(|gid| Group { uid: Some(gid) }),
        auid: event.lineage.login_uid,
        parent_process: parent(origin, event),
        container: container(event),
        ..itself(origin, event)
    }
}

/// Only which it is.
fn itself<'a>(origin: &Origin<'_>, event: &Event) -> Process<'a> {
    let uid = entity_id(origin, Some(event.pid), event.start);
    Process { pid: Some(event.pid), uid, ..Process::default() }
}

/// A process has to be named by its number or by what tells it from all others.
fn parent<'a>(origin: &Origin<'_>, event: &'a Event) -> Option<Parent<'a>> {
    let executable = &event.lineage.parent_executable;
    event.ppid.map(|pid| Parent {
        pid: Some(pid),
        uid: entity_id(origin, Some(pid), event.lineage.parent_start),
        name: text(file_name(executable)),
        file: (!executable.is_empty()).then(|| named(executable, REGULAR)),
    })
}

fn container(event: &Event) -> Option<Container<'_>> {
    if event.lineage.container.is_empty() {
        return None;
    }
    let (id, name) = container_names(event);
    let runtime = event.lineage.runtime.map(Runtime::name);
    Some(Container { uid: text(id), name: text(name), runtime })
}

fn user(uid: u32) -> Option<User> {
    id(uid).map(|uid| User { uid: Some(uid) })
}

fn id(id: u32) -> Option<Keyword> {
    (id != NO_ID).then_some(Keyword(id))
}
