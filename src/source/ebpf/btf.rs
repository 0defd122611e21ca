//! One question to the kernel's type information: the number of a function.
//!
//! Programs do without BTF, but on kernels that can preempt them, functions of the kernel
//! that forbid it are called by their BTF number (linux `Documentation/bpf/btf.rst`,
//! `include/uapi/linux/btf.h`).

const MAGIC: u16 = 0xeb9f;
const KIND_FUNC: u32 = 12;
/// `struct btf_type`.
const TYPE_BYTES: usize = 12;

/// The numbers of these functions in `btf`, a file like `/sys/kernel/btf/vmlinux`. `None`:
/// one of them is not there, or the file is of a later form.
pub fn functions<const N: usize>(btf: &[u8], names: [&str; N]) -> Option<[u32; N]> {
    if btf.get(..2)? != MAGIC.to_ne_bytes() {
        return None;
    }
    let part = |offset_at: usize| {
        let start = word(btf, 4)?.checked_add(word(btf, offset_at)?)? as usize;
        btf.get(start..start.checked_add(word(btf, offset_at + 4)? as usize)?)
    };
    let (mut types, strings) = (part(8)?, part(16)?);
    let mut numbers = [0; N];
    // Number 0 is void.
    let mut number = 1;
    while !types.is_empty() {
        let info = word(types, 4)?;
        let (members, kind) = (info as usize & 0xffff, info >> 24 & 0x1f);
        if kind == KIND_FUNC {
            let name = strings.get(word(types, 0)? as usize..)?;
            let name = name.split(|byte| *byte == 0).next()?;
            let wanted = names.iter().position(|wanted| wanted.as_bytes() == name);
            if let Some(at) = wanted {
                numbers[at] = number;
            }
        }
        types = types.get(TYPE_BYTES.checked_add(rest_bytes(kind, members)?)?..)?;
        number += 1;
    }
    numbers.iter().all(|number| *number != 0).then_some(numbers)
}

/// What follows a `struct btf_type` of this kind.
fn rest_bytes(kind: u32, members: usize) -> Option<usize> {
    Some(match kind {
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => 12 * members,
        // ENUM, FUNC_PROTO
        6 | 13 => 8 * members,
        // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A struct of one member, then two functions.
    pub(crate) fn example() -> Vec<u8> {
        let strings = b"\0one\0two\0";
        let mut types = Vec::new();
        for words in [&[0, 4 << 24 | 1, 8, 1, 0, 0][..], &[1, 12 << 24, 0], &[5, 12 << 24, 0]] {
            types.extend(words.iter().flat_map(|word: &u32| word.to_ne_bytes()));
        }
        let mut btf = MAGIC.to_ne_bytes().to_vec();
        btf.extend([1, 0]);
        for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            btf.extend(word.to_ne_bytes());
        }
        [btf, types, strings.to_vec()].concat()
    }

    #[test]
    fn functions_are_numbered_by_their_place() {
        assert_eq!(functions(&example(), ["two", "one"]), Some([3, 2]));
        assert_eq!(functions(&example(), ["three"]), None);
    }

    #[test]
    fn anything_else_has_none() {
        let btf = example();
        for end in 0..btf.len() - 1 {
            assert_eq!(functions(&btf[..end], ["two"]), None, "{end}");
        }
        let mut later = btf.clone();
        later[24 + 7] = 31;
        assert_eq!(functions(&later, ["two"]), None);
    }

    #[test]
    fn our_own_kernel_has_its_functions() {
        let Ok(btf) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
        assert!(functions(&btf, ["do_exit"]).is_some());
        assert_eq!(functions(&btf, ["no_such_function"]), None);
    }
}
