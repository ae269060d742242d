//! What follows when one of two linked records is gone: a pure decision, so that every case can be tried without anybody's records.
//!
//! Nothing is done at first sight: a record that is not found may be back minutes later, or its system may have answered nonsense. At
//! the second look it may turn out to live on in another one, because HighLevel merges contacts silently. Only then the policy acts,
//! and a delete also needs a person.

use serde::{Deserialize, Serialize};

use crate::Side;

/// What is done to the record of the other side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "then", rename_all = "kebab-case")]
pub enum DeletePolicy {
    /// Nothing: both are no longer kept in step.
    #[default]
    Unlink,
    /// It gets a tag.
    Tag {
        /// The tag.
        tag: String,
    },
    /// One of its fields says so from then on: what its system, or the people who use it, take for archived.
    Archive {
        /// The field, by its name on that side.
        field: String,
        /// What it is set to, a text, a number or a truth value.
        value: serde_json::Value,
    },
    /// It is deleted as well, once a person has confirmed it.
    Delete,
}

/// The policies of one entity of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeletePolicies {
    /// What is done at the partner when the record is gone in HighLevel.
    pub highlevel_gone: DeletePolicy,
    /// What is done in HighLevel when the record is gone at the partner.
    pub partner_gone: DeletePolicy,
}

impl DeletePolicies {
    /// The policy for a record that is gone on this side.
    pub fn when_gone(&self, side: Side) -> &DeletePolicy {
        match side {
            Side::Highlevel => &self.highlevel_gone,
            Side::Partner => &self.partner_gone,
        }
    }
}

/// How far a pair is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Both were there at the last look.
    Linked,
    /// One was not found; the second look is due, or not yet.
    Quarantined {
        /// It is due.
        due: bool,
    },
    /// A person has to confirm that the other one is deleted.
    Waiting,
    /// A person confirmed.
    Confirmed,
    /// A person wants the other one to be kept.
    Kept,
    /// The host began to act and may have been stopped before it could note what became of it.
    Acting,
}

/// Which of the two records a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Both.
    Both,
    /// All but the one of this side.
    Without(Side),
    /// None.
    Neither,
}

/// Whether a record that is gone lives on in another one, as a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LivesOn {
    /// No other one is known by what it was known by.
    No,
    /// Others are, and nobody can tell: people of one household share a phone.
    Perhaps,
    /// One is, beyond doubt.
    Yes,
}

/// What a run does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Merge both, as ever.
    Merge,
    /// Do nothing but remember to look again.
    Quarantine,
    /// Leave everything as it is.
    Wait,
    /// Find out whether the record lives on in another one, and decide again.
    Search,
    /// Link the other record with the survivor.
    Move,
    /// Keep the pair in step no longer.
    Unlink,
    /// Leave a sign on the other record: a tag, or a field that says that it is archived.
    Sign,
    /// Ask a person.
    Ask,
    /// Delete the other record.
    Delete,
    /// Note that nothing is left on either side.
    Nothing,
}

/// Decides about a pair. `survivor` says what a search for the record found; none when it was not searched for. A doubt about which a
/// person decided is none any more.
pub fn after_look(stage: Stage, seen: Seen, survivor: Option<LivesOn>, policy: &DeletePolicy) -> Step {
    match (stage, seen) {
        (_, Seen::Both) => Step::Merge,
        (Stage::Linked, _) => Step::Quarantine,
        (Stage::Quarantined { due: false }, _) => Step::Wait,
        (_, Seen::Neither) => Step::Nothing,
        // What a person wants to keep is only unlinked, wherever the other one went.
        (_, Seen::Without(_)) => match (survivor, stage, policy) {
            (None, ..) => Step::Search,
            (Some(LivesOn::Yes), ..) => Step::Move,
            (_, Stage::Kept, _) => Step::Unlink,
            (Some(LivesOn::Perhaps), ..) => Step::Ask,
            (_, _, DeletePolicy::Unlink) => Step::Unlink,
            (_, _, DeletePolicy::Tag { .. } | DeletePolicy::Archive { .. }) => Step::Sign,
            (_, Stage::Confirmed | Stage::Acting, DeletePolicy::Delete) => Step::Delete,
            (_, _, DeletePolicy::Delete) => Step::Ask,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage() -> impl Strategy<Value = Stage> {
        prop_oneof![
            Just(Stage::Linked),
            any::<bool>().prop_map(|due| Stage::Quarantined { due }),
            Just(Stage::Waiting),
            Just(Stage::Confirmed),
            Just(Stage::Kept),
            Just(Stage::Acting),
        ]
    }

    fn seen() -> impl Strategy<Value = Seen> {
        prop_oneof![
            Just(Seen::Both),
            Just(Seen::Without(Side::Highlevel)),
            Just(Seen::Without(Side::Partner)),
            Just(Seen::Neither),
        ]
    }

    fn survivor() -> impl Strategy<Value = LivesOn> {
        prop_oneof![Just(LivesOn::No), Just(LivesOn::Perhaps), Just(LivesOn::Yes)]
    }

    fn searched() -> impl Strategy<Value = Option<LivesOn>> {
        proptest::option::of(survivor())
    }

    fn policy() -> impl Strategy<Value = DeletePolicy> {
        prop_oneof![
            Just(DeletePolicy::Unlink),
            Just(DeletePolicy::Tag { tag: "gone".to_owned() }),
            Just(DeletePolicy::Archive { field: "state".to_owned(), value: "archived".into() }),
            Just(DeletePolicy::Delete),
        ]
    }

    /// The stage in which a step leaves a pair; none when it has left it.
    fn follow(stage: Stage, step: Step, confirms: bool) -> Option<Stage> {
        match step {
            Step::Quarantine => Some(Stage::Quarantined { due: false }),
            Step::Wait => Some(Stage::Quarantined { due: true }),
            Step::Search => Some(stage),
            Step::Ask if confirms => Some(Stage::Confirmed),
            Step::Ask => Some(Stage::Kept),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn two_records_that_are_there_are_merged_whatever_was_planned(stage in stage(), policy in policy(), survivor in searched()) {
            prop_assert_eq!(after_look(stage, Seen::Both, survivor, &policy), Step::Merge);
        }

        #[test]
        fn first_sight_and_a_look_that_is_not_due_do_nothing(seen in seen(), policy in policy(), survivor in searched()) {
            prop_assume!(seen != Seen::Both);
            prop_assert_eq!(after_look(Stage::Linked, seen, survivor, &policy), Step::Quarantine);
            let early = Stage::Quarantined { due: false };
            prop_assert_eq!(after_look(early, seen, survivor, &policy), Step::Wait);
        }

        #[test]
        fn nothing_is_deleted_that_nobody_confirmed_or_that_lives_on(stage in stage(), seen in seen(), policy in policy(), survivor in searched()) {
            let step = after_look(stage, seen, survivor, &policy);
            if step == Step::Delete {
                prop_assert!(matches!(stage, Stage::Confirmed | Stage::Acting));
                prop_assert!(matches!(seen, Seen::Without(_)));
                prop_assert_eq!(survivor, Some(LivesOn::No));
                prop_assert_eq!(policy, DeletePolicy::Delete);
            }
            if matches!(step, Step::Sign | Step::Unlink | Step::Ask) {
                prop_assert!(survivor.is_some_and(|survivor| survivor != LivesOn::Yes), "only after a search");
            }
            if step == Step::Sign || step == Step::Unlink && stage != Stage::Kept {
                prop_assert_eq!(survivor, Some(LivesOn::No), "a doubt is for a person");
            }
        }

        #[test]
        fn a_record_that_stays_away_comes_to_an_end_by_its_policy(side: bool, policy in policy(), lives_on in survivor(), confirms: bool) {
            let seen = Seen::Without(if side { Side::Highlevel } else { Side::Partner });
            let (mut stage, mut survivor, mut last) = (Stage::Linked, None, Step::Wait);
            for _ in 0..10 {
                last = after_look(stage, seen, survivor, &policy);
                if last == Step::Search {
                    survivor = Some(lives_on);
                }
                if last == Step::Ask && survivor == Some(LivesOn::Perhaps) {
                    survivor = Some(LivesOn::No);
                }
                match follow(stage, last, confirms) {
                    Some(next) => stage = next,
                    None => break,
                }
            }
            let expected = match policy {
                _ if lives_on == LivesOn::Yes => Step::Move,
                DeletePolicy::Tag { .. } | DeletePolicy::Archive { .. }
                    if lives_on == LivesOn::Perhaps && !confirms =>
                {
                    Step::Unlink
                }
                DeletePolicy::Tag { .. } | DeletePolicy::Archive { .. } => Step::Sign,
                DeletePolicy::Delete if confirms => Step::Delete,
                DeletePolicy::Unlink | DeletePolicy::Delete => Step::Unlink,
            };
            prop_assert_eq!(last, expected);
        }
    }

    #[test]
    fn policies_are_stored_in_words_and_unlink_unless_told() {
        let policies = DeletePolicies {
            highlevel_gone: DeletePolicy::Tag { tag: "gone".to_owned() },
            partner_gone: DeletePolicy::Archive { field: "active".to_owned(), value: false.into() },
        };
        let text = serde_json::to_string(&policies).unwrap();
        assert_eq!(
            text,
            r#"{"highlevel_gone":{"then":"tag","tag":"gone"},"partner_gone":{"then":"archive","field":"active","value":false}}"#
        );
        assert_eq!(serde_json::from_str::<DeletePolicies>(&text).unwrap(), policies);
        assert_eq!(serde_json::from_str::<DeletePolicies>("{}").unwrap(), DeletePolicies::default());
        assert_eq!(policies.when_gone(Side::Partner), &policies.partner_gone);
    }
}
