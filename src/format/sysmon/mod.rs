//! Events as Sysmon for Linux writes them to syslog, for those that it has.
//!
//! The source of names, their order and versions is Sysmon's manifest (microsoft/SysmonCommon
//! `manifest.xml`, schema 4.90) and microsoft/SysmonForLinux `outputxml.cpp`. What differs from it:
//!
//! - A user is a number: names are those of the host, which the decoder need not be. `LogonId` is
//!   the user id, as there, and `TerminalSessionId` audit's session.
//! - `ProcessGuid` is made of the boot id, the process id and its start, so that a process has the
//!   same one in every event. Where the start is not known it is all zeros, as of a process that
//!   Sysmon does not know.
//! - `EventRecordID` is the event's number, and `Execution`, which has Sysmon's own process, is 0.
//! - What is not known is `-`, of a port 0. Hashes, versions of files, and the command line and
//!   user of a parent are never known.
//! - 1 is of an exec that succeeded. 3, 10, 11, 23 and 100 are of what did not fail: also of a
//!   connect in progress, and of calls whose result is not known (of io_uring, of 32-bit programs).
//! - 3 needs an internet address of the other end; its source is who connects or sends, whoever
//!   tells of it. Addresses are not looked up.
//! - 11 is of names of files that came about: by open with `O_CREAT`, which does not prove that
//!   there was none (Sysmon tells those too), mknod, link and symlink. Not of directories.
//! - 23 says that a name was removed; no copy of the file is kept, so that `Archived` is `-`.
//! - 10 is of any ptrace, process_vm_writev and pidfd_getfd with a target. `GrantedAccess` is 0, as
//!   there.
//! - 255 is a loss: `ID` is where, `Description` how many and which.
//! - 2 is not there: it is about times of creation, which no call sets. Nor is 4: the sensor does
//!   not stop in a pause.
//!
//! Bytes that are not UTF-8, and what XML cannot have, are shown as U+FFFD; other formats have
//! them.

mod data;
mod guid;
mod kind;
mod xml;

use super::Scratch;
use super::value::Timestamp;
use crate::event::Event;
use crate::record::Origin;
use data::Line;
use kind::Kind;
use std::io;
use xml::Data;

/// Writes one event as one line of XML, if Sysmon has one like it. Returns whether it has.
pub fn write(
    out: &mut dyn io::Write,
    scratch: &mut Scratch,
    origin: &Origin,
    event: &Event,
) -> io::Result<bool> {
    let Some(kind) = Kind::of(event) else { return Ok(false) };
    system(out, origin, event, kind)?;
    out.write_all(b"<EventData>")?;
    let mut data = Data { out, value: &mut scratch.value };
    let line = Line { origin, event };
    match kind {
        Kind::ProcessCreate => line.process_create(&mut data),
        Kind::NetworkConnect => line.network_connect(&mut data),
        Kind::ProcessTerminate => line.process_terminate(&mut data),
        Kind::ProcessAccess(target) => line.process_access(&mut data, target),
        Kind::FileCreate => line.file_create(&mut data),
        Kind::FileDelete => line.file_delete(&mut data),
        Kind::BpfLoad => line.bpf_load(&mut data),
        Kind::Error => line.error(&mut data),
    }?;
    out.write_all(b"</EventData></Event>\n")?;
    Ok(true)
}

/// Where it comes from, and which event it is.
fn system(out: &mut dyn io::Write, origin: &Origin, event: &Event, kind: Kind) -> io::Result<()> {
    let ((id, version), level) = (kind.id_and_version(), kind.level());
    write!(
        out,
        "<Event><System>\
         <Provider Name=\"Linux-Sysmon\" Guid=\"{{ff032593-a8d3-4f13-b0d6-01fc615a0f97}}\"/>\
         <EventID>{id}</EventID><Version>{version}</Version><Level>{level}</Level>\
         <Task>{id}</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>\
         <TimeCreated SystemTime=\"{}\"/><EventRecordID>{}</EventRecordID><Correlation/>\
         <Execution ProcessID=\"0\" ThreadID=\"0\"/>\
         <Channel>Linux-Sysmon/Operational</Channel><Computer>",
        Timestamp(event.time_ns.into()),
        event.sequence
    )?;
    xml::text(out, origin.hostname)?;
    out.write_all(b"</Computer><Security UserId=\"0\"/></System>")
}
