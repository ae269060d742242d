//! Faults on demand: what goes wrong, at which operation, and how often.
//!
//! A fault is chosen before the double looks at a request, so a test can say exactly whether the effect took place:
//! [`Effect::Answer`] with `after: false` refuses, with `after: true` carries the request out and then lies about it.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::random::Random;
use crate::recorder::lock;

/// One rule. The first rule that matches a request and is due is applied.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Operation name, or a prefix ending in `*`: `highlevel.contacts.create`, `prefinery.*`, `*`. The names are in
    /// [`formbuilder::operations`](crate::formbuilder::operations),
    /// [`highlevel::operations`](crate::highlevel::operations) and
    /// [`prefinery::operations`](crate::prefinery::operations).
    pub operation: String,
    /// What happens.
    pub effect: Effect,
    /// How often; every time when absent.
    #[serde(default)]
    pub when: When,
    /// Matching requests let through before the rule starts.
    #[serde(default)]
    pub skip: u32,
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Every matching request.
    #[default]
    Always,
    /// The next n matching requests, then never again.
    Next(u32),
    /// With this probability (0 to 1), drawn from the sandbox's seed.
    Probability(f64),
}

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Effect {
    /// Answers with this status instead of the double's own answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body; a string is sent as HTML, anything else as JSON. Absent: a short JSON error.
        #[serde(default)]
        body: Option<Value>,
        /// Sent as `Retry-After` when present, in seconds.
        #[serde(default)]
        retry_after: Option<u32>,
        /// False: the request has no effect. True: it is carried out first.
        #[serde(default)]
        after: bool,
    },
    /// Closes the connection without an answer.
    Drop {
        /// False: the request has no effect. True: it is carried out first.
        #[serde(default)]
        after: bool,
    },
    /// Never answers: the connection stays open until the client gives up.
    Hang {
        /// False: the request has no effect. True: it is carried out first.
        #[serde(default)]
        after: bool,
    },
    /// Waits before the request is looked at. Real time: keep it to demonstrations and timeout tests.
    Delay {
        /// Milliseconds.
        millis: u64,
    },
    /// Answers 429 exactly as the vendor does when its burst limit is used up.
    TooManyRequests,
    /// The credential of this request is revoked for good before the request is looked at.
    RevokeCredential,
}

impl Fault {
    /// A fault that strikes the next `times` matching requests.
    pub fn next(times: u32, operation: &str, effect: Effect) -> Self {
        Self { operation: operation.to_owned(), effect, when: When::Next(times), skip: 0 }
    }

    /// A fault that strikes every matching request.
    pub fn always(operation: &str, effect: Effect) -> Self {
        Self { operation: operation.to_owned(), effect, when: When::Always, skip: 0 }
    }
}

impl Effect {
    /// Answers `status` without doing anything.
    pub fn refuse(status: u16) -> Self {
        Self::Answer { status, body: None, retry_after: None, after: false }
    }

    /// Does what was asked and answers `status` all the same.
    pub fn lie(status: u16) -> Self {
        Self::Answer { status, body: None, retry_after: None, after: true }
    }
}

/// True when `pattern` (a name, or a prefix ending in `*`) covers `name`.
pub(crate) fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults(Mutex<Rules>);

#[derive(Debug)]
struct Rules {
    in_force: Vec<Fault>,
    random: Random,
    struck: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Rules { in_force: Vec::new(), random: Random::new(seed, "faults"), struck: 0 }))
    }

    /// Adds a rule behind those already there.
    pub fn add(&self, fault: Fault) {
        if fault.when != When::Next(0) {
            lock(&self.0).in_force.push(fault);
        }
    }

    /// Removes the rules that do this to these operations.
    pub fn remove(&self, operation: &str, effect: &Effect) {
        lock(&self.0).in_force.retain(|rule| rule.operation != operation || rule.effect != *effect);
    }

    /// Removes every rule.
    pub fn clear(&self) {
        lock(&self.0).in_force.clear();
    }

    /// How many requests were struck so far, by rules of any kind.
    pub fn struck(&self) -> u64 {
        lock(&self.0).struck
    }

    /// The rules still in force.
    pub fn rules(&self) -> Vec<Fault> {
        lock(&self.0).in_force.clone()
    }

    /// Takes the effect due for one request of `operation`, if any.
    pub(crate) fn strike(&self, operation: &str) -> Option<Effect> {
        let mut guard = lock(&self.0);
        let Rules { in_force, random, struck: total } = &mut *guard;
        let mut struck = None;
        for (index, rule) in in_force.iter_mut().enumerate() {
            if !covers(&rule.operation, operation) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            let due = match &mut rule.when {
                When::Always => true,
                When::Next(left) => {
                    *left = left.saturating_sub(1);
                    true
                }
                When::Probability(p) => random.chance(*p),
            };
            if due {
                struck = Some((index, rule.effect.clone(), rule.when == When::Next(0)));
                break;
            }
        }
        let (index, effect, spent) = struck?;
        *total += 1;
        if spent {
            in_force.remove(index);
        }
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_strikes_after_its_skips_and_is_then_gone() {
        let faults = Faults::new(1);
        faults.add(Fault { skip: 1, ..Fault::next(2, "highlevel.contacts.*", Effect::refuse(503)) });
        let struck: Vec<bool> = (0..5).map(|_| faults.strike("highlevel.contacts.get").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.rules().is_empty());
    }

    #[test]
    fn a_fault_leaves_other_operations_alone() {
        let faults = Faults::new(1);
        faults.add(Fault::always("highlevel.contacts.create", Effect::Drop { after: true }));
        assert_eq!(faults.strike("highlevel.contacts.update"), None);
        assert_eq!(faults.strike("highlevel.contacts.create"), Some(Effect::Drop { after: true }));
    }

    #[test]
    fn probability_is_drawn_from_the_seed() {
        let draw = |seed| {
            let faults = Faults::new(seed);
            let when = When::Probability(0.5);
            faults.add(Fault { operation: "*".into(), effect: Effect::TooManyRequests, when, skip: 0 });
            (0..64).map(|_| u8::from(faults.strike("x").is_some())).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        assert!((16..48).contains(&draw(3).iter().map(|hit| u32::from(*hit)).sum::<u32>()));
    }
}
