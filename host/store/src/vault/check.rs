//! Whether the keys at hand open what is stored.

use std::collections::BTreeSet;

use super::{DataKey, KeyId, KeyRing, VaultError};
use crate::model::{DataKeys, KeyUse, SealedKind};

/// Refuses keys that do not open every data key and every credential. What was sealed by a host before data keys counts as well.
pub fn check_keys(ring: &KeyRing, keys: &DataKeys, uses: &[KeyUse]) -> Result<(), VaultError> {
    let missing = |what: String, missing: &KeyId| VaultError::KeyMissing {
        what,
        missing: missing.clone(),
        at_hand: ring.ids().cloned().collect(),
    };
    let wrapping: BTreeSet<&KeyId> = keys.keys.iter().map(|key| &key.key.wrapped.key_id).collect();
    if let Some(absent) = wrapping.into_iter().find(|id| ring.key(id).is_none()) {
        let of = keys.keys.iter().filter(|key| key.key.wrapped.key_id == *absent).count();
        return Err(missing(format!("{of} of {} data keys", keys.keys.len()), absent));
    }
    for key in &keys.keys {
        DataKey::unwrap(&key.key, ring)?;
    }
    let unknown = uses.iter().find(|used| {
        used.kind == SealedKind::Credential && keys.get(&used.key).is_none() && ring.key(&used.key).is_none()
    });
    match unknown {
        Some(used) => Err(missing(format!("{} credentials", used.rows), &used.key)),
        None => Ok(()),
    }
}
