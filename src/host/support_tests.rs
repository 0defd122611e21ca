use super::*;

fn looked_up(id: &str, version: &str, release: &str) -> Support {
    let distribution = Distribution { id: id.into(), version: version.into(), name: id.into() };
    support(&distribution, release, false)
}

/// A row: what its machines say of themselves, one that is just new enough, one just too old.
/// Releases are those of packages that were published.
#[test]
fn r10_every_row_and_what_is_just_too_old_for_it() {
    for (row, version, runs, too_old) in [
        (0, "16.04", "4.15.0-24-generic", "4.13.0-45-generic"),
        (1, "33", "5.8.15-301.fc33.x86_64", "5.8.14-300.fc33.x86_64"),
        (2, "7", "3.10.0-957.10.1.el7.x86_64", "3.10.0-957.5.1.el7.x86_64"),
        (3, "15.2", "5.3.18-18.47-azure", "5.3.18-18.44-azure"),
        (4, "7.6", "3.10.0-957.10.1.el7.x86_64", "3.10.0-957.el7.x86_64"),
        (5, "9", "4.19.0-0.bpo.19-amd64", "4.9.0-19-amd64"),
        (6, "7.9", "3.10.0-1160.el7.x86_64", "3.10.0-1127.19.1.el7.x86_64"),
        (7, "7.9", "5.4.17-2011.0.7.el7uek.x86_64", "4.14.35-2047.501.2.el7uek.x86_64"),
        (8, "2", "5.4.261-174.360.amzn2.x86_64", "4.14.336-253.554.amzn2.x86_64"),
        (9, "8.7", "4.18.0-425.3.1.el8.x86_64", "4.18.0-372.9.1.el8.x86_64"),
        (10, "9.2", "5.14.0-284.11.1.el9_2.x86_64", "5.14.0-162.6.1.el9_1.x86_64"),
        (11, "8.4", "4.18.0-305.el8.x86_64", "4.18.0-240.el8.x86_64"),
        (12, "9.2", "5.14.0-284.11.1.el9_2.x86_64", "5.14.0-162.6.1.el9_1.x86_64"),
    ] {
        let row = &ROWS[row];
        assert_eq!(looked_up(row.id, version, runs), Support::Listed(row), "{runs}");
        assert_eq!(looked_up(row.id, version, too_old), Support::OldKernel(row), "{too_old}");
    }
}

#[test]
fn newer_versions_run() {
    for (id, version, release) in [
        ("ubuntu", "24.04", "6.8.0-31-generic"),
        ("debian", "12", "6.1.0-56-cloud-amd64"),
        // Testing has no version.
        ("debian", "", "7.2.12+deb14-cloud-amd64"),
        ("rhel", "8.10", "4.18.0-553.el8_10.x86_64"),
        ("rhel", "10.0", "6.12.0-55.9.1.el10_0.x86_64"),
        ("ol", "9.4", "5.15.0-205.149.5.1.el9uek.x86_64"),
        ("ol", "8.8", "4.18.0-477.10.1.el8_8.x86_64"),
        ("amzn", "2023", "6.1.79-99.167.amzn2023.x86_64"),
        ("rocky", "10.0", "6.12.0-55.12.1.el10_0.x86_64"),
        ("fedora", "44", "7.1.3-300.fc44.x86_64"),
    ] {
        let found = looked_up(id, version, release);
        assert!(matches!(found, Support::Listed(_)), "{id} {version} {release}: {found:?}");
    }
}

#[test]
fn an_update_counts_more_than_the_minor_version() {
    let found = looked_up("rocky", "8.5", "4.18.0-477.10.1.el8_8.x86_64");
    assert_eq!(found, Support::Listed(&ROWS[9]));
}

#[test]
fn old_versions_do_not_run_whatever_their_kernel() {
    for (id, version) in [("ubuntu", "14.04"), ("debian", "8"), ("sles", "12.5"), ("ol", "6.10")] {
        let found = looked_up(id, version, "6.1.0");
        assert!(matches!(found, Support::OldVersion(row) if row.id == id), "{id}: {found:?}");
    }
}

#[test]
fn other_distributions_are_tried() {
    for id in ["alpine", "arch", "", "opensuse-leap", "buildroot"] {
        assert_eq!(looked_up(id, "3.20", "3.10.0"), Support::Unlisted, "{id}");
    }
}

#[test]
fn r11_known_bad_kernels() {
    for release in ["5.15.0-0.30.20.el8uek.x86_64", "5.15.0-0.30.20.1.el8uek.x86_64"] {
        assert_eq!(looked_up("ol", "8.8", release), Support::KnownBad(&ORACLE_8_8), "{release}");
    }
    let next = looked_up("ol", "8.8", "5.15.0-101.103.2.1.el8uek.x86_64");
    assert_eq!(next, Support::Listed(&ROWS[7]));

    let rhel = Distribution { id: "rhel".into(), version: "8.1".into(), name: String::new() };
    let (bad, next) = ("4.18.0-147.8.1.el8_1.x86_64", "4.18.0-193.el8.x86_64");
    assert_eq!(support(&rhel, bad, true), Support::KnownBad(&RHEL_8_1_SAP));
    assert_eq!(support(&rhel, bad, false), Support::Listed(&ROWS[4]));
    assert_eq!(support(&rhel, next, true), Support::Listed(&ROWS[4]));
}

#[test]
fn a_refusal_says_what_is_too_old_and_what_to_do() {
    let told = |id: &str, version: &str, release| {
        let name = format!("{id} {version} (Name)");
        let distribution = Distribution { id: id.into(), version: version.into(), name };
        let refusal = support(&distribution, release, false).refusal(&distribution, release);
        refusal.map(|refusal| format!("{refusal}; {}", refusal.remedy))
    };
    for (id, version, release, sentence) in [
        (
            "ubuntu",
            "14.04",
            "4.15.0",
            "ubuntu 14.04 (Name) is older than Ubuntu 16.04, the oldest that it is for; update the \
             system",
        ),
        (
            "rhel",
            "7.5",
            "3.10.0-862.el7.x86_64",
            "kernel 3.10.0-862.el7.x86_64 is older than 3.10.0-957.10, the oldest of RHEL's that it \
             is for; update the kernel",
        ),
        (
            "ol",
            "8.8",
            "5.15.0-0.30.20.el8uek.x86_64",
            "this kernel of Oracle Linux 8.8 hangs or panics when eBPF programs are attached; boot \
             another kernel than 5.15.0-0.30.20",
        ),
    ] {
        assert_eq!(told(id, version, release).as_deref(), Some(sentence));
    }
    assert_eq!(told("debian", "12", "6.1.0"), None);
    assert_eq!(told("alpine", "3.20", "3.2.0"), None);
}
