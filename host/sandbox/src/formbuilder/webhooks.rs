//! 123FormBuilder's webhooks: at most ten per form, validated by a HEAD request when they are added, and one per group.
//! Neither body, retries nor any signature is documented; none is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Map, json};

use super::config::{Guesses, WebhookBody};
use super::state::{Form, Submission};
use crate::clock::Millis;
use crate::outbox::{Dialect, Outcome, Verdict, Webhook};

/// Webhooks that a form may have.
pub(super) const PER_FORM: usize = 10;
const BOUNDARY: &str = "sandbox-boundary";

/// The outbox's name for a webhook of a form; `place` counts from 1.
pub(super) fn form_target(form: u64, place: usize) -> String {
    format!("{form}/{place}")
}

/// The outbox's name for the webhook of a group.
pub(super) fn group_target(group: u64) -> String {
    format!("group/{group}")
}

/// Signs nothing, and retries as often as it is told.
pub(super) struct FormBuilderDialect {
    pub(super) retries: Arc<AtomicU32>,
}

impl Dialect for FormBuilderDialect {
    fn signature(&self, _target: &str, _body: &[u8], _now: Millis) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn headers(&self, _webhook: &Webhook) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// A form's name or value never begins with `{`, `<` or `--`: the first is a number or a name.
    fn content_type(&self, webhook: &Webhook) -> String {
        match &webhook.body[..webhook.body.len().min(2)] {
            [b'{', ..] => "application/json".into(),
            [b'<', ..] => "text/xml".into(),
            b"--" => format!("multipart/form-data; boundary={BOUNDARY}"),
            _ => "application/x-www-form-urlencoded".into(),
        }
    }

    fn verdict(&self, attempt: u32, _age: Duration, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Status(200..=299) => Verdict::Delivered,
            _ if attempt <= self.retries.load(Ordering::SeqCst) => Verdict::RetryIn(Duration::from_mins(5)),
            _ => Verdict::Failed,
        }
    }
}

/// The body for a submission, as the guesses have it.
pub(super) fn body(form: &Form, submission: &Submission, guesses: &Guesses) -> Vec<u8> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    if let Some(key) = &guesses.webhook_form_key {
        pairs.push((key.clone(), form.id.to_string()));
    }
    if let Some(key) = &guesses.webhook_submission_key {
        pairs.push((key.clone(), submission.id.to_string()));
    }
    let (before, answers) = (pairs, &submission.answers);
    let pairs = before.iter().chain(answers);
    match guesses.webhook_body {
        WebhookBody::Form => {
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in pairs {
                text.append_pair(name, value);
            }
            text.finish().into_bytes()
        }
        WebhookBody::Json => {
            let object: Map<_, _> = pairs.map(|(name, value)| (name.clone(), json!(value))).collect();
            json!(object).to_string().into_bytes()
        }
        WebhookBody::Multipart => {
            let part = |(name, value): &(String, String)| {
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            };
            let parts = pairs.map(part).collect::<Vec<_>>().concat();
            format!("{parts}--{BOUNDARY}--\r\n").into_bytes()
        }
        WebhookBody::Xml => {
            let plain = |(name, value): &(String, String)| format!("<{name}>{}</{name}>", escape(value));
            let plain = before.iter().map(plain).collect::<Vec<_>>().concat();
            let field = |(id, value): &(String, String)| {
                format!("<field><fieldid>{id}</fieldid><fieldvalue>{}</fieldvalue></field>", escape(value))
            };
            let fields = answers.iter().map(field).collect::<Vec<_>>().concat();
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<submission>{plain}<fields>{fields}</fields></submission>"
            );
            text.into_bytes()
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_webhook_is_lost_unless_retries_are_switched_on() {
        let retries = Arc::new(AtomicU32::new(0));
        let dialect = FormBuilderDialect { retries: Arc::clone(&retries) };
        let verdict = |attempt| dialect.verdict(attempt, Duration::ZERO, Outcome::Status(500));
        assert_eq!(verdict(1), Verdict::Failed);
        retries.store(1, Ordering::SeqCst);
        assert_eq!((verdict(1), verdict(2)), (Verdict::RetryIn(Duration::from_mins(5)), Verdict::Failed));
    }
}
