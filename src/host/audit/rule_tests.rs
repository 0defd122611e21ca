use super::names::{Operator, field};
use super::rule::{Field, MASK_WORDS, Rule, split_keys};

/// A rule that is made up: its bytes as the kernel would send them.
#[derive(Clone)]
pub struct Made {
    pub filter: u32,
    pub action: u32,
    pub mask: [u32; MASK_WORDS],
    /// Kind, operator, value or length, text.
    pub fields: Vec<(u32, u32, u32, &'static str)>,
}

impl Default for Made {
    fn default() -> Made {
        Made { filter: 4, action: 2, mask: [u32::MAX; MASK_WORDS], fields: Vec::new() }
    }
}

pub const EQUAL: u32 = 0x4000_0000;

/// A field that has a number.
pub fn number(kind: u32, value: u32) -> (u32, u32, u32, &'static str) {
    (kind, EQUAL, value, "")
}

/// A field that has a text.
pub fn text(kind: u32, text: &str) -> (u32, u32, u32, &'static str) {
    (kind, EQUAL, text.len() as u32, String::leak(text.into()))
}

impl Made {
    pub fn bytes(&self) -> Vec<u8> {
        let column = |of: fn(&(u32, u32, u32, &str)) -> u32| {
            let mut words: Vec<u32> = self.fields.iter().map(of).collect();
            words.resize(64, 0);
            words
        };
        let texts: String = self.fields.iter().map(|field| field.3).collect();
        let mut words = vec![self.filter, self.action, self.fields.len() as u32];
        words.extend(self.mask);
        words.extend(column(|field| field.0));
        words.extend(column(|field| field.2));
        words.extend(column(|field| field.1));
        words.push(texts.len() as u32);
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend(texts.bytes());
        bytes
    }

    pub fn rule(&self) -> Rule {
        Rule::parse(&self.bytes()).unwrap()
    }
}

fn watch() -> Made {
    let fields = vec![
        text(field::PATH, "/etc/passwd"),
        number(field::PERM, 10),
        text(field::KEY, "one\u{1}two"),
    ];
    Made { fields, ..Made::default() }
}

#[test]
fn every_part_is_read() {
    let rule = watch().rule();
    assert_eq!((rule.filter, rule.action, rule.mask), (4, 2, [u32::MAX; MASK_WORDS]));
    let operator = Operator::of(EQUAL);
    let path = Some("/etc/passwd".to_owned());
    assert_eq!(rule.fields[0], Field { kind: field::PATH, operator, value: 11, text: path });
    assert_eq!(rule.fields[1], Field { kind: field::PERM, operator, value: 10, text: None });
    let keys = rule.fields[2].text.as_deref().unwrap();
    assert_eq!(split_keys(keys).collect::<Vec<_>>(), ["one", "two"]);
    assert!(rule.is_watch() && rule.has_all_calls());
    // Padding of the message behind it.
    let mut bytes = watch().bytes();
    bytes.extend([0; 3]);
    assert_eq!(Rule::parse(&bytes), Some(rule));
}

#[test]
fn nothing_that_is_cut_is_read() {
    let bytes = watch().bytes();
    for end in 0..bytes.len() {
        assert_eq!(Rule::parse(&bytes[..end]), None, "{end} of {} bytes", bytes.len());
    }
}

#[test]
fn counts_and_lengths_that_lie() {
    let bytes = watch().bytes();
    let with = |word: usize, value: u32| {
        let mut bytes = bytes.clone();
        bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_ne_bytes());
        Rule::parse(&bytes)
    };
    const COUNT: usize = 2;
    const VALUES: usize = 3 + 64 + 64;
    const LENGTH: usize = 3 + 64 + 3 * 64;
    for lie in [65, 1 << 16, 1 << 31, u32::MAX] {
        assert_eq!(with(COUNT, lie), None, "{lie} fields");
        assert_eq!(with(VALUES, lie), None, "a path of {lie} bytes");
        assert_eq!(with(VALUES + 2, lie), None, "a key of {lie} bytes");
        assert_eq!(with(LENGTH, lie), None, "{lie} bytes of text");
    }
    // One byte too long for what is left.
    assert_eq!(with(VALUES + 2, 8), None);
    assert_eq!(with(LENGTH, 17), None);
    assert!(with(LENGTH, 18).is_some() && with(COUNT, 64).is_some());
}

#[test]
fn noise_is_read_or_not_but_never_more() {
    let mut random = fastrand::Rng::with_seed(13);
    let bytes = watch().bytes();
    let mut read = 0;
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..damaged.len());
            damaged[at] = random.u8(..);
        }
        damaged.truncate(random.usize(bytes.len() - 20..=bytes.len()));
        if let Some(rule) = Rule::parse(&damaged) {
            read += 1;
            let line = rule.to_string();
            assert!(line.len() < 64 * 1024 && !line.contains(char::is_control), "{line:?}");
            let texts: usize =
                rule.fields.iter().filter_map(|f| f.text.as_ref()).map(|t| t.chars().count()).sum();
            assert!(texts <= 18, "{rule:?}");
        }
    }
    assert!(read > 0);
}

#[test]
fn a_terminal_obeys_nothing_of_it() {
    let fields = vec![text(field::KEY, "k\u{1b}[2J\n\u{9b}"), text(field::EXE, "/a\nb\u{1}c")];
    let line = Made { fields, ..Made::default() }.rule().to_string();
    assert!(!line.contains(char::is_control), "{line:?}");
}
