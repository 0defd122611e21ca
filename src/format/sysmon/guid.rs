//! What tells a process from all others, in the form of a GUID.

use core::fmt::{self, Display};

/// Of one boot, the process that has this number and began then. `None`: not known which.
pub(super) struct Guid {
    pub boot_id: [u8; 16],
    /// Process id, and the start in hundredths of a second since boot.
    pub process: Option<(u32, u64)>,
}

impl Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Some((pid, start)) = self.process else {
            return f.write_str("{00000000-0000-0000-0000-000000000000}");
        };
        // 48 of the boot id's random bits; 48 bits of hundredths are 89,000 years.
        let [a, b, c, d, e, g, ..] = self.boot_id;
        let word = |shift: u32| start >> shift & 0xffff;
        write!(
            f,
            "{{{a:02x}{b:02x}{c:02x}{d:02x}-{:04x}-{:04x}-{:04x}-{e:02x}{g:02x}{pid:08x}}}",
            word(32),
            word(16),
            word(0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_boot_start_and_pid() {
        let boot_id = core::array::from_fn(|i| i as u8);
        let guid = |process| Guid { boot_id, process }.to_string();
        assert_eq!(
            guid(Some((0x12_3456, 0x1_0000_0002))),
            "{00010203-0001-0000-0002-040500123456}"
        );
        assert_eq!(guid(Some((1, 0))), "{00010203-0000-0000-0000-040500000001}");
        assert_eq!(guid(None), "{00000000-0000-0000-0000-000000000000}");
    }
}
