//! What a connector can do besides a reconcile: polled streams, announced events, actions, and the scopes that it needs.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// `[[stream]]`: changes that the host asks for at intervals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Its name, as `poll` receives it.
    pub name: String,
    /// The entity of its records.
    pub entity: String,
    /// Default interval between two polls, in seconds; at least 10.
    pub interval_seconds: u32,
    /// Paths to which a poll sends POST so that the partner prepares what it then reads, an export for example. Such a request
    /// changes no record; any other one that is no GET is a fault of the connector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepares: Vec<String>,
    /// What an admin should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// `[[trigger]]`: an event that the connector announces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The event's name: the partner's own, HighLevel's (`ContactCreate`), or a timer's (`timer:reminder`).
    pub name: String,
    /// Its name for a person.
    pub title: String,
    /// How it becomes known.
    pub source: TriggerSource,
    /// What an admin should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A sample of what arrives: the webhook's body, the polled record, the timer's payload. HighLevel's events have the vendor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Value>,
    /// It could not be checked against the real partner.
    #[serde(default)]
    pub unverified: bool,
}

/// How an event of the partner becomes known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerSource {
    /// The partner sends a webhook.
    Webhook,
    /// A polled stream shows it.
    Poll,
    /// HighLevel announces it, or the host finds it there.
    Highlevel,
    /// A timer of the connector goes off.
    Timer,
}

/// `[[action]]`: one of the partner's own operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Its name, as `run` receives it, for example `points.award`.
    pub name: String,
    /// Its name for a person.
    pub title: String,
    /// What it does and what it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// It changes something at the partner: a preview does not run it.
    pub writes: bool,
    /// Scopes of HighLevel's that it needs, for an action that does something there as well; each is one of the `[[scope]]`s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// JSON Schema of its input, written as a TOML table or as JSON text.
    #[serde(default = "any_object", deserialize_with = "schema")]
    pub input: Value,
    /// JSON Schema of its output, written as a TOML table or as JSON text.
    #[serde(default = "any_object", deserialize_with = "schema")]
    pub output: Value,
    /// An input that works against the partner's double.
    #[serde(default = "no_values")]
    pub example: Value,
    /// It could not be checked against the real partner.
    #[serde(default)]
    pub unverified: bool,
}

fn no_values() -> Value {
    serde_json::json!({})
}

fn any_object() -> Value {
    serde_json::json!({ "type": "object" })
}

fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let schema = match Value::deserialize(deserializer)? {
        Value::String(text) => serde_json::from_str(&text).map_err(|error| {
            serde::de::Error::custom(format!("invalid JSON Schema, expected a table or JSON text: {error}"))
        })?,
        table => table,
    };
    if schema.is_object() {
        return Ok(schema);
    }
    Err(serde::de::Error::custom("invalid JSON Schema, expected a table or the text of a JSON object"))
}

/// `[[template]]`: a ready-made way to enable the connector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionTemplate {
    /// Its name, as `--template` takes it.
    pub name: String,
    /// Its name for a person.
    pub title: String,
    /// What it does and for whom it is.
    pub help: String,
    /// Settings; the admin's own go before them.
    #[serde(default)]
    pub settings: serde_json::Map<String, Value>,
    /// Rows over the default mapping, by entity, in the shape in which an admin gives them.
    #[serde(default)]
    pub mapping: serde_json::Map<String, Value>,
}

/// `[[scope]]`: a HighLevel scope that the connection needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The vendor's name for it, for example `contacts.readonly`.
    pub name: String,
    /// Why, for the admin who grants it.
    pub why: String,
}
