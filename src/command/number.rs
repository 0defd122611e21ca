//! Options that are numbers.

use std::str::FromStr;

/// A number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<const LEAST: u32, const MOST: u32>(pub u32);

/// One from 1 on.
pub(super) type UpTo<const MOST: u32> = Number<1, MOST>;

impl<const LEAST: u32, const MOST: u32> FromStr for Number<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Number<LEAST, MOST>, String> {
        match text.parse() {
            Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Number(number)),
            _ => Err(format!("write a whole number from {LEAST} to {MOST}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_in_range_is_told_what_is() {
        assert_eq!("10".parse::<UpTo<10>>(), Ok(Number(10)));
        for wrong in ["0", "11", "-1", "1.5", "abc", "", "99999999999"] {
            let error = wrong.parse::<UpTo<10>>().unwrap_err();
            assert_eq!(error, "write a whole number from 1 to 10", "{wrong}");
        }
        assert_eq!("0".parse::<Number<0, 10>>(), Ok(Number(0)));
        let error = "11".parse::<Number<0, 10>>().unwrap_err();
        assert_eq!(error, "write a whole number from 0 to 10");
    }
}
