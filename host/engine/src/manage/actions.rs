//! Actions by name: the vendor's operations and those of connectors. Each leaves a run behind, like everything that calls another
//! system.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use contactor_highlevel::{CallRecord, ErrorKind, Priority as HlPriority, Recorder};
use contactor_manifest::Action;
use contactor_runtime::{Invocation, Reply};
use contactor_store::{
    Call, ConnectionId, Digest, FailureClass, FieldRemark, RecordId, Run, RunCause, RunId, RunKind,
    RunOutcome, Workspace, WorkspaceId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::secrets;
use crate::active::Active;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::{self, Failure};
use crate::operations::{self, Desk, VendorOperation, schema};
use crate::partner::{HELD_BACK, of_values};
use crate::reconcile::{RunContext, mismatch, run_id};
use crate::recorder::{HighLevelCalls, RunRecorder};
use crate::written;

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionReport {
    /// The action, by its name in the catalogue.
    pub action: String,
    /// Writes were held back.
    pub preview: bool,
    /// What it answered; null when a preview held something back on which the answer depends.
    pub output: Value,
    /// The requests that were made, or in a preview: that would have been.
    pub calls: Vec<ActionCall>,
    /// The run with all details.
    pub run: RunId,
}

/// One request of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionCall {
    /// `highlevel` or `partner`.
    pub target: String,
    /// Method and path.
    pub request: String,
    /// Whether it changes something there.
    pub write: bool,
    /// A preview did not make it.
    pub held_back: bool,
    /// The answer's status.
    pub status: Option<u16>,
    /// The body, of a request that was held back.
    pub body: Option<String>,
}

/// An action under way.
struct Outcome {
    result: Result<Value, Failure>,
    calls: Vec<Call>,
    remarks: Vec<FieldRemark>,
    log: Vec<String>,
}

impl Engine {
    /// Runs an action of the catalogue: `highlevel.contacts.create` or `prefinery.points.award`. The input is checked against the
    /// action's schema first. A preview makes the reads, holds every write back and says what it would have been.
    ///
    /// # Errors
    /// No such action, an input that does not fit (with every problem), or what the other system said.
    pub async fn run_named(
        &self,
        workspace: &WorkspaceId,
        action: &str,
        input: Value,
        preview: bool,
    ) -> Result<ActionReport, EngineError> {
        let workspace = self.workspace(workspace).await?;
        let unknown = || EngineError::NotFound {
            what: "action",
            id: action.to_owned(),
            hint: "; `contactor catalog` lists those there are".to_owned(),
        };
        let (owner, name) = action.split_once('.').ok_or_else(unknown)?;
        if owner == operations::PREFIX {
            let operation = operations::find(name).ok_or_else(unknown)?;
            check(action, &operation.parameters(), &input)?;
            return self.run_operation(&workspace, operation, input, preview).await;
        }
        let id = ConnectionId::new(format!("{}/{owner}", workspace.id));
        let active = self.active(&id).await?;
        let declared = active.manifest.action(name).ok_or_else(unknown)?;
        check(action, &declared.input, &input)?;
        let (report, result) = self.run_of_connector(&active, declared, action, &input, preview).await?;
        result.map_err(|failure| of_connector(&active, failure))?;
        Ok(report)
    }

    /// Runs one of a connector's own operations with an input that is not checked; answers its output.
    ///
    /// # Errors
    /// No such operation, or what the connector said.
    pub async fn run_action(
        &self,
        id: &ConnectionId,
        name: &str,
        input: &Value,
        preview: bool,
    ) -> Result<Value, EngineError> {
        let active = self.active(id).await?;
        let Some(declared) = active.manifest.action(name) else {
            let known: Vec<_> = active.manifest.actions.iter().map(|action| action.name.as_str()).collect();
            return Err(EngineError::Invalid(format!(
                "{id} has no action `{name}`; it has {}",
                known.join(", ")
            )));
        };
        let (report, result) = self.run_of_connector(&active, declared, name, input, preview).await?;
        result.map_err(|failure| of_connector(&active, failure))?;
        Ok(report.output)
    }

    async fn run_of_connector(
        &self,
        active: &Arc<Active>,
        declared: &Action,
        shown_as: &str,
        input: &Value,
        preview: bool,
    ) -> Result<(ActionReport, Result<(), Failure>), EngineError> {
        let begun = Instant::now();
        let run = RunContext {
            // What a preview was refused is no answer to replay.
            tape: (!preview).then(Arc::default),
            ..self.interactive(active, preview)
        };
        run.recorder.hide(of_values(&secrets::of_input(&declared.input, input)));
        let name = &declared.name;
        let call = Invocation::Run { name: name.clone(), input: input.to_string() };
        let result = match run.invoke("actions.run", call).await {
            Ok(Reply::Run(Ok(output))) => serde_json::from_str(&output).map_err(|_| {
                let text = format!("{name}: the connector answered no JSON document");
                Failure::new(FailureClass::GuestBug, text)
            }),
            Ok(Reply::Run(Err(error))) => Err(run.of_connector(name, &error)),
            Ok(_) => Err(mismatch("actions.run")),
            Err(failure) => Err(failure),
        };
        let (calls, log) = run.recorder.take();
        let id = run_id();
        let recording = match &run.tape {
            Some(tape) => self.recording_of(active, tape, run.started_at, &id, &log).await,
            None => None,
        };
        let held = calls.iter().any(is_held_back);
        // What a connector makes of a refused write is its own affair; that it was refused is ours.
        let result = if held { result.or(Ok(Value::Null)) } else { result };
        let summaries = calls.iter().filter(|call| call.target != "guest").map(ActionCall::of).collect();
        let outcome = Outcome { result, calls, remarks: run.recorder.remarks(), log };
        let about = About {
            workspace: &active.workspace,
            connection: active.connection.id.clone(),
            component: Some(active.connection.digest.clone()),
            action: shown_as,
            contact: contact_of(input),
            writes: declared.writes,
            preview,
            started_at: run.started_at,
            begun,
            run: id,
        };
        let closed = self.close(about, outcome, summaries).await?;
        if let Some(recording) = recording {
            self.store().put_recording(recording).await?;
        }
        Ok(closed)
    }

    async fn run_operation(
        &self,
        workspace: &Workspace,
        operation: &VendorOperation,
        input: Value,
        preview: bool,
    ) -> Result<ActionReport, EngineError> {
        let (begun, started_at) = (Instant::now(), self.now());
        let tee = Arc::new(Tee::new(self.config().log_body_cap));
        tee.run.hide(of_values(&secrets::of_input(&operation.parameters(), &input)));
        let mut location =
            self.location(workspace).priority(HlPriority::Interactive).recorded(Arc::clone(&tee) as _);
        if preview {
            location = location.holding_back();
        }
        let contact = contact_of(&input);
        let desk = Desk { engine: self, workspace, location };
        let done = desk.run(operation.name, input).await;
        let (calls, summaries) = tee.take();
        let mut refused = None;
        let result = match done {
            Ok(output) => Ok(output),
            Err(operations::Fault::HighLevel(error)) if matches!(error.kind(), ErrorKind::HeldBack) => {
                Ok(Value::Null)
            }
            Err(operations::Fault::HighLevel(error)) => {
                let failure = failure::of_highlevel(&error);
                refused = Some(match error.kind() {
                    ErrorKind::NotSendable(_) => {
                        EngineError::Invalid(format!("{}: {}", operation.id(), error.kind()))
                    }
                    _ => EngineError::HighLevel(*error),
                });
                Err(failure)
            }
            Err(operations::Fault::Input(problems)) => {
                let list: Vec<_> = problems.iter().map(ToString::to_string).collect();
                let text = format!("{}: {}", operation.id(), list.join("; "));
                refused = Some(EngineError::Invalid(text.clone()));
                Err(Failure::new(FailureClass::Data, text))
            }
            Err(operations::Fault::Host(failure)) => Err(failure),
        };
        let id = operation.id();
        let about = About {
            workspace,
            connection: ConnectionId::of_highlevel(&workspace.id),
            component: None,
            action: &id,
            contact,
            writes: operation.writes(),
            preview,
            started_at,
            begun,
            run: run_id(),
        };
        let (report, result) = self
            .close(about, Outcome { result, calls, remarks: Vec::new(), log: Vec::new() }, summaries)
            .await?;
        match (refused, result) {
            (Some(error), _) => Err(error),
            (None, Err(failure)) => Err(EngineError::Partner {
                connector: operations::PREFIX.to_owned(),
                message: failure.message,
            }),
            (None, Ok(())) => Ok(report),
        }
    }

    /// Writes the run down and makes the report.
    async fn close(
        &self,
        about: About<'_>,
        outcome: Outcome,
        calls: Vec<ActionCall>,
    ) -> Result<(ActionReport, Result<(), Failure>), EngineError> {
        let Outcome { result, calls: all, remarks, log } = outcome;
        let run = about.run.clone();
        let contact = about.contact.or_else(|| written::contact(&all));
        let held = all.iter().filter(|call| is_held_back(call)).count();
        let failure = result.as_ref().err();
        self.store()
            .put_run(Run {
                id: run.clone(),
                workspace: about.workspace.id.clone(),
                connection: about.connection,
                component: about.component,
                kind: RunKind::Action,
                entity: contact.as_ref().map(|_| "contact".to_owned()),
                highlevel_id: contact,
                partner_id: None,
                event: None,
                cause: Some(RunCause::Person),
                started_at: about.started_at,
                duration_us: u64::try_from(about.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                outcome: match (failure, about.preview, about.writes) {
                    (Some(_), _, _) => RunOutcome::Parked,
                    (None, true, _) => RunOutcome::Skipped,
                    (None, false, true) => RunOutcome::Applied,
                    (None, false, false) => RunOutcome::Unchanged,
                },
                class: failure.map(|failure| failure.class),
                summary: match (failure, about.preview) {
                    (Some(failure), _) => failure.message.clone(),
                    (None, true) => format!("preview of {}: {held} writes held back", about.action),
                    (None, false) => format!("action {}", about.action),
                },
                changes: Vec::new(),
                remarks,
                calls: all,
                log,
            })
            .await?;
        let (output, result) = match result {
            Ok(output) => (output, Ok(())),
            Err(failure) => (Value::Null, Err(failure)),
        };
        let report =
            ActionReport { action: about.action.to_owned(), preview: about.preview, output, calls, run };
        Ok((report, result))
    }
}

/// What a run of an action is about.
struct About<'a> {
    workspace: &'a Workspace,
    connection: ConnectionId,
    component: Option<Digest>,
    action: &'a str,
    contact: Option<RecordId>,
    writes: bool,
    preview: bool,
    started_at: Timestamp,
    begun: Instant,
    run: RunId,
}

impl ActionCall {
    fn of(call: &Call) -> Self {
        let held_back = is_held_back(call);
        Self {
            target: call.target.clone(),
            request: call.operation.clone(),
            write: call.write,
            held_back,
            status: call.status,
            body: call.request.clone().filter(|_| held_back),
        }
    }
}

/// Takes calls to HighLevel into the run, and beside it the way in which they were made: a run keeps the operation's name only.
struct Tee {
    run: Arc<RunRecorder>,
    calls: HighLevelCalls,
    summaries: Mutex<Vec<ActionCall>>,
}

impl Tee {
    fn new(body_cap: usize) -> Self {
        let run = Arc::new(RunRecorder::default());
        Self { calls: HighLevelCalls::new(Arc::clone(&run), body_cap), run, summaries: Mutex::default() }
    }

    fn take(&self) -> (Vec<Call>, Vec<ActionCall>) {
        let summaries = std::mem::take(&mut *self.summaries.lock().unwrap_or_else(PoisonError::into_inner));
        (self.run.take().0, summaries)
    }
}

impl Recorder for Tee {
    fn record(&self, call: CallRecord) {
        let held_back = call.error.as_deref() == Some(HELD_BACK);
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner).push(ActionCall {
            target: "highlevel".to_owned(),
            request: format!("{} {}", call.method, call.path),
            write: call.write,
            held_back,
            status: call.status,
            body: call.request_body.clone().filter(|_| held_back).map(|body| self.run.shown(body)),
        });
        self.calls.record(call);
    }
}

fn is_held_back(call: &Call) -> bool {
    call.error.as_deref() == Some(HELD_BACK)
}

fn contact_of(input: &Value) -> Option<RecordId> {
    input.get("contactId").and_then(Value::as_str).map(RecordId::new)
}

fn of_connector(active: &Active, failure: Failure) -> EngineError {
    if failure.busy {
        return EngineError::Busy(failure.message);
    }
    EngineError::Partner { connector: active.connection.connector.clone(), message: failure.message }
}

fn check(action: &str, parameters: &Value, input: &Value) -> Result<(), EngineError> {
    let problems = schema::check(parameters, input).map_err(|why| {
        EngineError::Invalid(format!(
            "{action}: its schema cannot be used: {why}; this is its author's to mend"
        ))
    })?;
    if problems.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Err(EngineError::Invalid(format!("{action}: the input does not fit: {}", list.join("; "))))
}
