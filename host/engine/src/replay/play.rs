//! Runs a recording again. Nothing is called: the guest's calls are answered from the recording, or not at all.

use std::sync::Arc;

use contactor_runtime::{Digest, Grants, Invocation, Origin};
use contactor_store::{Connection, Priority, RunId};
use jiff::Timestamp;
use serde_json::Value;

use super::recording::{CAP, Recorded, Recording, of_result, recorded_kind};
use super::report::{RecordingSummary, ReplayReport, ReplayedCall, SideBySide, parting};
use super::tape::{Player, Tape};
use crate::active::Active;
use crate::capabilities::Capabilities;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::manage::secrets;
use crate::partner::of_values;
use crate::reconcile::RunContext;
use crate::recorder::cut;

/// Bytes of an input or outcome that a report shows.
const SHOWN: usize = 4 * 1024;

impl Engine {
    /// What is recorded of a run. Runs nothing.
    ///
    /// # Errors
    /// No such run; or it was not recorded, with the reason.
    pub async fn recording(&self, run: &RunId) -> Result<RecordingSummary, EngineError> {
        let (recording, connection, size) = self.recorded(run).await?;
        let active = self.active(&connection.id).await?;
        let stage = self.stage(&active, &recording);
        let calls = recording.calls.iter().map(|call| stage.shown_call(call)).collect();
        Ok(RecordingSummary {
            run: run.to_string(),
            connector: recording.connector,
            digest: recording.digest,
            size,
            calls,
        })
    }

    /// Runs a recorded run again, offline: with the component that ran, or with another build of the same connector.
    ///
    /// # Errors
    /// No such run; it was not recorded, with the reason; the component is gone, is refused, or is of another connector.
    pub async fn replay(&self, run: &RunId, component: Option<Vec<u8>>) -> Result<ReplayReport, EngineError> {
        let (recording, connection, _) = self.recorded(run).await?;
        let (origin, bytes) = match component {
            Some(bytes) => (Origin::New, bytes),
            None => (Origin::Installed, self.component_of(&recording)?),
        };
        let (digest, bytes) = self.aside(move |_| (Digest::of(&bytes), bytes)).await?;
        // Nothing can be reached, so a newer build may import what nobody granted yet.
        let (connector, _) = self.load_component(bytes, &digest, &Grants::all(), origin).await?;
        let id = connector.manifest().connector.id.as_str();
        if id != recording.connector {
            return Err(EngineError::Invalid(format!(
                "run {run} is of the connector {}, and this component is {id}; give a build of {}",
                recording.connector, recording.connector
            )));
        }
        let active = self.active(&connection.id).await?;
        let manifest = Arc::new(connector.manifest().clone());
        let active = Arc::new(active.replaying(
            manifest,
            Arc::new(connector),
            recording.settings.clone(),
            recording.country.clone(),
        ));
        let stage = self.stage(&active, &recording);
        // One place for all of them: they are played one after the other.
        let _seat = stage.run.seat("replay").await.map_err(|crowded| EngineError::Busy(crowded.message))?;
        let (calls, log) = stage.play_all(&recording.calls).await;
        let log =
            (log != recording.log).then(|| SideBySide { recorded: recording.log.clone(), replayed: log });
        Ok(ReplayReport {
            run: run.to_string(),
            same: log.is_none() && calls.iter().all(ReplayedCall::is_same),
            connector: recording.connector,
            recorded: recording.digest,
            replayed: digest.to_string(),
            calls,
            log,
        })
    }

    /// Plays guest calls to another version; answers how it went up to the first that differs, and what the version logged.
    pub(crate) async fn play_all(
        &self,
        active: &Arc<Active>,
        calls: &[Recorded],
        at: Timestamp,
    ) -> (Vec<ReplayedCall>, Vec<String>) {
        let run = RunContext { started_at: at, ..self.context(active, Priority::Interactive, true) };
        Stage { run }.play_all(calls).await
    }

    async fn recorded(&self, id: &RunId) -> Result<(Recording, Connection, u64), EngineError> {
        let run = self.run_detail(id).await?;
        let none = |why: String| EngineError::Conflict(format!("run {id} cannot be replayed: {why}"));
        if run.connection.workspace_of_highlevel().is_some() {
            return Err(none("the host itself made its calls, and no connector had a part in it".to_owned()));
        }
        let Some(kept) = self.store().recording(id).await? else {
            let why = recorded_kind(run.kind).err().unwrap_or(
                "it called no connector, or its recording is forgotten: recordings are kept for seven days, and of each connection the \
                 newest 64 MiB",
            );
            return Err(none(why.to_owned()));
        };
        let Some(sealed) = kept.sealed.clone() else {
            return Err(none(format!(
                "what the connector was given and answered was too large to be kept ({} bytes; {CAP} are kept at most)",
                kept.size
            )));
        };
        let recording = self.unsealed(&run.workspace, &kept, sealed).await?;
        Ok((recording, self.stored(&run.connection).await?, kept.size))
    }

    fn component_of(&self, recording: &Recording) -> Result<Vec<u8>, EngineError> {
        let digest = contactor_store::Digest::new(recording.digest.as_str());
        self.artefacts().get(&digest).map_err(|error| match error {
            EngineError::Artefacts(source) if source.kind() == std::io::ErrorKind::NotFound => {
                EngineError::NotFound {
                    what: "component",
                    id: recording.digest.clone(),
                    hint: format!(
                        "; it ran as {}, and its file is gone: give it, or another build, with `--connector FILE`",
                        recording.connector
                    ),
                }
            }
            other => other,
        })
    }

    fn stage(&self, active: &Arc<Active>, recording: &Recording) -> Stage {
        let run = RunContext {
            started_at: recording.at,
            // The calls never come as far; should one, it would be held back.
            ..self.interactive(active, true)
        };
        // What an action was given as a secret is in no report either.
        for recorded in &recording.calls {
            if let Invocation::Run { name, input } = recorded.given.clone().into()
                && let Some(action) = active.manifest.action(&name)
            {
                let input = serde_json::from_str(&input).unwrap_or_default();
                run.recorder.hide(of_values(&secrets::of_input(&action.input, &input)));
            }
        }
        Stage { run }
    }
}

/// A run that is replayed.
struct Stage {
    run: RunContext,
}

impl Stage {
    async fn play_all(&self, recorded: &[Recorded]) -> (Vec<ReplayedCall>, Vec<String>) {
        let mut calls = Vec::new();
        for recorded in recorded {
            let call = self.play(recorded).await;
            let goes_on = call.is_same();
            calls.push(call);
            if !goes_on {
                break;
            }
        }
        let (_, log) = self.run.recorder.take();
        (calls, log)
    }

    async fn play(&self, recorded: &Recorded) -> ReplayedCall {
        let player = Arc::new(Player::new(recorded.calls.clone()));
        let host = Capabilities::taped(self.run.clone(), Tape::Play(Arc::clone(&player)));
        let result = self.run.active.guest.call(host, recorded.given.clone().into()).await;
        let outcome = of_result(&result);
        let shown = |value: &Value| self.shown(&value.to_string());
        ReplayedCall {
            matched: player.matched() as u64,
            parted: parting(&recorded.calls, player.matched(), player.parted(), &shown),
            outcome: (outcome != recorded.outcome).then(|| SideBySide {
                recorded: self.shown(&recorded.outcome),
                replayed: self.shown(&outcome),
            }),
            ..self.shown_call(recorded)
        }
    }

    /// A guest call as it was recorded.
    fn shown_call(&self, recorded: &Recorded) -> ReplayedCall {
        let call: Invocation = recorded.given.clone().into();
        let input = serde_json::to_string(&recorded.given).unwrap_or_default();
        ReplayedCall {
            export: call.export().to_owned(),
            input: self.shown(&input),
            recorded_calls: recorded.calls.iter().map(|call| call.operation.clone()).collect(),
            matched: 0,
            parted: None,
            outcome: None,
        }
    }

    /// A text as a report may show it.
    fn shown(&self, text: &str) -> String {
        cut(self.run.recorder.shown(text.to_owned()), SHOWN)
    }
}
