//! `scripts/show`, which makes lines for a terminal of what `mote decode` prints.

mod common;

use common::{bytes, context, random_event};
use fastrand::Rng;
use mote::event::{Action, Event, Flags, Heartbeat, Pause, Resumption};
use mote::format::ecs;
use std::io::Write;
use std::process::{Command, Stdio};

/// What it prints of these events.
fn show(events: &[Event]) -> String {
    let mut documents = Vec::new();
    for event in events {
        ecs::write(&mut documents, &context().origin(), event).unwrap();
    }
    let mut child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/show"))
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&documents));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn event(action: Action) -> Event {
    let mut event = Event::new();
    event.action = action;
    event
}

#[test]
fn each_kind_is_told_in_its_own_words() {
    let program = |action| Event {
        pid: 7,
        executable: bytes(b"/bin/true"),
        exit_status: Some(libc::SIGKILL as u32),
        ..event(action)
    };
    let cases = [
        (
            Event {
                heartbeat: Some(Heartbeat { ebpf: true, received: 5, ..Heartbeat::default() }),
                ..event(Action::Heartbeat)
            },
            "heartbeat       - -  eBPF runs: 5 received, 0 lost",
        ),
        (
            Event {
                heartbeat: Some(Heartbeat { lost: 2, ..Heartbeat::default() }),
                ..event(Action::Heartbeat)
            },
            "heartbeat       - -  eBPF does not run: 0 received, 2 lost",
        ),
        (
            Event { pause: Some(Pause { limit_s: 60 }), ..program(Action::Pause) },
            "pause          7 /bin/true  for 60 s at most",
        ),
        (
            Event { resumption: Some(Resumption::Done), ..event(Action::Resume) },
            "resume         - -  done",
        ),
        (program(Action::Exit), "exit           7 /bin/true  killed by SIGKILL"),
        (
            Event { path: bytes(b"/a\x1b[2J"), ret: Some(-2), ..program(Action::Unlink) },
            "unlink         7 /bin/true  /a\\x1b[2J = ENOENT",
        ),
        (
            Event { args: bytes(b"x\0y z\0"), flags: Flags::default(), ..program(Action::Exec) },
            "exec           7 /bin/true  [\"x\", \"y z\"]",
        ),
    ];
    for (event, expected) in cases {
        let shown = show(&[event]);
        let (_, rest) = shown.trim_end().split_once(' ').unwrap();
        assert_eq!(rest, expected);
    }
}

#[test]
fn whatever_an_event_has_it_is_one_printable_line() {
    let mut rng = Rng::with_seed(17);
    let events: Vec<Event> = (0..3000)
        .map(|round| random_event(&mut rng, Action::ALL[round % Action::ALL.len()]))
        .collect();
    let shown = show(&events);
    assert_eq!(shown.matches('\n').count(), events.len());
    assert!(!shown.chars().any(|char| char.is_control() && char != '\n'), "{shown:?}");
}
