//! What an admin gives of what a connector asks for: when it is switched on, and when another version of it asks for more.

use contactor_manifest::Manifest;
use contactor_runtime::Grants;
use contactor_store::Connection;

use super::EnableConnection;
use crate::error::EngineError;
use crate::permissions::{self, Difference, Permission};

/// The interfaces that granted scopes open. Whether a call is a read or a write is checked at the call.
pub(crate) fn interfaces(grants: &[String]) -> Grants {
    // The partner and what is the connection's own are what a connector is for; scopes concern what lies outside of it.
    // Whether messages were granted is seen at the call, so that a connector goes on without them.
    let always = ["notifications", "partner", "state", "timers"];
    let highlevel = ["contacts", "tasks", "notes", "tags", "appointments", "bulk", "campaigns", "workflows"];
    let any = grants.iter().any(|scope| scope.starts_with("contacts."));
    Grants::of(always.into_iter().chain(highlevel.into_iter().filter(|_| any)))
}

/// What the admin gives of what the manifest asks for, and what of it is new with this component.
pub(super) fn granted(
    manifest: &Manifest,
    version: &str,
    request: &EnableConnection,
    present: Option<&Connection>,
    before: Option<&Manifest>,
) -> Result<(Vec<String>, Vec<Permission>), EngineError> {
    let named = request.grants.as_deref();
    let says = named.is_some() || !request.withhold.is_empty();
    let chosen = || permissions::chosen(manifest, named, &request.withhold).map_err(EngineError::Invalid);
    let Some(present) = present else { return Ok((chosen()?, Vec::new())) };
    if before == Some(manifest) {
        let stays = permissions::whole(&present.grants, manifest);
        return Ok((if says { chosen()? } else { stays }, Vec::new()));
    }
    let difference = difference(before, manifest);
    let had = had(present, before);
    let kept = || difference.granted(&had, manifest, true).map_err(EngineError::Invalid);
    let given = if says { chosen()? } else { kept()? };
    let is_named = |name: &String| named.is_some_and(|named| named.contains(name));
    let more: Vec<Permission> = difference
        .more
        .into_iter()
        .filter(|more| given.contains(&more.name) && !is_named(&more.name))
        .collect();
    approve(&request.connector, version, &more, request.approve)?;
    Ok((given, more))
}

/// What a connection was granted, of what the version before asked for.
pub(super) fn had(connection: &Connection, before: Option<&Manifest>) -> Vec<String> {
    match before {
        Some(before) => permissions::whole(&connection.grants, before),
        None => connection.grants.clone(),
    }
}

/// Another version is used only with somebody's approval if it asks for more than the one before it.
pub(super) fn approve(
    connector: &str,
    version: &str,
    more: &[Permission],
    approved: bool,
) -> Result<(), EngineError> {
    if approved || more.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = more.iter().map(|one| format!("{} ({})", one.name, one.words)).collect();
    Err(EngineError::Conflict(format!(
        "{connector} {version} asks for more than the version before it: {}. Approve of it with --approve, or name what you grant",
        list.join("; ")
    )))
}

/// What another version asks for beyond the one before; of one that is gone nothing is known, so that all of it is new.
pub(super) fn difference(before: Option<&Manifest>, after: &Manifest) -> Difference {
    match before {
        Some(before) => Difference::between(before, after),
        None => Difference { more: permissions::asked(after), less: Vec::new() },
    }
}
