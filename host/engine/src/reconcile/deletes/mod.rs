//! One of two linked records is gone.
//!
//! Nothing is done at first sight: the pair goes into quarantine and is looked at again. Then a record that lives on in another one
//! (HighLevel merges contacts without telling) hands its link over, and else the connection's [policy](contactor_sync::DeletePolicy)
//! is [carried out](act) on the record that is left. What was done can be [undone](undo) for a while. The pair stays known as a
//! tombstone, so that a restored record finds its counterpart and a deleted one does not come back.

mod act;
mod kept;
mod sign;
mod survivor;
mod undo;

use contactor_store::{
    ClaimedRecord, Deletion, DeletionState, FailureClass, Link, LinkState, Mark, RecordId, RecordKey,
    RunOutcome, Side, StoreError,
};
use contactor_sync::{DeletePolicy, LivesOn, Seen, Stage, Step, after_look};
use jiff::SignedDuration;
use tokio::sync::OwnedMutexGuard;

pub(crate) use survivor::{Search, Survivor};

use super::children::Emptied;
use super::ending::Ending;
use super::plan::Plan;
use super::sides::{RunContext, SideRecord};
use crate::convert::own_side;
use crate::engine::Engine;
use crate::failure::{self, Failure};

/// A pair of which a record is gone, as a run found it.
pub(crate) struct Lost {
    pub(crate) link: Link,
    pub(crate) seen: Seen,
    /// The record that is left.
    pub(crate) left: Option<SideRecord>,
}

/// A side's name for people.
pub(super) fn system(run: &RunContext, side: Side) -> &str {
    match side {
        Side::Highlevel => "HighLevel",
        Side::Partner => &run.active.manifest.partner.name,
    }
}

/// The other side.
pub(crate) fn other(side: Side) -> Side {
    match side {
        Side::Highlevel => Side::Partner,
        Side::Partner => Side::Highlevel,
    }
}

impl RunContext {
    /// What is waited for, or was done, because a record of this pair is gone.
    pub(crate) async fn deletion(&self, link: &Link) -> Result<Option<Deletion>, Failure> {
        let store = self.engine.store();
        let found = store.deletion_of(&link.connection, &link.entity, &link.highlevel_id).await;
        Ok(found.map_err(failure::of_store)?.filter(|one| one.partner_id == link.partner_id))
    }

    /// What is to be done about the record that is left.
    pub(crate) async fn delete_policy(&self, entity: &str, gone: Side) -> Result<DeletePolicy, Failure> {
        let policies = self.engine.store().delete_policies(&self.active.connection.id, entity).await;
        Ok(policies.map_err(failure::of_store)?.when_gone(own_side(gone)).clone())
    }
}

impl Engine {
    /// What a person decided about a pair is looked at before anything else: an undo, or what came too late for a pair that was given
    /// up. And what a policy wrote must not be taken for somebody's edit when both records are there again.
    pub(super) async fn before_return(
        &self,
        run: &RunContext,
        claim: &ClaimedRecord,
    ) -> Result<Option<Ending>, Failure> {
        let Some(link) = &claim.link else { return Ok(None) };
        if link.state == LinkState::Active {
            return Ok(None);
        }
        let Some(deletion) = run.deletion(link).await? else { return Ok(None) };
        match (deletion.state, &deletion.policy) {
            (DeletionState::Undoing, _) => self.undo(run, link, deletion).await.map(Some),
            _ if link.state.is_quarantined() => Ok(None),
            (state, _) if state.stage(false).is_some() => run.given_up(link, deletion).await,
            (DeletionState::Done, DeletePolicy::Tag { .. } | DeletePolicy::Archive { .. }) => {
                run.unsign_returned(link, &deletion).await?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// A record of a pair is gone, or both are.
    pub(super) async fn gone(
        &self,
        run: &RunContext,
        key: &RecordKey,
        lost: Lost,
        guards: &mut Vec<OwnedMutexGuard<()>>,
    ) -> Result<Ending, Failure> {
        let Lost { link, seen, left } = lost;
        let side = match seen {
            Seen::Without(contactor_sync::Side::Partner) => Side::Partner,
            Seen::Without(contactor_sync::Side::Highlevel) => Side::Highlevel,
            _ => link.state.lost().unwrap_or(Side::Highlevel),
        };
        if !(link.state == LinkState::Active || link.state.is_quarantined()) {
            return Ok(still_gone(run, link, side));
        }
        let known = if link.state.is_quarantined() { run.deletion(&link).await? } else { None };
        let known = known.filter(|one| one.state.stage(false).is_some());
        // The lost one is back and the other one is gone: that begins anew, in the same place.
        let (stored, replaced) = match known {
            Some(one) if one.side == side => (Some(one), None),
            other => (None, other),
        };
        let now = self.now();
        let stage = stored.as_ref().and_then(|one| one.state.stage(now >= one.due)).unwrap_or(Stage::Linked);
        let policy = match (&stored, stage) {
            (Some(one), Stage::Confirmed | Stage::Acting) => one.policy.clone(),
            _ => run.delete_policy(&link.entity, side).await?,
        };
        let deletion = stored.unwrap_or_else(|| {
            let new = self.quarantined(&link, side);
            match replaced {
                Some(Deletion { id, decided_by, decisions, .. }) => {
                    Deletion { id, decided_by, decisions, ..new }
                }
                None => new,
            }
        });
        let mut step = after_look(stage, seen, None, &policy);
        let mut search = Search::Nobody;
        // Whose the children of a merged contact are is to be seen at once, and later perhaps no more.
        let at_once = step == Step::Quarantine && side == Side::Highlevel && !run.active.lists.is_empty();
        if let (true, Some(left)) = (at_once || step == Step::Search, &left) {
            search = run.survivor(&link, side, left).await?;
        }
        let doubt = search.doubt(system(run, side));
        if step == Step::Search {
            // A person who confirmed knew of this doubt, or did not.
            let told = matches!(stage, Stage::Confirmed | Stage::Acting) && deletion.outcome == doubt;
            let lives_on = if told && doubt.is_some() { LivesOn::No } else { search.lives_on() };
            step = after_look(stage, seen, Some(lives_on), &policy);
        }
        let handed = run.hand_lists(&link, side, search.proven()).await?;
        match (step, left, search) {
            (Step::Quarantine, ..) => Ok(handed.with(into_quarantine(run, link, deletion))),
            (Step::Nothing, ..) => Ok(nothing_left(run, link, deletion)),
            (Step::Ask, Some(_), _) => Ok(handed.with(asked(run, &link, deletion, policy, doubt))),
            (Step::Move, Some(left), Search::One(survivor)) => {
                let ending = self.hand_over(run, key, (link, side), (left, survivor.id), guards).await?;
                Ok(handed.with(ending))
            }
            (Step::Unlink | Step::Sign | Step::Delete, Some(left), _) => {
                let policy = if step == Step::Unlink { DeletePolicy::Unlink } else { policy };
                Ok(handed.with(self.act(run, link, (deletion, policy), left).await?))
            }
            _ => Ok(waiting(run, &link, &deletion)),
        }
    }

    /// A deletion that begins.
    fn quarantined(&self, link: &Link, side: Side) -> Deletion {
        let look = SignedDuration::from_mins(self.config().delete_look_minutes.into());
        Deletion {
            id: 0,
            connection: link.connection.clone(),
            entity: link.entity.clone(),
            highlevel_id: link.highlevel_id.clone(),
            partner_id: link.partner_id.clone(),
            side,
            state: DeletionState::Quarantined,
            policy: DeletePolicy::Unlink,
            since: self.now(),
            due: self.now() + look,
            decided_by: None,
            decided_at: None,
            decisions: 0,
            acted_at: None,
            undo_until: None,
            ended_at: None,
            outcome: None,
            kept: None,
        }
    }

    /// The record lives on in another one, which is linked in its place. Without the base: what was agreed on with the other one
    /// says nothing about this one, and a field that the survivor never had must not be emptied.
    async fn hand_over(
        &self,
        run: &RunContext,
        key: &RecordKey,
        (link, side): (Link, Side),
        (left, survivor): (SideRecord, RecordId),
        guards: &mut Vec<OwnedMutexGuard<()>>,
    ) -> Result<Ending, Failure> {
        let entity = link.entity.clone();
        if side == Side::Highlevel {
            // The survivor's own runs must not overlap with a change of its link.
            guards.push(run.lock_record(&survivor).await);
        }
        let changed = || Failure {
            retry_after: Some(SignedDuration::from_secs(1)),
            ..Failure::new(FailureClass::Transient, format!("{survivor} changed during the search for it"))
        };
        if run.link(&entity, side, &survivor).await?.is_some() {
            return Err(changed());
        }
        let (highlevel, partner) = match side {
            Side::Highlevel => (run.read_highlevel(&survivor).await?, Some(left)),
            Side::Partner => (Some(left), run.read_partner(&entity, &survivor).await?),
        };
        if highlevel.is_none() || partner.is_none() {
            return Err(changed());
        }
        let unlinked = run.own_lists(&link).await?;
        let Plan::Sync(plan) = run.sync(&entity, highlevel, partner, Some(link.clone()), Vec::new()).await?
        else {
            return Err(changed());
        };
        let ending = self.bring_into_step(run, key, *plan).await?;
        let summary = format!(
            "merged into {survivor} in {}, which is linked now; {}",
            system(run, side),
            ending.summary
        );
        let ended = if ending.ended.is_empty() {
            run.conflicts_gone("the record was merged into another one")
        } else {
            ending.ended
        };
        Ok(Ending { summary, unlinked, ended, outcome: RunOutcome::Applied, ..ending })
    }
}

/// What a contact's lists were handed over with.
#[derive(Default)]
struct Handed {
    emptied: Emptied,
    marks: Vec<Mark>,
    told: Option<String>,
}

impl Handed {
    /// Adds it to the ending of a run.
    fn with(self, mut ending: Ending) -> Ending {
        ending.changes.extend(self.emptied.changes);
        ending.unlinked.extend(self.emptied.unlinked);
        ending.marks.extend(self.marks);
        if let Some(told) = self.told {
            ending.summary = format!("{}; {told}", ending.summary);
        }
        ending
    }
}

impl RunContext {
    /// Empties the lists of a contact that lives on in another one, whose own lists are looked at next. HighLevel moves the children
    /// there; partners do not tell.
    async fn hand_lists(
        &self,
        link: &Link,
        side: Side,
        survivor: Option<&Survivor>,
    ) -> Result<Handed, Failure> {
        let lost_lists = side == Side::Highlevel && !self.active.lists.is_empty();
        let Some(survivor) = survivor.filter(|_| lost_lists) else { return Ok(Handed::default()) };
        let emptied = self.empty_lists(link, &survivor.id).await?;
        let name = &self.active.manifest.partner.name;
        let told = (!emptied.changes.is_empty()).then(|| {
            let what = format!("its lists are {}'s now and were emptied", survivor.id);
            format!("{what}; {name}: {} values", emptied.changes.len())
        });
        Ok(Handed { emptied, marks: self.list_marks(Side::Highlevel, &survivor.id), told })
    }

    /// A decision that came while a run gave the pair up: there is nothing left to decide. None when the lost record is back: then
    /// both are merged.
    async fn given_up(&self, link: &Link, deletion: Deletion) -> Result<Option<Ending>, Failure> {
        let left = other(deletion.side);
        let (lost, left) =
            futures_util::future::try_join(self.read_side(link, deletion.side), self.read_side(link, left))
                .await?;
        if lost.is_some() {
            return Ok(None);
        }
        let mut changes = Vec::new();
        let deletion = match left {
            None if is_own(&deletion) => own_delete(self, deletion),
            left => {
                if let Some(left) = left {
                    changes = self.take_back(link, &deletion, &left).await?;
                }
                Deletion {
                    state: DeletionState::Ended,
                    ended_at: Some(self.started_at),
                    outcome: Some("the pair had been given up before: nothing more was done".to_owned()),
                    kept: None,
                    ..deletion
                }
            }
        };
        let summary = deletion
            .outcome
            .clone()
            .unwrap_or_else(|| format!("deleted in {} as well", system(self, other(deletion.side))));
        let ending =
            Ending { changes, deletion: Some(deletion), ..Ending::done(RunOutcome::Applied, summary) };
        Ok(Some(ending.between(Some(link.highlevel_id.clone()), Some(link.partner_id.clone()))))
    }

    /// The links of the lists of a contact whose partner's record goes to another one.
    async fn own_lists(&self, link: &Link) -> Result<Vec<Link>, Failure> {
        let mut lists = Vec::new();
        for list in self.active.lists.keys() {
            let own = self.link(list, Side::Highlevel, &link.highlevel_id).await?;
            lists.extend(own);
        }
        Ok(lists)
    }
}

/// First sight: only remembered.
fn into_quarantine(run: &RunContext, link: Link, deletion: Deletion) -> Ending {
    let summary = format!(
        "not found in {}: nothing is done before it is looked for again at {}",
        system(run, deletion.side),
        minute(deletion.due)
    );
    let next = Link { state: LinkState::missing(deletion.side), updated_at: run.started_at, ..link.clone() };
    Ending {
        link: Some(next),
        replaces: Some(link.clone()),
        deletion: Some(deletion),
        ..Ending::done(RunOutcome::Applied, summary)
    }
    .between(Some(link.highlevel_id), Some(link.partner_id))
}

/// A look before its time, or one that waits for a person.
fn waiting(run: &RunContext, link: &Link, deletion: &Deletion) -> Ending {
    let system = system(run, deletion.side);
    let summary = match deletion.state {
        DeletionState::Waiting => format!("deleted in {system}; a person has to confirm what follows"),
        _ => format!("still not found in {system}; it is looked for again at {}", minute(deletion.due)),
    };
    Ending::done(RunOutcome::Unchanged, summary)
        .between(Some(link.highlevel_id.clone()), Some(link.partner_id.clone()))
}

/// To the second: a run's summary is for people.
fn minute(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A person has to decide: the policy wants the other record deleted, or nobody can tell whether this one lives on.
fn asked(
    run: &RunContext,
    link: &Link,
    deletion: Deletion,
    policy: DeletePolicy,
    doubt: Option<String>,
) -> Ending {
    let known = doubt.is_none() || deletion.outcome == doubt;
    if deletion.state == DeletionState::Waiting && deletion.policy == policy && known {
        return waiting(run, link, &deletion);
    }
    let (gone, left) = (system(run, deletion.side), system(run, other(deletion.side)));
    let list = format!("`contactor deletes list {}`", run.active.workspace.id);
    let summary = match &doubt {
        Some(doubt) => format!("deleted in {gone}, or merged: {doubt}; else a person has to decide ({list})"),
        None => {
            format!("deleted in {gone}: that it is deleted in {left} as well has to be confirmed ({list})")
        }
    };
    let outcome = doubt.or(deletion.outcome);
    let deletion = Deletion { state: DeletionState::Waiting, policy, outcome, ..deletion };
    Ending { deletion: Some(deletion), ..Ending::done(RunOutcome::Applied, summary) }
        .between(Some(link.highlevel_id.clone()), Some(link.partner_id.clone()))
}

/// Whether the host itself may have deleted the other record: it keeps what it is about to delete.
fn is_own(deletion: &Deletion) -> bool {
    deletion.kept.is_some() && deletion.policy == DeletePolicy::Delete
}

/// The host itself deleted the other one, and was stopped before it could say so.
fn own_delete(run: &RunContext, deletion: Deletion) -> Deletion {
    let outcome = (deletion.state == DeletionState::Kept).then(|| {
        let by = deletion.decided_by.as_deref().unwrap_or("an admin");
        format!("it was deleted in {} before {by} wanted it kept", system(run, other(deletion.side)))
    });
    Deletion { outcome, ..act::done(run, deletion) }
}

/// Neither record is there any more.
fn nothing_left(run: &RunContext, link: Link, deletion: Deletion) -> Ending {
    if is_own(&deletion) {
        let deletion = own_delete(run, deletion);
        let summary = format!("deleted in {} as well", system(run, other(deletion.side)));
        return tombstone(run, link, deletion, summary);
    }
    let deletion = Deletion {
        state: DeletionState::Ended,
        ended_at: Some(run.started_at),
        outcome: Some("gone on both sides".to_owned()),
        kept: None,
        ..deletion
    };
    tombstone(run, link, deletion, "deleted on both sides".to_owned())
}

/// The pair is given up, and stays known.
pub(super) fn tombstone(run: &RunContext, link: Link, deletion: Deletion, summary: String) -> Ending {
    let ended = run.conflicts_gone(&format!("the record was deleted in {}", system(run, deletion.side)));
    let next = Link { state: LinkState::deleted(deletion.side), updated_at: run.started_at, ..link.clone() };
    Ending {
        link: Some(next),
        replaces: Some(link.clone()),
        deletion: Some(deletion),
        ended,
        ..Ending::done(RunOutcome::Applied, summary)
    }
    .between(Some(link.highlevel_id), Some(link.partner_id))
}

/// The pair was given up before. Perhaps the record that was left is gone, too, and the other one is back.
fn still_gone(run: &RunContext, mut link: Link, side: Side) -> Ending {
    let system = system(run, side);
    let ids = (Some(link.highlevel_id.clone()), Some(link.partner_id.clone()));
    let ended = run.conflicts_gone(&format!("the record was deleted in {system}"));
    if link.state == LinkState::deleted(side) {
        let done = Ending::done(RunOutcome::Unchanged, format!("deleted in {system}; nothing to do"));
        return Ending { ended, ..done }.between(ids.0, ids.1);
    }
    link.state = LinkState::deleted(side);
    link.updated_at = run.started_at;
    let summary = format!("deleted in {system}: unlinked, the other record stays");
    Ending { link: Some(link), ended, ..Ending::done(RunOutcome::Applied, summary) }.between(ids.0, ids.1)
}

/// A person decided about a deletion while a run worked on it.
fn decided_meanwhile(error: StoreError) -> Failure {
    match error {
        StoreError::Conflict { .. } => Failure {
            retry_after: Some(SignedDuration::from_secs(1)),
            ..Failure::new(FailureClass::Transient, error.to_string())
        },
        other => failure::of_store(other),
    }
}
