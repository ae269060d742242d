//! What is done to one record when the other one is gone: set per entity of a connection, and refused where it is not possible.

use contactor_store::{ConnectionId, Side};
use contactor_sync::{DeletePolicies, DeletePolicy, Direction, FieldType};

use crate::active::Active;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::TAGS;

/// The one entity whose records can be tagged or deleted; the others are lists of it.
const CONTACT: &str = "contact";
/// Characters of a tag.
const TAG: usize = 100;
/// The scope of HighLevel that a write to a contact needs.
const WRITES: &str = "contacts.write";

/// A policy as a person asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedPolicy {
    /// The other record stays as it is.
    Unlink,
    /// It gets a tag; one that says where it was deleted unless given.
    Tag(Option<String>),
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
            policies.highlevel_gone = checked(&active, entity, Side::Highlevel, wanted)?;
        }
        if let Some(wanted) = change.partner_gone {
            policies.partner_gone = checked(&active, entity, Side::Partner, wanted)?;
        }
        self.store().put_delete_policies(id, entity, policies.clone()).await?;
        Ok(policies)
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
    let may_write = active.connection.grants.iter().any(|grant| grant == WRITES);
    match (wanted, gone) {
        (WantedPolicy::Unlink, _) => Ok(DeletePolicy::Unlink),
        (WantedPolicy::Tag(_) | WantedPolicy::Delete, Side::Partner) if !may_write => refused(format!(
            "{} was not granted `{WRITES}`, so it may not change a contact that {partner} lost",
            active.connection.id
        )),
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
        (WantedPolicy::Delete, Side::Partner) => Ok(DeletePolicy::Delete),
        (WantedPolicy::Delete, Side::Highlevel) => {
            let deletes = active.manifest.entity(entity).is_some_and(|entity| entity.deletes);
            if deletes {
                return Ok(DeletePolicy::Delete);
            }
            refused(format!(
                "{} {} cannot delete a record at {partner}: the connector does not say that it can (`deletes` of its entity); \
                 `unlink` or `tag` are possible",
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
