//! Every call of a connector passes here: the one place that knows which calls write, and notes them in the journal of the
//! handler that makes them. Outside of a handler there is no journal, and calls go straight on.

use contactor_runtime::bindings::types::{Error, NamedValue, Value};
use contactor_runtime::bindings::{
    appointments, bulk, campaigns, clock, contacts, log, notes, notifications, partner, rules, settings,
    state, tags, tasks, timers, workflows,
};
use contactor_store::{FailureClass, RecordId, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Capabilities, sizes};
use crate::failure::{Failure, of_store};
use crate::journal::{self, Again, Begun, Journal, Kind, NewCall, Ticket};
use crate::partner::{is_repeatable, is_write};
use crate::replay::{Taped, packed};

/// Bytes of a call's arguments that the journal keeps for a person.
const ARGUMENTS: usize = 512;

/// A record that a call created, if it did.
trait Record {
    fn created(&self) -> Option<&str>;
}

macro_rules! records {
    ($($record:ty),*) => { $(impl Record for $record {
        fn created(&self) -> Option<&str> {
            Some(&self.id)
        }
    })* };
}

records!(contacts::Contact, tasks::Task, notes::Note);

impl Record for contacts::UpsertOutcome {
    fn created(&self) -> Option<&str> {
        self.created.then_some(self.contact.id.as_str())
    }
}

/// How a call goes on.
enum Step<T> {
    /// The journal answers.
    Answered(Result<T, Error>),
    /// It is made, and noted if there is a journal.
    Make(Option<Box<Ticket>>),
}

impl Capabilities {
    /// Asks the journal. A call that changes another system is noted before it is made, together with the records that it could later be
    /// mistaken for.
    async fn begin<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        arguments: &impl Serialize,
        kind: Kind,
        standing: impl AsyncFnOnce() -> Result<Vec<RecordId>, Failure>,
    ) -> Result<Step<T>, Error> {
        let Some(journal) = &self.direct.run.journal else { return Ok(Step::Make(None)) };
        let call = NewCall {
            operation,
            request: journal::digest(arguments),
            arguments: self.shown(arguments),
            kind,
            now: self.direct.run.engine.now(),
        };
        match journal.begin(call)? {
            Begun::Answered(answer) => Ok(Step::Answered(journal::answer(&answer))),
            Begun::Make(mut ticket) => {
                if matches!(kind, Kind::Write(_)) {
                    let run = &self.direct.run;
                    if !ticket.unsure {
                        ticket.slot.call.standing =
                            standing().await.map_err(|failure| journal.wait(failure))?;
                    }
                    let passed = run.pass_call(journal, operation, arguments).await;
                    (ticket.changes, ticket.pass) = passed.map_err(|failure| journal.wait(failure))?;
                    let contact = journal.contact();
                    let config = run.engine.config();
                    ticket.slot.limit = contact.and_then(|contact| config.write_limit(contact));
                    let noted = run.engine.store().journal_intent(ticket.slot.clone()).await;
                    noted.map_err(|error| unnoted(journal, operation, error))?;
                }
                Ok(Step::Make(Some(ticket)))
            }
        }
    }

    /// Arguments as a person may see them.
    fn shown(&self, arguments: &impl Serialize) -> String {
        let run = &self.direct.run;
        run.active.partner.brief(packed(arguments).to_string(), ARGUMENTS, run.recorder.hidden())
    }

    /// Notes the answer of a call that changes another system. One that cannot be noted counts as not seen.
    async fn end<T: Serialize>(
        &self,
        ticket: Option<Box<Ticket>>,
        answer: Result<T, Error>,
        record: Option<RecordId>,
    ) -> Result<T, Error> {
        let (Some(ticket), Some(journal)) = (ticket, &self.direct.run.journal) else { return answer };
        let Ticket { slot, changes, pass, .. } = *ticket;
        // What was refused is no change.
        let changes = if answer.is_ok() { changes } else { Vec::new() };
        let (store, kept) = (self.direct.run.engine.store(), journal::keep(&answer));
        let bytes = kept.len();
        let noted = store
            .journal_result(&slot.lease, slot.delivery, slot.call.position, kept, record, changes.clone())
            .await;
        noted.map_err(|error| unnoted(journal, &slot.call.operation, error))?;
        journal.have_kept(bytes);
        journal.have_counted(changes);
        drop(pass);
        answer
    }

    /// A read is noted with the next write.
    fn end_read<T: Serialize>(
        &self,
        ticket: Option<Box<Ticket>>,
        answer: Result<T, Error>,
    ) -> Result<T, Error> {
        if let (Some(ticket), Some(journal)) = (ticket, &self.direct.run.journal) {
            journal.read(*ticket, journal::keep(&answer));
        }
        answer
    }

    /// A change of the host's own store was noted with it, unless it failed.
    async fn end_local<T: Serialize>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        let slot = self.direct.slot.take();
        let (Some(mut slot), Some(journal), Err(_)) = (slot, &self.direct.run.journal, &answer) else {
            return answer;
        };
        let operation = slot.call.operation.clone();
        slot.call.result = Some(journal::keep(&answer));
        let noted = self.direct.run.engine.store().journal_intent(slot).await;
        noted.map_err(|error| unnoted(journal, &operation, error))?;
        answer
    }
}

/// A call without its note is not made, or counts as not seen: the attempt is over.
fn unnoted(journal: &Journal, operation: &str, error: StoreError) -> Error {
    match error {
        // No failure of the journal: the call is one too many, and would be at every attempt.
        StoreError::Limited(why) => {
            journal.stop(Failure::new(FailureClass::Loop, format!("{operation} was not made: {why}")))
        }
        error => {
            let failure = of_store(error);
            let message = format!("{operation} could not be noted in the journal: {}", failure.message);
            journal.wait(Failure { message, ..failure })
        }
    }
}

/// There is nothing that a call could be mistaken for later.
async fn nothing() -> Result<Vec<RecordId>, Failure> {
    Ok(Vec::new())
}

macro_rules! made {
    ($step:expr) => {
        match $step {
            Step::Answered(answer) => return answer,
            Step::Make(ticket) => ticket,
        }
    };
}

macro_rules! call {
    // Answers the same at every attempt, or to nobody.
    (plain $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {
        $interface::Host::$function(&mut $self.direct, $($argument),*).await
    };
    (read $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {{
        let ticket = made!($self.begin($name, &($(&$argument,)*), Kind::Read, nothing).await?);
        let answer = $interface::Host::$function(&mut $self.direct, $($argument),*).await;
        $self.end_read(ticket, answer)
    }};
    // Doing it twice is doing it once.
    (write $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {
        call!(@write (Again::Freely) $self $interface $function $name ($($argument),*))
    };
    // Doing it twice shows, and nobody can look whether it was done.
    (once $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {
        call!(@write (Again::ByAPerson) $self $interface $function $name ($($argument),*))
    };
    (@write ($again:expr) $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {{
        let ticket = made!($self.begin($name, &($(&$argument,)*), Kind::Write($again), nothing).await?);
        let answer = $interface::Host::$function(&mut $self.direct, $($argument),*).await;
        $self.end(ticket, answer, None).await
    }};
    // The record may be gone because of the first attempt.
    (delete $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {{
        let kind = Kind::Write(Again::Freely);
        let ticket = made!($self.begin($name, &($(&$argument,)*), kind, nothing).await?);
        let answer = match $interface::Host::$function(&mut $self.direct, $($argument),*).await {
            Err(Error::NotFound(_)) if ticket.as_ref().is_some_and(|ticket| ticket.unsure) => Ok(()),
            // Whether the first attempt happened is as unknown as before.
            Err(error) if ticket.as_ref().is_some_and(|ticket| ticket.unsure) => return Err(error),
            answer => answer,
        };
        $self.end(ticket, answer, None).await
    }};
    // The record may be there because of the first attempt: it is looked for before it is created again.
    (create $look:ident $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {
        call!(@create nothing $look $self $interface $function $name ($($argument),*))
    };
    // The same where only what was there before tells the record from others.
    (create $look:ident beside $standing:ident $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {{
        let direct = &$self.direct;
        let standing = async || direct.$standing($(&$argument),*).await;
        call!(@create standing $look $self $interface $function $name ($($argument),*))
    }};
    (@create $standing:ident $look:ident $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {{
        let kind = Kind::Write(Again::AfterALook);
        let ticket = made!($self.begin($name, &($(&$argument,)*), kind, $standing).await?);
        let made = match &ticket {
            Some(ticket) if ticket.unsure => $self.direct.$look(&ticket.slot.call, $(&$argument),*).await,
            _ => Ok(None),
        };
        let answer = match made {
            Ok(Some(record)) => Ok(record),
            Ok(None) => $interface::Host::$function(&mut $self.direct, $($argument),*).await,
            // That nobody could look is no answer of the create: whether it happened is as unknown as before.
            Err(error) => return Err(error),
        };
        let record = answer.as_ref().ok().and_then(Record::created).map(RecordId::new);
        $self.end(ticket, answer, record).await
    }};
    // The state that the write led to is remembered, so that the event of it is recognised.
    (tags $self:ident $interface:ident $function:ident $name:tt ($id:ident, $tags:ident)) => {{
        let kind = Kind::Write(Again::Freely);
        let mut ticket = made!($self.begin($name, &(&$id, &$tags), kind, nothing).await?);
        let answer = $interface::Host::$function(&mut $self.direct, $id.clone(), $tags).await;
        let changed = answer.as_ref().ok().filter(|change| !change.changed.is_empty());
        let state = changed.map(|change| journal::tags_state(&$id, &change.tags));
        if let (None, Some(ticket)) = (&state, &mut ticket) {
            ticket.changes.clear();
        }
        $self.end(ticket, answer, state).await
    }};
    (local $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {{
        let ticket = made!($self.begin($name, &($(&$argument,)*), Kind::Local, nothing).await?);
        $self.direct.slot = ticket.map(|ticket| ticket.slot);
        let answer = $interface::Host::$function(&mut $self.direct, $($argument),*).await;
        $self.end_local(answer).await
    }};
}

/// A call on the tape, if it is on one: answered from it, or written down with its answer. What answers the same at every attempt, or to
/// nobody, is on none.
macro_rules! taped {
    (plain $self:ident $name:tt ($($argument:ident),*) $call:expr) => { $call };
    ($how:ident $self:ident $name:tt ($($argument:ident),*) $call:expr) => {{
        sizes::check($name, &($(&$argument,)*))?;
        match $self.tape.begin($name, &($(&$argument,)*)) {
            Taped::Answered(answer) => answer,
            Taped::Make(arguments) => {
                // A block of its own: what the journal answers leaves it early.
                let answer = async { $call }.await;
                $self.tape.end($name, arguments, &answer);
                answer
            }
        }
    }};
}

macro_rules! on_tape {
    ([$first:ident $($more:ident)*] $self:ident $interface:ident $function:ident $name:tt ($($argument:ident),*)) => {
        taped!($first $self $name ($($argument),*) call!($first $($more)* $self $interface $function $name ($($argument),*)))
    };
}

/// Each function of the interfaces: how it goes on, and its name. The compiler refuses the list when one is missing.
macro_rules! calls {
    ($($interface:ident {
        $($name:literal: [$($how:ident)+] fn $function:ident($($argument:ident: $type:ty),* $(,)?) -> $answer:ty;)*
    })*) => { $(
        impl $interface::Host for Capabilities {
            $(async fn $function(&mut self, $($argument: $type),*) -> $answer {
                on_tape!([$($how)+] self $interface $function $name ($($argument),*))
            })*
        }
    )* };
}

calls! {
    contacts {
        "contacts.search": [read] fn search(request: contacts::SearchRequest) -> Result<contacts::ContactPage, Error>;
        "contacts.find-duplicate": [read] fn find_duplicate(email: Option<String>, phone: Option<String>) -> Result<Option<contacts::Contact>, Error>;
        "contacts.get": [read] fn get(id: String) -> Result<contacts::Contact, Error>;
        "contacts.create": [create created_contact] fn create(fields: Vec<NamedValue>, tags: Vec<String>) -> Result<contacts::Contact, Error>;
        "contacts.update": [write] fn update(id: String, fields: Vec<NamedValue>) -> Result<contacts::Contact, Error>;
        "contacts.delete": [delete] fn delete(id: String) -> Result<(), Error>;
        "contacts.upsert": [create created_upsert] fn upsert(fields: Vec<NamedValue>, create_new_if_duplicate_allowed: bool) -> Result<contacts::UpsertOutcome, Error>;
        "contacts.list-page": [read] fn list_page(query: Option<String>, limit: u32, cursor: Option<String>) -> Result<contacts::ContactPage, Error>;
        "contacts.list-by-business": [read] fn list_by_business(business_id: String, query: Option<String>, limit: u32, skip: u32) -> Result<contacts::ContactPage, Error>;
        "contacts.add-followers": [write] fn add_followers(id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error>;
        "contacts.remove-followers": [write] fn remove_followers(id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error>;
    }
    tasks {
        "tasks.list-all": [read] fn list_all(contact_id: String) -> Result<Vec<tasks::Task>, Error>;
        "tasks.create": [create created_task beside standing_tasks] fn create(contact_id: String, completed: bool, fields: Vec<NamedValue>) -> Result<tasks::Task, Error>;
        "tasks.get": [read] fn get(contact_id: String, id: String) -> Result<tasks::Task, Error>;
        "tasks.update": [write] fn update(contact_id: String, id: String, fields: Vec<NamedValue>) -> Result<tasks::Task, Error>;
        "tasks.delete": [delete] fn delete(contact_id: String, id: String) -> Result<(), Error>;
        "tasks.set-completed": [write] fn set_completed(contact_id: String, id: String, completed: bool) -> Result<tasks::Task, Error>;
    }
    notes {
        "notes.list-all": [read] fn list_all(contact_id: String) -> Result<Vec<notes::Note>, Error>;
        "notes.create": [create created_note] fn create(contact_id: String, body: String, fields: Vec<NamedValue>) -> Result<notes::Note, Error>;
        "notes.get": [read] fn get(contact_id: String, id: String) -> Result<notes::Note, Error>;
        "notes.update": [write] fn update(contact_id: String, id: String, fields: Vec<NamedValue>) -> Result<notes::Note, Error>;
        "notes.delete": [delete] fn delete(contact_id: String, id: String) -> Result<(), Error>;
    }
    tags {
        "tags.list-all": [read] fn list_all(contact_id: String) -> Result<Vec<String>, Error>;
        "tags.add": [tags] fn add(contact_id: String, tags: Vec<String>) -> Result<tags::TagChange, Error>;
        "tags.remove": [tags] fn remove(contact_id: String, tags: Vec<String>) -> Result<tags::TagChange, Error>;
    }
    appointments {
        "appointments.list-all": [read] fn list_all(contact_id: String) -> Result<Vec<appointments::Appointment>, Error>;
    }
    bulk {
        "bulk.update-tags": [write] fn update_tags(mode: bulk::TagMode, contact_ids: Vec<String>, tags: Vec<String>) -> Result<bulk::BulkOutcome, Error>;
        "bulk.set-business": [write] fn set_business(contact_ids: Vec<String>, business_id: Option<String>) -> Result<Vec<String>, Error>;
    }
    campaigns {
        "campaigns.add": [once] fn add(contact_id: String, campaign_id: String) -> Result<(), Error>;
        "campaigns.remove": [write] fn remove(contact_id: String, campaign_id: String) -> Result<(), Error>;
        "campaigns.remove-all": [write] fn remove_all(contact_id: String) -> Result<(), Error>;
    }
    workflows {
        "workflows.add": [once] fn add(contact_id: String, workflow_id: String, event_start_time: Option<String>) -> Result<(), Error>;
        "workflows.remove": [write] fn remove(contact_id: String, workflow_id: String, event_start_time: Option<String>) -> Result<(), Error>;
    }
    state {
        "state.get": [read] fn get(key: String) -> Result<Option<state::Entry>, Error>;
        "state.compare-and-set": [local] fn compare_and_set(key: String, expected: u64, value: Vec<u8>) -> Result<u64, Error>;
        "state.delete": [local] fn delete(key: String) -> Result<(), Error>;
        "state.keys": [read] fn keys(prefix: String) -> Result<Vec<String>, Error>;
    }
    settings {
        "settings.all": [plain] fn all() -> String;
    }
    log {
        "log.write": [plain] fn write(level: log::Level, message: String, fields: Vec<NamedValue>) -> ();
    }
    clock {
        "clock.now": [plain] fn now() -> u64;
    }
    rules {
        "rules.evaluate": [plain] fn evaluate(expression: String, fields: Vec<NamedValue>) -> Result<Value, Error>;
        "rules.check-input": [plain] fn check_input(action: String, input: String) -> Result<(), Error>;
    }
    timers {
        "timers.set": [local] fn set(timer: timers::Timer) -> Result<(), Error>;
        "timers.cancel": [local] fn cancel(name: String) -> Result<(), Error>;
    }
    notifications {
        "notifications.send": [local] fn send(destination: String, message: notifications::Message) -> Result<(), Error>;
    }
}

/// A request to the partner writes or reads by its method. A write can be sent twice when its method says so, or the manifest.
impl partner::Host for Capabilities {
    async fn send(&mut self, request: partner::Request) -> Result<partner::Response, Error> {
        self.direct.fits(&request)?;
        let is_repeatable =
            is_repeatable(request.method) || self.direct.run.active.manifest.is_repeatable(&request.path);
        match (is_write(request.method), is_repeatable) {
            (false, _) => on_tape!([read] self partner send "partner.send" (request)),
            (true, true) => on_tape!([write] self partner send "partner.send" (request)),
            (true, false) => on_tape!([once] self partner send "partner.send" (request)),
        }
    }
}
