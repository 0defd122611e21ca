//! Processes that were forgotten while they lived, of what /proc does not tell.

use super::place::Sharing;
use crate::limits::STRAYS;
use heapless::index_map::FnvIndexMap;

/// Of those whose directory others can change.
pub struct Strays {
    sharing: Box<FnvIndexMap<u32, Sharing, STRAYS>>,
    /// There were more: any process may be one.
    any: bool,
}

impl Default for Strays {
    fn default() -> Strays {
        Strays { sharing: Box::new(FnvIndexMap::new()), any: false }
    }
}

impl Strays {
    /// A process is forgotten.
    pub fn note(&mut self, pid: u32, sharing: Sharing) {
        if sharing != Sharing::Own {
            self.any |= self.sharing.insert(pid, sharing).is_err();
        }
    }

    /// It has ended, or its id is another one's.
    pub fn remove(&mut self, pid: u32) {
        self.sharing.swap_remove(&pid);
    }

    /// It has one thread again.
    pub fn unite(&mut self, pid: u32) {
        if self.sharing.get(&pid) == Some(&Sharing::Threads) {
            self.remove(pid);
        }
    }

    /// Who can change the directory of a process that is looked up.
    pub fn sharing(&self, pid: u32) -> Sharing {
        let other = if self.any { Sharing::Processes } else { Sharing::Own };
        self.sharing.get(&pid).copied().unwrap_or(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_a_directory_is_known_until_it_ends() {
        let mut strays = Strays::default();
        strays.note(1, Sharing::Own);
        strays.note(2, Sharing::Threads);
        strays.note(3, Sharing::Processes);
        let all = |strays: &Strays| [1, 2, 3].map(|pid| strays.sharing(pid));
        assert_eq!(all(&strays), [Sharing::Own, Sharing::Threads, Sharing::Processes]);
        strays.unite(2);
        strays.unite(3);
        assert_eq!(all(&strays), [Sharing::Own, Sharing::Own, Sharing::Processes]);
        strays.remove(3);
        assert_eq!(strays.sharing(3), Sharing::Own);
    }

    #[test]
    fn of_too_many_any_may_be_one() {
        let mut strays = Strays::default();
        for pid in 0..=STRAYS as u32 {
            strays.note(pid, Sharing::Threads);
        }
        assert_eq!(strays.sharing(STRAYS as u32), Sharing::Processes);
        assert_eq!(strays.sharing(0), Sharing::Threads);
    }
}
