//! Conflicts end to end: the real component, an engine and the doubles of both sides; people decide, reverse and think again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod stage;

use contactor_engine::{EngineError, TimelinePage};
use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_store::{ConflictState, RunOutcome};
use contactor_sync::{Policy, Side};
use serde_json::json;

use stage::{EMAIL, Stage, how};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_that_waits_is_settled_on_both_sides_by_a_person() {
    for (take, name) in [(Side::Highlevel, "Noel"), (Side::Partner, "King")] {
        let stage = Stage::with_policy(Policy::Ask).await;
        stage.both_edit("Noel", "King").await;
        assert_eq!(stage.names(), ["Noel", "King"], "both keep their value");
        let open = stage.conflicts().await;
        assert_eq!((open.len(), open[0].stored.state), (1, ConflictState::Open));
        assert_eq!(open[0].label.as_deref(), Some(EMAIL));
        let id = open[0].stored.id;

        // A preview shows the one write and makes none.
        let before = stage.writes();
        let preview = stage.engine().preview_resolution(&Stage::workspace(), id, how(take)).await.unwrap();
        let [change] = preview.item.changes.as_slice() else { panic!("{preview:#?}") };
        assert_eq!((&change.after, preview.void.as_deref()), (&json!(name), None));
        assert_eq!(stage.writes(), before, "a preview writes nothing");
        assert_eq!(stage.conflicts().await, open, "and stores nothing");

        stage.resolve(id, take).await.unwrap();
        stage.settle().await;
        assert_eq!(stage.names(), [name, name]);
        let report = stage.engine().conflict(&Stage::workspace(), id).await.unwrap();
        assert_eq!(report.view.stored.state, ConflictState::Resolved);
        assert!(report.explanation.iter().any(|line| line.contains("ann (admin) took")), "{report:#?}");
        let ended = report.view.stored.resolutions[0].ended.clone().unwrap();
        let run = stage.engine().run_detail(&ended.run).await.unwrap();
        assert_eq!(run.outcome, RunOutcome::Applied);
        assert!(
            run.summary.contains(&format!("conflict {id} on lastName resolved"))
                && run.summary.contains("as ann (admin) decided"),
            "{}",
            run.summary
        );
        let timeline = stage
            .engine()
            .timeline(&Stage::workspace(), &stage.contact, TimelinePage::default())
            .await
            .unwrap();
        assert!(timeline.entries.iter().any(|entry| entry.summary.contains("ann (admin) took")));
        stage.is_at_rest().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_decided_is_reversed_and_put_back() {
    let stage = Stage::with_policy(Policy::Highlevel).await;
    stage.both_edit("Noel", "King").await;
    assert_eq!(stage.names(), ["Noel", "Noel"]);
    let met = stage.conflicts().await.remove(0).stored;
    assert_eq!((met.state, met.in_place()), (ConflictState::Decided, Some(Side::Highlevel)));

    let in_place = stage.resolve(met.id, Side::Highlevel).await.unwrap_err();
    assert!(in_place.to_string().contains("in place on both sides already"), "{in_place}");

    let preview = stage.engine().preview_resolution(&Stage::workspace(), met.id, how(Side::Partner)).await;
    let sides: Vec<_> = preview.unwrap().item.changes.iter().map(|change| change.side).collect();
    assert_eq!(sides, [contactor_store::Side::Highlevel, contactor_store::Side::Partner]);

    for (take, name) in [(Side::Partner, "King"), (Side::Highlevel, "Noel")] {
        stage.resolve(met.id, take).await.unwrap();
        stage.settle().await;
        assert_eq!(stage.names(), [name, name]);
        let stored = stage.conflicts().await.remove(0).stored;
        assert_eq!((stored.state, stored.in_place()), (ConflictState::Resolved, Some(take)));
    }
    assert_eq!(stage.conflicts().await.len(), 1, "a decision is no new conflict");
    stage.is_at_rest().await;
}

/// A run that writes one side and then fails leaves both sides alike: the next one meets no conflict, and the losing value would be
/// gone without a trace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_overwritten_by_a_run_that_failed_is_listed_once_and_can_be_reversed() {
    let stage = Stage::with_policy(Policy::Highlevel).await;
    // The partner does what it is asked, and twice the answer is lost.
    stage.stand.sandbox.faults().add(Fault {
        operation: "prefinery.testers.update".to_owned(),
        effect: Effect::Drop { after: true },
        when: When::Next(2),
        skip: 0,
    });
    stage.both_edit("Noel", "King").await;
    assert_eq!(stage.names(), ["Noel", "Noel"]);
    let conflicts = stage.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:#?}");
    let met = &conflicts[0].stored;
    assert_eq!((met.state, &met.conflict.partner), (ConflictState::Decided, &"King".into()));
    stage.resolve(met.id, Side::Partner).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.names(), ["King", "King"]);
    stage.is_at_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_edit_is_not_overwritten_by_a_decision_that_waits_for_its_run() {
    let stage = Stage::with_policy(Policy::Highlevel).await;
    stage.both_edit("Noel", "King").await;
    let met = stage.conflicts().await.remove(0).stored;
    stage.resolve(met.id, Side::Partner).await.unwrap();
    stage.in_highlevel("Milbanke");
    stage.settle().await;
    assert_eq!(stage.names(), ["Milbanke", "Milbanke"], "the edit travels as ever");
    let stored = stage.conflicts().await.remove(0).stored;
    assert_eq!(stored.state, ConflictState::Void);
    let why = stored.resolutions[0].ended.as_ref().unwrap().void.as_ref().unwrap();
    assert!(why.contains("Milbanke") && why.contains("no newer edit is overwritten"), "{why}");
    let again = stage.resolve(met.id, Side::Partner).await.unwrap_err();
    assert!(matches!(&again, EngineError::Conflict(why) if why.contains("is over")), "{again}");
    stage.is_at_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_since_cannot_be_reversed_and_says_what_to_do() {
    let stage = Stage::with_policy(Policy::Highlevel).await;
    stage.both_edit("Noel", "King").await;
    let met = stage.conflicts().await.remove(0).stored;
    stage.in_highlevel("Milbanke");
    stage.settle().await;
    let refused = stage.resolve(met.id, Side::Partner).await.unwrap_err().to_string();
    for part in ["lastName", stage.contact.as_str(), "was changed since", "Milbanke", "set the value"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let report = stage.engine().conflict(&Stage::workspace(), met.id).await.unwrap();
    assert!(report.options[0].contains("cannot be decided"), "{report:#?}");
    let unknown = stage.resolve(4711, Side::Partner).await.unwrap_err();
    assert!(matches!(unknown, EngineError::NotFound { .. }), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_that_waits_is_over_when_one_side_gives_way_and_listed_anew_when_it_changes() {
    let stage = Stage::with_policy(Policy::Ask).await;
    stage.both_edit("Noel", "King").await;
    let first = stage.conflicts().await.remove(0).stored;
    stage.in_highlevel("Milbanke");
    stage.settle().await;
    let listed = stage.conflicts().await;
    let states: Vec<_> = listed.iter().map(|view| view.stored.state).collect();
    assert_eq!(states, [ConflictState::Open, ConflictState::Void]);
    assert_eq!(listed[1].stored.id, first.id);
    // HighLevel takes the partner's value.
    stage.in_highlevel("King");
    stage.settle().await;
    let listed = stage.conflicts().await;
    assert!(listed.iter().all(|view| view.stored.state == ConflictState::Void), "{listed:#?}");
    assert!(listed[0].stored.ended.as_ref().unwrap().void.as_ref().unwrap().contains("gave way"));
    stage.is_at_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_can_be_withdrawn_until_its_run_and_needs_an_enabled_connection() {
    let stage = Stage::with_policy(Policy::Highlevel).await;
    stage.both_edit("Noel", "King").await;
    let met = stage.conflicts().await.remove(0).stored;
    let pending = stage.resolve(met.id, Side::Partner).await.unwrap();
    assert_eq!(pending.stored.state, ConflictState::Pending);
    let withdrawn = stage.resolve(met.id, Side::Highlevel).await.unwrap();
    assert_eq!(withdrawn.stored, met);
    stage.settle().await;
    assert_eq!(stage.names(), ["Noel", "Noel"]);
    stage.engine().disable_connection(&stage.connection.id).await.unwrap();
    let refused = stage.resolve(met.id, Side::Partner).await.unwrap_err().to_string();
    assert!(
        refused.contains("is not enabled") && refused.contains("contactor connection enable"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_of_a_field_is_chosen_without_touching_the_rest_of_its_row() {
    let stage = Stage::with_policy(Policy::LatestUpdate).await;
    let rows = async || stage.engine().mapping(&stage.connection.id).await.unwrap();
    let find = |rows: &[contactor_engine::MappingRow], field: &str| {
        rows.iter().find(|row| row.row.highlevel == field).unwrap().row.clone()
    };
    let before = find(&rows().await, "phone");
    let chosen = contactor_sync::RowSpec { policy: Policy::Ask, ..before.clone() };
    let pair = (before.highlevel.as_str(), before.partner.as_str());
    let set = stage.engine().set_mapping_policy(&stage.connection.id, "contact", pair, Policy::Ask).await;
    assert_eq!(find(&set.unwrap(), "phone"), chosen);
    let consent = stage.engine().set_mapping_policy(&stage.connection.id, "contact", pair, Policy::Stricter);
    assert!(matches!(consent.await, Err(EngineError::Invalid(_))));
    assert_eq!(find(&rows().await, "phone"), chosen, "nothing was stored");
    let pair = ("shoeSize", "profile.shoe_size");
    let unknown = stage.engine().set_mapping_policy(&stage.connection.id, "contact", pair, Policy::Ask).await;
    let unknown = unknown.unwrap_err().to_string();
    assert!(unknown.contains("shoeSize") && unknown.contains("lastName profile.last_name"), "{unknown}");
}
