//! What was acknowledged is there after a crash, at whatever moment it comes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;

use super::fixture::*;
use crate::sqlite::SqliteStore;
use crate::*;

/// In the working directory of the process that is to be killed: without it, somebody runs ignored tests by hand.
const MARKER: &str = "to-be-killed";

async fn assert_holds(store: &SqliteStore, acknowledged: &[EventSeq]) {
    for seq in acknowledged {
        let event = store.event(*seq).await.unwrap().unwrap_or_else(|| panic!("{seq:?} was lost"));
        assert_eq!(event.body, [b'x'; 800]);
    }
    let problems: String =
        store.read(|db| Ok(db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)).await.unwrap();
    assert_eq!(problems, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_hold_what_was_acknowledged_whenever_they_are_copied() {
    let (directory, path) = directory();
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    configure(&*store, "acme").await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        tasks.spawn(async move {
            for number in 0..60 {
                let accepted =
                    store.append_event(event(&format!("{task}-{number}"), &format!("h{number}"))).await;
                let Ok(Accepted::New(seq)) = accepted else { panic!("{accepted:?}") };
                acknowledged.lock().unwrap().push(seq);
            }
        });
    }
    for number in 0..5 {
        let promised = acknowledged.lock().unwrap().clone();
        let copy = directory.path().join(format!("copy-{number}.db"));
        crash_copy(&path, &copy);
        assert_holds(&SqliteStore::open(&copy).unwrap(), &promised).await;
        if !tasks.is_empty() {
            tasks.join_next().await.unwrap().unwrap();
        }
    }
}

/// Lets a victim work in a directory until it has acknowledged so many events, and kills it; answers those events.
fn killed_after(directory: &Path, events: usize) -> Vec<EventSeq> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "sqlite::tests::crashes::the_process_that_is_killed"])
        .current_dir(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let stored = lines.filter_map(|line| line.strip_prefix("stored ")?.parse().ok().map(EventSeq));
    let acknowledged = stored.take(events).collect();
    process.kill().unwrap();
    process.wait().unwrap();
    acknowledged
}

#[tokio::test]
async fn fifty_kills_lose_nothing_and_give_no_false_alarm() {
    let (directory, path) = directory();
    std::fs::write(directory.path().join(MARKER), "").unwrap();
    let mut acknowledged = Vec::new();
    for kill in 0..50 {
        acknowledged.extend(killed_after(directory.path(), 1 + kill * 7 % 12));
        // The next victim opens it as well; here a refusal is told with its reason.
        drop(SqliteStore::open(&path).unwrap());
    }
    assert_holds(&SqliteStore::open(&path).unwrap(), &acknowledged).await;
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged_and_its_work_is_given_out_again() {
    let (directory, path) = directory();
    std::fs::write(directory.path().join(MARKER), "").unwrap();
    let acknowledged = killed_after(directory.path(), 200);
    assert_eq!(acknowledged.len(), 200);

    let store = SqliteStore::open(&path).unwrap();
    assert_holds(&store, &acknowledged).await;
    // The dead process had claimed some of them, under a lease that has not expired.
    let lease = store.acquire_lease("next", Duration::from_hours(1)).await.unwrap();
    let claimed = store.claim_records(&lease, LATER, 10_000, 10_000).await.unwrap();
    let mut waiting: Vec<_> =
        claimed.iter().flat_map(|claim| &claim.hints).filter_map(|hint| hint.event).collect();
    waiting.sort_unstable();
    assert!(acknowledged.iter().all(|seq| waiting.binary_search(seq).is_ok()), "every mark is there");
}

#[test]
#[ignore = "the victim of `a_killed_process_loses_nothing_that_it_acknowledged_and_its_work_is_given_out_again`"]
fn the_process_that_is_killed() {
    if !Path::new(MARKER).exists() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(Path::new("store.db")).unwrap();
        if store.workspaces().await.unwrap().is_empty() {
            configure(&store, "acme").await;
        }
        let process = std::process::id();
        let lease = store.acquire_lease("victim", Duration::from_hours(1)).await.unwrap();
        // Ends by being killed, long before this.
        for number in 0..100_000 {
            let accepted =
                store.append_event(event(&format!("{process}-{number}"), &format!("h{number}"))).await;
            let Ok(Accepted::New(seq)) = accepted else { panic!("{accepted:?}") };
            println!("stored {}", seq.0);
            if number % 10 == 0 {
                store.claim_records(&lease, LATER, 3, 1_000).await.unwrap();
            }
        }
    });
}
