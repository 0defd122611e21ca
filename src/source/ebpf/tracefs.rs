//! Tracepoints as the running kernel describes them in tracefs.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags};
use rustix::thread::UnshareFlags;

/// Where tracefs is on kernels from 4.1 on, and where debugfs has it before and after.
const PLACES: [&str; 2] = ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"];

/// A field of a tracepoint's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// From the start of the record, in bytes.
    pub offset_bytes: u32,
    /// Its size, in bytes.
    pub size_bytes: u32,
}

/// A tracepoint's `format` file.
#[derive(Debug, PartialEq, Eq)]
pub struct Format {
    /// What perf_event_open(2) takes as `config`.
    pub id: u64,
    fields: Vec<(String, Field)>,
}

impl Format {
    /// Reads the text of a `format` file (linux `kernel/trace/trace_events.c`,
    /// `f_show`). `None` if it has no id.
    pub fn parse(text: &str) -> Option<Format> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID:"))?.trim().parse().ok()?;
        let fields = text.lines().filter_map(parse_field).collect();
        Some(Format { id, fields })
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<Field> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, field)| *field)
    }

    /// All of them.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, Field)> {
        self.fields.iter().map(|(name, field)| (name.as_str(), *field))
    }

    /// The first field that begins behind this offset.
    pub fn field_after(&self, offset_bytes: u32) -> Option<Field> {
        let fields = self.fields.iter().map(|(_, field)| *field);
        fields.filter(|field| field.offset_bytes > offset_bytes).min_by_key(|f| f.offset_bytes)
    }
}

/// One line: `field:TYPE NAME; offset:N; size:N; signed:N;`, tabs between.
fn parse_field(line: &str) -> Option<(String, Field)> {
    let declaration = line.trim().strip_prefix("field:")?;
    let mut parts = declaration.split(';').map(str::trim);
    let name = parts.next()?.rsplit([' ', '*']).next()?.split('[').next()?;
    let offset_bytes = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
    let size_bytes = parts.next()?.strip_prefix("size:")?.parse().ok()?;
    Some((name.to_owned(), Field { offset_bytes, size_bytes }))
}

/// A tracefs that has no place in any directory, made once: who needs it again may not be allowed to
/// make one by then.
static NOWHERE: OnceLock<rustix::io::Result<OwnedFd>> = OnceLock::new();

/// The tracepoints of the running kernel.
#[derive(Debug)]
pub struct Tracefs {
    events: PathBuf,
}

impl Tracefs {
    /// Finds tracefs, or mounts it where only this process sees it: a host that hides it
    /// from its users goes on hiding it.
    pub fn find_or_mount() -> io::Result<Tracefs> {
        if let Some(tracefs) = Tracefs::find().or_else(Tracefs::nowhere) {
            return Ok(tracefs);
        }
        mount_privately().map_err(|error| match NOWHERE.get() {
            // What a confined sensor is told of mount(2) is no reason.
            Some(Err(reason)) if error == Errno::NOSYS => *reason,
            _ => error,
        })?;
        Tracefs::find().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Makes sure that it is there for the rest of this process's life, whoever unmounts it, as far as
    /// this kernel can do that. What is wrong is told by whoever needs it.
    pub fn keep() {
        if Tracefs::nowhere().is_none() {
            let _ = Tracefs::find_or_mount();
        }
    }

    fn nowhere() -> Option<Tracefs> {
        let mount = NOWHERE.get_or_init(mount_nowhere).as_ref().ok()?;
        let events = PathBuf::from(format!("/proc/self/fd/{}/events", mount.as_raw_fd()));
        events.join("sched").is_dir().then(|| Tracefs::at(events))
    }

    /// The tracepoints below a directory that looks like tracefs's `events`.
    pub fn at(events: PathBuf) -> Tracefs {
        Tracefs { events }
    }

    fn find() -> Option<Tracefs> {
        PLACES
            .into_iter()
            .map(PathBuf::from)
            .find(|events| events.join("sched").is_dir())
            .map(Tracefs::at)
    }

    /// Where kprobes are defined; there is no such file on a kernel without them.
    pub fn kprobe_events(&self) -> PathBuf {
        self.events.with_file_name("kprobe_events")
    }

    /// The format of a tracepoint. `None`: this kernel does not have it.
    pub fn format(&self, category: &str, event: &str) -> io::Result<Option<Format>> {
        match fs::read_to_string(self.events.join(category).join(event).join("format")) {
            Ok(text) => Ok(Format::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A tracefs that has no place in any directory. Kernels before 5.2 cannot do that.
fn mount_nowhere() -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// In a mount namespace of our own, which still receives the host's later mounts.
fn mount_privately() -> rustix::io::Result<()> {
    // SAFETY: CLONE_NEWNS does not touch the file descriptor table, and there is one thread.
    #[allow(unsafe_code)]
    unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::NEWNS)?;
    }
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )?;
    let options = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // 3.10 has debugfs only, and no directory for tracefs.
    if Path::new("/sys/kernel/tracing").is_dir() {
        rustix::mount::mount("tracefs", "/sys/kernel/tracing", "tracefs", options, None)?;
    } else {
        rustix::mount::mount("debugfs", "/sys/kernel/debug", "debugfs", options, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_file_gives_id_offsets_and_sizes() {
        let format = Format::parse(
            "name: sched_process_exec\nID: 365\nformat:\n\
             \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
             \tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\
             \tfield:const char *const * argv;\toffset:24;\tsize:8;\tsigned:0;\n\
             \tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n\n\
             print fmt: \"filename=%s\", __get_str(filename)\n",
        )
        .unwrap();
        assert_eq!(format.id, 365);
        assert_eq!(format.field("filename"), Some(Field { offset_bytes: 8, size_bytes: 4 }));
        assert_eq!(format.field("argv"), Some(Field { offset_bytes: 24, size_bytes: 8 }));
        assert_eq!(format.field("comm"), Some(Field { offset_bytes: 12, size_bytes: 16 }));
        assert_eq!(format.field("pid"), None);
    }

    #[test]
    fn anything_else_is_no_format() {
        for text in ["", "ID:", "ID: x", "field:int pid;\toffset:8;\tsize:4;", "\0\u{fffd}"] {
            assert_eq!(Format::parse(text), None, "{text:?}");
        }
        let format =
            Format::parse("ID: 1\n\tfield:;\n\tfield:int x;\toffset:-1;\tsize:4;").unwrap();
        assert_eq!(format.fields, []);
    }
}
