//! `state`: a connection's small key-value store. The connection is the host's to name, so no connector reaches another's keys.

use contactor_runtime::bindings::state::{Entry, Host};
use contactor_runtime::bindings::types::Error;
use contactor_store::LocalWrite;

use super::{Direct, errors};

/// Bytes of a key, bytes of a value, keys of a connection; `wit/state.wit` documents them.
const KEY: usize = 256;
pub(super) const VALUE: usize = 64 * 1024;
const KEYS: usize = 1_000;

impl Host for Direct {
    async fn get(&mut self, key: String) -> Result<Option<Entry>, Error> {
        check_key(&key)?;
        let found = self.run.engine.store().state_get(&self.run.active.connection.id, &key).await;
        Ok(found.map_err(errors::of_store)?.map(|(value, version)| Entry { value, version }))
    }

    async fn compare_and_set(&mut self, key: String, expected: u64, value: Vec<u8>) -> Result<u64, Error> {
        self.may_change(|| format!("state.compare-and-set {key}"))?;
        check_key(&key)?;
        check_value(&value)?;
        let store = self.run.engine.store();
        let connection = &self.run.active.connection.id;
        // Only a new key can be one too many. Two runs that create at once may pass by a few: the limit guards the
        // store's size, nothing else depends on it.
        if expected == 0 {
            check_room(&store.state_keys(connection, "").await.map_err(errors::of_store)?, &key)?;
        }
        self.write_locally(LocalWrite::SetState { key, expected, value }).await.map_err(errors::of_store)
    }

    async fn delete(&mut self, key: String) -> Result<(), Error> {
        self.may_change(|| format!("state.delete {key}"))?;
        check_key(&key)?;
        self.write_locally(LocalWrite::DeleteState(key)).await.map(drop).map_err(errors::of_store)
    }

    async fn keys(&mut self, prefix: String) -> Result<Vec<String>, Error> {
        check_text("prefix", &prefix)?;
        self.run
            .engine
            .store()
            .state_keys(&self.run.active.connection.id, &prefix)
            .await
            .map_err(errors::of_store)
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
        return Err(errors::invalid(
            "key",
            format!("the connection has {KEYS} keys already; delete some first"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    fn key(key: &str) -> String {
        key.to_owned()
    }

    #[tokio::test]
    async fn a_value_is_set_if_its_version_is_the_expected_one() {
        let bench = Bench::new().await;
        let mut host = bench.run(&[], false);
        assert_eq!(host.get(key("cursor")).await, Ok(None));
        assert_eq!(host.compare_and_set(key("cursor"), 0, vec![1]).await, Ok(1));
        assert_eq!(host.compare_and_set(key("cursor"), 1, vec![2]).await, Ok(2));
        for stale in [0, 1, 3] {
            let result = host.compare_and_set(key("cursor"), stale, vec![9]).await;
            assert!(matches!(result, Err(Error::Conflict(_))), "{stale}: {result:?}");
        }
        assert_eq!(host.get(key("cursor")).await, Ok(Some(Entry { value: vec![2], version: 2 })));
    }

    #[tokio::test]
    async fn keys_are_listed_in_order_and_removing_one_that_is_not_there_is_fine() {
        let bench = Bench::new().await;
        let mut host = bench.run(&[], false);
        for name in ["b/2", "a", "b/1", "b%"] {
            host.compare_and_set(key(name), 0, vec![]).await.unwrap();
        }
        assert_eq!(host.keys(key("b/")).await, Ok(vec![key("b/1"), key("b/2")]));
        assert_eq!(host.keys(key("b%")).await, Ok(vec![key("b%")]));
        assert_eq!(host.delete(key("a")).await, Ok(()));
        assert_eq!(host.delete(key("a")).await, Ok(()));
        assert_eq!(host.keys(String::new()).await.map(|keys| keys.len()), Ok(3));
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_before_it_reaches_the_store() {
        let bench = Bench::new().await;
        let mut host = bench.run(&[], false);
        for bad in [String::new(), "k".repeat(KEY + 1), "é".repeat(KEY / 2 + 1), key("a\0b")] {
            let field = |result: Result<(), Error>| match result {
                Err(Error::Invalid(problems)) => problems[0].field.clone(),
                other => panic!("{bad:?}: {other:?}"),
            };
            assert_eq!(field(host.get(bad.clone()).await.map(drop)), "key");
            assert_eq!(field(host.compare_and_set(bad.clone(), 0, vec![]).await.map(drop)), "key");
            assert_eq!(field(host.delete(bad.clone()).await), "key");
        }
        let largest = "k".repeat(KEY);
        assert_eq!(host.compare_and_set(largest, 0, vec![7; VALUE]).await, Ok(1));
        let result = host.compare_and_set(key("k"), 0, vec![7; VALUE + 1]).await;
        assert!(
            matches!(&result, Err(Error::Invalid(problems)) if problems[0].field == "value"),
            "{result:?}"
        );
    }

    #[test]
    fn only_a_new_key_can_be_one_too_many() {
        let full: Vec<String> = (0..KEYS).map(|n| format!("k{n:04}")).collect();
        assert_eq!(check_room(&full[1..], "new"), Ok(()));
        assert!(matches!(check_room(&full, "new"), Err(Error::Invalid(_))));
        assert_eq!(check_room(&full, "k0500"), Ok(()));
    }
}
