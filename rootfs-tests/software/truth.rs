//! What a program did, as strace(1) saw it.

use mote::event::Bytes;
use mote::path::{Base, join};
use std::collections::BTreeMap;

/// One system call that has returned.
#[derive(Clone, Debug)]
pub struct Call {
    pub tid: u32,
    pub name: String,
    /// As strace prints them (`-xx -y`): strings in hexadecimal escapes, descriptors with their
    /// path.
    pub args: String,
    /// What it returned, or a negated error number.
    pub result: i64,
}

/// The calls of a log of `strace -f -qq -xx -y`, in the order in which they returned.
pub fn calls(log: &str) -> Vec<Call> {
    let mut begun: BTreeMap<u32, (String, String)> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((tid, text)) = line.split_once(' ') else { continue };
        let (Ok(tid), text) = (tid.parse::<u32>(), text.trim_start()) else { continue };
        let (name, args, end) = if let Some(rest) = text.strip_prefix("<... ") {
            let Some((_, end)) = rest.split_once(" resumed>") else { continue };
            let Some((name, args)) = begun.remove(&tid) else { continue };
            (name, args, end)
        } else {
            let Some((name, rest)) = text.split_once('(') else { continue };
            match rest.strip_suffix(" <unfinished ...>") {
                Some(args) => {
                    begun.insert(tid, (name.to_owned(), args.to_owned()));
                    continue;
                }
                None => (name.to_owned(), String::new(), rest),
            }
        };
        // The result stands behind the last parenthesis that is followed by it.
        let Some((rest, result)) = end.rsplit_once(" = ") else { continue };
        let Some(rest) = rest.trim_end().strip_suffix(')') else { continue };
        let Some(result) = number(result) else { continue };
        calls.push(Call { tid, name, args: args + rest, result });
    }
    calls
}

/// `3<path>`, `-1 ENOENT (...)`, `? ERESTARTSYS (...)`, `0`.
fn number(result: &str) -> Option<i64> {
    let mut words = result.split([' ', '<']);
    match words.next()? {
        "-1" => {
            let name = words.next()?;
            (1..=133).find(|n| syscalls::Errno::new(*n).name() == Some(name)).map(|n| -i64::from(n))
        }
        number => number.parse().ok(),
    }
}

impl Call {
    /// Its arguments: those of arrays and structures count as one.
    pub fn split(&self) -> Vec<&str> {
        let (mut depth, mut start, mut args) = (0, 0, Vec::new());
        let mut quoted = false;
        for (at, byte) in self.args.bytes().enumerate() {
            match byte {
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'[' | b'{' | b'(' | b'<' => depth += 1,
                b']' | b'}' | b')' | b'>' => depth -= 1,
                b',' if depth == 0 => {
                    args.push(self.args[start..at].trim());
                    start = at + 1;
                }
                _ => {}
            }
        }
        args.push(self.args[start..].trim());
        args
    }

    /// The strings of an argument, as they are printed for people by mote.
    pub fn strings(arg: &str) -> Vec<String> {
        arg.split('"').skip(1).step_by(2).map(plain).collect()
    }

    /// What a name leads to that starts at a descriptor (`AT_FDCWD<...>`, `5<...>`).
    pub fn path(dirfd: &str, name: &str) -> Option<String> {
        let name = Call::strings(name).into_iter().next()?;
        let directory = dirfd.split_once('<').map_or("", |(_, directory)| directory);
        let directory = plain(directory.strip_suffix('>').unwrap_or_default());
        let mut path = Bytes::new();
        join(Base { path: directory.as_bytes(), canonical: true }, name.as_bytes(), &mut path);
        Some(String::from_utf8_lossy(&path).into_owned())
    }
}

/// Text of hexadecimal escapes.
fn plain(text: &str) -> String {
    let bytes: Vec<u8> = text
        .split("\\x")
        .skip(1)
        .filter_map(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
