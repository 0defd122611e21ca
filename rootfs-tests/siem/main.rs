//! Every file of docs/siem with the daemon that it is for: records of known events go in, and each
//! event has to come out once, as JSON. No sensor runs.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../daemons/mod.rs"]
mod daemons;
#[path = "../support/mod.rs"]
mod support;

mod chains;
mod files;
mod journal;
mod modules;
mod records;

use std::process::ExitCode;

fn main() -> ExitCode {
    support::runner::run(&[
        ("documents", daemons::documents::every_file_is_known),
        ("rsyslog_file", files::rsyslog_file),
        ("syslog_ng_file", files::syslog_ng_file),
        ("mmexternal_input", modules::mmexternal_input),
        ("mmexternal_rest", modules::mmexternal_rest),
        ("mmexternal_queue", modules::mmexternal_queue),
        ("records_beside", modules::records_beside),
        ("omprog_unconfirmed", modules::omprog_unconfirmed),
        ("omprog_full_disk", modules::omprog_full_disk),
        ("rsyslog_to_mmexternal", chains::rsyslog_to_mmexternal),
        ("rsyslog_to_omprog", chains::rsyslog_to_omprog),
        ("relp_to_mmexternal", chains::relp_to_mmexternal),
        ("relp_to_omprog", chains::relp_to_omprog),
        ("relp_host_ends_behind", chains::relp_host_ends_behind),
        ("rsyslog_to_syslog_ng", chains::rsyslog_to_syslog_ng),
        ("syslog_ng_to_mmexternal", chains::syslog_ng_to_mmexternal),
        ("syslog_ng_to_omprog", chains::syslog_ng_to_omprog),
        ("syslog_ng_to_syslog_ng", chains::syslog_ng_to_syslog_ng),
        ("journal_live", journal::live),
        ("journal_service", journal::service),
    ])
}
