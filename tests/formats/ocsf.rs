//! Output `ocsf` against the classes and objects that the schema publishes.

use crate::common::each_event;
use crate::ecs::is_date;
use crate::line;
use mote::format::Format;
use mote::format::ocsf::VERSION;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const PUBLISHED: &str = include_str!("../fixtures/schemas/ocsf-1.7.0.txt");

/// An attribute of a class or an object.
struct Attribute {
    kind: String,
    requirement: String,
    /// Empty: any number.
    numbers: BTreeSet<u64>,
}

/// A class or an object.
#[derive(Default)]
struct Shape {
    attributes: BTreeMap<String, Attribute>,
    at_least_one: Vec<String>,
}

/// Shapes by `class 1007` and `object process`.
fn published() -> BTreeMap<String, Shape> {
    let mut shapes = BTreeMap::new();
    let mut name = String::new();
    for line in PUBLISHED.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["class" | "object", of, ..] => {
                name = format!("{} {of}", words[0]);
                shapes.insert(name.clone(), Shape::default());
            }
            ["at_least_one", ..] => {
                let shape = shapes.get_mut(&name).unwrap();
                shape.at_least_one = words[1..].iter().map(|word| word.to_string()).collect();
            }
            [attribute, kind, requirement, ..] => {
                let numbers = words.get(3).map(|list| list.split(','));
                let numbers = numbers.into_iter().flatten().map(|n| n.parse().unwrap()).collect();
                let (kind, requirement) = (kind.to_string(), requirement.to_string());
                let attribute = (attribute.to_string(), Attribute { kind, requirement, numbers });
                shapes.get_mut(&name).unwrap().attributes.extend([attribute]);
            }
            _ => panic!("{line}"),
        }
    }
    shapes
}

fn check(shapes: &BTreeMap<String, Shape>, of: &str, object: &Map<String, Value>) {
    let shape = shapes.get(of).unwrap_or_else(|| panic!("no {of}"));
    for (name, value) in object {
        let Some(attribute) = shape.attributes.get(name) else { panic!("{of} has no {name}") };
        assert_ne!(attribute.requirement, "deprecated", "{of}: {name}");
        check_value(shapes, &format!("{of}: {name}"), attribute, &attribute.kind, value);
    }
    for (name, attribute) in &shape.attributes {
        let is_there = attribute.requirement != "required" || object.contains_key(name);
        assert!(is_there, "{of} without {name}: {object:?}");
    }
    let one = &shape.at_least_one;
    assert!(one.is_empty() || one.iter().any(|name| object.contains_key(name)), "{of}: {object:?}");
}

fn check_value(
    shapes: &BTreeMap<String, Shape>,
    place: &str,
    attribute: &Attribute,
    kind: &str,
    value: &Value,
) {
    if let Some(kind) = kind.strip_suffix("[]") {
        let items = value.as_array().unwrap_or_else(|| panic!("{place}: {value}"));
        items.iter().for_each(|item| check_value(shapes, place, attribute, kind, item));
        return;
    }
    let is_text = |is: &dyn Fn(&str) -> bool| value.as_str().is_some_and(is);
    let fits = match kind {
        "integer_t" | "long_t" => {
            let numbers = &attribute.numbers;
            let is_one = value.as_u64().is_some_and(|number| numbers.contains(&number));
            (value.is_i64() || value.is_u64()) && (numbers.is_empty() || is_one)
        }
        "port_t" => value.as_u64().is_some_and(|port| port <= 65535),
        // Milliseconds of the years that 64 bits of nanoseconds can have.
        "timestamp_t" => value.as_i64().is_some_and(|ms| ms.abs() < 18_446_744_073_710),
        "datetime_t" => is_text(&is_date),
        "ip_t" => is_text(&|ip| ip.parse::<std::net::IpAddr>().is_ok()),
        "string_t" | "hostname_t" | "file_name_t" | "file_path_t" | "process_name_t" => {
            value.is_string()
        }
        // Of our own.
        "object" => value.is_object(),
        _ => match kind.strip_prefix("object:") {
            Some(object) => {
                let fields = value.as_object().unwrap_or_else(|| panic!("{place}: {value}"));
                return check(shapes, &format!("object {object}"), fields);
            }
            None => panic!("type {kind} is not in use"),
        },
    };
    assert!(fits, "{place}, {kind}: {value}");
}

#[test]
fn every_attribute_is_published_and_none_is_missing() {
    let shapes = published();
    assert_eq!(VERSION, "1.7.0", "of the fixture");
    let mut classes = BTreeSet::new();
    each_event(13, 100, |origin, event| {
        let line = line(Format::Ocsf, origin, event).unwrap();
        let document: Value = serde_json::from_str(&line).unwrap();
        let number = |name: &str| document[name].as_u64().unwrap();
        let class = number("class_uid");
        check(&shapes, &format!("class {class}"), document.as_object().unwrap());
        assert_eq!(number("category_uid"), class / 1000);
        assert_eq!(number("type_uid"), class * 100 + number("activity_id"));
        assert_eq!(document["metadata"]["event_code"], event.action.name());
        if number("activity_id") == 99 {
            assert_eq!(document["activity_name"], event.action.name());
        }
        classes.insert(class);
    });
    let known = shapes.keys().filter_map(|name| name.strip_prefix("class ")?.parse().ok());
    assert_eq!(classes, known.collect(), "the fixture has those in use");
}

/// The validator takes attributes of other profiles for unknown.
#[test]
fn a_check_that_must_fail_does() {
    let shapes = published();
    let fails = |of: &str, json: &str| {
        let Value::Object(object) = serde_json::from_str(json).unwrap() else { panic!("{json}") };
        std::panic::catch_unwind(|| check(&shapes, of, &object)).is_err()
    };
    assert!(!fails("object user", r#"{"uid":"0"}"#));
    assert!(fails("object user", r#"{"type_id":1}"#), "neither name nor uid");
    assert!(fails("object user", r#"{"uid":0}"#), "a number");
    assert!(fails("object user", r#"{"uid":"0","gid":"0"}"#), "an unknown attribute");
    assert!(fails("object user", r#"{"uid":"0","type_id":5}"#), "not in the enum");
    assert!(fails("object file", r#"{"name":"x"}"#), "without type_id");
    assert!(fails("object process", r#"{"pid":1,"tid":1}"#), "deprecated");
}
