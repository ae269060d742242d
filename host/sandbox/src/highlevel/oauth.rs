//! Authorisation: `/oauth/token` with single-use refresh tokens, `/oauth/locationToken`, `/oauth/installedLocations`
//! and the consent page.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::config::{AGENCY_SCOPES, AppConfig, COMPANY_ID};
use super::refusal::{Answer, Refusal, text};
use super::tokens::{ACCESS_SECONDS, Consent, Grant, Pair, Resource, Tokens};
use super::validate;
use super::{HighLevel, schema};
use crate::clock::iso_millis;
use crate::http::{Call, Reply, parse_query};
use crate::recorder::lock;

/// The user who gave every consent.
const USER_ID: &str = "SandboxUser000000001";

impl HighLevel {
    /// `POST /oauth/token`.
    pub(super) fn token(&self, call: &Call) -> Answer {
        let form = form(call);
        validate::check(&form, schema::TOKEN_V2)?;
        let value = |name| validate::text(&form, name).unwrap_or_default();
        let client_id = value("client_id");
        let known = lock(&self.apps)
            .values()
            .any(|app| app.client_id == client_id && app.client_secret == value("client_secret"));
        if !known {
            return Ok(oauth_error(401, "invalid_client", "Invalid client credentials!"));
        }
        let now = self.clock.millis();
        let mut tokens = lock(&self.tokens);
        let consent = match value("grant_type") {
            "authorization_code" => tokens.take_code(value("code"), client_id, now),
            "refresh_token" => tokens.take_refresh(value("refresh_token"), client_id, now),
            _ => return Err(Refusal::bad("Unsupported grant type")),
        };
        let Some(consent) = consent else {
            return Ok(oauth_error(
                400,
                "invalid_grant",
                "This grant is invalid: it is unknown, expired or already used",
            ));
        };
        if !is_active(&consent.resource) {
            // A suspended sub-account cannot refresh, and can again once it is active (vendor issue 249).
            tokens.give_back(value("refresh_token"), consent);
            return Err(Refusal::bad(text::INACTIVE));
        }
        let pair = tokens.issue(consent.clone(), now);
        Ok(Reply::json(200, &token_body(&consent, &pair)))
    }

    /// `POST /oauth/locationToken`: an agency token turned to one location.
    pub(super) fn location_token(&self, call: &Call, grant: &Grant) -> Answer {
        let form = form(call);
        validate::check(&form, schema::LOCATION_TOKEN)?;
        if validate::text(&form, "companyId") != Some(COMPANY_ID) {
            return Err(Refusal::bad("Invalid companyId"));
        }
        let id = validate::text(&form, "locationId").unwrap_or_default();
        let location = self.location(id).map_err(|_| Refusal::bad("Location not found"))?;
        let now = self.clock.millis();
        let consent =
            Tokens::narrow(grant, location, now).ok_or_else(|| Refusal::unauthorized(text::SCOPE))?;
        if !is_active(&consent.resource) {
            return Err(Refusal::bad(text::INACTIVE));
        }
        let installed = matches!(&consent.resource, Resource::Location(location)
            if lock(&location.installed).contains(&consent.app.id));
        if !installed {
            return Err(Refusal::bad("The app is not installed in this location"));
        }
        let pair = lock(&self.tokens).issue(consent.clone(), now);
        Ok(Reply::json(200, &token_body(&consent, &pair)))
    }

    /// `GET /oauth/installedLocations`.
    pub(super) fn installed_locations(&self, call: &Call) -> Answer {
        let mut faults = Vec::new();
        for name in ["companyId", "appId"] {
            if call.query(name).is_none() {
                faults.push(format!("{name} must be a string"));
            }
        }
        if !faults.is_empty() {
            return Err(Refusal::invalid(faults));
        }
        let app_id = call.query("appId").unwrap_or_default();
        let skip = validate::query_number(call, "skip", 0)?;
        let limit = validate::query_number(call, "limit", 20)?;
        let locations: Vec<_> = lock(&self.locations).values().cloned().collect();
        let mut rows = Vec::new();
        for location in locations {
            let installed = lock(&location.installed).contains(app_id);
            let wanted = call.query("isInstalled").is_none_or(|flag| (flag == "true") == installed)
                && call.query("locationId").is_none_or(|id| id == location.id);
            if wanted {
                let name = lock(&location.state).config.name.clone();
                let installed_at = installed.then(|| iso_millis(self.started));
                rows.push(json!({
                    "_id": location.id, "name": name, "address": "1 Example Street", "isInstalled": installed,
                    "installedAt": installed_at,
                }));
            }
        }
        let count = rows.len();
        let page: Vec<Value> = rows.into_iter().skip(skip).take(limit).map(without_nulls).collect();
        Ok(Reply::json(200, &json!({"locations": page, "count": count, "installToFutureLocations": false})))
    }

    /// `GET /v2/oauth/chooselocation`: consents at once and sends the browser back. The sandbox takes the location
    /// from `locationId` (not the vendor's), else the first one; `locationId=company` is an agency install.
    pub(super) fn choose_location(&self, call: &Call) -> Answer {
        let need = |name: &str| {
            call.query(name)
                .ok_or_else(|| Refusal::bad(format!("{name} is missing from the authorisation address")))
        };
        let (client_id, redirect) = (need("client_id")?, need("redirect_uri")?);
        let asked: Vec<String> = need("scope")?.split([' ', ',']).map(str::to_owned).collect();
        let location = match call.query("locationId") {
            Some("company") => None,
            Some(id) => Some(id.to_owned()),
            None => lock(&self.locations).keys().next().cloned(),
        };
        let code = self
            .authorize_scopes(client_id, location.as_deref(), Some(asked))
            .map_err(|error| Refusal::bad(error.to_string()))?;
        let mut back: url::Url =
            redirect.parse().map_err(|_| Refusal::bad("redirect_uri is not an address"))?;
        back.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = call.query("state") {
            back.query_pairs_mut().append_pair("state", state);
        }
        Ok(Reply::html(302, String::new()).with("location", &back))
    }
}

fn is_active(resource: &Resource) -> bool {
    match resource {
        Resource::Location(location) => lock(&location.state).active,
        Resource::Company => true,
    }
}

/// The form of a token call; a JSON body is not read, as the v2 endpoint does not.
fn form(call: &Call) -> Map<String, Value> {
    let is_form =
        call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let body = if is_form { String::from_utf8_lossy(&call.body) } else { "".into() };
    parse_query(&body).into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

/// Both error spellings: OAuth's own and HighLevel's.
fn oauth_error(status: u16, error: &str, text: &str) -> Reply {
    Reply::json(
        status,
        &json!({"error": error, "error_description": text, "statusCode": status, "message": text}),
    )
}

fn token_body(consent: &Consent, pair: &Pair) -> Value {
    let mut body = json!({
        "access_token": pair.access,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": pair.refresh,
        "scope": consent.scopes.join(" "),
        "companyId": COMPANY_ID,
        "userId": USER_ID,
        "planId": "sandboxplan000000000001",
        "appId": consent.app.id,
        "versionId": consent.app.version_id,
    });
    match &consent.resource {
        Resource::Location(location) => {
            body["userType"] = json!("Location");
            body["locationId"] = json!(location.id);
        }
        Resource::Company => {
            body["userType"] = json!("Company");
            body["isBulkInstallation"] = json!(true);
        }
    }
    body
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, member| !member.is_null());
    }
    value
}

/// What a consent covers: what was asked, as far as the app has it. Those of an agency are an agency's alone.
pub(super) fn consented(app: &AppConfig, asked: Option<Vec<String>>, company: bool) -> Arc<[String]> {
    let mut scopes: Vec<String> = match asked {
        Some(asked) => asked.into_iter().filter(|scope| app.scopes.contains(scope)).collect(),
        None => app.scopes.clone(),
    };
    if !company {
        scopes.retain(|scope| !is_of_agencies(scope));
    }
    scopes.into()
}

/// Whether no token of a location carries this scope.
pub(super) fn is_of_agencies(scope: &str) -> bool {
    AGENCY_SCOPES.contains(&scope)
}
