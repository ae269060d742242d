//! The key of one workspace: it seals everything that is the workspace's, and lies in the store, wrapped.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::aead::{self, Binding};
use super::{KeyId, KeyRing, Purpose, Sealed, SecretKey, VaultError};
use crate::model::WorkspaceId;

/// A workspace's key, ready for use.
pub struct DataKey {
    key: SecretKey,
    workspace: WorkspaceId,
}

/// A workspace's key as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The data key's id.
    pub id: KeyId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The data key, sealed with the key-encryption key that is named.
    pub wrapped: Sealed,
}

impl DataKey {
    /// A new key for a workspace.
    pub fn random(workspace: WorkspaceId) -> Result<Self, VaultError> {
        Ok(Self { key: SecretKey::random()?, workspace })
    }

    /// Its id.
    pub fn id(&self) -> &KeyId {
        self.key.id()
    }

    /// Wraps it with the current key of a ring.
    pub fn wrap(&self, ring: &KeyRing) -> Result<WrappedKey, VaultError> {
        let kek = ring.current();
        let wrapped = aead::seal(kek, &binding(&self.workspace, self.id(), kek.id()), self.key.bytes())?;
        Ok(WrappedKey { id: self.id().clone(), workspace: self.workspace.clone(), wrapped })
    }

    /// Unwraps a stored key with the key of the ring that wrapped it.
    pub fn unwrap(stored: &WrappedKey, ring: &KeyRing) -> Result<Self, VaultError> {
        let WrappedKey { id, workspace, wrapped } = stored;
        let kek = ring.key(&wrapped.key_id).ok_or_else(|| VaultError::KeyMissing {
            what: format!("the data key {id} of the workspace {workspace} and what it seals"),
            missing: wrapped.key_id.clone(),
            at_hand: ring.ids().cloned().collect(),
        })?;
        let unusable =
            |problem| VaultError::DataKey { id: id.clone(), workspace: workspace.clone(), problem };
        let bytes = aead::open(kek, &binding(workspace, id, kek.id()), &wrapped.bytes).map_err(unusable)?;
        let key = SecretKey::from_bytes(&bytes).ok_or_else(|| unusable("it is no key"))?;
        if key.id() != id {
            return Err(unusable("it is another key"));
        }
        Ok(Self { key, workspace: workspace.clone() })
    }

    /// Seals a secret of the key's workspace.
    pub fn seal(&self, purpose: &Purpose, secret: &SecretString) -> Result<Sealed, VaultError> {
        self.check(purpose)?;
        aead::seal(&self.key, &purpose.binding(self.id()), secret.expose_secret().as_bytes())
    }

    /// Opens a secret that was sealed with this key for this purpose.
    pub fn open(&self, purpose: &Purpose, sealed: &Sealed) -> Result<SecretString, VaultError> {
        self.check(purpose)?;
        text(purpose, aead::open(&self.key, &purpose.binding(&sealed.key_id), &sealed.bytes))
    }

    fn check(&self, purpose: &Purpose) -> Result<(), VaultError> {
        if *purpose.workspace() == self.workspace {
            return Ok(());
        }
        Err(VaultError::Unusable {
            name: purpose.name().to_owned(),
            problem: "its key is that of another workspace",
        })
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({} of {})", self.id(), self.workspace)
    }
}

/// Opens what a host before data keys sealed with the operator's key itself. `None` when it was none of these keys.
pub fn open_as_before(
    ring: &KeyRing,
    purpose: &Purpose,
    sealed: &Sealed,
) -> Option<Result<SecretString, VaultError>> {
    let key = ring.key(&sealed.key_id)?;
    Some(text(purpose, aead::open(key, &purpose.binding_as_before(key.id()), &sealed.bytes)))
}

fn binding(workspace: &WorkspaceId, id: &KeyId, kek: &KeyId) -> Binding {
    Binding::of("contactor data key 1").and(workspace.as_str()).and_key(id).and_key(kek)
}

/// The opened bytes as text. They are wiped here, and copied once, into what is wiped later.
fn text(
    purpose: &Purpose,
    opened: Result<zeroize::Zeroizing<Vec<u8>>, &'static str>,
) -> Result<SecretString, VaultError> {
    let unusable = |problem| VaultError::Unusable { name: purpose.name().to_owned(), problem };
    let plain = opened.map_err(unusable)?;
    str::from_utf8(&plain).map(SecretString::from).map_err(|_| unusable("it is no text"))
}

#[cfg(test)]
mod tests;
