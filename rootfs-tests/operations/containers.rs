//! Which container a process is in.

use crate::support::expect::{assert_complete, at};
use crate::support::runner::skip;
use crate::support::sensor::decode_until;
use crate::support::sys::{c, sys};
use crate::support::{Sensor, decode, require_live, scratch};
use serde_json::Value;
use std::fs::{create_dir, remove_dir, write};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const ID: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";

/// cgroups of the test's own. Dropped, they are unmounted.
struct Cgroups(PathBuf);

impl Cgroups {
    fn mount(parent: &Path) -> Option<Cgroups> {
        let dir = parent.join("cgroup");
        create_dir(&dir).unwrap();
        let target = c(&dir);
        // The second is a hierarchy of version 1 with nothing but a name.
        [(c"cgroup2", c""), (c"cgroup", c"none,name=mote")]
            .iter()
            .any(|(kind, options)| {
                let (kind, options) = (kind.as_ptr(), options.as_ptr());
                sys!(SYS_mount, kind, target.as_ptr(), kind, 0, options).value == 0
            })
            .then_some(Cgroups(dir))
    }

    /// A cgroup in which processes can be.
    fn make(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        create_dir(&path).unwrap();
        path
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        sys!(SYS_umount2, c(&self.0).as_ptr(), libc::MNT_DETACH);
    }
}

/// A shell that begins in this cgroup, with mounts of its own or not, runs a program when it is told
/// to, and ends.
fn shell(cgroup: &Path, has_mounts: bool) -> Child {
    let procs = cgroup.join("cgroup.procs");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read -r line; /bin/true; exit 0"]).stdin(Stdio::piped());
    let enter = move || {
        write(&procs, "0")?;
        if has_mounts {
            sys!(SYS_unshare, libc::CLONE_NEWNS).check(0);
        }
        Ok(())
    };
    #[allow(unsafe_code)]
    // SAFETY: this process has one thread, so its child may do whatever it could.
    unsafe {
        command.pre_exec(enter);
    }
    command.spawn().unwrap()
}

/// What its events say of its container after it has executed: all the same.
fn container(events: &[Value], is_its: impl Fn(&Value) -> bool) -> &Value {
    let its = events.iter().filter(|event| is_its(event));
    let mut all = its
        .skip_while(|event| at(event, "event.action") != "exec")
        .map(|event| at(event, "container"));
    let first = all.next().expect("an exec");
    all.for_each(|container| assert_eq!(container, first));
    first
}

pub fn a_container_is_known_by_its_cgroup() {
    require_live();
    let (_guard, dir) = scratch();
    let Some(cgroups) = Cgroups::mount(&dir) else { skip("no cgroups can be mounted here") };
    let docker = cgroups.make(&format!("docker-{ID}.scope"));
    let plain = cgroups.make("plain");
    let sensor = Sensor::start_to_file(&dir);
    let shells = [shell(&docker, true), shell(&docker, false), shell(&plain, true)];
    let pids: Vec<u32> = shells.iter().map(Child::id).collect();
    let has_executed = |events: &[Value], pid: u32| {
        let is_its = |event: &&Value| at(event, "process.pid") == pid;
        events.iter().filter(is_its).any(|event| at(event, "event.action") == "exec")
    };
    decode_until(&Sensor::records(&dir), |events| {
        pids.iter().all(|pid| has_executed(events, *pid))
    });
    for mut shell in shells {
        writeln!(shell.stdin.take().unwrap()).unwrap();
        assert!(shell.wait().unwrap().success());
    }
    sensor.leave();
    for cgroup in [docker, plain] {
        remove_dir(cgroup).unwrap();
    }
    let mut events = decode(&Sensor::records(&dir));
    events.sort_by_key(|event| at(event, "event.sequence").as_u64());
    assert_complete(&events);
    let expected = serde_json::json!({"id": ID, "runtime": "docker"});
    // One with the host's mounts is in no container, whatever its cgroup is called.
    for (pid, expected) in pids.iter().zip([expected, Value::Null, Value::Null]) {
        let of_it = container(&events, |event| at(event, "process.pid") == *pid);
        assert_eq!(of_it, &expected, "{pid}");
        // /bin/true, which nobody could look up.
        let of_child = container(&events, |event| at(event, "process.parent.pid") == *pid);
        assert_eq!(of_child, &expected, "the child of {pid}");
    }
}
