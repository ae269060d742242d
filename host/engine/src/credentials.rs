//! Sealed credentials by name, and HighLevel's tokens out of them.
//!
//! | name | secret |
//! |---|---|
//! | `<workspace>` | HighLevel's private integration token |
//! | `<connection>/auth` | the partner's credential parts, one JSON object |
//! | `<connection>/webhook` | the partner's signing secret |

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use contactor_highlevel::{AccessToken, TokenError, TokenProvider};
use contactor_store::{ConnectionId, ConnectionState, LocationId, Purpose, Store, Vault, WorkspaceId};
use secrecy::{ExposeSecret, SecretString};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::vault::{Keys, SecretParts, secret_json, secret_parts};

impl Engine {
    /// Stops a connection whose credential was refused: its work waits until a person reconnects it. Without the stop the
    /// same refusal would be fetched again and again.
    pub(crate) async fn needs_reconnect(&self, id: &ConnectionId, reason: &str) {
        let state = ConnectionState::NeedsReconnect;
        if let Err(error) = self.store().set_connection_state(id, state, Some(reason.to_owned())).await {
            tracing::error!(connection = %id, %error, "the connection could not be stopped");
        }
        self.forget(id);
        tracing::warn!(connection = %id, "stopped: the credential was refused; reconnect it");
    }
}

/// Reads and writes credentials; plaintext never leaves this module but in `secrecy` types.
#[derive(Clone)]
pub(crate) struct Credentials {
    store: Arc<dyn Store>,
    keys: Arc<Keys>,
}

impl Credentials {
    pub(crate) fn new(store: Arc<dyn Store>, vault: Arc<Vault>) -> Self {
        let keys = Arc::new(Keys::new(Arc::clone(&store), vault));
        Self { store, keys }
    }

    /// The keys, also for what is no credential and may hold what is as private: recordings, and what an undo needs.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) async fn put(
        &self,
        workspace: &WorkspaceId,
        name: &str,
        secret: &SecretString,
    ) -> Result<(), EngineError> {
        let purpose = Purpose::credential(workspace, name);
        self.keys.keep(&purpose, secret, |sealed| self.store.put_credential(name, sealed)).await
    }

    pub(crate) async fn get(
        &self,
        workspace: &WorkspaceId,
        name: &str,
    ) -> Result<Option<SecretString>, EngineError> {
        match self.store.credential(name).await? {
            Some(sealed) => {
                let purpose = Purpose::credential(workspace, name);
                self.keys.open(&purpose, sealed, || self.store.credential(name)).await
            }
            None => Ok(None),
        }
    }

    pub(crate) async fn put_partner(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        parts: &SecretParts,
    ) -> Result<(), EngineError> {
        let plain: BTreeMap<&str, &str> =
            parts.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect();
        let json = secret_json(&plain).map_err(|error| EngineError::Invalid(error.to_string()))?;
        self.put(workspace, &auth_name(connection), &json).await
    }

    pub(crate) async fn partner(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
    ) -> Result<SecretParts, EngineError> {
        let Some(secret) = self.get(workspace, &auth_name(connection)).await? else {
            return Ok(SecretParts::new());
        };
        secret_parts(&secret).ok_or_else(|| {
            EngineError::Invalid(format!("the stored credential of {connection} is unreadable"))
        })
    }
}

fn auth_name(connection: &ConnectionId) -> String {
    format!("{connection}/auth")
}

pub(crate) fn webhook_name(connection: &ConnectionId) -> String {
    format!("{connection}/webhook")
}

/// HighLevel's tokens for the client: private integration tokens, one per workspace.
pub(crate) struct Tokens {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) credentials: Credentials,
    cache: std::sync::Mutex<std::collections::HashMap<String, AccessToken>>,
}

impl Tokens {
    pub(crate) fn new(store: Arc<dyn Store>, credentials: Credentials) -> Self {
        Self { store, credentials, cache: std::sync::Mutex::default() }
    }

    /// Forgets a location's token, so that a new one is read from the store.
    pub(crate) fn forget(&self, location: &str) {
        self.cache().remove(location);
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, AccessToken>> {
        self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn read(&self, location: &str) -> Result<AccessToken, TokenError> {
        let unavailable = |error: &dyn std::fmt::Display| TokenError::Unavailable(error.to_string());
        let workspace = self
            .store
            .workspace_of(&LocationId::new(location))
            .await
            .map_err(|error| unavailable(&error))?
            .ok_or(TokenError::NotConnected)?;
        let secret = self
            .credentials
            .get(&workspace.id, workspace.id.as_str())
            .await
            .map_err(|error| unavailable(&error))?;
        secret.map(AccessToken::from).ok_or(TokenError::NotConnected)
    }
}

#[async_trait]
impl TokenProvider for Tokens {
    async fn token(&self, location: &contactor_highlevel::LocationId) -> Result<AccessToken, TokenError> {
        if let Some(token) = self.cache().get(location.as_str()) {
            return Ok(token.clone());
        }
        let token = self.read(location.as_str()).await?;
        self.cache().insert(location.as_str().to_owned(), token.clone());
        Ok(token)
    }

    /// A private token cannot be renewed; but an admin may have replaced it since it was read.
    async fn refresh(
        &self,
        location: &contactor_highlevel::LocationId,
        rejected: &AccessToken,
    ) -> Result<AccessToken, TokenError> {
        self.forget(location.as_str());
        let token = self.read(location.as_str()).await?;
        if token.same_as(rejected) {
            return Err(TokenError::NeedsReconnect("the private integration token was refused".to_owned()));
        }
        self.cache().insert(location.as_str().to_owned(), token.clone());
        Ok(token)
    }
}
