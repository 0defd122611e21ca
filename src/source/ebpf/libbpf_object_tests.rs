use super::*;

/// `BPF_MAXINSNS` before 5.2 (linux `include/uapi/linux/bpf_common.h`).
const MOST_INSTRUCTIONS: usize = 4096;

fn instructions(program: &LibbpfProgram) -> usize {
    const INSTRUCTION_BYTES: usize = 8;
    // SAFETY: a program of an object that is open.
    let bytes = unsafe { bpf_sys::bpf_program__size(program.raw) };
    bytes as usize / INSTRUCTION_BYTES
}

#[test]
fn every_program_is_short_enough_for_the_oldest_kernels() {
    for context in [CallContext::Usual, CallContext::Measured] {
        let object = LibbpfObject::open(context).unwrap();
        let programs = object.programs();
        assert!(programs.len() > 20, "{}", programs.len());
        for program in programs {
            let (name, count) = (program.name, instructions(&program));
            assert!(count <= MOST_INSTRUCTIONS, "{name:?}: {count} ({context:?})");
        }
    }
}

#[test]
fn what_libbpf_says_is_kept_and_its_error_told() {
    let error = LibbpfObject::open_elf(b"no object").unwrap_err();
    assert!(matches!(error.failure, Failure::Object(_)), "{error}");
    assert!(error.log.starts_with("libbpf: ") && error.log.ends_with('\n'), "{}", error.log);
}

#[test]
fn what_cannot_be_unpacked_is_an_error() {
    let cut = &OBJECT[..OBJECT.len() / 2];
    for packed in [&b"no object"[..], cut] {
        let error = LibbpfObject::open_packed(packed).unwrap_err();
        assert_eq!(error.to_string(), "could not open the BPF object: it cannot be unpacked");
    }
}

/// A hook without a program could never be attached.
#[test]
fn every_hook_has_its_program() {
    let object = LibbpfObject::open(CallContext::Usual).unwrap();
    let programs = object.programs();
    let calls = crate::source::ebpf::hooks::SYSCALLS.into_iter().flat_map(|(a, b)| [a, b]);
    let hooks =
        crate::source::ebpf::hooks::PROCESS.into_iter().chain(calls).map(|hook| hook.program);
    for program in hooks.chain(kprobe::EXEC.map(|kprobe| kprobe.program)) {
        assert!(programs.iter().any(|of| of.name.to_bytes() == program.as_bytes()), "{program}");
    }
}

/// As those of 32-bit calls are not there on arm64.
#[test]
fn a_program_that_is_not_there_is_left_out() {
    let object = LibbpfObject::open(CallContext::Usual).unwrap();
    object.set_autoload("no such program", true);
    assert!(object.find_program("no such program").is_none());
}

/// A value of an array by CPU has to fit into one unit of the kernel's per-CPU memory
/// (`PCPU_MIN_UNIT_SIZE`, linux `include/linux/percpu.h`). Before 5.11 all of them count
/// against RLIMIT_MEMLOCK.
#[test]
fn maps_fit_the_oldest_kernels() {
    const VALUE_BYTES: u32 = 32 << 10;
    const ALL_BYTES: u32 = 2 << 20;
    let object = LibbpfObject::open(CallContext::Usual).unwrap();
    let maps = object.maps();
    assert!(maps.len() > 5, "{}", maps.len());
    for map in &maps {
        assert!(map.value_bytes <= VALUE_BYTES, "{:?}: {}", map.name, map.value_bytes);
    }
    let bytes = |map: &LibbpfMap| map.value_bytes.next_multiple_of(8) * map.elements;
    let all: u32 = maps.iter().map(bytes).sum();
    assert!(all <= ALL_BYTES, "{all}");
}
