//! Which interfaces a connector may import.

use std::collections::BTreeSet;

/// Interfaces that every connector has: they reach nothing outside its own run.
const ALWAYS: [&str; 5] = ["clock", "log", "rules", "settings", "types"];

/// Interfaces that an admin grants or withholds.
const GRANTABLE: [&str; 12] = [
    "appointments",
    "bulk",
    "campaigns",
    "contacts",
    "notes",
    "notifications",
    "partner",
    "state",
    "tags",
    "tasks",
    "timers",
    "workflows",
];

/// What an admin granted to a connector, as names of the interfaces in `wit/`.
///
/// `clock`, `log`, `rules`, `settings` and `types` are part of every set. A name that this host does not know grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(BTreeSet<&'static str>);

impl Grants {
    /// Nothing but what every connector has.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything that this host can offer; for tests and tools.
    pub fn all() -> Self {
        Self(GRANTABLE.into_iter().collect())
    }

    /// Grants these interfaces, for example `["contacts", "tags"]`.
    pub fn of<'a>(interfaces: impl IntoIterator<Item = &'a str>) -> Self {
        interfaces.into_iter().fold(Self::none(), Self::and)
    }

    /// Grants one more interface.
    #[must_use]
    pub fn and(mut self, interface: &str) -> Self {
        self.0.extend(GRANTABLE.into_iter().find(|known| *known == interface));
        self
    }

    /// May a connector import this interface?
    pub fn allows(&self, interface: &str) -> bool {
        ALWAYS.contains(&interface) || self.0.contains(interface)
    }

    /// Does this host offer the interface at all?
    pub fn known(interface: &str) -> bool {
        ALWAYS.contains(&interface) || GRANTABLE.contains(&interface)
    }

    /// The granted names in order, without those that every connector has.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_grant_a_connector_has_only_what_reaches_nothing() {
        let none = Grants::none();
        assert!(ALWAYS.iter().all(|name| none.allows(name)));
        assert!(!GRANTABLE.iter().any(|name| none.allows(name)));
    }

    #[test]
    fn a_grant_opens_one_interface_and_no_other() {
        let grants = Grants::of(["tags"]);
        assert!(grants.allows("tags"));
        assert!(!grants.allows("contacts"));
    }

    #[test]
    fn an_unknown_name_grants_nothing() {
        let grants = Grants::of(["sockets", "Tags", ""]);
        assert_eq!(grants, Grants::none());
        assert!(!grants.allows("sockets"));
    }
}
