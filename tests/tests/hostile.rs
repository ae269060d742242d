//! What a hostile connector tries with calls that its interface allows: to leave its partner's address, to reach another tenant's
//! records, to use what nobody granted. What it tries with memory and time is in `host/runtime/tests/runtime/{attacks,hostile}.rs`.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_engine::{ConnectionView, EnableConnection};
use contactor_manifest::embed;
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::highlevel::{LocationConfig, PersonAct};
use contactor_tests::artefacts;
use contactor_tests::engine::{Stand, WORKSPACE};
use serde_json::{Value, json};

const MANIFEST: &str = include_str!("../guest-operations/connector.toml");

/// A stand whose doubles hold two locations; the second is another tenant's.
async fn stand() -> (Stand, LocationConfig) {
    let mut config = SandboxConfig::for_tests();
    config.highlevel.limits = None;
    let other = LocationConfig {
        id: "SandboxLocation00002".to_owned(),
        private_token: "pit-sandbox-of-the-second-location".to_owned(),
        ..LocationConfig::default()
    };
    config.highlevel.locations.push(other.clone());
    (Stand::start_with(config).await.unwrap(), other)
}

async fn ask(stand: &Stand, connection: &ConnectionView, function: &str, input: Value) -> Value {
    stand.run(&connection.id, function, &input).await.unwrap()
}

fn request(path: &str, headers: &Value) -> Value {
    json!({ "method": "get", "path": path, "query": [], "headers": headers })
}

fn contact(stand: &Stand, location: &str, email: &str) -> String {
    let fields = json!({ "firstName": "Eve", "email": email });
    let saved = stand.sandbox.highlevel().act(location, PersonAct::CreateContact { fields }).unwrap();
    saved["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused_and_nobody_is_asked() {
    let (stand, _) = stand().await;
    let connection = stand.enable("guest-operations", None).await.unwrap();
    let good = ask(&stand, &connection, "partner.send", request("/betas", &json!([]))).await;
    assert!(good["ok"].is_object(), "{good}");
    let asked = stand.sandbox.recorder().requests("prefinery");
    for path in [
        "",
        "betas",
        "//evil.example/x",
        "/\\evil.example/x",
        "\\\\evil.example\\x",
        "https://evil.example/x",
        "@evil.example/x",
        ":80/x",
        "/../admin",
        "/a/../../admin",
        "/a/./b",
        "/%2e%2e/admin",
        "/%2E%2E%2Fadmin",
        "/.%2e/admin",
        "/..;/admin",
        "/..%3b/admin",
        "/a/%2f/evil",
        "/a//b",
        "/a%5c..%5cb",
        "/a%00b",
        "/a%0d%0aHost:%20evil.example",
        "/a\r\nHost: evil.example",
        "/a\nb",
        "/a b",
        "/a?x=y",
        "/a#x",
        "/а",
        "/a\u{202e}b",
    ] {
        let answer = ask(&stand, &connection, "partner.send", request(path, &json!([]))).await;
        assert_eq!(answer["error"]["case"], "invalid", "{path:?}: {answer}");
    }
    assert_eq!(stand.sandbox.recorder().requests("prefinery"), asked);
    // An `@` behind the first slash is part of a name: it is the partner that is asked for it.
    let answer = ask(&stand, &connection, "partner.send", request("/x@evil.example", &json!([]))).await;
    assert_eq!(answer["ok"]["status"], 404, "{answer}");
    assert_eq!(stand.sandbox.recorder().requests("prefinery"), asked + 1);
}

#[tokio::test]
async fn a_header_that_is_the_hosts_or_hides_another_is_refused_and_nobody_is_asked() {
    let (stand, _) = stand().await;
    let connection = stand.enable("guest-operations", None).await.unwrap();
    let asked = stand.sandbox.recorder().requests("prefinery");
    for (name, value) in [
        ("Host", "evil.example"),
        ("authorization", "Bearer own"),
        ("Proxy-Authorization", "Basic x"),
        ("Cookie", "a=b"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Upgrade", "h2c"),
        ("TE", "trailers"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "host=evil.example"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Ok", "a\r\nAuthorization: Bearer own"),
        ("X-Ok", "a\nb"),
        ("X-Ok", "a\0b"),
        ("X-Ok\r\nHost", "evil.example"),
        ("X Ok", "a"),
        (":authority", "evil.example"),
        ("", "a"),
    ] {
        let headers = json!([{ "name": name, "value": value }]);
        let answer = ask(&stand, &connection, "partner.send", request("/betas", &headers)).await;
        assert_eq!(answer["error"]["case"], "invalid", "{name:?}: {answer}");
    }
    for (what, headers) in [
        ("many", (0..65).map(|n| json!({ "name": format!("x-{n}"), "value": "a" })).collect::<Value>()),
        ("large", json!([{ "name": "x-a", "value": "a".repeat(9_000) }])),
    ] {
        let answer = ask(&stand, &connection, "partner.send", request("/betas", &headers)).await;
        assert_eq!(answer["error"]["case"], "invalid", "{what}: {answer}");
    }
    assert_eq!(stand.sandbox.recorder().requests("prefinery"), asked);
}

#[tokio::test]
async fn a_manifest_that_says_more_of_a_request_than_its_connector_may_is_not_installed() {
    let (stand, _) = stand().await;
    let bearer = "kind = \"bearer\"\ntoken = \"{token}\"";
    for scheme in [
        "kind = \"prefixed-header\"\nheader = \"Host\"\nvalue = \"{token}\"",
        "kind = \"header-pair\"\nheaders = { X-Key = \"{token}\", X-HTTP-Method-Override = \"DELETE\" }",
        "kind = \"login\"\nlogin = { path = \"/../../admin\", fields = { key = \"{token}\" }, token = \"/token\", \
         lifetime_seconds = 60, placement = \"bearer\" }",
    ] {
        let manifest = MANIFEST.replacen(bearer, scheme, 1);
        assert!(manifest.contains(scheme), "the manifest has changed");
        let component = embed(&artefacts::component("guest-operations").unwrap(), &manifest).unwrap();
        let refused = stand.engine.install_connector(component).await.unwrap_err().to_string();
        assert!(refused.contains("auth[1]."), "{scheme}: {refused}");
    }
}

#[tokio::test]
async fn the_id_of_another_tenants_record_and_an_id_that_is_a_path_lead_to_no_record() {
    let (stand, other) = stand().await;
    let connection = stand.enable("guest-operations", None).await.unwrap();
    let highlevel = stand.sandbox.highlevel();
    let own = contact(&stand, &highlevel.first_location(), "ada@example.com");
    let foreign = contact(&stand, &other.id, "eve@example.com");
    let before = highlevel.contact(&other.id, &foreign);
    let found = ask(&stand, &connection, "contacts.get", json!({ "id": own })).await;
    assert_eq!(found["ok"]["id"], own.as_str());

    let paths = [
        "",
        ".",
        "..",
        "../locations",
        "%2e%2e",
        "a/../../x",
        "x?locationId=SandboxLocation00002",
        "x#y",
        "x\r\ny",
    ];
    let hostile = paths.into_iter().map(str::to_owned).chain([
        format!("../{foreign}"),
        format!("{own}/tasks"),
        foreign.clone(),
    ]);
    for id in hostile {
        let fields = json!({ "firstName": "Taken over" });
        let calls = [
            ("contacts.get", json!({ "id": id })),
            ("contacts.update", json!({ "id": id, "fields": fields })),
            ("contacts.delete", json!({ "id": id })),
            ("tags.add", json!({ "contact-id": id, "tags": ["taken-over"] })),
            ("tasks.list-all", json!({ "contact-id": id })),
            ("notes.create", json!({ "contact-id": id, "body": "Taken over", "fields": {} })),
        ];
        for (function, input) in calls {
            let answer = ask(&stand, &connection, function, input).await;
            assert!(answer["error"]["case"].is_string(), "{function} {id:?}: {answer}");
            assert!(!answer.to_string().contains("eve@example.com"), "{function} {id:?}: {answer}");
        }
    }
    assert_eq!(highlevel.contact(&other.id, &foreign), before);
    assert!(highlevel.notes(&other.id, &foreign).is_empty());
    assert!(highlevel.contact(&highlevel.first_location(), &own).is_some());
}

#[tokio::test]
async fn a_scope_that_nobody_knows_opens_nothing_and_one_that_was_not_asked_for_is_not_given() {
    let (stand, _) = stand().await;
    let own = contact(&stand, &stand.sandbox.highlevel().first_location(), "ada@example.com");
    let manifest = MANIFEST.replace("\"contacts.readonly\"", "\"contacts.admin\"");
    let manifest = manifest.replace("\"contacts.write\"", "\"contacts.*\"");
    assert!(!manifest.contains("contacts.write"), "the guest asks for nothing that is known");
    let component = embed(&artefacts::component("guest-operations").unwrap(), &manifest).unwrap();
    stand.engine.install_connector(component).await.unwrap();
    let request = |grants: Option<Vec<String>>| EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "operations".to_owned(),
        base_url: Some(stand.sandbox.prefinery_url()),
        credentials: [("token".to_owned(), "fake-partner-token".to_owned().into())].into(),
        grants,
        ..EnableConnection::default()
    };
    for unasked in ["contacts.readonly", "contacts.write", "*", ""] {
        let refused =
            stand.engine.enable_connection(request(Some(vec![unasked.to_owned()]))).await.unwrap_err();
        assert!(refused.to_string().contains("asks for contacts.admin"), "{unasked}: {refused}");
    }
    let connection = stand.engine.enable_connection(request(None)).await.unwrap();
    let asked = stand.sandbox.recorder().requests("highlevel");
    for (function, input) in [
        ("contacts.get", json!({ "id": own })),
        ("contacts.delete", json!({ "id": own })),
        ("tags.add", json!({ "contact-id": own, "tags": ["x"] })),
        ("notes.list-all", json!({ "contact-id": own })),
    ] {
        let answer = ask(&stand, &connection, function, input).await;
        assert_eq!(answer["error"]["case"], "denied", "{function}: {answer}");
    }
    assert_eq!(stand.sandbox.recorder().requests("highlevel"), asked);
}
