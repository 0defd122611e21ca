//! The tables and examples of `docs/formats.md` against the program.
//!
//! `WRITE_GOLDEN=1 cargo test --test formats` writes the table of actions and the examples anew.

use crate::common::each_event;
use crate::ecs::fields;
use crate::{line, readers};
use mote::command::decode::decoder::Decoder;
use mote::event::Action;
use mote::format::Format;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/formats.md");

/// A row of the table of fields: what each format calls it.
pub struct Row {
    pub ecs: Option<String>,
    pub ocsf: Vec<String>,
    pub cef: Vec<String>,
    pub text: Vec<String>,
    pub sysmon: Vec<String>,
}

/// The cells of the table below a heading.
fn cells(document: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = document.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let rows = rest.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
    let inner = |mut cells: Vec<String>| cells.drain(1..cells.len() - 1).collect();
    rows.map(cells).map(inner).collect()
}

/// The names between `` ` ``; `[a.]b` is both `b` and `a.b`.
fn names(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let all = quoted.flat_map(|name| match name.strip_prefix('[') {
        Some(name) => {
            let (before, rest) = name.split_once(']').unwrap();
            vec![rest.to_owned(), format!("{before}{rest}")]
        }
        None => vec![name.to_owned()],
    });
    all.collect()
}

/// The table of fields.
pub fn rows() -> Vec<Row> {
    let document = std::fs::read_to_string(FILE).unwrap();
    let rows = cells(&document, "## Fields").into_iter().map(|cells| {
        let [ecs, ocsf, cef, text, sysmon] = cells.try_into().expect("five cells");
        let [ocsf, cef, text, sysmon] = [ocsf, cef, text, sysmon].map(|cell| names(&cell));
        Row { ecs: names(&ecs).pop(), ocsf, cef, text, sysmon }
    });
    rows.collect()
}

/// Lists what one format writes and the table does not have, or the other way round.
fn compare(format: &str, listed: Vec<String>, written: &BTreeSet<String>) {
    let listed: BTreeSet<String> = listed.into_iter().collect();
    let unlisted: Vec<_> = written.difference(&listed).collect();
    let unwritten: Vec<_> = listed.difference(written).collect();
    assert!(
        unlisted.is_empty() && unwritten.is_empty(),
        "{format}: not in the table: {unlisted:?}; not written: {unwritten:?}"
    );
}

#[test]
fn the_table_has_every_field_and_no_other() {
    let mut written: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    each_event(17, 300, |origin, event| {
        let mut add = |format, names: &mut dyn Iterator<Item = String>| {
            written.entry(format).or_default().extend(names);
        };
        let text = |format| line(format, origin, event);
        add("ecs", &mut fields(&text(Format::Ecs).unwrap()).into_keys());
        add("ocsf", &mut fields(&text(Format::Ocsf).unwrap()).into_keys());
        let (_, pairs) = readers::cef(&text(Format::Cef).unwrap());
        for key in pairs.keys() {
            if let Some(labelled) = key.strip_suffix("Label") {
                assert!(pairs.contains_key(labelled), "{key} without its value");
            }
        }
        add("cef", &mut pairs.into_keys().filter(|key| !key.ends_with("Label")));
        let fields = readers::text(&text(Format::Text).unwrap());
        let keys: BTreeSet<_> = fields.iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(keys.len(), fields.len(), "a key twice: {fields:?}");
        add("text", &mut keys.into_iter());
        if let Some(text) = text(Format::Sysmon) {
            let event = readers::xml(&text);
            let data = event.child("EventData").children.iter();
            add("sysmon", &mut data.map(|data| data.attributes[0].1.clone()));
        }
    });
    let rows = rows();
    let listed = |name: fn(&Row) -> &[String]| rows.iter().flat_map(name).cloned().collect();
    compare("ecs", rows.iter().filter_map(|row| row.ecs.clone()).collect(), &written["ecs"]);
    compare("ocsf", listed(|row| &row.ocsf), &written["ocsf"]);
    compare("cef", listed(|row| &row.cef), &written["cef"]);
    compare("text", listed(|row| &row.text), &written["text"]);
    compare("sysmon", listed(|row| &row.sysmon), &written["sysmon"]);
}

/// One key never means two things.
#[test]
fn a_key_of_text_stands_in_one_row() {
    let mut seen = BTreeSet::new();
    for key in rows().iter().flat_map(|row| &row.text) {
        assert!(seen.insert(key.clone()), "{key}");
    }
}

/// What is told of an action, over many events of it.
#[derive(Default)]
struct Told {
    category: BTreeSet<String>,
    types: BTreeSet<String>,
    ocsf: BTreeSet<(u64, u64, String)>,
    cef: BTreeSet<(String, String)>,
    sysmon: BTreeSet<String>,
}

fn told() -> BTreeMap<Number, Told> {
    let mut all: BTreeMap<Number, Told> = BTreeMap::new();
    each_event(19, 250, |origin, event| {
        let told = all.entry(Number(event.action as u8)).or_default();
        let text = |format| line(format, origin, event);
        let ecs: Value = serde_json::from_str(&text(Format::Ecs).unwrap()).unwrap();
        let strings = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
        };
        told.category.extend(strings(&ecs["event"]["category"]));
        told.types.extend(strings(&ecs["event"]["type"]));
        let ocsf: Value = serde_json::from_str(&text(Format::Ocsf).unwrap()).unwrap();
        let number = |name: &str| ocsf[name].as_u64().unwrap();
        let name = ocsf["activity_name"].as_str().unwrap();
        let name = if number("activity_id") == 99 { "Other" } else { name }.to_owned();
        told.ocsf.insert((number("class_uid"), number("activity_id"), name));
        let ([version, vendor, product, _, id, name, severity], _) =
            readers::cef(&text(Format::Cef).unwrap());
        assert_eq!([&version, &vendor, &product], ["CEF:0", "mote", "mote"]);
        assert_eq!(id, event.action.name());
        told.cef.insert((name, severity));
        if let Some(text) = text(Format::Sysmon) {
            told.sysmon.insert(readers::xml(&text).child("System").child("EventID").text.clone());
        }
    });
    all
}

/// Of an action: it sorts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Number(u8);

const HEAD: &str = "| Action | ECS category | ECS type | OCSF class/activity | CEF name | CEF severity | Sysmon |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n";

fn action_table() -> String {
    let mut table = HEAD.to_owned();
    let told = told();
    for action in Action::ALL {
        let Told { category, types, ocsf, cef, sysmon } = &told[&Number(action as u8)];
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let ocsf = ocsf.iter().map(|(class, activity, name)| format!("{class}/{activity} {name}"));
        let ocsf = ocsf.collect::<Vec<_>>().join(", ");
        let [(name, severity)] = &cef.iter().collect::<Vec<_>>()[..] else { panic!("{action:?}") };
        let (action, category, types, sysmon) =
            (action.name(), list(category), list(types), list(sysmon));
        table += &format!(
            "| {action} | {category} | {types} | {ocsf} | {name} | {severity} | {sysmon} |\n"
        );
    }
    table
}

/// The vector's exec in every format.
fn examples() -> Vec<(&'static str, String)> {
    let vector = include_bytes!("../record/vector.line");
    let formats = Format::NAMES.iter().filter(|(name, _)| *name != "json");
    let examples = formats.map(|(name, format)| {
        let mut out = Vec::new();
        let mut decoder = Decoder::writing(*format);
        decoder.line(vector, &mut out, &mut |error| panic!("{error}")).unwrap();
        let lines = String::from_utf8(out).unwrap();
        (*name, format!("```{name}\n{}\n```\n", lines.lines().next().unwrap()))
    });
    examples.collect()
}

/// Compares a part of the page, or writes it.
fn agree(begin: &str, end: &str, expected: &str) {
    let page = std::fs::read_to_string(FILE).unwrap();
    let from = page.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    let to = from + page[from..].find(end).unwrap() + end.len();
    if page[from..to] != *expected && std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(FILE, [&page[..from], expected, &page[to..]].concat()).unwrap();
        return;
    }
    assert_eq!(&page[from..to], expected, "WRITE_GOLDEN=1 cargo test --test formats");
}

/// In one test: they write the same file.
#[test]
fn the_table_of_actions_and_the_examples_are_as_the_program_has_them() {
    agree(HEAD, "|\n\n", &(action_table() + "\n"));
    for (name, example) in examples() {
        agree(&format!("```{name}\n"), "\n```\n", &example);
    }
}
