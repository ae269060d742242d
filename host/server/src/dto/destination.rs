//! Destinations of messages.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Secret, mirror};

/// Where messages of a workspace can go. Addresses that are secrets are not shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Destination {
    /// Its workspace.
    pub workspace: String,
    /// Its name, by which rules and connectors know it.
    #[schema(example = "team")]
    pub name: String,
    /// What it is.
    pub kind: DestinationKind,
    /// What may be shown of its address: `to` of an email, `host` of the others.
    #[schema(value_type = Object)]
    pub target: serde_json::Value,
    /// Why nothing is sent there any more; putting it anew starts it again.
    pub stopped: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What kind of receiver a destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DestinationKind {
    /// Mail to addresses, by the host's mail server.
    Email,
    /// A Slack-compatible incoming webhook.
    Chat,
    /// A signed webhook (Standard Webhooks).
    Webhook,
    /// A project board that takes Trello-shaped cards by a signed webhook.
    Board,
}

mirror!(DestinationKind, own::DestinationKind, [Email, Chat, Webhook, Board]);

impl From<own::Destination> for Destination {
    fn from(own: own::Destination) -> Self {
        Self {
            workspace: own.workspace.to_string(),
            name: own.name,
            kind: own.kind.into(),
            target: own.target,
            stopped: own.stopped,
            created_at: own.created_at,
        }
    }
}

/// A destination to be made or replaced.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutDestination {
    /// What it is.
    pub kind: DestinationKind,
    /// Mail addresses; for email.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Where to POST; for all others. Kept sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// The signing secret, `whsec_…`; for webhooks and boards. Kept sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl PutDestination {
    /// The request for the engine.
    pub fn at(self, workspace: String, name: String) -> engine::NewDestination {
        engine::NewDestination {
            workspace,
            name,
            kind: self.kind.into(),
            to: self.to,
            url: self.url.map(Secret::into_inner),
            secret: self.secret.map(Secret::into_inner),
        }
    }
}
