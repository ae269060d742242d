//! The two sides of a record as a run sees them: HighLevel through its client, the partner through its connector.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use contactor_highlevel as highlevel;
use contactor_runtime::bindings::{adapter, types as wit};
use contactor_runtime::{Invocation, Reply};
use contactor_store::{Call, FailureClass, Lease, Priority, RecordId, RecordKey, RunId, StoredConflict};
use contactor_sync::{Fields, Value, View};
use jiff::Timestamp;

use crate::active::Active;
use crate::capabilities::Capabilities;
use crate::convert;
use crate::engine::Engine;
use crate::failure::{self, Failure};
use crate::guard::Watch;
use crate::journal::Journal;
use crate::receive::is_usable_id;
use crate::recorder::RunRecorder;
use crate::replay::{RunTape, Tape};
use crate::seats::Seat;
use crate::words::lost;

/// The field under which a mapping names a contact's tags.
pub(crate) const TAGS: &str = "tags";
/// How a custom field is addressed: `customFields.<key>`.
pub(crate) const CUSTOM: &str = "customFields.";

/// Everything one run works with. Shared with the guest's capabilities, which outlive a dropped guest call.
#[derive(Clone)]
pub(crate) struct RunContext {
    /// The host.
    pub(crate) engine: Engine,
    /// The connection, its connector, mapping and credential.
    pub(crate) active: Arc<Active>,
    /// HighLevel, bound to the workspace's location, recording into this run.
    pub(crate) location: highlevel::Location,
    /// Collects calls and log lines.
    pub(crate) recorder: Arc<RunRecorder>,
    /// The run's own time.
    pub(crate) started_at: Timestamp,
    /// Writes are held back.
    pub(crate) preview: bool,
    /// Failed attempts at this record before this run.
    pub(crate) attempts: u32,
    /// Conflicts of the record that wait for a person or for this run, the oldest first.
    pub(crate) conflicts: Arc<Vec<StoredConflict>>,
    /// Where the guest calls of this run are written down, if they are.
    pub(crate) tape: Option<Arc<RunTape>>,
    /// The journal, when this run is a handler's.
    pub(crate) journal: Option<Arc<Journal>>,
    /// The claim, when this run is a record's.
    pub(crate) claimed: Option<Arc<Claimed>>,
    /// Somebody waits for it, and nobody gave it out: its guest calls take turns with all others of the workspace.
    pub(crate) waited_for: bool,
}

/// The claim under which a run works.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) lease: Lease,
    pub(crate) key: RecordKey,
    /// The run's id.
    pub(crate) run: RunId,
    pub(crate) priority: Priority,
    /// For the guard against mass changes.
    pub(crate) watch: Mutex<Watch>,
}

impl Claimed {
    pub(crate) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record of one side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SideRecord {
    pub(crate) id: RecordId,
    pub(crate) fields: Fields,
    pub(crate) updated_at: Option<Timestamp>,
}

impl SideRecord {
    pub(crate) fn view(&self) -> View {
        View { fields: self.fields.clone(), updated_at: self.updated_at }
    }

    /// A short name for a person: email, else name, else phone.
    pub(crate) fn label(&self) -> Option<String> {
        ["email", "name", "phone"].iter().find_map(|name| match self.fields.get(*name) {
            Some(value @ Value::Text(_)) => Some(convert::show(value)),
            _ => None,
        })
    }
}

/// What the connector said about a create.
pub(crate) enum Created {
    /// It is there; the answer is trusted, because the partner may not show it to a search yet.
    Record(SideRecord),
    /// The partner has it already under this id.
    Exists(RecordId),
    /// The partner has it already and does not say where.
    ExistsSomewhere,
}

impl RunContext {
    // ---------------------------------------------------------------------------------------------------------- HighLevel

    /// The contact; `None` when HighLevel does not know the id.
    pub(crate) async fn read_highlevel(&self, id: &RecordId) -> Result<Option<SideRecord>, Failure> {
        match self.location.contact(&highlevel::ContactId::new(id.as_str())).await {
            Ok(contact) => Ok(Some(self.side_record(&contact).await?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(failure::of_highlevel(&error)),
        }
    }

    /// The contact with this email or phone, as HighLevel itself would match it.
    pub(crate) async fn find_highlevel(
        &self,
        field: &str,
        value: &str,
    ) -> Result<Option<SideRecord>, Failure> {
        let (email, phone) = match field {
            "email" => (Some(value), None),
            "phone" => (None, Some(value)),
            _ => return Ok(None),
        };
        match self.location.find_duplicate(email, phone).await {
            Ok(Some(contact)) => {
                let record = self.side_record(&contact).await?;
                // The vendor's search by phone has been faulty: what came back must really carry the key.
                let matches =
                    self.active.canonical_key(field, record.fields.get(field)).as_deref() == Some(value);
                Ok(matches.then_some(record))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(failure::of_highlevel(&error)),
        }
    }

    /// A contact as the mapping names its fields: custom fields by key where the definition is known.
    pub(crate) async fn side_record(&self, contact: &highlevel::Contact) -> Result<SideRecord, Failure> {
        if contact.unknown.contains_key(TAGS) {
            // Taken for an empty set, unreadable tags would be removed from the partner.
            return Err(Failure::new(
                FailureClass::Data,
                "HighLevel's answer has tags in a shape that is not known",
            ));
        }
        let mut fields = contact_fields(contact.fields(), &contact.tags);
        self.name_custom_fields(&mut fields).await?;
        Ok(SideRecord { id: RecordId::new(contact.id.as_str()), fields, updated_at: contact.date_updated })
    }

    /// Renames `customFields.<id>` to `customFields.<key>` when the mapping uses custom fields at all.
    pub(crate) async fn name_custom_fields(&self, fields: &mut Fields) -> Result<(), Failure> {
        if !self.active.uses_custom_fields || !fields.keys().any(|name| name.starts_with(CUSTOM)) {
            return Ok(());
        }
        let definitions = self.engine.custom_fields(&self.active.workspace, &self.location).await?;
        let named = std::mem::take(fields);
        *fields = named
            .into_iter()
            .map(|(name, value)| match name.strip_prefix(CUSTOM).and_then(|id| definitions.get(id)?.key()) {
                Some(key) => (format!("{CUSTOM}{key}"), value),
                None => (name, value),
            })
            .collect();
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------------------ partner

    /// The partner's record; `None` when it is gone.
    pub(crate) async fn read_partner(
        &self,
        entity: &str,
        id: &RecordId,
    ) -> Result<Option<SideRecord>, Failure> {
        let call = Invocation::Read { entity: entity.to_owned(), id: id.as_str().to_owned() };
        match self.invoke("adapter.read", call).await? {
            Reply::Read(Ok(record)) => Ok(Some(self.answered("adapter.read", &record, Some(id))?)),
            Reply::Read(Err(wit::Error::NotFound(_))) => Ok(None),
            Reply::Read(Err(error)) => Err(self.of_connector("adapter.read", &error)),
            _ => Err(mismatch("adapter.read")),
        }
    }

    /// The partner's records with this natural key.
    pub(crate) async fn find_partner(
        &self,
        entity: &str,
        field: &str,
        value: &str,
    ) -> Result<Vec<SideRecord>, Failure> {
        let key = wit::NamedValue { name: field.to_owned(), value: wit::Value::Text(value.to_owned()) };
        match self.invoke("adapter.find", Invocation::Find { entity: entity.to_owned(), key }).await? {
            Reply::Find(Ok(records)) => {
                records.iter().map(|r| self.answered("adapter.find", r, None)).collect()
            }
            Reply::Find(Err(error)) => Err(self.of_connector("adapter.find", &error)),
            _ => Err(mismatch("adapter.find")),
        }
    }

    /// The connector's clean-up rules: the reason to leave the record alone, if there is one.
    pub(crate) async fn admit(
        &self,
        entity: &str,
        direction: wit::Direction,
        fields: &Fields,
    ) -> Result<Option<String>, Failure> {
        let call = Invocation::Admit {
            entity: entity.to_owned(),
            direction,
            fields: convert::fields_to_wit(fields),
        };
        match self.invoke("adapter.admit", call).await? {
            Reply::Admit(Ok(adapter::Decision::Accept)) => Ok(None),
            Reply::Admit(Ok(adapter::Decision::Skip(reason))) => Ok(Some(reason)),
            Reply::Admit(Err(error)) => Err(self.of_connector("adapter.admit", &error)),
            _ => Err(mismatch("adapter.admit")),
        }
    }

    /// Creates the partner's record.
    pub(crate) async fn create_partner(&self, entity: &str, fields: &Fields) -> Result<Created, Failure> {
        let call = Invocation::Create { entity: entity.to_owned(), fields: convert::fields_to_wit(fields) };
        match self.invoke("adapter.create", call).await? {
            Reply::Create(Ok(record)) => {
                Ok(Created::Record(self.answered("adapter.create", &record, None)?))
            }
            Reply::Create(Err(wit::Error::Duplicate(id))) if id.is_empty() => Ok(Created::ExistsSomewhere),
            Reply::Create(Err(wit::Error::Duplicate(id))) => Ok(Created::Exists(RecordId::new(id))),
            Reply::Create(Err(error)) => Err(self.of_connector("adapter.create", &error)),
            _ => Err(mismatch("adapter.create")),
        }
    }

    /// Writes some fields of the partner's record and answers it as it is afterwards.
    pub(crate) async fn update_partner(
        &self,
        entity: &str,
        id: &RecordId,
        fields: &Fields,
    ) -> Result<SideRecord, Failure> {
        let call = Invocation::Update {
            entity: entity.to_owned(),
            id: id.as_str().to_owned(),
            fields: convert::fields_to_wit(fields),
        };
        match self.invoke("adapter.update", call).await? {
            // Where the id is one of the values, it changes with them.
            Reply::Update(Ok(record)) => {
                let asked = (!self.active.rekeys(entity)).then_some(id);
                self.answered("adapter.update", &record, asked)
            }
            Reply::Update(Err(error)) => {
                let connector = &self.active.connection.connector;
                Err(self.as_asked(failure::of_connector_write(connector, "adapter.update", &error)))
            }
            _ => Err(mismatch("adapter.update")),
        }
    }

    /// The place of a guest call among those of its workspace that somebody waits for.
    pub(crate) async fn seat(&self, operation: &str) -> Result<Option<Seat>, Failure> {
        if !self.waited_for {
            return Ok(None);
        }
        let seat = self.engine.seats().take(&self.active.workspace.id).await;
        seat.map(Some).map_err(|crowded| {
            let connector = &self.active.connection.connector;
            let message = format!("{connector}: {operation}: {crowded}");
            Failure { busy: true, ..Failure::new(FailureClass::Host, message) }
        })
    }

    /// One isolated call into the connector, recorded.
    pub(crate) async fn invoke(&self, operation: &'static str, call: Invocation) -> Result<Reply, Failure> {
        let _seat = self.seat(operation).await?;
        let begun = Instant::now();
        let outcome = match &self.tape {
            None => self.active.guest.call(Capabilities::new(self.clone()), call).await,
            Some(tape) => {
                let recorder = RunTape::begin();
                let host = Capabilities::taped(self.clone(), Tape::Record(Arc::clone(&recorder)));
                let outcome = self.active.guest.call(host, call.clone()).await;
                tape.end(call, &recorder, &outcome);
                outcome
            }
        };
        let failure = outcome.as_ref().err().map(|error| {
            // The words of one that crashed are its own.
            let said = self.recorder.shown(error.to_string());
            failure::of_call(error, format!("{}: {operation}: {said}", self.active.connection.connector))
        });
        self.recorder.call(Call {
            target: "guest".to_owned(),
            operation: operation.to_owned(),
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            error: failure.as_ref().map(|failure| failure.message.clone()),
            class: failure.as_ref().map(|failure| failure.class),
            ..Call::default()
        });
        let reply = outcome.map_err(|_| failure.unwrap_or_else(|| mismatch(operation)))?;
        let reply = self.without_secrets(reply);
        match lost(&reply) {
            Some(place) => Err(Failure::new(
                FailureClass::Data,
                format!(
                    "{}: {operation} answered a record with a secret of this connection's credential in it, in {place}. It was taken out, \
                     and what is left is not written to the other side: take it out of the record at the partner, or give the connection a \
                     credential that occurs in no data",
                    self.active.connection.connector
                ),
            )),
            None => Ok(reply),
        }
    }

    /// A record that the connector answered, with a usable id, and with the id that was asked for.
    fn answered(
        &self,
        operation: &str,
        record: &adapter::PartnerRecord,
        asked: Option<&RecordId>,
    ) -> Result<SideRecord, Failure> {
        let usable = is_usable_id(&record.id) && asked.is_none_or(|asked| asked.as_str() == record.id);
        if usable {
            return Ok(partner_record(record));
        }
        let connector = &self.active.connection.connector;
        let what = asked.map_or("a record without a usable id".to_owned(), |asked| {
            format!("another record than {asked}")
        });
        Err(Failure::new(FailureClass::GuestBug, format!("{connector}: {operation} answered {what}")))
    }

    pub(crate) fn of_connector(&self, operation: &str, error: &wit::Error) -> Failure {
        self.as_asked(failure::of_connector(&self.active.connection.connector, operation, error))
    }

    /// A connector's `unavailable` has no room for the time that its partner named: the host saw it. And a host that is not open is
    /// `denied` to the connector like a scope that was not granted; that it is a fault of the setup, the host knows.
    fn as_asked(&self, failure: Failure) -> Failure {
        if failure.class == FailureClass::Denied
            && let Some(closed) = self.recorder.closed()
        {
            return Failure::new(
                FailureClass::Config,
                format!("{}: {closed}", self.active.connection.connector),
            );
        }
        let asked = self.recorder.waits_until().filter(|_| failure.class == FailureClass::Transient);
        let wait = asked.map(|until| until.duration_since(self.engine.now()));
        Failure { retry_after: failure.retry_after.or(wait), ..failure }
    }
}

/// A contact's fields as the merge sees them: the client keeps tags apart, a mapping names them like any field.
pub(crate) fn contact_fields(fields: BTreeMap<String, serde_json::Value>, tags: &[String]) -> Fields {
    let mut fields = convert::fields_from_json(fields);
    fields.insert(TAGS.to_owned(), Value::Set(tags.iter().cloned().collect()));
    fields
}

/// The runtime answers each invocation with the reply of its name; anything else is our own defect.
pub(crate) fn mismatch(operation: &str) -> Failure {
    Failure::new(FailureClass::Host, format!("the host mixed up the answer of {operation}"))
}

pub(crate) fn partner_record(record: &adapter::PartnerRecord) -> SideRecord {
    SideRecord {
        id: RecordId::new(record.id.as_str()),
        fields: convert::fields_from_wit(&record.fields),
        updated_at: record.updated_at.as_deref().and_then(|text| text.parse().ok()),
    }
}
