//! What the service manager that started the sensor is told (sd_notify(3)), if one did.

use crate::say::warn;
use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// systemd, or whoever else set `NOTIFY_SOCKET`.
pub(super) struct Manager {
    /// How often it wants to hear that the loop goes on. `None`: not at all.
    interval: Option<Duration>,
    next: Instant,
    has_failed: bool,
}

impl Manager {
    pub(super) fn new() -> Manager {
        Manager {
            // It ends a sensor of which it has not heard for the whole: a turn may take three quarters.
            interval: sd_notify::watchdog_enabled().map(|whole| whole / 4),
            next: Instant::now(),
            has_failed: false,
        }
    }

    /// Everything is attached, or the configuration was read again.
    pub(super) fn ready(&mut self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// What is seen now, for people.
    pub(super) fn status(&mut self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    /// The configuration is read again.
    pub(super) fn reloading(&mut self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(&[NotifyState::Reloading, now]);
        }
    }

    /// A turn of the loop has come to its end.
    pub(super) fn lives(&mut self) {
        let now = Instant::now();
        if let Some(interval) = self.interval.filter(|_| now >= self.next) {
            self.next = now + interval;
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    pub(super) fn stopping(&mut self) {
        self.tell(&[NotifyState::Stopping]);
    }

    fn tell(&mut self, state: &[NotifyState]) {
        let told = sd_notify::notify(state);
        if let Err(error) = told
            && !self.has_failed
        {
            self.has_failed = true;
            warn(format_args!(
                "the service manager cannot be told how the sensor is ({error}), and may end it; look at \
                 its NotifyAccess and at NOTIFY_SOCKET"
            ));
        }
    }
}
