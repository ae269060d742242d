//! A double of HighLevel (GoHighLevel, LeadConnector): locations, tokens, contacts and everything on them.
//!
//! The way of a request: version header, token, limits, scope, location, body schema, business rule, effect, webhooks.
//! The order matters, because each step answers differently and a client has to tell the answers apart.
//!
//! Sources: the vendor's specification and pages in <https://github.com/GoHighLevel/highlevel-api-docs> ("vendor issue
//! n" is issue n there), its help site (`https://help.gohighlevel.com/support/solutions/articles/n`), recorded answers,
//! and what integrators published.
//!
//! [`HighLevel`] is also the handle of a test: it shows records, and it acts as a person in the vendor's own interface
//! ([`PersonAct`]), which sends webhooks like any other change.

mod appointments;
mod config;
mod contacts;
mod emit;
mod filter;
mod index;
mod inspect;
mod limits;
mod load;
mod locations;
mod normal;
mod notes;
mod oauth;
mod person;
mod refusal;
mod relations;
mod routes;
mod schema;
mod search;
mod state;
mod tasks;
mod tokens;
mod tx;
mod validate;
mod webhooks;
mod wire;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

pub use self::config::{
    AGENCY_SCOPES, AppConfig, COMPANY_ID, Habits, HighLevelConfig, LOCATION_SCOPES, Limits, LocationConfig,
    MatchBy, SearchLag, Window,
};
use self::limits::Left;
pub use self::person::PersonAct;
use self::refusal::{Answer, Refusal, text};
pub use self::routes::operations;
use self::routes::{Action, Route};
use self::state::LocationState;
use self::tokens::{Grant, Resource, Tokens};
use self::tx::{Actor, Request, Tx};
use self::webhooks::{HighLevelDialect, Keys};
use self::wire::Version;
use crate::clock::{Clock, Millis, iso_millis};
use crate::http::{Call, Reply, Vendor};
use crate::outbox::Outbox;
use crate::random::Random;
use crate::recorder::lock;
use crate::{SandboxConfig, SandboxError};

/// The name under which requests that no operation takes are counted.
const UNKNOWN: &str = "highlevel.unknown";
/// Versions accepted in the header besides `v3` (<https://marketplace.gohighlevel.com/docs/Versioning/>).
const DATED_VERSIONS: &[&str] = &["2021-07-28", "2021-04-15", "2023-02-21"];

/// One location and its records.
#[derive(Debug)]
pub(crate) struct Location {
    pub(crate) id: String,
    pub(crate) state: Mutex<LocationState>,
    /// Ids of the apps installed here.
    pub(crate) installed: Mutex<BTreeSet<String>>,
}

/// What can be changed while the double runs.
#[derive(Clone, Copy, Debug)]
struct Settings {
    limits: Option<Limits>,
    lag: SearchLag,
    habits: Habits,
}

/// The double and its handle.
pub struct HighLevel {
    seed: u64,
    clock: Clock,
    started: Millis,
    settings: Arc<Mutex<Settings>>,
    locations: Mutex<BTreeMap<String, Arc<Location>>>,
    apps: Mutex<BTreeMap<String, Arc<AppConfig>>>,
    tokens: Mutex<Tokens>,
    keys: Arc<Keys>,
    outbox: Arc<Outbox>,
    traces: AtomicU64,
}

impl std::fmt::Debug for HighLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HighLevel").field("locations", &lock(&self.locations).keys()).finish_non_exhaustive()
    }
}

impl HighLevel {
    pub(crate) fn new(config: &SandboxConfig, clock: Clock, client: reqwest::Client) -> Self {
        let own = &config.highlevel;
        let settings =
            Arc::new(Mutex::new(Settings { limits: own.limits, lag: own.search_lag, habits: own.habits }));
        let keys = Arc::new(Keys::new(config.seed));
        let shared = Arc::clone(&settings);
        let dialect =
            HighLevelDialect { keys: Arc::clone(&keys), habits: Arc::new(move || lock(&shared).habits) };
        let outbox = Outbox::new(
            Arc::new(dialect),
            clock.clone(),
            client,
            config.seed,
            config.webhooks,
            config.webhook_concurrency,
        );
        let double = Self {
            seed: config.seed,
            started: clock.millis(),
            clock,
            settings,
            locations: Mutex::default(),
            apps: Mutex::default(),
            tokens: Mutex::new(Tokens::new(config.seed)),
            keys,
            outbox: Arc::new(outbox),
            traces: AtomicU64::new(0),
        };
        for app in &own.apps {
            double.add_app(app.clone());
        }
        for location in &own.locations {
            double.add_location(location.clone());
        }
        double
    }

    pub(crate) fn location(&self, id: &str) -> Result<Arc<Location>, SandboxError> {
        let unknown = || SandboxError::Unknown { what: "location", id: id.to_owned() };
        lock(&self.locations).get(id).cloned().ok_or_else(unknown)
    }

    fn handle(&self, call: &Call, trace_id: &str) -> Answer {
        let cannot = || Refusal::not_found(format!("Cannot {} {}", call.method, call.path));
        let mut found = routes::find(&call.method, &call.path).peekable();
        match found.peek().ok_or_else(cannot)?.0.action {
            Action::Token => return self.token(call),
            Action::ChooseLocation => return self.choose_location(call),
            Action::Reconnect => return Err(Refusal::bad("API endpoint has been removed")),
            Action::Location(_) | Action::LocationToken | Action::InstalledLocations => {}
        }
        let version = version(call)?;
        let (route, params) = pick(found, version).ok_or_else(cannot)?;
        let now = self.clock.millis();
        let token = call.bearer().ok_or_else(|| Refusal::unauthorized(text::INVALID_JWT))?;
        let grant =
            lock(&self.tokens).grant(token, now).ok_or_else(|| Refusal::unauthorized(text::INVALID_JWT))?;
        let limits = lock(&self.settings).limits;
        let left = limits.map(|limits| lock(&grant.bucket).take(&limits, now));
        let answer = if left.is_some_and(|left| !left.allowed) {
            Err(Refusal::too_many())
        } else {
            let request = Request { call, params, version, trace_id };
            self.authorised(route, &request, &grant, now)
        };
        let reply = answer.unwrap_or_else(|refusal| refusal.into_reply(trace_id));
        Ok(match left {
            Some(left) => left.write(reply),
            None => reply,
        })
    }

    fn authorised(&self, route: &Route, request: &Request<'_>, grant: &Grant, now: Millis) -> Answer {
        if route.scope.is_some_and(|scope| !grant.allows(scope)) {
            return Err(Refusal::unauthorized(text::SCOPE));
        }
        match (route.action, &grant.resource) {
            (Action::Location(handler), Resource::Location(location)) => {
                let app = grant.app.as_ref().map_or("private", |app| &app.client_id);
                let answer = self.change(location, now, Actor::Api(app), |tx| handler(tx, request));
                answer.map_err(|refusal| self.elsewhere(refusal, location))
            }
            (Action::LocationToken, Resource::Company) => self.location_token(request.call, grant),
            (Action::InstalledLocations, Resource::Company) => self.installed_locations(request.call),
            // An agency token has no location, and a location token no agency.
            _ => Err(Refusal::forbidden(text::WRONG_LOCATION)),
        }
    }

    /// Runs `act` on a location; the webhooks it caused are queued before anybody else may change the location.
    fn change<T>(
        &self,
        location: &Location,
        now: Millis,
        actor: Actor<'_>,
        act: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let Settings { habits, lag, .. } = *lock(&self.settings);
        let mut state = lock(&location.state);
        let mut tx = Tx { state: &mut state, now, actor, habits, lag, events: Vec::new() };
        let result = act(&mut tx);
        let events = tx.events;
        self.publish(location, &mut state, now, &events);
        result
    }

    fn publish(
        &self,
        location: &Location,
        state: &mut LocationState,
        now: Millis,
        events: &[(Cow<'static, str>, Map<String, Value>)],
    ) {
        if events.is_empty() {
            return;
        }
        let installed = lock(&location.installed).clone();
        let apps: Vec<_> =
            lock(&self.apps).values().filter(|app| installed.contains(&app.id)).cloned().collect();
        let timestamp = iso_millis(now);
        for (event, members) in events {
            for app in &apps {
                let (webhook_id, delivery_id) = (state.new_uuid(), state.new_uuid());
                let body = webhooks::body(event, members, &location.id, &timestamp, &webhook_id, app);
                self.outbox.push(event, &app.id, delivery_id, body);
            }
        }
    }

    /// A contact of another location is forbidden rather than unknown.
    fn elsewhere(&self, refusal: Refusal, own: &Location) -> Refusal {
        let Some(id) = refusal.missing_contact() else { return refusal };
        let others: Vec<_> =
            lock(&self.locations).values().filter(|other| other.id != own.id).cloned().collect();
        let found = others.iter().any(|other| lock(&other.state).contact(id).is_some());
        if found { Refusal::forbidden(text::WRONG_LOCATION) } else { refusal }
    }

    fn trace_id(&self) -> String {
        Random::new(self.seed ^ self.traces.fetch_add(1, Ordering::Relaxed).rotate_left(20), "trace").uuid()
    }
}

/// The first route that fits, unless its path belongs to another version: `removeAll` must not be taken for the id of
/// a campaign.
fn pick<'p>(
    mut found: impl Iterator<Item = (&'static Route, Vec<&'p str>)>,
    version: Version,
) -> Option<(&'static Route, Vec<&'p str>)> {
    found.next().filter(|(route, _)| route.only.is_none_or(|only| only == version))
}

/// The version header is checked at the gateway and fails as 401, not 400.
fn version(call: &Call) -> Result<Version, Refusal> {
    match call.header("version") {
        None => Err(Refusal::unauthorized(text::NO_VERSION)),
        Some("v3") => Ok(Version::V3),
        Some(dated) if DATED_VERSIONS.contains(&dated) => Ok(Version::Dated),
        Some(_) => Err(Refusal::unauthorized(text::BAD_VERSION)),
    }
}

impl Vendor for HighLevel {
    fn operation(&self, call: &Call) -> &'static str {
        routes::find(&call.method, &call.path).next().map_or(UNKNOWN, |(route, _)| route.name)
    }

    fn answer(&self, call: &Call) -> Reply {
        let trace_id = self.trace_id();
        self.handle(call, &trace_id).unwrap_or_else(|refusal| refusal.into_reply(&trace_id))
    }

    fn too_many_requests(&self, _call: &Call) -> Reply {
        let limits = lock(&self.settings).limits.unwrap_or_default();
        Left::exhausted(&limits).write(Refusal::too_many().into_reply(&self.trace_id()))
    }

    fn revoke_credential(&self, call: &Call) {
        if let Some(token) = call.bearer() {
            lock(&self.tokens).revoke(token);
        }
    }
}

/// An INSTALL or UNINSTALL body; an agency installation names no location.
fn installation(event: &str, app: &AppConfig, location_id: Option<&str>, now: Millis) -> Value {
    let mut body = json!({
        "type": event, "appId": app.id, "versionId": app.version_id, "companyId": COMPANY_ID,
        "timestamp": iso_millis(now),
    });
    if let Some(id) = location_id {
        body["locationId"] = json!(id);
    }
    body
}
