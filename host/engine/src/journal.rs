//! The journal of one handler: what it was answered is what it is answered again.
//!
//! A handler is ordinary code that runs again after a crash or a failure. Every call that writes is noted before it is made and
//! again with its answer; reads are noted together with the write that follows them. On a replay the noted answers come from
//! here, so the handler takes the same way up to the call that was not finished, and goes on from there.
//!
//! - A write whose answer was lost may have happened. What becomes of it depends on the call ([`Again`]): it is repeated, looked
//!   for first, or left to a person.
//! - A failed call that was the last one has led to nothing: it is made again.
//! - Another call than the noted one, or none where one was noted, means that the handler does not repeat itself (its settings were
//!   changed, or another build runs). Nothing more is written, and a person decides. When the person has it tried again, reads are
//!   made anew and finished writes are recognised by their content instead of their place.
//! - The same is done without a person when the version that began a handler was taken back. What may have happened and is not made
//!   any more could be what the other version does instead: it does nothing new beside it, and a person decides.

mod settled;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use contactor_runtime::bindings::types::Error;
use contactor_store::{
    ClaimedDelivery, Counted, DeliveryId, Digest, FailureClass, JournalEntry, JournalSlot, Lease, Origin,
    RecordId,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::compact;
use crate::failure::Failure;
use crate::guard::Pass;
use settled::Settled;

/// How the kinds of timers begin.
pub(crate) const TIMER: &str = "timer:";

/// Bytes of answered writes after which the journal of one delivery takes no further one. A handler that meets it would fill the
/// database: each answer of the partner may have 4 MiB, and a handler may make thousands of calls.
const WRITES: usize = 8 * 1024 * 1024;

/// Bytes of answered reads that the journal of one delivery keeps. Beyond it a replay reads anew.
const READS: usize = 1024 * 1024;

/// How far HighLevel's clock may be behind this host's: what was created so long before a call was begun may still be its doing.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Read,
    /// It changes another system.
    Write(Again),
    /// It changes the host's own store.
    Local,
}

/// What becomes of a write that may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is made again: doing it twice is doing it once.
    Freely,
    /// What it would have made is looked for, and only made if it is not there.
    AfterALook,
    /// Nobody can look for it, and it must not be done twice: a person decides.
    ByAPerson,
}

/// A call that a handler makes.
pub(crate) struct NewCall {
    /// For example `tasks.create`.
    pub(crate) operation: &'static str,
    /// Digest of its arguments.
    pub(crate) request: Vec<u8>,
    /// Its arguments as a person may see them.
    pub(crate) arguments: String,
    /// What it does.
    pub(crate) kind: Kind,
    /// The present time.
    pub(crate) now: Timestamp,
}

/// The journal of a claimed delivery.
pub(crate) struct Journal {
    lease: Lease,
    delivery: DeliveryId,
    component: Digest,
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
    written_bytes: usize,
    stopped: Option<Failure>,
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
    /// `component` handles it now.
    pub(crate) fn new(lease: &Lease, claimed: &ClaimedDelivery, component: &Digest) -> Self {
        let past: BTreeMap<u32, JournalEntry> =
            claimed.journal.iter().map(|entry| (entry.position, entry.clone())).collect();
        let last = past.keys().next_back().copied();
        Self {
            lease: lease.clone(),
            delivery: claimed.id,
            component: component.clone(),
            by_content: claimed.retried,
            timer: Some(claimed.kind.clone())
                .filter(|kind| claimed.source == Origin::Host && kind.starts_with(TIMER)),
            inner: Mutex::new(Inner {
                contact: claimed.contact_id.clone(),
                counted_timer: false,
                next: if claimed.retried { last.map_or(0, |last| last + 1) } else { 0 },
                written_bytes: past
                    .values()
                    .filter(|entry| entry.writes)
                    .filter_map(|entry| entry.result.as_ref())
                    .map(String::len)
                    .sum(),
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
    pub(crate) fn stopped(&self) -> Option<Failure> {
        self.lock().stopped.clone()
    }

    /// Lets no further call write.
    pub(crate) fn stop(&self, failure: Failure) -> Error {
        stop(&mut self.lock(), failure)
    }

    /// The handler says that it is done. If it left out a call that was noted, it did not repeat itself; if that call may have
    /// happened, nobody would learn of it.
    pub(crate) fn ended(&self) {
        let mut inner = self.lock();
        if inner.stopped.is_some() {
            return;
        }
        if self.by_content {
            let open = inner.past.values().find(|noted| is_open(noted, None)).map(passed_over);
            if let Some(failure) = open {
                stop(&mut inner, failure);
            }
            return;
        }
        let made = inner.next;
        let left = inner.past.range(made..).map(|(_, entry)| entry);
        let Some(left) = left.into_iter().find(|entry| entry.writes && !Settled::of(entry).is_refused())
        else {
            return;
        };
        let now = format!("now it ends after {made} calls");
        let failure = parted(left, &now, "nothing");
        stop(&mut inner, failure);
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

    /// The answer of a write was noted, and has so many bytes.
    pub(crate) fn have_kept(&self, bytes: usize) {
        let mut inner = self.lock();
        inner.written_bytes = inner.written_bytes.saturating_add(bytes);
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
    pub(crate) fn begin(&self, call: NewCall) -> Result<Begun, Error> {
        let mut inner = self.lock();
        let writes = call.kind != Kind::Read;
        if let Some(failure) = inner.stopped.as_ref().or(inner.waits.as_ref()).filter(|_| writes) {
            return Err(Error::Other(failure.message.clone()));
        }
        let (position, noted) = if self.by_content {
            let is_it = |entry: &JournalEntry| writes && entry.writes && is_same(entry, &call);
            let known = inner.past.iter().find(|(_, entry)| is_it(entry)).map(|(position, _)| *position);
            match known.and_then(|known| inner.past.remove(&known)) {
                Some(noted) => (noted.position, Some(noted)),
                None => {
                    let open = |noted: &&JournalEntry| writes && is_open(noted, Some(&call));
                    let open = inner.past.values().find(open).map(passed_over);
                    if let Some(failure) = open {
                        return Err(stop(&mut inner, failure));
                    }
                    (inner.take_place(), None)
                }
            }
        } else {
            let position = inner.take_place();
            (position, inner.past.get(&position).cloned())
        };
        let Some(noted) = noted else {
            if writes && inner.written_bytes > WRITES {
                return Err(stop(&mut inner, full(call.operation)));
            }
            return Ok(Begun::Make(self.ticket(&mut inner, position, call, None)));
        };
        let settled = Settled::of(&noted);
        // What a handler went on after is what it was answered, whatever that was. A person who has it tried again was asked about the
        // last call alone; what was refused before it is tried anew.
        let led_on = if self.by_content {
            call.kind == Kind::Write(Again::ByAPerson)
                && settled.may_have_happened()
                && inner.last > Some(position)
        } else {
            inner.last != Some(position)
        };
        if !is_same(&noted, &call) {
            // What was refused last led to nothing, so another call may take its place.
            if !led_on && settled.is_refused() {
                return Ok(Begun::Make(self.ticket(&mut inner, position, call, None)));
            }
            let what = if noted.operation == call.operation { "with other values" } else { "in its place" };
            let now = format!("now it makes {} {what}", call.operation);
            let failure = parted(&noted, &now, &shown(call.operation, &call.arguments));
            return Err(stop(&mut inner, failure));
        }
        match noted.result.clone() {
            Some(result) if led_on || settled == Settled::Done => return Ok(Begun::Answered(result)),
            _ => {}
        }
        let Kind::Write(again) = call.kind else {
            return Ok(Begun::Make(self.ticket(&mut inner, position, call, None)));
        };
        let unsure = match again {
            Again::ByAPerson => settled == Settled::Unknown,
            Again::Freely | Again::AfterALook => settled.may_have_happened(),
        };
        if unsure && again == Again::ByAPerson && !noted.released {
            return Err(stop(&mut inner, unknown(&noted)));
        }
        Ok(Begun::Make(self.ticket(&mut inner, position, call, Some(noted).filter(|_| unsure))))
    }

    /// `unsure` is what was noted of the attempt that may have happened.
    fn ticket(
        &self,
        inner: &mut Inner,
        position: u32,
        call: NewCall,
        unsure: Option<JournalEntry>,
    ) -> Box<Ticket> {
        let writes = call.kind != Kind::Read;
        let reads = if writes { std::mem::take(&mut inner.reads) } else { Vec::new() };
        let is_unsure = unsure.is_some();
        // Whatever is found is held against the first attempt: any of them may have made it.
        let (begun_at, standing) =
            unsure.map_or((Some(call.now), Vec::new()), |noted| (noted.begun_at, noted.standing));
        let call = JournalEntry {
            position,
            operation: call.operation.to_owned(),
            request: call.request,
            writes,
            result: None,
            arguments: call.arguments,
            begun_at,
            standing,
            released: false,
        };
        Box::new(Ticket {
            slot: JournalSlot {
                lease: self.lease.clone(),
                delivery: self.delivery,
                component: Some(self.component.clone()),
                call,
                reads,
                limit: None,
            },
            unsure: is_unsure,
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

impl Inner {
    fn take_place(&mut self) -> u32 {
        let place = self.next;
        self.next += 1;
        place
    }
}

/// Whether a record that was found can be what a call made whose answer was lost: it was not there before, as far as is known.
pub(crate) fn may_be_of(call: &JournalEntry, id: &str, created: Option<Timestamp>) -> bool {
    if call.standing.iter().any(|standing| standing.as_str() == id) {
        return false;
    }
    let earliest = call.begun_at.and_then(|begun| begun.checked_sub(SKEW).ok());
    created.zip(earliest).is_none_or(|(created, earliest)| created >= earliest)
}

/// Whether a noted call may have happened that nobody released, so that `now` could do it a second time, or nobody would learn of it if
/// nothing more were done.
fn is_open(noted: &JournalEntry, now: Option<&NewCall>) -> bool {
    if !noted.writes || noted.released {
        return false;
    }
    match Settled::of(noted) {
        Settled::Unknown => true,
        // It was most likely refused, and what a mended version does instead is wanted; but of what it creates there could be two.
        Settled::Doubtful => now.is_some_and(|now| {
            now.kind == Kind::Write(Again::AfterALook) && now.operation == noted.operation
        }),
        Settled::Done | Settled::Refused => false,
    }
}

fn is_same(noted: &JournalEntry, call: &NewCall) -> bool {
    noted.operation == call.operation && noted.request == call.request
}

fn stop(inner: &mut Inner, failure: Failure) -> Error {
    Error::Other(inner.stopped.get_or_insert(failure).message.clone())
}

fn shown(operation: &str, arguments: &str) -> String {
    format!("{operation} {arguments}").trim_end().to_owned()
}

/// The handler took another way than before. The calls come last: what precedes them is the same for all events of one cause.
fn parted(noted: &JournalEntry, now: &str, call: &str) -> Failure {
    Failure::new(
        FailureClass::GuestBug,
        format!(
            "the handler did not repeat itself: its call {} was {}, and {now}; nothing more was written. Were the connection's settings \
             changed, or does another build run? Retrying it keeps what was done and goes on with the present ones. Noted: {}. Now: {call}",
            noted.position + 1,
            noted.operation,
            shown(&noted.operation, &noted.arguments),
        ),
    )
}

/// The answers of the calls before have filled the journal. It is the same at every attempt.
fn full(operation: &str) -> Failure {
    Failure::new(
        FailureClass::GuestBug,
        format!(
            "{operation} was not made: the calls of this handler that write were answered with more than {} MiB together, which is all \
             that a journal keeps; nothing more was written. Its author should ask for shorter answers, or do the rest at a timer",
            WRITES >> 20
        ),
    )
}

/// A call that must not be made twice may have happened.
fn unknown(noted: &JournalEntry) -> Failure {
    let why = format!(
        "is not repeated by itself: {} gave no answer, nobody can look for it, and doing it twice would show",
        system(noted)
    );
    unsure(noted, &why, "have it done once more")
}

/// A call may have happened that the handler, which goes on otherwise, does not make any more.
fn passed_over(noted: &JournalEntry) -> Failure {
    let why = format!(
        "is not made any more: whether {} did it is not known, and what the handler does now may be the same once more",
        system(noted)
    );
    unsure(noted, &why, "have the handler go on all the same")
}

/// The system that a call changes.
fn system(noted: &JournalEntry) -> &'static str {
    if noted.operation.starts_with("partner.") { "the partner" } else { "HighLevel" }
}

/// A call may have happened; a person looks, and decides.
fn unsure(noted: &JournalEntry, why: &str, retry: &str) -> Failure {
    let at = noted.begun_at.map_or_else(|| "before".to_owned(), |at| format!("at {at}"));
    Failure::new(
        FailureClass::Unsure,
        format!(
            "{} may have happened and {why}. Nothing more was written. Look at {} whether it was done; retry this to {retry}, or discard \
             it, which also leaves out what would have followed. It was begun {at}: {}",
            noted.operation,
            system(noted),
            shown(&noted.operation, &noted.arguments),
        ),
    )
}

/// The digest of a call's arguments.
pub(crate) fn digest(arguments: &impl Serialize) -> Vec<u8> {
    /// Hashes the document without holding it.
    struct Hashed(Sha256);

    impl std::io::Write for Hashed {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut hashed = Hashed(Sha256::new());
    // The types of wit/ are plain data: writing them as JSON cannot fail.
    let _ = serde_json::to_writer(&mut hashed, arguments);
    hashed.0.finalize().to_vec()
}

/// A contact with exactly these tags, as one id: what the journal keeps of a change of tags.
pub(crate) fn tags_state(contact: &str, tags: &[String]) -> RecordId {
    // HighLevel keeps tags in lower case, and in no order.
    let tags: BTreeSet<String> = tags.iter().map(|tag| tag.trim().to_lowercase()).collect();
    RecordId::new(format!("tags:{}", hex::encode(digest(&(contact, tags)))))
}

/// An answer as the journal keeps it.
pub(crate) fn keep<T: Serialize>(answer: &Result<T, Error>) -> String {
    String::from_utf8(compact::written(answer)).unwrap_or_default()
}

/// A kept answer.
pub(crate) fn answer<T: DeserializeOwned>(kept: &str) -> Result<T, Error> {
    compact::read(kept).unwrap_or_else(|error| Err(unreadable(&error)))
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::Other(format!("the journal's answer cannot be read: {error}; this is a defect of the host"))
}
