//! Versions: of a kernel as `uname -r` has it, of a distribution as os-release has it.

use heapless::Vec;

/// More numbers than any release has: `5.15.0-0.30.20.1.el8uek` has seven.
const NUMBERS: usize = 10;

/// The numbers that a version begins with, up to the first letter:
/// `3.10.0-957.10.1.el7.x86_64` is 3, 10, 0, 957, 10, 1, and `4.15.0-24-generic` 4, 15, 0, 24.
/// A distribution counts its builds in them, each in its own way: compare only what is of the
/// same one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(Vec<u32, NUMBERS>);

impl Numbers {
    /// Of any text; none if it does not begin with one.
    pub fn of(version: &str) -> Numbers {
        let mut numbers = Vec::new();
        for part in version.split(['.', '-']) {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let Ok(number) = part[..end].parse() else { break };
            if numbers.push(number).is_err() || end < part.len() {
                break;
            }
        }
        Numbers(numbers)
    }

    /// Whether it is a build of `other`, or `other` itself.
    pub fn begins_with(&self, other: &Numbers) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The first number.
    pub fn major(&self) -> Option<u32> {
        self.0.first().copied()
    }

    /// Whether it comes before: what has no further number is older than what has one, so
    /// `3.10.0-957.el7` before `3.10.0-957.10`.
    pub fn is_before(&self, other: &Numbers) -> bool {
        self.0 < other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_words_begin() {
        for (release, numbers) in [
            ("3.10.0-957.10.1.el7.x86_64", &[3, 10, 0, 957, 10, 1][..]),
            ("4.18.0-147.el8", &[4, 18, 0, 147]),
            ("5.3.18-18.47-default", &[5, 3, 18, 18, 47]),
            ("5.4.261-174.360.amzn2.x86_64", &[5, 4, 261, 174, 360]),
            ("4.15.0-24-generic", &[4, 15, 0, 24]),
            ("5.4.17-2011.0.7.el7uek.x86_64", &[5, 4, 17, 2011, 0, 7]),
            ("6.12.95+deb12-cloud-amd64", &[6, 12, 95]),
            ("5.8.15+", &[5, 8, 15]),
            ("7.3-rc2", &[7, 3]),
            ("4.19.0-0.bpo.1-amd64", &[4, 19, 0, 0]),
            ("99999999999.1", &[]),
            ("", &[]),
            ("unknown", &[]),
            ("1.2.3.4.5.6.7.8.9.10.11.12", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ] {
            assert_eq!(Numbers::of(release).0, numbers, "{release}");
        }
    }

    #[test]
    fn releases_in_their_order() {
        for (older, newer) in [
            ("3.10.0-957.el7.x86_64", "3.10.0-957.10.1.el7.x86_64"),
            ("3.10.0-957.5.1.el7.x86_64", "3.10.0-957.10"),
            ("3.10.0-862.14.4.el7.x86_64", "3.10.0-957.10"),
            ("4.18.0-147.8.1.el8_1.x86_64", "4.18.0-305"),
            ("5.3.18-18.44-azure", "5.3.18-18.47"),
            ("5.4.258-171.360.amzn2.x86_64", "5.4.261-174.360"),
            ("4.9.0-19-amd64", "4.19.0"),
            ("4.4.0-210-generic", "4.15.0"),
        ] {
            assert!(Numbers::of(older).is_before(&Numbers::of(newer)), "{older} {newer}");
            assert!(!Numbers::of(newer).is_before(&Numbers::of(older)), "{newer} {older}");
        }
        for same in ["3.10.0-957.10", "4.18.0-305"] {
            let built = format!("{same}.el8.x86_64");
            assert!(!Numbers::of(&built).is_before(&Numbers::of(same)), "{built}");
        }
    }
}
