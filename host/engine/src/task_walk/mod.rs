//! The walk over all tasks of a location, for edits that no webhook announces.
//!
//! HighLevel has no event for an edited or reopened task, no date of change and no listing of changes: its location-wide search
//! is read from end to end at the sweep interval, once per workspace. At its end the [lists] of contacts that are not as the last
//! run left them are marked, on every connection that keeps tasks. For the host's own event `TaskUpdate` each task is compared
//! with what the last walk, or the webhook that completed it, showed of it; that is stored page by page together with the
//! events, so a walk that is cut short tells nothing twice.
//!
//! Pages are counted by offset, and tasks come and go meanwhile: one that is missed counts as gone until the next walk finds it
//! again, which costs a run of its list and writes nothing.

mod lists;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use contactor_highlevel::webhook::{Change, Envelope, Event as HlEvent};
use contactor_highlevel::{Task, TaskQuery};
use contactor_store::{ConnectionId, Cursor, FailureClass, Priority, RecordId, Seen, SeenPage, WorkspaceId};
use contactor_sync::{Fields, Value};
use jiff::Timestamp;

use crate::active::Active;
use crate::convert;
use crate::deliver::HostEvent;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::{self, Failure, of_engine, of_store};
use crate::reconcile::RunContext;
use crate::reconcile::children::{Kind, task_child};
use lists::Shown;

/// The stream's name in the store, and the name of its cursor.
const STREAM: &str = "tasks";
/// The host's own event for a task whose contents changed.
pub(crate) const TASK_UPDATE: &str = "TaskUpdate";
/// Tasks per page.
const PAGE: u32 = 100;
/// Fields that make a task what it is. The search may show others, which the list of a contact does not.
const FIELDS: [&str; 5] = ["title", "body", "dueDate", "completed", "assignedTo"];

/// A walk under way.
pub(crate) struct TaskWalk {
    skip: u32,
    /// What earlier walks saw, less what this one met.
    missing: HashMap<RecordId, Seen>,
    /// What it met so far, for the connections that keep tasks.
    shown: Shown,
    /// Nothing was ever seen of this location: everything is new, and nothing was edited.
    first: bool,
}

/// One page, compared with what was seen before.
#[derive(Default)]
struct Page {
    seen: Vec<Seen>,
    /// Those that were known with other contents.
    edited: Vec<HostEvent>,
}

impl Engine {
    /// One page of the walk over a workspace's tasks, when it is due; answers whether there are more.
    pub(crate) async fn task_walk_step(&self, workspace: &WorkspaceId) -> Result<bool, Failure> {
        let Some(walkers) = self.walkers(workspace, Kind::Task, &[TASK_UPDATE]).await? else {
            return Ok(false);
        };
        let id = &walkers.carrier.connection.id;
        let now = self.now();
        let cursor = self.store().cursor(id, STREAM).await.map_err(of_store)?;
        if !walkers.is_due(cursor.as_ref(), now) {
            return Ok(false);
        }
        let run = self.context(&walkers.carrier, Priority::Sweep, false);
        match self.task_page(&run, workspace, id, &walkers.keepers, now).await {
            Ok(more) => Ok(more),
            Err(failure) => {
                let cursor = cursor.unwrap_or_else(|| self::cursor(id, true, 0, Timestamp::UNIX_EPOCH));
                self.troubled(&run, cursor, walkers.interval, failure).await.map(|()| false)
            }
        }
    }

    /// Makes the walk over a workspace's tasks due, and wakes the walker.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn look_at_tasks(&self, workspace: &WorkspaceId) -> Result<(), EngineError> {
        self.workspace(workspace).await?;
        for connection in self.store().connections(Some(workspace)).await? {
            // Without a cursor there was no walk yet: it is due as it is.
            if let Some(cursor) = self.store().cursor(&connection.id, STREAM).await? {
                self.store()
                    .put_cursor(Cursor { updated_at: Timestamp::UNIX_EPOCH, trouble: None, ..cursor })
                    .await?;
            }
        }
        self.walk_wake().wake();
        Ok(())
    }

    /// What a webhook shows of a task, to be stored with it: that it is done. What is told about it later is held against that.
    pub(crate) async fn task_of_webhook(
        &self,
        workspace: &WorkspaceId,
        envelope: &Envelope,
    ) -> Result<Option<(String, Seen)>, EngineError> {
        let HlEvent::Task { change: Change::Completed, id, .. } = envelope.event() else { return Ok(None) };
        if self.subscribers(workspace, TASK_UPDATE).await?.is_empty() {
            return Ok(None);
        }
        let known = self.store().seen_of(workspace, STREAM, &RecordId::new(id.as_str())).await?;
        let Some(known) = known else { return Ok(None) };
        // A webhook that comes late tells less than a walk that saw the task after it.
        for connection in self.store().connections(Some(workspace)).await? {
            let walked = self.store().cursor(&connection.id, STREAM).await?;
            if walked.is_some_and(|walk| envelope.timestamp.is_none_or(|at| at < walk.updated_at)) {
                return Ok(None);
            }
        }
        let fingerprint = known.fingerprint.split_once('/').map(|(content, _)| format!("{content}/{DONE}"));
        Ok(fingerprint.map(|fingerprint| (STREAM.to_owned(), Seen { fingerprint, ..known })))
    }

    async fn task_page(
        &self,
        run: &RunContext,
        workspace: &WorkspaceId,
        carrier: &ConnectionId,
        keepers: &[Arc<Active>],
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let mut walk = match self.take_task_walk(workspace) {
            Some(walk) => walk,
            None => {
                let seen = self.store().seen(workspace, STREAM).await.map_err(of_store)?;
                TaskWalk {
                    skip: 0,
                    shown: Shown::default(),
                    first: seen.is_empty(),
                    missing: seen.into_iter().map(|seen| (seen.record.clone(), seen)).collect(),
                }
            }
        };
        let query = TaskQuery { limit: Some(PAGE), skip: walk.skip, ..TaskQuery::default() };
        let tasks = match run.location.search_tasks(&query).await {
            Ok(tasks) => tasks,
            Err(error) => {
                let failure = failure::of_highlevel(&error);
                // What a repetition does not mend, such as a scope that the token lacks, begins anew.
                if matches!(failure.class, FailureClass::Transient | FailureClass::Quota | FailureClass::Host)
                {
                    // The walk goes on from this page; what was met so far is stored.
                    self.keep_task_walk(workspace, walk);
                }
                return Err(failure);
            }
        };
        let page = walk.compare(&tasks);
        let done = tasks.len() < PAGE as usize;
        walk.skip += u32::try_from(tasks.len()).unwrap_or(PAGE);
        if !keepers.is_empty() {
            for task in &tasks {
                if let Some(contact) = &task.contact_id {
                    let (contact, id) = (RecordId::new(contact.as_str()), RecordId::new(task.id.as_str()));
                    walk.shown.add(&contact, &id, task_child(task));
                }
            }
        }
        let mut deliveries = Vec::new();
        for event in &page.edited {
            deliveries.extend(self.host_deliveries(workspace, event).await.map_err(of_engine)?);
        }
        let gone = if done { walk.missing.keys().cloned().collect() } else { Vec::new() };
        let mut wakes = !deliveries.is_empty();
        let page = SeenPage { seen: page.seen, gone, deliveries, ..SeenPage::default() };
        self.store().put_seen(workspace, STREAM, page).await.map_err(of_store)?;
        let skip = walk.skip;
        if done {
            wakes |= self.mark_lists(workspace, keepers, walk.shown).await?;
        } else {
            self.keep_task_walk(workspace, walk);
        }
        self.store().put_cursor(cursor(carrier, done, skip, now)).await.map_err(of_store)?;
        if wakes {
            self.wake().wake();
        }
        Ok(!done)
    }
}

/// The state of a completed task in its fingerprint.
const DONE: &str = "done";

impl TaskWalk {
    fn compare(&mut self, tasks: &[Task]) -> Page {
        let mut page = Page::default();
        for task in tasks {
            let Some(contact) = &task.contact_id else { continue };
            let (id, contact) = (RecordId::new(task.id.as_str()), RecordId::new(contact.as_str()));
            let fields = fields(task);
            let fingerprint = fingerprint(&fields);
            let before = self.missing.remove(&id);
            let same = |seen: &Seen| seen.fingerprint == fingerprint && seen.parent == contact;
            if before.as_ref().is_some_and(same) {
                continue;
            }
            if before.as_ref().is_some_and(|seen| is_edit(&seen.fingerprint, &fingerprint)) && !self.first {
                let mut event = fields;
                event.insert("id".to_owned(), id.as_str().into());
                event.insert("contactId".to_owned(), contact.as_str().into());
                let payload = event.iter().map(|(name, value)| (name.clone(), value.to_json()));
                page.edited.push(HostEvent {
                    kind: TASK_UPDATE,
                    contact: Some(contact.clone()),
                    payload: serde_json::Value::Object(payload.collect()),
                    fields: event,
                });
            }
            page.seen.push(Seen { record: id, parent: contact, fingerprint });
        }
        page
    }
}

fn cursor(carrier: &ConnectionId, done: bool, seen: u32, now: Timestamp) -> Cursor {
    Cursor {
        connection: carrier.clone(),
        stream: STREAM.to_owned(),
        cursor: None,
        done,
        seen: u64::from(seen),
        total: None,
        updated_at: now,
        trouble: None,
    }
}

fn fields(task: &Task) -> Fields {
    let mut all: BTreeMap<String, serde_json::Value> = task.fields();
    all.retain(|name, _| FIELDS.contains(&name.as_str()));
    let mut fields = convert::fields_from_json(all);
    fields.insert("completed".to_owned(), Value::Boolean(task.is_completed()));
    fields
}

/// The digest of what the task says, and whether it is done.
fn fingerprint(fields: &Fields) -> String {
    let mut content = fields.clone();
    let done = content.remove("completed") == Some(Value::Boolean(true));
    format!("{}/{}", hex::encode(crate::journal::digest(&content)), if done { DONE } else { "open" })
}

/// Whether a change is one that no webhook told. That a task is done is told by `TaskComplete`; that it is open again is not.
fn is_edit(before: &str, after: &str) -> bool {
    let parts =
        |print: &str| print.split_once('/').map(|(content, state)| (content.to_owned(), state == DONE));
    match (parts(before), parts(after)) {
        (Some((content, was_done)), Some((now, done))) => content != now || (was_done && !done),
        _ => before != after,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(id: &str, contact: &str, title: &str) -> Task {
        Task::from_json(
            json!({"id": id, "contactId": contact, "title": title, "dueDate": "2026-12-01T10:00:00.000Z"}),
        )
        .unwrap()
    }

    fn walk(seen: Vec<Seen>) -> TaskWalk {
        let first = seen.is_empty();
        let shown = Shown::default();
        TaskWalk {
            skip: 0,
            shown,
            first,
            missing: seen.into_iter().map(|one| (one.record.clone(), one)).collect(),
        }
    }

    #[test]
    fn only_what_differs_is_told_and_only_an_edit_is_an_event() {
        let mut first = walk(vec![]);
        let page =
            first.compare(&[task("t1", "c1", "Call"), task("t2", "c1", "Write"), task("t3", "c2", "Go")]);
        assert_eq!((page.seen.len(), page.edited.len()), (3, 0));

        let mut next = walk(page.seen);
        let page = next.compare(&[
            task("t1", "c1", "Call"),
            task("t2", "c1", "Write again"),
            task("t3", "c9", "Go"),
            task("t4", "c2", "New"),
        ]);
        let changed: Vec<&str> = page.seen.iter().map(|seen| seen.record.as_str()).collect();
        assert_eq!(changed, ["t2", "t3", "t4"], "edited, moved by a merge, new");
        assert_eq!(page.edited.len(), 1);
        assert_eq!(page.edited[0].fields["title"], Value::from("Write again"));
        assert!(next.missing.is_empty());
    }

    #[test]
    fn a_completion_is_told_by_its_webhook_and_no_edit() {
        let done = |done: bool, title: &str| {
            Task::from_json(json!({"id": "t1", "contactId": "c1", "title": title, "completed": done}))
                .unwrap()
        };
        let seen = |task: &Task| walk(vec![]).compare(std::slice::from_ref(task)).seen;
        let edits = |before: Task, after: Task| walk(seen(&before)).compare(&[after]).edited.len();
        assert_eq!(edits(done(false, "Call"), done(true, "Call")), 0);
        assert_eq!(
            edits(done(true, "Call"), done(false, "Call")),
            1,
            "nothing else tells that it is open again"
        );
        assert_eq!(edits(done(false, "Call"), done(true, "Call Ann")), 1);
    }

    #[test]
    fn what_a_walk_does_not_meet_is_missing_at_its_end() {
        let seen = walk(vec![]).compare(&[task("t1", "c1", "Call"), task("t2", "c1", "Write")]).seen;
        let mut next = walk(seen);
        next.compare(&[task("t2", "c1", "Write")]);
        assert_eq!(next.missing.keys().map(RecordId::as_str).collect::<Vec<_>>(), ["t1"]);
    }
}
