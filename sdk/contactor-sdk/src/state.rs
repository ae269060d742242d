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
    // Each lost race means that another run has won one, so this many runs at once get through.
    let mut attempts = 24;
    loop {
        let entry = get(key)?;
        let version = entry.as_ref().map_or(0, |entry| entry.version);
        let current = entry.map(|entry| serde_json::from_slice(&entry.value)).transpose()?;
        let next = change(current)?;
        attempts -= 1;
        match compare_and_set(key, version, &serde_json::to_vec(&next)?) {
            Ok(_) => return Ok(next),
            Err(Error::Conflict(_)) if attempts > 0 => {}
            // Nobody is at fault and nothing contradicts: the host tries again later.
            Err(Error::Conflict(_)) => {
                return Err(Error::Unavailable(format!("many runs change the state `{key}` at once")));
            }
            Err(error) => return Err(error),
        }
    }
}
