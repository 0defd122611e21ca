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

/// A number from 0, which stands for none, to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoneOrUpTo<const MOST: u32>(pub u32);

impl<const MOST: u32> FromStr for NoneOrUpTo<MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<NoneOrUpTo<MOST>, String> {
        match text.parse() {
            Ok(number) if number <= MOST => Ok(NoneOrUpTo(number)),
            _ => Err(format!("write a whole number from 0 to {MOST}")),
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

    #[test]
    fn none_is_a_number_where_it_has_a_meaning() {
        assert_eq!("0".parse(), Ok(NoneOrUpTo::<10>(0)));
        assert_eq!("10".parse(), Ok(NoneOrUpTo::<10>(10)));
        for wrong in ["11", "-1", "1.5", "none", ""] {
            let error = wrong.parse::<NoneOrUpTo<10>>().unwrap_err();
            assert_eq!(error, "write a whole number from 0 to 10", "{wrong}");
        }
    }
}
