//! The engine: what Contactor does with events, records and connectors.
//!
//! ```text
//! webhook ─▶ ingest ─▶ events, dirty records ─▶ scheduler ─▶ reconcile: plan ─▶ apply ─▶ links, runs
//! sweep, backfill, poll ─────▲                                  │
//!                                                   connector (wasm) ◀─ capabilities ─▶ HighLevel, partner
//! ```
//!
//! Besides, an event may be delivered to a connector's own automation, whose writing calls are journalled (`automation`,
//! `journal`).
//!
//! State is reconciled, events are hints: an event only marks a record dirty, and a run reads both sides again before it
//! decides. The plan is free of effects, so a preview is the same code without the second half.

pub mod access;
mod active;
mod alerts;
mod appointment_walk;
mod artefacts;
mod automation;
mod backoff;
mod blame;
mod capabilities;
pub mod catalogue;
mod clock;
mod compact;
mod config;
mod convert;
mod credentials;
mod deliver;
mod dropped;
mod engine;
mod error;
mod failure;
mod guard;
mod housekeeping;
mod ingest;
mod journal;
mod locks;
mod login;
#[cfg(test)]
mod made;
mod manage;
mod match_walk;
mod note_walk;
mod notify;
mod oauth;
mod operations;
mod outbound;
mod partner;
mod people;
mod permissions;
mod progress;
mod publishers;
mod receive;
mod reconcile;
mod recorder;
mod replay;
mod rests;
mod rollout;
mod scheduler;
mod seats;
mod signature;
mod story;
mod subscriptions;
mod task_walk;
mod trouble;
pub mod untrusted;
mod usage;
mod vault;
mod walk;
mod walks;
mod words;
mod workspace_walk;
mod written;

pub use active::Guest;
pub use capabilities::Capabilities;
pub use catalogue::{CatalogueEntry, CatalogueKind, CatalogueWay};
pub use clock::Clock;
pub use config::{EngineConfig, RETENTION_DAYS};
pub use dropped::NotKept;
pub use engine::{Engine, EngineParts};
pub use error::{EngineError, IngestError};
pub use guard::{Allow, GuardReport};
pub use ingest::Ingested;
pub use login::{
    CreateUsers, LOGIN_CALLBACK, LOGIN_REQUEST_TIMEOUT, LoginAlgorithm, LoginAnswer, LoginBack, LoginDone,
    LoginPage, LoginProblem, LoginRefused, LoginSetup, SessionCaller, SessionRefused,
};
pub use manage::{
    ActionCall, ActionReport, AskView, BucketReport, CheckReport, ConflictPreview, ConflictReport,
    ConflictView, ConnectionView, ConnectorView, DeletionDecision, DeletionPreview, DeletionView, DraftField,
    DraftRecord, DraftReport, DraftTotals, EnableConnection, Endpoint, FirstSync, HighLevelQuota,
    InspectReport, IssuedToken, MappingRow, MappingTrial, MatchReport, NewToken, NewUpgrade, NewUser,
    NewWorkspace, OnTrial, ParkedAction, ParkedGroupView, PartnerQuota, PlannedCall, PolicyChange, QuotaUse,
    QuotaView, Released, RepeatableView, Resolve, RolloutView, RowOrigin, ScopeRequest, SettingView,
    SyncEstimate, TOKEN_DAYS, Timeline, TimelineEntry, TimelineKind, TimelinePage, TrialProblem, TrialReport,
    TrialRow, Unsure, UpgradePlan, UserView, VersionView, WaitingDeletions, WantedPolicy, WhyField, inspect,
};
pub use notify::{NewDestination, NotificationConfig, SmtpConfig, SmtpTls};
pub use oauth::{
    Connected, ConsentPage, Courier, GrantView, LocationInstalled, NewConsent, OAuthSetup, Order,
};
pub use outbound::{Lookup, OpenHost, OpenRange, Outbound, OutboundConfig, SystemLookup};
pub use people::{Caller, Narrowed, Rights, TokenRefused};
pub use permissions::Permission;
pub use progress::{Health, SyncProgress};
pub use publishers::{ConnectorsConfig, IdPattern, PublisherConfig, Unsigned, Unvouched, vouch};
pub use reconcile::{PlannedChange, PlannedConflict, PreviewItem, PreviewReport, RecordPreview, Verdict};
pub use replay::{Parting, RecordingSummary, ReplayCall, ReplayReport, ReplayedCall, SideBySide};
pub use story::{FieldJoin, FieldMoment, FieldStory, MomentKind};
pub use vault::{FormerKey, KeyStep, Rotate, SealedCount, Turned, Unopenable, VaultReport, cache_key};
