//! An event as a document.

use super::class::{Class, Kind};
use super::shape::{Device, Document, Metadata, Os, Product, Unmapped};
use super::{file, network, process};
use crate::event::{Action, Event, Given};
use crate::format::PRODUCT;
use crate::format::ecs::mote::mote;
use crate::format::meaning::{
    Second, arguments, entity_id, exit_code, file_path, kernel_release, sensor_version, text,
};
use crate::format::outcome::{Outcome, error_name};
use crate::format::severity::Severity;
use crate::format::value::{Keyword, Octal, RunName, Text, Timestamp, Uuid};
use crate::record::Origin;

/// Those whose attributes are used (`metadata.profiles`).
const PROFILES: &[&str] = &["host", "container", "datetime", "linux/linux_users"];

/// `launch_type_id`.
const FORK: u32 = 2;
const EXEC: u32 = 3;

pub(super) fn document<'a>(origin: &Origin<'a>, event: &'a Event) -> Document<'a> {
    let kind = Kind::of(origin, event);
    let outcome = Outcome::of(event);
    let time = Timestamp(event.time_ns.into());
    let mut document = Document {
        class_uid: Some(kind.class.uid()),
        category_uid: Some(kind.class.category_uid()),
        activity_id: Some(kind.activity),
        activity_name: Some(kind.name),
        type_uid: Some(kind.type_uid()),
        severity_id: Some(Severity::of(event.action).ocsf()),
        status_id: outcome.name(event.action).map(|_| match outcome {
            Outcome::Unknown => 0,
            Outcome::Success => 1,
            Outcome::Failure => 2,
        }),
        status_code: outcome.name(event.action).and_then(|_| error_name(event)),
        time: Some(time.milliseconds()),
        time_dt: Some(time),
        metadata: Some(Metadata {
            version: Some(super::VERSION),
            product: Some(product()),
            profiles: Some(PROFILES),
            event_code: Some(event.action.name()),
            log_provider: origin.provider.map(|provider| provider.name()),
            sequence: Some(event.sequence),
        }),
        device: Some(Device {
            hostname: Some(Text(origin.hostname)),
            type_id: Some(0),
            boot_uid: Some(Uuid(origin.boot_id)),
            os: Some(Os { name: Some("Linux"), type_id: Some(200) }),
        }),
        actor: process::actor(origin, event),
        launch_type_id: match event.action {
            Action::Fork => Some(FORK),
            Action::Exec => Some(EXEC),
            _ => None,
        },
        process: process::affected(origin, event, kind),
        exit_code: exit_code(event),
        app: (kind.class == Class::Application).then(product),
        unmapped: unmapped(origin, event),
        ..Document::default()
    };
    file::fill(&mut document, origin, event, kind);
    network::fill(&mut document, origin, event, kind);
    document
}

fn product() -> Product {
    Product {
        name: Some(PRODUCT),
        vendor_name: Some(PRODUCT),
        version: Some(env!("CARGO_PKG_VERSION")),
    }
}

fn unmapped<'a>(origin: &Origin<'a>, event: &'a Event) -> Option<Unmapped<'a>> {
    let second = Second::of(event);
    let lineage = &event.lineage;
    let unmapped = Unmapped {
        // A process without a number cannot be written.
        parent_executable: match event.ppid {
            Some(_) => None,
            None => text(&lineage.parent_executable),
        },
        run: Some(RunName(origin.run())),
        agent_version: sensor_version(event),
        kernel: kernel_release(event),
        args: arguments(event),
        args_count: event.args_count,
        thread_name: text(&event.comm),
        session_leader_pid: lineage.session,
        session_leader_entity_id: entity_id(origin, lineage.session, lineage.session_start),
        // Of one that failed it is `process.file.path` too.
        path: if event.action == Action::Exec { text(file_path(event)) } else { None },
        mode: event.mode.map(Octal),
        gid: match event.given {
            Some(Given::Owner(_, gid)) => gid.map(Keyword),
            _ => None,
        },
        target_path: text(second.target_path),
        original_path: match event.action {
            Action::Rename => None,
            _ => text(second.original_path),
        },
        mote: mote(origin, event),
    };
    unmapped.some()
}
