//! Whether a connection could work: both systems are asked, nothing is written.
//!
//! What the connection cannot do without is a problem. A scope that the location's token lacks, and without which only a part stops,
//! is a warning that names the scope and the part.

use std::collections::BTreeMap;

use contactor_highlevel::{AppointmentId, Error, ErrorKind, TaskQuery};
use contactor_runtime::{Invocation, Reply};
use contactor_store::ConnectionId;
use serde::{Deserialize, Serialize};

use crate::active::Active;
use crate::convert;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::RunContext;
use crate::reconcile::children::Kind;
use crate::task_walk::TASK_UPDATE;

/// Events of appointments, of which HighLevel tells those who may read calendars.
const APPOINTMENT_EVENTS: [&str; 3] = ["AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"];

/// No appointment has this id: only whether the token may ask is of interest.
const NO_APPOINTMENT: &str = "000000000000000000000000";

/// Whether a connection could work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Nothing is wrong. Warnings do not count.
    pub ok: bool,
    /// Whose credential it is at the partner.
    pub account: Option<String>,
    /// What else the partner says about the account, and HighLevel about the location.
    pub details: BTreeMap<String, String>,
    /// What is wrong, whose fault it is, and what to do.
    pub problems: Vec<String>,
    /// What works without, and what stops: scopes that the location's token lacks.
    pub warnings: Vec<String>,
}

impl Engine {
    /// Asks both systems whether the connection could work. Writes nothing.
    ///
    /// # Errors
    /// No such connection, or the store does not answer. What either system refuses is in the report.
    pub async fn check_connection(&self, id: &ConnectionId) -> Result<CheckReport, EngineError> {
        let active = self.active(id).await?;
        let run = self.interactive(&active, true);
        let mut report = CheckReport {
            ok: true,
            account: None,
            details: BTreeMap::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        ask_partner(&run, &mut report).await;
        ask_location(&run, &mut report).await;
        let uses = self.uses(&active).await?;
        ask_scopes(&run, uses, &mut report).await;
        for scope in &active.manifest.scopes {
            if !active.scopes.contains(&scope.name) {
                report.problems.push(format!(
                    "the scope {} was not granted; it is needed because: {}",
                    scope.name, scope.why
                ));
            }
        }
        report.ok = report.problems.is_empty();
        Ok(report)
    }

    async fn uses(&self, active: &Active) -> Result<Uses, EngineError> {
        let mut listens = Vec::new();
        for kind in APPOINTMENT_EVENTS.into_iter().chain([TASK_UPDATE]) {
            if self.subscribers(&active.workspace.id, kind).await?.contains(&active.connection.id) {
                listens.push(kind);
            }
        }
        let keeps = |kind: Kind| active.lists.contains_key(kind.list());
        Ok(Uses {
            tasks: keeps(Kind::Task) || listens.contains(&TASK_UPDATE),
            custom_fields: active.names_custom_fields(),
            appointments: keeps(Kind::Appointment)
                || listens.iter().any(|kind| APPOINTMENT_EVENTS.contains(kind)),
        })
    }
}

/// What a connection needs of HighLevel beyond its contacts.
#[derive(Clone, Copy)]
struct Uses {
    tasks: bool,
    custom_fields: bool,
    appointments: bool,
}

async fn ask_partner(run: &RunContext, report: &mut CheckReport) {
    match run.invoke("adapter.check", Invocation::Check).await {
        Ok(Reply::Check(Ok(account))) => {
            report.account = Some(format!("{} ({})", account.name, account.id));
            for (name, value) in convert::fields_from_wit(&account.details) {
                report.details.insert(name, convert::show(&value));
            }
        }
        Ok(Reply::Check(Err(error))) => {
            report.problems.push(run.of_connector("adapter.check", &error).message);
        }
        Ok(_) => report.problems.push(crate::reconcile::mismatch("adapter.check").message),
        Err(failure) => report.problems.push(failure.message),
    }
}

async fn ask_location(run: &RunContext, report: &mut CheckReport) {
    match run.location.info().await {
        Ok(info) => {
            if info.allows_duplicate_contacts() == Some(true) {
                report.details.insert(
                    "HighLevel".to_owned(),
                    "the location allows duplicate contacts: people with one email may become two".to_owned(),
                );
            }
        }
        Err(error) => report.problems.push(format!("HighLevel: {error}")),
    }
}

/// One small read for each thing that the connection will use; only whether the token may is looked at.
async fn ask_scopes(run: &RunContext, uses: Uses, report: &mut CheckReport) {
    let mut asked = Vec::new();
    if uses.tasks {
        let query = TaskQuery { limit: Some(1), ..TaskQuery::default() };
        asked.push((
            run.location.search_tasks(&query).await.err(),
            "tasks that somebody edits are not noticed, as HighLevel tells of no edit and the walk over all tasks is refused",
        ));
    }
    if uses.custom_fields {
        asked.push((
            run.location.custom_fields().await.err(),
            "records whose mapping has a custom field are parked, as the field is not found by its key",
        ));
    }
    if uses.appointments {
        asked.push((
            run.location.appointment(&AppointmentId::new(NO_APPOINTMENT)).await.err(),
            "HighLevel tells of no appointment; they are seen when something else of their contact changes",
        ));
    }
    for (error, stops) in asked {
        if let Some(scope) = error.as_ref().and_then(lacking) {
            report.warnings.push(lacks(scope, stops));
        }
    }
}

fn lacks(scope: &str, stops: &str) -> String {
    format!("HighLevel: the token lacks the scope `{scope}`: {stops}")
}

/// The scope that the token lacks, if that is why HighLevel refuses.
fn lacking(error: &Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::MissingScope { scope } => Some(scope),
        _ => None,
    }
}
