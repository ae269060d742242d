//! What a workspace does not let any of its connectors do, whatever its admins grant.

use serde::{Deserialize, Serialize};

/// The policy of a workspace. An empty one forbids nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Connectors that may be used, by id; any if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectors: Option<Vec<String>>,
    /// Permissions that no connector has: names, or beginnings of names that end with `*` (`host:*.example`, `event:*`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// A pattern that could never match as it is meant.
    #[error("`{0}`: a `*` stands at the end of a pattern, for whatever follows")]
    Star(String),
    /// Nothing stands there.
    #[error("a permission or connector without a name")]
    Empty,
}

impl Policy {
    /// Whether it says what it seems to.
    ///
    /// # Errors
    /// The first thing that does not make sense.
    pub fn check(&self) -> Result<(), PolicyProblem> {
        for pattern in &self.deny {
            let stem = pattern.strip_suffix('*').unwrap_or(pattern);
            // A host's own pattern begins with a star: `host:*.example`.
            if stem.strip_prefix("host:").map_or(stem, |host| host.trim_start_matches("*.")).contains('*') {
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

    /// Whether no connector has this permission.
    pub fn denies(&self, name: &str) -> bool {
        self.deny.iter().any(|pattern| {
            pattern == name || pattern.strip_suffix('*').is_some_and(|stem| name.starts_with(stem))
        })
    }

    /// What it leaves of what was granted.
    pub fn leaves(&self, granted: Vec<String>) -> Vec<String> {
        granted.into_iter().filter(|name| !self.denies(name)).collect()
    }
}
