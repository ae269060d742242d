//! Events for tests of [`handle`](crate::Connector::handle).

use crate::{Event, Source};

/// An event of the partner of this kind, at 1970. A kind that begins with `timer:` comes from the host, one in camel case
/// (`ContactCreate`) from HighLevel.
pub fn event(kind: &str) -> Event {
    let source = match kind {
        kind if kind.starts_with("timer:") => Source::Host,
        kind if kind.starts_with(|first: char| first.is_ascii_uppercase()) => Source::Highlevel,
        _ => Source::Partner,
    };
    Event {
        id: format!("event of {kind}"),
        source,
        kind: kind.to_owned(),
        contact_id: None,
        partner_id: None,
        at: "1970-01-01T00:00:00Z".to_owned(),
        fields: Vec::new(),
        payload: "{}".to_owned(),
    }
}

/// What tests put into an event.
impl Event {
    /// HighLevel's contact is this one.
    #[must_use]
    pub fn of_contact(mut self, id: &str) -> Self {
        self.contact_id = Some(id.to_owned());
        self
    }

    /// The partner's record is this one.
    #[must_use]
    pub fn of_partner(mut self, id: &str) -> Self {
        self.partner_id = Some(id.to_owned());
        self
    }

    /// It came with this body.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "tests write json!(…) in place")]
    pub fn with_payload(mut self, payload: serde_json::Value) -> Self {
        self.payload = payload.to_string();
        self
    }
}
