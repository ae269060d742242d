//! Deleted records: what is waited for, what people decide about it, what can be undone, and the policies.
//!
//! As with conflicts, a decision is no write beside the reconcile: it is kept, and the next run of the record carries it out.

mod policy;
mod preview;

use std::collections::BTreeSet;

use contactor_store::{DECISIONS, Deletion, DeletionFilter, DeletionState, Priority, WorkspaceId};
use contactor_sync::DeletePolicy;
use jiff::SignedDuration;

pub(crate) use policy::tag_field;
pub use policy::{PolicyChange, WantedPolicy};
pub use preview::{DeletionPreview, PlannedCall};

use super::conflicts::label;
use crate::convert::own_side;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::deletes::other;

/// A deletion with what a list shows beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletionView {
    /// The deletion.
    pub stored: Deletion,
    /// Who the record is, if both sides ever agreed on an email, a name or a phone.
    pub label: Option<String>,
    /// What happens next, in a sentence.
    pub next: String,
}

/// Which of the deletions that wait for a person are decided together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingDeletions {
    /// All, if they are as many as the person saw: more may have come since.
    All {
        /// So many.
        expected: u64,
    },
    /// These.
    These(Vec<i64>),
}

/// What a person decides about deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionDecision {
    /// The other record is deleted as well.
    Confirm,
    /// The other record stays.
    Keep,
    /// What was done is undone.
    Undo,
}

/// Why there is nothing to undo.
const NOTHING_DONE: &str = "nothing was done yet; `contactor deletes keep` leaves the other record as it is";
/// Characters of a person's name that are kept.
const NAME: usize = 100;
/// Deletions that one decision about all of them takes at most.
const ALL: u32 = 10_000;

impl Engine {
    /// Deletions of a workspace, newest first.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn deletions(&self, filter: DeletionFilter) -> Result<Vec<DeletionView>, EngineError> {
        self.workspace(&filter.workspace).await?;
        let mut views = Vec::new();
        for stored in self.store().deletions(filter).await? {
            views.push(self.deletion_view(stored).await?);
        }
        Ok(views)
    }

    /// One deletion.
    ///
    /// # Errors
    /// No such workspace or deletion.
    pub async fn deletion(&self, workspace: &WorkspaceId, id: i64) -> Result<DeletionView, EngineError> {
        let stored = self.stored_deletion(workspace, id).await?;
        self.deletion_view(stored).await
    }

    /// Keeps a decision about one deletion; the next run of the record, which is the next of all, carries it out.
    ///
    /// # Errors
    /// No such deletion; or it cannot be decided so, with the reason, and nothing was stored.
    pub async fn decide_deletion(
        &self,
        workspace: &WorkspaceId,
        id: i64,
        decision: DeletionDecision,
        by: &str,
    ) -> Result<DeletionView, EngineError> {
        self.decide(workspace, id, decision, by, Priority::Interactive).await
    }

    async fn decide(
        &self,
        workspace: &WorkspaceId,
        id: i64,
        decision: DeletionDecision,
        by: &str,
        priority: Priority,
    ) -> Result<DeletionView, EngineError> {
        let stored = self.stored_deletion(workspace, id).await?;
        self.refuse_decision(&stored, decision)?;
        let by: String = by.chars().filter(|letter| !letter.is_control()).take(NAME).collect();
        let (from, to) = transition(decision);
        let decided = self.store().decide_deletion(id, from, to, &by, priority).await?;
        self.wake().wake();
        self.deletion_view(decided).await
    }

    /// The same decision about several that wait for one.
    ///
    /// # Errors
    /// No such workspace; others wait than was meant, and nothing was decided; or one cannot be decided so: those before it are.
    pub async fn decide_deletions(
        &self,
        workspace: &WorkspaceId,
        meant: WaitingDeletions,
        decision: DeletionDecision,
        by: &str,
    ) -> Result<Vec<DeletionView>, EngineError> {
        self.workspace(workspace).await?;
        if decision == DeletionDecision::Undo {
            return Err(EngineError::Invalid("an undo is asked for one by one".to_owned()));
        }
        let filter = DeletionFilter {
            workspace: workspace.clone(),
            connection: None,
            state: Some(DeletionState::Waiting),
            ended: false,
            limit: ALL,
        };
        // What comes after this look is not decided with the others.
        let waiting: Vec<i64> = self.store().deletions(filter).await?.iter().map(|one| one.id).collect();
        let nothing = "nothing was decided, `contactor deletes list` shows what waits";
        let ids = match meant {
            WaitingDeletions::All { expected } if expected == waiting.len() as u64 => waiting,
            WaitingDeletions::All { expected } => {
                return Err(EngineError::Conflict(format!(
                    "{} deletions of {workspace} wait for a decision and not {expected}: {nothing}",
                    waiting.len()
                )));
            }
            WaitingDeletions::These(ids) => {
                if let Some(other) = ids.iter().find(|id| !waiting.contains(id)) {
                    return Err(EngineError::Conflict(format!(
                        "deletion {other} of {workspace} does not wait for a decision: {nothing}"
                    )));
                }
                // Named twice, it would be decided and then refused.
                ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
            }
        };
        let mut views = Vec::new();
        for id in ids {
            // Nobody looked at each of them: the guard against mass changes counts them.
            views.push(self.decide(workspace, id, decision, by, Priority::Webhook).await?);
        }
        Ok(views)
    }

    async fn stored_deletion(&self, workspace: &WorkspaceId, id: i64) -> Result<Deletion, EngineError> {
        self.workspace(workspace).await?;
        let unknown = || EngineError::NotFound {
            what: "deletion",
            id: id.to_string(),
            hint: format!(
                "; `contactor deletes list {workspace} --ended` numbers them, and old ones are forgotten"
            ),
        };
        let stored = self.store().deletion(id).await?.ok_or_else(unknown)?;
        let connection = self.stored(&stored.connection).await?;
        if connection.workspace == *workspace { Ok(stored) } else { Err(unknown()) }
    }

    /// Why a decision cannot be made, in words that say what can.
    fn refuse_decision(&self, stored: &Deletion, decision: DeletionDecision) -> Result<(), EngineError> {
        let id = stored.id;
        let refused = |why: String| Err(EngineError::Conflict(format!("deletion {id}: {why}")));
        let (from, _) = transition(decision);
        if !from.contains(&stored.state) {
            return refused(match (decision, stored.state) {
                (DeletionDecision::Confirm, DeletionState::Quarantined) => {
                    format!("nothing is to be confirmed before the second look at {}", stored.due)
                }
                (_, DeletionState::Ended) => {
                    format!("it is over: {}", stored.outcome.as_deref().unwrap_or("nothing was done"))
                }
                (DeletionDecision::Undo, DeletionState::Quarantined) => NOTHING_DONE.to_owned(),
                (DeletionDecision::Keep | DeletionDecision::Confirm, DeletionState::Done) => {
                    "its policy was carried out already; `contactor deletes undo` takes it back".to_owned()
                }
                _ => "a decision about it is being carried out".to_owned(),
            });
        }
        if decision == DeletionDecision::Confirm && stored.acted_at.is_some() {
            return refused(
                "its policy was carried out already; `contactor deletes undo` tries again to take it back, `keep` leaves it so"
                    .to_owned(),
            );
        }
        if decision == DeletionDecision::Undo && stored.state != DeletionState::Done {
            if stored.kept.is_none() && stored.undo_until.is_none() {
                return refused(NOTHING_DONE.to_owned());
            }
            if stored.state == DeletionState::Acting {
                return Ok(());
            }
        }
        if decision == DeletionDecision::Undo && stored.undo_until.is_none_or(|until| until < self.now()) {
            return refused(format!(
                "it could be undone until {}; what was kept for it is forgotten",
                stored.undo_until.unwrap_or(stored.since)
            ));
        }
        Ok(())
    }

    pub(crate) async fn deletion_view(&self, mut stored: Deletion) -> Result<DeletionView, EngineError> {
        let link = self.store().link(
            &stored.connection,
            &stored.entity,
            contactor_store::Side::Highlevel,
            &stored.highlevel_id,
        );
        let label = link.await?.and_then(|link| label(&link.base));
        let connection = self.stored(&stored.connection).await?;
        let partner = self.partner_name(&connection).await;
        let system = |side| match side {
            contactor_store::Side::Highlevel => "HighLevel",
            contactor_store::Side::Partner => partner.as_str(),
        };
        let (gone, left) = (system(stored.side), system(other(stored.side)));
        if stored.state == DeletionState::Quarantined {
            let policies = self.store().delete_policies(&stored.connection, &stored.entity).await?;
            stored.policy = policies.when_gone(own_side(stored.side)).clone();
        }
        let by = stored.decided_by.as_deref().unwrap_or("an admin");
        let (workspace, id) = (&connection.workspace, stored.id);
        let next = match stored.state {
            DeletionState::Quarantined => format!(
                "looked for again at {}: if it is back in {gone} nothing happened, and else {}",
                stored.due,
                then(&stored.policy, left)
            ),
            DeletionState::Waiting => waits(&stored, workspace, left),
            DeletionState::Confirmed => {
                format!(
                    "the next run does it, as {by} confirmed: {}; {}",
                    then(&stored.policy, left),
                    in_time(&stored)
                )
            }
            DeletionState::Kept => {
                format!("the next run unlinks it and leaves the one in {left}, as {by} decided")
            }
            DeletionState::Acting => format!(
                "a run is at it: {}; `contactor deletes keep {workspace} {id}` leaves the one in {left} if it is still there; {}",
                then(&stored.policy, left),
                in_time(&stored)
            ),
            DeletionState::Done => match stored.undo_until {
                Some(until) if until >= self.now() => {
                    let what = stored.outcome.as_ref().map(|what| format!("{what}; ")).unwrap_or_default();
                    format!(
                        "{what}can be undone until {until} with `contactor deletes undo {workspace} {id}`"
                    )
                }
                _ => "can be undone no more".to_owned(),
            },
            DeletionState::Undoing => {
                format!("the next run undoes it, as {by} asked; {}", in_time(&stored))
            }
            DeletionState::Ended => stored.outcome.clone().unwrap_or_else(|| "over".to_owned()),
        };
        Ok(DeletionView { stored, label, next })
    }
}

/// What a person is asked.
fn waits(stored: &Deletion, workspace: &WorkspaceId, left: &str) -> String {
    let command = |what: &str| format!("`contactor deletes {what} {workspace} {}`", stored.id);
    let why = stored.outcome.as_ref().map(|why| format!("{why}; ")).unwrap_or_default();
    if stored.acted_at.is_some() {
        let (undo, keep) = (command("undo"), command("keep"));
        return format!("waits: {why}{undo} tries again, {keep} leaves it as it is");
    }
    let confirmed = match &stored.policy {
        DeletePolicy::Unlink => "unlinks it".to_owned(),
        DeletePolicy::Tag { tag } => format!("gives the one in {left} the tag `{tag}`"),
        DeletePolicy::Archive { field, value } => format!("sets `{field}` of the one in {left} to {value}"),
        DeletePolicy::Delete => format!("deletes the one in {left} as well"),
    };
    let (confirm, keep) = (command("confirm"), command("keep"));
    let undo = match &stored.kept {
        Some(_) => format!(", {} takes back what may have been done", command("undo")),
        None => String::new(),
    };
    format!("waits: {why}{confirm} {confirmed}, {keep} leaves it{undo}")
}

/// How long a decision counts.
fn in_time(stored: &Deletion) -> String {
    let window = SignedDuration::try_from(DECISIONS).unwrap_or(SignedDuration::MAX);
    match stored.decided_at.and_then(|at| at.checked_add(window).ok()) {
        Some(until) => format!("if that does not come about until {until} you are asked again"),
        None => "if that does not come about you are asked again".to_owned(),
    }
}

/// What a policy does, as the end of a sentence.
fn then(policy: &DeletePolicy, left: &str) -> String {
    match policy {
        DeletePolicy::Unlink => format!("it is unlinked and the one in {left} stays"),
        DeletePolicy::Tag { tag } => format!("the one in {left} gets the tag `{tag}`"),
        DeletePolicy::Archive { field, value } => format!("`{field}` of the one in {left} is set to {value}"),
        DeletePolicy::Delete => format!("the one in {left} is deleted once that is confirmed"),
    }
}

/// The states in which a decision can be made, and the one that follows.
fn transition(decision: DeletionDecision) -> (&'static [DeletionState], DeletionState) {
    use DeletionState::{Acting, Confirmed, Done, Kept, Quarantined, Undoing, Waiting};
    match decision {
        DeletionDecision::Confirm => (&[Waiting], Confirmed),
        DeletionDecision::Keep => (&[Quarantined, Waiting, Confirmed, Acting], Kept),
        // What was begun may have been done.
        DeletionDecision::Undo => (&[Done, Acting, Waiting], Undoing),
    }
}
