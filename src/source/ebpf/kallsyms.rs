//! Where the kernel's functions are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// The addresses of functions, by name; 0: the kernel has it, and does not tell where.
#[derive(Debug, Default)]
pub struct Functions(BTreeMap<String, u64>);

impl Functions {
    /// Reads those of these names that the kernel itself has from `/proc/kallsyms`.
    pub fn read(names: &BTreeSet<&str>) -> io::Result<Functions> {
        Functions::parse(BufReader::new(File::open("/proc/kallsyms")?), names)
    }

    /// Lines of `ADDRESS TYPE NAME`, those of modules with a fourth word (linux
    /// `kernel/kallsyms.c`, `s_show`).
    pub(crate) fn parse(mut text: impl BufRead, names: &BTreeSet<&str>) -> io::Result<Functions> {
        let mut functions = BTreeMap::new();
        let mut line = String::new();
        while text.read_line(&mut line)? > 0 {
            let mut words = line.split_ascii_whitespace();
            if let (Some(address), Some(name)) = (words.next(), words.nth(1))
                && words.next().is_none()
                && let Ok(address) = u64::from_str_radix(address, 16)
                && names.contains(&name)
            {
                functions.insert(name.to_owned(), address);
            }
            line.clear();
        }
        Ok(Functions(functions))
    }

    /// Whether the kernel has a function of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Where it is; `None`: the kernel does not tell (`kernel.kptr_restrict` is 2).
    pub fn address(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied().filter(|address| *address != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_names() {
        let text = "0000000000000000 A fixed_percpu_data\n\
            ffffffff8666e060 T __x64_sys_open\n\
            ffffffff8666e090 T __ia32_sys_open\n\
            ffffffff864aaa00 W __ia32_sys_bind\n\
            ffffffffc0000000 t __ia32_sys_mount\t[module]\n\
            \n\
            not a line\n";
        let names =
            ["__ia32_sys_open", "__ia32_sys_bind", "__ia32_sys_mount", "fixed_percpu_data", "a"];
        let names = BTreeSet::from(names);
        let functions = Functions::parse(text.as_bytes(), &names).unwrap();
        assert_eq!(functions.address("__ia32_sys_open"), Some(0xffff_ffff_8666_e090));
        assert_eq!(functions.address("__ia32_sys_bind"), Some(0xffff_ffff_864a_aa00));
        for absent in ["__x64_sys_open", "__ia32_sys_mount", "a"] {
            assert!(!functions.has(absent) && functions.address(absent).is_none(), "{absent}");
        }
        // As kptr_restrict shows it.
        assert!(functions.has("fixed_percpu_data"));
        assert_eq!(functions.address("fixed_percpu_data"), None);
    }
}
