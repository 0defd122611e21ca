//! One receiver: where it is, what it is sent, and how fast:
//! `TARGET[,format=F][,class=priority|bulk][,rate=N][,repeat=SECONDS]`.

use super::target::{Target, TargetError};
use crate::event::Class;
use crate::format::Format;
use crate::limits::REPEAT_SECONDS_MOST;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// How events are written to a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Records, of many events each.
    #[default]
    Compact,
    /// One event a message.
    Events(Format),
}

impl Form {
    /// What each is called. Sysmon's has no form for some events, which would be missing.
    pub const NAMES: [(&'static str, Form); 5] = [
        ("compact", Form::Compact),
        ("json", Form::Events(Format::Ecs)),
        ("ocsf", Form::Events(Format::Ocsf)),
        ("cef", Form::Events(Format::Cef)),
        ("text", Form::Events(Format::Text)),
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        Form::NAMES.iter().find(|(_, form)| *form == self).map_or("json", |(name, _)| name)
    }
}

impl FromStr for Form {
    type Err = ReceiverError;

    fn from_str(text: &str) -> Result<Form, ReceiverError> {
        let found = Form::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, form)| *form).ok_or_else(|| ReceiverError::Form(text.to_owned()))
    }
}

/// A receiver of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receiver {
    /// Where it is.
    pub target: Target,
    /// What it reads.
    pub form: Form,
    /// Which events it is sent; `None`: all.
    pub class: Option<Class>,
    /// Messages a second that it is sent, in the long run; 0: no limit; `None`: what the target
    /// wants.
    pub rate: Option<u32>,
    /// How long after a message it is sent once more; `None`: it is not. Of records only, whose second ones
    /// `mote decode` leaves out.
    pub repeat: Option<Duration>,
}

impl From<Target> for Receiver {
    fn from(target: Target) -> Receiver {
        Receiver { target, ..Receiver::default() }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

/// Why a text is not a [`GivenReceiver`].
#[derive(Debug)]
pub enum ReceiverError {
    /// The target is none.
    Target(TargetError),
    /// No such format.
    Form(String),
    /// Neither `priority` nor `bulk`.
    Class(String),
    /// Not a number of messages.
    Rate(String),
    /// Not a number of seconds, or too many.
    Repeat(String),
    /// An option that there is not, or twice.
    Option(String),
}

impl fmt::Display for ReceiverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReceiverError::Target(error) => error.fmt(f),
            ReceiverError::Form(text) => {
                write!(f, "unknown format {text:?}; write one of ")?;
                for (number, (name, _)) in Form::NAMES.iter().enumerate() {
                    write!(f, "{}{name}", if number > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
            ReceiverError::Class(text) => {
                write!(
                    f,
                    "unknown class {text:?}; write priority or bulk, or leave it out for both"
                )
            }
            ReceiverError::Rate(text) => {
                write!(
                    f,
                    "{text:?} is not a number of messages a second; write 30, say, or 0 for no limit"
                )
            }
            ReceiverError::Repeat(text) => write!(
                f,
                "{text:?} is not a number of seconds from 1 to {REPEAT_SECONDS_MOST}: write 10, say"
            ),
            ReceiverError::Option(text) => write!(
                f,
                "unknown option {text:?} of a syslog target, or one given twice; there are \
                 format=, class=, rate= and repeat="
            ),
        }
    }
}

impl core::error::Error for ReceiverError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            ReceiverError::Target(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TargetError> for ReceiverError {
    fn from(error: TargetError) -> ReceiverError {
        ReceiverError::Target(error)
    }
}

/// A receiver as it is given on the command line, where the format may be that of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenReceiver {
    receiver: Receiver,
    has_form: bool,
}

impl GivenReceiver {
    /// With `form` unless it has one of its own.
    pub fn or_form(self, form: Form) -> Receiver {
        if self.has_form { self.receiver } else { Receiver { form, ..self.receiver } }
    }
}

impl FromStr for GivenReceiver {
    type Err = ReceiverError;

    /// A path may have commas itself: what follows one is an option only if it looks like one.
    fn from_str(text: &str) -> Result<GivenReceiver, ReceiverError> {
        let mut rest = text;
        let (mut form, mut class, mut rate, mut repeat) = (None, None, None, None);
        while let Some((before, option)) = rest.rsplit_once(',')
            && let Some((key, value)) = option.split_once('=')
        {
            let again = || ReceiverError::Option(option.to_owned());
            let unused = |is_some: bool| if is_some { Err(again()) } else { Ok(()) };
            match key {
                "format" => {
                    unused(form.is_some())?;
                    form = Some(value.parse()?);
                }
                "class" => {
                    unused(class.is_some())?;
                    class = Some(match value {
                        "priority" => Class::Priority,
                        "bulk" => Class::Bulk,
                        _ => return Err(ReceiverError::Class(value.to_owned())),
                    });
                }
                "rate" => {
                    unused(rate.is_some())?;
                    let number = value.parse().ok().filter(|_| !value.starts_with('+'));
                    rate = Some(number.ok_or_else(|| ReceiverError::Rate(value.to_owned()))?);
                }
                "repeat" => {
                    unused(repeat.is_some())?;
                    repeat = Some(delay(value)?);
                }
                _ => return Err(again()),
            }
            rest = before;
        }
        let target = rest.parse()?;
        let receiver = Receiver { target, form: form.unwrap_or_default(), class, rate, repeat };
        Ok(GivenReceiver { receiver, has_form: form.is_some() })
    }
}

fn delay(text: &str) -> Result<Duration, ReceiverError> {
    let seconds = text.parse().ok().filter(|_| !text.starts_with('+'));
    let seconds = seconds.filter(|seconds| (1..=REPEAT_SECONDS_MOST).contains(seconds));
    let seconds = seconds.ok_or_else(|| ReceiverError::Repeat(text.to_owned()))?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Receiver {
        text.parse::<GivenReceiver>().unwrap().or_form(Form::Events(Format::Text))
    }

    #[test]
    fn options_follow_the_target() {
        let receiver = given("tcp:192.0.2.1:514,format=json,class=priority,rate=30,repeat=10");
        assert_eq!(receiver.target.to_string(), "tcp:192.0.2.1:514");
        assert_eq!(receiver.form, Form::Events(Format::Ecs));
        assert_eq!((receiver.class, receiver.rate), (Some(Class::Priority), Some(30)));
        assert_eq!(receiver.repeat, Some(Duration::from_secs(10)));
        let receiver = given("unix:/a,b,class=bulk");
        assert_eq!(receiver.target.to_string(), "unix:/a,b");
        assert_eq!(
            (receiver.form, receiver.class),
            (Form::Events(Format::Text), Some(Class::Bulk))
        );
        assert_eq!(given("stdout,format=compact").form, Form::Compact);
        assert_eq!(
            given("unix:/dev/log"),
            Receiver { form: Form::Events(Format::Text), ..Receiver::default() }
        );
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, part) in [
            ("stdout,format=xml", "compact, json, ocsf, cef, text"),
            ("stdout,class=file", "priority or bulk"),
            ("stdout,rate=-1", "messages a second"),
            ("stdout,rate=+1", "messages a second"),
            ("stdout,rate=1,rate=2", "given twice"),
            ("stdout,speed=1", "format=, class=, rate= and repeat="),
            ("stdout,repeat=0", "from 1 to 60"),
            ("stdout,repeat=61", "from 1 to 60"),
            ("stdout,repeat=+1", "from 1 to 60"),
            ("stdout,repeat=1,repeat=1", "given twice"),
            ("stdout,", "write unix:PATH"),
            ("file,format=json", "write unix:PATH"),
        ] {
            let error = text.parse::<GivenReceiver>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_form_has_its_name() {
        for (name, form) in Form::NAMES {
            assert_eq!((name.parse::<Form>().unwrap(), form.name()), (form, name));
        }
    }
}
