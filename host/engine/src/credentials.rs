//! Sealed credentials by name, and HighLevel's tokens out of them.
//!
//! | name | secret |
//! |---|---|
//! | `<workspace>` | HighLevel's private integration token |
//! | `<connection>/auth` | the partner's credential parts, one JSON object; see [`plain`](crate::partner::plain) |
//! | `<connection>/webhook` | the partner's signing secret |
//! | `<connection>/webhook-address` | the token in the address of the partner's webhooks |
//! | `@highlevel/<grant>/courier` | what opens the answer to a token request that is under way |
//! | `@highlevel/<grant>/pair` | HighLevel's pair of tokens for a location or an agency; see [`oauth`](crate::oauth) |

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use contactor_highlevel::{AccessToken, TokenError, TokenProvider};
use contactor_store::{
    ConnectionId, ConnectionState, LocationId, Purpose, StopCause, Store, Vault, WorkspaceId,
};
use secrecy::{ExposeSecret, SecretString};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::oauth::OAuth;
use crate::reconcile::RunContext;
use crate::rollout::Standing;
use crate::vault::{Keys, SecretParts, secret_json, secret_parts};

impl Engine {
    /// A run says that a credential was refused. That of a version on trial is its own word: it is taken back, and the version before
    /// stops the connection if it meets the same.
    pub(crate) async fn credential_refused(&self, run: &RunContext, failure: &Failure) {
        let id = &run.active.connection.id;
        if matches!(run.active.standing, Standing::OnTrial(_)) && !failure.suspended {
            // Its own words stay with the run: they may be about anybody.
            return Box::pin(self.revert_trial(id, "it said that the credential was refused")).await;
        }
        self.needs_reconnect(id, failure).await;
    }

    /// Stops a connection whose credential was refused: its work waits until a person reconnects it. Without the stop the
    /// same refusal would be fetched again and again.
    pub(crate) async fn needs_reconnect(&self, id: &ConnectionId, failure: &Failure) {
        let (from, to) = (ConnectionState::Enabled, ConnectionState::NeedsReconnect);
        let cause = failure.suspended.then_some(StopCause::Suspended);
        match self.store().exchange_connection_state(id, from, to, Some(failure.message.clone()), cause).await
        {
            Ok(true) => {}
            // Somebody stopped it for another reason, which a reconnect must not undo.
            Ok(false) => return,
            Err(error) => tracing::error!(connection = %id, %error, "the connection could not be stopped"),
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

/// HighLevel's tokens for the client. A location's own grant comes first, then the workspace's private integration token, then the
/// grant of the location's agency.
pub(crate) struct Tokens {
    store: Arc<dyn Store>,
    credentials: Credentials,
    oauth: OnceLock<Arc<OAuth>>,
    private: Mutex<HashMap<String, AccessToken>>,
}

impl Tokens {
    pub(crate) fn new(store: Arc<dyn Store>, credentials: Credentials) -> Self {
        Self { store, credentials, oauth: OnceLock::new(), private: Mutex::default() }
    }

    /// This host is an app of HighLevel's marketplace. Said once.
    pub(crate) fn grant_by(&self, oauth: Arc<OAuth>) -> Result<(), EngineError> {
        self.oauth.set(oauth).map_err(|_| EngineError::Invalid("the app is set already".to_owned()))
    }

    pub(crate) fn oauth(&self) -> Option<&Arc<OAuth>> {
        self.oauth.get()
    }

    /// A token of the location's own grant. One that needs a new consent keeps nobody from the other ways.
    async fn own(
        &self,
        location: &LocationId,
        rejected: Option<&AccessToken>,
    ) -> Result<Option<AccessToken>, TokenError> {
        match self.oauth() {
            Some(oauth) => oauth.own(location, rejected).await,
            None => Ok(None),
        }
    }

    /// Forgets a location's private token, so that a new one is read from the store.
    pub(crate) fn forget(&self, location: &str) {
        self.cache().remove(location);
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<String, AccessToken>> {
        self.private.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The private token, from the store; none when there is none.
    async fn read(&self, location: &LocationId) -> Result<Option<AccessToken>, TokenError> {
        let unavailable = |error: &dyn std::fmt::Display| TokenError::Unavailable(error.to_string());
        let workspace = self.store.workspace_of(location).await.map_err(|error| unavailable(&error))?;
        let Some(workspace) = workspace else { return Ok(None) };
        let secret = self
            .credentials
            .get(&workspace.id, workspace.id.as_str())
            .await
            .map_err(|error| unavailable(&error))?;
        let token = secret.map(AccessToken::from);
        if let Some(token) = &token {
            self.cache().insert(location.as_str().to_owned(), token.clone());
        }
        Ok(token)
    }
}

#[async_trait]
impl TokenProvider for Tokens {
    async fn token(&self, location: &contactor_highlevel::LocationId) -> Result<AccessToken, TokenError> {
        let location = LocationId::new(location.as_str());
        let lost = match self.own(&location, None).await {
            Ok(Some(token)) => return Ok(token),
            Ok(None) => TokenError::NotConnected,
            Err(lost @ TokenError::NeedsReconnect(_)) => lost,
            Err(error) => return Err(error),
        };
        let cached = self.cache().get(location.as_str()).cloned();
        if let Some(token) = cached {
            return Ok(token);
        }
        if let Some(token) = self.read(&location).await? {
            return Ok(token);
        }
        match self.oauth() {
            Some(oauth) => oauth.of_agency(&location, None).await?.ok_or(lost),
            None => Err(lost),
        }
    }

    /// A private token cannot be renewed; but an admin may have replaced it since it was read.
    async fn refresh(
        &self,
        location: &contactor_highlevel::LocationId,
        rejected: &AccessToken,
    ) -> Result<AccessToken, TokenError> {
        let location = LocationId::new(location.as_str());
        let lost = match self.own(&location, Some(rejected)).await {
            Ok(Some(token)) => return Ok(token),
            Ok(None) => TokenError::NotConnected,
            Err(lost @ TokenError::NeedsReconnect(_)) => lost,
            Err(error) => return Err(error),
        };
        self.forget(location.as_str());
        match self.read(&location).await? {
            Some(token) if !token.same_as(rejected) => return Ok(token),
            Some(_) => {
                let reason = "the private integration token was refused".to_owned();
                return Err(TokenError::NeedsReconnect(reason));
            }
            None => {}
        }
        match self.oauth() {
            Some(oauth) => oauth.of_agency(&location, Some(rejected)).await?.ok_or(lost),
            None => Err(lost),
        }
    }
}
