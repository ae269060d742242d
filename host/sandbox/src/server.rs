//! One loopback listener in front of every double, with faults and recording in between.
//!
//! Hyper is used directly because a failing service is the one clean way to close a connection without an answer,
//! which is the fault that finds most bugs in a client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::World;
use crate::clock::iso_millis;
use crate::control;
use crate::faults::Effect;
use crate::http::{Call, Reply, Vendor, parse_query, percent_decode};
use crate::recorder::Seen;

/// Larger request bodies are refused with 413; no operation of any vendor here needs as much.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// How much of a request body the record keeps.
const KEPT_BODY: usize = 4096;

/// Path under which the control API answers.
pub(crate) const CONTROL: &str = "/_control";
/// Path under which the Connectif double answers.
pub(crate) const CONNECTIF: &str = "/connectif";
/// Path under which the 123FormBuilder double answers, before the vendor's own `/v2`.
pub(crate) const FORMBUILDER: &str = "/formbuilder";
/// Path under which the identity provider answers.
pub(crate) const IDENTITY: &str = "/identity";
/// Path under which messages of a host arrive.
pub(crate) const INBOX: &str = "/inbox";
/// Path under which the PheedLoop double answers, before the vendor's own `/api/v3`.
pub(crate) const PHEEDLOOP: &str = "/pheedloop";
/// Path under which the Prefinery double answers, before the vendor's own `/api/v2`.
pub(crate) const PREFINERY: &str = "/prefinery";
/// Path under which the Referrizer double answers.
pub(crate) const REFERRIZER: &str = "/referrizer";

/// The service's error: hyper then closes the connection and sends nothing.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox dropped this connection on purpose")]
struct Dropped;

/// Accepts connections until `stop` is cancelled; open connections are closed then.
pub(crate) async fn run(listener: TcpListener, world: Arc<World>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let world = Arc::clone(&world);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&world), request));
            // Without a timer: an idle connection stays open, as a client's pool expects. An error here is a client
            // that went away, or a connection dropped on purpose.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn serve(world: Arc<World>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(to_response(Reply::json(
            413,
            &json!({"statusCode": 413, "message": "Payload Too Large"}),
        )));
    };
    let mut call = Call {
        method: head.method,
        path: percent_decode(head.uri.path(), false),
        query: parse_query(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body: body.to_bytes(),
    };
    if below(&mut call, CONTROL) {
        return Ok(to_response(control::answer(&world, &call).await));
    }
    let vendor: &dyn Vendor = if below(&mut call, CONNECTIF) {
        &*world.connectif
    } else if below(&mut call, FORMBUILDER) {
        &*world.formbuilder
    } else if below(&mut call, IDENTITY) {
        &*world.identity
    } else if below(&mut call, INBOX) {
        &*world.inbox
    } else if below(&mut call, PHEEDLOOP) {
        &*world.pheedloop
    } else if below(&mut call, PREFINERY) {
        &*world.prefinery
    } else if below(&mut call, REFERRIZER) {
        &*world.referrizer
    } else {
        &*world.highlevel
    };
    meddle(&world, vendor, &call).await.map(to_response)
}

/// Strips `prefix` from the path when the path lies below it.
fn below(call: &mut Call, prefix: &str) -> bool {
    match call.path.strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            call.path = rest.to_owned();
            true
        }
        _ => false,
    }
}

/// Lets the vendor answer, unless a fault has it otherwise.
async fn meddle(world: &World, vendor: &dyn Vendor, call: &Call) -> Result<Reply, Dropped> {
    let operation = vendor.operation(call);
    let mut own_status = None;
    let mut hangs = false;
    let mut carry_out = || {
        let reply = vendor.answer(call);
        own_status = Some(reply.status);
        reply
    };
    let outcome = match world.faults.strike(operation) {
        None => Ok(carry_out()),
        Some(Effect::Answer { status, body, retry_after, after }) => {
            if after {
                carry_out();
            }
            Ok(faked(status, body, retry_after))
        }
        Some(Effect::Drop { after }) => {
            if after {
                carry_out();
            }
            Err(Dropped)
        }
        Some(Effect::Hang { after }) => {
            if after {
                carry_out();
            }
            hangs = true;
            Err(Dropped)
        }
        Some(Effect::Delay { millis }) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(carry_out())
        }
        Some(Effect::TooManyRequests) => Ok(vendor.too_many_requests(call)),
        Some(Effect::RevokeCredential) => {
            vendor.revoke_credential(call);
            Ok(carry_out())
        }
    };
    let sent = outcome.as_ref().ok().map(|reply| reply.status);
    world.recorder.count(operation, own_status, sent);
    if world.recorder.keeps_requests() {
        world.recorder.keep(Seen {
            at: iso_millis(world.clock.millis()),
            operation: operation.to_owned(),
            method: call.method.to_string(),
            path: shown_path(call),
            body: (!operation.contains(".oauth.") && !call.body.is_empty()).then(|| shown_body(call)),
            status: sent,
            own_status,
        });
    }
    if hangs {
        // Ends with the connection, which is the client's to close.
        std::future::pending::<()>().await;
    }
    outcome
}

fn faked(status: u16, body: Option<Value>, retry_after: Option<u32>) -> Reply {
    let reply = match body {
        Some(Value::String(html)) => Reply::html(status, html),
        Some(body) => Reply::json(status, &body),
        None => {
            let reason = StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
            let text = reason.unwrap_or("Error");
            // HighLevel words a 422 as an array; a client that expects one must get one.
            let message = if status == 422 { json!([text]) } else { json!(text) };
            Reply::json(status, &json!({"statusCode": status, "message": message, "error": text}))
        }
    };
    match retry_after {
        Some(seconds) => reply.with("retry-after", &seconds),
        None => reply,
    }
}

/// The body for the record; 123FormBuilder takes its token in forms.
fn shown_body(call: &Call) -> String {
    let text = String::from_utf8_lossy(&call.body[..call.body.len().min(KEPT_BODY)]).into_owned();
    let shown = |pair: &str| if pair.starts_with("JWT=") { "JWT=***".to_owned() } else { pair.to_owned() };
    if text.contains("JWT=") { text.split('&').map(shown).collect::<Vec<_>>().join("&") } else { text }
}

/// The path for the record; Prefinery takes its key in the query, 123FormBuilder its token and its login.
fn shown_path(call: &Call) -> String {
    let shown = call.query.iter().map(|(name, value)| {
        let secret = matches!(
            name.as_str(),
            "api_key"
                | "code"
                | "client_secret"
                | "refresh_token"
                | "JWT"
                | "password"
                | "passhash"
                | "signature"
                | "state"
                | "nonce"
        );
        format!("{name}={}", if secret { "***" } else { value })
    });
    let query = shown.collect::<Vec<_>>().join("&");
    if query.is_empty() { call.path.clone() } else { format!("{}?{query}", call.path) }
}

fn to_response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}
