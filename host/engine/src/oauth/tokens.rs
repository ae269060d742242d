//! The token for a location: its own grant's, or one that is made from its agency's.

use std::sync::Arc;

use contactor_highlevel::oauth::{OAuthError, OAuthErrorKind};
use contactor_highlevel::{AccessToken, TokenError};
use contactor_store::{GrantId, GrantState, Installation, LocationId};
use jiff::SignedDuration;

use super::{Derived, Known, OAuth, lock};

/// A token of an agency's location that is good for less is made anew before it is used.
const LEAD: SignedDuration = SignedDuration::from_mins(5);

impl OAuth {
    /// A token of the location's own grant; none when it has none.
    pub(crate) async fn own(
        self: &Arc<Self>,
        location: &LocationId,
        rejected: Option<&AccessToken>,
    ) -> Result<Option<AccessToken>, TokenError> {
        let id = GrantId::location(location);
        if !self.has(&id).await? {
            return Ok(None);
        }
        self.access(&id, rejected).await.map(Some)
    }

    /// A token that is made from an agency's grant; none when no agency has one.
    pub(crate) async fn of_agency(
        self: &Arc<Self>,
        location: &LocationId,
        rejected: Option<&AccessToken>,
    ) -> Result<Option<AccessToken>, TokenError> {
        if let Some(access) = self.derived(location, rejected) {
            return Ok(Some(access));
        }
        // One exchange for all who wait.
        let flight = self.flight(&GrantId::location(location));
        let _alone = flight.lock().await;
        if let Some(access) = self.derived(location, rejected) {
            return Ok(Some(access));
        }
        // That another agency does not have the location says nothing while the right one is out of order.
        let passing = |error: &TokenError| match error {
            TokenError::Unavailable(_) => 3,
            TokenError::LocationInactive => 2,
            TokenError::LacksScope { .. } => 1,
            TokenError::NeedsReconnect(_) | TokenError::NotConnected => 0,
        };
        let mut refused: Option<TokenError> = None;
        for id in self.agencies(location).await? {
            match self.derive(&id, location).await {
                Ok(access) => return Ok(Some(access)),
                Err(error) if refused.as_ref().is_some_and(|worse| passing(worse) >= passing(&error)) => {}
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// Forgets what was made from an agency's grant for a location: the vendor says that something changed.
    pub(super) fn forget(&self, location: &LocationId) {
        lock(&self.derived).remove(location);
    }

    fn derived(&self, location: &LocationId, rejected: Option<&AccessToken>) -> Option<AccessToken> {
        let known = lock(&self.derived).get(location).map(|made| made.known.clone())?;
        let good = known.expires_at.duration_since(self.clock.now()) > LEAD
            && !rejected.is_some_and(|rejected| rejected.same_as(&known.access));
        good.then_some(known.access)
    }

    /// Agencies with a grant; that of the location alone when it is known.
    async fn agencies(&self, location: &LocationId) -> Result<Vec<GrantId>, TokenError> {
        let unavailable = |error: contactor_store::StoreError| TokenError::Unavailable(error.to_string());
        let mut ids = self.ids().await?;
        ids.retain(|id| id.as_company().is_some());
        if ids.len() > 1 {
            let told = self.store.installations().await.map_err(unavailable)?;
            let company = told.into_iter().find(|one| one.location == *location).and_then(|one| one.company);
            if let Some(own) =
                ids.iter().find(|id| company.is_some() && id.as_company() == company.as_deref())
            {
                return Ok(vec![own.clone()]);
            }
        }
        Ok(ids)
    }

    async fn derive(
        self: &Arc<Self>,
        agency: &GrantId,
        location: &LocationId,
    ) -> Result<AccessToken, TokenError> {
        let company = agency.as_company().unwrap_or_default();
        let access = self.access(agency, None).await?;
        let set = match self.narrow(company, &access, location).await {
            Err(error) if error.kind == OAuthErrorKind::Expired => {
                let access = self.access(agency, Some(&access)).await?;
                self.narrow(company, &access, location).await
            }
            made => made,
        };
        if let Err(error) = &set
            && matches!(error.kind, OAuthErrorKind::NotInstalled { .. })
        {
            self.note_gone(company, location).await;
        }
        let set = set.map_err(|error| told(&error, company))?;
        if let Some(of) = set.resource.as_ref().map(super::renew::grant_of)
            && of.as_location().is_some_and(|named| named != *location)
        {
            return Err(TokenError::Unavailable(format!(
                "HighLevel gave a token of {of} for the location {location}"
            )));
        }
        let (access, expires_at) = (AccessToken::from(set.access.clone()), self.expiry(&set));
        let made = Derived { known: Known { access: access.clone(), expires_at }, scopes: set.scopes };
        lock(&self.derived).insert(location.clone(), made);
        Ok(access)
    }

    /// Nobody told of an uninstallation, or not yet: the next INSTALL is news then.
    async fn note_gone(&self, company: &str, location: &LocationId) {
        let told = match self.store.installations().await {
            Ok(told) => told.into_iter().find(|one| one.location == *location),
            Err(_) => None,
        };
        let Some(known) = told.filter(|one| one.installed && one.company.as_deref() == Some(company)) else {
            return;
        };
        let gone = Installation { installed: false, told_at: self.clock.now(), ..known };
        if let Err(error) = self.store.put_installations(vec![gone]).await {
            tracing::warn!(%location, %error, "that the app is gone is noted with the next list");
        }
    }

    async fn narrow(
        &self,
        company: &str,
        access: &AccessToken,
        location: &LocationId,
    ) -> Result<contactor_highlevel::oauth::TokenSet, OAuthError> {
        let location = contactor_highlevel::LocationId::new(location.as_str());
        self.client.location_token(company, access.secret(), &location).await
    }

    async fn has(&self, id: &GrantId) -> Result<bool, TokenError> {
        if lock(&self.known).contains_key(id) {
            return Ok(true);
        }
        Ok(self.ids().await?.contains(id))
    }

    /// The grants that there are. Asked with every call of a location without one, so what the store said is good for a moment.
    async fn ids(&self) -> Result<Vec<GrantId>, TokenError> {
        const GOOD: std::time::Duration = std::time::Duration::from_secs(10);
        if let Some((at, ids)) = &*lock(&self.index)
            && at.elapsed() < GOOD
        {
            return Ok(ids.clone());
        }
        let grants = self.store.grants().await.map_err(|error| TokenError::Unavailable(error.to_string()))?;
        let ids: Vec<GrantId> = grants.into_iter().map(|grant| grant.id).collect();
        *lock(&self.index) = Some((tokio::time::Instant::now(), ids.clone()));
        Ok(ids)
    }

    /// Grants that the store says are to be renewed by now.
    pub(super) async fn renew_all_due(self: &Arc<Self>) -> Vec<GrantId> {
        const AT_ONCE: usize = 4;
        const PAGE: u32 = 200;
        use futures_util::StreamExt as _;
        let due = match self.store.due_grants(self.clock.now(), PAGE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "grants that are to be renewed could not be read");
                return Vec::new();
            }
        };
        let renewed = due.into_iter().map(async |grant| {
            let renewed = self.renew_due(&grant.id).await;
            // A grant that was suspended works again: what waited for it goes on.
            (renewed.is_ok() && grant.state == GrantState::Paused).then_some(grant.id)
        });
        futures_util::stream::iter(renewed)
            .buffer_unordered(AT_ONCE)
            .filter_map(async |id| id)
            .collect()
            .await
    }
}

fn told(error: &OAuthError, company: &str) -> TokenError {
    match &error.kind {
        OAuthErrorKind::NotInstalled { .. } => {
            TokenError::NeedsReconnect(format!("agency {company}: {error}; install the app in the location"))
        }
        // No repetition mends it: what waits for the location stops, until the agency has consented again.
        OAuthErrorKind::LacksScope { scope } => TokenError::LacksScope { company: company.to_owned(), scope },
        OAuthErrorKind::Inactive => TokenError::LocationInactive,
        _ => TokenError::Unavailable(format!("agency {company}: {error}")),
    }
}
