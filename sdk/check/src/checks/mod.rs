//! The checks, one file each.

pub(crate) mod declared;
pub(crate) mod echoes;
pub(crate) mod imports;
pub(crate) mod limits;
pub(crate) mod malformed;
pub(crate) mod manifest;
pub(crate) mod partial;
pub(crate) mod reads;
pub(crate) mod repeats;
pub(crate) mod secrets;
pub(crate) mod undeclared;

use contactor_manifest::{Entity, Manifest, Support};

/// The entities that the partner has itself.
fn native(manifest: &Manifest) -> Vec<Entity> {
    manifest.entities.iter().filter(|entity| entity.support == Support::Native).cloned().collect()
}

/// A number with its noun.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
