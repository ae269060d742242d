//! Prefinery's documented request limits (<https://www.prefinery.com/api/v2/docs/testers> and its sister
//! pages). What is not listed there is not limited.

use std::collections::{HashMap, VecDeque};

use crate::clock::Millis;

const MINUTE: Millis = 60_000;

/// Limits of an operation: requests, per how long, and whether each project has its own.
fn limits(operation: &str) -> &'static [(usize, Millis, bool)] {
    match operation {
        "prefinery.betas.list" | "prefinery.betas.get" => &[(90, 15 * MINUTE, false)],
        "prefinery.testers.list" => &[(60, MINUTE, true), (180, MINUTE, false)],
        "prefinery.rewards.list" | "prefinery.points.list" => &[(60, MINUTE, true)],
        _ => &[],
    }
}

/// Times of recent requests by operation and, where each has its own limit, project.
#[derive(Debug, Default)]
pub(super) struct Limits(HashMap<(&'static str, String), VecDeque<Millis>>);

impl Limits {
    /// Books one request; false when it goes beyond a limit, and is not booked then.
    pub(super) fn take(&mut self, operation: &'static str, project: &str, now: Millis) -> bool {
        // Both project calls share one limit.
        let group = if operation.starts_with("prefinery.betas.") { "prefinery.betas" } else { operation };
        let key = |per_project: bool| (group, if per_project { project.to_owned() } else { String::new() });
        let allowed = limits(operation).iter().all(|(most, period, per_project)| {
            let times = self.0.entry(key(*per_project)).or_default();
            while times.front().is_some_and(|at| now - at >= *period) {
                times.pop_front();
            }
            times.len() < *most
        });
        if allowed {
            for (_, _, per_project) in limits(operation) {
                self.0.entry(key(*per_project)).or_default().push_back(now);
            }
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_60_lists_a_minute_and_the_company_180() {
        let mut limits = Limits::default();
        let mut run =
            |project: &str| (0..70).filter(|_| limits.take("prefinery.testers.list", project, 0)).count();
        assert_eq!([run("1"), run("2"), run("3"), run("4")], [60, 60, 60, 0]);
        assert!(limits.take("prefinery.testers.list", "1", MINUTE));
        assert!((0..1_000).all(|_| limits.take("prefinery.testers.create", "1", 0)));
    }
}
