//! Grants of HighLevel, and where the app is installed.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{
    ConsentFlow, Consented, GrantId, Installation, LeaseRequest, Leased, LocationId, NewPair, NotRenewed,
    OAuthGrant,
};
use crate::sqlite::{Result, SqliteStore, oauth};
use crate::store::OAuthStore;

#[async_trait]
impl OAuthStore for SqliteStore {
    async fn put_grant(&self, consented: Consented) -> Result<OAuthGrant> {
        self.write(move |db| oauth::consented(db, &consented)).await
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<OAuthGrant>> {
        let id = id.clone();
        self.read(move |db| oauth::grant(db, &id)).await
    }

    async fn grants(&self) -> Result<Vec<OAuthGrant>> {
        self.read(oauth::grants).await
    }

    async fn due_grants(&self, now: Timestamp, limit: u32) -> Result<Vec<OAuthGrant>> {
        self.read(move |db| oauth::due(db, now, limit)).await
    }

    async fn lease_grant(&self, request: LeaseRequest) -> Result<Leased> {
        self.write(move |db| oauth::lease(db, &request)).await
    }

    async fn renew_grant(&self, id: &GrantId, generation: u64, fence: u64, pair: NewPair) -> Result<bool> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| oauth::renew(db, &id, (generation, fence), &pair, now)).await
    }

    async fn not_renewed(&self, ended: NotRenewed) -> Result<bool> {
        let now = self.now();
        self.write(move |db| oauth::not_renewed(db, &ended, now)).await
    }

    async fn try_grant(&self, id: &GrantId, now: Timestamp) -> Result<()> {
        let id = id.clone();
        self.write(move |db| oauth::try_now(db, &id, now)).await
    }

    async fn begin_consent(&self, flow: ConsentFlow) -> Result<()> {
        let now = self.now();
        self.write(move |db| oauth::begin_consent(db, &flow, now)).await
    }

    async fn end_consent(&self, state: &str, now: Timestamp) -> Result<Option<ConsentFlow>> {
        let state = state.to_owned();
        self.write(move |db| oauth::end_consent(db, &state, now)).await
    }

    async fn put_installations(&self, told: Vec<Installation>) -> Result<Vec<LocationId>> {
        let now = self.now();
        self.write(move |db| oauth::put_installations(db, &told, now)).await
    }

    async fn installations(&self) -> Result<Vec<Installation>> {
        self.read(oauth::installations).await
    }
}
