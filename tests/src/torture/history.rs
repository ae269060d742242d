//! What happens in a history: a function of its seed.

use std::fmt;

use contactor_sandbox::random::Random;
use contactor_store::torture::CHANGES;

use super::Options;

/// Steps of a history.
const STEPS: usize = 40;
/// People at the beginning.
pub(super) const PEOPLE: usize = 6;
/// Places that each start comes to before it serves.
const STARTS: [&str; 5] = ["before-opening", "after-opening", "after-fold", "mark-synced", "mark-renamed"];
/// Places where the host may be told to die, each with how often it may be come to before.
const PLACES: [(&str, usize); 5] = [
    ("before-commit", 40),
    ("after-commit", 40),
    ("after-mark", 40),
    ("after-write", 12),
    ("before-result", 4),
];

/// Of the store's changes, those that hardly a history is without.
const OFTEN: [&str; 22] = [
    "acquire_lease",
    "add_usage",
    "append_event",
    "begin_deletion",
    "claim_deliveries",
    "claim_events",
    "claim_records",
    "complete_delivery",
    "complete_event",
    "complete_record",
    "deliver",
    "end_rest",
    "journal_intent",
    "journal_result",
    "mark_found",
    "note_conflicts",
    "own_write",
    "put_alerts",
    "put_cursor",
    "put_rest",
    "put_run",
    "put_seen",
];

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// A place that the host marks.
    pub place: &'static str,
    /// Only commits that hold this change of the store count.
    pub change: Option<&'static str>,
    /// The how manyth coming to it.
    pub coming: usize,
}

impl Death {
    /// Some strike while the process starts. Of the others half strike at any commit or write, half at one kind of change, so that rare ones are struck as well.
    fn of(random: &mut Random) -> Self {
        if random.below(8) == 0 {
            return Self { place: STARTS[random.below(STARTS.len())], change: None, coming: 1 };
        }
        if random.below(2) == 0 {
            let (place, comings) = PLACES[random.below(PLACES.len())];
            return Self { place, change: None, coming: 1 + random.below(comings) };
        }
        Self {
            place: ["before-commit", "after-commit"][random.below(2)],
            change: Some(if random.below(4) == 0 {
                CHANGES[random.below(CHANGES.len())]
            } else {
                OFTEN[random.below(OFTEN.len())]
            }),
            coming: 1 + random.below(3),
        }
    }

    /// As the process is told.
    pub(super) fn order(self) -> String {
        let change = self.change.map_or_else(String::new, |change| format!("/{change}"));
        format!("die={}{change}:{}", self.place, self.coming)
    }
}

/// What the admin wants for records that one side lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Unlink,
    Tag,
    Delete,
}

impl Policy {
    const ALL: [Self; 3] = [Self::Unlink, Self::Tag, Self::Delete];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unlink => "unlink",
            Self::Tag => "tag",
            Self::Delete => "delete",
        }
    }
}

/// What is the same throughout a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// For contacts that are gone in HighLevel.
    pub(super) highlevel_gone: Policy,
    /// For testers that are gone at the partner.
    pub(super) partner_gone: Policy,
    /// Requests that are never answered, some of them after their effect.
    pub(super) hangs: bool,
    /// At the end somebody confirms every delete that waits, and undoes whatever the host did because a record was gone.
    pub(super) regrets: bool,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (contact, tester) = (self.highlevel_gone.name(), self.partner_gone.name());
        let hangs = if self.hangs { ", requests hang" } else { "" };
        let regrets = if self.regrets { ", all undone at the end" } else { "" };
        write!(f, "gone contact: {contact}, gone tester: {tester}{hangs}{regrets}")
    }
}

/// What somebody wants to become of deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Confirm,
    Keep,
    Undo,
}

impl Decision {
    /// As the admin API is told.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Keep => "keep",
            Self::Undo => "undo",
        }
    }
}

/// A side that refuses everything for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storm {
    Highlevel,
    Partner,
}

/// One step. People are named by their place in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody edits a contact in HighLevel.
    EditContact { person: usize, field: &'static str, value: String },
    /// Somebody tags a contact in HighLevel.
    Tag { person: usize, tag: String },
    /// Somebody creates a contact in HighLevel.
    CreateContact { name: String },
    /// Somebody deletes a contact in HighLevel.
    DeleteContact { person: usize },
    /// Somebody deletes a tester at the partner.
    DeleteTester { person: usize },
    /// Somebody decides about everything that waits to be deleted, or undoes everything that was done.
    Decide(Decision),
    /// One side answers 429 to everything for some minutes, and says how long to wait or does not.
    Storm { side: Storm, retry_after: Option<u32> },
    /// Somebody edits a tester at the partner.
    EditTester { person: usize, field: &'static str, value: String },
    /// Somebody signs up at the partner.
    CreateTester { name: String },
    /// Webhooks are delivered, in another order when said so.
    Deliver { shuffled: bool },
    /// Minutes pass.
    Pass { minutes: i64 },
    /// The process is killed and started again; the next process dies by itself, if a place is named.
    Kill { next: Option<Death> },
    /// The location's token is refused until somebody gives a new one.
    RevokeToken,
}

/// The steps of a seed.
pub(super) struct History {
    pub(super) shape: Shape,
    pub(super) steps: Vec<Step>,
}

impl History {
    pub(super) fn of(seed: u64, options: &Options) -> Self {
        let mut random = Random::new(seed, "torture");
        let shape = Shape {
            highlevel_gone: Policy::ALL[random.below(3)],
            partner_gone: Policy::ALL[random.below(3)],
            hangs: random.below(3) == 0,
            regrets: random.below(2) == 0,
        };
        let mut people = PEOPLE;
        let mut steps = Vec::with_capacity(STEPS + 2);
        for number in 0..STEPS {
            steps.push(step(&mut random, number, &mut people));
        }
        // Two deaths in each history: one from outside, and one at a place, which is left to a later step.
        let death = Death::of(&mut random);
        let at = random.below(STEPS / 2);
        steps.insert(at, Step::Kill { next: Some(options.death.unwrap_or(death)) });
        let at = STEPS / 2 + random.below(STEPS / 2);
        steps.insert(at, Step::Kill { next: None });
        Self { shape, steps }
    }
}

fn step(random: &mut Random, number: usize, people: &mut usize) -> Step {
    let person = random.below(*people);
    let value = format!("Edited{number}");
    let field = ["firstName", "lastName"][random.below(2)];
    match random.below(24) {
        0..=4 => Step::EditContact { person, field, value },
        5 => Step::Tag { person, tag: format!("tag {number}") },
        6 | 7 => {
            *people += 1;
            Step::CreateContact { name: format!("new{number}") }
        }
        8 => Step::DeleteContact { person },
        9..=11 => Step::EditTester { person, field, value },
        12 => {
            *people += 1;
            Step::CreateTester { name: format!("signup{number}") }
        }
        13..=16 => Step::Deliver { shuffled: random.below(2) == 0 },
        17..=19 => Step::Pass { minutes: 1 + i64::try_from(random.below(20)).unwrap_or(0) },
        20 => Step::DeleteTester { person },
        21 => {
            let (confirm, keep, undo) = (Decision::Confirm, Decision::Keep, Decision::Undo);
            Step::Decide([confirm, confirm, keep, undo][random.below(4)])
        }
        // The host waits for HighLevel's quota in real time, so that side asks for a moment only.
        22 if random.below(2) == 0 => {
            Step::Storm { side: Storm::Highlevel, retry_after: [None, Some(1)][random.below(2)] }
        }
        22 => Step::Storm { side: Storm::Partner, retry_after: [None, Some(30), Some(600)][random.below(3)] },
        _ if random.below(4) == 0 => Step::RevokeToken,
        _ => Step::Deliver { shuffled: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_a_function_of_its_seed() {
        let steps = |seed| History::of(seed, &Options::default()).steps;
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
        assert!(OFTEN.iter().all(|change| CHANGES.contains(change)));
        let kills = steps(9).into_iter().filter(|step| matches!(step, Step::Kill { .. })).count();
        assert_eq!(kills, 2);
    }
}
