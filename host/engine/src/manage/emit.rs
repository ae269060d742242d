//! Samples of triggers for the sandbox: what a person or a test sends to see what becomes of it.

use bytes::Bytes;
use contactor_manifest::{EventId, TriggerSource};
use contactor_store::{ConnectionId, Cursor};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::{Host, Url};

use crate::credentials::webhook_name;
use crate::engine::Engine;
use crate::error::{EngineError, IngestError};
use crate::ingest::Ingested;
use crate::signature;

impl Engine {
    /// Makes every polled stream of a connection due, and wakes the walker.
    ///
    /// # Errors
    /// No such connection, or one that has no streams.
    pub async fn poll_now(&self, id: &ConnectionId) -> Result<(), EngineError> {
        let active = self.active(id).await?;
        if active.manifest.streams.is_empty() {
            return Err(EngineError::Invalid(format!(
                "{id} polls nothing: its connector declares no stream"
            )));
        }
        for stream in &active.manifest.streams {
            let name = format!("poll:{}", stream.name);
            // A stream without a cursor was never polled: it is due as it is.
            if let Some(cursor) = self.store().cursor(id, &name).await? {
                self.store()
                    .put_cursor(Cursor { updated_at: Timestamp::UNIX_EPOCH, trouble: None, ..cursor })
                    .await?;
            }
        }
        self.walk_wake().wake();
        Ok(())
    }

    /// Receives the sample of a partner's webhook trigger, signed the way the manifest says, as if the partner had sent it; lets
    /// the sample of a timer or of a polled trigger be handled, as if it had gone off or been found. Only for a partner on this
    /// machine: at a real one nothing of the kind happened.
    ///
    /// # Errors
    /// No such connection or trigger, no sample, no signing secret, or a partner elsewhere.
    pub async fn receive_sample(&self, id: &ConnectionId, trigger: &str) -> Result<Ingested, EngineError> {
        let connection = self.stored(id).await?;
        if !is_this_machine(&connection.base_url) {
            return Err(EngineError::Conflict(format!(
                "{id} is connected to {}; samples are for the sandbox only",
                connection.base_url
            )));
        }
        let active = self.active(id).await?;
        let declared = active.manifest.triggers.iter().find(|one| one.name == trigger);
        let declared = declared.ok_or_else(|| EngineError::NotFound {
            what: "trigger",
            id: format!("{}.{trigger}", connection.connector),
            hint: "; `contactor catalog` lists those there are".to_owned(),
        })?;
        if matches!(declared.source, TriggerSource::Timer | TriggerSource::Poll) {
            self.deliver_sample(id, trigger, None).await?;
            return Ok(Ingested::New);
        }
        let (Some(sample), Some(webhook), TriggerSource::Webhook) =
            (&declared.sample, &active.manifest.webhook, declared.source)
        else {
            return Err(EngineError::Invalid(format!(
                "{}.{trigger}: the manifest has no sample of a webhook for it",
                connection.connector
            )));
        };
        let mut headers = HeaderMap::new();
        let body = anew(sample.clone(), &webhook.event_id, &mut headers);
        let body = Bytes::from(match &body {
            // A sample that is no JSON, such as a form, is a text of the manifest.
            Value::String(text) => text.clone(),
            body => body.to_string(),
        });
        let secret = self.credentials().get(&connection.workspace, &webhook_name(id)).await?;
        if let Some((name, value)) =
            secret.and_then(|secret| signature::sign(webhook, &secret, &body, self.now()))
        {
            put(&mut headers, &name, &value);
        }
        let accepted = async {
            let endpoint = self.endpoint_of(connection.clone()).await?;
            self.ingest_partner(endpoint, &headers, body).await
        };
        accepted.await.map_err(|error| match error {
            IngestError::Store(error) => error.into(),
            error => EngineError::Invalid(format!("{}.{trigger}: {error}", connection.connector)),
        })
    }
}

/// A sample under an id of its own, where the partner gives its events one: the second sending is another event.
fn anew(mut sample: Value, event_id: &EventId, headers: &mut HeaderMap) -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    match event_id {
        EventId::Body => {}
        EventId::Header(name) => put(headers, name, &id),
        EventId::Pointer(pointer) => {
            if let Some(place) = sample.pointer_mut(pointer) {
                *place = if place.is_number() { json!(rand::random::<u32>()) } else { json!(id) };
            }
        }
    }
    sample
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

fn is_this_machine(url: &str) -> bool {
    match url.parse::<Url>().ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_for_a_partner_on_this_machine() {
        assert!(is_this_machine("http://127.0.0.1:8450/prefinery") && is_this_machine("http://localhost:1"));
        assert!(
            !is_this_machine("https://api.prefinery.com") && !is_this_machine("http://localhost.example.com")
        );
    }

    #[test]
    fn every_sending_is_an_event_of_its_own_where_the_partner_numbers_its_events() {
        let mut headers = HeaderMap::new();
        let id = EventId::Pointer("/id".to_owned());
        let sample = json!({ "id": "sample", "event": "x" });
        let (one, two) = (anew(sample.clone(), &id, &mut headers), anew(sample.clone(), &id, &mut headers));
        assert_ne!(one["id"], two["id"]);
        assert_eq!(one["event"], "x");
        assert_eq!(anew(sample.clone(), &EventId::Body, &mut headers), sample);
        anew(sample, &EventId::Header("x-event".to_owned()), &mut headers);
        assert!(headers.contains_key("x-event"));
    }
}
