//! Records in a file of the host, which `mote decode --follow` reads.

use crate::daemons::daemon::{Daemon, Input, Kind, rotate};
use crate::daemons::documents::{document, places};
use crate::records::{assert_once, documents, send_records, wait_for_lines, wait_until_read};
use crate::support::{mote, require_program, scratch, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, read_to_string};
use std::path::Path;
use std::process::{Command, Stdio};

pub fn rsyslog_file() {
    followed(Kind::Rsyslog, "rsyslog-file.conf");
}

pub fn syslog_ng_file() {
    followed(Kind::SyslogNg, "syslog-ng-file.conf");
}

/// Through rotations, and a restart of the daemon.
fn followed(kind: Kind, name: &str) {
    kind.require();
    require_program("logrotate");
    let (_guard, dir) = scratch();
    let [_, (theirs, log)] = places(&dir);
    let text = document(name, &[(theirs, &log)]);
    // Before there is a file.
    let events = dir.join("events.json");
    let mut follower = Command::new(mote())
        .args(["decode", "--follow"])
        .arg(dir.join("log/records.log"))
        .stdin(Stdio::null())
        .stdout(File::create(&events).unwrap())
        .spawn()
        .unwrap();
    let mut daemon = Daemon::start(kind, &dir, Input::Socket, "", &text);
    let socket = daemon.socket();
    send_records(&socket, 0..10);
    let so_far = |count| wait_for_lines(&events, documents(0..count).len());
    so_far(10);
    rotate(&dir, &daemon);
    send_records(&socket, 10..20);
    so_far(20);
    wait_until_read(&socket, &daemon.rest());
    daemon.stop();
    daemon.begin();
    send_records(&socket, 20..30);
    // While messages come: the daemon goes on with the old file for a while.
    rotate(&dir, &daemon);
    send_records(&socket, 30..40);
    so_far(40);
    kill_process(Pid::from_child(&follower), Signal::TERM).unwrap();
    assert_eq!(wait_for("the end of mote", || follower.try_wait().unwrap()).code(), Some(0));
    assert_once(&events, &documents(0..40));
    assert!(Path::new(&dir.join("log/records.log.2.gz")).exists(), "it was rotated twice");
    let rest = read_to_string(daemon.rest()).unwrap();
    assert!(!rest.contains("m1:"), "records are in no other file");
}
