//! Timers: the bound on their number.

use super::fixture::*;
use crate::sqlite::{SqliteStore, deliveries};
use crate::*;

fn timer(name: String) -> NewTimer {
    NewTimer { name, kind: "timer:t".to_owned(), at: LATER, contact_id: None, payload: "{}".to_owned() }
}

#[tokio::test]
async fn a_connection_has_a_bounded_number_of_timers_and_may_still_replace_one() {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    // In one commit: ten thousand would take their time.
    let fill = |db: &rusqlite::Connection| {
        (0..TIMERS).try_for_each(|number| deliveries::set_timer(db, 1, &timer(format!("t/{number}"))))
    };
    store.write(fill).await.unwrap();
    let connection = connection_id("acme");
    let set =
        |name: &str| store.write_locally(&connection, LocalWrite::SetTimer(timer(name.to_owned())), None);
    let refused = set("one-too-many").await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    set("t/7").await.unwrap();
    store.write_locally(&connection, LocalWrite::CancelTimer("t/8".to_owned()), None).await.unwrap();
    set("another").await.unwrap();
}
