//! What docs/troubleshooting.md quotes is what the program says.

use crate::pages::{Kind, blocks, repository, text};
use std::fs::{read_dir, read_to_string};
use std::path::Path;

/// Shorter pieces between what differs are everywhere.
const PIECE_BYTES: usize = 8;
/// A span of so many words in the text is a message, if it is no command.
const WORDS: usize = 6;

/// Messages in blocks, and long ones in the text.
pub fn messages_are_the_programs() {
    let name = Path::new("docs/troubleshooting.md");
    let page = text(name);
    let said = strings(&repository().join("src"));
    let all = blocks(name, &page).unwrap_or_else(|error| panic!("{error}"));
    let in_blocks = all.into_iter().filter(|block| block.kind == Kind::Message);
    let in_blocks: Vec<String> = in_blocks.flat_map(|block| block.lines).collect();
    let in_text = crate::pages::spans(&page).into_iter();
    let in_text: Vec<String> =
        in_text.filter(|span| span.split(' ').count() >= WORDS && !is_command(span)).collect();
    for message in in_blocks.iter().chain(&in_text) {
        let pieces = pieces(message);
        assert!(!pieces.is_empty(), "nothing of \"{message}\" can be looked for");
        for piece in pieces {
            assert!(said.contains(piece), "mote does not say \"{piece}\" of \"{message}\"");
        }
    }
    println!("{} messages in blocks and {} in the text are mote's", in_blocks.len(), in_text.len());
    assert!(in_blocks.len() > 10 && in_text.len() > 10);
}

fn is_command(span: &str) -> bool {
    span.starts_with("mote ") || span.starts_with('-')
}

/// A sentence and what to do are two strings, with a semicolon between them; what could not be done stands
/// by itself; numbers of errors are the kernel's.
fn pieces(message: &str) -> Vec<&str> {
    let message = message.trim_start_matches("mote: ").trim_start_matches("warning: ");
    let pieces =
        message.split(['…', ';']).map(|piece| piece.trim_matches([' ', ':', ',', '(', ')', '`']));
    let own =
        pieces.flat_map(|piece| piece.split(": ")).filter(|piece| !piece.contains("(os error"));
    let own = own.map(|piece| piece.trim_start_matches("could not "));
    own.filter(|piece| piece.len() >= PIECE_BYTES).collect()
}

/// The source, with lines that a backslash continues as one. Tests have messages too: they are left out.
fn strings(folder: &Path) -> String {
    let mut all = String::new();
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            all += if name == "tests" { String::new() } else { strings(&path) }.as_str();
        } else if !name.contains("tests") {
            let source = read_to_string(&path).unwrap();
            let program = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let mut parts = program.split("\\\n");
            all += parts.next().unwrap_or_default();
            parts.for_each(|part| all += part.trim_start());
        }
    }
    all.replace("\\\"", "\"")
}

/// A message that nobody says has to be found.
pub fn a_message_that_nobody_says_is_found() {
    let said = strings(&repository().join("src"));
    let is_said = |message| pieces(message).iter().all(|piece| said.contains(piece));
    assert!(is_said("mote: ready: netlink process connector, records go to …"));
    assert!(!is_said("mote: ready: netlink process connection, records go to …"));
    assert_eq!(pieces("a: 1; b"), Vec::<&str>::new());
}
