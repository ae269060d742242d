//! What says of a record that its counterpart was deleted: a tag, or the value of a field.

use std::fmt;

use contactor_store::{FailureClass, FieldChange, Link, Side};
use contactor_sync::{DeletePolicy, FieldType, Fields, Value, canonical};

use super::kept::Kept;
use crate::active::field_type;
use crate::convert::value_from_json;
use crate::failure::Failure;
use crate::manage::deletes::tag_field;
use crate::manage::{of_contact, of_definition};
use crate::reconcile::apply::note_writes;
use crate::reconcile::sides::{CUSTOM, RunContext, SideRecord, TAGS};

/// The sign of a policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sign<'a> {
    /// A tag, which nobody else's tags are disturbed by.
    Tag(&'a str),
    /// A field, whose value was another before.
    Field {
        /// By its name on the side of the record.
        field: &'a str,
        /// What it is set to.
        value: Value,
    },
}

impl<'a> Sign<'a> {
    /// The sign that a policy leaves, if it leaves one.
    pub(super) fn of(policy: &'a DeletePolicy) -> Option<Self> {
        match policy {
            DeletePolicy::Tag { tag } => Some(Self::Tag(tag)),
            DeletePolicy::Archive { field, value } => {
                Some(Self::Field { field, value: value_from_json(value) })
            }
            DeletePolicy::Unlink | DeletePolicy::Delete => None,
        }
    }
}

/// As the object of a sentence.
impl fmt::Display for Sign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "the tag `{tag}`"),
            Self::Field { field, value } => write!(f, "`{}` in `{field}`", plain(value)),
        }
    }
}

/// A value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_json().to_string(),
    }
}

impl RunContext {
    /// What an undo has to know of the record before it gets its sign.
    pub(super) async fn before_sign(
        &self,
        side: Side,
        left: &SideRecord,
        sign: &Sign<'_>,
    ) -> Result<Kept, Failure> {
        Ok(match sign {
            Sign::Tag(tag) => Kept::Tag { added: !self.has_tag(side, left, tag)? },
            // The row may be newer than the policy.
            Sign::Field { field, .. } if self.active.is_consent(side, field) => {
                return Err(Failure::new(
                    FailureClass::Config,
                    format!(
                        "the policy for deletes sets `{field}`, which the mapping makes what a person agreed to: no delete decides that. \
                         Name another field, or another policy (`contactor deletes policy`)"
                    ),
                ));
            }
            Sign::Field { field, .. } => Kept::Field { before: self.value_of(side, left, field).await?.0 },
        })
    }

    /// Leaves the sign; answers what changed.
    pub(super) async fn put_sign(
        &self,
        link: &Link,
        side: Side,
        left: &SideRecord,
        sign: &Sign<'_>,
    ) -> Result<Vec<FieldChange>, Failure> {
        match sign {
            Sign::Tag(tag) => self.set_tag(link, side, left, (tag, true)).await,
            Sign::Field { field, value } => self.set_field(link, side, left, (field, value)).await,
        }
    }

    /// Takes the sign off, if it was the policy that left it and nobody changed it since; answers what changed.
    pub(super) async fn take_sign(
        &self,
        link: &Link,
        side: Side,
        left: &SideRecord,
        (sign, kept): (&Sign<'_>, &Kept),
    ) -> Result<Vec<FieldChange>, Failure> {
        match (sign, kept) {
            (Sign::Tag(tag), Kept::Tag { added: true }) => self.set_tag(link, side, left, (tag, false)).await,
            (Sign::Field { field, value }, Kept::Field { before }) => {
                let present = self.value_of(side, left, field).await?;
                if present.1 != *value {
                    return Ok(Vec::new());
                }
                self.set_field(link, side, left, (field, before)).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The partner's field that holds tags, or HighLevel's.
    fn field_of_tags(&self, entity: &str, side: Side) -> Result<String, Failure> {
        match side {
            Side::Highlevel => Ok(TAGS.to_owned()),
            Side::Partner => tag_field(&self.active, entity)
                .map_err(|why| Failure::new(FailureClass::Config, format!("no tag can be set: {why}"))),
        }
    }

    fn has_tag(&self, side: Side, left: &SideRecord, tag: &str) -> Result<bool, Failure> {
        let field = self.field_of_tags("contact", side)?;
        let tags = left.fields.get(&field).map(Value::elements).unwrap_or_default();
        Ok(tags.iter().any(|present| present.eq_ignore_ascii_case(tag)))
    }

    /// Adds or takes off a tag.
    async fn set_tag(
        &self,
        link: &Link,
        side: Side,
        left: &SideRecord,
        (tag, wanted): (&str, bool),
    ) -> Result<Vec<FieldChange>, Failure> {
        if self.has_tag(side, left, tag)? == wanted {
            return Ok(Vec::new());
        }
        let field = self.field_of_tags(&link.entity, side)?;
        let mut tags = left.fields.get(&field).map(Value::elements).unwrap_or_default();
        if wanted {
            tags.insert(tag.to_owned());
        } else {
            tags.retain(|present| !present.eq_ignore_ascii_case(tag));
        }
        self.set_field(link, side, left, (&field, &Value::Set(tags))).await
    }

    async fn set_field(
        &self,
        link: &Link,
        side: Side,
        left: &SideRecord,
        (field, value): (&str, &Value),
    ) -> Result<Vec<FieldChange>, Failure> {
        let (present, canonical) = self.value_of(side, left, field).await?;
        if present == *value || canonical == *value {
            return Ok(Vec::new());
        }
        let fields = Fields::from([(field.to_owned(), value.clone())]);
        match side {
            Side::Highlevel => drop(self.update_highlevel(left, &fields).await?),
            Side::Partner => drop(self.update_partner(&link.entity, &left.id, &fields).await?),
        }
        let mut changes = Vec::new();
        // A custom field may be known to the record by its id alone.
        let before = SideRecord { fields: Fields::from([(field.to_owned(), present)]), ..left.clone() };
        note_writes(side, Some(&before), &fields, &mut changes);
        Ok(changes)
    }

    /// What a field holds, as it is and in the spelling of its type; null where the system shows nothing.
    pub(crate) async fn value_of(
        &self,
        side: Side,
        record: &SideRecord,
        field: &str,
    ) -> Result<(Value, Value), Failure> {
        let (held, kind) = match (side, field.strip_prefix(CUSTOM)) {
            (Side::Highlevel, Some(key)) => {
                let definitions = self.engine.custom_fields(&self.active.workspace, &self.location).await?;
                let definition = definitions.get(key);
                // Named by their keys only where the mapping reads any.
                let by_id = definition.map(|definition| format!("{CUSTOM}{}", definition.id));
                let held = record.fields.get(field).or_else(|| record.fields.get(&by_id?));
                (held, definition.map_or(FieldType::Text, of_definition))
            }
            (Side::Highlevel, None) => (record.fields.get(field), of_contact(field)),
            (Side::Partner, _) => {
                let declared = self.active.manifest.field("contact", field);
                (record.fields.get(field), declared.map_or(FieldType::Text, |field| field_type(field.kind)))
            }
        };
        let held = held.cloned().filter(|value| !value.is_empty()).unwrap_or_default();
        let own = canonical(kind, &held, &self.active.context).unwrap_or_else(|_| held.clone());
        Ok((held, own))
    }
}
