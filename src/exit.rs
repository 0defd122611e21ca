//! Exit codes: those of sysexits.h, and 1 where a question is answered by no.

use std::process::ExitCode;

use crate::say::error;

/// `mote health`: the sensor runs, and has problems.
pub const UNHEALTHY: u8 = 1;
/// `mote exclusion test`: no exclusion matches.
pub const NO_MATCH: u8 = 1;
/// `mote decode --verify`: events are missing.
pub const MISSING: u8 = 1;
/// Of `mote check`: eBPF does not run here, the process connector does.
pub const CONNECTOR_ONLY: u8 = 1;
/// `EX_USAGE`: the command line is wrong.
pub const USAGE: u8 = 64;
/// `EX_DATAERR`: input data is wrong.
pub const DATAERR: u8 = 65;
/// `EX_NOINPUT`: an input file cannot be read.
pub const NOINPUT: u8 = 66;
/// `EX_UNAVAILABLE`: the host lacks what is needed.
pub const UNAVAILABLE: u8 = 69;
/// `EX_OSERR`: a system call failed that should not.
pub const OSERR: u8 = 71;
/// `EX_IOERR`: reading or writing failed.
pub const IOERR: u8 = 74;
/// `EX_TEMPFAIL`: not now.
pub const TEMPFAIL: u8 = 75;
/// `EX_NOPERM`: not permitted to this user.
pub const NOPERM: u8 = 77;
/// `EX_CONFIG`: the configuration is wrong.
pub const CONFIG: u8 = 78;

/// Says one sentence on standard error and gives the code.
pub fn fail(code: u8, message: std::fmt::Arguments<'_>) -> ExitCode {
    error(message);
    code.into()
}
