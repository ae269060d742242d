//! What the expressions of rules see of an event.

use std::cell::OnceCell;

use contactor_rules::{Part as Piece, parts};
use serde_json::Value as Json;

use super::names::names;
use super::{Effects, word};
use crate::{Error, Event, Fields, Named, NamedValue, Result, ResultExt, Source, Value, rules};

/// The names of one event. Whatever costs a call is read when an expression first mentions it, and once.
pub(super) struct Scope<'e> {
    event: &'e Event,
    effects: &'e Effects,
    /// The event's values by name, and for a timer those of the event that set it.
    fields: Fields,
    payload: Json,
    contact: OnceCell<Vec<NamedValue>>,
    tasks: OnceCell<Value>,
    appointments: OnceCell<Value>,
}

/// Why a text has no value: the text (or the expression in it) and the reason.
pub(super) struct Failure {
    pub(super) text: String,
    pub(super) reason: Error,
}

impl<'e> Scope<'e> {
    pub(super) fn new(event: &'e Event, effects: &'e Effects) -> Self {
        let payload: Json = serde_json::from_str(&event.payload).unwrap_or_default();
        let mut fields = Fields::new();
        if is_timer(event) {
            // What `remind` kept of the event that set the timer; see `effects::kept`.
            for (name, value) in payload["fields"].as_object().into_iter().flatten() {
                fields.set(name.as_str(), value.clone());
            }
            for name in ["about", "at"] {
                fields.set(name, payload[name].clone());
            }
        }
        for NamedValue { name, value } in &event.fields {
            fields.set(name.as_str(), value.clone());
        }
        let (contact, tasks, appointments) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { event, effects, fields, payload, contact, tasks, appointments }
    }

    /// The event's values, for a message or a timer.
    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The partner's id, which a timer remembers.
    pub(super) fn partner_id(&self) -> Option<&str> {
        let kept = || self.payload["partner_id"].as_str().filter(|_| is_timer(self.event));
        self.event.partner_id.as_deref().or_else(kept)
    }

    /// Whether a condition holds.
    pub(super) fn holds(&self, condition: &str) -> Result<bool, Failure> {
        let failure = |reason| Failure { text: condition.to_owned(), reason };
        let values = self.values(condition).map_err(failure)?;
        rules::holds(condition, &values).map_err(failure)
    }

    /// A text with the values of its expressions in their places.
    pub(super) fn text(&self, text: &str) -> Result<String, Failure> {
        let mut rendered = String::new();
        for piece in pieces(text)? {
            match piece {
                Piece::Literal(literal) => rendered.push_str(literal),
                Piece::Expression(expression) => rendered.push_str(&plain(self.value(expression)?)),
            }
        }
        Ok(rendered)
    }

    /// The texts of a list: a text that is nothing but an expression gives as many texts as its value has. Blank ones are left out.
    pub(super) fn texts(&self, texts: &[String]) -> Result<Vec<String>, Failure> {
        let mut all = Vec::new();
        for text in texts {
            match self.typed(text)? {
                Value::Texts(several) => all.extend(several),
                one => all.push(plain(one)),
            }
        }
        all.retain(|text| !text.trim().is_empty());
        Ok(all)
    }

    /// A text's value: that of its expression when it is nothing but one, so that a number stays a number.
    pub(super) fn typed(&self, text: &str) -> Result<Value, Failure> {
        match pieces(text)?.as_slice() {
            [Piece::Expression(expression)] => self.value(expression),
            _ => self.text(text).map(Value::Text),
        }
    }

    fn value(&self, expression: &str) -> Result<Value, Failure> {
        let failure = |reason| Failure { text: expression.to_owned(), reason };
        let values = self.values(expression).map_err(failure)?;
        rules::evaluate(expression, &values).map_err(failure)
    }

    /// The values of the names that an expression mentions.
    fn values(&self, expression: &str) -> Result<Vec<NamedValue>> {
        let names = names(expression);
        let mentions = |head: &str| names.iter().any(|name| name.head == head);
        let head = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
        let mut values: Vec<NamedValue> =
            self.fields.iter().filter(|field| mentions(&head(&field.name))).cloned().collect();

        let own = |name: &str, value: Value| NamedValue::new(name, value);
        let event = self.event;
        let mut fixed = vec![
            own("kind", event.kind.as_str().into()),
            own("source", word(event.source).into()),
            own("contact_id", event.contact_id.as_deref().into()),
            own("partner_id", self.partner_id().into()),
        ];
        if mentions("payload") {
            fixed.push(own("payload", self.payload.clone().into()));
        }
        if mentions("event") {
            let named = self.fields.iter().map(|field| NamedValue {
                name: format!("event.{}", field.name),
                value: field.value.clone(),
            });
            fixed.extend(named);
        }
        // The names of the scope are the same for every event, so a field of such a name gives way; `event.source` reaches it.
        for name in ["kind", "source", "contact_id", "partner_id", "payload", "event", "contact"] {
            values.retain(|field| head(&field.name) != name);
        }
        values.extend(fixed.into_iter().filter(|named| mentions(&head(&named.name))));

        for name in names.iter().filter(|name| name.head == "contact") {
            match name.member {
                Some("tasks") => values.push(own("contact.tasks", self.tasks()?.clone())),
                Some("appointments") => {
                    values.push(own("contact.appointments", self.appointments()?.clone()));
                }
                // The id needs no call, and neither does `contact is defined` or the word in quotes.
                Some("id") | None => {
                    values.push(own("contact.id", event.contact_id.as_deref().into()));
                }
                Some(_) => values.extend(self.contact()?.iter().cloned()),
            }
        }
        values.sort_by(|one, other| one.name.cmp(&other.name));
        values.dedup_by(|one, other| one.name == other.name);
        Ok(values)
    }

    fn contact(&self) -> Result<&Vec<NamedValue>> {
        once(&self.contact, || {
            let Some(id) = &self.event.contact_id else { return Ok(Vec::new()) };
            let read = self.effects.reader(|part| part.contact, "contact", "CONTACTS")?;
            // A contact that is gone has no values; that is what a rule on its deletion sees.
            let Some(contact) = read(id).found()? else { return Ok(Vec::new()) };
            let tags = NamedValue::new("contact.tags", contact.tags);
            let fields = contact
                .fields
                .into_iter()
                .filter(|field| !matches!(field.name.as_str(), "id" | "tags" | "tasks" | "appointments"))
                .map(|field| NamedValue { name: format!("contact.{}", field.name), value: field.value });
            Ok(fields.chain([tags]).collect())
        })
    }

    fn tasks(&self) -> Result<&Value> {
        once(&self.tasks, || {
            let Some(id) = &self.event.contact_id else { return Ok(Value::Texts(Vec::new())) };
            let tasks = self.effects.reader(|part| part.tasks, "contact.tasks", "TASKS")?(id).found()?;
            objects(tasks.unwrap_or_default(), |task, object| {
                object.insert("id".into(), task.id.as_str().into());
                object.insert("completed".into(), task.completed.into());
            })
        })
    }

    fn appointments(&self) -> Result<&Value> {
        once(&self.appointments, || {
            let Some(id) = &self.event.contact_id else { return Ok(Value::Texts(Vec::new())) };
            let read =
                self.effects.reader(|part| part.appointments, "contact.appointments", "APPOINTMENTS")?;
            objects(read(id).found()?.unwrap_or_default(), |appointment, object| {
                object.insert("id".into(), appointment.id.as_str().into());
                object.insert("status".into(), appointment.status.as_str().into());
                object.insert("start".into(), appointment.start.as_deref().into());
                object.insert("end".into(), appointment.end.as_deref().into());
            })
        })
    }
}

fn is_timer(event: &Event) -> bool {
    event.source == Source::Host && event.kind.starts_with("timer:")
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Failure> {
    parts(text).map_err(|reason| Failure { text: text.to_owned(), reason: Error::invalid("", reason) })
}

/// A value in the middle of a text. No value is no text.
fn plain(value: Value) -> String {
    match value {
        Value::Empty => String::new(),
        Value::Text(text) | Value::Json(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Texts(texts) => texts.join(", "),
    }
}

/// The value of a cell, which is read when it is first asked for. A failure is not kept.
fn once<T>(cell: &OnceCell<T>, read: impl FnOnce() -> Result<T>) -> Result<&T> {
    if cell.get().is_none() {
        let value = read()?;
        return Ok(cell.get_or_init(|| value));
    }
    cell.get().ok_or_else(|| Error::other("a value that was read is gone"))
}

/// Records as one list of objects. An empty one stays a list, so that its length is zero.
fn objects<R: Named>(records: Vec<R>, own: impl Fn(&R, &mut serde_json::Map<String, Json>)) -> Result<Value> {
    let mut list = Vec::new();
    for record in records {
        let mut object = Fields::from(record.values().to_vec()).to_json()?;
        own(&record, &mut object);
        list.push(Json::Object(object));
    }
    Ok(Value::from(Json::Array(list)))
}
