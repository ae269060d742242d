//! The same twice is the same. Webhooks come several times, and after a crash a handler runs again: the host recognises both by what
//! the connector answers and calls, so that must not depend on what happened before.

use contactor_runtime::Reply;

use super::{count, native};
use crate::host::{HostCall, State};
use crate::partner::{self, Envelope};
use crate::report::Outcome;
use crate::subject::{Subject, ask};
use crate::values;

pub(crate) async fn run(subject: &mut Subject) -> Outcome {
    let manifest = subject.manifest();
    let mut problems = Vec::new();
    let mut repeated = 0;

    for (name, body) in ask::webhook_samples(&manifest) {
        let webhook = ask::receive("application/json", body.to_string());
        let first = subject.call(webhook.clone(), "", &partner::not_found()).await;
        let second = subject.call_with(webhook, "", &partner::not_found(), first.state, None).await;
        repeated += 1;
        if first.reply != second.reply {
            problems.push(format!(
                "the webhook of `{name}` delivered twice means something else the second time"
            ));
        }
    }
    let name = native(&manifest).first().map(|entity| entity.partner_name.clone()).unwrap_or_default();
    let scripts: Vec<_> = values::records(&manifest, "contact")
        .iter()
        .flat_map(|record| {
            Envelope::all(&name)
                .into_iter()
                .map(|envelope| envelope.script(std::slice::from_ref(record)))
                .collect::<Vec<_>>()
        })
        .collect();
    for stream in &manifest.streams {
        for script in &scripts {
            let first = subject.call(ask::poll(&stream.name, None), "", script).await;
            let ids = changed(first.reply.as_ref());
            if ids.is_empty() {
                continue;
            }
            // The host crashed before it had committed the page: it comes back with the cursor of before.
            let again = subject.call_with(ask::poll(&stream.name, None), "", script, first.state, None).await;
            repeated += 1;
            if changed(again.reply.as_ref()) != ids {
                problems.push(format!(
                    "the stream `{}` does not show a page again that the host has not committed: its changes would be lost",
                    stream.name
                ));
            }
            break;
        }
    }
    for event in ask::events(&manifest) {
        let kind = event.kind.clone();
        let first = subject.call(ask::handle(event.clone()), "", &partner::always(answer_of_a_write())).await;
        let done = first.writes();
        let second = subject
            .call_with(ask::handle(event), "", &partner::always(answer_of_a_write()), first.state, None)
            .await;
        repeated += 1;
        if let Some(difference) = difference(&done, &second.writes()) {
            problems.push(format!("handling `{kind}` again after a crash {difference}"));
        }
    }
    for entity in native(&manifest) {
        let fields = values::writable(&manifest, &entity.name);
        let update = ask::update(&entity.name, values::ID, fields);
        let first = subject.call(update.clone(), "", &partner::always(answer_of_a_write())).await;
        let second =
            subject.call_with(update, "", &partner::always(answer_of_a_write()), State::new(), None).await;
        repeated += 1;
        if let Some(difference) = difference(&first.writes(), &second.writes()) {
            problems.push(format!("the same update of a `{}` {difference}", entity.name));
        }
    }
    problems.extend(subject.take_faults());
    if repeated == 0 {
        return Outcome::skipped("it declares no webhook, stream, event or record that could come twice");
    }
    Outcome::of(problems, format!("{} repeated", count(repeated, "call")))
}

fn answer_of_a_write() -> contactor_runtime::bindings::partner::Response {
    partner::json_response(
        200,
        &serde_json::json!({ "id": values::ID, "email": values::EMAIL, "data": { "id": values::ID } }),
    )
}

fn changed(reply: Option<&Reply>) -> Vec<String> {
    match reply {
        Some(Reply::Poll(Ok(page))) => page.changes.iter().map(|change| change.id.clone()).collect(),
        _ => Vec::new(),
    }
}

/// What differs between the writes of two attempts.
fn difference(first: &[HostCall], second: &[HostCall]) -> Option<String> {
    let at = first.iter().zip(second).position(|(first, second)| first != second);
    match at {
        Some(at) => Some(format!(
            "makes another call: first {}, then {}; what a call says must depend on the event alone",
            first[at].shown(),
            second[at].shown()
        )),
        None if first.len() != second.len() => Some(format!(
            "makes {} that write, where there were {}",
            count(second.len(), "call"),
            first.len()
        )),
        None => None,
    }
}
