//! Workspaces, connectors, connections, credentials.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

pub(super) async fn everything_configured_survives_a_restart(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let connector = |digit: &str, seconds| InstalledConnector {
        digest: Digest::new(digit.repeat(64)),
        id: "prefinery".to_owned(),
        version: "1.2.3".to_owned(),
        manifest: "id = \"prefinery\"".to_owned(),
        size: 4_321,
        installed_at: at(seconds),
        publisher: (digit == "a").then(|| "acme".to_owned()),
        approved: true,
    };
    let (older, newer) = (connector("a", 1), connector("b", 2));
    for connector in [&older, &newer, &older] {
        world.store.install_connector(connector.clone()).await.unwrap();
    }
    let changed = Workspace {
        name: "Acme Ltd".to_owned(),
        timezone: Some("Europe/London".to_owned()),
        retention_days: Some(3_650),
        country: None,
        ..workspace("acme")
    };
    world.store.update_workspace(changed.clone()).await.unwrap();
    let mapping = serde_json::json!({ "contact": [] });
    let stopped = Connection {
        mapping: mapping.clone(),
        state: ConnectionState::NeedsReconnect,
        state_reason: Some("401 from the partner".to_owned()),
        stop_cause: None,
        schedule: Schedule {
            realtime: false,
            poll_seconds: [("testers".to_owned(), 60)].into(),
            sweep_seconds: Some(120),
        },
        ..connection("acme", "prefinery")
    };
    let scheduled = Connection { schedule: stopped.schedule.clone(), ..connection("acme", "prefinery") };
    world.store.put_connection(scheduled).await.unwrap();
    world.store.set_connection_state(&stopped.id, stopped.state, stopped.state_reason.clone()).await.unwrap();
    world.store.set_mapping(&stopped.id, mapping).await.unwrap();
    let sealed = Sealed { key_id: KeyId::from_stored("00ff"), bytes: vec![1, 2, 3] };
    world.store.put_credential("acme", Sealed { bytes: vec![9], ..sealed.clone() }).await.unwrap();
    world.store.put_credential("acme", sealed.clone()).await.unwrap();

    let store = world.restart().await.store;
    assert_eq!(store.workspace(&acme()).await.unwrap(), Some(changed.clone()));
    assert_eq!(store.workspace_of(&changed.location).await.unwrap(), Some(changed.clone()));
    assert_eq!(store.workspaces().await.unwrap(), [changed]);
    assert_eq!(store.connectors().await.unwrap(), [newer, older]);
    assert_eq!(store.connection(&stopped.id).await.unwrap(), Some(stopped.clone()));
    assert_eq!(store.connection_by_webhook(stopped.webhook_hash).await.unwrap(), Some(stopped.clone()));
    for other in ["", "token-of-a-webhook-acme", "%"] {
        let hash = webhook_hash(other);
        assert_eq!(store.connection_by_webhook(hash).await.unwrap(), None, "{other} is nobody's");
    }
    assert_eq!(store.connections(None).await.unwrap(), std::slice::from_ref(&stopped));
    assert_eq!(store.connections(Some(&acme())).await.unwrap(), [stopped]);
    assert_eq!(store.credential("acme").await.unwrap(), Some(sealed));
}

pub(super) async fn ids_locations_and_webhook_addresses_are_unique(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.add("other", "prefinery").await;
    let taken_id = Workspace { location: LocationId::new("free"), ..workspace("acme") };
    let taken_location = Workspace { id: WorkspaceId::new("free"), ..workspace("acme") };
    for workspace in [taken_id, taken_location] {
        let error = world.store.create_workspace(workspace).await.unwrap_err();
        assert!(matches!(&error, StoreError::Conflict { .. }), "{error}");
        assert!(error.to_string().contains("loc-acme"), "{error}");
    }
    let taken = connection("other", "prefinery").webhook_hash;
    let taken_address = Connection { webhook_hash: taken, ..connection("acme", "new") };
    let other_workspace =
        Connection { workspace: WorkspaceId::new("other"), ..connection("acme", "prefinery") };
    for wrong in [taken_address, other_workspace] {
        let error = world.store.put_connection(wrong).await.unwrap_err();
        assert!(matches!(&error, StoreError::Conflict { .. }), "{error}");
    }
    let sealed = Sealed { key_id: KeyId::from_stored(KEY), bytes: vec![1] };
    let error = world.store.put_webhook_address(&prefinery(), taken, sealed).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { .. }), "{error}");
    assert_eq!(world.store.credential(&prefinery().webhook_address()).await.unwrap(), None);
    let unchanged = world.store.connection(&prefinery()).await.unwrap();
    assert_eq!(unchanged, Some(connection("acme", "prefinery")));
}

pub(super) async fn a_webhook_address_is_exchanged_with_its_sealed_token_or_not_at_all(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let (former, new) = (connection("acme", "prefinery").webhook_hash, webhook_hash("another token"));
    let name = prefinery().webhook_address();
    let sealed = |key: &str, byte| Sealed { key_id: KeyId::from_stored(key), bytes: vec![byte] };
    let refused = world.store.put_webhook_address(&prefinery(), new, sealed("no key in use", 1)).await;
    assert!(matches!(refused, Err(StoreError::KeyRetired { .. })), "{refused:?}");
    assert!(world.store.connection_by_webhook(former).await.unwrap().is_some());
    assert_eq!(world.store.credential(&name).await.unwrap(), None);

    world.store.put_webhook_address(&prefinery(), new, sealed(KEY, 2)).await.unwrap();
    // Whoever read the connection before and writes it back does not bring the former address back.
    world.store.put_connection(connection("acme", "prefinery")).await.unwrap();
    let store = world.restart().await.store;
    assert_eq!(store.connection_by_webhook(former).await.unwrap(), None);
    let found = store.connection_by_webhook(new).await.unwrap().unwrap();
    assert_eq!((found.id, found.webhook_hash), (prefinery(), new));
    assert_eq!(store.credential(&name).await.unwrap(), Some(sealed(KEY, 2)));
    assert!(store.unsealed_webhooks().await.unwrap().is_empty(), "nothing is kept in the clear");
    let nobody = ConnectionId::new("acme/nothing");
    let unknown = store.put_webhook_address(&nobody, new, sealed(KEY, 3)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(super) async fn unknown_names_are_answered_as_such(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let store = &world.store;
    let (no_workspace, no_connection) = (WorkspaceId::new("nobody"), ConnectionId::new("acme/nothing"));
    assert_eq!(store.workspace(&no_workspace).await.unwrap(), None);
    assert_eq!(store.workspace_of(&LocationId::new("nowhere")).await.unwrap(), None);
    assert_eq!(store.connection(&no_connection).await.unwrap(), None);
    assert_eq!(store.connection_by_webhook(webhook_hash("guess")).await.unwrap(), None);
    assert_eq!(store.credential("nobody").await.unwrap(), None);
    assert_eq!(store.event(EventSeq(77)).await.unwrap(), None);
    assert_eq!(store.run(&RunId::new("none")).await.unwrap(), None);
    let refusals = [
        store.update_workspace(workspace("nobody")).await,
        store.put_connection(connection("nobody", "prefinery")).await,
        store.set_connection_state(&no_connection, ConnectionState::Enabled, None).await,
        store.mark(&no_connection, Vec::new(), Priority::Sweep, None).await,
        store
            .append_event(NewEvent { workspace: Some(no_workspace), ..event("e", Vec::new()) })
            .await
            .map(drop),
        store
            .append_event(NewEvent { connection: Some(no_connection.clone()), ..webhook("w") })
            .await
            .map(drop),
        store.state_set(&no_connection, "k", 0, Vec::new()).await.map(drop),
        store.put_run(Run { connection: no_connection, ..run(1) }).await,
    ];
    for refusal in refusals {
        assert!(matches!(&refusal, Err(StoreError::NotFound { .. })), "{refusal:?}");
    }
}

pub(super) async fn a_component_is_approved_by_whoever_may_and_stays_so(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let connector = |digit: &str, seconds, approved| InstalledConnector {
        digest: Digest::new(digit.repeat(64)),
        id: "prefinery".to_owned(),
        version: "1.2.3".to_owned(),
        manifest: "id = \"prefinery\"".to_owned(),
        size: 1,
        installed_at: at(seconds),
        publisher: (digit == "a").then(|| "acme".to_owned()),
        approved,
    };
    let install = async |connector| world.store.install_connector(connector).await.unwrap();
    let known = async || {
        let all = world.store.connectors().await.unwrap();
        all.into_iter().map(|one| (one.digest.as_str()[..1].to_owned(), one.approved)).collect::<Vec<_>>()
    };
    install(connector("a", 1, true)).await;
    install(connector("b", 2, false)).await;
    let [a, b] = ["a", "b"].map(str::to_owned);
    assert_eq!(known().await, [(b.clone(), false), (a.clone(), true)]);
    install(connector("a", 3, false)).await;
    assert_eq!(known().await, [(b.clone(), false), (a.clone(), true)]);
    install(connector("a", 4, true)).await;
    assert_eq!(known().await, [(a.clone(), true), (b.clone(), false)]);
    install(connector("b", 5, true)).await;
    assert_eq!(known().await, [(b, true), (a, true)]);
}

pub(super) async fn a_state_is_exchanged_only_for_the_one_it_was_seen_in(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let exchange = async |from, to, reason: Option<&str>| {
        world
            .store
            .exchange_connection_state(
                &prefinery(),
                from,
                to,
                reason.map(str::to_owned),
                Some(StopCause::Suspended),
            )
            .await
            .unwrap()
    };
    use ConnectionState::{Enabled, NeedsReconnect};
    assert!(exchange(Enabled, NeedsReconnect, Some("refused")).await);
    assert!(!exchange(Enabled, NeedsReconnect, Some("again")).await);
    let seen = world.store.connection(&prefinery()).await.unwrap().unwrap();
    assert_eq!((seen.state, seen.state_reason.as_deref()), (NeedsReconnect, Some("refused")));
    assert_eq!(seen.stop_cause, Some(StopCause::Suspended));
    assert!(exchange(NeedsReconnect, Enabled, None).await);
    world.store.set_connection_state(&prefinery(), Enabled, None).await.unwrap();
    assert!(world.store.stop_mass_change(&prefinery(), "many".to_owned()).await.unwrap());
    assert!(!exchange(Enabled, NeedsReconnect, Some("refused")).await, "the guard's stop stays");
    let stopped = world.store.connection(&prefinery()).await.unwrap().unwrap();
    assert_eq!(stopped.stop_cause, Some(StopCause::MassChange));

    // Each is on record with what was changed, and nothing is that was not.
    let world = world.restart().await;
    let changes = world.store.audit(AuditFilter { limit: 100, ..AuditFilter::default() }).await.unwrap();
    let told: Vec<_> =
        changes.iter().map(|change| (change.row.entry.action.as_str(), change.told.as_str())).collect();
    let digest = "ab".repeat(32);
    assert_eq!(
        told,
        [
            (
                "connections.disable",
                format!("state=paused before=enabled digest={digest} cause=mass-change").as_str()
            ),
            (
                "connections.enable",
                format!("state=enabled before=needs-reconnect digest={digest} cause=suspended").as_str()
            ),
            (
                "connections.disable",
                format!("state=needs-reconnect before=enabled digest={digest} cause=suspended").as_str()
            ),
        ]
    );
    let NewAudit { actor, workspace, target, .. } = &changes[0].row.entry;
    assert_eq!((actor, workspace, target.as_str()), (&Actor::Host, &Some(acme()), "connector=prefinery"));
    assert!(changes.iter().all(|change| change.status == Some(200) && change.ended_at.is_some()));
    assert_eq!(world.store.verify_audit(None).await.unwrap().broken, None);
}
