//! The shape of a document. A field that is `None` is left out.

use crate::format::object::{Names, SideAddress, objects};
use crate::format::value::{
    Args, CommandLine, DeviceNumbers, EntityId, Hex, HexArgs, Keyword, Octal, RunName, Text,
    Timestamp, Uuid,
};
use core::net::IpAddr;

objects! {
    Document<'a> {
        timestamp as "@timestamp": Timestamp,
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
        ephemeral_id: RunName,
        version: Text<'a>,
    }
    EventSet {
        kind: &'static str,
        category: [&'static str; 1],
        types as "type": &'static [&'static str],
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
        kind as "type": &'static str,
        mode: Octal,
        uid: Keyword,
        gid: Keyword,
        size: i64,
        mtime: Timestamp,
        ext as "Ext": Ext<'a>,
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
        kind as "type": &'static str,
        direction: &'static str,
    }
    Mote<'a> {
        syscall: u32,
        syscall_name: &'static str,
        ret as "return": i64,
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
        ebpf_status as "EBPF STATUS": bool,
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
        place as "where": &'static str,
        ring: &'static str,
        cpu: u16,
        receiver: u32,
        count: u64,
    }
    /// The bytes of the fields whose text does not tell them.
    Exact<'a> {
        hostname as "host.hostname": Hex<'a>,
        agent_version as "agent.version": Hex<'a>,
        kernel as "host.os.kernel": Hex<'a>,
        hooks_missing as "mote.hooks_missing": HexArgs<'a>,
        executable as "process.executable": Hex<'a>,
        parent_executable as "process.parent.executable": Hex<'a>,
        thread_name as "process.thread.name": Hex<'a>,
        args as "process.args": HexArgs<'a>,
        working_directory as "process.working_directory": Hex<'a>,
        container_id as "container.id": Hex<'a>,
        container_name as "container.name": Hex<'a>,
        path as "file.path": Hex<'a>,
        target_path as "file.target_path": Hex<'a>,
        from as "file.Ext.original.path": Hex<'a>,
        attribute as "mote.attribute": Hex<'a>,
        mount_source as "mote.mount_source": Hex<'a>,
        mount_type as "mote.mount_type": Hex<'a>,
        mount_option as "mote.mount_option": Hex<'a>,
        name as "mote.name": Hex<'a>,
        parameters as "mote.parameters": Hex<'a>,
        destination as "destination.address": Hex<'a>,
        server as "server.address": Hex<'a>,
    }
}
