//! What a person is shown: events without secrets, and what a connector lets be sent twice.

use contactor_store::{Accepted, Connection, ConnectionId, Digest, NewEvent, SecretHash, Side};

use super::*;

const BODY: &str = r#"{"event": "x", "token": "not-for-anybodys-eyes"}"#;

/// An event as it is stored, whoever it is of.
fn event(connection: Option<ConnectionId>, key: &str) -> NewEvent {
    NewEvent {
        source: if connection.is_some() { Side::Partner } else { Side::Highlevel },
        workspace: Some(WorkspaceId::new(WORKSPACE)),
        connection,
        location: None,
        key: key.to_owned(),
        kind: "webhook".to_owned(),
        body: BODY.into(),
        headers: Value::Null,
        received_at: "2026-11-21T09:00:00Z".parse().unwrap(),
        marks: Vec::new(),
        needs_receive: false,
        deliveries: Vec::new(),
        seen: Vec::new(),
    }
}

#[tokio::test]
async fn an_event_is_shown_without_secrets_and_not_at_all_while_the_credential_is_not_known() {
    let scripted = Scripted::new(json!({})).await;
    let engine = &scripted.stand.engine;
    let known = engine.store().connection(&scripted.connection.id).await.unwrap().unwrap();
    // Its component is gone, so nobody can load it.
    let lost = Connection {
        id: ConnectionId::new("acme/lost"),
        connector: "lost".to_owned(),
        digest: Digest::new("0".repeat(64)),
        webhook_hash: SecretHash([9; 32]),
        ..known.clone()
    };
    engine.store().put_connection(lost.clone()).await.unwrap();
    for (connection, shows) in
        [(None, "\"event\""), (Some(known.id), "\"event\""), (Some(lost.id), "not shown: acme/lost")]
    {
        let accepted = engine.store().append_event(event(connection, shows)).await.unwrap();
        let Accepted::New(seq) = accepted else { panic!("{accepted:?}") };
        let (_, body) = engine.event(&WorkspaceId::new(WORKSPACE), seq).await.unwrap();
        assert!(body.contains(shows) && !body.contains("not-for-anybodys-eyes"), "{body}");
    }
}

#[tokio::test]
async fn whoever_enables_a_connector_sees_what_it_lets_be_sent_twice() {
    let scripted = Scripted::new(json!({})).await;
    let shown = &scripted.connection.repeatable;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].paths, ["/betas/*/testers.json"]);
    assert_eq!(shown[0].why, "Prefinery knows a tester by the email address.");
    assert!(scripted.connection.newly_granted.is_empty(), "it replaced nothing");
    let installed = scripted.stand.engine.connectors().await.unwrap();
    assert_eq!(&installed[0].repeatable, shown);
}
