//! Requests to Connectif, and what its answers mean.

use contactor_sdk::partner::{Request, Response};
use contactor_sdk::{Error, FieldProblem, Result, ResultExt, clock, partner};
use serde_json::{Map, Value as Json};

use crate::contact;

/// A contact as Connectif shows it.
pub(crate) type Shown = Map<String, Json>;

/// Asks for a contact.
pub(crate) fn get(email: &str) -> Request {
    partner::get(format!("/contacts/{}", partner::segment(email)))
}

/// Reads a contact; `None` when there is none.
pub(crate) fn contact(email: &str) -> Result<Option<Shown>> {
    let Some(response) = get(email).answer(meaning).found()? else { return Ok(None) };
    let shown: Shown = response.json()?;
    if ["_email", "id"].into_iter().any(|name| shown.get(name).is_some_and(Json::is_string)) {
        return Ok(Some(shown));
    }
    Err(Error::other(format!("Connectif answered something that is no contact when asked for {email}")))
}

/// The meaning of `{"status", "title", "detail", "code", "validationErrors": [{"path", "reason"}]}`. The codes' meanings are not
/// documented, so the status decides, and the words go to the admin.
pub(crate) fn meaning(response: &Response) -> Option<Error> {
    if response.status == 429 {
        // Only the header of every answer tells when the window ends, in seconds since 1970.
        let reset = response.header("x-ratelimit-reset").and_then(|text| text.parse::<u64>().ok())?;
        let wait = reset.saturating_mul(1000).saturating_sub(clock::now()).max(1_000);
        return Some(Error::Limited(Some(wait)));
    }
    let body: Json = serde_json::from_slice(&response.body).ok()?;
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let problem = |error: &Json| FieldProblem {
        field: contact::our_name(text(&error["path"]).trim_start_matches('/')),
        problem: text(&error["reason"]),
    };
    let problems: Vec<_> = body["validationErrors"].as_array().into_iter().flatten().map(problem).collect();
    if !problems.is_empty() {
        return Some(Error::Invalid(problems));
    }
    let (detail, code) = (body["detail"].as_str()?, text(&body["code"]));
    matches!(response.status, 400 | 422).then(|| Error::invalid("", format!("{detail} (code {code})")))
}
