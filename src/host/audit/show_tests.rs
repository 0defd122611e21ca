use super::names::{Machine, compared, field};
use super::rule_tests::{EQUAL, Made, number, text};

const NOT_EQUAL: u32 = 0x3000_0000;
const B64: u32 = 0xc000_003e;
const B32: u32 = 0x4000_0003;
const ARM64: u32 = 0xc000_00b7;

fn calls(numbers: &[u32]) -> [u32; 64] {
    let mut mask = [0; 64];
    for number in numbers {
        mask[(number / 32) as usize] |= 1 << (number % 32);
    }
    mask
}

fn shown(
    filter: u32,
    action: u32,
    numbers: &[u32],
    fields: &[(u32, u32, u32, &'static str)],
) -> String {
    Made { filter, action, mask: calls(numbers), fields: fields.into() }.rule().to_string()
}

/// As `print_rule` of audit `src/auditctl-listing.c` writes them, but for the last two, which it
/// has no words for. The live tests compare with auditctl itself.
#[test]
fn lines_of_auditctl() {
    let arch = number(field::ARCH, B64);
    let key = text(field::KEY, "k");
    assert_eq!(
        shown(4, 2, &[82, 87], &[arch, (9, 0x6000_0000, 1000, ""), key]),
        "-a always,exit -F arch=b64 -S rename,unlink -F auid>=1000 -F key=k"
    );
    assert_eq!(
        shown(4, 2, &[10, 38], &[number(field::ARCH, B32), key]),
        "-a always,exit -F arch=b32 -S unlink,rename -F key=k"
    );
    assert_eq!(
        shown(4, 2, &[35, 38, 2000], &[number(field::ARCH, ARM64)]),
        "-a always,exit -F arch=b64 -S unlinkat,renameat,2000"
    );
    assert_eq!(
        shown(4, 2, &[2], &[number(field::ARCH, 0x8000_0016)]),
        "-a always,exit -F arch=0x80000016 -S 2"
    );
    assert_eq!(shown(1, 0, &[], &[]), "-a never,task");
    assert_eq!(shown(5, 0, &[], &[number(field::TYPE, 1307)]), "-a never,exclude -F msgtype=CWD");
    assert_eq!(
        shown(5, 2, &[], &[(field::TYPE, NOT_EQUAL, 1999, "")]),
        "-a always,exclude -F msgtype!=1999"
    );
    assert_eq!(
        shown(6, 0, &[], &[number(field::FSTYPE, 0x7472_6163)]),
        "-a never,filesystem -F fstype=tracefs"
    );
    assert_eq!(
        shown(4, 2, &[2], &[arch, number(field::EXIT, 13u32.wrapping_neg())]),
        "-a always,exit -F arch=b64 -S open -F exit=-EACCES"
    );
    assert_eq!(
        shown(4, 2, &[101], &[arch, number(field::ARG0, 4), number(104, 1)]),
        "-a always,exit -F arch=b64 -S ptrace -F a0=0x4 -F success=1"
    );
    assert_eq!(
        shown(4, 2, &[59], &[arch, (field::COMPARE, NOT_EQUAL, 11, ""), text(field::EXE, "/x")]),
        "-a always,exit -F arch=b64 -S execve -C uid!=euid -F exe=/x"
    );
    assert_eq!(shown(7, 2, &[28, 3], &[key]), "-a always,io_uring -S 3,openat2 -F key=k");
    // Kinds of rules, fields and comparisons that do not exist yet.
    assert_eq!(shown(9, 7, &[], &[(99, 0, 5, "")]), "-a 7,9 f99?5");
    assert_eq!(
        shown(1, 0, &[], &[number(field::COMPARE, 26)]),
        "-a never,task -F field_compare=26"
    );
}

#[test]
fn watches() {
    let made = |fields: &[(u32, u32, u32, &'static str)]| {
        Made { fields: fields.into(), ..Made::default() }.rule().to_string()
    };
    let (path, permissions) = (text(field::PATH, "/etc/passwd"), number(field::PERM, 10));
    let keys = text(field::KEY, "one\u{1}two");
    assert_eq!(made(&[path, permissions, keys]), "-w /etc/passwd -p wa -k one -k two");
    assert_eq!(made(&[permissions, path]), "-w /etc/passwd -p wa");
    assert_eq!(made(&[text(field::DIR, "/d"), number(field::PERM, 15)]), "-w /d -p rwxa");
    assert_eq!(made(&[path]), "-a always,exit -S all -F path=/etc/passwd");
    assert_eq!(
        made(&[number(field::ARCH, B64), path, permissions, keys]),
        "-a always,exit -F arch=b64 -S all -F path=/etc/passwd -F perm=wa -F key=one -F key=two"
    );
}

#[test]
fn calls_have_the_names_that_auditctl_takes() {
    for (machine, number, name) in [
        (Machine::X86_64, 0, Some("read")),
        (Machine::X86_64, 17, Some("pread")),
        (Machine::X86_64, 452, Some("fchmodat2")),
        (Machine::X86_64, 400, None),
        (Machine::I386, 11, Some("execve")),
        (Machine::I386, 283, Some("sys_kexec_load")),
        (Machine::Aarch64, 221, Some("execve")),
        (Machine::Aarch64, 79, Some("newfstatat")),
        (Machine::Aarch64, 403, None),
        (Machine::Arm, 11, None),
    ] {
        assert_eq!(machine.call(number), name, "{machine:?} {number}");
    }
}

#[test]
fn comparisons_have_the_kernel_s_numbers() {
    assert_eq!(compared(0), None);
    assert_eq!(compared(1), Some(("uid", "obj_uid")));
    assert_eq!(compared(12), Some(("uid", "fsuid")));
    assert_eq!(compared(25), Some(("sgid", "fsgid")));
    assert_eq!(compared(26), None);
    assert_eq!(compared(u32::MAX), None);
    let equal = EQUAL;
    assert_eq!(super::names::Operator::of(equal).unwrap().symbol(), "=");
}
