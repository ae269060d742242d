//! Webhooks for tests of [`receive`](crate::Connector::receive), and what it made of them.

use crate::{Change, Received, Webhook};

/// A webhook with this body and without headers.
pub fn webhook(body: impl Into<Vec<u8>>) -> Webhook {
    Webhook { headers: Vec::new(), body: body.into() }
}

/// What tests ask of a webhook that was received.
impl Received {
    /// The changes that it told of.
    ///
    /// # Panics
    /// When it was rejected.
    #[track_caller]
    pub fn changes(self) -> Vec<Change> {
        match self {
            Self::Changes(changes) => changes,
            Self::Rejected(reason) => panic!("the webhook was rejected: {reason}"),
        }
    }

    /// The one change that it told of.
    ///
    /// # Panics
    /// When it was rejected, or told of another number of them.
    #[track_caller]
    pub fn change(self) -> Change {
        let mut changes = self.changes();
        assert_eq!(changes.len(), 1, "expected one change, received {changes:?}");
        changes.remove(0)
    }
}
