//! Lines of a name and its value, as the model's `health` has them, and the same names in JSON.

use std::fmt::Write;

use serde::Serialize;

/// Where the value of a line begins.
const KEY_COLUMNS: usize = 44;

/// A line without its end.
pub fn line(key: &str, value: &str) -> String {
    format!("{key:KEY_COLUMNS$}: {value}")
}

/// A value in JSON: text quoted, the rest bare. What a terminal would obey is escaped: JSON
/// leaves U+007F to U+009F as they are.
pub fn shown(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for char in serde_json::to_string(value)?.chars() {
        if char.is_control() {
            let _ = write!(text, "\\u{:04x}", u32::from(char));
        } else {
            text.push(char);
        }
    }
    Ok(text)
}

/// `rss_kib` → `rssKib`.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let shown = shown(&["a\x1b[2J\u{9b}2J\u{7f}", "é"]).unwrap();
        assert_eq!(shown, r#"["a\u001b[2J\u009b2J\u007f","é"]"#);
        assert_eq!(serde_json::from_str::<[String; 2]>(&shown).unwrap()[1], "é");
    }

    #[test]
    fn names_of_json() {
        assert_eq!(camel_case("rss_kib"), "rssKib");
        assert_eq!(camel_case("healthy"), "healthy");
    }
}
