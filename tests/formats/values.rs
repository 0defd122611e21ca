//! Every format tells the same: what the Elastic Common Schema's document has is in the others, by
//! the table of fields, with the same value.

use crate::common::each_event;
use crate::ecs::fields;
use crate::tables::{Row, rows};
use crate::{line, readers};
use mote::format::Format;
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields of a document, and the bytes of those that are not UTF-8.
struct Told {
    fields: BTreeMap<String, Value>,
}

impl Told {
    fn of(line: &str) -> Told {
        Told { fields: fields(line) }
    }

    /// A value as text.
    fn text(&self, name: &str) -> String {
        plain(&self.fields[name])
    }

    /// A value's exact bytes; of an address that begins with NUL too.
    fn bytes(&self, name: &str) -> Vec<u8> {
        match self.fields.get(&format!("mote.bytes.{name}")) {
            Some(hex) => unhex(hex.as_str().unwrap()),
            None => self.text(name).into_bytes(),
        }
    }

    /// Exact bytes of each item of a list.
    fn items(&self, name: &str) -> Vec<Vec<u8>> {
        match self.fields.get(&format!("mote.bytes.{name}")) {
            Some(items) => {
                items.as_array().unwrap().iter().map(|hex| unhex(hex.as_str().unwrap())).collect()
            }
            None => self.fields[name]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item.as_str().unwrap().as_bytes().to_vec())
                .collect(),
        }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// A string, a number or a truth as text; a list with commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Whether a format leaves the field out for another one of the event.
fn is_told_otherwise(told: &Told, name: &str) -> bool {
    match name {
        "mote.syscall" => told.fields.contains_key("mote.syscall_name"),
        "source.address" | "destination.address" | "server.address" => {
            told.fields.contains_key(&name.replace("address", "ip"))
        }
        _ => false,
    }
}

/// Milliseconds of an RFC 3339 time with nine digits of a second.
fn milliseconds(time: &str) -> i64 {
    use time::{Date, Month, Time};
    let number = |range: std::ops::Range<usize>| time[range].parse::<u32>().unwrap();
    let month = Month::try_from(number(5..7) as u8).unwrap();
    let date = Date::from_calendar_date(number(0..4) as i32, month, number(8..10) as u8).unwrap();
    let at = [11..13, 14..16, 17..19].map(|range| number(range) as u8);
    let time = Time::from_hms_nano(at[0], at[1], at[2], number(20..29)).unwrap();
    let nanoseconds = date.with_time(time).assume_utc().unix_timestamp_nanos();
    i64::try_from(nanoseconds.div_euclid(1_000_000)).unwrap()
}

#[test]
fn text_has_every_field_to_the_byte() {
    let rows = rows();
    each_event(23, 100, |origin, event| {
        let told = Told::of(&line(Format::Ecs, origin, event).unwrap());
        let text = line(Format::Text, origin, event).unwrap();
        let read: BTreeMap<_, _> = readers::text(&text).into_iter().collect();
        assert_eq!(text.find("time="), Some(0));
        for Row { ecs, text: keys, .. } in &rows {
            let (Some(name), [key]) = (ecs, &keys[..]) else { continue };
            if !told.fields.contains_key(name) || is_told_otherwise(&told, name) {
                assert_eq!(read.get(key), None, "{key}");
                continue;
            }
            let items = &read[key];
            match &told.fields[name] {
                Value::Array(_) => assert_eq!(*items, told.items(name), "{key}: {text}"),
                _ => assert_eq!(*items, [told.bytes(name)], "{key}: {text}"),
            }
        }
    });
}

/// What CEF shows of bytes.
fn shown(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).into_owned();
    let is_kept = |c: char| match c {
        '\n' | '\r' => true,
        '\u{2028}' | '\u{2029}' => false,
        other => !other.is_control(),
    };
    text.chars().map(|c| if is_kept(c) { c } else { '\u{fffd}' }).collect()
}

#[test]
fn cef_has_every_field_and_the_bytes_that_it_cannot_write() {
    let rows = rows();
    each_event(29, 100, |origin, event| {
        let told = Told::of(&line(Format::Ecs, origin, event).unwrap());
        let text = line(Format::Cef, origin, event).unwrap();
        let (_, read) = readers::cef(&text);
        let exact: BTreeMap<&str, Vec<u8>> = read
            .get("moteExactBytes")
            .into_iter()
            .flat_map(|list| list.split(','))
            .map(|pair| pair.split_once(':').map(|(name, hex)| (name, unhex(hex))).unwrap())
            .collect();
        for Row { ecs, cef: keys, .. } in &rows {
            let Some(name) = ecs.as_ref().filter(|name| told.fields.contains_key(*name)) else {
                continue;
            };
            // Those of bytes are looked at below.
            let is_bytes = name.starts_with("mote.bytes.");
            if keys.is_empty() || is_bytes || is_told_otherwise(&told, name) {
                continue;
            }
            let values: Vec<&String> = keys.iter().filter_map(|key| read.get(key)).collect();
            let expected = match name.as_str() {
                "@timestamp" | "process.start" | "file.mtime" | "mote.new_time" => {
                    milliseconds(&told.text(name)).to_string()
                }
                "network.direction" => u8::from(told.text(name) == "egress").to_string(),
                "process.command_line" => {
                    let items = told.items("process.args");
                    items.iter().map(|item| shown(item)).collect::<Vec<_>>().join(" ")
                }
                name if name.ends_with(".address") => shown(told.text(name).as_bytes()),
                name => match &told.fields[name] {
                    Value::String(_) => shown(&told.bytes(name)),
                    Value::Array(_) => {
                        let items = told.items(name);
                        items.iter().map(|item| shown(item)).collect::<Vec<_>>().join(",")
                    }
                    other => plain(other),
                },
            };
            let is_there = values.iter().any(|value| **value == expected);
            assert!(is_there, "{name}: {expected:?} is not among {values:?}: {text}");
            // Exact where, and only where, what is shown is not it.
            if matches!(told.fields[name], Value::String(_)) && !is_made(name) {
                let bytes = told.bytes(name);
                let is_shown = shown(&bytes).as_bytes() == bytes && !bytes.starts_with(b"\0");
                assert_eq!(exact.get(name.as_str()), (!is_shown).then_some(&bytes), "{name}");
            }
        }
    });
}

/// Whether a field's text is made of others, and has no bytes of its own.
fn is_made(name: &str) -> bool {
    matches!(name, "process.command_line" | "process.name" | "process.parent.name")
}

/// What OCSF has for a value.
fn in_ocsf(name: &str, value: &Value) -> Value {
    let text = value.as_str().unwrap_or_default();
    let number = |number: u32| Value::from(number);
    match name {
        "event.outcome" => number(match text {
            "success" => 1,
            "failure" => 2,
            _ => 0,
        }),
        "network.direction" => number(if text == "egress" { 2 } else { 1 }),
        "network.type" => match text {
            "ipv4" => number(4),
            "ipv6" => number(6),
            _ => value.clone(),
        },
        "file.type" => number(match text {
            "file" => 1,
            "character_device" => 3,
            "block_device" => 4,
            "socket" => 5,
            _ => 6,
        }),
        // A number there.
        "user.audit.id" => number(text.parse().unwrap()),
        _ => value.clone(),
    }
}

#[test]
fn ocsf_has_every_field() {
    let rows = rows();
    each_event(31, 100, |origin, event| {
        let told = Told::of(&line(Format::Ecs, origin, event).unwrap());
        let text = line(Format::Ocsf, origin, event).unwrap();
        let read = fields(&text);
        for Row { ecs, ocsf: attributes, .. } in &rows {
            let Some(name) = ecs.as_ref().filter(|name| told.fields.contains_key(*name)) else {
                continue;
            };
            // It is a part of the path, of which the schema wants a process's number beside it.
            let is_derived = name == "process.parent.name";
            let is_left_out = is_derived && !told.fields.contains_key("process.parent.pid");
            // A process that did nothing, as of a resume, is not told of.
            let of_process = ["container.", "user.", "auditd."];
            let is_of_none = of_process.iter().any(|of| name.starts_with(of))
                && !told.fields.contains_key("process.pid");
            if attributes.is_empty() || is_left_out || is_of_none {
                continue;
            }
            let expected = in_ocsf(name, &told.fields[name]);
            let values: Vec<&Value> = attributes.iter().filter_map(|key| read.get(key)).collect();
            assert!(values.contains(&&expected), "{name}: {expected} not in {values:?}: {text}");
        }
    });
}

/// As XML and its reader have it.
fn in_xml(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        '\t' | '\n' | '\r' => c,
        '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        other => other,
    });
    shown.collect()
}

#[test]
fn sysmon_has_the_same_values() {
    let rows = rows();
    let mut compared = 0;
    each_event(37, 100, |origin, event| {
        let told = Told::of(&line(Format::Ecs, origin, event).unwrap());
        let Some(text) = line(Format::Sysmon, origin, event) else { return };
        let read = readers::xml(&text);
        let system = read.child("System");
        assert_eq!(system.child("Computer").text, in_xml(&told.text("host.hostname")));
        assert_eq!(system.child("EventRecordID").text, told.text("event.sequence"));
        assert_eq!(system.child("TimeCreated").attributes[0].1, told.text("@timestamp"));
        let data = &read.child("EventData").children;
        let data: BTreeMap<&str, &str> =
            data.iter().map(|data| (data.attributes[0].1.as_str(), data.text.as_str())).collect();
        for Row { ecs, sysmon: keys, .. } in &rows {
            let Some(name) = ecs else { continue };
            for (key, value) in keys.iter().filter_map(|key| data.get_key_value(key.as_str())) {
                let expected = match told.fields.get(name) {
                    None if *key == "Description" => continue,
                    // A number cannot be unknown.
                    None if ["TerminalSessionId"].contains(key) => "4294967295".to_owned(),
                    None if key.ends_with("Port") || key.ends_with("Id") => "0".to_owned(),
                    None if *key == "BpfProgramType" => "UNKNOWN".to_owned(),
                    None if key.to_ascii_lowercase().ends_with("guid") => {
                        "{00000000-0000-0000-0000-000000000000}".to_owned()
                    }
                    None => "-".to_owned(),
                    Some(value) => match (name.as_str(), *key) {
                        ("@timestamp", _) => plain(value)[..23].replace('T', " "),
                        (
                            "mote.lost.count" | "mote.lost.ring" | "mote.lost.cpu"
                            | "mote.lost.receiver",
                            _,
                        ) => {
                            assert!(value_of(data["Description"], &plain(value)), "{text}");
                            continue;
                        }
                        (_, guid) if guid.to_ascii_lowercase().ends_with("guid") => {
                            guid_of(&plain(value))
                        }
                        ("network.direction", _) => (plain(value) == "egress").to_string(),
                        _ => match in_xml(&plain(value)).as_str() {
                            "" => "-".to_owned(),
                            text => text.to_owned(),
                        },
                    },
                };
                assert_eq!(**value, expected, "{key} of {name}: {text}");
                compared += 1;
            }
        }
    });
    assert!(compared > 1000, "{compared}");
}

/// Whether a description has the value as a word.
fn value_of(description: &str, value: &str) -> bool {
    description.split([' ', ',', ':']).any(|word| word == value)
}

/// The GUID of a process with that id, by the document.
fn guid_of(entity_id: &str) -> String {
    let parts: Vec<&str> = entity_id.split('-').collect();
    let (boot, pid, start) = (parts[0], parts[1], parts[2]);
    let (pid, start): (u32, u64) = (pid.parse().unwrap(), start.parse().unwrap());
    let start = format!("{:012x}", start & 0xffff_ffff_ffff);
    let (boot, rest) = boot.split_at(8);
    format!("{{{boot}-{}-{}-{}-{}{pid:08x}}}", &start[..4], &start[4..8], &start[8..], &rest[..4])
}
