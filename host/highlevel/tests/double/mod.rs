//! A scripted server, and a recorder that keeps what it is told.
#![allow(clippy::needless_pass_by_value, reason = "a script reads better without ampersands")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use contactor_highlevel::{CallRecord, Recorder};
use serde_json::{Value, json};

/// One scripted answer.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: vec![("content-type", "application/json".into())], body: body.to_string() }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::json(201, body)
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(status, json!({ "statusCode": status, "message": message }))
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("content-type", "text/html".into())], body: body.to_owned() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn response(&self) -> Response<Body> {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status).unwrap());
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(self.body.clone())).unwrap()
    }
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query, byte for byte.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    always: Option<Answer>,
    seen: Mutex<Vec<Seen>>,
}

/// The server; it ends with the test's runtime.
pub(crate) struct Double {
    pub(crate) url: String,
    script: Arc<Script>,
}

impl Double {
    /// Gives these answers, one for each request; a request too many is answered with 599.
    pub(crate) async fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Mutex::new(answers.into_iter().collect());
        Self::start(Script { answers, ..Script::default() }).await
    }

    /// Gives this answer to every request.
    pub(crate) async fn always(answer: Answer) -> Self {
        Self::start(Script { always: Some(answer), ..Script::default() }).await
    }

    async fn start(script: Script) -> Self {
        let script = Arc::new(script);
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    script.seen.lock().unwrap().push(Seen {
        method: method.to_string(),
        target: uri.to_string(),
        headers,
        body,
    });
    let scripted = script.answers.lock().unwrap().pop_front().or_else(|| script.always.clone());
    scripted.unwrap_or_else(|| Answer::status(599)).response()
}

/// A recorder that keeps everything.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<CallRecord>>);

impl Notes {
    pub(crate) fn taken(&self) -> Vec<CallRecord> {
        self.0.lock().unwrap().clone()
    }
}

impl Recorder for Notes {
    fn record(&self, call: CallRecord) {
        self.0.lock().unwrap().push(call);
    }
}
