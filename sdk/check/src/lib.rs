//! An acceptance suite for connectors that needs no knowledge of their partner.
//!
//! [`check`] runs a component in the real sandbox against a host that answers by a script: HighLevel with one contact, and a partner
//! that answers with records made of the manifest's own fields and samples, and then with everything that is no answer at all. What a
//! component must hold whatever its partner is, is looked at from outside: that it answers for what it declares and for nothing else,
//! that nothing makes it trap, that reading writes nothing, that the same event does the same twice, that its limits suffice, that no
//! secret comes out again.
//!
//! What needs a record that the connector understands is skipped, with the reason, when it understands none of those that the suite
//! can make up: samples in the manifest help.

mod checks;
mod host;
mod partner;
mod report;
mod subject;
mod values;

use contactor_runtime::{
    Digest, Grants, Inspection, LoadError, Runtime, RuntimeConfig, RuntimeError, inspect,
};
use serde_json::{Map, Value as Json};

pub use report::{Check, Outcome, Report};

use host::Host;
use subject::Subject;

/// A secret that the suite plants where connectors have no business: in headers of webhooks and of the partner's answers.
pub(crate) const CANARY: &str = "canary-5f2a9c-not-a-real-secret";

/// Why the suite could not begin. Anything that is the connector's fault is part of the report instead.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file is no connector at all.
    #[error("{0}")]
    NoConnector(#[from] contactor_runtime::InspectError),
    /// The sandbox did not start.
    #[error("the sandbox did not start: {0}")]
    Runtime(#[from] RuntimeError),
}

/// Checks a component. `settings` are those that the manifest's own defaults and the suite's guesses cannot supply.
///
/// # Errors
/// [`CheckError`], before anything was checked.
pub async fn check(bytes: Vec<u8>, settings: &Map<String, Json>) -> Result<Report, CheckError> {
    let inspection = inspect(&bytes)?;
    let manifest = inspection.manifest.clone();
    let mut report = Report::new(&inspection);
    report.add("manifest", "the manifest is complete and fits itself", checks::manifest::run(&manifest));
    report.add(
        "imports",
        "it imports what its scopes declare and no more",
        checks::imports::run(&inspection),
    );

    let settings = match values::settings(&manifest, settings) {
        Ok(settings) => settings,
        Err(problems) => {
            let how = "give a value with --set NAME=VALUE, for example one of a test account";
            let problems = problems.into_iter().map(|problem| format!("{problem}; {how}")).collect();
            report.add("settings", "its settings can be filled in", Outcome::failed(problems));
            return Ok(report);
        }
    };
    let connector = match load(bytes, &inspection).await? {
        Ok(connector) => connector,
        Err(error) => {
            report.add("load", "the sandbox takes it", Outcome::failed(vec![error.to_string()]));
            return Ok(report);
        }
    };
    let mut subject = Subject::new(connector, settings.to_string());
    report.add(
        "declared",
        "it answers for everything that it declares",
        checks::declared::run(&mut subject).await,
    );
    report.add(
        "undeclared",
        "it refuses what it does not declare",
        checks::undeclared::run(&mut subject).await,
    );
    report.add(
        "malformed",
        "malformed input is answered by a value, never by a trap",
        checks::malformed::run(&mut subject).await,
    );
    report.add(
        "partial",
        "one record that cannot be read stops no other one",
        checks::partial::run(&mut subject).await,
    );
    report.add(
        "limits",
        "a large page and a list without end stay within its limits",
        checks::limits::run(&mut subject).await,
    );
    report.add(
        "repeats",
        "the same change twice does the same, so that it is written once",
        checks::repeats::run(&mut subject).await,
    );
    report.add(
        "echoes",
        "what it wrote is what it reads, so that echoes are known",
        checks::echoes::run(&mut subject).await,
    );
    // The last two look back at every call that the suite has made.
    report.add(
        "reads",
        "reading, admitting, receiving and polling write nothing",
        checks::reads::run(&subject),
    );
    report.add("secrets", "no secret comes out again", checks::secrets::run(&subject));
    Ok(report)
}

async fn load(
    bytes: Vec<u8>,
    inspection: &Inspection,
) -> Result<Result<contactor_runtime::Connector<Host>, LoadError>, CheckError> {
    let runtime = Runtime::new(RuntimeConfig { max_instances: 2, ..RuntimeConfig::default() })?;
    let digest = Digest::of(&bytes);
    let grants = inspection.capabilities().fold(Grants::none(), Grants::and);
    Ok(runtime.load(bytes, &digest, &grants).await)
}
