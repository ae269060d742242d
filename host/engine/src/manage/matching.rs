//! The match report: what a first sync would do, looked at and approved by bucket before anything is written.

use std::collections::BTreeSet;

use contactor_highlevel::BudgetState;
use contactor_store::{
    Connection, ConnectionId, ConnectionState, EventFilter, Match, MatchBucket, MatchCount, MatchFilter,
    Review,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::walk::{MATCH, fresh};

/// A report that is older says so.
const OLD: SignedDuration = SignedDuration::from_hours(24);

/// How a match report stands.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchReport {
    /// The connection.
    pub connection: ConnectionId,
    /// Its state: one that is not enabled makes no progress.
    pub state: ConnectionState,
    /// Records that are not linked wait until their bucket is approved.
    pub under_review: bool,
    /// When the report was begun; none before the first.
    pub begun_at: Option<Timestamp>,
    /// Contacts of HighLevel's are left to look at.
    pub walking: bool,
    /// Contacts looked at so far.
    pub seen: u64,
    /// Contacts in all, as HighLevel counted them.
    pub total: Option<u64>,
    /// Streams of the partner's that were not read to their end yet.
    pub unread_streams: Vec<String>,
    /// Records that wait for a run, which lists them or does what was approved.
    pub waiting: u64,
    /// What was approved.
    pub approved: BTreeSet<MatchBucket>,
    /// Approved records that are not marked yet.
    pub unreleased: u64,
    /// When everything that would be written was approved.
    pub ended_at: Option<Timestamp>,
    /// What the records that are not approved yet would cost.
    pub estimate: SyncEstimate,
    /// Each bucket with some of its records.
    pub buckets: Vec<BucketReport>,
    /// What an admin has to know before approving anything.
    pub remarks: Vec<String>,
}

/// What a sync would cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncEstimate {
    /// Requests to HighLevel.
    pub highlevel_calls: u64,
    /// Requests to the partner.
    pub partner_calls: u64,
    /// Minutes that HighLevel's rate allows them in, if nothing else uses it.
    pub minutes: f64,
    /// Their share of a day's requests, in percent.
    pub day_percent: f64,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketReport {
    /// Its records, added up.
    pub count: MatchCount,
    /// It was approved.
    pub approved: bool,
    /// What the records that were not marked yet would cost.
    pub estimate: SyncEstimate,
    /// Some of its records.
    pub examples: Vec<Match>,
}

impl Engine {
    /// Begins a match report, or goes on with the one under way; `anew` begins again. From then on the connection is under review:
    /// records that are not linked wait.
    ///
    /// # Errors
    /// No such connection, or it is not enabled.
    pub async fn start_match(&self, id: &ConnectionId, anew: bool) -> Result<MatchReport, EngineError> {
        let connection = self.stored(id).await?;
        if connection.state != ConnectionState::Enabled {
            return Err(EngineError::Conflict(format!(
                "{id} is not enabled{}; enable it with `contactor connection enable {} {} --review`",
                connection.state_reason.map(|reason| format!(" ({reason})")).unwrap_or_default(),
                connection.workspace,
                connection.connector
            )));
        }
        let is_under_way = self.store().cursor(id, MATCH).await?.is_some_and(|cursor| !cursor.done);
        if anew || !is_under_way {
            let cursor = fresh(id, MATCH, self.now());
            self.store().begin_review(id, Some(cursor), basis(&connection)).await?;
            self.forget(id);
        }
        self.walk_wake().wake();
        self.match_report(id, None, 0, 0).await
    }

    /// How the report stands, with up to `limit` records after the first `skip` of one bucket, or of each.
    ///
    /// # Errors
    /// No such connection, or no report.
    pub async fn match_report(
        &self,
        id: &ConnectionId,
        bucket: Option<MatchBucket>,
        skip: u32,
        limit: u32,
    ) -> Result<MatchReport, EngineError> {
        let connection = self.stored(id).await?;
        let review = self.review(&connection).await?;
        let cursor = self.store().cursor(id, MATCH).await?;
        let workspace = self.workspace(&connection.workspace).await?;
        let budget = self.budget(&workspace);
        let mut buckets = Vec::new();
        for count in self.store().match_counts(id).await? {
            let examples = if limit > 0 && bucket.is_none_or(|bucket| bucket == count.bucket) {
                let filter = MatchFilter { connection: id.clone(), bucket: count.bucket, skip, limit };
                self.store().matches(filter).await?
            } else {
                Vec::new()
            };
            let writes = MatchBucket::WRITES.contains(&count.bucket);
            buckets.push(BucketReport {
                approved: review.approved.contains(&count.bucket),
                estimate: if writes {
                    estimate(count.highlevel_calls, count.partner_calls, &budget)
                } else {
                    SyncEstimate::default()
                },
                examples,
                count,
            });
        }
        let left = |of: fn(&BucketReport) -> u64| -> u64 {
            buckets.iter().filter(|bucket| !bucket.approved).map(of).sum()
        };
        let (highlevel, partner) =
            (left(|bucket| bucket.estimate.highlevel_calls), left(|bucket| bucket.estimate.partner_calls));
        let approved = buckets.iter().filter(|bucket| bucket.approved);
        let runs = approved.filter(|bucket| MatchBucket::WRITES.contains(&bucket.count.bucket));
        let unreleased = runs.map(|bucket| bucket.count.records - bucket.count.released).sum();
        Ok(MatchReport {
            connection: id.clone(),
            state: connection.state,
            under_review: review.ended_at.is_none(),
            begun_at: (review.walk > 0).then_some(review.begun_at),
            walking: cursor.as_ref().is_some_and(|cursor| !cursor.done),
            seen: cursor.as_ref().map_or(0, |cursor| cursor.seen),
            total: cursor.as_ref().and_then(|cursor| cursor.total),
            unread_streams: self.unread_streams(&connection).await?,
            waiting: self.store().counts_of(id).await?.dirty,
            unreleased,
            ended_at: review.ended_at,
            estimate: estimate(highlevel, partner, &budget),
            remarks: self.remarks(&connection, &review, cursor.and_then(|cursor| cursor.trouble)).await?,
            approved: review.approved,
            buckets,
        })
    }

    /// Approves buckets of the report: their records are linked, created and changed from now on, those that were listed first. The
    /// others wait.
    ///
    /// # Errors
    /// No such connection, no report, or one that was made with other settings.
    pub async fn approve_match(
        &self,
        id: &ConnectionId,
        buckets: BTreeSet<MatchBucket>,
    ) -> Result<MatchReport, EngineError> {
        let connection = self.stored(id).await?;
        let review = self.review(&connection).await?;
        if buckets.is_empty() {
            return Err(EngineError::Invalid("no bucket was named to be approved".to_owned()));
        }
        if review.walk == 0 {
            return Err(EngineError::Conflict(format!(
                "there is no match report of {id} to approve yet: begin it with `contactor match start {} {}`",
                connection.workspace, connection.connector
            )));
        }
        if let Some(why) = outdated(&connection, &review) {
            return Err(EngineError::Conflict(why));
        }
        if let Some(cursor) = self.store().cursor(id, MATCH).await?.filter(|cursor| !cursor.done) {
            let total = cursor.total.map(|total| format!(" of {total}")).unwrap_or_default();
            return Err(EngineError::Conflict(format!(
                "the match report of {id} has looked at {}{total} contacts so far, and nobody can approve what was not looked at: \
                 `contactor match show {} {}` tells when it is complete",
                cursor.seen, connection.workspace, connection.connector
            )));
        }
        self.store().approve_matches(id, buckets).await?;
        self.forget(id);
        self.walk_wake().wake();
        self.match_report(id, None, 0, 0).await
    }

    async fn review(&self, connection: &Connection) -> Result<Review, EngineError> {
        let found = self.store().review(&connection.id).await?;
        found.ok_or_else(|| EngineError::NotFound {
            what: "match report of",
            id: connection.id.to_string(),
            hint: format!(
                "; `contactor match start {} {}` begins one",
                connection.workspace, connection.connector
            ),
        })
    }

    /// Streams that list the partner's records and were not read to their end.
    async fn unread_streams(&self, connection: &Connection) -> Result<Vec<String>, EngineError> {
        let manifest = self.manifest_of(connection).await?;
        let mut unread = Vec::new();
        for stream in &manifest.streams {
            let cursor = self.store().cursor(&connection.id, &format!("poll:{}", stream.name)).await?;
            if cursor.is_none_or(|cursor| !cursor.done || cursor.trouble.is_some()) {
                unread.push(stream.name.clone());
            }
        }
        Ok(unread)
    }

    async fn remarks(
        &self,
        connection: &Connection,
        review: &Review,
        trouble: Option<contactor_store::Trouble>,
    ) -> Result<Vec<String>, EngineError> {
        let mut remarks = Vec::new();
        if connection.state != ConnectionState::Enabled {
            remarks.push(format!("{} is not enabled: the report makes no progress", connection.id));
        }
        remarks.extend(trouble.map(|trouble| {
            format!("contacts could not be looked at, next try at {}: {}", trouble.retry_at, trouble.problem)
        }));
        remarks.extend(outdated(connection, review).filter(|_| review.ended_at.is_none()));
        if review.walk > 0 && review.ended_at.is_none() {
            let since = self.store().events(EventFilter::newest(&connection.workspace, 1)).await?;
            let changed = since.first().is_some_and(|event| event.received_at > review.begun_at);
            if self.now().duration_since(review.begun_at) > OLD || changed {
                remarks.push(format!(
                    "the report was begun at {}, and records were changed since or may have been: each is read again before it is \
                     written, and waits where its bucket is another by then",
                    review.begun_at
                ));
            }
        }
        Ok(remarks)
    }
}

/// Tells what a report was made with: the component, its settings and the mapping.
pub(crate) fn basis(connection: &Connection) -> String {
    let text = format!("{}\n{}\n{}", connection.digest, connection.settings, connection.mapping);
    hex::encode(Sha256::digest(text))
}

fn outdated(connection: &Connection, review: &Review) -> Option<String> {
    (review.walk > 0 && review.basis != basis(connection)).then(|| {
        format!(
            "the connector, its settings or the mapping were changed since the report was begun, so it shows what would have been: \
             begin it again with `contactor match start {} {} --anew`",
            connection.workspace, connection.connector
        )
    })
}

pub(super) fn estimate(highlevel_calls: u64, partner_calls: u64, budget: &BudgetState) -> SyncEstimate {
    let number = |count: u64| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    let per_minute = f64::from(budget.limits.burst) / budget.limits.interval.as_secs_f64() * 60.0;
    let calls = number(highlevel_calls);
    SyncEstimate {
        highlevel_calls,
        partner_calls,
        minutes: if per_minute > 0.0 { calls / per_minute } else { 0.0 },
        day_percent: calls * 100.0 / f64::from(budget.limits.daily.max(1)),
    }
}
