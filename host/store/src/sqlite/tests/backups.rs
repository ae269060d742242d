//! Copies of a database at work, and what a drill says about them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;

use super::fixture::*;
use crate::sqlite::{Drilled, SqliteStore, backup, check, drill};
use crate::vault::{DataKey, KeyFile, KeyRing, Purpose, SecretKey};
use crate::{
    ConfigurationStore as _, EventStore as _, OperationStore as _, Store, StoreError, VaultStore as _,
    WorkspaceId,
};

const NAMES: [&str; 3] = ["acme", "acme/prefinery/auth", "acme/destination:team"];

/// A store with sealed credentials, and the ring that wraps their key.
async fn sealed(store: &dyn Store) -> KeyRing {
    let ring = KeyRing::of(SecretKey::random().unwrap());
    let key = DataKey::random(WorkspaceId::new("acme")).unwrap();
    store.add_data_key(key.wrap(&ring).unwrap()).await.unwrap();
    for name in NAMES {
        let sealed = key.seal(&Purpose::of_credential(name), &"fake-secret".into()).unwrap();
        store.put_credential(name, sealed).await.unwrap();
    }
    ring
}

fn all(total: u64) -> Drilled {
    Drilled { total, opened: total }
}

#[tokio::test]
async fn a_backup_holds_what_was_committed_and_belongs_to_its_owner_alone() {
    let (directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    let ring = sealed(&store).await;
    let to = directory.path().join("backup.db");
    let made = backup(&path, &to).unwrap();
    assert_eq!(made.bytes, to.metadata().unwrap().len());
    assert_eq!(to.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // The store goes on, and what comes later is not in the copy.
    store.append_event(event("later", "c1")).await.unwrap();

    let checked = check(&to).unwrap();
    assert_eq!((checked.commit, checked.problems, checked.doubt), (made.commit, Vec::new(), None));
    let copy = SqliteStore::open(&to).unwrap();
    assert_eq!(copy.credential("acme").await.unwrap(), store.credential("acme").await.unwrap());
    assert_eq!(copy.workspaces().await.unwrap(), store.workspaces().await.unwrap());
    assert_eq!(copy.counts(None).await.unwrap().dirty, 0);
    assert_eq!(store.counts(None).await.unwrap().dirty, 1);
    drop(copy);
    assert!(drill(&to, &ring).unwrap().is_complete());
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_no_half_behind() {
    let (directory, path) = directory();
    let to = directory.path().join("backup.db");
    let missing = backup(&path, &to).unwrap_err();
    assert!(matches!(missing, StoreError::NotFound { .. }), "{missing}");
    drop(SqliteStore::open(&path).unwrap());
    std::fs::write(&to, "mine").unwrap();
    let taken = backup(&path, &to).unwrap_err();
    assert!(matches!(taken, StoreError::Conflict { .. }), "{taken}");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
    // Something that is no database of ours.
    let foreign = directory.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let to = directory.path().join("other.db");
    assert!(matches!(backup(&foreign, &to), Err(StoreError::Foreign { .. })));
    let left = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.contains(".part") || name == "other.db"), "{left:?}");
}

#[tokio::test]
async fn a_drill_counts_what_opens_and_names_what_does_not() {
    let (directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    let ring = sealed(&store).await;
    drop(store);
    // A plain copy of the file, in a directory that nobody may write to, with a name that means something in an address.
    let place = directory.path().join("read only?#%");
    std::fs::create_dir(&place).unwrap();
    let copy = place.join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o500)).unwrap();
    let report = drill(&copy, &ring).unwrap();
    assert_eq!((report.data_keys, report.credentials, report.recordings), (all(1), all(3), all(0)));
    assert!(report.is_complete() && report.failed() == 0 && report.unopened.is_empty(), "{report:?}");
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1, "nothing was written beside it");

    let other = KeyRing::of(SecretKey::random().unwrap());
    let refused = drill(&copy, &other).unwrap();
    assert_eq!((refused.data_keys.opened, refused.credentials.opened, refused.failed()), (0, 0, 4));
    assert_eq!(refused.unopened[0].key, *ring.current().id(), "it says which key is needed");

    let db = Connection::open(&copy).unwrap();
    db.execute("UPDATE credentials SET bytes = x'00' WHERE name = 'acme'", []).unwrap();
    drop(db);
    let damaged = drill(&copy, &ring).unwrap();
    assert_eq!((damaged.data_keys, damaged.credentials), (all(1), Drilled { total: 3, opened: 2 }));
    assert_eq!(damaged.unopened[0].name, "acme");
    assert!(!damaged.is_complete());
}

#[test]
fn a_drill_reads_databases_of_every_version_before_data_keys() {
    // As `vault/data_key/tests.rs` has it: sealed by the version before.
    let key = "08d809391d5aee4a:DdohKC5onYnRiReT5YL14Lq4vH5xdfRcF86GQj5MP4k=";
    let token = "46c42f3faf2b1df90685028f91e7bf40290e1881e2e380212a8ce6b3e6f0eaf2c668d0f45191dc560cdcedcaba0e00a1171e";
    let ring = KeyRing::parse(key).unwrap();
    let (_directory, path) = directory();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/001.sql")).unwrap();
    old.execute_batch(&format!(
        "PRAGMA application_id = 1129598802; PRAGMA user_version = 1; \
         INSERT INTO credentials VALUES ('acme', '{}', x'{token}');",
        ring.current().id()
    ))
    .unwrap();
    drop(old);
    let report = drill(&path, &ring).unwrap();
    assert_eq!((report.credentials, report.data_keys, report.sealed_before), (all(1), all(0), 1));
    // The same after the schema was brought up: as long as no host has worked on it, nothing is sealed anew.
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(drill(&path, &ring).unwrap().sealed_before, 1);
    let needed = crate::sqlite::needed_keys(&path).unwrap();
    assert_eq!(needed.into_keys().collect::<Vec<_>>(), [ring.current().id().clone()]);
}

#[test]
fn what_is_no_database_of_a_host_is_no_backup() {
    let (directory, path) = directory();
    let ring = KeyFile::create(&directory.path().join("vault.key")).unwrap().1;
    let told = |path: &Path| drill(path, &ring).unwrap_err();
    assert!(matches!(told(&path), StoreError::NotFound { .. }));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(told(&path), StoreError::NotFound { .. }));
    std::fs::write(&path, "no database at all, but long enough to be taken for one by somebody").unwrap();
    assert!(matches!(told(&path), StoreError::Corrupt { .. }));
}
