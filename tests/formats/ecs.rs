//! Output `ecs` against the fields that the Elastic Common Schema publishes.

use crate::common::each_event;
use crate::line;
use mote::format::Format;
use mote::format::ecs::VERSION;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const PUBLISHED: &str = include_str!("../fixtures/schemas/ecs-8.11.0.txt");

/// What else there is: everything below `mote`, and these.
const OTHERS: &[(&str, &str)] = &[
    // Where Elastic's endpoint and auditbeat have them.
    ("file.Ext.original.path", "keyword"),
    ("user.audit.id", "keyword"),
    ("auditd.session", "keyword"),
    // 8.11's `schemas/group.yml` puts it there; the list of fields has it from 8.16 on.
    ("process.group.id", "keyword"),
];

/// Every field with its value; an array is one.
pub fn flatten(value: &Value, name: &str, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            let joined = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            flatten(value, &joined, into);
        }),
        _ => {
            into.insert(name.to_owned(), value.clone());
        }
    }
}

/// The fields of a line of JSON.
pub fn fields(line: &str) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    flatten(&serde_json::from_str(line).unwrap(), "", &mut fields);
    fields
}

/// Whether a value is as its type says.
fn is_of(kind: &str, value: &Value) -> bool {
    match kind.strip_suffix("[]") {
        Some(kind) => {
            value.as_array().is_some_and(|items| items.iter().all(|item| is_of(kind, item)))
        }
        None => match kind {
            "long" => value.is_i64() || value.is_u64(),
            "keyword" | "wildcard" => value.is_string(),
            "date" => value.as_str().is_some_and(is_date),
            "ip" => value.as_str().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
            other => panic!("type {other} is not in use"),
        },
    }
}

/// RFC 3339, to the nanosecond.
pub fn is_date(text: &str) -> bool {
    let pattern = "0000-00-00T00:00:00.000000000Z";
    text.len() == pattern.len()
        && text.chars().zip(pattern.chars()).all(|(c, p)| match p {
            '0' => c.is_ascii_digit(),
            other => c == other,
        })
}

#[test]
fn every_field_is_published_with_its_type() {
    assert!(PUBLISHED.lines().count() > 100);
    assert_eq!(VERSION, "8.11.0", "of the fixture");
    let published = PUBLISHED.lines().map(|line| line.split_once(' ').unwrap());
    let known: BTreeMap<&str, &str> = published.chain(OTHERS.iter().copied()).collect();
    let mut seen = BTreeSet::new();
    each_event(11, 100, |origin, event| {
        let line = line(Format::Ecs, origin, event).unwrap();
        for (name, value) in fields(&line) {
            if name.starts_with("mote.") {
                continue;
            }
            let kind = known.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in ECS"));
            assert!(is_of(kind, &value), "{name}, {kind}: {value}");
            seen.insert(name);
        }
    });
    for (name, _) in OTHERS {
        assert!(seen.contains(*name), "{name} is written no more");
    }
    assert!(seen.len() > 50, "{}", seen.len());
}
