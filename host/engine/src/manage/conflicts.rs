//! Conflicts: what waits for a person, what a policy decided, and what people decide about both.
//!
//! A decision is no write beside the reconcile. It is kept with its conflict, and the next run of the record carries it out in its
//! merge, unless the field was changed since.

mod words;

use std::sync::Arc;

use contactor_manifest::Manifest;
use contactor_store::{
    ConflictFilter, ConflictState, Connection, ConnectionState, Link, LinkState, Resolution, StoredConflict,
    WorkspaceId,
};
use contactor_sync::{Base, Decision};

use crate::convert::show;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::children::Kind;
use crate::reconcile::{PreviewItem, RunContext};

/// A conflict with what a list shows beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictView {
    /// The conflict.
    pub stored: StoredConflict,
    /// Who the record is, if both sides ever agreed on an email, a name or a phone.
    pub label: Option<String>,
}

/// A conflict, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictReport {
    /// The conflict.
    pub view: ConflictView,
    /// What happened, in sentences, in order.
    pub explanation: Vec<String>,
    /// What can be done, in sentences.
    pub options: Vec<String>,
}

/// What a decision would have the next run write.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictPreview {
    /// The conflict as it would stand until the run.
    pub view: ConflictView,
    /// What would be written on both sides, whatever else changed included.
    pub item: PreviewItem,
    /// Why the decision would count for nothing, if it would.
    pub void: Option<String>,
}

/// What a person wants of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// The side whose value is to be in place on both.
    pub take: contactor_sync::Side,
    /// Who decides; shown with the conflict and its run.
    pub by: String,
}

/// Characters of a person's name that are kept.
const NAME: usize = 100;

impl Engine {
    /// Conflicts of a workspace: those that wait for a person first, then the newest.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn conflicts(&self, filter: ConflictFilter) -> Result<Vec<ConflictView>, EngineError> {
        self.workspace(&filter.workspace).await?;
        let mut views = Vec::new();
        for stored in self.store().conflicts(filter).await? {
            views.push(self.conflict_view(stored).await?);
        }
        Ok(views)
    }

    /// One conflict, explained.
    ///
    /// # Errors
    /// No such workspace or conflict.
    pub async fn conflict(&self, workspace: &WorkspaceId, id: i64) -> Result<ConflictReport, EngineError> {
        let (stored, connection) = self.stored_conflict(workspace, id).await?;
        let partner = self.partner_name(&connection).await;
        let refused = |take| self.refusal(&stored, &connection, take);
        let (highlevel, other) = (
            refused(contactor_sync::Side::Highlevel).await.err(),
            refused(contactor_sync::Side::Partner).await.err(),
        );
        Ok(ConflictReport {
            explanation: words::explanation(&stored, &partner),
            options: words::options(workspace, &stored, &partner, [highlevel, other]),
            view: self.conflict_view(stored).await?,
        })
    }

    /// Keeps a decision and has the record's run carry it out, before everything else.
    ///
    /// # Errors
    /// No such conflict; or it cannot be decided so, with the reason, and nothing was stored.
    pub async fn resolve_conflict(
        &self,
        workspace: &WorkspaceId,
        id: i64,
        how: Resolve,
    ) -> Result<ConflictView, EngineError> {
        let (stored, connection) = self.stored_conflict(workspace, id).await?;
        let resolution = match stored.pending() {
            // The person thinks again: what is in place stays.
            Some(_) if stored.in_place() == Some(how.take) => None,
            Some(pending) if pending.decision.take == how.take => return self.conflict_view(stored).await,
            _ => Some(self.resolution(&stored, &connection, how).await?),
        };
        let stored = self.store().decide_conflict(&stored, resolution).await?;
        self.wake().wake();
        self.conflict_view(stored).await
    }

    /// What a decision would have the next run write. Reads both sides, writes and stores nothing.
    ///
    /// # Errors
    /// As [`resolve_conflict`](Self::resolve_conflict).
    pub async fn preview_resolution(
        &self,
        workspace: &WorkspaceId,
        id: i64,
        how: Resolve,
    ) -> Result<ConflictPreview, EngineError> {
        let (mut stored, connection) = self.stored_conflict(workspace, id).await?;
        let mut others = self.store().unsettled_conflicts(&stored.key).await?;
        others.retain(|other| other.id != stored.id);
        if stored.pending().is_some() {
            stored.resolutions.pop();
        }
        if stored.in_place() != Some(how.take) {
            let resolution = self.resolution(&stored, &connection, how).await?;
            stored.resolutions.push(resolution);
            stored.state = ConflictState::Pending;
            // As the one that was decided last it counts.
            others.push(stored.clone());
        }
        let active = self.active(&connection.id).await?;
        let run = RunContext { conflicts: Arc::new(others), ..self.interactive(&active, true) };
        let (item, void) = run.preview_decisions(&stored.key).await;
        Ok(ConflictPreview { view: self.conflict_view(stored).await?, item, void })
    }

    async fn stored_conflict(
        &self,
        workspace: &WorkspaceId,
        id: i64,
    ) -> Result<(StoredConflict, Connection), EngineError> {
        self.workspace(workspace).await?;
        let unknown = || EngineError::NotFound {
            what: "conflict",
            id: id.to_string(),
            hint: format!(
                "; `contactor conflicts list {workspace}` numbers them, and old ones are forgotten"
            ),
        };
        let stored = self.store().conflict(id).await?.ok_or_else(unknown)?;
        let connection = self.stored(&stored.key.connection).await?;
        if connection.workspace == *workspace { Ok((stored, connection)) } else { Err(unknown()) }
    }

    async fn conflict_view(&self, stored: StoredConflict) -> Result<ConflictView, EngineError> {
        let contact = "contact".to_owned();
        let key = &stored.key;
        let link = self.store().link(&key.connection, &contact, key.side, &key.record).await?;
        Ok(ConflictView { label: link.and_then(|link| label(&link.base)), stored })
    }

    async fn resolution(
        &self,
        stored: &StoredConflict,
        connection: &Connection,
        how: Resolve,
    ) -> Result<Resolution, EngineError> {
        let decision = self.refusal(stored, connection, how.take).await?;
        let by: String = how.by.chars().filter(|letter| !letter.is_control()).take(NAME).collect();
        Ok(Resolution { decision, by, at: self.now(), ended: None })
    }

    /// The decision to take one side's value, or why it cannot be made.
    async fn refusal(
        &self,
        stored: &StoredConflict,
        connection: &Connection,
        take: contactor_sync::Side,
    ) -> Result<Decision, EngineError> {
        let partner = self.partner_name(connection).await;
        let name = words::name(stored);
        if Kind::of_list(&stored.key.entity).is_some() {
            return Err(EngineError::Invalid(format!(
                "{name} is one of a list: set the value on either side, which is a change like any other"
            )));
        }
        if stored.state == ConflictState::Void {
            return Err(EngineError::Conflict(format!("{name} is over: {}", words::why_over(stored))));
        }
        if connection.state != ConnectionState::Enabled {
            let reason = connection.state_reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(EngineError::Conflict(format!(
                "{} is not enabled{reason}, so nothing would be written; enable it with `contactor connection enable {} {}`, then \
                 resolve {name}",
                connection.id, connection.workspace, connection.connector
            )));
        }
        let link = self.active_link(stored).await?.ok_or_else(|| {
            EngineError::Conflict(format!(
                "{name}: the record is not linked any more, because one side deleted it; there is no second record to write to"
            ))
        })?;
        let base = link.base.get(&stored.conflict.row);
        // A decision that waits is replaced: what counts is what is in place.
        Decision::on(&stored.conflict, stored.in_place(), base, take)
            .map_err(|why| EngineError::Conflict(words::refused(stored, &partner, &why)))
    }

    async fn active_link(&self, stored: &StoredConflict) -> Result<Option<Link>, EngineError> {
        let key = &stored.key;
        let link = self.store().link(&key.connection, &key.entity, key.side, &key.record).await?;
        Ok(link.filter(|link| link.state == LinkState::Active))
    }

    pub(super) async fn partner_name(&self, connection: &Connection) -> String {
        let manifest: Result<Manifest, _> = self.manifest_of(connection).await;
        manifest.map_or_else(|_| connection.connector.clone(), |manifest| manifest.partner.name)
    }
}

/// Who a record is, by the values that both sides last agreed on: email, else name, else phone.
pub(super) fn label(base: &Base) -> Option<String> {
    let agreed = |field: &str| {
        let row = base.iter().find(|(row, _)| row.as_str().split('=').next() == Some(field))?;
        row.1.of(contactor_sync::Side::Partner).as_text().map(str::to_owned)
    };
    let name = || {
        let parts: Vec<String> = ["firstName", "lastName"].into_iter().filter_map(agreed).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let label = agreed("email").or_else(name).or_else(|| agreed("name")).or_else(|| agreed("phone"));
    label.map(|label| show(&label.as_str().into()))
}
