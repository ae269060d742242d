//! What is left of a manifest when what was not granted is taken out of it: the one place where grants of hosts, records, events and
//! repeats are held. Whatever works with a connection works with what is left.

use std::collections::BTreeSet;

use contactor_manifest::{HostPattern, Manifest, Support};

use super::{EVENT, HOST, RECORDS, REPEAT, is_granted, kind};

/// The manifest without the records, events and repeats that were not granted.
pub(crate) fn effective(manifest: &Manifest, granted: &[String]) -> Manifest {
    let mut left = manifest.clone();
    let mut withheld = BTreeSet::new();
    for entity in left.entities.iter_mut().filter(|entity| entity.support != Support::Unsupported) {
        // Any direction will do: which of them is asked for stands in the manifest.
        let of_entity = format!("{RECORDS}{}:", entity.name);
        if !granted.iter().any(|name| name.starts_with(&of_entity)) {
            entity.support = Support::Unsupported;
            entity.projected_into = None;
            withheld.insert(entity.name.clone());
            withheld.insert(entity.list_name());
        }
    }
    left.mappings.retain(|row| !withheld.contains(&row.entity));
    left.streams.retain(|stream| !withheld.contains(&stream.entity));
    left.triggers.retain(|trigger| is_granted(granted, &format!("{EVENT}{}", trigger.name)));
    for repeatable in &mut left.repeatables {
        repeatable.paths.retain(|path| is_granted(granted, &format!("{REPEAT}{path}")));
    }
    left.repeatables.retain(|repeatable| !repeatable.paths.is_empty());
    left
}

/// The manifest's hosts that were granted.
pub(crate) fn hosts(manifest: &Manifest, granted: &[String]) -> Vec<HostPattern> {
    let mut hosts = manifest.partner.allowed_hosts();
    hosts.retain(|host| is_granted(granted, &format!("{HOST}{host}")));
    hosts
}

/// The scopes among granted names.
pub(crate) fn scopes(granted: &[String]) -> Vec<String> {
    granted.iter().filter(|name| is_scope(name)).cloned().collect()
}

/// Whether a name is a scope, and no other kind of permission.
pub(crate) fn is_scope(name: &str) -> bool {
    kind(name).is_empty()
}
