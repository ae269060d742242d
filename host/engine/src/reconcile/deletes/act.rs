//! What a policy does to the record that is left.

use contactor_highlevel as highlevel;
use contactor_runtime::bindings::types as wit;
use contactor_runtime::{Invocation, Reply};
use contactor_store::{Deletion, DeletionState, FieldChange, Link, Side};
use contactor_sync::DeletePolicy;
use jiff::SignedDuration;

use super::kept::Kept;
use super::sign::Sign;
use super::{other, system, tombstone};
use crate::engine::Engine;
use crate::failure::{self, Failure};
use crate::reconcile::ending::Ending;
use crate::reconcile::sides::{RunContext, SideRecord, mismatch};

/// A deletion whose policy was carried out.
pub(super) fn done(run: &RunContext, deletion: Deletion) -> Deletion {
    let window = SignedDuration::from_hours(run.engine.config().delete_undo_hours.into());
    Deletion {
        state: DeletionState::Done,
        acted_at: Some(run.started_at),
        undo_until: Some(run.started_at + window),
        outcome: None,
        ..deletion
    }
}

impl Engine {
    /// Carries a policy out and gives the pair up. This is the one place where a policy writes, and so where the guard against mass
    /// changes is asked.
    pub(super) async fn act(
        &self,
        run: &RunContext,
        link: Link,
        (deletion, policy): (Deletion, DeletePolicy),
        left: SideRecord,
    ) -> Result<Ending, Failure> {
        let left_side = other(deletion.side);
        match policy {
            DeletePolicy::Unlink if deletion.kept.is_none() => {
                run.pass_guard_to_unlink(&link.highlevel_id, left_side).await?;
            }
            _ => run.pass_guard(&link.highlevel_id, &[left_side]).await?,
        }
        let (deletion, changes, what) = match policy {
            DeletePolicy::Unlink => {
                let changes = run.take_back(&link, &deletion, &left).await?;
                let deletion = Deletion { policy, kept: None, ..deletion };
                (deletion, changes, "unlinked, the other record stays".to_owned())
            }
            _ => run.write_policy(&link, Deletion { policy, ..deletion }, &left).await?,
        };
        let mut summary = format!("deleted in {}: {what}", system(run, deletion.side));
        if let Some(who) = deletion.decided_by.as_ref().filter(|_| deletion.policy != DeletePolicy::Unlink) {
            summary = format!("{summary}, as {who} confirmed");
        }
        let deletion = done(run, deletion);
        Ok(Ending { changes, ..tombstone(run, link, deletion, summary) })
    }
}

impl RunContext {
    /// Notes what is about to be done with all that an undo needs, and does it. A run that was stopped between both finds the note.
    async fn write_policy(
        &self,
        link: &Link,
        deletion: Deletion,
        left: &SideRecord,
    ) -> Result<(Deletion, Vec<FieldChange>, String), Failure> {
        let side = other(deletion.side);
        let before = self.kept(&deletion).await?;
        let sign = Sign::of(&deletion.policy);
        let kept = match (&sign, before) {
            (Some(Sign::Tag(_)), Some(kept @ Kept::Tag { .. }))
            | (Some(Sign::Field { .. }), Some(kept @ Kept::Field { .. })) => kept,
            (Some(sign), _) => self.before_sign(side, left, sign).await?,
            (None, _) => Kept::Record { fields: left.fields.clone() },
        };
        let deletion = self.begin(&deletion, &kept).await?;
        match Sign::of(&deletion.policy) {
            Some(sign) => {
                let changes = self.put_sign(link, side, left, &sign).await?;
                self.wrote(side);
                let what = format!("the one in {} got {sign}", system(self, side));
                Ok((deletion, changes, what))
            }
            None => {
                self.delete_left(link, side).await?;
                self.wrote(side);
                let what = format!("deleted in {} as well", system(self, side));
                Ok((deletion, Vec::new(), what))
            }
        }
    }

    /// A sign that a run had left, or was about to, when a person decided to leave the record as it is.
    pub(super) async fn take_back(
        &self,
        link: &Link,
        deletion: &Deletion,
        left: &SideRecord,
    ) -> Result<Vec<FieldChange>, Failure> {
        let (Some(sign), Some(kept)) = (Sign::of(&deletion.policy), self.kept(deletion).await?) else {
            return Ok(Vec::new());
        };
        self.take_sign(link, other(deletion.side), left, (&sign, &kept)).await
    }

    /// Deletes the record that is left. One that is gone already is as good.
    async fn delete_left(&self, link: &Link, side: Side) -> Result<(), Failure> {
        if side == Side::Highlevel {
            let id = highlevel::ContactId::new(link.highlevel_id.as_str());
            return match self.location.delete_contact(&id).await {
                Err(error) if !error.is_not_found() => Err(failure::of_highlevel(&error)),
                _ => Ok(()),
            };
        }
        let call =
            Invocation::Delete { entity: link.entity.clone(), id: link.partner_id.as_str().to_owned() };
        match self.invoke("adapter.delete", call).await? {
            Reply::Delete(Ok(()) | Err(wit::Error::NotFound(_))) => Ok(()),
            Reply::Delete(Err(error)) => Err(self.of_connector("adapter.delete", &error)),
            _ => Err(mismatch("adapter.delete")),
        }
    }
}
