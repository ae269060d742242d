//! What the token endpoint answers, and what a refusal of it means.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::ids::LocationId;
use crate::redact::Redactor;

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// One location.
    Location {
        /// Its id.
        location: LocationId,
        /// The agency that it belongs to, when the vendor says so.
        company: Option<String>,
    },
    /// An agency: good for the calls about its installations, and for tokens of its locations.
    Company {
        /// Its id.
        company: String,
    },
}

/// A pair of tokens and what they are good for.
#[derive(Clone, Debug)]
pub struct TokenSet {
    /// The access token.
    pub access: SecretString,
    /// The refresh token, good once. An agency's token for one location may come without.
    pub refresh: Option<SecretString>,
    /// How long the access token is good for; about a day.
    pub expires_in: Duration,
    /// What it allows.
    pub scopes: Vec<String>,
    /// What it is for; none when the answer does not say.
    pub resource: Option<Resource>,
}

/// Why there is no token.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}")]
pub struct OAuthError {
    /// What it means.
    pub kind: OAuthErrorKind,
}

impl From<OAuthErrorKind> for OAuthError {
    fn from(kind: OAuthErrorKind) -> Self {
        Self { kind }
    }
}

/// What a refusal means for the grant. Only [`Refused`](Self::Refused) loses it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OAuthErrorKind {
    /// The code or the refresh token is spent, expired or withdrawn.
    #[error("HighLevel refuses the grant ({message}); the app has to be connected again")]
    Refused {
        /// The vendor's words.
        message: String,
    },
    /// The client id or secret is wrong: the operator's to mend, no grant is lost.
    #[error(
        "HighLevel does not accept the app's client id and secret ({message}); see highlevel.oauth in the configuration"
    )]
    Client {
        /// The vendor's words.
        message: String,
    },
    /// The location is suspended; the grant works again when the location does (vendor issue 249).
    #[error("the location is not active at HighLevel; the grant works again when it is")]
    Inactive,
    /// The agency's token does not open this location: the app is not installed in it, or it belongs to another agency.
    #[error("the agency's grant does not open this location ({message})")]
    NotInstalled {
        /// The vendor's words.
        message: String,
    },
    /// The agency consented without a scope. Its token stays as it is, and so does the answer: a new consent brings the scope.
    #[error(
        "the agency's grant lacks the scope `{scope}`; the app needs it at HighLevel's marketplace, and the agency has to consent again"
    )]
    LacksScope {
        /// The scope that the call needs.
        scope: &'static str,
    },
    /// The agency's access token has expired or was withdrawn; it is renewed.
    #[error("HighLevel no longer accepts the agency's access token")]
    Expired,
    /// Too many requests.
    #[error("HighLevel asks to wait before the next token request")]
    Limited {
        /// How long, when it says so.
        retry_after: Option<Duration>,
    },
    /// The endpoint is out of order, or nobody can tell whether the request arrived.
    #[error("HighLevel's token endpoint cannot be reached or is out of order ({problem})")]
    Unavailable {
        /// What happened.
        problem: String,
        /// Whether the request may have been carried out: then the refresh token may be spent.
        sent: bool,
    },
    /// The answer is no token, although it says success.
    #[error("HighLevel's token endpoint answers something that is no token ({problem})")]
    Unreadable {
        /// What is wrong with it.
        problem: String,
    },
}

/// What was asked, as far as it takes that to understand the answer.
pub(super) struct Asked<'a> {
    /// The secrets of the request, in case the vendor repeats them.
    pub(super) hidden: &'a Redactor,
    /// The scope that the call needs of a token; the token endpoint itself is shown none.
    pub(super) scope: Option<&'static str>,
}

/// Reads an answer.
pub(super) fn read(
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
    asked: &Asked<'_>,
) -> Result<TokenSet, OAuthError> {
    let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
    if (200..300).contains(&status) {
        return token_set(&json).map_err(|problem| OAuthErrorKind::Unreadable { problem }.into());
    }
    Err(refusal(status, retry_after, &json, asked).into())
}

/// What a status and its body mean.
pub(super) fn refusal(
    status: u16,
    retry_after: Option<Duration>,
    json: &Value,
    asked: &Asked<'_>,
) -> OAuthErrorKind {
    let word = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
    // Version 3 of the API nests its words.
    let nested = json.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    let said = [word("error"), word("error_description"), word("message"), nested];
    let lower = said.map(str::to_lowercase);
    let says = |text: &str| lower.iter().any(|said| said.contains(text));
    let message = said.iter().rev().find(|text| !text.is_empty()).map_or_else(
        || format!("status {status}"),
        // Cut last: the beginning of a secret is not to be found in it either.
        |text| {
            let shown = asked.hidden.text(text.chars().filter(|c| !c.is_control()).collect());
            shown.chars().take(200).collect()
        },
    );
    // The vendor says so with 401, as it does of every call.
    if let (401 | 403, Some(scope)) = (status, asked.scope)
        && says("not authorized for this scope")
    {
        return OAuthErrorKind::LacksScope { scope };
    }
    match status {
        429 => OAuthErrorKind::Limited { retry_after },
        500.. => OAuthErrorKind::Unavailable { problem: format!("status {status}"), sent: true },
        401 if says("invalid jwt") => OAuthErrorKind::Expired,
        // "Location is not active" also comes with other words around it.
        400 | 401 | 403 if says("not active") => OAuthErrorKind::Inactive,
        400 | 401 if says("invalid_client") || says("client credentials") => {
            OAuthErrorKind::Client { message }
        }
        400 | 401 if says("invalid_grant") || says("refresh token") || says("authorization code") => {
            OAuthErrorKind::Refused { message }
        }
        400 | 401 | 403 | 404 if says("not installed") || says("location not found") => {
            OAuthErrorKind::NotInstalled { message }
        }
        // A refusal in words that nobody knows is not taken for the end of a grant: it would cost the customer a consent.
        _ => OAuthErrorKind::Unavailable { problem: format!("status {status}: {message}"), sent: false },
    }
}

/// Seconds that a token is good for whose answer does not say: a fraction of the usual day, so that it is renewed in time.
const UNSAID: u64 = 3_600;

/// A number of seconds, also one in quotes. The refresh token is spent by now: what can be read is better than a lost grant.
fn seconds(value: &Value) -> Option<u64> {
    let whole = |text: &str| text.trim().split('.').next()?.parse().ok();
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(&number.to_string())),
        Value::String(text) => whole(text),
        _ => None,
    }
}

/// Both spellings: the first version's and version 3's.
fn token_set(json: &Value) -> Result<TokenSet, String> {
    let member =
        |names: [&str; 2]| names.iter().find_map(|name| json.get(*name)).filter(|value| !value.is_null());
    let text =
        |names| member(names).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let access = text(["access_token", "accessToken"]).ok_or("it holds no access token")?;
    let seconds = member(["expires_in", "expiresIn"]).and_then(seconds).unwrap_or(UNSAID);
    let company = text(["companyId", "company_id"]);
    let location = text(["locationId", "location_id"]);
    let resource = match (location, company) {
        (Some(location), company) => {
            Some(Resource::Location { location: LocationId::new(location), company })
        }
        (None, company) => company.map(|company| Resource::Company { company }),
    };
    let scopes = text(["scope", "scopes"]).unwrap_or_default();
    Ok(TokenSet {
        access: access.into(),
        refresh: text(["refresh_token", "refreshToken"]).map(SecretString::from),
        // A token that is good for longer than a year is a mistake that must not overflow a date.
        expires_in: Duration::from_secs(seconds.min(366 * 86_400)),
        scopes: scopes.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
        resource,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn asked(hidden: &Redactor) -> Asked<'_> {
        Asked { hidden, scope: None }
    }

    fn kind(status: u16, body: &Value) -> OAuthErrorKind {
        let secret = SecretString::from("fake-refresh-token-1".to_owned());
        let hidden = Redactor::new([&secret], 8);
        read(status, None, body.to_string().as_bytes(), &asked(&hidden)).unwrap_err().kind
    }

    #[test]
    fn both_spellings_of_a_pair_are_read() {
        for body in [
            json!({"access_token": "a-1", "refresh_token": "r-1", "expires_in": 86399, "scope": "contacts.readonly x",
                   "userType": "Location", "locationId": "loc", "companyId": "com"}),
            json!({"accessToken": "a-1", "refreshToken": "r-1", "expiresIn": 86399, "scope": "contacts.readonly x",
                   "userType": "Location", "locationId": "loc", "companyId": "com"}),
        ] {
            let set = read(200, None, body.to_string().as_bytes(), &asked(&Redactor::default())).unwrap();
            assert_eq!(set.access.expose_secret(), "a-1");
            assert_eq!(set.refresh.unwrap().expose_secret(), "r-1");
            assert_eq!(set.scopes, ["contacts.readonly", "x"]);
            assert_eq!(set.expires_in.as_secs(), 86399);
            let company = Some("com".to_owned());
            assert_eq!(set.resource, Some(Resource::Location { location: LocationId::new("loc"), company }));
        }
        let company =
            json!({"access_token": "a", "expires_in": 10, "userType": "Company", "companyId": "com"});
        let set = read(201, None, company.to_string().as_bytes(), &asked(&Redactor::default())).unwrap();
        assert_eq!(set.resource, Some(Resource::Company { company: "com".to_owned() }));
    }

    #[test]
    fn only_a_definite_refusal_costs_the_grant() {
        let refused = json!({"error": "invalid_grant", "error_description": "This refresh token is invalid"});
        assert!(matches!(kind(400, &refused), OAuthErrorKind::Refused { .. }));
        let client = json!({"error": "UnAuthorized!", "error_description": "Invalid client credentials!"});
        assert!(matches!(kind(401, &client), OAuthErrorKind::Client { .. }));
        let inactive = json!({"statusCode": 400, "message": "Location is not active"});
        assert_eq!(kind(400, &inactive), OAuthErrorKind::Inactive);
        for (status, body) in [
            (500, json!({})),
            (400, json!({"message": "?"})),
            (422, json!([])),
            (302, json!(1)),
            (408, json!({})),
        ] {
            assert!(matches!(kind(status, &body), OAuthErrorKind::Unavailable { .. }), "{status}");
        }
        assert!(matches!(kind(429, &json!({})), OAuthErrorKind::Limited { .. }));
        for body in [json!({}), json!([1]), json!({"access_token": "", "expires_in": 1})] {
            assert!(matches!(kind(200, &body), OAuthErrorKind::Unreadable { .. }), "{body}");
        }
    }

    #[test]
    fn a_refusal_for_a_scope_is_no_outage_and_names_the_scope_that_the_call_needs() {
        let needs = |scope: Option<&'static str>, status: u16, body: &Value| {
            let asked = Asked { hidden: &Redactor::default(), scope };
            read(status, None, body.to_string().as_bytes(), &asked).unwrap_err().kind
        };
        let words = "The token is not authorized for this scope.";
        let (flat, nested) = (json!({ "message": words }), json!({ "error": { "message": words } }));
        for (status, body) in [(401, &flat), (403, &flat), (401, &nested)] {
            let lacks = OAuthErrorKind::LacksScope { scope: "oauth.write" };
            assert_eq!(needs(Some("oauth.write"), status, body), lacks, "{status} {body}");
        }
        // The token endpoint is shown no token: what such words mean there, nobody knows.
        assert!(matches!(needs(None, 401, &flat), OAuthErrorKind::Unavailable { .. }));
        assert!(matches!(needs(Some("oauth.write"), 503, &flat), OAuthErrorKind::Unavailable { .. }));
        let expired = json!({ "message": "Invalid JWT" });
        assert_eq!(needs(Some("oauth.write"), 401, &expired), OAuthErrorKind::Expired);
    }

    #[test]
    fn whatever_can_be_read_of_a_pair_is_taken_because_the_last_one_is_spent() {
        for (expires_in, seconds) in [
            (json!("86399"), 86_399),
            (json!(86_399.5), 86_399),
            (json!(null), UNSAID),
            (json!("soon"), UNSAID),
        ] {
            let body = json!({"access_token": "a-1", "refresh_token": "r-1", "expires_in": expires_in});
            let set = read(200, None, body.to_string().as_bytes(), &asked(&Redactor::default())).unwrap();
            assert_eq!((set.expires_in.as_secs(), set.resource), (seconds, None), "{body}");
        }
    }

    #[test]
    fn what_the_vendor_repeats_of_a_token_is_not_shown() {
        let body = json!({"error": "invalid_grant", "message": "the refresh token fake-refresh-token-1 is spent\r\n"});
        let text = kind(400, &body).to_string();
        assert!(
            text.contains("[redacted]") && !text.contains("fake-refresh-token-1") && !text.contains('\n'),
            "{text}"
        );
    }
}
