//! Requests to Connectif, and what its answers mean.

use contactor_sdk::partner::Response;
use contactor_sdk::{Error, FieldProblem, Result, ResultExt, clock, partner};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::contact;

/// A contact as Connectif shows it.
pub(crate) type Shown = Map<String, Json>;

/// Reads a contact; the answer as it is.
pub(crate) fn get(email: &str) -> Result<Response> {
    partner::get(format!("/contacts/{}", partner::segment(email))).send()
}

/// Reads a contact; `None` when there is none.
pub(crate) fn contact(email: &str) -> Result<Option<Shown>> {
    ok(get(email)?).and_then(|response| Ok(serde_json::from_slice(&response.body)?)).found()
}

/// The response if it is a success; otherwise what Connectif means.
pub(crate) fn ok(response: Response) -> Result<Response> {
    response.ok_or_else(meaning)
}

/// The meaning of `{"status", "title", "detail", "code", "validationErrors": [{"path", "reason"}]}`. The codes' meanings are not
/// documented, so the status decides, and the words go to the admin.
fn meaning(response: &Response) -> Option<Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        #[serde(default)]
        detail: String,
        code: Option<String>,
        #[serde(default)]
        validation_errors: Vec<Problem>,
    }
    #[derive(Deserialize)]
    struct Problem {
        #[serde(default)]
        path: String,
        #[serde(default)]
        reason: String,
    }
    if response.status == 429 {
        // Only the header of every answer tells when the window ends, in seconds since 1970.
        let reset = response.header("x-ratelimit-reset").and_then(|text| text.parse::<u64>().ok());
        let wait = reset.map(|reset| reset.saturating_mul(1000).saturating_sub(clock::now()).max(1_000));
        return wait.map(|wait| Error::Limited(Some(wait)));
    }
    let body = serde_json::from_slice::<Body>(&response.body).ok()?;
    if !body.validation_errors.is_empty() {
        let problem = |problem: Problem| FieldProblem {
            field: contact::our_name(problem.path.trim_start_matches('/')),
            problem: problem.reason,
        };
        return Some(Error::Invalid(body.validation_errors.into_iter().map(problem).collect()));
    }
    let code = body.code.map(|code| format!(" (code {code})")).unwrap_or_default();
    (matches!(response.status, 400 | 422) && !body.detail.is_empty())
        .then(|| Error::invalid("", format!("{}{code}", body.detail)))
}
