//! Lines of the control socket: requests, which anybody of this host's root writes, and replies, which
//! a sensor of another version may have written.

use super::choice;
use crate::control::{Reply, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// See [`fuzzed`](super). The first byte: 0 for a request, anything else for a reply.
pub fn check(data: &[u8]) -> bool {
    match choice(data) {
        Some((0, line)) => comes_back::<Request>(line),
        Some((_, line)) => comes_back::<Reply>(line),
        None => false,
    }
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(line: &[u8]) -> bool {
    let value: T = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let written = serde_json::to_vec(&value).expect("what was read can be written");
    assert!(!written.contains(&b'\n'), "it is a line");
    assert_eq!(serde_json::from_slice::<T>(&written).expect("our own line"), value);
    true
}
