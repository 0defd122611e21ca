//! What does not arrive.

use crate::support::expect::{assert_complete, assert_numbered, assert_same, at};
use crate::support::sensor::decode_until;
use crate::support::{Sensor, child, decode, require_connector, scratch, wait_for};
use crate::{Child, of, start, stop};
use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

/// The socket of another program, in the group or not.
fn socket(groups: u32) -> OwnedFd {
    let family = AddressFamily::NETLINK;
    let fd = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(CONNECTOR)).unwrap();
    bind(&fd, &SocketAddrNetlink::new(0, groups)).unwrap();
    fd
}

/// `struct nlmsghdr` and `struct cn_msg` of the process connector around `data`.
fn message(data: &[u32]) -> Vec<u8> {
    let bytes = 4 * data.len() as u32;
    let head = [36 + bytes, 3, 0, 0, 1, 1, 0, 0, bytes];
    head.iter().chain(data).flat_map(|field| field.to_ne_bytes()).collect()
}

/// Whether something came.
fn receive(socket: &OwnedFd) -> bool {
    recv(socket, &mut [0; 128], RecvFlags::DONTWAIT).is_ok()
}

/// Events that another program makes up are no events. Only root may send them.
pub fn messages_of_others_are_refused() {
    const FORK: u32 = 1;
    const NOBODY: u32 = 4_194_305;
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    let forged = message(&[FORK, 0, 1, 0, 1, 1, NOBODY, NOBODY, 0, 0]);
    assert_eq!(forged.len(), 76);
    // To the group, and to the sensor, which the kernel calls by its process id.
    let fd = socket(0);
    let to_group = sendto(&fd, &forged, SendFlags::empty(), &SocketAddrNetlink::new(0, 1));
    let to_sensor =
        sendto(&fd, &forged, SendFlags::empty(), &SocketAddrNetlink::new(sensor.pid(), 0));
    assert!(to_group.is_ok() || to_sensor.is_ok(), "{to_group:?} {to_sensor:?}");
    let pid = child::fork(|| 1);
    child::ends_with(pid, 1);
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    assert_eq!(of(&events, &[NOBODY]), [&Value::Null; 0]);
    let told = Child(pid);
    assert_same(&[told.fork(), told.exit(1)], &of(&events, &[pid]), true);
    assert_complete(&events);
}

fn lost(events: &[Value]) -> u64 {
    let losses = events.iter().filter(|event| at(event, "mote.lost.where") == "connector");
    losses.map(|event| at(event, "mote.lost.count").as_u64().unwrap()).sum()
}

/// More processes than the socket holds, while the sensor is stopped.
pub fn overruns_are_counted() {
    const PROCESSES: usize = 8_000;
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    sensor.signal(Signal::STOP);
    let pids: BTreeSet<u64> = (0..PROCESSES)
        .map(|_| {
            let pid = child::fork(|| 0);
            child::wait(pid);
            pid.into()
        })
        .collect();
    sensor.signal(Signal::CONT);
    decode_until(&Sensor::records(&dir), |events| lost(events) > 0);
    // A gap is noticed by the next message of its CPU, and then what is known is looked up anew.
    let allowed = sched_getaffinity(None).unwrap();
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)) {
        let mut alone = CpuSet::new();
        alone.set(cpu);
        sched_setaffinity(None, &alone).unwrap();
        child::ends_with(child::fork(|| 0), 0);
    }
    sched_setaffinity(None, &allowed).unwrap();
    // It still listens.
    let pid = child::fork(|| 2);
    child::ends_with(pid, 2);
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    let count = |action: &str| {
        let of_action = events.iter().filter(|event| at(event, "event.action") == action);
        of_action
            .filter(|e| at(e, "process.pid").as_u64().is_some_and(|p| pids.contains(&p)))
            .count()
    };
    let seen = count("fork") + count("exit");
    let missing = 2 * pids.len() as u64 - seen as u64;
    let lost = lost(&events);
    println!(
        "of {} events {seen} were seen, {missing} were missing, {lost} counted",
        2 * pids.len()
    );
    assert!(missing > 0, "the socket was not full");
    assert!(lost >= missing, "{lost} of {missing} counted");
    let told = Child(pid);
    // Its parent was looked up again, perhaps after it.
    assert_same(&[told.fork(), told.exit(2)], &of(&events, &[pid]), false);
    assert_numbered(&events);
}

/// The kernel counts its listeners, and believes whoever says that he leaves.
pub fn a_kernel_that_stops_to_send() {
    const IGNORE: u32 = 2;
    /// Neither this nor listening: from 6.6 on only he may leave who said something before.
    const NOTHING: u32 = 9;
    require_connector();
    let (_guard, dir) = scratch();
    let mut sensor = start(&dir);
    let hears = socket(1);
    let to_kernel = SocketAddrNetlink::new(0, 0);
    // Of a program that is killed it does not know that it left, so the count may be too high.
    let leavers = (1..1000).find(|_| {
        let fd = socket(1);
        for operation in [NOTHING, IGNORE] {
            sendto(&fd, &message(&[operation]), SendFlags::empty(), &to_kernel).unwrap();
        }
        while receive(&hears) {}
        child::ends_with(child::fork(|| 0), 0);
        !receive(&hears)
    });
    println!("silent after {leavers:?} said that they leave");
    assert!(leavers.is_some(), "the kernel sends whatever is said");
    wait_for("the sensor to ask again", || {
        assert!(sensor.is_running(), "{}", sensor.log());
        sensor.log().contains("was asked again").then_some(())
    });
    let pid = child::fork(|| 3);
    child::ends_with(pid, 3);
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    let told = Child(pid);
    assert_same(&[told.fork(), told.exit(3)], &of(&events, &[pid]), false);
    assert_eq!(lost(&events), 1, "that something is missing is told");
}
