//! Whether all sides show the same in the end, as the doubles show it themselves.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use contactor_engine::Verdict;
use contactor_sandbox::{connectif, formbuilder, pheedloop, prefinery, referrizer};
use serde_json::{Value, json};

use super::World;
use super::edits::{TaskNames, at_pheedloop, at_referrizer};

/// The tags that say which partner a contact is linked with; they stay at home.
const OWN_TAGS: [&str; 5] = ["connectif", "formbuilder", "pheedloop", "prefinery", "referrizer"];

impl World {
    /// What a preview of every connection would still write, and where the doubles themselves show different people.
    pub(super) async fn differing(&self) -> Result<Vec<String>> {
        let mut differing = Vec::new();
        let limit = u32::try_from(self.people.len() + 10)?;
        for connection in &self.connections {
            let report = self.stand.engine.preview(&connection.id, limit).await?;
            let open = report.items.iter().filter(|item| {
                !matches!(item.verdict, Verdict::Unchanged | Verdict::Skip)
                    && connection.connector != "formbuilder"
            });
            differing.extend(open.map(|item| format!("{}: {item:?}", connection.id)));
        }
        for (id, email) in &self.people {
            let here = self.in_highlevel_there_is(id);
            for (partner, there) in self.at_the_partners_there_is(email) {
                for (what, shown) in there {
                    if here.get(what) != Some(&shown) {
                        let own = here.get(what).cloned().unwrap_or_default();
                        differing
                            .push(format!("{what} of {email}: {own} in HighLevel, {shown} at {partner}"));
                    }
                }
            }
        }
        Ok(differing)
    }

    /// A contact in the terms in which all sides are compared.
    fn in_highlevel_there_is(&self, id: &str) -> BTreeMap<&'static str, Value> {
        let double = self.stand.sandbox.highlevel();
        let contact = double.contact(&self.location, id).unwrap_or_default();
        let tasks = double.tasks(&self.location, id);
        let names = TaskNames {
            title: "title",
            done: ("completed", json!(true)),
            open: json!(false),
            due: "dueDate",
        };
        let open: Vec<Value> =
            tasks.iter().filter(|task| task["completed"] != json!(true)).cloned().collect();
        BTreeMap::from([
            ("last name", contact["lastName"].clone()),
            ("tags", tags(&contact["tags"])),
            ("tasks", tasks_of(&tasks, &names)),
            ("open tasks", titles(&open, "title")),
            ("notes", titles(&double.notes(&self.location, id), "body")),
        ])
    }

    /// What each partner shows of the same person, as far as it shows it at all.
    fn at_the_partners_there_is(&self, email: &str) -> Vec<(&'static str, Vec<(&'static str, Value)>)> {
        let sandbox = &self.stand.sandbox;
        let (project, event) = (sandbox.prefinery().first_project(), sandbox.pheedloop().first_event());
        let connectif = sandbox.connectif().contact(email).unwrap_or_default();
        let pheedloop = sandbox.pheedloop().attendee(&event, email).unwrap_or_default();
        let prefinery = sandbox.prefinery().tester(project, email).unwrap_or_default();
        let referrizer = sandbox.referrizer().contact(email).unwrap_or_default();
        let custom = &referrizer["customFields"];
        let metadata = &pheedloop["metadata"];
        vec![
            (
                "Connectif",
                vec![
                    ("last name", connectif["_surname"].clone()),
                    ("tags", tags(&connectif["hl_tags"])),
                    ("open tasks", titles(&list(&connectif["hl_tasks"]), "title")),
                    ("notes", titles(&list(&connectif["hl_notes"]), "body")),
                ],
            ),
            (
                "PheedLoop",
                vec![
                    ("last name", pheedloop["last_name"].clone()),
                    ("tags", tags(&pheedloop["tags"])),
                    ("tasks", tasks_of(&list(&metadata["highlevel_tasks"]), &at_pheedloop())),
                    ("notes", titles(&list(&metadata["highlevel_notes"]), "body")),
                ],
            ),
            ("Prefinery", vec![("last name", prefinery["profile"]["last_name"].clone())]),
            (
                "Referrizer",
                vec![
                    ("last name", referrizer["lastName"].clone()),
                    ("tags", tags(&custom["Tags"])),
                    ("tasks", tasks_of(&list(&custom["Tasks"]), &at_referrizer())),
                    ("notes", titles(&list(&custom["Notes"]), "content")),
                ],
            ),
        ]
    }

    /// People that a side has twice, tasks and notes that a contact has twice.
    pub(super) fn doubled(&self) -> Vec<String> {
        let sandbox = &self.stand.sandbox;
        let (project, event) = (sandbox.prefinery().first_project(), sandbox.pheedloop().first_event());
        let contacts = sandbox.highlevel().contacts(&self.location);
        let sides = [
            ("HighLevel", "email", contacts.clone()),
            ("Connectif", "_email", sandbox.connectif().contacts()),
            ("PheedLoop", "email", sandbox.pheedloop().attendees(&event)),
            ("Prefinery", "email", sandbox.prefinery().testers(project)),
            ("Referrizer", "email", sandbox.referrizer().contacts()),
        ];
        let mut doubled = Vec::new();
        for (side, field, people) in sides {
            doubled.extend(twice(&people, field).map(|email| format!("{side}: {email}")));
        }
        for contact in &contacts {
            let id = contact["id"].as_str().unwrap_or_default();
            let tasks = sandbox.highlevel().tasks(&self.location, id);
            // A welcome task for each submission may well have the title of another one.
            let titles = twice(&tasks, "title").filter(|title| !title.starts_with("Welcome"));
            doubled.extend(titles.map(|title| format!("task of {id}: {title}")));
            let notes = sandbox.highlevel().notes(&self.location, id);
            doubled.extend(twice(&notes, "body").map(|body| format!("note of {id}: {body}")));
        }
        doubled
    }

    /// What the partners sent to people.
    pub(super) fn mailed(&self) -> Vec<String> {
        let sandbox = &self.stand.sandbox;
        let (connectif, forms) = (sandbox.connectif().messages(), sandbox.formbuilder().mails());
        let (loyalty, welcomes) = (sandbox.referrizer().messages(), sandbox.pheedloop().welcomes());
        let waitlist = sandbox.prefinery().mails(sandbox.prefinery().first_project());
        [
            (connectif != connectif::Messages::default(), format!("Connectif: {connectif:?}")),
            (forms != formbuilder::Mails::default(), format!("123FormBuilder: {forms:?}")),
            (welcomes != pheedloop::Welcomes::default(), format!("PheedLoop: {welcomes:?}")),
            (waitlist != prefinery::Mails::default(), format!("Prefinery: {waitlist:?}")),
            (loyalty != referrizer::Messages::default(), format!("Referrizer: {loyalty:?}")),
        ]
        .into_iter()
        .filter_map(|(sent, what)| sent.then_some(what))
        .collect()
    }
}

/// A list that a partner keeps as JSON, or as a text of JSON.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn sorted(texts: impl Iterator<Item = String>) -> Value {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    json!(texts)
}

fn tasks_of(tasks: &[Value], names: &TaskNames) -> Value {
    let (name, done) = &names.done;
    let one = |task: &Value| {
        let title = task[names.title].as_str().unwrap_or_default();
        format!("{title} ({})", if task[name] == *done { "done" } else { "open" })
    };
    sorted(tasks.iter().map(one))
}

fn titles(records: &[Value], field: &str) -> Value {
    sorted(records.iter().map(|record| record[field].as_str().unwrap_or_default().to_owned()))
}

/// Tags as a list or as a text with commas.
fn tags(value: &Value) -> Value {
    let texts: Vec<String> = match value {
        Value::Array(tags) => tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    sorted(texts.into_iter().filter(|tag| !tag.is_empty() && !OWN_TAGS.contains(&tag.as_str())))
}

/// Values of a field that more than one record has.
fn twice<'r>(records: &'r [Value], field: &str) -> impl Iterator<Item = &'r str> {
    let mut seen = BTreeSet::new();
    let values: Vec<&str> = records.iter().filter_map(|record| record[field].as_str()).collect();
    values.into_iter().filter(move |value| !seen.insert(*value))
}
