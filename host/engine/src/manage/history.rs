//! What happened to a record, in order, on both sides.

use contactor_store::{
    Event, Link, RecordId, Run, RunFilter, RunId, RunOutcome, Side, StoredConflict, WorkspaceId,
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
        for conflict in self.store().conflicts(workspace, DEPTH).await? {
            if runs.iter().any(|run| run.id == conflict.run) {
                entries.push(of_conflict(&conflict));
            }
        }
        // Stable: a webhook, then the run that it caused, then the conflict that the run decided.
        entries.sort_by_key(|entry| entry.at);
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
        Ok(Timeline { links, entries })
    }

    /// Conflicts of a workspace, newest first.
    pub async fn conflicts(
        &self,
        workspace: &WorkspaceId,
        limit: u32,
    ) -> Result<Vec<StoredConflict>, EngineError> {
        self.workspace(workspace).await?;
        Ok(self.store().conflicts(workspace, limit).await?)
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

fn of_conflict(stored: &StoredConflict) -> TimelineEntry {
    use crate::convert::show;
    let conflict = &stored.conflict;
    let decision = match conflict.winner {
        Some(contactor_sync::Side::Highlevel) => "HighLevel's value was taken",
        Some(contactor_sync::Side::Partner) => "the partner's value was taken",
        None => "a person has to decide; both sides keep theirs",
    };
    TimelineEntry {
        at: stored.at,
        kind: TimelineKind::Conflict,
        summary: format!(
            "conflict on {}: HighLevel {}, partner {}; {decision}",
            conflict.highlevel_field,
            show(&conflict.highlevel),
            show(&conflict.partner)
        ),
        run: Some(stored.run.clone()),
        outcome: None,
        changes: Vec::new(),
    }
}
