//! Where in a file a value is.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::file::position;

/// A value's place: [`Display`](fmt::Display) writes the way to it, such as
/// `exclusionSettings.exclusions[3].path`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    steps: Vec<Step>,
    /// Line and column of the value, from 1, the column in bytes, once they were looked up.
    position: Option<(usize, usize)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Place {
    /// Of a value in the object that is here.
    pub(super) fn key(&self, key: &str) -> Place {
        self.step(Step::Key(key.to_owned()))
    }

    /// Of a value in the list that is here.
    pub(super) fn index(&self, index: usize) -> Place {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Place {
        Place { steps: self.steps.iter().cloned().chain([step]).collect(), position: None }
    }

    /// Looks its position up in the text, which is read anew for that: done for what is told,
    /// and not for every value.
    pub(super) fn locate(&mut self, text: &str) {
        self.position = self.offset(text).map(|offset| position(text.as_bytes(), offset));
    }

    /// Its position, to follow what is said of it; nothing if it was not looked up.
    pub(super) fn position(&self) -> String {
        let words = |(line, column)| format!(", at line {line} column {column}");
        self.position.map_or(String::new(), words)
    }

    fn offset(&self, text: &str) -> Option<usize> {
        let mut value: &RawValue = serde_json::from_str(text).ok()?;
        for step in &self.steps {
            let inner = value.get();
            value = match step {
                Step::Key(key) => {
                    serde_json::from_str::<BTreeMap<String, &RawValue>>(inner).ok()?.remove(key)?
                }
                Step::Index(index) => {
                    serde_json::from_str::<Vec<&RawValue>>(inner).ok()?.get(*index).copied()?
                }
            };
        }
        // A raw value is a part of the text.
        (value.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str("the whole file")?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                // It is said on terminals and in logs.
                Step::Key(key) if at == 0 => write!(f, "{}", key.escape_debug())?,
                Step::Key(key) => write!(f, ".{}", key.escape_debug())?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
