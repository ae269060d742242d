//! What the manifest declares is there. `unsupported` would be a promise that is not kept; any other answer will do.

use contactor_manifest::{Direction, Entity, Manifest, TriggerSource};
use contactor_runtime::bindings::automations::Outcome as Handled;
use contactor_runtime::bindings::types::{Error, Value};
use contactor_runtime::{Invocation, Reply};

use super::{count, native};
use crate::report::Outcome;
use crate::subject::{Answer, Subject, ask};
use crate::{partner, values};

/// What the SDK's own default answers to every event.
const NO_AUTOMATIONS: &str = "this connector has no automations";

pub(crate) async fn run(subject: &mut Subject) -> Outcome {
    let manifest = subject.manifest();
    let mut problems = Vec::new();
    let mut asked = 0;
    for (what, invocation) in promises(&manifest) {
        asked += 1;
        let answer = subject.call(invocation, "", &partner::not_found()).await;
        if let Some(reason) = unsupported(&answer) {
            problems.push(format!("{what}, but the connector answers: {reason}"));
        }
    }
    problems.extend(handled(subject, &manifest).await);
    problems.extend(subject.take_faults());
    Outcome::of(problems, count(asked, "promise"))
}

/// Each thing that the manifest promises, with the call that shows it.
fn promises(manifest: &Manifest) -> Vec<(String, Invocation)> {
    let mut promises = vec![("every connector checks its credential".to_owned(), Invocation::Check)];
    for entity in native(manifest) {
        promises.extend(of_entity(manifest, &entity));
    }
    for stream in &manifest.streams {
        promises.push((
            format!("the manifest declares the stream `{}`", stream.name),
            ask::poll(&stream.name, None),
        ));
    }
    if manifest.webhook.is_some() {
        let body = ask::webhook_samples(manifest)
            .into_iter()
            .next()
            .map_or_else(String::new, |(_, body)| body.to_string());
        promises.push(("the manifest declares webhooks".to_owned(), ask::receive("application/json", body)));
    }
    for action in &manifest.actions {
        let what = format!("the manifest declares the action `{}`", action.name);
        promises.push((what, ask::run(&action.name, &action.example)));
    }
    promises
}

fn of_entity(manifest: &Manifest, entity: &Entity) -> Vec<(String, Invocation)> {
    let name = &entity.name;
    let what = |how: &str| format!("the manifest declares `{name}` as native and {how}");
    let mut promises = vec![(what("so it can be read"), ask::read(name, values::ID))];
    // The host looks for a counterpart at the partner before it writes there, and only then.
    let keys = if entity.direction == Direction::ToHighlevel { &[] } else { entity.natural_keys.as_slice() };
    for key in keys {
        let kind = manifest.field(name, &key.partner).map(|field| values::of_type(field.kind));
        let value = kind.map_or_else(|| Value::Text(values::EMAIL.to_owned()), values::from_json);
        let how = format!("with the natural key `{}`", key.partner);
        promises.push((what(&how), ask::find(name, &key.partner, value)));
    }
    if entity.direction != Direction::ToHighlevel {
        let fields = values::writable(manifest, name);
        let email = fields.iter().filter(|field| field.name != "email").cloned().collect();
        promises.push((what("to be written"), ask::create(name, fields)));
        promises.push((what("to be written"), ask::update(name, values::ID, email)));
    }
    promises
}

/// Events of HighLevel and timers are declared for `handle` alone.
async fn handled(subject: &mut Subject, manifest: &Manifest) -> Vec<String> {
    let mut problems = Vec::new();
    for event in ask::events(manifest) {
        let trigger = manifest.triggers.iter().find(|trigger| trigger.name == event.kind);
        let only_for_handle = trigger
            .is_some_and(|trigger| matches!(trigger.source, TriggerSource::Highlevel | TriggerSource::Timer));
        let answer = subject.call(ask::handle(event.clone()), "", &partner::not_found()).await;
        if only_for_handle
            && matches!(&answer.reply, Some(Reply::Handle(Ok(Handled::Ignored(line)))) if line == NO_AUTOMATIONS)
        {
            problems.push(format!(
                "the manifest declares the trigger `{}`, but the connector handles no events",
                event.kind
            ));
        }
    }
    problems
}

fn unsupported(answer: &Answer) -> Option<String> {
    match answer.error()? {
        Error::Unsupported(reason) => Some(format!("not supported: {reason}")),
        _ => None,
    }
}
