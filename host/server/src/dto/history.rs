//! What happened: events and timelines.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{RunCause, RunOutcome, Side, mirror};

/// How many to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LimitQuery {
    /// At most this many, newest first, 1 to 500; 50 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which part of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TimelineQuery {
    /// Only what happened before this instant: the first `at` of one page gives the page before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub before: Option<Timestamp>,
    /// The newest so many, 1 to 500; 500 if absent. What happened at one instant is not parted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// How an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventState {
    /// Waits for its run.
    Accepted,
    /// Waits until a workspace is bound to its location.
    Held,
    /// Its run ended well.
    Applied,
    /// A later event on the same record stood for it.
    Superseded,
    /// A person must look at it.
    Parked,
    /// Needs no work.
    Ignored,
}

mirror!(EventState, own::EventState, [Accepted, Held, Applied, Superseded, Parked, Ignored]);

/// Which events to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// That mention this id, or whose run was of the record with it on either side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Of this type, as the vendor calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// That stand like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<EventState>,
    /// Received at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// Older than this event: the last number of one page gives the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// At most this many, 1 to 500; 50 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// An accepted webhook with what came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventDetail {
    /// The event.
    pub event: Event,
    /// The headers that were kept; none once they are forgotten.
    #[schema(value_type = Value)]
    pub headers: serde_json::Value,
    /// The body as it came; empty once it is forgotten.
    pub body: String,
}

/// An accepted webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number, in the order of acceptance.
    pub seq: i64,
    /// Where it came from.
    pub source: Side,
    /// Its workspace.
    pub workspace: Option<String>,
    /// Its connection, for a partner's webhook.
    pub connection: Option<String>,
    /// The key that it is de-duplicated by.
    pub key: String,
    /// The vendor's type.
    #[schema(example = "ContactUpdate")]
    pub kind: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// How it stands; for several connections the least finished of them.
    pub state: EventState,
}

impl From<own::Event> for Event {
    fn from(own: own::Event) -> Self {
        Self {
            seq: own.seq.0,
            source: own.source.into(),
            workspace: own.workspace.map(|id| id.to_string()),
            connection: own.connection.map(|id| id.to_string()),
            key: own.key,
            kind: own.kind,
            received_at: own.received_at,
            state: own.state.into(),
        }
    }
}

/// Whether a link is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Both records are kept in step.
    Active,
    /// HighLevel's record was not found; it is looked for again before anything is done.
    HighlevelMissing,
    /// The partner's record was not found; it is looked for again before anything is done.
    PartnerMissing,
    /// HighLevel's record is gone.
    HighlevelDeleted,
    /// The partner's record is gone.
    PartnerDeleted,
}

mirror!(
    LinkState,
    own::LinkState,
    [Active, HighlevelMissing, PartnerMissing, HighlevelDeleted, PartnerDeleted]
);

/// Two records that are kept in step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The kind of record.
    pub entity: String,
    /// HighLevel's id.
    pub highlevel_id: String,
    /// The partner's id.
    pub partner_id: String,
    /// Whether it is in use.
    pub state: LinkState,
    /// The values that both sides last agreed on, by mapping row.
    #[schema(value_type = Object)]
    pub base: serde_json::Value,
    /// When the link was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl From<own::Link> for Link {
    fn from(own: own::Link) -> Self {
        Self {
            connection: own.connection.to_string(),
            entity: own.entity,
            highlevel_id: own.highlevel_id.to_string(),
            partner_id: own.partner_id.to_string(),
            state: own.state.into(),
            base: serde_json::to_value(own.base).unwrap_or_default(),
            created_at: own.created_at,
            updated_at: own.updated_at,
        }
    }
}

/// Everything that happened to one contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// Its counterparts.
    pub links: Vec<Link>,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
    /// There are older entries: ask again with `before` and the first `at`.
    pub more: bool,
    /// Since when the history is kept: what happened before is forgotten.
    pub kept_since: Timestamp,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: TimelineKind,
    /// `<workspace>/<connector>`; absent for what reached the workspace as a whole.
    pub connection: Option<String>,
    /// One line for people.
    pub summary: String,
    /// What led to it, for a run.
    pub cause: Option<RunCause>,
    /// The run that did it.
    pub run: Option<String>,
    /// How the run ended.
    pub outcome: Option<RunOutcome>,
    /// What was written: `side.field: before → after`; of an automation or action the calls that wrote.
    pub changes: Vec<String>,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimelineKind {
    /// A webhook named the record.
    Event,
    /// Both sides were compared and brought into step.
    Run,
    /// A connector's own code handled an event.
    Automation,
    /// Somebody ran an action.
    Action,
    /// A poll, a sweep or a webhook could not be read.
    Reading,
    /// Both sides had changed.
    Conflict,
    /// A person decided about a conflict, or it is over.
    Resolution,
    /// It was linked with a partner's record.
    Link,
}

mirror!(
    TimelineKind,
    engine::TimelineKind,
    [Event, Run, Automation, Action, Reading, Conflict, Resolution, Link]
);

impl From<engine::Timeline> for Timeline {
    fn from(own: engine::Timeline) -> Self {
        Self {
            links: own.links.into_iter().map(Into::into).collect(),
            entries: own.entries.into_iter().map(Into::into).collect(),
            more: own.more,
            kept_since: own.kept_since,
        }
    }
}

impl From<engine::TimelineEntry> for TimelineEntry {
    fn from(own: engine::TimelineEntry) -> Self {
        Self {
            at: own.at,
            kind: own.kind.into(),
            connection: own.connection.map(|id| id.to_string()),
            summary: own.summary,
            cause: own.cause.map(Into::into),
            run: own.run.map(|id| id.to_string()),
            outcome: own.outcome.map(Into::into),
            changes: own.changes,
        }
    }
}
