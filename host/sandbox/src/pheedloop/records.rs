//! What all kinds of records share: the checks of a body, and the plain list, create, update and delete.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::Change;
use super::config::Guesses;
use super::error::{Answer, Fault};
use super::state::{Object, instant, text};
use crate::http::{Call, Reply};

/// What a field takes. The vendor's types are inferred from its examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    Text,
    Email,
    Boolean,
    List,
    Tags,
    Json,
}

/// A kind of record that is served in the plain way.
pub(super) struct Kind {
    /// The end of its path, and the name of its shelf.
    pub(super) shelf: &'static str,
    prefix: &'static str,
    fields: &'static [(&'static str, FieldKind)],
    required: &'static [&'static str],
    /// What a delete answers: the vendor differs from kind to kind.
    deleted: u16,
}

pub(super) const MEMBERS: Kind = Kind {
    shelf: "members",
    prefix: "MBR",
    fields: &[
        ("first_name", FieldKind::Text),
        ("last_name", FieldKind::Text),
        ("email", FieldKind::Email),
        ("title", FieldKind::Text),
        ("organization", FieldKind::Text),
        ("address_city", FieldKind::Text),
        ("address_phone", FieldKind::Text),
        ("code_internal", FieldKind::Text),
        ("tags", FieldKind::Tags),
        ("contact_groups", FieldKind::List),
        ("metadata", FieldKind::Json),
    ],
    required: &["first_name", "last_name", "email"],
    deleted: 204,
};

pub(super) const ORGANIZATIONS: Kind = Kind {
    shelf: "members/organization",
    prefix: "ORG",
    fields: &[("name", FieldKind::Text), ("email", FieldKind::Text), ("notes", FieldKind::Text)],
    required: &["name"],
    deleted: 204,
};

pub(super) const MEMBERSHIPS: Kind = Kind {
    shelf: "memberships",
    prefix: "MSH",
    fields: &[("name", FieldKind::Text), ("notes", FieldKind::Text)],
    required: &["name"],
    deleted: 204,
};

pub(super) const CONTACT_TAGS: Kind = Kind {
    shelf: "contacttags",
    prefix: "TAG",
    fields: &[("name", FieldKind::Text)],
    required: &["name"],
    deleted: 204,
};

pub(super) const TICKETS: Kind =
    Kind { shelf: "tickets", prefix: "TIC", fields: &[], required: &[], deleted: 204 };

impl Kind {
    /// Members are filtered by the days of `registration_date_updated`.
    pub(super) fn list(&self, change: &mut Change<'_>, call: &Call) -> Answer {
        let rows = change.organization.shelf(self.shelf).iter();
        let rows = rows.filter(|row| within_days(call, row, "registration_date_updated", "date_updated"));
        let rows = rows.cloned().map(Value::Object).collect();
        change.page(call, rows)
    }

    pub(super) fn create(&self, change: &mut Change<'_>, call: &Call) -> Answer {
        let row = self.insert(change, &body(call)?)?;
        Ok(change.written(201, &row, Value::Object(row.clone())))
    }

    pub(super) fn update(&self, change: &mut Change<'_>, call: &Call, code: &str) -> Answer {
        let row = self.edit(change, code, &body(call)?)?;
        Ok(change.written(200, &row, Value::Object(row.clone())))
    }

    pub(super) fn delete(&self, change: &mut Change<'_>, code: &str) -> Answer {
        let row = change.organization.shelf(self.shelf).remove(code).ok_or(Fault::NotFound)?;
        Ok(if self.deleted == 204 { no_content() } else { Reply::json(self.deleted, &Value::Object(row)) })
    }

    /// An array, each element as in a create; one that is refused refuses all.
    pub(super) fn create_all(&self, change: &mut Change<'_>, call: &Call) -> Answer {
        self.all(change, call, 201, |change, fields| self.insert(change, fields))
    }

    pub(super) fn update_all(&self, change: &mut Change<'_>, call: &Call) -> Answer {
        self.all(change, call, 200, |change, fields| self.edit(change, text(fields, "code"), fields))
    }

    fn all(
        &self,
        change: &mut Change<'_>,
        call: &Call,
        status: u16,
        write: impl Fn(&mut Change<'_>, &Object) -> Result<Object, Fault>,
    ) -> Answer {
        let before = change.organization.shelf(self.shelf).clone();
        let mut rows = Vec::new();
        for fields in bodies(call)? {
            match write(change, &fields) {
                Ok(row) => rows.push(Value::Object(row)),
                Err(fault) => {
                    *change.organization.shelf(self.shelf) = before;
                    return Err(fault);
                }
            }
        }
        Ok(Reply::json(status, &Value::Array(rows)))
    }

    pub(super) fn insert(&self, change: &mut Change<'_>, fields: &Object) -> Result<Object, Fault> {
        let mut row = blank(self.fields);
        put(change.guesses, &mut row, self.fields, fields)?;
        need(&row, &self.required.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let code = change.organization.new_code(self.prefix);
        row.insert("code".into(), json!(code));
        row.insert("date_updated".into(), instant(change.now));
        change.organization.shelf(self.shelf).add(&code, row.clone());
        Ok(row)
    }

    pub(super) fn edit(&self, change: &mut Change<'_>, code: &str, fields: &Object) -> Result<Object, Fault> {
        let mut row = change.organization.shelf(self.shelf).get(code).cloned().ok_or(Fault::NotFound)?;
        put(change.guesses, &mut row, self.fields, fields)?;
        row.insert("date_updated".into(), instant(change.now));
        if let Some(place) = change.organization.shelf(self.shelf).get_mut(code) {
            place.clone_from(&row);
        }
        Ok(row)
    }
}

/// `{"codes": […]}` of members that get a membership.
pub(super) fn assign(change: &mut Change<'_>, call: &Call, membership: &str) -> Answer {
    let codes = codes(call)?;
    if let Some(unknown) = codes.iter().find(|code| change.organization.shelf("members").get(code).is_none())
    {
        return Err(Fault::invalid("codes", format!("Member {unknown} does not exist.")));
    }
    let row = change.organization.shelf("memberships").get_mut(membership).ok_or(Fault::NotFound)?;
    row.insert("members".into(), json!(codes));
    Ok(Reply::json(200, &Value::Object(row.clone())))
}

/// A record without values.
pub(super) fn blank(fields: &[(&'static str, FieldKind)]) -> Object {
    let value = |kind| match kind {
        FieldKind::Text | FieldKind::Email => json!(""),
        FieldKind::Boolean => json!(false),
        FieldKind::List | FieldKind::Tags => json!([]),
        FieldKind::Json => Value::Null,
    };
    fields.iter().map(|(name, kind)| ((*name).to_owned(), value(*kind))).collect()
}

/// Puts what `given` names over a record; what it does not name stays, and each value replaces the old one as a whole.
pub(super) fn put(
    guesses: &Guesses,
    row: &mut Object,
    fields: &[(&'static str, FieldKind)],
    given: &Object,
) -> Result<(), Fault> {
    let mut problems = Vec::new();
    for (name, kind) in fields {
        let Some(value) = given.get(*name) else { continue };
        match checked(guesses, name, *kind, value) {
            Ok(value) => {
                row.insert((*name).to_owned(), value);
            }
            Err(problem) => problems.push(((*name).to_owned(), problem)),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Fault::Invalid(problems)) }
}

fn checked(guesses: &Guesses, name: &str, kind: FieldKind, value: &Value) -> Result<Value, String> {
    match (kind, value) {
        (FieldKind::Json, Value::Object(_) | Value::Null) | (FieldKind::Boolean, Value::Bool(_)) => {
            Ok(value.clone())
        }
        (FieldKind::Text | FieldKind::Email, Value::Null) if guesses.takes_null => Ok(json!("")),
        (_, Value::Null) => Err("This field may not be null.".into()),
        (FieldKind::Text | FieldKind::Email, Value::String(text)) => {
            let text = text.trim();
            let must = guesses.required.iter().any(|required| required == name);
            if text.is_empty() && must && guesses.refuses_blank_names {
                return Err("This field may not be blank.".into());
            }
            let usable = text.split_once('@').is_some_and(|(user, domain)| {
                !user.is_empty() && domain.contains('.') && !text.contains(' ')
            });
            if kind == FieldKind::Email && !text.is_empty() && !usable {
                return Err("Enter a valid email address.".into());
            }
            if text.chars().count() > 255 && name != "about" {
                return Err("Ensure this field has no more than 255 characters.".into());
            }
            Ok(json!(text))
        }
        (FieldKind::List | FieldKind::Tags, Value::Array(items)) => {
            let name = |item: &Value| match item {
                Value::String(text) => Ok(json!(text.trim())),
                Value::Object(tag) if kind == FieldKind::Tags && tag.contains_key("name") => {
                    Ok(json!(text(tag, "name").trim()))
                }
                _ => Err("Not a valid string.".to_owned()),
            };
            let mut names: Vec<Value> = items.iter().map(name).collect::<Result<_, _>>()?;
            let mut seen = std::collections::BTreeSet::new();
            names.retain(|name| seen.insert(name.to_string()));
            Ok(Value::Array(names))
        }
        (FieldKind::List | FieldKind::Tags, _) => Err("Expected a list of items.".into()),
        (FieldKind::Json, _) => Err("Value must be valid JSON.".into()),
        (FieldKind::Boolean, _) => Err("Must be a valid boolean.".into()),
        _ => Err("Not a valid string.".into()),
    }
}

pub(super) fn need(row: &Object, required: &[String]) -> Result<(), Fault> {
    let missing = required.iter().filter(|name| text(row, name).is_empty());
    let problems: Vec<_> = missing.map(|name| (name.clone(), "This field is required.".to_owned())).collect();
    if problems.is_empty() { Ok(()) } else { Err(Fault::Invalid(problems)) }
}

/// Whether a record was changed within the days that the call names, both included.
pub(super) fn within_days(call: &Call, row: &Object, parameter: &str, field: &str) -> bool {
    let day = text(row, field).get(..10).unwrap_or_default().to_owned();
    let bound = |end: &str| {
        // Whether a malformed day is refused is unknown; here it filters everything out, which is soon noticed.
        let given = call.query(&format!("{parameter}_{end}"))?;
        Some(given.parse::<Date>().map_or(String::new(), |day| day.to_string()))
    };
    bound("gte").is_none_or(|from| !from.is_empty() && day >= from) && bound("lte").is_none_or(|to| day <= to)
}

pub(super) fn body(call: &Call) -> Result<Object, Fault> {
    match json_body(call)? {
        Value::Object(body) => Ok(body),
        _ => Err(Fault::Unreadable("Invalid data. Expected a dictionary.")),
    }
}

pub(super) fn bodies(call: &Call) -> Result<Vec<Object>, Fault> {
    let Value::Array(items) = json_body(call)? else {
        return Err(Fault::Unreadable("Expected a list of items."));
    };
    let item = |item| match item {
        Value::Object(item) => Ok(item),
        _ => Err(Fault::Unreadable("Invalid data. Expected a dictionary.")),
    };
    items.into_iter().map(item).collect()
}

/// The codes of a body `{"codes": […]}`.
pub(super) fn codes(call: &Call) -> Result<Vec<String>, Fault> {
    match body(call)?.remove("codes") {
        Some(Value::Array(codes)) => Ok(codes
            .iter()
            .map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned))
            .collect()),
        _ => Err(Fault::invalid("codes", "This field is required.")),
    }
}

fn json_body(call: &Call) -> Result<Value, Fault> {
    if !call.is_json() {
        return Err(Fault::Unreadable("Unsupported media type in request."));
    }
    serde_json::from_slice(&call.body).map_err(|_| Fault::Unreadable("JSON parse error."))
}

pub(super) fn no_content() -> Reply {
    Reply { status: 204, headers: Vec::new(), content_type: "application/json", body: Vec::new() }
}
