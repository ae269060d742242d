//! Between named values and JSON: `Value::from(json)`, [`Value::to_json`], [`Fields::from_json`], [`Fields::to_json`],
//! [`Fields::parse`] and [`Fields::of`], and what partners do with JSON that is worth one function.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::{Error, FieldProblem, Fields, Named, NamedValue, Result, Value};

/// An id that a partner writes as a number or as a text. Ids are opaque: the text is what counts.
pub fn id(json: &Json) -> Option<String> {
    match json {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// The id that a record must have at this place, a JSON pointer.
///
/// # Errors
/// [`Error::Other`] when there is no id, with the place and what is there: nothing can be done with such a record.
pub fn required_id(record: &Json, pointer: &str) -> Result<String> {
    let found = record.pointer(pointer);
    found.and_then(id).ok_or_else(|| {
        let found = found.map_or_else(|| "nothing".to_owned(), excerpt);
        Error::other(format!("`{pointer}`: expected an id, found {found}"))
    })
}

/// A document as a type of one's own.
///
/// # Errors
/// [`Error::Other`] when the shapes differ, with the path of the first difference.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Person { names: Vec<String> }
///
/// let error = contactor_sdk::json::parse::<Person>(&serde_json::json!({"names": ["Ada", 7]})).err().unwrap();
/// assert_eq!(error.message(), "`names[1]`: invalid type: integer `7`, expected a string");
/// ```
pub fn parse<T: DeserializeOwned>(document: &Json) -> Result<T> {
    serde_path_to_error::deserialize(document)
        .map_err(|error| Error::other(format!("`{}`: {}", error.path(), error.inner())))
}

/// The begin of a document, at most 200 bytes of it, for the admin who reads an error. What is called a secret is left out.
pub fn excerpt(document: &Json) -> String {
    shortened(&without_secrets(document).to_string())
}

/// At most 200 bytes of a text.
pub(crate) fn shortened(text: &str) -> String {
    const LENGTH: usize = 200;
    if text.len() <= LENGTH {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LENGTH - '…'.len_utf8())])
}

fn without_secrets(document: &Json) -> Json {
    const SECRET: [&str; 7] =
        ["token", "secret", "password", "apikey", "api_key", "authorization", "credential"];
    match document {
        Json::Object(members) => {
            let member = |(name, value): (&String, &Json)| {
                let lower = name.to_lowercase();
                let is_secret = SECRET.iter().any(|word| lower.contains(word));
                (name.clone(), if is_secret { Json::from("[left out]") } else { without_secrets(value) })
            };
            Json::Object(members.iter().map(member).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(without_secrets).collect()),
        other => other.clone(),
    }
}

/// The two parts of an id that a connector joined, because the partner's own is unique only below something else: an attendee of an
/// event, a submission of a form. None unless both are there.
pub fn split_id(id: &str, separator: char) -> Option<(&str, &str)> {
    id.split_once(separator).filter(|(first, second)| !first.is_empty() && !second.is_empty())
}

/// A text that an action needs of its input.
///
/// # Errors
/// [`Error::Invalid`] for this member when it is not there or no text.
pub fn text<'i>(input: &'i Json, name: &str) -> Result<&'i str> {
    input[name].as_str().ok_or_else(|| Error::invalid(name, "is missing"))
}

/// The members of these names that an object has. What it does not mention stays unknown; null is a member, which is empty.
///
/// ```
/// # use contactor_sdk::{json, PartnerRecord};
/// let person = serde_json::json!({"email": "ada@example.com", "phone": null, "internal": 7});
/// let record = PartnerRecord::new("1").with_all(json::members(&person, ["email", "phone", "city"]));
/// assert_eq!(record, PartnerRecord::new("1").with("email", "ada@example.com").with("phone", None::<&str>));
/// ```
pub fn members<'j, 'n>(
    object: &'j Json,
    names: impl IntoIterator<Item = &'n str>,
) -> impl Iterator<Item = (&'n str, &'j Json)> {
    names.into_iter().filter_map(|name| Some((name, object.get(name)?)))
}

/// JSON that a partner, or the rule of an admin, writes as a text of it. Whatever is no such text stays as it is.
pub fn unpacked(json: &Json) -> Json {
    json.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json.clone())
}

/// An object with the members of another one over its own. If one of them is no object, there is nothing to put over it.
#[must_use]
pub fn overlaid(mut below: Json, over: Json) -> Json {
    if let (Json::Object(below), Json::Object(mut over)) = (&mut below, over) {
        below.append(&mut over);
    }
    below
}

/// A list, also where one thing stands in the place of a list of one, as converters from XML leave it. Null is the empty list.
pub fn many(json: Json) -> Vec<Json> {
    match json {
        Json::Array(items) => items,
        Json::Null => Vec::new(),
        one => vec![one],
    }
}

/// The texts of an error, however deep they lie in arrays and objects; the name of the innermost object's member is the field.
///
/// ```
/// # use contactor_sdk::{Error, json::problems};
/// let errors = serde_json::json!({"email": ["is taken"], "other": [["is odd"]]});
/// assert_eq!(Error::Invalid(problems(&errors)).message(), "refused: email: is taken; other: is odd");
/// ```
pub fn problems(json: &Json) -> Vec<FieldProblem> {
    fn collect(field: &str, json: &Json, problems: &mut Vec<FieldProblem>) {
        match json {
            Json::String(text) => {
                problems.push(FieldProblem { field: field.to_owned(), problem: text.clone() });
            }
            Json::Array(items) => items.iter().for_each(|item| collect(field, item, problems)),
            Json::Object(members) => members.iter().for_each(|(name, item)| collect(name, item, problems)),
            _ => {}
        }
    }
    let mut problems = Vec::new();
    collect("", json, &mut problems);
    problems
}

/// A set that a partner writes as one comma-separated text, or as an array of texts or of objects with a `name`. Names are trimmed;
/// null is the empty set.
pub fn split_set(json: &Json) -> Value {
    let names: Vec<&str> = match json {
        Json::String(text) => text.split(',').collect(),
        Json::Array(items) => {
            items.iter().filter_map(|item| item.as_str().or_else(|| item["name"].as_str())).collect()
        }
        _ => Vec::new(),
    };
    let names = names.into_iter().map(str::trim).filter(|name| !name.is_empty());
    Value::Texts(names.map(str::to_owned).collect())
}

/// A set as one comma-separated text, sorted, so that equal sets are equal texts.
///
/// # Errors
/// [`Error::Invalid`] for this field when a name holds a comma, or the value is no set.
pub fn join_set(field: &str, value: &Value) -> Result<Json> {
    let mut names = match value {
        Value::Texts(names) => names.clone(),
        Value::Empty => Vec::new(),
        _ => return Err(Error::invalid(field, "expected a set of texts")),
    };
    if let Some(name) = names.iter().find(|name| name.contains(',')) {
        return Err(Error::invalid(
            field,
            format!("the partner separates names by commas, so `{name}` cannot be one"),
        ));
    }
    names.sort();
    names.dedup();
    Ok(Json::from(names.join(",")))
}

impl From<Json> for Value {
    /// The nearest kind of value. A blank text stays a text; an array of texts becomes [`Value::Texts`], any other array or
    /// object [`Value::Json`]. An empty array counts as no texts.
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Empty,
            Json::Bool(yes) => Self::Boolean(yes),
            Json::String(text) => Self::Text(text),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Integer(whole),
                (None, Some(fraction)) => Self::Number(fraction),
                (None, None) => Self::Json(number.to_string()),
            },
            Json::Array(items) if items.iter().all(Json::is_string) => {
                let text = |item| if let Json::String(text) = item { Some(text) } else { None };
                Self::Texts(items.into_iter().filter_map(text).collect())
            }
            other => Self::Json(other.to_string()),
        }
    }
}

impl From<&Json> for Value {
    /// As of the JSON itself.
    fn from(json: &Json) -> Self {
        Self::from(json.clone())
    }
}

impl Value {
    /// The value as JSON.
    ///
    /// # Errors
    /// [`Error::Other`] when a [`Value::Json`] is no JSON.
    pub fn to_json(&self) -> Result<Json> {
        Ok(match self {
            Self::Empty => Json::Null,
            Self::Text(text) => Json::from(text.as_str()),
            Self::Integer(number) => Json::from(*number),
            Self::Number(number) => Json::from(*number),
            Self::Boolean(yes) => Json::from(*yes),
            Self::Texts(texts) => Json::from(texts.as_slice()),
            Self::Json(text) => serde_json::from_str(text)?,
        })
    }
}

impl Fields {
    /// The members of a JSON object, each as the nearest kind of value.
    pub fn from_json(object: Map<String, Json>) -> Self {
        object.into_iter().collect()
    }

    /// A JSON object of all values.
    ///
    /// # Errors
    /// [`Error::Other`] when a [`Value::Json`] is no JSON.
    pub fn to_json(&self) -> Result<Map<String, Json>> {
        self.values().iter().map(|NamedValue { name, value }| Ok((name.clone(), value.to_json()?))).collect()
    }

    /// The values as a type of one's own.
    ///
    /// # Errors
    /// [`Error::Other`] when the shapes differ.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_value(Json::Object(self.to_json()?))?)
    }

    /// The members of anything that serialises to a JSON object.
    ///
    /// # Errors
    /// [`Error::Other`] when it serialises to anything else.
    pub fn of<T: serde::Serialize>(record: &T) -> Result<Self> {
        match serde_json::to_value(record)? {
            Json::Object(object) => Ok(Self::from_json(object)),
            other => Err(Error::Other(format!("expected an object, found {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_the_way_there_and_back() {
        let object = json!({
            "none": null, "yes": true, "text": " x ", "whole": -3, "part": 0.5, "set": ["a", "b"],
            "mixed": [1, "a"], "nested": { "a": [] }, "large": u64::MAX
        });
        let Json::Object(map) = object.clone() else { unreachable!() };
        let fields = Fields::from_json(map);
        assert_eq!(fields.value("set"), Some(&Value::from(["a", "b"])));
        assert_eq!(fields.value("nested"), Some(&Value::Json(r#"{"a":[]}"#.into())));
        let mut back = Json::Object(fields.to_json().unwrap());
        // Beyond 64 signed bits only a double is left.
        assert_eq!(back["large"].as_f64(), object["large"].as_f64());
        back["large"] = object["large"].clone();
        assert_eq!(back, object);
    }

    #[test]
    fn sets_survive_the_way_through_a_comma_separated_text() {
        assert_eq!(split_set(&json!(" b, a ,,")), Value::from(["b", "a"]));
        assert_eq!(split_set(&json!(["a", 1, {"name": " c "}])), Value::from(["a", "c"]));
        assert_eq!(split_set(&json!(null)), Value::Texts(Vec::new()));
        assert_eq!(join_set("groups", &Value::from(["b", "a", "b"])), Ok(json!("a,b")));
        assert_eq!(join_set("groups", &Value::Empty), Ok(json!("")));
        assert!(join_set("groups", &Value::from(["a,b"])).unwrap_err().message().contains("groups"));
        assert!(join_set("groups", &Value::from("a")).is_err());
    }

    #[test]
    fn one_thing_is_a_list_of_one() {
        assert_eq!(many(json!([1, 2])), [json!(1), json!(2)]);
        assert_eq!((many(json!({"a": 1})), many(json!(null))), (vec![json!({"a": 1})], vec![]));
    }

    #[test]
    fn ids_are_numbers_or_texts() {
        assert_eq!(id(&json!(7)).as_deref(), Some("7"));
        assert_eq!(id(&json!("x")).as_deref(), Some("x"));
        assert_eq!((id(&json!("")), id(&json!(null)), id(&json!({}))), (None, None, None));
    }

    #[test]
    fn a_joined_id_has_both_of_its_parts() {
        assert_eq!(split_id("7/a/b", '/'), Some(("7", "a/b")));
        assert_eq!((split_id("7/", '/'), split_id("/7", '/'), split_id("7", '/')), (None, None, None));
    }

    #[test]
    fn an_id_that_is_none_is_named_by_its_place_with_what_is_there() {
        let record = json!({"person": {"id": 7}});
        assert_eq!(required_id(&record, "/person/id").as_deref(), Ok("7"));
        let problem = |pointer| required_id(&record, pointer).unwrap_err().message();
        assert_eq!(problem("/person"), r#"`/person`: expected an id, found {"id":7}"#);
        assert_eq!(problem("/id"), "`/id`: expected an id, found nothing");
    }

    #[test]
    fn an_excerpt_is_short_and_without_what_is_called_a_secret() {
        let shown = excerpt(&json!({"API_Token": "s3cret", "a": [{"password": "s3cret", "b": 7}]}));
        assert!(!shown.contains("s3cret") && shown.contains(r#""b":7"#), "{shown}");
        let long = excerpt(&json!({ "a": "é".repeat(5_000) }));
        assert!((190..=200).contains(&long.len()) && long.ends_with('…'), "{long}");
    }

    #[test]
    fn a_document_of_another_shape_is_named_by_its_path() {
        let parsed = parse::<Vec<(String, u8)>>(&json!([["a", 1], ["b", "2"]]));
        let problem = parsed.unwrap_err().message();
        assert_eq!(problem, r#"`[1][1]`: invalid type: string "2", expected u8"#);
    }

    #[test]
    fn a_text_of_json_is_unpacked_and_any_other_stays() {
        assert_eq!(unpacked(&json!(r#"{"a": [1]}"#)), json!({"a": [1]}));
        for json in [json!("Ada"), json!(["1"]), json!(null)] {
            assert_eq!(unpacked(&json), json);
        }
    }

    #[test]
    fn members_of_an_object_lie_over_those_of_another_one() {
        assert_eq!(overlaid(json!({"a": 1, "b": 2}), json!({"b": null})), json!({"a": 1, "b": null}));
        assert_eq!(overlaid(json!({"a": 1}), json!([1])), json!({"a": 1}));
    }

    #[test]
    fn a_missing_text_of_an_input_is_named() {
        assert_eq!(text(&json!({"a": "x"}), "a"), Ok("x"));
        assert_eq!(text(&json!({"a": 1}), "a"), Err(Error::invalid("a", "is missing")));
    }

    #[test]
    fn a_json_value_that_is_no_json_is_an_error() {
        let error = Value::Json("{".into()).to_json().unwrap_err();
        assert!(error.message().contains("unexpected JSON"), "{error}");
    }
}
