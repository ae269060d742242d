//! Runs, with every call they made.

use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Side, mirror};

/// What a run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
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
    /// An operator's action.
    Action,
}

/// What led to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

mirror!(RunCause, own::RunCause, [Webhook, HighlevelWalk, PartnerWalk, Backfill, Person]);

/// Why a field was left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

mirror!(RemarkReason, own::RemarkReason, [Rule, Conflict, Dropped, Problem, Unknown, Consent]);

/// A field that a run left as it was, with the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
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

impl From<own::FieldRemark> for FieldRemark {
    fn from(own: own::FieldRemark) -> Self {
        Self { side: own.side.into(), field: own.field, reason: own.reason.into(), words: own.words }
    }
}

mirror!(RunKind, own::RunKind, [Reconcile, Automation, Poll, Receive, Sweep, Action]);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
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

mirror!(RunOutcome, own::RunOutcome, [Applied, Unchanged, Skipped, Retrying, Parked]);

/// What kind of failure it was, and so whose fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Will pass: a time-out, a 5xx.
    Transient,
    /// A quota is used up.
    Quota,
    /// The guard against mass changes holds it back.
    Guard,
    /// The credential was refused.
    Auth,
    /// The connection is set up wrongly.
    Config,
    /// The record's values were refused.
    Data,
    /// Two records or two values contradict each other.
    Conflict,
    /// A call whose answer was lost may have happened, and nobody can look: a person decides whether it is done once more.
    Unsure,
    /// A record is written again and again: connections or rules answer each other's writes.
    Loop,
    /// The admin did not grant it.
    Denied,
    /// The connector failed.
    GuestBug,
    /// This host itself failed; its log says why.
    Host,
}

mirror!(
    FailureClass,
    own::FailureClass,
    [Transient, Quota, Guard, Auth, Config, Data, Conflict, Unsure, Loop, Denied, GuestBug, Host]
);

/// One reconcile, automation or poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id; ids sort by time.
    pub id: String,
    /// Its workspace.
    pub workspace: String,
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// SHA-256 of the component that it ran, if it ran one.
    #[serde(default)]
    pub component: Option<String>,
    /// What it was.
    pub kind: RunKind,
    /// The kind of record it worked on.
    pub entity: Option<String>,
    /// HighLevel's id of the record.
    pub highlevel_id: Option<String>,
    /// The partner's id of the record.
    pub partner_id: Option<String>,
    /// Number of the event that caused it.
    pub event: Option<i64>,
    /// What led to it; absent for what tells by its kind.
    pub cause: Option<RunCause>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// What kind of failure, if it failed.
    pub class: Option<FailureClass>,
    /// What was done, skipped or refused, and why.
    pub summary: String,
    /// The fields that it wrote.
    pub changes: Vec<FieldChange>,
    /// Fields that it left as they were, with the reason.
    pub remarks: Vec<FieldRemark>,
    /// The calls that it made, in order. A list of runs leaves them out.
    pub calls: Vec<Call>,
    /// Lines that the connector logged.
    pub log: Vec<String>,
}

/// One field that a run wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// The side that was written.
    pub side: Side,
    /// The field.
    pub field: String,
    /// Its value before.
    #[schema(value_type = Value)]
    pub before: serde_json::Value,
    /// Its value after.
    #[schema(value_type = Value)]
    pub after: serde_json::Value,
}

/// One call to HighLevel, to the partner or into the connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Call {
    /// `highlevel`, `partner` or `guest`.
    pub target: String,
    /// The operation.
    #[schema(example = "contacts.get")]
    pub operation: String,
    /// Method and path at HighLevel. A partner's are in `operation`, and here as well when there is a query.
    #[schema(example = "PUT /contacts/ocQHyuzHvysMo5N5VsXc")]
    pub path: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Requests left in the vendor's burst window.
    pub quota_remaining: Option<u32>,
    /// Requests left of the vendor's day.
    pub daily_remaining: Option<u32>,
    /// How long it waited for the quota before it was sent, in microseconds.
    pub waited_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Whether it writes.
    pub write: bool,
    /// The request, secrets redacted, shortened.
    pub request: Option<String>,
    /// The response, secrets redacted, shortened.
    pub response: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whose fault it is, if it went wrong.
    pub class: Option<FailureClass>,
    /// The vendor's number of the exchange, for a support case.
    pub trace_id: Option<String>,
}

/// Which runs to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Of this workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Of this connector; needs the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// Of the record with this id on either side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// That ended like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub outcome: Option<RunOutcome>,
    /// Older than this run: the last id of one page gives the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// At most this many, 1 to 500; 50 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl From<own::Run> for Run {
    fn from(own: own::Run) -> Self {
        Self {
            id: own.id.to_string(),
            workspace: own.workspace.to_string(),
            connection: own.connection.to_string(),
            component: own.component.map(|digest| digest.to_string()),
            kind: own.kind.into(),
            entity: own.entity,
            highlevel_id: own.highlevel_id.map(|id| id.to_string()),
            partner_id: own.partner_id.map(|id| id.to_string()),
            event: own.event.map(|event| event.0),
            cause: own.cause.map(Into::into),
            started_at: own.started_at,
            duration_us: own.duration_us,
            outcome: own.outcome.into(),
            class: own.class.map(Into::into),
            summary: own.summary,
            changes: own.changes.into_iter().map(Into::into).collect(),
            remarks: own.remarks.into_iter().map(Into::into).collect(),
            calls: own.calls.into_iter().map(Into::into).collect(),
            log: own.log,
        }
    }
}

impl From<own::FieldChange> for FieldChange {
    fn from(own: own::FieldChange) -> Self {
        Self { side: own.side.into(), field: own.field, before: own.before, after: own.after }
    }
}

impl From<own::Call> for Call {
    fn from(own: own::Call) -> Self {
        Self {
            target: own.target,
            operation: own.operation,
            path: own.path,
            status: own.status,
            quota_remaining: own.quota_remaining,
            daily_remaining: own.daily_remaining,
            waited_us: own.waited_us,
            duration_us: own.duration_us,
            write: own.write,
            request: own.request,
            response: own.response,
            error: own.error,
            class: own.class.map(Into::into),
            trace_id: own.trace_id,
        }
    }
}
