//! Which provider runs: a pure function of facts.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `features.ebpfSupplementaryEventProvider` of the configuration, in its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// eBPF, if it runs.
    #[default]
    #[serde(rename = "enabled")]
    Ebpf,
    /// Not eBPF.
    #[serde(rename = "disabled")]
    Netlink,
}

impl Wanted {
    /// Both.
    pub const ALL: [Wanted; 2] = [Wanted::Ebpf, Wanted::Netlink];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Wanted::Ebpf => "enabled",
            Wanted::Netlink => "disabled",
        }
    }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(word: &str) -> Result<Wanted, String> {
        let mut all = Wanted::ALL.into_iter();
        all.find(|wanted| wanted.name() == word)
            .ok_or_else(|| format!("\"{word}\" is no value; write enabled or disabled"))
    }
}

/// What is known of eBPF on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ebpf {
    /// It was not tried.
    Untried,
    /// It was tried, and failed.
    Failed(Failure),
}

/// How it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This host does not give what it needs: BPF, tracefs, perf.
    Host,
    /// There is not enough of something now: descriptors, memory. Whoever runs the sensor
    /// can change that, and another provider would hide it.
    Shortage,
    /// It was started by a user who may not watch others.
    User,
}

impl Failure {
    /// By its error number, if it has one.
    pub fn of(errno: Option<i32>, is_root: bool) -> Failure {
        match errno {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Failure::Shortage,
            Some(libc::EPERM | libc::EACCES) if !is_root => Failure::User,
            _ => Failure::Host,
        }
    }
}

/// All that the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the configuration says.
    pub wanted: Wanted,
    /// Whether the support table lets it be tried.
    pub supported: bool,
    /// What became of eBPF.
    pub ebpf: Ebpf,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Start eBPF, and choose again if that fails.
    Ebpf,
    /// Start the process connector, for this reason.
    Netlink(Reason),
    /// End, with the error of eBPF.
    Nothing,
}

/// Why it is not eBPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The configuration says so.
    Disabled,
    /// The support table says so.
    Unsupported,
    /// It was tried and does not run.
    Failed,
}

/// Chooses.
pub fn choose(facts: Facts) -> Choice {
    match (facts.wanted, facts.ebpf) {
        (Wanted::Netlink, _) => Choice::Netlink(Reason::Disabled),
        (Wanted::Ebpf, _) if !facts.supported => Choice::Netlink(Reason::Unsupported),
        (Wanted::Ebpf, Ebpf::Untried) => Choice::Ebpf,
        (Wanted::Ebpf, Ebpf::Failed(Failure::Host)) => Choice::Netlink(Reason::Failed),
        (Wanted::Ebpf, Ebpf::Failed(Failure::Shortage | Failure::User)) => Choice::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case() {
        for (wanted, ebpf, choice) in [
            (Wanted::Ebpf, Ebpf::Untried, Choice::Ebpf),
            (Wanted::Ebpf, Ebpf::Failed(Failure::Host), Choice::Netlink(Reason::Failed)),
            (Wanted::Ebpf, Ebpf::Failed(Failure::Shortage), Choice::Nothing),
            (Wanted::Ebpf, Ebpf::Failed(Failure::User), Choice::Nothing),
            (Wanted::Netlink, Ebpf::Untried, Choice::Netlink(Reason::Disabled)),
            (Wanted::Netlink, Ebpf::Failed(Failure::Host), Choice::Netlink(Reason::Disabled)),
        ] {
            let facts = Facts { wanted, supported: true, ebpf };
            assert_eq!(choose(facts), choice, "{facts:?}");
            let facts = Facts { supported: false, ..facts };
            let reason = match wanted {
                Wanted::Netlink => Reason::Disabled,
                Wanted::Ebpf => Reason::Unsupported,
            };
            assert_eq!(choose(facts), Choice::Netlink(reason), "{facts:?}");
        }
    }

    #[test]
    fn failures_by_their_error_numbers() {
        for (errno, of_root, of_user) in [
            (None, Failure::Host, Failure::Host),
            (Some(libc::EINVAL), Failure::Host, Failure::Host),
            (Some(libc::EPERM), Failure::Host, Failure::User),
            (Some(libc::EACCES), Failure::Host, Failure::User),
            (Some(libc::EMFILE), Failure::Shortage, Failure::Shortage),
            (Some(libc::ENOMEM), Failure::Shortage, Failure::Shortage),
        ] {
            assert_eq!(Failure::of(errno, true), of_root, "{errno:?}");
            assert_eq!(Failure::of(errno, false), of_user, "{errno:?}");
        }
    }

    #[test]
    fn ebpf_is_the_default() {
        assert_eq!(Wanted::default(), Wanted::Ebpf);
    }

    #[test]
    fn everybody_has_the_same_words() {
        for wanted in Wanted::ALL {
            assert_eq!(wanted.name().parse(), Ok(wanted));
            assert_eq!(serde_json::to_value(wanted).unwrap(), wanted.name());
        }
        assert!("on".parse::<Wanted>().unwrap_err().contains("enabled or disabled"));
    }
}
