//! The catalogue: every trigger and every action of the host and of connectors, each with what it takes, what it needs and an
//! example. Nothing in it is a label: an action runs by its id, a trigger can be sent by its id.
//!
//! | id | what |
//! |---|---|
//! | `highlevel.contacts.create` | an operation of the vendor's |
//! | `highlevel.ContactCreate` | a webhook event of the vendor's, by its page's name |
//! | `host.TaskUpdate`, `host.timer` | what the host itself finds or keeps |
//! | `prefinery.points.award` | an action of a connector |
//! | `prefinery.reward_earned` | a trigger of a connector |

mod events;
mod markdown;
mod page;

use contactor_manifest::TriggerSource;
use contactor_store::WorkspaceId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::operations;

pub use contactor_manifest::{Manifest, Partner};
pub use markdown::markdown;
pub use page::connector_page;

/// What the ids of the host's own triggers begin with.
const HOST: &str = "host";

/// Whether something happens or is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogueKind {
    /// Something happens, and rules and records follow.
    Trigger,
    /// Something is done on request.
    Action,
}

/// How a trigger becomes known, or an action is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogueWay {
    /// A request to HighLevel.
    HighlevelRequest,
    /// A webhook of HighLevel.
    HighlevelWebhook,
    /// The host finds it by comparing what it reads.
    Found,
    /// A timer goes off.
    Timer,
    /// A webhook of the partner.
    PartnerWebhook,
    /// A polled stream of the partner's.
    PartnerPoll,
    /// The connector does it.
    Connector,
}

/// One trigger or action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// Its id.
    pub id: String,
    /// Trigger or action.
    pub kind: CatalogueKind,
    /// `highlevel`, `host`, or the connector's id.
    pub owner: String,
    /// Its name for a person.
    pub title: String,
    /// What somebody should know about it; may be empty.
    pub help: String,
    /// How it becomes known or is done.
    pub way: CatalogueWay,
    /// The request behind it, or for a trigger: the name that a rule's `on` gives.
    pub name: String,
    /// JSON Schema of an action's input; of a trigger's payload as far as its sample shows it.
    pub parameters: Value,
    /// What has to be granted, or asked of HighLevel.
    pub scopes: Vec<String>,
    /// It changes something at HighLevel or the partner.
    pub writes: bool,
    /// An input, or a payload.
    pub example: Value,
    /// It could not be checked against the real system; says what is uncertain.
    pub unverified: Option<String>,
}

/// What the host itself offers: the vendor's operations, its events, and what the host finds.
pub fn of_host() -> Vec<CatalogueEntry> {
    let actions = operations::ALL.iter().map(|operation| CatalogueEntry {
        id: operation.id(),
        kind: CatalogueKind::Action,
        owner: operations::PREFIX.to_owned(),
        title: operation.title.to_owned(),
        help: operation.help.to_owned(),
        way: CatalogueWay::HighlevelRequest,
        name: format!("{} {}", operation.request.method, operation.request.path),
        parameters: operation.parameters(),
        scopes: vec![operation.request.scope.to_owned()],
        writes: operation.writes(),
        example: operation.example(),
        unverified: None,
    });
    let events = events::ALL.iter().map(|event| CatalogueEntry {
        id: format!("{}.{}", operations::PREFIX, event.name),
        kind: CatalogueKind::Trigger,
        owner: operations::PREFIX.to_owned(),
        title: event.title.to_owned(),
        help: String::new(),
        way: CatalogueWay::HighlevelWebhook,
        name: event.kind.to_owned(),
        parameters: shape(&event.sample()),
        scopes: Some(event.scope.to_owned()).into_iter().filter(|scope| !scope.is_empty()).collect(),
        writes: false,
        example: event.sample(),
        unverified: Some(event.unverified.to_owned()).filter(|why| !why.is_empty()),
    });
    actions.chain(events).chain(own_triggers()).collect()
}

/// What happens at HighLevel without a webhook, and what the host keeps for connectors.
fn own_triggers() -> [CatalogueEntry; 2] {
    let task = json!({
        "id": "5HrB1IbmnKMBXloldFuP", "contactId": "ocQHyuzHvysMo5N5VsXc", "title": "Call again",
        "dueDate": "2026-12-01T09:00:00.000Z", "completed": false,
    });
    let timer = json!({ "name": "reminder/0007BWpSzSwfiuSl0tR2", "payload": "{}" });
    let entry = |name: &str, title: &str, help: &str, way, scope: &str, example: Value| CatalogueEntry {
        id: format!("{HOST}.{name}"),
        kind: CatalogueKind::Trigger,
        owner: HOST.to_owned(),
        title: title.to_owned(),
        help: help.to_owned(),
        way,
        name: name.to_owned(),
        parameters: shape(&example),
        scopes: Some(scope.to_owned()).into_iter().filter(|scope| !scope.is_empty()).collect(),
        writes: false,
        example,
        unverified: None,
    };
    [
        entry(
            "TaskUpdate",
            "A task was edited or reopened",
            "HighLevel announces neither: the host compares what the location's task search shows.",
            CatalogueWay::Found,
            "locations/tasks.readonly",
            task,
        ),
        entry(
            "timer",
            "A timer went off",
            "A connector sets it for an instant. A rule names it `timer:` with what stands before the first slash of its name.",
            CatalogueWay::Timer,
            "",
            timer,
        ),
    ]
}

/// What a connector offers.
pub fn of_connector(manifest: &Manifest) -> Vec<CatalogueEntry> {
    let owner = manifest.connector.id.to_string();
    let needs = |prefix: &str| -> Vec<String> {
        manifest
            .scopes
            .iter()
            .map(|scope| scope.name.clone())
            .filter(|name| name.starts_with(prefix))
            .collect()
    };
    let triggers = manifest.triggers.iter().map(|trigger| {
        let known = events::find(&trigger.name).filter(|_| trigger.source == TriggerSource::Highlevel);
        let example = trigger
            .sample
            .clone()
            .or_else(|| known.map(events::EventKind::sample))
            .unwrap_or_else(|| json!({}));
        CatalogueEntry {
            id: format!("{owner}.{}", trigger.name),
            kind: CatalogueKind::Trigger,
            owner: owner.clone(),
            title: trigger.title.clone(),
            help: trigger.help.clone().unwrap_or_default(),
            way: match trigger.source {
                TriggerSource::Webhook => CatalogueWay::PartnerWebhook,
                TriggerSource::Poll => CatalogueWay::PartnerPoll,
                TriggerSource::Highlevel if known.is_none() => CatalogueWay::Found,
                TriggerSource::Highlevel => CatalogueWay::HighlevelWebhook,
                TriggerSource::Timer => CatalogueWay::Timer,
            },
            name: trigger.name.clone(),
            parameters: shape(&example),
            scopes: if trigger.source == TriggerSource::Highlevel {
                needs("contacts.readonly")
            } else {
                Vec::new()
            },
            writes: false,
            example,
            unverified: trigger.unverified.then(|| NOT_CHECKED.to_owned()),
        }
    });
    let actions = manifest.actions.iter().map(|action| CatalogueEntry {
        id: format!("{owner}.{}", action.name),
        kind: CatalogueKind::Action,
        owner: owner.clone(),
        title: action.title.clone(),
        help: action.help.clone().unwrap_or_default(),
        way: CatalogueWay::Connector,
        name: action.name.clone(),
        parameters: action.input.clone(),
        scopes: action.scopes.clone(),
        writes: action.writes,
        example: action.example.clone(),
        unverified: action.unverified.then(|| NOT_CHECKED.to_owned()),
    });
    triggers.chain(actions).collect()
}

/// The manifest of a component, or the text of a `connector.toml`.
///
/// # Errors
/// What is wrong with it.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, EngineError> {
    let text = if bytes.starts_with(b"\0asm") {
        contactor_manifest::extract(bytes)
            .map_err(|error| EngineError::Invalid(format!("manifest: {error}")))?
            .ok_or_else(|| EngineError::Invalid("the component carries no manifest".to_owned()))?
    } else {
        String::from_utf8(bytes.to_vec())
            .map_err(|_| EngineError::Invalid("neither a component nor the text of a manifest".to_owned()))?
    };
    Manifest::parse(&text).map_err(|error| EngineError::Invalid(format!("manifest: {error}")))
}

const NOT_CHECKED: &str = "It could not be checked against the real partner.";

impl Engine {
    /// The catalogue: of a workspace with the connectors that are enabled there, or of the host with all that are installed.
    ///
    /// # Errors
    /// No such workspace, or the store does not answer.
    pub async fn catalogue(
        &self,
        workspace: Option<&WorkspaceId>,
    ) -> Result<Vec<CatalogueEntry>, EngineError> {
        let mut entries = of_host();
        for manifest in self.manifests(workspace).await? {
            entries.extend(of_connector(&manifest));
        }
        Ok(entries)
    }

    /// The manifests of the connectors that a workspace has enabled, or of the newest version of each installed one.
    async fn manifests(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Manifest>, EngineError> {
        let installed = self.store().connectors().await?;
        let mut texts: Vec<(String, String)> = Vec::new();
        match workspace {
            Some(workspace) => {
                self.workspace(workspace).await?;
                for connection in self.store().connections(Some(workspace)).await? {
                    let component =
                        self.installed(&connection.connector, Some(connection.digest.as_str())).await?;
                    texts.push((component.id, component.manifest));
                }
            }
            None => {
                // Newest first: the first of each id counts.
                for component in installed {
                    if !texts.iter().any(|(id, _)| *id == component.id) {
                        texts.push((component.id, component.manifest));
                    }
                }
            }
        }
        texts.sort();
        let parse = |(_, text): &(String, String)| {
            Manifest::parse(text).map_err(|error| EngineError::Invalid(format!("manifest: {error}")))
        };
        texts.iter().map(parse).collect()
    }
}

/// A JSON Schema of what a sample shows: names and types, nothing required.
fn shape(sample: &Value) -> Value {
    match sample {
        Value::Object(members) => {
            let properties: Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), shape(value))).collect();
            json!({ "type": "object", "properties": properties })
        }
        Value::Array(items) => match items.first() {
            Some(item) => json!({ "type": "array", "items": shape(item) }),
            None => json!({ "type": "array" }),
        },
        Value::String(_) => json!({ "type": "string" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Null => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_host_alone_offers_more_than_a_hundred_things_under_ids_of_their_own() {
        let entries = of_host();
        let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids.len(), entries.len());
        assert!(entries.len() >= 100, "{}", entries.len());
    }

    #[test]
    fn every_entry_says_what_it_takes_and_its_example_is_that() {
        for entry in of_host() {
            assert!(!entry.title.is_empty(), "{}", entry.id);
            let problems = operations::schema::check(&entry.parameters, &entry.example);
            assert_eq!(problems, Ok(Vec::new()), "{}", entry.id);
        }
    }
}
