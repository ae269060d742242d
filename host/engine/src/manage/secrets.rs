//! Which values of an action's input are secrets: those that its schema says are written and never read (`writeOnly`), and those
//! whose name says so.

use secrecy::SecretString;
use serde_json::Value;

use crate::partner::is_secret;

/// Levels of an input and its schema that are looked at.
const DEPTH: usize = 32;

/// The secrets of an input.
pub(crate) fn of_input(schema: &Value, input: &Value) -> Vec<SecretString> {
    let mut found = Vec::new();
    collect(schema, input, false, 0, &mut found);
    found
}

fn collect(schema: &Value, value: &Value, secret: bool, depth: usize, found: &mut Vec<SecretString>) {
    if depth > DEPTH {
        return;
    }
    let secret = secret || schema["writeOnly"] == Value::Bool(true);
    // Every branch counts: one that does not hold hides a value too many at worst.
    for branches in ["allOf", "anyOf", "oneOf"] {
        for branch in schema[branches].as_array().into_iter().flatten() {
            collect(branch, value, secret, depth + 1, found);
        }
    }
    match value {
        Value::String(text) if secret => found.push(SecretString::from(text.as_str())),
        Value::Number(number) if secret => found.push(SecretString::from(number.to_string())),
        Value::Object(members) => {
            for (name, value) in members {
                let own = match &schema["properties"][name] {
                    Value::Null => &schema["additionalProperties"],
                    own => own,
                };
                collect(own, value, secret || is_secret(name), depth + 1, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(&schema["items"], item, secret, depth + 1, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    fn found(schema: &Value, input: &Value) -> Vec<String> {
        let mut found: Vec<_> =
            of_input(schema, input).iter().map(|secret| secret.expose_secret().to_owned()).collect();
        found.sort();
        found
    }

    #[test]
    fn what_the_schema_or_the_name_calls_a_secret_is_one_at_any_depth() {
        let schema = json!({ "properties": {
            "pin": { "type": "string", "writeOnly": true },
            "login": { "properties": { "code": { "writeOnly": true } } },
            "keys": { "items": { "writeOnly": true } },
            "either": { "oneOf": [{ "type": "null" }, { "writeOnly": true }] },
        } });
        let input = json!({
            "email": "ada@example.com", "pin": "123456", "login": { "code": "abc", "name": "ada" },
            "keys": ["one", "two"], "either": "this", "password": "hunter2", "deep": [{ "api-key": { "x": "y" } }],
        });
        assert_eq!(found(&schema, &input), ["123456", "abc", "hunter2", "one", "this", "two", "y"]);
        assert_eq!(found(&Value::Bool(true), &json!({ "a": "b" })), Vec::<String>::new());
    }
}
