use contactor_store::{
    Call, ConflictEnded, FieldChange, FieldRemark, LinkState, RecordId, RecordKey, RemarkReason, Resolution,
    RunCause, RunKind, RunOutcome, WorkspaceId,
};
use contactor_sync::{ConflictRecord, Decision, Direction, FieldType, Policy, Value};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::manage::RowOrigin;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn connection() -> ConnectionId {
    ConnectionId::new("acme/prefinery")
}

fn pair(highlevel: &str, partner: &str) -> Pair {
    let link = json!({
        "connection": "acme/prefinery", "entity": "contact", "highlevel_id": "h1", "partner_id": "p1", "parent": null,
        "base": { (format!("{highlevel}={partner}")): {"highlevel": "Ada", "partner": "Ada"} },
        "highlevel_fingerprint": "00".repeat(32), "partner_fingerprint": "00".repeat(32), "state": "active",
        "created_at": at(0), "updated_at": at(1_000),
    });
    Pair {
        connection: connection(),
        partner: "Prefinery".to_owned(),
        row: MappingRow {
            entity: "contact".to_owned(),
            origin: RowOrigin::Connector,
            row: RowSpec::new(highlevel, partner, FieldType::Text),
        },
        link: Some(serde_json::from_value(link).unwrap()),
    }
}

fn known(side: Side, runs: Vec<Run>) -> Known {
    Known {
        field: if side == Side::Highlevel { "firstName" } else { "first_name" }.to_owned(),
        side,
        pairs: vec![pair("firstName", "first_name")],
        runs,
        events: BTreeMap::new(),
        conflicts: Vec::new(),
        keys: BTreeMap::new(),
        kept_since: at(-10_000),
        more: false,
        limit: 100,
    }
}

fn run(minute: i64) -> Run {
    Run {
        id: RunId::new(format!("run-{minute:04}")),
        workspace: WorkspaceId::new("acme"),
        connection: connection(),
        component: None,
        kind: RunKind::Reconcile,
        entity: Some("contact".to_owned()),
        highlevel_id: Some(RecordId::new("h1")),
        partner_id: Some(RecordId::new("p1")),
        event: None,
        cause: Some(RunCause::PartnerWalk),
        started_at: at(minute),
        duration_us: 1,
        outcome: RunOutcome::Applied,
        class: None,
        summary: String::new(),
        changes: Vec::new(),
        remarks: Vec::new(),
        calls: Vec::new(),
        log: Vec::new(),
    }
}

fn wrote(minute: i64, side: Side, after: &str) -> Run {
    let field = if side == Side::Highlevel { "firstName" } else { "first_name" };
    let change = FieldChange { side, field: field.to_owned(), before: json!("Ann"), after: json!(after) };
    Run { changes: vec![change], ..run(minute) }
}

fn automation(minute: i64, value: &str) -> Run {
    let call = Call {
        target: "highlevel".to_owned(),
        operation: "contacts.update".to_owned(),
        path: Some("PUT /contacts/h1".to_owned()),
        status: Some(200),
        write: true,
        request: Some(json!({ "firstName": value }).to_string()),
        ..Call::default()
    };
    Run {
        kind: RunKind::Automation,
        connection: ConnectionId::new("acme/rules"),
        entity: None,
        calls: vec![call],
        summary: "ContactTagUpdate: done".to_owned(),
        ..run(minute)
    }
}

fn conflict(id: i64, met: i64, state: ConflictState, winner: Option<contactor_sync::Side>) -> StoredConflict {
    let text = |value: &str| Value::from(value);
    StoredConflict {
        id,
        run: run(met).id,
        key: RecordKey {
            connection: connection(),
            entity: "contact".to_owned(),
            side: Side::Highlevel,
            record: RecordId::new("h1"),
        },
        conflict: ConflictRecord {
            row: RowSpec::new("firstName", "first_name", FieldType::Text).key(),
            highlevel_field: "firstName".to_owned(),
            partner_field: "first_name".to_owned(),
            base: None,
            highlevel: text("Noel"),
            partner: text("King"),
            policy: if winner.is_some() { Policy::Highlevel } else { Policy::Ask },
            winner,
            overwritten: winner.map(|_| text("King")),
            held: Some((text("Noel"), text("King"))),
        },
        at: at(met),
        state,
        resolutions: Vec::new(),
        ended: None,
    }
}

fn says(story: &FieldStory, parts: &[&str]) {
    for part in parts {
        assert!(story.answer.contains(part), "`{part}` is not in: {}", story.answer);
    }
}

#[test]
fn a_change_at_the_partner_is_why_highlevel_has_it() {
    let story =
        tell(&known(Side::Highlevel, vec![wrote(9, Side::Highlevel, "Ada"), wrote(3, Side::Partner, "Ann")]));
    says(
        &story,
        &["firstName is `Ada` because Prefinery's `first_name` was changed there and copied at", "run-0009"],
    );
    assert_eq!(story.history[0].before, Some(json!("Ann")));
    assert!(story.history[0].summary.contains("found by a poll of Prefinery"), "{:?}", story.history);
    assert_eq!(story.joined[0].highlevel, Some(json!("Ada")));
}

#[test]
fn a_change_in_highlevel_is_somebodys_there() {
    let runs = vec![wrote(9, Side::Partner, "Ada"), wrote(3, Side::Highlevel, "Ann")];
    says(
        &tell(&known(Side::Highlevel, runs.clone())),
        &["somebody or something in HighLevel changed it", "run-0009"],
    );
    says(
        &tell(&known(Side::Partner, runs)),
        &["first_name is `Ada` because HighLevel's `firstName` was changed there"],
    );
}

#[test]
fn an_automations_write_is_named_on_both_sides() {
    let runs = vec![wrote(9, Side::Partner, "Ada"), automation(8, "Ada")];
    let own = tell(&known(Side::Highlevel, runs.clone()));
    says(&own, &["because acme/rules wrote it at", "ContactTagUpdate"]);
    assert_eq!(
        own.history.iter().map(|moment| moment.kind).collect::<Vec<_>>()[..2],
        [MomentKind::Copied, MomentKind::Automation]
    );
    let theirs = tell(&known(Side::Partner, runs));
    says(&theirs, &["HighLevel's `firstName` was written by acme/rules at", "and copied at"]);
    // Of another contact, or of a call that failed, nothing is told.
    let mut other = automation(8, "Ada");
    other.calls[0].path = Some("PUT /contacts/h2".to_owned());
    other.highlevel_id = None;
    says(&tell(&known(Side::Highlevel, vec![other])), &["Contactor has never written it"]);
}

#[test]
fn a_policy_or_a_person_decides_a_conflict() {
    let highlevel = Some(contactor_sync::Side::Highlevel);
    let mut decided = known(Side::Partner, vec![wrote(9, Side::Partner, "Noel")]);
    decided.conflicts = vec![conflict(4, 9, ConflictState::Decided, highlevel)];
    let story = tell(&decided);
    says(&story, &["the policy `highlevel` let HighLevel win over `King` (conflict 4"]);
    assert_eq!((story.history[0].kind, story.history[0].conflict), (MomentKind::Decided, Some(4)));
    // The winner's own field was not written, and the answer is the same.
    decided.side = Side::Highlevel;
    says(&tell(&decided), &["firstName is", "let HighLevel win over `King`"]);

    let mut stored = conflict(5, 2, ConflictState::Resolved, None);
    stored.resolutions.push(Resolution {
        decision: serde_json::from_value::<Decision>(decision()).unwrap(),
        by: "ann (admin)".to_owned(),
        at: at(8),
        ended: Some(ConflictEnded { at: at(9), run: run(9).id, void: None }),
    });
    let mut resolved = known(Side::Highlevel, vec![wrote(9, Side::Highlevel, "King")]);
    resolved.conflicts = vec![stored];
    says(&tell(&resolved), &["because ann (admin) took Prefinery's value in conflict 5, at", "run-0009"]);
}

fn decision() -> Json {
    let stored = conflict(5, 2, ConflictState::Open, None);
    let decision = Decision::on(&stored.conflict, None, None, contactor_sync::Side::Partner).unwrap();
    serde_json::to_value(decision).unwrap()
}

#[test]
fn what_waits_for_a_person_shows_both_values() {
    let mut waiting = known(Side::Highlevel, vec![wrote(1, Side::Highlevel, "Ada")]);
    waiting.conflicts = vec![conflict(7, 5, ConflictState::Open, None)];
    let story = tell(&waiting);
    says(
        &story,
        &["firstName is `Noel` in HighLevel and `King` in Prefinery", "conflict 7 waits for a person"],
    );
    assert_eq!(story.joined[0].conflict, Some(7));
}

#[test]
fn a_value_that_was_dropped_is_told_with_what_was_kept() {
    let mut dropped = wrote(9, Side::Highlevel, "Acme");
    dropped.remarks.push(FieldRemark {
        side: Side::Highlevel,
        field: "firstName".to_owned(),
        reason: RemarkReason::Dropped,
        words: "HighLevel accepted `firstName` and kept (none) instead".to_owned(),
    });
    let story = tell(&known(Side::Highlevel, vec![dropped]));
    says(&story, &["although `Acme` was copied from Prefinery's `first_name` at", "and kept (none) instead"]);
    assert_eq!(story.history[0].kind, MomentKind::Copied);
    assert_eq!(story.history[1].kind, MomentKind::Dropped);
}

#[test]
fn a_rule_a_failure_and_a_skip_are_reasons_to_be_left_alone() {
    let mut held = run(9);
    held.remarks.push(FieldRemark {
        side: Side::Highlevel,
        field: "firstName".to_owned(),
        reason: RemarkReason::Rule,
        words: "it is a test account".to_owned(),
    });
    let failed = Run { outcome: RunOutcome::Parked, summary: "HighLevel: 422".to_owned(), ..run(12) };
    let story = tell(&known(Side::Highlevel, vec![failed, held.clone()]));
    says(&story, &["it was left alone: the whole record: HighLevel: 422."]);
    assert_eq!(story.history.len(), 3, "and the link: {:#?}", story.history);
    says(&tell(&known(Side::Highlevel, vec![held])), &["not written to HighLevel: it is a test account."]);
    // A run that agreed has nothing to tell.
    let agreed = Run { outcome: RunOutcome::Unchanged, ..run(20) };
    assert_eq!(tell(&known(Side::Highlevel, vec![agreed])).history.len(), 1);
}

#[test]
fn what_nothing_explains_is_said_to_be_unknown_and_whose_it_must_be() {
    let fresh = tell(&known(Side::Highlevel, Vec::new()));
    says(&fresh, &["both sides had it when the records were linked at", "never written it", "in Prefinery"]);
    let mut old = known(Side::Highlevel, Vec::new());
    old.kept_since = at(500);
    says(&tell(&old), &["no run that is kept (since", "as old as that"]);
    old.pairs[0].row.row.direction = Direction::ToPartner;
    says(&tell(&old), &["only copies from HighLevel", "written in HighLevel itself"]);
    old.pairs[0].link = None;
    says(&tell(&old), &["is not linked with Prefinery"]);
    let mut gone = known(Side::Highlevel, Vec::new());
    gone.pairs[0].link.as_mut().unwrap().state = LinkState::PartnerDeleted;
    says(&tell(&gone), &["was deleted in Prefinery: nothing is copied any more"]);
}

#[test]
fn another_connection_that_wrote_the_field_is_named() {
    let foreign =
        Run { connection: ConnectionId::new("acme/referrizer"), ..wrote(9, Side::Highlevel, "Ada") };
    says(&tell(&known(Side::Highlevel, vec![foreign.clone()])), &["the partner of acme/referrizer had it"]);
    let story = tell(&known(Side::Partner, vec![wrote(10, Side::Partner, "Ada"), foreign]));
    says(&story, &["HighLevel's `firstName` was written by acme/referrizer"]);
}

fn any_run() -> impl Strategy<Value = Run> {
    let side = prop_oneof![Just(Side::Highlevel), Just(Side::Partner)];
    (0_i64..50, side, "[A-C]", 0..4).prop_map(|(minute, side, value, kind)| match kind {
        0 => automation(minute, &value),
        1 => Run { outcome: RunOutcome::Retrying, summary: "timed out".to_owned(), ..run(minute) },
        2 => Run { outcome: RunOutcome::Unchanged, ..run(minute) },
        _ => wrote(minute, side, &value),
    })
}

proptest! {
    /// Whatever happened: the history is in order and bounded, every write of the field is in it, and the answer is a sentence about
    /// the field.
    #[test]
    fn every_story_is_in_order_complete_and_says_something(runs in prop::collection::vec(any_run(), 0..30), limit in 1_usize..40) {
        let mut runs = runs;
        runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
        for side in [Side::Highlevel, Side::Partner] {
            let story = tell(&Known { limit, ..known(side, runs.clone()) });
            prop_assert!(story.history.len() <= limit);
            prop_assert!(story.history.is_sorted_by(|a, b| a.at >= b.at));
            prop_assert!(story.answer.starts_with("first") && story.answer.ends_with('.'), "{}", story.answer);
            let whole = tell(&Known { limit: 1_000, ..known(side, runs.clone()) });
            let writes = runs.iter().map(|run| run.changes.len() + run.calls.len()).sum::<usize>();
            prop_assert_eq!(whole.history.iter().filter(|moment| moment.kind.writes()).count(), writes);
            prop_assert_eq!(story.more, whole.history.len() > limit);
            prop_assert_eq!(&story.history[..], &whole.history[..story.history.len()]);
        }
    }
}
