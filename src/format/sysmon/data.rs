//! The fields of each of Sysmon's events, in its order.

use super::guid::Guid;
use super::xml::Data;
use crate::event::{Action, Class, Endpoint, Event, LossPlace, NO_ID, Transport};
use crate::format::meaning::internet;
use crate::format::names::bpf_program_type;
use crate::format::value::{Args, CommandLine, Timestamp};
use crate::record::Origin;
use core::fmt::{self, Display, Write};
use core::net::IpAddr;
use std::io;

/// An event, and where it comes from.
pub(super) struct Line<'a> {
    pub origin: &'a Origin<'a>,
    pub event: &'a Event,
}

impl Line<'_> {
    pub fn process_create(&self, data: &mut Data) -> io::Result<()> {
        let Event { args, working_directory, uid, ppid, lineage, .. } = self.event;
        self.begin(data)?;
        self.process(data)?;
        data.unknown(&["FileVersion", "Description", "Product", "Company", "OriginalFileName"])?;
        data.put("CommandLine", CommandLine(Args(args)))?;
        data.bytes("CurrentDirectory", working_directory)?;
        self.user(data)?;
        data.put("LogonGuid", self.guid(None))?;
        data.put("LogonId", if *uid == NO_ID { 0 } else { *uid })?;
        // As the kernel has it where audit gave none.
        data.put("TerminalSessionId", lineage.audit_session.unwrap_or(u32::MAX))?;
        data.put("IntegrityLevel", "no level")?;
        data.unknown(&["Hashes"])?;
        data.put("ParentProcessGuid", self.guid(ppid.zip(lineage.parent_start)))?;
        data.put("ParentProcessId", ppid.unwrap_or(0))?;
        data.bytes("ParentImage", &lineage.parent_executable)?;
        data.unknown(&["ParentCommandLine", "ParentUser"])
    }

    pub fn network_connect(&self, data: &mut Data) -> io::Result<()> {
        let (local, peer) = (self.event.local, self.event.peer);
        let is_accept = self.event.action == Action::Accept;
        let (source, destination) = if is_accept { (peer, local) } else { (local, peer) };
        let is_v6 = matches!(peer, Some(Endpoint::V6(..)));
        self.begin(data)?;
        self.process(data)?;
        self.user(data)?;
        data.put("Protocol", self.event.transport.map_or("-", Transport::name))?;
        data.put("Initiated", !is_accept)?;
        end(data, Side::SOURCE, source, is_v6)?;
        end(data, Side::DESTINATION, destination, is_v6)
    }

    pub fn process_terminate(&self, data: &mut Data) -> io::Result<()> {
        self.begin(data)?;
        self.process(data)?;
        self.user(data)
    }

    pub fn process_access(&self, data: &mut Data, target: u32) -> io::Result<()> {
        self.begin(data)?;
        data.put("SourceProcessGUID", self.own_guid())?;
        data.put("SourceProcessId", self.event.pid)?;
        data.put("SourceThreadId", self.event.tid)?;
        data.bytes("SourceImage", &self.event.executable)?;
        data.put("TargetProcessGUID", self.guid(None))?;
        data.put("TargetProcessId", target)?;
        data.put("TargetImage", "<unknown process>")?;
        data.put("GrantedAccess", "0x0")?;
        data.unknown(&["CallTrace"])?;
        self.put_user(data, "SourceUser")?;
        data.unknown(&["TargetUser"])
    }

    pub fn file_create(&self, data: &mut Data) -> io::Result<()> {
        self.begin(data)?;
        self.process(data)?;
        data.bytes("TargetFilename", &self.event.path)?;
        data.put("CreationUtcTime", self.time())?;
        self.user(data)
    }

    pub fn file_delete(&self, data: &mut Data) -> io::Result<()> {
        self.begin(data)?;
        data.put("ProcessGuid", self.own_guid())?;
        data.put("ProcessId", self.event.pid)?;
        self.user(data)?;
        data.bytes("Image", &self.event.executable)?;
        data.bytes("TargetFilename", &self.event.path)?;
        data.unknown(&["Hashes", "IsExecutable", "Archived"])
    }

    pub fn bpf_load(&self, data: &mut Data) -> io::Result<()> {
        let kind = self.event.call_flags.and_then(bpf_program_type);
        self.begin(data)?;
        self.process(data)?;
        self.user(data)?;
        data.put("BpfCommand", "BPF_PROG_LOAD")?;
        data.put("BpfProgramType", kind.unwrap_or("UNKNOWN"))?;
        data.put("BpfProgramId", 0)?;
        data.bytes("BpfProgramName", &self.event.from)
    }

    pub fn error(&self, data: &mut Data) -> io::Result<()> {
        data.put("UtcTime", self.time())?;
        let Some(loss) = self.event.loss else {
            return data.unknown(&["ID", "Description"]);
        };
        data.put("ID", loss.place.name())?;
        let what = match loss.place {
            LossPlace::ProcessTable => "processes without details",
            LossPlace::Connector | LossPlace::SyslogQueue => "events missing at most",
            _ => "events missing",
        };
        let ring = loss.class.map_or("any", Class::name);
        let receiver: &dyn Display = match &loss.receiver {
            Some(receiver) => receiver,
            None => &"any",
        };
        let cpu: &dyn Display = match &loss.cpu {
            Some(cpu) => cpu,
            None => &"any",
        };
        data.put(
            "Description",
            format_args!("{what}: {}, ring: {ring}, cpu: {cpu}, receiver: {receiver}", loss.count),
        )
    }

    /// The first fields of all.
    fn begin(&self, data: &mut Data) -> io::Result<()> {
        data.unknown(&["RuleName"])?;
        data.put("UtcTime", self.time())
    }

    fn process(&self, data: &mut Data) -> io::Result<()> {
        data.put("ProcessGuid", self.own_guid())?;
        data.put("ProcessId", self.event.pid)?;
        data.bytes("Image", &self.event.executable)
    }

    fn user(&self, data: &mut Data) -> io::Result<()> {
        self.put_user(data, "User")
    }

    fn put_user(&self, data: &mut Data, name: &str) -> io::Result<()> {
        match self.event.uid {
            NO_ID => data.unknown(&[name]),
            uid => data.put(name, uid),
        }
    }

    fn time(&self) -> UtcTime {
        UtcTime(Timestamp(self.event.time_ns.into()))
    }

    fn own_guid(&self) -> Guid {
        self.guid(self.event.start.map(|start| (self.event.pid, start)))
    }

    fn guid(&self, process: Option<(u32, u64)>) -> Guid {
        Guid { boot_id: self.origin.boot_id, process }
    }
}

/// To the millisecond, with a space: 2026-11-24 00:00:00.000.
struct UtcTime(Timestamp);

impl Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        const DATE_BYTES: usize = "2026-11-24".len();
        const TIME_BYTES: usize = "00:00:00.000".len();
        let mut text = heapless::String::<32>::new();
        write!(text, "{}", self.0)?;
        let (date, time) = text.split_once('T').unwrap_or_default();
        write!(f, "{date:.DATE_BYTES$} {time:.TIME_BYTES$}")
    }
}

/// The names of an end's fields.
struct Side {
    is_v6: &'static str,
    ip: &'static str,
    hostname: &'static str,
    port: &'static str,
    port_name: &'static str,
}

impl Side {
    const SOURCE: Side = Side {
        is_v6: "SourceIsIpv6",
        ip: "SourceIp",
        hostname: "SourceHostname",
        port: "SourcePort",
        port_name: "SourcePortName",
    };
    const DESTINATION: Side = Side {
        is_v6: "DestinationIsIpv6",
        ip: "DestinationIp",
        hostname: "DestinationHostname",
        port: "DestinationPort",
        port_name: "DestinationPortName",
    };
}

/// One end; what is not known of it is as the other.
fn end(
    data: &mut Data,
    side: Side,
    endpoint: Option<Endpoint>,
    other_is_v6: bool,
) -> io::Result<()> {
    let end = endpoint.and_then(internet);
    data.put(side.is_v6, end.map_or(other_is_v6, |(ip, _)| matches!(ip, IpAddr::V6(_))))?;
    match end {
        Some((ip, _)) => data.put(side.ip, ip)?,
        None => data.unknown(&[side.ip])?,
    }
    data.unknown(&[side.hostname])?;
    data.put(side.port, end.map_or(0, |(_, port)| port))?;
    data.unknown(&[side.port_name])
}
