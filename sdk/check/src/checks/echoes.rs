//! What the connector wrote is what it reads: the host recognises the echo of its own write by its content, so one record of the
//! partner has to look the same wherever it comes from.

use contactor_manifest::{Direction, Entity, Manifest};
use contactor_runtime::bindings::adapter::PartnerRecord;
use contactor_runtime::bindings::types::Value;
use contactor_runtime::{Invocation, Reply};
use serde_json::Value as Json;

use super::{count, native};
use crate::host::Script;
use crate::partner::Envelope;
use crate::report::Outcome;
use crate::subject::{Subject, ask};
use crate::values;

/// A record of the partner as one call showed it.
struct View {
    how: &'static str,
    record: PartnerRecord,
}

pub(crate) async fn run(subject: &mut Subject) -> Outcome {
    let manifest = subject.manifest();
    let mut problems = Vec::new();
    let mut compared = 0;
    for entity in native(&manifest) {
        for record in values::records(&manifest, &entity.name) {
            let views = views(subject, &manifest, &entity, &record).await;
            let Some((first, others)) = views.split_first() else { continue };
            for other in others {
                compared += 1;
                problems.extend(differences(&entity.name, first, other));
            }
            if !others.is_empty() {
                break;
            }
        }
    }
    subject.take_faults();
    if compared == 0 {
        let reason = "the connector understood no record that the suite made up of its fields; a [[trigger]] with the sample of one helps";
        return Outcome::skipped(reason);
    }
    Outcome::of(problems, format!("{} compared", count(compared, "answer")))
}

/// The same record through every call that shows one.
async fn views(subject: &mut Subject, manifest: &Manifest, entity: &Entity, record: &Json) -> Vec<View> {
    let name = &entity.name;
    let scripts: Vec<Script> = Envelope::all(&entity.partner_name)
        .iter()
        .map(|envelope| envelope.script(std::slice::from_ref(record)))
        .collect();
    let mut views = Vec::new();
    // Ids are the partner's: a record tells its own, and an id that the suite made up may not be one.
    let mut id = None;
    for key in &entity.natural_keys {
        let find = ask::find(name, &key.partner, Value::Text(values::EMAIL.into()));
        if let Some(found) = first(subject, &find, &scripts).await {
            id = Some(found.id.clone());
            views.push(View { how: "find", record: found });
            break;
        }
    }
    for stream in manifest.streams.iter().filter(|stream| stream.entity == *name) {
        if let Some(polled) = first(subject, &ask::poll(&stream.name, None), &scripts).await {
            id.get_or_insert_with(|| polled.id.clone());
            views.push(View { how: "poll", record: polled });
            break;
        }
    }
    let id = id.unwrap_or_else(|| values::ID.to_owned());
    if let Some(read) = first(subject, &ask::read(name, &id), &scripts).await {
        views.insert(0, View { how: "read", record: read });
    }
    if entity.direction != Direction::ToHighlevel {
        let update = ask::update(name, &id, written(manifest, name, record));
        if let Some(updated) = first(subject, &update, &scripts).await {
            views.push(View { how: "update", record: updated });
        }
    }
    views
}

/// A field that the record has already with this value, so that writing it changes nothing.
fn written(
    manifest: &Manifest,
    entity: &str,
    record: &Json,
) -> Vec<contactor_runtime::bindings::types::NamedValue> {
    let mut fields = values::writable(manifest, entity);
    fields.retain(|field| {
        let value =
            record.get(&field.name).or_else(|| record.pointer(&format!("/{}", field.name.replace('.', "/"))));
        field.name != "email" && value.is_some_and(|value| values::from_json(value.clone()) == field.value)
    });
    fields.truncate(1);
    fields
}

/// The record of the first answer that the connector understands.
async fn first(subject: &mut Subject, invocation: &Invocation, scripts: &[Script]) -> Option<PartnerRecord> {
    for script in scripts {
        let reply = subject.call(invocation.clone(), "", script).await.reply;
        let record = match reply {
            Some(Reply::Read(Ok(record)) | Reply::Update(Ok(record))) => Some(record),
            Some(Reply::Find(Ok(records))) => records.into_iter().next(),
            Some(Reply::Poll(Ok(page))) => {
                let shown = |change: contactor_runtime::bindings::triggers::Change| match change.snapshot {
                    Some(snapshot) if snapshot.id == change.id => Some(snapshot),
                    // Another id in the snapshot than beside it, or no snapshot: the id is what can be compared.
                    _ => Some(PartnerRecord { id: change.id, fields: Vec::new(), updated_at: None }),
                };
                page.changes.into_iter().next().and_then(shown)
            }
            _ => None,
        };
        if record.is_some() {
            return record;
        }
    }
    None
}

fn differences(entity: &str, one: &View, other: &View) -> Vec<String> {
    let mut problems = Vec::new();
    if one.record.id != other.record.id {
        problems.push(format!(
            "one `{entity}` has the id `{}` in {} and `{}` in {}: the host would take it for two",
            one.record.id, one.how, other.record.id, other.how
        ));
    }
    for field in &one.record.fields {
        let same = other.record.fields.iter().find(|same| same.name == field.name);
        if let Some(same) = same.filter(|same| same.value != field.value) {
            problems.push(format!(
                "the field `{}` of one `{entity}` is {:?} in {} and {:?} in {}: the host would take its own write for a change",
                field.name, field.value, one.how, same.value, other.how
            ));
        }
    }
    problems
}
