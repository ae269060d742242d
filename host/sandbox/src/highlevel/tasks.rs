//! Tasks of a contact, and the location-wide task search.

use serde_json::{Map, Value, json};

use super::refusal::{Answer, Refusal};
use super::state::Task;
use super::tx::{Request, Tx};
use super::{normal, schema, validate, wire};

pub(super) fn list(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let contact_id = request.id(0);
    tx.contact(contact_id)?;
    let tasks = tx.state.tasks.get(contact_id).map(Vec::as_slice).unwrap_or_default();
    let tasks: Vec<_> = tasks.iter().map(|task| wire::task(task, contact_id)).collect();
    request.reply(200, json!({"tasks": tasks}))
}

pub(super) fn create(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::CREATE_TASK)?;
    let task = insert(tx, request.id(0), &body)?;
    request.reply(201, json!({"task": wire::task(&task, request.id(0))}))
}

pub(super) fn get(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let (contact_id, id) = (request.id(0), request.id(1));
    tx.contact(contact_id)?;
    let tasks = tx.state.tasks.get(contact_id).map(Vec::as_slice).unwrap_or_default();
    let task = tasks.iter().find(|task| task.id == id).ok_or_else(|| no_task(id))?;
    request.reply(200, json!({"task": wire::task(task, contact_id)}))
}

pub(super) fn update(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::UPDATE_TASK)?;
    let task = change(tx, request.id(0), request.id(1), &body)?;
    request.reply(200, json!({"task": wire::task(&task, request.id(0))}))
}

pub(super) fn complete(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::COMPLETE_TASK)?;
    let task = change(tx, request.id(0), request.id(1), &body)?;
    request.reply(200, json!({"task": wire::task(&task, request.id(0))}))
}

pub(super) fn delete(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    remove(tx, request.id(0), request.id(1))?;
    request.success(200)
}

/// `POST /locations/{locationId}/tasks/search`: no updated-since filter, no sort; offset paging over what is there.
pub(super) fn search(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let body = validate::body(request.call, schema::SEARCH_TASKS)?;
    let list = |name: &str| -> Option<Vec<&str>> {
        body.get(name).and_then(Value::as_array).map(|items| items.iter().filter_map(Value::as_str).collect())
    };
    let (contacts, users) = (list("contactId"), list("assignedTo"));
    let completed = body.get("completed").and_then(Value::as_bool);
    let query = validate::text(&body, "query").unwrap_or_default().to_lowercase();
    let business = validate::text(&body, "businessId");
    let whole = |name: &str| body.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());

    let mut found: Vec<(&String, &Task)> = Vec::new();
    for (contact_id, tasks) in &tx.state.tasks {
        let Some(contact) = tx.state.contact(contact_id) else { continue };
        let wanted = contacts.as_ref().is_none_or(|ids| ids.contains(&contact_id.as_str()))
            && business.is_none_or(|id| contact.business_id.as_deref() == Some(id));
        if wanted {
            found.extend(tasks.iter().map(|task| (contact_id, task)));
        }
    }
    found.retain(|(_, task)| {
        completed.is_none_or(|completed| task.completed == completed)
            && users
                .as_ref()
                .is_none_or(|ids| task.assigned_to.as_deref().is_some_and(|user| ids.contains(&user)))
            && (query.is_empty() || task.title.to_lowercase().contains(&query))
    });
    found.sort_by(|(_, a), (_, b)| (b.added, &b.id).cmp(&(a.added, &a.id)));
    let page = found.into_iter().skip(whole("skip").unwrap_or(0)).take(whole("limit").unwrap_or(25));
    let tasks: Vec<_> = page.map(|(contact_id, task)| wire::task(task, contact_id)).collect();
    request.reply(200, json!({"tasks": tasks}))
}

fn no_task(id: &str) -> Refusal {
    Refusal::bad(format!("Task with id {id} not found"))
}

pub(super) fn insert(tx: &mut Tx<'_>, contact_id: &str, body: &Map<String, Value>) -> Result<Task, Refusal> {
    tx.contact(contact_id)?;
    let task = Task {
        id: tx.state.new_id(),
        title: validate::text(body, "title").unwrap_or_default().to_owned(),
        body: validate::text(body, "body").map(str::to_owned),
        assigned_to: validate::text(body, "assignedTo").map(str::to_owned),
        due: due(tx, body).unwrap_or(tx.now),
        completed: body.get("completed").and_then(Value::as_bool).unwrap_or_default(),
        added: tx.now,
    };
    tx.state.tasks.entry(contact_id.to_owned()).or_default().push(task.clone());
    tx.emit_task("TaskCreate", &task, contact_id);
    Ok(task)
}

/// Only completing fires an event: there is no TaskUpdate, and un-completing fires nothing.
pub(super) fn change(
    tx: &mut Tx<'_>,
    contact_id: &str,
    id: &str,
    body: &Map<String, Value>,
) -> Result<Task, Refusal> {
    tx.contact(contact_id)?;
    let due = due(tx, body);
    let tasks = tx.state.tasks.entry(contact_id.to_owned()).or_default();
    let task = tasks.iter_mut().find(|task| task.id == id).ok_or_else(|| no_task(id))?;
    let was_completed = task.completed;
    if let Some(title) = validate::text(body, "title") {
        title.clone_into(&mut task.title);
    }
    if let Some(text) = validate::text(body, "body") {
        task.body = Some(text.to_owned());
    }
    if let Some(user) = validate::text(body, "assignedTo") {
        task.assigned_to = Some(user.to_owned());
    }
    if let Some(completed) = body.get("completed").and_then(Value::as_bool) {
        task.completed = completed;
    }
    task.due = due.unwrap_or(task.due);
    let task = task.clone();
    if task.completed && !was_completed {
        tx.emit_task("TaskComplete", &task, contact_id);
    }
    Ok(task)
}

pub(super) fn remove(tx: &mut Tx<'_>, contact_id: &str, id: &str) -> Result<(), Refusal> {
    tx.contact(contact_id)?;
    let tasks = tx.state.tasks.entry(contact_id.to_owned()).or_default();
    let at = tasks.iter().position(|task| task.id == id).ok_or_else(|| no_task(id))?;
    let task = tasks.remove(at);
    tx.emit_task("TaskDelete", &task, contact_id);
    Ok(())
}

fn due(tx: &Tx<'_>, body: &Map<String, Value>) -> Option<i64> {
    normal::instant_in(validate::text(body, "dueDate")?, &tx.state.config.timezone)
}
