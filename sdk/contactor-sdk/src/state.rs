//! A small key-value store of the connection: keys of at most 256 bytes, values of at most 64 KiB, 1,000 keys.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

#[cfg(not(target_arch = "wasm32"))]
pub use crate::imports::state::State;
pub use crate::imports::state::{Entry, compare_and_set, delete, get, keys};

/// Reads a key that holds JSON.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    get(key)?.map(|entry| Ok(serde_json::from_slice(&entry.value)?)).transpose()
}

/// Changes a key that holds JSON: `change` gets what is there and answers what shall be. When another run changed the key in
/// between, it is asked again, a few times.
pub fn update_json<T, F>(key: &str, mut change: F) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: FnMut(Option<T>) -> Result<T>,
{
    let mut attempts = 5;
    loop {
        let entry = get(key)?;
        let version = entry.as_ref().map_or(0, |entry| entry.version);
        let current = entry.map(|entry| serde_json::from_slice(&entry.value)).transpose()?;
        let next = change(current)?;
        attempts -= 1;
        match compare_and_set(key, version, &serde_json::to_vec(&next)?) {
            Ok(_) => return Ok(next),
            Err(Error::Conflict(_)) if attempts > 0 => {}
            Err(error) => return Err(error),
        }
    }
}
