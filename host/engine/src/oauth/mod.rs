//! HighLevel's OAuth grants: who consented, which access token is good now, and how it is renewed without ever losing a grant.
//!
//! | file | what it does |
//! |---|---|
//! | `consent` | sends a person to the consent page and takes the code that comes back |
//! | `renew` | renews a pair: one process at a time, one request per generation, stored before it is used |
//! | `courier`, `letter` | make the request outlive the host |
//! | `tokens` | the token for a location: its own grant's, or one made from its agency's |
//! | `allowed` | what the consent behind a workspace allows |
//! | `installs` | INSTALL and UNINSTALL, and the agency's list of locations |

mod allowed;
mod consent;
mod courier;
mod installs;
mod letter;
mod renew;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contactor_highlevel::oauth::{AGENCY_SCOPES, OAuthApp, OAuthClient};
use contactor_highlevel::{AccessToken, TokenError};
use contactor_store::{GrantId, LocationId, Store, WorkspaceId};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use consent::no_app;
pub use consent::{Connected, ConsentPage, NewConsent};
pub use courier::{Courier, Order};
pub use installs::{GrantView, LocationInstalled};

use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::error::EngineError;
use crate::vault::secret_json;

/// How this host is known at HighLevel's marketplace.
#[derive(Clone, Debug)]
pub struct OAuthSetup {
    /// The app.
    pub app: OAuthApp,
    /// The consent pages, the vendor's own and the one without its name. A double has one for both.
    pub pages: [Url; 2],
    /// What is asked for; a scope that is added later does not reach those who consented before. An agency is asked for
    /// [`AGENCY_SCOPES`] as well, and nobody else is.
    pub scopes: Vec<String>,
    /// How token requests are made.
    pub courier: Courier,
}

impl OAuthSetup {
    /// What a consent asks for.
    fn asked(&self, agency: bool) -> Vec<String> {
        let of_agencies = |scope: &str| AGENCY_SCOPES.contains(&scope);
        let mut asked: Vec<String> =
            self.scopes.iter().filter(|scope| !of_agencies(scope.as_str())).cloned().collect();
        if agency {
            asked.extend(AGENCY_SCOPES.map(str::to_owned));
        }
        asked
    }

    /// What a consent asked for and did not bring. Of one that does not say what it brought nothing is known.
    fn lacking(&self, agency: bool, granted: &[String]) -> Vec<String> {
        let mut lacking = self.asked(agency);
        lacking.retain(|scope| !granted.is_empty() && !granted.contains(scope));
        lacking
    }
}

/// All that this process knows of grants.
pub(crate) struct OAuth {
    setup: OAuthSetup,
    client: OAuthClient,
    store: Arc<dyn Store>,
    credentials: Credentials,
    clock: Clock,
    /// This process in the leases: where its letters lie, and a part of its own.
    owner: String,
    place: String,
    flights: Mutex<HashMap<GrantId, Arc<tokio::sync::Mutex<()>>>>,
    known: Mutex<HashMap<GrantId, Known>>,
    derived: Mutex<HashMap<LocationId, Derived>>,
    index: Mutex<Option<(tokio::time::Instant, Vec<GrantId>)>>,
}

/// An access token and until when it is good.
#[derive(Clone, Debug)]
struct Known {
    access: AccessToken,
    expires_at: Timestamp,
}

/// A token that was made from an agency's for a location, and what it allows; nothing where HighLevel does not say.
struct Derived {
    known: Known,
    scopes: Vec<String>,
}

/// A pair as it is sealed.
#[derive(Serialize, Deserialize)]
struct Pair {
    access: String,
    refresh: Option<String>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.access.zeroize();
        self.refresh.zeroize();
    }
}

impl OAuth {
    pub(crate) fn new(
        setup: OAuthSetup,
        client: OAuthClient,
        store: Arc<dyn Store>,
        credentials: Credentials,
        clock: Clock,
    ) -> Result<Self, EngineError> {
        let place = place(&setup.courier)
            .map_err(|error| EngineError::Invalid(format!("{}: {error}", setup.courier.dir.display())))?;
        Ok(Self {
            setup,
            client,
            store,
            credentials,
            clock,
            owner: format!("{place}/{}", uuid::Uuid::new_v4()),
            place,
            flights: Mutex::default(),
            known: Mutex::default(),
            derived: Mutex::default(),
            index: Mutex::default(),
        })
    }

    fn flight(&self, id: &GrantId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.flights).entry(id.clone()).or_default())
    }

    /// The pair of a grant, as stored.
    async fn pair(&self, id: &GrantId) -> Result<Pair, TokenError> {
        let unavailable = |error: &dyn std::fmt::Display| TokenError::Unavailable(error.to_string());
        let text = self.credentials.get(&custody(), &id.pair()).await.map_err(|error| unavailable(&error))?;
        let text = text.ok_or(TokenError::NotConnected)?;
        // Ours, and a secret: a parse error must not quote it.
        serde_json::from_str(text.expose_secret())
            .map_err(|_| TokenError::Unavailable(format!("the stored pair of {id} is unreadable")))
    }
}

impl Pair {
    fn sealed_text(&self) -> Result<SecretString, EngineError> {
        secret_json(self).map_err(|error| EngineError::Invalid(error.to_string()))
    }
}

/// Whose key seals grants.
fn custody() -> WorkspaceId {
    WorkspaceId::new(GrantId::CUSTODY)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What tells the letters' directory from another machine's.
fn place(courier: &Courier) -> std::io::Result<String> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&courier.dir)?;
    let file = courier.dir.join("place");
    match std::fs::read_to_string(&file) {
        Ok(place) if !place.trim().is_empty() => Ok(place.trim().to_owned()),
        Ok(_) => new_place(&file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => new_place(&file),
        Err(error) => Err(error),
    }
}

fn new_place(file: &std::path::Path) -> std::io::Result<String> {
    let place = uuid::Uuid::new_v4().to_string();
    let draft = file.with_extension("draft");
    std::fs::write(&draft, &place)?;
    std::fs::rename(&draft, file)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agency_is_asked_for_what_its_locations_are_opened_with_and_a_location_is_not() {
        let url: Url = "https://host.example/".parse().unwrap();
        let app = OAuthApp {
            client_id: "65f0fake-abc".to_owned(),
            client_secret: "fake-client-secret".into(),
            redirect_url: url.clone(),
        };
        let courier = Courier { dir: "couriers".into(), program: None, secrets: Vec::new() };
        // Also when the operator wrote one of them down.
        let scopes = ["contacts.readonly", "oauth.write", "contacts.write"].map(str::to_owned).to_vec();
        let setup = OAuthSetup { app, pages: [url.clone(), url], scopes, courier };
        let both = ["contacts.readonly", "contacts.write"];
        assert_eq!(setup.asked(false), both);
        assert_eq!(setup.asked(true), [&both[..], &["oauth.readonly", "oauth.write"]].concat());

        let granted = both.map(str::to_owned);
        assert_eq!(setup.lacking(false, &granted), Vec::<String>::new());
        assert_eq!(setup.lacking(true, &granted), ["oauth.readonly", "oauth.write"]);
        assert_eq!(setup.lacking(true, &[]), Vec::<String>::new(), "it does not say what it brought");
    }
}
