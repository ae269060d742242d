//! What the host knows of a record after it wrote it. Pure.

use contactor_sync::{Fields, Value};

/// A record as it was read, with what was written and kept.
///
/// The answer to a write shows the whole record, and with it what somebody else changed since it was read. None of that was
/// merged: if it were taken for agreed on, it would never reach the other side, and the webhook that announces it would look
/// like the echo of this write. So of an answer only the fields count that were written.
pub(crate) fn seen(before: &Fields, written: &Fields, after: &Fields) -> Fields {
    let mut seen = before.clone();
    for (name, value) in written {
        // A partner may answer with part of the record: what it leaves out is what was written.
        let kept = after.get(name).unwrap_or(value);
        seen.insert(name.clone(), kept_of(before.get(name), value, kept));
    }
    seen
}

/// Sets are written by their elements, so others may change theirs in the same field.
fn kept_of(before: Option<&Value>, written: &Value, kept: &Value) -> Value {
    let (Value::Set(written), Value::Set(kept_set)) = (written, kept) else { return kept.clone() };
    let stays = |element: &&String| {
        kept_set.contains(*element) || matches!(before, Some(Value::Set(before)) if before.contains(*element))
    };
    Value::Set(written.iter().filter(stays).cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::convert::value_from_json;

    fn fields(value: &serde_json::Value) -> Fields {
        let members = value.as_object().unwrap().iter();
        members.map(|(name, value)| (name.clone(), value_from_json(value))).collect()
    }

    fn tags(tags: &[&str]) -> Fields {
        let set = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Fields::from([("tags".to_owned(), Value::Set(set))])
    }

    #[test]
    fn what_somebody_else_changed_meanwhile_was_not_merged() {
        let before = fields(&json!({ "first": "Ann", "last": "Lee" }));
        let written = fields(&json!({ "first": "Bo" }));
        let after = fields(&json!({ "first": "Bo", "last": "King" }));
        assert_eq!(seen(&before, &written, &after), fields(&json!({ "first": "Bo", "last": "Lee" })));
    }

    #[test]
    fn what_was_not_kept_is_known_and_a_partial_answer_is_believed() {
        let before = fields(&json!({ "first": "Ann", "last": "Lee" }));
        let written = fields(&json!({ "first": "Bo", "last": null }));
        let partial = fields(&json!({ "first": "BO" }));
        assert_eq!(seen(&before, &written, &partial), fields(&json!({ "first": "BO", "last": null })));
    }

    #[test]
    fn elements_that_others_added_or_removed_meanwhile_are_news() {
        // "vip" was written; somebody added "other" and removed "lead"; "long" was never kept.
        let known = seen(&tags(&["lead"]), &tags(&["lead", "vip", "long"]), &tags(&["vip", "other"]));
        assert_eq!(known, tags(&["lead", "vip"]));
        // An element that was removed is gone, also when it comes back at once.
        assert_eq!(seen(&tags(&["a", "b"]), &tags(&["a"]), &tags(&["a", "b"])), tags(&["a"]));
    }
}
