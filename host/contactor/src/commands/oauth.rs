//! `contactor oauth`: access to HighLevel by consent.

use clap::{Args, Subcommand};
use contactor_server::dto::{Grant, NewConsent, RenewGrant};

use super::Context;
use crate::exit::Failure;
use crate::output::{or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Begin a consent: print the page to which to send whoever may grant access.
    Connect(Connect),
    /// List what was granted, and how it stands.
    #[command(after_help = "Example:\n  contactor oauth list --json")]
    List,
    /// Renew a grant now, because the reason for which it was paused or failed is gone.
    #[command(after_help = "Example:\n  contactor oauth renew location/ve9EPM428h8vShlRW1KT")]
    Renew {
        /// The grant, as `contactor oauth list` shows it.
        grant: String,
    },
    /// List the locations in which the app is installed, and the workspaces bound to them.
    #[command(after_help = "Example:\n  contactor oauth installations --json")]
    Installations,
}

/// Begin a consent. The page works once and for an hour. Whoever opens it has to choose the workspace's own location; a consent for
/// another one changes nothing. Connecting again keeps links, cursors and parked records.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor oauth connect acme
  contactor oauth connect --agency --white-label --json")]
pub(crate) struct Connect {
    /// The workspace whose location is to be opened.
    #[arg(required_unless_present = "agency")]
    workspace: Option<String>,
    /// Connect an agency: opens every location in which it has installed the app.
    #[arg(long, conflicts_with = "workspace")]
    agency: bool,
    /// Show the page that does not name HighLevel.
    #[arg(long)]
    white_label: bool,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Connect(connect) => {
            let new = NewConsent { workspace: connect.workspace, white_label: connect.white_label };
            let consent = client.consent(&new).await?;
            context
                .out
                .one(&consent, &[("open", consent.url.clone()), ("until", when(consent.expires_at))])?;
            context.out.note("the page works once; `contactor oauth list` shows when it is granted")?;
        }
        Command::List => {
            let grants = client.grants().await?;
            let headings = ["GRANT", "STATE", "WORKSPACES", "EXPIRES", "RENEWED", "NEXT", "WHY"];
            context.out.list(&grants, headings, |grant| {
                [
                    grant.id.clone(),
                    word(&grant.state),
                    or_dash(Some(grant.workspaces.join(" ")).filter(|all| !all.is_empty())),
                    when(grant.expires_at),
                    when(grant.renewed_at),
                    when(grant.next_attempt_at),
                    or_dash(why(grant)),
                ]
            })?;
        }
        Command::Renew { grant } => {
            let grant = client.renew_grant(&RenewGrant { grant }).await?;
            context.out.one(
                &grant,
                &[
                    ("grant", grant.id.clone()),
                    ("state", word(&grant.state)),
                    ("expires", when(grant.expires_at)),
                    ("why", or_dash(why(&grant))),
                ],
            )?;
        }
        Command::Installations => {
            let all = client.installations().await?;
            let headings = ["LOCATION", "NAME", "AGENCY", "INSTALLED", "TOLD", "WORKSPACE"];
            context.out.list(&all, headings, |one| {
                [
                    one.location.clone(),
                    or_dash(one.name.as_ref()),
                    or_dash(one.company.as_ref()),
                    if one.installed { "yes" } else { "no" }.to_owned(),
                    when(one.told_at),
                    or_dash(one.workspace.as_ref()),
                ]
            })?;
        }
    }
    Ok(())
}

/// Why a grant does not do all that it should.
fn why(grant: &Grant) -> Option<String> {
    let lacking = (!grant.lacking.is_empty())
        .then(|| format!("lacks {}: connect it again to grant them", grant.lacking.join(", ")));
    match (grant.reason.clone(), lacking) {
        (Some(reason), Some(lacking)) => Some(format!("{reason}; {lacking}")),
        (reason, lacking) => reason.or(lacking),
    }
}
