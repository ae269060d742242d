//! What people do at random, on all sides.

use anyhow::Result;
use contactor_sandbox::connectif::AccountAct as ConnectifAct;
use contactor_sandbox::formbuilder::FormAct;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::pheedloop::EventAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::referrizer::AccountAct as ReferrizerAct;
use serde_json::{Map, Value, json};

use super::World;

/// The names under which a partner's list keeps what a task is.
pub(super) struct TaskNames {
    pub(super) title: &'static str,
    /// The name and the value of a task that is done.
    pub(super) done: (&'static str, Value),
    pub(super) open: Value,
    pub(super) due: &'static str,
}

pub(super) fn at_pheedloop() -> TaskNames {
    TaskNames { title: "title", done: ("completed", json!(true)), open: json!(false), due: "due" }
}

pub(super) fn at_referrizer() -> TaskNames {
    TaskNames { title: "subject", done: ("status", json!("completed")), open: json!("open"), due: "dueDate" }
}

impl World {
    /// One edit of one person on one side.
    pub(super) fn edit(&mut self, number: usize) -> Result<()> {
        let at = self.random.below(self.people.len());
        let (id, email) = self.people[at].clone();
        match self.random.below(18) {
            0..=8 => self.in_highlevel(&id, number),
            9 | 10 => self.at_prefinery(&email, number),
            11 | 12 => self.at_connectif(&email, number),
            13 | 14 => self.at_referrizer(&email, number),
            15 | 16 => self.at_pheedloop(&email, number),
            _ => {
                let answers =
                    json!({ "Email": email, "Name/First": format!("Edited{number}"), "Name/Last": "Form" });
                let double = self.stand.sandbox.formbuilder();
                double.act(double.first_form(), FormAct::Submit { answers })?;
                Ok(())
            }
        }
    }

    fn in_highlevel(&mut self, id: &str, number: usize) -> Result<()> {
        let (contact, name) = (id.to_owned(), format!("Edited{number}"));
        let act = match self.random.below(9) {
            0 | 1 => PersonAct::EditContact { contact, fields: json!({ "lastName": name }) },
            2 => PersonAct::EditContact { contact, fields: json!({ "firstName": name }) },
            3 => PersonAct::AddTags { contact, tags: vec![format!("tag {number}")] },
            4 => return self.new_task(id, &format!("Task {number}")).map(drop),
            5 => PersonAct::CreateNote { contact, fields: json!({ "body": format!("Note {number}") }) },
            _ => return self.edit_task(id, number),
        };
        self.highlevel(act).map(drop)
    }

    /// Completes, reopens, renames or deletes one of the contact's tasks.
    fn edit_task(&mut self, contact: &str, number: usize) -> Result<()> {
        let tasks = self.stand.sandbox.highlevel().tasks(&self.location, contact);
        if tasks.is_empty() {
            return Ok(());
        }
        let chosen = &tasks[self.random.below(tasks.len())];
        let task = chosen["id"].as_str().unwrap_or_default().to_owned();
        let contact = contact.to_owned();
        let act = match self.random.below(3) {
            0 => {
                let done = chosen["completed"] == json!(true);
                PersonAct::EditTask { contact, task, fields: json!({ "completed": !done }) }
            }
            1 => {
                PersonAct::EditTask { contact, task, fields: json!({ "title": format!("Renamed {number}") }) }
            }
            _ => PersonAct::DeleteTask { contact, task },
        };
        self.highlevel(act).map(drop)
    }

    fn at_prefinery(&self, email: &str, number: usize) -> Result<()> {
        let double = self.stand.sandbox.prefinery();
        let project = double.first_project();
        if let Some(tester) = double.tester(project, email) {
            let fields = json!({ "profile": { "last_name": format!("Edited{number}") } });
            double.act(project, ProjectAct::EditTester { tester: tester["id"].to_string(), fields })?;
        }
        Ok(())
    }

    fn at_connectif(&self, email: &str, number: usize) -> Result<()> {
        let double = self.stand.sandbox.connectif();
        if double.contact(email).is_some() {
            let fields = json!({ "_surname": format!("Edited{number}") });
            double.act(ConnectifAct::EditContact { email: email.to_owned(), fields })?;
        }
        Ok(())
    }

    fn at_referrizer(&mut self, email: &str, number: usize) -> Result<()> {
        let Some(person) = self.stand.sandbox.referrizer().contact(email) else { return Ok(()) };
        let fields = match self.random.below(3) {
            0 => json!({ "lastName": format!("Edited{number}") }),
            1 => {
                let tags = person["customFields"]["Tags"].as_str().unwrap_or_default();
                let tags = if tags.is_empty() { String::new() } else { format!("{tags}, ") };
                json!({ "customFields": { "Tags": format!("{tags}loyal {number}") } })
            }
            _ => {
                let list = person["customFields"]["Tasks"].as_str().unwrap_or("[]");
                let mut list = serde_json::from_str(list).unwrap_or_default();
                self.edit_list(&mut list, &at_referrizer(), number);
                json!({ "customFields": { "Tasks": Value::from(list).to_string() } })
            }
        };
        let contact = person["id"].as_str().unwrap_or_default().to_owned();
        self.stand.sandbox.referrizer().act(ReferrizerAct::EditContact { contact, fields })?;
        Ok(())
    }

    fn at_pheedloop(&mut self, email: &str, number: usize) -> Result<()> {
        let event = self.stand.sandbox.pheedloop().first_event();
        let Some(person) = self.stand.sandbox.pheedloop().attendee(&event, email) else { return Ok(()) };
        let fields = match self.random.below(4) {
            0 => json!({ "last_name": format!("Edited{number}") }),
            1 => {
                let mut tags = person["tags"].as_array().cloned().unwrap_or_default();
                tags.push(json!(format!("badge {number}")));
                json!({ "tags": tags })
            }
            2 => {
                let mut metadata = object(&person["metadata"]);
                let mut notes = list(metadata.get("highlevel_notes"));
                notes.push(json!({ "body": format!("Seen at the desk {number}") }));
                metadata.insert("highlevel_notes".to_owned(), notes.into());
                json!({ "metadata": metadata })
            }
            _ => {
                let mut metadata = object(&person["metadata"]);
                let mut tasks = list(metadata.get("highlevel_tasks"));
                self.edit_list(&mut tasks, &at_pheedloop(), number);
                metadata.insert("highlevel_tasks".to_owned(), tasks.into());
                json!({ "metadata": metadata })
            }
        };
        let attendee = person["code"].as_str().unwrap_or_default().to_owned();
        self.stand.sandbox.pheedloop().act(EventAct::EditAttendee { event: None, attendee, fields })?;
        Ok(())
    }

    /// Adds, completes, reopens or renames a task in a partner's list. One that is removed there stays in HighLevel and does not
    /// come back, so lists with removals differ on purpose.
    fn edit_list(&mut self, list: &mut Vec<Value>, names: &TaskNames, number: usize) {
        let (name, done) = names.done.clone();
        let action = self.random.below(4);
        if list.is_empty() || action == 0 {
            list.push(json!({
                names.title: format!("From a partner {number}"), name: names.open, names.due: "2026-12-02T09:00:00Z",
            }));
            return;
        }
        let at = self.random.below(list.len());
        match action {
            1 => list[at][name] = done,
            2 => list[at][name] = names.open.clone(),
            _ => list[at][names.title] = json!(format!("Renamed by a partner {number}")),
        }
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}
