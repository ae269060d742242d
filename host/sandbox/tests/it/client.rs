//! A client for the tests, and a receiver of webhooks.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use contactor_sandbox::{Sandbox, SandboxConfig};
use serde_json::Value;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Speaks to HighLevel with the private token of the first location, unless told otherwise.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) version: Option<&'static str>,
}

pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the tests of a double use no part of the product")]
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl Client {
    pub(crate) fn highlevel(sandbox: &Sandbox) -> Self {
        Self {
            http: http(),
            base: sandbox.highlevel_url(),
            token: sandbox.highlevel().private_token(),
            version: Some("2021-07-28"),
        }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
        let method = method.parse::<reqwest::Method>().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(version) = self.version {
            request = request.header("Version", version);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        answer(self.request(method, path, body.as_ref())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
}

/// A sandbox whose clock stands still, the first location, and a client for it.
pub(crate) async fn start() -> (Sandbox, String, Client) {
    start_with(SandboxConfig::for_tests()).await
}

pub(crate) async fn start_with(config: SandboxConfig) -> (Sandbox, String, Client) {
    let sandbox = Sandbox::start(config).await.unwrap();
    let (location, client) = (sandbox.highlevel().first_location(), Client::highlevel(&sandbox));
    (sandbox, location, client)
}

/// A delivery as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

/// The status to answer with, and what arrived.
type Inbox = Arc<Mutex<(u16, Vec<Received>)>>;

/// Receives webhooks and answers with the status it is told.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: url::Url,
    state: Inbox,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let state = Inbox::new(Mutex::new((200, Vec::new())));
        async fn receive(
            State(state): State<Inbox>,
            headers: HeaderMap,
            body: axum::body::Bytes,
        ) -> StatusCode {
            let mut state = state.lock().unwrap();
            state.1.push(Received { headers, body: body.to_vec() });
            StatusCode::from_u16(state.0).unwrap()
        }
        let app = axum::Router::new().fallback(receive).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, state }
    }

    pub(crate) fn answer_with(&self, status: u16) {
        self.state.lock().unwrap().0 = status;
    }

    /// What arrived since the last call.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().1)
    }

    pub(crate) fn take_types(&self) -> Vec<String> {
        self.take().iter().map(|received| received.json()["type"].as_str().unwrap().to_owned()).collect()
    }
}

/// The id of a record.
pub(crate) fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}
