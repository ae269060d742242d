//! What a person must look at, and what is left alone for a while.

use contactor_engine as engine;
use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{FailureClass, RecordRef};

/// A record that a person must look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Parked {
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The record.
    pub record: RecordRef,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// Why it was parked.
    pub reason: String,
    /// The run that parked it.
    pub run: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

impl From<own::Parked> for Parked {
    fn from(own: own::Parked) -> Self {
        Self {
            connection: own.key.connection.to_string(),
            record: (&own.key).into(),
            class: own.class.into(),
            reason: own.reason,
            run: own.run.map(|id| id.to_string()),
            since: own.since,
        }
    }
}

/// Everything that is parked for one cause: what one fix releases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParkedGroup {
    /// Its short name, the same for the same cause.
    pub id: String,
    /// `<workspace>/<connector>`.
    pub connection: String,
    /// The kind of record; `(webhook)`, `(automation)` or `(message)` for what is none.
    pub entity: String,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// The reason without what is particular to one record.
    pub cause: String,
    /// How many entries there are.
    pub count: u64,
    /// Since when the oldest is parked.
    pub oldest: Timestamp,
    /// Since when the newest is.
    pub newest: Timestamp,
    /// The reason of the newest, in full.
    pub example: String,
    /// What probably mends it.
    pub fix: String,
}

impl From<engine::ParkedGroupView> for ParkedGroup {
    fn from(own: engine::ParkedGroupView) -> Self {
        let own::ParkedGroup { of, count, oldest, newest, example } = own.group;
        Self {
            id: own.id,
            connection: of.connection.to_string(),
            entity: of.entity,
            class: of.class.into(),
            cause: of.cause,
            count,
            oldest,
            newest,
            example,
            fix: own.fix,
        }
    }
}

/// A group with its oldest entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParkedGroupDetail {
    /// The group.
    pub group: ParkedGroup,
    /// Its oldest entries.
    pub entries: Vec<Parked>,
}

/// How many parked entries were released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseAnswer {
    /// Entries that were done again, or let go.
    pub released: u64,
    /// Entries of calls that may have happened: they stay parked unless they are asked for.
    #[serde(default)]
    pub left_out: u64,
}

impl From<engine::Released> for ReleaseAnswer {
    fn from(own: engine::Released) -> Self {
        Self { released: own.released, left_out: own.left_out }
    }
}

/// What "everything" includes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RetryAllQuery {
    /// Calls that may have happened are done once more as well; without it they stay parked.
    pub also_may_have_happened: bool,
}

/// Whether a parked record was found and released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetryAnswer {
    /// It was parked, and is tried again at once or let go. `false`: it was not parked (any more).
    pub released: bool,
}

/// What is left alone for a while, so that it recovers and nothing else waits for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rest {
    /// The kind of record that waits, `(webhook)` or `(automation)`; none when the whole connection does.
    pub entity: Option<String>,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// What the last failure said.
    pub reason: String,
    /// Failures in a row.
    pub failures: u32,
    /// Since when it fails.
    pub since: Timestamp,
    /// When it is tried again.
    pub until: Timestamp,
}

impl From<own::Rest> for Rest {
    fn from(own: own::Rest) -> Self {
        Self {
            entity: own.subject,
            class: own.class.into(),
            reason: own.reason,
            failures: own.failures,
            since: own.since,
            until: own.until,
        }
    }
}
