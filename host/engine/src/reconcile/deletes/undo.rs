//! Undoing what a policy did: the tag goes, the deleted record is made again from what was kept of it.
//!
//! What somebody deleted stays deleted: an undo speaks of the other record only. The pair is in step again once both are there.

use contactor_highlevel::ContactDraft;
use contactor_store::{
    Deletion, DeletionState, FailureClass, Link, LinkState, Mark, RecordId, RunOutcome, Side,
};
use contactor_sync::{DeletePolicy, Fields, Value};

use super::kept::Kept;
use super::sign::Sign;
use super::{other, system};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::reconcile::ending::Ending;
use crate::reconcile::plan::NaturalKey;
use crate::reconcile::sides::{CUSTOM, Created, RunContext, SideRecord, TAGS};

impl Engine {
    /// Undoes what was done about a pair, as a person wants it.
    pub(super) async fn undo(
        &self,
        run: &RunContext,
        link: &Link,
        deletion: Deletion,
    ) -> Result<Ending, Failure> {
        let side = other(deletion.side);
        let (own, theirs) = (system(run, side), system(run, deletion.side));
        let mut next = link.clone();
        let mut changes = Vec::new();
        let what = match (&deletion.policy, run.kept(&deletion).await?) {
            (policy @ (DeletePolicy::Tag { .. } | DeletePolicy::Archive { .. }), Some(kept)) => {
                match (run.read_side(link, side).await?, Sign::of(policy)) {
                    (Some(left), Some(sign)) => {
                        changes = run.take_sign(link, side, &left, (&sign, &kept)).await?;
                        match (&sign, changes.is_empty()) {
                            (_, false) => format!("{sign} was taken back in {own}"),
                            (Sign::Tag(_), true) => format!("{sign} was there before, or is gone already"),
                            (Sign::Field { field, .. }, true) => {
                                format!(
                                    "`{field}` was so before, or was changed since, and stays as it is in {own}"
                                )
                            }
                        }
                    }
                    _ => format!("the record is gone in {own}, too; there is nothing to take back"),
                }
            }
            (DeletePolicy::Delete, Some(Kept::Record { fields })) => {
                let id = run.make_again(link, side, fields).await?;
                let what = match side {
                    Side::Highlevel if id == link.highlevel_id => format!("it is in {own} again"),
                    Side::Partner if id == link.partner_id => format!("it is in {own} again"),
                    _ => format!("it was created again in {own}, where it has the new id {id}"),
                };
                match side {
                    Side::Highlevel => next.highlevel_id = id,
                    Side::Partner => next.partner_id = id,
                }
                what
            }
            (DeletePolicy::Unlink, _) => "nothing had been written".to_owned(),
            _ => "what was kept for an undo is forgotten by now".to_owned(),
        };
        let back = run.read_side(&next, deletion.side).await?.is_some();
        let follows = if back {
            "both records are there and kept in step again".to_owned()
        } else {
            format!("it is kept in step again once the record is back in {theirs}")
        };
        let by = deletion.decided_by.clone().unwrap_or_else(|| "an admin".to_owned());
        let summary = format!("undone, as {by} asked: {what}; {follows}");
        next.state = LinkState::deleted(deletion.side);
        // The next run merges both, if they are there.
        let mark = Mark {
            entity: link.entity.clone(),
            side: Side::Highlevel,
            record: next.highlevel_id.clone(),
            snapshot: None,
            deleted: false,
        };
        let deletion = Deletion {
            state: DeletionState::Ended,
            ended_at: Some(run.started_at),
            outcome: Some(format!("undone by {by}: {what}; {follows}")),
            kept: None,
            ..deletion
        };
        let ids = (Some(next.highlevel_id.clone()), Some(next.partner_id.clone()));
        Ok(Ending {
            link: Some(next),
            replaces: Some(link.clone()),
            marks: if back { vec![mark] } else { Vec::new() },
            deletion: Some(deletion),
            changes,
            ..Ending::done(RunOutcome::Applied, summary)
        }
        .between(ids.0, ids.1))
    }
}

impl RunContext {
    /// A pair's record of one side.
    pub(super) async fn read_side(&self, link: &Link, side: Side) -> Result<Option<SideRecord>, Failure> {
        match side {
            Side::Highlevel => self.read_highlevel(&link.highlevel_id).await,
            Side::Partner => self.read_partner(&link.entity, &link.partner_id).await,
        }
    }

    /// Both records of a pair are there again: the sign that says the contrary goes before anything is merged.
    pub(super) async fn unsign_returned(&self, link: &Link, deletion: &Deletion) -> Result<(), Failure> {
        let (Some(sign), Some(kept)) = (Sign::of(&deletion.policy), self.kept(deletion).await?) else {
            return Ok(());
        };
        if self.read_side(link, deletion.side).await?.is_none() {
            return Ok(());
        }
        let side = other(deletion.side);
        if let Some(left) = self.read_side(link, side).await? {
            self.take_sign(link, side, &left, (&sign, &kept)).await?;
        }
        Ok(())
    }

    /// Creates a deleted record from what was kept of it, unless it is there: restored, or made by a run that was stopped.
    async fn make_again(&self, link: &Link, side: Side, fields: Fields) -> Result<RecordId, Failure> {
        if let Some(there) = self.read_side(link, side).await? {
            return Ok(there.id);
        }
        let keys = self.natural_keys(&link.entity, side, &fields);
        // People share phones: somebody who has but one of the keys is somebody else.
        let same = |found: &SideRecord| {
            let theirs = self.natural_keys(&link.entity, side, &found.fields);
            let has = |key: &NaturalKey| {
                theirs.iter().any(|own| own.highlevel == key.highlevel && own.value == key.value)
            };
            keys.iter().all(has)
        };
        if side == Side::Highlevel {
            for key in &keys {
                let Some(found) = self.find_highlevel(&key.highlevel, &key.value).await? else { continue };
                // The duplicate search answers fewer fields than a read by id.
                if self.read_highlevel(&found.id).await?.is_some_and(|found| same(&found)) {
                    self.free(&link.entity, Side::Highlevel, &found.id).await?;
                    return Ok(found.id);
                }
            }
            return Ok(self.create_highlevel(&creatable(fields)).await?.id);
        }
        if let (Some(found), _) = self.counterpart(&link.entity, &keys).await?
            && same(&found)
        {
            return Ok(found.id);
        }
        let manifest = &self.active.manifest;
        let writable =
            |name: &str| manifest.fields_of(&link.entity).any(|field| field.name == name && !field.read_only);
        let fields: Fields =
            fields.into_iter().filter(|(name, value)| writable(name) && !value.is_empty()).collect();
        match self.create_partner(&link.entity, &fields).await? {
            Created::Record(record) => Ok(record.id),
            Created::Exists(id) => Ok(id),
            Created::ExistsSomewhere => Err(Failure::new(
                FailureClass::Transient,
                format!("{} has the record already and does not say where", manifest.partner.name),
            )),
        }
    }
}

/// What of a contact's fields its create takes.
fn creatable(fields: Fields) -> Fields {
    let taken = |name: &str| name == TAGS || name.starts_with(CUSTOM) || ContactDraft::accepts(name);
    fields.into_iter().filter(|(name, value)| taken(name) && !matches!(value, Value::Null)).collect()
}
