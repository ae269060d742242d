//! The pages by which a person logs in: to the identity provider and back, with a session in the browser at the end.
//!
//! Both are open to everybody. The first keeps nothing, the second does nothing without an answer to a login that this browser began;
//! each login that comes back costs requests to the provider, so these are paced together, and nothing else takes from their pace. Both
//! have a time: a provider that hangs does not hold the connections of those who wait for it.

use std::time::Instant;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use contactor_engine::{LoginAnswer, LoginProblem, LoginRefused};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::app::App;
use crate::cookies::{self, LOGIN, SESSION};

/// Where a login begins.
pub(crate) const BEGIN: &str = "/login";
/// Bytes of what comes back, each.
const LONGEST: usize = 4_096;

/// Where to go after the login.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    to: Option<String>,
}

/// Sends the browser to the provider.
pub(crate) async fn begin(State(app): State<App>, Query(wanted): Query<Wanted>) -> Response {
    match in_time(&app, app.engine.begin_login(wanted.to.as_deref().unwrap_or("/"))).await {
        Ok(page) => {
            let cookie = cookies::set(LOGIN, page.cookie.expose_secret(), page.lasts);
            redirect(&page.url, [cookie])
        }
        Err(refused) => refuse(&app, &refused).await,
    }
}

/// What the provider sends back with the browser.
#[derive(Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    code: Option<SecretString>,
    #[serde(default)]
    state: Option<SecretString>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    iss: Option<String>,
}

/// Takes the provider's answer; the browser is logged in if it is one to a login that began there.
pub(crate) async fn callback(
    State(app): State<App>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    let fits =
        |text: &Option<SecretString>| text.as_ref().is_none_or(|text| text.expose_secret().len() <= LONGEST);
    if !fits(&back.code) || !fits(&back.state) {
        return page(StatusCode::BAD_REQUEST, "Not logged in", "This is no answer of an identity provider.");
    }
    let answer = LoginAnswer {
        cookie: cookies::get(&headers, LOGIN).map(SecretString::from),
        state: back.state,
        code: back.code,
        error: back.error,
        iss: back.iss,
    };
    let back = match app.engine.find_login(answer) {
        Ok(back) => back,
        Err(refused) => return refuse(&app, &refused).await,
    };
    // Not before it is known to be an answer to something: whoever brings anything else would keep everybody out.
    if app.gate.logins.take((), Instant::now()).is_err() {
        let words = "Too many people log in at this time. Begin again in a minute.";
        return page(StatusCode::TOO_MANY_REQUESTS, "Not logged in", words);
    }
    match in_time(&app, app.engine.end_login(back)).await {
        Ok(done) => {
            let session = cookies::set(SESSION, done.cookie.expose_secret(), done.lasts);
            redirect(&done.to, [session, cookies::forget(LOGIN)])
        }
        Err(refused) => refuse(&app, &refused).await,
    }
}

/// A step of a login within its time.
async fn in_time<T>(
    app: &App,
    step: impl Future<Output = Result<T, LoginRefused>>,
) -> Result<T, LoginRefused> {
    let most = app.config.login_timeout;
    tokio::time::timeout(most, step).await.unwrap_or_else(|_| {
        Err(LoginRefused {
            problem: LoginProblem::Provider,
            why: format!("it took longer than {most:?}"),
            user: None,
        })
    })
}

/// Answers a refusal, and tells of it as the gate does of its own: nobody fills a log by being refused, nor hides a refusal of another
/// kind behind many of one.
async fn refuse(app: &App, refused: &LoginRefused) -> Response {
    let (kind, status) = match refused.problem {
        LoginProblem::Off => ("login: off", StatusCode::NOT_FOUND),
        LoginProblem::Unknown => ("login: unknown", StatusCode::BAD_REQUEST),
        LoginProblem::Declined => ("login: declined", StatusCode::BAD_REQUEST),
        LoginProblem::Disbelieved => ("login: disbelieved", StatusCode::FORBIDDEN),
        LoginProblem::Nobody => ("login: nobody", StatusCode::FORBIDDEN),
        LoginProblem::Provider => ("login: provider", StatusCode::BAD_GATEWAY),
        LoginProblem::Host => ("login: host", StatusCode::SERVICE_UNAVAILABLE),
    };
    metrics::counter!("contactor_logins_refused_total").increment(1);
    if let Ok(untold) = app.gate.lines.take(kind, Instant::now()) {
        tracing::warn!(why = refused.why, untold, "a login was refused");
    }
    if refused.problem != LoginProblem::Off
        && let Ok(before) = app.gate.refusals.take(kind.to_owned(), Instant::now())
        && let Err(error) = app.engine.record_audit(refused.on_record(status.as_u16(), before)).await
    {
        tracing::warn!(%error, "a refusal was not put on record");
    }
    page(status, "Not logged in", refused.words())
}

fn redirect<const N: usize>(to: &str, set: [HeaderValue; N]) -> Response {
    let Ok(to) = HeaderValue::from_str(to) else {
        return page(
            StatusCode::BAD_GATEWAY,
            "Not logged in",
            "The identity provider's address cannot be used.",
        );
    };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    for cookie in set {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A page for a person, without anything that came with the request in it.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>"
    );
    (status, Html(html)).into_response()
}
