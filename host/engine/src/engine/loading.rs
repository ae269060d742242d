//! Connections ready to work: loaded on first use, kept until their row changes, with another version beside them that is on trial.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use contactor_manifest::{HostPattern, Manifest};
use contactor_runtime::Origin;
use contactor_store::{Connection, ConnectionId, Digest, KEPT_ROLLOUTS, Pinned, Rollout};
use secrecy::SecretString;
use tokio::sync::OwnedMutexGuard;

use super::Engine;
use crate::active::{Active, Guest, Reviewed};
use crate::credentials::webhook_name;
use crate::error::EngineError;
use crate::partner::{PartnerApi, PartnerSetup, Quotas};
use crate::permissions;
use crate::rollout::{Standing, Trial};

/// Which count of what is used of the partner's quotas a loaded connection has.
enum QuotaView {
    /// The connection's own.
    Shared,
    /// That of another version of it.
    Of(Arc<Quotas>),
    /// One apart: it is only looked at, and asks the partner nothing.
    Apart,
}

impl Engine {
    /// A connection ready to work, loaded on first use and again whenever its row changed.
    pub(crate) async fn active(&self, id: &ConnectionId) -> Result<Arc<Active>, EngineError> {
        if let Some(active) = self.cached(id) {
            return Ok(active);
        }
        let before = self.0.forgotten.load(Ordering::SeqCst);
        let connection = self.store().connection(id).await?.ok_or_else(|| EngineError::no_connection(id))?;
        let active = Arc::new(self.load(connection).await?);
        let mut all = self.0.active.write().unwrap_or_else(PoisonError::into_inner);
        // Who asked while it was changed works with what it was; nobody after that does.
        if self.0.forgotten.load(Ordering::SeqCst) == before {
            all.insert(id.clone(), Arc::clone(&active));
        }
        Ok(active)
    }

    fn cached(&self, id: &ConnectionId) -> Option<Arc<Active>> {
        self.0.active.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Held while a connection is changed by an admin, or its rollout is decided by the host: what was read is still so when it is
    /// written.
    pub(crate) async fn changing(&self, id: &ConnectionId) -> OwnedMutexGuard<()> {
        self.locks().lock(&format!("changing {id}")).await
    }

    /// The same unless somebody else holds it.
    pub(crate) fn try_changing(&self, id: &ConnectionId) -> Option<OwnedMutexGuard<()>> {
        self.locks().try_lock(&format!("changing {id}"))
    }

    /// Forgets a loaded connection, so that its next run sees the stored one.
    pub(crate) fn forget(&self, id: &ConnectionId) {
        {
            let mut all = self.0.active.write().unwrap_or_else(PoisonError::into_inner);
            self.0.forgotten.fetch_add(1, Ordering::SeqCst);
            all.remove(id);
        }
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|(told, _)| told != id);
        self.0.subscriptions.forget(id);
    }

    async fn load(&self, connection: Connection) -> Result<Active, EngineError> {
        let secrets = self.credentials().partner(&connection.workspace, &connection.id).await?;
        let review = match self.store().review(&connection.id).await? {
            None => Reviewed::No,
            Some(review) if review.ended_at.is_none() => Reviewed::Open,
            Some(_) => Reviewed::Over,
        };
        let mut active = self.load_connection(connection.clone(), secrets.clone(), QuotaView::Shared).await?;
        active.review = review;
        let Some(rollout) = self.store().running_rollout(&connection.id).await? else { return Ok(active) };
        // A version on trial that cannot be loaded keeps the pinned one from nothing.
        match self.load_trial(&active, &rollout.candidate, secrets).await {
            Ok(mut trial) => {
                trial.review = review;
                trial.standing = Standing::OnTrial(rollout.id);
                let Rollout { id, mode, share, .. } = rollout;
                active.standing =
                    Standing::Pinned(Trial { rollout: id, mode, share, active: Arc::new(trial) });
            }
            Err(error) if error.is_of_the_host() => return Err(error),
            Err(error) => self.take_back(&rollout, &format!("it cannot be loaded: {error}")).await?,
        }
        Ok(active)
    }

    /// Loads another version for a connection. It shares the pinned one's view of the partner's quotas: the partner counts both.
    pub(crate) async fn load_trial(
        &self,
        pinned: &Active,
        other: &Pinned,
        secrets: BTreeMap<String, SecretString>,
    ) -> Result<Active, EngineError> {
        let Pinned { digest, grants, settings } = other.clone();
        let connection = Connection { digest, grants, settings, ..pinned.connection.clone() };
        let quotas = pinned.partner.shared_quotas();
        self.load_connection(connection, secrets, QuotaView::Of(quotas)).await
    }

    /// The connection with another component of its connector, which a handler was begun with, and the settings that it had then. It
    /// has nothing that was withheld from the present one since, and no scope that the present one has not.
    ///
    /// # Errors
    /// It cannot be loaded, or has no host left to speak with.
    pub(crate) async fn former(&self, pinned: &Active, digest: &Digest) -> Result<Arc<Active>, EngineError> {
        let Connection { id, workspace, grants, settings, .. } = &pinned.connection;
        let secrets = self.credentials().partner(workspace, id).await?;
        let known = self.store().rollouts(id, KEPT_ROLLOUTS).await?;
        let was = known.into_iter().flat_map(|one| [one.former, one.candidate]);
        let other = was.into_iter().find(|was| was.digest == *digest).unwrap_or_else(|| Pinned {
            digest: digest.clone(),
            grants: grants.clone(),
            settings: settings.clone(),
        });
        let mut other = self.given_again(&pinned.connection, other).await?;
        other.grants.retain(|name| !permissions::is_scope(name) || permissions::is_granted(grants, name));
        Ok(Arc::new(self.load_trial(pinned, &other, secrets).await?))
    }

    /// A version that a connection had before, with what it is given when it is used again: nothing that was withheld from the present
    /// one since.
    ///
    /// # Errors
    /// One of the two is not installed any more, or it is left without a host.
    pub(crate) async fn given_again(
        &self,
        connection: &Connection,
        was: Pinned,
    ) -> Result<Pinned, EngineError> {
        let present = self.manifest_of(connection).await?;
        let before =
            self.manifest_of(&Connection { digest: was.digest.clone(), ..connection.clone() }).await?;
        let grants = permissions::given_again(&was.grants, &before, &connection.grants, &present)
            .map_err(EngineError::Invalid)?;
        Ok(Pinned { grants, ..was })
    }

    /// Loads a connection with a credential that need not be stored yet: the check of everything at once.
    pub(crate) async fn load_with(
        &self,
        connection: Connection,
        secrets: BTreeMap<String, SecretString>,
    ) -> Result<Active, EngineError> {
        self.load_connection(connection, secrets, QuotaView::Apart).await
    }

    async fn load_connection(
        &self,
        connection: Connection,
        secrets: BTreeMap<String, SecretString>,
        quotas: QuotaView,
    ) -> Result<Active, EngineError> {
        let workspace = self
            .store()
            .workspace(&connection.workspace)
            .await?
            .ok_or_else(|| EngineError::no_workspace(&connection.workspace))?;
        if !workspace.policy.lets(&connection.connector) {
            return Err(EngineError::Invalid(format!(
                "the policy of {} does not let {} be used there; a platform admin can change it with `contactor workspace policy`",
                workspace.id, connection.connector
            )));
        }
        let _turn = self.0.turns.take(&connection.workspace).await;
        let of_file = connection.digest.clone();
        let bytes = self.aside(move |engine| engine.artefacts().get(&of_file)).await??;
        let digest: contactor_runtime::Digest = connection
            .digest
            .as_str()
            .parse()
            .map_err(|error: contactor_runtime::DigestError| EngineError::Invalid(error.to_string()))?;
        let invalid = |error: &dyn std::fmt::Display| EngineError::Invalid(format!("manifest: {error}"));
        let text = contactor_manifest::extract(&bytes).map_err(|error| invalid(&error))?.unwrap_or_default();
        let asked = Manifest::parse(&text).map_err(|error| invalid(&error))?;
        // What a manifest asks for, what an admin granted of it, and what the policy leaves: nothing else is known of from here on.
        let granted = workspace.policy.leaves(permissions::whole(&connection.grants, &asked));
        let grants = crate::manage::interfaces(&granted);
        let (connector, _) = self.load_component(bytes, &digest, &grants, Origin::Installed).await?;
        crate::publishers::is_of(&connection.connector, connector.manifest())?;
        let manifest = Arc::new(permissions::effective(&asked, &granted));
        let hosts = permissions::hosts(&asked, &granted);
        let quotas = match quotas {
            QuotaView::Of(quotas) => quotas,
            QuotaView::Shared => self.quotas_of_partner(&connection.id, &manifest).await?,
            QuotaView::Apart => Arc::new(Quotas::new(manifest.quotas.clone())),
        };
        let webhook = self.credentials().get(&connection.workspace, &webhook_name(&connection.id)).await?;
        let partner = self.partner_api(&connection, &manifest, hosts, secrets, webhook, quotas)?;
        let overridden =
            self.0.guests.lock().unwrap_or_else(PoisonError::into_inner).get(&connection.id).cloned();
        let guest = overridden.unwrap_or_else(|| Arc::new(connector));
        let events = permissions::Events::of(&asked, &granted, &workspace.policy);
        Active::new(connection, workspace, manifest, guest, partner, permissions::scopes(&granted), events)
    }

    /// The quotas that a connector declares, with what is used of them: by the connection as it was loaded before, or in an
    /// earlier process.
    async fn quotas_of_partner(
        &self,
        id: &ConnectionId,
        manifest: &Manifest,
    ) -> Result<Arc<Quotas>, EngineError> {
        let declared = if self.config().partner_quotas { manifest.quotas.clone() } else { Vec::new() };
        let stored = self.store().partner_windows(id).await?;
        let mut all = self.quotas_of_partners();
        let before = all.get(id).cloned();
        if let Some(before) = before.as_ref().filter(|before| before.declared() == declared) {
            return Ok(Arc::clone(before));
        }
        let quotas = Arc::new(Quotas::new(declared));
        quotas.restore(&before.map_or(stored, |before| before.kept(id, self.now())));
        all.insert(id.clone(), Arc::clone(&quotas));
        Ok(quotas)
    }

    /// What is used of the quotas of every partner that was asked for anything.
    pub(crate) fn quotas_of_partners(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Quotas>>> {
        self.0.partner_quotas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn partner_api(
        &self,
        connection: &Connection,
        manifest: &Manifest,
        hosts: Vec<HostPattern>,
        secrets: BTreeMap<String, SecretString>,
        webhook_secret: Option<SecretString>,
        quotas: Arc<Quotas>,
    ) -> Result<PartnerApi, EngineError> {
        let auth = manifest.auth(&connection.auth_scheme).ok_or_else(|| {
            EngineError::Invalid(format!(
                "{} has no authentication `{}`; it has {}",
                connection.connector,
                connection.auth_scheme,
                manifest.auth.iter().map(|auth| auth.id.as_str()).collect::<Vec<_>>().join(", ")
            ))
        })?;
        PartnerApi::new(PartnerSetup {
            out: self.outbound().clone(),
            connector: connection.connector.clone(),
            hosts,
            base_url: connection.base_url.clone(),
            auth: auth.clone(),
            secrets,
            webhook_secret,
            quotas,
            timeout: Duration::from_secs(self.config().partner_timeout),
            log_cap: self.config().log_body_cap,
        })
    }

    /// Runs a connection's connector by other means than its component, for measuring what isolation costs. Its component is
    /// still loaded, checked and pinned.
    #[doc(hidden)]
    pub fn replace_guest(&self, id: &ConnectionId, guest: Arc<dyn Guest>) {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), guest);
        self.forget(id);
    }
}
