//! Where messages of a host arrive: a receiver of chat webhooks, of signed webhooks and of board cards, which checks what it gets.
//!
//! | path | takes | refuses |
//! |---|---|---|
//! | `POST /inbox/chat/<name>` | `{"text"}`, as Slack's incoming webhooks do | any other body: 400 `no_text` |
//! | `POST /inbox/webhook/<name>` | signed JSON (Standard Webhooks) | a wrong or missing signature: 401; a timestamp more than five minutes off: 400 |
//! | `POST /inbox/board/<name>` | a signed card `{"name", "desc", "due", "labels"}`, as Trello's API takes it | as above; a card without a name, or with a due date that is none: 400 `invalid value` |
//! | `POST /inbox/gone/<name>` | nothing | everything: 410 |
//! | `GET /inbox` | | a page of what arrived |
//!
//! Standard Webhooks: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>. A message
//! whose id arrived before is answered 200 and counted as a repetition, which is what the id is for.

use std::fmt::Write;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::clock::{Clock, iso_millis};
use crate::http::{Call, Reply, Vendor};
use crate::random::Random;
use crate::recorder::lock;

/// How far a signed timestamp may lie from now, in seconds; the scheme leaves it to the receiver.
const TOLERANCE: i64 = 300;

/// One message that arrived for the first time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arrived {
    /// When, by the sandbox's clock.
    pub at: String,
    /// `chat`, `webhook` or `board`.
    pub kind: String,
    /// The last part of the path.
    pub name: String,
    /// The `webhook-id`; none for a chat.
    pub id: Option<String>,
    /// The body.
    pub body: Value,
    /// How often it arrived again.
    pub repeated: u32,
}

/// The inbox.
pub struct Inbox {
    clock: Clock,
    key: Vec<u8>,
    arrived: Mutex<Vec<Arrived>>,
}

/// Why a message is not taken: status and the vendor's words.
type Refusal = (u16, Value);

impl Inbox {
    pub(crate) fn new(seed: u64, clock: Clock) -> Self {
        let mut random = Random::new(seed, "inbox");
        let key = (0..4).flat_map(|_| random.bits().to_le_bytes()).collect();
        Self { clock, key, arrived: Mutex::default() }
    }

    pub(crate) fn reset(&self) {
        lock(&self.arrived).clear();
    }

    /// The secret that webhooks and cards have to be signed with. It protects nothing.
    pub fn secret(&self) -> String {
        format!("whsec_{}", BASE64.encode(&self.key))
    }

    /// What arrived, oldest first; repetitions are counted in their first.
    pub fn messages(&self) -> Vec<Arrived> {
        lock(&self.arrived).clone()
    }

    fn receive(&self, kind: &str, name: &str, call: &Call) -> Result<Reply, Refusal> {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let id = match kind {
            "chat" => {
                if body["text"].as_str().is_none_or(str::is_empty) {
                    return Err((400, json!("no_text")));
                }
                None
            }
            "webhook" | "board" => Some(self.verified(call)?),
            "gone" => return Err((410, json!({"message": "this receiver is no more"}))),
            _ => return Err((404, json!({"message": "there is no such inbox"}))),
        };
        if kind == "board" {
            check_card(&body)?;
        }
        let mut arrived = lock(&self.arrived);
        let known = id.as_ref().and_then(|id| arrived.iter_mut().find(|one| one.id.as_ref() == Some(id)));
        match known {
            Some(first) => first.repeated += 1,
            None => arrived.push(Arrived {
                at: iso_millis(self.clock.millis()),
                kind: kind.to_owned(),
                name: name.to_owned(),
                id,
                body,
                repeated: 0,
            }),
        }
        Ok(if kind == "chat" {
            Reply::html(200, "ok".to_owned())
        } else {
            Reply::json(200, &json!({"received": true}))
        })
    }

    /// The id of a message whose signature is good.
    fn verified(&self, call: &Call) -> Result<String, Refusal> {
        let missing = |name: &str| (401, json!({ "message": format!("the header {name} is missing") }));
        let header = |name: &'static str| call.header(name).ok_or_else(|| missing(name));
        let (id, stamp, signatures) =
            (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
        let sent: i64 =
            stamp.parse().map_err(|_| (400, json!({"message": "the timestamp is no number of seconds"})))?;
        let now = self.clock.now().as_second();
        if (now - sent).abs() > TOLERANCE {
            return Err((400, json!({"message": "the timestamp is too far away from now"})));
        }
        let good = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|encoded| {
            let Ok(signature) = BASE64.decode(encoded) else { return false };
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return false };
            mac.update(format!("{id}.{stamp}.").as_bytes());
            mac.update(&call.body);
            mac.verify_slice(&signature).is_ok()
        });
        if good { Ok(id.to_owned()) } else { Err((401, json!({"message": "the signature is wrong"}))) }
    }

    fn page(&self) -> Reply {
        let mut html = String::from(
            "<!doctype html><meta charset=utf-8><title>Inbox</title><style>body{font:14px system-ui;margin:2em}\
             table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .5em;text-align:left}</style>\
             <h1>Inbox</h1><table><tr><th>at</th><th>kind</th><th>name</th><th>id</th><th>repeated</th><th>body</th></tr>",
        );
        for one in self.messages().iter().rev() {
            let cells = [
                one.at.clone(),
                one.kind.clone(),
                one.name.clone(),
                one.id.clone().unwrap_or_default(),
                one.repeated.to_string(),
                one.body.to_string(),
            ];
            html.push_str("<tr>");
            for cell in cells {
                let _ = write!(html, "<td>{}</td>", escape(&cell));
            }
            html.push_str("</tr>");
        }
        html.push_str("</table>");
        Reply::html(200, html)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A card needs a name; a due date has to be one; labels are a list.
fn check_card(card: &Value) -> Result<(), Refusal> {
    let invalid = |name: &str| Err((400, json!({ "message": format!("invalid value for {name}") })));
    if card["name"].as_str().is_none_or(|name| name.is_empty() || name.len() > 16_384) {
        return invalid("name");
    }
    if card["desc"].as_str().is_none_or(|text| text.len() > 16_384) {
        return invalid("desc");
    }
    if !card["due"].is_null() && card["due"].as_str().is_none_or(|due| due.parse::<Timestamp>().is_err()) {
        return invalid("due");
    }
    if !card["labels"].is_array() {
        return invalid("labels");
    }
    Ok(())
}

impl Vendor for Inbox {
    fn operation(&self, call: &Call) -> &'static str {
        match call.path.split('/').nth(1) {
            Some("chat") => "inbox.chat",
            Some("webhook") => "inbox.webhook",
            Some("board") => "inbox.board",
            Some("gone") => "inbox.gone",
            _ => "inbox.page",
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        if call.method == http::Method::GET {
            return self.page();
        }
        let mut parts = call.path.trim_start_matches('/').split('/');
        let (kind, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        self.receive(kind, name, call).unwrap_or_else(|(status, body)| match body {
            Value::String(text) => Reply::html(status, text),
            body => Reply::json(status, &body),
        })
    }

    fn too_many_requests(&self, _: &Call) -> Reply {
        Reply::json(429, &json!({"message": "rate_limited"})).with("retry-after", &30)
    }

    fn revoke_credential(&self, _: &Call) {
        // Nobody signs in here.
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;

    fn call(path: &str, headers: &[(&'static str, String)], body: &Value) -> Call {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        let body = Bytes::from(body.to_string());
        Call { method: Method::POST, path: path.to_owned(), query: Vec::new(), headers, body }
    }

    fn signed(inbox: &Inbox, path: &str, id: &str, seconds: i64, body: &Value) -> Call {
        let mut mac = Hmac::<Sha256>::new_from_slice(&inbox.key).unwrap();
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        call(path, &headers, body)
    }

    fn inbox() -> Inbox {
        Inbox::new(1, Clock::frozen(Timestamp::from_second(1_795_248_000).unwrap()))
    }

    #[test]
    fn only_what_is_signed_in_time_is_taken_and_repetitions_are_counted() {
        let inbox = inbox();
        let (now, body) = (1_795_248_000, json!({"type": "task.completed"}));
        let good = signed(&inbox, "/webhook/team", "msg_1", now, &body);
        assert_eq!(inbox.answer(&good).status, 200);
        assert_eq!(inbox.answer(&good).status, 200);
        assert_eq!(inbox.answer(&signed(&inbox, "/webhook/team", "msg_2", now - 301, &body)).status, 400);
        assert_eq!(inbox.answer(&call("/webhook/team", &[], &body)).status, 401);
        let mut forged = signed(&inbox, "/webhook/team", "msg_3", now, &body);
        forged.body = Bytes::from_static(b"{\"type\":\"other\"}");
        assert_eq!(inbox.answer(&forged).status, 401);
        let arrived = inbox.messages();
        assert_eq!((arrived.len(), arrived[0].repeated, &arrived[0].body), (1, 1, &body));
        assert_eq!(inbox.answer(&signed(&inbox, "/gone/team", "msg_4", now, &body)).status, 410);
    }

    #[test]
    fn a_card_has_a_name_and_a_chat_a_text() {
        let inbox = inbox();
        let card = |card: &Value| {
            inbox.answer(&signed(&inbox, "/board/b", &card.to_string(), 1_795_248_000, card)).status
        };
        assert_eq!(
            card(&json!({"name": "Call", "desc": "", "due": "2026-12-01T09:00:00Z", "labels": ["a"]})),
            200
        );
        assert_eq!(card(&json!({"name": "Call", "desc": "", "due": null, "labels": []})), 200);
        assert_eq!(card(&json!({"name": "", "desc": "", "due": null, "labels": []})), 400);
        assert_eq!(card(&json!({"name": "Call", "desc": "", "due": "soon", "labels": []})), 400);
        assert_eq!(inbox.answer(&call("/chat/c", &[], &json!({"text": "Hi"}))).status, 200);
        assert_eq!(inbox.answer(&call("/chat/c", &[], &json!({"title": "Hi"}))).status, 400);
    }
}
