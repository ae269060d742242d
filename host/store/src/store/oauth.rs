//! Grants of HighLevel, and where the app is installed.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::model::{
    ConsentFlow, Consented, GrantId, Installation, LeaseRequest, Leased, LocationId, NewPair, NotRenewed,
    OAuthGrant,
};

/// The part of a [`Store`](crate::Store) about grants of HighLevel and installations.
#[async_trait]
pub trait OAuthStore: Send + Sync + 'static {
    /// Stores the first pair of a grant, or that of a new consent: then links, cursors and parked work stay, and whatever was
    /// under way for the old pair comes too late.
    async fn put_grant(&self, consented: Consented) -> Result<OAuthGrant>;
    /// One grant. Its pair is the credential [`GrantId::pair`].
    async fn grant(&self, id: &GrantId) -> Result<Option<OAuthGrant>>;
    /// All grants, by id.
    async fn grants(&self) -> Result<Vec<OAuthGrant>>;
    /// Grants that are to be renewed by now, that nobody renews, and that need no consent; the longest overdue first.
    async fn due_grants(&self, now: Timestamp, limit: u32) -> Result<Vec<OAuthGrant>>;
    /// Gives leave to renew a grant of this generation to one process until its time is over. What opens the courier's letter is
    /// stored with it ([`GrantId::courier`]), unless that of an earlier lease without outcome is still needed.
    async fn lease_grant(&self, request: LeaseRequest) -> Result<Leased>;
    /// Stores the next pair, in one transaction with the end of the lease. False, and nothing happens, when generation or fence
    /// is another one by now. That a grant opens something again is on record with it.
    async fn renew_grant(&self, id: &GrantId, generation: u64, fence: u64, pair: NewPair) -> Result<bool>;
    /// Notes that an attempt brought no pair and ends the lease. The pair stays. False as with
    /// [`renew_grant`](Self::renew_grant). That a grant opens nothing any more is on record with it.
    async fn not_renewed(&self, ended: NotRenewed) -> Result<bool>;
    /// Brings a grant's next attempt forward to `now`.
    async fn try_grant(&self, id: &GrantId, now: Timestamp) -> Result<()>;
    /// Notes that somebody was sent to the consent page; forgets those who did not come back.
    async fn begin_consent(&self, flow: ConsentFlow) -> Result<()>;
    /// Takes a consent that was begun and has not expired. It can be taken once.
    async fn end_consent(&self, state: &str, now: Timestamp) -> Result<Option<ConsentFlow>>;
    /// Notes where the app is installed, as far as what is known is not newer; answers the locations for which that changed, which is on
    /// record with it.
    async fn put_installations(&self, told: Vec<Installation>) -> Result<Vec<LocationId>>;
    /// What is known of installations, by location.
    async fn installations(&self) -> Result<Vec<Installation>>;
}
