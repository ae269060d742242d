//! Submissions: list, get, the two fields that can be written, delete; and what a person does with them.

use serde_json::{Value, json};

use super::error::{Answer, Fault};
use super::state::{Control, Kind, Submission, date};
use super::{Change, forms, page};
use crate::http::Call;

/// Names of `payed`, by their number. Which number means what is unknown beyond the order in which both are listed.
const PAYED: [&[&str]; 5] =
    [&["0", "no"], &["1", "yes", "payed"], &["2", "invoiced"], &["3", "pending"], &["4", "declined"]];

pub(super) fn list(change: &mut Change<'_>, call: &Call, form: &str) -> Answer {
    let guesses = change.guesses;
    let form = forms::known(change.account, form)?;
    let start = match call.query("start_submission_id") {
        None => None,
        Some(text) => Some(text.parse::<u64>().map_err(|_| {
            Fault::invalid("start_submission_id", "The start submission id must be an integer.")
        })?),
    };
    let chosen = form.submissions.values().filter(|one| {
        start.is_none_or(|start| one.id > start || guesses.start_is_inclusive && one.id == start)
            && call.query("start_date").is_none_or(|start| date(one.at, guesses).as_str() >= start)
            && (guesses.lists_deleted || !one.deleted)
    });
    let mut chosen: Vec<&Submission> = chosen.collect();
    if guesses.newest_first {
        chosen.reverse();
    }
    let recipients = call.query("include_recipients").is_some();
    page::reply(call, &chosen, |one| one.to_json(form.id, guesses, true, recipients))
}

pub(super) fn get(change: &mut Change<'_>, call: &Call, form: &str, id: &str) -> Answer {
    let (form, id) = known(change, form, id)?;
    let recipients = call.query("include_recipients").is_some();
    let guesses = change.guesses;
    let shown = change.submission(form, id)?.to_json(form, guesses, false, recipients);
    Ok(page::one(200, &if guesses.one_as_array { json!([shown]) } else { shown }))
}

/// Only `payed` and `approved`, and only from the query; everything else is passed over in silence.
pub(super) fn update(change: &mut Change<'_>, call: &Call, form: &str, id: &str) -> Answer {
    let (form, id) = known(change, form, id)?;
    let mut problems = Vec::new();
    let mut chosen = |name: &'static str, choices: &[&[&str]]| {
        let text = call.query(name)?.to_lowercase();
        let at = choices.iter().position(|names| names.contains(&text.as_str()));
        if at.is_none() {
            problems.push((name, format!("The selected {name} is invalid.")));
        }
        at.and_then(|at| u8::try_from(at).ok())
    };
    let (payed, approved) = (chosen("payed", &PAYED), chosen("approved", &[&["0"], &["1"], &["2"]]));
    if problems.is_empty() && payed.is_none() && approved.is_none() {
        problems.push(("payed", "The payed field is required when approved is not present.".into()));
    }
    if !problems.is_empty() {
        return Err(Fault::Invalid(problems));
    }
    let shown = mark(change, form, id, payed, approved)?;
    Ok(if change.guesses.update_answers_record {
        page::one(200, &shown)
    } else {
        page::message("Submission successfully updated")
    })
}

pub(super) fn delete(change: &mut Change<'_>, form: &str, id: &str) -> Answer {
    let (form, id) = known(change, form, id)?;
    remove(change, form, id)?;
    Ok(page::message("Submission successfully deleted"))
}

pub(super) fn remove(change: &mut Change<'_>, form: u64, id: u64) -> Result<(), Fault> {
    let form = forms::known_mut(change.account, form)?;
    form.submissions.remove(&id).map(drop).ok_or(Fault::NotFound("Submission not found"))
}

/// Marks a submission; the vendor tells the person, when the value is another.
pub(super) fn mark(
    change: &mut Change<'_>,
    form: u64,
    id: u64,
    payed: Option<u8>,
    approved: Option<u8>,
) -> Result<Value, Fault> {
    let submission = change.submission(form, id)?;
    let before = (submission.payed, submission.approved);
    submission.payed = payed.unwrap_or(before.0);
    submission.approved = approved.unwrap_or(before.1);
    let after = (submission.payed, submission.approved);
    change.account.mails.payment_notices += u64::from(after.0 != before.0);
    change.account.mails.approval_notices += u64::from(after.1 != before.1);
    shown(change, form, id)
}

/// Somebody fills in a form.
pub(super) fn submit(change: &mut Change<'_>, form: u64, answers: &Value) -> Result<u64, Fault> {
    let answers = self::answers(&forms::known_mut(change.account, form)?.controls, answers)?;
    let id = change.account.new_id(Kind::Submission);
    let at = change.now;
    let form = forms::known_mut(change.account, form)?;
    let entry = form.submissions.values().next_back().map_or(1, |last| last.entry + 1);
    let submission = Submission { id, entry, at, answers, payed: 0, approved: 0, deleted: false };
    form.submissions.insert(id, submission);
    let form = form.id;
    change.announce(form, id);
    Ok(id)
}

/// A person edits answers in the vendor's own interface; the others stay.
pub(super) fn edit(change: &mut Change<'_>, form: u64, id: u64, answers: &Value) -> Result<(), Fault> {
    let controls = forms::known_mut(change.account, form)?.controls.clone();
    let edited = self::answers(&controls, answers)?;
    let submission = change.submission(form, id)?;
    for (field, value) in edited {
        match submission.answers.iter_mut().find(|(own, _)| *own == field) {
            Some((_, own)) => *own = value,
            None => submission.answers.push((field, value)),
        }
    }
    submission.answers.retain(|(_, value)| !value.is_empty());
    if change.guesses.webhook_on_edit {
        change.announce(form, id);
    }
    Ok(())
}

/// A submission as the API shows it.
pub(super) fn shown(change: &mut Change<'_>, form: u64, id: u64) -> Result<Value, Fault> {
    let guesses = change.guesses;
    Ok(change.submission(form, id)?.to_json(form, guesses, false, false))
}

pub(super) fn known(change: &mut Change<'_>, form: &str, id: &str) -> Result<(u64, u64), Fault> {
    let form = forms::known(change.account, form)?;
    let id = id.parse().ok().filter(|id| form.submissions.contains_key(id));
    Ok((form.id, id.ok_or(Fault::NotFound("Submission not found"))?))
}

/// Answers by label (`Email`), part (`Name/First`), control id or `fieldid`. A list gives several choices.
fn answers(controls: &[Control], given: &Value) -> Result<Vec<(String, String)>, Fault> {
    let mut answers = Vec::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        let places = places(controls, name);
        let values: Vec<String> = match value {
            Value::Null => vec![String::new()],
            Value::Array(values) => values.iter().map(text).collect(),
            other => vec![text(other)],
        };
        let Some(field) = places else {
            return Err(Fault::invalid("answers", &format!("The form has no field {name}.")));
        };
        if value.is_array() {
            answers.extend(
                values.into_iter().enumerate().map(|(at, value)| (format!("{field}_{}", at + 1), value)),
            );
        } else {
            answers.extend(values.into_iter().map(|value| (field.clone(), value)));
        }
    }
    // In the order of the form, as the vendor would keep them.
    let place = |field: &str| {
        let id = field.split('_').next().unwrap_or_default();
        controls.iter().position(|control| control.id.to_string() == id)
    };
    answers.sort_by_key(|(field, _)| (place(field), field.clone()));
    Ok(answers)
}

/// The `fieldid` of a field or part.
pub(super) fn places(controls: &[Control], name: &str) -> Option<String> {
    controls.iter().find_map(|control| {
        let id = control.id.to_string();
        if name == control.name
            || name == id
            || name.strip_prefix(&id).is_some_and(|rest| rest.starts_with('_'))
        {
            return Some(if name == control.name { id } else { name.to_owned() });
        }
        let part = name.strip_prefix(control.name.as_str())?.strip_prefix('/')?;
        let at = control.parts.iter().position(|own| own == part)?;
        Some(format!("{id}_{}", at + 1))
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
