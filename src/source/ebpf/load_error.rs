//! Why the object is not in the kernel.

use std::ffi::c_int;
use std::fmt;
use std::io;

/// Why the object is not in the kernel.
#[derive(Debug)]
pub struct LoadError {
    /// What was attempted.
    pub step: &'static str,
    /// What went wrong.
    pub failure: Failure,
    /// What libbpf said, the verifier's log in it.
    pub log: String,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A system call failed with this error number.
    Call(c_int),
    /// The verifier refused a program: the end of the log says why.
    Verifier,
    /// The kernel does not take programs of this kind.
    Kernel(&'static str),
    /// libbpf does not take the object, which is part of this program.
    Object(&'static str),
}

impl Failure {
    /// From what libbpf returned: an error number of the kernel, or one of its own from 4000
    /// on (`enum libbpf_errno` of `libbpf.h`), either of them negative or not. It says that
    /// the verifier refused whenever there is a log, so `program_errno` is looked at too:
    /// what was accepted may fail for want of a descriptor.
    pub fn from_libbpf(code: c_int, program_errno: Option<c_int>) -> Failure {
        use bpf_sys::*;
        let code = code.saturating_abs();
        #[allow(non_upper_case_globals)]
        match code.unsigned_abs() {
            ..libbpf_errno___LIBBPF_ERRNO__START => Failure::Call(code),
            libbpf_errno_LIBBPF_ERRNO__VERIFY => match program_errno {
                Some(code @ (libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => Failure::Call(code),
                _ => Failure::Verifier,
            },
            libbpf_errno_LIBBPF_ERRNO__LOAD => {
                Failure::Kernel("the kernel refused a program without a reason")
            }
            libbpf_errno_LIBBPF_ERRNO__PROG2BIG => {
                Failure::Kernel("a program has more instructions than this kernel takes")
            }
            libbpf_errno_LIBBPF_ERRNO__PROGTYPE => {
                Failure::Kernel("this kernel has no BPF programs for tracepoints")
            }
            libbpf_errno_LIBBPF_ERRNO__KVERSION | libbpf_errno_LIBBPF_ERRNO__KVER => {
                Failure::Kernel("the kernel has another version than it says")
            }
            libbpf_errno_LIBBPF_ERRNO__LIBELF => Failure::Object("libelf cannot read it"),
            libbpf_errno_LIBBPF_ERRNO__FORMAT => Failure::Object("its format is not valid"),
            libbpf_errno_LIBBPF_ERRNO__ENDIAN => {
                Failure::Object("it is for machines of another byte order")
            }
            libbpf_errno_LIBBPF_ERRNO__RELOC => Failure::Object("it cannot be relocated"),
            _ => Failure::Object("libbpf does not take it"),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: ", self.step)?;
        match self.failure {
            Failure::Call(code) => io::Error::from_raw_os_error(code).fmt(f),
            Failure::Verifier => f.write_str("the kernel's verifier refused a program"),
            Failure::Kernel(why) | Failure::Object(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: c_int) -> String {
        let failure = Failure::from_libbpf(code, None);
        LoadError { step: "load the BPF object", failure, log: String::new() }.to_string()
    }

    #[test]
    fn error_numbers_of_libbpf_are_told_in_words() {
        assert_eq!(
            text(-4007),
            "could not load the BPF object: the kernel's verifier refused a program"
        );
        assert_eq!(text(4000), "could not load the BPF object: libelf cannot read it");
        for code in 4000..4020 {
            let text = text(-code);
            assert!(!text.contains("os error") && !text.contains("40"), "{code}: {text}");
        }
    }

    #[test]
    fn a_log_alone_is_no_refusal() {
        for (errno, failure) in [
            (libc::EMFILE, Failure::Call(libc::EMFILE)),
            (libc::ENOMEM, Failure::Call(libc::ENOMEM)),
            (libc::EINVAL, Failure::Verifier),
            (libc::EACCES, Failure::Verifier),
        ] {
            assert_eq!(Failure::from_libbpf(-4007, Some(errno)), failure);
        }
    }

    #[test]
    fn error_numbers_of_the_kernel_are_its_own() {
        assert_eq!(Failure::from_libbpf(-libc::EMFILE, None), Failure::Call(libc::EMFILE));
        assert_eq!(
            text(-libc::EMFILE),
            "could not load the BPF object: Too many open files (os error 24)"
        );
    }
}
