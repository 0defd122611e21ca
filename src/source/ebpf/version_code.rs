//! The running kernel's `LINUX_VERSION_CODE`, which kprobe programs have to name on kernels
//! before 5.0 (linux commit 6c4fc209fcf9). `uname -r` of Debian and Ubuntu names another
//! patch level; the ELF note in the vDSO has it (`arch/x86/entry/vdso/vdso-note.S`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The vDSO is a page or two.
const MAX_BYTES: usize = 64 << 10;

/// Reads it from our own memory. `None`: the vDSO is off, or has no such note.
pub fn read() -> io::Result<Option<u32>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let Some((start, bytes)) = vdso_range(&maps) else { return Ok(None) };
    let mut image = vec![0; bytes];
    File::open("/proc/self/mem")?.read_exact_at(&mut image, start)?;
    Ok(parse(&image))
}

/// `START-END PERMISSIONS … [vdso]`.
fn vdso_range(maps: &str) -> Option<(u64, usize)> {
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let bytes = usize::try_from(end.checked_sub(start)?).ok()?;
    (bytes <= MAX_BYTES).then_some((start, bytes))
}

/// Offsets of `Elf64_Ehdr`, `Elf64_Phdr` and `Elf64_Nhdr` are those of elf(5).
pub(crate) fn parse(image: &[u8]) -> Option<u32> {
    const PT_NOTE: u32 = 4;
    let headers_at = usize::try_from(u64_at(image, 32)?).ok()?;
    let header_bytes = usize::from(u16_at(image, 54)?);
    let headers = usize::from(u16_at(image, 56)?);
    (0..headers)
        .filter_map(|n| image.get(headers_at.checked_add(n * header_bytes)?..))
        .filter(|header| u32_at(header, 0) == Some(PT_NOTE))
        .find_map(|header| {
            let at = usize::try_from(u64_at(header, 8)?).ok()?;
            let bytes = usize::try_from(u64_at(header, 32)?).ok()?;
            find_note(image.get(at..at.checked_add(bytes)?)?)
        })
}

/// The note of type 0 by `Linux`.
fn find_note(mut notes: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"Linux\0";
    loop {
        let name_bytes = usize::try_from(u32_at(notes, 0)?).ok()?;
        let value_bytes = usize::try_from(u32_at(notes, 4)?).ok()?;
        let kind = u32_at(notes, 8)?;
        let name = notes.get(12..12usize.checked_add(name_bytes)?)?;
        let value_at = 12 + name_bytes.checked_next_multiple_of(4)?;
        if name == NAME && kind == 0 && value_bytes == 4 {
            return u32_at(notes, value_at);
        }
        notes = notes.get(value_at.checked_add(value_bytes.checked_next_multiple_of(4)?)?..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// uname has the same major and minor numbers, if not the patch level.
    #[test]
    fn our_own_vdso_tells_the_kernels_version() {
        let code = read().unwrap().expect("a vDSO with its note");
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        assert!(release.starts_with(&format!("{}.{}.", code >> 16, code >> 8 & 0xff)), "{code:#x}");
    }

    #[test]
    fn the_note_is_found_behind_others_and_anything_else_is_none() {
        let note = |name: &[u8], kind: u32, value: &[u8]| {
            let mut note = Vec::new();
            for word in [name.len() as u32, value.len() as u32, kind] {
                note.extend(word.to_ne_bytes());
            }
            for part in [name, value] {
                note.extend(part);
                note.resize(note.len().next_multiple_of(4), 0);
            }
            note
        };
        let version = 0x0004_0f12u32.to_ne_bytes();
        let notes = [note(b"GNU\0", 3, b"build id"), note(b"Linux\0", 0, &version)].concat();
        assert_eq!(find_note(&notes), Some(0x0004_0f12));
        for end in 0..notes.len() {
            assert_eq!(find_note(&notes[..end]), None);
        }
        assert_eq!(find_note(&note(b"Linux\0", 1, &version)), None);
        assert_eq!(find_note(&[0xff; 64]), None);
        assert_eq!(parse(&[0xff; 128]), None);
        assert_eq!(vdso_range("7f00-7e00 r-xp 0 00:00 0 [vdso]\n"), None);
    }
}
