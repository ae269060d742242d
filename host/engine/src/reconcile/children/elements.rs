//! A list in a field of the partner's contact: an array of objects, read and written as a whole.

use std::collections::BTreeSet;

use contactor_store::FailureClass;
use contactor_sync::{Child, Fields, Value};
use serde_json::{Map, Value as Json};

use crate::failure::Failure;
use crate::recorder::cut;

/// Bytes of a value of the wrong shape that a message repeats.
const EXCERPT: usize = 200;
/// Most elements of a list. Each may become a record of HighLevel's, and a list is written as a whole for every change.
const MOST: usize = 500;
/// The member that names an element.
const ID: &str = "id";

/// One element as it is kept, with whatever members nobody maps.
pub(crate) type Element = Map<String, Json>;

/// Reads the field. No value is an empty list. One of more than [`MOST`] elements is refused as data to be put right.
pub(crate) fn parse(partner: &str, field: &str, value: Option<&Value>) -> Result<Vec<Element>, Failure> {
    let json = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Text(text)) if text.trim().is_empty() => return Ok(Vec::new()),
        Some(value) => value.to_json(),
    };
    let wrong = |path: String, found: &Json, expected: &str| {
        Failure::new(
            FailureClass::Data,
            format!(
                "{partner} answered {} at `{path}`, expected {expected}: {}; correct it there, then retry",
                kind(found),
                cut(found.to_string(), EXCERPT)
            ),
        )
    };
    let Json::Array(items) = json else {
        return Err(wrong(format!("$.{field}"), &json, "an array of objects"));
    };
    if items.len() > MOST {
        return Err(Failure::new(
            FailureClass::Data,
            format!(
                "{partner} answered {} elements in the list `{field}`, at most {MOST} are synchronised; shorten it there, \
                 then retry",
                items.len()
            ),
        ));
    }
    let element = |(at, item): (usize, Json)| match item {
        Json::Object(element) => match element.get(ID) {
            None | Some(Json::Null | Json::String(_) | Json::Number(_)) => Ok(element),
            Some(other) => Err(wrong(format!("$.{field}[{at}].{ID}"), other, "a text or a number")),
        },
        other => Err(wrong(format!("$.{field}[{at}]"), &other, "an object")),
    };
    items.into_iter().enumerate().map(element).collect()
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "nothing",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// The elements as children. Of two with the same id the first keeps it.
pub(crate) fn children(elements: &[Element]) -> Vec<Child> {
    let mut seen = BTreeSet::new();
    elements
        .iter()
        .map(|element| Child {
            id: id(element).filter(|id| seen.insert(id.clone())),
            fields: fields(element),
            updated_at: None,
        })
        .collect()
}

pub(crate) fn id(element: &Element) -> Option<String> {
    match element.get(ID)? {
        Json::String(id) if !id.is_empty() => Some(id.clone()),
        Json::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

pub(crate) fn fields(element: &Element) -> Fields {
    let others = element.iter().filter(|(name, _)| *name != ID);
    others.map(|(name, json)| (name.clone(), Value::from_json(json.clone()))).collect()
}

/// The element with these fields written. No value takes a member away.
pub(crate) fn written(mut element: Element, id: &str, written: &Fields) -> Element {
    if self::id(&element).as_deref() != Some(id) {
        element.insert(ID.to_owned(), Json::from(id));
    }
    for (name, value) in written {
        match value.to_json() {
            Json::Null => element.remove(name),
            json => element.insert(name.clone(), json),
        };
    }
    element
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: Json) -> Result<Vec<Element>, String> {
        parse("Acme", "tasks", Some(&Value::from_json(json))).map_err(|failure| failure.message)
    }

    #[test]
    fn no_value_is_an_empty_list() {
        assert_eq!(parse("Acme", "tasks", None), Ok(vec![]));
        for nothing in [json!(null), json!([]), json!("")] {
            assert_eq!(read(nothing), Ok(vec![]));
        }
    }

    #[test]
    fn a_wrong_shape_is_named_by_its_path_with_a_short_excerpt() {
        for (wrong, path) in [
            (json!("a,b"), "a text at `$.tasks`"),
            (json!({"0": {}}), "an object at `$.tasks`"),
            (json!([{"id": "1"}, 7]), "a number at `$.tasks[1]`"),
            (json!(["a", "b"]), "a text at `$.tasks[0]`"),
            (json!([{"id": ["1"]}]), "an array at `$.tasks[0].id`"),
            (json!("x".repeat(5_000)), "a text at `$.tasks`"),
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains(path) && said.len() < 400, "{said}");
        }
    }

    #[test]
    fn a_list_that_is_too_long_is_refused_with_both_numbers() {
        let elements = |count: usize| json!(vec![json!({"title": "Call"}); count]);
        assert_eq!(read(elements(500)).unwrap().len(), 500);
        let refused = parse("Acme", "tasks", Some(&Value::from_json(elements(501)))).unwrap_err();
        assert_eq!(refused.class, FailureClass::Data);
        for part in ["Acme", "`tasks`", "501 elements", "at most 500"] {
            assert!(refused.message.contains(part), "{}", refused.message);
        }
    }

    #[test]
    fn what_nobody_maps_is_kept_and_no_value_takes_a_member_away() {
        let element =
            read(json!([{"id": 7, "subject": "Call", "due": "x", "colour": "red"}])).unwrap().remove(0);
        assert_eq!(id(&element).as_deref(), Some("7"));
        let changes = Fields::from([("subject".into(), "Write".into()), ("due".into(), Value::Null)]);
        let after = Json::Object(written(element, "7", &changes));
        assert_eq!(after, json!({"id": 7, "subject": "Write", "colour": "red"}));
    }
}
