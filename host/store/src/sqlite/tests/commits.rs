//! Group commit, and what happens when the disk says no.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use rusqlite::Connection;
use tokio::task::JoinSet;

use super::fixture::*;
use crate::sqlite::file::{Locked, open_writer};
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::*;

/// A store whose commits ask `refuse` first: true makes a commit fail, like a disk that does.
fn with_commit_hook(path: &Path, refuse: impl FnMut() -> bool + Send + 'static) -> SqliteStore {
    drop(SqliteStore::open(path).unwrap());
    let locked = Locked::take(path).unwrap();
    let mut connection = open_writer(locked.path()).unwrap();
    let mut refuse = refuse;
    let mut ready = false;
    connection
        .commit_hook(Some(move || {
            // The first commit is the one that opens the store.
            std::mem::replace(&mut ready, true) && refuse()
        }))
        .unwrap();
    SqliteStore::start(locked, connection, SqliteOptions::default()).unwrap()
}

fn appended(path: &Path) -> u32 {
    Connection::open(path).unwrap().query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_a_commit_and_nobody_is_answered_before_it() {
    const TASKS: u32 = 300;
    let (_directory, path) = directory();
    let (in_commit, commits) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let hold = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&hold);
    let store = Arc::new(with_commit_hook(&path, move || {
        if held.load(Ordering::SeqCst) {
            in_commit.send(()).unwrap();
            may_go_on.recv().unwrap();
        }
        false
    }));
    configure(&*store, "acme").await;
    hold.store(true, Ordering::SeqCst);

    let answered = Arc::new(AtomicU32::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let (store, answered) = (Arc::clone(&store), Arc::clone(&answered));
        tasks.spawn(async move {
            store.append_event(event(&format!("e{number}"), "h1")).await.unwrap();
            answered.fetch_add(1, Ordering::SeqCst);
        });
    }
    let mut commits_seen = 0;
    while answered.load(Ordering::SeqCst) < TASKS {
        if commits.try_recv().is_err() {
            tokio::task::yield_now().await;
            continue;
        }
        commits_seen += 1;
        let visible = appended(&path);
        let before = answered.load(Ordering::SeqCst);
        assert!(before <= visible, "{before} answered, {visible} committed");
        go_on.send(()).unwrap();
    }
    hold.store(false, Ordering::SeqCst);
    while tasks.join_next().await.is_some() {}
    assert_eq!(appended(&path), TASKS);
    assert!(commits_seen < TASKS / 2, "{commits_seen} commits for {TASKS} requests");
}

#[tokio::test]
async fn a_request_that_fails_takes_nobody_with_it() {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    let wrong = NewEvent { workspace: Some(WorkspaceId::new("nobody")), ..event("e2", "h2") };
    let half_wrong = store.write(|db| -> Result<(), StoreError> {
        db.execute("UPDATE workspaces SET name = 'changed'", [])?;
        panic!("a fault in a request")
    });
    let (good, refused, panicked, also_good) = tokio::join!(
        store.append_event(event("e1", "h1")),
        store.append_event(wrong),
        half_wrong,
        store.append_event(event("e3", "h3")),
    );
    assert!(good.is_ok() && also_good.is_ok());
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    assert!(panicked.unwrap_err().to_string().contains("a fault in a request"));
    assert_eq!(appended(&path), 2);
    assert_eq!(store.workspaces().await.unwrap()[0].name, "acme");
}

#[tokio::test]
async fn a_failed_commit_is_the_answer_to_all_and_the_store_refuses_until_a_probe_succeeds() {
    let (_directory, path) = directory();
    let broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&broken);
    let store = with_commit_hook(&path, move || breaks.load(Ordering::SeqCst));
    configure(&store, "acme").await;
    broken.store(true, Ordering::SeqCst);
    let (one, two) =
        tokio::join!(store.append_event(event("e1", "h1")), store.append_event(event("e2", "h2")));
    for refused in [one, two] {
        assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    }
    // The disk is well again, but only a probe finds that out.
    broken.store(false, Ordering::SeqCst);
    let refused = store.append_event(event("e1", "h1")).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    assert_eq!(store.workspaces().await.unwrap().len(), 1, "reading goes on");
    assert_eq!(appended(&path), 0);

    store.probe().await.unwrap();
    assert!(matches!(store.append_event(event("e1", "h1")).await, Ok(Accepted::New(_))));
    assert_eq!(appended(&path), 1);
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_no_acknowledgement_and_it_passes() {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    store
        .write(|db| {
            let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0))?;
            Ok(db.pragma_update_and_check(None, "max_page_count", pages + 8, |_| Ok(()))?)
        })
        .await
        .unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match store.append_event(event(&format!("e{acknowledged}"), &format!("h{acknowledged}"))).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 1_000, "the disk never filled");
    };
    assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    assert!(store.append_event(event("more", "h")).await.is_err());
    assert_eq!(appended(&path), acknowledged);

    // Opening afresh lifts this test's limit, as space on the disk would.
    store.probe().await.unwrap();
    store.append_event(event("more", "h")).await.unwrap();
    assert_eq!(appended(&path), acknowledged + 1);
}

#[tokio::test]
async fn a_probe_commits() {
    let (_directory, path) = directory();
    let commits = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&commits);
    let store = with_commit_hook(&path, move || {
        counted.fetch_add(1, Ordering::SeqCst);
        false
    });
    store.probe().await.unwrap();
    assert_eq!(commits.load(Ordering::SeqCst), 1);
}
