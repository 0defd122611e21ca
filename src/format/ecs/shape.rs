//! The shape of a document. A field that is `None` is left out.

use super::text::{
    Address, Args, CommandLine, DeviceNumbers, EntityId, Hex, HexArgs, Keyword, Octal, Text,
    Timestamp, Uuid,
};
use core::net::IpAddr;
use serde::{Serialize, Serializer};

macro_rules! objects {
    ($(
        $(#[$meta:meta])*
        $name:ident $(<$life:lifetime>)? {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Default, Serialize)]
        pub(super) struct $name $(<$life>)? {
            $(
                $(#[$field_meta])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// Itself, unless it has no field.
            #[allow(dead_code)] // of some objects only
            pub fn some(self) -> Option<Self> {
                let has_field = $(self.$field.is_some())||*;
                has_field.then_some(self)
            }
        }
    )*};
}

objects! {
    Document<'a> {
        #[serde(rename = "@timestamp")]
        timestamp: Timestamp,
        ecs: Ecs,
        agent: Agent<'a>,
        event: EventSet,
        host: Host<'a>,
        process: Process<'a>,
        user: User,
        auditd: Auditd,
        container: Container<'a>,
        file: File<'a>,
        source: Side<'a>,
        destination: Side<'a>,
        server: Side<'a>,
        network: Network,
        mote: Mote<'a>,
    }
    Ecs {
        version: &'static str,
    }
    Agent<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        version: Text<'a>,
    }
    EventSet {
        kind: &'static str,
        category: [&'static str; 1],
        #[serde(rename = "type")]
        types: &'static [&'static str],
        action: &'static str,
        sequence: u64,
        provider: &'static str,
        outcome: &'static str,
    }
    Host<'a> {
        hostname: Text<'a>,
        boot: Boot,
        os: Os<'a>,
    }
    Os<'a> {
        kernel: Text<'a>,
    }
    Boot {
        id: Uuid,
    }
    Process<'a> {
        pid: u32,
        entity_id: EntityId,
        start: Timestamp,
        parent: Parent<'a>,
        executable: Text<'a>,
        name: Text<'a>,
        args: Args<'a>,
        args_count: u32,
        command_line: CommandLine<'a>,
        working_directory: Text<'a>,
        user: Id,
        group: Id,
        thread: Thread<'a>,
        session_leader: SessionLeader,
        exit_code: u32,
    }
    Parent<'a> {
        pid: u32,
        entity_id: EntityId,
        executable: Text<'a>,
        name: Text<'a>,
    }
    SessionLeader {
        pid: u32,
        entity_id: EntityId,
    }
    /// Who logged in, where Elastic's auditbeat has it.
    User {
        audit: Id,
    }
    Auditd {
        session: Keyword,
    }
    Container<'a> {
        id: Text<'a>,
        name: Text<'a>,
        runtime: &'static str,
    }
    Id {
        id: Keyword,
    }
    Thread<'a> {
        id: u32,
        name: Text<'a>,
    }
    File<'a> {
        path: Text<'a>,
        target_path: Text<'a>,
        #[serde(rename = "type")]
        kind: &'static str,
        mode: Octal,
        uid: Keyword,
        gid: Keyword,
        size: i64,
        mtime: Timestamp,
        #[serde(rename = "Ext")]
        ext: Ext<'a>,
    }
    Ext<'a> {
        original: Original<'a>,
    }
    Original<'a> {
        path: Text<'a>,
    }
    /// One end of a connection, or where connections can come to.
    Side<'a> {
        ip: IpAddr,
        port: u16,
        address: SideAddress<'a>,
    }
    Network {
        transport: &'static str,
        #[serde(rename = "type")]
        kind: &'static str,
        direction: &'static str,
    }
    Mote<'a> {
        syscall: u32,
        syscall_name: &'static str,
        #[serde(rename = "return")]
        ret: i64,
        flags: Names,
        truncated: Names,
        call_flags: u32,
        open_flags: Names,
        executable_kind: &'static str,
        device: DeviceNumbers,
        attribute: Text<'a>,
        new_ids: NewIds,
        target_pid: u32,
        ptrace_request: &'static str,
        signal: &'static str,
        bpf_program_type: &'static str,
        clone_flags: Names,
        mount_flags: Names,
        mount_attributes_set: Names,
        mount_attributes_cleared: Names,
        mount_source: Text<'a>,
        mount_type: Text<'a>,
        mount_option: Text<'a>,
        mount_command: &'static str,
        mount_descriptor: i32,
        name: Text<'a>,
        parameters: Text<'a>,
        new_time: Timestamp,
        asked: Asked,
        backlog: u32,
        messages: u32,
        address_family: u16,
        exit_signal: u32,
        core_dumped: bool,
        lost: Lost,
        /// As inventories of the model's sensor have it.
        #[serde(rename = "EBPF STATUS")]
        ebpf_status: bool,
        events_received: u64,
        events_excluded: u64,
        events_lost: u64,
        events_sent: u64,
        events_suppressed: u64,
        heartbeat_seconds: u32,
        hooks: u32,
        hooks_missing: Args<'a>,
        blind_spots: Names,
        exclusions: u32,
        bulk_budget: u32,
        send_window_seconds: u32,
        pause_limit_seconds: u32,
        resumed_because: &'static str,
        bytes: Exact<'a>,
    }
    Asked {
        ip: IpAddr,
        port: u16,
    }
    NewIds {
        real: u32,
        effective: u32,
        saved: u32,
    }
    Lost {
        #[serde(rename = "where")]
        place: &'static str,
        ring: &'static str,
        cpu: u16,
        count: u64,
    }
    /// The bytes of the fields whose text does not tell them.
    Exact<'a> {
        #[serde(rename = "host.hostname")]
        hostname: Hex<'a>,
        #[serde(rename = "process.executable")]
        executable: Hex<'a>,
        #[serde(rename = "process.parent.executable")]
        parent_executable: Hex<'a>,
        #[serde(rename = "process.thread.name")]
        thread_name: Hex<'a>,
        #[serde(rename = "process.args")]
        args: HexArgs<'a>,
        #[serde(rename = "process.working_directory")]
        working_directory: Hex<'a>,
        #[serde(rename = "container.id")]
        container_id: Hex<'a>,
        #[serde(rename = "container.name")]
        container_name: Hex<'a>,
        #[serde(rename = "file.path")]
        path: Hex<'a>,
        #[serde(rename = "file.target_path")]
        target_path: Hex<'a>,
        #[serde(rename = "file.Ext.original.path")]
        from: Hex<'a>,
        #[serde(rename = "mote.attribute")]
        attribute: Hex<'a>,
        #[serde(rename = "mote.mount_source")]
        mount_source: Hex<'a>,
        #[serde(rename = "mote.mount_type")]
        mount_type: Hex<'a>,
        #[serde(rename = "mote.mount_option")]
        mount_option: Hex<'a>,
        #[serde(rename = "mote.name")]
        name: Hex<'a>,
        #[serde(rename = "mote.parameters")]
        parameters: Hex<'a>,
        #[serde(rename = "destination.address")]
        destination: Hex<'a>,
        #[serde(rename = "server.address")]
        server: Hex<'a>,
    }
}

/// An address, as text.
pub(super) enum SideAddress<'a> {
    Ip(IpAddr),
    Unix(&'a [u8]),
}

impl Serialize for SideAddress<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SideAddress::Ip(ip) => serializer.collect_str(ip),
            SideAddress::Unix(name) => Address(name).serialize(serializer),
        }
    }
}

/// A set of at most as many names as there are bits.
#[derive(Default)]
pub(super) struct Names(heapless::Vec<&'static str, 32>);

impl Names {
    /// `None` if there are no names.
    pub fn some(names: impl Iterator<Item = &'static str>) -> Option<Names> {
        let names: heapless::Vec<_, 32> = names.take(32).collect();
        (!names.is_empty()).then_some(Names(names))
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}
