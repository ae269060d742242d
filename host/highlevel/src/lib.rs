//! HighLevel: the typed client, its quota, and webhook signatures.
//!
//! A [`HighLevel`] is one app's access to the vendor. [`HighLevel::at`] binds it to one location and gives the handle
//! that carries every operation:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use contactor_highlevel::{AccessToken, Config, ContactId, HighLevel, LocationId, Priority, StaticToken};
//!
//! let token = StaticToken::new(AccessToken::new("pit-not-a-real-token"));
//! let highlevel = HighLevel::new(Config::default(), Arc::new(token))?;
//! let location = highlevel.at(LocationId::new("loc-1")).priority(Priority::Webhook);
//! let contact = location.contact(&ContactId::new("con-1")).await?;
//! println!("{:?}", contact.fields());
//! # Ok(())
//! # }
//! ```
//!
//! What the vendor's documents get wrong, and how this crate copes, is said where it matters: [`model`] (spellings and
//! shapes of what comes back), [`draft`] (what may be sent), [`error`] (what a refusal means), [`limiter`] (the quota)
//! and [`webhook`] (signatures and events).

pub mod auth;
pub mod client;
pub mod draft;
pub mod error;
pub mod http;
pub mod ids;
pub mod limiter;
pub mod model;
pub mod oauth;
pub mod operation;
pub mod quota;
pub mod recorder;
pub mod redact;
pub mod search;
pub mod version;
pub mod webhook;

mod api;
mod transport;

pub use api::{
    BULK_LIMIT, BulkItem, BulkOutcome, BulkTags, CalendarScope, FollowerChange, TagChange, Upsert,
};
pub use auth::{AccessToken, StaticToken, TokenError, TokenProvider};
pub use client::{Config, ConfigError, HighLevel, Location};
pub use draft::{
    AppointmentDraft, AppointmentPatch, ContactDraft, ContactPatch, FieldProblem, NoteDraft, NotePatch,
    TaskDraft, TaskPatch,
};
pub use error::{Error, ErrorClass, ErrorKind};
pub use ids::{
    AppointmentId, BusinessId, CalendarId, CampaignId, ContactId, LocationId, NoteId, TaskId, UserId,
    WorkflowId,
};
pub use limiter::{BudgetState, Daily, Limits, Priority};
pub use model::{
    Appointment, Contact, ContactHit, CustomField, CustomFieldDefinition, CustomFields, DndSetting,
    DndSettings, DndStatus, EventTime, InboundDndSettings, LocationInfo, LocationTag, Note, Task,
};
pub use operation::Operation;
pub use quota::Quota;
pub use recorder::{CallRecord, Recorder};
pub use redact::Redactor;
pub use search::{ContactPage, Cursor, Filter, Operator, SearchRequest, Sort, TaskQuery};
pub use version::ApiVersion;
