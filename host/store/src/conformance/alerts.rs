//! What is wrong in a workspace, and who was told.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Engine;
use super::world::*;
use crate::*;

fn alert(key: &str) -> Alert {
    Alert {
        key: key.to_owned(),
        kind: AlertKind::Parked,
        connection: Some(prefinery()),
        level: 1,
        text: "3 records wait".to_owned(),
        since: at(5),
        clear_since: None,
        told: Some(1),
        said_at: Some(at(6)),
        ended_at: None,
    }
}

fn message(id: &str, destination: &str) -> (ConnectionId, NewMessage) {
    let message = NewMessage { id: id.to_owned(), destination: destination.to_owned(), message: json!({}) };
    (prefinery(), message)
}

async fn with_destination(engine: Arc<dyn Engine>) -> World {
    let world = World::new(engine).await;
    let destination = Destination {
        workspace: acme(),
        name: "team".to_owned(),
        kind: DestinationKind::Chat,
        target: json!({}),
        stopped: None,
        created_at: at(1),
    };
    world.store.put_destination(destination).await.unwrap();
    world
}

pub(super) async fn what_is_told_and_that_it_was_told_are_one(engine: Arc<dyn Engine>) {
    let world = with_destination(engine).await;
    let round = AlertRound {
        alerts: vec![alert("a"), alert("b")],
        messages: vec![message("m1", "team")],
        heard: vec![("highlevel".to_owned(), at(9))],
        ..AlertRound::default()
    };
    world.store.put_alerts(&acme(), round).await.unwrap();
    // A message that cannot be sent leaves nothing behind.
    let refused = AlertRound {
        alerts: vec![alert("c")],
        messages: vec![message("m2", "nobody")],
        ..AlertRound::default()
    };
    assert!(world.store.put_alerts(&acme(), refused).await.is_err());
    let dropped = AlertRound {
        dropped: vec!["b".to_owned()],
        heard: vec![("highlevel".to_owned(), at(7))],
        ..AlertRound::default()
    };
    world.store.put_alerts(&acme(), dropped).await.unwrap();
    let world = world.restart().await;
    let memory = world.store.alerts(&acme()).await.unwrap();
    assert_eq!((memory.rules, memory.alerts), (AlertRules::default(), vec![alert("a")]));
    assert_eq!(memory.heard, [("highlevel".to_owned(), at(9))], "what was heard earlier is no news");
    assert_eq!(world.store.counts(None).await.unwrap().messages, 1);
}

pub(super) async fn rules_are_kept_and_ended_alerts_are_forgotten(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let rules = AlertRules { to: vec!["team".to_owned()], stale_minutes: 7, ..AlertRules::default() };
    world.store.put_alert_rules(&acme(), rules.clone()).await.unwrap();
    let ended = Alert { ended_at: Some(at(50)), ..alert("b") };
    let round = AlertRound { alerts: vec![alert("a"), ended], ..AlertRound::default() };
    world.store.put_alerts(&acme(), round).await.unwrap();
    while world.store.expire(LATER, Duration::from_hours(24)).await.unwrap() > 0 {}
    let world = world.restart().await;
    let memory = world.store.alerts(&acme()).await.unwrap();
    assert_eq!((memory.rules, memory.alerts), (rules, vec![alert("a")]));
}
