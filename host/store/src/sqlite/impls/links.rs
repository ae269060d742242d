//! Links, and the match report: which records would be linked, and which of them may be.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{
    ConnectionId, Cursor, FoundMatch, Link, Match, MatchBucket, MatchCount, MatchFilter, RecordId, Review,
    Side,
};
use crate::sqlite::{Result, SqliteStore, configuration, links, matching};
use crate::store::LinkStore;

#[async_trait]
impl LinkStore for SqliteStore {
    async fn link(
        &self,
        connection: &ConnectionId,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<Option<Link>> {
        let (connection, entity, record) = (connection.clone(), entity.to_owned(), record.clone());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::find(db, owner.connection, &entity, side, &record)
        })
        .await
    }

    async fn child_links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        parent: &RecordId,
    ) -> Result<Vec<Link>> {
        let (connection, entity, parent) = (connection.clone(), entity.to_owned(), parent.clone());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::of_parent(db, owner.connection, &entity, &parent)
        })
        .await
    }

    async fn occurring(
        &self,
        connection: &ConnectionId,
        entity: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<RecordId>> {
        let (connection, entity) = (connection.clone(), entity.to_owned());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::occurring(db, owner.connection, &entity, from, until)
        })
        .await
    }

    async fn links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<Link>> {
        let (connection, entity, after) = (connection.clone(), entity.to_owned(), after.cloned());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::page(db, owner.connection, &entity, after.as_ref(), limit)
        })
        .await
    }

    async fn begin_review(
        &self,
        connection: &ConnectionId,
        walk: Option<Cursor>,
        basis: String,
    ) -> Result<Review> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::begin(db, (owner.connection, &id), walk.as_ref(), &basis, now)
        })
        .await
    }

    async fn renew_matches(&self, connection: &ConnectionId, limit: u32) -> Result<u64> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::renew(db, owner.connection, limit, now)
        })
        .await
    }

    async fn review(&self, connection: &ConnectionId) -> Result<Option<Review>> {
        let id = connection.clone();
        self.read(move |db| matching::review(db, &id)).await
    }

    async fn put_matches(
        &self,
        connection: &ConnectionId,
        walk: u32,
        page: Vec<FoundMatch>,
        cursor: Cursor,
    ) -> Result<()> {
        let id = connection.clone();
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::put_page(db, (owner.connection, &id), walk, &page, &cursor)
        })
        .await
    }

    async fn hold(
        &self,
        connection: &ConnectionId,
        basis: String,
        found: FoundMatch,
    ) -> Result<Option<Match>> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::hold(db, (owner.connection, &id), &basis, &found, now)
        })
        .await
    }

    async fn approve_matches(
        &self,
        connection: &ConnectionId,
        buckets: BTreeSet<MatchBucket>,
    ) -> Result<Review> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::approve(db, (owner.connection, &id), &buckets, now)
        })
        .await
    }

    async fn release_matches(&self, connection: &ConnectionId, basis: String, limit: u32) -> Result<u64> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::release(db, (owner.connection, &id), &basis, limit, now)
        })
        .await
    }

    async fn match_counts(&self, connection: &ConnectionId) -> Result<Vec<MatchCount>> {
        let id = connection.clone();
        self.read(move |db| matching::counts(db, configuration::owner(db, &id)?.connection)).await
    }

    async fn matches(&self, filter: MatchFilter) -> Result<Vec<Match>> {
        self.read(move |db| {
            let owner = configuration::owner(db, &filter.connection)?;
            matching::list(db, owner.connection, &filter)
        })
        .await
    }
}
