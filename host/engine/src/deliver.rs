//! From an event to what connectors have to handle: which values it has, which contact it is about, and what tells it from
//! others.

use contactor_highlevel::webhook::{Envelope, Event as HlEvent};
use contactor_manifest::{Trigger, TriggerSource};
use contactor_runtime::bindings::triggers::{Change, ChangeKind};
use contactor_runtime::bindings::types::Value as WitValue;
use contactor_store::{ConnectionId, EventSeq, NewDelivery, Origin, RecordId, WorkspaceId};
use contactor_sync::{Fields, Value};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::convert;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::journal;
use crate::receive::is_usable_id;
use crate::reconcile::{RunContext, contact_fields, partner_record};

/// The entity whose partner records are HighLevel's contacts.
const CONTACT: &str = "contact";
/// Bytes of a key that a connector gives; a longer one is known by its digest.
const KEY: usize = 200;
/// Members of HighLevel's envelope, which are no values of the record.
const ENVELOPE: [&str; 9] = [
    "type",
    "locationId",
    "companyId",
    "appId",
    "versionId",
    "webhookId",
    "timestamp",
    "payloadTooLarge",
    "traceId",
];

impl Engine {
    /// What connectors have to handle because of a webhook of HighLevel.
    pub(crate) async fn deliveries_of_highlevel(
        &self,
        workspace: &WorkspaceId,
        envelope: &Envelope,
        key: &str,
        now: Timestamp,
    ) -> Result<Vec<NewDelivery>, EngineError> {
        let subscribers = self.subscribers(workspace, &envelope.kind).await?;
        if subscribers.is_empty() {
            return Ok(Vec::new());
        }
        let contact = contact_of(envelope);
        let fields = fields_of(envelope);
        let each = subscribers.into_iter().map(|connection| NewDelivery {
            connection,
            key: format!("h:{key}"),
            lasting: false,
            source: Origin::Highlevel,
            kind: envelope.kind.clone(),
            entity: None,
            contact_id: contact.clone(),
            partner_id: None,
            at: envelope.timestamp.unwrap_or(now),
            fields: fields.clone(),
            payload: None,
        });
        Ok(each.collect())
    }

    /// An event that the host itself found out, such as a task whose contents changed, for all connections that want it. Answers
    /// what is to be stored in one transaction with what showed the host: then it is told once, however often it happens again,
    /// and a walk that is cut short tells it neither twice nor never.
    pub(crate) async fn host_deliveries(
        &self,
        workspace: &WorkspaceId,
        event: &HostEvent,
    ) -> Result<Vec<NewDelivery>, EngineError> {
        let now = self.now();
        let subscribers = self.subscribers(workspace, event.kind).await?;
        let key = format!("o:{}:{}", event.kind, uuid::Uuid::now_v7());
        let each = subscribers.into_iter().map(|connection| NewDelivery {
            connection,
            key: key.clone(),
            lasting: false,
            source: Origin::Highlevel,
            kind: event.kind.to_owned(),
            entity: None,
            contact_id: event.contact.clone(),
            partner_id: None,
            at: now,
            fields: event.fields.clone(),
            payload: Some(event.payload.to_string()),
        });
        Ok(each.collect())
    }
}

/// An event that no webhook told.
pub(crate) struct HostEvent {
    /// Its kind, as HighLevel's webhook or the catalogue names it.
    pub(crate) kind: &'static str,
    /// The contact that it is about.
    pub(crate) contact: Option<RecordId>,
    /// The record's values.
    pub(crate) fields: Fields,
    /// What a handler finds as the event's body.
    pub(crate) payload: Json,
}

impl Engine {
    /// Sends a trigger's sample through the whole path, as if the partner, the poll or the timer had shown it, and answers the
    /// delivery's kind. A webhook's sample is not for this: it goes through the webhook's own address.
    pub async fn deliver_sample(
        &self,
        id: &ConnectionId,
        trigger: &str,
        contact: Option<&RecordId>,
    ) -> Result<(), EngineError> {
        let connection = self.stored(id).await?;
        let manifest = self.manifest_of(&connection).await?;
        let found = manifest.triggers.iter().find(|declared| declared.name == trigger);
        let declared = found.ok_or_else(|| EngineError::NotFound {
            what: "trigger",
            id: trigger.to_owned(),
            hint: format!("; {id} announces {}", names(&manifest.triggers)),
        })?;
        let source = match declared.source {
            TriggerSource::Poll => Origin::Partner,
            TriggerSource::Timer => Origin::Host,
            TriggerSource::Highlevel => Origin::Highlevel,
            TriggerSource::Webhook => {
                return Err(EngineError::Invalid(format!(
                    "`{trigger}` comes by webhook: send its sample to the connection's webhook address"
                )));
            }
        };
        self.store().deliver(vec![sample(id, declared, source, contact, self.now())]).await?;
        self.wake().wake();
        Ok(())
    }
}

fn names(triggers: &[Trigger]) -> String {
    if triggers.is_empty() {
        return "none".to_owned();
    }
    triggers.iter().map(|trigger| trigger.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn sample(
    id: &ConnectionId,
    trigger: &Trigger,
    source: Origin,
    contact: Option<&RecordId>,
    now: Timestamp,
) -> NewDelivery {
    let body = trigger.sample.clone().unwrap_or_else(|| Json::Object(Map::new()));
    let record = body.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    NewDelivery {
        connection: id.clone(),
        // Every sample is an event of its own.
        key: format!("s:{}", uuid::Uuid::now_v7()),
        lasting: false,
        source,
        kind: trigger.name.clone(),
        entity: None,
        contact_id: contact.cloned(),
        partner_id: record.filter(|id| source == Origin::Partner && is_usable_id(id)).map(RecordId::new),
        at: now,
        fields: body.as_object().map(flat).unwrap_or_default(),
        payload: Some(body.to_string()),
    }
}

fn contact_of(envelope: &Envelope) -> Option<RecordId> {
    let of_event = envelope.event().contact().map(|id| id.as_str().to_owned());
    let id = of_event.or_else(|| Some(envelope.body.get("contactId")?.as_str()?.to_owned()))?;
    (!id.is_empty()).then(|| RecordId::new(id))
}

/// The record's values as the event shows them; a contact's as its reading would. A payload that was cut has few.
fn fields_of(envelope: &Envelope) -> Fields {
    if let Some(snapshot) = envelope.snapshot() {
        let mut fields = contact_fields(snapshot.fields, &snapshot.tags);
        fields.insert("id".to_owned(), Value::Text(snapshot.id.to_string()));
        return fields;
    }
    let nested = match envelope.event() {
        HlEvent::Appointment { .. } => envelope.body.get("appointment").and_then(Json::as_object),
        _ => None,
    };
    flat(nested.unwrap_or(&envelope.body))
}

fn flat(members: &Map<String, Json>) -> Fields {
    let own = members.iter().filter(|(name, _)| !ENVELOPE.contains(&name.as_str()));
    own.map(|(name, json)| (name.clone(), convert::value_from_json(json))).collect()
}

/// What the connector has to handle of its own partner's changes: those whose event its manifest declares as a trigger.
/// `carrier` is the webhook that shows them, and when it came.
pub(crate) fn of_partner(
    run: &RunContext,
    changes: &[Change],
    carrier: Option<(EventSeq, Timestamp)>,
) -> Vec<NewDelivery> {
    let manifest = &run.active.manifest;
    let is_declared = |event: &str| {
        manifest.triggers.iter().any(|trigger| {
            matches!(trigger.source, TriggerSource::Webhook | TriggerSource::Poll) && trigger.name == event
        })
    };
    let declared = changes.iter().enumerate().filter(|(_, change)| is_declared(&change.event));
    declared
        .map(|(index, change)| {
            let (key, lasting) = key_of(change, carrier.map(|(seq, _)| (seq, index)));
            let has_record = is_usable_id(&change.id);
            let finds_contact = has_record
                && change.entity == CONTACT
                && change.kind != ChangeKind::Deleted
                && manifest.entity(CONTACT).is_some();
            let snapshot = change.snapshot.as_ref().map(partner_record);
            let polled_at = snapshot.as_ref().and_then(|record| record.updated_at);
            let mut fields = snapshot.map(|record| record.fields).unwrap_or_default();
            fields.extend(convert::fields_from_wit(&change.fields));
            NewDelivery {
                connection: run.active.connection.id.clone(),
                key,
                lasting,
                source: Origin::Partner,
                kind: change.event.clone(),
                entity: finds_contact.then(|| CONTACT.to_owned()),
                contact_id: None,
                partner_id: has_record.then(|| RecordId::new(change.id.as_str())),
                at: carrier.map(|(_, at)| at).or(polled_at).unwrap_or(run.started_at),
                fields,
                payload: None,
            }
        })
        .collect()
}

/// What tells a happening from others, and whether that holds for good: the partner's own name for it, which the connector gives
/// as the field `key`; else the webhook that showed it; else its contents.
fn key_of(change: &Change, carrier: Option<(EventSeq, usize)>) -> (String, bool) {
    let event = &change.event;
    let given = change.fields.iter().find(|field| field.name == "key").and_then(|field| match &field.value {
        WitValue::Text(text) if !text.is_empty() => Some(text.clone()),
        WitValue::Integer(number) => Some(number.to_string()),
        _ => None,
    });
    match (given, carrier) {
        (Some(key), _) => (format!("k:{event}:{}", short(&key)), true),
        (None, Some((seq, index))) => (format!("e:{}:{index}:{event}", seq.0), false),
        (None, None) => (format!("c:{event}:{}", hex::encode(journal::digest(change))), false),
    }
}

fn short(key: &str) -> String {
    if key.len() <= KEY { key.to_owned() } else { format!("sha256:{}", hex::encode(journal::digest(&key))) }
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::types::NamedValue;
    use serde_json::json;

    use super::*;

    fn envelope(body: &Json) -> Envelope {
        Envelope::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_event_shows_the_values_of_its_record_and_none_of_its_envelope() {
        let shown = |body: Json| {
            let fields = fields_of(&envelope(&body));
            fields.into_iter().map(|(name, value)| (name, value.to_json())).collect::<Map<_, _>>()
        };
        let task = json!({"type": "TaskCreate", "locationId": "l", "id": "t1", "contactId": "c1", "title": "Call",
            "timestamp": "2026-11-21T08:00:00Z", "webhookId": "w"});
        assert_eq!(Json::Object(shown(task)), json!({"id": "t1", "contactId": "c1", "title": "Call"}));
        let appointment = json!({"type": "AppointmentUpdate", "locationId": "l",
            "appointment": {"id": "a1", "contactId": "c1", "appointmentStatus": "showed"}});
        assert_eq!(
            Json::Object(shown(appointment)),
            json!({"id": "a1", "contactId": "c1", "appointmentStatus": "showed"})
        );
        let contact = json!({"type": "ContactUpdate", "id": "c1", "locationId": "l", "firstName": "Ada",
            "tags": ["vip"], "customFields": [{"id": "f1", "value": "gold"}]});
        let contact = shown(contact);
        assert_eq!(contact["tags"], json!(["vip"]));
        assert_eq!(contact["customFields.f1"], json!("gold"));
        assert_eq!(contact["id"], json!("c1"));
    }

    #[test]
    fn the_contact_of_any_event_is_found_where_the_vendor_puts_it() {
        let of = |body: Json| contact_of(&envelope(&body)).map(|id| id.to_string());
        assert_eq!(of(json!({"type": "ContactUpdate", "id": "c1"})).as_deref(), Some("c1"));
        assert_eq!(of(json!({"type": "NoteCreate", "id": "n", "contactId": "c1"})).as_deref(), Some("c1"));
        assert_eq!(
            of(json!({"type": "AppointmentCreate", "appointment": {"id": "a", "contactId": "c1"}}))
                .as_deref(),
            Some("c1")
        );
        assert_eq!(of(json!({"type": "InboundMessage", "contactId": "c1"})).as_deref(), Some("c1"));
        assert_eq!(of(json!({"type": "TaskCreate", "id": "t"})), None);
    }

    fn change(key: Option<&str>) -> Change {
        let key = key.map(|key| NamedValue { name: "key".to_owned(), value: WitValue::Text(key.to_owned()) });
        Change {
            entity: "contact".to_owned(),
            id: "p1".to_owned(),
            kind: ChangeKind::Other,
            event: "reward_earned".to_owned(),
            snapshot: None,
            fields: key.into_iter().collect(),
        }
    }

    #[test]
    fn a_happening_is_known_by_the_partners_name_for_it_else_by_its_carrier_else_by_its_contents() {
        assert_eq!(
            key_of(&change(Some("r1")), Some((EventSeq(7), 0))),
            ("k:reward_earned:r1".to_owned(), true)
        );
        assert_eq!(key_of(&change(None), Some((EventSeq(7), 2))), ("e:7:2:reward_earned".to_owned(), false));
        let (polled, lasting) = key_of(&change(None), None);
        assert_eq!((key_of(&change(None), None).0, lasting), (polled.clone(), false));
        assert_ne!(key_of(&Change { id: "p2".to_owned(), ..change(None) }, None).0, polled);
        let (long, _) = key_of(&change(Some(&"x".repeat(5_000))), None);
        assert!(long.len() < 300, "{long}");
    }
}
