//! Options that are numbers.

use std::str::FromStr;

/// A number from 1 to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UpTo<const MOST: u32>(pub u32);

impl<const MOST: u32> FromStr for UpTo<MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<UpTo<MOST>, String> {
        match text.parse() {
            Ok(number) if (1..=MOST).contains(&number) => Ok(UpTo(number)),
            _ => Err(format!("write a whole number from 1 to {MOST}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_in_range_is_told_what_is() {
        assert_eq!("10".parse(), Ok(UpTo::<10>(10)));
        for wrong in ["0", "11", "-1", "1.5", "abc", "", "99999999999"] {
            let error = wrong.parse::<UpTo<10>>().unwrap_err();
            assert_eq!(error, "write a whole number from 1 to 10", "{wrong}");
        }
    }
}
