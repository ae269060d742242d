//! Sets of things that were done, in the connection's state.

use std::collections::BTreeSet;

use contactor_sdk::seen::fingerprint;
use contactor_sdk::{Result, state};
use serde_json::json;

/// Keys of a set; 64 KiB each hold some 3,000 fingerprints.
const SHARDS: u64 = 64;

fn place(set: &str, item: &str) -> (String, u64) {
    let mark = fingerprint(&json!(item));
    (format!("marks/{set}/{}", mark % SHARDS), mark)
}

/// Whether the item is in the set.
pub(crate) fn has(set: &str, item: &str) -> Result<bool> {
    let (key, mark) = place(set, item);
    Ok(state::get_json::<BTreeSet<u64>>(&key)?.is_some_and(|marks| marks.contains(&mark)))
}

/// Puts the item into the set.
pub(crate) fn put(set: &str, item: &str) -> Result<()> {
    let (key, mark) = place(set, item);
    state::update_json(&key, |marks: Option<BTreeSet<u64>>| {
        Ok(marks.unwrap_or_default().into_iter().chain([mark]).collect())
    })
    .map(drop)
}
