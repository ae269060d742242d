//! What happened to the field, moment by moment.

use contactor_store::{
    Event, FieldChange, FieldRemark, RemarkReason, Run, RunCause, RunKind, RunOutcome, Side, StoredConflict,
};

use super::{FieldMoment, Known, MomentKind, Pair, of_merge, other, shown};
use crate::written::{self, Wrote};

/// Every moment, newest first.
pub(super) fn all(known: &Known) -> Vec<FieldMoment> {
    let mut moments = Vec::new();
    for run in &known.runs {
        match run.kind {
            RunKind::Reconcile => reconciled(known, run, &mut moments),
            RunKind::Automation | RunKind::Action => called(known, run, &mut moments),
            RunKind::Poll | RunKind::Receive | RunKind::Sweep => {}
        }
    }
    moments.extend(known.pairs.iter().filter_map(|pair| linked(known, pair)));
    // Stable: what a run wrote stands before what it left alone.
    moments.sort_by_key(|moment| std::cmp::Reverse(moment.at));
    moments
}

fn linked(known: &Known, pair: &Pair) -> Option<FieldMoment> {
    let link = pair.link.as_ref().filter(|link| link.created_at >= known.kept_since)?;
    Some(FieldMoment {
        at: link.created_at,
        kind: MomentKind::Linked,
        connection: pair.connection.clone(),
        run: None,
        side: known.side,
        field: pair.field(known.side).to_owned(),
        before: None,
        after: None,
        conflict: None,
        summary: format!(
            "linked: {} in HighLevel, {} in {}",
            link.highlevel_id, link.partner_id, pair.partner
        ),
    })
}

fn reconciled(known: &Known, run: &Run, moments: &mut Vec<FieldMoment>) {
    let Some(pair) = known.pairs.iter().find(|pair| pair.connection == run.connection) else {
        // Another connection than those that were asked for: it matters when it wrote the same field of HighLevel.
        let written = |change: &&FieldChange| {
            change.side == Side::Highlevel
                && known.pairs.iter().any(|pair| pair.field(Side::Highlevel) == change.field)
        };
        moments.extend(run.changes.iter().filter(written).map(|change| FieldMoment {
            summary: format!(
                "copied from the partner of {}: {}",
                run.connection,
                cause(known, run, "its partner")
            ),
            ..moment(run, MomentKind::Copied, change)
        }));
        return;
    };
    if run.entity.as_deref() != Some(pair.row.entity.as_str()) {
        return;
    }
    let pairs: Vec<&Pair> = known.pairs.iter().filter(|pair| pair.connection == run.connection).collect();
    let before = moments.len();
    for change in &run.changes {
        let Some(pair) = pairs.iter().find(|pair| pair.field(change.side) == change.field) else { continue };
        moments.push(changed(known, pair, run, change));
    }
    for remark in &run.remarks {
        let is_it = |pair: &&&Pair| pair.field(remark.side) == remark.field;
        if let Some(pair) = pairs.iter().find(is_it) {
            moments.push(left(known, pair, run, remark));
        }
    }
    let ended_early = matches!(run.outcome, RunOutcome::Skipped | RunOutcome::Retrying | RunOutcome::Parked);
    if moments.len() == before && ended_early {
        let change = FieldChange {
            side: known.side,
            field: pair.field(known.side).to_owned(),
            before: serde_json::Value::Null,
            after: serde_json::Value::Null,
        };
        moments.push(FieldMoment {
            before: None,
            after: None,
            summary: format!("the whole record: {}", run.summary),
            ..moment(run, MomentKind::LeftAlone, &change)
        });
    }
}

fn moment(run: &Run, kind: MomentKind, change: &FieldChange) -> FieldMoment {
    FieldMoment {
        at: run.started_at,
        kind,
        connection: run.connection.clone(),
        run: Some(run.id.clone()),
        side: change.side,
        field: change.field.clone(),
        before: Some(change.before.clone()),
        after: Some(change.after.clone()),
        conflict: None,
        summary: String::new(),
    }
}

fn changed(known: &Known, pair: &Pair, run: &Run, change: &FieldChange) -> FieldMoment {
    let source = pair.system(other(change.side));
    let decided_by = |stored: &&StoredConflict| {
        stored
            .resolutions
            .iter()
            .any(|one| one.ended.as_ref().is_some_and(|ended| ended.run == run.id && ended.void.is_none()))
    };
    let cause = cause(known, run, &pair.partner);
    if let Some(stored) = known.conflicts_of(pair).find(decided_by) {
        let by = stored
            .resolutions
            .iter()
            .rev()
            .find(|one| one.ended.as_ref().is_some_and(|ended| ended.run == run.id));
        let (who, took) = by.map_or(("a person", None), |one| (one.by.as_str(), Some(one.decision.take)));
        let took = took.map_or(source, |take| pair.system(crate::convert::side(take)));
        return FieldMoment {
            conflict: Some(stored.id),
            summary: format!("{who} took {took}'s value in conflict {}", stored.id),
            ..moment(run, MomentKind::Resolved, change)
        };
    }
    let by_policy =
        known.conflicts_of(pair).find(|stored| stored.run == run.id && stored.conflict.winner.is_some());
    if let Some(stored) = by_policy {
        let policy = serde_json::to_value(stored.conflict.policy).unwrap_or_default();
        let loser = stored.conflict.overwritten.as_ref().map(crate::convert::show).unwrap_or_default();
        return FieldMoment {
            conflict: Some(stored.id),
            summary: format!(
                "both sides had changed it: the policy `{}` let {source} win over `{loser}` (conflict {}; {cause})",
                policy.as_str().unwrap_or_default(),
                stored.id
            ),
            ..moment(run, MomentKind::Decided, change)
        };
    }
    FieldMoment {
        summary: format!("copied from {source}'s `{}`: {cause}", pair.field(other(change.side))),
        ..moment(run, MomentKind::Copied, change)
    }
}

fn left(known: &Known, pair: &Pair, run: &Run, remark: &FieldRemark) -> FieldMoment {
    let system = pair.system(remark.side);
    let stored = known.waiting(pair).filter(|_| remark.reason == RemarkReason::Conflict);
    let why = match remark.reason {
        RemarkReason::Rule => format!("not written to {system}: {}", remark.words),
        RemarkReason::Conflict => {
            let number = stored.map(|stored| format!("conflict {}: ", stored.id)).unwrap_or_default();
            format!("left alone on both sides: {number}{}", remark.words)
        }
        RemarkReason::Dropped | RemarkReason::Unknown | RemarkReason::Consent => remark.words.clone(),
        RemarkReason::Problem => format!("left out: {}", remark.words),
    };
    FieldMoment {
        at: run.started_at,
        kind: if remark.reason == RemarkReason::Dropped {
            MomentKind::Dropped
        } else {
            MomentKind::LeftAlone
        },
        connection: run.connection.clone(),
        run: Some(run.id.clone()),
        side: remark.side,
        field: remark.field.clone(),
        before: None,
        after: None,
        conflict: stored.map(|stored| stored.id),
        summary: why,
    }
}

/// What the calls of an automation or action wrote.
fn called(known: &Known, run: &Run, moments: &mut Vec<FieldMoment>) {
    let ids = known.pairs.iter().filter_map(|pair| pair.link.as_ref()).map(|link| &link.highlevel_id);
    let ids: Vec<_> = ids.chain(run.highlevel_id.as_ref()).collect();
    let (kind, who) = match run.kind {
        RunKind::Action => (MomentKind::Action, format!("somebody ran it: {}", run.summary)),
        _ => (MomentKind::Automation, format!("its connector's own code wrote it ({})", handled(known, run))),
    };
    for call in &run.calls {
        let mut sides = Vec::new();
        if written::contact_of(call).is_none_or(|contact| ids.contains(&&contact)) {
            sides.extend(known.pairs.first().map(|pair| (Side::Highlevel, pair)));
        }
        sides.extend(
            known
                .pairs
                .iter()
                .find(|pair| pair.connection == run.connection)
                .map(|pair| (Side::Partner, pair)),
        );
        for (side, pair) in sides {
            let Some(wrote) = written::field(call, side, pair.field(side), &known.keys) else { continue };
            let (after, how) = match wrote {
                Wrote::Value(value) => (Some(value), call.operation.clone()),
                Wrote::Something => (None, call.operation.clone()),
                Wrote::Elements { added, names } => {
                    let verb = if added { "added" } else { "removed" };
                    (None, format!("{verb} {}", shown(&names)))
                }
            };
            moments.push(FieldMoment {
                at: run.started_at,
                kind,
                connection: run.connection.clone(),
                run: Some(run.id.clone()),
                side,
                field: pair.field(side).to_owned(),
                before: None,
                after,
                conflict: None,
                summary: format!("{who}: {how}"),
            });
        }
    }
}

/// What an automation handled.
pub(super) fn handled(known: &Known, run: &Run) -> String {
    match run.event.and_then(|seq| known.events.get(&seq)) {
        Some(event) => format!("for event {}, {}", event.seq.0, event.kind),
        None => format!("for {}", run.summary.split(": ").next().unwrap_or_default()),
    }
}

/// What led to a run, for a person.
fn cause(known: &Known, run: &Run, partner: &str) -> String {
    let event = run.event.and_then(|seq| known.events.get(&seq));
    let from = |event: &Event| if event.source == Side::Highlevel { "HighLevel" } else { partner };
    match (run.cause, event) {
        (Some(RunCause::Person), _) => "somebody asked for it".to_owned(),
        (Some(RunCause::Webhook) | None, Some(event)) => {
            format!("webhook {} of {}, event {}", event.kind, from(event), event.seq.0)
        }
        (Some(RunCause::Webhook), None) => "a webhook, whose event is forgotten".to_owned(),
        (Some(RunCause::HighlevelWalk), _) => "found by a sweep over HighLevel".to_owned(),
        (Some(RunCause::PartnerWalk), _) => format!("found by a poll of {partner}"),
        (Some(RunCause::Backfill), _) => "the first synchronisation".to_owned(),
        (None, None) => "found by a poll or a sweep".to_owned(),
    }
}

/// Whether a side of a pair may be written at all.
pub(super) fn is_written_to(pair: &Pair, side: Side) -> bool {
    pair.spec().direction.flows_from(of_merge(side).other())
}
