//! What the store keeps: identifiers, rows and the requests that change them.

use std::collections::BTreeMap;
use std::fmt;

use contactor_sync::{Base, ConflictRecord, Fields, Fingerprint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::automation::NewDelivery;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier that came from the store, the vendor or an admin.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

text_id!(
    /// One tenant; a short name that an admin chose (`[a-z0-9-]`, at most 63 characters).
    WorkspaceId
);
text_id!(
    /// A connector enabled in a workspace: `<workspace>/<connector>`.
    ConnectionId
);
impl ConnectionId {
    /// What a run names in place of a connection when the host itself worked at HighLevel. No connector may be called so.
    pub fn of_highlevel(workspace: &WorkspaceId) -> Self {
        Self(format!("{}{}", workspace.as_str(), Self::HIGHLEVEL))
    }

    /// The workspace, when this stands for the host itself at HighLevel.
    pub fn workspace_of_highlevel(&self) -> Option<WorkspaceId> {
        self.0.strip_suffix(Self::HIGHLEVEL).map(WorkspaceId::new)
    }

    const HIGHLEVEL: &'static str = "/highlevel";
}

text_id!(
    /// A HighLevel location. Bound to exactly one workspace.
    LocationId
);
text_id!(
    /// A record's id at HighLevel or at the partner; opaque.
    RecordId
);
text_id!(
    /// One reconcile, automation or poll (UUID version 7, so ids sort by time).
    RunId
);
text_id!(
    /// SHA-256 of a component, lower-case hex.
    Digest
);

/// Position of an event in the store's order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventSeq(pub i64);

/// Number of shards that workspaces are spread over. Fixed for the life of a database.
pub const SHARDS: u16 = 256;

/// The part of the workspaces that one lease covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u16);

impl Shard {
    /// The shard of a workspace: the first two bytes of SHA-256 of its id, modulo [`SHARDS`].
    pub fn of(workspace: &WorkspaceId) -> Self {
        use sha2::{Digest as _, Sha256};
        let hash = Sha256::digest(workspace.as_str().as_bytes());
        Self(u16::from_be_bytes([hash[0], hash[1]]) % SHARDS)
    }
}

/// The right to work on some shards until it expires or somebody takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The process that holds it.
    pub owner: String,
    /// Fencing token; grows with every acquisition. A completion under an older token is refused.
    pub token: i64,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
}

/// A side of the synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// HighLevel.
    Highlevel,
    /// The connection's partner.
    Partner,
}

// ---------------------------------------------------------------------------------------------------------- configuration

/// A tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Name for people.
    pub name: String,
    /// The HighLevel location that it is bound to.
    pub location: LocationId,
    /// ISO 3166 country for national phone numbers, if known.
    pub country: Option<String>,
    /// IANA time zone of the location, if known.
    pub timezone: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A component that was installed. Its bytes lie in the artefact directory under their digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledConnector {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// The connector's id, for example `prefinery`.
    pub id: String,
    /// Its semantic version.
    pub version: String,
    /// Its manifest, as the TOML text in the component.
    pub manifest: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was installed.
    pub installed_at: Timestamp,
}

/// Whether a connection works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Events are processed.
    Enabled,
    /// Switched off by an admin; links stay.
    Disabled,
    /// Stopped by the host; the reason is beside it. Events are kept.
    Paused,
    /// The credential was refused: a person has to reconnect.
    NeedsReconnect,
}

/// A connector enabled in a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// `<workspace>/<connector>`.
    pub id: ConnectionId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The connector's id.
    pub connector: String,
    /// The component that this connection runs, pinned.
    pub digest: Digest,
    /// Whether it works.
    pub state: ConnectionState,
    /// Why it is not enabled, for the admin.
    pub state_reason: Option<String>,
    /// Granted scopes (`contacts.readonly`, …).
    pub grants: Vec<String>,
    /// Base URL of the partner's API.
    pub base_url: String,
    /// Which of the manifest's authentication schemes is used.
    pub auth_scheme: String,
    /// Settings as a JSON object, validated against the manifest.
    pub settings: serde_json::Value,
    /// Mapping rows of the admin as JSON; they override the connector's by field.
    pub mapping: serde_json::Value,
    /// When it is served.
    #[serde(default)]
    pub schedule: Schedule,
    /// Unguessable segment of the partner's webhook URL.
    pub webhook_token: String,
    /// When it was enabled first.
    pub created_at: Timestamp,
}

/// When a connection is served. Whatever is not given is as the host and the connector have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// HighLevel's webhooks are acted on at once. Otherwise what they mark waits for the next multiple of `sweep_seconds`.
    #[serde(skip_serializing_if = "std::clone::Clone::clone")]
    pub realtime: bool,
    /// Seconds between polls, by the name of the connector's stream.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub poll_seconds: BTreeMap<String, u32>,
    /// Seconds between sweeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep_seconds: Option<u32>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { realtime: true, poll_seconds: BTreeMap::new(), sweep_seconds: None }
    }
}

/// Seconds between sweeps where neither the connection nor the host says otherwise.
pub const CADENCE_SECONDS: u32 = 900;

impl Schedule {
    /// Seconds between polls of a stream, if the connection says: its own, else the cadence of one that does not act at once.
    pub fn poll_interval(&self, stream: &str) -> Option<u32> {
        let cadence = self.sweep_seconds.filter(|_| !self.realtime);
        self.poll_seconds.get(stream).copied().or(cadence)
    }

    /// When what a webhook marks at this time is due.
    pub fn due(&self, at: Timestamp) -> Timestamp {
        if self.realtime {
            return at;
        }
        let cadence = i64::from(self.sweep_seconds.unwrap_or(CADENCE_SECONDS).max(1));
        // Multiples since 1970: all that is marked until then is done together, by whichever host.
        let next = (at.as_second().div_euclid(cadence) + 1).saturating_mul(cadence);
        Timestamp::from_second(next).unwrap_or(at)
    }
}

// ----------------------------------------------------------------------------------------------------------------- events

/// An event to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Where it came from.
    pub source: Side,
    /// `None` for a location that no workspace is bound to: the event is held.
    pub workspace: Option<WorkspaceId>,
    /// Set for a partner's webhook; `None` means every enabled connection of the workspace.
    pub connection: Option<ConnectionId>,
    /// The location as the event names it, kept for held events.
    pub location: Option<LocationId>,
    /// De-duplication key: the vendor's webhook id, else a hash of the raw body. Unique per source and
    /// location/connection; remembered for at least four days.
    pub key: String,
    /// The vendor's type, for example `ContactUpdate`.
    pub kind: String,
    /// The raw body as it was signed.
    pub body: Vec<u8>,
    /// Headers worth keeping, secrets left out, as JSON.
    pub headers: serde_json::Value,
    /// When it was received.
    pub received_at: Timestamp,
    /// The records that it marks dirty. Empty for a partner's webhook, which the connector has to read first.
    pub marks: Vec<Mark>,
    /// A partner's webhook that the connector still has to turn into changes.
    pub needs_receive: bool,
    /// What connectors have to handle because of it. One of a connection that is switched off is left out.
    pub deliveries: Vec<NewDelivery>,
}

/// What became of an event at ingest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored under this number.
    New(EventSeq),
    /// Known already; nothing was stored.
    Duplicate,
    /// Stored, but no workspace is bound to its location yet.
    Held(EventSeq),
}

/// A record that may have changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// The entity, for example `contact`.
    pub entity: String,
    /// Which side's id follows.
    pub side: Side,
    /// The record's id on that side.
    pub record: RecordId,
    /// The mapped values that the hint carries, when it is complete enough to recognise an echo.
    pub snapshot: Option<Fields>,
    /// The hint says that the record was deleted.
    pub deleted: bool,
}

/// Order of work: smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Priority {
    /// Somebody waits for it.
    Interactive = 0,
    /// A webhook.
    Webhook = 1,
    /// A scheduled sweep or poll.
    Sweep = 2,
    /// A backfill.
    Backfill = 3,
}

/// How an event ended for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventState {
    /// Waits for its run.
    Accepted,
    /// Waits until a workspace is bound to its location.
    Held,
    /// Its run ended well.
    Applied,
    /// A later event on the same record stood for it.
    Superseded,
    /// A person must look at it.
    Parked,
    /// Needs no work: an unknown type, or nothing is enabled.
    Ignored,
}

/// An event as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub seq: EventSeq,
    /// Where it came from.
    pub source: Side,
    /// Its workspace.
    pub workspace: Option<WorkspaceId>,
    /// Its connection, for a partner's webhook.
    pub connection: Option<ConnectionId>,
    /// De-duplication key.
    pub key: String,
    /// The vendor's type.
    pub kind: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// How it stands; for several connections the least finished of them.
    pub state: EventState,
    /// The body.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Kept headers.
    pub headers: serde_json::Value,
}

// ------------------------------------------------------------------------------------------------------------------- work

/// A record of one connection, by one side's id. When a link is known it is always addressed by HighLevel's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
    /// Which side's id follows.
    pub side: Side,
    /// The id.
    pub record: RecordId,
}

/// A dirty record that this host has claimed, with everything that its run needs from the store.
#[derive(Clone, Debug)]
pub struct ClaimedRecord {
    /// The record.
    pub key: RecordKey,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its priority.
    pub priority: Priority,
    /// How often a run of it failed since the last success.
    pub attempts: u32,
    /// The mark's generation at claiming. A mark that arrives during the run makes the record dirty again.
    pub generation: i64,
    /// The hints since the last run, oldest first. `None` marks one without a snapshot: the record has to be read.
    pub hints: Vec<Hint>,
    /// The link, if the record has one.
    pub link: Option<Link>,
    /// When the oldest hint was received.
    pub first_marked_at: Timestamp,
}

/// One mark on a dirty record.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The event; `None` for a sweep, a backfill or an operator.
    pub event: Option<EventSeq>,
    /// Which side spoke.
    pub side: Side,
    /// The values it carried.
    pub snapshot: Option<Fields>,
    /// It said that the record was deleted.
    pub deleted: bool,
}

/// A claimed event that the connector has to turn into changes.
#[derive(Clone, Debug)]
pub struct ClaimedEvent {
    /// The event.
    pub event: Event,
    /// The connection that it belongs to.
    pub connection: ConnectionId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// How often reading it failed.
    pub attempts: u32,
}

/// HighLevel id ↔ partner id for one record, with what both sides last agreed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The connection.
    pub connection: ConnectionId,
    /// The entity.
    pub entity: String,
    /// HighLevel's id.
    pub highlevel_id: RecordId,
    /// The partner's id.
    pub partner_id: RecordId,
    /// HighLevel's contact that the record belongs to, for a child record and for a contact's list of them. The partner's id
    /// of a child is unique within its parent only.
    pub parent: Option<RecordId>,
    /// The values both sides last agreed on, per mapping row.
    pub base: Base,
    /// Fingerprint of what HighLevel last showed or was last written.
    pub highlevel_fingerprint: Fingerprint,
    /// Fingerprint of what the partner last showed or was last written.
    pub partner_fingerprint: Fingerprint,
    /// Whether the link is in use.
    pub state: LinkState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Whether a link is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Both records are kept in step.
    Active,
    /// HighLevel's record is gone. Kept at least 60 days: the vendor can restore it.
    HighlevelDeleted,
    /// The partner's record is gone.
    PartnerDeleted,
}

/// How a run of a record ended, and what the store has to do in the same transaction.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The record that was claimed.
    pub claim: ClaimedRecord,
    /// What becomes of the dirty record.
    pub disposition: Disposition,
    /// The link to write, if it changed.
    pub link: Option<Link>,
    /// Links of child records to write, each in the place of the one with its HighLevel id.
    pub children: Vec<Link>,
    /// Links of child records that go.
    pub unlinked: Vec<Link>,
    /// Other records of the connection that are dirty now.
    pub marks: Vec<Mark>,
    /// Conflicts that the merge decided.
    pub conflicts: Vec<ConflictRecord>,
    /// The run. `None` leaves no trace (an echo that needed no read is only counted).
    pub run: Option<Run>,
}

impl Completion {
    /// A completion that leaves nothing behind but the disposition.
    pub fn new(claim: ClaimedRecord, disposition: Disposition) -> Self {
        Self {
            claim,
            disposition,
            link: None,
            children: Vec::new(),
            unlinked: Vec::new(),
            marks: Vec::new(),
            conflicts: Vec::new(),
            run: None,
        }
    }
}

/// What becomes of a dirty record.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// Clean, unless it was marked again meanwhile.
    Done,
    /// Try again at this time.
    Retry {
        /// When.
        at: Timestamp,
        /// Whether it counts as a failed attempt (waiting for a quota does not).
        counts: bool,
    },
    /// A person must look at it.
    Parked {
        /// Why, in words.
        reason: String,
    },
}

/// The entity of a parked partner webhook in its [`RecordKey`]; the record is the number of the event. No connector can
/// declare an entity of this name.
pub const WEBHOOK_ENTITY: &str = "(webhook)";

/// A record or event that a person must look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The record.
    pub key: RecordKey,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Why.
    pub reason: String,
    /// The run that parked it.
    pub run: Option<RunId>,
    /// Since when.
    pub since: Timestamp,
}

// ------------------------------------------------------------------------------------------------------------------- runs

/// What a run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// Both sides of one record were compared.
    Reconcile,
    /// A connector reacted to an event.
    Automation,
    /// A partner's stream was polled.
    Poll,
    /// A partner's webhook was read.
    Receive,
    /// A page of a backfill or sweep.
    Sweep,
    /// An operator's action, such as a connection check.
    Action,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// Something was written or linked.
    Applied,
    /// Both sides agreed already.
    Unchanged,
    /// A rule said to leave the record alone.
    Skipped,
    /// It failed and is tried again.
    Retrying,
    /// It failed and a person must look at it.
    Parked,
}

/// Whose fault a failure is, and so whether it is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Will pass: a timeout, a 5xx.
    Transient,
    /// A quota is used up.
    Quota,
    /// The credential was refused.
    Auth,
    /// The connection is set up wrongly.
    Config,
    /// The record's values were refused.
    Data,
    /// Two records or two values contradict each other.
    Conflict,
    /// The admin did not grant it.
    Denied,
    /// The connector trapped, ran out of its limits or broke the contract.
    GuestBug,
}

/// One reconcile, automation or poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its connection.
    pub connection: ConnectionId,
    /// What it was.
    pub kind: RunKind,
    /// The entity it worked on.
    pub entity: Option<String>,
    /// HighLevel's id of the record.
    pub highlevel_id: Option<RecordId>,
    /// The partner's id of the record.
    pub partner_id: Option<RecordId>,
    /// The event that caused it, if one did.
    pub event: Option<EventSeq>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// What kind of failure, if it failed.
    pub class: Option<FailureClass>,
    /// One line for the admin: what was done, skipped or refused, and why.
    pub summary: String,
    /// What was written, per side and field, with before and after; secrets never.
    pub changes: Vec<FieldChange>,
    /// The calls that it made, in order.
    pub calls: Vec<Call>,
    /// Log lines of the connector.
    pub log: Vec<String>,
}

/// One field that a run wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The side that was written.
    pub side: Side,
    /// The field.
    pub field: String,
    /// Canonical value before, as JSON.
    pub before: serde_json::Value,
    /// Canonical value after, as JSON.
    pub after: serde_json::Value,
}

/// One call to HighLevel, to the partner or into the connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// `highlevel`, `partner` or `guest`.
    pub target: String,
    /// The operation: `contacts.get`, `POST /betas/1/testers`, `adapter.update`.
    pub operation: String,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// Requests left in the vendor's burst window, if it said so.
    pub quota_remaining: Option<u32>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Whether it writes.
    pub write: bool,
    /// Request, secrets redacted, capped.
    pub request: Option<String>,
    /// Response, secrets redacted, capped.
    pub response: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of the record with this id on either side.
    pub record: Option<RecordId>,
    /// That ended like this.
    pub outcome: Option<RunOutcome>,
    /// Older than this run (for paging).
    pub before: Option<RunId>,
    /// At most this many, newest first.
    pub limit: u32,
}

/// A conflict as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredConflict {
    /// Its number.
    pub id: i64,
    /// The run that decided it.
    pub run: RunId,
    /// The record.
    pub key: RecordKey,
    /// Both values and the decision.
    pub conflict: ConflictRecord,
    /// When.
    pub at: Timestamp,
}

// ------------------------------------------------------------------------------------------------------ cursors and counts

/// How far a stream of a connection was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// The connection.
    pub connection: ConnectionId,
    /// `backfill`, `sweep`, or `poll:<stream>`.
    pub stream: String,
    /// The cursor; `None` before the first page.
    #[expect(clippy::struct_field_names, reason = "the cursor proper, as the API shows it")]
    pub cursor: Option<String>,
    /// The walk is over.
    pub done: bool,
    /// Records seen so far in this walk.
    pub seen: u64,
    /// Records in all, when the vendor said so.
    pub total: Option<u64>,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// A record as the last walk over a list saw it; for lists that do not say what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The record's id at HighLevel.
    pub record: RecordId,
    /// The contact that it belongs to.
    pub parent: RecordId,
    /// What tells its content from any other.
    pub fingerprint: String,
}

/// Counts for health, progress and metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Dirty records that wait or run.
    pub dirty: u64,
    /// Partner webhooks that wait for their connector.
    pub unread_events: u64,
    /// Events that wait for a connector's automation; timers that have not gone off are not among them.
    pub deliveries: u64,
    /// Messages on their way.
    pub messages: u64,
    /// Parked records and events.
    pub parked: u64,
    /// Events held for unknown locations.
    pub held: u64,
    /// Active links.
    pub links: u64,
    /// Runs by outcome since the beginning; expired ones stay counted.
    pub runs: BTreeMap<String, u64>,
    /// When the oldest waiting record was marked.
    pub oldest_dirty: Option<Timestamp>,
}
