//! `contactor user`: who may do what.

use clap::{Args, Subcommand, ValueEnum};
use contactor_server::dto::{Member, NewUser, PutMember, Role, User};

use super::Context;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a user, who may do nothing until a role is granted.
    Add(Add),
    /// List the users, or those of one workspace.
    #[command(after_help = "Examples:\n  contactor user list\n  contactor user list --workspace acme --json")]
    List {
        /// Only those with a role in this workspace, as its admins may.
        #[arg(long)]
        workspace: Option<String>,
    },
    /// Show one user with the roles.
    #[command(after_help = "Example:\n  contactor user show bob")]
    Show {
        /// The user's id.
        user: String,
    },
    /// Give a user a role in a workspace, in the place of the one there, or make one a platform admin.
    #[command(
        after_help = "Examples:\n  contactor user grant bob --workspace acme --role author\n  contactor user grant ann --platform-admin"
    )]
    Grant {
        /// The user's id.
        user: String,
        #[command(flatten)]
        r#where: Where,
        /// What the user may do there.
        #[arg(long, value_enum, requires = "workspace")]
        role: Option<RoleOfWorkspace>,
    },
    /// Take a user's role in a workspace away, or that of a platform admin.
    #[command(
        after_help = "Examples:\n  contactor user revoke bob --workspace acme\n  contactor user revoke ann --platform-admin"
    )]
    Revoke {
        /// The user's id.
        user: String,
        #[command(flatten)]
        r#where: Where,
    },
    /// Switch a user off: every token of the user is refused from the next request on.
    #[command(after_help = "Example:\n  contactor user disable bob")]
    Disable {
        /// The user's id.
        user: String,
    },
    /// Forget who a user is at the identity provider, and end the user's sessions: the next login finds the user by address again.
    #[command(after_help = "Example:\n  contactor user unbind bob")]
    Unbind {
        /// The user's id.
        user: String,
    },
    /// Switch a user on again, with the roles and the tokens that have not ended.
    #[command(after_help = "Example:\n  contactor user enable bob")]
    Enable {
        /// The user's id.
        user: String,
    },
}

/// Make a user, who may do nothing until a role is granted.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor user add bob --name 'Bob Smith' --email bob@example.com
  contactor user grant bob --workspace acme --role viewer
  contactor token create --user bob --output bob.token")]
pub(crate) struct Add {
    /// A short name: lower-case letters, digits and hyphens. The audit log calls the user so.
    user: String,
    /// A name for people; the short one unless given.
    #[arg(long)]
    name: Option<String>,
    /// The address.
    #[arg(long)]
    email: Option<String>,
    /// May do everything, everywhere.
    #[arg(long)]
    platform_admin: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Where {
    /// The workspace.
    #[arg(long)]
    workspace: Option<String>,
    /// Everything, everywhere.
    #[arg(long)]
    platform_admin: bool,
}

/// What a user may do in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleOfWorkspace {
    /// Looks.
    Viewer,
    /// Develops connectors and tries them there.
    Author,
    /// Decides there.
    WorkspaceAdmin,
}

impl From<RoleOfWorkspace> for Role {
    fn from(role: RoleOfWorkspace) -> Self {
        match role {
            RoleOfWorkspace::Viewer => Self::Viewer,
            RoleOfWorkspace::Author => Self::Author,
            RoleOfWorkspace::WorkspaceAdmin => Self::WorkspaceAdmin,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Add(Add { user, name, email, platform_admin }) => {
            let new = NewUser { id: user, name, email, platform_admin };
            let user = client.create_user(&new).await?;
            show(context, &user)?;
            let id = &user.id;
            context.out.note(&format!(
                "next: `contactor user grant {id} --workspace WORKSPACE --role ROLE`, then `contactor token create --user {id}`"
            ))?;
        }
        Command::List { workspace: None } => {
            let headings = ["ID", "NAME", "EMAIL", "MAY", "DISABLED"];
            context.out.list(&client.users().await?, headings, |user| {
                let disabled = if user.disabled { "yes" } else { "-" };
                [
                    user.id.clone(),
                    user.name.clone(),
                    or_dash(user.email.as_ref()),
                    may(user),
                    disabled.to_owned(),
                ]
            })?;
        }
        Command::List { workspace: Some(workspace) } => {
            let headings = ["ID", "NAME", "ROLE", "DISABLED"];
            context.out.list(&client.members(&workspace).await?, headings, |member| {
                let disabled = if member.disabled { "yes" } else { "-" };
                [member.user.clone(), member.name.clone(), word(&member.role), disabled.to_owned()]
            })?;
        }
        Command::Show { user } => show(context, &client.user(&user).await?)?,
        Command::Grant { user, r#where: Where { workspace: Some(workspace), .. }, role } => {
            let Some(role) = role else {
                return Err(Failure::say(
                    Exit::Usage,
                    "--workspace needs --role: viewer, author or workspace-admin",
                ));
            };
            grant(context, &client, &workspace, &user, role).await?;
        }
        Command::Grant { user, r#where: Where { workspace: None, .. }, .. } => {
            show(context, &client.make_platform_admin(&user).await?)?;
        }
        Command::Revoke { user, r#where: Where { workspace: Some(workspace), .. } } => {
            client.remove_member(&workspace, &user).await?;
            context.out.note(&format!("{user} has no role in {workspace} any more"))?;
        }
        Command::Revoke { user, r#where: Where { workspace: None, .. } } => {
            show(context, &client.unmake_platform_admin(&user).await?)?;
        }
        Command::Unbind { user } => {
            client.unbind_user(&user).await?;
            context.out.note(&format!("{user} is bound to nobody at the provider, and has no session"))?;
        }
        Command::Disable { user } => show(context, &client.switch_user(&user, "disable").await?)?,
        Command::Enable { user } => show(context, &client.switch_user(&user, "enable").await?)?,
    }
    Ok(())
}

async fn grant(
    context: &Context,
    client: &Client,
    workspace: &str,
    user: &str,
    role: RoleOfWorkspace,
) -> Result<(), Failure> {
    let member: Member = client.put_member(workspace, user, PutMember { role: role.into() }).await?;
    let lines = [
        ("user", member.user.clone()),
        ("name", member.name.clone()),
        ("workspace", workspace.to_owned()),
        ("role", word(&member.role)),
    ];
    Ok(context.out.one(&member, &lines)?)
}

fn show(context: &Context, user: &User) -> std::io::Result<()> {
    let lines = [
        ("id", user.id.clone()),
        ("name", user.name.clone()),
        ("email", or_dash(user.email.as_ref())),
        ("may", may(user)),
        ("disabled", if user.disabled { "yes: every token is refused" } else { "no" }.to_owned()),
        ("created", when(user.created_at)),
    ];
    context.out.one(user, &lines)
}

/// What a user may do, on one line.
fn may(user: &User) -> String {
    let roles = user.roles.iter().map(|grant| format!("{} in {}", word(&grant.role), grant.workspace));
    let everything = user.platform_admin.then(|| "everything (platform-admin)".to_owned());
    let parts: Vec<_> = everything.into_iter().chain(roles).collect();
    if parts.is_empty() { "nothing yet".to_owned() } else { parts.join(", ") }
}
