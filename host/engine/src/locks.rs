//! What exists by name only while somebody holds it, or waits for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

/// Names that are remembered; beyond, those that nobody holds are forgotten.
const NAMES: usize = 1_024;

/// Things by name. One that nobody holds is made anew.
pub(crate) struct Held<K, T>(Mutex<HashMap<K, Weak<T>>>);

impl<K, T> Default for Held<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, T> Held<K, T> {
    /// The one that others hold, or a new one.
    pub(crate) fn of(&self, name: &K, new: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= NAMES {
            all.retain(|_, one| one.strong_count() > 0);
        }
        if let Some(one) = all.get(name).and_then(Weak::upgrade) {
            return one;
        }
        let one = Arc::new(new());
        all.insert(name.clone(), Arc::downgrade(&one));
        one
    }
}

/// Locks by name, for the few steps where two runs of one process must not overtake each other.
#[derive(Default)]
pub(crate) struct KeyedLocks(Held<String, tokio::sync::Mutex<()>>);

impl KeyedLocks {
    /// Waits until nobody else holds `key`.
    pub(crate) async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    /// Takes `key` unless somebody else holds it.
    pub(crate) fn try_lock(&self, key: &str) -> Option<OwnedMutexGuard<()>> {
        self.of(key).try_lock_owned().ok()
    }

    fn of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.0.of(&key.to_owned(), tokio::sync::Mutex::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_key_is_held_once_and_other_keys_are_free() {
        let locks = KeyedLocks::default();
        let held = locks.lock("a").await;
        let _other = locks.lock("b").await;
        let mut second = Box::pin(locks.lock("a"));
        assert!(futures_util::FutureExt::now_or_never(&mut second).is_none());
        assert!(locks.try_lock("a").is_none() && locks.try_lock("c").is_some());
        drop(held);
        second.await;
    }

    #[test]
    fn what_nobody_holds_is_forgotten_and_made_anew() {
        let held = Held::default();
        let first = held.of(&0, || 0);
        for number in 1..3 * NAMES {
            held.of(&number, || number);
        }
        assert!(held.0.lock().unwrap().len() <= NAMES);
        assert_eq!(*held.of(&0, || 1), 0, "it is held");
        drop(first);
        assert_eq!(*held.of(&0, || 1), 1);
    }
}
