//! Builders and typed access for the records of the interface.

use crate::appointments::Appointment;
use crate::contacts::Contact;
use crate::notes::Note;
use crate::tasks::Task;
use crate::values::set;
use crate::{
    Account, Change, ChangeKind, Decision, Event, Named, NamedValue, Outcome, PartnerRecord, PollPage,
    Received, Value, Webhook,
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

    /// Adds a value for automations.
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

    /// The handler had no reason to act; a line for the admin.
    pub fn ignored(line: impl Into<String>) -> Self {
        Self::Ignored(line.into())
    }
}
