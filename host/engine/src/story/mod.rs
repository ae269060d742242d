//! Why a field has its value: the story of one field of one record, told from what runs and conflicts left behind. Pure.
//!
//! Nobody says "this is why": a reconcile copies what it finds. The story is put together from what each run wrote and left alone,
//! which webhook, walk or person had led to it, what conflicts met and who decided them, and what the calls of automations and
//! actions show. What none of these explains was done outside, and is said to be.

mod answer;
mod moments;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use contactor_store::{ConflictState, ConnectionId, Event, EventSeq, Link, Run, RunId, Side, StoredConflict};
use contactor_sync::RowSpec;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::manage::MappingRow;

/// The story of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldStory {
    /// The field, as it was asked for.
    pub field: String,
    /// The answer in one or two sentences.
    pub answer: String,
    /// What the field is joined with, connection by connection, and both values.
    pub joined: Vec<FieldJoin>,
    /// What happened to it, newest first.
    pub history: Vec<FieldMoment>,
    /// Since when the history is kept: what happened before is forgotten.
    pub kept_since: Timestamp,
    /// There are older moments than these.
    pub more: bool,
}

/// A mapping row that joins the field with one of the other side, and what the host knows of both values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldJoin {
    /// The connection.
    pub connection: ConnectionId,
    /// The partner's name.
    pub partner: String,
    /// The row, and who wrote it.
    pub row: MappingRow,
    /// The link of the record, if it has one there.
    pub link: Option<Link>,
    /// The value in HighLevel, as it was last read or written; absent when it is not known.
    pub highlevel: Option<Json>,
    /// The value at the partner.
    pub partner_value: Option<Json>,
    /// The conflict about it that waits for a person or for its run.
    pub conflict: Option<i64>,
}

/// One thing that happened to the field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldMoment {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: MomentKind,
    /// The connection; HighLevel's own for an operation of the host.
    pub connection: ConnectionId,
    /// The run.
    pub run: Option<RunId>,
    /// The side whose field was written, or would have been.
    pub side: Side,
    /// That field.
    pub field: String,
    /// Its value before, if that is known.
    pub before: Option<Json>,
    /// Its value after, if that is known.
    pub after: Option<Json>,
    /// The conflict that was decided.
    pub conflict: Option<i64>,
    /// One line for a person.
    pub summary: String,
}

/// What kind of thing happened to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentKind {
    /// The records were linked.
    Linked,
    /// The value was copied from the other side.
    Copied,
    /// Both sides had changed it, and the row's policy decided.
    Decided,
    /// A person had decided about a conflict.
    Resolved,
    /// A connector's own code wrote it, for an event.
    Automation,
    /// Somebody ran an action that wrote it.
    Action,
    /// The system accepted the write and kept another value.
    Dropped,
    /// A run left it alone.
    LeftAlone,
}

impl MomentKind {
    /// Whether the field was written.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Linked | Self::Dropped | Self::LeftAlone)
    }
}

/// A row that joins the field, with what the store knows of the record on its connection.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) connection: ConnectionId,
    pub(crate) partner: String,
    pub(crate) row: MappingRow,
    pub(crate) link: Option<Link>,
}

impl Pair {
    fn spec(&self) -> &RowSpec {
        &self.row.row
    }

    fn field(&self, side: Side) -> &str {
        self.spec().field(of_merge(side))
    }

    /// The name of a system.
    fn system(&self, side: Side) -> &str {
        if side == Side::Highlevel { "HighLevel" } else { &self.partner }
    }
}

/// Everything that a story is told from.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The field, as it was asked for.
    pub(crate) field: String,
    /// Whose field it is.
    pub(crate) side: Side,
    pub(crate) pairs: Vec<Pair>,
    /// Newest first; those of automations and actions with their calls.
    pub(crate) runs: Vec<Run>,
    pub(crate) events: BTreeMap<EventSeq, Event>,
    pub(crate) conflicts: Vec<StoredConflict>,
    /// Keys of HighLevel's custom fields by id.
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) kept_since: Timestamp,
    /// There are older runs.
    pub(crate) more: bool,
    /// So many moments at most.
    pub(crate) limit: usize,
}

impl Known {
    /// The conflicts about a pair's row on its connection, newest first.
    fn conflicts_of(&self, pair: &Pair) -> std::vec::IntoIter<&StoredConflict> {
        let key = pair.spec().key();
        let mut own: Vec<_> = self
            .conflicts
            .iter()
            .filter(|stored| stored.key.connection == pair.connection && stored.conflict.row == key)
            .collect();
        own.sort_by_key(|stored| std::cmp::Reverse(stored.id));
        own.into_iter()
    }

    fn waiting(&self, pair: &Pair) -> Option<&StoredConflict> {
        let mut own = self.conflicts_of(pair);
        own.find(|stored| matches!(stored.state, ConflictState::Open | ConflictState::Pending))
    }
}

/// Tells the story.
pub(crate) fn tell(known: &Known) -> FieldStory {
    let mut history = moments::all(known);
    let joined: Vec<FieldJoin> = known.pairs.iter().map(|pair| joined(known, pair, &history)).collect();
    let answer = answer::of(known, &joined, &history);
    let more = known.more || history.len() > known.limit;
    history.truncate(known.limit);
    FieldStory { field: known.field.clone(), answer, joined, history, kept_since: known.kept_since, more }
}

fn joined(known: &Known, pair: &Pair, history: &[FieldMoment]) -> FieldJoin {
    let waiting = known.waiting(pair);
    let present = |side| {
        let held = waiting.and_then(|stored| stored.conflict.held(of_merge(side)));
        held.map(contactor_sync::Value::to_json).or_else(|| present(pair, side, history))
    };
    FieldJoin {
        connection: pair.connection.clone(),
        partner: pair.partner.clone(),
        row: pair.row.clone(),
        link: pair.link.clone(),
        highlevel: present(Side::Highlevel),
        partner_value: present(Side::Partner),
        conflict: waiting.map(|stored| stored.id),
    }
}

/// A side's value as it was last written or, if that is later, as both sides agreed on it.
fn present(pair: &Pair, side: Side, history: &[FieldMoment]) -> Option<Json> {
    let is_it = |moment: &&FieldMoment| {
        moment.kind.writes()
            && moment.side == side
            && moment.field == pair.field(side)
            && (side == Side::Highlevel || moment.connection == pair.connection)
    };
    let written = history.iter().find(is_it);
    let agreed = pair.link.as_ref().and_then(|link| Some((link.updated_at, agreed(pair, link, side)?)));
    match (written, agreed) {
        // The agreement of the run that wrote it is what the system answered to the write.
        (Some(moment), Some((at, agreed))) if at >= moment.at => Some(agreed),
        (Some(moment), _) => moment.after.clone(),
        (None, agreed) => agreed.map(|(_, agreed)| agreed),
    }
}

fn agreed(pair: &Pair, link: &Link, side: Side) -> Option<Json> {
    let (row, merge_side) = (pair.spec(), of_merge(side));
    let agreed = link.base.get(&row.key())?;
    let plain = row.expression(merge_side).is_none()
        && row.partner_type == row.highlevel_type
        && match side {
            Side::Highlevel => row.values.to_partner.is_empty(),
            Side::Partner => row.values.to_highlevel.is_empty(),
        };
    // What a side offers is what it has when nothing is computed; else what was offered to it is in its own terms.
    if plain && row.direction.flows_from(merge_side) {
        Some(agreed.of(merge_side).to_json())
    } else if row.direction.flows_from(merge_side.other()) {
        Some(agreed.of(merge_side.other()).to_json())
    } else {
        None
    }
}

fn of_merge(side: Side) -> contactor_sync::Side {
    match side {
        Side::Highlevel => contactor_sync::Side::Highlevel,
        Side::Partner => contactor_sync::Side::Partner,
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Highlevel => Side::Partner,
        Side::Partner => Side::Highlevel,
    }
}

fn shown(value: &Json) -> String {
    crate::convert::show(&crate::convert::value_from_json(value))
}
