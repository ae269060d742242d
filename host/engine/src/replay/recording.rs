//! What is kept of a run so that it can be run again.

use std::sync::{Arc, Mutex, PoisonError};

use contactor_runtime::{CallError, Invocation, Reply, Weight};
use contactor_store::{NewRecording, Purpose, RunId, RunKind, Sealed, WorkspaceId};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::given::{Given, outcome};
use super::tape::{Exchange, Recorder};
use crate::active::Active;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::vault::secret_json;

/// Bytes that the recording of one run may have. A run that reads whole lists of large answers is not recorded, and says so.
pub(crate) const CAP: usize = 1024 * 1024;

/// Everything that a run's guest calls were given and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recording {
    /// The connector's id.
    pub(crate) connector: String,
    /// SHA-256 of the component that ran.
    pub(crate) digest: String,
    /// The scopes that were granted.
    pub(crate) grants: Vec<String>,
    /// Settings as the connector read them.
    pub(crate) settings: String,
    /// The country that expressions read phones in.
    pub(crate) country: Option<String>,
    /// The run's clock.
    pub(crate) at: Timestamp,
    /// The guest calls in their order.
    pub(crate) calls: Vec<Recorded>,
    /// Lines that the connector logged.
    pub(crate) log: Vec<String>,
}

/// One guest call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) given: Given,
    pub(crate) calls: Vec<Exchange>,
    /// What it answered, as JSON, or why it did not.
    pub(crate) outcome: String,
}

/// The guest calls of a run under way, while they are recorded.
#[derive(Default)]
pub(crate) struct RunTape {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    calls: Vec<Recorded>,
    bytes: usize,
}

impl RunTape {
    /// A tape for one guest call.
    pub(crate) fn begin() -> Arc<Recorder> {
        Arc::new(Recorder::new(CAP))
    }

    /// A guest call has ended.
    pub(crate) fn end(&self, call: Invocation, recorder: &Recorder, result: &Result<Reply, CallError>) {
        let (calls, bytes) = recorder.take();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is written that has no room.
        let weight = call.weight() + result.as_ref().map_or(0, Weight::weight);
        let least = inner.bytes.saturating_add(bytes).saturating_add(weight);
        if least > CAP {
            inner.bytes = least;
            inner.calls.clear();
            return;
        }
        let given = Given::from(call);
        let outcome = of_result(result);
        let own = serde_json::to_string(&given).map_or(0, |text| text.len()) + outcome.len();
        inner.bytes = inner.bytes.saturating_add(bytes + own);
        if inner.bytes > CAP {
            inner.calls.clear();
        } else {
            inner.calls.push(Recorded { given, calls, outcome });
        }
    }

    /// The guest calls so far; none when they were too large to be kept.
    pub(crate) fn calls(&self) -> Option<Vec<Recorded>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.bytes <= CAP).then(|| inner.calls.clone())
    }

    fn take(&self) -> (Vec<Recorded>, usize) {
        let inner = std::mem::take(&mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        (inner.calls, inner.bytes)
    }
}

/// What a guest call came to.
pub(super) fn of_result(result: &Result<Reply, CallError>) -> String {
    match result {
        Ok(reply) => outcome(reply),
        Err(error) => format!("failed: {error}"),
    }
}

impl Engine {
    /// What is to be kept of a run, sealed; none when no guest was called.
    pub(crate) async fn recording_of(
        &self,
        active: &Active,
        tape: &RunTape,
        at: Timestamp,
        run: &RunId,
        log: &[String],
    ) -> Option<NewRecording> {
        let (calls, bytes) = tape.take();
        if bytes == 0 {
            return None;
        }
        let recording = Recording {
            connector: active.connection.connector.clone(),
            digest: active.connection.digest.as_str().to_owned(),
            grants: active.connection.grants.clone(),
            settings: active.settings.clone(),
            country: active.workspace.country.clone(),
            at,
            calls,
            log: log.to_vec(),
        };
        let sealed = if bytes > CAP {
            None
        } else {
            let text = secret_json(&recording).unwrap_or_default();
            let purpose = Purpose::recording(&active.workspace.id, &active.connection.id, run);
            match self.credentials().keys().seal(&purpose, &text).await {
                Ok(sealed) => Some(sealed),
                Err(error) => {
                    tracing::warn!(connection = %active.connection.id, %error, "a run was not recorded");
                    return None;
                }
            }
        };
        Some(NewRecording {
            run: run.clone(),
            connection: active.connection.id.clone(),
            at: self.now(),
            size: bytes as u64,
            sealed,
        })
    }

    /// Opens what was kept of a run.
    pub(super) async fn unsealed(
        &self,
        workspace: &WorkspaceId,
        recording: &NewRecording,
        sealed: Sealed,
    ) -> Result<Recording, EngineError> {
        let NewRecording { run, connection, .. } = recording;
        let purpose = Purpose::recording(workspace, connection, run);
        let again =
            || async { Ok(self.store().recording(run).await?.and_then(|recording| recording.sealed)) };
        let opened = self.credentials().keys().open(&purpose, sealed, again).await?;
        let text = opened.ok_or_else(|| EngineError::NotFound {
            what: "recording of run",
            id: run.to_string(),
            hint: "; it was forgotten just now".to_owned(),
        })?;
        // The text is ours; a parse error must not quote it.
        serde_json::from_str(text.expose_secret()).map_err(|_| {
            EngineError::Invalid(format!(
                "the recording of run {run} cannot be read: another version of this host wrote it"
            ))
        })
    }
}

/// Whether runs of a kind are recorded at all, in words for who asks for one that is not.
pub(crate) fn recorded_kind(kind: RunKind) -> Result<(), &'static str> {
    match kind {
        RunKind::Automation | RunKind::Action => Ok(()),
        RunKind::Reconcile => Err(
            "of reconciles only those are recorded whose record failed before or that a person asked for: have it done again with \
             `contactor sync … --record ID` or `contactor parked retry`, and replay that run",
        ),
        RunKind::Poll | RunKind::Receive | RunKind::Sweep => {
            Err("only automations, actions and reconciles of connectors are recorded")
        }
    }
}
