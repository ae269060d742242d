//! `contactor destination`: where messages of a workspace can go.

use clap::{Args, Subcommand, ValueEnum};
use contactor_server::dto::{Destination, DestinationKind, PutDestination};
use serde_json::{Value, json};

use super::Context;
use crate::exit::Failure;
use crate::output::{self, or_dash, when, word};
use crate::secrets::SecretSource;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a destination, or replace it.
    Add(Box<Add>),
    /// List the destinations of a workspace.
    #[command(after_help = "Example:\n  contactor destination list acme")]
    List {
        /// The workspace's id.
        workspace: String,
    },
    /// Remove a destination and the messages that wait for it.
    #[command(after_help = "Example:\n  contactor destination remove acme team")]
    Remove(Which),
    /// Send a test message at once.
    #[command(after_help = "Example:\n  contactor destination test acme team")]
    Test(Which),
}

#[derive(Args)]
pub(crate) struct Which {
    /// The workspace's id.
    workspace: String,
    /// The destination's name.
    name: String,
}

/// Make a destination, or replace it; one that was stopped works again. Rules and connectors know it by its name only.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor destination add acme team --kind chat --url @slack.url
  contactor destination add acme office --kind email --to office@example.com
  contactor destination add acme board --kind board --url env:BOARD_URL --secret @board.secret

Email needs the section `smtp` of the host's configuration. Webhooks and boards are signed by the Standard Webhooks scheme:
the secret is `whsec_` and 24 to 64 random bytes in base64, such as `echo whsec_$(openssl rand -base64 32)` makes.")]
pub(crate) struct Add {
    #[command(flatten)]
    which: Which,
    /// What it is.
    #[arg(long, value_enum)]
    kind: Kind,
    /// A mail address; for email, and as often as needed.
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// Where to POST: @FILE, env:VARIABLE or -. An address is all that it takes to write to most chats, so it counts as a secret.
    #[arg(long, value_name = "SOURCE")]
    url: Option<SecretSource>,
    /// The signing secret: @FILE, env:VARIABLE or -; for webhooks and boards.
    #[arg(long, value_name = "SOURCE")]
    secret: Option<SecretSource>,
}

/// A kind, on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Mail, by the host's mail server.
    Email,
    /// A Slack-compatible incoming webhook.
    Chat,
    /// A signed webhook.
    Webhook,
    /// A project board that takes Trello-shaped cards by a signed webhook.
    Board,
}

impl From<Kind> for DestinationKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Email => Self::Email,
            Kind::Chat => Self::Chat,
            Kind::Webhook => Self::Webhook,
            Kind::Board => Self::Board,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List { workspace } => {
            let destinations = client.destinations(&workspace).await?;
            let headings = ["NAME", "KIND", "TARGET", "STOPPED"];
            Ok(context.out.list(&destinations, headings, |d| {
                [d.name.clone(), word(&d.kind), shown(&d.target), or_dash(d.stopped.as_ref())]
            })?)
        }
        Command::Add(add) => {
            let request = PutDestination {
                kind: add.kind.into(),
                to: add.to,
                url: add.url.map(|source| source.read()).transpose()?.map(Into::into),
                secret: add.secret.map(|source| source.read()).transpose()?.map(Into::into),
            };
            let made = client.put_destination(&add.which.workspace, &add.which.name, &request).await?;
            show(context, &made)?;
            let Which { workspace, name } = &add.which;
            Ok(context.out.note(&format!("next: `contactor destination test {workspace} {name}`"))?)
        }
        Command::Remove(which) => {
            client.remove_destination(&which.workspace, &which.name).await?;
            if context.out.json {
                return Ok(output::json(
                    &json!({ "workspace": which.workspace, "name": which.name, "removed": true }),
                )?);
            }
            Ok(context.out.note(&format!("removed {}", which.name))?)
        }
        Command::Test(which) => {
            client.test_destination(&which.workspace, &which.name).await?;
            if context.out.json {
                return Ok(output::json(
                    &json!({ "workspace": which.workspace, "name": which.name, "delivered": true }),
                )?);
            }
            Ok(context.out.note(&format!("a test message reached {}", which.name))?)
        }
    }
}

fn show(context: &Context, destination: &Destination) -> std::io::Result<()> {
    let lines = [
        ("name", destination.name.clone()),
        ("workspace", destination.workspace.clone()),
        ("kind", word(&destination.kind)),
        ("target", shown(&destination.target)),
        ("stopped", or_dash(destination.stopped.as_ref())),
        ("created", when(destination.created_at)),
    ];
    context.out.one(destination, &lines)
}

/// The host, or the addresses.
fn shown(target: &Value) -> String {
    let addresses = target["to"].as_array().into_iter().flatten().filter_map(Value::as_str);
    target["host"].as_str().map_or_else(|| addresses.collect::<Vec<_>>().join(", "), str::to_owned)
}
