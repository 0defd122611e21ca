//! Names → absolute paths, as text. Nothing is looked up in any file system: a sensor
//! that follows a user's symbolic links or mounts can be made to hang by that user.

use crate::event::{Bytes, append};
use crate::limits::PATH_BYTES;

/// A directory that a relative name starts at.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// Its absolute path.
    pub path: &'a [u8],
    /// Whether the kernel spelled it: then it crosses no symbolic link, and `..` is the
    /// text before its last slash.
    pub canonical: bool,
}

/// The root directory.
pub const ROOT: Base<'static> = Base { path: b"/", canonical: true };

/// How well a path came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// It has `..` behind a component that may be a symbolic link.
    pub unresolved: bool,
    /// It was cut at [`PATH_BYTES`].
    pub truncated: bool,
}

/// Whether [`join`] would leave an absolute name as it is. Of names with a hidden file it does not say
/// so.
pub fn is_clean(name: &[u8]) -> bool {
    // As many as one instruction compares, which the compiler makes of an array: a quarter of the
    // instructions that one byte after the other takes.
    const BYTES: usize = 16;
    let [b'/', rest @ ..] = name else { return false };
    // Not `any`, which ends at the first.
    let unclean = |bytes: &[u8], next: &[u8]| {
        bytes.iter().zip(next).fold(false, |found, (byte, next)| {
            found | ((*byte == b'/') & ((*next == b'/') | (*next == b'.')))
        })
    };
    let (arrays, next) = (name.as_chunks::<BYTES>().0, rest.as_chunks::<BYTES>().0);
    let begins_unclean = arrays.iter().zip(next).any(|(bytes, next)| unclean(bytes, next));
    let ends_unclean = match name.last_chunk::<{ BYTES + 1 }>() {
        Some(end) => unclean(&end[..BYTES], &end[1..]),
        None => unclean(name, rest),
    };
    !begins_unclean && !ends_unclean && name.last() != Some(&b'/')
}

/// Writes the absolute path of `name` to `out`: without `.`, without doubled slashes, and
/// without `..` as far as text can tell.
pub fn join(base: Base<'_>, name: &[u8], out: &mut Bytes<PATH_BYTES>) -> Joined {
    out.clear();
    let mut joined = Joined::default();
    let base = if name.first() == Some(&b'/') { ROOT } else { base };
    // The part of `out` that `..` may be taken from.
    let mut canonical = base.canonical;
    if base.path != b"/" {
        joined.truncated |= append(out, base.path);
    }
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if canonical => {
                let parent = out.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                out.truncate(parent);
            }
            _ => {
                joined.unresolved |= component == b"..";
                canonical = false;
                joined.truncated |= append(out, b"/") || append(out, component);
            }
        }
    }
    if out.is_empty() {
        append(out, b"/");
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, canonical: bool, name: &str) -> (String, Joined) {
        let mut out = Bytes::new();
        let joined = join(Base { path: base.as_bytes(), canonical }, name.as_bytes(), &mut out);
        (String::from_utf8(out.to_vec()).unwrap(), joined)
    }

    #[test]
    fn names_become_absolute_and_clean() {
        for (base, name, path) in [
            ("/", "etc/passwd", "/etc/passwd"),
            ("/home/u", "a", "/home/u/a"),
            ("/home/u", "./a//b/.", "/home/u/a/b"),
            ("/home/u", "/etc//hosts", "/etc/hosts"),
            ("/home/u", "..", "/home"),
            ("/home/u", "../../..", "/"),
            ("/home/u", "../v/x", "/home/v/x"),
            ("/home/u", "/", "/"),
            ("/home/u", "/../etc", "/etc"),
            ("/home/u", "d/", "/home/u/d"),
            ("/home/u", "", "/home/u"),
        ] {
            assert_eq!(joined(base, true, name), (path.into(), Joined::default()), "{base} {name}");
            assert!(is_clean(path.as_bytes()) || path == "/", "{path}");
            assert!(!is_clean(name.as_bytes()) || name == path, "{name}");
        }
        assert!(
            ["/", "//a", "/a/", "/a//b", "/.", "/a/..", "a", ""]
                .iter()
                .all(|name| !is_clean(name.as_bytes()))
        );
    }

    /// However long it is, and wherever it is not clean.
    #[test]
    fn a_long_name_is_clean_as_a_short_one() {
        for length in 2..=70 {
            let clean: Vec<u8> = (0..length).map(|at| b"/abcd"[at % 5]).collect();
            assert_eq!(is_clean(&clean), clean.last() != Some(&b'/'), "{length}");
            for at in 0..length - 1 {
                for two in [b"//", b"/."] {
                    let mut name = clean.clone();
                    name[at..at + 2].copy_from_slice(two);
                    assert!(!is_clean(&name), "{}", name.escape_ascii());
                }
            }
        }
    }

    /// `/link/..` is not `/` if `link` is a symbolic link: the path stays as it is, which
    /// is right, and says so.
    #[test]
    fn dot_dot_behind_what_may_be_a_link_stays() {
        let unresolved = Joined { unresolved: true, truncated: false };
        assert_eq!(joined("/home/u", true, "link/../x"), ("/home/u/link/../x".into(), unresolved));
        assert_eq!(joined("/link", false, "../x"), ("/link/../x".into(), unresolved));
        assert_eq!(joined("/link", false, "x"), ("/link/x".into(), Joined::default()));
    }

    #[test]
    fn a_path_longer_than_its_room_is_cut_and_says_so() {
        let long = "x".repeat(PATH_BYTES);
        let (path, joined) = joined("/d", true, &long);
        assert_eq!(path.len(), PATH_BYTES);
        assert!(joined.truncated);
    }
}
