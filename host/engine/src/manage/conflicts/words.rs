//! A conflict in sentences: what happened, who decided and why, and what can be done.

use contactor_store::{ConflictState, StoredConflict, WorkspaceId};
use contactor_sync::{Agreed, ConflictRecord, Policy, Side, Undecidable};

use crate::convert::show;
use crate::error::EngineError;

/// How messages name a conflict.
pub(super) fn name(stored: &StoredConflict) -> String {
    let key = &stored.key;
    format!(
        "conflict {} on {} of the {} {} of {}",
        stored.id, stored.conflict.highlevel_field, key.entity, key.record, key.connection
    )
}

/// What happened, in order.
pub(super) fn explanation(stored: &StoredConflict, partner: &str) -> Vec<String> {
    let conflict = &stored.conflict;
    let pair =
        format!("{} in HighLevel and {} in {partner}", conflict.highlevel_field, conflict.partner_field);
    let before = match &conflict.base {
        Some((highlevel, theirs)) if highlevel == theirs => {
            format!("Both sides last agreed on {pair}: {}.", show(highlevel))
        }
        Some((highlevel, theirs)) => format!(
            "Both sides last agreed on {pair}: HighLevel offered {}, {partner} {}.",
            show(highlevel),
            show(theirs)
        ),
        None => {
            format!("Both sides had a value for {pair} when they were linked, and had never agreed on it.")
        }
    };
    let (since, verb) = if conflict.base.is_some() {
        ("Since then both were changed", "to")
    } else {
        ("They differed", "had")
    };
    let (own, theirs) = (show(&conflict.highlevel), show(&conflict.partner));
    let mut lines = vec![
        before,
        format!("{since}: HighLevel {verb} {own}, {partner} {verb} {theirs}."),
        format!("{} {}", policy(conflict, partner), first_decision(stored, partner)),
    ];
    for one in &stored.resolutions {
        let what = match &one.ended {
            None => "which waits for the next run of the record".to_owned(),
            Some(ended) => match &ended.void {
                None => format!("which run {} carried out", ended.run),
                Some(why) => format!("which run {} did not carry out: {why}", ended.run),
            },
        };
        lines.push(format!(
            "{} took {}'s value at {}, {what}.",
            one.by,
            system(one.decision.take, partner),
            one.at
        ));
    }
    if let Some(ended) = &stored.ended {
        let why = ended.void.as_deref().unwrap_or_default();
        lines.push(format!("Run {} found it over: {why}.", ended.run));
    }
    lines
}

fn policy(conflict: &ConflictRecord, partner: &str) -> String {
    match conflict.policy {
        Policy::LatestUpdate => {
            "The policy of the field is `latest-update`: the record that was updated last wins, and HighLevel when a time is missing or \
             both are equal; in a row that goes one way, the side that it comes from."
                .to_owned()
        }
        Policy::Highlevel => "The policy of the field is `highlevel`: HighLevel wins.".to_owned(),
        Policy::Partner => format!("The policy of the field is `partner`: {partner} wins."),
        Policy::Ask => {
            "The policy of the field is `ask`: nobody wins, and both sides keep their value until a person decides.".to_owned()
        }
        Policy::Stricter => {
            "The policy of the field is `stricter`: consent that is withdrawn on either side stays withdrawn.".to_owned()
        }
    }
}

fn first_decision(stored: &StoredConflict, partner: &str) -> String {
    let Some(winner) = stored.conflict.winner else {
        return format!("Run {} met it at {} and wrote nothing of it.", stored.run, stored.at);
    };
    let (own, other) = (system(winner, partner), system(winner.other(), partner));
    match &stored.conflict.overwritten {
        Some(lost) => {
            format!(
                "Run {} took {own}'s value at {} and replaced {other}'s {}.",
                stored.run,
                stored.at,
                show(lost)
            )
        }
        None => format!("Run {} let {own} win at {}.", stored.run, stored.at),
    }
}

/// Why a conflict counts for nothing any more.
pub(super) fn why_over(stored: &StoredConflict) -> String {
    let of_decision = stored.resolutions.last().and_then(|last| last.ended.as_ref());
    let ended = stored.ended.as_ref().or(of_decision);
    let why = ended.and_then(|ended| ended.void.as_deref()).unwrap_or("it was settled by a newer change");
    format!("{why}; to have another value, set it on either side, which is a change like any other")
}

/// Why one side's value cannot be taken, for an error.
pub(super) fn refused(stored: &StoredConflict, partner: &str, why: &Undecidable) -> String {
    let name = name(stored);
    let next = "set the value on either side, which is a change like any other";
    match why {
        Undecidable::InPlace(side) => {
            format!(
                "{name}: {}'s value is in place on both sides already; nothing is to be done",
                system(*side, partner)
            )
        }
        Undecidable::Stricter => format!(
            "{name}: the policy of the field is `stricter`, and consent that was withdrawn is not given back by a decision; change it \
             on both sides instead"
        ),
        Undecidable::Changed { now: Some(Agreed { highlevel, partner: theirs }) } => format!(
            "{name}: the field was changed since, on either side or both (they agree on {} now, {partner}'s {}), and no newer edit is \
             overwritten; {next}",
            show(highlevel),
            show(theirs)
        ),
        Undecidable::Changed { now: None } => {
            format!(
                "{name}: both sides do not agree on the field any more, so there is nothing to reverse; {next}"
            )
        }
        Undecidable::NotKept(side) => format!(
            "{name}: what {} held before was not recorded, because an earlier version of this host met it; {next}",
            system(*side, partner)
        ),
    }
}

/// What can be done. `refused` says for HighLevel and the partner why their value cannot be taken, if it cannot.
pub(super) fn options(
    workspace: &WorkspaceId,
    stored: &StoredConflict,
    partner: &str,
    refused: [Option<EngineError>; 2],
) -> Vec<String> {
    let command =
        |take: &str| format!("`contactor conflicts resolve {workspace} {} --take {take}`", stored.id);
    let sides = [(Side::Highlevel, "highlevel"), (Side::Partner, "partner")];
    let mut options = Vec::new();
    if stored.pending().is_some() {
        options.push("The run of the record carries it out; `contactor runs list` and `contactor parked list` show what became of it.".to_owned());
    }
    for ((side, word), why) in sides.into_iter().zip(&refused) {
        let own = system(side, partner);
        match why {
            None if stored.pending().is_some_and(|pending| pending.decision.take == side) => {}
            None => options.push(format!(
                "{} puts {own}'s value in place on both sides; `--preview` shows what it would write.",
                command(word)
            )),
            // What is in place needs no reason.
            Some(_) if stored.in_place() == Some(side) => {
                if stored.pending().is_some() {
                    options.push(format!("{} withdraws the decision: {own}'s value stays.", command(word)));
                }
            }
            Some(_) => {}
        }
    }
    if options.is_empty() {
        let why = refused.into_iter().flatten().map(|error| error.to_string());
        let why = why.into_iter().find(|why| !why.contains("is in place on both sides already"));
        options.push(match (stored.state, why) {
            (ConflictState::Void, _) => format!("Nothing is left to decide: {}.", why_over(stored)),
            (_, Some(why)) => format!("It cannot be decided: {why}."),
            (_, None) => "Nothing is left to decide.".to_owned(),
        });
    }
    options
}

pub(super) fn system(side: Side, partner: &str) -> &str {
    match side {
        Side::Highlevel => "HighLevel",
        Side::Partner => partner,
    }
}
