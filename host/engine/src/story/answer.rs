//! The one sentence that a person asked for.

use contactor_store::{ConflictState, LinkState, Side};
use jiff::Timestamp;

use super::moments::is_written_to;
use super::{FieldJoin, FieldMoment, Known, MomentKind, Pair, other, shown};

/// The answer for every pair that has one; for a field of HighLevel's, that of the pair which moved it last.
pub(super) fn of(known: &Known, joined: &[FieldJoin], history: &[FieldMoment]) -> String {
    let pairs = || known.pairs.iter().zip(joined);
    let mut said: Vec<String> = match known.side {
        Side::Partner => pairs().map(|(pair, join)| said(known, pair, join, history)).collect(),
        Side::Highlevel => {
            let newest = |(pair, _): &(&Pair, &FieldJoin)| {
                let moved = history.iter().find(|moment| {
                    moment.kind != MomentKind::LeftAlone && moment.connection == pair.connection
                });
                (known.waiting(pair).is_some(), moved.map(|moment| moment.at), pair.link.is_some())
            };
            // The first of equals: `max_by_key` takes the last.
            pairs()
                .rev()
                .max_by_key(newest)
                .map(|(pair, join)| said(known, pair, join, history))
                .into_iter()
                .collect()
        }
    };
    said.dedup();
    said.join(" ")
}

fn said(known: &Known, pair: &Pair, join: &FieldJoin, history: &[FieldMoment]) -> String {
    let side = known.side;
    let mut sentences = vec![main(known, pair, join, history)];
    let own = |moment: &&FieldMoment| {
        (moment.connection == pair.connection || moment.side == Side::Highlevel && side == Side::Highlevel)
            && moment.kind != MomentKind::Linked
    };
    // What came after it was written: a value that was dropped, a rule, a failure.
    if let Some(last) = history.iter().find(own)
        && let Some(left) = newest_remark(history, last, pair)
    {
        sentences.push(format!(
            "At {} it was left alone: {}.",
            when(left.at),
            left.summary.trim_end_matches('.')
        ));
    }
    if let Some(link) = pair.link.as_ref().filter(|link| link.state != LinkState::Active) {
        let gone = if link.state == LinkState::HighlevelDeleted { "HighLevel" } else { &pair.partner };
        sentences.push(format!("The record was deleted in {gone}: nothing is copied any more."));
    }
    sentences.join(" ")
}

/// The newest moment at which the pair was left alone, unless something was written since.
fn newest_remark<'a>(history: &'a [FieldMoment], last: &FieldMoment, pair: &Pair) -> Option<&'a FieldMoment> {
    let of_pair = |moment: &&FieldMoment| moment.connection == pair.connection;
    let left = history.iter().filter(of_pair).find(|moment| moment.kind == MomentKind::LeftAlone)?;
    // A conflict is the answer itself.
    (left.at >= last.at && left.conflict.is_none()).then_some(left)
}

fn main(known: &Known, pair: &Pair, join: &FieldJoin, history: &[FieldMoment]) -> String {
    let side = known.side;
    let field = pair.field(side);
    if let Some(stored) = known.waiting(pair) {
        let values = [&join.highlevel, &join.partner_value].map(|value| {
            value.as_ref().map_or_else(|| "something".to_owned(), |value| format!("`{}`", shown(value)))
        });
        let next = match (stored.state, stored.pending()) {
            (ConflictState::Pending, Some(one)) => format!(
                "{} took {}'s value, which the next run puts in place",
                one.by,
                pair.system(crate::convert::side(one.decision.take))
            ),
            _ => format!("conflict {} waits for a person to decide", stored.id),
        };
        return format!(
            "{field} is {} in HighLevel and {} in {} because both sides changed it, and {next}.",
            values[0], values[1], pair.partner
        );
    }
    let value = if side == Side::Highlevel { &join.highlevel } else { &join.partner_value };
    let is = match value {
        Some(value) if value.is_null() => format!("{field} is empty"),
        Some(value) => format!("{field} is `{}`", shown(value)),
        None => format!("{field} has a value that Contactor does not know"),
    };
    let into = |moment: &&FieldMoment| {
        moment.kind.writes()
            && moment.side == side
            && moment.field == field
            && (side == Side::Highlevel || moment.connection == pair.connection)
    };
    let out = |moment: &&FieldMoment| {
        matches!(moment.kind, MomentKind::Copied | MomentKind::Decided | MomentKind::Resolved)
            && moment.side == other(side)
            && moment.connection == pair.connection
    };
    let (into, out) = (history.iter().find(into), history.iter().find(out));
    if let Some(into) = into
        && let Some(dropped) = dropped(into, history)
    {
        let run = run_of(into);
        let wanted = into.after.as_ref().map(shown).unwrap_or_default();
        return format!(
            "{is} although `{wanted}` was copied from {}'s `{}` at {}{run}: {}.",
            pair.system(other(side)),
            pair.field(other(side)),
            when(into.at),
            dropped.summary
        );
    }
    match (into, out) {
        // Decided for this side, which therefore was not written.
        (into, Some(out)) if out.conflict.is_some() && into.is_none_or(|into| out.at > into.at) => {
            format!("{is} because {}, at {}{}.", out.summary, when(out.at), run_of(out))
        }
        // It went out later than it came in: then it was changed there in between, unless it only went on.
        (Some(into), Some(out)) if out.at > into.at && !goes_on(into, out) => {
            changed_there(known, pair, &is, out)
        }
        (Some(into), _) => format!("{is} because {}.", because(known, pair, into, history)),
        (None, Some(out)) => changed_there(known, pair, &is, out),
        (None, None) => unknown(known, pair, &is),
    }
}

/// What a system kept in the place of what was written.
fn dropped<'a>(into: &FieldMoment, history: &'a [FieldMoment]) -> Option<&'a FieldMoment> {
    history.iter().find(|moment| {
        moment.kind == MomentKind::Dropped && moment.run == into.run && moment.side == into.side
    })
}

fn run_of(moment: &FieldMoment) -> String {
    moment.run.as_ref().map(|run| format!(" (run {run})")).unwrap_or_default()
}

/// Whether what was copied out is what had been written: by an automation, or by another connection.
fn goes_on(into: &FieldMoment, out: &FieldMoment) -> bool {
    match (&into.after, &out.after) {
        (Some(into), Some(out)) => shown(into) == shown(out),
        _ => into.after.is_none(),
    }
}

fn because(known: &Known, pair: &Pair, moment: &FieldMoment, history: &[FieldMoment]) -> String {
    let at = when(moment.at);
    let run = run_of(moment);
    let (source, its) = (pair.system(other(moment.side)), pair.field(other(moment.side)));
    match moment.kind {
        MomentKind::Resolved | MomentKind::Decided => format!("{}, at {at}{run}", moment.summary),
        MomentKind::Automation | MomentKind::Action => {
            format!("{} wrote it at {at}{run}: {}", moment.connection, moment.summary)
        }
        _ if moment.connection != pair.connection => {
            format!("the partner of {} had it, and it was copied at {at}{run}", moment.connection)
        }
        _ => match origin(known, pair, moment, history) {
            Some(origin) => format!(
                "{source}'s `{its}` was written by {} at {}{}, and copied at {at}{run}",
                origin.connection,
                when(origin.at),
                run_of(origin)
            ),
            None if created(pair, moment) => {
                format!(
                    "{source}'s `{its}` had it when the records were linked, and it was copied at {at}{run}"
                )
            }
            None => format!("{source}'s `{its}` was changed there and copied at {at}{run}"),
        },
    }
}

/// What had written the value that was copied, if the host knows: another connection, an automation or an action.
fn origin<'a>(
    known: &Known,
    pair: &Pair,
    copied: &FieldMoment,
    history: &'a [FieldMoment],
) -> Option<&'a FieldMoment> {
    let source = other(copied.side);
    let copied_before = |moment: &&FieldMoment| {
        moment.at < copied.at
            && moment.side == copied.side
            && moment.connection == copied.connection
            && moment.kind.writes()
    };
    let since = history.iter().find(copied_before).map_or(known.kept_since, |moment| moment.at);
    let wrote = |moment: &&FieldMoment| {
        moment.kind.writes()
            && moment.side == source
            && moment.field == pair.field(source)
            && moment.at <= copied.at
            && moment.at >= since
            && (source == Side::Highlevel || moment.connection == pair.connection)
            && (moment.kind != MomentKind::Copied || moment.connection != pair.connection)
            && moment
                .after
                .as_ref()
                .is_none_or(|after| Some(shown(after)) == copied.after.as_ref().map(shown))
    };
    history.iter().find(wrote)
}

/// Whether the value came with the link.
fn created(pair: &Pair, moment: &FieldMoment) -> bool {
    pair.link.as_ref().is_some_and(|link| link.created_at == moment.at)
}

fn changed_there(known: &Known, pair: &Pair, is: &str, out: &FieldMoment) -> String {
    let (own, theirs) = (pair.system(known.side), pair.system(other(known.side)));
    let (run, at) = (run_of(out), when(out.at));
    if created(pair, out) {
        return format!(
            "{is} because it was so in {own} when the records were linked; it was copied to {theirs} at {at}{run}. Contactor did not write it in {own}."
        );
    }
    format!(
        "{is} because somebody or something in {own} changed it there, outside of Contactor; it was copied to {theirs} at {at}{run}."
    )
}

fn unknown(known: &Known, pair: &Pair, is: &str) -> String {
    let (side, own) = (known.side, pair.system(known.side));
    let since = when(known.kept_since);
    let Some(link) = &pair.link else {
        return format!(
            "{is}: the record is not linked with {}, so Contactor neither reads nor writes the field there.",
            pair.partner
        );
    };
    let whose = if is_written_to(pair, side) {
        format!(
            "it is as old as that, or somebody changed it in {own} or in {} to the same",
            pair.system(other(side))
        )
    } else {
        format!("the mapping only copies from {own}, so whatever stands there was written in {own} itself")
    };
    if link.base.get(&pair.spec().key()).is_none() {
        return format!(
            "{is}: both sides never agreed on it, and no run that is kept (since {since}) wrote it; {whose}."
        );
    }
    if link.created_at >= known.kept_since {
        return format!(
            "{is} because both sides had it when the records were linked at {}: Contactor has never written it; {whose}.",
            when(link.created_at)
        );
    }
    format!("{is}, and no run that is kept (since {since}) wrote it: {whose}.")
}

fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
