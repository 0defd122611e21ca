//! Compiles the kernel side and packs it, and turns `bpf/record.h` and the kernel's perf
//! interface into Rust. bindgen's layout assertions are constants: a mismatch stops the build.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let arch: &[&str] = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("aarch64") => &["-DMOTE_ARM64"],
        _ => &[],
    };
    compile_bpf(arch, &out.join("mote.o"));
    // For kernels where a call's context is not as tracefs says (bpf/kernel.h).
    compile_bpf(&[arch, &["-DMOTE_MEASURED_CONTEXT"]].concat(), &out.join("mote-measured.o"));
    pack(&out, &["mote.o", "mote-measured.o"]);
    pack_relocations();

    bindgen::Builder::default()
        .header("bpf/record.h")
        .allowlist_type("mote_.*")
        .allowlist_var("MOTE_.*")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .generate_comments(false)
        .derive_default(true)
        .generate()
        .expect("bindgen reads bpf/record.h")
        .write_to_file(out.join("record.rs"))
        .expect("OUT_DIR is writable");

    bindgen::Builder::default()
        .header_contents("perf.h", "#include <linux/perf_event.h>\n")
        .allowlist_type("perf_(event_attr|event_header|event_mmap_page|type_id|sw_ids|event_sample_format|event_type)")
        .allowlist_var(
            "PERF_FLAG_FD_CLOEXEC",
        )
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .generate_comments(false)
        .derive_default(true)
        .generate()
        .expect("bindgen reads linux/perf_event.h")
        .write_to_file(out.join("perf.rs"))
        .expect("OUT_DIR is writable");
}

/// `-mcpu=v1`: no instruction that 3.10.0-957.el7's verifier does not know. `-Wpadded`:
/// every byte that crosses the ring has a name.
fn compile_bpf(definitions: &[&str], object: &Path) {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let status = Command::new(&clang)
        .args(["-target", "bpf", "-mcpu=v1", "-O2", "-c", "bpf/mote.c", "-o"])
        .arg(object)
        .args(definitions)
        .args(["-Wall", "-Wextra", "-Werror", "-Wpadded"])
        // MAX_BPF_STACK (linux include/linux/filter.h).
        .arg("-Wframe-larger-than=512")
        .args(["-Wno-unused-parameter", "-Wno-initializer-overrides"])
        // Old verifiers know no loops: that of the arguments has to be unrolled, however long.
        .args(["-mllvm", "-pragma-unroll-threshold=65536"])
        .status()
        .unwrap_or_else(|error| {
            panic!("{clang} did not start ({error}): install clang, or name one in CLANG")
        });
    assert!(status.success(), "{clang} could not compile bpf/mote.c, see above");
}

/// Relocations of the static binary, as one bit each and not as 24 bytes: 0.14 MB. Code of glibc 2.36
/// and later applies such ones at the start. Linkers that do not know the option say so and go on.
fn pack_relocations() {
    let of_target = |name: &str| env::var(name).unwrap_or_default();
    let is_static = of_target("CARGO_CFG_TARGET_FEATURE").split(',').any(|it| it == "crt-static");
    let [arch, env] = ["ARCH", "ENV"].map(|of| of_target(&format!("CARGO_CFG_TARGET_{of}")));
    // For arm64 binutils have it since 2.44 or so.
    if is_static && arch == "x86_64" && env == "gnu" && glibc() >= (2, 36) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version that is linked, from its headers.
fn glibc() -> (u32, u32) {
    let headers = bindgen::Builder::default()
        .header_contents("glibc.h", "#include <features.h>\n")
        .allowlist_var("__GLIBC__|__GLIBC_MINOR__")
        .generate()
        .expect("bindgen reads features.h")
        .to_string();
    let number = |name: &str| {
        let (_, rest) = headers.split_once(&format!("pub const {name}: u32 = "))?;
        rest.split_once(';')?.0.parse().ok()
    };
    (number("__GLIBC__").unwrap_or(0), number("__GLIBC_MINOR__").unwrap_or(0))
}

/// Writes `NAME.zlib` beside each: unrolled programs pack to a seventh. The largest of them is
/// `OBJECT_BYTES` of `packed.rs`.
fn pack(out: &Path, names: &[&str]) {
    /// Of 10; it takes a quarter of a second.
    const LEVEL: u8 = 10;
    let mut most_bytes = 0;
    for name in names {
        let object = std::fs::read(out.join(name)).expect("it was just compiled");
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&object, LEVEL);
        std::fs::write(out.join(format!("{name}.zlib")), packed).expect("OUT_DIR is writable");
        most_bytes = most_bytes.max(object.len());
    }
    let text = format!("/// The size of the largest.\nconst OBJECT_BYTES: usize = {most_bytes};\n");
    std::fs::write(out.join("packed.rs"), text).expect("OUT_DIR is writable");
}
