//! `contactor workspace`: tenants.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use contactor_engine::RETENTION_DAYS;
use contactor_server::dto::{NewWorkspace, Workspace, WorkspacePolicy, WorkspaceSettings, WorkspaceToken};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when};
use crate::secrets::SecretSource;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bind a new workspace to a HighLevel location.
    Create(Box<Create>),
    /// List the workspaces.
    #[command(after_help = "Example:\n  contactor workspace list --json")]
    List,
    /// Show one workspace.
    #[command(after_help = "Example:\n  contactor workspace show acme")]
    Show {
        /// The workspace's id.
        workspace: String,
    },
    /// Change how long a workspace's history is kept.
    Set(Set),
    /// Set what none of a workspace's connectors may do.
    Policy(SetPolicy),
    /// Take another private integration token.
    Token(NewToken),
}

/// Set what none of a workspace's connectors may do, whatever its admins grant. It counts from the next run on, and replaces what was
/// set before; without options it forbids nothing. For platform admins.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor workspace policy acme --deny contacts.write --deny 'event:*'
  contactor workspace policy acme --connector prefinery --connector referrizer
  contactor workspace policy acme --json

`contactor connector inspect FILE` shows the names of what a connector asks for.")]
pub(crate) struct SetPolicy {
    /// The workspace's id.
    workspace: String,
    /// A permission that no connector has, or the beginning of permissions with a `*` after it. What takes it in is denied as well: both
    /// ways of a record with one of them, all hosts below a name with one of them.
    #[arg(long, value_name = "NAME")]
    deny: Vec<String>,
    /// A connector that may be used; any unless given.
    #[arg(long = "connector", value_name = "ID")]
    connectors: Vec<String>,
}

/// Change how long a workspace's history is kept: runs, timelines, the bodies of events, recordings, messages, and conflicts and
/// alerts that ended. What waits for a run or for a person is kept in any case.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor workspace set acme --retention-days 90
  contactor workspace set acme --retention-days default")]
pub(crate) struct Set {
    /// The workspace's id.
    workspace: String,
    /// Days, 1 to 3650, or `default` for as long as the host's configuration says.
    #[arg(long, value_name = "DAYS|default", value_parser = retention)]
    retention_days: Retention,
}

/// A number of days, or none of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Retention(Option<u32>);

fn retention(text: &str) -> Result<Retention, String> {
    let expected = || format!("expected 1 to {} days, or `default`", RETENTION_DAYS.end());
    if text == "default" {
        return Ok(Retention(None));
    }
    let days = text.parse().map_err(|_| expected())?;
    if RETENTION_DAYS.contains(&days) { Ok(Retention(Some(days))) } else { Err(expected()) }
}

/// Bind a new workspace to a HighLevel location. HighLevel is asked for the location with the token at once; country and
/// time zone come from there unless given.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor workspace create acme --location ve9EPM428h8vShlRW1KT --token-file pit.token
  pass show acme/pit | contactor workspace create acme --location ve9EPM428h8vShlRW1KT --token-stdin

The token is a private integration token of the location, with at least the scopes contacts.readonly, contacts.write and
locations.readonly. HighLevel sends no webhooks for it: changes are found by the sweep. A host that is an app of HighLevel's
marketplace needs no token: `contactor oauth connect` asks for consent.")]
pub(crate) struct Create {
    /// A short name: lower-case letters, digits and hyphens.
    workspace: String,
    /// The HighLevel location's id.
    #[arg(long)]
    location: String,
    /// A name for people; the location's unless given.
    #[arg(long)]
    name: Option<String>,
    /// ISO 3166 country for phone numbers without a country code, such as US.
    #[arg(long)]
    country: Option<String>,
    /// IANA time zone, such as Europe/Paris.
    #[arg(long)]
    timezone: Option<String>,
    #[command(flatten)]
    token: Token,
}

/// Take another private integration token for a workspace, because the old one was rotated or revoked. HighLevel is asked first: it
/// has to open the same location. Connections that had stopped go on; links, cursors and parked records stay.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor workspace token acme --token-file pit.token
  pass show acme/pit | contactor workspace token acme --token-stdin --json")]
pub(crate) struct NewToken {
    /// The workspace's id.
    workspace: String,
    #[command(flatten)]
    token: Token,
}

#[derive(Args)]
#[group(multiple = false)]
struct Token {
    /// Read the HighLevel token from standard input.
    #[arg(id = "token_stdin", long = "token-stdin")]
    stdin: bool,
    /// Read the HighLevel token from this file.
    #[arg(id = "token_file", long = "token-file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read the HighLevel token from this environment variable.
    #[arg(id = "token_env", long = "token-env", value_name = "NAME")]
    env: Option<String>,
}

impl Token {
    fn source(&self) -> Option<SecretSource> {
        match (&self.file, &self.env) {
            (Some(file), _) => Some(SecretSource::File(file.clone())),
            (None, Some(name)) => Some(SecretSource::Variable(name.clone())),
            (None, None) => self.stdin.then_some(SecretSource::Stdin),
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List => {
            let workspaces = client.workspaces().await?;
            let headings = ["ID", "NAME", "LOCATION", "COUNTRY", "TIME ZONE"];
            context.out.list(&workspaces, headings, |w| {
                let (country, timezone) = (or_dash(w.country.as_ref()), or_dash(w.timezone.as_ref()));
                [w.id.clone(), w.name.clone(), w.location.clone(), country, timezone]
            })?;
        }
        Command::Show { workspace } => show(context, &client.workspace(&workspace).await?)?,
        Command::Policy(SetPolicy { workspace, deny, connectors }) => {
            let connectors = (!connectors.is_empty()).then_some(connectors);
            show(context, &client.set_policy(&workspace, &WorkspacePolicy { connectors, deny }).await?)?;
        }
        Command::Set(set) => {
            let settings = WorkspaceSettings { retention_days: set.retention_days.0 };
            show(context, &client.set_workspace(&set.workspace, &settings).await?)?;
        }
        Command::Create(create) => {
            let without_token = create.token.source().is_none();
            let new = NewWorkspace {
                token: create.token.source().map(|source| source.read()).transpose()?.map(Into::into),
                id: create.workspace,
                name: create.name,
                location: create.location,
                country: create.country,
                timezone: create.timezone,
            };
            let workspace = client.create_workspace(&new).await?;
            show(context, &workspace)?;
            context.out.note(if without_token {
                "next: `contactor oauth connect`, unless its agency is connected; then `contactor connector install FILE`"
            } else {
                "next: `contactor connector install FILE`, then `contactor connection enable`"
            })?;
        }
        Command::Token(new) => {
            let Some(source) = new.token.source() else {
                return Err(Failure::say(Exit::Usage, "give --token-file, --token-env or --token-stdin"));
            };
            let token = WorkspaceToken { token: source.read()?.into() };
            show(context, &client.set_workspace_token(&new.workspace, &token).await?)?;
        }
    }
    Ok(())
}

fn show(context: &Context, workspace: &Workspace) -> std::io::Result<()> {
    let lines = [
        ("id", workspace.id.clone()),
        ("name", workspace.name.clone()),
        ("location", workspace.location.clone()),
        ("country", or_dash(workspace.country.as_ref())),
        ("time zone", or_dash(workspace.timezone.as_ref())),
        ("history", kept(workspace)),
        ("created", when(workspace.created_at)),
        ("connectors", workspace.policy.connectors.as_ref().map(|ids| ids.join(", ")).unwrap_or_default()),
        ("denied", workspace.policy.deny.join(", ")),
    ];
    context.out.one(workspace, &lines)
}

/// How long the history is kept, and who says so.
fn kept(workspace: &Workspace) -> String {
    let by = if workspace.retention_days.is_some() { "its own" } else { "the host's" };
    format!("kept {} days ({by} retention)", workspace.kept_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_number_of_days_or_the_hosts() {
        assert_eq!(retention("default"), Ok(Retention(None)));
        assert_eq!(retention("3650"), Ok(Retention(Some(3_650))));
        for wrong in ["0", "3651", "-1", "ten", ""] {
            assert!(retention(wrong).is_err(), "{wrong}");
        }
    }
}
