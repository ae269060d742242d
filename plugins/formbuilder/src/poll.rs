//! Streams: `submissions` reads what is new from the highest number seen on, `all_submissions` walks through everything for
//! edits, approvals, payments and the bin, which the vendor announces to nobody.

use std::collections::BTreeMap;

use contactor_sdk::paging::{self, Page, Walk};
use contactor_sdk::seen::Seen;
use contactor_sdk::{Change, ChangeKind, PollPage, Result, json, partner, state};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::{self, one};
use crate::settings::{self, Settings};
use crate::submission::{self, Submission, change};

/// Where a stream stands. The host stores it together with the changes, so a crash skips nothing.
#[derive(Default, Serialize, Deserialize)]
struct Place {
    /// Highest number seen of each form.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    last: BTreeMap<String, u64>,
    at: Walk,
    /// The highest number of this round.
    top: u64,
    /// A walk before this one has seen everything.
    #[serde(default)]
    again: bool,
}

/// One page of what is new. What was there before the first poll is imported without setting off automations, or not at all.
pub(crate) fn new(settings: &Settings, cursor: Option<&str>) -> Result<PollPage> {
    let mut place: Place = paging::place(cursor)?;
    let mut changes = Vec::new();
    if let Some(form) = settings.form_ids.get(place.at.list) {
        let last = place.last.get(form).copied();
        let mut next = None;
        if last.is_none() && !settings.import_history {
            let shown = one(&partner::get(settings::form(form)))?;
            let latest = json::id(&shown["latest_submission"]["id"]);
            place.top = latest.and_then(|id| id.parse().ok()).unwrap_or_default();
        } else {
            let page = since(settings, form, last.unwrap_or_default(), place.at.page)?;
            changes = submission::changes(settings, form, &page.items, |submission| {
                place.top = place.top.max(submission.number);
                let is_new = !submission.deleted && last.is_none_or(|last| submission.number > last);
                Ok(is_new.then(|| match last {
                    Some(_) => submission.submitted(),
                    None => submission.imported(),
                }))
            })?;
            next = page.next;
        }
        if next.is_none() {
            let top = place.top.max(last.unwrap_or_default());
            place.last.insert(form.clone(), top);
            place.top = 0;
            remember(form, top)?;
        }
        if place.at.forward(next, settings.form_ids.len()) {
            return Ok(PollPage::more(changes, paging::cursor(&place)?));
        }
    }
    // Also when the form that was to come is no more in the settings.
    place.at = Walk::default();
    Ok(PollPage::last(changes, Some(paging::cursor(&place)?)))
}

/// One page of a walk through everything; only what is different from the walk before is a change.
pub(crate) fn all(settings: &Settings, cursor: Option<&str>) -> Result<PollPage> {
    let mut seen = Seen::open("all_submissions", cursor)?;
    let mut place: Place = paging::place(seen.position())?;
    let mut changes = Vec::new();
    if let Some(form) = settings.form_ids.get(place.at.list) {
        let page = since(settings, form, 0, place.at.page)?;
        changes = seen.changes(
            "contact",
            &page.items,
            |item| submission::id(form, item),
            |seen, item| {
                let submission = Submission::of(settings, form, item)?;
                let content =
                    json!([item["content"], submission.approved, submission.payed, submission.deleted]);
                let is_different = seen.is_news(&submission.id, &content)? && place.again;
                Ok(if is_different { different(submission) } else { Vec::new() })
            },
        )?;
        if place.at.forward(page.next, settings.form_ids.len()) {
            return seen.more(changes, paging::cursor(&place)?);
        }
    }
    (place.at, place.again) = (Walk::default(), true);
    seen.last(changes, Some(paging::cursor(&place)?))
}

fn different(submission: Submission) -> Vec<Change> {
    if submission.deleted {
        // The event comes first and apart: the host looks up no contact for a deletion itself.
        let event = change(ChangeKind::Other, &submission.id, "submission_deleted", &submission.id);
        return vec![event, Change::new(ChangeKind::Deleted, "contact", submission.id)];
    }
    let states = [
        (submission.approved.as_deref() == Some("approved"), "submission_approved"),
        (submission.approved.as_deref() == Some("rejected"), "submission_rejected"),
        (submission.payed.as_deref() == Some("yes"), "submission_payed"),
    ];
    let (id, record) = (submission.id.clone(), submission.record.clone());
    // The host handles each key once, so a later edit does not repeat them.
    let event =
        |event| change(ChangeKind::Other, &id, event, &format!("{id}/{event}")).snapshot(record.clone());
    let events = states.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| event(name));
    events.chain([Change { kind: ChangeKind::Updated, ..submission.imported() }]).collect()
}

/// A page of a form's submissions from this number on. Whether the vendor includes the number itself is not documented.
pub(crate) fn since(settings: &Settings, form: &str, number: u64, page: u64) -> Result<Page> {
    let mut request = partner::get(settings::submissions(form));
    if number > 0 {
        request = request.query("start_submission_id", number);
    }
    api::page(request, page, settings.page_size)
}

/// The highest number of a form that any look has seen: webhooks that name no submission ask from here on.
pub(crate) fn newest(form: &str) -> Result<Option<u64>> {
    state::get_json(&format!("newest/{form}"))
}

pub(crate) fn remember(form: &str, number: u64) -> Result<()> {
    let highest = |own: Option<u64>| Ok(own.unwrap_or_default().max(number));
    state::update_json(&format!("newest/{form}"), highest).map(drop)
}
