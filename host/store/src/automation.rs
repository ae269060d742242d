//! What the store keeps for automations: deliveries, the journal of their handlers, timers, and messages on their way.

use contactor_sync::Fields;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{
    ConnectionId, Digest, Disposition, EventSeq, Lease, Mark, NewRecording, RecordId, Run, WorkspaceId,
};

/// How long a delivery about a partner's record waits until the record is linked to a contact. The end of the record's run
/// ends the wait much earlier as a rule; this is for a run that never comes.
pub const CONTACT_PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// How long a lasting key is remembered at least.
pub const LASTING: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Timers that may wait in a connection; `wit/timers.wit` documents it.
pub const TIMERS: u32 = 10_000;

/// Messages that may wait in a connection.
pub const MESSAGES: u32 = 1_000;

/// The entity of a parked delivery in its [`RecordKey`](crate::RecordKey); the record is the number of the delivery.
pub const AUTOMATION_ENTITY: &str = "(automation)";

/// What rests when deliveries of one kind keep failing: the subject of its [`Rest`](crate::Rest).
pub fn automation_subject(kind: &str) -> String {
    format!("{AUTOMATION_ENTITY} {kind}")
}

/// The kind of delivery that a rest is about, if it is about one.
pub fn automation_of_subject(subject: &str) -> Option<&str> {
    subject.strip_prefix(AUTOMATION_ENTITY)?.strip_prefix(' ')
}

/// The entity of a parked message in its [`RecordKey`](crate::RecordKey); the record is the message's id.
pub const MESSAGE_ENTITY: &str = "(message)";

/// Number of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub i64);

/// Where the event of a delivery comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// HighLevel.
    Highlevel,
    /// The partner.
    Partner,
    /// A timer, an operator or the host itself.
    Host,
}

/// What a webhook or a page of the partner told.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The records that may have changed.
    pub marks: Vec<Mark>,
    /// What the connector has to handle.
    pub deliveries: Vec<NewDelivery>,
    /// The records that could not be read, each as a run that says why: its entity and its partner id name the record, its summary
    /// is the reason. Each is parked until a later run of the record is `Done`; one that is parked for this reason already leaves
    /// no second run.
    pub unreadable: Vec<Run>,
}

/// An event that a connector has to handle.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Whose connector.
    pub connection: ConnectionId,
    /// What tells it from others, unique in the connection: a second one with the same key is not stored.
    pub key: String,
    /// The key names a happening for good: it is remembered for [`LASTING`], not just as long as events are.
    pub lasting: bool,
    /// Where it comes from.
    pub source: Origin,
    /// The event's kind.
    pub kind: String,
    /// The entity of the partner's record, when the contact is to be found through its link. A record that is not linked yet is
    /// marked, and the delivery waits for its run, at most for [`CONTACT_PATIENCE`].
    pub entity: Option<String>,
    /// HighLevel's id of the contact, when it is known.
    pub contact_id: Option<RecordId>,
    /// The partner's id of the record.
    pub partner_id: Option<RecordId>,
    /// When it happened.
    pub at: Timestamp,
    /// Its values.
    pub fields: Fields,
    /// Its body as JSON; `None` is the body of the event that carries it, or `{}`.
    pub payload: Option<String>,
}

/// A delivery that this host has claimed.
#[derive(Clone, Debug)]
pub struct ClaimedDelivery {
    /// Its number.
    pub id: DeliveryId,
    /// Its connection.
    pub connection: ConnectionId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The webhook that carries it.
    pub event: Option<EventSeq>,
    /// Where it comes from.
    pub source: Origin,
    /// The event's kind.
    pub kind: String,
    /// HighLevel's id of the contact, from the event or by the link; the same at every attempt.
    pub contact_id: Option<RecordId>,
    /// The partner's id of the record, from the event or by the link; the same at every attempt.
    pub partner_id: Option<RecordId>,
    /// When it happened.
    pub at: Timestamp,
    /// When it was handled for the first time: its handler's own time at every attempt.
    pub begun_at: Timestamp,
    /// Its values.
    pub fields: Fields,
    /// Its body as JSON.
    pub payload: String,
    /// How often handling it failed.
    pub attempts: u32,
    /// A person asked for it again, after it was parked.
    pub retried: bool,
    /// The component that handled it when its first call was noted.
    pub component: Option<Digest>,
    /// What earlier attempts did, in order.
    pub journal: Vec<JournalEntry>,
}

/// How the handling of a delivery ended.
#[derive(Clone, Debug)]
pub struct DeliveryCompletion {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// What becomes of it.
    pub disposition: Disposition,
    /// The connector had no reason to act.
    pub ignored: bool,
    /// The run.
    pub run: Option<Run>,
    /// What is kept so that the run can be run again.
    pub recording: Option<NewRecording>,
}

/// One call of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its place among the handler's calls.
    pub position: u32,
    /// The call, for example `tasks.create`.
    pub operation: String,
    /// Digest of its arguments.
    pub request: Vec<u8>,
    /// Whether it writes.
    pub writes: bool,
    /// Its answer as JSON; `None` for a write whose answer was never seen.
    pub result: Option<String>,
    /// Its arguments as a person may see them: without secrets, shortened.
    pub arguments: String,
    /// When it was begun for the first time; `None` in journals of older versions.
    pub begun_at: Option<Timestamp>,
    /// The records of the same contents that were there before it was begun.
    pub standing: Vec<RecordId>,
    /// A person had it done again since it was noted.
    pub released: bool,
}

/// Where a writing call is noted: the delivery that this lease has claimed, and the reads before it.
#[derive(Clone, Debug)]
pub struct JournalSlot {
    /// The lease under which the delivery is claimed.
    pub lease: Lease,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The component that makes the call.
    pub component: Option<Digest>,
    /// The call, without its answer.
    pub call: JournalEntry,
    /// Answered reads since the previous write.
    pub reads: Vec<JournalEntry>,
    /// What the call is counted as, when it is one that may be part of a circle. A call that is noted again is not counted again.
    pub limit: Option<WriteLimit>,
}

/// How often a record may be written, before a person has to look: connections may feed each other, or one itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteLimit {
    /// The record: HighLevel's id of a contact, or another name for what is written again and again.
    pub record: RecordId,
    /// Writes by one connection; all connections of the workspace together may make twice as many.
    pub writes: u32,
    /// Within so many minutes.
    pub minutes: u32,
}

/// Whether an event is the echo of what a connection's own handler wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnWrite {
    /// No handler of the connection is known to have written it.
    No,
    /// A handler of the connection wrote it.
    Yes,
    /// A handler of the connection makes such a call at this moment and has no answer yet.
    Unknown,
}

/// A change of the host's own store, which is made together with its note in the journal, or not at all.
#[derive(Clone, Debug)]
pub enum LocalWrite {
    /// Sets a timer, in the place of one with this name that has not gone off. `Invalid` when [`TIMERS`] wait already.
    SetTimer(NewTimer),
    /// Takes a timer back.
    CancelTimer(String),
    /// Hands a message over. `NotFound` when the workspace has no such destination, `Conflict` when it was stopped, `Limited`
    /// when [`MESSAGES`] of the connection wait already.
    Send(NewMessage),
    /// Writes the connector's state; see [`Store::state_set`](crate::StateStore::state_set). Answers the new version.
    SetState {
        /// The key.
        key: String,
        /// The version that it has to have; 0 for none.
        expected: u64,
        /// The value.
        value: Vec<u8>,
    },
    /// Removes a key of the connector's state.
    DeleteState(String),
}

/// A timer.
#[derive(Clone, Debug)]
pub struct NewTimer {
    /// Its name.
    pub name: String,
    /// The event's kind when it goes off.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// The contact that it concerns.
    pub contact_id: Option<RecordId>,
    /// A JSON document.
    pub payload: String,
}

/// A message to a destination.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its id, which the receiver sees.
    pub id: String,
    /// The destination's name.
    pub destination: String,
    /// The message as JSON.
    pub message: serde_json::Value,
}

/// What kind of receiver a destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationKind {
    /// Mail to addresses.
    Email,
    /// A chat's incoming webhook.
    Chat,
    /// A signed webhook.
    Webhook,
    /// A project board that takes cards by a signed webhook.
    Board,
}

/// Where messages of a workspace can go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: DestinationKind,
    /// What may be shown of its address.
    pub target: serde_json::Value,
    /// Why nothing is sent there any more.
    pub stopped: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How many messages are on their way at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "each says of what it is the most")]
pub struct MessageLimits {
    /// In flight to one destination.
    pub per_destination: u32,
    /// In flight of one workspace.
    pub per_workspace: u32,
    /// Attempts at one destination within a minute, at least 1; the others wait.
    pub per_minute: u32,
}

/// A message that this host has claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedMessage {
    /// Its id, the same at every attempt.
    pub id: String,
    /// The connection that sent it.
    pub connection: ConnectionId,
    /// Where it goes.
    pub destination: Destination,
    /// The message as it was handed over.
    pub message: serde_json::Value,
    /// When it was handed over.
    pub created_at: Timestamp,
    /// How often delivering it failed.
    pub attempts: u32,
}
