//! Code blocks of the pages, and what is to be done with each: the word behind `sh` says it.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `run`: in a root shell of the first host; `collector`: of the second one. With `soon`: again and
    /// again, until it prints what the page has. With `service`: also in the guests of `make service`.
    Run { on_collector: bool, soon: bool },
    /// `ctrl-c`: goes on until it is ended so.
    CtrlC,
    /// `make`: targets of the Makefile, which are not made within one of them.
    Make,
    /// `elsewhere`: with what this machine does not have, as the words behind it say.
    Elsewhere(String),
    /// What the block before it prints: `text output`.
    Output,
    /// What mote says: `text message`.
    Message,
    /// No commands.
    Text,
}

#[derive(Clone, Debug)]
pub struct Block {
    /// Page and line, as errors name it.
    pub place: String,
    pub kind: Kind,
    /// Whole commands, or lines of text.
    pub lines: Vec<String>,
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages in the order in which a new user reads them. All others follow.
pub fn names() -> Vec<PathBuf> {
    let of = |folder: &str| {
        let entries = read_dir(repository().join(folder)).unwrap();
        let names = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
        let mut pages: Vec<_> =
            names.filter(|name| name.extension().is_some_and(|end| end == "md")).collect();
        pages.sort();
        pages
    };
    let first = ["docs/getting-started.md", "README.md"].map(PathBuf::from);
    let rest = [of("docs"), of("docs/siem")].concat();
    let rest = rest.into_iter().filter(|name| !first.contains(name));
    first.iter().cloned().chain(rest).collect()
}

pub fn text(name: &Path) -> String {
    read_to_string(repository().join(name)).unwrap()
}

/// The blocks of a page, or what is wrong with one.
pub fn blocks(name: &Path, text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut is_paragraph = false;
    while let Some((number, line)) = lines.next() {
        let place = format!("{}:{}", name.display(), number + 1);
        if let Some(info) = line.strip_prefix("```") {
            let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            blocks.push(block(place, info, body.collect())?);
        } else if line.starts_with("    ") && !is_paragraph {
            return Err(format!("{place}: a block of code has no fence that says what it is"));
        }
        is_paragraph = !line.is_empty();
    }
    Ok(blocks)
}

fn block(place: String, info: &str, lines: Vec<&str>) -> Result<Block, String> {
    let words: Vec<&str> = info.split(' ').collect();
    let kind = match words[..] {
        ["sh", "run"] | ["sh", "run", "service"] => Kind::Run { on_collector: false, soon: false },
        ["sh", "run", "soon"] => Kind::Run { on_collector: false, soon: true },
        ["sh", "collector"] => Kind::Run { on_collector: true, soon: false },
        ["sh", "collector", "soon"] => Kind::Run { on_collector: true, soon: true },
        ["sh", "ctrl-c"] => Kind::CtrlC,
        ["sh", "make"] => Kind::Make,
        ["sh", "elsewhere", _, ..] => Kind::Elsewhere(words[2..].join(" ")),
        ["text", "output"] => Kind::Output,
        ["text", "message"] => Kind::Message,
        ["text" | "json" | "c" | "rust" | "rsyslog" | "cron" | "diff"] => Kind::Text,
        // One of each of the formats.
        ["ecs" | "ocsf" | "cef" | "sysmon"] => Kind::Text,
        _ => return Err(format!("{place}: nobody knows what \"{info}\" is")),
    };
    let lines = match kind {
        Kind::Output | Kind::Message | Kind::Text => {
            // Of those of other programs nothing else tells that they are commands.
            let is_command = |line: &&&str| {
                ["mote ", "dist/mote ", "make ", "$ "].iter().any(|begin| line.starts_with(begin))
            };
            if let Some(line) = lines.iter().find(is_command) {
                return Err(format!("{place}: \"{line}\" is a command, and its block has no kind"));
            }
            lines.into_iter().map(str::to_owned).collect()
        }
        _ => commands(&lines),
    };
    Ok(Block { place, kind, lines })
}

/// Lines that belong together are one command: behind a backslash, and with the document that it is
/// given. Comments are none.
fn commands(lines: &[&str]) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut command = (*line).to_owned();
        while command.ends_with('\\') {
            command = format!("{command}\n{}", lines.next().unwrap_or(&""));
        }
        if let Some((_, end)) = line.split_once("<<'") {
            let end = end.split('\'').next().unwrap_or_default();
            for line in lines.by_ref() {
                command = format!("{command}\n{line}");
                if *line == end {
                    break;
                }
            }
        }
        commands.push(command);
    }
    commands
}

/// Code in the text of a page, outside of its blocks.
pub fn spans(page: &str) -> Vec<String> {
    let mut is_text = true;
    let mut outside = String::new();
    for line in page.lines() {
        if line.starts_with("```") {
            is_text = !is_text;
        } else if is_text {
            outside += line;
            outside.push('\n');
        }
    }
    // A bar within a table has a backslash before it.
    let outside = outside.replace("\\|", "|");
    outside.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The exit code that a comment behind the command tells: `# exits with 1`.
pub fn exit_code(command: &str) -> i32 {
    let told = command.split_once("# exits with ").map(|(_, code)| code);
    told.map_or(0, |code| code.trim_end().parse().expect("an exit code"))
}

/// A block without a kind, or a command that is none, has to be found.
pub fn a_block_without_a_kind_is_found() {
    let name = Path::new("page.md");
    for (text, error) in [
        ("Text\n\n    mote run\n", "page.md:3: a block of code has no fence"),
        ("```\nmote run\n```\n", "page.md:1: nobody knows what \"\" is"),
        ("```sh\nmote run\n```\n", "page.md:1: nobody knows what \"sh\" is"),
        ("```sh elsewhere\nmote run\n```\n", "nobody knows what \"sh elsewhere\" is"),
        ("\n```text\nmote run\n```\n", "page.md:2: \"mote run\" is a command"),
    ] {
        assert!(blocks(name, text).unwrap_err().contains(error), "{text}");
    }
    let text = "```sh run\n# it\na \\\n  b # exits with 3\ncat <<'END' >x\nc\nEND\nd\n```\n";
    let [block] = &blocks(name, text).unwrap()[..] else { panic!("one") };
    assert_eq!(block.lines, ["a \\\n  b # exits with 3", "cat <<'END' >x\nc\nEND", "d"]);
    assert_eq!((exit_code(&block.lines[0]), exit_code("d")), (3, 0));
}
