//! Pure synchronisation logic: canonical values, mapping, fingerprints and the three-way merge. No I/O, no clock.
//!
//! A connection joins fields of HighLevel and fields of a partner by the rows of a [`Mapping`]. For every row each side
//! **offers** a value: its field, put through the row's expression and made [`canonical`] in the type of the *other*
//! side. All decisions compare offers, so `+1 650 253 0000` and `(650) 253-0000` are one phone, and an expression
//! that cannot be undone (`value|title`) does not look like a change when it comes back.
//!
//! - [`merge`] compares what both sides offer now with what they offered when they last agreed (the [`Base`]) and
//!   answers with the fields to write on each side and the conflicts it met.
//! - [`merge_decided`] does so under a person's [`Decision`]s about conflicts that were met before.
//! - [`settle`] makes the next base from what both sides hold after the writes.
//! - [`Mapping::fingerprint`] tells an echo of our own write from a change, by content and never by time.
//!
//! - [`merge_children`] does the same for two lists of records that belong to one record.
//!
//! - [`keep_consent`] takes out of a write to HighLevel whatever would give back consent that was withdrawn.
//!
//! Nothing here fails a whole record because of one bad value: a row whose value cannot be made canonical, or whose
//! expression fails, is left out and reported as a [`FieldProblem`], and the rest of the record goes on.
//!
//! ```
//! use contactor_sync::{Base, Context, FieldType, Fields, Mapping, RowSpec, Value, View, merge};
//!
//! let mapping = Mapping::compile(vec![RowSpec::new("firstName", "first_name", FieldType::Text)]).unwrap();
//! let fields = |name: &str, text: &str| Fields::from([(name.to_owned(), Value::from(text))]);
//! let context = Context::default();
//!
//! let base = Base::of(&mapping, &fields("firstName", "Ann"), &fields("first_name", "Ann"), &context);
//! let highlevel = View::new(fields("firstName", "Anna"));
//! let partner = View::new(fields("first_name", "Ann"));
//! let merged = merge(&mapping, Some(&base), Some(&highlevel), Some(&partner), &context).unwrap();
//!
//! assert_eq!(merged.to_partner, fields("first_name", "Anna"));
//! assert!(merged.to_highlevel.is_empty());
//! ```

mod base;
mod canonical;
mod children;
mod conflict;
mod consent;
mod decision;
mod deletes;
mod expression;
mod fingerprint;
mod mapping;
mod merge;
mod offers;
mod sets;
mod spec;
mod value;

pub use base::{Agreed, Base};
pub use canonical::{CanonicalError, Context, FieldType, canonical, phone_spellings};
pub use children::{
    Child, ChildLink, Condition, Glimpse, ListRules, Pair, Then, Write, list_fingerprint, merge_children,
};
pub use conflict::ConflictRecord;
pub use consent::{KeptConsent, keep_consent, keep_consent_of_any, touches_consent};
pub use decision::{Decision, Outcome, Undecidable};
pub use deletes::{DeletePolicies, DeletePolicy, LivesOn, Seen, Stage, Step, after_look};
pub use expression::{check_expression, evaluate};
pub use fingerprint::Fingerprint;
pub use mapping::{Mapping, MappingError};
pub use merge::{Merge, MergeError, View, merge, merge_decided, settle};
pub use offers::{FieldProblem, Offers, Problem, RowView};
pub use spec::{Direction, Policy, RowKey, RowSpec, Side, Values, overlay};
pub use value::{Fields, Value};
