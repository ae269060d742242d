//! What is done to one record when the other one is gone: set per entity of a connection, and refused where it is not possible.

use contactor_highlevel::ContactPatch;
use contactor_store::{ConnectionId, Side};
use contactor_sync::{DeletePolicies, DeletePolicy, Direction, FieldType, canonical};

use crate::active::Active;
use crate::convert::{own_side, side, value_from_json, value_to_json};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::manage::mapping::{of_highlevel, of_partner};
use crate::reconcile::TAGS;

/// The one entity whose records can be tagged or deleted; the others are lists of it.
const CONTACT: &str = "contact";
/// Characters of a tag.
const TAG: usize = 100;
/// Fields of HighLevel's that say what a person agreed to.
const DND: &str = "dnd";
/// The scope of HighLevel that a write to a contact needs.
const WRITES: &str = "contacts.write";

/// A policy as a person asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedPolicy {
    /// The other record stays as it is.
    Unlink,
    /// It gets a tag; one that says where it was deleted unless given.
    Tag(Option<String>),
    /// One of its fields is set.
    Archive {
        /// The field, by its name on the side of the record that is left.
        field: String,
        /// The value, as a person types it.
        value: String,
    },
    /// It is deleted, once that is confirmed.
    Delete,
}

/// Policies to be set; what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// For records that are gone in HighLevel.
    pub highlevel_gone: Option<WantedPolicy>,
    /// For records that are gone at the partner.
    pub partner_gone: Option<WantedPolicy>,
}

impl Engine {
    /// The policies of an entity of a connection.
    ///
    /// # Errors
    /// No such connection or entity.
    pub async fn delete_policies(
        &self,
        id: &ConnectionId,
        entity: &str,
    ) -> Result<DeletePolicies, EngineError> {
        let active = self.active(id).await?;
        check_entity(&active, entity)?;
        Ok(self.store().delete_policies(id, entity).await?)
    }

    /// Sets policies; answers those that count from now on, also for what is in quarantine already.
    ///
    /// # Errors
    /// No such connection or entity; or the policy is not possible, with the reason, and nothing was set.
    pub async fn set_delete_policies(
        &self,
        id: &ConnectionId,
        entity: &str,
        change: PolicyChange,
    ) -> Result<DeletePolicies, EngineError> {
        let active = self.active(id).await?;
        check_entity(&active, entity)?;
        let mut policies = self.store().delete_policies(id, entity).await?;
        if let Some(wanted) = change.highlevel_gone {
            policies.highlevel_gone = self.checked(&active, entity, Side::Highlevel, wanted).await?;
        }
        if let Some(wanted) = change.partner_gone {
            policies.partner_gone = self.checked(&active, entity, Side::Partner, wanted).await?;
        }
        self.store().put_delete_policies(id, entity, policies.clone()).await?;
        Ok(policies)
    }

    async fn checked(
        &self,
        active: &Active,
        entity: &str,
        gone: Side,
        wanted: WantedPolicy,
    ) -> Result<DeletePolicy, EngineError> {
        let policy = checked(active, entity, gone, wanted)?;
        let DeletePolicy::Archive { field, value } = policy else { return Ok(policy) };
        let kind = match gone {
            Side::Highlevel => {
                let found = of_partner(&active.manifest, entity, &field)?;
                if found.read_only {
                    return Err(EngineError::Invalid(format!(
                        "{}'s `{field}` can only be read",
                        active.manifest.partner.name
                    )));
                }
                found.kind
            }
            Side::Partner => {
                let found = of_highlevel(self, &active.workspace, entity, &field).await?;
                if !ContactPatch::accepts(&field) {
                    return Err(EngineError::Invalid(format!("HighLevel's `{field}` can only be read")));
                }
                found.unwrap_or(FieldType::Text)
            }
        };
        if active.is_consent(side(own_side(gone).other()), &field) {
            return Err(EngineError::Invalid(format!(
                "`{field}` cannot say that a record is archived: a row of the mapping makes it what a person agreed to (`contactor mapping \
                 show {} {}`), and no delete decides that; name another field, or use the policy `tag`",
                active.workspace.id, active.connection.connector
            )));
        }
        let value = archived(active, &field, kind, &value)?;
        Ok(DeletePolicy::Archive { field, value })
    }
}

/// What a field is set to, in the spelling of its type.
fn archived(
    active: &Active,
    field: &str,
    kind: FieldType,
    value: &serde_json::Value,
) -> Result<serde_json::Value, EngineError> {
    let refused = |why: String| {
        Err(EngineError::Invalid(format!("`{field}` cannot say that a record is archived: {why}")))
    };
    let is_key =
        active.natural_keys(CONTACT).iter().any(|key| key.partner == field || key.highlevel == field);
    if is_key || matches!(kind, FieldType::Email | FieldType::Phone) {
        return refused("a record is found by it".to_owned());
    }
    if matches!(kind, FieldType::Tags | FieldType::Set) {
        return refused("it holds several values; the policy `tag` adds one".to_owned());
    }
    if kind == FieldType::Json || field.starts_with(DND) {
        return refused("it takes more than one value, or says what a person agreed to".to_owned());
    }
    match canonical(kind, &value_from_json(value), &active.context) {
        Ok(value) if value.is_empty() => refused("an empty value says nothing".to_owned()),
        Ok(value) => Ok(value_to_json(&value)),
        Err(error) => refused(error.to_string()),
    }
}

fn check_entity(active: &Active, entity: &str) -> Result<(), EngineError> {
    if entity == CONTACT && active.maps(entity) {
        return Ok(());
    }
    Err(EngineError::Invalid(format!(
        "`{entity}` has no policy for deletes: tasks, notes and appointments follow the list of their contact, where one that is \
         removed on one side is removed on the other; only `{CONTACT}` has one"
    )))
}

fn checked(
    active: &Active,
    entity: &str,
    gone: Side,
    wanted: WantedPolicy,
) -> Result<DeletePolicy, EngineError> {
    let refused = |why: String| Err(EngineError::Invalid(why));
    let partner = &active.manifest.partner.name;
    let may_write = active.scopes.iter().any(|grant| grant == WRITES);
    match (wanted, gone) {
        (WantedPolicy::Unlink, _) => Ok(DeletePolicy::Unlink),
        (WantedPolicy::Tag(_) | WantedPolicy::Archive { .. } | WantedPolicy::Delete, Side::Partner)
            if !may_write =>
        {
            refused(format!(
                "{} was not granted `{WRITES}`, so it may not change a contact that {partner} lost",
                active.connection.id
            ))
        }
        (WantedPolicy::Tag(tag), gone) => {
            if gone == Side::Highlevel
                && let Err(why) = tag_field(active, entity)
            {
                return refused(format!("no tag can be set: {why}"));
            }
            let tag = tag.unwrap_or_else(|| match gone {
                Side::Highlevel => "deleted-in-highlevel".to_owned(),
                Side::Partner => format!("deleted-in-{}", active.connection.connector),
            });
            // HighLevel lower-cases tags, and some partners keep them in one text with commas.
            let tag = tag.trim().to_lowercase();
            let odd = |letter: char| letter.is_control() || letter == ',';
            if tag.is_empty() || tag.chars().count() > TAG || tag.contains(odd) {
                return refused(format!(
                    "`{tag}` cannot be a tag: it needs 1 to {TAG} characters and no comma"
                ));
            }
            Ok(DeletePolicy::Tag { tag })
        }
        (WantedPolicy::Archive { field, value }, _) => {
            Ok(DeletePolicy::Archive { field: field.trim().to_owned(), value: value.trim().into() })
        }
        (WantedPolicy::Delete, Side::Partner) => Ok(DeletePolicy::Delete),
        (WantedPolicy::Delete, Side::Highlevel) => {
            let deletes = active.manifest.entity(entity).is_some_and(|entity| entity.deletes);
            if deletes {
                return Ok(DeletePolicy::Delete);
            }
            refused(format!(
                "{} {} cannot delete a record at {partner}: the connector does not say that it can (`deletes` of its entity); \
                 `unlink`, `tag` or `archive` are possible",
                active.connection.connector, active.manifest.connector.version
            ))
        }
    }
}

/// The partner's field that a contact's tags are written to, or why there is none.
pub(crate) fn tag_field(active: &Active, entity: &str) -> Result<String, String> {
    let partner = &active.manifest.partner.name;
    let mapping = active.mapping(entity).map_err(|failure| failure.message)?;
    let is_set = |kind| matches!(kind, FieldType::Tags | FieldType::Set);
    let row = mapping.rows().find(|row| {
        row.highlevel == TAGS && is_set(row.partner_type) && row.direction != Direction::ToHighlevel
    });
    let Some(row) = row else {
        return Err(format!(
            "the mapping writes HighLevel's tags to no field of {partner}'s that holds several; `contactor mapping list` shows the rows"
        ));
    };
    match active.manifest.field(entity, &row.partner) {
        Some(field) if field.read_only => Err(format!("{partner}'s `{}` can only be read", row.partner)),
        _ => Ok(row.partner.clone()),
    }
}
