//! Checks an input against a JSON Schema, so that an admin learns what is wrong before anything is called.
//!
//! Schemas come from manifests and from our own table. References to other documents are never fetched.

use std::fmt;

use serde_json::Value;

use crate::recorder::cut;

/// Problems that one check reports; more would not help anybody.
const PROBLEMS: usize = 20;
/// Bytes of one problem's text, which repeats the value that was found.
const SHOWN: usize = 160;

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where: a JSON pointer, empty for the whole.
    pub(crate) path: String,
    /// What was found and what belongs there.
    pub(crate) problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the input" } else { &self.path };
        write!(f, "{path}: {}", self.problem)
    }
}

/// What is wrong with a value; empty when it fits.
///
/// # Errors
/// When the schema itself cannot be used; its author has to mend it.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<Vec<Problem>, String> {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| cut(error.to_string(), SHOWN))?;
    let problem = |error: jsonschema::ValidationError<'_>| Problem {
        path: error.instance_path().to_string(),
        problem: cut(error.to_string(), SHOWN),
    };
    Ok(validator.iter_errors(value).take(PROBLEMS).map(problem).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(schema: &Value, value: &Value) -> Vec<String> {
        check(schema, value).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_problem_says_where_and_what_was_expected() {
        let schema = json!({
            "type": "object", "required": ["email"], "additionalProperties": false,
            "properties": { "email": { "type": "string", "format": "email" }, "points": { "type": "integer", "minimum": 1 } },
        });
        assert!(problems(&schema, &json!({ "email": "a@example.com", "points": 1 })).is_empty());
        for (input, part) in [
            (json!({}), "the input: \"email\""),
            (json!({ "email": "ann" }), "/email: \"ann\""),
            (json!({ "email": "a@example.com", "points": 0 }), "/points: 0"),
            (json!({ "email": "a@example.com", "more": 1 }), "'more'"),
        ] {
            let found = problems(&schema, &input);
            assert!(found.len() == 1 && found[0].contains(part), "{input}: {found:?}");
        }
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_the_authors_to_mend() {
        assert!(check(&json!({ "type": "text" }), &json!("x")).is_err());
        assert!(check(&json!({ "pattern": "(" }), &json!("x")).is_err());
    }

    #[test]
    fn a_long_value_is_shown_in_part() {
        let found = problems(&json!({ "type": "integer" }), &json!("x".repeat(1 << 20)));
        assert!(found[0].len() < 300, "{}", found[0].len());
    }
}
