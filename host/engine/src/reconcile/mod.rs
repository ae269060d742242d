//! Reconcile: read both sides of one record, merge three ways against the base, write what differs, store the link.
//!
//! [`plan`] reads and decides and has no effects; [`apply`] writes. A preview is the plan alone. Because every run reads
//! again, a retry after a crash between a write and its commit finds the written value and agrees with it.

mod apply;
pub(crate) mod children;
pub(crate) mod deletes;
mod echo;
mod ending;
mod matching;
mod pair;
mod plan;
mod preview;
pub(crate) mod remarks;
mod seen;
mod settle;
mod sides;
mod work;

pub use preview::{PlannedChange, PlannedConflict, PreviewItem, PreviewReport, RecordPreview, Verdict};
pub(crate) use sides::{RunContext, SideRecord, TAGS, contact_fields, mismatch, partner_record};
pub(crate) use work::{outcome_name, run_id};
