//! What changes in a process without being an event.

/// What became of the event's process: the new value is in the event. It is applied to what
/// follows, not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its real user id is `uid`.
    User,
    /// Its real group id is `gid`.
    Group,
    /// Its thread `tid` has the name `comm`.
    Name,
    /// It has one thread more, `tid`.
    Thread,
    /// It leads a session of its own.
    Session,
}
