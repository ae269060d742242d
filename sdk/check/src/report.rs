//! What the suite found.

use std::fmt::{self, Write as _};

use contactor_runtime::Inspection;
use serde::Serialize;

/// Most details that a report shows of one check.
const SHOWN: usize = 6;

/// The result of every check.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The connector's id.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its short name.
    pub name: &'static str,
    /// What has to be true.
    pub title: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Pass {
        /// What was looked at.
        looked_at: String,
    },
    /// It does not hold.
    Fail {
        /// Each thing that is wrong, and what to do about it.
        problems: Vec<String>,
    },
    /// It could not be looked at.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    pub(crate) fn pass(looked_at: impl Into<String>) -> Self {
        Self::Pass { looked_at: looked_at.into() }
    }

    pub(crate) fn failed(problems: Vec<String>) -> Self {
        Self::Fail { problems }
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }

    /// It holds if nothing is wrong. What is wrong for the same reason at several places is told once.
    pub(crate) fn of(mut problems: Vec<String>, looked_at: impl Into<String>) -> Self {
        let mut told = std::collections::BTreeSet::new();
        problems.retain(|problem| told.insert(problem.clone()));
        if problems.is_empty() { Self::pass(looked_at) } else { Self::failed(problems) }
    }
}

impl Report {
    pub(crate) fn new(inspection: &Inspection) -> Self {
        let connector = &inspection.manifest.connector;
        Self {
            connector: connector.id.as_str().to_owned(),
            version: connector.version.to_string(),
            digest: inspection.digest.to_string(),
            checks: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, name: &'static str, title: &'static str, outcome: Outcome) {
        self.checks.push(Check { name, title, outcome });
    }

    /// Whether no check failed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| !matches!(check.outcome, Outcome::Fail { .. }))
    }

    /// The outcome of a check, by its short name.
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.checks.iter().find(|check| check.name == name).map(|check| &check.outcome)
    }
}

impl fmt::Display for Report {
    /// A line for each check, and below it what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.connector, self.version)?;
        let (mut failed, mut skipped) = (0, 0);
        for Check { name, title, outcome } in &self.checks {
            match outcome {
                Outcome::Pass { looked_at } => writeln!(f, "pass     {name:<11} {title} ({looked_at})")?,
                Outcome::Skipped { reason } => {
                    skipped += 1;
                    writeln!(f, "skipped  {name:<11} {title}: {reason}")?;
                }
                Outcome::Fail { problems } => {
                    failed += 1;
                    writeln!(f, "FAIL     {name:<11} {title}")?;
                    for problem in problems.iter().take(SHOWN) {
                        writeln!(f, "         {:<11} - {problem}", "")?;
                    }
                    if let Some(more) = problems.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                        writeln!(f, "         {:<11} - and {more} more", "")?;
                    }
                }
            }
        }
        let mut last = String::new();
        match failed {
            0 => last.push_str("passed"),
            1 => last.push_str("1 check failed"),
            failed => write!(last, "{failed} checks failed")?,
        }
        if skipped > 0 {
            write!(last, ", {skipped} skipped")?;
        }
        write!(f, "{last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_line_for_each_check_and_says_what_is_wrong() {
        let checks = vec![
            Check { name: "one", title: "holds", outcome: Outcome::pass("3 things") },
            Check {
                name: "two",
                title: "does not",
                outcome: Outcome::failed((0..8).map(|n| n.to_string()).collect()),
            },
            Check { name: "three", title: "cannot be seen", outcome: Outcome::skipped("dark") },
        ];
        let report =
            Report { connector: "acme".into(), version: "1.0.0".into(), digest: String::new(), checks };
        let text = report.to_string();
        assert!(
            text.contains("pass     one") && text.contains("FAIL     two") && text.contains("skipped  three"),
            "{text}"
        );
        assert!(text.contains("- 5\n") && !text.contains("- 6\n") && text.contains("and 2 more"), "{text}");
        assert!(text.ends_with("1 check failed, 1 skipped"), "{text}");
        assert!(!report.passed());
        assert_eq!(serde_json::to_value(&report).unwrap()["checks"][2]["outcome"], "skipped");
    }

    #[test]
    fn the_same_problem_is_told_once() {
        let outcome = Outcome::of(vec!["a".into(), "b".into(), "a".into()], "x");
        assert_eq!(outcome, Outcome::failed(vec!["a".into(), "b".into()]));
    }
}
