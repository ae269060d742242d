//! The gate of the admin API: who asks, whether the rule of the route lets it pass, how long it may take, and what is put on record.
//!
//! A change is on record before its handler begins, and its end after; what cannot be put on record is not done. The rules stand in
//! [`rules`], one for every route; a route without one is refused.

mod pace;
mod record;
pub(crate) mod rules;
mod session;

use std::time::Instant;

use axum::RequestExt;
use axum::extract::{FromRequestParts, MatchedPath, Query, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contactor_engine::{Caller, EngineError, SessionRefused, TokenRefused};
use contactor_store::{Role, RunId, WorkspaceId};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use subtle::ConstantTimeEq;

pub(crate) use self::pace::Pace;
use self::record::Change;
pub(crate) use self::record::Told;
use self::rules::{Needs, Rule, word};
use crate::app::App;
use crate::cookies::{self, SESSION};
use crate::error::ApiError;

/// Refusals of one actor (and of one kind, where nobody is known) that are put on record within a minute, and of one kind that are logged;
/// the next one that is tells how many were not.
const REFUSALS: u32 = 20;

/// Logins of all people together that are ended within a minute: each costs requests to the provider.
const LOGINS: u32 = 60;

/// What the gate remembers.
pub(crate) struct Gate {
    /// By token or session.
    requests: Pace<String>,
    pub(crate) refusals: Pace<String>,
    pub(crate) logins: Pace<()>,
    pub(crate) lines: Pace<&'static str>,
}

impl Gate {
    /// With so many requests of one token in a minute.
    pub(crate) fn new(requests: u32) -> Self {
        Self {
            requests: Pace::new(requests),
            refusals: Pace::new(REFUSALS),
            logins: Pace::new(LOGINS),
            lines: Pace::new(REFUSALS),
        }
    }
}

/// Why a request does not pass.
struct Refusal {
    error: ApiError,
    /// For the record; it says more than whoever asks may know.
    why: String,
}

/// Lets a request through that its rule allows, within the admin API's time.
pub(crate) async fn gate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let changes = method != Method::GET && method != Method::HEAD;
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let path = matched.as_ref().map_or("", MatchedPath::as_str);
    let params = match request.extract_parts::<RawPathParams>().await {
        Ok(params) => params,
        Err(rejection) => return ApiError::invalid(rejection.body_text()).into_response(),
    };
    let rule = rules::of(method.as_str(), path);
    let mut change = rule.filter(|_| changes).map(|rule| Change::asked(rule, &params));

    let caller = match who(&app, &method, request.headers()).await {
        Ok(caller) => caller,
        Err(failed) => return failed.into_response(&app, change).await,
    };
    if let Some(change) = &mut change {
        change.by(&caller);
    }
    if let Some(shown) = caller.shown()
        && let Err(wait) = app.gate.requests.take(shown, Instant::now())
    {
        return ApiError::too_many(wait).into_response();
    }
    let Some(rule) = rule else {
        tracing::error!(%method, path, "a route of the admin API has no rule, so nobody may use it");
        return ApiError::forbidden("nobody may do this: the host has no rule for it").into_response();
    };
    match decide(&app, &caller, rule, &params, request.uri()).await {
        Ok(workspace) => {
            if let Some(change) = &mut change {
                change.within(workspace);
            }
        }
        Err(refusal) => return refuse(&app, change, refusal).await,
    }
    if let Some(change) = &mut change
        && let Err(error) = change.begin(&app).await
    {
        return ApiError::from(error).into_response();
    }

    request.extensions_mut().insert(caller);
    let response = match tokio::time::timeout(app.config.admin_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::overdue(app.config.admin_timeout).into_response(),
    };
    let Some(change) = change else { return response };
    // The pattern instead of the path: an operator's changes are worth a line, the ids in them are in the store.
    tracing::info!(%method, route = path, status = response.status().as_u16(), "admin request");
    let told = response.extensions().get::<Told>().cloned();
    match change.end(&app, response.status(), told).await {
        Ok(()) => response,
        Err(error) => {
            tracing::warn!(%error, "the end of a change was not put on record; its beginning is");
            ApiError::not_on_record(response.status()).into_response()
        }
    }
}

/// Why nobody is known to ask.
enum Unknown {
    Refused(TokenRefused),
    /// A cookie that opens nothing.
    Ended(SessionRefused),
    /// A good cookie, and a request that another site may have made the browser send.
    Foreign(Box<Caller>, &'static str),
    Failed(EngineError),
}

impl Unknown {
    async fn into_response(self, app: &App, change: Option<Change>) -> Response {
        let (kind, refusal, token, caller) = match self {
            Self::Failed(error) => return ApiError::from(error).into_response(),
            Self::Refused(refused) => {
                let refusal = Refusal { error: ApiError::unauthorized(&refused), why: refused.to_string() };
                (refused.kind(), refusal, refused.token().cloned(), None)
            }
            Self::Ended(refused) => {
                let refusal = Refusal { error: ApiError::logged_out(&refused), why: refused.to_string() };
                ("session", refusal, None, None)
            }
            Self::Foreign(caller, why) => {
                let error = ApiError::forbidden(format!("refused with a cookie alone: {why}"));
                ("cookie", Refusal { error, why: why.to_owned() }, None, Some(caller))
            }
        };
        metrics::counter!("contactor_admin_refused_total").increment(1);
        if let Ok(untold) = app.gate.lines.take(kind, Instant::now()) {
            tracing::warn!(why = refusal.why, untold, "a request of the admin API was refused");
        }
        let change = change.map(|mut change| {
            match &caller {
                Some(caller) => change.by(caller),
                None => change.with(token.as_ref()),
            }
            change
        });
        refuse(app, change, refusal).await
    }
}

/// Who asks.
async fn who(app: &App, method: &Method, headers: &HeaderMap) -> Result<Caller, Unknown> {
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(cookie) = cookies::get(headers, SESSION)
    {
        return logged_in(app, method, headers, &cookie).await;
    }
    let Some(shown) = bearer(headers) else { return Err(Unknown::Refused(TokenRefused::Unknown)) };
    // Compared without stopping at the first difference.
    if bool::from(shown.ct_eq(app.config.admin_token.expose_secret().as_bytes())) {
        return Ok(Caller::root());
    }
    let Ok(shown) = std::str::from_utf8(shown) else {
        return Err(Unknown::Refused(TokenRefused::Unknown));
    };
    match app.engine.caller(shown).await {
        Ok(found) => found.map_err(Unknown::Refused),
        Err(error) => Err(Unknown::Failed(error.into())),
    }
}

/// Who asks with a session's cookie, if no other site can have made the browser ask.
async fn logged_in(app: &App, method: &Method, headers: &HeaderMap, cookie: &str) -> Result<Caller, Unknown> {
    let known = match app.engine.session(cookie).await {
        Ok(found) => found.map_err(Unknown::Ended)?,
        Err(error) => return Err(Unknown::Failed(error.into())),
    };
    // A host without a provider has no session either.
    let origin = app.engine.login_origin().unwrap_or_default();
    match session::foreign(method, headers, &origin, &known) {
        None => Ok(known.caller),
        Some(why) => Err(Unknown::Foreign(Box::new(known.caller), why)),
    }
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, shown) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(shown)
}

/// The workspace of the request, once its rule lets it pass.
async fn decide(
    app: &App,
    caller: &Caller,
    rule: &Rule,
    params: &RawPathParams,
    uri: &Uri,
) -> Result<Option<WorkspaceId>, Refusal> {
    let rights = &caller.rights;
    let platform = |passes: bool, needs: &str| {
        if passes { Ok(None) } else { Err(Refusal::forbidden(caller, rule, needs)) }
    };
    match rule.needs {
        Needs::Anyone => Ok(None),
        Needs::Platform => platform(rights.is_platform_admin(), "the role platform-admin"),
        Needs::Installing => platform(rights.installs(), "the role author or platform-admin"),
        Needs::Somewhere(role) => {
            platform(rights.holds(role), &format!("the role {} in a workspace", word(role)))
        }
        Needs::Workspace(role) => within(caller, rule, WorkspaceId::new(part(params, "workspace")), role),
        Needs::Queried(role) => match queried(uri)? {
            Some(workspace) => within(caller, rule, workspace, role),
            None => Ok(None),
        },
        Needs::Run(role) => {
            let run = RunId::new(part(params, "run"));
            let unknown = |why| Refusal { error: EngineError::no_run(&run).into(), why };
            let found = app.engine.workspace_of_run(&run).await.map_err(Refusal::failed)?;
            let workspace = found.ok_or_else(|| unknown("there is no such run".to_owned()))?;
            if rights.role_in(&workspace).is_none() {
                return Err(unknown(format!("no role in {workspace}, of which the run is")));
            }
            within(caller, rule, workspace, role)
        }
    }
}

/// Whoever has no role in a workspace learns nothing of it, not even whether it exists: nobody looked.
fn within(
    caller: &Caller,
    rule: &Rule,
    workspace: WorkspaceId,
    role: Role,
) -> Result<Option<WorkspaceId>, Refusal> {
    match caller.rights.role_in(&workspace) {
        None => Err(Refusal {
            error: EngineError::no_workspace(&workspace).into(),
            why: "no role in the workspace".to_owned(),
        }),
        Some(has) if has >= role => Ok(Some(workspace)),
        Some(_) => {
            let needs = format!("the role {} in {workspace}", word(role));
            Err(Refusal::forbidden(caller, rule, &needs))
        }
    }
}

/// A part of the path, as the handler will read it.
fn part<'a>(params: &'a RawPathParams, name: &str) -> &'a str {
    params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

/// The workspace that a query names, as the handler will read it.
fn queried(uri: &Uri) -> Result<Option<WorkspaceId>, Refusal> {
    #[derive(Deserialize)]
    struct Named {
        workspace: Option<String>,
    }
    match Query::<Named>::try_from_uri(uri) {
        Ok(Query(named)) => Ok(named.workspace.map(WorkspaceId::new)),
        Err(rejection) => Err(Refusal {
            error: ApiError::invalid(rejection.body_text()),
            why: "the query cannot be read".to_owned(),
        }),
    }
}

impl Refusal {
    fn forbidden(caller: &Caller, rule: &Rule, needs: &str) -> Self {
        let error =
            ApiError::forbidden(format!("`{}` needs {needs}", rule.operation)).hint(match caller.narrowed {
                contactor_engine::Narrowed { role: None, workspaces: None } => {
                    "`contactor whoami` shows what you may do"
                }
                _ => "`contactor whoami` shows what you may do; your token narrows it",
            });
        Self { error, why: format!("needs {needs}") }
    }

    fn failed(error: EngineError) -> Self {
        Self { error: error.into(), why: "the store did not answer".to_owned() }
    }
}

/// Answers a refusal, and puts it on record if it is one of a change.
async fn refuse(app: &App, change: Option<Change>, refusal: Refusal) -> Response {
    if let Some(change) = change {
        let status = refusal.error.status();
        // Nobody can fill the store by being refused.
        if let Ok(before) = app.gate.refusals.take(change.who(), Instant::now()) {
            change.refused(app, status, refusal.why, before).await;
        }
    }
    refusal.error.into_response()
}

/// Whoever asks, for a handler.
pub(crate) struct Asks(pub(crate) Caller);

impl FromRequestParts<App> for Asks {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        // Without the gate nobody is let in.
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(Self).ok_or_else(|| ApiError::unauthorized(&TokenRefused::Unknown))
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;
    use crate::testing::{TOKEN, app};

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn nothing_but_the_whole_token_opens() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        assert!(who(&app, &Method::GET, &with("Bearer fake-admin-token")).await.is_ok());
        assert!(who(&app, &Method::GET, &with("bearer fake-admin-token")).await.is_ok());
        for wrong in
            ["", "Bearer ", "Bearer", "fake-admin-token", "Basic fake-admin-token", "Bearer fake-admin-tok"]
        {
            assert!(
                matches!(who(&app, &Method::GET, &with(wrong)).await, Err(Unknown::Refused(_))),
                "{wrong}"
            );
        }
        assert!(who(&app, &Method::GET, &HeaderMap::new()).await.is_err());
    }

    #[tokio::test]
    async fn a_route_without_a_rule_is_open_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let router = Router::new()
            .route("/api/v1/forgotten", get(async || "secret").post(async || "secret"))
            .route_layer(from_fn_with_state(app.clone(), gate))
            .with_state(app);
        for method in [Method::GET, Method::POST, Method::HEAD] {
            let request = Request::builder()
                .method(method)
                .uri("/api/v1/forgotten")
                .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
                .body(Body::empty())
                .unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
        }
    }
}
