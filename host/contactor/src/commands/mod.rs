//! The commands: one file per subject, each with its arguments and what they do.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod catalog;
pub(crate) mod compile_worker;
pub(crate) mod completions;
pub(crate) mod conflicts;
pub(crate) mod connection;
pub(crate) mod connector;
pub(crate) mod deletes;
pub(crate) mod destination;
pub(crate) mod emit;
pub(crate) mod erase;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod mapping;
pub(crate) mod matching;
pub(crate) mod oauth;
pub(crate) mod parked;
pub(crate) mod progress;
pub(crate) mod quota;
pub(crate) mod replay;
mod rollout;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod store;
pub(crate) mod sync;
pub(crate) mod token;
pub(crate) mod token_courier;
pub(crate) mod user;
pub(crate) mod vault;
pub(crate) mod whoami;
pub(crate) mod workspace;

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use crate::cli::{Cli, Command, Global};
use crate::client::Client;
use crate::config::{self, Config, ConfigError, LogSection};
use crate::exit::{Exit, Failure};
use crate::logging;
use crate::output::Output;
use crate::secrets;

/// The variable that may hold the token itself: the host's own, or one of a user.
const TOKEN_VARIABLE: &str = "CONTACTOR_ADMIN_TOKEN";

/// What every command is given.
pub(crate) struct Context {
    global: Global,
    pub(crate) out: Output,
}

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    let context =
        Context { out: Output { json: cli.global.json, quiet: cli.global.quiet > 0 }, global: cli.global };
    match cli.command {
        Command::Serve(args) => serve::run(&context, &args),
        Command::Init(args) => init::run(&context, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Store(command) => store::run(&context, &command),
        Command::Audit(command) if command.is_local() => audit::run_locally(&context, &command),
        Command::TokenCourier => token_courier::run(),
        Command::CompileWorker(args) => compile_worker::run(&args),
        Command::Backup(args) => backup::run(&context, &args),
        Command::Connector(command) if command.is_local() => connector::run_locally(&context, &command),
        command => {
            // Commands that only ask a host speak for themselves; what goes wrong is in their message.
            let section = LogSection { level: "warn".to_owned(), ..LogSection::default() };
            logging::start(&section, context.louder())?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask(&context, command))
        }
    }
}

async fn ask(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Sandbox(args) => sandbox::run(context, &args).await,
        Command::Workspace(command) => workspace::run(context, command).await,
        Command::Connector(command) => connector::run(context, command).await,
        Command::Catalog(args) => catalog::run(context, &args).await,
        Command::Connection(command) => connection::run(context, command).await,
        Command::Destination(command) => destination::run(context, command).await,
        Command::Emit(args) => emit::run(context, &args).await,
        Command::Mapping(command) => mapping::run(context, command).await,
        Command::Match(command) => matching::run(context, command).await,
        Command::Sync(args) => sync::run(context, &args).await,
        Command::Run(args) => run::run(context, &args).await,
        Command::Runs(command) => runs::run(context, command).await,
        Command::Timeline(args) => history::timeline(context, &args).await,
        Command::Erase(arguments) => erase::run(context, arguments).await,
        Command::Alerts(command) => alerts::run(context, command).await,
        Command::Quota(arguments) => quota::run(context, arguments).await,
        Command::Guard(command) => guard::run(context, command).await,
        Command::Parked(command) => parked::run(context, command).await,
        Command::Conflicts(command) => conflicts::run(context, command).await,
        Command::Deletes(command) => deletes::run(context, command).await,
        Command::Events(command) => history::events(context, command).await,
        Command::Vault(command) => vault::run(context, command).await,
        Command::Health => health::run(context).await,
        Command::User(command) => user::run(context, command).await,
        Command::Token(command) => token::run(context, command).await,
        Command::Whoami => whoami::run(context).await,
        Command::Audit(command) => audit::run(context, command).await,
        Command::Oauth(command) => oauth::run(context, command).await,
        // `run` has dealt with these: they need no host and no runtime of this kind.
        Command::Serve(_)
        | Command::Init(_)
        | Command::Completions(_)
        | Command::Store(_)
        | Command::TokenCourier
        | Command::CompileWorker(_)
        | Command::Backup(_) => Ok(()),
    }
}

impl Context {
    /// Number of `-v` minus number of `-q`.
    fn louder(&self) -> i16 {
        i16::from(self.global.verbose) - i16::from(self.global.quiet)
    }

    fn config_path(&self) -> PathBuf {
        self.global.config.clone().unwrap_or_else(|| config::FILE_NAME.into())
    }

    /// The configuration, which has to be there.
    fn config(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config_path())
    }

    /// The running host.
    fn client(&self) -> Result<Client, Failure> {
        let url = match &self.global.server {
            Some(url) => url.clone(),
            None => {
                let url = self.config()?.server_url()?;
                Url::parse(&url).map_err(|error| Failure::new(Exit::Usage, error))?
            }
        };
        if !["http", "https"].contains(&url.scheme()) {
            return Err(Failure::say(Exit::Usage, "--server: an address begins with http:// or https://"));
        }
        Ok(Client::new(url, self.admin_token()?)?)
    }

    fn admin_token(&self) -> Result<SecretString, Failure> {
        if let Some(file) = &self.global.admin_token_file {
            return Ok(secrets::read_private_file(file)?);
        }
        if let Some(token) = config::environment(TOKEN_VARIABLE) {
            return Ok(SecretString::from(token));
        }
        let config = self.config()?;
        Ok(secrets::read_private_file(&config.path(&config.server.admin_token_file))?)
    }
}
