//! A large page and a list without end stay within the limits that the manifest asks for.

use std::sync::Arc;

use contactor_runtime::bindings::types::Value;
use serde_json::Value as Json;

use super::{count, native};
use crate::partner::Envelope;
use crate::report::Outcome;
use crate::subject::{Subject, ask};
use crate::values;

/// Records of a large page: the most that any known partner sends.
const LARGE: usize = 1_000;

pub(crate) async fn run(subject: &mut Subject) -> Outcome {
    let manifest = subject.manifest();
    // Faults that other checks have told already.
    subject.take_faults();
    let mut calls = Vec::new();
    for entity in native(&manifest) {
        calls.push((entity.clone(), ask::read(&entity.name, values::ID)));
        for key in &entity.natural_keys {
            calls.push((
                entity.clone(),
                ask::find(&entity.name, &key.partner, Value::Text(values::EMAIL.into())),
            ));
        }
        for stream in manifest.streams.iter().filter(|stream| stream.entity == entity.name) {
            calls.push((entity.clone(), ask::poll(&stream.name, None)));
        }
    }
    let mut made = 0;
    for (entity, invocation) in calls {
        for record in values::records(&manifest, &entity.name) {
            let page: Arc<[Json]> = many(&record).into();
            for envelope in Envelope::all(&entity.partner_name) {
                let about = format!("a page of as many records as it asks for, at most {LARGE}");
                subject.call(invocation.clone(), &about, &envelope.paged(Arc::clone(&page))).await;
                subject.call(invocation.clone(), "a list without end", &envelope.endless(&record)).await;
                made += 2;
            }
        }
    }
    let problems = subject.take_faults();
    if made == 0 {
        return Outcome::skipped("it reads no records");
    }
    Outcome::of(problems, format!("{}; {}", count(made, "call"), subject.peak.shown(&manifest.limits)))
}

/// Records that differ in their ids and emails.
fn many(record: &Json) -> Vec<Json> {
    let one = |number: usize| {
        let mut record = record.clone();
        if let Some(members) = record.as_object_mut() {
            members.insert("id".into(), number.into());
            members.insert("email".into(), format!("person{number}@example.com").into());
        }
        record
    };
    (0..LARGE).map(one).collect()
}
