//! What a workspace does not let any of its connectors do, whatever its admins grant.

use serde::{Deserialize, Serialize};

/// The policy of a workspace. An empty one forbids nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Connectors that may be used, by id; any if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectors: Option<Vec<String>>,
    /// Permissions that no connector has: names, or beginnings of names with a `*` behind them (`event:*`), and whatever takes in one of
    /// them. See [`denies`](Policy::denies).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// A pattern that could never match as it is meant.
    #[error("`{0}`: a `*` stands at the end of a pattern, for whatever follows")]
    Star(String),
    /// How a credential is sent, which no connector can do without.
    #[error(
        "`{0}`: how a credential is sent comes with a connector; deny the host to which it is sent, or leave out the connector"
    )]
    Credential(String),
    /// Nothing stands there.
    #[error("a permission or connector without a name")]
    Empty,
}

/// How the names of hosts, of records, and of ways to send a credential begin.
const HOST: &str = "host:";
const RECORDS: &str = "records:";
const CREDENTIAL: &str = "auth:";

impl Policy {
    /// Whether it says what it seems to.
    ///
    /// # Errors
    /// The first thing that does not make sense.
    pub fn check(&self) -> Result<(), PolicyProblem> {
        for pattern in &self.deny {
            if pattern.starts_with(CREDENTIAL) {
                return Err(PolicyProblem::Credential(pattern.clone()));
            }
            let stem = pattern.strip_suffix('*').unwrap_or(pattern);
            // A host's own pattern begins with a star: `host:*.example`.
            if stem.strip_prefix(HOST).map_or(stem, |host| host.trim_start_matches("*.")).contains('*') {
                return Err(PolicyProblem::Star(pattern.clone()));
            }
        }
        let mut names = self.deny.iter().chain(self.connectors.iter().flatten());
        if names.any(|name| name.trim().is_empty()) { Err(PolicyProblem::Empty) } else { Ok(()) }
    }

    /// Whether a connector may be used at all.
    pub fn lets(&self, connector: &str) -> bool {
        self.connectors.as_ref().is_none_or(|allowed| allowed.iter().any(|id| id == connector))
    }

    /// Whether no connector has this permission: it is denied itself, or something is that comes with it. Both ways of a record come
    /// with each of the two. A host is denied with all hosts below a name, and these with any one of them.
    pub fn denies(&self, name: &str) -> bool {
        // It is used whatever a policy says, and is shown as what it is.
        !name.starts_with(CREDENTIAL) && self.deny.iter().any(|pattern| takes_in(name, pattern))
    }

    /// What it leaves of what was granted.
    pub fn leaves(&self, granted: Vec<String>) -> Vec<String> {
        granted.into_iter().filter(|name| !self.denies(name)).collect()
    }
}

/// Whether a permission is denied by a pattern, as a whole or in part.
fn takes_in(name: &str, pattern: &str) -> bool {
    if is_of(name, pattern) {
        return true;
    }
    if let Some(records) = name.strip_suffix("both").filter(|_| name.starts_with(RECORDS)) {
        return ["to-partner", "to-highlevel"].iter().any(|way| is_of(&format!("{records}{way}"), pattern));
    }
    match (name.strip_prefix(HOST), pattern.strip_prefix(HOST)) {
        (Some(asked), Some(denied)) => hosts_meet(asked, &denied.to_ascii_lowercase()),
        _ => false,
    }
}

/// Whether a pattern stands for a name, letter by letter.
fn is_of(name: &str, pattern: &str) -> bool {
    pattern == name || pattern.strip_suffix('*').is_some_and(|stem| name.starts_with(stem))
}

/// Whether some host is meant by both. `*.example` stands for every host below `example`, as in manifests.
fn hosts_meet(asked: &str, denied: &str) -> bool {
    let is_below = |host: &str, all: &str| all.strip_prefix('*').is_some_and(|name| host.ends_with(name));
    match denied.strip_suffix('*') {
        // Whatever the beginning is, some host below a name has it.
        Some(beginning) => asked.starts_with("*.") || asked.starts_with(beginning),
        None => asked == denied || is_below(asked, denied) || is_below(denied, asked),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn denying(pattern: &str) -> Policy {
        Policy { connectors: None, deny: vec![pattern.to_owned()] }
    }

    #[test]
    fn what_takes_in_something_denied_is_denied() {
        for (pattern, asked) in [
            ("contacts.write", "contacts.write"),
            ("event:*", "event:ContactCreate"),
            ("records:contact:to-highlevel", "records:contact:both"),
            ("records:contact:to-*", "records:contact:both"),
            ("records:contact:both", "records:contact:both"),
            ("host:evil.p.example", "host:*.p.example"),
            ("host:Evil.P.example", "host:evil.p.example"),
            ("host:a.b.p.example", "host:*.p.example"),
            ("host:*.b.p.example", "host:*.p.example"),
            ("host:*.p.example", "host:evil.p.example"),
            ("host:*.p.example", "host:*.b.p.example"),
            ("host:evil.*", "host:*.p.example"),
            ("host:evil.*", "host:evil.p.example"),
            ("host:*", "host:p.example"),
            ("*", "notifications"),
        ] {
            assert!(denying(pattern).denies(asked), "{pattern} and {asked}");
        }
    }

    #[test]
    fn what_only_resembles_something_denied_is_not() {
        for (pattern, asked) in [
            ("contacts.write", "contacts.readonly"),
            // One way may stay where both are not wanted.
            ("records:contact:both", "records:contact:to-partner"),
            ("records:contact:to-highlevel", "records:contact:to-partner"),
            ("records:contact:to-highlevel", "records:task:both"),
            ("event:contact:to-partner", "event:contact:both"),
            ("host:p.example", "host:*.p.example"),
            ("host:evilp.example", "host:*.p.example"),
            ("host:*.p.example", "host:p.example"),
            ("host:*.p.example", "host:*.q.example"),
            ("host:evil.*", "host:devil.p.example"),
            ("host:*.p.example", "event:a.p.example"),
            ("*", "auth:token"),
        ] {
            assert!(!denying(pattern).denies(asked), "{pattern} and {asked}");
        }
    }

    #[test]
    fn a_policy_says_nothing_of_how_a_credential_is_sent() {
        for pattern in ["auth:token", "auth:*"] {
            assert_eq!(denying(pattern).check(), Err(PolicyProblem::Credential(pattern.to_owned())));
        }
        assert_eq!(denying("host:auth.example").check(), Ok(()));
    }

    /// All hosts of one to four labels below `example`.
    fn hosts() -> Vec<String> {
        let mut all = Vec::new();
        let mut longer = vec!["example".to_owned()];
        for _ in 0..4 {
            longer = longer.iter().flat_map(|name| LABELS.map(|label| format!("{label}.{name}"))).collect();
            all.extend(longer.clone());
        }
        all
    }

    const LABELS: [&str; 3] = ["a", "b", "ab"];

    /// A host of up to three labels, or every host below it.
    fn host() -> impl Strategy<Value = String> {
        let labels = vec(select(LABELS.to_vec()), 1..=3);
        (any::<bool>(), labels).prop_map(|(below, labels)| {
            format!("{}{}.example", if below { "*." } else { "" }, labels.join("."))
        })
    }

    fn covers(pattern: &str, host: &str) -> bool {
        match pattern.strip_prefix("*.") {
            Some(name) => host.strip_suffix(name).is_some_and(|before| before.ends_with('.')),
            None => host == pattern,
        }
    }

    proptest! {
        #[test]
        fn a_host_is_denied_exactly_if_some_host_is_meant_by_both(asked in host(), denied in host()) {
            let meets = hosts().iter().any(|host| covers(&asked, host) && covers(&denied, host));
            prop_assert_eq!(denying(&format!("{HOST}{denied}")).denies(&format!("{HOST}{asked}")), meets);
        }

        #[test]
        fn no_host_that_begins_as_denied_is_left(asked in host(), beginning in "[ab]{1,2}\\.?[ab]{0,2}") {
            let meets = hosts().iter().any(|host| covers(&asked, host) && host.starts_with(&beginning));
            let is_denied = denying(&format!("{HOST}{beginning}*")).denies(&format!("{HOST}{asked}"));
            prop_assert!(is_denied || !meets);
        }

        /// What is left of a policy takes in nothing of it; and the more is denied, the less is left.
        #[test]
        fn a_policy_leaves_nothing_that_it_denies_and_more_of_it_leaves_less(
            asked in vec(host(), 0..6),
            denied in vec(host(), 0..4),
            more in host(),
        ) {
            let named = |hosts: Vec<String>| -> Vec<String> {
                hosts.into_iter().map(|host| format!("{HOST}{host}")).collect()
            };
            let asked = named(asked);
            let policy = Policy { connectors: None, deny: named(denied) };
            let left = policy.leaves(asked.clone());
            prop_assert!(left.iter().all(|name| !policy.denies(name)));
            let stricter = Policy { deny: [policy.deny, named(vec![more])].concat(), connectors: None };
            prop_assert!(stricter.leaves(asked).iter().all(|name| left.contains(name)));
        }
    }
}
