//! What each kind of receiver is sent. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contactor_store::DestinationKind;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The beginning of a signing secret, as Standard Webhooks writes it.
const PREFIX: &str = "whsec_";

/// A message as it was handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// What it is about: `task.completed`.
    pub(crate) kind: String,
    /// One line.
    pub(crate) title: String,
    /// Plain text.
    pub(crate) text: String,
    /// The data behind it.
    pub(crate) data: Map<String, Json>,
    /// When it was handed over.
    pub(crate) at: Timestamp,
}

impl Content {
    pub(crate) fn read(stored: &Json) -> Result<Self, serde_json::Error> {
        Self::deserialize(stored)
    }

    /// The body of a POST.
    pub(super) fn body(&self, kind: DestinationKind) -> Json {
        match kind {
            // Slack-compatible chats take one text.
            DestinationKind::Chat => {
                json!({ "text": format!("*{}*\n{}", escaped(&self.title), escaped(&self.text)).trim_end() })
            }
            // A card as Trello's API takes it.
            DestinationKind::Board => json!({
                "name": self.title,
                "desc": plain_markdown(&uncalled(&self.text)),
                "due": self.due(),
                "labels": self.labels(),
            }),
            DestinationKind::Webhook | DestinationKind::Email => json!({
                "type": self.kind,
                "timestamp": self.at.to_string(),
                "data": self.data,
                "title": self.title,
                "text": self.text,
            }),
        }
    }

    fn due(&self) -> Option<&str> {
        ["due", "dueDate", "due_date"].iter().find_map(|name| self.data.get(*name)?.as_str())
    }

    fn labels(&self) -> Vec<&str> {
        let labels = self.data.get("labels").or_else(|| self.data.get("tags"));
        labels.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
    }
}

/// A text as a chat shows it, whatever a contact's name holds. Slack's own markup is switched off by escaping its three characters;
/// receivers that follow it (Mattermost, Discord) also take plain `@channel` and `[text](address)` for more than text.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    uncalled(&text).replace("](", "]\u{200b}(").replace("][", "]\u{200b}[")
}

/// Words that call everybody when they stand behind an `@`, wherever that stands (Discord looks nowhere else).
const EVERYBODY: [&str; 2] = ["everyone", "here"];

/// A text whose `@` calls nobody: an invisible space parts it from the name. An address stays one that can be copied.
fn uncalled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (place, c) in text.char_indices() {
        out.push(c);
        let name = &text[place + c.len_utf8()..];
        let in_address =
            text[..place].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'));
        let calls = |word: &str| name.get(..word.len()).is_some_and(|name| name.eq_ignore_ascii_case(word));
        if c == '@' && (!in_address || EVERYBODY.into_iter().any(calls)) {
            out.push('\u{200b}');
        }
    }
    out
}

/// A text in Markdown that shows as it is: each sign that may mean something is escaped (CommonMark, backslash escapes).
fn plain_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        // A number and a point at the beginning make a list, a line of `=` or `-` a heading.
        let begins = line.trim_start();
        let digits = begins.bytes().take_while(u8::is_ascii_digit).count();
        let point = (line.len() - begins.len()) + digits;
        for (place, c) in line.char_indices() {
            let is_point = digits > 0 && place == point && matches!(c, '.' | ')');
            let at_begin = place == line.len() - begins.len() && matches!(c, '+' | '-' | '=' | '#');
            if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '!' | '|' | '&')
                || is_point
                || at_begin
            {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// The signature of a webhook by the Standard Webhooks scheme: `v1,<base64>` over `<id>.<seconds>.<body>`.
pub(super) fn signature(secret: &SecretString, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let key = key(secret)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

/// The key of a signing secret: 24 to 64 bytes, as the scheme demands.
pub(super) fn key(secret: &SecretString) -> Option<Zeroizing<Vec<u8>>> {
    let encoded = secret.expose_secret().strip_prefix(PREFIX)?;
    let key = Zeroizing::new(BASE64.decode(encoded).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            kind: "task.completed".to_owned(),
            title: "Call <Ada> & co".to_owned(),
            text: "It is done.".to_owned(),
            data: json!({ "dueDate": "2026-12-01T09:00:00Z", "labels": ["lead", 7, "vip"] })
                .as_object()
                .unwrap()
                .clone(),
            at: "2026-11-21T09:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn each_receiver_is_sent_what_it_can_read() {
        assert_eq!(
            content().body(DestinationKind::Chat),
            json!({ "text": "*Call &lt;Ada&gt; &amp; co*\nIt is done." })
        );
        assert_eq!(
            content().body(DestinationKind::Board),
            json!({ "name": "Call <Ada> & co", "desc": "It is done.", "due": "2026-12-01T09:00:00Z", "labels": ["lead", "vip"] })
        );
        let webhook = content().body(DestinationKind::Webhook);
        assert_eq!(
            (&webhook["type"], &webhook["timestamp"]),
            (&json!("task.completed"), &json!("2026-11-21T09:00:00Z"))
        );
        assert_eq!(webhook["data"]["labels"], json!(["lead", 7, "vip"]));
        let bare = Content { data: Map::new(), text: String::new(), ..content() };
        assert_eq!(bare.body(DestinationKind::Board)["due"], Json::Null);
        assert_eq!(bare.body(DestinationKind::Chat)["text"], "*Call &lt;Ada&gt; &amp; co*");
    }

    #[test]
    fn a_chat_calls_nobody_and_links_nothing_because_of_a_contacts_name() {
        let hostile = Content {
            title: "@channel <!here> [Bank](https://evil.example)".to_owned(),
            text: "[a][b] x@everyone ada.l@allexample.com".to_owned(),
            ..content()
        };
        let chat = hostile.body(DestinationKind::Chat)["text"].as_str().unwrap().to_owned();
        assert_eq!(
            chat,
            "*@\u{200b}channel &lt;!here&gt; [Bank]\u{200b}(https://evil.example)*\n[a]\u{200b}[b] x@\u{200b}everyone ada.l@allexample.com"
        );
    }

    #[test]
    fn a_card_shows_a_text_as_it_is_and_no_markdown_of_it() {
        for (text, shown) in [
            ("It is done.", "It is done."),
            ("[a](https://x.example) ![b](c)", r"\[a\](https://x.example) \!\[b\](c)"),
            ("# One\n1. two\n- three\n---", "\\# One\n1\\. two\n\\- three\n\\---"),
            ("*b* _i_ `c` ~~s~~ <b> &lt;", r"\*b\* \_i\_ \`c\` \~\~s\~\~ \<b\> \&lt;"),
            ("a-b 2.5 é", "a-b 2.5 é"),
            ("@all", "@\u{200b}all"),
        ] {
            let card = Content { text: text.to_owned(), ..content() }.body(DestinationKind::Board);
            assert_eq!(card["desc"], shown);
        }
    }

    /// Checked against an independent calculation (Python's `hmac`), with a secret that protects nothing.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = SecretString::from(format!("whsec_{}", BASE64.encode([7_u8; 32])));
        let signed = signature(&secret, "msg_1", 1_700_000_000, br#"{"a":1}"#).unwrap();
        assert_eq!(signed, "v1,LInk7lWC3DLGgRP3k/Xpm933fgj/SEGrik4mpkLgnKE=");
    }

    #[test]
    fn a_secret_of_another_shape_is_none() {
        for bad in
            ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0LW9mLXRoaXJ0eS10d28tYnl0ZXMtb2theQ==", "whsec_%%%"]
        {
            assert!(key(&SecretString::from(bad)).is_none(), "{bad}");
        }
    }
}
