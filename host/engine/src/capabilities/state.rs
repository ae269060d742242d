//! `state`: a connection's small key-value store. The connection is the host's to name, so no connector reaches another's keys.

use contactor_runtime::bindings::state::{Entry, Host};
use contactor_runtime::bindings::types::Error;
use contactor_store::StoreError;

use super::{Capabilities, errors};

/// Bytes of a key, bytes of a value, keys of a connection; `wit/state.wit` documents them.
const KEY: usize = 256;
const VALUE: usize = 64 * 1024;
const KEYS: usize = 1_000;

impl Host for Capabilities {
    async fn get(&mut self, key: String) -> Result<Option<Entry>, Error> {
        check_key(&key)?;
        let found = self.run.engine.store().state_get(&self.run.active.connection.id, &key).await;
        Ok(found.map_err(of_store)?.map(|(value, version)| Entry { value, version }))
    }

    async fn compare_and_set(&mut self, key: String, expected: u64, value: Vec<u8>) -> Result<u64, Error> {
        self.may_change()?;
        check_key(&key)?;
        check_value(&value)?;
        let store = self.run.engine.store();
        let connection = &self.run.active.connection.id;
        // Only a new key can be one too many. Two runs that create at once may pass by a few: the limit guards the
        // store's size, nothing else depends on it.
        if expected == 0 {
            check_room(&store.state_keys(connection, "").await.map_err(of_store)?, &key)?;
        }
        store.state_set(connection, &key, expected, value).await.map_err(of_store)
    }

    async fn delete(&mut self, key: String) -> Result<(), Error> {
        self.may_change()?;
        check_key(&key)?;
        self.run.engine.store().state_delete(&self.run.active.connection.id, &key).await.map_err(of_store)
    }

    async fn keys(&mut self, prefix: String) -> Result<Vec<String>, Error> {
        check_text("prefix", &prefix)?;
        self.run.engine.store().state_keys(&self.run.active.connection.id, &prefix).await.map_err(of_store)
    }
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() {
        return Err(errors::invalid("key", "a key is not empty"));
    }
    check_text("key", key)
}

fn check_text(field: &str, text: &str) -> Result<(), Error> {
    if text.len() > KEY {
        return Err(errors::invalid(field, format!("at most {KEY} bytes, these are {}", text.len())));
    }
    // Not every database can keep it.
    if text.contains('\0') {
        return Err(errors::invalid(field, "a key holds no NUL"));
    }
    Ok(())
}

fn check_value(value: &[u8]) -> Result<(), Error> {
    if value.len() > VALUE {
        return Err(errors::invalid("value", format!("at most {VALUE} bytes, these are {}", value.len())));
    }
    Ok(())
}

/// A key that exists already is no new one: the store will call it a conflict.
fn check_room(keys: &[String], key: &str) -> Result<(), Error> {
    if keys.len() >= KEYS && !keys.iter().any(|present| present == key) {
        return Err(errors::invalid("key", format!("the connection has {KEYS} keys already; delete some first")));
    }
    Ok(())
}

fn of_store(error: StoreError) -> Error {
    match error {
        conflict @ StoreError::Conflict { .. } => Error::Conflict(conflict.to_string()),
        error => Error::Unavailable(format!("the host's store: {error}")),
    }
}
