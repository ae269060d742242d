//! Logins and their tokens. The specification names the parameter `JWT`; the tokens here only look like one.

use std::collections::HashMap;

use http::Method;
use serde_json::{Value, json};

use super::config::{Guesses, Login};
use super::error::{Answer, Fault};
use super::params;
use crate::clock::Millis;
use crate::http::{Call, Reply};
use crate::random::Random;

/// The tokens given out, and who may log in.
#[derive(Debug)]
pub(super) struct Tokens {
    username: String,
    email: String,
    /// `None` once the credential was withdrawn.
    pub(super) password: Option<String>,
    /// When each token ends.
    ends: HashMap<String, Millis>,
    lifetime: Millis,
    random: Random,
}

impl Tokens {
    pub(super) fn new(username: &str, email: &str, password: &str, lifetime: u32, seed: u64) -> Self {
        Self {
            username: username.into(),
            email: email.into(),
            password: Some(password.into()),
            ends: HashMap::new(),
            lifetime: i64::from(lifetime) * 1000,
            random: Random::new(seed, "formbuilder tokens"),
        }
    }

    /// `POST /token`. A `passhash` (the MD5 of the password) is not taken: nobody here should keep one.
    pub(super) fn login(&mut self, call: &Call, guesses: &Guesses, now: Millis) -> Answer {
        let given = login_parameters(call, guesses);
        let text = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let known = match (text("username"), text("email")) {
            (Some(name), _) => name == self.username,
            (None, Some(email)) => email.eq_ignore_ascii_case(&self.email),
            (None, None) => false,
        };
        if !known || self.password.is_none() || text("password") != self.password.as_deref() {
            return Err(Fault::BadLogin);
        }
        let token = self.give(now);
        Ok(Reply::json(200, &json!({"token": token, "status_code": 200})))
    }

    /// `POST /token/refresh`: a new token for one that is still good; the old one is given up.
    pub(super) fn refresh(&mut self, call: &Call, guesses: &Guesses, now: Millis) -> Answer {
        let old = self.check(call, guesses, now)?;
        self.ends.remove(&old);
        let token = self.give(now);
        Ok(Reply::json(200, &json!({"result": token, "status_code": 200})))
    }

    /// `POST /token/invalidate`.
    pub(super) fn invalidate(&mut self, call: &Call, guesses: &Guesses, now: Millis) -> Answer {
        let token = self.check(call, guesses, now)?;
        self.ends.remove(&token);
        Ok(super::page::message("Token successfully invalidated"))
    }

    /// The call's token, when it is good.
    pub(super) fn check(&self, call: &Call, guesses: &Guesses, now: Millis) -> Result<String, Fault> {
        let token = presented(call, guesses).ok_or(Fault::TokenInvalid)?;
        match self.ends.get(&token) {
            None => Err(Fault::TokenInvalid),
            Some(end) if *end <= now => Err(Fault::TokenExpired),
            Some(_) => Ok(token),
        }
    }

    /// Makes every token too old.
    pub(super) fn expire(&mut self) {
        self.ends.values_mut().for_each(|end| *end = Millis::MIN);
    }

    /// Forgets every token.
    pub(super) fn forget(&mut self) {
        self.ends.clear();
    }

    fn give(&mut self, now: Millis) -> String {
        let token = format!("eyJzYW5kYm94Ijp0cnVlfQ.{}.{}", self.random.id(24), self.random.id(32));
        self.ends.insert(token.clone(), now + self.lifetime);
        token
    }
}

/// The token by any way that is open: the header, the query of a read, an update or a deletion, the form of a creation or
/// a deletion.
fn presented(call: &Call, guesses: &Guesses) -> Option<String> {
    let bearer = || call.bearer().map(str::to_owned).filter(|_| guesses.bearer);
    let query = || call.query("JWT").map(str::to_owned).filter(|_| call.method != Method::POST);
    let form = || params::form(call).into_iter().find(|(name, _)| name == "JWT").map(|(_, token)| token);
    bearer().or_else(|| if guesses.jwt { query().or_else(form) } else { None })
}

fn login_parameters(call: &Call, guesses: &Guesses) -> Vec<(String, String)> {
    let mut given = Vec::new();
    for place in &guesses.login {
        match place {
            Login::Query => given.extend(call.query.iter().cloned()),
            Login::Form => given.extend(params::form(call)),
            Login::Json if call.is_json() => {
                let body = serde_json::from_slice::<Value>(&call.body).unwrap_or_default();
                let members = body.as_object().into_iter().flatten();
                given.extend(
                    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))),
                );
            }
            Login::Json => {}
        }
    }
    given
}
