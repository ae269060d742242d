//! The pages of a login while the identity provider hangs, and while a stranger brings nothing that is good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::routing::get;
use axum::{Json, Router};
use contactor_engine::{LOGIN_CALLBACK, LOGIN_REQUEST_TIMEOUT, LoginSetup, OutboundConfig};
use http::{Request, Response, StatusCode, header};
use jiff::SignedDuration;
use serde_json::json;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::ServerConfig;
use crate::app::{App, router};
use crate::testing::{Lines, config, engine_reaching};

/// A provider that describes itself, if it does, and answers nothing else.
async fn provider(describes_itself: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let description = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    });
    let mut router = Router::new().fallback(async || std::future::pending::<StatusCode>().await);
    if describes_itself {
        let describe = move || std::future::ready(Json(description.clone()));
        router = router.route("/.well-known/openid-configuration", get(describe));
    }
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}

fn setup(issuer: &str) -> LoginSetup {
    LoginSetup {
        issuer: issuer.to_owned(),
        client_id: "contactor".to_owned(),
        client_secret: None,
        redirect_url: format!("https://contactor.example.com{LOGIN_CALLBACK}").parse().unwrap(),
        scopes: Vec::new(),
        algorithms: Vec::new(),
        email_claim: "email".to_owned(),
        email_is_verified: false,
        require: BTreeMap::new(),
        create: None,
        idle: SignedDuration::from_mins(60),
        lasts: SignedDuration::from_hours(12),
    }
}

/// A patient server and an impatient one over one engine, with this provider.
fn servers(dir: &std::path::Path, issuer: &str) -> [Router; 2] {
    let engine = engine_reaching(dir, OutboundConfig::default().with_this_machine());
    engine.log_in_by(setup(issuer)).unwrap();
    let impatient = ServerConfig { login_timeout: Duration::from_millis(50), ..config() };
    [config(), impatient].map(|config| router(App::new(config, engine.clone())))
}

async fn ask(server: Router, path: &str, cookie: &str) -> Response<Body> {
    let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    server.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_login_begins_within_its_time_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [_, impatient] = servers(dir.path(), &provider(false).await);
    let began = Instant::now();
    assert_eq!(ask(impatient, "/login", "").await.status(), StatusCode::BAD_GATEWAY);
    assert!(began.elapsed() < LOGIN_REQUEST_TIMEOUT, "it waited for the provider");
}

#[tokio::test]
async fn a_login_ends_within_its_time_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [patient, impatient] = servers(dir.path(), &provider(true).await);
    let begun = ask(patient, "/login", "").await;
    assert_eq!(begun.status(), StatusCode::SEE_OTHER);
    let cookie = begun.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
    let to = begun.headers()[header::LOCATION].to_str().unwrap();
    let state = to.split('&').find(|pair| pair.starts_with("state=")).unwrap();
    let began = Instant::now();
    let ended = ask(impatient, &format!("{LOGIN_CALLBACK}?code=a&{state}"), cookie).await;
    assert_eq!(ended.status(), StatusCode::BAD_GATEWAY);
    assert!(began.elapsed() < LOGIN_REQUEST_TIMEOUT, "it waited for the provider");
}

#[tokio::test]
async fn a_stranger_fills_no_log_with_logins_that_nobody_began() {
    let dir = tempfile::tempdir().unwrap();
    let [server, _] = servers(dir.path(), &provider(true).await);
    let lines = Arc::new(Lines::of("contactor_server::login"));
    let _told = tracing::subscriber::set_default(Arc::clone(&lines));
    for _ in 0..200 {
        let refused = ask(server.clone(), &format!("{LOGIN_CALLBACK}?code=a&state=b"), "").await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
    // One more every three seconds, on however slow a machine.
    assert!((20..100).contains(&lines.told()), "{}", lines.told());
}
