//! Requests to the partner: the connector gives a relative path, the host adds base URL and credential and keeps the quota.

pub(crate) mod answer;
pub(crate) mod auth;
pub(crate) mod limited;
pub(crate) mod limits;
mod method;
pub(crate) mod names;
pub(crate) mod plain;
pub(crate) mod quota;
pub(crate) mod redact;
pub(crate) mod request;
mod send;
#[cfg(test)]
mod testing;
mod trace;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contactor_manifest::{Auth, HostPattern, Scheme};
use secrecy::SecretString;
use url::Url;

use crate::error::EngineError;
use crate::outbound::{Lane, Outbound};
use limited::Limited;
pub(crate) use limits::out_of_order_until;
pub(crate) use method::{is_repeatable, is_write};
pub(crate) use names::{blank, is_secret};
pub(crate) use quota::Quotas;
use redact::Hidden;
pub(crate) use redact::{Redactor, SHORTEST_KEPT, of_values};
pub(crate) use request::{base_url, check_size};
pub(crate) use trace::HELD_BACK;

/// A connection's credential by the names of its parts, and beside them which are no secrets (`partner/plain.rs`).
pub type Secrets = BTreeMap<String, SecretString>;

/// One connection's way to its partner.
pub(crate) struct PartnerApi {
    out: Outbound,
    lane: Lane,
    base: Url,
    auth: Auth,
    secrets: Secrets,
    credential: Hidden,
    quotas: Arc<Quotas>,
    limited: Mutex<Limited>,
    session: auth::Session,
    timeout: Duration,
    log_cap: usize,
}

/// What a connection has for its partner.
pub(crate) struct PartnerSetup {
    pub(crate) out: Outbound,
    /// The connector's id, and the hosts that its manifest names.
    pub(crate) connector: String,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) base_url: String,
    pub(crate) auth: Auth,
    pub(crate) secrets: BTreeMap<String, SecretString>,
    /// What the partner signs its webhooks with.
    pub(crate) webhook_secret: Option<SecretString>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) timeout: Duration,
    pub(crate) log_cap: usize,
}

impl PartnerApi {
    pub(crate) fn new(setup: PartnerSetup) -> Result<Self, EngineError> {
        let base = base_url(&setup.base_url, &setup.out)?;
        // Here as well as when it is entered: the manifest or the operator may have taken the host back.
        setup
            .out
            .check_host(&setup.connector, &setup.hosts, &base)
            .map_err(|why| EngineError::Invalid(format!("base URL: {why}")))?;
        if let Scheme::OAuth2 { .. } = setup.auth.scheme {
            return Err(EngineError::Invalid(format!(
                "authentication `{}`: OAuth 2.0 at partners is not available in this version",
                setup.auth.id
            )));
        }
        let missing: Vec<&str> =
            setup.auth.placeholders().into_iter().filter(|name| !setup.secrets.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(EngineError::Invalid(format!(
                "authentication `{}` needs the credential {}",
                setup.auth.id,
                missing.join(", ")
            )));
        }
        Ok(Self {
            lane: setup.out.lane(),
            out: setup.out,
            base,
            credential: Hidden::new(&setup.auth, &setup.secrets, setup.webhook_secret.as_ref()),
            auth: setup.auth,
            secrets: setup.secrets,
            limited: Mutex::default(),
            quotas: setup.quotas,
            session: auth::Session::default(),
            timeout: setup.timeout,
            log_cap: setup.log_cap,
        })
    }
}
