//! What happened to a record, in order, on both sides.

use std::collections::BTreeSet;

use contactor_store::{
    ConflictFilter, Event, Link, RecordId, Run, RunFilter, RunId, RunOutcome, Side, StoredConflict,
    WorkspaceId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::EngineError;

/// Runs of one record that a timeline goes back.
const DEPTH: u32 = 500;

/// Everything that happened to one contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Its counterparts.
    pub links: Vec<Link>,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: TimelineKind,
    /// One line for a person.
    pub summary: String,
    /// The run that did it.
    pub run: Option<RunId>,
    /// How the run ended.
    pub outcome: Option<RunOutcome>,
    /// Values that were written: `side.field: before → after`.
    pub changes: Vec<String>,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimelineKind {
    /// A webhook named the record.
    Event,
    /// A run worked on it.
    Run,
    /// Both sides had changed and a policy decided.
    Conflict,
    /// A person decided about a conflict.
    Resolution,
}

impl Engine {
    /// One run with its calls.
    pub async fn run_detail(&self, id: &RunId) -> Result<Run, EngineError> {
        self.store().run(id).await?.ok_or_else(|| EngineError::NotFound {
            what: "run",
            id: id.to_string(),
            hint: "; runs are kept as long as the retention says".to_owned(),
        })
    }

    /// Everything that happened to a contact, by HighLevel's id or a partner's.
    pub async fn timeline(
        &self,
        workspace: &WorkspaceId,
        record: &RecordId,
    ) -> Result<Timeline, EngineError> {
        self.workspace(workspace).await?;
        let filter = RunFilter {
            workspace: Some(workspace.clone()),
            record: Some(record.clone()),
            limit: DEPTH,
            ..RunFilter::default()
        };
        let runs = self.store().runs(filter).await?;
        let mut entries = Vec::new();
        for run in &runs {
            if let Some(seq) = run.event
                && let Some(event) = self.store().event(seq).await?
            {
                entries.push(of_event(&event));
            }
            entries.push(of_run(run));
        }
        let mut links = Vec::new();
        for connection in self.store().connections(Some(workspace)).await? {
            for side in [Side::Highlevel, Side::Partner] {
                if let Some(link) = self.store().link(&connection.id, "contact", side, record).await?
                    && !links.contains(&link)
                {
                    links.push(link);
                }
            }
        }
        // Conflicts of linked records are kept under HighLevel's id.
        let ids: BTreeSet<&RecordId> =
            links.iter().map(|link: &Link| &link.highlevel_id).chain([record]).collect();
        for id in ids {
            let filter = ConflictFilter {
                workspace: workspace.clone(),
                connection: None,
                record: Some(id.clone()),
                open: false,
                limit: DEPTH,
            };
            for conflict in self.store().conflicts(filter).await? {
                entries.extend(of_conflict(&conflict));
            }
        }
        // Stable: a webhook, then the run that it caused, then the conflict that the run decided.
        entries.sort_by_key(|entry| entry.at);
        Ok(Timeline { links, entries })
    }

    /// The newest events of a workspace.
    pub async fn events(&self, workspace: &WorkspaceId, limit: u32) -> Result<Vec<Event>, EngineError> {
        self.workspace(workspace).await?;
        Ok(self.store().events(workspace, limit).await?)
    }
}

fn of_event(event: &Event) -> TimelineEntry {
    let source = match event.source {
        Side::Highlevel => "HighLevel",
        Side::Partner => "the partner",
    };
    TimelineEntry {
        at: event.received_at,
        kind: TimelineKind::Event,
        summary: format!("{} from {source}", event.kind),
        run: None,
        outcome: None,
        changes: Vec::new(),
    }
}

fn of_run(run: &Run) -> TimelineEntry {
    let show = |value: &serde_json::Value| crate::convert::show(&crate::convert::value_from_json(value));
    TimelineEntry {
        at: run.started_at,
        kind: TimelineKind::Run,
        summary: run.summary.clone(),
        run: Some(run.id.clone()),
        outcome: Some(run.outcome),
        changes: run
            .changes
            .iter()
            .map(|change| {
                let side = if change.side == Side::Highlevel { "highlevel" } else { "partner" };
                format!("{side}.{}: {} → {}", change.field, show(&change.before), show(&change.after))
            })
            .collect(),
    }
}

/// The conflict, and what people decided about it.
fn of_conflict(stored: &StoredConflict) -> Vec<TimelineEntry> {
    use crate::convert::show;
    let conflict = &stored.conflict;
    let decision = match conflict.winner {
        Some(contactor_sync::Side::Highlevel) => "HighLevel's value was taken",
        Some(contactor_sync::Side::Partner) => "the partner's value was taken",
        None => "a person has to decide; both sides keep theirs",
    };
    let mut entries = vec![TimelineEntry {
        at: stored.at,
        kind: TimelineKind::Conflict,
        summary: format!(
            "conflict {} on {}: HighLevel {}, partner {}; {decision}",
            stored.id,
            conflict.highlevel_field,
            show(&conflict.highlevel),
            show(&conflict.partner)
        ),
        run: Some(stored.run.clone()),
        outcome: None,
        changes: Vec::new(),
    }];
    for one in &stored.resolutions {
        let side = match one.decision.take {
            contactor_sync::Side::Highlevel => "HighLevel's",
            contactor_sync::Side::Partner => "the partner's",
        };
        let became = match one.ended.as_ref().map(|ended| &ended.void) {
            None => "; it waits for its run".to_owned(),
            Some(None) => String::new(),
            Some(Some(why)) => format!("; it counts for nothing: {why}"),
        };
        entries.push(TimelineEntry {
            at: one.at,
            kind: TimelineKind::Resolution,
            summary: format!(
                "{} took {side} value for {} in conflict {}{became}",
                one.by, conflict.highlevel_field, stored.id
            ),
            run: one.ended.as_ref().map(|ended| ended.run.clone()),
            outcome: None,
            changes: Vec::new(),
        });
    }
    entries
}
