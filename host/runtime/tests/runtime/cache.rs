//! The cache of compiled components.

use std::{fs, path::PathBuf};

use cap_std::{ambient_authority, fs::Dir};
use contactor_runtime::{CacheConfig, CompileCounts};

use super::*;

struct CacheDir(tempfile::TempDir);

impl CacheDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn runtime(&self, key: u8, max_instances: u32) -> Runtime<TestHost> {
        let dir = Dir::open_ambient_dir(self.0.path(), ambient_authority()).unwrap();
        let cache = Some(CacheConfig { dir, key: [key; 32] });
        Runtime::new(RuntimeConfig { cache, max_instances, ..config() }).unwrap()
    }

    fn names(&self, ending: &str) -> Vec<PathBuf> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
    }

    fn entry(&self) -> PathBuf {
        let [entry] = self.names(".compiled").try_into().unwrap();
        entry
    }
}

/// Loads and proves that what was loaded works.
async fn counts(runtime: &Runtime<TestHost>) -> CompileCounts {
    let connector = load(runtime).await;
    assert_eq!(answer(&connector, "echo", "works").await, "works");
    runtime.compile_counts()
}

const COMPILED: CompileCounts = CompileCounts { compiled: 1, from_cache: 0, quarantined: 0 };
const FROM_CACHE: CompileCounts = CompileCounts { compiled: 0, from_cache: 1, quarantined: 0 };
const QUARANTINED: CompileCounts = CompileCounts { compiled: 1, from_cache: 0, quarantined: 1 };

#[tokio::test]
async fn a_second_host_with_the_same_settings_takes_what_the_first_compiled() {
    let cache = CacheDir::new();
    assert_eq!(counts(&cache.runtime(1, 4)).await, COMPILED);
    assert_eq!(counts(&cache.runtime(1, 2)).await, FROM_CACHE);
    assert!(cache.names(".tmp").is_empty());
}

#[tokio::test]
async fn an_entry_with_one_flipped_bit_is_moved_aside_and_compiled_again() {
    let cache = CacheDir::new();
    counts(&cache.runtime(1, 4)).await;
    let size = fs::metadata(cache.entry()).unwrap().len();
    // The tag, the code behind it, the last byte.
    for at in [0, 40, size / 2, size - 1] {
        let mut bytes = fs::read(cache.entry()).unwrap();
        bytes[usize::try_from(at).unwrap()] ^= 1;
        fs::write(cache.entry(), bytes).unwrap();
        assert_eq!(counts(&cache.runtime(1, 4)).await, QUARANTINED, "byte {at}");
        assert_eq!(cache.names(".quarantined").len(), 1);
        assert_eq!(counts(&cache.runtime(1, 4)).await, FROM_CACHE, "the new entry is good");
    }
}

#[tokio::test]
async fn a_truncated_or_empty_entry_is_refused() {
    let cache = CacheDir::new();
    counts(&cache.runtime(1, 4)).await;
    let whole = fs::read(cache.entry()).unwrap();
    for length in [0, 31, 32, whole.len() - 1] {
        fs::write(cache.entry(), &whole[..length]).unwrap();
        assert_eq!(counts(&cache.runtime(1, 4)).await, QUARANTINED, "{length} bytes");
    }
}

#[tokio::test]
async fn an_entry_under_another_key_is_refused() {
    let cache = CacheDir::new();
    counts(&cache.runtime(1, 4)).await;
    let (name, other) = (cache.entry(), fs::read(cache.entry()).unwrap());
    assert_eq!(counts(&cache.runtime(2, 4)).await, COMPILED, "it is not looked at");
    assert!(!name.exists(), "and of no use any more");
    // As somebody would put it there who knows the other key.
    fs::write(cache.entry(), other).unwrap();
    assert_eq!(counts(&cache.runtime(2, 4)).await, QUARANTINED);
}

#[tokio::test]
async fn when_the_key_changes_nothing_is_taken_that_the_former_one_authenticated() {
    let cache = CacheDir::new();
    let runtime = cache.runtime(1, 4);
    counts(&runtime).await;
    let (name, former) = (cache.entry(), fs::read(cache.entry()).unwrap());
    runtime.change_cache_key([2; 32]).await;
    assert!(!name.exists());
    fs::write(&name, &former).unwrap();
    let mut expected = CompileCounts { compiled: 2, ..COMPILED };
    assert_eq!(counts(&runtime).await, expected, "by its own name it is not looked at");
    fs::remove_file(&name).unwrap();
    fs::write(cache.entry(), &former).unwrap();
    expected = CompileCounts { compiled: 3, quarantined: 1, ..expected };
    assert_eq!(counts(&runtime).await, expected, "and by that of another one it is moved aside");
    expected.from_cache = 1;
    assert_eq!(counts(&runtime).await, expected, "what was compiled since is taken");
    assert_eq!(counts(&cache.runtime(2, 4)).await, FROM_CACHE, "also by the next host with that key");
}

#[tokio::test]
async fn an_entry_of_another_component_is_refused() {
    let cache = CacheDir::new();
    counts(&cache.runtime(1, 4)).await;
    let entry = cache.entry();
    // The same guest with another manifest: another digest, whose entry an attacker puts in place of ours.
    let runtime = cache.runtime(1, 4);
    let other = made::with_manifest(|toml| toml.replace("\"Misbehave\"", "\"Somebody else\""));
    let digest = Digest::of(&other);
    runtime.load(other, &digest, &Grants::of(["contacts"])).await.unwrap();
    let [foreign] = cache
        .names(".compiled")
        .into_iter()
        .filter(|path| *path != entry)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    fs::copy(foreign, &entry).unwrap();
    assert_eq!(counts(&cache.runtime(1, 4)).await, QUARANTINED);
}

#[tokio::test]
async fn entries_of_other_engines_and_unfinished_files_are_cleared_away() {
    let cache = CacheDir::new();
    let stale = cache.0.path().join("aa-0000000000000000.compiled");
    let unfinished = cache.0.path().join("aa-0000000000000000.compiled.1-0.tmp");
    let foreign = cache.0.path().join("readme");
    for file in [&stale, &unfinished, &foreign] {
        fs::write(file, "x").unwrap();
    }
    counts(&cache.runtime(1, 4)).await;
    assert!(!stale.exists() && !unfinished.exists() && foreign.exists());
    assert_eq!(counts(&cache.runtime(1, 4)).await, FROM_CACHE);
}

#[tokio::test]
async fn a_component_is_compiled_once_for_all_that_hold_it() {
    let runtime = runtime();
    let first = load(&runtime).await;
    let second = load(&runtime).await;
    assert_eq!(runtime.compile_counts(), COMPILED);
    drop((first, second));
    counts(&runtime).await;
    assert_eq!(runtime.compile_counts().compiled, 2, "nobody held it any more");
}
