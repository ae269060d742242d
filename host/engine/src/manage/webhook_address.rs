//! The addresses of partners' webhooks. For partners that sign nothing an address is all the proof there is, so it is kept as a credential
//! is: the database has the hash of its token, by which a webhook finds its connection, and the token itself sealed, for whoever enters it at
//! the partner.

use contactor_store::{Connection, ConnectionId, Purpose, SecretHash, WorkspaceId, random_secret};
use secrecy::{ExposeSecret as _, SecretString};

use super::connections::ConnectionView;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::people::secret::hash;

/// Shown in place of an address whose token does not open.
const UNREADABLE: &str = "(cannot be read; `contactor connection renew-webhook-address` makes another)";

/// A new token, with what it is recognised by.
pub(super) fn fresh() -> Result<(SecretHash, SecretString), EngineError> {
    let token = random_secret()?;
    Ok((hash(token.expose_secret()), token))
}

impl Engine {
    /// Gives the webhooks of a connection another address. What comes to the former one is refused from then on, until the new one is
    /// entered at the partner.
    ///
    /// # Errors
    /// There is no such connection.
    pub async fn renew_webhook_address(&self, id: &ConnectionId) -> Result<ConnectionView, EngineError> {
        let _changing = self.changing(id).await;
        let workspace = self.stored(id).await?.workspace;
        let (hash, token) = fresh()?;
        self.put_webhook_address(&workspace, id, hash, &token).await?;
        self.connection(id).await
    }

    /// Seals the tokens that a host of an earlier version kept in the clear. Called before anybody is answered; what a death in the middle
    /// leaves is sealed by the next start.
    ///
    /// # Errors
    /// The store or the vault refuses one.
    pub async fn seal_webhook_addresses(&self) -> Result<(), EngineError> {
        let waiting = self.store().unsealed_webhooks().await?;
        for plain in &waiting {
            let hash = hash(plain.token.expose_secret());
            self.put_webhook_address(&plain.workspace, &plain.connection, hash, &plain.token).await?;
        }
        if !waiting.is_empty() {
            tracing::info!(count = waiting.len(), "addresses of partners' webhooks were sealed");
        }
        Ok(())
    }

    async fn put_webhook_address(
        &self,
        workspace: &WorkspaceId,
        id: &ConnectionId,
        hash: SecretHash,
        token: &SecretString,
    ) -> Result<(), EngineError> {
        let purpose = Purpose::credential(workspace, &id.webhook_address());
        let keys = self.credentials().keys();
        keys.keep(&purpose, token, |sealed| self.store().put_webhook_address(id, hash, sealed)).await
    }

    /// The path of a connection's webhooks, for people.
    pub(super) async fn webhook_path(&self, connection: &Connection) -> Result<String, EngineError> {
        let name = connection.id.webhook_address();
        match self.credentials().get(&connection.workspace, &name).await {
            Ok(Some(token)) => Ok(format!("/webhooks/partner/{}", token.expose_secret())),
            Ok(None) => Ok(UNREADABLE.to_owned()),
            // Everything else about the connection can be told, and webhooks find it all the same.
            Err(EngineError::Vault(error)) => {
                tracing::warn!(name, %error, "the address of a partner's webhooks does not open");
                Ok(UNREADABLE.to_owned())
            }
            Err(error) => Err(error),
        }
    }
}
