//! Rules that another program left in the kernel (R13).

use crate::support::confine::require_mounts;
use crate::support::{output_of, require_live, require_program, scratch, skip};
use crate::{RUNS, check, object, on, root_with, told};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recvfrom, sendto, socket_with,
};
use serde_json::Value;
use std::os::fd::OwnedFd;
use std::process::Command;

/// linux `include/uapi/linux/audit.h`.
const AUDIT_ADD_RULE: u16 = 1011;
const AUDIT_DEL_RULE: u16 = 1012;

/// Rules of the kernel's audit, which are removed again. Audit stays off, or on, as it was.
///
/// A test that is killed leaves them in the kernel, where the next one finds them: no host has
/// these very rules for another reason.
struct Rules(Vec<&'static str>);

impl Rules {
    fn load(rules: &[&'static str]) -> Rules {
        require_live();
        let auditctl = require_program("auditctl");
        let status = Command::new(&auditctl).arg("-s").output().unwrap();
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        if !["enabled 0", "enabled 1"].iter().any(|state| status.contains(state)) {
            skip("this kernel or container has no audit, or audit is immutable");
        }
        let mut loaded = Rules(Vec::new());
        for rule in rules {
            // It is seldom there: auditctl says so on its standard error.
            let _ = Rules::removal(rule).output();
            output_of(Command::new(&auditctl).args(rule.split(' ')));
            loaded.0.push(rule);
        }
        loaded
    }

    fn removal(rule: &str) -> Command {
        let (option, rest) = rule.split_once(' ').unwrap();
        let option = if option == "-w" { "-W" } else { "-d" };
        let mut auditctl = Command::new(require_program("auditctl"));
        auditctl.arg(option).args(rest.split(' '));
        auditctl
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        for rule in &self.0 {
            if !Rules::removal(rule).status().is_ok_and(|status| status.success()) {
                eprintln!("this audit rule is still loaded: {rule}");
            }
        }
    }
}

pub fn r13_rules_as_auditctl_lists_them() {
    let native = if cfg!(target_arch = "x86_64") {
        "-a always,exit -F arch=b32 -S 11,17,sys_kexec_load -F auid!=unset -k mote-test"
    } else {
        "-a always,exit -F arch=b64 -S pread,pwrite -F auid!=unset -k mote-test"
    };
    let _rules = Rules::load(&[
        "-w /etc/passwd -p wa -k mote-test",
        "-w /etc -p r -k mote-test",
        "-w /etc/mote-test -p rwxa",
        native,
        "-a always,exit -F arch=b64 -S renameat2,unlinkat -F auid>=1000 -F auid!=-1 -k mote-test",
        "-a always,exit -F arch=b64 -S openat -F exit=-EACCES -F success=0 -k mote-test -k second",
        "-a always,exit -F arch=b64 -S openat -F exit>=3 -F inode=4294967295 -k mote-test",
        "-a always,exit -F arch=b64 -S ptrace -F a0=0x4 -F a1>16 -F a2&=0xff00 -k mote-test",
        "-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -k mote-test",
        "-a always,exit -F arch=b64 -S 0,435,1000 -F devmajor=8 -F pers!=0 -k mote-test",
        "-a always,exit -S all -F exe=/usr/bin/mote-test -F ppid=1 -F sessionid!=4294967295",
        "-a always,exit -F dir=/usr/share -F perm=x -F filetype=file -F obj_uid=0",
        "-a always,exit -F arch=b64 -F path=/etc/hosts -F perm=wa -F gid<=5 -F fsuid<4",
        "-a never,task -F uid=4000000000",
        "-a never,exclude -F msgtype=CWD -F pid=1",
        "-a always,exclude -F msgtype>=1999",
        "-a never,user -F auid=4000000000",
        "-a never,filesystem -F fstype=tracefs",
    ]);
    let listed = output_of(Command::new(require_program("auditctl")).arg("-l"));
    let listed: Vec<&str> = listed.lines().collect();
    let object = object(check(), RUNS);
    let rules = object["auditRules"].as_array().unwrap();
    let rules: Vec<&str> = rules.iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    assert!(listed.len() >= 18, "{listed:#?}");
    for (own, theirs) in rules.iter().zip(&listed) {
        assert_eq!(own, theirs);
    }
    assert_eq!(rules.len(), listed.len());
    assert_eq!(object["auditImmutable"], false);
    assert_eq!(object["facts"]["auditRulesLoaded"], rules.len());
}

pub fn r13_the_file_to_remove() {
    require_mounts();
    let _rules = Rules::load(&[
        "-w /etc/passwd -p wa -k mote-test-identity",
        "-a never,task -F uid=4000000000",
    ]);
    let (_guard, dir) = scratch();
    let left = "## left\n-w /etc/passwd -p wa -k mote-test-identity\n";
    root_with(
        &dir,
        &[("etc/audit/rules.d/10-left.rules", left), ("etc/audit/rules.d/20-other.rules", "-D\n")],
    );
    let object = object(on(&dir), RUNS);
    let rules = object["auditRules"].as_array().unwrap();
    let of = |word: &str| {
        let has = |rule: &&Value| rule["rule"].as_str().unwrap().contains(word);
        &rules.iter().find(has).unwrap_or_else(|| panic!("{word} in {rules:?}"))["files"]
    };
    assert_eq!(*of("mote-test-identity"), serde_json::json!(["/etc/audit/rules.d/10-left.rules"]));
    assert_eq!(*of("-a never,task -F uid="), serde_json::json!([]));
    let text = told(on(&dir), RUNS);
    for words in [
        "    -w /etc/passwd -p wa -k mote-test-identity\n        take it out of \
         /etc/audit/rules.d/10-left.rules\n",
        "in no file below /etc/audit: auditctl -d never,task -F uid=",
        "What is loaded goes with auditctl -D",
    ] {
        assert!(text.contains(words), "`{words}` in {text}");
    }
}

/// A rule past auditctl, which guests do not have: that no task of one user is audited.
struct BareRule(OwnedFd);

impl BareRule {
    const LINE: &str = "-a never,task -F uid=-294967297";

    fn load() -> BareRule {
        require_live();
        let flags = SocketFlags::CLOEXEC;
        let kind = (AddressFamily::NETLINK, SocketType::RAW);
        let Ok(socket) = socket_with(kind.0, kind.1, flags, Some(netlink::AUDIT)) else {
            skip("this kernel or container has no audit");
        };
        let rule = BareRule(socket);
        // As a killed test left it.
        rule.tell(AUDIT_DEL_RULE);
        match rule.tell(AUDIT_ADD_RULE) {
            0 => rule,
            errno => skip(&format!("this kernel or container takes no audit rule: {errno}")),
        }
    }

    /// Sends it; what the kernel answers.
    fn tell(&self, kind: u16) -> i32 {
        const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
        // struct audit_rule_data (linux include/uapi/linux/audit.h): flags, action, field_count,
        // mask[64], fields[64], values[64], fieldflags[64], buflen.
        let mut words = [0u32; 3 + 4 * 64 + 1];
        let (task, never, uid, equal) = (1, 0, 1, 0x4000_0000);
        words[..3].copy_from_slice(&[task, never, 1]);
        words[3 + 64] = uid;
        words[3 + 2 * 64] = 3_999_999_999;
        words[3 + 3 * 64] = equal;
        let mut message = Vec::new();
        message.extend((16 + size_of_val(&words) as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        let kernel = SocketAddrNetlink::new(0, 0);
        if let Err(errno) = sendto(&self.0, &message, SendFlags::empty(), &kernel) {
            return errno.raw_os_error();
        }
        // struct nlmsghdr, and the number of struct nlmsgerr.
        let mut answer = [0u8; 8192];
        let (length, ..) = recvfrom(&self.0, &mut answer[..], RecvFlags::empty()).unwrap();
        assert!(length >= 20, "{length}");
        -i32::from_ne_bytes(answer[16..20].try_into().unwrap())
    }
}

impl Drop for BareRule {
    fn drop(&mut self) {
        let errno = self.tell(AUDIT_DEL_RULE);
        if errno != 0 {
            eprintln!("this audit rule is still loaded: {}: {errno}", BareRule::LINE);
        }
    }
}

pub fn r13_rule_of_any_kernel() {
    let rule = BareRule::load();
    let text = || {
        let output = check().output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let with = text();
    let line = format!("\n    {}\n        in no file below /etc/audit", BareRule::LINE);
    assert!(with.contains(&line), "{with}");
    assert!(with.contains("audit_backlog                               : "), "{with}");
    drop(rule);
    let without = text();
    assert!(!without.contains(BareRule::LINE), "{without}");
}
