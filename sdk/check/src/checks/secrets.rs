//! No secret comes out again: in answers, errors, log lines, or in what a connector sends on. Every call of the suite carried one, in
//! the headers of webhooks or of the partner's answers.

use super::count;
use crate::report::Outcome;
use crate::subject::Subject;

pub(crate) fn run(subject: &Subject) -> Outcome {
    let told = |place: &String| {
        format!(
            "{place}: a header's secret came out again; pass on the headers that you need by name, and no others"
        )
    };
    let problems = subject.leaks.iter().map(told).collect();
    Outcome::of(problems, format!("{} looked at", count(subject.calls, "call")))
}
