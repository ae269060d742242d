//! How much is measured.

/// Connections that send webhooks at the same time; the design's figure.
pub(crate) const CONNECTIONS: usize = 64;

/// Samples and rounds.
pub(crate) struct Size {
    /// Calls of the connector for each case.
    pub(crate) calls: usize,
    /// Alternating rounds of accepts.
    pub(crate) accept_rounds: usize,
    /// Webhooks in each of them.
    pub(crate) accepts: usize,
    /// Alternating rounds of reconciles.
    pub(crate) reconcile_rounds: usize,
    /// Contacts, each of which changes once a round.
    pub(crate) contacts: usize,
    /// Changes whose requests are counted.
    pub(crate) changes: usize,
    /// Webhooks under way when the host is killed.
    pub(crate) crash_webhooks: usize,
    /// Kills.
    pub(crate) crashes: usize,
    /// Contacts that a backfill brings over.
    pub(crate) backfill: usize,
    /// Webhooks that wait before they drain.
    pub(crate) backlog: usize,
    /// Records of another workspace that wait while one is edited.
    pub(crate) dirty: usize,
    /// Edits beside them, and without them.
    pub(crate) edits: usize,
    /// Alternating rounds of each attack.
    pub(crate) attack_rounds: usize,
    /// Calls of the neighbour in each of them.
    pub(crate) neighbour_calls: usize,
    /// Samples of a million permission checks.
    pub(crate) access_samples: usize,
}

impl Size {
    pub(crate) fn full() -> Self {
        Self {
            calls: 20_000,
            accept_rounds: 7,
            accepts: 20_000,
            reconcile_rounds: 7,
            contacts: 2_000,
            changes: 200,
            crash_webhooks: 20_000,
            crashes: 5,
            backfill: 5_000,
            backlog: 200_000,
            dirty: 1_000_000,
            edits: 100,
            attack_rounds: 5,
            neighbour_calls: 300,
            access_samples: 51,
        }
    }

    pub(crate) fn quick() -> Self {
        Self {
            calls: 500,
            accept_rounds: 1,
            accepts: 1_000,
            reconcile_rounds: 1,
            contacts: 100,
            changes: 10,
            crash_webhooks: 2_000,
            crashes: 1,
            backfill: 300,
            backlog: 2_000,
            dirty: 10_000,
            edits: 10,
            attack_rounds: 1,
            neighbour_calls: 30,
            access_samples: 3,
        }
    }
}
