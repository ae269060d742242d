//! The audit log.

use contactor_store as own;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::mirror;

/// What became of a change that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuditPhase {
    /// It began.
    Begun,
    /// It ended.
    Ended,
    /// It was refused, and nothing of it was done.
    Refused,
}

mirror!(AuditPhase, own::AuditPhase, [Begun, Ended, Refused]);

/// A change that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the log.
    pub seq: i64,
    /// When it began or was refused.
    pub at: Timestamp,
    /// `begun` or `refused`.
    pub phase: AuditPhase,
    /// Who asked: a user, `admin-token-file`, `the-host` for what it did by itself, `command-line` for whoever ran a command on the
    /// database itself, or `-` for nobody who is known.
    pub actor: String,
    /// With which token.
    pub token: Option<String>,
    /// In which workspace.
    pub workspace: Option<String>,
    /// The operation, by its id in this document.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// The status of its answer; absent when the host did not see its end.
    pub status: Option<u16>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it was refused, or what it made.
    pub detail: String,
    /// The entry's hash.
    pub hash: String,
}

impl From<own::AuditedChange> for AuditEntry {
    fn from(own: own::AuditedChange) -> Self {
        let entry = own.row.entry;
        Self {
            seq: own.row.seq,
            at: own.row.at,
            phase: entry.phase.into(),
            actor: entry.actor.to_string(),
            token: entry.token.map(|id| id.to_string()),
            workspace: entry.workspace.map(|id| id.to_string()),
            action: entry.action,
            target: entry.target,
            status: own.status,
            ended_at: own.ended_at,
            detail: if own.told.is_empty() { entry.detail } else { own.told },
            hash: own.row.hash.to_string(),
        }
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Of this workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Of this actor: a user, `admin-token-file`, `the-host`, `command-line`, or `-`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// At this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// Older than this entry: the last number of one page gives the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// At most this many, newest first, 1 to 500; 50 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What is known already of the log that is to be verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditVerifyQuery {
    /// The head that was noted earlier: 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

/// Whether the audit log is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// Nothing is wrong.
    pub sound: bool,
    /// Entries that fit, from the first on.
    pub entries: u64,
    /// The last of them.
    pub last: Option<i64>,
    /// Its hash: to be noted elsewhere, so that a tail that is cut off is missed.
    pub head: Option<String>,
    /// The first entry that does not fit.
    pub broken_at: Option<i64>,
    /// Where the head stands that was given.
    pub given_head_at: Option<i64>,
    /// What is wrong, in a sentence.
    pub problem: Option<String>,
}

impl AuditReport {
    /// Of a look through the log with or without a head that was noted.
    pub fn of(verdict: own::AuditVerdict, noted: Option<own::AuditHash>) -> Self {
        let broken_at = verdict.broken.as_ref().map(|(seq, _)| *seq);
        let problem = match (verdict.broken, noted, verdict.found) {
            (Some((seq, why)), _, _) => Some(format!("entry {seq} does not fit: {why}")),
            (None, Some(noted), None) => Some(format!(
                "no entry has the head {noted} that was noted: entries were cut off at the end, or the whole log was replaced"
            )),
            (None, _, _) => None,
        };
        Self {
            sound: problem.is_none(),
            entries: verdict.sound,
            last: verdict.head.map(|(seq, _)| seq),
            head: verdict.head.map(|(_, hash)| hash.to_string()),
            broken_at,
            given_head_at: verdict.found,
            problem,
        }
    }
}
