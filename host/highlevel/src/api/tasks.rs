//! Tasks of a contact. There is no paging and no date of change.

use serde_json::{Map, json};

use crate::client::Location;
use crate::draft::{TaskDraft, TaskPatch};
use crate::error::Error;
use crate::ids::{ContactId, TaskId};
use crate::model::Task;
use crate::operation as op;
use crate::search::TaskQuery;
use crate::transport::Call;

impl Location {
    /// `GET /contacts/{contactId}/tasks`: all of them.
    pub async fn tasks(&self, contact: &ContactId) -> Result<Vec<Task>, Error> {
        self.call(Call::new(&op::TASKS_LIST, &[contact.as_str()])).await?.list("tasks")
    }

    /// `GET /contacts/{contactId}/tasks/{taskId}`.
    pub async fn task(&self, contact: &ContactId, id: &TaskId) -> Result<Task, Error> {
        self.call(Call::new(&op::TASKS_GET, &[contact.as_str(), id.as_str()])).await?.record("task")
    }

    /// `POST /contacts/{contactId}/tasks`.
    pub async fn create_task(&self, contact: &ContactId, draft: &TaskDraft) -> Result<Task, Error> {
        let call = Call::new(&op::TASKS_CREATE, &[contact.as_str()]).body(draft.body(self.version()));
        self.call(call).await?.record("task")
    }

    /// `PUT /contacts/{contactId}/tasks/{taskId}` with just these fields. A patch without fields reads the task instead.
    pub async fn update_task(
        &self,
        contact: &ContactId,
        id: &TaskId,
        patch: &TaskPatch,
    ) -> Result<Task, Error> {
        if patch.is_empty() {
            return self.task(contact, id).await;
        }
        let call =
            Call::new(&op::TASKS_UPDATE, &[contact.as_str(), id.as_str()]).body(patch.body(self.version()));
        self.call(call).await?.record("task")
    }

    /// `PUT /contacts/{contactId}/tasks/{taskId}/completed`. Un-completing fires no webhook.
    pub async fn set_task_completed(
        &self,
        contact: &ContactId,
        id: &TaskId,
        completed: bool,
    ) -> Result<Task, Error> {
        let body = Map::from_iter([("completed".to_owned(), json!(completed))]);
        let call = Call::new(&op::TASKS_SET_COMPLETED, &[contact.as_str(), id.as_str()]).body(body);
        self.call(call).await?.record("task")
    }

    /// `DELETE /contacts/{contactId}/tasks/{taskId}`.
    pub async fn delete_task(&self, contact: &ContactId, id: &TaskId) -> Result<(), Error> {
        self.call(Call::new(&op::TASKS_DELETE, &[contact.as_str(), id.as_str()])).await?.succeeded()
    }

    /// `POST /locations/{locationId}/tasks/search`: tasks across contacts, paged by offset.
    pub async fn search_tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, Error> {
        let call = Call::new(&op::LOCATION_TASKS_SEARCH, &[self.id.as_str()]).body(query.body());
        self.call(call).await?.list("tasks")
    }
}
