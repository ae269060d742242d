//! Webhooks as they really come: repeated, late, out of order, forged, re-serialised, and to a host that forgot nothing.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{Mode, Order};
use contactor_sandbox::prefinery::{ProjectAct, Visibility};
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::Host;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Stand {
    sandbox: Sandbox,
    host: Host,
    location: String,
    project: u64,
    _dir: TempDir,
}

impl Stand {
    /// A host with Prefinery enabled; webhooks leave only when a test flushes them.
    async fn set(extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(SandboxConfig { webhooks: Mode::OnFlush, ..SandboxConfig::default() })
            .await
            .unwrap();
        Host::init(dir.path(), &sandbox, extra).await.unwrap();
        let host = Host::start(dir.path()).await.unwrap();
        host.enable_prefinery(&sandbox, json!({})).await.unwrap();
        let (location, project) = (sandbox.highlevel().first_location(), sandbox.prefinery().first_project());
        Self { sandbox, host, location, project, _dir: dir }
    }

    fn act(&self, act: PersonAct) -> Value {
        self.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn contact(&self, fields: Value) -> String {
        self.act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned()
    }

    fn tester(&self, email: &str) -> Value {
        self.sandbox.prefinery().tester(self.project, email).unwrap_or_default()
    }

    /// Delivers what both doubles hold, in this order, until nothing more comes of it.
    async fn deliver(&self, order: Order) {
        loop {
            self.sandbox.highlevel().webhooks().flush(order).await;
            self.sandbox.prefinery().webhooks().flush(order).await;
            self.host.until_idle().await.unwrap();
            if self.sandbox.highlevel().webhooks().pending() + self.sandbox.prefinery().webhooks().pending()
                == 0
            {
                return;
            }
        }
    }

    /// Requests to HighLevel that read one contact, and requests that wrote anything anywhere.
    fn calls(&self) -> (u64, u64) {
        let recorder = self.sandbox.recorder();
        let writes = ["contacts.create", "contacts.update", "tags.add", "tags.remove"]
            .iter()
            .map(|name| recorder.requests(&format!("highlevel.{name}")))
            .chain(
                ["create", "update"]
                    .iter()
                    .map(|name| recorder.requests(&format!("prefinery.testers.{name}"))),
            )
            .sum();
        (recorder.requests("highlevel.contacts.get"), writes)
    }

    async fn send(&self, body: &str, signature: Option<String>) -> u16 {
        let mut request = self.host.client().post(self.host.webhooks()).body(body.to_owned());
        if let Some(signature) = signature {
            request = request.header("x-ghl-signature", signature);
        }
        request.send().await.unwrap().status().as_u16()
    }

    async fn send_signed(&self, body: &Value) -> u16 {
        let body = body.to_string();
        let signature = self.sandbox.highlevel().sign(body.as_bytes());
        self.send(&body, Some(signature)).await
    }

    async fn end(self) {
        self.host.stop().await.unwrap();
        self.sandbox.shutdown().await;
    }
}

fn stamped(body: &Value, id: &str, age: SignedDuration) -> Value {
    let mut body = body.clone();
    body["webhookId"] = json!(id);
    body["timestamp"] = json!((Timestamp::now() - age).to_string());
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_comes_five_times_or_late_or_in_the_wrong_order_changes_nothing_a_second_time() {
    let stand = Stand::set("").await;
    let id = stand.contact(json!({ "firstName": "One", "email": "order@example.com" }));
    stand.deliver(Order::Queued).await;
    for name in ["Two", "Three", "Four"] {
        stand.act(PersonAct::EditContact { contact: id.clone(), fields: json!({ "firstName": name }) });
    }
    stand.deliver(Order::Reversed).await;
    assert_eq!(stand.tester("order@example.com")["profile"]["first_name"], "Four");

    let outbox = stand.sandbox.highlevel().webhooks();
    let sent =
        outbox.of_type("ContactUpdate").into_iter().rev().find(|w| w.json()["firstName"] == "Four").unwrap();
    let (reads, writes) = stand.calls();
    // The same delivery, again and again.
    for _ in 0..5 {
        outbox.redeliver(sent.sequence);
        stand.deliver(Order::Queued).await;
    }
    // The same news under new ids, one of them as late as the vendor's last retry.
    for (copy, age) in [("late-1", SignedDuration::from_mins(70)), ("late-2", SignedDuration::from_hours(72))]
    {
        assert_eq!(stand.send_signed(&stamped(&sent.json(), copy, age)).await, 200);
    }
    stand.host.until_idle().await.unwrap();
    assert_eq!(stand.calls(), (reads, writes), "reads of HighLevel, writes anywhere");

    // Stale news may cost one read, never a write.
    let mut old = sent.json();
    old["firstName"] = json!("Two");
    for copy in ["old-1", "old-1", "old-1", "old-1", "old-1"] {
        assert_eq!(stand.send_signed(&stamped(&old, copy, SignedDuration::from_hours(1))).await, 200);
    }
    stand.host.until_idle().await.unwrap();
    let (reads_after, writes_after) = stand.calls();
    assert!(reads_after <= reads + 1, "{} reads", reads_after - reads);
    assert_eq!(writes_after, writes);
    assert_eq!(stand.tester("order@example.com")["profile"]["first_name"], "Four");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_reserialised_and_stale_webhooks_are_refused_and_leave_nothing_behind() {
    let stand = Stand::set("").await;
    let genuine = json!({
        "type": "ContactUpdate", "locationId": stand.location, "id": "abc", "email": "x@example.com",
        "webhookId": "w-1", "timestamp": Timestamp::now().to_string(),
    });
    let body = genuine.to_string();
    let signature = stand.sandbox.highlevel().sign(body.as_bytes());
    let reserialised = serde_json::to_string_pretty(&genuine).unwrap();
    let changed = body.replace("x@example.com", "y@example.com");
    for (why, body, signature) in [
        ("no signature", &body, None),
        ("a signature of something else", &changed, Some(signature.clone())),
        ("the same JSON in other bytes", &reserialised, Some(signature.clone())),
        ("no base64", &body, Some("%%%".to_owned())),
        ("the vendor's placeholder", &body, Some("N/A".to_owned())),
        ("half a signature", &body, Some(signature[..40].to_owned())),
    ] {
        assert_eq!(stand.send(body, signature).await, 401, "{why}");
    }
    let old = stamped(&genuine, "w-2", SignedDuration::from_hours(24 * 5));
    let future = stamped(&genuine, "w-3", -SignedDuration::from_mins(10));
    assert_eq!(stand.send_signed(&old).await, 400, "older than the memory of what was seen");
    assert_eq!(stand.send_signed(&future).await, 400, "from the future");
    for malformed in ["", "{", "[]", "\"text\"", "null"] {
        let signature = stand.sandbox.highlevel().sign(malformed.as_bytes());
        assert_eq!(stand.send(malformed, Some(signature)).await, 400, "{malformed:?}");
    }
    let huge = "x".repeat(300 * 1024);
    let signature_of_huge = stand.sandbox.highlevel().sign(huge.as_bytes());
    assert_eq!(stand.send(&huge, Some(signature_of_huge)).await, 413);
    let events = stand.host.get("/workspaces/acme/events").await.unwrap();
    assert_eq!(events, json!([]), "something was stored");

    // And the genuine one is taken, once.
    for _ in 0..3 {
        assert_eq!(stand.send(&body, Some(signature.clone())).await, 200);
    }
    let events = stand.host.get("/workspaces/acme/events").await.unwrap();
    assert_eq!(events.as_array().unwrap().len(), 1);
    let metrics =
        stand.host.client().get(stand.host.at("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("signature"), "refusals are not counted:\n{metrics}");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_of_unknown_locations_are_held_and_counted_and_probes_are_answered() {
    let stand = Stand::set("").await;
    let body = json!({
        "type": "ContactCreate", "locationId": "nobody", "id": "abc", "webhookId": "w-1",
        "timestamp": Timestamp::now().to_string(),
    });
    assert_eq!(stand.send_signed(&body).await, 200);
    let health = stand.host.get("/health").await.unwrap();
    assert_eq!(health["held_events"], 1, "{health}");
    for path in ["/webhooks/highlevel", "/webhooks/partner/anything"] {
        let client = stand.host.client();
        assert_eq!(client.get(stand.host.at(path)).send().await.unwrap().status(), 200);
        assert_eq!(client.head(stand.host.at(path)).send().await.unwrap().status(), 200);
    }
    let unknown = stand
        .host
        .client()
        .post(stand.host.at("/webhooks/partner/anything"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_was_renewed_takes_webhooks_and_the_former_one_takes_none() {
    const CONNECTION: &str = "/workspaces/acme/connections/prefinery";
    let stand = Stand::set("").await;
    let path =
        async || stand.host.get(CONNECTION).await.unwrap()["webhook_path"].as_str().unwrap().to_owned();
    let status = async |path: &str| {
        let request = stand.host.client().post(stand.host.at(path)).body("{}");
        request.send().await.unwrap().status().as_u16()
    };
    let former = path().await;
    assert_eq!(status(&former).await, 401, "it lacks a signature alone");
    let answer = stand.host.post(&format!("{CONNECTION}/webhook-address"), &json!({})).await.unwrap();
    let renewed = answer["webhook_path"].as_str().unwrap();
    assert!(renewed.starts_with("/webhooks/partner/") && renewed != former, "{renewed}");
    assert_eq!(path().await, renewed);
    assert_eq!((status(&former).await, status(renewed).await), (404, 401));

    // Entered at the partner, it takes what comes.
    stand.host.aim(&stand.sandbox, &answer).unwrap();
    let tester = json!({ "email": "moved@example.com", "profile": { "first_name": "Moved" } });
    stand.sandbox.prefinery().act(stand.project, ProjectAct::CreateTester { fields: tester }).unwrap();
    stand.deliver(Order::Queued).await;
    let events = stand.host.get("/workspaces/acme/events").await.unwrap();
    let of_partner = |event: &Value| event["connection"] == "acme/prefinery";
    assert!(events.as_array().unwrap().iter().any(of_partner), "{events}");

    // Whatever changes the connection leaves the address, and the record of it does not tell.
    stand.host.put_prefinery(&stand.sandbox, &json!({})).await.unwrap();
    assert_eq!(path().await, renewed);
    let record = stand.host.get("/audit").await.unwrap();
    let renewing = |entry: &Value| entry["action"] == "connections.renew-webhook-address";
    let entry = record.as_array().unwrap().iter().find(|entry| renewing(entry)).unwrap();
    assert_eq!((&entry["workspace"], &entry["status"]), (&json!("acme"), &json!(200)), "{entry}");
    let token = renewed.rsplit('/').next().unwrap();
    assert!(!record.to_string().contains(token), "{record}");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tester_that_the_partner_does_not_show_yet_is_linked_later_and_never_created_twice() {
    // A connection to a partner that lags is tried again after a third of the lag; the sandbox shows the tester at once
    // when the test says so, and the operator asks for the record again.
    let stand = Stand::set("").await;
    stand.sandbox.prefinery().set_visibility(Visibility::UntilReleased);
    let tester = json!({ "email": "lag@example.com", "profile": { "first_name": "Lag" } });
    stand.sandbox.prefinery().act(stand.project, ProjectAct::CreateTester { fields: tester }).unwrap();
    stand.sandbox.prefinery().webhooks().clear();
    let id = stand.contact(json!({ "lastName": "Behind", "email": "lag@example.com" }));
    stand.sandbox.highlevel().webhooks().flush(Order::Queued).await;
    stand
        .host
        .until("the run says that it looks again", async || {
            let runs = stand.host.get("/runs?workspace=acme&outcome=retrying").await?;
            Ok(runs.to_string().contains("looked up again"))
        })
        .await
        .unwrap();
    assert_eq!(stand.sandbox.prefinery().testers(stand.project).len(), 1);

    stand.sandbox.prefinery().release();
    let record = json!({ "entity": "contact", "side": "highlevel", "record": id });
    stand.host.post("/workspaces/acme/connections/prefinery/records", &record).await.unwrap();
    stand.deliver(Order::Queued).await;
    let testers = stand.sandbox.prefinery().testers(stand.project);
    assert_eq!(testers.len(), 1, "{testers:?}");
    assert_eq!(testers[0]["profile"]["last_name"], "Behind");
    let contact = stand.sandbox.highlevel().contact(&stand.location, &id).unwrap();
    assert_eq!(contact["firstName"], "Lag");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_is_lost_is_found_again_on_either_side() {
    use contactor_sandbox::faults::{Effect, Fault};
    let stand = Stand::set("").await;
    // The tester is created and the connection drops before the answer.
    stand.sandbox.faults().add(Fault::next(1, "prefinery.testers.create", Effect::Drop { after: true }));
    stand.contact(json!({ "firstName": "Twice", "email": "twice@example.com" }));
    stand.sandbox.highlevel().webhooks().flush(Order::Queued).await;
    // HighLevel creates the contact and answers 422, as was reported.
    stand.sandbox.faults().add(Fault::next(1, "highlevel.contacts.create", Effect::lie(422)));
    let tester = json!({ "email": "ghost@example.com", "profile": { "first_name": "Ghost" } });
    stand.sandbox.prefinery().act(stand.project, ProjectAct::CreateTester { fields: tester }).unwrap();
    stand.deliver(Order::Queued).await;
    stand
        .host
        .until("both are linked", async || {
            let progress = stand.host.get("/workspaces/acme/connections/prefinery/sync").await?;
            Ok(progress["links"] == 2 && progress["waiting"] == 0)
        })
        .await
        .unwrap();
    stand.deliver(Order::Queued).await;
    let with = |email: &str| {
        let contacts = stand.sandbox.highlevel().contacts(&stand.location);
        let testers = stand.sandbox.prefinery().testers(stand.project);
        (
            contacts.iter().filter(|c| c["email"] == email).count(),
            testers.iter().filter(|t| t["email"] == email).count(),
        )
    };
    assert_eq!(with("twice@example.com"), (1, 1));
    assert_eq!(with("ghost@example.com"), (1, 1));
    stand.end().await;
}
