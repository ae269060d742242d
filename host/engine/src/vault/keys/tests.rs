use std::time::Duration;

use contactor_store::sqlite::SqliteStore;
use contactor_store::{GrantId, LocationId, Resealed, SealedAt, SealedKind};
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

const NAME: &str = "acme/prefinery/auth";

/// A store and the keys of one process on it.
struct Bench {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    keys: Keys,
    // Removed when the bench is dropped.
    _dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path().join("contactor.db")).unwrap());
        let vault = Arc::new(Vault::create_key(&dir.path().join("vault.key")).unwrap());
        let keys = Keys::new(Arc::clone(&store), Arc::clone(&vault));
        Self { store, vault, keys, _dir: dir }
    }

    /// The keys of another process, which knows nothing yet.
    fn another(&self) -> Keys {
        Keys::new(Arc::clone(&self.store), Arc::clone(&self.vault))
    }

    async fn put(&self, keys: &Keys, secret: &str) {
        let kept =
            keys.keep(&purpose(), &secret.into(), |sealed| self.store.put_credential(NAME, sealed)).await;
        kept.unwrap();
    }

    async fn get(&self, keys: &Keys, sealed: Sealed) -> Result<Option<String>, EngineError> {
        let opened = keys.open(&purpose(), sealed, || self.store.credential(NAME)).await?;
        Ok(opened.map(|secret| secret.expose_secret().to_owned()))
    }

    async fn stored(&self) -> Sealed {
        self.store.credential(NAME).await.unwrap().unwrap()
    }

    async fn in_use(&self) -> StoredDataKey {
        self.store.data_key_of(purpose().workspace()).await.unwrap().unwrap()
    }

    /// Replaces the workspace's key, seals anew what is under it, and forgets it.
    async fn replace_and_forget(&self, keys: &Keys) {
        let retired = self.in_use().await;
        keys.replace(&retired).await.unwrap();
        let rows = self.store.sealed_with(&retired.key.id, SealedKind::Credential, None, 10).await.unwrap();
        for row in rows {
            let secret = keys.open_as_read(&row.purpose, &row.sealed).await.unwrap().unwrap();
            let to = keys.seal(&row.purpose, &secret).await.unwrap();
            self.store.reseal(vec![Resealed { at: row.at, from: row.sealed, to }]).await.unwrap();
        }
        let later = jiff::Timestamp::now() + SignedDuration::from_hours(2);
        self.store.expire(later, Duration::from_hours(24)).await.unwrap();
        assert_eq!(self.store.data_key(&retired.key.id).await.unwrap(), None);
    }
}

fn purpose() -> Purpose {
    Purpose::of_credential(NAME)
}

#[tokio::test]
async fn a_key_is_made_on_first_need_and_another_process_opens_what_it_sealed() {
    let bench = Bench::new();
    assert!(bench.store.data_keys().await.unwrap().keys.is_empty());
    bench.put(&bench.keys, "fake-secret").await;
    let (stored, in_use) = (bench.stored().await, bench.in_use().await);
    assert_eq!(stored.key_id, in_use.key.id);
    assert_eq!(in_use.key.wrapped.key_id, *bench.vault.ring().current().id());
    let other = bench.another();
    assert_eq!(bench.get(&other, stored).await.unwrap().as_deref(), Some("fake-secret"));
    bench.put(&other, "fake-other").await;
    assert_eq!(bench.stored().await.key_id, in_use.key.id, "one workspace, one key");
}

#[tokio::test]
async fn of_keys_that_many_make_at_once_one_counts() {
    let bench = Bench::new();
    let processes: Vec<_> = (0..4).map(|_| bench.another()).collect();
    let secret = SecretString::from("fake-secret");
    let seals = processes.iter().flat_map(|keys| [keys, keys]).map(|keys| {
        let secret = &secret;
        async move { keys.seal(&purpose(), secret).await.unwrap() }
    });
    let sealed = futures_util::future::join_all(seals).await;
    assert_eq!(bench.store.data_keys().await.unwrap().keys.len(), 1);
    for sealed in sealed {
        assert_eq!(bench.get(&bench.keys, sealed).await.unwrap().as_deref(), Some("fake-secret"));
    }
}

#[tokio::test]
async fn what_was_sealed_with_a_key_that_was_replaced_meanwhile_is_sealed_again() {
    let bench = Bench::new();
    let other = bench.another();
    bench.put(&bench.keys, "fake-before").await;
    bench.put(&other, "fake-before").await;
    let retired = bench.in_use().await;
    other.replace(&retired).await.unwrap();

    // This process still takes the retired key for the one in use.
    let stale = bench.keys.seal(&purpose(), &"fake-after".into()).await.unwrap();
    assert_eq!(stale.key_id, retired.key.id);
    bench.put(&bench.keys, "fake-after").await;
    let stored = bench.stored().await;
    assert_eq!(stored.key_id, bench.in_use().await.key.id);
    assert_eq!(bench.get(&other, stored).await.unwrap().as_deref(), Some("fake-after"));
}

#[tokio::test]
async fn a_reader_that_holds_an_older_row_reads_it_again() {
    let bench = Bench::new();
    bench.put(&bench.keys, "fake-secret").await;
    let old = bench.stored().await;
    bench.replace_and_forget(&bench.keys).await;
    assert_ne!(bench.stored().await.key_id, old.key_id);

    let other = bench.another();
    assert_eq!(bench.get(&other, old.clone()).await.unwrap().as_deref(), Some("fake-secret"));
    // Nobody has the key, and the row is as it was: that is told, and not asked for ever.
    let lost = other.open(&purpose(), old.clone(), || async { Ok(Some(old.clone())) }).await.unwrap_err();
    assert!(matches!(lost, EngineError::Vault(VaultError::OtherKey { .. })), "{lost}");
    let gone = other.open(&purpose(), old.clone(), || async { Ok(None) }).await.unwrap();
    assert!(gone.is_none());
}

#[tokio::test]
async fn keys_that_the_store_forgot_are_wiped_and_those_in_use_are_not() {
    let bench = Bench::new();
    bench.put(&bench.keys, "fake-secret").await;
    let old = bench.stored().await;
    bench.replace_and_forget(&bench.keys).await;
    assert!(bench.keys.open_as_read(&purpose(), &old).await.unwrap().is_some(), "still in memory");
    let stored = bench.store.data_keys().await.unwrap().keys.into_iter().map(|key| key.key.id).collect();
    bench.keys.forget_all_but(&stored);
    assert!(bench.keys.open_as_read(&purpose(), &old).await.unwrap().is_none());
    let stored = bench.stored().await;
    assert!(bench.keys.open_as_read(&purpose(), &stored).await.unwrap().is_some());
}

#[tokio::test]
async fn a_row_copied_to_another_workspace_connection_or_field_does_not_open() {
    let bench = Bench::new();
    bench.put(&bench.keys, "fake-secret").await;
    let stored = bench.stored().await;
    for name in ["other", "other/prefinery/auth", "acme", "acme/other/auth", "acme/prefinery/webhook"] {
        bench.store.put_credential(name, stored.clone()).await.unwrap();
        let rows = bench.store.sealed_with(&stored.key_id, SealedKind::Credential, None, 10).await.unwrap();
        let row = rows.into_iter().find(|row| row.at == SealedAt::Credential(name.to_owned())).unwrap();
        let error = bench.keys.open_as_read(&row.purpose, &row.sealed).await.unwrap_err();
        assert!(matches!(error, EngineError::Vault(VaultError::Unusable { .. })), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_grant_copied_to_another_one_does_not_open_although_one_key_seals_both() {
    let bench = Bench::new();
    let (own, other) = (GrantId::location(&LocationId::new("location1")), GrantId::company("company1"));
    let seal = async |name: String| {
        bench.keys.seal(&Purpose::of_credential(&name), &"fake-pair".into()).await.unwrap()
    };
    let (sealed, of_other) = (seal(own.pair()).await, seal(other.pair()).await);
    assert_eq!(sealed.key_id, of_other.key_id, "grants are of no workspace");
    let own_name = Purpose::of_credential(&own.pair());
    assert!(bench.keys.open_as_read(&own_name, &sealed).await.unwrap().is_some());
    for name in [other.pair(), own.courier(), GrantId::location(&LocationId::new("location2")).pair()] {
        let purpose = Purpose::of_credential(&name);
        let error = bench.keys.open_as_read(&purpose, &sealed).await.unwrap_err();
        assert!(matches!(error, EngineError::Vault(VaultError::Unusable { .. })), "{name}: {error}");
    }
}
