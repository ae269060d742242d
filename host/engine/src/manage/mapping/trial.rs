//! A mapping tried out: sample values of both sides, and what would be written of them.

use std::collections::BTreeMap;

use contactor_highlevel::webhook::Envelope;
use contactor_runtime::bindings::triggers::{Change, Received};
use contactor_runtime::{Invocation, Reply};
use contactor_store::{ConnectionId, Event, EventSeq, RecordId, Side};
use contactor_sync::{Fields, Mapping, RowView, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::active::{compile_mappings, owner_of};
use crate::convert;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::receive;
use crate::reconcile::children::Kind;
use crate::reconcile::{RunContext, contact_fields, mismatch, partner_record};

const CUSTOM: &str = "customFields.";

/// What to try a mapping on. Without anything given, only the rows are compiled.
#[derive(Clone, Debug, Default)]
pub struct MappingTrial {
    /// The entity.
    pub entity: String,
    /// A contact of HighLevel's; its counterpart is read, too, if it has one. For tasks, notes and appointments it is the contact
    /// that `record` belongs to.
    pub contact: Option<String>,
    /// A record of the partner's; its counterpart is read, too, if it has one. For tasks, notes and appointments it is HighLevel's.
    pub record: Option<String>,
    /// A stored event, which shows the record as it was then.
    pub event: Option<EventSeq>,
    /// Values by field, of either side or both; they go before what was read.
    pub highlevel: Map<String, Json>,
    /// As `highlevel`.
    pub partner: Map<String, Json>,
    /// Rows of the admin's in place of the stored ones: a draft.
    pub mapping: Option<Json>,
}

/// What would be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialReport {
    /// HighLevel's sample values; absent without a sample.
    pub highlevel: Option<Map<String, Json>>,
    /// The partner's.
    pub partner: Option<Map<String, Json>>,
    /// Each row in each direction in which there is a sample.
    pub rows: Vec<TrialRow>,
    /// Fields without which the other side would refuse to create the record, and that get no value.
    pub missing: Vec<String>,
}

/// One row in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    /// `<HighLevel field>=<partner field>`.
    pub row: String,
    /// The side that would be written.
    pub to: Side,
    /// The field that the value comes from.
    pub source: String,
    /// The field that it goes to.
    pub target: String,
    /// The value of the source.
    pub before: Json,
    /// What expression and table make of it.
    pub computed: Json,
    /// What would be written.
    pub after: Json,
    /// The target's type changed the computed value: something of it may be lost.
    pub coerced: bool,
    /// What the target holds now.
    pub current: Option<Json>,
    /// Why nothing would be written.
    pub problem: Option<TrialProblem>,
}

/// Why a row gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialProblem {
    /// The field whose value is at fault.
    pub field: String,
    /// The value, shortened.
    pub value: String,
    /// What is wrong.
    pub reason: String,
}

/// The samples of both sides.
#[derive(Default)]
struct Samples {
    highlevel: Option<Fields>,
    partner: Option<Fields>,
}

impl Engine {
    /// Tries a connection's mapping out. Reads what it is told to, writes nothing.
    ///
    /// # Errors
    /// No such connection, entity, record or event, a draft that does not compile, or a system that does not answer.
    pub async fn try_mapping(
        &self,
        id: &ConnectionId,
        trial: MappingTrial,
    ) -> Result<TrialReport, EngineError> {
        let active = self.active(id).await?;
        let rows = trial.mapping.as_ref().unwrap_or(&active.connection.mapping);
        let mut mappings = compile_mappings(&active.manifest, rows)?;
        let Some(mapping) = mappings.remove(&trial.entity) else {
            let known: Vec<_> = mappings.keys().cloned().collect();
            return Err(EngineError::Invalid(format!(
                "{id} maps nothing of `{}`; it maps {}",
                trial.entity,
                known.join(", ")
            )));
        };
        let run = self.interactive(&active, true);
        let mut samples = self.samples(&run, id, &trial).await?;
        for (given, side) in
            [(&trial.highlevel, &mut samples.highlevel), (&trial.partner, &mut samples.partner)]
        {
            if !given.is_empty() {
                let values = given.iter().map(|(name, json)| (name.clone(), convert::value_from_json(json)));
                side.get_or_insert_default().extend(values);
            }
        }
        let owner = owner_of(&active.manifest, &trial.entity).unwrap_or(&trial.entity);
        let required: Vec<&str> = active
            .manifest
            .fields_of(owner)
            .filter(|field| field.required)
            .map(|field| field.name.as_str())
            .collect();
        Ok(report(&mapping, &samples, &active.context, &required, &trial.entity))
    }

    async fn samples(
        &self,
        run: &RunContext,
        id: &ConnectionId,
        trial: &MappingTrial,
    ) -> Result<Samples, EngineError> {
        let mut samples = Samples::default();
        let asked = [trial.contact.is_some(), trial.record.is_some(), trial.event.is_some()];
        if asked.contains(&true) && trial.entity != "contact" {
            samples.highlevel = Some(child(run, trial).await?);
            return Ok(samples);
        }
        let link = |side: Side, record: RecordId| async move {
            self.store().link(id, "contact", side, &record).await.map_err(EngineError::from)
        };
        if let Some(contact) = trial.contact.as_ref().map(|contact| RecordId::new(contact.as_str())) {
            samples.highlevel = Some(self.contact(run, &contact).await?);
            if let Some(link) = link(Side::Highlevel, contact).await?
                && trial.record.is_none()
            {
                samples.partner =
                    run.read_partner("contact", &link.partner_id).await.map_err(told)?.map(|r| r.fields);
            }
        }
        if let Some(record) = trial.record.as_ref().map(|record| RecordId::new(record.as_str())) {
            let found = run.read_partner("contact", &record).await.map_err(told)?;
            samples.partner =
                Some(found.ok_or_else(|| missing("record of the partner's", record.as_str()))?.fields);
            if let Some(link) = link(Side::Partner, record).await?
                && trial.contact.is_none()
            {
                samples.highlevel = Some(self.contact(run, &link.highlevel_id).await?);
            }
        }
        if let Some(seq) = trial.event {
            let event = self
                .store()
                .event(seq)
                .await?
                .filter(|event| event.workspace.as_ref() == Some(&run.active.workspace.id));
            let event = event.ok_or_else(|| missing("event", &seq.0.to_string()))?;
            match event.source {
                Side::Highlevel => samples.highlevel = Some(of_highlevel(run, &event).await?),
                Side::Partner => samples.partner = Some(of_partner(run, id, &event).await?),
            }
        }
        Ok(samples)
    }

    async fn contact(&self, run: &RunContext, id: &RecordId) -> Result<Fields, EngineError> {
        let contact = run.location.contact(&contactor_highlevel::ContactId::new(id.as_str())).await?;
        named(run, contact_fields(contact.fields(), &contact.tags)).await
    }
}

/// A child of a contact's, by its id.
async fn child(run: &RunContext, trial: &MappingTrial) -> Result<Fields, EngineError> {
    let entity = &trial.entity;
    let asked = (Kind::of_entity(entity), trial.contact.as_deref(), trial.record.as_deref(), trial.event);
    let (Some(kind), Some(contact), Some(record), None) = asked else {
        return Err(EngineError::Invalid(format!(
            "a sample of a `{entity}` is a contact and, as the record, the id of a task, note or appointment of it; other values are \
             given"
        )));
    };
    let children = run.read_children(kind, &RecordId::new(contact)).await.map_err(told)?;
    let children = children.ok_or_else(|| missing("contact", contact))?;
    let found = children.into_iter().find(|child| child.id.as_deref() == Some(record));
    Ok(found.ok_or_else(|| missing(kind.entity(), record))?.fields)
}

/// Custom fields by key, whether or not the stored mapping uses them: a draft may.
async fn named(run: &RunContext, fields: Fields) -> Result<Fields, EngineError> {
    if !fields.keys().any(|name| name.starts_with(CUSTOM)) {
        return Ok(fields);
    }
    let definitions = run.engine.custom_fields(&run.active.workspace, &run.location).await.map_err(told)?;
    let key =
        |name: &str| definitions.get(name.strip_prefix(CUSTOM)?)?.key().map(|key| format!("{CUSTOM}{key}"));
    Ok(fields.into_iter().map(|(name, value)| (key(&name).unwrap_or(name), value)).collect())
}

async fn of_highlevel(run: &RunContext, event: &Event) -> Result<Fields, EngineError> {
    let snapshot = Envelope::parse(&event.body).ok().and_then(|envelope| envelope.snapshot());
    let snapshot = snapshot.ok_or_else(|| {
        EngineError::Invalid(format!(
            "event {}: a {} shows no contact, or its body has expired",
            event.seq.0, event.kind
        ))
    })?;
    named(run, contact_fields(snapshot.fields, &snapshot.tags)).await
}

/// What the connector reads out of a stored webhook.
async fn of_partner(run: &RunContext, id: &ConnectionId, event: &Event) -> Result<Fields, EngineError> {
    if event.connection.as_ref() != Some(id) {
        return Err(EngineError::Invalid(format!("event {} came to another connection", event.seq.0)));
    }
    let changes = changes_of_partner(run, event).await?;
    let shown = changes.iter().find_map(|change| change.snapshot.as_ref());
    if let Some(record) = shown {
        return Ok(partner_record(record).fields);
    }
    let change = changes
        .first()
        .ok_or_else(|| EngineError::Invalid(format!("event {} names no record", event.seq.0)))?;
    let record = run.read_partner(&change.entity, &RecordId::new(change.id.as_str())).await.map_err(told)?;
    Ok(record.ok_or_else(|| missing("record of the partner's", &change.id))?.fields)
}

/// The changes that a connector reads out of a stored webhook.
pub(super) async fn changes_of_partner(run: &RunContext, event: &Event) -> Result<Vec<Change>, EngineError> {
    let webhook = receive::webhook(run, event);
    match run.invoke("triggers.receive", Invocation::Receive(webhook)).await.map_err(told)? {
        Reply::Receive(Ok(Received::Changes(changes))) => Ok(changes),
        Reply::Receive(Ok(Received::Rejected(why))) => {
            Err(EngineError::Invalid(format!("event {}: {why}", event.seq.0)))
        }
        Reply::Receive(Err(error)) => Err(told(run.of_connector("triggers.receive", &error))),
        _ => Err(told(mismatch("triggers.receive"))),
    }
}

fn missing(what: &'static str, id: &str) -> EngineError {
    EngineError::NotFound { what, id: id.to_owned(), hint: String::new() }
}

fn told(failure: Failure) -> EngineError {
    if failure.busy {
        return EngineError::Busy(failure.message);
    }
    EngineError::Partner { connector: String::new(), message: failure.message }
}

// ------------------------------------------------------------------------------------------------------------------ report

fn report(
    mapping: &Mapping,
    samples: &Samples,
    context: &contactor_sync::Context,
    required: &[&str],
    entity: &str,
) -> TrialReport {
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    if let Some(fields) = &samples.highlevel {
        let views = mapping.explain(contactor_sync::Side::Highlevel, fields, context);
        let written = written(&views);
        missing.extend(
            required
                .iter()
                .filter(|name| !written.contains_key(**name))
                .map(|name| format!("partner: {name}")),
        );
        rows.extend(views.iter().map(|view| row(view, Side::Partner, samples.partner.as_ref())));
    }
    if let Some(fields) = &samples.partner {
        let views = mapping.explain(contactor_sync::Side::Partner, fields, context);
        let written = written(&views);
        missing.extend(needed(entity, &written).map(|name| format!("HighLevel: {name}")));
        rows.extend(views.iter().map(|view| row(view, Side::Highlevel, samples.highlevel.as_ref())));
    }
    TrialReport {
        highlevel: samples.highlevel.as_ref().map(json),
        partner: samples.partner.as_ref().map(json),
        rows,
        missing,
    }
}

/// What HighLevel needs of a new record and would not get, with what the host does about it.
fn needed(entity: &str, written: &BTreeMap<&str, &Value>) -> impl Iterator<Item = &'static str> {
    let gets = |names: &[&str]| names.iter().any(|name| written.contains_key(name));
    let needs: &[(&[&str], &str)] = match entity {
        "contact" => &[(&["email", "phone"], "an email or a phone")],
        "task" => &[
            (&["title"], "title"),
            (&["dueDate"], "dueDate (a task without one is due when it is first seen)"),
            (&["completed"], "completed (a task without it is open)"),
        ],
        "note" => &[(&["body"], "body")],
        _ => &[],
    };
    needs.iter().filter(|(names, _)| !gets(names)).map(|(_, name)| *name).collect::<Vec<_>>().into_iter()
}

/// The fields that would get a value.
fn written(views: &[RowView]) -> BTreeMap<&str, &Value> {
    let given = views.iter().filter_map(|view| Some((view.target.as_str(), view.result.as_ref().ok()?)));
    given.filter(|(_, value)| **value != Value::Null && **value != Value::from("")).collect()
}

fn row(view: &RowView, to: Side, target: Option<&Fields>) -> TrialRow {
    let after = view.result.as_ref().ok();
    TrialRow {
        row: view.row.to_string(),
        to,
        source: view.source.clone(),
        target: view.target.clone(),
        before: view.raw.to_json(),
        computed: view.computed.as_ref().map(Value::to_json).unwrap_or_default(),
        after: after.map(Value::to_json).unwrap_or_default(),
        coerced: matches!((&view.computed, after), (Some(computed), Some(after)) if computed.to_json() != after.to_json()),
        current: target.and_then(|fields| fields.get(&view.target)).map(Value::to_json),
        problem: view.result.as_ref().err().map(|problem| TrialProblem {
            field: view.source.clone(),
            value: convert::show(&view.raw),
            reason: problem.to_string(),
        }),
    }
}

fn json(fields: &Fields) -> Map<String, Json> {
    fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(entity: &str, written: &[(&str, Value)]) -> Vec<&'static str> {
        needed(entity, &written.iter().map(|(name, value)| (*name, value)).collect()).collect()
    }

    #[test]
    fn what_highlevel_needs_of_each_kind_of_record_is_named() {
        assert_eq!(lacks("contact", &[]), ["an email or a phone"]);
        assert_eq!(lacks("contact", &[("phone", Value::from("+1"))]), Vec::<&str>::new());
        assert_eq!(lacks("task", &[]).len(), 3);
        let task = lacks(
            "task",
            &[("title", Value::from("Call")), ("completed", Value::from_json(Json::Bool(false)))],
        );
        assert!(task.len() == 1 && task[0].starts_with("dueDate"), "{task:?}");
        assert_eq!(lacks("note", &[]), ["body"]);
        assert_eq!(lacks("appointment", &[]), Vec::<&str>::new());
    }
}
