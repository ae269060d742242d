//! What a provider says in an ID token, and whether it is said to this host, about this login, now. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

/// Seconds by which the provider's clock and this one may differ.
const SKEW: i64 = 60;
/// Seconds after which a token was not made for a login that ends now.
const OLDEST: i64 = 10 * 60;
/// Characters of a subject, as the standard has it.
const SUBJECT: usize = 255;
/// The claim of which the standard's `email_verified` speaks, and of no other one.
pub(super) const EMAIL: &str = "email";

/// What an ID token has to say.
pub struct Expected<'e> {
    /// Who made it.
    pub issuer: &'e str,
    /// For which client.
    pub client_id: &'e str,
    /// For which login.
    pub nonce: &'e str,
    /// The present instant.
    pub now: Timestamp,
}

/// How claims become a person.
pub struct Reading<'r> {
    /// The claim with the address.
    pub email_claim: &'r str,
    /// The operator vouches that the provider names verified addresses only.
    pub email_is_verified: bool,
    /// Claims that have to have one of these values.
    pub require: &'r BTreeMap<String, Vec<String>>,
}

/// Who has logged in, as far as the provider tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// By the provider's own name, which stays.
    pub subject: String,
    /// Lower-case; only when the provider has verified it.
    pub email: Option<String>,
    /// The provider names an address and does not vouch for it.
    pub unverified: bool,
}

/// Why a token is none for this login. The words hold nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotThis {
    /// Something is missing, of another kind, or there twice.
    #[error("its claims cannot be read")]
    Malformed,
    /// `iss`.
    #[error("another issuer made it")]
    Issuer,
    /// `aud`.
    #[error("it is for another client")]
    Audience,
    /// `azp`, which a token for several has to have.
    #[error("it was given to another client")]
    AuthorizedParty,
    /// `exp`.
    #[error("its time is over")]
    Expired,
    /// `iat` and `nbf`.
    #[error("its time has not come, or it is too old for this login")]
    NotNow,
    /// `nonce`.
    #[error("it belongs to another login")]
    Nonce,
    /// `sub`.
    #[error("it names nobody")]
    Subject,
    /// A claim of the configuration.
    #[error("it lacks what the host requires of those who may log in")]
    Required,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: Instant,
    iat: Instant,
    #[serde(default)]
    nbf: Option<Instant>,
    #[serde(default)]
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Seconds since 1970, which the standard lets have a fraction.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Instant(i64);

impl TryFrom<f64> for Instant {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        // Beyond that, no date is meant.
        if !(0.0..=253_402_300_799.0).contains(&seconds) {
            return Err("no date");
        }
        #[expect(clippy::cast_possible_truncation, reason = "within the range, and fractions do not matter")]
        Ok(Self(seconds as i64))
    }
}

/// Checks verified claims, and reads who they are about.
///
/// # Errors
/// They are not about this login, or cannot be read.
pub fn read(claims: &[u8], expected: &Expected<'_>, reading: &Reading<'_>) -> Result<Person, NotThis> {
    let own: Claims = serde_json::from_slice(claims).map_err(|_| NotThis::Malformed)?;
    check(&own, expected)?;
    let all: Map<String, Value> = serde_json::from_slice(claims).map_err(|_| NotThis::Malformed)?;
    let fulfils =
        |(name, wanted): (&String, &Vec<String>)| all.get(name).is_some_and(|said| says(said, wanted));
    if !reading.require.iter().all(fulfils) {
        return Err(NotThis::Required);
    }
    let email = all.get(reading.email_claim).and_then(Value::as_str).map(str::to_lowercase);
    // At some providers people write another claim themselves, beside an `email` that was verified.
    let says_verified = reading.email_claim == EMAIL && all.get("email_verified") == Some(&Value::Bool(true));
    let vouched = reading.email_is_verified || says_verified;
    Ok(Person {
        subject: own.sub,
        unverified: email.is_some() && !vouched,
        email: email.filter(|email| vouched && !email.is_empty()),
    })
}

fn check(own: &Claims, expected: &Expected<'_>) -> Result<(), NotThis> {
    if own.iss != expected.issuer {
        return Err(NotThis::Issuer);
    }
    let several = match &own.aud {
        Audience::One(one) => std::slice::from_ref(one),
        Audience::Several(several) => several.as_slice(),
    };
    if !several.iter().any(|one| one == expected.client_id) {
        return Err(NotThis::Audience);
    }
    // A token that others take as well has to say that it was made for this client.
    let named = own.azp.as_deref();
    if named.is_some_and(|azp| azp != expected.client_id) || (several.len() > 1 && named.is_none()) {
        return Err(NotThis::AuthorizedParty);
    }
    let now = expected.now.as_second();
    if own.exp.0.saturating_add(SKEW) <= now {
        return Err(NotThis::Expired);
    }
    let not_yet = |at: Instant| at.0 > now.saturating_add(SKEW);
    if not_yet(own.iat) || own.nbf.is_some_and(not_yet) || own.iat.0 < now.saturating_sub(OLDEST) {
        return Err(NotThis::NotNow);
    }
    let nonce = own.nonce.as_deref().unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(NotThis::Nonce);
    }
    if own.sub.is_empty() || own.sub.chars().count() > SUBJECT || own.sub.chars().any(char::is_control) {
        return Err(NotThis::Subject);
    }
    Ok(())
}

/// Whether a claim has one of the values: a text, or a list that holds it.
fn says(said: &Value, wanted: &[String]) -> bool {
    let is_one = |said: &Value| said.as_str().is_some_and(|said| wanted.iter().any(|one| one == said));
    match said {
        Value::Array(several) => several.iter().any(is_one),
        one => is_one(one),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_248_000;

    fn good() -> Value {
        json!({
            "iss": "https://id.example.com", "sub": "s-1", "aud": "client", "exp": NOW + 300, "iat": NOW,
            "nonce": "n", "email": "Ann@Example.com", "email_verified": true, "groups": ["a", "ops"],
        })
    }

    fn with(changes: &Value) -> Value {
        let mut claims = good();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    fn read_by(claims: &Value, reading: &Reading<'_>) -> Result<Person, NotThis> {
        let expected = Expected {
            issuer: "https://id.example.com",
            client_id: "client",
            nonce: "n",
            now: Timestamp::from_second(NOW).unwrap(),
        };
        read(claims.to_string().as_bytes(), &expected, reading)
    }

    fn read_with(claims: &Value, require: &BTreeMap<String, Vec<String>>) -> Result<Person, NotThis> {
        read_by(claims, &Reading { email_claim: EMAIL, email_is_verified: false, require })
    }

    fn refusal(changes: &Value) -> Option<NotThis> {
        read_with(&with(changes), &BTreeMap::new()).err()
    }

    #[test]
    fn a_token_for_this_login_names_a_person() {
        let person = read_with(&good(), &BTreeMap::new()).unwrap();
        let ann = Person {
            subject: "s-1".to_owned(),
            email: Some("ann@example.com".to_owned()),
            unverified: false,
        };
        assert_eq!(person, ann);
        for fine in [
            json!({"aud": ["client"]}),
            json!({"aud": ["other", "client"], "azp": "client"}),
            json!({"exp": NOW - 59}),
            json!({"iat": NOW + 60, "nbf": NOW + 60}),
            json!({"iat": 1_795_247_999.5, "exp": 1_795_248_000.5}),
        ] {
            assert_eq!(refusal(&fine), None, "{fine}");
        }
    }

    #[test]
    fn a_token_for_anything_else_is_refused_with_the_reason() {
        for (changes, why) in [
            (json!({"iss": "https://id.example.com/"}), NotThis::Issuer),
            (json!({"iss": "https://other.example.com"}), NotThis::Issuer),
            (json!({"aud": "other"}), NotThis::Audience),
            (json!({"aud": []}), NotThis::Audience),
            (json!({"aud": "client "}), NotThis::Audience),
            (json!({"aud": ["client", "other"]}), NotThis::AuthorizedParty),
            (json!({"aud": ["client", "other"], "azp": "other"}), NotThis::AuthorizedParty),
            (json!({"azp": "other"}), NotThis::AuthorizedParty),
            (json!({"exp": NOW - 60}), NotThis::Expired),
            (json!({"exp": 0}), NotThis::Expired),
            (json!({"iat": NOW + 61}), NotThis::NotNow),
            (json!({"nbf": NOW + 61}), NotThis::NotNow),
            (json!({"iat": NOW - 601}), NotThis::NotNow),
            (json!({"nonce": "m"}), NotThis::Nonce),
            (json!({"nonce": ""}), NotThis::Nonce),
            (json!({"nonce": null}), NotThis::Nonce),
            (json!({"sub": ""}), NotThis::Subject),
            (json!({"sub": "a\nb"}), NotThis::Subject),
            (json!({"sub": "x".repeat(256)}), NotThis::Subject),
            (json!({"sub": null}), NotThis::Malformed),
            (json!({"sub": 7}), NotThis::Malformed),
            (json!({"exp": null}), NotThis::Malformed),
            (json!({"exp": "2030"}), NotThis::Malformed),
            (json!({"exp": 1e300}), NotThis::Malformed),
            (json!({"exp": -1}), NotThis::Malformed),
            (json!({"iat": null}), NotThis::Malformed),
            (json!({"aud": null}), NotThis::Malformed),
            (json!({"aud": {"client": true}}), NotThis::Malformed),
        ] {
            assert_eq!(refusal(&changes), Some(why), "{changes}");
        }
    }

    #[test]
    fn an_address_counts_when_the_provider_has_verified_it() {
        for unverified in [json!(false), json!("true"), json!(1), Value::Null] {
            let person =
                read_with(&with(&json!({ "email_verified": unverified })), &BTreeMap::new()).unwrap();
            assert_eq!((person.email, person.unverified), (None, true), "{unverified}");
        }
        let none = read_with(&with(&json!({"email": null})), &BTreeMap::new()).unwrap();
        assert_eq!((none.email, none.unverified), (None, false));
    }

    #[test]
    fn that_an_address_is_verified_is_said_of_the_standards_claim_alone() {
        let claims = with(&json!({"preferred_username": "Bob@Example.com"}));
        let reads = |email_claim, email_is_verified| {
            let require = BTreeMap::new();
            let reading = Reading { email_claim, email_is_verified, require: &require };
            let person = read_by(&claims, &reading).unwrap();
            (person.email, person.unverified)
        };
        assert_eq!(reads(EMAIL, false), (Some("ann@example.com".to_owned()), false));
        assert_eq!(reads("preferred_username", false), (None, true));
        assert_eq!(reads("preferred_username", true), (Some("bob@example.com".to_owned()), false));
        assert_eq!(reads("upn", true), (None, false), "it is not there");
    }

    #[test]
    fn whoever_lacks_a_claim_that_is_required_does_not_log_in() {
        let require = |claim: &str, values: &[&str]| {
            BTreeMap::from([(claim.to_owned(), values.iter().map(ToString::to_string).collect())])
        };
        assert!(read_with(&good(), &require("groups", &["ops", "admins"])).is_ok());
        assert!(read_with(&good(), &require("email", &["Ann@Example.com"])).is_ok());
        for (claim, values) in
            [("groups", &["admins"][..]), ("roles", &["ops"]), ("groups", &[]), ("exp", &["ops"])]
        {
            assert_eq!(read_with(&good(), &require(claim, values)), Err(NotThis::Required), "{claim}");
        }
    }

    #[test]
    fn a_claim_that_stands_there_twice_is_not_believed() {
        let twice = good().to_string().replacen("\"sub\"", "\"sub\":\"other\",\"sub\"", 1);
        let expected = Expected {
            issuer: "https://id.example.com",
            client_id: "client",
            nonce: "n",
            now: Timestamp::from_second(NOW).unwrap(),
        };
        let reading = Reading { email_claim: EMAIL, email_is_verified: false, require: &BTreeMap::new() };
        assert_eq!(read(twice.as_bytes(), &expected, &reading), Err(NotThis::Malformed));
    }
}
