//! What is said of rules of the kernel's audit that are still loaded.

/// Where a rule is to be taken away: from these files, or, if it is in none, from the kernel;
/// then files with a rule `like` it may be where it comes from.
pub fn removal(rule: &str, files: &[impl AsRef<str>], like: &[impl AsRef<str>]) -> String {
    if !files.is_empty() {
        return format!("take it out of {}", list(files));
    }
    // auditctl(8) takes a rule away by the options that it was loaded with, but for the first.
    let options = match rule.split_once(' ') {
        Some(("-w", rest)) => format!("-W {rest}"),
        Some((_, rest)) => format!("-d {rest}"),
        None => rule.to_owned(),
    };
    if like.is_empty() {
        return format!("in no file below /etc/audit: auditctl {options}");
    }
    format!("as it is in no file, but one like it is in {}: auditctl {options}", list(like))
}

/// How rules that are loaded go, once they are in no file any more. `files` make audit immutable.
pub fn unloading(is_immutable: bool, files: &[impl AsRef<str>]) -> String {
    match (is_immutable, files) {
        (false, _) => "What is loaded goes with auditctl -D, or at the next boot".to_owned(),
        (true, []) => {
            "Audit is immutable: rules go away only at the next boot. No file below /etc/audit says \
             `-e 2`: look for what else runs auditctl at boot, then reboot"
                .to_owned()
        }
        (true, files) => format!(
            "Audit is immutable: rules go away only at the next boot. Take `-e 2` out of {}, and \
             the rules out of their files, then reboot",
            list(files)
        ),
    }
}

fn list(files: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = files.iter().map(AsRef::as_ref).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn a_rule_is_taken_out_of_its_files_or_of_the_kernel() {
        assert_eq!(removal("-w /a -p wa", &["/x", "/y"], &NONE), "take it out of /x and /y");
        for (rule, command) in [
            ("-w /a -p wa -k k", "auditctl -W /a -p wa -k k"),
            ("-a always,exit -S all -F a=b", "auditctl -d always,exit -S all -F a=b"),
        ] {
            for like in [&[][..], &["/x"]] {
                let told = removal(rule, &NONE, like);
                assert!(told.ends_with(command) && !told.contains("take it out"), "{told}");
                assert_eq!(told.contains("/x"), !like.is_empty(), "{told}");
            }
        }
    }

    #[test]
    fn an_immutable_audit_needs_a_reboot() {
        assert!(!unloading(false, &NONE).contains("reboot"));
        for files in [&["/etc/audit/rules.d/99.rules"][..], &[]] {
            let told = unloading(true, files);
            assert!(told.ends_with("then reboot"), "{told}");
            assert!(files.iter().all(|file| told.contains(file)), "{told}");
        }
    }
}
