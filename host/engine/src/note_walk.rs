//! The walk over the notes of linked contacts, for notes whose webhook was lost.
//!
//! HighLevel lists notes only contact by contact, and a note changes no date of its contact: one whose webhook was lost would
//! never be seen. So a workspace's linked contacts are read one after the other, once for all its connections, and a list that is
//! not as a connection's last run left it is marked. A round takes a day, or longer where there are more contacts than the walk
//! may read in one: it is worth no more than a twentieth of the vendor's daily quota.
//!
//! A contact that HighLevel does not have any more is found on the way, and is marked as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contactor_store::{ConnectionId, Cursor, Link, Mark, Priority, RecordId, Side, WorkspaceId};
use contactor_sync::Child;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};

use crate::active::Active;
use crate::engine::Engine;
use crate::failure::{Failure, of_store};
use crate::reconcile::RunContext;
use crate::reconcile::children::{self, Kind};

/// The name of the walk's cursor.
const STREAM: &str = "notes";
/// The shortest time of one round.
const ROUND: SignedDuration = SignedDuration::from_hours(24);
/// Time per contact: 10,000 calls in a day, of the 200,000 that HighLevel allows an app for a location.
const PACE: SignedDuration = SignedDuration::from_millis(24 * 3_600 * 1_000 / 10_000);
/// Contacts of one step, so that the other walks have their turn.
const PAGE: u32 = 20;
/// Reads at the same time.
const READS_AT_ONCE: usize = 4;

/// How far the walk has come. Its time is kept as an instant that each contact moves on: what lies between it and now is what
/// may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Round {
    /// The last contact; none at the beginning of a round.
    after: Option<RecordId>,
    /// Contacts of this round so far.
    seen: u64,
    /// When the next contact may be read.
    next: Timestamp,
}

impl Round {
    /// The first round begins when the time for it has come: everything was just read.
    fn first(now: Timestamp) -> Self {
        Self { after: None, seen: 0, next: now }
    }

    fn of(cursor: &Cursor) -> Self {
        let after = cursor.cursor.as_deref().map(RecordId::new);
        Self { after, seen: cursor.seen, next: cursor.updated_at }
    }

    /// How many contacts may be read now. A host that stood still makes up for one day, not for more.
    fn allowed(&self, now: Timestamp) -> u32 {
        let saved = now.duration_since(self.next).min(ROUND).as_millis() / PACE.as_millis();
        u32::try_from(saved).unwrap_or(0).min(PAGE)
    }

    /// After a page that ended with this contact; without one the round is over.
    fn moved(&self, read: usize, last: Option<RecordId>, now: Timestamp) -> Self {
        let pace = |contacts: u64| PACE * i32::try_from(contacts).unwrap_or(i32::MAX);
        let read = read as u64;
        let seen = self.seen + read;
        let next = self.next.max(now - ROUND) + pace(read);
        match last {
            Some(last) => Self { after: Some(last), seen, next },
            None => {
                Self { after: None, seen: 0, next: next + (ROUND - pace(seen)).max(SignedDuration::ZERO) }
            }
        }
    }

    fn cursor(self, carrier: &ConnectionId) -> Cursor {
        Cursor {
            connection: carrier.clone(),
            stream: STREAM.to_owned(),
            cursor: self.after.map(|id| id.as_str().to_owned()),
            done: self.seen == 0,
            seen: self.seen,
            total: None,
            updated_at: self.next,
            trouble: None,
        }
    }
}

impl Engine {
    /// One page of the walk over a workspace's notes, when it is due; answers whether there are more.
    pub(crate) async fn note_walk_step(&self, workspace: &WorkspaceId) -> Result<bool, Failure> {
        let Some(walkers) = self.walkers(workspace, Kind::Note, &[]).await? else { return Ok(false) };
        let id = &walkers.carrier.connection.id;
        let now = self.now();
        let cursor = self.store().cursor(id, STREAM).await.map_err(of_store)?;
        let Some(cursor) = cursor else {
            let first = Round::first(now).cursor(id);
            return self.store().put_cursor(first).await.map(|()| false).map_err(of_store);
        };
        let round = Round::of(&cursor);
        let allowed = round.allowed(now);
        if allowed == 0 || crate::trouble::rests(Some(&cursor), now) {
            return Ok(false);
        }
        let run = self.context(&walkers.carrier, Priority::Sweep, false);
        match self.note_page(&run, &walkers.keepers, &round, allowed).await {
            Ok((read, last)) => {
                let moved = round.moved(read, last, now);
                let more = moved.allowed(now) > 0;
                self.store().put_cursor(moved.cursor(id)).await.map_err(of_store)?;
                Ok(more)
            }
            Err(failure) => self.troubled(&run, cursor, walkers.interval, failure).await.map(|()| false),
        }
    }

    /// Reads the notes of the next contacts and marks what differs. Answers how many they were and, unless they were the last
    /// of all, the last of them.
    async fn note_page(
        &self,
        run: &RunContext,
        keepers: &[Arc<Active>],
        round: &Round,
        allowed: u32,
    ) -> Result<(usize, Option<RecordId>), Failure> {
        let list = Kind::Note.list();
        let mut left = Vec::new();
        let mut contacts = BTreeSet::new();
        for keeper in keepers {
            let links = self.store().links(&keeper.connection.id, list, round.after.as_ref(), allowed).await;
            let links = links.map_err(of_store)?;
            contacts.extend(links.iter().map(|link| link.highlevel_id.clone()));
            let links = links.into_iter().map(|link| (link.highlevel_id.clone(), link));
            left.push((keeper, links.collect::<BTreeMap<RecordId, Link>>()));
        }
        let more = contacts.len() >= allowed as usize;
        let page: Vec<RecordId> = contacts.into_iter().take(allowed as usize).collect();
        let shown: Vec<(RecordId, Option<Vec<Child>>)> = futures_util::stream::iter(page.iter().cloned())
            .map(|contact| async move {
                let notes = run.read_children(Kind::Note, &contact).await?;
                Ok::<_, Failure>((contact, notes))
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        for (keeper, links) in left {
            let marks: Vec<Mark> = shown
                .iter()
                .filter_map(|(id, notes)| differs(keeper, links.get(id)?, notes.as_ref()))
                .collect();
            if !marks.is_empty() {
                let id = &keeper.connection.id;
                self.store().mark(id, marks, Priority::Sweep, None).await.map_err(of_store)?;
                self.wake().wake();
            }
        }
        Ok((page.len(), page.into_iter().last().filter(|_| more)))
    }
}

/// The mark of a list that is not as the last run left it, or of its contact when HighLevel does not have that any more.
fn differs(keeper: &Active, link: &Link, notes: Option<&Vec<Child>>) -> Option<Mark> {
    let contact = &link.highlevel_id;
    let Some(notes) = notes else { return Some(children::mark("contact", Side::Highlevel, contact)) };
    let list = keeper.lists.get(Kind::Note.list())?;
    let now = list.highlevel_print(notes, &keeper.context);
    (now != link.highlevel_fingerprint).then(|| children::mark(Kind::Note.list(), Side::Highlevel, contact))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::constant(1_790_000_000, 0);

    fn hours(hours: i64) -> Timestamp {
        NOON + SignedDuration::from_hours(hours)
    }

    /// Reads whatever may be read at each of these hours; answers how many contacts that were in each round.
    fn rounds(contacts: u64, hours_passed: impl Iterator<Item = i64>) -> Vec<u64> {
        let mut round = Round::first(NOON);
        let mut done = Vec::new();
        for now in hours_passed.map(hours) {
            while round.allowed(now) > 0 {
                let read = u64::from(round.allowed(now)).min(contacts - round.seen);
                let last = round.seen + read == contacts;
                let before = round.seen;
                let id = (!last).then(|| RecordId::new("x"));
                round = round.moved(usize::try_from(read).unwrap(), id, now);
                if last {
                    done.push(before + read);
                }
            }
        }
        done
    }

    #[test]
    fn a_round_takes_a_day_or_as_long_as_its_contacts_take() {
        let days = |days: i64| 1..=days * 24;
        assert_eq!(rounds(30, days(3)), [30, 30, 30]);
        assert_eq!(rounds(9_000, days(3)), [9_000, 9_000, 9_000]);
        assert_eq!(rounds(25_000, days(5)), [25_000, 25_000], "10,000 a day");
    }

    #[test]
    fn a_host_that_stood_still_makes_up_for_one_day() {
        assert_eq!(rounds(30, [24 * 30, 24 * 30 + 1, 24 * 31].into_iter()), [30, 30]);
        assert_eq!(rounds(15_000, [24 * 30, 24 * 30 + 1].into_iter()), [] as [u64; 0]);
    }

    #[test]
    fn nothing_is_read_before_its_time() {
        let round = Round::first(NOON);
        assert_eq!(round.allowed(NOON), 0);
        assert_eq!(round.allowed(NOON - SignedDuration::from_hours(1)), 0, "a clock that was set back");
        assert_eq!(round.allowed(NOON + PACE), 1);
        assert_eq!(round.allowed(hours(1)), PAGE);
        let over = round.moved(1, None, NOON + PACE);
        assert_eq!(over.next, NOON + ROUND);
    }

    #[test]
    fn a_cursor_keeps_the_round() {
        let round = Round { after: Some(RecordId::new("c1")), seen: 7, next: NOON };
        assert_eq!(Round::of(&round.clone().cursor(&ConnectionId::new("acme/x"))), round);
    }
}
