//! Tokens: private ones that stay, OAuth ones that expire and rotate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::Location;
use super::config::AppConfig;
use super::limits::Bucket;
use super::oauth;
use crate::clock::Millis;
use crate::random::Random;

/// An access token lasts about a day (`expires_in` of the vendor's specification).
pub(crate) const ACCESS_SECONDS: i64 = 86_399;
/// A refresh token lasts a year unless used (the Authorization page).
const REFRESH_MILLIS: Millis = 365 * 86_400_000;

/// What a token is for.
#[derive(Clone, Debug)]
pub(crate) enum Resource {
    Location(Arc<Location>),
    /// The agency; only the installation calls accept it.
    Company,
}

impl Resource {
    fn id(&self) -> &str {
        match self {
            Self::Location(location) => &location.id,
            Self::Company => super::config::COMPANY_ID,
        }
    }
}

/// What an access token allows.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) resource: Resource,
    pub(crate) scopes: Arc<[String]>,
    /// `None` for a private token.
    pub(crate) expires: Option<Millis>,
    /// `None` for a private token.
    pub(crate) app: Option<Arc<AppConfig>>,
    pub(crate) bucket: Arc<Mutex<Bucket>>,
}

impl Grant {
    pub(crate) fn allows(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// What a refresh token or an authorisation code can be turned into.
#[derive(Clone, Debug)]
pub(crate) struct Consent {
    pub(crate) app: Arc<AppConfig>,
    pub(crate) resource: Resource,
    pub(crate) scopes: Arc<[String]>,
    expires: Millis,
}

/// A fresh pair.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Every token of the double.
#[derive(Debug)]
pub(crate) struct Tokens {
    access: HashMap<String, Arc<Grant>>,
    refresh: HashMap<String, Consent>,
    codes: HashMap<String, Consent>,
    /// One budget per app and resource, shared by all tokens of both.
    buckets: HashMap<(String, String), Arc<Mutex<Bucket>>>,
    random: Random,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            access: HashMap::new(),
            refresh: HashMap::new(),
            codes: HashMap::new(),
            buckets: HashMap::new(),
            random: Random::new(seed, "tokens"),
        }
    }

    /// A private token; it has a budget of its own, like an app.
    pub(crate) fn add_private(&mut self, token: &str, location: Arc<Location>, scopes: Arc<[String]>) {
        let resource = Resource::Location(location);
        let bucket = self.bucket("private", &resource);
        self.access
            .insert(token.to_owned(), Arc::new(Grant { resource, scopes, expires: None, app: None, bucket }));
    }

    /// An authorisation code, good once and for ten minutes.
    pub(crate) fn authorize(
        &mut self,
        app: Arc<AppConfig>,
        resource: Resource,
        scopes: Arc<[String]>,
        now: Millis,
    ) -> String {
        let code = format!("code-{}", self.random.hex(40));
        self.codes.insert(code.clone(), Consent { app, resource, scopes, expires: now + 600_000 });
        code
    }

    /// Takes a code; it cannot be taken again.
    pub(crate) fn take_code(&mut self, code: &str, client_id: &str, now: Millis) -> Option<Consent> {
        take(&mut self.codes, code, client_id, now)
    }

    /// Takes a refresh token; it is single use, without any grace (no grace is documented).
    pub(crate) fn take_refresh(&mut self, token: &str, client_id: &str, now: Millis) -> Option<Consent> {
        take(&mut self.refresh, token, client_id, now)
    }

    /// Gives a taken refresh token back: a refusal by the location's state must not cost the grant.
    pub(crate) fn give_back(&mut self, token: &str, consent: Consent) {
        self.refresh.insert(token.to_owned(), consent);
    }

    /// A new pair for `consent`. Access tokens given out before stay valid until they expire.
    pub(crate) fn issue(&mut self, consent: Consent, now: Millis) -> Pair {
        let (access, refresh) = (self.random.hex(64), self.random.hex(64));
        let pair = Pair { access: format!("access-{access}"), refresh: format!("refresh-{refresh}") };
        let bucket = self.bucket(&consent.app.id, &consent.resource);
        let grant = Grant {
            resource: consent.resource.clone(),
            scopes: Arc::clone(&consent.scopes),
            expires: Some(now + ACCESS_SECONDS * 1000),
            app: Some(Arc::clone(&consent.app)),
            bucket,
        };
        self.access.insert(pair.access.clone(), Arc::new(grant));
        self.refresh.insert(pair.refresh.clone(), Consent { expires: now + REFRESH_MILLIS, ..consent });
        pair
    }

    /// The grant of a token that is valid at `now`.
    pub(crate) fn grant(&self, token: &str, now: Millis) -> Option<Arc<Grant>> {
        self.access.get(token).filter(|grant| grant.expires.is_none_or(|at| now < at)).cloned()
    }

    /// Withdraws one access token. False when it is not known.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        self.access.remove(token).is_some()
    }

    /// Withdraws every access token of apps for a location, or for the agency; refresh tokens and private tokens stay.
    pub(crate) fn withdraw_access(&mut self, resource_id: &str) {
        self.access.retain(|_, grant| grant.app.is_none() || grant.resource.id() != resource_id);
    }

    /// Withdraws every refresh token of apps for a location, or for the agency.
    pub(crate) fn withdraw_refresh(&mut self, resource_id: &str) {
        self.refresh.retain(|_, consent| consent.resource.id() != resource_id);
    }

    /// Withdraws everything an app has in a location.
    pub(crate) fn uninstall(&mut self, app_id: &str, location_id: &str) {
        let gone = |app: &AppConfig, resource: &Resource| app.id == app_id && resource.id() == location_id;
        self.access.retain(|_, grant| !grant.app.as_ref().is_some_and(|app| gone(app, &grant.resource)));
        self.refresh.retain(|_, consent| !gone(&consent.app, &consent.resource));
    }

    /// The consent of a company token turned to one of its locations: it allows no more there than the agency granted.
    pub(crate) fn narrow(grant: &Grant, location: Arc<Location>, now: Millis) -> Option<Consent> {
        let app = Arc::clone(grant.app.as_ref()?);
        let scopes = grant.scopes.iter().filter(|scope| !oauth::is_of_agencies(scope)).cloned().collect();
        Some(Consent { app, resource: Resource::Location(location), scopes, expires: now + REFRESH_MILLIS })
    }

    fn bucket(&mut self, app: &str, resource: &Resource) -> Arc<Mutex<Bucket>> {
        Arc::clone(self.buckets.entry((app.to_owned(), resource.id().to_owned())).or_default())
    }
}

fn take(from: &mut HashMap<String, Consent>, key: &str, client_id: &str, now: Millis) -> Option<Consent> {
    let fits =
        from.get(key).is_some_and(|consent| consent.app.client_id == client_id && now < consent.expires);
    if fits { from.remove(key) } else { None }
}
