//! Users, roles, tokens.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

fn user(id: &str) -> User {
    User {
        id: UserId::new(id),
        name: format!("{id} Smith"),
        email: Some(format!("{id}@example.com")),
        platform_admin: false,
        disabled: false,
        created_at: at(1),
    }
}

fn token(id: &str, user: &str) -> Token {
    Token {
        id: TokenId::new(id),
        user: UserId::new(user),
        name: "laptop".to_owned(),
        hash: SecretHash([7; 32]),
        role: None,
        workspaces: None,
        made_with: None,
        created_at: at(2),
        expires_at: at(1_000),
        used_at: None,
        revoked_at: None,
    }
}

fn member(workspace: &str, user: &str, role: Role) -> Member {
    Member { workspace: WorkspaceId::new(workspace), user: UserId::new(user), role }
}

pub(super) async fn with_bob(engine: Arc<dyn Engine>) -> World {
    let world = World::new(engine).await;
    world.add("other", "prefinery").await;
    world.store.create_user(user("bob")).await.unwrap();
    world
}

pub(super) async fn users_roles_and_tokens_survive_a_restart(engine: Arc<dyn Engine>) {
    let world = with_bob(engine).await;
    let ann = User { email: None, platform_admin: true, ..user("ann") };
    world.store.create_user(ann.clone()).await.unwrap();
    let narrowed = Token {
        role: Some(Role::Viewer),
        workspaces: Some([acme()].into()),
        hash: SecretHash([9; 32]),
        ..token("00", "bob")
    };
    let later = Token { made_with: Some(narrowed.id.clone()), ..token("01", "bob") };
    for token in [&narrowed, &later] {
        world.store.create_token(token.clone()).await.unwrap();
    }
    world.store.put_member(member("other", "bob", Role::Author)).await.unwrap();
    world.store.put_member(member("acme", "bob", Role::Viewer)).await.unwrap();

    let store = world.restart().await.store;
    let bob = UserId::new("bob");
    assert_eq!(store.users().await.unwrap(), [ann, user("bob")]);
    assert_eq!(store.user(&bob).await.unwrap(), Some(user("bob")));
    let roles = [member("acme", "bob", Role::Viewer), member("other", "bob", Role::Author)];
    assert_eq!(store.members_of(&bob).await.unwrap(), roles);
    assert_eq!(store.members(&acme()).await.unwrap(), [(user("bob"), Role::Viewer)]);
    assert_eq!(store.tokens(Some(&bob)).await.unwrap(), [later.clone(), narrowed.clone()]);
    assert_eq!(store.tokens(None).await.unwrap().len(), 2);
    assert!(store.tokens(Some(&UserId::new("ann"))).await.unwrap().is_empty());
    assert_eq!(store.token(&narrowed.id).await.unwrap(), Some(narrowed));
    for taken in [store.create_user(user("bob")).await, store.create_token(later).await] {
        assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    }
}

pub(super) async fn what_is_changed_of_a_user_leaves_the_rest(engine: Arc<dyn Engine>) {
    let world = with_bob(engine).await;
    let bob = UserId::new("bob");
    let admin = UserChange { platform_admin: Some(true), ..UserChange::default() };
    world.store.update_user(&bob, admin).await.unwrap();
    let off = UserChange { disabled: Some(true), ..UserChange::default() };
    world.store.update_user(&bob, off).await.unwrap();
    let changed = User { platform_admin: true, disabled: true, ..user("bob") };
    assert_eq!(world.store.user(&bob).await.unwrap(), Some(changed));
    let unknown = world.store.update_user(&UserId::new("nobody"), off).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { what: "user", .. }), "{unknown}");
}

pub(super) async fn a_role_belongs_to_one_workspace_and_nobody_is_platform_admin_of_one(
    engine: Arc<dyn Engine>,
) {
    let world = with_bob(engine).await;
    let (store, bob) = (&world.store, UserId::new("bob"));
    store.put_member(member("acme", "bob", Role::Author)).await.unwrap();
    store.put_member(member("other", "bob", Role::Viewer)).await.unwrap();
    store.put_member(member("acme", "bob", Role::WorkspaceAdmin)).await.unwrap();
    let refused = store.put_member(member("acme", "bob", Role::PlatformAdmin)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Invalid(_)), "{refused}");
    for (workspace, user) in [("nowhere", "bob"), ("acme", "nobody")] {
        let unknown = store.put_member(member(workspace, user, Role::Viewer)).await.unwrap_err();
        assert!(matches!(unknown, StoreError::NotFound { .. }), "{unknown}");
    }
    assert!(store.remove_member(&WorkspaceId::new("other"), &bob).await.unwrap());
    assert!(!store.remove_member(&WorkspaceId::new("other"), &bob).await.unwrap());
    assert_eq!(store.members_of(&bob).await.unwrap(), [member("acme", "bob", Role::WorkspaceAdmin)]);
    assert!(store.members(&WorkspaceId::new("other")).await.unwrap().is_empty());
}

pub(super) async fn a_token_ends_with_the_one_that_it_was_made_with(engine: Arc<dyn Engine>) {
    let world = with_bob(engine).await;
    let store = &world.store;
    let made = |id: &str, with: &str| Token { made_with: Some(TokenId::new(with)), ..token(id, "bob") };
    for token in [token("00", "bob"), made("01", "00"), made("02", "01"), token("03", "bob")] {
        store.create_token(token).await.unwrap();
    }
    assert_eq!(store.revoke_token(&TokenId::new("01")).await.unwrap(), 2);
    assert_eq!(store.revoke_token(&TokenId::new("00")).await.unwrap(), 1, "the others had ended before");
    assert_eq!(store.revoke_token(&TokenId::new("04")).await.unwrap(), 0);
    let ended: Vec<_> = store.tokens(None).await.unwrap();
    let ended: Vec<_> = ended.iter().map(|token| token.revoked_at.is_some()).collect();
    assert_eq!(ended, [false, true, true, true]);
    let orphan = store.create_token(made("05", "02")).await.unwrap_err();
    assert!(matches!(orphan, StoreError::NotFound { what: "token", .. }), "{orphan}");
}

pub(super) async fn a_token_is_shown_with_what_counts_now(engine: Arc<dyn Engine>) {
    let world = with_bob(engine).await;
    let (store, bob, id) = (&world.store, UserId::new("bob"), TokenId::new("00"));
    assert_eq!(store.bearer(&id).await.unwrap(), None);
    store.create_token(token("00", "bob")).await.unwrap();
    let fresh = Bearer { token: token("00", "bob"), user: user("bob"), members: Vec::new() };
    assert_eq!(store.bearer(&id).await.unwrap(), Some(fresh));
    store.put_member(member("acme", "bob", Role::Viewer)).await.unwrap();
    store.update_user(&bob, UserChange { disabled: Some(true), ..UserChange::default() }).await.unwrap();
    store.touch_token(&id).await.unwrap();
    let bearer = store.bearer(&id).await.unwrap().unwrap();
    assert!(bearer.user.disabled && bearer.token.used_at.is_some());
    assert_eq!(bearer.members, [member("acme", "bob", Role::Viewer)]);
}
