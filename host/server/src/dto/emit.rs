//! Samples of triggers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of a sample when it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SampleAnswer {
    /// It is a new event; `false`: the partner gives its events no id, and an equal body was received before.
    pub new: bool,
}
