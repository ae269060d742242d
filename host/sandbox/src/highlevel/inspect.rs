//! The handle: looking at the double, and setting it up.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use url::Url;

use super::config::{AppConfig, Habits, LOCATION_SCOPES, Limits, LocationConfig, SearchLag};
use super::state::LocationState;
use super::tokens::Resource;
use super::wire::{self, Version};
use super::{HighLevel, Location, installation, oauth};
use crate::SandboxError;
use crate::outbox::Outbox;
use crate::recorder::lock;

/// Setting up.
impl HighLevel {
    /// Adds a location with its private token; every app is installed in it. An existing one is replaced.
    pub fn add_location(&self, config: LocationConfig) {
        let installed: BTreeSet<String> = lock(&self.apps).keys().cloned().collect();
        let (id, token) = (config.id.clone(), config.private_token.clone());
        let state = Mutex::new(LocationState::new(config, self.seed));
        let location = Arc::new(Location { id: id.clone(), state, installed: Mutex::new(installed) });
        lock(&self.locations).insert(id, Arc::clone(&location));
        let scopes = LOCATION_SCOPES.iter().map(ToString::to_string).collect();
        lock(&self.tokens).add_private(&token, location, scopes);
    }

    /// Adds an app and installs it everywhere, without INSTALL events.
    pub fn add_app(&self, app: AppConfig) {
        self.outbox.set_target(&app.id, app.webhook_url.clone());
        for location in lock(&self.locations).values() {
            lock(&location.installed).insert(app.id.clone());
        }
        lock(&self.apps).insert(app.id.clone(), Arc::new(app));
    }

    /// Adds a private integration token with these scopes only.
    ///
    /// # Errors
    /// When the location is unknown.
    pub fn add_private_token(
        &self,
        location: &str,
        token: &str,
        scopes: &[&str],
    ) -> Result<(), SandboxError> {
        let location = self.location(location)?;
        let scopes = scopes.iter().map(ToString::to_string).collect();
        lock(&self.tokens).add_private(token, location, scopes);
        Ok(())
    }

    /// Withdraws an access token or a private token; it answers 401 `Invalid JWT` from now on.
    pub fn revoke_token(&self, token: &str) {
        lock(&self.tokens).revoke(token);
    }

    /// Withdraws every access token that apps have for a location (or for the agency, by [`COMPANY_ID`](super::config::COMPANY_ID)):
    /// each answers 401 `Invalid JWT`, and its refresh token still works.
    pub fn withdraw_access(&self, resource: &str) {
        lock(&self.tokens).withdraw_access(resource);
    }

    /// Withdraws the refresh tokens of apps for a location or the agency: refreshing answers `invalid_grant`.
    pub fn withdraw_refresh(&self, resource: &str) {
        lock(&self.tokens).withdraw_refresh(resource);
    }

    /// A person consents for an app: in one location, or (`None`) for the whole agency. Returns the code of the
    /// redirect. INSTALL goes out at once, so it arrives before the code is exchanged (vendor issue 294).
    ///
    /// # Errors
    /// When the app or the location is unknown.
    pub fn authorize(&self, client_id: &str, location: Option<&str>) -> Result<String, SandboxError> {
        self.authorize_scopes(client_id, location, None)
    }

    pub(super) fn authorize_scopes(
        &self,
        client_id: &str,
        location: Option<&str>,
        asked: Option<Vec<String>>,
    ) -> Result<String, SandboxError> {
        let known = lock(&self.apps).values().find(|app| app.client_id == client_id).cloned();
        let app = known.ok_or_else(|| SandboxError::Unknown { what: "app", id: client_id.to_owned() })?;
        let resource = match location {
            Some(id) => Resource::Location(self.location(id)?),
            None => Resource::Company,
        };
        if let Resource::Location(location) = &resource {
            lock(&location.installed).insert(app.id.clone());
        }
        let scopes = oauth::consented(&app, asked, location.is_none());
        let now = self.clock.millis();
        let code = lock(&self.tokens).authorize(Arc::clone(&app), resource, scopes, now);
        self.announce("INSTALL", &app, location);
        Ok(code)
    }

    /// Removes an app from a location: its tokens die and UNINSTALL goes out.
    ///
    /// # Errors
    /// When the app or the location is unknown.
    pub fn uninstall(&self, app_id: &str, location: &str) -> Result<(), SandboxError> {
        let app = lock(&self.apps).get(app_id).cloned();
        let app = app.ok_or_else(|| SandboxError::Unknown { what: "app", id: app_id.to_owned() })?;
        lock(&self.location(location)?.installed).remove(app_id);
        lock(&self.tokens).uninstall(app_id, location);
        self.announce("UNINSTALL", &app, Some(location));
        Ok(())
    }

    fn announce(&self, event: &str, app: &AppConfig, location: Option<&str>) {
        let body = installation(event, app, location, self.clock.millis());
        self.outbox.push(event, &app.id, self.trace_id(), body.to_string().into_bytes());
    }

    /// Suspends a location or takes it up again; while suspended, refreshing answers 400 `Location is not active`.
    ///
    /// # Errors
    /// When the location is unknown.
    pub fn set_active(&self, location: &str, active: bool) -> Result<(), SandboxError> {
        lock(&self.location(location)?.state).active = active;
        Ok(())
    }

    /// Changes the limits; `None` switches them off.
    pub fn set_limits(&self, limits: Option<Limits>) {
        lock(&self.settings).limits = limits;
    }

    /// Pretends that the holder of `token` has made `requests` more requests today. Unknown tokens are ignored.
    pub fn spend_daily(&self, token: &str, requests: u32) {
        let now = self.clock.millis();
        let grant = lock(&self.tokens).grant(token, now);
        if let Some(grant) = grant {
            lock(&grant.bucket).spend_daily(requests, now);
        }
    }

    /// Changes the lag of search for changes from now on.
    pub fn set_search_lag(&self, lag: SearchLag) {
        lock(&self.settings).lag = lag;
    }

    /// Changes the habits.
    pub fn set_habits(&self, habits: Habits) {
        lock(&self.settings).habits = habits;
    }

    /// The limits in force; `None` when they are off.
    pub fn limits(&self) -> Option<Limits> {
        lock(&self.settings).limits
    }

    /// The habits in force.
    pub fn habits(&self) -> Habits {
        lock(&self.settings).habits
    }

    /// Makes every change searchable now, in every location.
    pub fn refresh_index(&self) {
        let locations: Vec<_> = lock(&self.locations).values().cloned().collect();
        for location in locations {
            lock(&location.state).index.release();
        }
    }

    /// Sends the webhooks of the first app to `address`, or to nobody.
    pub fn set_webhook_target(&self, address: Option<Url>) {
        self.outbox.set_target(&self.app().id, address);
    }

    pub(crate) fn reset(&self) {
        let locations: Vec<_> = lock(&self.locations).values().cloned().collect();
        for location in locations {
            let mut state = lock(&location.state);
            *state = LocationState::new(state.config.clone(), self.seed);
        }
        self.outbox.clear();
        self.outbox.clear_faults();
    }
}

/// Looking.
impl HighLevel {
    /// Ids of the locations, in order.
    pub fn location_ids(&self) -> Vec<String> {
        lock(&self.locations).keys().cloned().collect()
    }

    /// Id of the first location.
    pub fn first_location(&self) -> String {
        self.location_ids().into_iter().next().unwrap_or_default()
    }

    /// Private token of the first location.
    pub fn private_token(&self) -> String {
        let first = lock(&self.locations).values().next().cloned();
        first.map(|location| lock(&location.state).config.private_token.clone()).unwrap_or_default()
    }

    /// The first app.
    pub fn app(&self) -> AppConfig {
        lock(&self.apps).values().next().map(|app| AppConfig::clone(app)).unwrap_or_default()
    }

    /// The outgoing webhooks.
    pub fn webhooks(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// The Ed25519 key that verifies `X-GHL-Signature`: 32 raw bytes.
    pub fn webhook_public_key(&self) -> [u8; 32] {
        self.keys.current_public()
    }

    /// The same key as the vendor publishes its own: PEM of the SubjectPublicKeyInfo.
    pub fn webhook_public_key_pem(&self) -> String {
        use base64::Engine;
        // RFC 8410: the algorithm identifier of Ed25519 and a bit string of 32 bytes.
        let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        der.extend(self.webhook_public_key());
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// Signs a body as a webhook of the vendor's: the value of `X-GHL-Signature`.
    pub fn sign(&self, body: &[u8]) -> String {
        self.keys.sign(body)
    }

    /// The RSA key that verifies `X-WH-Signature`, as PEM. The key is made on first use, which takes a moment.
    pub fn legacy_public_key_pem(&self) -> Option<String> {
        self.keys.legacy_public()
    }

    /// A contact as get-by-id shows it; `None` when it is unknown or deleted.
    pub fn contact(&self, location: &str, id: &str) -> Option<Value> {
        let location = self.location(location).ok()?;
        let state = lock(&location.state);
        state.contact(id).map(|contact| Value::Object(wire::contact(contact, &location.id, Version::Dated)))
    }

    /// Every contact, oldest first. Empty when the location is unknown.
    pub fn contacts(&self, location: &str) -> Vec<Value> {
        let show = |state: &LocationState| {
            let shown = state.contacts().into_iter();
            shown.map(|contact| Value::Object(wire::contact(contact, location, Version::Dated))).collect()
        };
        self.look(location, show)
    }

    /// The tasks of a contact.
    pub fn tasks(&self, location: &str, contact: &str) -> Vec<Value> {
        self.look(location, |state| {
            state.tasks.get(contact).into_iter().flatten().map(|task| wire::task(task, contact)).collect()
        })
    }

    /// The notes of a contact, oldest first.
    pub fn notes(&self, location: &str, contact: &str) -> Vec<Value> {
        self.look(location, |state| {
            state
                .notes
                .get(contact)
                .into_iter()
                .flatten()
                .map(|note| wire::note(note, contact, location))
                .collect()
        })
    }

    /// The appointments of a location, deleted ones marked.
    pub fn appointments(&self, location: &str) -> Vec<Value> {
        self.look(location, |state| {
            state.appointments.values().map(|event| wire::calendar_event(event, &state.config)).collect()
        })
    }

    /// The tag dictionary.
    pub fn tags(&self, location: &str) -> Vec<String> {
        self.look(location, |state| state.tags.keys().cloned().collect())
    }

    /// Campaigns and workflows a contact is in.
    pub fn memberships(&self, location: &str, contact: &str) -> (Vec<String>, Vec<String>) {
        let location = self.location(location).ok();
        let contact = location.and_then(|location| lock(&location.state).contact(contact).cloned());
        let Some(contact) = contact else { return Default::default() };
        (contact.campaigns.iter().cloned().collect(), contact.workflows.iter().cloned().collect())
    }

    fn look<T>(&self, location: &str, show: impl FnOnce(&LocationState) -> Vec<T>) -> Vec<T> {
        self.location(location).map(|location| show(&lock(&location.state))).unwrap_or_default()
    }

    /// The whole state as JSON: locations with contacts, tasks, notes, appointments and tags.
    pub fn snapshot(&self) -> Value {
        let locations = self.location_ids().into_iter().map(|id| {
            let contacts = self.contacts(&id);
            let children = |of: &dyn Fn(&str) -> Vec<Value>| -> Vec<Value> {
                contacts.iter().filter_map(|contact| contact["id"].as_str()).flat_map(of).collect()
            };
            let (tasks, notes) = (children(&|c| self.tasks(&id, c)), children(&|c| self.notes(&id, c)));
            json!({
                "id": id, "tasks": tasks, "notes": notes, "appointments": self.appointments(&id),
                "tags": self.tags(&id), "contacts": contacts,
            })
        });
        json!({"locations": locations.collect::<Vec<_>>()})
    }
}
