//! Every vendor and partner at one address: it writes down what it is asked, byte for byte, and repeats it when it is told to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use contactor_highlevel::http as client;
use serde_json::{Value, json};

use super::needles::Canary;

/// Largest request that is taken.
const MOST: usize = 16 << 20;
/// How an echo begins, so that a test knows that it was kept.
pub(crate) const SAID: &str = "what was sent to us:";
/// The token of a login, of which each login gets its own.
pub(crate) const SESSION: &str = "cnry-session/+token";

/// Where the identity provider takes codes.
pub(crate) const OPENID_TOKEN: &str = "/identity/token";

/// How a vendor answers that repeats what it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Echo {
    Json(u16),
    /// With the code of the form that it is sent where a word of the standard (OAuth 2) belongs.
    Word(u16),
    Page(u16),
    /// Elsewhere, with everything in the address.
    Redirect,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Mirror(Arc<Inner>);

struct Inner {
    url: String,
    /// Where a name's requests go on to; the others are answered here.
    upstreams: Mutex<BTreeMap<String, String>>,
    /// Echoes that are due, by the beginning of the path.
    echoes: Mutex<Vec<(String, Echo)>>,
    seen: Mutex<Vec<(String, Vec<u8>)>>,
    tokens: Mutex<Vec<Canary>>,
    memory: Mutex<Vec<u8>>,
    http: reqwest::Client,
}

impl Mirror {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = client::client(&client::Options::default()).unwrap();
        let mirror = Self(Arc::new(Inner {
            url,
            upstreams: Mutex::default(),
            echoes: Mutex::default(),
            seen: Mutex::default(),
            tokens: Mutex::default(),
            memory: Mutex::default(),
            http,
        }));
        let router = Router::new().fallback(answer).with_state(mirror.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        mirror
    }

    /// The address of one of them.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.0.url)
    }

    /// What is asked of this one, the double at another address answers.
    pub(crate) fn stands_before(&self, name: &str, double: &str) {
        lock(&self.0.upstreams).insert(name.to_owned(), double.trim_end_matches('/').to_owned());
    }

    /// The next request below this path is answered by an echo.
    pub(crate) fn echo_once(&self, path: &str, echo: Echo) {
        lock(&self.0.echoes).push((path.to_owned(), echo));
    }

    /// Whether every echo that was due was heard.
    pub(crate) fn has_echoed(&self) -> bool {
        lock(&self.0.echoes).is_empty()
    }

    /// Whether an echo for this path is still due.
    pub(crate) fn is_due(&self, path: &str) -> bool {
        lock(&self.0.echoes).iter().any(|(begin, _)| begin == path)
    }

    /// What is still due is not heard any more.
    pub(crate) fn be_quiet(&self) {
        lock(&self.0.echoes).clear();
    }

    /// All that was asked: the path, and the whole request but for the dumps.
    pub(crate) fn seen(&self) -> Vec<(String, Vec<u8>)> {
        lock(&self.0.seen).clone()
    }

    /// Tokens that were given out, and what was shown for some of them.
    pub(crate) fn tokens(&self) -> Vec<Canary> {
        lock(&self.0.tokens).clone()
    }

    /// What guests sent of their memories.
    pub(crate) fn memory(&self) -> Vec<u8> {
        lock(&self.0.memory).clone()
    }

    fn due(&self, path: &str) -> Option<Echo> {
        let mut echoes = lock(&self.0.echoes);
        let place = echoes.iter().position(|(begin, _)| path.starts_with(begin))?;
        Some(echoes.remove(place).1)
    }

    fn give(&self, name: &str, token: Option<&str>) {
        let Some(token) = token else { return };
        let mut tokens = lock(&self.0.tokens);
        let number = tokens.len();
        tokens.push(Canary::new(format!("{name} {number}"), token));
    }

    async fn pass(&self, upstream: &str, asked: Asked) -> Response {
        let mut headers = asked.headers;
        for own in [header::HOST, header::CONTENT_LENGTH] {
            headers.remove(own);
        }
        let request = self.0.http.request(asked.method, format!("{upstream}{}", asked.rest));
        let answer = request.headers(headers).body(asked.body).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        if asked.rest.starts_with("/oauth/")
            && let Ok(pair) = serde_json::from_slice::<Value>(&body)
        {
            self.give("HighLevel's access token", pair["access_token"].as_str());
            self.give("HighLevel's refresh token", pair["refresh_token"].as_str());
        }
        if asked.path == OPENID_TOKEN
            && let Ok(issued) = serde_json::from_slice::<Value>(&body)
        {
            self.give("the provider's access token", issued["access_token"].as_str());
            self.give("an ID token", issued["id_token"].as_str());
        }
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        for (name, value) in headers.iter().filter(|(name, _)| **name != header::TRANSFER_ENCODING) {
            response.headers_mut().append(name, value.clone());
        }
        response
    }
}

/// One request.
struct Asked {
    method: Method,
    /// Path and query.
    path: String,
    /// The same without the name that it begins with.
    rest: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn raw(&self) -> Vec<u8> {
        let mut raw = format!("{} {}\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            raw.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        }
        raw.extend(&self.body);
        raw
    }

    /// A field of the form in the body.
    fn field(&self, name: &str) -> Option<String> {
        let mut fields = url::form_urlencoded::parse(&self.body);
        fields.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// Everything that was said, once as it is and once in every spelling.
    fn repeated(&self) -> String {
        let headers =
            self.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let body = String::from_utf8_lossy(&self.body).into_owned();
        let mut text = SAID.to_owned();
        for said in headers.chain([self.path.clone(), body]) {
            let form: String = url::form_urlencoded::byte_serialize(said.as_bytes()).collect();
            let hex = hex::encode(&said);
            let (dump, short) = (STANDARD.encode(&said), URL_SAFE_NO_PAD.encode(format!("x{said}")));
            let json = json!(said).to_string().replace('/', "\\/");
            let page = said.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            for spelling in [&said, &form, &hex, &dump, &short, &json, &page] {
                write!(text, "\n{spelling}").unwrap();
            }
        }
        text
    }

    fn echo(&self, echo: Echo) -> Response {
        let said = self.repeated();
        let line =
            HeaderValue::from_str(&said.replace(|c: char| c.is_control() || !c.is_ascii(), " ")).unwrap();
        let elsewhere: String = url::form_urlencoded::byte_serialize(said.as_bytes()).take(400).collect();
        let (status, kind, body) = match echo {
            Echo::Json(status) => {
                let words =
                    json!({ "message": said, "error": { "detail": said }, "error_description": said });
                (status, "application/json", words.to_string())
            }
            Echo::Word(status) => {
                (status, "application/json", json!({ "error": self.field("code") }).to_string())
            }
            Echo::Page(status) => {
                (status, "text/html", format!("<html><body><pre>{said}</pre></body></html>"))
            }
            Echo::Redirect => (302, "text/html", said.clone()),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        // Servers take headers of some kilobytes at most.
        let line = HeaderValue::from_bytes(&line.as_bytes()[..line.len().min(4_096)]).unwrap();
        headers.insert(HeaderName::from_static("x-debug"), line.clone());
        headers.insert(header::SET_COOKIE, line);
        if matches!(echo, Echo::Redirect) {
            let to = format!("https://elsewhere.example/?{elsewhere}");
            headers.insert(header::LOCATION, HeaderValue::from_str(&to).unwrap());
        }
        response
    }
}

async fn answer(State(mirror): State<Mirror>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let name = path[1..].split(['/', '?']).next().unwrap_or_default().to_owned();
    let asked = Asked {
        method: head.method,
        rest: path[1 + name.len()..].to_owned(),
        path: path.clone(),
        headers: head.headers,
        body: axum::body::to_bytes(body, MOST).await.unwrap(),
    };
    if asked.rest.starts_with("/memory") {
        lock(&mirror.0.memory).extend(&asked.body);
        let head = Asked { body: Bytes::new(), ..asked };
        lock(&mirror.0.seen).push((path, head.raw()));
        return Response::new(Body::from("{}"));
    }
    lock(&mirror.0.seen).push((path.clone(), asked.raw()));
    if path == OPENID_TOKEN {
        // The host makes it and tells it to nobody else, so that here alone it can be learnt.
        mirror.give("a PKCE verifier", asked.field("code_verifier").as_deref());
    }
    if let Some(echo) = mirror.due(&path) {
        return asked.echo(echo);
    }
    let upstream = lock(&mirror.0.upstreams).get(&name).cloned();
    if let Some(upstream) = upstream {
        return mirror.pass(&upstream, asked).await;
    }
    if asked.rest.starts_with("/login") {
        let token = format!("{SESSION}-{}", lock(&mirror.0.tokens).len());
        mirror.give("a login's token", Some(&token));
        return Response::new(Body::from(json!({ "token": token }).to_string()));
    }
    Response::new(Body::from(r#"{"ok":true}"#))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
