//! The shape of an event. A field that is `None` is left out.

use crate::format::ecs::shape::Mote;
use crate::format::object::{SideAddress, objects};
use crate::format::value::{
    Args, CommandLine, EntityId, Keyword, Octal, RunName, Text, Timestamp, Uuid,
};
use core::net::IpAddr;

objects! {
    Document<'a> {
        class_uid: u32,
        category_uid: u32,
        activity_id: u32,
        activity_name: &'static str,
        type_uid: u32,
        severity_id: u32,
        status_id: u32,
        status_code: &'static str,
        time: i64,
        time_dt: Timestamp,
        metadata: Metadata,
        device: Device<'a>,
        actor: Actor<'a>,
        launch_type_id: u32,
        process: Process<'a>,
        exit_code: u32,
        file: File<'a>,
        file_result: File<'a>,
        driver: Driver<'a>,
        kernel: Kernel<'a>,
        connection_info: Connection,
        src_endpoint: Endpoint<'a>,
        dst_endpoint: Endpoint<'a>,
        app: Product,
        unmapped: Unmapped<'a>,
    }
    Metadata {
        version: &'static str,
        product: Product,
        profiles: &'static [&'static str],
        event_code: &'static str,
        log_provider: &'static str,
        sequence: u64,
    }
    Product {
        name: &'static str,
        vendor_name: &'static str,
        version: &'static str,
    }
    Device<'a> {
        hostname: Text<'a>,
        type_id: u32,
        boot_uid: Uuid,
        os: Os,
    }
    Os {
        name: &'static str,
        type_id: u32,
    }
    Actor<'a> {
        process: Process<'a>,
        user: User,
        session: Session,
    }
    Process<'a> {
        pid: u32,
        uid: EntityId,
        name: Text<'a>,
        file: File<'a>,
        cmd_line: CommandLine<'a>,
        created_time: i64,
        created_time_dt: Timestamp,
        working_directory: Text<'a>,
        ptid: u32,
        user: User,
        group: Group,
        auid: u32,
        euid: u32,
        egid: u32,
        parent_process: Parent<'a>,
        container: Container<'a>,
    }
    Parent<'a> {
        pid: u32,
        uid: EntityId,
        name: Text<'a>,
        file: File<'a>,
    }
    User {
        uid: Keyword,
    }
    Group {
        uid: Keyword,
    }
    Session {
        uid: Keyword,
    }
    Container<'a> {
        uid: Text<'a>,
        name: Text<'a>,
        runtime: &'static str,
    }
    File<'a> {
        name: Text<'a>,
        path: Text<'a>,
        type_id: u32,
        owner: User,
        size: i64,
        modified_time: i64,
        modified_time_dt: Timestamp,
    }
    Driver<'a> {
        file: File<'a>,
    }
    Kernel<'a> {
        name: Text<'a>,
        path: Text<'a>,
        type_id: u32,
        kind as "type": &'static str,
        system_call: &'static str,
    }
    Connection {
        direction_id: u32,
        protocol_name: &'static str,
        protocol_num: u32,
        protocol_ver_id: u32,
        protocol_ver: &'static str,
    }
    Endpoint<'a> {
        hostname: Text<'a>,
        name: SideAddress<'a>,
        ip: IpAddr,
        port: u16,
    }
    /// What the schema has no attribute for, by its name in the Elastic Common Schema.
    Unmapped<'a> {
        parent_executable as "process.parent.executable": Text<'a>,
        run as "agent.ephemeral_id": RunName,
        agent_version as "agent.version": Text<'a>,
        kernel as "host.os.kernel": Text<'a>,
        args as "process.args": Args<'a>,
        args_count as "process.args_count": u32,
        thread_name as "process.thread.name": Text<'a>,
        session_leader_pid as "process.session_leader.pid": u32,
        session_leader_entity_id as "process.session_leader.entity_id": EntityId,
        path as "file.path": Text<'a>,
        mode as "file.mode": Octal,
        gid as "file.gid": Keyword,
        target_path as "file.target_path": Text<'a>,
        original_path as "file.Ext.original.path": Text<'a>,
        mote: Mote<'a>,
    }
}
