//! Sessions of whoever logs in with a browser.

use contactor_engine as engine;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The session of whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id, as the audit log names it.
    pub id: String,
    /// Whose it is.
    #[schema(example = "ann")]
    pub user: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it ends unless it is used until then.
    pub idle_until: Timestamp,
    /// What each change has to show in the header `X-CSRF-Token`.
    pub csrf_token: String,
}

impl From<engine::SessionCaller> for Session {
    fn from(own: engine::SessionCaller) -> Self {
        Self {
            id: own.session.id.to_string(),
            user: own.session.user.to_string(),
            created_at: own.session.created_at,
            expires_at: own.session.expires_at,
            idle_until: own.idle_until,
            csrf_token: own.csrf_token,
        }
    }
}
