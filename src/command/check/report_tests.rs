use std::io;

use serde_json::Value as Json;

use super::report::{Audit, Report};
use super::trial::{Trial, Verdict};
use crate::exit;
use crate::host::audit::{self, AuditError, Enabled, RuleFiles, Status};
use crate::host::distribution::Distribution;
use crate::host::facts::{Fact, Value};
use crate::host::ksplice::Ksplice;
use crate::host::provider::Wanted;
use crate::host::support::{ORACLE_8_8, Support};
use crate::sensor::Fallback;
use crate::source::ebpf;
use crate::source::netlink::StartError;

fn failed(errno: i32) -> Result<(), Fallback> {
    let error = io::Error::from_raw_os_error(errno);
    Err(Fallback::Failed(ebpf::StartError::Settings(error)))
}

fn known_bad() -> Result<(), Fallback> {
    let refusal = Support::KnownBad(&ORACLE_8_8).refusal(&Distribution::default(), "");
    Err(Fallback::Unsupported(refusal.unwrap()))
}

fn trial(ebpf: Result<(), Fallback>, connector: Result<(), StartError>) -> Trial {
    Trial { wanted: Wanted::Ebpf, is_root: true, ebpf, connector }
}

fn report(trial: &Trial, audit: Audit, ksplice: &Ksplice, id: &str, version: &str) -> Report {
    let distribution = Distribution { id: id.into(), version: version.into(), name: String::new() };
    let facts = vec![Fact { key: "kernel_release", value: Value::Text("6.1".into()) }];
    Report::of(trial, facts, audit, ksplice, &distribution)
}

fn plain(trial: &Trial) -> Report {
    report(trial, Audit::default(), &Ksplice::default(), "", "")
}

#[test]
fn every_verdict_its_code_and_its_words() {
    let silent = || Err(StartError::Silent);
    let denied = || Err(StartError::Permission);
    let as_user = |trial| Trial { is_root: false, ..trial };
    for (trial, verdict, code, word, told) in [
        (trial(Ok(()), Ok(())), Verdict::Ebpf, 0, "ebpf", &["eBPF runs here"][..]),
        (trial(Ok(()), silent()), Verdict::Ebpf, 0, "ebpf", &["eBPF runs here"]),
        (
            trial(failed(libc::EINVAL), Ok(())),
            Verdict::Connector,
            exit::CONNECTOR_ONLY,
            "netlink",
            &[
                "eBPF does not run here: ",
                "; report it",
                "\nAnd the netlink process connector runs",
            ],
        ),
        (
            trial(known_bad(), Ok(())),
            Verdict::Connector,
            exit::CONNECTOR_ONLY,
            "netlink",
            &["eBPF does not run here: this kernel of Oracle", "; boot another kernel"],
        ),
        (
            trial(known_bad(), silent()),
            Verdict::Neither,
            exit::UNAVAILABLE,
            "none",
            &["\nThe netlink process connector does not run either: ", "; end other programs"],
        ),
        (
            trial(failed(libc::EMFILE), Ok(())),
            Verdict::Shortage,
            exit::OSERR,
            "none",
            &["eBPF does not run here: ", "ulimit -n", "\nmote run ends until that is changed"],
        ),
        (
            as_user(trial(failed(libc::EPERM), denied())),
            Verdict::NotRoot,
            exit::NOPERM,
            "unknown",
            &["It is not known whether eBPF runs here: ", "start it as root"],
        ),
        (
            as_user(trial(known_bad(), denied())),
            Verdict::NotRoot,
            exit::NOPERM,
            "unknown",
            &["eBPF does not run here: this kernel", "\nIt is not known whether the netlink"],
        ),
        // Where no user can.
        (
            as_user(trial(known_bad(), silent())),
            Verdict::Neither,
            exit::UNAVAILABLE,
            "none",
            &["does not run either"],
        ),
    ] {
        assert_eq!((trial.verdict(), trial.code()), (verdict, code), "{trial:?}");
        let report = plain(&trial);
        let text = report.to_string();
        for words in told {
            assert!(text.contains(words), "`{words}` in {text}");
        }
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["verdict"], word);
        assert_eq!(json["reason"] == Json::Null, verdict == Verdict::Ebpf, "{json}");
        assert_eq!(json["facts"]["kernelRelease"], "6.1");
        assert_eq!(json["auditRules"], Json::Null, "not known is not none");
    }
}

#[test]
fn what_the_configuration_disables_can_run() {
    let disabled = Trial { wanted: Wanted::Netlink, ..trial(Ok(()), Ok(())) };
    let text = plain(&disabled).to_string();
    assert!(
        text.starts_with("eBPF runs here\nBut eBPF is disabled in the configuration"),
        "{text}"
    );
    assert!(text.contains("\nAnd the netlink process connector runs instead"), "{text}");
    assert!(
        text.contains("ebpf_supplementary_event_provider           : \"disabled\"\n"),
        "{text}"
    );
    assert_eq!(disabled.code(), 0);
    // Then `mote run` goes on without eBPF, whatever is short.
    for (ebpf, connector, verdict, told) in [
        (failed(libc::EMFILE), Ok(()), "netlink", "\nAnd the netlink process connector runs"),
        (failed(libc::EMFILE), Err(StartError::Silent), "none", "does not run either: "),
        (Ok(()), Err(StartError::Silent), "ebpf", "\nAnd the netlink process connector does not"),
    ] {
        let disabled = Trial { wanted: Wanted::Netlink, ..trial(ebpf, connector) };
        let report = plain(&disabled);
        let text = report.to_string();
        assert!(text.contains(told) && !text.contains("mote run ends"), "{text}");
        assert_eq!(serde_json::to_value(&report).unwrap()["verdict"], verdict);
    }
}

fn status(enabled: Enabled) -> Status {
    Status { enabled, daemon_pid: 12, lost: 3, backlog: 0 }
}

#[test]
fn an_immutable_audit_is_told_with_the_way_out() {
    let immutable = audit::Audit { status: status(Enabled::Immutable), rules: Vec::new() };
    let audit = Audit::of(Ok(immutable), &RuleFiles::default());
    let report = report(&trial(Ok(()), Ok(())), audit, &Ksplice::default(), "", "");
    let text = report.to_string();
    assert!(text.contains("\n\nAudit is immutable: ") && text.contains("then reboot"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["auditImmutable"], true);
    assert_eq!(json["auditRules"], serde_json::json!([]));
    assert_eq!(json["facts"]["audit"], "enabled and immutable");
    assert_eq!(json["facts"]["auditDaemonPid"], 12);
    assert_eq!(json["facts"]["auditRecordsLost"], 3);
}

#[test]
fn audit_that_is_absent_and_audit_that_is_not_known() {
    let of = |error| {
        let audit = Audit::of(Err(error), &RuleFiles::default());
        let report = report(&trial(Ok(()), Ok(())), audit, &Ksplice::default(), "", "");
        serde_json::to_value(&report).unwrap()
    };
    let absent = of(AuditError::Absent);
    assert_eq!(absent["auditRules"], serde_json::json!([]));
    assert_eq!(absent["facts"]["audit"], "absent");
    for error in [AuditError::Permission, AuditError::Timeout, AuditError::Malformed("a rule")] {
        let unknown = of(error);
        assert_eq!(unknown["auditRules"], Json::Null);
        assert_eq!(unknown["auditImmutable"], Json::Null);
        let told = unknown["facts"]["audit"].as_str().unwrap();
        assert!(told.starts_with("unknown: ") && told.contains("; "), "{told}");
    }
}

#[test]
fn ksplice_is_a_warning_on_oracle_linux_7_9() {
    let found = Ksplice { program: Some("/usr/sbin/uptrack-upgrade".into()), ..Ksplice::default() };
    let line = "\n    15 3 * * * root mote pause --if-running --limit-seconds 3600 -- uptrack-upgrade -y\n";
    for (id, version, known) in [("ol", "7.9", true), ("ol", "9.4", false)] {
        let report = report(&trial(Ok(()), Ok(())), Audit::default(), &found, id, version);
        let text = report.to_string();
        assert!(text.ends_with(line), "{text}");
        assert_eq!(text.contains("\nwarning: "), known, "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["ksplice"]["knownToHang"], known);
        assert_eq!(json["ksplice"]["cronLine"], line.trim());
    }
}
