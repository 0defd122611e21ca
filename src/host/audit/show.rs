//! A rule as `auditctl -l` prints it (audit `src/auditctl-listing.c`, `print_rule`), so that the
//! line can be looked for, and taken away with `auditctl -d`.

use std::fmt::{self, Display, Formatter};

use super::names::{self, Machine, field, filter};
use super::record_types;
use super::rule::{Field, MASK_WORDS, Rule, split_keys};
use crate::syscalls::errno;

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let watch = self.is_watch();
        if !watch {
            f.write_str("-a ")?;
            named(f, names::action(self.action), self.action)?;
            f.write_str(",")?;
            named(f, filter::name(self.filter), self.filter)?;
            // Of a rule for no architecture; auditctl takes that of the last rule that had one.
            let mut machine = Some(Machine::HOST);
            for own in self.fields.iter().filter(|own| own.kind == field::ARCH) {
                machine = Machine::of(own.value);
                write!(f, " -F arch{}", own.symbol())?;
                match machine {
                    Some(machine) => f.write_str(machine.bits())?,
                    None => write!(f, "0x{:X}", own.value)?,
                }
            }
            self.calls(f, machine)?;
        }
        // The path of a watch begins the line. auditctl writes it where the rule has it, which is
        // no line that it would read if that is not the first place.
        let begins = |own: &&Field| watch && [field::PATH, field::DIR].contains(&own.kind);
        for own in self.fields.iter().filter(begins) {
            own.show(f, watch)?;
        }
        let follows = |own: &&Field| own.kind != field::ARCH && !begins(own);
        for own in self.fields.iter().filter(follows) {
            own.show(f, watch)?;
        }
        Ok(())
    }
}

impl Rule {
    fn calls(&self, f: &mut Formatter<'_>, machine: Option<Machine>) -> fmt::Result {
        if !self.has_calls() {
            return Ok(());
        }
        if self.has_all_calls() {
            return f.write_str(" -S all");
        }
        let is_set = |number: &u32| self.mask[(number / 32) as usize] & 1 << (number % 32) != 0;
        let mut before = " -S ";
        for number in (0..MASK_WORDS as u32 * 32).filter(is_set) {
            let name = match self.filter {
                filter::IO_URING => names::ring_operation(number),
                _ => machine.and_then(|machine| machine.call(number)),
            };
            f.write_str(before)?;
            named(f, name, number)?;
            before = ",";
        }
        Ok(())
    }
}

/// A name, or the number that has none.
fn named(f: &mut Formatter<'_>, name: Option<&str>, number: u32) -> fmt::Result {
    match name {
        Some(name) => f.write_str(name),
        None => write!(f, "{number}"),
    }
}

impl Field {
    fn symbol(&self) -> &'static str {
        self.operator.map_or("?", |operator| operator.symbol())
    }

    fn show(&self, f: &mut Formatter<'_>, watch: bool) -> fmt::Result {
        let (value, symbol) = (self.value, self.symbol());
        let text = self.text.as_deref().unwrap_or_default();
        let Some(name) = field::name(self.kind) else {
            return write!(f, " f{}{symbol}{}", self.kind, value.cast_signed());
        };
        match self.kind {
            field::PATH | field::DIR if watch => write!(f, "-w {text}"),
            field::KEY => {
                let option = if watch { "-k " } else { "-F key=" };
                split_keys(text).try_for_each(|key| write!(f, " {option}{key}"))
            }
            field::PERM => {
                f.write_str(if watch { " -p " } else { " -F perm=" })?;
                // AUDIT_PERM_READ, _WRITE, _EXEC, _ATTR.
                let letters = [(4, "r"), (2, "w"), (1, "x"), (8, "a")];
                let mut given = letters.iter().filter(|(bit, _)| value & bit != 0);
                given.try_for_each(|(_, letter)| f.write_str(letter))
            }
            field::COMPARE => match names::compared(value) {
                Some((one, other)) => write!(f, " -C {one}{symbol}{other}"),
                None => write!(f, " -F {name}{symbol}{value}"),
            },
            kind => {
                write!(f, " -F {name}{symbol}")?;
                match kind {
                    _ if self.text.is_some() => f.write_str(text),
                    field::TYPE => named(f, record_types::name(value), value),
                    field::FSTYPE => named(f, names::file_system(value), value),
                    field::INODE => write!(f, "{value}"),
                    field::ARG0..=field::ARG3 => write!(f, "0x{value:X}"),
                    field::EXIT => match value.cast_signed() {
                        code @ ..0 => match errno(code.unsigned_abs()) {
                            Some(name) => write!(f, "-{name}"),
                            None => write!(f, "{code}"),
                        },
                        code => write!(f, "{code}"),
                    },
                    _ => write!(f, "{}", value.cast_signed()),
                }
            }
        }
    }
}
