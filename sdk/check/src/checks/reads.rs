//! Reading, admitting, receiving and polling write nothing: a preview asks them all. Every call of the suite was looked at.

use super::count;
use crate::report::Outcome;
use crate::subject::Subject;

pub(crate) fn run(subject: &Subject) -> Outcome {
    Outcome::of(subject.writes.clone(), format!("{} looked at", count(subject.calls, "call")))
}
