//! The journal of one handler: what it was answered is what it is answered again.
//!
//! A handler is ordinary code that runs again after a crash or a failure. Every call that writes is noted before it is made and
//! again with its answer; reads are noted together with the write that follows them. On a replay the noted answers come from
//! here, so the handler takes the same way up to the call that was not finished, and goes on from there.
//!
//! - A write that was noted without an answer may have happened. It is looked for, where that is possible, and repeated.
//! - A failed call that was the last one has led to nothing: it is made again.
//! - Another call than the noted one means that the handler does not repeat itself (its settings were changed, say). Nothing
//!   more is written, and a person decides. When the person has it tried again, reads are made anew and finished writes are
//!   recognised by their content instead of their place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use contactor_runtime::bindings::types::Error;
use contactor_store::{
    ClaimedDelivery, Counted, DeliveryId, JournalEntry, JournalSlot, Lease, Origin, RecordId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;
use crate::guard::Pass;

/// How the kinds of timers begin.
pub(crate) const TIMER: &str = "timer:";

/// Bytes of answered reads that the journal of one delivery keeps. Beyond it a replay reads anew.
const READS: usize = 1024 * 1024;

/// The journal of a claimed delivery.
pub(crate) struct Journal {
    lease: Lease,
    delivery: DeliveryId,
    by_content: bool,
    /// The kind of the timer that is handled, if one is.
    timer: Option<String>,
    inner: Mutex<Inner>,
}

struct Inner {
    contact: Option<RecordId>,
    counted_timer: bool,
    past: BTreeMap<u32, JournalEntry>,
    last: Option<u32>,
    next: u32,
    reads: Vec<JournalEntry>,
    read_bytes: usize,
    stopped: Option<String>,
    waits: Option<Failure>,
    counted: BTreeSet<Counted>,
}

/// What to do with a call.
pub(crate) enum Begun {
    /// It was made: its answer.
    Answered(String),
    /// It has to be made.
    Make(Box<Ticket>),
}

/// A call that has to be made.
pub(crate) struct Ticket {
    /// Where it is noted.
    pub(crate) slot: JournalSlot,
    /// It was begun before and may have happened.
    pub(crate) unsure: bool,
    /// The linked contacts that it changes when it succeeds.
    pub(crate) changes: Vec<Counted>,
    /// The guard's leave, until its answer is noted.
    pub(crate) pass: Option<Pass>,
}

impl Journal {
    pub(crate) fn new(lease: &Lease, claimed: &ClaimedDelivery) -> Self {
        let past: BTreeMap<u32, JournalEntry> =
            claimed.journal.iter().map(|entry| (entry.position, entry.clone())).collect();
        let last = past.keys().next_back().copied();
        Self {
            lease: lease.clone(),
            delivery: claimed.id,
            by_content: claimed.retried,
            timer: Some(claimed.kind.clone())
                .filter(|kind| claimed.source == Origin::Host && kind.starts_with(TIMER)),
            inner: Mutex::new(Inner {
                contact: claimed.contact_id.clone(),
                counted_timer: false,
                next: if claimed.retried { last.map_or(0, |last| last + 1) } else { 0 },
                past,
                last,
                reads: Vec::new(),
                read_bytes: 0,
                stopped: None,
                waits: None,
                counted: BTreeSet::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the handler must not go on, if it must not.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.lock().stopped.clone()
    }

    /// Lets no further call write.
    pub(crate) fn stop(&self, why: String) -> Error {
        let mut inner = self.lock();
        Error::Other(inner.stopped.get_or_insert(why).clone())
    }

    /// Why the handler has to be run again later, if it has to.
    pub(crate) fn waits(&self) -> Option<Failure> {
        self.lock().waits.clone()
    }

    /// Lets no further call of this attempt write: the next attempt makes the call that may not be made now.
    pub(crate) fn wait(&self, failure: Failure) -> Error {
        Error::Other(self.lock().waits.get_or_insert(failure).message.clone())
    }

    /// Whether a contact was counted for a call of this attempt.
    pub(crate) fn has_counted(&self, one: &Counted) -> bool {
        self.lock().counted.contains(one)
    }

    /// These were counted with the answer of a call.
    pub(crate) fn have_counted(&self, changes: Vec<Counted>) {
        self.lock().counted.extend(changes);
    }

    /// The contact turned out only now: writes count as writes of it.
    pub(crate) fn is_about(&self, contact: Option<&RecordId>) {
        self.lock().contact = contact.cloned();
    }

    /// What a write counts as a write of.
    pub(crate) fn contact(&self) -> Option<RecordId> {
        self.lock().contact.clone()
    }

    /// Whether a timer is handled.
    pub(crate) fn is_of_timer(&self) -> bool {
        self.timer.is_some()
    }

    /// What a timer that is set now counts as a write of, and by how many the limit is wider: nothing, unless a timer is handled and
    /// this is the first that its handler sets. Timers without a contact stand for many things of one kind.
    pub(crate) fn chain_of_timers(&self) -> Option<(RecordId, u32)> {
        let kind = self.timer.as_ref()?;
        let mut inner = self.lock();
        if std::mem::replace(&mut inner.counted_timer, true) {
            return None;
        }
        Some(inner.contact.clone().map_or_else(|| (RecordId::new(format!("({kind})")), 10), |id| (id, 1)))
    }

    /// A call begins.
    pub(crate) fn begin(&self, operation: &str, request: &[u8], writes: bool) -> Result<Begun, Error> {
        let mut inner = self.lock();
        if let Some(why) = inner.stopped.as_ref().filter(|_| writes) {
            return Err(Error::Other(why.clone()));
        }
        if let Some(failure) = inner.waits.as_ref().filter(|_| writes) {
            return Err(Error::Other(failure.message.clone()));
        }
        if self.by_content {
            return Ok(self.begin_by_content(&mut inner, operation, request, writes));
        }
        let position = inner.next;
        inner.next += 1;
        let Some(noted) = inner.past.get(&position).cloned() else {
            return Ok(Begun::Make(self.ticket(&mut inner, position, operation, request, writes, false)));
        };
        let is_last = inner.last == Some(position);
        if noted.operation == operation && noted.request == request {
            return Ok(match noted.result {
                Some(result) if !is_last || is_success(&result) => Begun::Answered(result),
                ref result => {
                    let unsure = writes && may_have_happened(result.as_deref());
                    Begun::Make(self.ticket(&mut inner, position, operation, request, writes, unsure))
                }
            });
        }
        if is_last
            && noted
                .result
                .as_deref()
                .is_some_and(|result| !may_have_happened(Some(result)) && !is_success(result))
        {
            // The noted call was refused and led to nothing, so another one may take its place.
            return Ok(Begun::Make(self.ticket(&mut inner, position, operation, request, writes, false)));
        }
        let what = if noted.operation == operation { "with other values" } else { "in its place" };
        let why = format!(
            "the handler did not repeat itself: its call {} was {}, and now it makes {operation} {what}; nothing more was \
             written. Were the connection's settings changed? Retrying it keeps what was done and goes on with the present ones",
            position + 1,
            noted.operation,
        );
        inner.stopped = Some(why.clone());
        Err(Error::Other(why))
    }

    fn begin_by_content(&self, inner: &mut Inner, operation: &str, request: &[u8], writes: bool) -> Begun {
        let is_it =
            |entry: &JournalEntry| entry.writes && entry.operation == operation && entry.request == request;
        let known =
            inner.past.iter().find(|(_, entry)| writes && is_it(entry)).map(|(position, _)| *position);
        let Some(noted) = known.and_then(|position| inner.past.remove(&position)) else {
            let position = inner.next;
            inner.next += 1;
            return Begun::Make(self.ticket(inner, position, operation, request, writes, false));
        };
        match noted.result {
            Some(result) if is_success(&result) => Begun::Answered(result),
            result => {
                let unsure = may_have_happened(result.as_deref());
                Begun::Make(self.ticket(inner, noted.position, operation, request, writes, unsure))
            }
        }
    }

    fn ticket(
        &self,
        inner: &mut Inner,
        position: u32,
        operation: &str,
        request: &[u8],
        writes: bool,
        unsure: bool,
    ) -> Box<Ticket> {
        let reads = if writes { std::mem::take(&mut inner.reads) } else { Vec::new() };
        let call = JournalEntry {
            position,
            operation: operation.to_owned(),
            request: request.to_vec(),
            writes,
            result: None,
        };
        Box::new(Ticket {
            slot: JournalSlot {
                lease: self.lease.clone(),
                delivery: self.delivery,
                call,
                reads,
                limit: None,
            },
            unsure,
            changes: Vec::new(),
            pass: None,
        })
    }

    /// A read was answered. It is noted with the next write: without one, reading again changes nothing.
    pub(crate) fn read(&self, ticket: Ticket, answer: String) {
        if self.by_content {
            return;
        }
        let mut inner = self.lock();
        let mut entry = ticket.slot.call;
        if inner.read_bytes + answer.len() <= READS {
            inner.read_bytes += answer.len();
            entry.result = Some(answer);
        }
        inner.reads.push(entry);
    }
}

/// The digest of a call's arguments.
pub(crate) fn digest(arguments: &impl Serialize) -> Vec<u8> {
    // The types of wit/ are plain data: writing them as JSON cannot fail.
    Sha256::digest(serde_json::to_vec(arguments).unwrap_or_default()).to_vec()
}

/// A contact with exactly these tags, as one id: what the journal keeps of a change of tags.
pub(crate) fn tags_state(contact: &str, tags: &[String]) -> RecordId {
    // HighLevel keeps tags in lower case, and in no order.
    let tags: BTreeSet<String> = tags.iter().map(|tag| tag.trim().to_lowercase()).collect();
    RecordId::new(format!("tags:{}", hex::encode(digest(&(contact, tags)))))
}

/// An answer as the journal keeps it.
pub(crate) fn keep<T: Serialize>(answer: &Result<T, Error>) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

/// A kept answer.
pub(crate) fn answer<T: DeserializeOwned>(kept: &str) -> Result<T, Error> {
    serde_json::from_str(kept).unwrap_or_else(|error| {
        Err(Error::Other(format!(
            "the journal's answer cannot be read: {error}; this is a defect of the host"
        )))
    })
}

fn is_success(result: &str) -> bool {
    result.starts_with("{\"Ok\"")
}

/// Whether a call without success may have taken effect: its answer was never seen, or is one that systems give without
/// knowing. HighLevel was seen to refuse the values of a contact and to create it all the same.
fn may_have_happened(result: Option<&str>) -> bool {
    match result.map(answer::<serde::de::IgnoredAny>) {
        None | Some(Ok(_)) => true,
        Some(Err(error)) => matches!(error, Error::Unavailable(_) | Error::Other(_) | Error::Invalid(_)),
    }
}

#[cfg(test)]
mod tests {
    use contactor_store::{ConnectionId, WorkspaceId};

    use super::*;

    fn entry(position: u32, operation: &str, result: Option<&str>) -> JournalEntry {
        JournalEntry {
            position,
            operation: operation.to_owned(),
            request: vec![1],
            writes: true,
            result: result.map(str::to_owned),
        }
    }

    fn journal(past: Vec<JournalEntry>, retried: bool) -> Journal {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let lease = Lease { owner: "one".to_owned(), token: 1, expires_at: now };
        let claimed = ClaimedDelivery {
            id: DeliveryId(1),
            connection: ConnectionId::new("acme/test"),
            workspace: WorkspaceId::new("acme"),
            event: None,
            source: Origin::Host,
            kind: "timer:t".to_owned(),
            contact_id: None,
            partner_id: None,
            at: now,
            begun_at: now,
            fields: contactor_sync::Fields::new(),
            payload: "{}".to_owned(),
            attempts: 1,
            retried,
            journal: past,
        };
        Journal::new(&lease, &claimed)
    }

    const DONE: &str = r#"{"Ok":7}"#;
    const REFUSED: &str = r#"{"Err":{"NotFound":"c1"}}"#;
    const BROKEN: &str = r#"{"Err":{"Unavailable":"502"}}"#;

    /// `=answer`, `make`, `unsure` or `stop`.
    fn shown(begun: Result<Begun, Error>) -> String {
        match begun {
            Ok(Begun::Answered(answer)) => format!("={answer}"),
            Ok(Begun::Make(ticket)) if ticket.unsure => "unsure".to_owned(),
            Ok(Begun::Make(_)) => "make".to_owned(),
            Err(_) => "stop".to_owned(),
        }
    }

    fn replay(past: Vec<JournalEntry>, calls: &[&str]) -> Vec<String> {
        let journal = journal(past, false);
        calls.iter().map(|call| shown(journal.begin(call, &[1], true))).collect()
    }

    #[test]
    fn finished_calls_are_answered_and_what_follows_is_made() {
        let past = vec![entry(0, "tasks.create", Some(DONE)), entry(1, "tags.add", Some(DONE))];
        let done = format!("={DONE}");
        assert_eq!(replay(past, &["tasks.create", "tags.add", "notes.create"]), [&done, &done, "make"]);
    }

    #[test]
    fn a_call_without_an_answer_may_have_happened() {
        let past = vec![entry(0, "tasks.create", None)];
        assert_eq!(replay(past, &["tasks.create", "tags.add"]), ["unsure", "make"]);
        assert_eq!(replay(vec![entry(0, "tasks.create", Some(BROKEN))], &["tasks.create"]), ["unsure"]);
    }

    #[test]
    fn a_refusal_counts_only_when_the_handler_went_on_after_it() {
        let refused = entry(0, "tasks.get", Some(REFUSED));
        assert_eq!(replay(vec![refused.clone()], &["tasks.get"]), ["make"]);
        let went_on = vec![refused.clone(), entry(1, "tags.add", Some(DONE))];
        assert_eq!(replay(went_on, &["tasks.get"]), [format!("={REFUSED}")]);
        assert_eq!(replay(vec![refused], &["tags.add"]), ["make"], "it led to nothing");
    }

    #[test]
    fn another_call_than_the_noted_one_stops_the_handler_and_names_both() {
        for result in [Some(DONE), None, Some(BROKEN)] {
            let journal = journal(vec![entry(0, "tasks.create", result)], false);
            assert_eq!(shown(journal.begin("notes.create", &[1], true)), "stop", "{result:?}");
            let why = journal.stopped().unwrap();
            assert!(why.contains("tasks.create") && why.contains("notes.create"), "{why}");
            assert_eq!(shown(journal.begin("tags.add", &[1], true)), "stop", "nothing more is written");
        }
        let journal = journal(vec![entry(0, "tags.add", Some(DONE))], false);
        assert_eq!(shown(journal.begin("tags.add", &[2], true)), "stop");
        assert!(journal.stopped().unwrap().contains("with other values"));
    }

    #[test]
    fn a_person_who_retries_keeps_what_was_done_by_its_content() {
        let past = vec![entry(0, "tasks.create", Some(DONE)), entry(1, "tags.add", None)];
        let journal = journal(past, true);
        assert_eq!(shown(journal.begin("notes.create", &[1], true)), "make");
        assert_eq!(shown(journal.begin("tags.add", &[1], true)), "unsure");
        assert_eq!(shown(journal.begin("tasks.create", &[1], true)), format!("={DONE}"));
        assert_eq!(shown(journal.begin("tasks.create", &[1], true)), "make", "it was done once");
    }

    #[test]
    fn reads_are_noted_with_the_write_that_follows_them() {
        let journal = journal(Vec::new(), false);
        let Ok(Begun::Make(read)) = journal.begin("tasks.list-all", &[1], false) else { panic!() };
        journal.read(*read, "{\"Ok\":[]}".to_owned());
        let Ok(Begun::Make(write)) = journal.begin("tags.add", &[1], true) else { panic!() };
        assert_eq!(write.slot.call.position, 1);
        assert_eq!(write.slot.reads.len(), 1);
        assert_eq!(write.slot.reads[0].result.as_deref(), Some("{\"Ok\":[]}"));
    }
}
