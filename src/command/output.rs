//! `--output`.

use std::str::FromStr;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value.
    Json,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(name: &str) -> Result<Output, String> {
        match name {
            "text" => Ok(Output::Text),
            "json" => Ok(Output::Json),
            _ => Err(format!("\"{name}\" is no output; write text or json")),
        }
    }
}
