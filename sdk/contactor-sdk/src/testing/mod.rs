//! A host for tests: programmed before the connector runs, asked afterwards.
//!
//! ```
//! use contactor_sdk::prelude::*;
//! use contactor_sdk::testing::{MockHost, contact};
//!
//! let host = MockHost::new()
//!     .answer("GET /people/7", serde_json::json!({ "email": "ada@example.com" }))
//!     .contact(contact("c1", Fields::new().with("email", "ada@example.com"), &["vip"]))
//!     .install();
//!
//! // Here the connector would run.
//! partner::get("/people/7").send()?;
//! tags::add("c1", &["prefinery".into()])?;
//!
//! assert_eq!(host.partner_calls().len(), 1);
//! assert_eq!(host.writes(), [r#"tags.add("c1", ["prefinery"])"#]);
//! assert_eq!(host.stored_contact("c1").unwrap().tags, ["prefinery", "vip"]);
//! # Ok::<(), contactor_sdk::Error>(())
//! ```
//!
//! HighLevel is a small store in memory that keeps the rules which connectors stumble over: tags are lower-cased, an update knows
//! no tags, a second contact with the same email is a duplicate. The partner is what the routes say.

mod events;
mod highlevel;
mod partner;
mod schema;
mod services;
mod webhooks;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

use contactor_manifest::Manifest;
use serde_json::{Map, Value as Json};

use crate::contacts::Contact;
use crate::host::{Host, Installed, install};
use crate::log::Level;
use crate::notifications::Message;
use crate::partner::{Request, Response};
use crate::state::{Entry, State};
use crate::timers::Timer;
use crate::{Error, Fields, NamedValue, Result};
pub use events::event;
use highlevel::Location;
use partner::Route;
pub use webhooks::webhook;

/// A host whose answers a test decides, and which remembers every call.
#[derive(Default)]
pub struct MockHost {
    manifest: Option<Manifest>,
    settings: Map<String, Json>,
    now: u64,
    routes: Vec<Route>,
    failures: Vec<(String, Error)>,
    location: RefCell<Location>,
    state: RefCell<BTreeMap<String, Entry>>,
    calls: RefCell<Vec<Call>>,
    requests: RefCell<Vec<Request>>,
    logs: RefCell<Vec<LogLine>>,
    timers: RefCell<Vec<Timer>>,
    destinations: Vec<String>,
    messages: RefCell<Vec<(String, Message)>>,
    ids: Cell<u32>,
}

/// One call that the connector made.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Interface and function, for example `tags.add`.
    pub operation: &'static str,
    /// Its arguments, as Rust would write them.
    pub arguments: String,
    /// It changes something at HighLevel or at the partner.
    pub writes: bool,
}

/// One line that the connector logged.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub message: String,
    /// The values beside it.
    pub fields: Fields,
}

/// A contact for [`MockHost::contact`].
pub fn contact(id: &str, fields: Fields, tags: &[&str]) -> Contact {
    let tags = tags.iter().map(ToString::to_string).collect();
    Contact { id: id.to_owned(), tags, fields: fields.into() }
}

/// An answer of the partner without a body.
pub fn status(status: u16) -> Response {
    Response { status, headers: Vec::new(), body: Vec::new() }
}

/// An answer of the partner with a JSON body.
#[expect(clippy::needless_pass_by_value, reason = "tests write json!(…) in place")]
pub fn json(status: u16, body: Json) -> Response {
    Response { status, headers: Vec::new(), body: body.to_string().into() }
        .with_header("content-type", "application/json")
}

impl MockHost {
    /// A host without settings, routes and contacts, whose clock stands at 1970.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the connector's manifest and takes the defaults of its settings from it.
    ///
    /// # Panics
    /// When the manifest is refused.
    #[must_use]
    pub fn manifest(mut self, toml: &str) -> Self {
        self.manifest = Some(Manifest::parse(toml).unwrap_or_else(|error| panic!("{error}")));
        self
    }

    /// Sets one setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the run's instant, in milliseconds since 1970.
    #[must_use]
    pub fn now(mut self, millis: u64) -> Self {
        self.now = millis;
        self
    }

    /// Puts a contact into HighLevel, without a recorded call.
    #[must_use]
    pub fn contact(self, contact: Contact) -> Self {
        self.location.borrow_mut().contacts.insert(contact.id.clone(), contact);
        self
    }

    /// Puts an appointment into HighLevel, without a recorded call.
    #[must_use]
    pub fn appointment(self, appointment: crate::appointments::Appointment) -> Self {
        self.location.borrow_mut().appointments.push(appointment);
        self
    }

    /// The admin has set up a destination of this name.
    #[must_use]
    pub fn destination(mut self, name: &str) -> Self {
        self.destinations.push(name.to_owned());
        self
    }

    /// The partner answers 200 and this JSON. The route is a method and a path, where `*` stands for one segment:
    /// `GET /people/*`. A later route comes before an earlier one.
    #[must_use]
    pub fn answer(self, route: &str, body: Json) -> Self {
        self.reply(route, json(200, body))
    }

    /// The partner answers so.
    #[must_use]
    pub fn reply(self, route: &str, response: Response) -> Self {
        self.route(route, move |_| response.clone())
    }

    /// The partner answers what the function makes of the request.
    #[must_use]
    pub fn route(mut self, route: &str, answer: impl Fn(&Request) -> Response + 'static) -> Self {
        self.routes.push(Route::new(route, Box::new(answer)));
        self
    }

    /// Every call of this operation (`contacts.create`, `partner.send`) or interface (`contacts.`), or every request of this route
    /// (`GET /people/*`), fails like this: there is no answer.
    #[must_use]
    pub fn fail(mut self, operation: &str, error: Error) -> Self {
        self.failures.push((operation.to_owned(), error));
        self
    }

    /// The admin has not granted this interface.
    #[must_use]
    pub fn deny(self, interface: &str) -> Self {
        self.fail(&format!("{interface}."), Error::Denied(interface.to_owned()))
    }

    /// Installs the host on this thread for as long as the answer lives.
    pub fn install(self) -> InstalledHost {
        let host = Rc::new(self);
        InstalledHost { _installed: install(Rc::clone(&host) as Rc<dyn Host>), host }
    }

    /// Every call to HighLevel, to the partner and to the state, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// The calls that change something at HighLevel or at the partner, as text.
    pub fn writes(&self) -> Vec<String> {
        let text = |call: &Call| format!("{}({})", call.operation, call.arguments);
        self.calls.borrow().iter().filter(|call| call.writes).map(text).collect()
    }

    /// Every request to the partner, in order.
    pub fn partner_calls(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// Every line of the log.
    pub fn logs(&self) -> Vec<LogLine> {
        self.logs.borrow().clone()
    }

    /// The timers that are set, in the order in which they were.
    pub fn timers(&self) -> Vec<Timer> {
        self.timers.borrow().clone()
    }

    /// Every message with its destination, in order.
    pub fn messages(&self) -> Vec<(String, Message)> {
        self.messages.borrow().clone()
    }

    /// A contact as it is now.
    pub fn stored_contact(&self, id: &str) -> Option<Contact> {
        self.location.borrow().contacts.get(id).cloned()
    }

    /// The value of a state key.
    pub fn stored_state(&self, key: &str) -> Option<Vec<u8>> {
        self.state.borrow().get(key).map(|entry| entry.value.clone())
    }

    /// Asserts that nothing was changed at HighLevel or at the partner.
    ///
    /// # Panics
    /// With the list of the writes.
    #[track_caller]
    pub fn assert_no_writes(&self) {
        let writes = self.writes();
        assert!(
            writes.is_empty(),
            "expected no writes, but the connector made these:\n  {}",
            writes.join("\n  ")
        );
    }

    /// Asserts that nothing was asked of the partner.
    ///
    /// # Panics
    /// With the list of the requests.
    #[track_caller]
    pub fn assert_no_partner_calls(&self) {
        let requests: Vec<_> = self.requests.borrow().iter().map(Request::line).collect();
        assert!(
            requests.is_empty(),
            "expected no requests, but the connector sent these:\n  {}",
            requests.join("\n  ")
        );
    }

    /// Notes a call; answers the failure that the test planned for it.
    fn record(&self, operation: &'static str, arguments: String, writes: bool) -> Result<()> {
        self.calls.borrow_mut().push(Call { operation, arguments, writes });
        let planned = self.failures.iter().rev().find(|(prefix, _)| operation.starts_with(prefix.as_str()));
        planned.map_or(Ok(()), |(_, error)| Err(error.clone()))
    }

    fn next_id(&self, kind: &str) -> String {
        self.ids.set(self.ids.get() + 1);
        format!("{kind}-{}", self.ids.get())
    }
}

impl Host for MockHost {
    fn settings(&self) -> String {
        let given = Json::Object(self.settings.clone());
        let Some(manifest) = &self.manifest else { return given.to_string() };
        match manifest.validate_settings(&given) {
            Ok(settings) => settings.to_string(),
            Err(problems) => {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                panic!("the manifest refuses the test's settings:\n  {}", problems.join("\n  "))
            }
        }
    }

    fn log(&self, level: Level, message: &str, fields: &[NamedValue]) {
        let fields = Fields::from(fields.to_vec());
        self.logs.borrow_mut().push(LogLine { level, message: message.to_owned(), fields });
    }

    fn now(&self) -> u64 {
        self.now
    }
}

impl State for MockHost {
    fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.record("state.get", format!("{key:?}"), false)?;
        Ok(self.state.borrow().get(key).cloned())
    }

    fn compare_and_set(&self, key: &str, expected: u64, value: &[u8]) -> Result<u64> {
        let arguments = format!("{key:?}, {expected}, {:?}", String::from_utf8_lossy(value));
        self.record("state.compare_and_set", arguments, false)?;
        let mut state = self.state.borrow_mut();
        let version = state.get(key).map_or(0, |entry| entry.version);
        if version != expected {
            return Err(Error::Conflict(format!("the key {key} has version {version}, not {expected}")));
        }
        state.insert(key.to_owned(), Entry { value: value.to_vec(), version: version + 1 });
        Ok(version + 1)
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.record("state.delete", format!("{key:?}"), false)?;
        self.state.borrow_mut().remove(key);
        Ok(())
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        self.record("state.keys", format!("{prefix:?}"), false)?;
        Ok(self.state.borrow().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }
}

/// A [`MockHost`] that answers the calls of this thread.
pub struct InstalledHost {
    host: Rc<MockHost>,
    _installed: Installed,
}

impl Deref for InstalledHost {
    type Target = MockHost;

    fn deref(&self) -> &MockHost {
        &self.host
    }
}

#[cfg(test)]
mod tests;
