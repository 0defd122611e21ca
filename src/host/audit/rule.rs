//! A rule of the kernel's audit.

use super::names::{Operator, field, filter};
use super::wire::word;

/// System calls that a rule can have: `AUDIT_BITMASK_SIZE` words of 32 bits.
pub const MASK_WORDS: usize = 64;
/// `AUDIT_MAX_FIELDS`.
const FIELDS: usize = 64;
/// What is before the text of a `struct audit_rule_data`: flags, action and field count, the
/// mask, three tables, the length of the text.
const FIXED_BYTES: usize = 4 * (3 + MASK_WORDS + 3 * FIELDS + 1);
/// Between the keys of a rule that has several (audit `lib/libaudit.h`, `AUDIT_KEY_SEPARATOR`).
const KEY_SEPARATOR: u8 = 1;

/// `struct audit_rule_data` (linux `include/uapi/linux/audit.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The list that it is in.
    pub filter: u32,
    /// What becomes of what fits it.
    pub action: u32,
    /// The system calls that it is about, a bit for each.
    pub mask: [u32; MASK_WORDS],
    /// What has to be so.
    pub fields: Vec<Field>,
}

/// A condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What is compared.
    pub kind: u32,
    /// How. `None`: in a way that is not known.
    pub operator: Option<Operator>,
    /// With what: a number, or the length of the text.
    pub value: u32,
    /// The text, of fields that have one.
    pub text: Option<String>,
}

impl Rule {
    /// Reads one. `None`: it is not as the kernel's headers say.
    pub fn parse(bytes: &[u8]) -> Option<Rule> {
        let at = |index: usize| word(bytes, 4 * index);
        let [mask_at, fields_at, values_at, operators_at, length_at] = [
            3,
            3 + MASK_WORDS,
            3 + MASK_WORDS + FIELDS,
            3 + MASK_WORDS + 2 * FIELDS,
            FIXED_BYTES / 4 - 1,
        ];
        let mut mask = [0; MASK_WORDS];
        for (index, own) in mask.iter_mut().enumerate() {
            *own = at(mask_at + index)?;
        }
        let count = at(2)? as usize;
        if count > FIELDS {
            return None;
        }
        let mut text = bytes.get(FIXED_BYTES..)?.get(..at(length_at)? as usize)?;
        let mut fields = Vec::with_capacity(count);
        for index in 0..count {
            let kind = at(fields_at + index)?;
            let value = at(values_at + index)?;
            // The texts of all fields that have one stand one after another.
            let own = if field::has_text(kind) {
                let (own, rest) = text.split_at_checked(value as usize)?;
                text = rest;
                Some(printable(kind, own))
            } else {
                None
            };
            let operator = Operator::of(at(operators_at + index)?);
            fields.push(Field { kind, operator, value, text: own });
        }
        Some(Rule { filter: at(0)?, action: at(1)?, mask, fields })
    }

    /// Whether it is about system calls, or operations of io_uring.
    pub fn has_calls(&self) -> bool {
        ![filter::USER, filter::TASK, filter::EXCLUDE, filter::FILESYSTEM].contains(&self.filter)
    }

    /// Whether it is about all of them. The last word is not looked at, as by auditctl, since
    /// the kernel keeps classes of calls there (`AUDIT_SYSCALL_CLASSES`).
    pub fn has_all_calls(&self) -> bool {
        self.mask[..MASK_WORDS - 1].iter().all(|word| *word == u32::MAX)
    }

    /// Whether `auditctl -w` makes such rules: nothing but a path, permissions and keys.
    pub fn is_watch(&self) -> bool {
        let allowed = [field::PERM, field::KEY, field::DIR, field::PATH];
        self.fields.iter().all(|field| allowed.contains(&field.kind))
            && self.fields.iter().any(|field| field.kind == field::PERM)
            && (!self.has_calls() || self.has_all_calls())
    }
}

/// Text of a rule, with nothing in it that a terminal would obey, but for what stands between
/// keys: that is never printed.
fn printable(kind: u32, bytes: &[u8]) -> String {
    let is_between = |c: char| kind == field::KEY && c == char::from(KEY_SEPARATOR);
    let shown = |c: char| match c {
        c if c.is_control() && !is_between(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    String::from_utf8_lossy(bytes).chars().map(shown).collect()
}

/// The keys in the text of a field of keys.
pub fn split_keys(text: &str) -> impl Iterator<Item = &str> {
    text.split(char::from(KEY_SEPARATOR)).filter(|key| !key.is_empty())
}
