//! Names of an event → absolute paths, with marks where they may be wrong.

use super::place::{Look, Place, Sharing, Spelling, View};
use super::strings::StringId;
use super::{Process, Processes, proc};
use crate::event::{
    AT_EMPTY_PATH, AT_FDCWD, Action, Bytes, Event, Flags, Opened, Tree, Truncated, append,
};
use crate::limits::PATH_BYTES;
use crate::path::{self, Base};

/// What became of a name.
enum Found {
    /// The directory it starts at is not known; it stays as it was.
    Nowhere,
    Absolute {
        certain: bool,
        truncated: bool,
    },
}

/// Who gave a name, and when.
#[derive(Clone, Copy)]
struct Giver {
    pid: u32,
    tid: u32,
    time_ns: u64,
    entered_ns: u64,
    /// `None`: the process was not known and is gone.
    place: Option<Place>,
    sharing: Sharing,
}

/// What the names of a process start at, and who else can change that.
#[derive(Clone, Copy)]
pub(super) struct Whereabouts {
    place: Place,
    sharing: Sharing,
}

impl Process {
    pub(super) fn whereabouts(&self) -> Whereabouts {
        Whereabouts { place: self.place, sharing: self.sharing }
    }
}

impl Processes {
    /// Makes the names of an event absolute, whose process is there.
    pub(super) fn locate(&mut self, whereabouts: Option<Whereabouts>, event: &mut Event) {
        let by_name = match event.action {
            // Only a unix socket's name is a path, and only if it is not abstract.
            action if action.is_on_socket() => {
                event.is_on_unix_socket() && event.path.first().is_some_and(|c| *c != 0)
            }
            _ => !event.path.is_empty() || event.by_descriptor,
        };
        let by_name = by_name && !event.flags.contains(Flags::PATH_UNREAD);
        let by_from = match event.action {
            Action::Rename => !event.from.is_empty(),
            // Of a file system it is a device, or any word.
            Action::Mount => false,
            // Of one without a name, which is called by its descriptor.
            Action::Link => {
                !event.from.is_empty()
                    || event.call_flags.is_some_and(|flags| flags & AT_EMPTY_PATH != 0)
            }
            // What a symbolic link leads to stays as it was given; or it is no path.
            _ => false,
        };
        let by_from = by_from && !event.flags.contains(Flags::FROM_UNREAD);
        if !by_name && !by_from {
            return;
        }
        let giver = Giver {
            pid: event.pid,
            tid: event.tid,
            time_ns: event.time_ns,
            entered_ns: event.entered_ns,
            place: whereabouts.and_then(|of| self.placed(event.pid, of.place, event.time_ns)),
            sharing: whereabouts.map_or(Sharing::Own, |of| of.sharing),
        };
        if let Some(place) = giver.place {
            place.view.mark(event);
        }
        if by_name {
            let is_socket = event.action.is_on_socket();
            let dirfd = if is_socket { AT_FDCWD } else { event.dirfd };
            let starts_here = dirfd == AT_FDCWD && event.path.first() != Some(&b'/');
            let found = self.absolute(giver, dirfd, &event.opened, &mut event.path);
            let cut = if is_socket { Truncated::ADDRESS } else { Truncated::PATH };
            mark(event, found, Flags::PATH_RELATIVE, cut);
            // It may be of mounts that are nowhere yet.
            let is_adrift = event.action == Action::Mount && event.opened.tree == Some(Tree::Other);
            // It starts where the process works when the operation runs, which may be long after.
            let is_late = starts_here && event.flags.contains(Flags::IO_URING);
            if is_adrift || is_late {
                event.flags.insert(Flags::PATH_UNRESOLVED);
            }
            // So /proc has it of a file that was opened by its handle and has no name yet (linux
            // `fs/d_path.c`, `prepend_path`).
            let by_handle = event.action == Action::Open && event.by_descriptor;
            if by_handle && event.opened.tree.is_none() && event.path == b"/" {
                event.path.clear();
            }
        }
        if by_from {
            let (dirfd, opened) = (event.from_dirfd, &event.from_opened);
            let starts_here = dirfd == AT_FDCWD && event.from.first() != Some(&b'/');
            let found = self.absolute(giver, dirfd, opened, &mut event.from);
            mark(event, found, Flags::FROM_RELATIVE, Truncated::FROM);
            if starts_here && event.flags.contains(Flags::IO_URING) {
                event.flags.insert(Flags::PATH_UNRESOLVED);
            }
        }
    }

    /// The working directory that a chdir or fchdir led to, which is held. `None`: it is not known.
    pub(super) fn new_directory(
        &mut self,
        Whereabouts { place, sharing }: Whereabouts,
        event: &mut Event,
    ) -> Option<(Option<StringId>, Spelling)> {
        let whole = event.flags.is_empty() && event.truncated.is_empty();
        let by_descriptor = event.path.is_empty();
        // fchdir: its descriptor may be gone or another's by now.
        if (by_descriptor && event.opened.tree.is_none()) || !whole {
            return None;
        }
        // Of two calls at a time either may have taken effect last.
        if event.tid != place.changed_by && event.entered_ns <= place.changed_ns {
            return None;
        }
        // /proc may show where it led already.
        let is_lost = place.directory.is_none() || place.unseen_until_ns != 0;
        if !by_descriptor && event.path.first() != Some(&b'/') && is_lost {
            return None;
        }
        let giver = Giver {
            pid: event.pid,
            tid: event.tid,
            time_ns: event.time_ns,
            entered_ns: event.entered_ns,
            place: Some(place),
            sharing,
        };
        match self.absolute(giver, event.dirfd, &event.opened, &mut event.path) {
            Found::Absolute { truncated: false, certain } if by_descriptor => {
                certain.then(|| (self.hold(&event.path), Spelling::Kernel))
            }
            Found::Absolute { truncated: false, certain } => {
                let spelling = if certain { Spelling::Process } else { Spelling::Doubtful };
                Some((self.hold(&event.path), spelling))
            }
            _ => None,
        }
    }

    /// Replaces a name by its absolute path, if the directory it starts at is known.
    fn absolute(
        &mut self,
        giver: Giver,
        dirfd: i32,
        opened: &Opened,
        name: &mut Bytes<PATH_BYTES>,
    ) -> Found {
        let mut place = giver.place;
        let in_time =
            |place: Option<Place>| place.is_some_and(|p| giver.time_ns >= p.look.ended_ns);
        let mut certain = false;
        let absolute = name.first() == Some(&b'/');
        if !absolute && dirfd == AT_FDCWD && place.is_some_and(|p| p.directory.is_none()) {
            place = self.refresh_place(giver.pid);
        }
        let base = if absolute {
            certain = in_time(place);
            path::ROOT
        } else if dirfd == AT_FDCWD
            && let Some(p @ Place { directory: Some(id), spelling, .. }) = place
        {
            // What a call that began before starts at, another thread may have left by then.
            let began_here = giver.entered_ns >= p.look.ended_ns.max(1)
                && (giver.tid == p.changed_by || giver.entered_ns > p.changed_ns);
            certain = in_time(place)
                && p.unseen_until_ns == 0
                && spelling != Spelling::Doubtful
                && giver.sharing == Sharing::Own
                && began_here;
            Base { path: self.strings.get(id), canonical: spelling == Spelling::Kernel }
        } else if let Some(tree) = opened.tree {
            // A descriptor of a user's own mounts can be handed to any process. One that has
            // another root is never taken for a name of the host's. Where `..` leads from a
            // directory that this call moved is not known.
            let is_trusted = match tree {
                Tree::Host => true,
                Tree::Other => in_time(place) && place.is_some_and(|p| p.view >= View::OtherRoot),
                Tree::Doubtful => false,
            };
            certain = is_trusted && !name.split(|byte| *byte == b'/').any(|part| part == b"..");
            Base { path: &opened.path, canonical: true }
        } else {
            // What it is now: the descriptor of then may be another one, and a directory that
            // the table has no room for may have been left.
            let link = if dirfd == AT_FDCWD {
                self.proc.link(giver.pid, format_args!("cwd"), &mut self.link)
            } else {
                self.proc.link(giver.pid, format_args!("fd/{dirfd}"), &mut self.link)
            };
            match link {
                Some(path) => Base { path: proc::without_deleted(path), canonical: true },
                None => return Found::Nowhere,
            }
        };
        if absolute && path::is_clean(name) {
            return Found::Absolute { certain, truncated: false };
        }
        self.name.clear();
        append(&mut self.name, name);
        let joined = path::join(base, &self.name, name);
        Found::Absolute { certain: certain && !joined.unresolved, truncated: joined.truncated }
    }

    /// Where a process is, as far as that is known or can still be found out.
    fn placed(&mut self, pid: u32, place: Place, time_ns: u64) -> Option<Place> {
        if place.epoch == self.epoch && !place.is_overtaken(time_ns) {
            Some(place)
        } else {
            self.refresh_place(pid)
        }
    }

    /// Asks /proc where a process is now, and remembers it.
    fn refresh_place(&mut self, pid: u32) -> Option<Place> {
        let mut place = self.read_place(pid)?;
        let Some(process) = self.table.get_mut(&pid) else {
            self.strings.give_back(place.directory);
            return None;
        };
        let unseen_until_ns = process.place.unseen_until_ns;
        // A thread of its own, or another process, may have another root.
        if process.sharing != Sharing::Own {
            place.view = place.view.max(process.place.view);
        }
        // It moves on after this look, which is not told.
        if place.look.began_ns < unseen_until_ns {
            place.unseen_until_ns = unseen_until_ns;
        }
        let before = std::mem::replace(&mut process.place, place);
        self.strings.give_back(before.directory);
        Some(place)
    }

    /// `None`: the process is gone.
    pub(super) fn read_place(&mut self, pid: u32) -> Option<Place> {
        let began_ns = (self.now_ns)();
        let view = self.host.view(&self.proc, pid, &mut self.link)?;
        let path = self.proc.link(pid, format_args!("cwd"), &mut self.link)?;
        let path = proc::without_deleted(path);
        Some(Place {
            directory: super::table::hold(&mut self.strings, &mut self.unplaced, path),
            spelling: Spelling::Kernel,
            look: Look { began_ns, ended_ns: (self.now_ns)() },
            changed_ns: 0,
            changed_by: 0,
            unseen_until_ns: 0,
            view,
            epoch: self.epoch,
        })
    }
}

fn mark(event: &mut Event, found: Found, relative: Flags, cut: Truncated) {
    match found {
        Found::Nowhere => event.flags.insert(relative),
        Found::Absolute { certain, truncated } => {
            if !certain {
                event.flags.insert(Flags::PATH_UNRESOLVED);
            }
            if truncated {
                event.truncated.insert(cut);
            }
        }
    }
}
