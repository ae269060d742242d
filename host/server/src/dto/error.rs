//! The one shape of a refusal.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the admin API answers instead of a result, with a status of 400 and above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A stable word for programs: `not-found`, `invalid`, `conflict`, `component-refused`, `highlevel`, `partner`,
    /// `store`, ….
    pub code: String,
    /// What was refused and why, for people.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
