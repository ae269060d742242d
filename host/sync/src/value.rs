//! One field's value, and a record as named values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A record: values under the names of the system that it lives in, for example `firstName` or `customFields.plan`.
///
/// A name that is absent means that the system showed no value. For a merge that is the same as [`Value::Null`].
pub type Fields = BTreeMap<String, Value>;

/// One field's value.
///
/// As JSON every value takes its natural form ([`Value::to_json`]). The one exception keeps the way back exact: a
/// [`Value::Json`] that would be read back as something else is wrapped, `{"$json": …}`.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// No value. Writing it clears the field.
    #[default]
    Null,
    /// Text; also phones, emails, dates and instants.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
    /// Several texts without an order: tags, groups, multiple choice.
    Set(BTreeSet<String>),
    /// Anything else.
    Json(serde_json::Value),
}

/// Marks a [`Value::Json`] whose natural form would be read back as another kind of value.
const ESCAPE: &str = "$json";

impl Value {
    /// Whether there is no value: null, an empty text or an empty set.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Set(set) => set.is_empty(),
            _ => false,
        }
    }

    /// The text of a [`Value::Text`].
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a [`Value::Set`]; none for every other kind, so that "no tags" needs no case of its own.
    pub fn elements(&self) -> BTreeSet<String> {
        match self {
            Self::Set(set) => set.clone(),
            _ => BTreeSet::new(),
        }
    }

    /// The value as plain JSON. A set becomes a sorted array, a number that JSON cannot hold becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::Boolean(boolean) => (*boolean).into(),
            Self::Set(set) => set.iter().map(String::as_str).collect(),
            Self::Json(json) => json.clone(),
        }
    }

    /// Reads plain JSON as a vendor sends it. An array of nothing but strings is a set; other arrays and all objects
    /// stay JSON, and so does a whole number beyond 64 bits.
    pub fn from_json(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(boolean) => Self::Boolean(boolean),
            Json::String(text) => Self::Text(text),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Integer(whole),
                (None, Some(fraction)) if !number.is_u64() => Self::Number(fraction),
                _ => Self::Json(Json::Number(number)),
            },
            Json::Array(items) if items.iter().all(Json::is_string) => {
                Self::Set(items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
            }
            other => Self::Json(other),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let natural = self.to_json();
        let ambiguous = match self {
            Self::Json(json) => {
                json.as_object().is_some_and(|object| object.len() == 1 && object.contains_key(ESCAPE))
                    || Self::from_json(natural.clone()) != *self
            }
            _ => false,
        };
        if ambiguous {
            BTreeMap::from([(ESCAPE, natural)]).serialize(serializer)
        } else {
            natural.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        match json {
            serde_json::Value::Object(mut object) if object.len() == 1 && object.contains_key(ESCAPE) => {
                Ok(Self::Json(object.remove(ESCAPE).unwrap_or_default()))
            }
            plain => Ok(Self::from_json(plain)),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<BTreeSet<String>> for Value {
    fn from(set: BTreeSet<String>) -> Self {
        Self::Set(set)
    }
}

impl<T: Into<String>> FromIterator<T> for Value {
    /// Collects a [`Value::Set`].
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::Set(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn there_and_back(value: &Value) -> Value {
        serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
    }

    #[test]
    fn values_take_their_natural_json_form() {
        let record = Fields::from([
            ("dnd".into(), Value::from(false)),
            ("firstName".into(), Value::from("Ann")),
            ("lastName".into(), Value::Null),
            ("score".into(), Value::from(7)),
            ("tags".into(), ["vip", "new"].into_iter().collect()),
        ]);
        assert_eq!(
            serde_json::to_value(&record).unwrap(),
            json!({"dnd": false, "firstName": "Ann", "lastName": null, "score": 7, "tags": ["new", "vip"]})
        );
        assert_eq!(serde_json::from_value::<Fields>(serde_json::to_value(&record).unwrap()).unwrap(), record);
    }

    #[test]
    fn json_that_looks_like_another_kind_survives_the_way_through_the_store() {
        for json in [json!(["b", "a"]), json!([]), json!("text"), json!(3), json!(null), json!({"$json": 1})]
        {
            let value = Value::Json(json);
            assert_eq!(there_and_back(&value), value);
        }
        assert_eq!(serde_json::to_value(Value::Json(json!({"a": ["b"]}))).unwrap(), json!({"a": ["b"]}));
    }

    #[test]
    fn a_fraction_stays_a_fraction_and_a_huge_whole_number_stays_exact() {
        assert_eq!(there_and_back(&Value::Number(5.0)), Value::Number(5.0));
        assert_eq!(there_and_back(&Value::Integer(5)), Value::Integer(5));
        let huge = Value::from_json(json!(u64::MAX));
        assert_eq!(huge, Value::Json(json!(u64::MAX)));
        assert_eq!(there_and_back(&huge), huge);
    }
}
