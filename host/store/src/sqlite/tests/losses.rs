//! A database that is not what was left: noticed at the start, or when the damage is met.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::fixture::*;
use crate::sqlite::{SqliteStore, accept, check};
use crate::*;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn copy_with_mark(path: &Path, copy: &Path) {
    // The mark first: it may be behind, as after a crash, but not ahead.
    fs::copy(beside(path, ".mark"), beside(copy, ".mark")).unwrap();
    crash_copy(path, copy);
}

async fn append(store: &SqliteStore, from: u32, until: u32) {
    for number in from..until {
        store.append_event(event(&format!("e{number}"), &format!("h{number}"))).await.unwrap();
    }
}

async fn events(path: &Path) -> u32 {
    let store = SqliteStore::open(path).unwrap();
    store.read(|db| Ok(db.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?)).await.unwrap()
}

fn doubt(path: &Path) -> Doubt {
    match SqliteStore::open(path) {
        Err(StoreError::Doubtful(doubt)) => *doubt,
        other => panic!("{other:?}"),
    }
}

/// What a killed host leaves, with twenty events in the log alone.
async fn left_by_a_killed_host(directory: &Path) -> PathBuf {
    let path = directory.join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    append(&store, 0, 20).await;
    let left = directory.join("left.db");
    copy_with_mark(&path, &left);
    left
}

#[tokio::test]
async fn a_log_that_was_cut_removed_or_garbled_is_noticed_and_left_as_evidence() {
    let (directory, _) = directory();
    let left = left_by_a_killed_host(directory.path()).await;
    let whole = fs::read(beside(&left, "-wal")).unwrap();
    let mut garbled = whole.clone();
    garbled[whole.len() / 2] ^= 1;
    let ways = [
        ("half", Some(&whole[..whole.len() / 2])),
        ("empty", Some(&[][..])),
        ("removed", None),
        ("garbled", Some(&garbled[..])),
    ];
    for (name, log) in ways {
        let path = directory.path().join(format!("{name}.db"));
        copy_with_mark(&left, &path);
        match log {
            Some(bytes) => fs::write(beside(&path, "-wal"), bytes).unwrap(),
            None => fs::remove_file(beside(&path, "-wal")).unwrap(),
        }
        let Doubt::Behind { database, marked, .. } = doubt(&path) else { panic!("{name}: {}", doubt(&path)) };
        // Two commits configure, twenty append.
        assert!(marked == 22 && database < 22, "{name}: {database} of {marked}");
        let words = doubt(&path).to_string();
        for part in
            [&format!("{} are missing", 22 - database), "-wal was cut short", "contactor store accept"]
        {
            assert!(words.contains(part), "{name}: {words}");
        }
        assert_eq!(
            log.map(<[u8]>::to_vec).unwrap_or_default(),
            fs::read(beside(&path, "-wal")).unwrap(),
            "{name}"
        );

        let accepted = accept(&path, None).unwrap();
        assert_eq!(
            (accepted.commit, accepted.marked, accepted.was_doubtful),
            (database, Some(22), true),
            "{name}"
        );
        assert_eq!(u64::from(events(&path).await), database.saturating_sub(2), "{name}");
    }
    assert_eq!(events(&left).await, 20, "the log that nobody touched");
}

#[tokio::test]
async fn an_older_copy_in_the_place_of_the_database_is_noticed_and_so_is_the_newer_one_after_it_was_accepted()
{
    let (directory, path) = directory();
    let copy = |name: &str| {
        let copy = directory.path().join(name);
        fs::copy(&path, &copy).unwrap();
        copy
    };
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    append(&store, 0, 5).await;
    drop(store);
    let older = copy("older.db");
    append(&SqliteStore::open(&path).unwrap(), 5, 30).await;
    let newer = copy("newer.db");

    fs::copy(&older, &path).unwrap();
    assert!(matches!(doubt(&path), Doubt::Behind { database: 7, marked: 32, .. }), "{}", doubt(&path));
    assert_eq!(accept(&path, Some("ann")).unwrap().commit, 7);
    append(&SqliteStore::open(&path).unwrap(), 5, 8).await;

    // Further than the mark, but not on the way that was gone since.
    fs::copy(&newer, &path).unwrap();
    assert!(matches!(doubt(&path), Doubt::Other { marked: 10, .. }), "{}", doubt(&path));
}

#[tokio::test]
async fn a_log_that_was_put_back_with_an_older_copy_says_who_accepted_that_and_what_is_missing() {
    let (directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    drop(store);
    let older = directory.path().join("older.db");
    fs::copy(&path, &older).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    // Somebody would rather not have this on record.
    assert!(store.stop_mass_change(&connection_id("acme"), "many".to_owned()).await.unwrap());
    drop(store);
    fs::copy(&older, &path).unwrap();

    assert!(accept(&path, Some("ann")).unwrap().was_doubtful);
    assert!(!accept(&path, Some("ann")).unwrap().was_doubtful, "what is accepted once is on record once");
    let store = SqliteStore::open(&path).unwrap();
    let changes = store.audit(AuditFilter { limit: 10, ..AuditFilter::default() }).await.unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    let NewAudit { actor, action, workspace, .. } = &changes[0].row.entry;
    assert_eq!((actor, action.as_str(), workspace), (&Actor::CommandLine, "store.accept", &None));
    assert_eq!(changes[0].told, "acknowledged=3 accepted=2 by=ann");
    assert_eq!(store.verify_audit(None).await.unwrap().broken, None);
    drop(store);

    // A mark that says nothing, and somebody whose name is none.
    for by in [None, Some("Ann Smith <ann@example.com>")] {
        fs::write(beside(&path, ".mark"), "").unwrap();
        accept(&path, by).unwrap();
    }
    let store = SqliteStore::open(&path).unwrap();
    let changes = store.audit(AuditFilter { limit: 2, ..AuditFilter::default() }).await.unwrap();
    let told: Vec<_> = changes.iter().map(|change| change.told.as_str()).collect();
    let unknown = |by: &str| format!("acknowledged=unknown accepted=2 by={by}");
    assert_eq!(told, [unknown("(no name)"), unknown("-")]);
}

#[tokio::test]
async fn a_database_that_is_gone_is_not_begun_anew_beside_its_mark() {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    drop(store);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(&path, suffix));
    }
    assert!(matches!(doubt(&path), Doubt::Behind { database: 0, marked: 2, .. }), "{}", doubt(&path));
    assert!(matches!(doubt(&path), Doubt::Behind { .. }), "and not the second time");
}

#[tokio::test]
async fn without_a_mark_a_restored_database_opens_and_has_one_again() {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    drop(store);
    fs::remove_file(beside(&path, ".mark")).unwrap();
    drop(SqliteStore::open(&path).unwrap());
    let mark = fs::read_to_string(beside(&path, ".mark")).unwrap();
    assert!(mark.contains("commit 00000000000000000002 healthy"), "{mark}");
}

#[tokio::test]
async fn an_unreadable_mark_is_a_question_to_a_person() {
    let (_directory, path) = directory();
    drop(SqliteStore::open(&path).unwrap());
    fs::write(beside(&path, ".mark"), "").unwrap();
    assert!(matches!(doubt(&path), Doubt::Unreadable { .. }));
    assert!(accept(&path, None).unwrap().was_doubtful);
    assert!(!accept(&path, None).unwrap().was_doubtful, "nothing is left to accept");
    drop(SqliteStore::open(&path).unwrap());
}

#[tokio::test]
async fn damage_that_a_read_meets_stops_the_store_until_a_person_has_looked() {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    append(&store, 0, 100).await;
    drop(store);
    let whole = fs::read(&path).unwrap();
    let (page, size) = {
        let db = Connection::open(&path).unwrap();
        let page = db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'events'", [], |row| {
            row.get::<_, u32>(0)
        });
        (page.unwrap(), db.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0)).unwrap())
    };

    let store = SqliteStore::open(&path).unwrap();
    let mut disk = store.disk();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 512], u64::from((page - 1) * size)).unwrap();
    let met = store.event(EventSeq(50)).await.unwrap_err();
    assert!(matches!(met, StoreError::Corrupt { .. }), "{met}");
    assert_eq!(disk.lost().await, met);
    for refused in
        [store.append_event(event("more", "h")).await.map(drop), store.probe().await, store.probe().await]
    {
        assert_eq!(refused, Err(met.clone()), "a probe does not end it");
    }
    drop(store);

    assert!(matches!(doubt(&path), Doubt::Damaged { .. }));
    let looked = check(&path).unwrap();
    assert!(!looked.problems.is_empty() && looked.doubt.is_some(), "{looked:?}");
    assert!(matches!(accept(&path, None), Err(StoreError::Corrupt { .. })), "damage is not to be accepted");

    // As if the disk had given back wrong bytes once.
    file.write_all_at(&whole, 0).unwrap();
    assert!(matches!(doubt(&path), Doubt::Damaged { .. }), "not by itself");
    assert_eq!(check(&path).unwrap().problems, Vec::<String>::new());
    accept(&path, None).unwrap();
    assert_eq!(events(&path).await, 100);
}

#[tokio::test]
async fn a_look_finds_nothing_in_a_good_database_and_is_refused_while_it_is_open() {
    let (directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    assert!(matches!(check(&path), Err(StoreError::InUse { .. })));
    drop(store);
    let looked = check(&path).unwrap();
    assert_eq!((looked.commit, looked.marked, &looked.doubt), (Some(2), Some(2), &None));
    assert_eq!(looked.problems, Vec::<String>::new());
    let nowhere = directory.path().join("nowhere.db");
    assert!(matches!(check(&nowhere), Err(StoreError::NotFound { .. })) && !nowhere.exists());
}
