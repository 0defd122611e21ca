//! Any bytes as the managed configuration and as a request to the control socket: an error or
//! a configuration that can be used, never a panic.
//!
//!     cargo +nightly fuzz run configuration -- -max_len=4096

#![no_main]

use libfuzzer_sys::fuzz_target;
use mote::config::{Config, Local, Managed};
use mote::control::Request;
use mote::filter::{DEFAULTS, RuleKind, Subject};

fuzz_target!(|data: &[u8]| {
    match Managed::parse(data) {
        Ok(managed) => {
            let config = Config::merge(&managed, &Local::default());
            assert!(config.filter.rules().count() >= DEFAULTS.len(), "the defaults are there");
            for (rule, _) in config.filter.rules() {
                let subject = match rule.kind {
                    RuleKind::Process => Subject::Process(&rule.path),
                    RuleKind::File | RuleKind::Folder => Subject::Path(&rule.path),
                };
                assert!(config.filter.explain(subject).rule.is_some(), "{rule:?} matches itself");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.remedy().is_empty()),
    }
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let again = serde_json::to_vec(&request).unwrap();
        assert_eq!(serde_json::from_slice::<Request>(&again).unwrap(), request);
    }
});
