//! A double of Connectif (marketing automation): contacts by email, custom fields, reception events, exports, imports,
//! outgoing calls of workflows.
//!
//! [`Connectif`] is also the handle of a test: it shows records, counts what the vendor would have sent to customers,
//! and acts as a person in the vendor's own interface ([`AccountAct`]).

mod archive;
mod config;
mod contacts;
mod emit;
mod error;
mod events;
mod exports;
mod inspect;
mod limits;
mod person;
mod state;
mod webhooks;

use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Map, Value};

pub use self::config::{
    ConnectifConfig, CustomField, EventDefinition, ExportDates, ExportFile, FieldKind, Guesses, Limit,
    NullMeans, Scopes, WebhookBody, WriteLag,
};
use self::contacts::Route;
use self::error::{Answer, Fault};
use self::limits::Window;
pub use self::person::AccountAct;
use self::state::{Account, Contact, Lag};
pub use self::state::{Messages, ReceivedEvent};
use self::webhooks::ConnectifDialect;
use crate::SandboxConfig;
use crate::clock::{Clock, Millis};
use crate::http::{Call, Reply, Vendor};
use crate::outbox::Outbox;
use crate::recorder::lock;

/// The one receiver of outgoing calls.
pub(crate) const TARGET: &str = "workflows";

/// What can be changed while the double runs.
#[derive(Clone, Debug)]
struct Settings {
    scopes: Scopes,
    limit: Option<Limit>,
    write_lag: WriteLag,
    guesses: Guesses,
}

/// The double and its handle.
pub struct Connectif {
    seed: u64,
    clock: Clock,
    key_id: String,
    key_secret: String,
    /// `None` once it was withdrawn.
    key: Mutex<Option<String>>,
    settings: Mutex<Settings>,
    account: Mutex<Account>,
    window: Mutex<Window>,
    outbox: Arc<Outbox>,
}

impl std::fmt::Debug for Connectif {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connectif")
            .field("contacts", &lock(&self.account).contacts.len())
            .finish_non_exhaustive()
    }
}

/// A change in progress to the account.
struct Change<'a> {
    account: &'a mut Account,
    now: Millis,
    lag: Lag,
    guesses: Guesses,
    announced: bool,
    /// Event, contact, further values.
    events: Vec<(String, Value, Map<String, Value>)>,
}

impl Change<'_> {
    fn emit(&mut self, event: &str, contact: &Value) {
        if self.announced {
            self.events.push((event.to_owned(), contact.clone(), Map::new()));
        }
    }

    fn put(&mut self, contact: Contact) {
        let new = self.account.contact(&contact.email).is_none();
        let lag = if new && !self.guesses.new_contacts_lag { Lag::None } else { self.lag };
        self.account.put(contact, lag, self.now);
    }
}

/// An operation and the id in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation<'p> {
    GetContact(&'p str),
    PatchContact(&'p str),
    PatchByEmail(&'p str),
    CreateExport,
    ExploreData,
    GetExport(&'p str),
    GetFile(&'p str),
    CreateImport,
    GetImport(&'p str),
    PublicEvent(&'p str),
    WebhookEvent(&'p str),
}

impl<'p> Operation<'p> {
    /// The operation of a path below `/connectif`. An email may hold an encoded `/`, so it is the rest of the path.
    fn of(method: &Method, path: &'p str) -> Option<Self> {
        if let Some(email) = path.strip_prefix("/contacts/") {
            return match (method.as_str(), email.strip_prefix("email/")) {
                ("GET", None) => Some(Self::GetContact(email)),
                ("PATCH", None) => Some(Self::PatchContact(email)),
                ("PATCH", Some(email)) => Some(Self::PatchByEmail(email)),
                _ => None,
            };
        }
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (method.as_str(), &parts[..]) {
            ("POST", ["exports"]) => Some(Self::CreateExport),
            ("POST", ["exports", "type", "data-explorer"]) => Some(Self::ExploreData),
            ("GET", ["exports", id]) => Some(Self::GetExport(id)),
            ("GET", ["files", id]) => Some(Self::GetFile(id)),
            ("POST", ["imports"]) => Some(Self::CreateImport),
            ("GET", ["imports", id]) => Some(Self::GetImport(id)),
            ("POST", ["events", id]) => Some(Self::PublicEvent(id)),
            ("POST", ["integration-type", "system", "scrippet-notification", id]) => {
                Some(Self::WebhookEvent(id))
            }
            _ => None,
        }
    }

    /// One of each kind; the ids do not matter.
    const ALL: [Self; 11] = [
        Self::GetContact(""),
        Self::PatchContact(""),
        Self::PatchByEmail(""),
        Self::CreateExport,
        Self::ExploreData,
        Self::GetExport(""),
        Self::GetFile(""),
        Self::CreateImport,
        Self::GetImport(""),
        Self::PublicEvent(""),
        Self::WebhookEvent(""),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::GetContact(_) => "connectif.contacts.get",
            Self::PatchContact(_) => "connectif.contacts.patch",
            Self::PatchByEmail(_) => "connectif.contacts.patch_by_email",
            Self::CreateExport => "connectif.exports.create",
            Self::ExploreData => "connectif.exports.explore",
            Self::GetExport(_) => "connectif.exports.get",
            Self::GetFile(_) => "connectif.files.get",
            Self::CreateImport => "connectif.imports.create",
            Self::GetImport(_) => "connectif.imports.get",
            Self::PublicEvent(_) => "connectif.events.public",
            Self::WebhookEvent(_) => "connectif.events.webhook",
        }
    }

    /// Whether the address is the credential.
    fn is_open(self) -> bool {
        matches!(self, Self::GetFile(_) | Self::WebhookEvent(_))
    }

    fn missing_scope(self, scopes: Scopes) -> Option<&'static str> {
        let reads =
            matches!(self, Self::GetContact(_) | Self::CreateExport | Self::ExploreData | Self::GetExport(_));
        if reads {
            (!scopes.read).then_some("Read Contacts")
        } else {
            (!scopes.write).then_some("Write Contacts")
        }
    }
}

/// The names of all operations, for faults and counters.
pub fn operations() -> impl Iterator<Item = &'static str> {
    Operation::ALL.into_iter().map(Operation::name)
}

impl Connectif {
    pub(crate) fn new(config: &SandboxConfig, clock: Clock, client: reqwest::Client) -> Self {
        let own = &config.connectif;
        let (seed, mode) = (config.seed, config.webhooks);
        let outbox = Outbox::new(
            Arc::new(ConnectifDialect),
            clock.clone(),
            client,
            seed,
            mode,
            config.webhook_concurrency,
        );
        Self {
            seed,
            clock,
            key_id: own.key_id.clone(),
            key_secret: own.key_secret.clone(),
            key: Mutex::new(Some(format!("{}:{}", own.key_id, own.key_secret))),
            settings: Mutex::new(Settings {
                scopes: own.scopes,
                limit: own.limit,
                write_lag: own.write_lag,
                guesses: own.guesses.clone(),
            }),
            account: Mutex::new(Account::new(own.custom_fields.clone(), own.events.clone(), seed)),
            window: Mutex::default(),
            outbox: Arc::new(outbox),
        }
    }

    fn handle(&self, call: &Call, settings: &Settings) -> Answer {
        let operation = Operation::of(&call.method, &call.path)
            .ok_or_else(|| Fault::NotFound("There is no such resource".into()))?;
        if !operation.is_open() {
            let key = lock(&self.key).clone();
            // The literal word, a space, and the key as it is: not base64.
            let given = call.header("authorization").and_then(|value| value.strip_prefix("apiKey "));
            if key.is_none() || given != key.as_deref() {
                return Err(Fault::BadKey);
            }
            if let Some(scope) = operation.missing_scope(settings.scopes) {
                return Err(Fault::MissingScope(scope));
            }
        }
        self.change(settings.guesses.announces_api_writes, false, |change| match operation {
            Operation::GetContact(email) => contacts::get(change, email),
            Operation::PatchContact(email) => contacts::patch(change, call, email, Route::Plain),
            Operation::PatchByEmail(email) => contacts::patch(change, call, email, Route::ByEmail),
            Operation::CreateExport => exports::export(change, call),
            Operation::ExploreData => exports::explore(change, call),
            Operation::GetExport(id) => exports::progress(change, call, id),
            Operation::GetFile(id) => exports::file(change, call, id),
            Operation::CreateImport => exports::import(change, call),
            Operation::GetImport(id) => exports::import_progress(change, id),
            Operation::PublicEvent(id) => events::public(change, call, id),
            Operation::WebhookEvent(id) => events::webhook(change, call, id),
        })
    }

    /// Runs `act` on the account; its calls are queued before anybody else may change the account.
    fn change<T>(
        &self,
        announced: bool,
        at_once: bool,
        act: impl FnOnce(&mut Change<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let now = self.clock.millis();
        let Settings { write_lag, guesses, .. } = lock(&self.settings).clone();
        let lag = match write_lag {
            WriteLag::UntilReleased if !at_once => Lag::UntilReleased,
            WriteLag::Millis(lag) if !at_once && lag > 0 => Lag::Until(now + i64::from(lag)),
            _ => Lag::None,
        };
        let mut account = lock(&self.account);
        let shape = guesses.webhook_body;
        let mut change = Change { account: &mut account, now, lag, guesses, announced, events: Vec::new() };
        let result = act(&mut change);
        for (event, contact, fields) in change.events {
            let body = webhooks::body(shape, &event, &contact, &fields);
            let id = account.random.uuid();
            self.outbox.push(&event, TARGET, id, body.to_string().into_bytes());
        }
        result
    }

    /// The limit's headers are on every answer, and on those of the file store and the event reception on none: these
    /// are other hosts at the vendor.
    fn within_limit(
        &self,
        call: &Call,
        limit: Option<Limit>,
        answer: impl FnOnce() -> Answer,
    ) -> (Answer, Option<limits::Standing>) {
        let open = Operation::of(&call.method, &call.path).is_some_and(Operation::is_open);
        let Some(limit) = limit.filter(|_| !open) else { return (answer(), None) };
        let standing = lock(&self.window).take(limit, self.clock.millis());
        (if standing.allowed { answer() } else { Err(Fault::Limited) }, Some(standing))
    }
}

impl Vendor for Connectif {
    fn operation(&self, call: &Call) -> &'static str {
        Operation::of(&call.method, &call.path).map_or("connectif.unknown", Operation::name)
    }

    fn answer(&self, call: &Call) -> Reply {
        let settings = lock(&self.settings).clone();
        let (answer, standing) = self.within_limit(call, settings.limit, || self.handle(call, &settings));
        let reply = answer.unwrap_or_else(|fault| fault.into_reply(&settings.guesses));
        match standing {
            Some(standing) => standing.on(reply),
            None => reply,
        }
    }

    fn too_many_requests(&self, _call: &Call) -> Reply {
        let settings = lock(&self.settings).clone();
        let reply = Fault::Limited.into_reply(&settings.guesses);
        let full = Window::default()
            .take(Limit { requests: 0, ..settings.limit.unwrap_or_default() }, self.clock.millis());
        full.on(reply)
    }

    fn revoke_credential(&self, _call: &Call) {
        *lock(&self.key) = None;
    }
}
