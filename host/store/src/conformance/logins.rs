//! Identities and sessions.

use std::sync::Arc;

use super::Engine;
use super::people::with_bob;
use super::world::*;
use crate::*;

fn identity(subject: &str) -> Identity {
    Identity { issuer: "https://id.example.com".to_owned(), subject: subject.to_owned() }
}

fn session(id: &str, user: &str) -> Session {
    Session {
        id: SessionId::new(id),
        user: UserId::new(user),
        hash: SecretHash([8; 32]),
        created_at: at(10),
        used_at: at(10),
        expires_at: at(1_000),
    }
}

pub(super) async fn an_identity_is_one_user_for_good(engine: Arc<dyn Engine>) {
    let world = with_bob(engine).await;
    let (bob, ann) = (UserId::new("bob"), UserId::new("ann"));
    let ann_herself = User { id: ann.clone(), ..world.store.user(&bob).await.unwrap().unwrap() };
    world.store.create_user(ann_herself).await.unwrap();
    assert_eq!(world.store.identified(&identity("1")).await.unwrap(), None);
    world.store.bind_identity(&identity("1"), &bob).await.unwrap();
    for taken in [
        world.store.bind_identity(&identity("1"), &ann).await,
        world.store.bind_identity(&identity("2"), &bob).await,
        world.store.bind_identity(&identity("1"), &bob).await,
    ] {
        assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    }
    let elsewhere = Identity { issuer: "https://other.example.com".to_owned(), ..identity("1") };
    world.store.bind_identity(&elsewhere, &ann).await.unwrap();
    world.store.begin_session(session("s1", "bob"), 5).await.unwrap();

    let store = world.restart().await.store;
    assert_eq!(store.identified(&identity("1")).await.unwrap(), Some(bob.clone()));
    assert_eq!(store.identified(&elsewhere).await.unwrap(), Some(ann));
    assert!(store.unbind_identities(&bob).await.unwrap());
    assert!(!store.unbind_identities(&bob).await.unwrap());
    assert_eq!(store.identified(&identity("1")).await.unwrap(), None);
    assert_eq!(store.logged_in(&SessionId::new("s1")).await.unwrap(), None, "its sessions end with it");
    let unknown = store.unbind_identities(&UserId::new("nobody")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(super) async fn a_session_lasts_until_it_is_ended_or_its_user_is_switched_off(engine: Arc<dyn Engine>) {
    let world = with_bob(engine).await;
    let bob = UserId::new("bob");
    world
        .store
        .put_member(Member { workspace: acme(), user: bob.clone(), role: Role::Author })
        .await
        .unwrap();
    for id in ["s1", "s2"] {
        world.store.begin_session(session(id, "bob"), 5).await.unwrap();
    }
    let store = world.restart().await.store;
    let found = store.logged_in(&SessionId::new("s1")).await.unwrap().unwrap();
    assert_eq!((found.session, found.user.id), (session("s1", "bob"), bob.clone()));
    assert_eq!(found.members.iter().map(|member| member.role).collect::<Vec<_>>(), [Role::Author]);
    assert!(store.end_session(&SessionId::new("s1")).await.unwrap());
    assert!(!store.end_session(&SessionId::new("s1")).await.unwrap());
    assert_eq!(store.logged_in(&SessionId::new("s1")).await.unwrap(), None);
    store.touch_session(&SessionId::new("s2")).await.unwrap();
    let used = store.logged_in(&SessionId::new("s2")).await.unwrap().unwrap().session.used_at;
    assert!(used > at(10), "{used}");

    let off = UserChange { disabled: Some(true), ..UserChange::default() };
    store.update_user(&bob, off).await.unwrap();
    assert_eq!(store.logged_in(&SessionId::new("s2")).await.unwrap(), None);
    let begun = store.begin_session(session("s3", "bob"), 5).await;
    assert!(matches!(begun, Err(StoreError::NotFound { .. })), "{begun:?}");
    store.update_user(&bob, UserChange { disabled: Some(false), ..UserChange::default() }).await.unwrap();
    assert_eq!(store.logged_in(&SessionId::new("s2")).await.unwrap(), None, "what ended stays ended");
}

pub(super) async fn a_user_has_so_many_sessions_and_no_old_ones(engine: Arc<dyn Engine>) {
    let world = with_bob(engine).await;
    let begin = async |session, most| world.store.begin_session(session, most).await.unwrap();
    let there = async |id: &str| world.store.logged_in(&SessionId::new(id)).await.unwrap().is_some();
    begin(Session { expires_at: at(20), ..session("old", "bob") }, 5).await;
    for id in ["s1", "s2", "s3"] {
        begin(session(id, "bob"), 3).await;
    }
    assert_eq!([there("old").await, there("s1").await, there("s3").await], [false, true, true]);
    begin(session("s4", "bob"), 2).await;
    assert_eq!([there("s2").await, there("s3").await, there("s4").await], [false, true, true]);
    begin(Session { expires_at: at(20), ..session("short", "bob") }, 5).await;
    begin(Session { created_at: at(20), ..session("s5", "bob") }, 5).await;
    assert_eq!([there("short").await, there("s3").await], [false, true]);
}
