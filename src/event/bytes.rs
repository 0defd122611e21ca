//! Bytes with a fixed capacity.

#![allow(unsafe_code)]

/// Bytes with a fixed capacity.
pub type Bytes<const N: usize> = heapless::Vec<u8, N>;

/// Appends all of `bytes`. `None`: they do not fit, and nothing was done.
///
/// The same as `extend_from_slice`, which in heapless 0.9 copies and counts byte by byte.
pub fn extend<const N: usize>(out: &mut Bytes<N>, bytes: &[u8]) -> Option<()> {
    let room = out.spare_capacity_mut().get_mut(..bytes.len())?;
    room.write_copy_of_slice(bytes);
    let length = out.len() + bytes.len();
    // SAFETY: as many bytes behind the old length were within the capacity, and are written.
    unsafe { out.set_len(length) };
    Some(())
}

/// Appends what fits. Returns whether something did not.
pub fn append<const N: usize>(out: &mut Bytes<N>, bytes: &[u8]) -> bool {
    let fits = bytes.len().min(N - out.len());
    let _ = extend(out, &bytes[..fits]);
    fits < bytes.len()
}

/// Has these bytes in the place of its own, as far as they fit.
pub fn replace<const N: usize>(out: &mut Bytes<N>, bytes: &[u8]) {
    out.clear();
    append(out, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_or_cut() {
        let mut out = Bytes::<4>::new();
        assert_eq!(extend(&mut out, b"abc"), Some(()));
        assert_eq!(extend(&mut out, b""), Some(()));
        assert_eq!(extend(&mut out, b"de"), None);
        assert_eq!(out, b"abc");
        assert!(append(&mut out, b"de"));
        assert_eq!(out, b"abcd");
        assert!(append(&mut out, b"x") && !append(&mut out, b""));
        out.clear();
        assert_eq!((extend(&mut out, b"1234"), &out[..]), (Some(()), &b"1234"[..]));
    }
}
