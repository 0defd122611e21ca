//! The ends of a connection.

use super::class::{Class, Kind};
use super::shape::{Connection, Document, Endpoint};
use crate::event::{self, Action, Event, Transport};
use crate::format::meaning::internet;
use crate::format::object::SideAddress;
use crate::format::value::Text;
use crate::record::Origin;

/// `direction_id`.
const UNKNOWN: u32 = 0;
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// `protocol_ver_id` of what is not the Internet Protocol.
const OTHER: u32 = 99;

/// Puts the ends into the document of a network activity. The schema wants one of them: the
/// socket's own is on this host at least.
pub(super) fn fill<'a>(
    document: &mut Document<'a>,
    origin: &Origin<'a>,
    event: &'a Event,
    kind: Kind,
) {
    if kind.class != Class::Network {
        return;
    }
    let own = Endpoint { hostname: Some(Text(origin.hostname)), ..end(event.local) };
    let peer = end(event.peer);
    let name = (!event.path.is_empty()).then_some(SideAddress::Unix(&event.path));
    let (src, dst) = match event.action {
        Action::Accept => (peer.some(), Some(own)),
        Action::Bind | Action::Listen => (None, Some(Endpoint { name, ..own })),
        _ => (Some(own), Endpoint { name, ..peer }.some()),
    };
    (document.src_endpoint, document.dst_endpoint) = (src, dst);
    document.connection_info = Some(connection(event));
}

/// An end with an internet address, or nothing.
fn end<'a>(endpoint: Option<event::Endpoint>) -> Endpoint<'a> {
    let (ip, port) = endpoint.and_then(internet).unzip();
    Endpoint { ip, port, ..Endpoint::default() }
}

fn connection(event: &Event) -> Connection {
    let (version_id, version) = match event.peer.or(event.local) {
        Some(event::Endpoint::V4(..)) => (Some(4), None),
        Some(event::Endpoint::V6(..)) => (Some(6), None),
        Some(event::Endpoint::Unix) => (Some(OTHER), Some("unix")),
        Some(event::Endpoint::Other(_)) | None => (None, None),
    };
    Connection {
        direction_id: Some(match event.action {
            Action::Connect | Action::Send => OUTBOUND,
            Action::Accept => INBOUND,
            _ => UNKNOWN,
        }),
        protocol_name: event.transport.map(Transport::name),
        protocol_num: event.transport.map(|transport| u32::from(transport as u8)),
        protocol_ver_id: version_id,
        protocol_ver: version,
    }
}
