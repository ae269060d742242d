//! Actions by name: what to run and what came of it.

use contactor_engine as engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An action to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActionRequest {
    /// Its parameters, as the catalogue's schema says; an empty object if absent.
    #[schema(value_type = Object)]
    pub input: serde_json::Value,
    /// Hold writes back and say what they would have been.
    pub preview: bool,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionReport {
    /// The action, by its name in the catalogue.
    #[schema(example = "highlevel.contacts.create")]
    pub action: String,
    /// Writes were held back.
    pub preview: bool,
    /// What it answered; null when a preview held something back on which the answer depends.
    #[schema(value_type = Value)]
    pub output: serde_json::Value,
    /// The requests that were made, or in a preview: that would have been.
    pub calls: Vec<ActionCall>,
    /// The run with all details.
    pub run: String,
}

/// One request of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionCall {
    /// `highlevel` or `partner`.
    pub target: String,
    /// Method and path.
    #[schema(example = "POST /contacts/")]
    pub request: String,
    /// Whether it changes something there.
    pub write: bool,
    /// A preview did not make it.
    pub held_back: bool,
    /// The answer's status.
    pub status: Option<u16>,
    /// The body, of a request that was held back.
    pub body: Option<String>,
}

impl From<engine::ActionReport> for ActionReport {
    fn from(own: engine::ActionReport) -> Self {
        Self {
            action: own.action,
            preview: own.preview,
            output: own.output,
            calls: own.calls.into_iter().map(Into::into).collect(),
            run: own.run.to_string(),
        }
    }
}

impl From<engine::ActionCall> for ActionCall {
    fn from(own: engine::ActionCall) -> Self {
        Self {
            target: own.target,
            request: own.request,
            write: own.write,
            held_back: own.held_back,
            status: own.status,
            body: own.body,
        }
    }
}
