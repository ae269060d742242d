//! A double of PheedLoop (events): one organisation with events, attendees, registrations, check-in, members, tags, REST hooks.
//!
//! [`PheedLoop`] is also the handle of a test: it shows records, counts the welcome mails the vendor would have sent, and acts as
//! a person in the vendor's own interface ([`EventAct`]). What is known of the vendor comes from the public metadata of a
//! third-party connector (<https://github.com/MemberJunction/MJ>); the rest can be chosen in [`Guesses`].

mod attendees;
mod checkin;
mod config;
mod emit;
mod error;
mod hooks;
mod inspect;
mod page;
mod person;
mod records;
mod routes;
mod state;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use url::{Host, Url};

pub use self::config::{Envelope, Errored, EventConfig, Guesses, PheedLoopConfig, Signing, TagShape};
use self::error::{Answer, Fault};
use self::hooks::{PheedLoopDialect, Secrets};
pub use self::person::EventAct;
pub use self::state::Welcomes;
use self::state::{Event, Object, Organization};
use crate::SandboxConfig;
use crate::clock::{Clock, Millis};
use crate::http::{Call, Reply, Vendor};
use crate::outbox::Outbox;
use crate::random::Random;
use crate::recorder::lock;

/// The version that the vendor last reported in public.
const VERSION: &str = "3.7.0";

/// The double and its handle.
pub struct PheedLoop {
    clock: Clock,
    config: PheedLoopConfig,
    seed: u64,
    /// The key and the secret that are accepted.
    keys: Mutex<Option<(String, String)>>,
    guesses: Mutex<Guesses>,
    organization: Mutex<Organization>,
    /// Ids of webhook deliveries.
    random: Mutex<Random>,
    /// When requests of the last minute came.
    recent: Mutex<VecDeque<Millis>>,
    secrets: Secrets,
    outbox: Arc<Outbox>,
}

impl std::fmt::Debug for PheedLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PheedLoop").field("organization", &self.config.organization).finish_non_exhaustive()
    }
}

/// A change in progress.
struct Change<'a> {
    organization: &'a mut Organization,
    guesses: &'a Guesses,
    now: Millis,
    /// The whole path of the call, as its sender knows it.
    path: &'a str,
    /// A request of the API, and not an act of a person: only these have switches for welcome mails.
    by_api: bool,
    /// Webhooks: hook, action, body.
    events: Vec<(String, &'static str, Value)>,
    /// Hooks whose address changed.
    retargeted: Vec<(String, Option<Url>)>,
}

impl Change<'_> {
    fn event(&self, code: &str) -> Result<&Event, Fault> {
        self.organization.events.get(code).ok_or(Fault::NotFound)
    }

    fn event_mut(&mut self, code: &str) -> Result<&mut Event, Fault> {
        self.organization.events.get_mut(code).ok_or(Fault::NotFound)
    }

    /// Queues a webhook for every hook of the event that listens to the action.
    fn emit(&mut self, event: &str, action: &'static str, row: &Object) {
        if self.by_api && !self.guesses.echoes_api_writes {
            return;
        }
        let Some(event) = self.organization.events.get(event) else { return };
        let record = attendees::shown(row, self.guesses.tags);
        let listening = event.hooks.iter().filter(|hook| state::text(hook, "action") == action);
        self.events.extend(listening.map(|hook| {
            (hook["id"].to_string(), action, hooks::body(self.guesses.envelope, hook, action, &record))
        }));
    }

    fn page(&self, call: &Call, rows: Vec<Value>) -> Answer {
        page::reply(call, self.guesses, self.path, rows)
    }

    /// The answer of a write: the record, or its code alone.
    fn written(&self, status: u16, row: &Object, shown: Value) -> Reply {
        let body = if self.guesses.answers_code_only { json!({ "code": row.get("code") }) } else { shown };
        Reply::json(status, &body)
    }
}

/// The names of all operations, for faults and counters.
pub fn operations() -> impl Iterator<Item = &'static str> {
    routes::ROUTES.iter().map(|route| route.name)
}

impl PheedLoop {
    pub(crate) fn new(config: &SandboxConfig, clock: Clock, client: reqwest::Client) -> Self {
        let own = config.pheedloop.clone();
        let secrets = Secrets::default();
        let dialect = Arc::new(PheedLoopDialect { secrets: Arc::clone(&secrets) });
        let outbox = Outbox::new(
            dialect,
            clock.clone(),
            client,
            config.seed,
            config.webhooks,
            config.webhook_concurrency,
        );
        Self {
            clock,
            seed: config.seed,
            keys: Mutex::new(Some((own.api_key.clone(), own.api_secret.clone()))),
            guesses: Mutex::new(own.guesses.clone()),
            organization: Mutex::new(Organization::new(&own)),
            random: Mutex::new(Random::new(config.seed, "pheedloop")),
            recent: Mutex::default(),
            secrets,
            outbox: Arc::new(outbox),
            config: own,
        }
    }

    fn handle(&self, call: &Call, guesses: &Guesses) -> Answer {
        let found = routes::find(&call.method, &call.path);
        let header = |name| call.header(name).map(str::to_owned);
        match (header("x-api-key").zip(header("x-api-secret")), &*lock(&self.keys)) {
            (None, _) => return Err(Fault::NoKey),
            (Some(pair), Some(keys)) if pair == *keys => {}
            (Some(_), _) => return Err(Fault::BadKey),
        }
        let (route, organization, ids) = found.ok_or(Fault::NotFound)?;
        if organization != self.config.organization {
            return Err(Fault::NotFound);
        }
        if let Some(most) = guesses.requests_per_minute
            && !self.take(most)
        {
            return Err(Fault::Limited);
        }
        let path = format!("{}{}", crate::server::PHEEDLOOP, call.path);
        self.change(&path, true, |change| (route.act)(change, call, &ids))
    }

    /// Books a request; false when there were enough in the last minute.
    fn take(&self, most: usize) -> bool {
        let now = self.clock.millis();
        let mut recent = lock(&self.recent);
        while recent.front().is_some_and(|at| now - at >= 60_000) {
            recent.pop_front();
        }
        let allowed = recent.len() < most;
        if allowed {
            recent.push_back(now);
        }
        allowed
    }

    /// Runs `act`; its webhooks are queued before anybody else may change the organisation.
    fn change<T>(
        &self,
        path: &str,
        by_api: bool,
        act: impl FnOnce(&mut Change<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let guesses = lock(&self.guesses).clone();
        let mut organization = lock(&self.organization);
        let mut change = Change {
            organization: &mut organization,
            guesses: &guesses,
            now: self.clock.millis(),
            path,
            by_api,
            events: Vec::new(),
            retargeted: Vec::new(),
        };
        let result = act(&mut change);
        let Change { events, retargeted, .. } = change;
        for (hook, address) in retargeted {
            self.outbox.set_target(&hook, address.filter(is_loopback));
        }
        for (hook, action, body) in events {
            let event = organization.events.values().find(|event| event.hooks.get(&hook).is_some());
            if let Some(event) = event {
                let secret = (event.config.webhook_secret.clone(), guesses.signing);
                lock(&self.secrets).insert(hook.clone(), secret);
            }
            let id = lock(&self.random).uuid();
            self.outbox.push(action, &hook, id, body.to_string().into_bytes());
        }
        result
    }
}

/// A double must never reach out of this machine, whatever address it is told.
fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Vendor for PheedLoop {
    fn operation(&self, call: &Call) -> &'static str {
        routes::find(&call.method, &call.path).map_or("pheedloop.unknown", |(route, ..)| route.name)
    }

    fn answer(&self, call: &Call) -> Reply {
        let guesses = lock(&self.guesses).clone();
        let reply = self.handle(call, &guesses).unwrap_or_else(|fault| fault.into_reply(&guesses));
        reply.with("pheedloop-api-version", &VERSION)
    }

    fn too_many_requests(&self, _call: &Call) -> Reply {
        Fault::Limited.into_reply(&lock(&self.guesses))
    }

    fn revoke_credential(&self, _call: &Call) {
        self.revoke_key();
    }
}
