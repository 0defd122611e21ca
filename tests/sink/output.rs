//! Standard output: a pipe whose reader is slow or leaves, and a file.

use crate::rig::Rig;
use mote::sink::{Sink, SinkError};
use std::io::Read;
use std::os::fd::AsFd;

#[test]
fn a_slow_reader_gets_whole_lines() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut rig = Rig::on_output(writer.as_fd());
    drop(writer);
    let mut offered = 0;
    while rig.sink.backlog() < 3 {
        rig.offer(&[&format!("{offered} {}", "x".repeat(400))]);
        offered += 1;
    }
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    rig.run_empty();
    drop(rig);
    let text = reading.join().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), offered);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("{n} {}", "x".repeat(400)));
    }
}

#[test]
fn a_reader_that_leaves_is_the_end() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut rig = Rig::on_output(writer.as_fd());
    rig.offer(&["a"]);
    assert!(!rig.sink.is_closed());
    drop(reader);
    // Without a write: epoll tells.
    rig.run("notice", |sink| sink.is_closed());

    let (reader, writer) = std::io::pipe().unwrap();
    let mut rig = Rig::on_output(writer.as_fd());
    drop(reader);
    rig.offer(&["a"]);
    assert!(rig.sink.is_closed());
    assert_eq!(rig.sink.deadline(), None);
}

#[test]
fn a_file_is_always_ready() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut rig = Rig::on_output(file.as_file().as_fd());
    rig.offer(&["a", "b"]);
    rig.turn();
    assert_eq!(rig.sink.backlog(), 0);
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "a\nb\n");
}

#[test]
fn a_full_device_is_told_and_tried_again() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut rig = Rig::on_output(full.as_fd());
    rig.offer(&["a"]);
    assert_eq!(rig.sink.state().to_string(), "No space left on device (os error 28)");
    assert_eq!(rig.sink.backlog(), 1);
    assert!(rig.sink.deadline().is_some() && !rig.sink.is_closed());
}

#[test]
fn an_output_that_discards_is_refused() {
    let null = std::fs::File::create("/dev/null").unwrap();
    let poll = mio::Poll::new().unwrap();
    let (token, capacity) = (mio::Token(7), mote::sink::Capacity::default());
    let sink = Sink::on_output(null.as_fd(), poll.registry(), token, capacity);
    assert!(matches!(sink.err(), Some(SinkError::Discarded)));
}

#[test]
fn a_socket_is_an_output_too() {
    let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut rig = Rig::on_output(writer.as_fd());
    drop(writer);
    rig.offer(&["a"]);
    let mut buffer = [0; 2];
    reader.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"a\n");
    drop(reader);
    rig.run("notice", |sink| sink.is_closed());
}
