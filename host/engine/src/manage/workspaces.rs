//! Workspaces: one tenant, one location.

use contactor_highlevel::{ErrorKind, LocationInfo, TokenError};
use contactor_store::{LocationId, Policy, StoreError, Workspace, WorkspaceId};
use secrecy::SecretString;

use crate::config::RETENTION_DAYS;
use crate::engine::Engine;
use crate::error::EngineError;

/// A workspace to be created.
#[derive(Clone, Debug)]
pub struct NewWorkspace {
    /// Its id: 1 to 63 lower-case letters, digits and hyphens.
    pub id: String,
    /// Its name for people; the id if absent.
    pub name: Option<String>,
    /// The HighLevel location that it is bound to.
    pub location: String,
    /// A private integration token of that location. Without, its own consent or its agency's opens it, now or later.
    pub token: Option<SecretString>,
    /// ISO 3166 country; asked of HighLevel if absent.
    pub country: Option<String>,
    /// IANA time zone; asked of HighLevel if absent.
    pub timezone: Option<String>,
}

impl Engine {
    /// Creates a workspace. HighLevel is asked for the location first, so a wrong token or location is said at once.
    pub async fn create_workspace(&self, new: NewWorkspace) -> Result<Workspace, EngineError> {
        check_id("workspace", &new.id)?;
        if new.location.trim().is_empty() {
            return Err(EngineError::Invalid(
                "the location is empty: expected the id of a HighLevel location".into(),
            ));
        }
        let mut workspace = Workspace {
            policy: Policy::default(),
            name: new.name.unwrap_or_else(|| new.id.clone()),
            id: WorkspaceId::new(new.id),
            location: LocationId::new(new.location.trim()),
            country: new.country,
            timezone: new.timezone,
            retention_days: None,
            created_at: self.now(),
        };
        if let Some(info) = self.ask_location(&workspace, new.token.as_ref()).await? {
            workspace.country = workspace.country.or(info.country);
            workspace.timezone = workspace.timezone.or(info.timezone);
        }
        // The credential first: a workspace without one could not work, a credential without a workspace is harmless.
        if let Some(existing) = self.store().workspace(&workspace.id).await? {
            return Err(taken(&existing));
        }
        if let Some(existing) = self.store().workspace_of(&workspace.location).await? {
            return Err(taken(&existing));
        }
        if let Some(token) = &new.token {
            self.credentials().put(&workspace.id, workspace.id.as_str(), token).await?;
        }
        self.tokens().forget(workspace.location.as_str());
        match self.store().create_workspace(workspace.clone()).await {
            Ok(()) => Ok(workspace),
            Err(error @ StoreError::Conflict { .. }) => Err(EngineError::Conflict(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// What HighLevel says of the location; nothing when nobody has consented yet, which an app's host lets wait.
    async fn ask_location(
        &self,
        workspace: &Workspace,
        token: Option<&SecretString>,
    ) -> Result<Option<LocationInfo>, EngineError> {
        let Some(token) = token else {
            self.oauth().map_err(|_| {
                EngineError::Invalid(
                    "there is no token: give a private integration token of the location, or set up `[highlevel.oauth]` and \
                     connect it by consent"
                        .into(),
                )
            })?;
            return match self.location(workspace).info().await {
                Ok(info) => Ok(Some(info)),
                Err(error) if matches!(error.kind(), ErrorKind::Token(TokenError::NotConnected)) => Ok(None),
                Err(error) => Err(error.into()),
            };
        };
        let location = contactor_highlevel::LocationId::new(workspace.location.as_str());
        Ok(Some(self.highlevel_with(token)?.at(location).info().await?))
    }

    /// All workspaces.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, EngineError> {
        Ok(self.store().workspaces().await?)
    }

    /// Changes how long a workspace's history is kept; nothing for as long as the host says.
    ///
    /// # Errors
    /// No such workspace, or a number of days that is not allowed.
    pub async fn set_retention(&self, id: &WorkspaceId, days: Option<u32>) -> Result<Workspace, EngineError> {
        if let Some(days) = days.filter(|days| !RETENTION_DAYS.contains(days)) {
            return Err(EngineError::Invalid(format!(
                "retention of {days} days: expected {} to {}, or `default` for as long as the host says ({} days)",
                RETENTION_DAYS.start(),
                RETENTION_DAYS.end(),
                self.config().retention_days
            )));
        }
        let workspace = Workspace { retention_days: days, ..self.workspace(id).await? };
        self.store().update_workspace(workspace.clone()).await?;
        tracing::info!(workspace = %id, ?days, "the retention was changed");
        Ok(workspace)
    }

    /// Sets what none of a workspace's connectors may do, whatever its admins grant. It counts from the next run on.
    ///
    /// # Errors
    /// No such workspace, or a pattern that cannot mean what it says.
    pub async fn set_policy(&self, id: &WorkspaceId, policy: Policy) -> Result<Workspace, EngineError> {
        policy.check().map_err(|problem| EngineError::Invalid(format!("policy: {problem}")))?;
        self.workspace(id).await?;
        self.store().set_policy(id, policy).await?;
        for connection in self.store().connections(Some(id)).await? {
            self.forget(&connection.id);
        }
        tracing::info!(workspace = %id, "the policy was changed");
        self.workspace(id).await
    }

    /// How many days the history of a workspace is kept, by its own word or by the host's.
    pub fn kept_days(&self, workspace: &Workspace) -> u32 {
        workspace.retention_days.unwrap_or(self.config().retention_days)
    }

    /// One workspace.
    pub async fn workspace(&self, id: &WorkspaceId) -> Result<Workspace, EngineError> {
        self.store().workspace(id).await?.ok_or_else(|| EngineError::no_workspace(id))
    }
}

fn taken(existing: &Workspace) -> EngineError {
    EngineError::Conflict(format!(
        "the workspace `{}` exists and is bound to the location `{}`",
        existing.id, existing.location
    ))
}

/// Ids become parts of names and paths: letters, digits and hyphens only.
pub(crate) fn check_id(what: &str, id: &str) -> Result<(), EngineError> {
    let good = (1..=63).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.starts_with('-');
    if good {
        return Ok(());
    }
    let shown: String = id.chars().filter(|c| !c.is_control()).take(80).collect();
    Err(EngineError::Invalid(format!(
        "{what} id `{shown}`: expected 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen"
    )))
}
