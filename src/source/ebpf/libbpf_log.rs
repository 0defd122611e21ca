//! What libbpf says, and through it the kernel's verifier. libbpf would print it; it is kept
//! until it is known whether it explains a failure.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int};
use std::io;

use crate::limits::{LIBBPF_LOG_BYTES, VERIFIED_LOG_BYTES};

thread_local! {
    /// Of the last load of this thread: libbpf calls back in the thread that calls it.
    static LOG: RefCell<Tail> = const { RefCell::new(Tail::new()) };
    static PROGRAM_ERRNO: Cell<Option<i32>> = const { Cell::new(None) };
    /// What the verifier said of each program that it took, if that is asked for.
    static VERIFIED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// How libbpf hands on what the verifier said of a program that it took, in the order in
/// which they are loaded (`load_program` of `libbpf.c`).
const PROGRAM_VERIFIED: &[u8] = b"libbpf: verifier log:\n";

/// How libbpf begins to tell of a program that the kernel did not take (`load_program` of
/// `libbpf.c`). The kernel's error number is only in `errno` then.
const PROGRAM_FAILED: &[u8] = b"libbpf: load bpf program failed: ";

/// Begins a new log.
pub fn start() {
    LOG.with_borrow_mut(Tail::clear);
    PROGRAM_ERRNO.set(None);
    // SAFETY: the callback is a plain function.
    unsafe { bpf_sys::libbpf_set_print(Some(on_message)) };
}

/// The log so far, lines with their ends.
pub fn read() -> String {
    LOG.with_borrow(Tail::text)
}

/// Keeps what the verifier says of the programs that are loaded from now on, of each the end.
pub fn keep_verified() {
    VERIFIED.set(Some(Vec::new()));
}

/// What was kept, a text for each program that was loaded; nothing is kept any more.
pub fn take_verified() -> Vec<String> {
    VERIFIED.take().unwrap_or_default()
}

/// The kernel's error number for the program that it did not take.
pub fn program_errno() -> Option<i32> {
    PROGRAM_ERRNO.get()
}

/// The end of a text of any length: the verifier comes to its reason at the end.
struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    const fn new() -> Tail {
        Tail { bytes: Vec::new(), cut: false }
    }

    fn clear(&mut self) {
        *self = Tail::new();
    }

    fn push(&mut self, text: &[u8]) {
        let kept = &text[text.len().saturating_sub(LIBBPF_LOG_BYTES)..];
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(LIBBPF_LOG_BYTES);
        self.bytes.drain(..surplus);
        self.bytes.extend_from_slice(kept);
        self.cut |= surplus > 0 || kept.len() < text.len();
    }

    /// Whole lines.
    fn text(&self) -> String {
        let mut bytes = &self.bytes[..];
        if self.cut
            && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
        {
            bytes = &bytes[end + 1..];
        }
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

/// A `va_list` as a function takes it: on x86-64 an array, which decays.
#[cfg(target_arch = "x86_64")]
type Arguments = *mut bpf_sys::__va_list_tag;
/// On arm64 a struct, which bindgen makes an array of its size; either goes by the address of
/// a copy, as all that has more than 16 bytes (AAPCS64, stage B of parameter passing).
#[cfg(target_arch = "aarch64")]
type Arguments = bpf_sys::va_list;

unsafe extern "C" {
    /// GNU and BSD: allocates what the text needs.
    #[cfg_attr(target_arch = "aarch64", expect(improper_ctypes, reason = "see Arguments"))]
    fn vasprintf(to: *mut *mut c_char, format: *const c_char, arguments: Arguments) -> c_int;
}

#[cfg_attr(target_arch = "aarch64", expect(improper_ctypes_definitions, reason = "see Arguments"))]
unsafe extern "C" fn on_message(
    level: bpf_sys::libbpf_print_level,
    format: *const c_char,
    arguments: Arguments,
) -> c_int {
    let errno = io::Error::last_os_error().raw_os_error();
    let is_detail = level > bpf_sys::libbpf_print_level_LIBBPF_INFO;
    if is_detail && VERIFIED.with_borrow(Option::is_none) {
        return 0;
    }
    let mut text = std::ptr::null_mut();
    // SAFETY: libbpf passes a format and the arguments that it names.
    let bytes = unsafe { vasprintf(&raw mut text, format, arguments) };
    if bytes < 0 {
        // No memory: nothing was allocated.
        return 0;
    }
    // SAFETY: a success gives a string that ends with NUL.
    let message = unsafe { CStr::from_ptr(text) }.to_bytes();
    if !is_detail {
        LOG.with_borrow_mut(|log| log.push(message));
    } else if let Some(said) = message.strip_prefix(PROGRAM_VERIFIED) {
        // On 3.10 the whole of all programs has 100 MB. The counts stand at the end.
        let said = &said[said.len().saturating_sub(VERIFIED_LOG_BYTES)..];
        let said = String::from_utf8_lossy(said).into_owned();
        VERIFIED.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.push(said)));
    }
    if message.starts_with(PROGRAM_FAILED) {
        PROGRAM_ERRNO.set(errno);
    }
    // SAFETY: allocated by `vasprintf` with malloc, and not used any more.
    unsafe { libc::free(text.cast()) };
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(messages: &[&str]) -> String {
        let mut tail = Tail::new();
        messages.iter().for_each(|message| tail.push(message.as_bytes()));
        tail.text()
    }

    #[test]
    fn a_short_log_is_whole() {
        assert_eq!(log(&[]), "");
        assert_eq!(log(&["a\n", "b", "c"]), "a\nbc\n");
    }

    #[test]
    fn of_a_long_log_the_last_lines_are_kept() {
        let step = "0: (b7) r0 = 0\n";
        let verifier = step.repeat(100_000) + "R1 invalid mem access 'inv'\n";
        let text = log(&["libbpf: before\n", &verifier, "libbpf: failed to load object\n"]);
        assert!(text.len() <= LIBBPF_LOG_BYTES, "{}", text.len());
        assert!(text.len() > LIBBPF_LOG_BYTES - step.len(), "{}", text.len());
        assert!(text.starts_with(step), "{text}");
        assert!(text.ends_with("'inv'\nlibbpf: failed to load object\n"), "{text}");
    }

    #[test]
    fn many_messages_are_bounded_too() {
        let message = "x".repeat(99) + "\n";
        let text = log(&vec![message.as_str(); 10_000]);
        assert!(text.len() <= LIBBPF_LOG_BYTES && text.starts_with(&message), "{}", text.len());
    }
}
