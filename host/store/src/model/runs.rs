//! What runs leave behind: changes and calls.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, EventSeq, RecordId, RunId, Side, WorkspaceId};

/// What a run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// Both sides of one record were compared.
    Reconcile,
    /// A connector reacted to an event.
    Automation,
    /// A partner's stream was polled.
    Poll,
    /// A partner's webhook was read.
    Receive,
    /// A page of a backfill or sweep.
    Sweep,
    /// An operator's action, such as a connection check.
    Action,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// Something was written or linked.
    Applied,
    /// Both sides agreed already.
    Unchanged,
    /// A rule said to leave the record alone.
    Skipped,
    /// It failed and is tried again.
    Retrying,
    /// It failed and a person must look at it.
    Parked,
}

/// Whose fault a failure is, and so whether it is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Will pass: a timeout, a 5xx.
    Transient,
    /// A quota is used up.
    Quota,
    /// The credential was refused.
    Auth,
    /// The connection is set up wrongly.
    Config,
    /// The record's values were refused.
    Data,
    /// Two records or two values contradict each other.
    Conflict,
    /// The admin did not grant it.
    Denied,
    /// The connector trapped, ran out of its limits or broke the contract.
    GuestBug,
}

/// One reconcile, automation or poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its connection.
    pub connection: ConnectionId,
    /// What it was.
    pub kind: RunKind,
    /// The entity it worked on.
    pub entity: Option<String>,
    /// HighLevel's id of the record.
    pub highlevel_id: Option<RecordId>,
    /// The partner's id of the record.
    pub partner_id: Option<RecordId>,
    /// The event that caused it, if one did.
    pub event: Option<EventSeq>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// What kind of failure, if it failed.
    pub class: Option<FailureClass>,
    /// One line for the admin: what was done, skipped or refused, and why.
    pub summary: String,
    /// What was written, per side and field, with before and after; secrets never.
    pub changes: Vec<FieldChange>,
    /// The calls that it made, in order.
    pub calls: Vec<Call>,
    /// Log lines of the connector.
    pub log: Vec<String>,
}

/// One field that a run wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The side that was written.
    pub side: Side,
    /// The field.
    pub field: String,
    /// Canonical value before, as JSON.
    pub before: serde_json::Value,
    /// Canonical value after, as JSON.
    pub after: serde_json::Value,
}

/// One call to HighLevel, to the partner or into the connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// `highlevel`, `partner` or `guest`.
    pub target: String,
    /// The operation: `contacts.get`, `POST /betas/1/testers`, `adapter.update`.
    pub operation: String,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// Requests left in the vendor's burst window, if it said so.
    pub quota_remaining: Option<u32>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Whether it writes.
    pub write: bool,
    /// Request, secrets redacted, capped.
    pub request: Option<String>,
    /// Response, secrets redacted, capped.
    pub response: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of the record with this id on either side.
    pub record: Option<RecordId>,
    /// That ended like this.
    pub outcome: Option<RunOutcome>,
    /// Older than this run (for paging).
    pub before: Option<RunId>,
    /// At most this many, newest first.
    pub limit: u32,
}
