//! `contactor token`: what users show in place of a password.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use contactor_engine::TOKEN_DAYS;
use contactor_server::dto::{IssuedToken, NewToken, Role, Token, TokenQuery};
use secrecy::ExposeSecret;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when, word};
use crate::secrets::write_private_file;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token for a user, or for oneself. Its secret is shown once.
    Create(Create),
    /// List one's tokens; a platform admin sees all, or those of a user.
    #[command(after_help = "Examples:\n  contactor token list\n  contactor token list --user bob --json")]
    List {
        /// Of this user, for a platform admin.
        #[arg(long)]
        user: Option<String>,
    },
    /// Revoke a token, and those that were made with it.
    #[command(after_help = "Example:\n  contactor token revoke 3f0c9a51d2b7e864")]
    Revoke {
        /// The token's id: the part between `ctk_` and the next `_`.
        token: String,
    },
}

/// Make a token for a user, or for oneself. Its secret is shown once: nobody, the host included, can tell it again.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor token create --user bob --output bob.token
  contactor token create --name ci --role author --workspace sandbox --days 30

A token opens what its user may at the moment, and at most what --role and --workspace leave of it. Of the file the commands read it
with --admin-token-file, or from the variable CONTACTOR_ADMIN_TOKEN.")]
pub(crate) struct Create {
    /// Whose it is to be, for a platform admin; one's own unless given.
    #[arg(long)]
    user: Option<String>,
    /// What it is for.
    #[arg(long)]
    name: Option<String>,
    /// Narrow it to at most this role.
    #[arg(long, value_enum)]
    role: Option<RoleOfToken>,
    /// Narrow it to this workspace; may be given several times.
    #[arg(long)]
    workspace: Vec<String>,
    /// Days for which it counts, 1 to 366.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(i64::from(*TOKEN_DAYS.start())..=i64::from(*TOKEN_DAYS.end())))]
    days: u32,
    /// Write the secret into this new file, which only you can read, and print none.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// To what a token is narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleOfToken {
    /// Looks.
    Viewer,
    /// Develops connectors.
    Author,
    /// Decides in workspaces.
    WorkspaceAdmin,
    /// Decides about everything.
    PlatformAdmin,
}

impl From<RoleOfToken> for Role {
    fn from(role: RoleOfToken) -> Self {
        match role {
            RoleOfToken::Viewer => Self::Viewer,
            RoleOfToken::Author => Self::Author,
            RoleOfToken::WorkspaceAdmin => Self::WorkspaceAdmin,
            RoleOfToken::PlatformAdmin => Self::PlatformAdmin,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => self::create(context, create).await,
        Command::List { user } => {
            let tokens = context.client()?.tokens(&TokenQuery { user }).await?;
            let headings = ["ID", "USER", "NAME", "OPENS AT MOST", "EXPIRES", "USED", "STATE"];
            Ok(context.out.list(&tokens, headings, |token| {
                [
                    token.id.clone(),
                    token.user.clone(),
                    token.name.clone(),
                    narrowed(token),
                    when(token.expires_at),
                    or_dash(token.used_at.map(when)),
                    state(token),
                ]
            })?)
        }
        Command::Revoke { token } => {
            // The whole token may be pasted: only its id goes any further.
            let id = token.strip_prefix("ctk_").and_then(|rest| rest.split('_').next()).unwrap_or(&token);
            let answer = context.client()?.revoke_token(id).await?;
            if context.out.json {
                return Ok(crate::output::json(&answer)?);
            }
            let said = match answer.revoked {
                0 => format!("{id} had been revoked before"),
                1 => format!("{id} is revoked"),
                n => format!("{id} is revoked, and {} that were made with it", n - 1),
            };
            Ok(context.out.text(&said)?)
        }
    }
}

async fn create(context: &Context, create: Create) -> Result<(), Failure> {
    let Create { user, name, role, workspace, days, output } = create;
    if let Some(file) = output.as_ref().filter(|file| file.exists()) {
        let why = format!("{} exists already; no token was made", file.display());
        return Err(Failure::say(Exit::Usage, why));
    }
    let workspaces = if workspace.is_empty() { None } else { Some(workspace) };
    let new = NewToken { user, name, role: role.map(Into::into), workspaces, days: Some(days) };
    let client = context.client()?;
    let IssuedToken { secret, token } = client.create_token(&new).await?;
    let secret = secret.into_inner();
    let Some(file) = output else {
        if context.out.json {
            return Ok(crate::output::json(&IssuedToken { secret: secret.into(), token })?);
        }
        context.out.text(secret.expose_secret())?;
        return Ok(context.out.note(&format!(
            "shown once: keep it where only {} reads it. It opens {} until {}",
            token.user,
            narrowed(&token),
            when(token.expires_at)
        ))?);
    };
    if let Err(error) = write_private_file(&file, secret.expose_secret()) {
        // Nobody has it: it must not stay open.
        client.revoke_token(&token.id).await?;
        let why = format!("{} cannot be written: {error}; the token was revoked", file.display());
        return Err(Failure::say(Exit::Failed, why));
    }
    if context.out.json {
        return Ok(crate::output::json(&token)?);
    }
    Ok(context.out.text(&format!(
        "{}  the token {} of {}, which opens {} until {}",
        file.display(),
        token.id,
        token.user,
        narrowed(&token),
        when(token.expires_at)
    ))?)
}

/// What a token opens at most.
pub(crate) fn narrowed(token: &Token) -> String {
    let role = token.role.map(|role| word(&role));
    let workspaces = token.workspaces.as_ref().map(|ids| ids.join(", "));
    match (role, workspaces) {
        (None, None) => "what its user may".to_owned(),
        (Some(role), None) => role,
        (None, Some(workspaces)) => format!("what its user may in {workspaces}"),
        (Some(role), Some(workspaces)) => format!("{role} in {workspaces}"),
    }
}

fn state(token: &Token) -> String {
    match token.revoked_at {
        Some(at) => format!("revoked {}", when(at)),
        None if token.expires_at <= jiff::Timestamp::now() => "expired".to_owned(),
        None => "counts".to_owned(),
    }
}
