//! The operations, one file per resource, all as methods of [`Location`](crate::Location).

mod appointments;
mod bulk;
mod contacts;
mod enrolments;
mod location;
mod notes;
mod tags;
mod tasks;

pub use appointments::CalendarScope;
pub use bulk::{BULK_LIMIT, BulkItem, BulkOutcome, BulkTags};
pub use contacts::{FollowerChange, Upsert};
pub use tags::TagChange;
