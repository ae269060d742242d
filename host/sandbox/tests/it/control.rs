//! The control API, as another process uses it.

use serde_json::{Value, json};

use crate::client::{Answer, Client, Receiver, answer, start};

struct Control(reqwest::Client, String);

impl Control {
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request =
            self.0.request(method.parse::<reqwest::Method>().unwrap(), format!("{}{path}", self.1));
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let done = self.send(method, path, Some(body)).await;
        assert_eq!(done.status, 200, "{method} {path}: {}", done.body);
        done.body
    }
}

#[tokio::test]
async fn everything_can_be_done_over_http_alone() {
    let (sandbox, location, client) = start().await;
    let control = Control(client.http.clone(), sandbox.control_url());
    let receiver = Receiver::start().await;

    let keys = control.send("GET", "/keys", None).await.body;
    assert_eq!(keys["highlevel"]["privateToken"], json!(client.token));
    assert!(keys["highlevel"]["webhookPublicKey"].as_str().unwrap().contains("BEGIN PUBLIC KEY"));

    control.ok("PUT", "/highlevel/webhooks", json!({"target": receiver.url.as_str()})).await;
    let ids = control.ok("POST", "/highlevel/load", json!({"count": 5})).await["ids"].clone();
    let edit = json!({"act": "edit_contact", "contact": ids[0], "fields": {"city": "Leeds"}});
    assert_eq!(control.ok("POST", "/highlevel/act", edit).await["city"], "Leeds");
    assert_eq!(control.ok("POST", "/highlevel/webhooks/flush", json!({})).await["delivered"], 1);
    assert_eq!(receiver.take_types(), ["ContactUpdate"]);
    let sent = control.send("GET", "/highlevel/webhooks", None).await.body["webhooks"][0].clone();
    assert_eq!((&sent["standing"], &sent["attempts"]), (&json!("delivered"), &json!(1)));

    let fault = json!({"operation": "highlevel.contacts.get", "when": {"next": 1}, "effect": {"kind": "answer", "status": 503}});
    control.ok("POST", "/faults", fault).await;
    let path = format!("/contacts/{}", ids[0].as_str().unwrap());
    assert_eq!(client.get(&path).await.status, 503);
    assert_eq!(client.get(&path).await.status, 200);
    let counters = control.send("GET", "/counters", None).await.body;
    assert_eq!(counters["highlevel.contacts.get"], json!({"requests": 2, "carried_out": 1, "limited": 0}));

    control
        .ok("PUT", "/highlevel/settings", json!({"limits": {"burst": 1}, "habits": {"signs": false}}))
        .await;
    assert_eq!(sandbox.highlevel().limits().unwrap().daily, 200_000, "what is not named stays");
    assert!(sandbox.highlevel().habits().echoes_api_writes);
    assert_eq!(client.get(&path).await.status, 429);
    control.ok("POST", "/clock/advance", json!({"seconds": 10})).await;
    assert_eq!(client.get(&path).await.status, 200);

    control
        .ok("POST", "/prefinery/act", json!({"act": "create_tester", "fields": {"email": "ann@example.com"}}))
        .await;
    control
        .ok(
            "POST",
            "/connectif/act",
            json!({"act": "create_contact", "email": "ann@example.com", "fields": {}}),
        )
        .await;
    control.ok("PUT", "/connectif/settings", json!({"limit": null, "guesses": {"export_polls": 1}})).await;
    assert_eq!(sandbox.connectif().guesses().export_polls, 1);
    let state = control.send("GET", "/state", None).await.body;
    assert_eq!(state["connectif"]["contacts"][0]["_email"], "ann@example.com");
    assert_eq!(state["highlevel"]["locations"][0]["contacts"].as_array().unwrap().len(), 5);
    assert_eq!(state["prefinery"]["projects"][0]["testers"][0]["email"], "ann@example.com");

    control.ok("POST", "/reset", json!({})).await;
    assert!(sandbox.highlevel().contacts(&location).is_empty() && sandbox.prefinery().testers(1).is_empty());
}

#[tokio::test]
async fn a_misspelt_instruction_is_an_error_that_names_the_fault() {
    let (sandbox, _, client) = start().await;
    let control = Control(client.http.clone(), sandbox.control_url());
    let wrong = [
        ("POST", "/nonsense", json!({})),
        ("PUT", "/highlevel/settings", json!({"limit": 5})),
        ("PUT", "/highlevel/settings", json!({"habits": {"sings": true}})),
        ("POST", "/highlevel/act", json!({"act": "fly"})),
        ("POST", "/faults", json!({"operation": "x"})),
        ("POST", "/faults", json!({"operation": "highlevel.contact.get", "effect": {"kind": "drop"}})),
        ("PUT", "/prefinery/webhooks", json!({"target": "not an address"})),
    ];
    for (method, path, body) in wrong {
        let refused = control.send(method, path, Some(body)).await;
        assert_eq!((refused.status, refused.body["error"].is_string()), (400, true), "{method} {path}");
    }
    let nowhere = json!({"location": "nowhere", "count": 1});
    assert_eq!(control.send("POST", "/highlevel/load", Some(nowhere)).await.status, 404);
}

#[tokio::test]
async fn every_route_of_the_index_exists() {
    let (sandbox, _, client) = start().await;
    let control = Control(client.http.clone(), sandbox.highlevel_url());
    let index = control.send("GET", "/_control", None).await.body;
    let routes = index["routes"].as_array().unwrap();
    assert!(routes.len() > 30);
    for route in routes {
        let (method, path) = (route["method"].as_str().unwrap(), route["path"].as_str().unwrap());
        for vendor in ["formbuilder", "highlevel", "pheedloop", "prefinery"] {
            let answer = control.send(method, &path.replace("{vendor}", vendor), None).await;
            let error = answer.body["error"].as_str().unwrap_or_default();
            assert!(!error.contains("there is no"), "{method} {path}: {error}");
        }
    }
}

#[tokio::test]
async fn the_pages_show_records_and_escape_them() {
    let (sandbox, location, client) = start().await;
    let client = Client { ..client };
    client
        .post("/contacts/", json!({"locationId": location, "email": "a@example.com", "name": "<b>Ann"}))
        .await;
    let page = client.http.get(format!("{}/browse/highlevel", sandbox.control_url())).send().await.unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("&lt;b&gt;Ann") && !html.contains("<b>Ann"));
    assert!(html.contains("highlevel.contacts.create"));
}

#[tokio::test]
async fn the_pages_show_bodies_of_requests_and_what_belongs_to_a_contact() {
    let (sandbox, location, client) = start().await;
    let emit = |event| sandbox.highlevel().emit(&location, event, Value::Null).unwrap();
    let task = emit("TaskCreate")["about"].as_str().unwrap().to_owned();
    let note = emit("NoteCreate")["about"].as_str().unwrap().to_owned();
    let long = format!("<i>{}", "x".repeat(3000));
    client
        .post("/contacts/", json!({ "locationId": location, "email": "b@example.com", "name": long }))
        .await;
    let page = async |double: &str| {
        let url = format!("{}/browse/{double}", sandbox.control_url());
        client.http.get(url).send().await.unwrap().text().await.unwrap()
    };
    let html = page("highlevel").await;
    for shown in ["<h2>Tasks</h2>", "<h2>Notes</h2>", task.as_str(), note.as_str(), "b@example.com&quot;"] {
        assert!(html.contains(shown), "{shown}");
    }
    // Escaped, and cut.
    assert!(html.contains("&lt;i&gt;xxx") && !html.contains("<i>") && !html.contains(&"x".repeat(1001)));

    sandbox.pheedloop().emit("signup").unwrap();
    let registered = sandbox.pheedloop().registrations(&sandbox.pheedloop().first_event());
    assert!(page("pheedloop").await.contains(registered[0]["code"].as_str().unwrap()));
    let contact = sandbox.referrizer().emit("lead_created").unwrap()["id"].as_str().unwrap().to_owned();
    sandbox.referrizer().act(contactor_sandbox::referrizer::AccountAct::CheckIn { contact }).unwrap();
    assert!(page("referrizer").await.contains(sandbox.referrizer().visits()[0]["id"].as_str().unwrap()));
    assert!(page("connectif").await.contains("<h2>Received events</h2>"));
}
