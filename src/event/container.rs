//! Containers.

use super::numbered::numbered;

numbered! {
    /// What runs a container, by how it names cgroups. The numbers are part of the record format.
    Runtime {
        /// Docker.
        Docker = 1, "docker";
        /// containerd by itself, or for Kubernetes.
        Containerd = 2, "containerd";
        /// CRI-O.
        CriO = 3, "cri-o";
        /// Podman.
        Podman = 4, "podman";
        /// LXC, and LXD and Incus, which use it.
        Lxc = 5, "lxc";
        /// systemd-nspawn.
        SystemdNspawn = 6, "systemd-nspawn";
    }
}

impl Runtime {
    /// Whether its containers are called by a name that somebody gave them, not by an id.
    pub fn has_names(self) -> bool {
        matches!(self, Runtime::Lxc | Runtime::SystemdNspawn)
    }
}
