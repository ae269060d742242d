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

/// What the admin gives of what the manifest asks for, and what of it the connection did not have before.
pub(super) fn granted(
    manifest: &Manifest,
    version: &str,
    request: &EnableConnection,
    present: Option<&Connection>,
    before: Option<&Manifest>,
) -> Result<(Vec<String>, Vec<Permission>), EngineError> {
    let named = request.grants.as_deref();
    let Some(present) = present else {
        let chosen = permissions::chosen(manifest, named, &request.withhold);
        return Ok((chosen.map_err(EngineError::Invalid)?, Vec::new()));
    };
    let had = had(present, before);
    let is_same = before == Some(manifest);
    if is_same && named.is_none() && request.withhold.is_empty() {
        return Ok((had, Vec::new()));
    }
    let difference = if is_same { Difference::default() } else { difference(before, manifest) };
    let kept = difference.kept(&had, manifest, true);
    let given = permissions::changed(manifest, &kept, named, &request.withhold);
    let given = given.map_err(EngineError::Invalid)?;
    let is_named = |name: &String| named.is_some_and(|named| named.contains(name));
    let unnamed = |more: &&Permission| given.contains(&more.name) && !is_named(&more.name);
    let unnamed: Vec<Permission> = difference.more.iter().filter(unnamed).cloned().collect();
    approve(&request.connector, version, &unnamed, request.approve)?;
    // How the credential is sent is granted with the connector; another way to do so is new all the same.
    let is_new = |name: &str| difference.has(name) || !permissions::is_granted(&had, name);
    let mut new = permissions::asked(manifest);
    new.retain(|one| given.contains(&one.name) && is_new(&one.name));
    Ok((given, new))
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
