//! The Prefinery double.

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::outbox::{Order, Standing};
use contactor_sandbox::prefinery::{Envelope, Guesses, Mails, ProjectAct, Visibility};
use contactor_sandbox::{Sandbox, SandboxConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Answer, Receiver, answer, http};

struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Api {
    async fn start() -> (Sandbox, Self) {
        let sandbox = Sandbox::start(SandboxConfig::for_tests()).await.unwrap();
        let base = format!("{}/betas/1", sandbox.prefinery_url());
        let key = sandbox.prefinery().api_key().to_owned();
        (sandbox, Self { http: http(), base, key })
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let method = method.parse::<reqwest::Method>().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    async fn create(&self, email: &str) -> Answer {
        self.send("POST", "/testers.json", Some(json!({"tester": {"email": email}}))).await
    }
}

fn pagination(answer: &Answer) -> Value {
    serde_json::from_str(answer.headers["x-pagination"].to_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_key_is_taken_three_ways_with_or_without_json_in_the_path() {
    let (sandbox, api) = Api::start().await;
    let url = |suffix: &str| format!("{}/betas{suffix}", sandbox.prefinery_url());
    let basic = answer(api.http.get(url("")).basic_auth(&api.key, Some(""))).await;
    let bearer = answer(api.http.get(url(".json")).bearer_auth(&api.key)).await;
    let query = answer(api.http.get(format!("{}?api_key={}", url(".json"), api.key))).await;
    for answer in [&basic, &bearer, &query] {
        assert_eq!((answer.status, answer.body[0]["id"].as_u64()), (200, Some(1)));
    }
    let wrong = answer(api.http.get(url("")).bearer_auth("wrong")).await;
    assert_eq!((wrong.status, wrong.body["errors"][0]["message"].is_string()), (401, true));
    sandbox.prefinery().set_guesses(Guesses { bad_key_status: 403, ..Guesses::default() });
    assert_eq!(answer(api.http.get(url(""))).await.status, 403);
}

#[tokio::test]
async fn a_tester_is_created_read_updated_and_deleted() {
    let (sandbox, api) = Api::start().await;
    let profile = json!({"first_name": "Ann", "last_name": "Lee", "custom_var1": "42", "shoe": "L"});
    let body = json!({"tester": {"email": "Ann@example.com", "groups": "vip, beta ", "profile": profile}});
    let created = api.send("POST", "/testers.json", Some(body)).await;
    assert_eq!(created.status, 201);
    let tester = &created.body;
    assert_eq!((&tester["status"], &tester["groups"]), (&json!("imported"), &json!("vip,beta")));
    assert_eq!((&tester["profile"]["first_name"], tester["profile"].get("shoe")), (&json!("Ann"), None));
    assert_eq!(tester["created_at"], "2026-11-21T08:00:00Z", "whole seconds");

    let id = tester["id"].as_u64().unwrap();
    let uuid = tester["uuid"].as_str().unwrap();
    assert_eq!(api.send("GET", &format!("/testers/{uuid}"), None).await.body["id"], json!(id));
    sandbox.advance(SignedDuration::from_secs(5));
    let update = json!({"tester": {"profile": {"custom_var1": null, "custom_var2": "x"}}});
    let updated = api.send("PUT", &format!("/testers/{id}.json"), Some(update)).await;
    assert_eq!((updated.status, &updated.body["updated_at"]), (200, &json!("2026-11-21T08:00:05Z")));
    assert_eq!(
        (&updated.body["profile"]["custom_var1"], &updated.body["profile"]["last_name"]),
        (&Value::Null, &json!("Lee"))
    );
    assert_eq!(api.send("POST", &format!("/testers/{id}/checkin"), None).await.status, 202);
    assert_eq!(api.send("DELETE", &format!("/testers/{id}"), None).await.status, 200);
    assert_eq!(api.send("GET", &format!("/testers/{id}"), None).await.status, 404);
}

#[tokio::test]
async fn a_known_email_is_error_2310_and_a_wrong_content_type_breaks_the_vendor() {
    let (sandbox, api) = Api::start().await;
    assert_eq!(api.create("ann@example.com").await.status, 201);
    let again = api.create("ANN@example.com").await;
    assert_eq!((again.status, &again.body["errors"][0]["code"]), (422, &json!(2310)));
    sandbox.prefinery().set_guesses(Guesses { invalid_status: 400, ..Guesses::default() });
    assert_eq!(api.create("ann@example.com").await.status, 400);
    let request = api.http.post(format!("{}/testers", api.base)).bearer_auth(&api.key);
    assert_eq!(answer(request.body(r#"{"tester":{"email":"b@example.com"}}"#)).await.status, 500);
    let unwrapped = api.send("POST", "/testers", Some(json!({"email": "b@example.com"}))).await;
    assert_eq!(unwrapped.status, 400);
    assert_eq!(sandbox.prefinery().testers(1).len(), 1);
}

#[tokio::test]
async fn only_invited_and_rejected_send_mail() {
    let (sandbox, api) = Api::start().await;
    let id = api.create("ann@example.com").await.body["id"].as_u64().unwrap();
    let path = format!("/testers/{id}");
    let set = |status: &str| api.send("PUT", &path, Some(json!({"tester": {"status": status}})));
    set("applied").await;
    set("active").await;
    assert_eq!(sandbox.prefinery().mails(1), Mails::default());
    let invited = set("invited").await;
    assert!(invited.body["invitation_code"].is_string() && invited.body["invited_at"].is_string());
    set("invited").await;
    set("rejected").await;
    let mails = sandbox.prefinery().mails(1);
    assert_eq!((mails.invitations, mails.rejections), (1, 1), "writing a status again sends nothing");
    let code = invited.body["invitation_code"].as_str().unwrap();
    assert_eq!(
        api.send("GET", &format!("/testers/{id}/verify?invitation_code={code}"), None).await.status,
        200
    );
    assert_eq!(api.send("GET", &format!("/testers/{id}/verify?invitation_code=x"), None).await.status, 422);
    assert_eq!(set("nonsense").await.status, 422);
}

#[tokio::test]
async fn lists_are_bare_arrays_with_their_pages_in_a_header() {
    let (sandbox, api) = Api::start().await;
    let loaded = sandbox.prefinery().load(1, 70).unwrap();
    assert!(loaded.len() > 50 && loaded.len() < 70, "people without a usable email are left out");
    let mut seen = Vec::new();
    let mut page = Some(1);
    while let Some(number) = page {
        let list = api.send("GET", &format!("/testers.json?page={number}&per_page=100"), None).await;
        let rows = list.body.as_array().unwrap();
        assert!(rows.len() <= 25, "per_page cannot be set");
        seen.extend(rows.iter().map(|tester| tester["id"].as_u64().unwrap()));
        let data = pagination(&list);
        assert_eq!((&data["current_page"], &data["per_page"]), (&json!(number), &json!(25)));
        page = data["next_page"].as_u64();
    }
    assert_eq!(seen, loaded);
}

#[tokio::test]
async fn testers_are_searched_by_email_name_code_and_custom_values() {
    let (_sandbox, api) = Api::start().await;
    let profile = json!({"first_name": "Ann", "last_name": "Lee", "custom_var3": "blue"});
    let body = json!({"tester": {"email": "ann+x@example.com", "profile": profile}});
    let ann = api.send("POST", "/testers", Some(body)).await.body;
    api.create("ben@example.com").await;
    let code = ann["referral_code"].as_str().unwrap();
    let queries = [
        "email_is=ANN%2Bx@example.com".to_owned(),
        "email=ann%2Bx@example.com".to_owned(),
        "email_contains=ann".to_owned(),
        "name=ann%20l".to_owned(),
        "custom_vars=blue".to_owned(),
        format!("referral_code={code}"),
    ];
    for query in queries {
        let found = api.send("GET", &format!("/testers?{query}"), None).await;
        assert_eq!((found.body.as_array().unwrap().len(), &found.body[0]["id"]), (1, &ann["id"]), "{query}");
    }
    let miss = api.send("GET", "/testers?email_is=ann", None).await;
    assert_eq!((miss.status, &miss.body, &pagination(&miss)["next_page"]), (200, &json!([]), &Value::Null));
}

#[tokio::test]
async fn a_new_tester_is_not_found_for_a_while_though_its_email_is_taken() {
    let (sandbox, api) = Api::start().await;
    sandbox.prefinery().set_visibility(Visibility::Millis(300_000));
    let id = api.create("ann@example.com").await.body["id"].as_u64().unwrap();
    let search = || api.send("GET", "/testers?email_is=ann@example.com", None);
    assert_eq!(search().await.body, json!([]));
    assert_eq!(api.create("ann@example.com").await.body["errors"][0]["code"], 2310);
    assert_eq!(api.send("GET", &format!("/testers/{id}"), None).await.status, 200);
    sandbox.advance(SignedDuration::from_mins(5));
    assert_eq!(search().await.body[0]["id"], json!(id));
    sandbox.prefinery().set_visibility(Visibility::UntilReleased);
    api.create("ben@example.com").await;
    sandbox.advance(SignedDuration::from_hours(1));
    assert_eq!(api.send("GET", "/testers", None).await.body.as_array().unwrap().len(), 1);
    sandbox.prefinery().release();
    assert_eq!(api.send("GET", "/testers", None).await.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn rewards_and_points_are_listed_and_points_awarded() {
    let (sandbox, api) = Api::start().await;
    let id = api.create("ann@example.com").await.body["id"].to_string();
    let act = |act| sandbox.prefinery().act(1, act).unwrap();
    let reward = act(ProjectAct::EarnReward { tester: id, name: "Mug".into() });
    act(ProjectAct::DeliverReward { reward: reward["id"].as_u64().unwrap() });
    let listed = api.send("GET", "/rewards?email=ann@example.com&status=delivered", None).await;
    assert_eq!(
        (&listed.body[0]["name"], &listed.body[0]["delivered_at"]),
        (&json!("Mug"), &json!("2026-11-21T08:00:00Z"))
    );
    assert_eq!(api.send("GET", "/rewards?status=earned", None).await.body, json!([]));

    let points = |body: Value| api.send("POST", "/points", Some(body));
    assert_eq!(points(json!({"email": "ann@example.com", "quantity": 5})).await.status, 201);
    let codes = [
        (json!({"quantity": 5}), 2802),
        (json!({"email": "x@example.com", "quantity": 5}), 2803),
        (json!({"email": "ann@example.com"}), 2804),
    ];
    for (body, code) in codes {
        assert_eq!(points(body).await.body["errors"][0]["code"], json!(code));
    }
    assert_eq!(api.send("GET", "/points?email=ann@example.com", None).await.body[0]["quantity"], 5);
}

#[tokio::test]
async fn the_list_is_limited_to_60_a_minute() {
    let (sandbox, api) = Api::start().await;
    for _ in 0..60 {
        assert_eq!(api.send("GET", "/testers", None).await.status, 200);
    }
    assert_eq!(api.send("GET", "/testers", None).await.status, 429);
    sandbox.advance(SignedDuration::from_mins(1));
    assert_eq!(api.send("GET", "/testers", None).await.status, 200);
}

#[tokio::test]
async fn webhooks_are_signed_with_the_projects_secret_and_retried_by_its_rules() {
    let (sandbox, api) = Api::start().await;
    let receiver = Receiver::start().await;
    sandbox.prefinery().set_webhook_target(1, Some(receiver.url.clone()));
    let outbox = sandbox.prefinery().webhooks();
    let id = api.create("ann@example.com").await.body["id"].to_string();
    sandbox.prefinery().act(1, ProjectAct::EarnReward { tester: id, name: "Mug".into() }).unwrap();
    assert_eq!(outbox.flush(Order::Queued).await.delivered, 2);
    let received = receiver.take();
    let events: Vec<Value> = received.iter().map(|one| one.json()["event"].clone()).collect();
    assert_eq!(events, ["tester_created", "reward_earned"]);
    assert_eq!(received[0].json()["tester"]["email"], "ann@example.com");
    assert!(received[0].header("x-prefinery-signature").unwrap().starts_with("t=1795248000,v1="));

    receiver.answer_with(429);
    api.create("b@example.com").await;
    assert_eq!(outbox.flush(Order::Queued).await.retrying, 1);
    sandbox.advance(SignedDuration::from_secs(6));
    receiver.answer_with(204);
    assert_eq!(outbox.flush(Order::Queued).await.failed, 1, "204 loses the event");
    receiver.answer_with(410);
    api.create("c@example.com").await;
    outbox.flush(Order::Queued).await;
    assert_eq!(outbox.target("1"), None, "410 removes the endpoint");
    api.create("d@example.com").await;
    assert_eq!(outbox.webhooks().pop().unwrap().standing, Standing::NoTarget);
}

#[tokio::test]
async fn the_envelope_and_the_event_names_can_be_chosen() {
    let (sandbox, api) = Api::start().await;
    let names = [("tester_created".to_owned(), "user_joined".to_owned())].into();
    let guesses = Guesses { envelope: Envelope::TypeAndData, event_names: names, ..Guesses::default() };
    sandbox.prefinery().set_guesses(guesses);
    api.create("ann@example.com").await;
    let body = sandbox.prefinery().webhooks().webhooks().remove(0).json();
    assert_eq!((&body["type"], &body["data"]["email"]), (&json!("user_joined"), &json!("ann@example.com")));
}

#[tokio::test]
async fn faults_reach_prefinery_as_well() {
    let (sandbox, api) = Api::start().await;
    sandbox.faults().add(Fault::next(1, "prefinery.testers.create", Effect::lie(500)));
    assert_eq!(api.create("ann@example.com").await.status, 500);
    assert_eq!(api.create("ann@example.com").await.body["errors"][0]["code"], 2310);
    sandbox.faults().add(Fault::next(1, "prefinery.*", Effect::TooManyRequests));
    assert_eq!(api.send("GET", "/testers", None).await.status, 429);
    sandbox.prefinery().revoke_key();
    assert_eq!(api.send("GET", "/testers", None).await.status, 401);
}
