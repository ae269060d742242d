//! Checking named values against a table.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::FieldProblem;
use crate::model::{CUSTOM_FIELD_PREFIX, DndSettings, InboundDndSettings, wire_instant};
use crate::version::ApiVersion;

/// What a field's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// A text out of a list.
    OneOf(&'static [&'static str]),
    /// A phone in E.164: `+` and digits. The vendor guesses a country for anything else, and guesses wrong.
    Phone,
    /// An ISO 3166 two-letter code.
    Country,
    /// A calendar date.
    Date,
    /// An instant with an explicit offset.
    Instant,
    /// True or false.
    Flag,
    /// The DND object.
    Dnd,
    /// The inbound DND object.
    InboundDnd,
}

/// One field that an operation takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The vendor marks the property as nullable: `null` clears it.
    pub(super) clearable: bool,
}

/// A field that cannot be cleared.
pub(super) const fn field(name: &'static str, kind: Kind) -> Rule {
    Rule { name, kind, clearable: false }
}

/// A field that `null` clears.
pub(super) const fn clearable(name: &'static str, kind: Kind) -> Rule {
    Rule { name, kind, clearable: true }
}

/// The allow-list of one operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// What the list is for, as the subject of a refusal: "a contact's update".
    pub(super) subject: &'static str,
    pub(super) fields: &'static [Rule],
    pub(super) required: &'static [&'static str],
    /// The operation takes `customFields.<id>`.
    pub(super) custom_fields: bool,
    /// A null is nothing to send (create) rather than a clearing (update).
    pub(super) skip_null: bool,
    /// Fields that callers may well know, and why they are not taken.
    pub(super) refused: &'static [(&'static str, &'static str)],
}

/// Values that passed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Checked {
    pub(super) fields: Map<String, Value>,
    pub(super) custom: BTreeMap<String, Value>,
}

impl Rules {
    pub(super) fn accepts(&self, name: &str) -> bool {
        match name.strip_prefix(CUSTOM_FIELD_PREFIX) {
            Some(id) => self.custom_fields && !id.is_empty(),
            None => self.fields.iter().any(|rule| rule.name == name),
        }
    }

    /// A JSON Schema of what the operation takes.
    pub(super) fn schema(&self) -> Value {
        let property = |rule: &Rule| {
            let mut schema = rule.kind.schema();
            // On a create, null means "leave it out".
            if rule.clearable || self.skip_null {
                schema.entry("type").and_modify(|kind| *kind = serde_json::json!([kind.clone(), "null"]));
            }
            (rule.name.to_owned(), Value::Object(schema))
        };
        let properties: Map<String, Value> = self.fields.iter().map(property).collect();
        let mut schema = Map::from_iter([
            ("type".to_owned(), Value::from("object")),
            ("properties".to_owned(), Value::Object(properties)),
            ("additionalProperties".to_owned(), Value::Bool(false)),
        ]);
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), self.required.into());
        }
        if self.custom_fields {
            let custom = serde_json::json!({ "^customFields\\..+$": {} });
            schema.insert("patternProperties".to_owned(), custom);
        }
        Value::Object(schema)
    }

    pub(super) fn check<N: Into<String>>(
        &self,
        fields: impl IntoIterator<Item = (N, Value)>,
    ) -> Result<Checked, Vec<FieldProblem>> {
        let mut checked = Checked::default();
        let mut problems = Vec::new();
        for (name, value) in fields {
            let name = name.into();
            if let Err(problem) = self.take(&name, value, &mut checked) {
                problems.push(FieldProblem::new(name, problem));
            }
        }
        for required in self.required {
            let named = problems.iter().any(|problem: &FieldProblem| problem.field == *required);
            if !checked.fields.contains_key(*required) && !named {
                problems.push(FieldProblem::new(*required, format!("{} needs it", self.subject)));
            }
        }
        if problems.is_empty() { Ok(checked) } else { Err(problems) }
    }

    fn take(&self, name: &str, value: Value, checked: &mut Checked) -> Result<(), String> {
        if let Some(id) = name.strip_prefix(CUSTOM_FIELD_PREFIX)
            && self.accepts(name)
        {
            if let Some(value) = custom_value(value, self.skip_null)? {
                checked.custom.insert(id.to_owned(), value);
            }
            return Ok(());
        }
        let Some(rule) = self.fields.iter().find(|rule| rule.name == name) else {
            return Err(self.refusal(name));
        };
        match value {
            Value::Null if self.skip_null => {}
            Value::Null if rule.clearable => {
                checked.fields.insert(name.to_owned(), Value::Null);
            }
            Value::Null => return Err("HighLevel offers no way to clear it".to_owned()),
            value => {
                checked.fields.insert(name.to_owned(), rule.kind.check(value)?);
            }
        }
        Ok(())
    }

    fn refusal(&self, name: &str) -> String {
        let known = self.refused.iter().find(|(field, _)| *field == name);
        known.map_or_else(
            || format!("{} does not take a field of this name", self.subject),
            |(_, reason)| (*reason).to_owned(),
        )
    }
}

impl Kind {
    /// A JSON Schema of its values.
    fn schema(self) -> Map<String, Value> {
        let schema = match self {
            Self::Text => serde_json::json!({ "type": "string" }),
            Self::OneOf(choices) => {
                serde_json::json!({ "type": "string", "pattern": format!("^({})$", choices.join("|")) })
            }
            Self::Phone => serde_json::json!({ "type": "string", "pattern": r"^\+[1-9][0-9]{0,14}$" }),
            Self::Country => serde_json::json!({ "type": "string", "pattern": "^[A-Za-z]{2}$" }),
            Self::Date => serde_json::json!({ "type": "string", "format": "date" }),
            Self::Instant => serde_json::json!({ "type": "string", "format": "date-time" }),
            Self::Flag => serde_json::json!({ "type": "boolean" }),
            Self::Dnd | Self::InboundDnd => serde_json::json!({ "type": "object" }),
        };
        if let Value::Object(schema) = schema { schema } else { Map::new() }
    }

    /// The value as the vendor takes it, or why it cannot be.
    fn check(self, value: Value) -> Result<Value, String> {
        let found = describe(&value);
        match self {
            Self::Flag if value.is_boolean() => Ok(value),
            Self::Flag => Err(format!("must be true or false, not {found}")),
            Self::Dnd => {
                let settings = DndSettings::from_value(&value)
                    .ok_or("must be an object of channels, each with a status")?;
                settings.check_statuses()?;
                Ok(settings.to_value(ApiVersion::V20210728))
            }
            Self::InboundDnd => {
                let settings =
                    InboundDndSettings::from_value(&value).ok_or("must be an object with `all.status`")?;
                settings.check_status()?;
                Ok(settings.to_value())
            }
            _ => {
                let Value::String(text) = value else { return Err(format!("must be a text, not {found}")) };
                self.check_text(text).map(Value::String)
            }
        }
    }

    fn check_text(self, text: String) -> Result<String, String> {
        match self {
            Self::OneOf(choices) if choices.contains(&text.as_str()) => Ok(text),
            Self::OneOf(choices) => Err(format!("must be one of {}", choices.join(", "))),
            Self::Phone if is_e164(&text) => Ok(text),
            Self::Phone => {
                Err("must be an international number in E.164, for example +14155550100".to_owned())
            }
            Self::Country if text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()) => {
                Ok(text.to_ascii_uppercase())
            }
            Self::Country => Err("must be a two-letter country code, for example US".to_owned()),
            Self::Date => {
                let date = crate::model::parse_date(&text).ok_or("must be a date as YYYY-MM-DD")?;
                Ok(Date::to_string(&date))
            }
            Self::Instant => {
                let instant: Timestamp = text
                    .parse()
                    .map_err(|_| "must be an RFC 3339 time with a zone, for example 2026-11-21T09:00:00Z")?;
                Ok(wire_instant(instant))
            }
            Self::Text | Self::Flag | Self::Dnd | Self::InboundDnd => Ok(text),
        }
    }
}

/// `+` and up to 15 digits. No lower bound: the vendor itself stores numbers of a wrong length.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// The value of a custom field: a text, a number, a list of texts or (for files) an object. The vendor does not document
/// how one is cleared; an empty text is within the documented types, an empty list for a multiple choice.
fn custom_value(value: Value, skip_null: bool) -> Result<Option<Value>, String> {
    match value {
        Value::Null if skip_null => Ok(None),
        Value::Null => Ok(Some(Value::String(String::new()))),
        Value::Bool(_) => {
            Err("a custom field takes a text, a number or a list of texts, not true or false".to_owned())
        }
        Value::Array(items) if !items.iter().all(Value::is_string) => {
            Err("a list in a custom field takes only texts".to_owned())
        }
        value => Ok(Some(value)),
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Checked {
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.custom.is_empty()
    }

    pub(super) fn flat(&self) -> BTreeMap<String, Value> {
        let custom =
            self.custom.iter().map(|(id, value)| (format!("{CUSTOM_FIELD_PREFIX}{id}"), value.clone()));
        self.fields.iter().map(|(name, value)| (name.clone(), value.clone())).chain(custom).collect()
    }

    /// The request body's members, spelt as this version of the API wants them.
    pub(super) fn body(&self, version: ApiVersion) -> Map<String, Value> {
        let mut body = self.fields.clone();
        if let Some(dnd) = body.get("dndSettings").and_then(DndSettings::from_value) {
            body.insert("dndSettings".to_owned(), dnd.to_value(version));
        }
        if !self.custom.is_empty() {
            let elements = self.custom.iter().map(|(id, value)| {
                let mut element = Map::new();
                element.insert("id".to_owned(), Value::String(id.clone()));
                element.insert(version.custom_field_value().to_owned(), value.clone());
                Value::Object(element)
            });
            body.insert("customFields".to_owned(), elements.collect());
        }
        body
    }
}
