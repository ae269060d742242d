//! Whether the host does its work.

use std::collections::BTreeMap;

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the host does its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The store commits and this host may work.
    pub healthy: bool,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What waits and what is parked.
    pub counts: Counts,
    /// When this process last accepted a webhook.
    pub last_webhook_at: Option<Timestamp>,
    /// Webhooks kept for locations that no workspace is bound to.
    pub held_events: u64,
    /// Connections that need a person.
    pub attention: Vec<String>,
}

/// Counts over all workspaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Records that wait or run.
    pub waiting: u64,
    /// Partner webhooks that wait for their connector.
    pub unread_events: u64,
    /// Events that wait for a connector's automation.
    #[serde(default)]
    pub deliveries: u64,
    /// Messages on their way.
    #[serde(default)]
    pub messages: u64,
    /// Parked records, events, automations and messages.
    pub parked: u64,
    /// Active links.
    pub links: u64,
    /// Runs by outcome.
    pub runs: BTreeMap<String, u64>,
    /// When the oldest waiting record was marked.
    pub oldest_waiting: Option<Timestamp>,
}

impl From<own::Counts> for Counts {
    fn from(own: own::Counts) -> Self {
        Self {
            waiting: own.dirty,
            unread_events: own.unread_events,
            deliveries: own.deliveries,
            messages: own.messages,
            parked: own.parked,
            links: own.links,
            runs: own.runs,
            oldest_waiting: own.oldest_dirty,
        }
    }
}

impl From<engine::Health> for Health {
    fn from(own: engine::Health) -> Self {
        Self {
            healthy: own.healthy,
            problems: own.problems,
            counts: own.counts.into(),
            last_webhook_at: own.last_webhook_at,
            held_events: own.held_events,
            attention: own.attention.iter().map(ToString::to_string).collect(),
        }
    }
}
