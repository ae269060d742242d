//! Decisions that cannot be carried out: they can be taken back, and end.

use contactor_engine::{DeletionDecision, WantedPolicy};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_store::{AlertKind, DeletionState, LinkState};
use contactor_sync::DeletePolicy;
use jiff::SignedDuration;

use super::stage::{EMAIL, Stage};

const DELETE: &str = "prefinery.testers.delete";

fn answers(status: u16) -> Effect {
    Effect::Answer { status, body: None, retry_after: None, after: false }
}

impl Stage {
    /// A confirmed delete that the partner answers with errors, tried until the record is parked.
    async fn with_failing_delete() -> Self {
        let stage = Self::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
        stage.delete_contact();
        stage.settle().await;
        stage.stand.sandbox.faults().add(Fault::always(DELETE, answers(422)));
        let acting = stage.decide(DeletionDecision::Confirm).await;
        assert_eq!(acting.stored.state, DeletionState::Acting);
        assert!(acting.next.contains("contactor deletes keep"), "{}", acting.next);
        assert!(acting.next.contains("asked again"), "{}", acting.next);
        assert!(acting.stored.kept.is_some());
        assert!(!nothing_is_parked(&stage).await, "a person sees that it fails");
        stage
    }

    /// Three days and a little.
    async fn after_three_days(&self) {
        self.stand.advance(SignedDuration::from_hours(73));
        let month = std::time::Duration::from_hours(24 * 30);
        self.engine().store().expire(self.engine().now(), month).await.unwrap();
    }
}

async fn nothing_is_parked(stage: &Stage) -> bool {
    stage.engine().parked(&Stage::workspace()).await.unwrap().is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_keeps_failing_can_be_taken_back() {
    let stage = Stage::with_failing_delete().await;
    let kept = stage.decide(DeletionDecision::Keep).await;
    assert_eq!((kept.stored.state, &kept.stored.policy), (DeletionState::Done, &DeletePolicy::Unlink));
    assert_eq!(kept.stored.kept, None, "there is nothing to undo");
    assert_eq!(stage.state().await, LinkState::HighlevelDeleted);
    // Nothing of it is left that could act later.
    let tried = stage.stand.sandbox.recorder().requests(DELETE);
    stage.stand.sandbox.faults().clear();
    stage.edit_tester("King");
    stage.settle().await;
    assert!(stage.tester().is_some());
    assert_eq!(stage.stand.sandbox.recorder().requests(DELETE), tried);
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wants_to_keep_what_was_deleted_unseen_is_told_to_undo() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    stage.delete_contact();
    stage.settle().await;
    let faults = stage.stand.sandbox.faults();
    // Carried out and not answered; and nobody can look.
    faults.add(Fault::next(1, DELETE, Effect::Drop { after: true }));
    let id = stage.newest().await.stored.id;
    let confirm = DeletionDecision::Confirm;
    stage.engine().decide_deletion(&Stage::workspace(), id, confirm, "ann").await.unwrap();
    stage.hear().await;
    faults.add(Fault::always("prefinery.testers.get", answers(422)));
    stage.settle().await;
    assert_eq!((stage.newest().await.stored.state, stage.testers()), (DeletionState::Acting, 0));

    faults.clear();
    let late = stage.decide(DeletionDecision::Keep).await;
    assert_eq!((late.stored.state, &late.stored.policy), (DeletionState::Done, &DeletePolicy::Delete));
    assert!(
        late.next.contains("it was deleted in Prefinery before ann (admin) wanted it kept"),
        "{}",
        late.next
    );
    assert!(late.next.contains("contactor deletes undo"), "{}", late.next);
    stage.decide(DeletionDecision::Undo).await;
    assert_eq!(stage.tester().unwrap()["profile"]["last_name"], "Byron");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_can_be_undone_before_anybody_knows_how_it_ended() {
    let stage = Stage::with_failing_delete().await;
    let undone = stage.decide(DeletionDecision::Undo).await;
    assert_eq!((undone.stored.state, undone.stored.kept), (DeletionState::Ended, None));
    assert_eq!((stage.state().await, stage.testers()), (LinkState::HighlevelDeleted, 1));
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_never_ends_is_asked_about_again_and_its_copy_goes() {
    let stage = Stage::with_failing_delete().await;
    stage.after_three_days().await;
    let waits = stage.newest().await;
    assert_eq!(waits.stored.state, DeletionState::Waiting);
    assert!(waits.next.contains("nobody learned in time"), "{}", waits.next);
    assert!(waits.next.contains("contactor deletes undo"), "{}", waits.next);
    stage.stand.advance(SignedDuration::from_mins(1));
    stage.stand.walk().await.unwrap();
    let alerts = stage.engine().alerts(&Stage::workspace()).await.unwrap().alerts;
    assert!(alerts.iter().any(|alert| alert.kind == AlertKind::Deletes), "{alerts:#?}");
    // What nobody confirmed of late is not tried again because the partner works again.
    stage.stand.sandbox.faults().clear();
    stage.edit_tester("King");
    stage.settle().await;
    assert_eq!((stage.newest().await.stored.state, stage.testers()), (DeletionState::Waiting, 1));
    assert!(stage.newest().await.stored.kept.is_some());
    stage.after_three_days().await;
    let waits = stage.newest().await;
    assert_eq!((waits.stored.state, waits.stored.kept), (DeletionState::Waiting, None));
    let done = stage.decide(DeletionDecision::Confirm).await;
    assert_eq!((done.stored.state, stage.tester()), (DeletionState::Done, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_that_waited_for_three_days_deletes_nothing_any_more() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    stage.delete_contact();
    stage.settle().await;
    stage.stand.sandbox.faults().add(Fault::always("prefinery.testers.get", answers(422)));
    assert_eq!(stage.decide(DeletionDecision::Confirm).await.stored.state, DeletionState::Confirmed);
    stage.after_three_days().await;
    stage.stand.sandbox.faults().clear();
    stage.edit_tester("King");
    stage.settle().await;
    let waits = stage.newest().await;
    assert_eq!((waits.stored.state, stage.testers()), (DeletionState::Waiting, 1));
    assert!(waits.next.contains("what ann (admin) confirmed was not carried out in time"), "{}", waits.next);
    assert_eq!(stage.stand.sandbox.recorder().requests(DELETE), 0);
    assert_eq!(stage.tester().unwrap()["email"], EMAIL);
}
