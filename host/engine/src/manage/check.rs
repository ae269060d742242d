//! Whether a connection could work: both systems are asked, nothing is written.
//!
//! What the connection cannot do without is a problem. A scope that the location's token lacks is a warning that names the scope and what
//! stops: a consent says what it allows, and what a private token allows is tried.

use std::collections::BTreeMap;

use contactor_highlevel::{AppointmentId, Error, ErrorKind, TaskQuery};
use contactor_runtime::{Invocation, Reply};
use contactor_store::ConnectionId;
use serde::{Deserialize, Serialize};

use super::scopes::{Lack, Uses, WITHOUT_APPOINTMENTS, WITHOUT_CUSTOM_FIELDS, WITHOUT_TASKS};
use crate::convert;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::RunContext;

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
        let asked = self.manifest_of(&active.connection).await?;
        let told = self.lacks(&active.workspace, &active.connection, &asked).await?;
        report.warnings.extend(told.iter().map(|one| one.warning.clone()));
        ask_partner(&run, &mut report).await;
        ask_location(&run, &told, &mut report).await;
        let uses = Uses::of(&asked, &active.connection, &active.workspace.policy)?;
        ask_scopes(&run, uses, &told, &mut report).await;
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

async fn ask_location(run: &RunContext, told: &[Lack], report: &mut CheckReport) {
    match run.location.info().await {
        Ok(info) => {
            if info.allows_duplicate_contacts() == Some(true) {
                report.details.insert(
                    "HighLevel".to_owned(),
                    "the location allows duplicate contacts: people with one email may become two".to_owned(),
                );
            }
        }
        Err(error) if lacking(&error).is_some_and(|scope| is_told(told, scope)) => {}
        Err(error) => report.problems.push(format!("HighLevel: {error}")),
    }
}

/// Whether the consent says itself that it lacks a scope, so that there is a warning already.
fn is_told(told: &[Lack], scope: &str) -> bool {
    told.iter().any(|one| one.scope == scope)
}

/// One small read for each thing that the connection will use; only whether the token may is looked at.
async fn ask_scopes(run: &RunContext, uses: Uses, told: &[Lack], report: &mut CheckReport) {
    let mut asked = Vec::new();
    if uses.tasks {
        let query = TaskQuery { limit: Some(1), ..TaskQuery::default() };
        asked.push((run.location.search_tasks(&query).await.err(), WITHOUT_TASKS));
    }
    if uses.custom_fields {
        asked.push((run.location.custom_fields().await.err(), WITHOUT_CUSTOM_FIELDS));
    }
    if uses.appointments {
        let none = AppointmentId::new(NO_APPOINTMENT);
        asked.push((run.location.appointment(&none).await.err(), WITHOUT_APPOINTMENTS));
    }
    for (error, stops) in asked {
        if let Some(scope) = error.as_ref().and_then(lacking).filter(|scope| !is_told(told, scope)) {
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
