//! What is kept of runs so that they can be run again.

use jiff::Timestamp;

use super::{ConnectionId, RunId};
use crate::vault::Sealed;

/// What a connector was given and answered in a run, sealed: it holds whatever the partner answered.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecording {
    /// The run.
    pub run: RunId,
    /// Its connection.
    pub connection: ConnectionId,
    /// When it was made.
    pub at: Timestamp,
    /// Bytes of the recording before it was sealed.
    pub size: u64,
    /// The recording; absent when it was too large to be kept.
    pub sealed: Option<Sealed>,
}
