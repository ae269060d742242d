//! What the vendor returns.
//!
//! Decoding is tolerant, because the vendor's documents and answers differ: a member that is missing, `null` or of an
//! unexpected type never fails a record. A member that we do not know, or cannot read, stays in `unknown` as it came,
//! so nothing is lost. Only a record without an `id` is no record.

mod appointment;
mod contact;
mod custom_field;
mod dnd;
mod hit;
mod location;
mod note;
mod task;
mod wire;

pub use appointment::{Appointment, EventTime};
pub use contact::{Addresses, Contact, CreatedBy};
pub use custom_field::{CUSTOM_FIELD_PREFIX, CustomField, CustomFieldDefinition, CustomFields};
pub use dnd::{DndSetting, DndSettings, DndStatus, InboundDndSettings};
pub use hit::ContactHit;
pub use location::{LocationInfo, LocationSettings, LocationTag};
pub use note::Note;
pub use task::Task;
pub use wire::NotARecord;

pub(crate) use wire::{Record, parse_date, wire_instant};
