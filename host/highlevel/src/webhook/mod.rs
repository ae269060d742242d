//! Webhooks of HighLevel: is it genuine, what is it about.
//!
//! An event is a hint that a record may have changed. Nothing here builds a record from one: payloads lack fields
//! (a note's title, a task's contact), come late and out of order. What an event is good for is the id to read again,
//! and, for contacts, a snapshot by which an echo of our own write is recognised.

mod envelope;
mod event;
mod keys;
mod verify;

pub use envelope::{Envelope, EnvelopeError, OfApp, delivery_id};
pub use event::{Change, Event, Snapshot};
pub use verify::{
    DEFAULT_MAX_AGE, DEFAULT_MAX_FUTURE_SKEW, KeyError, LegacyRsa, PUBLISHED_ED25519, Scheme, Verified,
    Verifier, VerifierConfig, VerifyError,
};
