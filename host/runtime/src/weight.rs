//! How many bytes a value takes across the boundary: the sum of its texts and byte lists, and the width of what is fixed.
//!
//! Not the exact size of the canonical ABI (padding is left out), but the same on every machine and enough for a budget.

use crate::{
    Invocation, Reply,
    bindings::{
        adapter, appointments, automations, bulk, contacts, log, notes, notifications, partner, state, tags,
        tasks, timers, triggers, types,
    },
};

/// Bytes across the boundary.
pub trait Weight {
    /// How many there are.
    fn weight(&self) -> usize;
}

impl<T: Weight + ?Sized> Weight for &T {
    fn weight(&self) -> usize {
        (**self).weight()
    }
}

impl Weight for String {
    fn weight(&self) -> usize {
        8 + self.len()
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn weight(&self) -> usize {
        8 + self.iter().map(T::weight).sum::<usize>()
    }
}

impl<T: Weight> Weight for Option<T> {
    fn weight(&self) -> usize {
        1 + self.as_ref().map_or(0, T::weight)
    }
}

impl<T: Weight, E: Weight> Weight for Result<T, E> {
    fn weight(&self) -> usize {
        1 + self.as_ref().map_or_else(E::weight, T::weight)
    }
}

macro_rules! fixed {
    ($($type:ty),* $(,)?) => { $(impl Weight for $type {
        fn weight(&self) -> usize {
            size_of::<Self>()
        }
    })* };
}

macro_rules! tuples {
    ($(($($item:ident),*)),* $(,)?) => { $(impl<$($item: Weight),*> Weight for ($($item,)*) {
        #[expect(non_snake_case, reason = "the type parameters name the members as well")]
        fn weight(&self) -> usize {
            let ($($item,)*) = self;
            0 $(+ $item.weight())*
        }
    })* };
}

macro_rules! records {
    ($($type:path { $($field:ident),* })*) => { $(impl Weight for $type {
        fn weight(&self) -> usize {
            // Names every member, so that a member added to the interface cannot be forgotten here.
            let Self { $($field),* } = self;
            0 $(+ $field.weight())*
        }
    })* };
}

fixed!(
    (),
    bool,
    u8,
    u16,
    u32,
    u64,
    i64,
    f64,
    automations::Source,
    bulk::TagMode,
    contacts::Operator,
    log::Level,
    partner::Method,
    triggers::ChangeKind,
    types::Direction,
);

tuples!((A), (A, B), (A, B, C), (A, B, C, D));

records! {
    adapter::Account { id, name, details }
    adapter::PartnerRecord { id, fields, updated_at }
    appointments::Appointment { id, contact_id, start, end, status, fields }
    automations::Event { id, source, kind, contact_id, partner_id, at, fields, payload }
    bulk::BulkOutcome { errors, responses }
    contacts::Contact { id, tags, fields }
    contacts::ContactPage { contacts, next, total }
    contacts::Filter { field, operator, value }
    contacts::SearchRequest { query, filters, sort, limit, cursor }
    contacts::SortKey { field, descending }
    contacts::UpsertOutcome { created, contact }
    notes::Note { id, contact_id, body, fields }
    notifications::Message { kind, title, text, data }
    partner::Pair { name, value }
    partner::Request { method, path, query, headers, body }
    partner::Response { status, headers, body }
    state::Entry { value, version }
    tags::TagChange { tags, changed }
    tasks::Task { id, contact_id, completed, fields }
    timers::Timer { name, at, contact_id, payload }
    triggers::Change { entity, id, kind, event, snapshot, fields }
    triggers::PollPage { changes, cursor, more }
    triggers::Webhook { headers, body }
    types::FieldProblem { field, problem }
    types::NamedValue { name, value }
}

impl Weight for types::Value {
    fn weight(&self) -> usize {
        1 + match self {
            Self::Empty => 0,
            Self::Text(text) | Self::Json(text) => text.weight(),
            Self::Integer(number) => number.weight(),
            Self::Number(number) => number.weight(),
            Self::Boolean(yes) => yes.weight(),
            Self::Texts(texts) => texts.weight(),
        }
    }
}

impl Weight for types::Error {
    fn weight(&self) -> usize {
        1 + match self {
            Self::Invalid(problems) => problems.weight(),
            Self::Limited(wait) => wait.weight(),
            Self::NotFound(text)
            | Self::Duplicate(text)
            | Self::Denied(text)
            | Self::Unauthorized(text)
            | Self::Unavailable(text)
            | Self::Conflict(text)
            | Self::Unsupported(text)
            | Self::Other(text) => text.weight(),
        }
    }
}

impl Weight for adapter::Decision {
    fn weight(&self) -> usize {
        1 + match self {
            Self::Accept => 0,
            Self::Skip(reason) => reason.weight(),
        }
    }
}

impl Weight for automations::Outcome {
    fn weight(&self) -> usize {
        let (Self::Done(text) | Self::Ignored(text)) = self;
        1 + text.weight()
    }
}

impl Weight for triggers::Received {
    fn weight(&self) -> usize {
        1 + match self {
            Self::Changes(changes) => changes.weight(),
            Self::Rejected(reason) => reason.weight(),
        }
    }
}

impl Weight for Invocation {
    fn weight(&self) -> usize {
        match self {
            Self::Check => 0,
            Self::Admit { entity, direction, fields } => (entity, direction, fields).weight(),
            Self::Read { entity, id } | Self::Delete { entity, id } => (entity, id).weight(),
            Self::Find { entity, key } => (entity, key).weight(),
            Self::Create { entity, fields } => (entity, fields).weight(),
            Self::Update { entity, id, fields } => (entity, id, fields).weight(),
            Self::Receive(webhook) => webhook.weight(),
            Self::Poll { stream, cursor } => (stream, cursor).weight(),
            Self::Handle(event) => event.weight(),
            Self::Run { name, input } => (name, input).weight(),
        }
    }
}

impl Weight for Reply {
    fn weight(&self) -> usize {
        match self {
            Self::Check(answer) => answer.weight(),
            Self::Admit(answer) => answer.weight(),
            Self::Read(answer) | Self::Create(answer) | Self::Update(answer) => answer.weight(),
            Self::Find(answer) => answer.weight(),
            Self::Delete(answer) => answer.weight(),
            Self::Receive(answer) => answer.weight(),
            Self::Poll(answer) => answer.weight(),
            Self::Handle(answer) => answer.weight(),
            Self::Run(answer) => answer.weight(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_weighs_its_texts_and_bytes() {
        assert_eq!("four".to_owned().weight(), 12);
        assert_eq!(vec![0_u8; 1000].weight(), 1008);
        assert_eq!(Some(7_u64).weight(), 9);
        let value =
            types::NamedValue { name: "email".into(), value: types::Value::Text("a@b.example".into()) };
        assert_eq!(value.weight(), 13 + 1 + 19);
    }

    #[test]
    fn nested_data_counts_down_to_its_leaves() {
        let value =
            |size| types::NamedValue { name: String::new(), value: types::Value::Json("x".repeat(size)) };
        let page = |size| triggers::PollPage {
            changes: vec![triggers::Change {
                entity: String::new(),
                id: String::new(),
                kind: triggers::ChangeKind::Other,
                event: String::new(),
                snapshot: Some(adapter::PartnerRecord {
                    id: String::new(),
                    fields: vec![value(size)],
                    updated_at: None,
                }),
                fields: vec![value(size)],
            }],
            cursor: None,
            more: false,
        };
        assert_eq!(page(500).weight() - page(0).weight(), 1000);
    }
}
