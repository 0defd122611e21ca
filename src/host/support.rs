//! The support table: on which kernels of which distribution eBPF is run, and on which it
//! never is.

use std::fmt;
use std::path::Path;

use super::ROOTS;
use super::distribution::Distribution;
use super::release::Numbers;

/// One supported distribution, from a version and a kernel on.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// `ID` of os-release.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// The oldest version.
    pub version: &'static str,
    /// The oldest kernel.
    pub kernel: &'static str,
    /// A word in the release of the kernels that it is about; empty for all others.
    flavour: &'static str,
}

const fn row(
    id: &'static str,
    name: &'static str,
    version: &'static str,
    kernel: &'static str,
) -> Row {
    Row { id, name, version, kernel, flavour: "" }
}

/// Oracle's own kernel, beside the one that is compatible with Red Hat's.
const UEK: &str = "uek";

/// Every row: of the same distribution the older version first.
pub const ROWS: [Row; 13] = [
    row("ubuntu", "Ubuntu", "16.04", "4.15.0"),
    row("fedora", "Fedora", "33", "5.8.15"),
    row("centos", "CentOS", "7.6", "3.10.0-957.10"),
    row("sles", "SLES", "15", "5.3.18-18.47"),
    row("rhel", "RHEL", "7.6", "3.10.0-957.10"),
    row("debian", "Debian", "9.0", "4.19.0"),
    row("ol", "Oracle Linux", "7.9", "3.10.0-1160"),
    Row { flavour: UEK, ..row("ol", "Oracle Linux (UEK)", "7.9", "5.4") },
    row("amzn", "Amazon Linux", "2", "5.4.261-174.360"),
    row("rocky", "Rocky Linux", "8.7", "4.18.0-425"),
    row("rocky", "Rocky Linux", "9.2", "5.14.0-284"),
    row("almalinux", "AlmaLinux", "8.4", "4.18.0-305"),
    row("almalinux", "AlmaLinux", "9.2", "5.14.0-284"),
];

/// A kernel that crashes or hangs with eBPF.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownBad {
    /// What happens, and to whom.
    pub what: &'static str,
    /// The way out.
    pub remedy: &'static str,
}

/// Red Hat's 8.1 panics where SAP's programs run.
pub const RHEL_8_1_SAP: KnownBad = KnownBad {
    what: "RHEL 8.1 with SAP panics when eBPF programs are attached",
    remedy: "update to a kernel after RHEL 8.1",
};

/// Two kernels of Oracle Linux 8.8 hang or panic.
pub const ORACLE_8_8: KnownBad = KnownBad {
    what: "this kernel of Oracle Linux 8.8 hangs or panics when eBPF programs are attached",
    remedy: "boot another kernel than 5.15.0-0.30.20",
};

const ORACLE_8_8_RELEASES: [&str; 2] =
    ["5.15.0-0.30.20.el8uek.x86_64", "5.15.0-0.30.20.1.el8uek.x86_64"];

/// Kernels of RHEL 8.1 have these numbers: 8.0 has 80, 8.2 has 193.
const RHEL_8_1: &str = "4.18.0-147";

/// Where SAP's programs are installed, whatever the product.
const SAP: &str = "usr/sap";

/// Whether they are on this machine.
pub fn has_sap() -> bool {
    ROOTS.iter().any(|root| Path::new(root).join(SAP).exists())
}

/// What the table says of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// eBPF is run.
    Listed(&'static Row),
    /// The version of the distribution is older than any that is listed.
    OldVersion(&'static Row),
    /// The kernel is older than the row's.
    OldKernel(&'static Row),
    /// eBPF would bring it down.
    KnownBad(&'static KnownBad),
    /// The table does not know this distribution: what is tried tells.
    Unlisted,
}

/// Looks a machine up. `release` is `uname -r`.
pub fn support(distribution: &Distribution, release: &str, has_sap: bool) -> Support {
    if ORACLE_8_8_RELEASES.contains(&release) {
        return Support::KnownBad(&ORACLE_8_8);
    }
    let kernel = Numbers::of(release);
    if distribution.id == "rhel" && has_sap && kernel.begins_with(&Numbers::of(RHEL_8_1)) {
        return Support::KnownBad(&RHEL_8_1_SAP);
    }
    let flavour = if release.contains(UEK) { UEK } else { "" };
    let is_it =
        |row: &&Row| row.id == distribution.id && (row.id != "ol" || row.flavour == flavour);
    let Some(oldest) = ROWS.iter().find(is_it) else { return Support::Unlisted };
    let version = Numbers::of(&distribution.version);
    // The newest that is not newer than the machine. Of a version the kernel tells more than
    // the minor number, which CentOS does not have.
    let row = match version.major() {
        // Rolling: newer than any.
        None => ROWS.iter().rfind(is_it),
        major => ROWS.iter().filter(is_it).rfind(|row| Numbers::of(row.version).major() <= major),
    };
    let Some(row) = row else { return Support::OldVersion(oldest) };
    if kernel.is_before(&Numbers::of(row.kernel)) {
        return Support::OldKernel(row);
    }
    Support::Listed(row)
}

/// Why eBPF is not even tried on this machine, if it is not.
pub fn refusal_here() -> Option<Refusal> {
    let distribution = Distribution::read();
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    support(&distribution, &release, has_sap()).refusal(&distribution, &release)
}

/// Why eBPF is not even tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    what: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Support {
    /// `None`: it may be tried.
    pub fn refusal(self, distribution: &Distribution, release: &str) -> Option<Refusal> {
        let (what, remedy) = match self {
            Support::Listed(_) | Support::Unlisted => return None,
            Support::OldVersion(row) => {
                let Row { name, version, .. } = row;
                let own = distribution.title();
                let what =
                    format!("{own} is older than {name} {version}, the oldest that it is for");
                (what, "update the system")
            }
            Support::OldKernel(row) => {
                let Row { name, kernel, .. } = row;
                let what = format!(
                    "kernel {release} is older than {kernel}, the oldest of {name}'s \
                                    that it is for"
                );
                (what, "update the kernel")
            }
            Support::KnownBad(bad) => (bad.what.to_owned(), bad.remedy),
        };
        Some(Refusal { what, remedy })
    }
}

#[cfg(test)]
#[path = "support_tests.rs"]
mod tests;
