//! The match report: what a first synchronisation would do, to be approved by bucket.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ConnectionState, mirror};

/// What a synchronisation would do with a record that is not linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MatchBucket {
    /// It has one counterpart and would be linked with it.
    Matched,
    /// It would be created at the partner.
    NewInPartner,
    /// It would be created in HighLevel.
    NewInHighlevel,
    /// It has several counterparts, or one that belongs to somebody else: it is not written until a person has seen to it.
    Ambiguous,
    /// A rule leaves it alone, or it lacks what a record needs.
    Skipped,
    /// It could not be planned.
    Failed,
    /// It is linked already.
    Linked,
}

mirror!(
    MatchBucket,
    own::MatchBucket,
    [Matched, NewInPartner, NewInHighlevel, Ambiguous, Skipped, Failed, Linked]
);

/// A report to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StartMatch {
    /// Begin anew, even if a report is under way. What was approved has to be approved again.
    pub anew: bool,
}

/// Which records of a report to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MatchQuery {
    /// Only of this bucket.
    #[param(inline)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<MatchBucket>,
    /// After this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<u32>,
    /// At most this many of each bucket, 0 to 500; 3 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What to approve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApproveMatch {
    /// These buckets.
    pub buckets: Vec<MatchBucket>,
    /// Every bucket.
    pub all: bool,
}

impl ApproveMatch {
    pub(crate) fn buckets(self) -> std::collections::BTreeSet<own::MatchBucket> {
        if self.all {
            return own::MatchBucket::ALL.into_iter().collect();
        }
        self.buckets.into_iter().map(Into::into).collect()
    }
}

/// How a match report stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MatchReport {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// A connection that is not enabled makes no progress.
    pub state: ConnectionState,
    /// Records that are not linked wait until their bucket is approved.
    pub under_review: bool,
    /// When the report was begun; absent before the first.
    pub begun_at: Option<Timestamp>,
    /// Contacts of HighLevel's are left to look at.
    pub walking: bool,
    /// Contacts looked at so far.
    pub seen: u64,
    /// Contacts in all, as HighLevel counted them.
    pub total: Option<u64>,
    /// Streams that list the partner's records and were not read to their end yet.
    pub unread_streams: Vec<String>,
    /// Records that wait for a run, which lists them or does what was approved.
    pub waiting: u64,
    /// What was approved.
    pub approved: Vec<MatchBucket>,
    /// Approved records that are not among those that wait yet.
    pub unreleased: u64,
    /// When everything that would be written was approved.
    pub ended_at: Option<Timestamp>,
    /// What the records that are not approved would cost.
    pub estimate: SyncEstimate,
    /// Each bucket.
    pub buckets: Vec<BucketReport>,
    /// What to know before approving anything.
    pub remarks: Vec<String>,
}

impl MatchReport {
    /// Everything was looked at.
    pub fn is_complete(&self) -> bool {
        !self.walking && self.unread_streams.is_empty() && self.waiting == 0
    }
}

/// What a synchronisation would cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncEstimate {
    /// Requests to HighLevel, reads included.
    pub highlevel_calls: u64,
    /// Requests to the partner.
    pub partner_calls: u64,
    /// Minutes that HighLevel's rate allows them in, if nothing else uses it.
    pub minutes: f64,
    /// Their share of a day's requests to HighLevel, in percent.
    pub day_percent: f64,
}

/// The records of one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BucketReport {
    /// The bucket.
    pub bucket: MatchBucket,
    /// It was approved.
    pub approved: bool,
    /// Its records.
    pub records: u64,
    /// Those that were handed over to be synchronised.
    pub released: u64,
    /// Fields that would be written in HighLevel.
    pub to_highlevel: u64,
    /// Fields that would be written at the partner.
    pub to_partner: u64,
    /// Fields on which both sides differ.
    pub conflicts: u64,
    /// What the records that were not handed over would cost.
    pub estimate: SyncEstimate,
    /// Some of its records.
    pub examples: Vec<Match>,
}

/// What a synchronisation would do with one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Match {
    /// HighLevel's id, if it is there.
    pub highlevel_id: Option<String>,
    /// The partner's id, if it is there.
    pub partner_id: Option<String>,
    /// Who it is: an email, else a name, else a phone.
    pub label: Option<String>,
    /// Which fields would be written, or why nothing would.
    pub note: String,
    /// Fields that would be written in HighLevel.
    pub to_highlevel: u32,
    /// Fields that would be written at the partner.
    pub to_partner: u32,
    /// Fields on which both sides differ.
    pub conflicts: u32,
    /// Requests to HighLevel that it would cost.
    pub highlevel_calls: u32,
    /// Requests to the partner that it would cost.
    pub partner_calls: u32,
    /// When it was looked at.
    pub at: Timestamp,
    /// It was handed over to be synchronised.
    pub released: bool,
}

impl From<engine::MatchReport> for MatchReport {
    fn from(own: engine::MatchReport) -> Self {
        Self {
            connection: own.connection.to_string(),
            state: own.state.into(),
            under_review: own.under_review,
            begun_at: own.begun_at,
            walking: own.walking,
            seen: own.seen,
            total: own.total,
            unread_streams: own.unread_streams,
            waiting: own.waiting,
            approved: own.approved.into_iter().map(Into::into).collect(),
            unreleased: own.unreleased,
            ended_at: own.ended_at,
            estimate: own.estimate.into(),
            buckets: own.buckets.into_iter().map(Into::into).collect(),
            remarks: own.remarks,
        }
    }
}

impl From<engine::SyncEstimate> for SyncEstimate {
    fn from(own: engine::SyncEstimate) -> Self {
        let engine::SyncEstimate { highlevel_calls, partner_calls, minutes, day_percent } = own;
        Self { highlevel_calls, partner_calls, minutes, day_percent }
    }
}

impl From<engine::BucketReport> for BucketReport {
    fn from(own: engine::BucketReport) -> Self {
        Self {
            bucket: own.count.bucket.into(),
            approved: own.approved,
            records: own.count.records,
            released: own.count.released,
            to_highlevel: own.count.to_highlevel,
            to_partner: own.count.to_partner,
            conflicts: own.count.conflicts,
            estimate: own.estimate.into(),
            examples: own.examples.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<own::Match> for Match {
    fn from(own: own::Match) -> Self {
        Self {
            highlevel_id: own.highlevel_id.map(|id| id.to_string()),
            partner_id: own.partner_id.map(|id| id.to_string()),
            label: own.told.label,
            note: own.told.note,
            to_highlevel: own.to_highlevel,
            to_partner: own.to_partner,
            conflicts: own.conflicts,
            highlevel_calls: own.highlevel_calls,
            partner_calls: own.partner_calls,
            at: own.at,
            released: own.released,
        }
    }
}
