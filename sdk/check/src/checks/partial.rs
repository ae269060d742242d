//! One bad record stops nothing: of three records whose middle one has another shape, two become changes, the middle one is told as
//! unreadable, and the cursor moves as it would have. Otherwise the stream stands still there, poll after poll.

use contactor_manifest::Manifest;
use contactor_runtime::Reply;
use contactor_runtime::bindings::triggers::{Change, ChangeKind, PollPage};
use serde_json::{Value as Json, json};

use super::{count, native};
use crate::partner::Envelope;
use crate::report::Outcome;
use crate::subject::{Subject, ask};
use crate::values;

/// The value by which a change says that its record could not be read; see `wit/triggers.wit`.
const UNREADABLE: &str = "contactor:unreadable";

pub(crate) async fn run(subject: &mut Subject) -> Outcome {
    let manifest = subject.manifest();
    let (mut problems, mut looked) = (Vec::new(), 0);
    for stream in &manifest.streams {
        let Some((envelope, records, good)) = understood(subject, &manifest, stream).await else { continue };
        looked += 1;
        let [first, middle, last] = &records;
        let page = [first.clone(), broken(middle), last.clone()];
        let reply = subject.call(ask::poll(&stream.name, None), "", &envelope.script(&page)).await.reply;
        problems.extend(problem(&stream.name, reply, &good));
    }
    problems.extend(subject.take_faults());
    if looked == 0 {
        return Outcome::skipped("no stream shows three new records of those that the suite can make up");
    }
    Outcome::of(problems, format!("{} with a bad record", count(looked, "stream")))
}

/// Three records that the stream shows, the envelope that it understands, and the page that it makes of them.
async fn understood(
    subject: &mut Subject,
    manifest: &Manifest,
    stream: &contactor_manifest::Stream,
) -> Option<(Envelope, [Json; 3], PollPage)> {
    let entities = native(manifest);
    let name = entities.iter().find(|entity| entity.name == stream.entity).map(|entity| &entity.partner_name);
    for record in values::records(manifest, &stream.entity) {
        let records = ["7", "8", "9"].map(|id| values::of_id(&record, id));
        for envelope in Envelope::all(name.map_or("", String::as_str)) {
            let reply =
                subject.call(ask::poll(&stream.name, None), "", &envelope.script(&records)).await.reply;
            if let Some(Reply::Poll(Ok(page))) = reply
                && page.changes.len() == records.len()
                && !page.changes.iter().any(is_unreadable)
            {
                return Some((envelope, records, page));
            }
        }
    }
    None
}

/// The record with a shape that nobody expects under every name.
fn broken(record: &Json) -> Json {
    let members = record.as_object().into_iter().flatten();
    Json::Object(members.map(|(name, _)| (name.clone(), json!({ "made up": [[null]] }))).collect())
}

fn problem(stream: &str, reply: Option<Reply>, good: &PollPage) -> Option<String> {
    let advice = "read each record by itself, for example with `items::changes` or `Seen::changes`";
    let page = match reply? {
        Reply::Poll(Ok(page)) => page,
        Reply::Poll(Err(error)) => {
            return Some(format!(
                "`{stream}`: one record of another shape fails its page ({error:?}); {advice}"
            ));
        }
        _ => return None,
    };
    let ids = |page: &PollPage| page.changes.iter().map(|change| change.id.clone()).collect::<Vec<_>>();
    let others = [&good.changes[0].id, &good.changes[2].id];
    if let Some(lost) = others.into_iter().find(|id| !ids(&page).contains(id)) {
        return Some(format!(
            "`{stream}`: beside one record of another shape, the record {lost} is lost; {advice}"
        ));
    }
    if page.changes.iter().filter(|change| is_unreadable(change)).count() != 1 {
        return Some(format!("`{stream}`: a record of another shape is passed over in silence; {advice}"));
    }
    let place = |page: &PollPage| (page.cursor.is_some(), page.more);
    (place(&page) != place(good))
        .then(|| format!("`{stream}`: behind one record of another shape the cursor does not move"))
}

fn is_unreadable(change: &Change) -> bool {
    change.kind == ChangeKind::Other && change.fields.iter().any(|field| field.name == UNREADABLE)
}
