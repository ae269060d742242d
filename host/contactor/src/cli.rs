//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};
use url::Url;

use crate::commands::{
    alerts, audit, backup, catalog, compile_worker, completions, conflicts, connection, connector, deletes,
    destination, emit, erase, guard, history, init, mapping, matching, oauth, parked, quota, run, runs,
    sandbox, serve, store, sync, token, user, vault, workspace,
};
use crate::exit::Exit;

const EXAMPLES: &str = "\
From nothing to the first synchronised contact:
  contactor init --dir acme && cd acme
  contactor serve &
  contactor workspace create acme --location LOCATION --token-file pit.token
  contactor connector install prefinery.wasm
  contactor connection enable acme prefinery --credential key=@prefinery.key --set beta_id=1234
  contactor sync acme prefinery --preview
  contactor sync acme prefinery";

/// Keeps HighLevel contacts in step with partner applications.
///
/// `contactor serve` runs a host. Nearly everything else asks a running host through its admin API, at the address of the
/// configuration or of --server, with the token of the configuration or of --admin-token-file: the host's own, or one of a user.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", Exit::HELP), max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Global {
    /// Configuration file; ./contactor.toml unless given.
    #[arg(long, global = true, value_name = "FILE", env = "CONTACTOR_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Address of the running host; the one of the configuration unless given.
    #[arg(long, global = true, value_name = "URL", env = "CONTACTOR_SERVER")]
    pub(crate) server: Option<Url>,
    /// File with the host's admin token, or with a user's (`contactor token create`). CONTACTOR_ADMIN_TOKEN may hold the token
    /// itself; else the file of the configuration is read.
    #[arg(long, global = true, value_name = "FILE", env = "CONTACTOR_ADMIN_TOKEN_FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// Results as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on standard error; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say less; twice for errors only.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) quiet: u8,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a host: webhooks in, synchronisation, admin API.
    Serve(serve::Args),
    /// Run doubles of HighLevel and the partners, to try everything without an account.
    Sandbox(sandbox::Args),
    /// Write a configuration, a vault key and an admin token.
    Init(init::Args),
    /// Tenants, each bound to one HighLevel location.
    #[command(subcommand)]
    Workspace(workspace::Command),
    /// Access to HighLevel by consent: send somebody to the consent page, see and renew what was granted.
    #[command(subcommand)]
    Oauth(oauth::Command),
    /// Components that can be enabled.
    #[command(subcommand)]
    Connector(connector::Command),
    /// Connectors enabled in a workspace.
    #[command(subcommand)]
    Connection(connection::Command),
    /// Which fields belong together, and how values travel between them.
    #[command(subcommand)]
    Mapping(mapping::Command),
    /// Where messages of a workspace can go: mail, chats, webhooks, boards.
    #[command(subcommand)]
    Destination(destination::Command),
    /// What a first synchronisation would do: look at it, then approve it bucket by bucket.
    #[command(subcommand)]
    Match(matching::Command),
    /// Bring a connection's contacts in step, or show what that would do.
    Sync(sync::Args),
    /// List every trigger and action of the host and of connectors.
    Catalog(catalog::Args),
    /// Run one action of the catalogue, HighLevel's or a connector's.
    Run(run::Args),
    /// Send a trigger's sample event through the whole path in the sandbox.
    Emit(emit::Args),
    /// What was done, with every request it took.
    #[command(subcommand)]
    Runs(runs::Command),
    /// Everything that happened to one contact, or with `--field` why a field has its value.
    Timeline(history::TimelineArgs),
    /// What is wrong in a workspace, and who is told.
    #[command(subcommand)]
    Alerts(alerts::Command),
    /// What is left of a workspace's quotas, who used them, and how far they go.
    Quota(quota::Arguments),
    /// How many records a connection changed of late, and how many it may before it is stopped.
    #[command(subcommand)]
    Guard(guard::Command),
    /// Records that a person must look at.
    #[command(subcommand)]
    Parked(parked::Command),
    /// Forget one person everywhere, as the law may ask for.
    Erase(erase::Arguments),
    /// Fields that both sides changed: see who won, decide, reverse.
    #[command(subcommand)]
    Conflicts(conflicts::Command),
    /// Records that one side lost: what follows, policies, confirm, undo.
    #[command(subcommand)]
    Deletes(deletes::Command),
    /// Webhooks that were accepted.
    #[command(subcommand)]
    Events(history::EventsCommand),
    /// How the host is.
    #[command(after_help = "Example:\n  contactor health --json")]
    Health,
    /// Who uses the admin API, and what they may do where.
    #[command(subcommand)]
    User(user::Command),
    /// What users show in place of a password.
    #[command(subcommand)]
    Token(token::Command),
    /// Who the host takes you for, and what you may do.
    #[command(after_help = "Example:\n  contactor whoami --admin-token-file bob.token --json")]
    Whoami,
    /// Who changed what, and whether the log of it is as it was written.
    #[command(subcommand)]
    Audit(audit::Command),
    /// The database of a host that is stopped: look through it, or go on with it after a loss.
    #[command(subcommand)]
    Store(store::Command),
    /// Carry out one token request for a host, whose order comes on standard input. The host runs this by itself.
    #[command(hide = true, after_help = "Example:\n  contactor token-courier")]
    TokenCourier,
    /// Compile the component that comes on standard input, for a host. The host runs this by itself.
    #[command(hide = true, after_help = "Example:\n  contactor compile-worker 1024")]
    CompileWorker(compile_worker::Args),
    /// Write a copy of the database to a file, while the host works.
    Backup(backup::Args),
    /// The keys of what is sealed: how they stand, exchanging them, and whether a backup opens.
    #[command(subcommand)]
    Vault(vault::Command),
    /// Completions for a shell.
    Completions(completions::Args),
}

#[cfg(test)]
mod told;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
