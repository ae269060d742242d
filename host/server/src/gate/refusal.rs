//! What becomes of a request that does not pass.

use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use contactor_engine::{Caller, EngineError};

use super::record::Change;
use super::rules::Rule;
use crate::app::App;
use crate::error::ApiError;

/// Why a request does not pass.
pub(super) struct Refusal {
    pub(super) error: ApiError,
    /// For the record; it says more than whoever asks may know.
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn forbidden(caller: &Caller, rule: &Rule, needs: &str) -> Self {
        let error =
            ApiError::forbidden(format!("`{}` needs {needs}", rule.operation)).hint(match caller.narrowed {
                contactor_engine::Narrowed { role: None, workspaces: None } => {
                    "`contactor whoami` shows what you may do"
                }
                _ => "`contactor whoami` shows what you may do; your token narrows it",
            });
        Self { error, why: format!("needs {needs}") }
    }

    pub(super) fn failed(error: EngineError) -> Self {
        Self { error: error.into(), why: "the store did not answer".to_owned() }
    }

    pub(super) fn failing(wait: Duration) -> Self {
        Self {
            error: ApiError::too_many("too many changes of this user failed of late", wait),
            why: "too many changes of this user failed within a minute".to_owned(),
        }
    }
}

/// Answers a refusal, and puts it on record if it is one of a change.
pub(super) async fn refuse(app: &App, change: Option<Change>, refusal: Refusal) -> Response {
    if let Some(change) = change {
        let status = refusal.error.status();
        // Nobody can fill the store by being refused.
        if let Ok(before) = app.gate.refusals.take(change.who(), Instant::now()) {
            change.refused(app, status, refusal.why, before).await;
        }
    }
    refusal.error.into_response()
}
