use std::path::PathBuf;
use std::sync::Arc;

use contactor_highlevel::webhook::Verifier;
use contactor_runtime::{CacheConfig, RuntimeConfig};
use contactor_store::sqlite::SqliteStore;
use contactor_store::{KeyFile, Purpose, Sealed, Store, Vault, WorkspaceId};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::engine::EngineParts;
use crate::outbound::{Outbound, OutboundConfig};
use crate::vault::KeyStep;

/// An engine that reaches nobody.
struct Bench {
    engine: Engine,
    store: Arc<dyn Store>,
    file: KeyFile,
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::caching(None)
    }

    fn caching(cache: Option<CacheConfig>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::at(dir.path().join("vault.key"));
        let vault = Arc::new(Vault::create_key(file.path()).unwrap());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path().join("contactor.db")).unwrap());
        let engine = Engine::start(EngineParts {
            config: EngineConfig::default(),
            clock: Clock::system(),
            store: Arc::clone(&store),
            vault,
            highlevel: contactor_highlevel::Config::default(),
            verifier: Verifier::published().unwrap(),
            runtime: RuntimeConfig { max_instances: 1, cache, ..RuntimeConfig::default() },
            outbound: Outbound::new(OutboundConfig::default()).unwrap(),
            connectors: crate::ConnectorsConfig::default(),
            artefacts: cap_std::fs::Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap(),
        })
        .unwrap();
        Self { engine, store, file, dir }
    }

    /// A bench with a credential for each of these names.
    async fn with(names: &[&str]) -> Self {
        let bench = Self::new();
        for name in names {
            bench.put(name, &secret_of(name)).await;
        }
        bench
    }

    async fn put(&self, name: &str, secret: &str) {
        let workspace = WorkspaceId::new(name.split('/').next().unwrap());
        self.engine.credentials().put(&workspace, name, &SecretString::from(secret)).await.unwrap();
    }

    async fn get(&self, name: &str) -> String {
        let workspace = WorkspaceId::new(name.split('/').next().unwrap());
        let secret = self.engine.credentials().get(&workspace, name).await.unwrap().unwrap();
        secret.expose_secret().to_owned()
    }

    async fn key_of(&self, name: &str) -> contactor_store::KeyId {
        self.store.credential(name).await.unwrap().unwrap().key_id
    }

    async fn report(&self) -> VaultReport {
        self.engine.vault_report().await.unwrap()
    }

    fn key_path(&self) -> PathBuf {
        self.dir.path().join("vault.key")
    }
}

fn secret_of(name: &str) -> String {
    format!("fake-secret of {name}")
}

const NAMES: [&str; 4] = ["acme", "acme/prefinery/auth", "acme/destination:team", "other"];

#[tokio::test]
async fn both_layers_are_exchanged_and_the_former_key_is_needed_no_more() {
    let bench = Bench::with(&NAMES).await;
    let first = bench.report().await;
    assert_eq!((first.next(), first.data_keys, first.former.len()), (KeyStep::Nothing, 2, 0));
    let before = [bench.key_of("acme").await, bench.key_of("other").await];

    let new = bench.file.add_key().unwrap();
    let offered = bench.report().await;
    assert_eq!((offered.next(), offered.offered.as_ref()), (KeyStep::Rotate, Some(&new)));
    let begun = bench.engine.rotate_keys(Rotate::All).await.unwrap();
    assert_eq!((begun.to_rewrap, begun.to_replace, begun.next()), (2, 2, KeyStep::Wait));
    assert!(begun.former[0].is_needed() && begun.former[0].key == first.current);

    let turned = bench.engine.turn_keys().await.unwrap();
    assert_eq!(turned, Turned { rewrapped: 2, replaced: 2, resealed: 4, unopenable: 0 });
    let done = bench.report().await;
    assert_eq!((done.current.clone(), done.retired, done.next()), (new, 2, KeyStep::DropFormer));
    assert!(done.is_done() && !done.former[0].is_needed());
    for name in NAMES {
        assert_eq!(bench.get(name).await, secret_of(name));
        assert!(!before.contains(&bench.key_of(name).await), "{name}");
    }
    assert_eq!(bench.engine.turn_keys().await.unwrap(), Turned::default());

    // Without its line the next process opens everything all the same.
    bench.file.drop_keys(&[first.current]).unwrap();
    let ring = bench.file.open().unwrap();
    let (keys, uses) = (bench.store.data_keys().await.unwrap(), bench.store.key_uses().await.unwrap());
    check_keys(&ring, &keys, &uses).unwrap();
    bench.engine.rotate_keys(Rotate::Wrapping).await.unwrap();
    assert_eq!(bench.report().await.next(), KeyStep::Nothing);
}

#[tokio::test]
async fn a_new_wrapping_key_touches_nothing_that_is_sealed() {
    let bench = Bench::with(&NAMES).await;
    let before = bench.store.credential("acme").await.unwrap();
    bench.file.add_key().unwrap();
    bench.engine.rotate_keys(Rotate::Wrapping).await.unwrap();
    let turned = bench.engine.turn_keys().await.unwrap();
    assert_eq!(turned, Turned { rewrapped: 2, ..Turned::default() });
    assert_eq!(bench.store.credential("acme").await.unwrap(), before);
    assert_eq!(bench.get("acme").await, secret_of("acme"));
}

#[tokio::test]
async fn with_a_new_wrapping_key_compiled_components_of_the_former_one_go() {
    let cache = tempfile::tempdir().unwrap();
    let dir = cap_std::fs::Dir::open_ambient_dir(cache.path(), cap_std::ambient_authority()).unwrap();
    let bench = Bench::caching(Some(CacheConfig { dir, key: [1; 32] }));
    let entry = cache.path().join("of-another-key.compiled");
    std::fs::write(&entry, "machine code").unwrap();
    bench.engine.rotate_keys(Rotate::All).await.unwrap();
    assert!(entry.exists(), "the wrapping key is the same");
    bench.file.add_key().unwrap();
    bench.engine.rotate_keys(Rotate::Data).await.unwrap();
    assert!(entry.exists(), "nobody reads the key source for the data keys");
    bench.engine.rotate_keys(Rotate::Wrapping).await.unwrap();
    assert!(!entry.exists());
}

#[tokio::test]
async fn a_key_source_that_lacks_what_is_needed_changes_nothing() {
    let bench = Bench::with(&NAMES).await;
    let (before, good) = (bench.report().await, std::fs::read(bench.key_path()).unwrap());
    std::fs::remove_file(bench.key_path()).unwrap();
    let missing = bench.engine.rotate_keys(Rotate::All).await.unwrap_err();
    KeyFile::create(&bench.key_path()).unwrap();
    let other = bench.engine.rotate_keys(Rotate::All).await.unwrap_err();
    std::fs::write(bench.key_path(), "no key at all").unwrap();
    let broken = bench.engine.rotate_keys(Rotate::Wrapping).await.unwrap_err();
    for error in [missing, other, broken] {
        assert!(matches!(error, EngineError::Conflict(_)), "{error}");
        assert!(error.to_string().contains("goes on with the keys that it has"), "{error}");
    }
    std::fs::write(bench.key_path(), good).unwrap();
    assert_eq!(bench.report().await, before);
    bench.put("new", "fake-secret of new").await;
    assert_eq!(bench.get("new").await, secret_of("new"));
}

#[tokio::test]
async fn a_rotation_under_way_is_continued_and_not_begun_anew() {
    let bench = Bench::with(&NAMES).await;
    for _ in 0..3 {
        bench.engine.rotate_keys(Rotate::Data).await.unwrap();
    }
    assert_eq!(bench.store.data_keys().await.unwrap().generation, 1);
    let turned = bench.engine.turn_keys().await.unwrap();
    assert_eq!((turned.replaced, turned.resealed), (2, 4));
    bench.engine.rotate_keys(Rotate::Data).await.unwrap();
    assert_eq!(bench.store.data_keys().await.unwrap().generation, 2);
    // A workspace that comes meanwhile needs no further key.
    bench.put("late", "fake-secret of late").await;
    assert_eq!(bench.engine.turn_keys().await.unwrap().replaced, 2);
}

#[tokio::test]
async fn what_does_not_open_is_named_left_alone_and_in_nobodys_way() {
    let bench = Bench::with(&NAMES).await;
    let broken = Sealed { key_id: bench.key_of("acme").await, bytes: vec![7; 60] };
    bench.store.put_credential("acme/broken/auth", broken.clone()).await.unwrap();
    bench.engine.rotate_keys(Rotate::Data).await.unwrap();
    let turned = bench.engine.turn_keys().await.unwrap();
    assert_eq!((turned.resealed, turned.unopenable), (4, 1));
    assert_eq!(bench.store.credential("acme/broken/auth").await.unwrap(), Some(broken));
    let report = bench.report().await;
    assert_eq!((report.next(), report.examples[0].name.as_str()), (KeyStep::Repair, "acme/broken/auth"));

    let again = bench.engine.rotate_keys(Rotate::Data).await.unwrap();
    assert_eq!(again.to_replace, 2, "the next rotation is not kept waiting");
    assert_eq!(bench.engine.turn_keys().await.unwrap().resealed, 4);
    // Entered again, it is as all others.
    bench.put("acme/broken/auth", "fake-secret of acme/broken/auth").await;
    let mended = bench.report().await;
    assert_eq!((mended.next(), mended.unopenable, mended.examples), (KeyStep::Nothing, 0, Vec::new()));
    assert_eq!(bench.engine.turn_keys().await.unwrap(), Turned::default());
    assert_eq!(bench.report().await.next(), KeyStep::Nothing);
}

#[tokio::test]
async fn more_than_one_batch_is_exchanged() {
    let names: Vec<String> = (0..150).map(|number| format!("w{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bench = Bench::with(&names).await;
    for name in 0..150 {
        bench.put(&format!("w0/c{name}/auth"), "fake-secret").await;
    }
    bench.file.add_key().unwrap();
    bench.engine.rotate_keys(Rotate::All).await.unwrap();
    let turned = bench.engine.turn_keys().await.unwrap();
    assert_eq!(turned, Turned { rewrapped: 150, replaced: 150, resealed: 300, unopenable: 0 });
    assert!(bench.report().await.is_done());
    assert_eq!(bench.get("w149").await, secret_of("w149"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn secrets_are_read_and_changed_while_both_layers_are_exchanged() {
    let bench = Arc::new(Bench::with(&NAMES).await);
    let mut tasks = tokio::task::JoinSet::new();
    for (number, name) in (0_u64..).zip(NAMES) {
        let writer = Arc::clone(&bench);
        tasks.spawn(async move {
            for round in 0..40 {
                writer.put(name, &format!("{number}/{round}")).await;
                assert_eq!(writer.get(name).await, format!("{number}/{round}"), "its only writer reads it");
            }
        });
        let reader = Arc::clone(&bench);
        tasks.spawn(async move {
            for _ in 0..200 {
                let secret = reader.get(name).await;
                assert!(secret == secret_of(name) || secret.starts_with(&format!("{number}/")), "{secret}");
            }
        });
    }
    for _ in 0..6 {
        bench.file.add_key().unwrap();
        bench.engine.rotate_keys(Rotate::All).await.unwrap();
        bench.engine.turn_keys().await.unwrap();
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    bench.engine.turn_keys().await.unwrap();
    assert!(bench.report().await.is_done());
    for (number, name) in (0_u64..).zip(NAMES) {
        assert_eq!(bench.get(name).await, format!("{number}/39"));
        let sealed = bench.store.credential(name).await.unwrap().unwrap();
        let in_use =
            bench.store.data_key_of(Purpose::of_credential(name).workspace()).await.unwrap().unwrap();
        assert_eq!(sealed.key_id, in_use.key.id, "{name}");
    }
}
