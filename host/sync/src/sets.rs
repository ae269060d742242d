//! Three-way merge of sets: each side's additions and removals are applied to the other, so there is no conflict.

use std::collections::BTreeSet;

use crate::Value;

type Elements = BTreeSet<String>;

/// How elements of two fields are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// Letter case counts.
    Exact,
    /// Letter case does not count: at least one of the fields holds tags, which HighLevel keeps in lower case.
    Caseless,
}

impl Fold {
    fn key(self, element: &str) -> String {
        match self {
            Self::Exact => element.to_owned(),
            Self::Caseless => element.to_lowercase(),
        }
    }

    fn keys(self, elements: &Elements) -> Elements {
        elements.iter().map(|element| self.key(element)).collect()
    }
}

/// What one side added and removed since the base.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    added: Elements,
    removed: Elements,
}

impl Delta {
    /// Without a base everything that is there was added, and nothing was removed.
    pub(crate) fn between(base: Option<&Value>, now: &Value, fold: Fold) -> Self {
        let base = base.map(Value::elements).unwrap_or_default();
        let now = now.elements();
        let (base_keys, now_keys) = (fold.keys(&base), fold.keys(&now));
        Self {
            added: now.into_iter().filter(|element| !base_keys.contains(&fold.key(element))).collect(),
            removed: base.into_iter().filter(|element| !now_keys.contains(&fold.key(element))).collect(),
        }
    }

    /// Applies the changes to what the other side holds. What the other side added itself (`theirs`) is never removed.
    pub(crate) fn apply(&self, held: &Value, theirs: &Self, fold: Fold) -> Value {
        let (removed, protected) = (fold.keys(&self.removed), fold.keys(&theirs.added));
        let mut result: Elements = held
            .elements()
            .into_iter()
            .filter(|element| {
                let key = fold.key(element);
                !removed.contains(&key) || protected.contains(&key)
            })
            .collect();
        let present = fold.keys(&result);
        result.extend(self.added.iter().filter(|element| !present.contains(&fold.key(element))).cloned());
        if result.is_empty() { Value::Null } else { Value::Set(result) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(elements: &[&str]) -> Value {
        elements.iter().copied().collect()
    }

    #[test]
    fn additions_and_removals_reach_the_other_side_and_leave_its_own_alone() {
        let ours = Delta::between(Some(&set(&["a", "b"])), &set(&["b", "c"]), Fold::Exact);
        assert_eq!(ours.apply(&set(&["a", "b", "x"]), &Delta::default(), Fold::Exact), set(&["b", "c", "x"]));
    }

    #[test]
    fn without_a_base_nothing_is_removed() {
        let ours = Delta::between(None, &set(&["a"]), Fold::Exact);
        assert_eq!(ours.apply(&set(&["b"]), &Delta::default(), Fold::Exact), set(&["a", "b"]));
    }

    #[test]
    fn what_the_other_side_added_survives_a_removal() {
        let ours = Delta::between(Some(&set(&["vip"])), &Value::Null, Fold::Caseless);
        let theirs = Delta::between(Some(&Value::Null), &set(&["VIP"]), Fold::Caseless);
        assert_eq!(ours.apply(&set(&["VIP"]), &theirs, Fold::Caseless), set(&["VIP"]));
    }

    #[test]
    fn tags_that_differ_in_case_alone_are_one_tag() {
        let ours = Delta::between(None, &set(&["vip", "new"]), Fold::Caseless);
        assert_eq!(ours.apply(&set(&["VIP"]), &Delta::default(), Fold::Caseless), set(&["VIP", "new"]));
    }

    #[test]
    fn a_set_that_loses_its_last_element_is_no_value() {
        let ours = Delta::between(Some(&set(&["a"])), &Value::Null, Fold::Exact);
        assert_eq!(ours.apply(&set(&["a"]), &Delta::default(), Fold::Exact), Value::Null);
    }
}
