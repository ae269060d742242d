//! What a connector may use, and what its partner allows.

use serde::{Deserialize, Serialize};

/// `[limits]`: what one call of the connector may use. What is left out has the default; nothing may exceed [`Limits::MAXIMUM`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Linear memory, in MiB.
    pub memory_mib: u32,
    /// Time in the connector's own code, in milliseconds; waiting for host calls does not count.
    pub cpu_ms: u32,
    /// Time in all, waiting included, in milliseconds.
    pub call_timeout_ms: u32,
    /// Number of calls to the host.
    pub host_calls: u32,
    /// Bytes that cross the boundary in either direction, in MiB.
    pub traffic_mib: u32,
}

impl Limits {
    /// The most that a manifest may ask for.
    pub const MAXIMUM: Self = Self {
        memory_mib: 256,
        cpu_ms: 10_000,
        call_timeout_ms: 300_000,
        host_calls: 10_000,
        traffic_mib: 256,
    };
}

impl Default for Limits {
    /// Ample for mapping one record and for one page of a poll.
    fn default() -> Self {
        Self { memory_mib: 32, cpu_ms: 1_000, call_timeout_ms: 60_000, host_calls: 500, traffic_mib: 32 }
    }
}

/// `[[quota]]`: a rate limit of the partner. The host spaces its requests so that it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// What the partner counts together, for a person: `project`, `company`, `tester list`.
    pub scope: String,
    /// Requests allowed …
    pub requests: u32,
    /// … in this many seconds.
    pub per_seconds: u32,
    /// Only requests whose path fits one of these count; all of them when empty. `*` stands for any characters but `/`.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Only requests with one of these methods count (`GET`, `POST`, …); all of them when empty.
    #[serde(default)]
    pub methods: Vec<String>,
}

impl Quota {
    /// Whether every request counts.
    pub fn counts_all(&self) -> bool {
        self.methods.is_empty() && self.paths.is_empty()
    }

    /// Whether a request to this path (below the base URL) counts.
    pub fn counts(&self, method: &str, path: &str) -> bool {
        let method =
            self.methods.is_empty() || self.methods.iter().any(|name| name.eq_ignore_ascii_case(method));
        method && (self.paths.is_empty() || self.paths.iter().any(|pattern| fits(pattern, path)))
    }
}

/// `[[repeatable]]`: requests to the partner that may be sent twice although they are `POST`s. After an answer that was lost, the host
/// repeats them by itself; of all other `POST`s of a handler a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeatable {
    /// Paths below the base URL. `*` stands for any characters but `/`.
    pub paths: Vec<String>,
    /// Why the second one changes nothing: by which key the partner knows that it is the same, for example.
    pub why: String,
}

impl Repeatable {
    /// Whether a request to this path (below the base URL) is one of these.
    pub fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|pattern| fits(pattern, path))
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_fits(pattern, part) => {}
            _ => return false,
        }
    }
}

fn part_fits(pattern: &str, part: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == part };
    let Some(part) = part.strip_prefix(start) else { return false };
    // Each literal between two stars is taken where it first occurs; the last one has to be the end.
    let mut part = part;
    let mut literals = rest.split('*').peekable();
    while let Some(literal) = literals.next() {
        if literals.peek().is_none() {
            return part.len() >= literal.len() && part.ends_with(literal);
        }
        let Some(at) = part.find(literal) else { return false };
        part = &part[at + literal.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(paths: &[&str], methods: &[&str]) -> Quota {
        Quota {
            scope: "test".into(),
            requests: 1,
            per_seconds: 1,
            paths: paths.iter().map(ToString::to_string).collect(),
            methods: methods.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_quota_without_paths_and_methods_counts_every_request() {
        assert!(quota(&[], &[]).counts("DELETE", "/anything/at/all"));
    }

    #[test]
    fn a_star_stands_for_any_characters_within_one_part_of_the_path() {
        let list = quota(&["/betas/*/testers*"], &["GET"]);
        assert!(list.counts("GET", "/betas/17/testers"));
        assert!(list.counts("get", "/betas/17/testers.json"));
        assert!(!list.counts("GET", "/betas/17/testers/5"));
        assert!(!list.counts("GET", "/betas/17/rewards"));
        assert!(!list.counts("POST", "/betas/17/testers"));
    }

    #[test]
    fn literals_around_stars_must_not_overlap() {
        assert!(!part_fits("ab*ba", "aba"));
        assert!(part_fits("ab*ba", "abba"));
        assert!(part_fits("*a*b", "xaxxab"));
        assert!(!part_fits("*a*b", "xbxa"));
    }
}
