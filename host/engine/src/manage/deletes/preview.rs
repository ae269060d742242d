//! What would follow if a record were deleted. Reads both sides, writes and stores nothing.

use contactor_store::{ConnectionId, RecordId, Side};
use contactor_sync::{DeletePolicy, Fields, Value};

use super::tag_field;
use crate::convert::{own_side, value_to_json};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::reconcile::deletes::other;
use crate::reconcile::{PlannedChange, RunContext, TAGS};

/// A call that would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCall {
    /// The side.
    pub side: Side,
    /// The operation, as runs name it.
    pub operation: String,
    /// It writes.
    pub write: bool,
}

/// What would follow if a record were deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletionPreview {
    /// HighLevel's id.
    pub highlevel_id: RecordId,
    /// The partner's id.
    pub partner_id: RecordId,
    /// The side on which it would be deleted.
    pub gone: Side,
    /// Who it is.
    pub label: Option<String>,
    /// The policy that would count.
    pub policy: DeletePolicy,
    /// Another record that its link would move to in place of the policy, because it is the same person.
    pub survivor: Option<RecordId>,
    /// Minutes until the second look.
    pub look_minutes: u32,
    /// Hours in which it could be undone.
    pub undo_hours: u32,
    /// What would be written to the other record. A deletion has no fields.
    pub changes: Vec<PlannedChange>,
    /// The calls from the second look on.
    pub calls: Vec<PlannedCall>,
    /// What would happen, in sentences, in order.
    pub steps: Vec<String>,
}

impl Engine {
    /// Shows what would follow if this record were deleted on one side.
    ///
    /// # Errors
    /// No such connection, the record is not linked, or one of the sides cannot be read.
    pub async fn preview_deletion(
        &self,
        id: &ConnectionId,
        gone: Side,
        record: &RecordId,
    ) -> Result<DeletionPreview, EngineError> {
        let active = self.active(id).await?;
        let run = self.interactive(&active, true);
        self.planned_deletion(&run, gone, record).await
    }

    /// The same as a part of another preview.
    pub(crate) async fn planned_deletion(
        &self,
        run: &RunContext,
        gone: Side,
        record: &RecordId,
    ) -> Result<DeletionPreview, EngineError> {
        let (active, id, entity) = (&run.active, &run.active.connection.id, "contact");
        let mut link = None;
        for side in [Side::Highlevel, Side::Partner] {
            link = link.or(self.store().link(id, entity, side, record).await?);
        }
        let link = link.ok_or_else(|| EngineError::NotFound {
            what: "linked contact",
            id: record.to_string(),
            hint: format!(" in {id}: what is not linked has no counterpart"),
        })?;
        let failed = |failure: Failure| EngineError::Partner {
            connector: active.connection.connector.clone(),
            message: failure.message,
        };
        let left_side = other(gone);
        let left = match left_side {
            Side::Highlevel => run.read_highlevel(&link.highlevel_id).await,
            Side::Partner => run.read_partner(entity, &link.partner_id).await,
        }
        .map_err(failed)?;
        let policy = self.store().delete_policies(id, entity).await?.when_gone(own_side(gone)).clone();
        let names = |side| match side {
            Side::Highlevel => "HighLevel".to_owned(),
            Side::Partner => active.manifest.partner.name.clone(),
        };
        let (gone_name, left_name) = (names(gone), names(left_side));
        let config = self.config();
        let mut preview = DeletionPreview {
            label: left.as_ref().and_then(crate::reconcile::SideRecord::label),
            highlevel_id: link.highlevel_id.clone(),
            partner_id: link.partner_id.clone(),
            gone,
            policy,
            survivor: None,
            look_minutes: config.delete_look_minutes,
            undo_hours: config.delete_undo_hours,
            changes: Vec::new(),
            calls: Vec::new(),
            steps: Vec::new(),
        };
        let Some(left) = left else {
            preview.steps.push(format!("it is gone in {left_name} already; nothing would be done there"));
            return Ok(preview);
        };
        preview.steps.push(format!(
            "it is not found in {gone_name}: nothing is done for {} minutes, then it is looked for again; if it is back, nothing happened",
            config.delete_look_minutes
        ));
        preview.call(Side::Highlevel, "contacts.get", false);
        preview.call(Side::Partner, "adapter.read", false);
        let search = if gone == Side::Highlevel { "contacts.duplicate" } else { "adapter.find" };
        for _ in active.natural_keys(entity) {
            preview.call(gone, search, false);
        }
        let search = run.survivor(&link, gone, &left).await.map_err(failed)?;
        preview.survivor =
            search.proven().filter(|survivor| survivor.free).map(|survivor| survivor.id.clone());
        if let Some(survivor) = preview.survivor.clone() {
            preview.steps.push(format!(
                "{survivor} is the same person in {gone_name}, by the email or by phone and name: the link moves to it, as after a \
                 merge, and no policy counts"
            ));
            return Ok(preview);
        }
        if let Some(doubt) = search.doubt(&gone_name) {
            preview.steps.push(format!(
                "{doubt}; until then it waits for a person (`contactor deletes confirm` or `keep`)"
            ));
        }
        let undo = format!("that can be undone for {} hours", config.delete_undo_hours);
        match preview.policy.clone() {
            DeletePolicy::Unlink => {
                preview.steps.push(format!("it is unlinked; the one in {left_name} stays"));
            }
            DeletePolicy::Tag { tag } => {
                preview.call(
                    left_side,
                    if left_side == Side::Highlevel { "tags.add" } else { "adapter.update" },
                    true,
                );
                preview.steps.push(format!("the one in {left_name} gets the tag `{tag}`; {undo}"));
                let field = match left_side {
                    Side::Highlevel => TAGS.to_owned(),
                    Side::Partner => tag_field(active, entity).map_err(EngineError::Invalid)?,
                };
                preview.changes.push(tagged(left_side, &left.fields, field, &tag));
            }
            DeletePolicy::Archive { field, value } => {
                let call = if left_side == Side::Highlevel { "contacts.update" } else { "adapter.update" };
                preview.call(left_side, call, true);
                preview.steps.push(format!("`{field}` of the one in {left_name} is set to {value}; {undo}"));
                let (before, _) = run.value_of(left_side, &left, &field).await.map_err(failed)?;
                let before = value_to_json(&before);
                preview.changes.push(PlannedChange { side: left_side, field, before, after: value });
            }
            DeletePolicy::Delete => {
                preview
                    .steps
                    .push("it waits until a person confirms (`contactor deletes confirm`)".to_owned());
                let call = if left_side == Side::Highlevel { "contacts.delete" } else { "adapter.delete" };
                preview.call(left_side, call, true);
                preview.steps.push(format!(
                    "the one in {left_name} is deleted; {undo}: it is created again then, with a new id"
                ));
            }
        }
        Ok(preview)
    }
}

impl DeletionPreview {
    fn call(&mut self, side: Side, operation: &str, write: bool) {
        self.calls.push(PlannedCall { side, operation: operation.to_owned(), write });
    }
}

fn tagged(side: Side, fields: &Fields, field: String, tag: &str) -> PlannedChange {
    let before = fields.get(&field).cloned().unwrap_or(Value::Null);
    let mut tags = before.elements();
    tags.insert(tag.to_owned());
    PlannedChange { side, field, before: value_to_json(&before), after: value_to_json(&Value::Set(tags)) }
}
