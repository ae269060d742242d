//! The audit log.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

fn entry(actor: &str, workspace: Option<&str>) -> NewAudit {
    NewAudit {
        phase: AuditPhase::Begun,
        began: None,
        actor: Actor::from(actor.to_owned()),
        token: None,
        workspace: workspace.map(WorkspaceId::new),
        action: "connections.disable".to_owned(),
        target: "connector=prefinery".to_owned(),
        status: None,
        detail: String::new(),
    }
}

fn all() -> AuditFilter {
    AuditFilter { limit: 100, ..AuditFilter::default() }
}

pub(super) async fn changes_are_listed_with_their_ends_and_the_log_grows_in_one_chain(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    assert_eq!(world.store.verify_audit(None).await.unwrap().head, None);
    let begun = entry("bob", Some("acme"));
    let first = world.store.append_audit(begun.clone()).await.unwrap();
    let refused = NewAudit {
        phase: AuditPhase::Refused,
        token: Some(TokenId::new("00ff")),
        status: Some(403),
        detail: "needs the role workspace-admin".to_owned(),
        ..entry("-", None)
    };
    world.store.append_audit(refused.clone()).await.unwrap();
    let end = NewAudit {
        phase: AuditPhase::Ended,
        began: Some(first),
        status: Some(200),
        ..entry("bob", Some("acme"))
    };
    world.store.append_audit(end).await.unwrap();

    let world = world.restart().await;
    world.store.append_audit(entry("admin-token-file", None)).await.unwrap();
    let listed = world.store.audit(all()).await.unwrap();
    let told: Vec<_> = listed.iter().map(|change| (change.row.seq, change.status)).collect();
    assert_eq!(told, [(4, None), (2, Some(403)), (1, Some(200))]);
    assert_eq!((&listed[1].row.entry, &listed[2].row.entry), (&refused, &begun));
    assert_eq!(listed[0].row.entry.actor, Actor::AdminTokenFile);
    assert!(listed[2].ended_at.is_some() && listed[1].ended_at.is_none());
    assert_eq!(listed[1].row.previous, listed[2].row.hash, "each goes on from the one before");
    let verdict = world.store.verify_audit(None).await.unwrap();
    assert_eq!((verdict.sound, verdict.broken, verdict.found), (4, None, None));
    assert_eq!(verdict.head, Some((4, listed[0].row.hash)));
}

pub(super) async fn the_log_is_asked_by_workspace_actor_and_time_in_pages(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for (actor, workspace) in
        [("bob", Some("acme")), ("ann", Some("acme")), ("bob", Some("other")), ("bob", None)]
    {
        world.store.append_audit(entry(actor, workspace)).await.unwrap();
    }
    let places = async |filter: AuditFilter| -> Vec<i64> {
        let changes = world.store.audit(filter).await.unwrap();
        changes.iter().map(|change| change.row.seq).collect()
    };
    let of = |workspaces: &[&str]| Some(workspaces.iter().map(|id| WorkspaceId::new(*id)).collect());
    assert_eq!(places(AuditFilter { workspaces: of(&["acme"]), ..all() }).await, [2, 1]);
    assert_eq!(places(AuditFilter { workspaces: of(&["acme", "other"]), ..all() }).await, [3, 2, 1]);
    assert_eq!(places(AuditFilter { workspaces: of(&[]), ..all() }).await, Vec::<i64>::new());
    assert_eq!(places(AuditFilter { actor: Some("bob".to_owned()), ..all() }).await, [4, 3, 1]);
    assert_eq!(places(AuditFilter { limit: 2, ..all() }).await, [4, 3]);
    assert_eq!(places(AuditFilter { before: Some(3), limit: 1, ..all() }).await, [2]);
    assert_eq!(places(AuditFilter { since: Some(LATER), ..all() }).await, Vec::<i64>::new());
}

pub(super) async fn a_hash_that_was_noted_is_found_again(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.append_audit(entry("bob", None)).await.unwrap();
    let (_, noted) = world.store.verify_audit(None).await.unwrap().head.unwrap();
    world.store.append_audit(entry("bob", None)).await.unwrap();
    let world = world.restart().await;
    let verdict = world.store.verify_audit(Some(noted)).await.unwrap();
    assert_eq!((verdict.found, verdict.sound), (Some(1), 2));
    assert_eq!(AuditHash::parse(&noted.to_string()), Some(noted));
    let other = AuditHash([1; 32]);
    assert_eq!(world.store.verify_audit(Some(other)).await.unwrap().found, None);
}
