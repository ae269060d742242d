//! Builders and typed access for the records of the interface.

use serde_json::Value as Json;

use crate::appointments::Appointment;
use crate::contacts::Contact;
use crate::notes::Note;
use crate::tasks::Task;
use crate::values::set;
use crate::{
    Account, Change, ChangeKind, Decision, Event, Named, NamedValue, Outcome, PartnerRecord, PollPage,
    Received, Result, Value, Webhook, log,
};

macro_rules! named {
    ($($record:ty),*) => {
        $(impl Named for $record {
            fn values(&self) -> &[NamedValue] {
                &self.fields
            }
        })*
    };
}

named!(Contact, Task, Note, Appointment, PartnerRecord, Event, Change);

impl Account {
    /// An account by the partner's id and its name for a person.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), details: Vec::new() }
    }

    /// Adds a detail to show when a connection is checked.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.details, name.into(), value.into());
        self
    }
}

impl Decision {
    /// Leave the record alone; the reason is shown to the admin.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::Skip(reason.into())
    }
}

impl From<Option<String>> for Decision {
    /// An objection, with its reason, is a reason to leave the record alone.
    fn from(objection: Option<String>) -> Self {
        objection.map_or(Self::Accept, Self::Skip)
    }
}

impl PartnerRecord {
    /// A record without fields.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), fields: Vec::new(), updated_at: None }
    }

    /// Adds a field. `None` means that the field is known to have no value; leave an unknown field out.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.fields, name.into(), value.into());
        self
    }

    /// Adds several fields.
    #[must_use]
    pub fn with_all<N: Into<String>, V: Into<Value>>(self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        fields.into_iter().fold(self, |record, (name, value)| record.with(name, value))
    }

    /// When the partner last changed it, RFC 3339.
    #[must_use]
    pub fn updated_at(mut self, instant: Option<impl Into<String>>) -> Self {
        self.updated_at = instant.map(Into::into);
        self
    }
}

impl Change {
    /// A hint that a record may have changed.
    pub fn new(kind: ChangeKind, entity: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            entity: entity.into(),
            id: id.into(),
            kind,
            event: String::new(),
            snapshot: None,
            fields: Vec::new(),
        }
    }

    /// The partner's own name of the event.
    #[must_use]
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.event = name.into();
        self
    }

    /// The record as the hint carries it. It has to be complete: what it lacks counts as unknown.
    #[must_use]
    pub fn snapshot(mut self, record: PartnerRecord) -> Self {
        self.snapshot = Some(record);
        self
    }

    /// The record as the hint carries it, if it is `complete` there. One that cannot be read is left out, and the log says why: the
    /// host reads the record anew.
    #[must_use]
    pub fn snapshot_if(self, complete: bool, record: impl FnOnce() -> Result<PartnerRecord>) -> Self {
        if !complete {
            return self;
        }
        match record() {
            Ok(record) => self.snapshot(record),
            Err(error) => {
                log::warn!("the record of a hint is unusable: {}", error.message());
                self
            }
        }
    }

    /// Adds a value for automations.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.fields, name.into(), value.into());
        self
    }

    /// Adds several values for automations.
    #[must_use]
    pub fn with_all<N: Into<String>, V: Into<Value>>(self, values: impl IntoIterator<Item = (N, V)>) -> Self {
        values.into_iter().fold(self, |change, (name, value)| change.with(name, value))
    }
}

impl Event {
    /// Adds a value that rules may use, in place of the one that the name may have.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.fields, name.into(), value.into());
        self
    }
}

impl Received {
    /// This is no webhook of this partner; the reason is shown to the admin.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected(reason.into())
    }
}

impl Webhook {
    /// What a body in JSON tells; any other body is rejected.
    ///
    /// # Errors
    /// What `read` answers.
    pub fn json(&self, read: impl FnOnce(&Json) -> Result<Received>) -> Result<Received> {
        match serde_json::from_slice(&self.body) {
            Ok(body) => read(&body),
            Err(_) => Ok(Received::rejected("the body is no JSON document")),
        }
    }

    /// The first header of this name, which is written in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl PollPage {
    /// A page that is followed by another one.
    pub fn more(changes: Vec<Change>, cursor: impl Into<String>) -> Self {
        Self { changes, cursor: Some(cursor.into()), more: true }
    }

    /// A page that is followed by this one, if there is one. Behind the last, the next poll begins from the start.
    pub fn then(changes: Vec<Change>, next: Option<impl ToString>) -> Self {
        match next {
            Some(next) => Self::more(changes, next.to_string()),
            None => Self::last(changes, None),
        }
    }

    /// The last page. The next poll begins with this cursor; without one it begins from the start.
    pub fn last(changes: Vec<Change>, cursor: Option<String>) -> Self {
        Self { changes, cursor, more: false }
    }
}

impl Outcome {
    /// The handler acted; a line for the admin.
    pub fn done(line: impl Into<String>) -> Self {
        Self::Done(line.into())
    }

    /// Both of two: it acted if one of them did.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let acted = matches!(self, Self::Done(_)) || matches!(other, Self::Done(_));
        let (Self::Done(one) | Self::Ignored(one), Self::Done(two) | Self::Ignored(two)) = (self, other);
        let line = format!("{one}; {two}");
        if acted { Self::Done(line) } else { Self::Ignored(line) }
    }

    /// What rules did, behind what the connector did by itself, if that was asked for. Beside something that was done, rules that had
    /// no reason to act are not worth a word.
    #[must_use]
    pub fn behind(self, own: Option<Self>) -> Self {
        match (own, self) {
            (None, ruled) => ruled,
            (Some(own @ Self::Done(_)), Self::Ignored(_)) => own,
            (Some(own), ruled) => own.and(ruled),
        }
    }

    /// The handler had no reason to act; a line for the admin.
    pub fn ignored(line: impl Into<String>) -> Self {
        Self::Ignored(line.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::testing::MockHost;

    #[test]
    fn a_hint_carries_a_complete_record_and_says_when_it_cannot() {
        let host = MockHost::new().install();
        let hint = || Change::new(ChangeKind::Updated, "contact", "7");
        let record = PartnerRecord::new("7");
        assert_eq!(hint().snapshot_if(true, || Ok(record.clone())).snapshot, Some(record));
        assert_eq!(hint().snapshot_if(false, || Err(Error::other("not asked"))).snapshot, None);
        assert!(host.logs().is_empty());
        assert_eq!(hint().snapshot_if(true, || Err(Error::other("no id"))).snapshot, None);
        assert_eq!(host.logs()[0].message, "the record of a hint is unusable: no id");
    }

    #[test]
    fn a_body_that_is_no_json_is_rejected() {
        let read = |body: &str| {
            let webhook = Webhook { headers: Vec::new(), body: body.into() };
            webhook.json(|body| Ok(Received::rejected(body.to_string())))
        };
        assert_eq!(read("[1]"), Ok(Received::rejected("[1]")));
        assert_eq!(read("a=1"), Ok(Received::rejected("the body is no JSON document")));
    }

    #[test]
    fn a_page_without_a_next_one_is_the_last() {
        assert_eq!(PollPage::then(Vec::new(), Some(2)), PollPage::more(Vec::new(), "2"));
        assert_eq!(PollPage::then(Vec::new(), None::<u64>), PollPage::last(Vec::new(), None));
    }

    #[test]
    fn rules_that_did_nothing_are_silent_beside_something_done() {
        let (done, ignored) = (|| Outcome::done("a visit"), || Outcome::ignored("no visit"));
        assert_eq!(Outcome::ignored("no rule").behind(None), Outcome::ignored("no rule"));
        assert_eq!(Outcome::ignored("no rule").behind(Some(done())), done());
        assert_eq!(Outcome::done("a tag").behind(Some(done())), Outcome::done("a visit; a tag"));
        assert_eq!(Outcome::done("a tag").behind(Some(ignored())), Outcome::done("no visit; a tag"));
        assert_eq!(
            Outcome::ignored("no rule").behind(Some(ignored())),
            Outcome::ignored("no visit; no rule")
        );
    }
}
