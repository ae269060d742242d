//! `contactor whoami`: who the host takes one for.

use contactor_server::dto::Role;

use super::Context;
use super::token::narrowed;
use crate::exit::Failure;
use crate::output::{when, word};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let whoami = context.client()?.whoami().await?;
    let everywhere = match whoami.everywhere {
        Some(Role::PlatformAdmin) => Some("everything (platform-admin)".to_owned()),
        Some(role) => Some(format!("{} in every workspace", word(&role))),
        None => None,
    };
    let roles = whoami.roles.iter().map(|grant| format!("{} in {}", word(&grant.role), grant.workspace));
    let may: Vec<_> = everywhere.into_iter().chain(roles).collect();
    let mut lines = vec![
        ("user", whoami.actor.clone()),
        ("may", if may.is_empty() { "nothing".to_owned() } else { may.join(", ") }),
        ("installs connectors", if whoami.installs_connectors { "yes" } else { "no" }.to_owned()),
    ];
    if let Some(token) = &whoami.token {
        lines.push(("token", format!("{} {}", token.id, token.name)));
        lines.push(("opens at most", narrowed(token)));
        lines.push(("expires", when(token.expires_at)));
    }
    Ok(context.out.one(&whoami, &lines)?)
}
