//! Checks an input against a JSON Schema, so that an admin learns what is wrong before anything is called.
//!
//! Schemas come from manifests and from our own table. The part of JSON Schema that describes inputs of operations is
//! understood; a schema that constrains by anything else is refused as such, because a constraint that is quietly skipped is
//! worse than none. Cost is bounded by the input's size times the schema's: there is no reference that could recur.

use std::fmt;

use regex_lite::Regex;
use serde_json::{Map, Value};

/// Problems that one check reports; more would not help anybody.
const PROBLEMS: usize = 20;
/// Characters of a found value that a message repeats.
const SHOWN: usize = 60;
/// Depth to which schemas are followed.
const DEPTH: usize = 32;

/// Keywords that describe and constrain nothing.
const ANNOTATIONS: [&str; 9] = [
    "title",
    "description",
    "default",
    "examples",
    "example",
    "$schema",
    "$comment",
    "deprecated",
    "readOnly",
];

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where: a JSON pointer, empty for the whole.
    pub(crate) path: String,
    /// What belongs there.
    pub(crate) expected: String,
    /// What is there.
    pub(crate) found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the input" } else { &self.path };
        write!(f, "{path}: expected {}, found {}", self.expected, self.found)
    }
}

/// Everything that is wrong with a value; empty when it fits.
///
/// # Errors
/// When the schema itself cannot be used; its author has to mend it.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<Vec<Problem>, String> {
    let mut check = Check { problems: Vec::new() };
    check.value(schema, value, "", 0)?;
    check.problems.truncate(PROBLEMS);
    Ok(check.problems)
}

struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn value(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) -> Result<(), String> {
        let schema = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => {
                self.wrong(path, "nothing", value);
                return Ok(());
            }
            Value::Object(schema) => schema,
            _ => return Err(format!("at `{path}` it is neither an object nor true or false")),
        };
        if depth > DEPTH {
            return Err(format!("it is nested deeper than {DEPTH}"));
        }
        if let Some(types) = schema.get("type")
            && !has_type(types, value)?
        {
            self.wrong(path, &in_words(types), value);
            return Ok(());
        }
        for (keyword, rule) in schema {
            self.keyword(schema, keyword, rule, value, path, depth)?;
        }
        Ok(())
    }

    fn keyword(
        &mut self,
        schema: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        path: &str,
        depth: usize,
    ) -> Result<(), String> {
        match keyword {
            "type" => {}
            known if ANNOTATIONS.contains(&known) => {}
            "enum" => {
                let choices = rule.as_array().ok_or("`enum` is no list")?;
                if !choices.contains(value) {
                    let list: Vec<_> = choices.iter().map(shown).collect();
                    self.wrong(path, &format!("one of {}", list.join(", ")), value);
                }
            }
            "const" if rule != value => self.wrong(path, &shown(rule), value),
            "const" => {}
            "properties"
            | "required"
            | "additionalProperties"
            | "patternProperties"
            | "minProperties"
            | "maxProperties" => {
                if let Value::Object(object) = value {
                    self.object(schema, keyword, rule, object, path, depth)?;
                }
            }
            "items" | "minItems" | "maxItems" | "uniqueItems" => {
                if let Value::Array(items) = value {
                    self.list(keyword, rule, items, path, depth)?;
                }
            }
            "minLength" | "maxLength" | "pattern" | "format" => {
                if let Value::String(text) = value {
                    self.text(keyword, rule, text, path)?;
                }
            }
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                if let Some(number) = value.as_f64() {
                    self.number(keyword, rule, number, path)?;
                }
            }
            "anyOf" | "oneOf" | "allOf" | "not" => self.combined(keyword, rule, value, path, depth)?,
            other => return Err(format!("it uses `{other}`, which this host cannot check")),
        }
        Ok(())
    }

    fn object(
        &mut self,
        schema: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        object: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Result<(), String> {
        match keyword {
            "properties" => {
                let properties = rule.as_object().ok_or("`properties` is no object")?;
                for (name, schema) in properties {
                    if let Some(value) = object.get(name) {
                        self.value(schema, value, &below(path, name), depth + 1)?;
                    }
                }
            }
            "required" => {
                for name in rule.as_array().ok_or("`required` is no list")? {
                    let name = name.as_str().ok_or("`required` holds something else than names")?;
                    if !object.contains_key(name) {
                        let expected = schema
                            .get("properties")
                            .and_then(|properties| properties.get(name)?.get("type"))
                            .map_or_else(|| "a value".to_owned(), in_words);
                        self.push(below(path, name), expected, "nothing".to_owned());
                    }
                }
            }
            "patternProperties" => {
                for (pattern, schema) in rule.as_object().ok_or("`patternProperties` is no object")? {
                    let pattern = regex(pattern)?;
                    for (name, value) in object.iter().filter(|(name, _)| pattern.is_match(name)) {
                        self.value(schema, value, &below(path, name), depth + 1)?;
                    }
                }
            }
            "additionalProperties" => {
                for (name, value) in object {
                    if !is_named(schema, name)? {
                        match rule {
                            Value::Bool(false) => self.push(
                                below(path, name),
                                format!("no such member; known are {}", known(schema)),
                                shown(value),
                            ),
                            rule => self.value(rule, value, &below(path, name), depth + 1)?,
                        }
                    }
                }
            }
            "minProperties" if object.len() < bound(rule)? => {
                self.push(path.to_owned(), format!("at least {rule} members"), object.len().to_string());
            }
            "maxProperties" if object.len() > bound(rule)? => {
                self.push(path.to_owned(), format!("at most {rule} members"), object.len().to_string());
            }
            _ => {}
        }
        Ok(())
    }

    fn list(
        &mut self,
        keyword: &str,
        rule: &Value,
        items: &[Value],
        path: &str,
        depth: usize,
    ) -> Result<(), String> {
        match keyword {
            "items" => {
                for (index, item) in items.iter().enumerate() {
                    self.value(rule, item, &below(path, &index.to_string()), depth + 1)?;
                }
            }
            "minItems" if items.len() < bound(rule)? => {
                self.push(path.to_owned(), format!("at least {rule} elements"), items.len().to_string());
            }
            "maxItems" if items.len() > bound(rule)? => {
                self.push(path.to_owned(), format!("at most {rule} elements"), items.len().to_string());
            }
            "uniqueItems" if rule == &Value::Bool(true) => {
                let twice = items.iter().enumerate().find(|(index, item)| items[..*index].contains(item));
                if let Some((_, item)) = twice {
                    self.push(
                        path.to_owned(),
                        "each element once".to_owned(),
                        format!("{} twice", shown(item)),
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, keyword: &str, rule: &Value, text: &str, path: &str) -> Result<(), String> {
        let found = || shown(&Value::from(text));
        match keyword {
            "minLength" if text.chars().count() < bound(rule)? => {
                self.push(path.to_owned(), format!("at least {rule} characters"), found());
            }
            "maxLength" if text.chars().count() > bound(rule)? => {
                self.push(path.to_owned(), format!("at most {rule} characters"), found());
            }
            "pattern" => {
                let pattern = rule.as_str().ok_or("`pattern` is no text")?;
                if !regex(pattern)?.is_match(text) {
                    self.push(path.to_owned(), format!("a text of the pattern {pattern}"), found());
                }
            }
            "format" => {
                if let Some(expected) = misses_format(rule.as_str().ok_or("`format` is no text")?, text) {
                    self.push(path.to_owned(), expected.to_owned(), found());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn number(&mut self, keyword: &str, rule: &Value, number: f64, path: &str) -> Result<(), String> {
        let limit = rule.as_f64().ok_or_else(|| format!("`{keyword}` is no number"))?;
        let expected = match keyword {
            "minimum" if number < limit => format!("at least {rule}"),
            "maximum" if number > limit => format!("at most {rule}"),
            "exclusiveMinimum" if number <= limit => format!("more than {rule}"),
            "exclusiveMaximum" if number >= limit => format!("less than {rule}"),
            "multipleOf" if limit > 0.0 && (number / limit).fract() != 0.0 => format!("a multiple of {rule}"),
            _ => return Ok(()),
        };
        self.push(path.to_owned(), expected, number.to_string());
        Ok(())
    }

    fn combined(
        &mut self,
        keyword: &str,
        rule: &Value,
        value: &Value,
        path: &str,
        depth: usize,
    ) -> Result<(), String> {
        let problems = |schema: &Value| -> Result<Vec<Problem>, String> {
            let mut check = Self { problems: Vec::new() };
            check.value(schema, value, path, depth + 1)?;
            Ok(check.problems)
        };
        if keyword == "not" {
            if problems(rule)?.is_empty() {
                self.wrong(path, "something that the schema does not exclude", value);
            }
            return Ok(());
        }
        let schemas = rule.as_array().ok_or_else(|| format!("`{keyword}` is no list"))?;
        let mut all = schemas.iter().map(problems).collect::<Result<Vec<_>, _>>()?;
        let fitting = all.iter().filter(|problems| problems.is_empty()).count();
        match keyword {
            "allOf" => self.problems.extend(all.into_iter().flatten()),
            "oneOf" if fitting > 1 => self.wrong(path, "exactly one of the alternatives to fit", value),
            _ if fitting == 0 => {
                // The alternative that comes nearest says most.
                all.sort_by_key(Vec::len);
                self.problems.extend(all.into_iter().next().unwrap_or_default());
            }
            _ => {}
        }
        Ok(())
    }

    fn wrong(&mut self, path: &str, expected: &str, found: &Value) {
        self.push(path.to_owned(), expected.to_owned(), shown(found));
    }

    fn push(&mut self, path: String, expected: String, found: String) {
        self.problems.push(Problem { path, expected, found });
    }
}

fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn bound(rule: &Value) -> Result<usize, String> {
    let bound = rule.as_u64().ok_or("a bound is no whole number")?;
    Ok(usize::try_from(bound).unwrap_or(usize::MAX))
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("its pattern `{pattern}` is not valid: {error}"))
}

/// Whether a member is described by name or by pattern.
fn is_named(schema: &Map<String, Value>, name: &str) -> Result<bool, String> {
    if schema.get("properties").is_some_and(|properties| properties.get(name).is_some()) {
        return Ok(true);
    }
    let Some(Value::Object(patterns)) = schema.get("patternProperties") else { return Ok(false) };
    for pattern in patterns.keys() {
        if regex(pattern)?.is_match(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn known(schema: &Map<String, Value>) -> String {
    let names = |keyword: &str| {
        schema.get(keyword).and_then(Value::as_object).into_iter().flat_map(|names| names.keys().cloned())
    };
    let names: Vec<_> = names("properties").chain(names("patternProperties")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn has_type(types: &Value, value: &Value) -> Result<bool, String> {
    let one = |name: &str| -> Result<bool, String> {
        Ok(match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => return Err(format!("it knows a type `{other}`, which JSON Schema does not")),
        })
    };
    match types {
        Value::String(name) => one(name),
        Value::Array(names) => {
            for name in names {
                if one(name.as_str().ok_or("`type` holds something else than names")?)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err("`type` is neither a name nor a list of names".to_owned()),
    }
}

/// A type for a person.
fn in_words(types: &Value) -> String {
    let one = |name: &str| {
        match name {
            "object" => "an object",
            "array" => "a list",
            "string" => "a text",
            "number" => "a number",
            "integer" => "a whole number",
            "boolean" => "true or false",
            _ => "null",
        }
        .to_owned()
    };
    match types {
        Value::String(name) => one(name),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" or ")
        }
        _ => "a value".to_owned(),
    }
}

/// What a text of a format looks like, when this one is none. Formats that nobody here knows constrain nothing, as the
/// specification has it.
fn misses_format(format: &str, text: &str) -> Option<&'static str> {
    let (fits, expected) = match format {
        "email" => {
            let parts = text.split_once('@');
            let fits = parts.is_some_and(|(local, domain)| {
                !local.is_empty() && domain.contains('.') && !domain.ends_with('.') && !text.contains(' ')
            });
            (fits, "an email address")
        }
        "date" => (text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10, "a date as YYYY-MM-DD"),
        "date-time" => (
            text.parse::<jiff::Timestamp>().is_ok(),
            "an RFC 3339 time with a zone, for example 2026-11-21T09:00:00Z",
        ),
        "uri" | "url" => (text.parse::<url::Url>().is_ok(), "an address beginning with a scheme"),
        "uuid" => (uuid::Uuid::try_parse(text).is_ok(), "a UUID"),
        _ => (true, ""),
    };
    (!fits).then_some(expected)
}

/// A value on one short line.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(schema: Value, value: Value) -> Vec<String> {
        check(&schema, &value).unwrap().iter().map(ToString::to_string).collect()
    }

    fn award() -> Value {
        json!({
            "type": "object", "required": ["email", "quantity"], "additionalProperties": false,
            "properties": {
                "email": { "type": "string", "format": "email" },
                "quantity": { "type": "integer", "minimum": 1 },
                "reason": { "type": ["string", "null"], "maxLength": 5 },
            },
            "patternProperties": { "^x-": { "type": "boolean" } },
        })
    }

    #[test]
    fn a_problem_says_where_what_was_expected_and_what_was_found() {
        let found = problems(
            award(),
            json!({ "email": "ann", "quantity": 0, "reason": "too long", "colour": 1, "x-a": 2 }),
        );
        assert_eq!(
            found,
            [
                "/colour: expected no such member; known are email, quantity, reason, ^x-, found 1",
                "/x-a: expected true or false, found 2",
                "/email: expected an email address, found \"ann\"",
                "/quantity: expected at least 1, found 0",
                "/reason: expected at most 5 characters, found \"too long\"",
            ]
        );
        assert_eq!(
            problems(award(), json!({ "email": "ann@example.com" })),
            ["/quantity: expected a whole number, found nothing"]
        );
        assert_eq!(problems(award(), json!([])), ["the input: expected an object, found []"]);
        assert!(
            problems(award(), json!({ "email": "a@b.example", "quantity": 2.0, "reason": null })).is_empty()
        );
    }

    #[test]
    fn lists_choices_and_alternatives_are_checked() {
        let schema =
            json!({ "type": "array", "items": { "enum": ["a", "b"] }, "minItems": 1, "uniqueItems": true });
        assert!(problems(schema.clone(), json!(["a", "b"])).is_empty());
        assert_eq!(problems(schema.clone(), json!([])), ["the input: expected at least 1 elements, found 0"]);
        assert_eq!(
            problems(schema.clone(), json!(["a", "a"])),
            ["the input: expected each element once, found \"a\" twice"]
        );
        assert_eq!(problems(schema, json!(["a", 3])), ["/1: expected one of \"a\", \"b\", found 3"]);
        let either = json!({ "anyOf": [{ "required": ["email"] }, { "required": ["phone"] }] });
        assert!(problems(either.clone(), json!({ "phone": "1" })).is_empty());
        assert_eq!(problems(either, json!({})), ["/email: expected a value, found nothing"]);
    }

    #[test]
    fn times_and_dates_have_to_be_some() {
        let of = |format: &str, text: &str| problems(json!({ "format": format }), json!(text)).is_empty();
        assert!(of("date", "2026-11-21") && !of("date", "2026-13-21") && !of("date", "21.11.2026"));
        assert!(of("date-time", "2026-11-21T09:00:00+01:00") && !of("date-time", "2026-11-21T09:00:00"));
        assert!(of("uri", "https://example.com") && !of("uri", "example.com"));
        assert!(of("unknown-format", "anything"));
    }

    #[test]
    fn a_schema_that_cannot_be_checked_is_said_to_be_so_instead_of_being_skipped() {
        for (schema, why) in [
            (json!({ "$ref": "#/definitions/x" }), "$ref"),
            (json!({ "type": "text" }), "`text`"),
            (json!({ "pattern": "(" }), "not valid"),
            (json!("object"), "neither"),
        ] {
            assert!(check(&schema, &json!("x")).unwrap_err().contains(why), "{schema}");
        }
    }

    #[test]
    fn a_long_value_is_shown_in_part() {
        let found = problems(json!({ "type": "integer" }), json!("x".repeat(1 << 20)));
        assert!(found[0].len() < 200, "{}", found[0].len());
    }
}
