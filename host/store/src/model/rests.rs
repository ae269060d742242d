//! What is left alone for a while, so that it can recover and nothing else waits for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConnectionId, FailureClass};

/// Work that is not given out before a time. It survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// The connection.
    pub connection: ConnectionId,
    /// The entity whose records wait, [`WEBHOOK_ENTITY`](super::WEBHOOK_ENTITY), or an
    /// [`automation_subject`](crate::automation_subject); none when everything of the connection does.
    pub subject: Option<String>,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// What the last failure said.
    pub reason: String,
    /// Failures in a row.
    pub failures: u32,
    /// Since when it fails.
    pub since: Timestamp,
    /// Nothing of it is given out before this time. Afterwards a whole connection works again; of an entity one record is tried,
    /// and the others wait for [`TRIAL`] more, or until the rest is ended.
    pub until: Timestamp,
}

/// How long a record that is tried has to show that its entity works again.
pub const TRIAL: std::time::Duration = std::time::Duration::from_secs(30);
