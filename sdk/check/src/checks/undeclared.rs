//! What the manifest does not declare is refused, and nobody is asked about it.

use contactor_manifest::Support;
use contactor_runtime::bindings::types::Value;

use super::count;
use crate::report::Outcome;
use crate::subject::{Subject, ask};
use crate::{partner, values};

/// A name that no manifest has.
const NAME: &str = "no-such-thing";

pub(crate) async fn run(subject: &mut Subject) -> Outcome {
    let manifest = subject.manifest();
    let mut entities = vec![NAME.to_owned()];
    entities.extend(
        manifest.entities.iter().filter(|e| e.support == Support::Unsupported).map(|e| e.name.clone()),
    );

    let mut asked = Vec::new();
    for entity in &entities {
        let fields = values::contact;
        asked.push((format!("reading `{entity}`"), ask::read(entity, values::ID)));
        asked.push((
            format!("finding `{entity}`"),
            ask::find(entity, "email", Value::Text(values::EMAIL.into())),
        ));
        asked.push((format!("creating `{entity}`"), ask::create(entity, fields())));
        asked.push((format!("updating `{entity}`"), ask::update(entity, values::ID, fields())));
    }
    asked.push((format!("polling `{NAME}`"), ask::poll(NAME, None)));
    asked.push((format!("running `{NAME}`"), ask::run(NAME, "{}")));

    let mut problems = Vec::new();
    let number = asked.len();
    for (what, invocation) in asked {
        let answer = subject.call(invocation, "", &partner::not_found()).await;
        if answer.requests() > 0 {
            problems.push(format!(
                "{what}: the manifest does not declare it, but the partner was asked; refuse it first"
            ));
        } else if answer.reply.is_some() && answer.error().is_none() {
            problems.push(format!(
                "{what}: the manifest does not declare it, but it succeeded; answer `unsupported`"
            ));
        }
    }
    problems.extend(subject.take_faults());
    Outcome::of(problems, count(number, "question"))
}
