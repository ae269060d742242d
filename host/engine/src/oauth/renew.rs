//! Renewing a pair: one process at a time, one request per generation, stored before it is used.
//!
//! The order of things, each safe to die after: take the grant's lock on this machine (a courier under way holds it); lease the
//! generation in the store, with the key of the letter; send a courier; read its letter; store the next pair if generation and fence
//! are still those of the lease; take the letter away. Whoever comes after a death finds the letter, or knows that no courier is
//! under way.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use contactor_highlevel::oauth::{OAuthErrorKind, Resource, TokenRequest, TokenSet, UserType};
use contactor_highlevel::{AccessToken, TokenError};
use contactor_store::{
    GrantId, GrantState, LeaseRequest, Leased, NewPair, NotRenewed, OAuthGrant, Purpose, Sealed, StoreError,
    random_secret, torture,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use super::letter::{Letterbox, Outcome};
use super::{Known, OAuth, Pair, custody, lock};
use crate::backoff::OUTAGE;
use crate::error::EngineError;

/// A token that is good for less is renewed before it is used: clocks differ, and a request takes its time.
const LEAD: SignedDuration = SignedDuration::from_mins(5);

/// What a lease lasts beyond a request's time-out: the start of a courier, a full disk, a slow commit.
const MARGIN: Duration = Duration::from_secs(30);

/// A suspended location is asked about once a day; a webhook or an admin may bring it forward.
const PAUSED: SignedDuration = SignedDuration::from_hours(24);

/// How often to look whether a courier of this machine, or another host, has finished.
const LOOK: Duration = Duration::from_millis(50);

/// Why a grant was not renewed.
enum Unrenewed {
    /// For the caller; the store knows.
    Token(TokenError),
    /// Another generation is there by now.
    Superseded,
}

impl From<StoreError> for Unrenewed {
    fn from(error: StoreError) -> Self {
        Self::Token(unavailable(&error))
    }
}

impl From<std::io::Error> for Unrenewed {
    fn from(error: std::io::Error) -> Self {
        Self::Token(unavailable(&error))
    }
}

impl From<EngineError> for Unrenewed {
    fn from(error: EngineError) -> Self {
        Self::Token(unavailable(&error))
    }
}

/// All of a new pair but the tokens.
pub(super) struct Draft {
    scopes: Vec<String>,
    expires_at: Timestamp,
    next_attempt_at: Timestamp,
    at: Timestamp,
}

impl Draft {
    /// With the sealed tokens.
    pub(super) fn sealed(&self, sealed: Sealed) -> NewPair {
        let Self { scopes, expires_at, next_attempt_at, at } = self;
        NewPair {
            sealed,
            scopes: scopes.clone(),
            expires_at: *expires_at,
            next_attempt_at: *next_attempt_at,
            at: *at,
        }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> TokenError {
    TokenError::Unavailable(error.to_string())
}

impl OAuth {
    /// An access token of a grant that is good and not `rejected`; renewed when there is none.
    pub(super) async fn access(
        self: &Arc<Self>,
        id: &GrantId,
        rejected: Option<&AccessToken>,
    ) -> Result<AccessToken, TokenError> {
        match self.known_access(id, rejected, LEAD) {
            Some(access) => Ok(access),
            None => self.in_flight(id, rejected.cloned(), false).await,
        }
    }

    /// Renews a grant whose turn has come; does nothing when somebody did so meanwhile.
    pub(super) async fn renew_due(self: &Arc<Self>, id: &GrantId) -> Result<AccessToken, TokenError> {
        self.in_flight(id, None, true).await
    }

    /// One at a time for each grant, and to the end even if nobody waits any more.
    async fn in_flight(
        self: &Arc<Self>,
        id: &GrantId,
        rejected: Option<AccessToken>,
        due: bool,
    ) -> Result<AccessToken, TokenError> {
        let guard = self.flight(id).lock_owned().await;
        let (this, id) = (Arc::clone(self), id.clone());
        let flight = tokio::spawn(async move {
            let access = this.fresh(&id, rejected.as_ref(), due).await;
            drop(guard);
            access
        });
        flight.await.map_err(|error| unavailable(&error))?
    }

    async fn fresh(
        &self,
        id: &GrantId,
        rejected: Option<&AccessToken>,
        due: bool,
    ) -> Result<AccessToken, TokenError> {
        loop {
            if !due && let Some(access) = self.known_access(id, rejected, LEAD) {
                return Ok(access);
            }
            let grant = self.store.grant(id).await.map_err(|error| unavailable(&error))?;
            let grant = grant.ok_or(TokenError::NotConnected)?;
            let pair = self.pair(id).await?;
            let stored =
                Known { access: AccessToken::new(pair.access.clone()), expires_at: grant.expires_at };
            lock(&self.known).insert(id.clone(), stored);
            let turn = due && grant.next_attempt_at <= self.clock.now();
            if !turn && let Some(access) = self.known_access(id, rejected, LEAD) {
                return Ok(access);
            }
            return match self.renew(&grant, &pair).await {
                Ok(access) => Ok(access),
                Err(Unrenewed::Superseded) => continue,
                Err(Unrenewed::Token(error)) if due => Err(error),
                // What is not renewed in time may still be good for some minutes.
                Err(Unrenewed::Token(error)) => {
                    self.known_access(id, rejected, SignedDuration::ZERO).ok_or(error)
                }
            };
        }
    }

    fn known_access(
        &self,
        id: &GrantId,
        rejected: Option<&AccessToken>,
        lead: SignedDuration,
    ) -> Option<AccessToken> {
        let known = lock(&self.known).get(id).cloned()?;
        let good = known.expires_at.duration_since(self.clock.now()) > lead
            && !rejected.is_some_and(|rejected| rejected.same_as(&known.access));
        good.then_some(known.access)
    }

    async fn renew(&self, grant: &OAuthGrant, pair: &Pair) -> Result<AccessToken, Unrenewed> {
        self.may_renew(grant).map_err(Unrenewed::Token)?;
        let Some(refresh) = pair.refresh.as_deref().map(SecretString::from) else {
            let reason = "HighLevel gave no refresh token with it".to_owned();
            return Err(Unrenewed::Token(TokenError::NeedsReconnect(reason)));
        };
        let letterbox = Letterbox::new(&self.setup.courier.dir, &grant.id, grant.generation);
        let held = self.take_lock(&letterbox).await?;
        let (fence, key) = self.lease(grant).await?;
        torture::point("grant-leased");
        let user = if grant.id.as_company().is_some() { UserType::Company } else { UserType::Location };
        let request = TokenRequest::Refresh(&refresh, user);
        let outcome = self.outcome(&letterbox, &request, &key, held).await;
        torture::point("grant-answered");
        let (renewed, done) = match self.judged(&grant.id, &outcome, &request) {
            Ok(set) => {
                let kept = self.keep(grant, fence, set, &refresh).await;
                let done = kept.is_ok();
                (kept, done)
            }
            Err(kind) => {
                let unread = matches!(kind, OAuthErrorKind::Unreadable { .. });
                (Err(self.give_up(grant, fence, &kind, unread).await), !unread)
            }
        };
        // What could not be stored, or not be understood, may be all that is left of the grant: it stays in the letter, for the next
        // attempt or for a host that reads better.
        if done {
            letterbox.clear();
        }
        renewed
    }

    /// Whether the state of the grant lets it be renewed now.
    fn may_renew(&self, grant: &OAuthGrant) -> Result<(), TokenError> {
        if grant.client != self.setup.app.client_id {
            let reason = format!("it was given to the app {}, and this host is another one", grant.client);
            return Err(TokenError::NeedsReconnect(reason));
        }
        let reason = || grant.reason.clone().unwrap_or_default();
        let waits = self.clock.now() < grant.next_attempt_at;
        match grant.state {
            GrantState::NeedsReconnect => Err(TokenError::NeedsReconnect(reason())),
            GrantState::Paused if waits => Err(TokenError::LocationInactive),
            GrantState::Degraded if waits => Err(TokenError::Unavailable(reason())),
            GrantState::Active | GrantState::Degraded | GrantState::Paused => Ok(()),
        }
    }

    /// Waits until no courier of this machine is under way for the grant.
    async fn take_lock(&self, letterbox: &Letterbox) -> Result<File, Unrenewed> {
        let patience = tokio::time::Instant::now() + self.client.timeout() + MARGIN;
        loop {
            if let Some(file) = letterbox.lock()? {
                return Ok(file);
            }
            if tokio::time::Instant::now() >= patience {
                let problem =
                    "an earlier token request does not end; look for a process `contactor token-courier`";
                return Err(Unrenewed::Token(TokenError::Unavailable(problem.to_owned())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leases the generation; answers the fence and the key of the letter, which may be that of an earlier lease.
    async fn lease(&self, grant: &OAuthGrant) -> Result<(u64, SecretString), Unrenewed> {
        let own = random_secret().map_err(EngineError::from)?;
        let patience = tokio::time::Instant::now() + self.client.timeout() + MARGIN;
        loop {
            let now = self.clock.now();
            let until = now
                + SignedDuration::try_from(self.client.timeout() + MARGIN)
                    .unwrap_or(SignedDuration::from_hours(1));
            let purpose = Purpose::credential(&custody(), &grant.id.courier());
            let leased = self.credentials.keys().keep(&purpose, &own, |courier| {
                self.store.lease_grant(LeaseRequest {
                    id: grant.id.clone(),
                    generation: grant.generation,
                    owner: self.owner.clone(),
                    // The lock says so.
                    ended: Some(format!("{}/", self.place)),
                    now,
                    until,
                    courier,
                })
            });
            match leased.await? {
                Leased::Granted { fence, before: None } => return Ok((fence, own)),
                Leased::Granted { fence, before: Some(_) } => {
                    let key = self.credentials.get(&custody(), &grant.id.courier()).await?;
                    return Ok((fence, key.unwrap_or(own)));
                }
                Leased::Renewed => return Err(Unrenewed::Superseded),
                Leased::Held { .. } if tokio::time::Instant::now() < patience => {
                    tokio::time::sleep(LOOK).await;
                }
                Leased::Held { .. } => {
                    let problem = "another host renews this grant".to_owned();
                    return Err(Unrenewed::Token(TokenError::Unavailable(problem)));
                }
            }
        }
    }

    /// What the vendor answers, or answered to somebody who died.
    async fn outcome(
        &self,
        letterbox: &Letterbox,
        request: &TokenRequest<'_>,
        key: &SecretString,
        held: File,
    ) -> Outcome {
        match letterbox.open(key) {
            Ok(Some(outcome)) => return outcome,
            Ok(None) => {}
            // Of a lease that ended without it: the token it was for is not spent by what cannot be read.
            Err(error) => {
                tracing::warn!(%error, "a courier's letter is thrown away");
                letterbox.clear();
            }
        }
        let prepared = self.client.prepare(request);
        let dispatched =
            self.setup.courier.dispatch(prepared, self.client.timeout(), letterbox, key, held).await;
        match letterbox.open(key) {
            Ok(Some(outcome)) => outcome,
            opened => {
                let problem = match (dispatched, opened) {
                    (Err(error), _) | (Ok(()), Err(error)) => error.to_string(),
                    (Ok(()), Ok(_)) => "the courier left no answer".to_owned(),
                };
                Outcome::Failed { problem, sent: true }
            }
        }
    }

    fn judged(
        &self,
        id: &GrantId,
        outcome: &Outcome,
        request: &TokenRequest<'_>,
    ) -> Result<TokenSet, OAuthErrorKind> {
        let set = match outcome {
            Outcome::Answered(answered) => self.client.read(answered, request).map_err(|error| error.kind)?,
            Outcome::Failed { problem, sent } => {
                return Err(OAuthErrorKind::Unavailable { problem: problem.clone(), sent: *sent });
            }
        };
        // An answer that does not name the location, or names the agency alone, is the grant's that was renewed.
        let named = set.resource.as_ref().map(grant_of);
        if let Some(of) = named.filter(|of| of.as_location().is_some_and(|_| of != id)) {
            return Err(OAuthErrorKind::Unreadable { problem: format!("it is for {of}") });
        }
        Ok(set)
    }

    async fn keep(
        &self,
        grant: &OAuthGrant,
        fence: u64,
        set: TokenSet,
        spent: &SecretString,
    ) -> Result<AccessToken, Unrenewed> {
        let (access, expires_at) = (AccessToken::from(set.access.clone()), self.expiry(&set));
        let (text, draft) = self.draft(set, Some(spent))?;
        let purpose = Purpose::credential(&custody(), &grant.id.pair());
        let renewed = self.credentials.keys().keep(&purpose, &text, |sealed| {
            self.store.renew_grant(&grant.id, grant.generation, fence, draft.sealed(sealed))
        });
        if !renewed.await? {
            return Err(Unrenewed::Superseded);
        }
        metrics::counter!("contactor_oauth_renewals_total", "outcome" => "renewed").increment(1);
        tracing::info!(grant = %grant.id, generation = grant.generation + 1, "the grant was renewed");
        lock(&self.known).insert(grant.id.clone(), Known { access: access.clone(), expires_at });
        Ok(access)
    }

    pub(super) fn expiry(&self, set: &TokenSet) -> Timestamp {
        let lifetime = SignedDuration::try_from(set.expires_in).unwrap_or(SignedDuration::from_hours(24));
        self.clock.now() + lifetime
    }

    /// A pair as it is to be stored: renewed in the last quarter of its life at the latest, each grant at another moment.
    pub(super) fn draft(
        &self,
        set: TokenSet,
        spent: Option<&SecretString>,
    ) -> Result<(SecretString, Draft), EngineError> {
        let expires_at = self.expiry(&set);
        let lead = set.expires_in.mul_f64(0.125 + 0.125 * rand::random::<f64>());
        // Without a new one the old one was not exchanged.
        let refresh = set.refresh.as_ref().or(spent).map(|token| token.expose_secret().to_owned());
        let pair = Pair { access: set.access.expose_secret().to_owned(), refresh };
        let draft = Draft {
            scopes: set.scopes,
            expires_at,
            next_attempt_at: expires_at - SignedDuration::try_from(lead).unwrap_or(LEAD),
            at: self.clock.now(),
        };
        Ok((pair.sealed_text()?, draft))
    }

    /// Notes why there is no pair. Nothing is deleted, whatever the reason.
    async fn give_up(
        &self,
        grant: &OAuthGrant,
        fence: u64,
        kind: &OAuthErrorKind,
        unread: bool,
    ) -> Unrenewed {
        let now = self.clock.now();
        let (state, wait) = after(kind, grant.attempts, rand::random());
        let mut reason = kind.to_string();
        if state == GrantState::NeedsReconnect && grant.state == GrantState::Degraded {
            reason
                .push_str("; the answer to an earlier request may have been lost with the next token in it");
        }
        let ended = NotRenewed {
            id: grant.id.clone(),
            generation: grant.generation,
            fence,
            state,
            reason: reason.clone(),
            next_attempt_at: now + wait,
            unread,
        };
        match self.store.not_renewed(ended).await {
            Ok(true) => {}
            Ok(false) => return Unrenewed::Superseded,
            Err(error) => return error.into(),
        }
        let outcome = match state {
            GrantState::NeedsReconnect => "refused",
            GrantState::Paused => "paused",
            GrantState::Active | GrantState::Degraded => "failed",
        };
        metrics::counter!("contactor_oauth_renewals_total", "outcome" => outcome).increment(1);
        tracing::warn!(grant = %grant.id, %reason, "the grant was not renewed");
        Unrenewed::Token(match state {
            GrantState::NeedsReconnect => TokenError::NeedsReconnect(reason),
            GrantState::Paused => TokenError::LocationInactive,
            GrantState::Active | GrantState::Degraded => TokenError::Unavailable(reason),
        })
    }
}

/// How a grant stands after a failed attempt, and how long it rests. Pure.
fn after(kind: &OAuthErrorKind, attempts: u32, jitter: f64) -> (GrantState, SignedDuration) {
    let outage = OUTAGE.wait(attempts, jitter);
    match kind {
        OAuthErrorKind::Refused { .. } => (GrantState::NeedsReconnect, PAUSED),
        OAuthErrorKind::Inactive => (GrantState::Paused, PAUSED),
        OAuthErrorKind::Limited { retry_after } => {
            let asked = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok()).unwrap_or(outage);
            (GrantState::Degraded, asked.max(outage))
        }
        OAuthErrorKind::Client { .. }
        | OAuthErrorKind::NotInstalled { .. }
        | OAuthErrorKind::LacksScope { .. }
        | OAuthErrorKind::Expired
        | OAuthErrorKind::Unavailable { .. }
        | OAuthErrorKind::Unreadable { .. } => (GrantState::Degraded, outage),
    }
}

/// Whose grant a token belongs to.
pub(super) fn grant_of(resource: &Resource) -> GrantId {
    match resource {
        Resource::Location { location, .. } => {
            GrantId::location(&contactor_store::LocationId::new(location.as_str()))
        }
        Resource::Company { company } => GrantId::company(company),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_asks_for_a_new_consent() {
        let kinds = [
            OAuthErrorKind::Client { message: String::new() },
            OAuthErrorKind::NotInstalled { message: String::new() },
            OAuthErrorKind::LacksScope { scope: "oauth.write" },
            OAuthErrorKind::Expired,
            OAuthErrorKind::Limited { retry_after: None },
            OAuthErrorKind::Unavailable { problem: String::new(), sent: true },
            OAuthErrorKind::Unreadable { problem: String::new() },
        ];
        for kind in kinds {
            assert_eq!(
                after(&kind, 3, 0.5),
                (GrantState::Degraded, SignedDuration::from_secs(16)),
                "{kind:?}"
            );
        }
        let refused = OAuthErrorKind::Refused { message: String::new() };
        assert_eq!(after(&refused, 0, 0.5).0, GrantState::NeedsReconnect);
        assert_eq!(after(&OAuthErrorKind::Inactive, 9, 0.5), (GrantState::Paused, PAUSED));
        let asked = OAuthErrorKind::Limited { retry_after: Some(Duration::from_mins(2)) };
        assert_eq!(after(&asked, 0, 0.5).1, SignedDuration::from_mins(2));
    }
}
