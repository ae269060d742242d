//! The Connectif double.

use contactor_sandbox::connectif::{
    AccountAct, ExportDates, ExportFile, Guesses, Limit, Messages, NullMeans, Scopes, WebhookBody, WriteLag,
};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::outbox::{Order, Standing};
use contactor_sandbox::{Sandbox, SandboxConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Answer, Receiver, answer, http};

struct Api {
    http: reqwest::Client,
    base: String,
    authorization: String,
}

impl Api {
    /// A double without lag, as most tests want it.
    async fn start() -> (Sandbox, Self) {
        let mut config = SandboxConfig::for_tests();
        config.connectif.guesses.export_at_own_host = true;
        let sandbox = Sandbox::start(config).await.unwrap();
        sandbox.connectif().set_write_lag(WriteLag::Millis(0));
        let authorization = format!("apiKey {}", sandbox.connectif().api_key());
        let base = sandbox.connectif_url();
        (sandbox, Self { http: http(), base, authorization })
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse::<reqwest::Method>().unwrap();
        self.http.request(method, format!("{}{path}", self.base)).header("authorization", &self.authorization)
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        answer(self.request(method, path).json(&body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path)).await
    }

    async fn patch(&self, email: &str, body: Value) -> Answer {
        self.send("PATCH", &format!("/contacts/{email}"), body).await
    }

    /// Paths that were refused, in order.
    async fn refused(&self, body: Value) -> Vec<String> {
        let answer = self.patch("ann@example.com", body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        let errors = answer.body["validationErrors"].as_array().unwrap();
        errors.iter().map(|error| error["path"].as_str().unwrap().to_owned()).collect()
    }

    /// Starts an export and asks until it is finished; the answer and how often it took.
    async fn export(&self, body: Value) -> (Value, u32) {
        let begun = self.send("POST", "/exports", body).await;
        assert_eq!(begun.status, 201, "{}", begun.body);
        let path = format!("/exports/{}", begun.body["id"].as_str().unwrap());
        for polls in 1..10 {
            let progress = self.get(&path).await.body;
            if progress["status"] == "finished" {
                return (progress, polls);
            }
        }
        panic!("the export did not finish");
    }

    async fn file(&self, export: &Value) -> Vec<u8> {
        // The address alone is the credential.
        let response = self.http.get(export["fileUrl"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        response.bytes().await.unwrap().to_vec()
    }
}

fn act(sandbox: &Sandbox, act: AccountAct) -> Value {
    sandbox.connectif().act(act).unwrap()
}

fn create(sandbox: &Sandbox, email: &str) {
    act(sandbox, AccountAct::CreateContact { email: email.into(), fields: json!({"_name": "Ann"}) });
}

#[tokio::test]
async fn the_key_is_sent_as_it_is_and_its_scopes_count() {
    let (sandbox, api) = Api::start().await;
    create(&sandbox, "ann@example.com");
    assert_eq!(api.get("/contacts/ann@example.com").await.status, 200);
    let url = format!("{}/contacts/ann@example.com", api.base);
    let key = sandbox.connectif().api_key();
    for wrong in [format!("Bearer {key}"), key.clone(), "apiKey x:y".into(), format!("apikey {key}")] {
        let refused = answer(api.http.get(&url).header("authorization", wrong)).await;
        assert_eq!((refused.status, &refused.body["status"]), (401, &json!(401)));
        assert!(refused.body["title"].is_string() && refused.body["code"].is_string());
    }
    sandbox.connectif().set_scopes(Scopes { read: true, write: false });
    assert_eq!(api.patch("ann@example.com", json!({"_name": "A"})).await.status, 403);
    sandbox.connectif().revoke_key();
    assert_eq!(api.get("/contacts/ann@example.com").await.status, 401);
}

#[tokio::test]
async fn a_patch_creates_or_changes_and_emails_ignore_case() {
    let (sandbox, api) = Api::start().await;
    let unknown = api.get("/contacts/ann%2Bx@example.com").await;
    assert_eq!((unknown.status, &unknown.body["status"]), (404, &json!(404)));
    let created = api.patch("Ann%2Bx@example.com", json!({"_name": "Ann", "plan": "pro"})).await;
    assert_eq!((created.status, created.body), (201, Value::Null), "nothing is answered");
    sandbox.advance(SignedDuration::from_secs(1));
    assert_eq!(api.patch("ann%2Bx@example.com", json!({"_surname": "Lee"})).await.status, 200);
    let ann = api.get("/contacts/ANN%2Bx@example.com").await.body;
    assert_eq!(
        (&ann["_email"], &ann["_name"], &ann["_surname"]),
        (&json!("Ann+x@example.com"), &json!("Ann"), &json!("Lee"))
    );
    assert_eq!((&ann["plan"], ann.get("company")), (&json!("pro"), None), "what is empty is left out");
    assert_eq!(ann["_createdAt"], "2026-11-21T08:00:00.000Z");
    assert_eq!(ann["_updatedAt"], "2026-11-21T08:00:01.000Z");
    sandbox.advance(SignedDuration::from_secs(1));
    api.patch("ann%2Bx@example.com", json!({"_surname": "Lee"})).await;
    let same = api.get("/contacts/ann%2Bx@example.com").await.body;
    assert_eq!(same["_updatedAt"], ann["_updatedAt"], "what changes nothing is no update");
    sandbox.connectif().set_guesses(Guesses { patch_answers_contact: true, ..Guesses::default() });
    assert_eq!(api.patch("ann%2Bx@example.com", json!({})).await.body["_name"], "Ann");
    let slash = api.patch("a%2Fb@example.com", json!({})).await;
    assert_eq!((slash.status, api.get("/contacts/a%2Fb@example.com").await.status), (201, 200));
}

#[tokio::test]
async fn values_are_typed_and_every_refusal_names_its_path() {
    let (sandbox, api) = Api::start().await;
    let wrong = json!({
        "_mobilePhone": "650 253 0000", "_emailStatus": "sleepy", "_points": "5", "_birthdate": "yesterday",
        "_totalPurchases": 5, "_email": "x@example.com", "hl_tags": "vip", "hl_open_tasks": 1.5, "vip": "yes",
        "plan": "gold", "score": "high", "renewal": "soon", "second_email": "x", "landline": "12", "shoe": "L",
    });
    let mut expected: Vec<String> = wrong.as_object().unwrap().keys().cloned().collect();
    expected.sort();
    let mut refused = api.refused(wrong).await;
    refused.sort();
    assert_eq!(refused, expected);
    assert!(sandbox.connectif().contacts().is_empty(), "a refused write changes nothing");
    let right = json!({
        "_mobilePhone": "+16502530000", "_emailStatus": "active", "_points": 5, "_birthdate": "1990-01-31T00:00:00Z",
        "hl_tags": ["vip", "x"], "hl_open_tasks": 1, "vip": true, "plan": "pro", "score": 1.5,
        "renewal": "2027-01-01", "second_email": "x@example.com", "landline": "+442079460000", "hl_tasks": "[]",
    });
    assert_eq!(api.patch("ann@example.com", right).await.status, 201);
    assert_eq!(api.refused(json!({"_name": null})).await, ["_name"]);
    assert_eq!(api.refused(json!({"hl_tasks": "x".repeat(10_001)})).await, ["hl_tasks"]);

    sandbox.connectif().set_guesses(Guesses {
        refuses_unknown_fields: false,
        null: NullMeans::Cleared,
        ..Guesses::default()
    });
    assert_eq!(api.patch("ann@example.com", json!({"shoe": "L", "plan": null})).await.status, 200);
    let ann = sandbox.connectif().contact("ann@example.com").unwrap();
    assert_eq!((ann.get("shoe"), ann.get("plan")), (None, None));
}

#[tokio::test]
async fn the_route_by_email_takes_an_external_id_and_no_custom_fields() {
    let (_sandbox, api) = Api::start().await;
    let by_email = |body| api.send("PATCH", "/contacts/email/ann@example.com", body);
    assert_eq!(by_email(json!({"_externalId": "c1", "_name": "Ann"})).await.status, 201);
    assert_eq!(by_email(json!({"plan": "pro"})).await.status, 400);
    assert_eq!(api.refused(json!({"_externalId": "c1"})).await, ["_externalId"]);
    assert_eq!(api.get("/contacts/ann@example.com").await.body["_externalId"], "c1");
    assert_eq!(api.send("DELETE", "/contacts/ann@example.com", json!({})).await.status, 404);
    assert_eq!(api.get("/contacts").await.status, 404, "nothing lists contacts");
}

#[tokio::test]
async fn a_write_is_readable_after_the_lag_and_a_persons_at_once() {
    let (sandbox, api) = Api::start().await;
    sandbox.connectif().set_write_lag(WriteLag::Millis(2_000));
    sandbox.connectif().set_guesses(Guesses { new_contacts_lag: true, ..Guesses::default() });
    let name = || async { api.get("/contacts/ann@example.com").await.body["_name"].clone() };
    api.patch("ann@example.com", json!({"_name": "Ann"})).await;
    assert_eq!(name().await, Value::Null);
    assert_eq!(sandbox.connectif().contact("ann@example.com").unwrap()["_name"], "Ann");
    assert_eq!(api.patch("ann@example.com", json!({"_surname": "Lee"})).await.status, 200);
    sandbox.advance(SignedDuration::from_secs(2));
    assert_eq!(name().await, "Ann");
    sandbox.connectif().set_write_lag(WriteLag::UntilReleased);
    api.patch("ann@example.com", json!({"_name": "Anna"})).await;
    sandbox.advance(SignedDuration::from_hours(1));
    assert_eq!(name().await, "Ann");
    sandbox.connectif().release();
    assert_eq!(name().await, "Anna");
    let edit = AccountAct::EditContact { email: "ann@example.com".into(), fields: json!({"_name": "Annie"}) };
    act(&sandbox, edit);
    assert_eq!(name().await, "Annie");
}

#[tokio::test]
async fn every_answer_tells_the_limit_and_one_beyond_it_is_refused() {
    let (sandbox, api) = Api::start().await;
    sandbox.connectif().set_limit(Some(Limit { requests: 2, per_seconds: 10 }));
    let first = api.get("/contacts/x@example.com").await;
    let header = |answer: &Answer, name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header(&first, "x-ratelimit-limit"), "2");
    assert_eq!(header(&first, "x-ratelimit-remaining"), "1");
    assert_eq!(header(&first, "x-ratelimit-reset"), "1795248010");
    api.get("/contacts/x@example.com").await;
    let refused = api.get("/contacts/x@example.com").await;
    assert_eq!((refused.status, header(&refused, "x-ratelimit-remaining")), (429, "0".into()));
    assert_eq!(refused.headers.get("retry-after"), None, "only the reset is told");
    sandbox.advance(SignedDuration::from_secs(10));
    assert_eq!(api.get("/contacts/x@example.com").await.status, 404);
}

#[tokio::test]
async fn only_a_subscription_that_begins_and_a_reactivation_send_messages() {
    let (sandbox, api) = Api::start().await;
    api.patch("ann@example.com", json!({"_name": "Ann", "_emailStatus": "active"})).await;
    api.patch(
        "ann@example.com",
        json!({"_newsletterSubscriptionStatus": "unsubscribed", "_emailStatus": "paused"}),
    )
    .await;
    assert_eq!(sandbox.connectif().messages(), Messages::default());
    let subscribe =
        json!({"_newsletterSubscriptionStatus": "subscribed", "_smsSubscriptionStatus": "subscribed"});
    api.patch("ann@example.com", subscribe.clone()).await;
    api.patch("ann@example.com", subscribe).await;
    api.patch("ann@example.com", json!({"_emailStatus": "active"})).await;
    let expected = Messages { welcome_mails: 1, welcome_texts: 1, reactivations: 1 };
    assert_eq!(sandbox.connectif().messages(), expected);
}

#[tokio::test]
async fn purchases_move_the_computed_values_and_not_the_time_of_the_last_update() {
    let (sandbox, api) = Api::start().await;
    create(&sandbox, "ann@example.com");
    let before = api.get("/contacts/ann@example.com").await.body;
    assert_eq!((&before["_totalPurchases"], before.get("_rfm")), (&json!(0), None));
    sandbox.advance(SignedDuration::from_hours(1));
    for amount in [40.0, 80.0] {
        act(&sandbox, AccountAct::Purchase { email: "ann@example.com".into(), amount });
    }
    let after = api.get("/contacts/ann@example.com").await.body;
    assert_eq!((&after["_totalPurchases"], &after["_totalPurchasesAmount"]), (&json!(2), &json!(120.0)));
    assert_eq!((&after["_averagePurchasesAmount"], &after["_rfm"]), (&json!(60.0), &json!("523")));
    assert_eq!(after["_updatedAt"], before["_updatedAt"]);
}

#[tokio::test]
async fn an_export_is_finished_after_a_few_polls_and_its_file_is_a_zip() {
    let (sandbox, api) = Api::start().await;
    create(&sandbox, "ann@example.com");
    sandbox.advance(SignedDuration::from_hours(1));
    create(&sandbox, "ben@example.com");
    let contacts = json!({"exportType": "contacts", "delimiter": ";"});
    let (export, polls) = api.export(contacts.clone()).await;
    assert_eq!((polls, &export["total"]), (3, &json!(2)));
    assert_eq!(&api.file(&export).await[..4], b"PK\x03\x04");

    let guesses = Guesses { export_file: ExportFile::Csv, export_polls: 1, ..Guesses::default() };
    sandbox.connectif().set_guesses(guesses.clone());
    let csv = String::from_utf8(api.file(&api.export(contacts).await.0).await).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("_email;_name;_surname;"), "{}", lines[0]);
    assert!(lines[1].starts_with("ann@example.com;Ann;") && lines.len() == 3);

    let since = json!({"exportType": "contacts", "filters": {"fromDate": "2026-11-21T08:30:00Z"}});
    assert_eq!(api.export(since.clone()).await.0["total"], 1);
    let edit = AccountAct::EditContact { email: "ann@example.com".into(), fields: json!({"_name": "Anna"}) };
    act(&sandbox, edit);
    assert_eq!(api.export(since.clone()).await.0["total"], 1, "the dates are those of creation");
    sandbox.connectif().set_guesses(Guesses { export_dates: ExportDates::Updated, ..guesses });
    assert_eq!(api.export(since).await.0["total"], 2);
    let wrong = api.send("POST", "/exports", json!({"exportType": "everything"})).await;
    assert_eq!((wrong.status, &wrong.body["validationErrors"][0]["path"]), (400, &json!("exportType")));
}

#[tokio::test]
async fn a_data_explorer_export_spans_31_days_at_most() {
    let (_sandbox, api) = Api::start().await;
    let explore = |to: &str| {
        let filters = json!({"reportId": "r1", "fromDate": "2026-11-01T00:00:00Z", "toDate": to});
        api.send("POST", "/exports/type/data-explorer", json!({"delimiter": ",", "filters": filters}))
    };
    assert_eq!(explore("2026-12-02T00:00:00Z").await.status, 201);
    assert_eq!(explore("2026-12-03T00:00:00Z").await.status, 400);
}

#[tokio::test]
async fn an_import_fills_or_overrides_as_it_is_told() {
    let (sandbox, api) = Api::start().await;
    create(&sandbox, "ann@example.com");
    let import = |only_empty: &'static str| {
        let part = |name: &str, value: &str| {
            format!("--X\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let csv = "_email,_name,company\nann@example.com,Anna,Acme\nben@example.com,Ben,\n";
        let body = part("type", "contacts")
            + &part("overrideExisting", "true")
            + &part("updateOnlyEmptyFields", only_empty)
            + &part("file", csv)
            + "--X--\r\n";
        answer(
            api.request("POST", "/imports")
                .header("content-type", "multipart/form-data; boundary=X")
                .body(body),
        )
    };
    let begun = import("true").await;
    assert_eq!((begun.status, &begun.body["total"]), (201, &json!(2)));
    let ann = || sandbox.connectif().contact("ann@example.com").unwrap();
    assert_eq!((&ann()["_name"], &ann()["company"]), (&json!("Ann"), &json!("Acme")));
    import("false").await;
    assert_eq!(ann()["_name"], "Anna");
    let progress = api.get(&format!("/imports/{}", begun.body["id"].as_str().unwrap())).await;
    assert_eq!((progress.status, &progress.body["status"]), (200, &json!("finished")));
}

#[tokio::test]
async fn a_public_event_is_strict_and_a_webhook_event_creates_the_contact() {
    let (sandbox, api) = Api::start().await;
    let definitions = sandbox.connectif().event_definitions();
    let path = format!("/events/{}", definitions[0].id);
    let event = json!({"email": "ann@example.com", "title": "Call"});
    assert_eq!(api.send("POST", &path, event.clone()).await.status, 404, "the contact is unknown");
    assert_eq!(api.send("POST", &format!("{path}?createContact=true"), event.clone()).await.status, 200);
    assert_eq!(api.send("POST", &path, json!({"email": "ann@example.com", "x": 1})).await.status, 400);
    assert_eq!(api.send("POST", &path, json!({"title": "Call"})).await.status, 400);
    let huge = json!({"email": "ann@example.com", "title": "x".repeat(512 * 1024)});
    assert_eq!(api.send("POST", &path, huge).await.status, 413);

    let open = format!("{}{}", api.base, sandbox.connectif().event_webhook_path().unwrap());
    let body = json!({"data": {"email": "Ben@example.com"}, "anything": [1]});
    assert_eq!(answer(api.http.post(&open).json(&body)).await.status, 200, "without a key");
    assert_eq!(answer(api.http.post(open.replace("0b9d", "1b9d")).json(&body)).await.status, 404);
    let events = sandbox.connectif().events();
    let seen: Vec<_> = events.iter().map(|event| event.email.as_str()).collect();
    assert_eq!(seen, ["ann@example.com", "ben@example.com"]);
    assert!(sandbox.connectif().contact("ben@example.com").is_some());
}

#[tokio::test]
async fn a_workflow_calls_out_once_and_unsigned_in_either_shape() {
    let (sandbox, api) = Api::start().await;
    let receiver = Receiver::start().await;
    sandbox.connectif().set_webhook_target(Some(receiver.url.clone()));
    let outbox = sandbox.connectif().webhooks();
    api.patch("ann@example.com", json!({"_name": "Ann"})).await;
    let fields = json!({"task_id": "t1"}).as_object().unwrap().clone();
    let run =
        AccountAct::RunWorkflow { email: "ann@example.com".into(), event: "task.completed".into(), fields };
    act(&sandbox, run.clone());
    assert_eq!(outbox.flush(Order::Queued).await.delivered, 2);
    let bodies: Vec<Value> = receiver.take().iter().map(crate::client::Received::json).collect();
    assert_eq!(
        (&bodies[0]["event"], &bodies[0]["email"]),
        (&json!("contact.created"), &json!("ann@example.com"))
    );
    assert_eq!((&bodies[1]["event"], &bodies[1]["task_id"]), (&json!("task.completed"), &json!("t1")));
    sandbox.connectif().set_guesses(Guesses {
        webhook_body: WebhookBody::Nested,
        announces_api_writes: false,
        ..Guesses::default()
    });
    api.patch("ann@example.com", json!({"_name": "Anna"})).await;
    receiver.answer_with(503);
    act(&sandbox, run);
    assert_eq!(outbox.flush(Order::Queued).await.failed, 1, "there is no second attempt");
    let last = outbox.webhooks().pop().unwrap();
    assert_eq!(
        (last.standing, last.json()["data"]["contact"]["_email"].clone()),
        (Standing::Failed, json!("ann@example.com"))
    );
}

#[tokio::test]
async fn every_trigger_of_the_connector_is_set_off_by_its_name() {
    let (sandbox, _api) = Api::start().await;
    let triggers = [
        "contact.updated",
        "contact.created",
        "contact.unsubscribed",
        "purchase",
        "cart.abandoned",
        "segment.entered",
        "task.completed",
        "contact.deleted",
    ];
    for trigger in triggers {
        sandbox.connectif().emit(trigger).unwrap();
        let sent = sandbox.connectif().webhooks().webhooks().pop().unwrap();
        assert_eq!((sent.event.as_str(), &sent.json()["event"]), (trigger, &json!(trigger)));
    }
    assert!(sandbox.connectif().emit("nonsense").is_err());
}

#[tokio::test]
async fn a_new_contact_can_be_read_at_once_unless_it_lags_as_well() {
    let (sandbox, api) = Api::start().await;
    sandbox.connectif().set_write_lag(WriteLag::Millis(2_000));
    api.patch("ann@example.com", json!({"_name": "Ann"})).await;
    assert_eq!(api.get("/contacts/ann@example.com").await.body["_name"], "Ann");
    api.patch("ann@example.com", json!({"_name": "Anna"})).await;
    assert_eq!(api.get("/contacts/ann@example.com").await.body["_name"], "Ann");
}

#[tokio::test]
async fn faults_sample_people_and_the_page_reach_connectif_as_well() {
    let (sandbox, api) = Api::start().await;
    sandbox.faults().add(Fault::next(1, "connectif.contacts.patch", Effect::lie(502)));
    assert_eq!(api.patch("ann@example.com", json!({"_name": "Ann"})).await.status, 502);
    assert_eq!(api.get("/contacts/ann@example.com").await.body["_name"], "Ann");
    sandbox.faults().add(Fault::next(1, "connectif.*", Effect::TooManyRequests));
    let limited = api.get("/contacts/ann@example.com").await;
    assert_eq!((limited.status, limited.headers["x-ratelimit-remaining"].to_str().unwrap()), (429, "0"));
    assert!(sandbox.connectif().load(30).len() > 20);
    let page = api.http.get(format!("{}/browse/connectif", sandbox.control_url())).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("ann@example.com") && page.contains("connectif.contacts.get"));
    act(&sandbox, AccountAct::ChangeEmail { email: "ann@example.com".into(), to: "ann@example.org".into() });
    assert_eq!(api.get("/contacts/ann@example.com").await.status, 404);
    act(&sandbox, AccountAct::DeleteContact { email: "ann@example.org".into() });
    assert_eq!(sandbox.connectif().contact("ann@example.org"), None);
    sandbox.reset();
    assert!(sandbox.connectif().contacts().is_empty());
}
