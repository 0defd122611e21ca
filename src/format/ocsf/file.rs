//! Files, kernel extensions and other things of the kernel.

use super::class::{Class, Kind};
use super::shape::{Document, Driver, File, Kernel, User};
use crate::event::{Action, Event, FileType, Given};
use crate::format::meaning::{Second, call_name, file_name};
use crate::format::value::{Keyword, Text, Timestamp};
use crate::record::Origin;

/// `type_id` of a file.
const UNKNOWN: u32 = 0;
pub(super) const REGULAR: u32 = 1;
const FOLDER: u32 = 2;
const SYMBOLIC_LINK: u32 = 7;

/// `type_id` of a thing of the kernel: another one than the schema knows.
const OTHER: u32 = 99;

/// A file with a path. The schema wants a name: that of a path that is not known is empty.
pub(super) fn named(path: &[u8], type_id: u32) -> File<'_> {
    File {
        name: Some(Text(last(path))),
        path: (!path.is_empty()).then_some(Text(path)),
        type_id: Some(type_id),
        ..File::default()
    }
}

/// The last name of a path; the root directory has `/`.
fn last(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    match &path[..end] {
        [] => &path[..path.len().min(1)],
        path => file_name(path),
    }
}

/// Puts what was acted on into the document of its class.
pub(super) fn fill<'a>(
    document: &mut Document<'a>,
    origin: &Origin<'_>,
    event: &'a Event,
    kind: Kind,
) {
    let second = Second::of(event);
    match kind.class {
        Class::File => {
            (document.file, document.file_result) = files(event);
        }
        Class::KernelExtension => {
            let mut file = named(&event.path, REGULAR);
            if event.action == Action::ModuleUnload {
                file.name = Some(Text(second.name));
            }
            document.driver = Some(Driver { file: Some(file) });
        }
        Class::Kernel => {
            let (name, what) = match event.action {
                Action::BpfLoad => (second.name, "bpf_program"),
                Action::KexecLoad => (last(&event.path), "kexec_image"),
                _ => (&b"io_uring"[..], "io_uring"),
            };
            document.kernel = Some(Kernel {
                name: Some(Text(name)),
                path: (!event.path.is_empty()).then_some(Text(&event.path)),
                type_id: Some(OTHER),
                kind: Some(what),
                system_call: call_name(origin, event),
            });
        }
        Class::Base | Class::Process | Class::Network | Class::Application => {}
    }
}

/// The file, and what becomes of it, or would have become.
fn files(event: &Event) -> (Option<File<'_>>, Option<File<'_>>) {
    let second = Second::of(event);
    let type_id = match (event.action, &event.given) {
        (Action::Mkdir | Action::Rmdir, _) => FOLDER,
        (Action::Symlink, _) => SYMBOLIC_LINK,
        (Action::MemfdCreate, _) => REGULAR,
        (Action::Mknod, Some(Given::Node(Some(node), _))) => match node {
            FileType::File => REGULAR,
            FileType::CharacterDevice => 3,
            FileType::BlockDevice => 4,
            FileType::Socket => 5,
            FileType::Fifo => 6,
        },
        _ => UNKNOWN,
    };
    let file = named(&event.path, type_id);
    match event.action {
        Action::Rename => return (Some(named(second.original_path, type_id)), Some(file)),
        Action::MemfdCreate => {
            return (Some(File { name: Some(Text(second.name)), ..file }), None);
        }
        _ => {}
    }
    let mut result = named(&event.path, type_id);
    match event.given {
        Some(Given::Owner(Some(uid), _)) => result.owner = Some(User { uid: Some(Keyword(uid)) }),
        Some(Given::Size(size)) => result.size = Some(size),
        Some(Given::Modified(Some(modified_ns))) => {
            let at = Timestamp(modified_ns.into());
            result.modified_time = Some(at.milliseconds());
            result.modified_time_dt = Some(at);
        }
        _ => return (Some(file), None),
    }
    (Some(file), Some(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_last_name() {
        for (path, name) in [
            (&b"/etc/passwd"[..], &b"passwd"[..]),
            (b"/tmp/new//", b"new"),
            (b"relative", b"relative"),
            (b"//", b"/"),
            (b"/", b"/"),
            (b"", b""),
        ] {
            assert_eq!(last(path), name);
        }
    }
}
