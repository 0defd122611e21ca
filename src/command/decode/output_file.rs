//! A file that events are appended to, which may be rotated meanwhile.

use std::fs::{File, OpenOptions, metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes that are gathered before they are written, unless they are flushed. More, where a message
/// is to be written as a whole.
pub const GATHERED_BYTES: usize = 64 << 10;

/// Who may read what happens on other hosts: as Debian's rsyslog has it of its own files.
const MODE: u32 = 0o640;

/// Whole lines, each written once, or not at all. They are written to whatever file has the
/// name when they are flushed: one that was renamed is left, one that was cut (`copytruncate`)
/// is written from its start.
pub struct OutputFile {
    path: PathBuf,
    file: File,
    lines: Vec<u8>,
    gathered_bytes: usize,
}

impl OutputFile {
    /// Opens the file or makes it. It is written when it is flushed, or when this many bytes are
    /// gathered; [`usize::MAX`]: only then.
    pub fn open(path: &Path, gathered_bytes: usize) -> io::Result<OutputFile> {
        let lines = Vec::with_capacity(2 * GATHERED_BYTES);
        Ok(OutputFile { path: path.into(), file: open(path)?, lines, gathered_bytes })
    }

    /// Whether its name leads to another file by now, or to none.
    fn was_moved(&self) -> io::Result<bool> {
        let own = self.file.metadata()?;
        match metadata(&self.path) {
            Ok(named) => Ok((named.dev(), named.ino()) != (own.dev(), own.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.extend_from_slice(bytes);
        if self.lines.len() >= self.gathered_bytes && bytes.ends_with(b"\n") {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        if self.was_moved()? {
            self.file = open(&self.path)?;
        }
        append(&self.file, &self.lines)?;
        self.lines.clear();
        Ok(())
    }
}

/// For appending; a line that a crash has cut is ended.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    let now = file.metadata()?;
    if !now.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut last = *b"\n";
    if now.len() > 0 {
        file.read_exact_at(&mut last, now.len() - 1)?;
    }
    if last != *b"\n" {
        append(&file, b"\n")?;
    }
    Ok(file)
}

/// All of `bytes`, or nothing: what was written before a disk was full is taken back.
fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write(&bytes[done..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                // Why it was not written matters more than that it could not be taken back.
                let _ = take_back(file, &bytes[..done]);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Cuts `written` off the end, unless something else stands there: another program has written. One
/// that does so in the same moment is not noticed.
fn take_back(file: &File, written: &[u8]) -> io::Result<()> {
    let Some(start) = file.metadata()?.len().checked_sub(written.len() as u64) else {
        return Ok(());
    };
    let mut end = vec![0; written.len()];
    file.read_exact_at(&mut end, start)?;
    if end == written { file.set_len(start) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_to_string, remove_file, rename, write};

    fn put(file: &mut OutputFile, text: &str) {
        file.write_all(text.as_bytes()).unwrap();
        file.flush().unwrap();
    }

    #[test]
    fn a_renamed_or_removed_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let [path, old] = ["events", "events.1"].map(|name| dir.path().join(name));
        let mut file = OutputFile::open(&path, GATHERED_BYTES).unwrap();
        put(&mut file, "a\n");
        rename(&path, &old).unwrap();
        put(&mut file, "b\n");
        assert_eq!(read_to_string(&old).unwrap(), "a\n");
        assert_eq!(read_to_string(&path).unwrap(), "b\n");
        remove_file(&path).unwrap();
        put(&mut file, "c\n");
        assert_eq!(read_to_string(&path).unwrap(), "c\n");
        // As logrotate's copytruncate.
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        put(&mut file, "d\n");
        assert_eq!(read_to_string(&path).unwrap(), "d\n");
    }

    #[test]
    fn what_was_cut_is_ended_and_no_line_is_split() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        write(&path, "{\"half").unwrap();
        let mut file = OutputFile::open(&path, GATHERED_BYTES).unwrap();
        put(&mut file, "whole\n");
        assert_eq!(read_to_string(&path).unwrap(), "{\"half\nwhole\n");
        // More than is gathered: written without a flush, up to the end of a line.
        let long = "x".repeat(GATHERED_BYTES);
        file.write_all(long.as_bytes()).unwrap();
        file.write_all(b"\nrest").unwrap();
        assert_eq!(read_to_string(&path).unwrap().len(), 13);
        file.write_all(b" of a line\n").unwrap();
        assert!(read_to_string(&path).unwrap().ends_with("rest of a line\n"));
    }

    #[test]
    fn what_was_written_in_part_is_taken_back_unless_more_follows() {
        let file = tempfile::tempfile().unwrap();
        (&file).write_all(b"one\ntw").unwrap();
        take_back(&file, b"tw").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 4);
        take_back(&file, b"tw").unwrap();
        take_back(&file, b"longer than the file").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 4);
    }

    #[test]
    fn only_regular_files_are_written() {
        let error = OutputFile::open(Path::new("/dev/null"), GATHERED_BYTES).err().unwrap();
        assert_eq!(error.to_string(), "it is no regular file");
    }
}
