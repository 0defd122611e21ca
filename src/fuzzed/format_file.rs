//! The format files of tracepoints.

use crate::source::ebpf::formats::is_usual;
use crate::source::ebpf::tracefs::Format;
use std::fmt::Write;

/// See [`fuzzed`](super).
pub fn check(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some(format) = Format::parse(&text) else { return false };
    let mut again = format!("name: x\nID: {}\nformat:\n", format.id);
    for (name, field) in format.fields() {
        let first = format.field(name).expect("it is there");
        assert!(format.fields().any(|(own, of_name)| own == name && of_name == first));
        assert!(!name.contains([' ', '*', ';', '[', '\n']), "{name:?}");
        let behind = format.field_after(field.offset_bytes);
        assert!(behind.is_none_or(|behind| behind.offset_bytes > field.offset_bytes));
        let (offset, size) = (field.offset_bytes, field.size_bytes);
        writeln!(again, "\tfield:int *{name}[1];\toffset:{offset};\tsize:{size};\tsigned:0;")
            .unwrap();
    }
    assert_eq!(Format::parse(&again).as_ref(), Some(&format), "what was read is written the same");
    is_usual(&format);
    format.fields().next().is_some()
}
