//! Who did it, both ways.

use super::encode::{Strings, append};
use super::error::{DecodeError, Reason};
use super::reader::{Reader, entry, join};
use super::wire::{
    Actor, ActorMore, Blob, Contained, Joined, Kind, LINEAGE_BYTES, Lineage, Sessions,
};
use crate::event::{self, Bytes, Event, ExecutableKind, Runtime, Truncated};
use crate::limits::BATCH_BYTES;

/// Writes the actor of an event behind what is in `out`. `Ok(false)`: it has none.
pub(super) fn write(
    event: &Event,
    strings: &mut Strings,
    out: &mut Bytes<BATCH_BYTES>,
) -> postcard::Result<bool> {
    let actor = Actor {
        pid: event.pid,
        tid_minus_pid: event.tid.wrapping_sub(event.pid) as i32,
        ppid: event.ppid,
        uid: event.uid,
        gid: event.gid,
        comm: Blob(&event.comm),
        executable: strings.whole(&event.executable),
    };
    let mut bytes = Bytes::<LINEAGE_BYTES>::new();
    lineage(&event.lineage, strings, &mut bytes)?;
    let more = ActorMore { start: event.start, lineage: strings.whole(&bytes) };
    let kind = event.executable_kind.map_or(0, |kind| kind as Kind);
    let has_more = kind != 0 || more != ActorMore::default();
    if actor == Actor::default() && !has_more {
        return Ok(false);
    }
    append(out, &actor)?;
    if has_more {
        append(out, &more)?;
    }
    if kind != 0 {
        append(out, &kind)?;
    }
    Ok(true)
}

/// Writes a lineage, up to the last part of which something is known.
fn lineage(
    lineage: &event::Lineage,
    strings: &mut Strings,
    out: &mut Bytes<LINEAGE_BYTES>,
) -> postcard::Result<()> {
    let parent = Lineage {
        parent_start: lineage.parent_start,
        parent_executable: strings.whole(&lineage.parent_executable),
    };
    let contained = Contained {
        runtime: lineage.runtime.map_or(0, |runtime| runtime as u8),
        container: strings.whole(&lineage.container),
    };
    let sessions = Sessions {
        login_uid: lineage.login_uid,
        audit_session: lineage.audit_session,
        session: lineage.session,
        session_start: lineage.session_start,
    };
    let has_sessions = sessions != Sessions::default();
    let has_container = has_sessions || contained != Contained::default();
    if has_container || parent != Lineage::default() {
        append(out, &parent)?;
    }
    if has_container {
        append(out, &contained)?;
    }
    if has_sessions {
        append(out, &sessions)?;
    }
    Ok(())
}

/// An actor as it was read.
#[derive(Debug)]
pub(super) struct Who<'s> {
    actor: Actor<'s>,
    start: Option<u64>,
    kind: Kind,
    lineage: Lineage<'s>,
    contained: Contained<'s>,
    sessions: Sessions,
}

impl<'s> Who<'s> {
    /// The next one, and whether it has nothing that this version does not know.
    pub fn take(
        reader: &mut Reader<'s>,
        strings: &[&'s [u8]],
    ) -> Result<(Who<'s>, bool), DecodeError> {
        let actor = reader.take::<Actor>("an actor")?;
        let more = match reader.is_empty() {
            true => ActorMore::default(),
            false => reader.take("what follows an actor")?,
        };
        let kind: Kind = match reader.is_empty() {
            true => 0,
            false => reader.take("the kind of an executable")?,
        };
        let mut described = described(strings, &more.lineage, reader)?;
        // Where the lineage is: its bytes may stand elsewhere.
        let fault = |error: DecodeError| reader.error(error.reason, error.what);
        let lineage = match described.is_empty() {
            true => Lineage::default(),
            false => described.take("a lineage").map_err(fault)?,
        };
        let contained = match described.is_empty() {
            true => Contained::default(),
            false => described.take("a container").map_err(fault)?,
        };
        let sessions = match described.is_empty() {
            true => Sessions::default(),
            false => described.take("a login and a session").map_err(fault)?,
        };
        let is_known = reader.is_empty() && described.is_empty();
        Ok((Who { actor, start: more.start, kind, lineage, contained, sessions }, is_known))
    }

    /// Says it in an event, which is read from `at`.
    pub fn tell(
        &self,
        event: &mut Event,
        strings: &[&[u8]],
        at: &Reader,
    ) -> Result<(), DecodeError> {
        let Who { actor, start, kind, lineage, contained, sessions } = self;
        event.pid = actor.pid;
        event.tid = actor.pid.wrapping_add_signed(actor.tid_minus_pid);
        event.ppid = actor.ppid;
        event.uid = actor.uid;
        event.gid = actor.gid;
        if event::append(&mut event.comm, actor.comm.0) {
            return Err(at.error(Reason::TooLong, "a thread's name"));
        }
        if join(strings, &mut event.executable, &actor.executable, at)? {
            event.truncated.insert(Truncated::EXECUTABLE);
        }
        event.start = *start;
        // A kind that this version does not know is one it was not told.
        event.executable_kind = ExecutableKind::from_number(*kind);
        event.lineage.parent_start = lineage.parent_start;
        let parent = &mut event.lineage.parent_executable;
        if join(strings, parent, &lineage.parent_executable, at)? {
            event.truncated.insert(Truncated::PARENT_EXECUTABLE);
        }
        // A runtime that this version does not know is one it was not told.
        event.lineage.runtime = Runtime::from_number(contained.runtime);
        if join(strings, &mut event.lineage.container, &contained.container, at)? {
            return Err(at.error(Reason::TooLong, "a container"));
        }
        event.lineage.login_uid = sessions.login_uid;
        event.lineage.audit_session = sessions.audit_session;
        event.lineage.session = sessions.session;
        event.lineage.session_start = sessions.session_start;
        Ok(())
    }
}

/// The bytes of a lineage.
fn described<'s>(
    strings: &[&'s [u8]],
    lineage: &Joined<'s>,
    at: &Reader<'s>,
) -> Result<Reader<'s>, DecodeError> {
    let what = "a lineage";
    match lineage {
        Joined { start: 0, rest } => Ok(Reader::new(rest.0)),
        Joined { start, rest: Blob([]) } => {
            let bytes = entry(strings, *start).ok_or_else(|| at.error(Reason::Index, what))?;
            Ok(Reader::new(bytes))
        }
        _ => Err(at.error(Reason::Value, what)),
    }
}
