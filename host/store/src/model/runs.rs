//! What runs leave behind: changes and calls.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, Digest, EventSeq, RecordId, RunId, Side, WorkspaceId};

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

/// What led to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunCause {
    /// A webhook named the record.
    Webhook,
    /// A sweep over HighLevel's records, or another record's run there, found it.
    HighlevelWalk,
    /// A poll or sweep of the partner found it.
    PartnerWalk,
    /// The first synchronisation found it.
    Backfill,
    /// Somebody asked for it, or decided about a conflict.
    Person,
}

/// A field that a run would have written, or was asked to, and that does not have the value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldRemark {
    /// The side whose field it is.
    pub side: Side,
    /// The field.
    pub field: String,
    /// What kind of reason there was.
    pub reason: RemarkReason,
    /// The reason in words.
    pub words: String,
}

/// Why a field was left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkReason {
    /// A clean-up rule held the write back.
    Rule,
    /// A conflict waits for a person.
    Conflict,
    /// The system accepted the write and kept another value.
    Dropped,
    /// The value or its expression could not be used.
    Problem,
    /// The system has no such field.
    Unknown,
    /// It would have given back consent that was withdrawn.
    Consent,
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
    /// The guard against mass changes holds it back: nothing is wrong with the record itself.
    Guard,
    /// The credential was refused.
    Auth,
    /// The connection is set up wrongly.
    Config,
    /// The record's values were refused.
    Data,
    /// Two records or two values contradict each other.
    Conflict,
    /// A call whose answer was lost may have happened: nobody can look, and doing it twice shows. A person decides.
    Unsure,
    /// A record is written again and again: connections or rules answer each other's writes.
    Loop,
    /// The admin did not grant it.
    Denied,
    /// The connector trapped, ran out of its limits or broke the contract.
    GuestBug,
    /// This host itself failed: its store does not commit, or a defect of its own. No other system and no record is to blame.
    Host,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 12] = [
        Self::Transient,
        Self::Quota,
        Self::Guard,
        Self::Auth,
        Self::Config,
        Self::Data,
        Self::Conflict,
        Self::Unsure,
        Self::Loop,
        Self::Denied,
        Self::GuestBug,
        Self::Host,
    ];

    /// Whether a connector, its settings or its grants can be to blame. The others are of the vendors, of the credential, of the
    /// data on both sides, or of this host. `shown`: a call of the run failed, so that it is not only the connector that says so.
    #[must_use]
    pub fn blames_connector(self, shown: bool) -> bool {
        match self {
            Self::GuestBug | Self::Data | Self::Denied | Self::Config | Self::Loop | Self::Guard => true,
            Self::Transient => !shown,
            Self::Quota | Self::Auth | Self::Conflict | Self::Unsure | Self::Host => false,
        }
    }
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
    /// The component that it ran; none for what the host did itself.
    pub component: Option<Digest>,
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
    /// What led to it, if that is known. Automations, polls and actions tell by their kind.
    pub cause: Option<RunCause>,
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
    /// Fields that were left as they were, with the reason.
    pub remarks: Vec<FieldRemark>,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// `highlevel`, `partner` or `guest`.
    pub target: String,
    /// The operation: `contacts.get`, `POST /betas/1/testers`, `adapter.update`.
    pub operation: String,
    /// Method and path at HighLevel. A partner's are in `operation`, and here as well when there is a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// Requests left in the vendor's burst window, if it said so.
    pub quota_remaining: Option<u32>,
    /// Requests left of the vendor's day, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_remaining: Option<u32>,
    /// How long it waited for the quota before it was sent, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_us: u64,
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
    /// Whose fault it is, if it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// The vendor's number of the exchange, for a support case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
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
