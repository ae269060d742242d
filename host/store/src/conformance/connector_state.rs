//! Cursors, and the state that a connector keeps.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

pub(super) async fn a_value_is_set_only_in_the_place_of_the_version_that_was_read(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let set = |expected, value: &str| world.store.state_set(prefinery_ref(), "token", expected, value.into());
    let get = || world.store.state_get(prefinery_ref(), "token");
    assert_eq!(get().await.unwrap(), None);
    let first = set(0, "one").await.unwrap();
    assert!(first > 0);
    for stale in [0, first + 1] {
        let refused = set(stale, "lost").await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    }
    let second = set(first, "two").await.unwrap();
    assert!(second > first);
    assert_eq!(get().await.unwrap(), Some((b"two".to_vec(), second)));

    world.store.state_delete(&prefinery(), "token").await.unwrap();
    world.store.state_delete(&prefinery(), "token").await.unwrap();
    assert_eq!(get().await.unwrap(), None);
    let remade = set(0, "three").await.unwrap();
    assert!(remade > second, "a version is never given twice");
    let store = world.restart().await.store;
    assert_eq!(store.state_get(&prefinery(), "token").await.unwrap(), Some((b"three".to_vec(), remade)));
}

fn prefinery_ref() -> &'static ConnectionId {
    static ID: std::sync::LazyLock<ConnectionId> = std::sync::LazyLock::new(prefinery);
    &ID
}

pub(super) async fn keys_are_listed_by_prefix_and_belong_to_one_connection(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("acme", "other").await;
    for key in ["b%1", "a", "b_2", "b%0", "c"] {
        world.store.state_set(&prefinery(), key, 0, vec![1]).await.unwrap();
    }
    world.store.state_set(&other, "b%9", 0, vec![2]).await.unwrap();
    assert_eq!(world.store.state_keys(&prefinery(), "b%").await.unwrap(), ["b%0", "b%1"]);
    assert_eq!(world.store.state_keys(&prefinery(), "").await.unwrap().len(), 5);
    assert_eq!(world.store.state_keys(&other, "").await.unwrap(), ["b%9"]);
    assert_eq!(world.store.state_get(&other, "a").await.unwrap(), None);
}

pub(super) async fn cursors_are_kept_per_stream(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let cursor = |stream: &str, seen| Cursor {
        connection: prefinery(),
        stream: stream.to_owned(),
        cursor: None,
        done: true,
        seen,
        total: None,
        updated_at: at(3),
        trouble: None,
    };
    world.store.put_cursor(cursor("sweep", 1)).await.unwrap();
    world.store.put_cursor(cursor("poll:testers", 2)).await.unwrap();
    world.store.put_cursor(cursor("sweep", 3)).await.unwrap();
    assert_eq!(world.store.cursor(&prefinery(), "sweep").await.unwrap(), Some(cursor("sweep", 3)));
    assert_eq!(
        world.store.cursor(&prefinery(), "poll:testers").await.unwrap(),
        Some(cursor("poll:testers", 2))
    );
    assert_eq!(world.store.cursor(&prefinery(), "backfill").await.unwrap(), None);
}
