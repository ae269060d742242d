//! Where the app is installed: INSTALL and UNINSTALL, which race with the exchange of the code, and the agency's own list.

use std::sync::Arc;
use std::time::Duration;

use contactor_highlevel::oauth::OAuthErrorKind;
use contactor_highlevel::webhook::{Envelope, Event, OfApp};
use contactor_store::{
    Connection, GrantId, GrantState, Installation, LocationId, OAuthGrant, StopCause, Workspace, WorkspaceId,
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::OAuth;
use crate::engine::Engine;
use crate::error::EngineError;

/// How often to look for grants that are to be renewed.
const ROUND: Duration = Duration::from_secs(30);

/// How often an agency's locations are listed: for the webhooks that never came.
const LISTED: SignedDuration = SignedDuration::from_hours(24);

/// A grant that was renewed so recently is not renewed again because somebody asks.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A grant as an operator sees it.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// The grant, without its tokens.
    pub grant: OAuthGrant,
    /// Whether it is being renewed at this moment.
    pub refreshing: bool,
    /// The workspaces that depend on it.
    pub workspaces: Vec<WorkspaceId>,
    /// Scopes that this host asks for and that were not granted.
    pub lacking: Vec<String>,
}

/// A location with the app.
#[derive(Clone, Debug)]
pub struct LocationInstalled {
    /// What HighLevel told.
    pub installation: Installation,
    /// The workspace that is bound to it.
    pub workspace: Option<WorkspaceId>,
}

impl Engine {
    /// All grants.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn grants(&self) -> Result<Vec<GrantView>, EngineError> {
        let (now, workspaces) = (self.now(), self.store().workspaces().await?);
        let installations = self.store().installations().await?;
        let oauth = self.oauth().ok();
        let of_company = |location: &LocationId, company: &str| {
            installations.iter().any(|one| {
                one.location == *location && one.installed && one.company.as_deref() == Some(company)
            })
        };
        let grants = self.store().grants().await?;
        let view = |grant: OAuthGrant| {
            let depends = |location: &LocationId| match (grant.id.as_location(), grant.id.as_company()) {
                (Some(own), _) => own == *location,
                (_, Some(company)) => of_company(location, company),
                _ => false,
            };
            GrantView {
                refreshing: grant.lease.as_ref().is_some_and(|lease| lease.until > now),
                workspaces: workspaces
                    .iter()
                    .filter(|workspace| depends(&workspace.location))
                    .map(|workspace| workspace.id.clone())
                    .collect(),
                lacking: oauth.map_or_else(Vec::new, |oauth| {
                    oauth.setup.lacking(grant.id.as_company().is_some(), &grant.scopes)
                }),
                grant,
            }
        };
        Ok(grants.into_iter().map(view).collect())
    }

    /// Where the app is installed, as far as HighLevel told.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn installations(&self) -> Result<Vec<LocationInstalled>, EngineError> {
        let workspaces = self.store().workspaces().await?;
        let bound = |installation: Installation| {
            let workspace = workspaces.iter().find(|workspace| workspace.location == installation.location);
            LocationInstalled { workspace: workspace.map(|workspace| workspace.id.clone()), installation }
        };
        Ok(self.store().installations().await?.into_iter().map(bound).collect())
    }

    /// Renews a grant now, whatever its turn: somebody has reason to think that it works again.
    ///
    /// # Errors
    /// There is no such grant, or HighLevel refuses it.
    pub async fn renew_grant(&self, id: &GrantId) -> Result<(), EngineError> {
        let oauth = self.oauth()?;
        let before = self.store().grant(id).await?;
        let before = before.ok_or_else(|| EngineError::NotFound {
            what: "grant",
            id: id.to_string(),
            hint: "; `contactor oauth list` shows those there are".to_owned(),
        })?;
        // Each renewal spends a token, and a client that asks in a loop would spend many.
        let fresh = self.now().duration_since(before.renewed_at) < AGAIN;
        if before.state == GrantState::Active && fresh {
            return Ok(());
        }
        self.store().try_grant(id, self.now()).await?;
        oauth.renew_due(id).await.map_err(|error| EngineError::Marketplace(error.to_string()))?;
        if before.state != GrantState::Active {
            self.resume_of(id).await?;
        }
        Ok(())
    }

    /// Whether a webhook is of another app than the one that this host is. A host that is none cannot tell.
    pub(crate) fn is_of_another_app(&self, envelope: &Envelope) -> bool {
        let oauth = self.tokens().oauth();
        oauth.is_some_and(|oauth| envelope.of_app(oauth.setup.app.app_id()) == OfApp::Another)
    }

    /// Takes note of INSTALL and UNINSTALL before the webhook is answered: they are not repeated. What follows from them is done
    /// afterwards, and looked up again by the daily list.
    pub(crate) async fn note_installation(&self, envelope: &Envelope) -> Result<(), EngineError> {
        let Ok(oauth) = self.oauth() else { return Ok(()) };
        let installed = match envelope.event() {
            Event::Installed => true,
            Event::Uninstalled => false,
            _ => return Ok(()),
        };
        // The vendor's pages name the app in every one of these. One that names none may be of any app, and is not needed: what it would
        // tell is found by the daily list and by the next renewal of the grant.
        if envelope.of_app(oauth.setup.app.app_id()) != OfApp::This {
            return Ok(());
        }
        let told_at = envelope.timestamp.unwrap_or_else(|| self.now());
        let location = envelope.location.as_ref().map(|location| LocationId::new(location.as_str()));
        if let Some(location) = location.clone() {
            let company = envelope.company.clone();
            let told = Installation { location, company, name: None, installed, told_at };
            let news = self.store().put_installations(vec![told]).await?;
            // Of an UNINSTALL that was never heard this INSTALL is the end, although nothing seems to change.
            if news.is_empty() && !installed {
                return Ok(());
            }
        }
        let (engine, oauth, company) = (self.clone(), Arc::clone(oauth), envelope.company.clone());
        tokio::spawn(async move {
            if let Err(error) = engine.follow_installation(&oauth, location, company, installed).await {
                tracing::warn!(%error, "what follows from an installation is looked up with the next list");
            }
        });
        Ok(())
    }

    async fn follow_installation(
        &self,
        oauth: &Arc<OAuth>,
        location: Option<LocationId>,
        company: Option<String>,
        installed: bool,
    ) -> Result<(), EngineError> {
        if let Some(location) = location {
            oauth.forget(&location);
            if installed {
                return match self.store().workspace_of(&location).await? {
                    Some(workspace) => self.resume(&workspace).await,
                    None => Ok(()),
                };
            }
            // The webhook may be of an earlier installation: the vendor knows whether the grant still holds.
            return self.verify(oauth, &GrantId::location(&location)).await;
        }
        match company {
            Some(company) if installed => self.list_installations(oauth, &company).await.map(|_| ()),
            Some(company) => self.verify(oauth, &GrantId::company(&company)).await,
            None => Ok(()),
        }
    }

    /// Finds out whether a grant still holds, by renewing it.
    async fn verify(&self, oauth: &Arc<OAuth>, id: &GrantId) -> Result<(), EngineError> {
        if self.store().grant(id).await?.is_none() {
            return Ok(());
        }
        self.store().try_grant(id, self.now()).await?;
        if let Err(error) = oauth.renew_due(id).await {
            tracing::warn!(grant = %id, %error, "the app was uninstalled");
        }
        Ok(())
    }

    /// Asks an agency's grant for its locations and notes them. Answers how many have the app.
    pub(crate) async fn list_installations(
        &self,
        oauth: &Arc<OAuth>,
        company: &str,
    ) -> Result<usize, EngineError> {
        let id = GrantId::company(company);
        if self.store().grant(&id).await?.is_none() {
            // INSTALL came before the code was exchanged; the exchange lists them.
            return Ok(0);
        }
        let upstream = |error: &dyn std::fmt::Display| EngineError::Marketplace(error.to_string());
        let access = oauth.access(&id, None).await.map_err(|error| upstream(&error))?;
        let begun = self.now();
        let listed = match oauth.client.installed_locations(company, access.secret()).await {
            Err(error) if error.kind == OAuthErrorKind::Expired => {
                let access = oauth.access(&id, Some(&access)).await.map_err(|error| upstream(&error))?;
                oauth.client.installed_locations(company, access.secret()).await
            }
            listed => listed,
        };
        let listed = listed.map_err(|error| upstream(&error))?;
        let count = listed.len();
        let mut told: Vec<Installation> = listed
            .into_iter()
            .map(|location| Installation {
                location: LocationId::new(location.id.as_str()),
                company: Some(company.to_owned()),
                name: Some(location.name).filter(|name| !name.is_empty()),
                installed: true,
                told_at: begun,
            })
            .collect();
        // Those that are not listed any more were uninstalled, and nobody told.
        let known = self.store().installations().await?;
        let gone = known.into_iter().filter(|one| {
            one.installed
                && one.company.as_deref() == Some(company)
                && !told.iter().any(|listed| listed.location == one.location)
        });
        let gone: Vec<Installation> =
            gone.map(|one| Installation { installed: false, told_at: begun, ..one }).collect();
        told.extend(gone);
        for location in self.store().put_installations(told).await? {
            oauth.forget(&location);
            if let Some(workspace) = self.store().workspace_of(&location).await? {
                self.resume(&workspace).await?;
            }
        }
        Ok(count)
    }

    /// Lets go on what waited for a grant: the workspaces whose locations it opens.
    pub(super) async fn resume_of(&self, id: &GrantId) -> Result<(), EngineError> {
        for view in self.grants().await?.into_iter().filter(|view| view.grant.id == *id) {
            for workspace in view.workspaces {
                self.resume(&self.workspace(&workspace).await?).await?;
            }
        }
        Ok(())
    }

    /// Renews grants before they expire, and lists the locations of agencies once a day, until `stop`.
    pub(crate) async fn tend_grants(self, stop: CancellationToken) {
        let Ok(oauth) = self.oauth().cloned() else { return };
        let mut listed: Option<Timestamp> = None;
        let mut round = tokio::time::interval(ROUND);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = round.tick() => {}
            }
            for id in oauth.renew_all_due().await {
                if let Err(error) = self.resume_of(&id).await {
                    tracing::warn!(grant = %id, %error, "what waited for the grant goes on later");
                }
            }
            let now = self.now();
            if listed.is_none_or(|at| now.duration_since(at) >= LISTED) {
                listed = Some(now);
                self.list_all(&oauth).await;
                self.look_at_suspended().await;
            }
        }
    }

    /// Locations that were suspended are asked once a day; what stopped because of that goes on when they are active again.
    async fn look_at_suspended(&self) {
        let of_that = |connection: &Connection| connection.stop_cause == Some(StopCause::Suspended);
        let looked = async {
            for workspace in self.store().workspaces().await? {
                let connections = self.store().connections(Some(&workspace.id)).await?;
                if connections.iter().any(of_that) && self.is_active(&workspace).await? {
                    self.resume(&workspace).await?;
                }
            }
            Ok::<_, EngineError>(())
        };
        if let Err(error) = looked.await {
            tracing::warn!(%error, "suspended locations are asked again tomorrow");
        }
    }

    /// Somebody says that a workspace's location is open again: asks HighLevel, and lets go on what waited for it.
    ///
    /// # Errors
    /// There is no such workspace, or HighLevel does not open its location.
    pub async fn reopen(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        let workspace = self.workspace(id).await?;
        self.opened(&workspace).await?;
        self.resume(&workspace).await
    }

    async fn is_active(&self, workspace: &Workspace) -> Result<bool, EngineError> {
        let own = GrantId::location(&workspace.location);
        if self.store().grant(&own).await?.is_some_and(|grant| grant.state == GrantState::Paused) {
            self.store().try_grant(&own, self.now()).await?;
        }
        Ok(self.opened(workspace).await.is_ok())
    }

    async fn list_all(&self, oauth: &Arc<OAuth>) {
        let grants = match self.store().grants().await {
            Ok(grants) => grants,
            Err(error) => return tracing::warn!(%error, "grants could not be read"),
        };
        for grant in grants.iter().filter(|grant| grant.state == GrantState::Active) {
            let Some(company) = grant.id.as_company() else { continue };
            if let Err(error) = self.list_installations(oauth, company).await {
                tracing::warn!(%company, %error, "the agency's locations are listed later");
            }
        }
    }
}
