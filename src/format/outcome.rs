//! What came of an attempt.

use crate::event::{Action, Event, Flags};
use crate::syscalls::errno;

/// linux `include/uapi/asm-generic/errno-base.h` and `errno.h`.
pub(super) const EPERM: i64 = 1;
pub(super) const EACCES: i64 = 13;
pub(super) const ECONNREFUSED: i64 = 111;
const EINTR: i64 = 4;
const EINPROGRESS: i64 = 115;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure,
    Unknown,
}

impl Outcome {
    /// A negative result is an errno. A connect in progress is decided later, unseen.
    pub fn of(event: &Event) -> Outcome {
        match event.ret {
            _ if event.flags.contains(Flags::RESULT_UNKNOWN) => Outcome::Unknown,
            // Of a send it is TCP Fast Open.
            Some(ret)
                if matches!(event.action, Action::Connect | Action::Send)
                    && [-EINPROGRESS, -EINTR].contains(&ret) =>
            {
                Outcome::Unknown
            }
            Some(0..) => Outcome::Success,
            Some(_) => Outcome::Failure,
            None => Outcome::Unknown,
        }
    }

    /// `event.outcome`; nothing for what is no attempt.
    pub fn name(self, action: Action) -> Option<&'static str> {
        match (action, self) {
            (Action::Exit, _) => None,
            (action, _) if action.is_own() => None,
            (_, Outcome::Success) => Some("success"),
            (_, Outcome::Failure) => Some("failure"),
            (_, Outcome::Unknown) => Some("unknown"),
        }
    }
}

/// The name of the error that a call failed with, `EACCES`.
pub(super) fn error_name(event: &Event) -> Option<&'static str> {
    match Outcome::of(event) {
        Outcome::Failure => errno(u32::try_from(event.ret?.checked_neg()?).ok()?),
        Outcome::Success | Outcome::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_was_not_waited_for_is_unknown() {
        let mut event = Event::new();
        (event.action, event.ret) = (Action::Open, Some(0));
        event.flags.insert(Flags::RESULT_UNKNOWN);
        assert_eq!(Outcome::of(&event), Outcome::Unknown);
    }

    #[test]
    fn an_error_has_its_name_if_there_was_one() {
        let mut event = Event::new();
        for (ret, name) in [
            (Some(-13), Some("EACCES")),
            (Some(-111), Some("ECONNREFUSED")),
            (Some(0), None),
            (Some(13), None),
            (Some(i64::MIN), None),
            (Some(-600), None),
            (None, None),
        ] {
            (event.action, event.ret) = (Action::Connect, ret);
            assert_eq!(error_name(&event), name, "{ret:?}");
        }
        event.ret = Some(-115);
        assert_eq!(error_name(&event), None, "in progress");
    }
}
