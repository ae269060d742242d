//! Writes that a partner has accepted and does not show yet.
//!
//! Where a read straight after a write may still show the old values, these must not pass for a change that somebody made at the partner:
//! they would travel back to HighLevel. So a write that cannot be seen is noted in [`state`], and until a read shows something
//! else than what was there before, the record counts as written.
//!
//! ```
//! # use contactor_sdk::testing::MockHost;
//! # let _host = MockHost::new().install();
//! use contactor_sdk::pending;
//! use serde_json::json;
//!
//! let object = |json: serde_json::Value| json.as_object().cloned().unwrap();
//! let old = object(json!({ "name": "Ann", "city": "Leeds" }));
//! pending::note("7", Some(&old), &object(json!({ "name": "Anna" })));
//! let shown = pending::overlaid("7", Some(old))?;
//! assert_eq!(shown, Some(object(json!({ "name": "Anna", "city": "Leeds" }))));
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{Error, Result, clock, log, state};

/// A record as the partner shows it.
type Shown = Map<String, Json>;

/// How long a record that was created may stay invisible before it counts as gone, in milliseconds.
const PATIENCE: u64 = 10 * 60 * 1000;

#[derive(Serialize, Deserialize)]
struct Pending {
    /// When it was written, in milliseconds since 1970.
    at: u64,
    /// What was shown before; none for a record that was not there.
    before: Option<Shown>,
    /// What was written.
    written: Shown,
}

/// Notes a write that is not shown yet, over what may be noted already. Failing is no reason to fail the write.
pub fn note(id: &str, before: Option<&Shown>, written: &Shown) {
    let noted = state::update_json(&key(id), |noted: Option<Pending>| {
        let fresh = Pending { at: 0, before: before.map(|_| Shown::new()), written: Shown::new() };
        let mut pending = noted.unwrap_or(fresh);
        pending.at = clock::now();
        for (name, value) in written {
            // What an earlier write of the same value replaced is still what a read may show.
            if pending.written.insert(name.clone(), value.clone()).is_none()
                && let Some((before, old)) = pending.before.as_mut().zip(before.and_then(|old| old.get(name)))
            {
                before.insert(name.clone(), old.clone());
            }
        }
        Ok(pending)
    });
    if let Err(error) = noted {
        log::warn!("the write cannot be noted as pending: {}", error.message());
    }
}

/// What the partner shows, with what was written and is not shown yet.
///
/// # Errors
/// What the state answers.
pub fn overlaid(id: &str, shown: Option<Shown>) -> Result<Option<Shown>> {
    let Some(Pending { at, before, written }) = state::get_json::<Pending>(&key(id))? else {
        return Ok(shown);
    };
    let Some(mut record) = shown else {
        if before.is_none() && clock::now().saturating_sub(at) < PATIENCE {
            return Ok(Some(written));
        }
        forget(id);
        return Ok(None);
    };
    let old = before.unwrap_or_default();
    let still =
        |name: &String, value: &Json| record.get(name) != Some(value) && record.get(name) == old.get(name);
    let waiting: Shown = written.into_iter().filter(|(name, value)| still(name, value)).collect();
    if waiting.is_empty() {
        forget(id);
    } else if clock::now().saturating_sub(at) >= PATIENCE {
        let names: Vec<_> = waiting.keys().map(String::as_str).collect();
        log::warn!("the partner accepted a value of {} and does not show it", names.join(", "));
    }
    record.extend(waiting);
    Ok(Some(record))
}

/// A preview may not change the state; what is noted is then looked at again.
fn forget(id: &str) {
    if let Err(error) = state::delete(&key(id))
        && !matches!(error, Error::Denied(_))
    {
        log::debug!("a pending write stays noted: {}", error.message());
    }
}

fn key(id: &str) -> String {
    format!("pending/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MockHost;
    use serde_json::json;

    fn object(json: &Json) -> Shown {
        json.as_object().cloned().unwrap()
    }

    #[test]
    fn what_somebody_else_wrote_since_is_not_covered() {
        let host = MockHost::new().install();
        let before = object(&json!({ "name": "Ann", "city": "Leeds" }));
        note("7", Some(&before), &object(&json!({ "name": "Anna" })));
        note("7", Some(&before), &object(&json!({ "city": "York" })));
        let half = object(&json!({ "name": "Annie", "city": "Leeds" }));
        assert_eq!(overlaid("7", Some(half)), Ok(Some(object(&json!({ "name": "Annie", "city": "York" })))));
        let whole = object(&json!({ "name": "Anna", "city": "York" }));
        assert_eq!(overlaid("7", Some(whole.clone())), Ok(Some(whole)));
        assert_eq!(host.stored_state("pending/7"), None, "all of it is shown now");
    }

    #[test]
    fn a_new_record_that_stays_invisible_is_gone_after_a_while() {
        let written = object(&json!({ "name": "Ann" }));
        let host = MockHost::new().install();
        note("7", None, &written);
        assert_eq!(overlaid("7", None), Ok(Some(written.clone())));
        let noted = host.stored_state("pending/7").unwrap();
        drop(host);
        let _later = MockHost::new().now(PATIENCE).install();
        state::compare_and_set("pending/7", 0, &noted).unwrap();
        assert_eq!(overlaid("7", None), Ok(None));
        assert_eq!(overlaid("7", Some(Shown::new())), Ok(Some(Shown::new())), "it is forgotten");
    }
}
