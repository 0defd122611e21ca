//! `/proc/PID/cgroup` → the container that a process is in. A pure function of the bytes.
//!
//! A runtime names the cgroup of a container after it (cgroups(7) has the file's format). Which of
//! the hierarchies of version 1 tells, or whether it is version 2, does not matter: the first that
//! has such a name does.

use crate::event::{Bytes, Runtime, append};
use crate::limits::CONTAINER_BYTES;

/// A container: its id, or its name where it has no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// `None`: a path that several runtimes use.
    pub runtime: Option<Runtime>,
    pub name: Bytes<CONTAINER_BYTES>,
}

/// How runtimes call themselves in a path: `docker-ID.scope`, `SLICE:docker:ID`.
const NAMES: [(&[u8], Runtime); 6] = [
    (b"docker", Runtime::Docker),
    (b"cri-containerd", Runtime::Containerd),
    (b"nerdctl", Runtime::Containerd),
    (b"crio", Runtime::CriO),
    (b"libpod", Runtime::Podman),
    (b"libpod-payload", Runtime::Podman),
];

/// Cgroups above those of containers, which are named by their ids alone. The second and the
/// third are containerd's default namespaces. Below `kubepods` it may be any runtime.
const PARENTS: [(&[u8], Runtime); 3] = [
    (b"docker", Runtime::Docker),
    (b"default", Runtime::Containerd),
    (b"k8s.io", Runtime::Containerd),
];

/// What libvirt runs is registered as a machine too: virtual machines, and containers that are not
/// systemd's.
const OTHER_MACHINES: [&[u8]; 2] = [b"qemu-", b"lxc-"];

/// The container of a process. The innermost: containers can be in containers.
pub fn container(cgroup: &[u8]) -> Option<Container> {
    // `hierarchy:controllers:path`; a path may have colons in it.
    let paths = cgroup
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.splitn(3, |byte| *byte == b':').nth(2));
    paths.into_iter().find_map(of_path)
}

fn of_path(path: &[u8]) -> Option<Container> {
    let mut components = path.rsplit(|byte| *byte == b'/').peekable();
    while let Some(component) = components.next() {
        let parent = components.peek().copied().unwrap_or_default();
        if let Some(container) = of_component(component, parent) {
            return Some(container);
        }
    }
    None
}

fn of_component(component: &[u8], parent: &[u8]) -> Option<Container> {
    by_id(component, parent).or_else(|| by_name(component, parent))
}

fn by_id(component: &[u8], parent: &[u8]) -> Option<Container> {
    let whole = component.strip_suffix(b".scope").unwrap_or(component);
    let (before, id) = whole.split_at(whole.len().checked_sub(CONTAINER_BYTES)?);
    if !id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let found = |table: &[(&[u8], Runtime)], name: &[u8]| {
        table.iter().find(|(own, _)| *own == name).map(|(_, runtime)| *runtime)
    };
    let runtime = match before {
        [] => found(&PARENTS, parent),
        [name @ .., b'-'] => Some(found(&NAMES, name)?),
        // As the systemd driver's name for it, given to the other driver.
        [slice @ .., b':'] => {
            let name = slice.rsplit(|byte| *byte == b':').next().unwrap_or_default();
            Some(found(&NAMES, name)?)
        }
        _ => return None,
    };
    Some(Container { runtime, name: Bytes::from_slice(id).ok()? })
}

fn by_name(component: &[u8], parent: &[u8]) -> Option<Container> {
    if let Some(name) = component.strip_prefix(b"lxc.payload.") {
        return named(Runtime::Lxc, name);
    }
    if matches!(parent, b"lxc" | b"lxc.payload") {
        return named(Runtime::Lxc, component);
    }
    if parent != b"machine.slice" {
        return None;
    }
    let machine = component
        .strip_prefix(b"machine-")
        .and_then(|name| name.strip_suffix(b".scope"))
        .or_else(|| component.strip_prefix(b"systemd-nspawn@")?.strip_suffix(b".service"))?;
    let container = named(Runtime::SystemdNspawn, machine)?;
    let is_other = OTHER_MACHINES.iter().any(|other| container.name.starts_with(other));
    (!is_other).then_some(container)
}

/// One with a name, in which systemd writes some characters as `\xHH` (systemd-escape(1)). A name
/// beyond the capacity is none.
fn named(runtime: Runtime, mut escaped: &[u8]) -> Option<Container> {
    let mut name = Bytes::new();
    while let [first, rest @ ..] = escaped {
        let (byte, rest) = match escaped {
            [b'\\', b'x', high, low, rest @ ..] => (hex(*high)? << 4 | hex(*low)?, rest),
            _ => (*first, rest),
        };
        if append(&mut name, &[byte]) {
            return None;
        }
        escaped = rest;
    }
    (!name.is_empty()).then_some(Container { runtime: Some(runtime), name })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";
    const OTHER_ID: &str = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d";

    /// `ID` and `OTHER` stand for ids.
    fn told(cgroup: &str) -> Option<(Option<Runtime>, String)> {
        let cgroup = cgroup.replace("OTHER", OTHER_ID).replace("ID", ID);
        container(cgroup.as_bytes())
            .map(|found| (found.runtime, String::from_utf8(found.name.to_vec()).unwrap()))
    }

    fn path(path: &str) -> Option<(Option<Runtime>, String)> {
        let version_2 = told(&format!("0::{path}\n"));
        let version_1 = format!("12:pids:{path}\n11:cpu,cpuacct:{path}\n1:name=systemd:{path}\n");
        assert_eq!(told(&version_1), version_2, "{path}");
        // Both, where systemd uses version 2 for itself only.
        assert_eq!(told(&format!("12:pids:{path}\n0::/init.scope\n")), version_2, "{path}");
        version_2
    }

    #[test]
    fn containers_with_ids_are_found() {
        use Runtime::{Containerd, CriO, Docker, Podman};
        const PODS: &str = "/kubepods.slice/kubepods-burstable.slice/\
            kubepods-burstable-pod1f0d6ec2_4f4c_4a8b_9d4e_5b0a1d2c3e4f.slice";
        for (name, runtime) in [
            // Docker: the drivers cgroupfs and systemd; without root; Amazon ECS.
            ("/docker/ID".to_owned(), Some(Docker)),
            ("/docker/ID/init".into(), Some(Docker)),
            ("/system.slice/docker-ID.scope".into(), Some(Docker)),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope".into(),
                Some(Docker)),
            ("/ecs/prod/0123456789abcdef/ID".into(), None),
            ("/ecstasks.slice/ecstasks-0123456789abcdef.slice/docker-ID.scope".into(),
                Some(Docker)),
            // With another parent; from inside a cgroup namespace.
            ("/actions_job/ID".into(), None),
            ("/../../docker-ID.scope".into(), Some(Docker)),
            ("/".to_owned() + ID, None),
            // containerd: ctr, nerdctl, and CRI with both drivers.
            ("/default/ID".into(), Some(Containerd)),
            ("/system.slice/nerdctl-ID.scope".into(), Some(Containerd)),
            (format!("{PODS}/cri-containerd-ID.scope"), Some(Containerd)),
            ("/kubepods-besteffort-pod1f0d6ec2.slice:cri-containerd:ID".into(), Some(Containerd)),
            ("/system.slice/containerd.service/kubepods-pod1f0d6ec2.slice:cri-containerd:ID".into(),
                Some(Containerd)),
            ("/k8s.io/ID".into(), Some(Containerd)),
            // Kubernetes with cgroupfs: any runtime.
            ("/kubepods/burstable/pod1f0d6ec2-4f4c-4a8b-9d4e-5b0a1d2c3e4f/ID".into(), None),
            ("/kubepods/pod1f0d6ec2-4f4c-4a8b-9d4e-5b0a1d2c3e4f/ID".into(), None),
            (format!("{PODS}/docker-ID.scope"), Some(Docker)),
            // CRI-O.
            (format!("{PODS}/crio-ID.scope"), Some(CriO)),
            (format!("{PODS}/crio-ID.scope/container"), Some(CriO)),
            ("/kubepods/besteffort/pod1f0d6ec2/crio-ID".into(), Some(CriO)),
            // Podman: as root, without, and with cgroupfs.
            ("/machine.slice/libpod-ID.scope".into(), Some(Podman)),
            ("/machine.slice/libpod-ID.scope/container".into(), Some(Podman)),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container"
                .into(), Some(Podman)),
            ("/libpod_parent/libpod-ID".into(), Some(Podman)),
            ("/machine.slice/machine-libpod_pod_OTHER.slice/libpod-ID.scope".into(), Some(Podman)),
            // The innermost.
            ("/docker/OTHER/docker/ID".into(), Some(Docker)),
            ("/lxc.payload.web/system.slice/docker-ID.scope".into(), Some(Docker)),
            ("/docker/OTHER/kubelet/kubepods/besteffort/pod1f0d6ec2/ID".into(), None),
            ("/docker/ID/system.slice/cron.service".into(), Some(Docker)),
        ] {
            assert_eq!(path(&name), Some((runtime, ID.to_owned())), "{name}");
        }
    }

    #[test]
    fn containers_with_names_are_found() {
        use Runtime::{Lxc, SystemdNspawn};
        for (name, runtime, expected) in [
            ("/lxc/web", Lxc, "web"),
            ("/lxc/101/ns/init.scope", Lxc, "101"),
            ("/lxc.payload/web/system.slice/ssh.service", Lxc, "web"),
            ("/lxc.payload.web-1/init.scope", Lxc, "web-1"),
            ("/machine.slice/machine-web.scope", SystemdNspawn, "web"),
            ("/machine.slice/machine-web\\x2d1.scope/payload/init.scope", SystemdNspawn, "web-1"),
            ("/machine.slice/systemd-nspawn@web.service/payload", SystemdNspawn, "web"),
            ("/machine.slice/systemd-nspawn@a\\x2db\\x5fc.service", SystemdNspawn, "a-b_c"),
        ] {
            assert_eq!(path(name), Some((Some(runtime), expected.to_owned())), "{name}");
        }
    }

    #[test]
    fn what_is_no_container_is_none() {
        for name in [
            "/",
            "/init.scope",
            "/system.slice/docker.service",
            "/system.slice/containerd.service",
            "/user.slice/user-1000.slice/session-3.scope",
            // Who watches a container is not in it.
            "/machine.slice/libpod-conmon-ID.scope",
            "/libpod_parent/libpod-conmon-ID",
            "/kubepods.slice/crio-conmon-ID.scope",
            "/lxc.monitor.web",
            "/lxc.monitor/web",
            // Virtual machines, and containers of libvirt.
            "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator",
            "/machine.slice/machine-lxc\\x2d4242\\x2dweb.scope",
            "/machine.slice/machine-.scope",
            // No ids.
            "/docker/buildkit/4cmejkg5sbkdnx0a4ruhxq9uw",
            "/docker/4F797C539E6C745DE61A93CA3FF892358ECBCACCD8414D5DB545C38428142970",
            "/docker/ID0",
            "/system.slice/run-ID.scope",
            "/system.slice/x:run:ID",
        ] {
            assert_eq!(path(name), None, "{name}");
        }
        let long = format!("0::/lxc/{}\n", "x".repeat(CONTAINER_BYTES + 1));
        for cgroup in ["", "\n", "0", "0:", "0::", "1:name=systemd\n", long.as_str()] {
            assert_eq!(told(cgroup), None, "{cgroup}");
        }
    }
}
