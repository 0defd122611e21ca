//! Remote receivers: UDP without a listener, TCP that closes in the middle of a message.

use crate::rig::{HOSTNAME, PATIENCE, Rig, large, skipped, small};
use mote::event::Class;
use mote::sink::{Errno, Lost, State};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Instant;

/// Well above what both ends of a loopback connection buffer (`tcp_wmem` has 4 MiB).
const HUGE_BYTES: usize = 12 << 20;

/// The payloads of the octet-counted messages in `bytes`, and what follows them.
pub fn split(mut bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut payloads = Vec::new();
    while let Some(space) = bytes.iter().position(|&byte| byte == b' ') {
        let count: usize = core::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let Some(message) = bytes.get(space + 1..space + 1 + count) else {
            break;
        };
        assert!(message.starts_with(b"<86>1 "));
        let fields: Vec<&[u8]> = message.splitn(8, |&byte| byte == b' ').collect();
        assert_eq!(fields[2], HOSTNAME.as_bytes());
        payloads.push(fields[7]);
        bytes = &bytes[space + 1 + count..];
    }
    (payloads, bytes)
}

pub fn listener(port: u16) -> TcpListener {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    set_socket_recv_buffer_size(&listener, 4096).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

pub fn accept(rig: &mut Rig, listener: &TcpListener) -> TcpStream {
    let mut stream = None;
    rig.run("be accepted", |_| {
        stream = listener.accept().ok();
        stream.is_some()
    });
    let (stream, _) = stream.unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}

pub fn read_messages(rig: &mut Rig, stream: &mut TcpStream, messages: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let target = rig.sink.sent_messages();
    rig.run("read", |sink| {
        read_some(stream, &mut bytes);
        // Parsing all again each turn would be slow: only when all is sent.
        sink.backlog() == 0 && {
            let (payloads, rest) = split(&bytes);
            assert!(payloads.len() as u64 <= messages + target);
            payloads.len() as u64 == messages && rest.is_empty()
        }
    });
    bytes
}

#[test]
fn tcp_resumes_partial_writes() {
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{port}"), large(HUGE_BYTES + 256));
    let payload = vec![b'x'; HUGE_BYTES];
    rig.sink.offer(Class::Bulk, 5, 5, &payload);
    rig.offer(&["m1:b"]);
    let mut stream = accept(&mut rig, &listener);
    assert_eq!(rig.sink.state(), State::Ready);
    assert_eq!(rig.sink.backlog(), 2, "the kernel should not have taken it all");
    let bytes = read_messages(&mut rig, &mut stream, 2);
    let (payloads, _) = split(&bytes);
    assert!(payloads[0] == payload);
    assert_eq!(payloads[1], b"m1:b");
    assert_eq!(rig.sink.sent_events(), 6);
}

#[test]
fn tcp_starts_a_cut_message_over() {
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{port}"), large(HUGE_BYTES + 256));
    let payload = vec![b'x'; HUGE_BYTES];
    rig.sink.offer(Class::Bulk, 5, 5, &payload);
    rig.offer(&["m1:b"]);
    let mut stream = accept(&mut rig, &listener);
    let mut cut = Vec::new();
    rig.run("begin", |_| {
        read_some(&mut stream, &mut cut);
        cut.len() > 100_000
    });
    assert!(split(&cut).0.is_empty());
    drop(stream);
    rig.run("notice", |sink| matches!(sink.state(), State::Down(_)));
    let mut stream = accept(&mut rig, &listener);
    let bytes = read_messages(&mut rig, &mut stream, 2);
    assert!(split(&bytes).0[0] == payload);
    assert_eq!(rig.sink.take_shed().queue, Lost::default());
}

#[test]
fn tcp_sends_again_what_was_not_acknowledged() {
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{port}"), small(4));
    let mut stream = accept(&mut rig, &listener);
    rig.run("connect", |sink| sink.state() == State::Ready);
    rig.offer(&["a"]);
    read_messages(&mut rig, &mut stream, 1);
    drop(stream);
    // The socket takes `b`, and its answer is a reset.
    std::thread::sleep(std::time::Duration::from_millis(20));
    rig.offer(&["b"]);
    rig.run("notice", |sink| matches!(sink.state(), State::Down(_)));
    rig.offer(&["c"]);
    let mut stream = accept(&mut rig, &listener);
    let bytes = read_messages(&mut rig, &mut stream, 2);
    assert_eq!(split(&bytes).0, [b"b", b"c"]);
}

/// Segments end anywhere: the last byte decides.
#[test]
fn tcp_sends_again_what_was_acknowledged_in_part() {
    /// More than the receiver's buffer, less than ours.
    const BYTES: usize = 100_000;
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{port}"), large(BYTES + 256));
    let stream = accept(&mut rig, &listener);
    rig.run("connect", |sink| sink.state() == State::Ready);
    let payload = vec![b'x'; BYTES];
    rig.sink.offer(Class::Bulk, 5, 5, &payload);
    rig.run_empty();
    // Its kernel has acknowledged what its buffer takes.
    drop(stream);
    rig.run("notice", |sink| matches!(sink.state(), State::Down(_)));
    let mut stream = accept(&mut rig, &listener);
    let mut bytes = Vec::new();
    rig.run("send it again", |_| {
        read_some(&mut stream, &mut bytes);
        split(&bytes).0.first().is_some_and(|whole| **whole == payload)
    });
    assert_eq!(rig.sink.sent_events(), 5);
}

#[test]
fn tcp_does_not_repeat_what_was_acknowledged() {
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{port}"), small(4));
    let mut stream = accept(&mut rig, &listener);
    rig.run("connect", |sink| sink.state() == State::Ready);
    rig.offer(&["a"]);
    read_messages(&mut rig, &mut stream, 1);
    drop(stream);
    rig.run("notice", |sink| matches!(sink.state(), State::Down(_)));
    rig.offer(&["b"]);
    let mut stream = accept(&mut rig, &listener);
    let bytes = read_messages(&mut rig, &mut stream, 1);
    assert_eq!(split(&bytes).0, [b"b"]);
}

#[test]
fn tcp_waits_for_an_absent_receiver() {
    // A port that nobody listens on: it was just free.
    let port = listener(0).local_addr().unwrap().port();
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{port}"), small(2));
    rig.offer(&["a", "b", "c"]);
    rig.run("be refused", |sink| sink.state() == State::Down(Errno::CONNREFUSED));
    let listener = listener(port);
    let mut stream = accept(&mut rig, &listener);
    let bytes = read_messages(&mut rig, &mut stream, 2);
    assert_eq!(split(&bytes).0, [b"b", b"c"]);
    let shed = rig.sink.take_shed().queue;
    assert_eq!(shed, Lost { bulk_events: 1, priority_events: 0, new_events: 1, messages: 1 });
}

#[test]
fn tcp_is_drained_at_the_end() {
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{port}"), small(4));
    rig.offer(&["a", "b"]);
    rig.sink.drain(Instant::now() + PATIENCE);
    assert_eq!(rig.sink.backlog(), 0);
    drop(rig);
    listener.set_nonblocking(false).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(split(&bytes).0, [b"a", b"b"]);
}

#[test]
fn udp_survives_a_receiver_that_is_away() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    let mut rig = Rig::new(&format!("udp:{address}"), small(4));
    let read = |receiver: &UdpSocket| {
        let mut buffer = [0; 512];
        let read = receiver.recv(&mut buffer).unwrap();
        let text = core::str::from_utf8(&buffer[..read]).unwrap();
        text.rsplit(' ').next().unwrap().to_owned()
    };
    rig.offer(&["a"]);
    assert_eq!(read(&receiver), "a");
    drop(receiver);
    rig.offer(&["lost", "lost", "lost", "lost"]);
    rig.run_empty();
    let receiver = UdpSocket::bind(address).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    rig.offer(&["b", "c"]);
    rig.run_empty();
    assert_eq!([read(&receiver), read(&receiver)], ["b", "c"]);
    assert_eq!(rig.sink.state(), State::Ready);
}

#[test]
fn udp_over_ipv6() {
    // A host without IPv6 has no ::1 to test with.
    let Ok(receiver) = UdpSocket::bind("[::1]:0") else {
        skipped("udp_over_ipv6", "no IPv6 loopback");
        return;
    };
    let mut rig = Rig::new(&format!("udp:{}", receiver.local_addr().unwrap()), small(4));
    rig.offer(&["six"]);
    let mut buffer = [0; 512];
    let read = receiver.recv(&mut buffer).unwrap();
    assert!(buffer[..read].ends_with(b" 0 - six"));
}
