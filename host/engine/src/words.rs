//! What a connector answers, without secrets.
//!
//! A partner's answers come to a connector without the credential, but it may know of it by another way: a webhook, a spelling that
//! nobody looked for. Everything that it answers passes here before the host reads, shows or keeps any of it. Its values are taken
//! over as they are but for the credential; its words are for people, and lose whatever a run's log must not keep.

use contactor_highlevel::redact::REDACTED;
use contactor_runtime::Reply;
use contactor_runtime::bindings::adapter::{Decision, PartnerRecord};
use contactor_runtime::bindings::automations::Outcome;
use contactor_runtime::bindings::triggers::{Change, Received};
use contactor_runtime::bindings::types::{Error, NamedValue, Value};

use crate::reconcile::RunContext;

/// Where a record that is to be synced had a secret in it. What was taken out of it must not be written over the other side's value.
pub(crate) fn lost(reply: &Reply) -> Option<String> {
    let of = |record: &PartnerRecord| lost_of(record);
    match reply {
        Reply::Read(Ok(record)) | Reply::Create(Ok(record)) | Reply::Update(Ok(record)) => of(record),
        Reply::Find(Ok(records)) => records.iter().find_map(of),
        _ => None,
    }
}

fn lost_of(record: &PartnerRecord) -> Option<String> {
    let is_in = |text: &String| text.contains(REDACTED);
    if is_in(&record.id) {
        return Some("its id".to_owned());
    }
    let field = record.fields.iter().find(|field| match &field.value {
        Value::Text(text) | Value::Json(text) => is_in(text),
        Value::Texts(texts) => texts.iter().any(is_in),
        Value::Empty | Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => false,
    })?;
    Some(format!("`{}` of {}", field.name, record.id))
}

/// How the two kinds of texts are cleaned.
struct Cleaner<'r>(&'r RunContext);

impl RunContext {
    /// A reply that holds no secret of the run's.
    pub(crate) fn without_secrets(&self, mut reply: Reply) -> Reply {
        let by = Cleaner(self);
        match &mut reply {
            Reply::Check(answer) => by.answer(answer, |account| {
                by.value(&mut account.id);
                by.value(&mut account.name);
                by.fields(&mut account.details);
            }),
            Reply::Admit(answer) => by.answer(answer, |decision| match decision {
                Decision::Accept => {}
                Decision::Skip(reason) => by.words(reason),
            }),
            Reply::Read(answer) | Reply::Create(answer) | Reply::Update(answer) => {
                by.answer(answer, |record| by.record(record));
            }
            Reply::Find(answer) => {
                by.answer(answer, |records| records.iter_mut().for_each(|record| by.record(record)));
            }
            Reply::Delete(answer) => by.answer(answer, |()| {}),
            Reply::Receive(answer) => by.answer(answer, |received| match received {
                Received::Changes(changes) => changes.iter_mut().for_each(|change| by.change(change)),
                Received::Rejected(reason) => by.words(reason),
            }),
            Reply::Poll(answer) => by.answer(answer, |page| {
                page.changes.iter_mut().for_each(|change| by.change(change));
                page.cursor.iter_mut().for_each(|cursor| by.value(cursor));
            }),
            Reply::Handle(answer) => by.answer(answer, |outcome| {
                let (Outcome::Done(line) | Outcome::Ignored(line)) = outcome;
                by.words(line);
            }),
            Reply::Run(answer) => by.answer(answer, |output| by.value(output)),
        }
        reply
    }
}

impl Cleaner<'_> {
    fn answer<T>(&self, answer: &mut Result<T, Error>, clean: impl FnOnce(&mut T)) {
        match answer {
            Ok(value) => clean(value),
            Err(error) => self.error(error),
        }
    }

    fn words(&self, text: &mut String) {
        *text = self.0.recorder.shown(std::mem::take(text));
    }

    fn value(&self, text: &mut String) {
        *text = self.0.active.partner.given(std::mem::take(text));
    }

    fn error(&self, error: &mut Error) {
        match error {
            Error::Invalid(problems) => {
                for problem in problems {
                    self.words(&mut problem.field);
                    self.words(&mut problem.problem);
                }
            }
            // The id of the record that there is.
            Error::Duplicate(id) => self.value(id),
            Error::NotFound(words)
            | Error::Denied(words)
            | Error::Unauthorized(words)
            | Error::Unavailable(words)
            | Error::Conflict(words)
            | Error::Unsupported(words)
            | Error::Other(words) => self.words(words),
            Error::Limited(_) => {}
        }
    }

    fn record(&self, record: &mut PartnerRecord) {
        self.value(&mut record.id);
        self.fields(&mut record.fields);
    }

    fn change(&self, change: &mut Change) {
        self.value(&mut change.id);
        self.value(&mut change.event);
        change.snapshot.iter_mut().for_each(|record| self.record(record));
        // The record is read by itself then, and fails alone.
        change.snapshot.take_if(|record| lost_of(record).is_some());
        self.fields(&mut change.fields);
    }

    fn fields(&self, fields: &mut [NamedValue]) {
        for NamedValue { name, value } in fields {
            self.value(name);
            match value {
                Value::Text(text) | Value::Json(text) => self.value(text),
                Value::Texts(texts) => texts.iter_mut().for_each(|text| self.value(text)),
                Value::Empty | Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => {}
            }
        }
    }
}
