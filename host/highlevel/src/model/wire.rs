//! Reading and writing single members, and the macro that makes a record type of them.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

/// A JSON value that is not a record of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecord {
    /// Not a JSON object.
    #[error("a {kind} should be a JSON object")]
    NotAnObject {
        /// What was expected.
        kind: &'static str,
    },
    /// An object without an id.
    #[error("a {kind} without an `id`")]
    NoId {
        /// What was expected.
        kind: &'static str,
    },
}

/// A type that can be one record of an answer.
pub(crate) trait Record: Sized {
    /// What it is called in an error.
    const KIND: &'static str;

    /// Reads a record.
    fn from_map(map: Map<String, Value>) -> Result<Self, NotARecord>;

    /// Reads a record out of any value.
    fn from_value(value: Value) -> Result<Self, NotARecord> {
        match value {
            Value::Object(map) => Self::from_map(map),
            _ => Err(NotARecord::NotAnObject { kind: Self::KIND }),
        }
    }
}

/// One member's type: how it is read and written. `None` from `read` leaves the member in `unknown`.
pub(crate) trait Wire: Sized {
    fn read(value: &Value) -> Option<Self>;
    fn write(&self) -> Value;
}

impl Wire for String {
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn write(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Wire for bool {
    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }

    fn write(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Wire for Vec<String> {
    fn read(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::read).collect()
    }

    fn write(&self) -> Value {
        self.iter().map(String::as_str).collect()
    }
}

/// Dates of entities are ISO strings, those of cursors epoch milliseconds; either is read.
impl Wire for Timestamp {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => Self::from_millisecond(number.as_i64()?).ok(),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        Value::String(wire_instant(*self))
    }
}

impl Wire for Date {
    fn read(value: &Value) -> Option<Self> {
        parse_date(value.as_str()?)
    }

    fn write(&self) -> Value {
        Value::String(self.to_string())
    }
}

macro_rules! wire_ids {
    ($($id:ty),* $(,)?) => {$(
        impl Wire for $id {
            fn read(value: &Value) -> Option<Self> {
                value.as_str().filter(|text| !text.is_empty()).map(Self::from)
            }

            fn write(&self) -> Value {
                Value::String(self.as_str().to_owned())
            }
        }
    )*};
}

wire_ids!(
    crate::ids::LocationId,
    crate::ids::ContactId,
    crate::ids::TaskId,
    crate::ids::NoteId,
    crate::ids::AppointmentId,
    crate::ids::CalendarId,
    crate::ids::BusinessId,
    crate::ids::UserId,
);

/// An instant as the vendor writes it: UTC with milliseconds and `Z`.
pub(crate) fn wire_instant(instant: Timestamp) -> String {
    format!("{instant:.3}")
}

/// A date as `YYYY-MM-DD`, or as midnight UTC (how the vendor returns a date of birth). Any other time of day is not a
/// date: which day it is would depend on a zone that nobody named.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let (date, time) = text.split_at_checked(10)?;
    matches!(time, "" | "T00:00:00Z" | "T00:00:00.000Z").then(|| date.parse().ok()).flatten()
}

/// Takes a member out of the map when it can be read; `null` counts as absent.
pub(super) fn take<T: Wire>(map: &mut Map<String, Value>, name: &str) -> Option<T> {
    let value = map.get(name)?;
    if value.is_null() {
        map.remove(name);
        return None;
    }
    let read = T::read(value)?;
    map.remove(name);
    Some(read)
}

/// Defines a record type: an id, optional typed members, and `unknown` for the rest.
///
/// `= "name"` is the member's name at the vendor, `| "other"` a spelling that is read as well. `outside` lists members
/// that `fields()` leaves out, because they say where the record is rather than what it holds.
macro_rules! record {
    (
        $(#[$doc:meta])*
        $name:ident ($kind:literal, $id:ty, outside [$($outside:literal),*]) {
            $( $(#[$member_doc:meta])* $member:ident: $type:ty = $wire:literal $(| $alias:literal)*, )*
        }
        also { $( $(#[$also_doc:meta])* $also:ident: $also_type:ty = $also_take:path, )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            /// The record's id.
            pub id: $id,
            $( $(#[$member_doc])* pub $member: Option<$type>, )*
            $( $(#[$also_doc])* pub $also: $also_type, )*
            /// Members that are not known here, or not of the expected type, as they came.
            pub unknown: serde_json::Map<String, serde_json::Value>,
        }

        impl crate::model::wire::Record for $name {
            const KIND: &'static str = $kind;

            fn from_map(
                mut map: serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, crate::model::NotARecord> {
                use crate::model::wire::take;
                let id = take::<$id>(&mut map, "id").ok_or(crate::model::NotARecord::NoId { kind: $kind })?;
                $(
                    #[allow(unused_mut, reason = "only members with a second spelling need it")]
                    let mut $member = take::<$type>(&mut map, $wire);
                    $( if let Some(other) = take::<$type>(&mut map, $alias) { $member.get_or_insert(other); } )*
                )*
                $( let $also = $also_take(&mut map); )*
                Ok(Self { id, $($member,)* $($also,)* unknown: map })
            }
        }

        impl $name {
            /// Reads a record as the vendor wrote it.
            ///
            /// # Errors
            /// Only when it is not an object or has no `id`.
            pub fn from_json(value: serde_json::Value) -> Result<Self, crate::model::NotARecord> {
                <Self as crate::model::wire::Record>::from_value(value)
            }

            /// Typed members with a value under the vendor's names, and the unknown ones as they came.
            fn flat(&self) -> std::collections::BTreeMap<String, serde_json::Value> {
                let mut fields = std::collections::BTreeMap::new();
                for (name, value) in &self.unknown {
                    if !value.is_null() {
                        fields.insert(name.clone(), value.clone());
                    }
                }
                $(
                    if let Some(value) = &self.$member {
                        fields.insert($wire.to_owned(), crate::model::wire::Wire::write(value));
                    }
                )*
                $( fields.remove($outside); )*
                fields
            }
        }
    };
}
pub(super) use record;
