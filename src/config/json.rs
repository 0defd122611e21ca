//! JSON as a tree in which every value knows its place.
//!
//! Not derived shapes: serde's say neither the place of a wrong value nor what else could be
//! there, take an array for an object, and let a key that is there twice pass.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{ConfigError, Place};

/// A value, as far as a configuration needs it: no number means anything in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Boolean(bool),
    Number,
    String(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A wrong word is shown, and not a page of it.
        const SHOWN_BYTES: usize = 64;
        match self {
            Json::Null => f.write_str("null"),
            Json::Boolean(value) => value.fmt(f),
            Json::Number => f.write_str("a number"),
            Json::String(text) if text.len() <= SHOWN_BYTES => write!(f, "{text:?}"),
            Json::String(_) => f.write_str("a long string"),
            Json::List(_) => f.write_str("a list"),
            Json::Object(_) => f.write_str("an object"),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Json, D::Error> {
        from.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = from.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut object = BTreeMap::new();
        while let Some(key) = from.next_key::<String>()? {
            // Which one counts would be up to whoever reads it.
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            object.insert(key, from.next_value()?);
        }
        Ok(Json::Object(object))
    }
}

/// A value and its place.
pub(super) struct Node<'a> {
    pub json: &'a Json,
    pub place: Place,
}

impl<'a> Node<'a> {
    pub fn root(json: &'a Json) -> Node<'a> {
        Node { json, place: Place::default() }
    }

    /// The error that something else should be here.
    pub fn expected(&self, what: &str, remedy: impl Into<String>) -> ConfigError {
        self.wrong(format!("is {}, and {what} is expected", self.json), remedy)
    }

    /// An error whose subject is the place.
    pub fn wrong(&self, problem: impl Into<String>, remedy: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            place: self.place.clone(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    pub fn object(&self, example: &str) -> Result<Fields<'a>, ConfigError> {
        match self.json {
            Json::Object(object) => {
                let rest = object.iter().collect();
                Ok(Fields { rest, place: self.place.clone() })
            }
            _ => Err(self.expected("an object", format!("write it as {example}"))),
        }
    }

    pub fn list(&self, example: &str) -> Result<Vec<Node<'a>>, ConfigError> {
        let Json::List(list) = self.json else {
            return Err(self.expected("a list", format!("write it as {example}")));
        };
        let node = |(index, json)| Node { json, place: self.place.index(index) };
        Ok(list.iter().enumerate().map(node).collect())
    }

    pub fn string(&self) -> Result<&'a str, ConfigError> {
        match self.json {
            Json::String(text) => Ok(text),
            _ => Err(self.expected("a string", "write it in quotation marks")),
        }
    }

    pub fn boolean(&self) -> Result<bool, ConfigError> {
        match self.json {
            Json::Boolean(value) => Ok(*value),
            _ => Err(self.expected("true or false", "write true or false without quotation marks")),
        }
    }

    /// One of these words, and what it stands for.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, ConfigError> {
        let known = match self.json {
            Json::String(text) => words.iter().find(|(word, _)| word == text),
            _ => None,
        };
        known.map(|(_, value)| *value).ok_or_else(|| {
            let quoted: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            let list = quoted.join(" or ");
            self.expected(&list, format!("write {list}"))
        })
    }
}

/// The fields of an object that were not taken yet.
pub(super) struct Fields<'a> {
    rest: BTreeMap<&'a String, &'a Json>,
    place: Place,
}

impl<'a> Fields<'a> {
    pub fn take(&mut self, key: &str) -> Option<Node<'a>> {
        let (key, json) = self.rest.remove_entry(&key.to_owned())?;
        Some(Node { json, place: self.place.key(key) })
    }

    pub fn need(&mut self, key: &str) -> Result<Node<'a>, ConfigError> {
        self.take(key).ok_or_else(|| ConfigError::Value {
            place: self.place.clone(),
            problem: format!("has no {key:?}"),
            remedy: format!("add {key:?} to it"),
        })
    }

    /// The places of what nobody took.
    pub fn unused(&self) -> impl Iterator<Item = Place> {
        self.rest.keys().map(|key| self.place.key(key))
    }
}
