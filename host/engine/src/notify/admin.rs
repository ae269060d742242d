//! Destinations as an admin sets them up.

use std::collections::BTreeMap;

use contactor_store::{ClaimedMessage, ConnectionId, Destination, DestinationKind, WorkspaceId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, json};

use super::{Address, Content, NotificationConfig, body, email, post};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::outbound::Outbound;
use crate::vault::{secret_json, secret_parts};

/// The most addresses of one destination.
const RECIPIENTS: usize = 50;

/// A destination to be made or replaced.
#[derive(Clone, Debug)]
pub struct NewDestination {
    /// The workspace.
    pub workspace: String,
    /// Its name: 1 to 63 lower-case letters, digits and hyphens.
    pub name: String,
    /// What it is.
    pub kind: DestinationKind,
    /// Mail addresses; for email.
    pub to: Vec<String>,
    /// Where to POST; for all others. It counts as a secret: a chat's address is all that it takes to write there.
    pub url: Option<SecretString>,
    /// The signing secret, `whsec_…`; for webhooks and boards.
    pub secret: Option<SecretString>,
}

impl Engine {
    /// Makes a destination, or replaces it; one that was stopped works again.
    pub async fn put_destination(&self, new: NewDestination) -> Result<Destination, EngineError> {
        crate::manage::check_id("destination", &new.name)?;
        let workspace = self.workspace(&WorkspaceId::new(new.workspace.as_str())).await?;
        let present = self.store().destination(&workspace.id, &new.name).await?;
        let destination = Destination {
            workspace: workspace.id.clone(),
            target: target(&new, &self.notifications(), self.outbound()).map_err(EngineError::Invalid)?,
            name: new.name,
            kind: new.kind,
            stopped: None,
            created_at: present.map_or_else(|| self.now(), |destination| destination.created_at),
        };
        let parts: BTreeMap<&str, Option<&str>> = [("url", &new.url), ("secret", &new.secret)]
            .map(|(name, part)| (name, part.as_ref().map(ExposeSecret::expose_secret)))
            .into();
        let address = secret_json(&parts).map_err(|error| EngineError::Invalid(error.to_string()))?;
        self.credentials().put(&workspace.id, &credential(&destination), &address).await?;
        self.store().put_destination(destination.clone()).await?;
        self.wake().wake();
        Ok(destination)
    }

    /// The destinations of a workspace.
    pub async fn destinations(&self, workspace: &WorkspaceId) -> Result<Vec<Destination>, EngineError> {
        self.workspace(workspace).await?;
        Ok(self.store().destinations(workspace).await?)
    }

    /// Removes a destination, its address and the messages that wait for it.
    pub async fn remove_destination(&self, workspace: &WorkspaceId, name: &str) -> Result<(), EngineError> {
        let destination = self.destination(workspace, name).await?;
        let nothing = SecretString::from("{}");
        self.credentials().put(workspace, &credential(&destination), &nothing).await?;
        self.store().remove_destination(workspace, name).await?;
        Ok(())
    }

    /// Sends a test message now, and answers why it did not arrive, if it did not.
    pub async fn test_destination(&self, workspace: &WorkspaceId, name: &str) -> Result<(), EngineError> {
        let destination = self.destination(workspace, name).await?;
        let content = Content {
            kind: "contactor.test".to_owned(),
            title: "Test message".to_owned(),
            text: format!("Contactor can reach the destination {name} of the workspace {workspace}."),
            data: Map::new(),
            at: self.now(),
        };
        let message = ClaimedMessage {
            id: message_id(),
            connection: ConnectionId::new(format!("{workspace}/")),
            message: serde_json::to_value(&content)
                .map_err(|error| EngineError::Invalid(error.to_string()))?,
            created_at: content.at,
            attempts: 0,
            destination,
        };
        self.dispatch(&message).await.map_err(|undelivered| EngineError::Partner {
            connector: name.to_owned(),
            message: format!("destination {name}: {}", undelivered.into_reason()),
        })
    }

    async fn destination(&self, workspace: &WorkspaceId, name: &str) -> Result<Destination, EngineError> {
        self.workspace(workspace).await?;
        let found = self.store().destination(workspace, name).await?;
        found.ok_or_else(|| EngineError::NotFound {
            what: "destination",
            id: name.to_owned(),
            hint: format!("; `contactor destination list {workspace}` shows those there are"),
        })
    }

    /// The sealed part of a destination.
    pub(super) async fn address(&self, destination: &Destination) -> Result<Address, EngineError> {
        let sealed = self.credentials().get(&destination.workspace, &credential(destination)).await?;
        let Some(sealed) = sealed else { return Ok(Address::default()) };
        let mut parts = secret_parts(&sealed).ok_or_else(|| {
            EngineError::Invalid(format!("the stored address of {} is unreadable", destination.name))
        })?;
        Ok(Address { url: parts.remove("url"), secret: parts.remove("secret") })
    }
}

/// The id of a new message.
pub(crate) fn message_id() -> String {
    format!("msg_{}", uuid::Uuid::now_v7().simple())
}

/// No connector has a colon in its id, so this is no connection's credential.
fn credential(destination: &Destination) -> String {
    format!("{}/destination:{}", destination.workspace, destination.name)
}

/// Checks a destination, and answers what of it may be shown.
fn target(
    new: &NewDestination,
    config: &NotificationConfig,
    out: &Outbound,
) -> Result<serde_json::Value, String> {
    let kind = format!("a destination of the kind {}", word(new.kind));
    let signed = matches!(new.kind, DestinationKind::Webhook | DestinationKind::Board);
    match (&new.secret, signed) {
        (None, true) => {
            return Err(format!(
                "{kind} needs a signing secret, such as `whsec_` and 32 random bytes in base64"
            ));
        }
        (Some(_), false) => return Err(format!("{kind} has no signing secret")),
        (Some(secret), true) if body::key(secret).is_none() => {
            return Err("the signing secret has to be `whsec_` and 24 to 64 bytes in base64".to_owned());
        }
        _ => {}
    }
    if new.kind == DestinationKind::Email {
        if new.url.is_some() {
            return Err(format!("{kind} has addresses and no URL"));
        }
        if config.smtp.is_none() {
            return Err(
                "no mail server is set up: add a section `smtp` to the configuration first".to_owned()
            );
        }
        if new.to.is_empty() || new.to.len() > RECIPIENTS {
            return Err(format!("{kind} needs 1 to {RECIPIENTS} addresses, these are {}", new.to.len()));
        }
        let target = json!({ "to": new.to });
        email::check(&target)?;
        return Ok(target);
    }
    if !new.to.is_empty() {
        return Err(format!("{kind} has a URL and no addresses"));
    }
    let url = new.url.as_ref().ok_or_else(|| format!("{kind} needs a URL"))?;
    let url = post::checked_url(url.expose_secret(), out)?;
    Ok(json!({ "host": url.host_str() }))
}

fn word(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Email => "email",
        DestinationKind::Chat => "chat",
        DestinationKind::Webhook => "webhook",
        DestinationKind::Board => "board",
    }
}
