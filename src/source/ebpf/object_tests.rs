use super::*;

/// `BPF_MAXINSNS` before 5.2 (linux `include/uapi/linux/bpf_common.h`).
const MOST_INSTRUCTIONS: usize = 4096;

#[test]
fn every_program_is_short_enough_for_the_oldest_kernels() {
    for context in [CallContext::Usual, CallContext::Measured] {
        let programs = Object::open(context).unwrap().programs();
        assert!(programs.len() > 20, "{programs:?}");
        for (name, instructions) in programs {
            assert!(instructions <= MOST_INSTRUCTIONS, "{name}: {instructions} ({context:?})");
        }
    }
}

#[test]
fn what_libbpf_says_is_kept_and_its_error_told() {
    let error = Object::open_elf(b"no object").unwrap_err();
    assert!(matches!(error.failure, Failure::Object(_)), "{error}");
    assert!(error.log.starts_with("libbpf: ") && error.log.ends_with('\n'), "{}", error.log);
}

#[test]
fn what_cannot_be_unpacked_is_an_error() {
    let cut = &OBJECT[..OBJECT.len() / 2];
    for packed in [&b"no object"[..], cut] {
        let error = Object::open_packed(packed).unwrap_err();
        assert_eq!(error.to_string(), "could not open the BPF object: it cannot be unpacked");
    }
}

/// A hook without a program could never be attached.
#[test]
fn every_hook_has_its_program() {
    let programs = Object::open(CallContext::Usual).unwrap().programs();
    let calls = crate::source::ebpf::hooks::SYSCALLS.into_iter().flat_map(|(a, b)| [a, b]);
    let hooks =
        crate::source::ebpf::hooks::PROCESS.into_iter().chain(calls).map(|hook| hook.program);
    for program in hooks.chain(kprobe::EXEC.map(|kprobe| kprobe.program)) {
        assert!(programs.iter().any(|(name, _)| name == program), "{program}");
    }
}

/// As those of 32-bit calls are not there on arm64.
#[test]
fn a_program_that_is_not_there_is_left_out() {
    let object = Object::open(CallContext::Usual).unwrap();
    object.set_autoload("no such program", true);
    assert!(object.program("no such program").is_none());
}

/// Every map: its name, the bytes of a value, and how many it has.
fn maps(object: &Object) -> Vec<(String, u32, u32)> {
    let mut maps = Vec::new();
    let mut map = std::ptr::null();
    loop {
        // SAFETY: null starts the walk; each further one came from it.
        map = unsafe { bpf_sys::bpf_map__next(map, object.raw.as_ptr()) };
        if map.is_null() {
            return maps;
        }
        // SAFETY: a map of this object; its name is a C string that it owns.
        unsafe {
            let name = CStr::from_ptr(bpf_sys::bpf_map__name(map)).to_string_lossy().into_owned();
            maps.push((
                name,
                bpf_sys::bpf_map__value_size(map),
                bpf_sys::bpf_map__max_entries(map),
            ));
        }
    }
}

/// A value of an array by CPU has to fit into one unit of the kernel's per-CPU memory
/// (`PCPU_MIN_UNIT_SIZE`, linux `include/linux/percpu.h`). Before 5.11 all of them count
/// against RLIMIT_MEMLOCK.
#[test]
fn maps_fit_the_oldest_kernels() {
    const VALUE_BYTES: u32 = 32 << 10;
    const ALL_BYTES: u32 = 2 << 20;
    let maps = maps(&Object::open(CallContext::Usual).unwrap());
    assert!(maps.len() > 5, "{maps:?}");
    assert!(maps.iter().all(|(_, value, _)| *value <= VALUE_BYTES), "{maps:?}");
    let all: u32 = maps.iter().map(|(_, value, entries)| value.next_multiple_of(8) * entries).sum();
    assert!(all <= ALL_BYTES, "{all}: {maps:?}");
}
