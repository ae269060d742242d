//! A host that answers by a script and remembers every call: HighLevel with one contact, and a partner that says what it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;

use contactor_runtime::bindings::{
    appointments, bulk, campaigns, clock, contacts, log, notes, notifications, partner, rules, settings,
    state, tags, tasks, timers,
    types::{self, Error, NamedValue, Value},
    workflows,
};
use contactor_sync as sync;
use serde::Serialize;
use serde_json::Value as Json;

use crate::values;

/// The contact that HighLevel has.
pub(crate) const CONTACT: &str = "contact-1";

/// How the partner answers: the request, and how many came before it.
pub(crate) type Script =
    Arc<dyn Fn(&partner::Request, usize) -> Result<partner::Response, Error> + Send + Sync>;

/// Values by key, with their versions.
pub(crate) type State = BTreeMap<String, state::Entry>;

/// One call that reached the host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HostCall {
    /// Interface and function.
    pub(crate) operation: &'static str,
    /// The arguments as JSON.
    pub(crate) arguments: String,
    /// It changes HighLevel, the partner, a timer, or tells somebody something.
    pub(crate) writes: bool,
}

impl HostCall {
    /// For a person, cut short.
    pub(crate) fn shown(&self) -> String {
        let arguments: String = self.arguments.chars().take(160).collect();
        format!("{}({arguments})", self.operation)
    }
}

/// The host of one call.
pub(crate) struct Host {
    pub(crate) settings: Arc<str>,
    pub(crate) state: State,
    pub(crate) script: Script,
    /// What HighLevel answers instead, if it is to fail.
    pub(crate) highlevel: Option<Error>,
    pub(crate) calls: Vec<HostCall>,
    pub(crate) logs: Vec<String>,
    requests: usize,
}

impl Host {
    pub(crate) fn new(settings: Arc<str>, state: State, script: Script, highlevel: Option<Error>) -> Self {
        Self { settings, state, script, highlevel, calls: Vec::new(), logs: Vec::new(), requests: 0 }
    }

    fn note(&mut self, operation: &'static str, arguments: &impl Serialize, writes: bool) {
        let arguments = serde_json::to_string(arguments).unwrap_or_default();
        self.calls.push(HostCall { operation, arguments, writes });
    }

    /// Notes a call to HighLevel; answers the failure that the script planned for it.
    fn highlevel(
        &mut self,
        operation: &'static str,
        arguments: &impl Serialize,
        writes: bool,
    ) -> Result<(), Error> {
        self.note(operation, arguments, writes);
        self.highlevel.clone().map_or(Ok(()), Err)
    }
}

fn known(id: &str) -> Result<(), Error> {
    if id == CONTACT { Ok(()) } else { Err(Error::NotFound(format!("contact {id}"))) }
}

fn contact(id: &str) -> contacts::Contact {
    contacts::Contact { id: id.to_owned(), tags: vec!["vip".into()], fields: values::contact() }
}

fn task(contact_id: &str, id: &str, completed: bool) -> tasks::Task {
    let fields = values::named([
        ("title", Json::from("Call")),
        ("body", "about it".into()),
        ("dueDate", values::INSTANT.into()),
        ("assignedTo", "user-1".into()),
    ]);
    tasks::Task { id: id.to_owned(), contact_id: contact_id.to_owned(), completed, fields }
}

fn note(contact_id: &str, id: &str) -> notes::Note {
    let fields = values::named([("title", Json::from("Note")), ("dateAdded", values::INSTANT.into())]);
    notes::Note { id: id.to_owned(), contact_id: contact_id.to_owned(), body: "as agreed".to_owned(), fields }
}

impl types::Host for Host {}

impl clock::Host for Host {
    async fn now(&mut self) -> u64 {
        values::NOW
    }
}

impl log::Host for Host {
    async fn write(&mut self, _: log::Level, message: String, fields: Vec<NamedValue>) {
        let fields = if fields.is_empty() { String::new() } else { format!(" {fields:?}") };
        self.logs.push(format!("{message}{fields}"));
    }
}

impl settings::Host for Host {
    async fn all(&mut self) -> String {
        self.settings.to_string()
    }
}

impl rules::Host for Host {
    async fn evaluate(&mut self, expression: String, fields: Vec<NamedValue>) -> Result<Value, Error> {
        let context = sync::Context { country: Some("US".to_owned()) };
        sync::evaluate(&expression, values::to_sync(&fields), &context)
            .map(|value| values::from_json(value.to_json()))
            .map_err(|reason| {
                Error::Invalid(vec![types::FieldProblem { field: expression, problem: reason }])
            })
    }

    /// The suite's events carry what the suite made up: whatever they make of an action's input passes.
    async fn check_input(&mut self, _: String, _: String) -> Result<(), Error> {
        Ok(())
    }
}

impl partner::Host for Host {
    async fn send(&mut self, request: partner::Request) -> Result<partner::Response, Error> {
        let writes = !matches!(request.method, partner::Method::Get | partner::Method::Head);
        let body = request.body.as_deref().map(String::from_utf8_lossy);
        self.note(
            "partner.send",
            &(method(request.method), &request.path, pairs(&request.query), pairs(&request.headers), body),
            writes,
        );
        self.requests += 1;
        (self.script)(&request, self.requests - 1)
    }
}

fn method(method: partner::Method) -> &'static str {
    match method {
        partner::Method::Get => "GET",
        partner::Method::Head => "HEAD",
        partner::Method::Post => "POST",
        partner::Method::Put => "PUT",
        partner::Method::Patch => "PATCH",
        partner::Method::Delete => "DELETE",
    }
}

fn pairs(pairs: &[partner::Pair]) -> Vec<(&str, &str)> {
    pairs.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())).collect()
}

impl state::Host for Host {
    async fn get(&mut self, key: String) -> Result<Option<state::Entry>, Error> {
        self.note("state.get", &key, false);
        Ok(self.state.get(&key).cloned())
    }

    async fn compare_and_set(&mut self, key: String, expected: u64, value: Vec<u8>) -> Result<u64, Error> {
        self.note("state.compare-and-set", &(&key, expected, String::from_utf8_lossy(&value)), false);
        if key.is_empty() || key.len() > 256 || value.len() > 64 * 1024 {
            let problem = "a key has 1 to 256 bytes, a value at most 64 KiB".to_owned();
            return Err(Error::Invalid(vec![types::FieldProblem { field: "key".into(), problem }]));
        }
        let version = self.state.get(&key).map_or(0, |entry| entry.version);
        if version != expected {
            return Err(Error::Conflict(format!("the key {key} has version {version}, not {expected}")));
        }
        self.state.insert(key, state::Entry { value, version: version + 1 });
        Ok(version + 1)
    }

    async fn delete(&mut self, key: String) -> Result<(), Error> {
        self.note("state.delete", &key, false);
        self.state.remove(&key);
        Ok(())
    }

    async fn keys(&mut self, prefix: String) -> Result<Vec<String>, Error> {
        self.note("state.keys", &prefix, false);
        Ok(self.state.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
    }
}

impl timers::Host for Host {
    async fn set(&mut self, timer: timers::Timer) -> Result<(), Error> {
        self.note("timers.set", &timer, true);
        Ok(())
    }

    async fn cancel(&mut self, name: String) -> Result<(), Error> {
        self.note("timers.cancel", &name, true);
        Ok(())
    }
}

impl notifications::Host for Host {
    async fn send(&mut self, destination: String, message: notifications::Message) -> Result<(), Error> {
        self.note("notifications.send", &(destination, message), true);
        Ok(())
    }
}

/// HighLevel's interfaces: each function notes its call, and answers what stands behind the arrow when the script does not let
/// HighLevel fail.
macro_rules! highlevel {
    ($($interface:ident { $( $kind:ident fn $function:ident($($argument:ident: $type:ty),*) -> $answer:ty => $body:expr; )* })*) => { $(
        impl $interface::Host for Host {
            $(async fn $function(&mut self, $($argument: $type),*) -> Result<$answer, Error> {
                let operation = concat!(stringify!($interface), ".", stringify!($function));
                self.highlevel(operation, &($(&$argument,)*), highlevel!(@ $kind))?;
                $body
            })*
        }
    )* };
    (@ read) => { false };
    (@ write) => { true };
}

fn page() -> contacts::ContactPage {
    contacts::ContactPage { contacts: vec![contact(CONTACT)], next: None, total: Some(1) }
}

highlevel! {
    contacts {
        read fn search(request: contacts::SearchRequest) -> contacts::ContactPage => Ok(page());
        read fn find_duplicate(email: Option<String>, phone: Option<String>) -> Option<contacts::Contact> => Ok(None);
        read fn get(id: String) -> contacts::Contact => known(&id).map(|()| contact(&id));
        write fn create(fields: Vec<NamedValue>, tags: Vec<String>) -> contacts::Contact =>
            Ok(contacts::Contact { id: "contact-2".to_owned(), tags, fields });
        write fn update(id: String, fields: Vec<NamedValue>) -> contacts::Contact => known(&id).map(|()| contact(&id));
        write fn delete(id: String) -> () => known(&id);
        write fn upsert(fields: Vec<NamedValue>, create_new_if_duplicate_allowed: bool) -> contacts::UpsertOutcome =>
            Ok(contacts::UpsertOutcome { created: false, contact: contact(CONTACT) });
        read fn list_page(query: Option<String>, limit: u32, cursor: Option<String>) -> contacts::ContactPage => Ok(page());
        read fn list_by_business(business_id: String, query: Option<String>, limit: u32, skip: u32) -> contacts::ContactPage =>
            Ok(page());
        write fn add_followers(id: String, user_ids: Vec<String>) -> Vec<String> => known(&id).map(|()| user_ids);
        write fn remove_followers(id: String, user_ids: Vec<String>) -> Vec<String> => known(&id).map(|()| Vec::new());
    }
    tasks {
        read fn list_all(contact_id: String) -> Vec<tasks::Task> =>
            known(&contact_id).map(|()| vec![task(&contact_id, "task-1", false), task(&contact_id, "task-2", true)]);
        write fn create(contact_id: String, completed: bool, fields: Vec<NamedValue>) -> tasks::Task =>
            known(&contact_id).map(|()| tasks::Task { id: "task-3".into(), contact_id, completed, fields });
        read fn get(contact_id: String, id: String) -> tasks::Task => known(&contact_id).map(|()| task(&contact_id, &id, false));
        write fn update(contact_id: String, id: String, fields: Vec<NamedValue>) -> tasks::Task =>
            known(&contact_id).map(|()| tasks::Task { id, contact_id, completed: false, fields });
        write fn delete(contact_id: String, id: String) -> () => known(&contact_id);
        write fn set_completed(contact_id: String, id: String, completed: bool) -> tasks::Task =>
            known(&contact_id).map(|()| task(&contact_id, &id, completed));
    }
    notes {
        read fn list_all(contact_id: String) -> Vec<notes::Note> => known(&contact_id).map(|()| vec![note(&contact_id, "note-1")]);
        write fn create(contact_id: String, body: String, fields: Vec<NamedValue>) -> notes::Note =>
            known(&contact_id).map(|()| notes::Note { id: "note-2".into(), contact_id, body, fields });
        read fn get(contact_id: String, id: String) -> notes::Note => known(&contact_id).map(|()| note(&contact_id, &id));
        write fn update(contact_id: String, id: String, fields: Vec<NamedValue>) -> notes::Note =>
            known(&contact_id).map(|()| note(&contact_id, &id));
        write fn delete(contact_id: String, id: String) -> () => known(&contact_id);
    }
    tags {
        read fn list_all(contact_id: String) -> Vec<String> => known(&contact_id).map(|()| vec!["vip".to_owned()]);
        write fn add(contact_id: String, names: Vec<String>) -> tags::TagChange =>
            known(&contact_id).map(|()| tags::TagChange { tags: names.clone(), changed: names });
        write fn remove(contact_id: String, names: Vec<String>) -> tags::TagChange =>
            known(&contact_id).map(|()| tags::TagChange { tags: Vec::new(), changed: names });
    }
    appointments {
        read fn list_all(contact_id: String) -> Vec<appointments::Appointment> => known(&contact_id).map(|()| {
            vec![appointments::Appointment {
                id: "appointment-1".into(),
                contact_id,
                start: Some(values::INSTANT.into()),
                end: None,
                status: "showed".into(),
                fields: values::named([("title", Json::from("Visit"))]),
            }]
        });
    }
    bulk {
        write fn update_tags(mode: bulk::TagMode, contact_ids: Vec<String>, names: Vec<String>) -> bulk::BulkOutcome =>
            Ok(bulk::BulkOutcome { errors: 0, responses: Vec::new() });
        write fn set_business(contact_ids: Vec<String>, business_id: Option<String>) -> Vec<String> => Ok(contact_ids);
    }
    campaigns {
        write fn add(contact_id: String, campaign_id: String) -> () => known(&contact_id);
        write fn remove(contact_id: String, campaign_id: String) -> () => known(&contact_id);
        write fn remove_all(contact_id: String) -> () => known(&contact_id);
    }
    workflows {
        write fn add(contact_id: String, workflow_id: String, event_start_time: Option<String>) -> () => known(&contact_id);
        write fn remove(contact_id: String, workflow_id: String, event_start_time: Option<String>) -> () => known(&contact_id);
    }
}
