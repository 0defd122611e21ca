//! Which distribution this is, by os-release(5).

use std::path::Path;

use super::{ROOTS, read_text};

/// In this order, by os-release(5).
const FILES: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// What os-release says, as far as it is used. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`: `rhel`, `debian`.
    pub id: String,
    /// `VERSION_ID`: `8.1`, `12`. Rolling ones have none.
    pub version: String,
    /// `PRETTY_NAME`, for people.
    pub name: String,
}

impl Distribution {
    /// This machine's; an unknown one if there is no such file.
    pub fn read() -> Distribution {
        let places = ROOTS.iter().flat_map(|root| FILES.map(|file| Path::new(root).join(file)));
        let text = places.filter_map(|path| read_text(&path)).next();
        text.map_or_else(Distribution::default, |text| Distribution::parse(&text))
    }

    /// For people: the name, or what else is said.
    pub fn title(&self) -> String {
        if self.name.is_empty() {
            format!("{} {}", self.id, self.version)
        } else {
            self.name.clone()
        }
    }

    /// Reads the file's text.
    pub fn parse(text: &str) -> Distribution {
        let mut found = Distribution::default();
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            match key {
                "ID" => found.id = unquote(value),
                "VERSION_ID" => found.version = unquote(value),
                "PRETTY_NAME" => found.name = unquote(value),
                _ => {}
            }
        }
        found
    }
}

/// A value as a shell would read it: quoted or not, without expansion.
fn unquote(value: &str) -> String {
    let inner = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
    let mut text = String::new();
    let mut characters = inner.unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        // A backslash stands for the character behind it.
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_quoting() {
        let text = "# comment\nNAME=\"Other\"\nID=\"centos\"\nID_LIKE='rhel fedora'\n\
            VERSION_ID='7'\nPRETTY_NAME=\"CentOS \\\"Core\\\" \\$7\"\nVERSION_IDX=9\nno key\n";
        let found = Distribution::parse(text);
        assert_eq!((&*found.id, &*found.version), ("centos", "7"));
        assert_eq!(found.name, "CentOS \"Core\" $7");
    }

    #[test]
    fn what_is_not_said_is_empty() {
        assert_eq!(Distribution::parse(""), Distribution::default());
        let rolling = Distribution::parse("ID=debian\nVERSION_ID=\n");
        assert_eq!((&*rolling.id, &*rolling.version), ("debian", ""));
    }
}
