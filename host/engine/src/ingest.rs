//! Webhooks in: verified over the raw bytes, de-duplicated, committed, answered. Nothing else happens before the answer.

use bytes::Bytes;
use contactor_highlevel::ContactId;
use contactor_highlevel::webhook::{Change, Envelope, Event, Scheme, VerifyError};
use contactor_store::{Accepted, LocationId, Mark, NewEvent, RecordId, Side};
use contactor_sync::Fields;
use http::HeaderMap;

use crate::engine::Engine;
use crate::error::IngestError;
use crate::manage::Endpoint;
use crate::reconcile::children::{self, Kind, News};
use crate::reconcile::contact_fields;
use crate::signature;

/// What became of a webhook. Each of them is answered with 200: anything else would be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingested {
    /// Stored.
    New,
    /// Known already.
    Duplicate,
    /// Stored for a location that no workspace is bound to yet.
    Held,
    /// Of another app of HighLevel's marketplace, and not stored.
    OtherApp,
}

impl From<Accepted> for Ingested {
    fn from(accepted: Accepted) -> Self {
        match accepted {
            Accepted::New(_) => Self::New,
            Accepted::Duplicate => Self::Duplicate,
            Accepted::Held(_) => Self::Held,
        }
    }
}

impl Engine {
    /// Accepts a webhook of HighLevel. When this answers, the event is committed.
    pub async fn ingest_highlevel(&self, headers: &HeaderMap, body: Bytes) -> Result<Ingested, IngestError> {
        let now = self.now();
        let verified = self.verifier().verify(headers, &body, now).map_err(|error| match error {
            VerifyError::TooOld { .. } | VerifyError::FromTheFuture { .. } => {
                IngestError::Stale(error.to_string())
            }
            error => IngestError::Signature(error.to_string()),
        })?;
        let scheme = match verified.scheme {
            Scheme::Ed25519 => "ed25519",
            Scheme::LegacyRsa => "legacy-rsa",
        };
        metrics::counter!("contactor_webhook_signatures_total", "scheme" => scheme).increment(1);
        let envelope = Envelope::parse(&body).map_err(|error| IngestError::Malformed(error.to_string()))?;
        if self.is_of_another_app(&envelope) {
            // Genuine, and not for this host: whoever has an app can send its webhooks on to here. Of a location of ours it would be
            // another event than our own app's copy, and automations would handle both.
            tracing::debug!(app = envelope.app.as_deref(), "a webhook of another app is not stored");
            return Ok(Ingested::OtherApp);
        }
        self.note_installation(&envelope).await?;
        let location = envelope.location.as_ref().map(|id| LocationId::new(id.as_str()));
        let workspace = match &location {
            Some(location) => self.workspace_id(location).await?,
            None => None,
        };
        let marks = marks(&envelope);
        let key = envelope.dedupe_key(&body);
        let mut deliveries = match &workspace {
            Some(workspace) => self.deliveries_of_highlevel(workspace, &envelope, &key, now).await?,
            None => Vec::new(),
        };
        let (mut seen, told) = match &workspace {
            Some(workspace) if !deliveries.is_empty() => {
                self.appointment_of_webhook(workspace, &envelope, now).await?
            }
            _ => (Vec::new(), false),
        };
        if told {
            deliveries.clear();
        }
        if let Some(workspace) = &workspace {
            seen.extend(self.task_of_webhook(workspace, &envelope).await?);
        }
        if let Some(workspace) = &workspace {
            self.heard(workspace, None);
        }
        let accepted = self
            .store()
            .append_event(NewEvent {
                source: Side::Highlevel,
                workspace,
                connection: None,
                location,
                key,
                kind: envelope.kind,
                body: body.into(),
                headers: serde_json::Value::Null,
                received_at: now,
                marks,
                needs_receive: false,
                deliveries,
                seen,
            })
            .await?;
        self.accepted(accepted);
        Ok(accepted.into())
    }

    /// Accepts a webhook of a partner, at the [`endpoint`](Self::endpoint) of the unguessable token in its path. When this answers,
    /// the event is committed.
    pub async fn ingest_partner(
        &self,
        endpoint: Endpoint,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Ingested, IngestError> {
        let now = self.now();
        signature::verify(&endpoint.webhook, endpoint.secret.as_ref(), headers, &body, now)?;
        let key = signature::event_key(&endpoint.webhook, headers, &body);
        self.heard(&endpoint.connection.workspace, Some(&endpoint.connection.id));
        let accepted = self
            .store()
            .append_event(NewEvent {
                source: Side::Partner,
                workspace: Some(endpoint.connection.workspace.clone()),
                connection: Some(endpoint.connection.id.clone()),
                location: None,
                key,
                kind: "webhook".to_owned(),
                // The signature is checked, so nobody needs the very bytes: what they repeat of the credential is not kept.
                body: endpoint.partner.given_bytes(body.into()),
                headers: kept_headers(headers, &endpoint),
                received_at: now,
                marks: Vec::new(),
                needs_receive: true,
                deliveries: Vec::new(),
                seen: Vec::new(),
            })
            .await?;
        self.accepted(accepted);
        Ok(accepted.into())
    }

    fn accepted(&self, accepted: Accepted) {
        self.note_webhook(self.now());
        if let Accepted::New(_) = accepted {
            self.wake().wake();
        }
    }
}

/// The records that an event of HighLevel marks dirty: a contact, or the list of a contact's tasks, notes or appointments.
fn marks(envelope: &Envelope) -> Vec<Mark> {
    let event = envelope.event();
    let child = |kind, id: &str, contact: Option<&ContactId>, change| {
        let news = match change {
            Change::Deleted => News::Deleted,
            // A note's webhook shows its text, and its title may have changed as well.
            Change::Updated => News::Partial,
            _ => News::Told,
        };
        let shown = if envelope.payload_too_large { Fields::new() } else { child_fields(envelope, change) };
        children::hinted(kind, id, contact.map(ContactId::as_str), news, shown).into_iter().collect()
    };
    match &event {
        Event::Task { change, id, contact } => {
            return child(Kind::Task, id.as_str(), contact.as_ref(), *change);
        }
        Event::Note { change, id, contact } => {
            return child(Kind::Note, id.as_str(), contact.as_ref(), *change);
        }
        Event::Appointment { change, id, contact } => {
            return child(Kind::Appointment, id.as_str(), contact.as_ref(), *change);
        }
        _ => {}
    }
    let Some(contact) = event.contact() else { return Vec::new() };
    vec![Mark {
        entity: "contact".to_owned(),
        side: Side::Highlevel,
        record: RecordId::new(contact.as_str()),
        snapshot: envelope.snapshot().map(|snapshot| contact_fields(snapshot.fields, &snapshot.tags)),
        deleted: matches!(event, Event::Contact { change: Change::Deleted, .. }),
    }]
}

/// What a webhook shows of a task or a note; never whole, see the vendor's event pages.
fn child_fields(envelope: &Envelope, change: Change) -> Fields {
    let shown = ["title", "body", "dueDate", "assignedTo"];
    let shown = shown.into_iter().filter_map(|name| Some((name.to_owned(), envelope.body.get(name)?)));
    let mut fields: Fields =
        shown.map(|(name, value)| (name, contactor_sync::Value::from_json(value.clone()))).collect();
    if change == Change::Completed {
        fields.insert("completed".to_owned(), true.into());
    }
    fields
}

/// Headers that a connector may want, without the signature and other credentials.
fn kept_headers(headers: &HeaderMap, endpoint: &Endpoint) -> serde_json::Value {
    let signature = match &endpoint.webhook.signature {
        contactor_manifest::Signature::HmacSha256 { header, .. } => header.to_ascii_lowercase(),
        contactor_manifest::Signature::None => String::new(),
    };
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            name != signature
                && !["key", "token", "secret", "auth", "cookie", "signature"]
                    .iter()
                    .any(|word| name.contains(word))
                && (name.starts_with("x-") || name == "content-type" || name == "user-agent")
        })
        .filter_map(|(name, value)| {
            let value = endpoint.partner.given(value.to_str().ok()?.to_owned());
            Some((name.as_str().to_owned(), value.into()))
        })
        .take(32)
        .collect::<serde_json::Map<_, _>>()
        .into()
}
