//! `contactor store`: the database of a host that is stopped.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use contactor_store::StoreError;
use contactor_store::sqlite;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output::or_dash;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Look through the whole database: damage, references that lead nowhere, commits that are missing. Changes nothing.
    #[command(
        after_help = "Examples:\n  contactor store check\n  contactor store check --database /backup/contactor.db\n\n\
                            The host has to be stopped, because it holds the database. Ends with 6 when something is wrong."
    )]
    Check {
        /// Another database than the configuration's, such as a backup.
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
    },
    /// Go on with the database as it is, without the commits that are missing: after a restore, or after a loss.
    #[command(after_help = "Example:\n  contactor store accept\n\n\
                            `serve` refuses a database that lacks commits which were acknowledged, and says how many. This accepts the\n\
                            loss, once. It cannot be undone: copy the database and its -wal and .mark aside before. A damaged database\n\
                            is not accepted; `contactor store check` says what is wrong with it. The audit log says that it was accepted.")]
    Accept {
        /// Who accepts it, for the audit log; the user of this machine unless given.
        #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
        by: Option<String>,
    },
}

/// Needs no host: it has to be stopped.
pub(crate) fn run(context: &Context, command: &Command) -> Result<(), Failure> {
    let configured = || context.config().map(|config| config.path(&config.store.path));
    match command {
        Command::Check { database: Some(database) } => check(context, database),
        Command::Check { database: None } => check(context, &configured()?),
        Command::Accept { by } => accept(context, &configured()?, by.as_deref()),
    }
}

fn check(context: &Context, database: &Path) -> Result<(), Failure> {
    let checked = sqlite::check(database).map_err(failure)?;
    let mut lines = vec![
        ("database", checked.database.display().to_string()),
        ("last commit", or_dash(checked.commit)),
        ("acknowledged", or_dash(checked.marked)),
        ("missing", checked.missing().to_string()),
    ];
    lines.extend(checked.problems.iter().map(|problem| ("damaged", problem.clone())));
    context.out.one(&checked, &lines)?;
    if let Some(problem) = checked.problems.first() {
        return Err(failure(StoreError::Corrupt { reason: problem.clone() }));
    }
    checked.doubt.map_or(Ok(()), |doubt| Err(failure(doubt.into())))
}

fn accept(context: &Context, database: &Path, by: Option<&str>) -> Result<(), Failure> {
    let accepted = sqlite::accept(database, by).map_err(failure)?;
    if context.out.json {
        return Ok(crate::output::json(&accepted)?);
    }
    if !accepted.was_doubtful {
        return Ok(context.out.text(&format!(
            "nothing to accept: nothing is known to be missing; the last commit is {}",
            accepted.commit
        ))?);
    }
    context.out.text(&format!(
        "accepted: the host goes on from commit {} (acknowledged were {})",
        accepted.commit,
        or_dash(accepted.marked)
    ))?;
    Ok(context.out.note(
        "next: `contactor serve`, then `contactor sync WORKSPACE CONNECTOR --full` for each connection finds again what was lost",
    )?)
}

/// What the store refuses, with the code that it ends the program with.
pub(crate) fn failure(error: StoreError) -> Failure {
    let exit = match &error {
        StoreError::Doubtful(_) | StoreError::Corrupt { .. } => Exit::Doubtful,
        StoreError::NotFound { .. } => Exit::NotFound,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}
