//! `contactor oauth`: access to HighLevel by consent.

use clap::{Args, Subcommand};
use contactor_server::dto::{HighLevelGrant, NewConsent, RenewGrant};

use super::Context;
use crate::exit::Failure;
use crate::output::{or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Begin a consent: print the page to which to send whoever may grant access.
    Connect(Connect),
    /// List what was granted, and how it stands.
    #[command(after_help = "Examples:\n  contactor oauth list acme\n  contactor oauth list --json")]
    List {
        /// Only what opens this workspace's location; all grants of the host otherwise, which is for platform admins.
        workspace: Option<String>,
    },
    /// Renew grants now, because the reason for which they were paused or failed is gone.
    #[command(
        after_help = "Examples:\n  contactor oauth renew acme\n  contactor oauth renew --grant company/ve9EPM428h8vShlRW1KT --json"
    )]
    Renew {
        /// The workspace whose location is to be opened again.
        #[arg(required_unless_present = "grant")]
        workspace: Option<String>,
        /// One grant, as `contactor oauth list` shows it; for platform admins.
        #[arg(long, conflicts_with = "workspace")]
        grant: Option<String>,
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
            let new = NewConsent { white_label: connect.white_label };
            let consent = client.consent(connect.workspace.as_deref(), &new).await?;
            context
                .out
                .one(&consent, &[("open", consent.url.clone()), ("until", when(consent.expires_at))])?;
            context.out.note("the page works once; `contactor oauth list` shows when it is granted")?;
        }
        Command::List { workspace: Some(workspace) } => list(context, &client.grants_of(&workspace).await?)?,
        Command::List { workspace: None } => list(context, &client.grants().await?)?,
        Command::Renew { workspace: Some(workspace), .. } => {
            list(context, &client.renew_grants_of(&workspace).await?)?;
        }
        Command::Renew { workspace: None, grant } => {
            let grant = client.renew_grant(&RenewGrant { grant: grant.unwrap_or_default() }).await?;
            list(context, &[grant])?;
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

fn list(context: &Context, grants: &[HighLevelGrant]) -> std::io::Result<()> {
    let headings = ["GRANT", "STATE", "WORKSPACES", "EXPIRES", "RENEWED", "NEXT", "WHY"];
    context.out.list(grants, headings, |grant| {
        [
            grant.id.clone(),
            word(&grant.state),
            or_dash(Some(grant.workspaces.join(" ")).filter(|all| !all.is_empty())),
            when(grant.expires_at),
            when(grant.renewed_at),
            when(grant.next_attempt_at),
            or_dash(why(grant)),
        ]
    })
}

/// Why a grant does not do all that it should.
fn why(grant: &HighLevelGrant) -> Option<String> {
    let lacking = (!grant.lacking.is_empty())
        .then(|| format!("lacks {}: connect it again to grant them", grant.lacking.join(", ")));
    match (grant.reason.clone(), lacking) {
        (Some(reason), Some(lacking)) => Some(format!("{reason}; {lacking}")),
        (reason, lacking) => reason.or(lacking),
    }
}
