//! What happened to a record, in order, on both sides.

use std::collections::BTreeSet;

use contactor_store::{
    ConflictFilter, ConnectionId, Event, EventFilter, EventSeq, Link, LinkState, RecordId, Run, RunCause,
    RunFilter, RunId, RunKind, RunOutcome, Side, StoredConflict, WorkspaceId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::blame;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::partner::blank;

/// Runs that are looked through at once.
const PAGE: u32 = 500;
/// Pages of runs that a timeline goes back.
const PAGES: usize = 20;
/// Conflicts of one record that a timeline shows.
const CONFLICTS: u32 = 500;

/// Which part of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelinePage {
    /// Only what happened before.
    pub before: Option<Timestamp>,
    /// The newest so many of it; a few more where several things happened at one instant.
    pub limit: u32,
}

impl Default for TimelinePage {
    /// The newest 500.
    fn default() -> Self {
        Self { before: None, limit: 500 }
    }
}

/// What happened to one contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Its counterparts.
    pub links: Vec<Link>,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
    /// There are older entries.
    pub more: bool,
    /// Since when the history is kept: what happened before is forgotten.
    pub kept_since: Timestamp,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: TimelineKind,
    /// The connection; absent for what reached the workspace as a whole.
    pub connection: Option<ConnectionId>,
    /// One line for a person.
    pub summary: String,
    /// What led to it, for a run.
    pub cause: Option<RunCause>,
    /// The run that did it.
    pub run: Option<RunId>,
    /// How the run ended.
    pub outcome: Option<RunOutcome>,
    /// Values that were written: `side.field: before → after`; of an automation or action the calls that wrote.
    pub changes: Vec<String>,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Both sides had changed and a policy decided.
    Conflict,
    /// A person decided about a conflict.
    Resolution,
    /// It was linked with a partner's record.
    Link,
}

impl Engine {
    /// One run with its calls.
    pub async fn run_detail(&self, id: &RunId) -> Result<Run, EngineError> {
        self.store().run(id).await?.ok_or_else(|| EngineError::no_run(id))
    }

    /// The workspace of a run.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn workspace_of_run(&self, id: &RunId) -> Result<Option<WorkspaceId>, EngineError> {
        Ok(self.store().workspace_of_run(id).await?)
    }

    /// What happened to a contact, by HighLevel's id or a partner's.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn timeline(
        &self,
        workspace: &WorkspaceId,
        record: &RecordId,
        page: TimelinePage,
    ) -> Result<Timeline, EngineError> {
        let workspace = self.workspace(workspace).await?;
        let links = self.links_of(&workspace.id, record).await?;
        // Before it was linked, each side's id stood alone.
        let ids: BTreeSet<RecordId> = links
            .iter()
            .flat_map(|link| [link.highlevel_id.clone(), link.partner_id.clone()])
            .chain([record.clone()])
            .collect();
        let mut entries: Vec<TimelineEntry> = links.iter().map(of_link).collect();
        let mut more = false;
        let mut known = BTreeSet::new();
        for id in &ids {
            let (runs, cut) = self.runs_before(&workspace.id, id, page).await?;
            more |= cut;
            for run in runs.into_iter().filter(|run| known.insert(run.id.clone())) {
                if let Some(seq) = run.event
                    && let Some(event) = self.store().event(seq).await?
                {
                    entries.push(of_event(&event));
                }
                // A list of runs leaves out the calls, and what a connector's own code did is told by them alone.
                let called = matches!(run.kind, RunKind::Automation | RunKind::Action);
                let full = if called { self.store().run(&run.id).await? } else { None };
                entries.push(of_run(&full.unwrap_or(run)));
            }
        }
        for id in ids {
            let filter = ConflictFilter {
                workspace: workspace.id.clone(),
                connection: None,
                record: Some(id),
                open: false,
                limit: CONFLICTS,
            };
            for conflict in self.store().conflicts(filter).await? {
                entries.extend(of_conflict(&conflict));
            }
        }
        let (entries, cut) = newest(entries, page);
        Ok(Timeline { links, entries, more: more || cut, kept_since: self.kept_since(&workspace) })
    }

    async fn links_of(&self, workspace: &WorkspaceId, record: &RecordId) -> Result<Vec<Link>, EngineError> {
        let connections = self.store().connections(Some(workspace)).await?;
        let mut links: Vec<Link> = Vec::new();
        let mut ids = vec![(Side::Highlevel, record.clone()), (Side::Partner, record.clone())];
        // A partner's id leads to HighLevel's, and that to the other partners'.
        for _ in 0..2 {
            for connection in &connections {
                for (side, id) in &ids {
                    if let Some(link) = self.store().link(&connection.id, "contact", *side, id).await?
                        && !links.contains(&link)
                    {
                        links.push(link);
                    }
                }
            }
            ids = links.iter().map(|link| (Side::Highlevel, link.highlevel_id.clone())).collect();
        }
        Ok(links)
    }

    /// Enough runs of a record to fill a page, newest first, and whether there are more.
    async fn runs_before(
        &self,
        workspace: &WorkspaceId,
        record: &RecordId,
        page: TimelinePage,
    ) -> Result<(Vec<Run>, bool), EngineError> {
        let mut runs: Vec<Run> = Vec::new();
        let mut before: Option<RunId> = None;
        for _ in 0..PAGES {
            let filter = RunFilter {
                workspace: Some(workspace.clone()),
                record: Some(record.clone()),
                before: before.clone(),
                limit: PAGE,
                ..RunFilter::default()
            };
            let found = self.store().runs(filter).await?;
            let is_last = found.len() < PAGE as usize;
            before = found.last().map(|run| run.id.clone());
            runs.extend(found.into_iter().filter(|run| page.before.is_none_or(|at| run.started_at < at)));
            if is_last {
                return Ok((runs, false));
            }
            if runs.len() > page.limit as usize {
                break;
            }
        }
        Ok((runs, true))
    }

    /// Events of a workspace, newest first.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<Event>, EngineError> {
        self.workspace(&filter.workspace).await?;
        Ok(self.store().events(filter).await?)
    }

    /// One event of a workspace, and its body as text: without the partner's credential, should it repeat it, and without values of secret
    /// names. While the connection cannot be loaded its credential is not known, so a line says why in the body's place.
    ///
    /// # Errors
    /// No such workspace or event.
    pub async fn event(
        &self,
        workspace: &WorkspaceId,
        seq: EventSeq,
    ) -> Result<(Event, String), EngineError> {
        self.workspace(workspace).await?;
        let found =
            self.store().event(seq).await?.filter(|event| event.workspace.as_ref() == Some(workspace));
        let event = found.ok_or_else(|| EngineError::NotFound {
            what: "event",
            id: seq.0.to_string(),
            hint: format!("; `contactor events list {workspace}` shows those that are kept"),
        })?;
        let body = String::from_utf8_lossy(&event.body).into_owned();
        let shown = match &event.connection {
            Some(connection) if !body.is_empty() => match self.active(connection).await {
                Ok(active) => blank(&active.partner.redacted(body)),
                Err(error) => format!(
                    "(not shown: {connection} cannot be loaded, so its credential cannot be taken out: {error})"
                ),
            },
            _ => blank(&body),
        };
        Ok((event, shown))
    }
}

/// The newest entries of a page, oldest first, and whether there are older ones. What happened at one instant stays together, so
/// that the next page begins where this one ends.
fn newest(mut entries: Vec<TimelineEntry>, page: TimelinePage) -> (Vec<TimelineEntry>, bool) {
    entries.retain(|entry| page.before.is_none_or(|at| entry.at < at));
    // Stable: a webhook, then the run that it caused, then the conflict that the run decided.
    entries.sort_by_key(|entry| entry.at);
    // One webhook may have led to several runs.
    let mut events = BTreeSet::new();
    entries.retain(|entry| {
        entry.kind != TimelineKind::Event || events.insert((entry.at, entry.summary.clone()))
    });
    let Some(mut from) = entries.len().checked_sub(page.limit as usize) else { return (entries, false) };
    while from > 0 && entries[from - 1].at == entries[from].at {
        from -= 1;
    }
    (entries.split_off(from), from > 0)
}

fn of_link(link: &Link) -> TimelineEntry {
    let state = match link.state {
        LinkState::Active => "",
        LinkState::HighlevelMissing => "; HighLevel's record was not found and is looked for again",
        LinkState::PartnerMissing => "; the partner's record was not found and is looked for again",
        LinkState::HighlevelDeleted => "; HighLevel's record was deleted since",
        LinkState::PartnerDeleted => "; the partner's record was deleted since",
    };
    TimelineEntry {
        connection: Some(link.connection.clone()),
        summary: format!("{} in HighLevel, {} at the partner{state}", link.highlevel_id, link.partner_id),
        ..entry(link.created_at, TimelineKind::Link)
    }
}

fn entry(at: Timestamp, kind: TimelineKind) -> TimelineEntry {
    TimelineEntry {
        at,
        kind,
        connection: None,
        summary: String::new(),
        cause: None,
        run: None,
        outcome: None,
        changes: Vec::new(),
    }
}

fn of_event(event: &Event) -> TimelineEntry {
    let source = match event.source {
        Side::Highlevel => "HighLevel",
        Side::Partner => "the partner",
    };
    TimelineEntry {
        connection: event.connection.clone(),
        summary: format!("{} from {source} (event {})", event.kind, event.seq.0),
        ..entry(event.received_at, TimelineKind::Event)
    }
}

fn of_run(run: &Run) -> TimelineEntry {
    let show = |value: &serde_json::Value| crate::convert::show(&crate::convert::value_from_json(value));
    let changes = run.changes.iter().map(|change| {
        let side = if change.side == Side::Highlevel { "highlevel" } else { "partner" };
        format!("{side}.{}: {} → {}", change.field, show(&change.before), show(&change.after))
    });
    let calls = run.calls.iter().filter(|call| blame::is_written(call));
    let calls = calls.map(|call| match &call.path {
        Some(path) => format!("{} ({path})", call.operation),
        None => call.operation.clone(),
    });
    let kind = match run.kind {
        RunKind::Reconcile => TimelineKind::Run,
        RunKind::Automation => TimelineKind::Automation,
        RunKind::Action => TimelineKind::Action,
        RunKind::Poll | RunKind::Receive | RunKind::Sweep => TimelineKind::Reading,
    };
    TimelineEntry {
        connection: Some(run.connection.clone()),
        summary: run.summary.clone(),
        cause: run.cause,
        run: Some(run.id.clone()),
        outcome: Some(run.outcome),
        changes: changes.chain(calls).collect(),
        ..entry(run.started_at, kind)
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
        connection: Some(stored.key.connection.clone()),
        summary: format!(
            "conflict {} on {}: HighLevel {}, partner {}; {decision}",
            stored.id,
            conflict.highlevel_field,
            show(&conflict.highlevel),
            show(&conflict.partner)
        ),
        run: Some(stored.run.clone()),
        ..entry(stored.at, TimelineKind::Conflict)
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
            connection: Some(stored.key.connection.clone()),
            summary: format!(
                "{} took {side} value for {} in conflict {}{became}",
                one.by, conflict.highlevel_field, stored.id
            ),
            run: one.ended.as_ref().map(|ended| ended.run.clone()),
            ..entry(one.at, TimelineKind::Resolution)
        });
    }
    if let Some(ended) = &stored.ended {
        entries.push(TimelineEntry {
            connection: Some(stored.key.connection.clone()),
            summary: format!(
                "conflict {} on {} is over: {}",
                stored.id,
                conflict.highlevel_field,
                ended.void.as_deref().unwrap_or_default()
            ),
            run: Some(ended.run.clone()),
            ..entry(ended.at, TimelineKind::Resolution)
        });
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(times: &[i64]) -> Vec<TimelineEntry> {
        let at = |second: &i64| Timestamp::from_second(*second).unwrap();
        times.iter().map(|second| entry(at(second), TimelineKind::Run)).collect()
    }

    #[test]
    fn pages_follow_one_another_without_a_gap_and_without_repetition() {
        let all = entries(&[5, 1, 3, 3, 3, 2, 9]);
        let mut page = TimelinePage { before: None, limit: 2 };
        let mut seen = Vec::new();
        loop {
            let (shown, more) = newest(all.clone(), page);
            seen.splice(0..0, shown.iter().map(|entry| entry.at.as_second()));
            page.before = shown.first().map(|entry| entry.at);
            if !more {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 3, 3, 5, 9]);
        let (shown, more) = newest(all, TimelinePage { before: None, limit: 3 });
        assert_eq!((shown.len(), more), (5, true), "one instant is not parted");
        assert!(!newest(entries(&[4]), TimelinePage::default()).1);
    }
}
