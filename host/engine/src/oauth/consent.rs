//! Sends a person to the consent page, and takes the code that comes back.

use std::sync::Arc;

use contactor_highlevel::oauth::{Resource, TokenSet};
use contactor_highlevel::{ErrorKind, LocationId as HlLocationId, LocationInfo};
use contactor_store::{
    Actor, AuditPhase, ConnectionState, ConsentFlow, Consented, GrantId, NewAudit, Purpose, Workspace,
    WorkspaceId, random_secret,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{OAuth, custody, lock};
use crate::engine::Engine;
use crate::error::EngineError;

/// How long a person may take on the consent page.
const CONSENT: SignedDuration = SignedDuration::from_hours(1);

/// A consent to be begun.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// The workspace whose location is to be granted; none for an agency with all its locations.
    pub workspace: Option<WorkspaceId>,
    /// Who begins it.
    pub by: Actor,
    /// Show the page under the name that does not name the vendor.
    pub white_label: bool,
}

/// Where to send the person.
#[derive(Clone, Debug)]
pub struct ConsentPage {
    /// The page.
    pub url: String,
    /// Until when the answer is taken.
    pub expires_at: Timestamp,
}

/// What was connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connected {
    /// A workspace's location.
    Workspace(WorkspaceId),
    /// An agency, with so many locations that have the app.
    Agency {
        /// Its id.
        company: String,
        /// Locations with the app, as far as they could be listed.
        locations: usize,
        /// Scopes that were asked for and not granted.
        lacking: Vec<String>,
    },
}

impl Engine {
    /// Begins a consent.
    ///
    /// # Errors
    /// This host is no app of HighLevel's marketplace, or there is no such workspace.
    pub async fn begin_consent(&self, new: NewConsent) -> Result<ConsentPage, EngineError> {
        let oauth = self.oauth()?;
        if let Some(workspace) = &new.workspace {
            self.workspace(workspace).await?;
        }
        let state = random_secret()?;
        let expires_at = self.now() + CONSENT;
        let setup = &oauth.setup;
        let scopes = setup.asked(new.workspace.is_none());
        let flow =
            ConsentFlow { state: digest(&state), workspace: new.workspace, begun_by: new.by, expires_at };
        self.store().begin_consent(flow).await?;
        let page = &setup.pages[usize::from(new.white_label)];
        let url = setup.app.consent_url(page, state.expose_secret(), &scopes);
        Ok(ConsentPage { url: url.into(), expires_at })
    }

    /// Ends a consent with the code that came back.
    ///
    /// # Errors
    /// The state is unknown, used or too old; HighLevel refuses the code; or the person chose another location than the workspace's.
    pub async fn end_consent(
        &self,
        state: &SecretString,
        code: &SecretString,
    ) -> Result<Connected, EngineError> {
        let oauth = self.oauth()?;
        let flow = self.store().end_consent(&digest(state), self.now()).await?.ok_or_else(|| {
            EngineError::Invalid(
                "this consent is not known here, was ended already, or took too long: begin again".into(),
            )
        })?;
        // Whoever comes back shows no token, so the gate has nothing on record of this.
        let begun = NewAudit {
            phase: AuditPhase::Begun,
            began: None,
            actor: flow.begun_by.clone(),
            token: None,
            workspace: flow.workspace.clone(),
            action: "oauth.connect".to_owned(),
            target: String::new(),
            status: None,
            detail: String::new(),
        };
        let number = self.record_audit(begun.clone()).await?;
        let connected = self.connect(oauth, flow, code).await;
        let (status, detail) = match &connected {
            Ok(Connected::Workspace(_)) => (200, String::new()),
            Ok(Connected::Agency { company, .. }) => (200, format!("company={company}")),
            Err(EngineError::Marketplace(_) | EngineError::HighLevel(_)) => (502, String::new()),
            Err(EngineError::Invalid(_)) => (400, String::new()),
            Err(_) => (503, String::new()),
        };
        let ended =
            NewAudit { phase: AuditPhase::Ended, began: Some(number), status: Some(status), detail, ..begun };
        self.record_audit(ended).await?;
        connected
    }

    async fn connect(
        &self,
        oauth: &Arc<OAuth>,
        flow: ConsentFlow,
        code: &SecretString,
    ) -> Result<Connected, EngineError> {
        let exchanged = oauth.client.exchange(code).await;
        let set = exchanged.map_err(|error| EngineError::Marketplace(error.to_string()))?;
        let Some(workspace) = flow.workspace else {
            let Some(Resource::Company { company }) = &set.resource else {
                return Err(EngineError::Invalid(
                    "the consent was for one location, and an agency was to be connected: choose the agency, or connect a workspace"
                        .into(),
                ));
            };
            let company = company.clone();
            let lacking = oauth.setup.lacking(true, &set.scopes);
            self.store_grant(oauth, set).await?;
            return self.connected_agency(oauth, company, lacking).await;
        };
        let workspace = self.workspace(&workspace).await?;
        match &set.resource {
            Some(Resource::Location { location, .. }) if location.as_str() != workspace.location.as_str() => {
                return Err(EngineError::Invalid(format!(
                    "the consent was given for the location `{location}`, and the workspace `{}` is bound to `{}`: begin again and \
                     choose that one. Nothing was changed",
                    workspace.id, workspace.location
                )));
            }
            Some(Resource::Location { .. }) => {
                self.store_grant(oauth, set).await?;
            }
            // It would open every location of the agency, and take the place of a grant that other workspaces use.
            Some(Resource::Company { .. }) => {
                return Err(EngineError::Invalid(format!(
                    "the consent was given for a whole agency, and one location was to be connected: begin again and choose the \
                     location `{}`, or let the operator of this host connect the agency. Nothing was changed",
                    workspace.location
                )));
            }
            None => return Err(unnamed()),
        }
        self.connected(&workspace).await?;
        Ok(Connected::Workspace(workspace.id))
    }

    async fn store_grant(&self, oauth: &Arc<OAuth>, set: TokenSet) -> Result<(), EngineError> {
        let resource = set.resource.clone().ok_or_else(unnamed)?;
        let id = super::renew::grant_of(&resource);
        let company = match resource {
            Resource::Location { company, .. } => company,
            Resource::Company { company } => Some(company),
        };
        let (text, draft) = oauth.draft(set, None)?;
        let purpose = Purpose::credential(&custody(), &id.pair());
        self.credentials()
            .keys()
            .keep(&purpose, &text, |sealed| {
                self.store().put_grant(Consented {
                    id: id.clone(),
                    client: oauth.setup.app.client_id.clone(),
                    company: company.clone(),
                    pair: draft.sealed(sealed),
                })
            })
            .await?;
        oauth.changed(&id);
        tracing::info!(grant = %id, "HighLevel's consent is stored");
        Ok(())
    }

    /// Lists the locations of an agency and lets what waited for it go on. A list that cannot be had is no reason to refuse a grant.
    async fn connected_agency(
        &self,
        oauth: &Arc<OAuth>,
        company: String,
        lacking: Vec<String>,
    ) -> Result<Connected, EngineError> {
        let locations = match self.list_installations(oauth, &company).await {
            Ok(locations) => locations,
            Err(error) => {
                tracing::warn!(%company, %error, "the agency's locations are listed later");
                0
            }
        };
        self.resume_of(&GrantId::company(&company)).await?;
        Ok(Connected::Agency { company, locations, lacking })
    }

    /// A workspace's location opens again: proves it, fills in what only HighLevel knows, and goes on where everything stopped.
    pub(crate) async fn connected(&self, workspace: &Workspace) -> Result<(), EngineError> {
        self.tokens().forget(workspace.location.as_str());
        let info = self.opened(workspace).await?;
        if let Some(info) = info
            && (workspace.country.is_none() || workspace.timezone.is_none())
        {
            let known = workspace.clone();
            let known = Workspace {
                policy: contactor_store::Policy::default(),
                country: known.country.or(info.country),
                timezone: known.timezone.or(info.timezone),
                ..known
            };
            self.store().update_workspace(known).await?;
        }
        self.resume(workspace).await
    }

    /// Asks HighLevel for a workspace's location. A consent without the scope for that opens it all the same, and tells nothing of it:
    /// what it lacks is shown with the connections.
    pub(super) async fn opened(&self, workspace: &Workspace) -> Result<Option<LocationInfo>, EngineError> {
        match self.location(workspace).info().await {
            Ok(info) => Ok(Some(info)),
            Err(error) if matches!(error.kind(), ErrorKind::MissingScope { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Connections that a refused credential stopped go on; links, cursors and parked work are as they were. One whose partner
    /// refuses is stopped again by its next run.
    pub(crate) async fn resume(&self, workspace: &Workspace) -> Result<(), EngineError> {
        for connection in self.store().connections(Some(&workspace.id)).await? {
            let (from, to) = (ConnectionState::NeedsReconnect, ConnectionState::Enabled);
            if !self.store().exchange_connection_state(&connection.id, from, to, None, None).await? {
                continue;
            }
            self.forget(&connection.id);
            tracing::info!(connection = %connection.id, "goes on: HighLevel is connected again");
        }
        self.wake().wake();
        Ok(())
    }

    /// Takes another private integration token for a workspace, after it proved that it opens the same location.
    ///
    /// # Errors
    /// HighLevel refuses the token for this location; then the old one stays.
    pub async fn set_workspace_token(
        &self,
        id: &WorkspaceId,
        token: &SecretString,
    ) -> Result<Workspace, EngineError> {
        let workspace = self.workspace(id).await?;
        self.highlevel_with(token)?.at(HlLocationId::new(workspace.location.as_str())).info().await?;
        self.credentials().put(id, id.as_str(), token).await?;
        self.tokens().forget(workspace.location.as_str());
        self.resume(&workspace).await?;
        Ok(workspace)
    }
}

impl OAuth {
    /// A grant is another one than this process knows.
    fn changed(&self, id: &GrantId) {
        lock(&self.known).remove(id);
        lock(&self.derived).clear();
        *lock(&self.index) = None;
    }
}

fn unnamed() -> EngineError {
    EngineError::Marketplace("the answer to the consent names neither a location nor an agency".to_owned())
}

/// What is stored of a state.
fn digest(state: &SecretString) -> String {
    hex::encode(Sha256::digest(state.expose_secret().as_bytes()))
}

/// The error of whoever asks for what only an app of the marketplace has.
pub(crate) fn no_app() -> EngineError {
    EngineError::Invalid(
        "this host is no app of HighLevel's marketplace: set `client-id` and `client-secret-file` under `[highlevel.oauth]`".into(),
    )
}
