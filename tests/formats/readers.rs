//! Readers of the formats, by their documents alone. They panic at what is not well formed.

use std::collections::BTreeMap;

/// Fields of a line of text: the items of each, in bytes.
pub fn text(line: &str) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut rest = line.as_bytes();
    let mut fields = Vec::new();
    loop {
        let equals = rest.iter().position(|byte| *byte == b'=').expect("a key");
        let key = std::str::from_utf8(&rest[..equals]).unwrap();
        assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        rest = &rest[equals + 1..];
        let mut items = Vec::new();
        loop {
            items.push(item(&mut rest));
            match rest {
                [b',', ..] => rest = &rest[1..],
                _ => break,
            }
        }
        fields.push((key.to_owned(), items));
        match rest {
            [] => return fields,
            [b' ', more @ ..] => rest = more,
            other => panic!("{:?} behind a value", String::from_utf8_lossy(other)),
        }
    }
}

fn item(rest: &mut &[u8]) -> Vec<u8> {
    let [b'"', quoted @ ..] = *rest else {
        let end = rest.iter().position(|byte| b" ,".contains(byte)).unwrap_or(rest.len());
        let bare = rest[..end].to_vec();
        assert!(!bare.is_empty() && bare.iter().all(|b| b.is_ascii_graphic()), "{bare:?}");
        assert!(!bare.iter().any(|byte| b"\"=\\".contains(byte)), "{bare:?}");
        *rest = &rest[end..];
        return bare;
    };
    let mut bytes = Vec::new();
    let mut left = quoted;
    loop {
        let (first, more) = left.split_first().expect("a closing quote");
        left = more;
        match first {
            b'"' => break,
            b'\\' => {
                let (kind, more) = left.split_first().unwrap();
                left = more;
                match kind {
                    b'"' | b'\\' => bytes.push(*kind),
                    b'n' => bytes.push(b'\n'),
                    b'r' => bytes.push(b'\r'),
                    b't' => bytes.push(b'\t'),
                    b'x' => {
                        let digits = std::str::from_utf8(&left[..2]).unwrap();
                        bytes.push(u8::from_str_radix(digits, 16).unwrap());
                        left = &left[2..];
                    }
                    b'u' => {
                        let end = left.iter().position(|byte| *byte == b'}').unwrap();
                        let digits = std::str::from_utf8(&left[1..end]).unwrap();
                        let code = u32::from_str_radix(digits, 16).unwrap();
                        let character = char::from_u32(code).unwrap();
                        bytes.extend_from_slice(character.to_string().as_bytes());
                        left = &left[end + 1..];
                    }
                    other => panic!("escape {other}"),
                }
            }
            other => bytes.push(*other),
        }
    }
    *rest = left;
    bytes
}

/// The header's fields and the extension of a line of CEF.
pub fn cef(line: &str) -> ([String; 7], BTreeMap<String, String>) {
    let mut header = Vec::new();
    let mut field = String::new();
    let mut characters = line.char_indices();
    while header.len() < 7 {
        let (_, character) = characters.next().expect("seven fields");
        match character {
            '\\' => field.push(characters.next().unwrap().1),
            '|' => header.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    let extension = characters.as_str();
    (header.try_into().unwrap(), pairs(extension))
}

/// A key is the word before an `=` without `\`; its value ends before the next key.
fn pairs(extension: &str) -> BTreeMap<String, String> {
    let is_escaped = |at: usize| {
        extension[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
    };
    let equals: Vec<usize> =
        extension.match_indices('=').map(|(at, _)| at).filter(|at| !is_escaped(*at)).collect();
    let mut pairs = BTreeMap::new();
    let key_before = |at: usize| extension[..at].rfind(' ').map_or(0, |space| space + 1);
    for (number, at) in equals.iter().enumerate() {
        let key = &extension[key_before(*at)..*at];
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "key {key:?}");
        let end = equals.get(number + 1).map_or(extension.len(), |next| key_before(*next) - 1);
        let mut value = String::new();
        let mut characters = extension[at + 1..end].chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some(other @ ('\\' | '=')) => value.push(other),
                    other => panic!("escape {other:?}"),
                },
                other => value.push(other),
            }
        }
        let before = pairs.insert(key.to_owned(), value);
        assert_eq!(before, None, "{key} twice");
    }
    pairs
}

/// An element of XML: what Sysmon's lines have of it.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn child(&self, name: &str) -> &Element {
        self.children.iter().find(|child| child.name == name).unwrap_or_else(|| panic!("no {name}"))
    }
}

/// The one element that a line is.
pub fn xml(line: &str) -> Element {
    let mut rest = line;
    let element = element(&mut rest);
    assert_eq!(rest, "", "behind the element");
    element
}

fn element(rest: &mut &str) -> Element {
    let mut element = Element::default();
    let tag;
    (tag, *rest) = rest.strip_prefix('<').expect("a tag").split_once('>').expect("its end");
    let (tag, is_closed) = match tag.strip_suffix('/') {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "element {name:?}");
    element.name = name.to_owned();
    while !attributes.is_empty() {
        let (name, more) = attributes.split_once("=\"").expect("an attribute");
        let (value, more) = more.split_once('"').expect("its end");
        element.attributes.push((name.to_owned(), plain(value)));
        attributes = more.trim_start_matches(' ');
    }
    if is_closed {
        return element;
    }
    loop {
        let end = rest.find('<').expect("an end tag");
        element.text.push_str(&plain(&rest[..end]));
        *rest = &rest[end..];
        if let Some(more) = rest.strip_prefix("</") {
            let (name, more) = more.split_once('>').unwrap();
            assert_eq!(name, element.name);
            *rest = more;
            return element;
        }
        element.children.push(self::element(rest));
    }
}

/// Text without references. XML 1.0, 2.2: which characters there are; 2.4: `]]>` is not text.
fn plain(text: &str) -> String {
    let is_allowed = |c: char| match c {
        '\t' | '\n' | '\r' => true,
        '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => false,
        _ => true,
    };
    assert!(text.chars().all(is_allowed) && !text.contains("]]>"), "{text:?}");
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        out.push_str(before);
        let (name, more) = reference.split_once(';').expect("a reference");
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let code = number.strip_prefix('#').unwrap().parse().unwrap();
                char::from_u32(code).filter(|c| is_allowed(*c)).expect("a character")
            }
        });
        rest = more;
    }
    out + rest
}
