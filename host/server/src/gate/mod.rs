//! The gate of the admin API: who asks, whether the rule of the route lets it pass, how long it may take, and what is put on record.
//!
//! A change is on record before its handler begins, and its end after; what cannot be put on record is not done. It has a task of its
//! own: whoever asks and goes away ends neither the change nor what is written down of it. The rules stand in [`rules`], one for every
//! route; a route without one is refused.

mod decide;
mod pace;
mod record;
mod refusal;
pub(crate) mod rules;
mod session;
mod who;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::RequestExt;
use axum::body::HttpBody;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contactor_engine::{Caller, TokenRefused};
use contactor_store::UserId;
use futures_util::FutureExt;
use http::Method;
use http::request::Parts;
use tokio::sync::RwLock;

use self::decide::decide;
pub(crate) use self::pace::Pace;
use self::record::Change;
pub(crate) use self::record::Told;
use self::refusal::{Refusal, refuse};
use self::rules::Rule;
use self::who::who;
use crate::app::App;
use crate::body::{self, Room};
use crate::error::ApiError;
use crate::extract;

/// Refusals of one actor (and of one kind, where nobody is known) that are put on record within a minute, and of one kind that are logged;
/// the next one that is tells how many were not.
const REFUSALS: u32 = 20;

/// Changes of one user that may fail within a minute. Each is on record for ever with its beginning and its end, as it had begun before
/// anybody knew that it would; further ones are refused, and recorded as refusals are.
const FAILURES: u32 = 60;

/// Logins of all people together that are ended within a minute: each costs requests to the provider.
const LOGINS: u32 = 60;

/// What the gate remembers.
pub(crate) struct Gate {
    /// Of a user, with whatever token or session: of these one may have many.
    requests: Pace<UserId>,
    failures: Pace<UserId>,
    pub(crate) refusals: Pace<String>,
    pub(crate) logins: Pace<()>,
    pub(crate) lines: Pace<&'static str>,
    /// Each change under way reads it.
    under_way: Arc<RwLock<()>>,
}

impl Gate {
    /// With so many requests of one user in a minute.
    pub(crate) fn new(requests: u32) -> Self {
        Self {
            requests: Pace::new(requests),
            failures: Pace::new(FAILURES),
            refusals: Pace::new(REFUSALS),
            logins: Pace::new(LOGINS),
            lines: Pace::new(REFUSALS),
            under_way: Arc::default(),
        }
    }

    /// Waits until no change is under way. One may be when no connection is open any more.
    pub(crate) async fn at_rest(&self) {
        drop(self.under_way.write().await);
    }
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
    let user = caller.user().cloned();
    if let Some(user) = &user
        && let Err(wait) = app.gate.requests.take(user.clone(), Instant::now())
    {
        return ApiError::too_many("this user makes too many requests", wait).into_response();
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
    // Before anything of the body is read, and before the change is on record.
    let room = match room(&app, &caller, &request) {
        Ok(room) => room,
        Err(refused) => return refused.into_response(),
    };
    request.extensions_mut().insert(caller);
    let Some(change) = change else {
        let response = answered(&app, request, next).await;
        drop(room);
        return response;
    };
    if let Some(user) = &user
        && let Err(wait) = app.gate.failures.take(user.clone(), Instant::now())
    {
        return refuse(&app, Some(change), Refusal::failing(wait)).await;
    }
    let under_way = Arc::clone(&app.gate.under_way).read_owned().await;
    let carrying_out = tokio::spawn(async move {
        // Both until it has ended, whether or not anybody waits for the answer.
        let _held = (room, under_way);
        let response = carry_out(&app, rule, change, request, next).await;
        // What failed is paid for; everything else was not meant.
        if let Some(user) = &user
            && !response.status().is_client_error()
        {
            app.gate.failures.give_back(user);
        }
        response
    });
    carrying_out.await.unwrap_or_else(|_ended| ApiError::panicked().into_response())
}

/// Room for the body of a request, until it is answered.
fn room(app: &App, caller: &Caller, request: &Request) -> Result<Option<[Room; 2]>, ApiError> {
    if request.body().is_end_stream() {
        return Ok(None);
    }
    let (cap, bodies) = extract::kind_of(app, request.headers());
    body::fits(request.headers(), cap)?;
    let room = bodies.room(caller.actor.as_str(), request.headers());
    room.map(Some).map_err(|_crowded| ApiError::crowded())
}

/// The handler's answer, within the admin API's time.
async fn answered(app: &App, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(app.config.admin_timeout, next.run(request)).await;
    answer.unwrap_or_else(|_overdue| ApiError::overdue(app.config.admin_timeout).into_response())
}

/// Does a change from its beginning to its end, with both on record.
async fn carry_out(app: &App, rule: &Rule, mut change: Change, request: Request, next: Next) -> Response {
    if let Err(error) = change.begin(app).await {
        return ApiError::from(error).into_response();
    }
    let answer = AssertUnwindSafe(answered(app, request, next)).catch_unwind().await;
    let response = answer.unwrap_or_else(|_panic| {
        tracing::error!(route = rule.path, "a request panicked: this is a defect of the host");
        ApiError::panicked().into_response()
    });
    // The pattern instead of the path: an operator's changes are worth a line, the ids in them are in the store.
    let status = response.status();
    tracing::info!(method = rule.method, route = rule.path, status = status.as_u16(), "admin request");
    let told = response.extensions().get::<Told>().cloned();
    match change.end(app, status, told).await {
        Ok(()) => response,
        Err(error) => {
            tracing::warn!(%error, "the end of a change was not put on record; its beginning is");
            ApiError::not_on_record(status).into_response()
        }
    }
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
    use axum::routing::{MethodRouter, get, post};
    use contactor_store::{AuditFilter, AuditedChange};
    use http::{StatusCode, header};
    use tokio::sync::Notify;
    use tower::ServiceExt;

    use super::*;
    use crate::testing::{TOKEN, app};

    /// A handler in the place of the one that makes users, behind the gate.
    fn making_users(app: &App, handler: MethodRouter<App>) -> Router {
        Router::new()
            .route("/api/v1/users", handler)
            .route_layer(from_fn_with_state(app.clone(), gate))
            .with_state(app.clone())
    }

    fn make_a_user() -> Request {
        Request::builder()
            .method(Method::POST)
            .uri("/api/v1/users")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(Body::empty())
            .unwrap()
    }

    async fn on_record(app: &App) -> Vec<AuditedChange> {
        app.engine.audit(AuditFilter { limit: 10, ..AuditFilter::default() }).await.unwrap()
    }

    #[tokio::test]
    async fn a_change_goes_on_when_whoever_asked_is_gone_and_its_end_is_on_record() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let (begun, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, goes_on) = (Arc::clone(&begun), Arc::clone(&goes_on));
            post(move || {
                let (begun, goes_on) = (Arc::clone(&begun), Arc::clone(&goes_on));
                async move {
                    begun.notify_one();
                    goes_on.notified().await;
                    StatusCode::CREATED
                }
            })
        };
        let asked = tokio::spawn(making_users(&app, handler).oneshot(make_a_user()));
        begun.notified().await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled(), "nobody waits for the answer any more");
        assert_eq!(on_record(&app).await[0].status, None, "it is under way");
        goes_on.notify_one();
        app.gate.at_rest().await;
        let log = on_record(&app).await;
        assert_eq!((log.len(), log[0].status, log[0].ended_at.is_some()), (1, Some(201), true));
    }

    #[tokio::test]
    async fn a_change_that_panics_is_answered_and_its_end_is_on_record() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let handler = post(async || -> StatusCode { panic!("a test of panics") });
        let answer = making_users(&app, handler).oneshot(make_a_user()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(on_record(&app).await[0].status, Some(500));
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
