//! Operations on HighLevel that connectors offer as actions of their own, because they belong to what the partner began: the
//! contact with its tasks, a new task, a changed or completed one. Inputs and outputs are JSON, as an action has them.

use serde_json::{Value as Json, json};

use crate::json::text;
use crate::tasks::Task;
use crate::{Fields, Named, Result, clock, contacts, instant, tasks};

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// `{"contact_id"}` → `{"contact": {…}, "tasks": [{…}]}`.
///
/// # Errors
/// What HighLevel answers.
pub fn contact_with_tasks(input: &Json) -> Result<Json> {
    let id = text(input, "contact_id")?;
    let contact = contacts::get(id)?;
    let tasks: Vec<Json> = tasks::list_all(id)?.into_iter().map(shown).collect::<Result<_>>()?;
    let mut fields = Fields::from(contact.fields).to_json()?;
    fields.extend([("id".into(), json!(contact.id)), ("tags".into(), json!(contact.tags))]);
    Ok(json!({ "contact": fields, "tasks": tasks }))
}

/// `{"contact_id", "title", "body", "due", "assigned_to"}` → the task. It is due in a day unless said otherwise.
///
/// # Errors
/// What HighLevel answers.
pub fn create_task(input: &Json) -> Result<Json> {
    let contact = text(input, "contact_id")?;
    text(input, "title")?;
    let mut values = values(input);
    if values.text("dueDate").is_none() {
        values.set("dueDate", instant::text(clock::now() + DAY));
    }
    shown(tasks::create(contact, false, &values)?)
}

/// `{"contact_id", "task_id", "title", "body", "due", "assigned_to", "completed"}` → the task afterwards. What is not there stays.
///
/// # Errors
/// What HighLevel answers.
pub fn update_task(input: &Json) -> Result<Json> {
    let (contact, id) = (text(input, "contact_id")?, text(input, "task_id")?);
    let values = values(input);
    let mut task =
        if values.is_empty() { tasks::get(contact, id) } else { tasks::update(contact, id, &values) }?;
    if let Some(completed) = input["completed"].as_bool().filter(|completed| *completed != task.completed) {
        task = tasks::set_completed(contact, id, completed)?;
    }
    shown(task)
}

fn values(input: &Json) -> Fields {
    let names = [("title", "title"), ("body", "body"), ("due", "dueDate"), ("assigned_to", "assignedTo")];
    names.iter().filter_map(|(own, name)| Some((*name, input[*own].as_str()?))).collect()
}

fn shown(task: Task) -> Result<Json> {
    let mut fields = Fields::from(task.fields).to_json()?;
    fields.extend([("id".into(), json!(task.id)), ("completed".into(), json!(task.completed))]);
    Ok(Json::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MockHost, contact};

    #[test]
    fn a_task_is_created_changed_completed_and_shown_with_its_contact() {
        let host = MockHost::new()
            .contact(contact("c1", Fields::new().with("firstName", "Ada"), &["vip"]))
            .install();
        let task = create_task(&json!({"contact_id": "c1", "title": "Call"})).unwrap();
        assert_eq!((&task["title"], &task["dueDate"]), (&json!("Call"), &json!("1970-01-02T00:00:00Z")));
        let change = json!({"contact_id": "c1", "task_id": task["id"], "body": "soon", "completed": true});
        let changed = update_task(&change).unwrap();
        assert_eq!((&changed["body"], &changed["completed"]), (&json!("soon"), &json!(true)));
        let before = host.writes().len();
        update_task(&json!({"contact_id": "c1", "task_id": task["id"], "completed": true})).unwrap();
        assert_eq!(host.writes().len(), before, "it is completed already");
        let both = contact_with_tasks(&json!({"contact_id": "c1"})).unwrap();
        assert_eq!(
            (&both["contact"]["firstName"], &both["tasks"][0]["title"]),
            (&json!("Ada"), &json!("Call"))
        );
        assert!(create_task(&json!({"contact_id": "c1"})).unwrap_err().message().contains("title"));
    }
}
