//! Links, and the match report: which records would be linked, and which of them may be.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::model::{
    ConnectionId, Cursor, FoundMatch, Link, Match, MatchBucket, MatchCount, MatchFilter, RecordId, Review,
    Side,
};

/// The part of a [`Store`](crate::Store) about links and match reports.
#[async_trait]
pub trait LinkStore: Send + Sync + 'static {
    /// The link of a record, by either side's id.
    async fn link(
        &self,
        connection: &ConnectionId,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<Option<Link>>;
    /// The links of a contact's children of one entity, by HighLevel's id.
    async fn child_links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        parent: &RecordId,
    ) -> Result<Vec<Link>>;
    /// The contacts that have children of an entity, with a link in use, which take place within a window; its end is outside.
    async fn occurring(
        &self,
        connection: &ConnectionId,
        entity: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<RecordId>>;
    /// A connection's links of one entity in the order of HighLevel's ids, after the given one.
    async fn links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<Link>>;

    /// Begins a review: until it ends, records that are not linked wait for the approval of their bucket. With the cursor of a walk
    /// over HighLevel's contacts a report begins anew: nothing is approved, and what an earlier report listed is in none any more:
    /// `renew_matches` clears it. Without one, a review that is open stays as it is, and one that has ended is refused: its lists would
    /// be taken for those of the new one.
    async fn begin_review(
        &self,
        connection: &ConnectionId,
        walk: Option<Cursor>,
        basis: String,
    ) -> Result<Review>;
    /// Clears what an earlier report listed, at most so many records of it, and answers how many: HighLevel's are forgotten, as the walk
    /// meets them again, the partner's are marked to be looked at again. In pages, so that no single commit holds up the others, and
    /// after a crash it goes on where it was. 0 means that none are left.
    async fn renew_matches(&self, connection: &ConnectionId, limit: u32) -> Result<u64>;
    /// The review of a connection, also one that has ended.
    async fn review(&self, connection: &ConnectionId) -> Result<Option<Review>>;
    /// Lists what a page of a report's walk found, each record once, and moves its cursor, all or nothing. A page of a walk that is
    /// not the present one changes nothing.
    async fn put_matches(
        &self,
        connection: &ConnectionId,
        walk: u32,
        page: Vec<FoundMatch>,
        cursor: Cursor,
    ) -> Result<()>;
    /// Whether a record that is not linked has to wait: a review is open and its bucket is not approved, or it is one of several that
    /// would be linked with the same counterpart. Then it is listed, and answered as it is listed. An approval counts for the basis
    /// that its report was made with: with another one everything waits, and a review that has ended is open again if records that it
    /// approved are not marked yet. After its end only what competes with a record that was not let go is answered.
    async fn hold(
        &self,
        connection: &ConnectionId,
        basis: String,
        found: FoundMatch,
    ) -> Result<Option<Match>>;
    /// Approves buckets. When everything that would be written is approved, the review ends.
    async fn approve_matches(
        &self,
        connection: &ConnectionId,
        buckets: BTreeSet<MatchBucket>,
    ) -> Result<Review>;
    /// Marks records of approved buckets dirty with priority `Backfill`, each once and at most so many of them; answers how many. 0
    /// means that none are left, or that they were approved for another basis.
    async fn release_matches(&self, connection: &ConnectionId, basis: String, limit: u32) -> Result<u64>;
    /// What a report lists, added up by bucket.
    async fn match_counts(&self, connection: &ConnectionId) -> Result<Vec<MatchCount>>;
    /// Records that a report lists.
    async fn matches(&self, filter: MatchFilter) -> Result<Vec<Match>>;
}
