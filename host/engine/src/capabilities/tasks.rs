//! `tasks`: a contact's tasks.

use contactor_highlevel as highlevel;
use contactor_highlevel::{ContactId, TaskDraft, TaskId, TaskPatch};
use contactor_runtime::bindings::tasks::{Host, Task};
use contactor_runtime::bindings::types::{Error, NamedValue};
use contactor_store::{JournalEntry, RecordId};
use serde_json::Value as Json;

use super::{Direct, errors};
use crate::access::Access;
use crate::failure::{self, Failure};
use crate::{convert, journal};

impl Host for Direct {
    async fn list_all(&mut self, contact_id: String) -> Result<Vec<Task>, Error> {
        self.may(Access::Read)?;
        let contact = ContactId::new(contact_id);
        let tasks = self.run.location.tasks(&contact).await.map_err(errors::of_highlevel)?;
        Ok(tasks.iter().map(|task| record(&contact, task)).collect())
    }

    async fn create(
        &mut self,
        contact_id: String,
        completed: bool,
        fields: Vec<NamedValue>,
    ) -> Result<Task, Error> {
        self.may(Access::Write)?;
        let draft = draft(completed, &fields)?;
        let contact = ContactId::new(contact_id);
        let task = self.run.location.create_task(&contact, &draft).await.map_err(errors::of_highlevel)?;
        Ok(record(&contact, &task))
    }

    async fn get(&mut self, contact_id: String, id: String) -> Result<Task, Error> {
        self.may(Access::Read)?;
        let (contact, id) = (ContactId::new(contact_id), TaskId::new(id));
        let task = self.run.location.task(&contact, &id).await.map_err(errors::of_highlevel)?;
        Ok(record(&contact, &task))
    }

    async fn update(
        &mut self,
        contact_id: String,
        id: String,
        fields: Vec<NamedValue>,
    ) -> Result<Task, Error> {
        self.may(Access::Write)?;
        let patch = TaskPatch::from_fields(convert::json_fields_from_wit(&fields))
            .map_err(|problems| errors::of_problems(&problems))?;
        let (contact, id) = (ContactId::new(contact_id), TaskId::new(id));
        let task =
            self.run.location.update_task(&contact, &id, &patch).await.map_err(errors::of_highlevel)?;
        Ok(record(&contact, &task))
    }

    async fn delete(&mut self, contact_id: String, id: String) -> Result<(), Error> {
        self.may(Access::Write)?;
        let (contact, id) = (ContactId::new(contact_id), TaskId::new(id));
        self.run.location.delete_task(&contact, &id).await.map_err(errors::of_highlevel)
    }

    async fn set_completed(
        &mut self,
        contact_id: String,
        id: String,
        completed: bool,
    ) -> Result<Task, Error> {
        self.may(Access::Write)?;
        let (contact, id) = (ContactId::new(contact_id), TaskId::new(id));
        let task = self.run.location.set_task_completed(&contact, &id, completed).await;
        Ok(record(&contact, &task.map_err(errors::of_highlevel)?))
    }
}

impl Direct {
    /// The task that an attempt whose answer was lost has created: one of these contents that was not there before and that no other
    /// call made.
    pub(super) async fn created_task(
        &self,
        call: &JournalEntry,
        contact_id: &str,
        completed: &bool,
        fields: &[NamedValue],
    ) -> Result<Option<Task>, Error> {
        self.may(Access::Write)?;
        let contact = ContactId::new(contact_id);
        let equal = self.equal_tasks(&contact, *completed, fields).await?;
        for task in equal.map_err(errors::of_highlevel)? {
            // A task has no date of creation.
            let may_be = journal::may_be_of(call, task.id.as_str(), None);
            if may_be && self.is_unclaimed(&["tasks.create"], task.id.as_str()).await? {
                return Ok(Some(record(&contact, &task)));
            }
        }
        Ok(None)
    }

    /// The tasks that one of these contents could be mistaken for: they are there before it is created.
    pub(super) async fn standing_tasks(
        &self,
        contact_id: &str,
        completed: &bool,
        fields: &[NamedValue],
    ) -> Result<Vec<RecordId>, Failure> {
        if self.may(Access::Write).is_err() {
            return Ok(Vec::new());
        }
        match self.equal_tasks(&ContactId::new(contact_id), *completed, fields).await {
            Ok(Ok(tasks)) => Ok(tasks.into_iter().map(|task| RecordId::new(task.id.as_str())).collect()),
            Ok(Err(error)) if error.is_retryable() => Err(failure::of_highlevel(&error)),
            // The create itself will be refused as well, and the connector decides what follows.
            Ok(Err(_)) | Err(_) => Ok(Vec::new()),
        }
    }

    async fn equal_tasks(
        &self,
        contact: &ContactId,
        completed: bool,
        fields: &[NamedValue],
    ) -> Result<Result<Vec<highlevel::Task>, highlevel::Error>, Error> {
        let wanted = draft(completed, fields)?.fields();
        let is_equal = |task: &highlevel::Task| {
            let found = task.fields();
            ["title", "body", "dueDate"].iter().all(|name| same(wanted.get(*name), found.get(*name)))
        };
        let tasks = self.run.location.tasks(contact).await;
        Ok(tasks.map(|tasks| tasks.into_iter().filter(is_equal).collect()))
    }
}

/// Texts as they are, instants however they are written.
fn same(wanted: Option<&Json>, found: Option<&Json>) -> bool {
    let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().trim().to_owned();
    let (wanted, found) = (text(wanted), text(found));
    let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
    wanted == found || (instant(&wanted).is_some() && instant(&wanted) == instant(&found))
}

/// The argument says whether the task is done; a field of that name cannot contradict it.
fn draft(completed: bool, fields: &[NamedValue]) -> Result<TaskDraft, Error> {
    let mut fields = convert::json_fields_from_wit(fields);
    fields.insert("completed".to_owned(), Json::Bool(completed));
    TaskDraft::from_fields(fields).map_err(|problems| errors::of_problems(&problems))
}

/// The vendor's answers do not always name the contact: it is the one that was asked for.
fn record(asked: &ContactId, task: &highlevel::Task) -> Task {
    let mut fields = task.fields();
    fields.remove("completed");
    Task {
        id: task.id.to_string(),
        contact_id: task.contact_id.as_ref().unwrap_or(asked).to_string(),
        completed: task.is_completed(),
        fields: convert::json_fields_to_wit(&fields),
    }
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::types::Value;
    use serde_json::json;

    use super::*;

    fn text(name: &str, value: &str) -> NamedValue {
        NamedValue { name: name.to_owned(), value: Value::Text(value.to_owned()) }
    }

    #[test]
    fn a_task_says_whether_it_is_done_once_and_belongs_to_the_contact_that_was_asked_for() {
        let task =
            highlevel::Task::from_json(json!({"id": "t", "title": "Call", "completed": true})).unwrap();
        let expected = Task {
            id: "t".into(),
            contact_id: "c".into(),
            completed: true,
            fields: vec![text("title", "Call")],
        };
        assert_eq!(record(&"c".into(), &task), expected);
        let moved = highlevel::Task::from_json(json!({"id": "t", "contactId": "winner"})).unwrap();
        assert_eq!(record(&"loser".into(), &moved).contact_id, "winner");
    }

    #[test]
    fn a_new_task_is_as_done_as_the_argument_says() {
        let mut fields = vec![text("title", "Call"), text("dueDate", "2026-12-01T09:00:00Z")];
        fields.push(NamedValue { name: "completed".into(), value: Value::Boolean(true) });
        assert_eq!(draft(false, &fields).unwrap().fields()["completed"], false);
    }

    #[test]
    fn a_task_without_a_due_date_is_refused_by_name() {
        let Err(Error::Invalid(problems)) = draft(false, &[text("title", "Call")]) else {
            panic!("not refused")
        };
        assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["dueDate"]);
    }
}
