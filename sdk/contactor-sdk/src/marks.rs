//! Sets of things that were done or seen, in the connection's [`state`], which has few keys: a set of any size takes 64.
//!
//! ```
//! # let _host = contactor_sdk::testing::MockHost::new().install();
//! use contactor_sdk::marks;
//!
//! assert!(!marks::has("visits", "appointment 7")?);
//! marks::put("visits", "appointment 7")?;
//! assert!(marks::has("visits", "appointment 7")? && !marks::has("invitations", "appointment 7")?);
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use std::collections::BTreeSet;

use serde_json::json;

use crate::seen::fingerprint;
use crate::{Result, state};

/// Keys of a set; 64 KiB each hold some 3,000 fingerprints.
const SHARDS: u64 = 64;

fn place(set: &str, item: &str) -> (String, u64) {
    let mark = fingerprint(&json!(item));
    (format!("marks/{set}/{}", mark % SHARDS), mark)
}

/// Whether the item is in the set.
///
/// # Errors
/// What the state answers.
pub fn has(set: &str, item: &str) -> Result<bool> {
    let (key, mark) = place(set, item);
    Ok(state::get_json::<BTreeSet<u64>>(&key)?.is_some_and(|marks| marks.contains(&mark)))
}

/// Puts the item into the set.
///
/// # Errors
/// What the state answers.
pub fn put(set: &str, item: &str) -> Result<()> {
    let (key, mark) = place(set, item);
    state::update_json(&key, |marks: Option<BTreeSet<u64>>| {
        Ok(marks.unwrap_or_default().into_iter().chain([mark]).collect())
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MockHost;

    #[test]
    fn a_set_of_many_items_takes_few_keys() {
        let _host = MockHost::new().install();
        for item in 0..500 {
            put("all", &item.to_string()).unwrap();
        }
        assert!((0..500).all(|item| has("all", &item.to_string()).unwrap()));
        assert!(!has("all", "500").unwrap());
        assert!(state::keys("marks/all/").unwrap().len() <= 64);
    }
}
