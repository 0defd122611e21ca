//! What the host's files tell: os-release, versions of kernels, `/proc`, type information, the vDSO.

use super::choice;
use crate::host::distribution::Distribution;
use crate::host::release::Numbers;
use crate::limits::CONTAINER_BYTES;
use crate::process::{cgroup, identity, proc};
use crate::source::ebpf::{btf, kallsyms, mm, version_code};
use std::collections::BTreeSet;

/// How many files there are to choose from.
pub(super) const FILES: u8 = 10;

/// Of a vDSO and of type information more bytes are more of the same.
const IMAGE_BYTES: usize = 8192;

/// See [`fuzzed`](super). The first byte chooses a file.
pub fn check(data: &[u8]) -> bool {
    let Some((file, bytes)) = choice(data) else { return false };
    let image = &bytes[..bytes.len().min(IMAGE_BYTES)];
    let text = || String::from_utf8_lossy(bytes);
    match file % FILES {
        0 => distribution(&text()),
        1 => release(&text()),
        2 => crate::host::boot::parse(&text()).is_some(),
        3 => functions(bytes),
        4 => functions_of_btf(image),
        5 => version_code::parse(image).is_some(),
        6 => proc::parse_stat(bytes).is_some(),
        7 => identity::parse_status(bytes).is_some(),
        8 => mm::bounds(bytes).is_some(),
        _ => container(bytes),
    }
}

fn distribution(text: &str) -> bool {
    let found = Distribution::parse(text);
    let quoted = |value: &str| {
        let escape = |c| if matches!(c, '"' | '\\') { format!("\\{c}") } else { c.to_string() };
        format!("\"{}\"", value.chars().map(escape).collect::<String>())
    };
    let Distribution { id, version, name } = &found;
    let [id, version, name] = [id, version, name].map(|value| quoted(value));
    let again = format!("ID={id}\nVERSION_ID={version}\nPRETTY_NAME={name}\n");
    assert_eq!(Distribution::parse(&again), found);
    assert!(!found.title().is_empty());
    found != Distribution::default()
}

/// Two releases with a NUL between them.
fn release(text: &str) -> bool {
    let (one, other) = text.split_once('\0').unwrap_or((text, ""));
    let [one, other] = [one, other].map(Numbers::of);
    assert!(one.begins_with(&one) && !one.is_before(&one));
    assert!(!(one.is_before(&other) && other.is_before(&one)));
    assert!(one == other || one.is_before(&other) || other.is_before(&one));
    if one.begins_with(&other) {
        assert!(!one.is_before(&other), "a build does not come before what it is of");
    }
    one.major().is_some()
}

fn functions(text: &[u8]) -> bool {
    let names = BTreeSet::from(["do_exit", "sys_execve"]);
    let Ok(found) = kallsyms::Functions::parse(text, &names) else { return false };
    let has = |name: &&&str| {
        assert!(found.has(name) || found.address(name).is_none());
        found.has(name)
    };
    names.iter().filter(has).count() > 0
}

fn functions_of_btf(bytes: &[u8]) -> bool {
    let Some(numbers) = btf::functions(bytes, ["one", "two"]) else { return false };
    for number in numbers {
        // Every type has twelve bytes at least, and number 0 has none.
        assert!((1..=bytes.len() as u32 / 12).contains(&number));
    }
    true
}

fn container(cgroup: &[u8]) -> bool {
    let Some(found) = cgroup::container(cgroup) else { return false };
    assert!((1..=CONTAINER_BYTES).contains(&found.name.len()));
    true
}
