//! What the audit log is told of a request: the operation and what it is done to, by names of the host's and its admins' own. Bodies,
//! queries and the ids of records are left out, so that no person stands in it.

use axum::extract::RawPathParams;
use contactor_engine::{Caller, EngineError};
use contactor_store::{Actor, AuditPhase, NewAudit, TokenId, WorkspaceId};
use http::StatusCode;

use super::rules::Rule;
use crate::app::App;

/// Parts of paths that name something of the host's or its admins' own.
const NAMES: [&str; 12] = [
    "connector",
    "action",
    "trigger",
    "name",
    "group",
    "conflict",
    "deletion",
    "decision",
    "run",
    "user",
    "token",
    "policy",
];

/// Bytes of such a part that are kept.
const LONGEST: usize = 128;

/// What a handler wants to be on record besides: what was made, and by which name it is found.
#[derive(Clone, Debug)]
pub(crate) struct Told(pub(crate) String);

/// A change that somebody asked for.
pub(super) struct Change {
    entry: NewAudit,
    began: Option<i64>,
}

impl Change {
    /// By nobody who is known yet.
    pub(super) fn asked(rule: &Rule, params: &RawPathParams) -> Self {
        Self {
            entry: NewAudit {
                phase: AuditPhase::Begun,
                began: None,
                actor: Actor::Unknown,
                token: None,
                workspace: workspace_of(params),
                action: rule.operation.to_owned(),
                target: target(params),
                status: None,
                detail: String::new(),
            },
            began: None,
        }
    }

    pub(super) fn by(&mut self, caller: &Caller) {
        self.entry.actor = caller.actor.clone();
        self.entry.token = caller.shown().map(TokenId::new);
    }

    pub(super) fn with(&mut self, token: Option<&TokenId>) {
        self.entry.token = token.cloned();
    }

    /// The workspace, where the path does not name it.
    pub(super) fn within(&mut self, workspace: Option<WorkspaceId>) {
        self.entry.workspace = workspace.or(self.entry.workspace.take());
    }

    /// Whoever is refused too often is not put on record each time.
    pub(super) fn who(&self) -> String {
        self.entry.actor.to_string()
    }

    /// Puts it on record before anything is done.
    pub(super) async fn begin(&mut self, app: &App) -> Result<(), EngineError> {
        self.began = Some(app.engine.record_audit(self.entry.clone()).await?);
        Ok(())
    }

    /// Puts its end on record.
    pub(super) async fn end(
        self,
        app: &App,
        status: StatusCode,
        told: Option<Told>,
    ) -> Result<(), EngineError> {
        let ended = NewAudit {
            phase: AuditPhase::Ended,
            began: self.began,
            status: Some(status.as_u16()),
            detail: told.map_or_else(String::new, |told| told.0),
            ..self.entry
        };
        app.engine.record_audit(ended).await.map(drop)
    }

    /// Puts on record that it was refused. A refusal stands whether or not it can be kept.
    pub(super) async fn refused(self, app: &App, status: StatusCode, why: String, before: u64) {
        let detail = if before == 0 {
            why
        } else {
            format!("{why}; {before} more were refused before and are not listed")
        };
        let refused =
            NewAudit { phase: AuditPhase::Refused, status: Some(status.as_u16()), detail, ..self.entry };
        if let Err(error) = app.engine.record_audit(refused).await {
            tracing::warn!(%error, "a refusal was not put on record");
        }
    }
}

/// The workspace that a path names, if there can be one of this name. A policy has the name of its workspace, whose admins shall see who
/// sets it.
fn workspace_of(params: &RawPathParams) -> Option<WorkspaceId> {
    let (_, named) = params.iter().find(|(name, _)| ["workspace", "policy"].contains(name))?;
    is_name(named).then(|| WorkspaceId::new(named))
}

fn target(params: &RawPathParams) -> String {
    let named = params.iter().filter(|(name, _)| NAMES.contains(name));
    let parts = named.map(|(name, value)| {
        let shown = if is_name(value) { value } else { "(no name)" };
        format!("{name}={shown}")
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// As the host and its admins name things. An address or a sentence is none.
fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::rules::RULES;
    use super::*;

    #[test]
    fn every_part_of_a_path_that_changes_something_is_on_record_or_is_known_to_be_a_persons() {
        let named =
            |path: &'static str| path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let changing = RULES.iter().filter(|rule| rule.method != "GET");
        let parts: BTreeSet<_> = changing.flat_map(|rule| named(rule.path)).collect();
        let known: BTreeSet<_> = NAMES.into_iter().chain(["workspace"]).collect();
        assert_eq!(parts, known);
    }

    #[test]
    fn what_is_no_name_is_not_kept() {
        assert!(is_name("highlevel.contacts.create") && is_name("cpa_0f-1:2"));
        for other in ["", "ann@example.com", "Ann Smith", "+19075550101", "a/b", "é", &"x".repeat(129)] {
            assert!(!is_name(other), "{other}");
        }
    }
}
