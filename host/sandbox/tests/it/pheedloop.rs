//! The PheedLoop double.

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::outbox::{Order, Standing};
use contactor_sandbox::pheedloop::{Envelope, Errored, EventAct, Guesses, Signing, TagShape, Welcomes};
use contactor_sandbox::{Sandbox, SandboxConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Answer, Receiver, answer, http};

const EVENT: &str = "EVESANDBOX";

struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
    secret: String,
}

impl Api {
    async fn start() -> (Sandbox, Self) {
        let sandbox = Sandbox::start(SandboxConfig::for_tests()).await.unwrap();
        let double = sandbox.pheedloop();
        let base = format!("{}/{}", sandbox.pheedloop_url(), double.organization());
        let (key, secret) = (double.api_key().to_owned(), double.api_secret().to_owned());
        (sandbox, Self { http: http(), base, key, secret })
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.base))
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request =
            self.request(method, path).header("x-api-key", &self.key).header("x-api-secret", &self.secret);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    async fn create(&self, email: &str) -> String {
        let body = json!({
            "first_name": "Ada", "last_name": "Byron", "email": email, "send_app_welcome_email": false,
            "send_attendee_portal_welcome": false, "send_welcome_virtual_portal_email": false,
        });
        let created = self.send("POST", "/events/EVESANDBOX/attendees/", Some(body)).await;
        assert_eq!(created.status, 201, "{}", created.body);
        created.body["code"].as_str().unwrap().to_owned()
    }
}

fn guess(sandbox: &Sandbox, change: impl FnOnce(&mut Guesses)) {
    let mut guesses = sandbox.pheedloop().guesses();
    change(&mut guesses);
    sandbox.pheedloop().set_guesses(guesses);
}

#[tokio::test]
async fn the_two_headers_and_the_last_slash_are_needed() {
    let (_sandbox, api) = Api::start().await;
    let good = api.get("/events/").await;
    assert_eq!((good.status, &good.body["results"][0]["code"]), (200, &json!("EVESECOND")));
    assert!(good.headers.contains_key("pheedloop-api-version"));
    assert_eq!(api.get("/events").await.status, 404);
    assert_eq!(answer(api.request("GET", "/events/")).await.status, 401);
    let half = api.request("GET", "/events/").header("x-api-key", &api.key);
    assert_eq!(answer(half).await.status, 401);
    let wrong = api.request("GET", "/events/").header("x-api-key", &api.key).header("x-api-secret", "wrong");
    let wrong = answer(wrong).await;
    assert_eq!((wrong.status, wrong.body["detail"].is_string()), (403, true));
    let other = Api { base: api.base.replace("ORGSANDBOX", "ORGOTHER"), http: http(), ..api };
    assert_eq!(other.get("/events/").await.status, 404, "a wrong organisation is no wrong key");
}

#[tokio::test]
async fn a_list_ends_with_404_invalid_page_and_its_next_is_absolute() {
    let (sandbox, api) = Api::start().await;
    let loaded = sandbox.pheedloop().load(EVENT, 30).unwrap();
    assert!(loaded.len() > 20 && loaded.len() < 30, "people without email or last name are left out");
    let first = api.get("/events/EVESANDBOX/attendees/?page_size=20").await.body;
    assert_eq!((&first["count"], &first["previous"]), (&json!(loaded.len()), &Value::Null));
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with(&format!("{}/events/EVESANDBOX/attendees/?", api.base)), "{next}");
    let second = api.get(next.strip_prefix(&api.base).unwrap()).await.body;
    assert_eq!(second["next"], Value::Null);
    let rows = first["results"].as_array().unwrap().iter().chain(second["results"].as_array().unwrap());
    let mut codes: Vec<&str> = rows.map(|row| row["code"].as_str().unwrap()).collect();
    codes.reverse();
    assert_eq!(codes, loaded, "the newest comes first");
    let beyond = api.get("/events/EVESANDBOX/attendees/?page_size=20&page=3").await;
    assert_eq!((beyond.status, &beyond.body), (404, &json!({ "detail": "Invalid page." })));
    guess(&sandbox, |guesses| guesses.page_size_max = 10);
    let capped = api.get("/events/EVESANDBOX/attendees/?page_size=20").await.body;
    assert_eq!(capped["results"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn an_attendee_is_created_listed_updated_and_removed_and_cannot_be_read_alone() {
    let (sandbox, api) = Api::start().await;
    let code = api.create("ada@example.com").await;
    assert!(code.starts_with("ATT"));
    let path = format!("/events/EVESANDBOX/attendees/{code}/");
    assert_eq!(api.get(&path).await.status, 405);
    let patch = json!({ "organization": "Analytics", "tags": ["vip", "vip"], "metadata": { "a": 1 } });
    let patched = api.send("PATCH", &path, Some(patch)).await;
    assert_eq!((patched.status, &patched.body), (200, &json!({ "code": code })), "the code and no more");
    api.send("PATCH", &path, Some(json!({ "metadata": { "b": 2 } }))).await;
    let row = sandbox.pheedloop().attendee(EVENT, "ADA@example.com").unwrap();
    assert_eq!((&row["organization"], &row["tags"]), (&json!("Analytics"), &json!(["vip"])));
    assert_eq!(row["metadata"], json!({ "b": 2 }), "metadata is replaced as a whole");
    assert_eq!(row["last_name"], "Byron");
    guess(&sandbox, |guesses| {
        guesses.answers_code_only = false;
        guesses.single_attendee = true;
        guesses.tags = TagShape::Objects;
    });
    assert_eq!(api.get(&path).await.body["tags"][0]["name"], "vip");
    let patched = api.send("PATCH", &path, Some(json!({ "tags": [{ "name": "press" }] }))).await;
    assert_eq!(patched.body["tags"], json!([{ "id": 1, "name": "press" }]));
    assert_eq!(api.send("DELETE", &path, None).await.status, 204);
    assert_eq!(api.send("PATCH", &path, Some(json!({}))).await.status, 404);
}

#[tokio::test]
async fn refused_fields_are_named_and_null_is_no_text() {
    let (sandbox, api) = Api::start().await;
    let post = |body: Value| api.send("POST", "/events/EVESANDBOX/attendees/", Some(body));
    let missing = post(json!({ "first_name": "Ada" })).await;
    assert_eq!(missing.status, 400);
    assert!(missing.body["email"][0].is_string() && missing.body["last_name"][0].is_string());
    assert!(post(json!({ "email": "ada" })).await.body["email"][0].as_str().unwrap().contains("valid email"));
    let code = api.create("ada@example.com").await;
    let path = format!("/events/EVESANDBOX/attendees/{code}/");
    for body in [json!({ "title": null }), json!({ "last_name": "" }), json!({ "tags": "vip" })] {
        assert_eq!(api.send("PATCH", &path, Some(body)).await.status, 400);
    }
    assert_eq!(api.send("PATCH", &path, Some(json!({ "title": "" }))).await.status, 200);
    api.create("ada@example.com").await;
    assert_eq!(sandbox.pheedloop().attendees(EVENT).len(), 2, "an email need not be unique");
    guess(&sandbox, |guesses| guesses.unique_email = true);
    let body = json!({ "first_name": "Ada", "last_name": "Byron", "email": "ADA@example.com" });
    assert!(post(body).await.body["email"][0].as_str().unwrap().contains("already exists"));
    let unread = api.request("POST", "/events/EVESANDBOX/attendees/").header("x-api-key", &api.key);
    assert_eq!(answer(unread.header("x-api-secret", &api.secret).body("{")).await.status, 400);
}

#[tokio::test]
async fn a_welcome_goes_out_unless_its_switch_says_no() {
    let (sandbox, api) = Api::start().await;
    api.create("ada@example.com").await;
    assert_eq!(sandbox.pheedloop().welcomes(), Welcomes::default());
    let body = json!({
        "first_name": "Ben", "last_name": "Lee", "email": "ben@example.com", "send_attendee_portal_welcome": false
    });
    api.send("POST", "/events/EVESANDBOX/attendees/", Some(body)).await;
    assert_eq!(sandbox.pheedloop().welcomes(), Welcomes { app: 1, portal: 0, virtual_portal: 1 });
    let bulk = json!([{ "first_name": "Cy", "last_name": "Fox", "email": "cy@example.com" }]);
    api.send("POST", "/events/EVESANDBOX/attendeesbulk/", Some(bulk)).await;
    assert_eq!(sandbox.pheedloop().welcomes().total(), 5, "a bulk create mails as well");
}

#[tokio::test]
async fn in_bulk_one_refusal_refuses_all_and_a_delete_has_a_body() {
    let (sandbox, api) = Api::start().await;
    let path = "/events/EVESANDBOX/attendeesbulk/";
    let person = |email: &str| json!({ "first_name": "A", "last_name": "B", "email": email });
    let bad = api.send("POST", path, Some(json!([person("a@example.com"), person("b")]))).await;
    assert_eq!((bad.status, sandbox.pheedloop().attendees(EVENT).len()), (400, 0));
    assert_eq!(sandbox.pheedloop().welcomes().total(), 0);
    let made = api.send("POST", path, Some(json!([person("a@example.com"), person("b@example.com")]))).await;
    assert_eq!(made.status, 201);
    let code = made.body[0]["code"].clone();
    let patch = json!([{ "code": code, "title": "Dr" }]);
    assert_eq!(api.send("PATCH", path, Some(patch)).await.status, 200);
    assert_eq!(sandbox.pheedloop().attendee(EVENT, "a@example.com").unwrap()["title"], "Dr");
    assert_eq!(api.send("DELETE", path, Some(json!({ "codes": ["ATT0"] }))).await.status, 404);
    assert_eq!(api.send("DELETE", path, Some(json!({ "codes": [code] }))).await.status, 204);
    assert_eq!(sandbox.pheedloop().attendees(EVENT).len(), 1);
}

#[tokio::test]
async fn a_check_in_succeeds_while_some_of_its_codes_fail() {
    let (sandbox, api) = Api::start().await;
    let code = api.create("ada@example.com").await;
    let other = api.create("ben@example.com").await;
    let body = json!({ "codes": [code, "ATTNOBODY"] });
    let done = api.send("POST", "/events/EVESANDBOX/checkin/", Some(body.clone())).await;
    assert_eq!((done.status, done.body["attendees"].as_array().unwrap().len()), (200, 1));
    assert_eq!(done.body["errored_attendees"][0]["code"], "ATTNOBODY");
    guess(&sandbox, |guesses| guesses.errored = Errored::Codes);
    let again = api.send("POST", "/events/EVESANDBOX/checkin/", Some(body.clone())).await;
    assert_eq!(again.body["errored_attendees"], json!(["ATTNOBODY"]));
    let attendance = api.get("/events/EVESANDBOX/attendance/").await.body;
    assert_eq!(attendance, json!({ "checked_in": [code], "not_checked_in": [other] }));
    assert_eq!(api.send("DELETE", "/events/EVESANDBOX/checkout/", Some(body)).await.status, 200);
    assert_eq!(sandbox.pheedloop().attendee(EVENT, &code).unwrap()["is_checked_in"], false);

    let session = api.get("/events/EVESANDBOX/sessions/").await.body["results"][0]["code"].clone();
    let path = format!("/events/EVESANDBOX/sessions/{}/attendance/", session.as_str().unwrap());
    let codes = json!({ "codes": [code] });
    assert_eq!(api.send("POST", &path, Some(codes.clone())).await.body, json!({ "attendees": [code] }));
    assert_eq!(api.send("PATCH", &path, Some(json!({ "codes": ["ATT0"] }))).await.status, 400);
    assert_eq!(api.get(&path).await.body, json!({ "attendees": [code] }));
    assert_eq!(api.send("DELETE", &path, Some(codes)).await.body, json!({ "attendees": [] }));
}

#[tokio::test]
async fn registrations_are_read_only_and_filtered_by_whole_days() {
    let (sandbox, api) = Api::start().await;
    let register = |email: &str| {
        let fields = json!({ "first_name": "Ada", "last_name": "Byron", "email": email });
        sandbox.pheedloop().act(EventAct::Register { event: None, fields }).unwrap()
    };
    register("ada@example.com");
    sandbox.advance(SignedDuration::from_hours(24));
    let late = register("ben@example.com");
    let path = "/events/EVESANDBOX/registrations/";
    let days = async |query: &str| {
        let body = api.get(&format!("{path}?{query}")).await.body;
        body["results"].as_array().unwrap().len()
    };
    assert_eq!(days("").await, 2);
    assert_eq!(days("date_updated_gte=2026-11-22").await, 1);
    assert_eq!(days("date_updated_gte=2026-11-21&date_updated_lte=2026-11-21").await, 1);
    assert_eq!(days("date_updated_gte=2026-11-22T07:00:00Z").await, 0, "a day and nothing finer");
    let registration = late["code"].as_str().unwrap().to_owned();
    sandbox.advance(SignedDuration::from_hours(48));
    sandbox.pheedloop().act(EventAct::CancelRegistration { event: None, registration }).unwrap();
    let changed = api.get(&format!("{path}?date_updated_gte=2026-11-24")).await.body;
    assert_eq!((&changed["count"], &changed["results"][0]["is_canceled"]), (&json!(1), &json!(true)));
    assert_eq!(api.send("POST", path, Some(json!({}))).await.status, 404);
    assert_eq!(sandbox.pheedloop().welcomes().total(), 0);
}

#[tokio::test]
async fn a_rest_hook_is_subscribed_by_action_and_sends_what_happens_in_its_event() {
    let (sandbox, api) = Api::start().await;
    let receiver = Receiver::start().await;
    let path = "/events/EVESANDBOX/resthooks/";
    let subscribe = |action: &str| json!({ "action": action, "endpoint": receiver.url.as_str() });
    assert_eq!(api.send("POST", path, Some(subscribe("attendee.sparkled"))).await.status, 400);
    let hook = api.send("POST", path, Some(subscribe("attendee.updated"))).await;
    assert_eq!((hook.status, hook.body["id"].is_u64(), &hook.body["event"]), (201, true, &json!(EVENT)));
    let own = format!("{path}{}/", hook.body["id"]);
    assert_eq!(api.get(&own).await.body["action"], "attendee.updated");

    let code = api.create("ada@example.com").await;
    let attendee = format!("/events/EVESANDBOX/attendees/{code}/");
    let outbox = sandbox.pheedloop().webhooks();
    for (envelope, pointer) in [
        (Envelope::Bare, "/code"),
        (Envelope::Named, "/data/code"),
        (Envelope::RestHook, "/data/code"),
        (Envelope::Mention, "/code"),
    ] {
        guess(&sandbox, |guesses| guesses.envelope = envelope);
        api.send("PATCH", &attendee, Some(json!({ "title": "Dr" }))).await;
        assert_eq!(outbox.flush(Order::Queued).await.delivered, 1, "an update only");
        assert_eq!(receiver.take()[0].json().pointer(pointer), Some(&json!(code)), "{envelope:?}");
    }
    guess(&sandbox, |guesses| guesses.signing = Signing::Header);
    let edit = EventAct::EditAttendee { event: None, attendee: code.clone(), fields: json!({ "title": "" }) };
    sandbox.pheedloop().act(edit).unwrap();
    outbox.flush(Order::Queued).await;
    let secret = sandbox.pheedloop().webhook_secret(EVENT);
    assert_eq!(receiver.take()[0].header("x-pheedloop-secret"), secret);

    assert_eq!(api.send("PUT", &own, Some(subscribe("attendee.deleted"))).await.status, 200);
    guess(&sandbox, |guesses| guesses.echoes_api_writes = false);
    api.send("DELETE", &attendee, None).await;
    assert!(outbox.of_type("attendee.deleted").is_empty(), "no echo when there is none");
    assert_eq!(api.send("DELETE", &own, None).await.status, 204);
    assert_eq!(api.get(&own).await.status, 404);
}

#[tokio::test]
async fn a_hook_that_points_elsewhere_is_never_called() {
    let (sandbox, api) = Api::start().await;
    let body = json!({ "action": "attendee.created", "endpoint": "https://hooks.example.com/mine" });
    api.send("POST", "/events/EVESANDBOX/resthooks/", Some(body)).await;
    api.create("ada@example.com").await;
    let sent = sandbox.pheedloop().webhooks().webhooks();
    assert_eq!((sent.len(), sent[0].standing), (1, Standing::NoTarget));
}

#[tokio::test]
async fn members_tags_memberships_and_organisations_are_the_organisations_own() {
    let (sandbox, api) = Api::start().await;
    let member = json!({ "first_name": "Ada", "last_name": "Byron", "email": "ada@example.com" });
    let created = api.send("POST", "/members/", Some(member.clone())).await;
    let code = created.body["code"].as_str().unwrap();
    assert!(created.status == 201 && code.starts_with("MBR"));
    assert_eq!(
        api.send("PATCH", &format!("/members/{code}/"), Some(json!({ "title": "Dr" }))).await.status,
        200
    );
    assert_eq!(sandbox.pheedloop().members()[0]["title"], "Dr");
    sandbox.advance(SignedDuration::from_hours(24));
    let bulk = api.send("POST", "/membersbulk/", Some(json!([member]))).await;
    assert_eq!(bulk.status, 201);
    let update = json!([{ "code": bulk.body[0]["code"], "title": "Prof" }]);
    assert_eq!(api.send("PATCH", "/membersbulk/", Some(update)).await.status, 200);
    let recent = api.get("/members/?registration_date_updated_gte=2026-11-22").await.body;
    assert_eq!(recent["count"], 1);
    for path in ["/contacttags/", "/memberships/", "/members/organization/"] {
        let new = api.send("POST", path, Some(json!({ "name": "New" }))).await;
        let own = format!("{path}{}/", new.body["code"].as_str().unwrap());
        assert_eq!(api.send("PATCH", &own, Some(json!({ "name": "Renamed" }))).await.status, 200, "{path}");
        assert_eq!(api.send("DELETE", &own, None).await.status, 204, "{path}");
        assert_eq!(api.send("PATCH", &own, Some(json!({}))).await.status, 404, "{path}");
    }
    let gold = api.get("/memberships/").await.body["results"][1]["code"].as_str().unwrap().to_owned();
    let assign =
        |codes: Value| api.send("POST", "/memberships/MSH1000001/assign/", Some(json!({ "codes": codes })));
    assert_eq!(gold, "MSH1000001");
    assert_eq!(assign(json!([code])).await.status, 200);
    assert_eq!(assign(json!(["MBR0"])).await.status, 400);
    assert_eq!(api.get("/tickets/").await.body["count"], 2);
    assert_eq!(api.get("/events/EVESANDBOX/tickettransferlogs/").await.body["count"], 0);
}

#[tokio::test]
async fn event_tags_lie_where_the_guess_says_and_reports_have_small_pages() {
    let (sandbox, api) = Api::start().await;
    sandbox.pheedloop().load(EVENT, 150).unwrap();
    assert!(api.get("/events/EVESANDBOX/tags/").await.body["results"][0]["id"].is_u64());
    guess(&sandbox, |guesses| guesses.event_tags_path = "eventtags".into());
    assert_eq!(api.get("/events/EVESANDBOX/tags/").await.status, 404);
    assert_eq!(api.get("/events/EVESANDBOX/eventtags/").await.status, 200);
    let report = api.get("/reports/REPSANDBOX/?page_size=500").await.body;
    assert_eq!(report["results"].as_array().unwrap().len(), 100);
    assert_eq!(api.get("/reports/REPNONE/").await.status, 404);
}

#[tokio::test]
async fn faults_and_a_limit_reach_pheedloop_as_well() {
    let (sandbox, api) = Api::start().await;
    sandbox.faults().add(Fault::next(1, "pheedloop.attendees.create", Effect::Drop { after: true }));
    let body = json!({ "first_name": "Ada", "last_name": "Byron", "email": "ada@example.com" });
    let request = api.request("POST", "/events/EVESANDBOX/attendees/").json(&body);
    assert!(request.header("x-api-key", &api.key).header("x-api-secret", &api.secret).send().await.is_err());
    assert_eq!(sandbox.pheedloop().attendees(EVENT).len(), 1, "it was carried out");
    sandbox.faults().add(Fault::next(1, "pheedloop.*", Effect::TooManyRequests));
    assert_eq!(api.get("/events/").await.status, 429);
    guess(&sandbox, |guesses| guesses.requests_per_minute = Some(2));
    assert_eq!([api.get("/events/").await.status, api.get("/events/").await.status], [200, 200]);
    assert_eq!(api.get("/events/").await.status, 429);
    sandbox.advance(SignedDuration::from_mins(1));
    assert_eq!(api.get("/events/").await.status, 200);
    sandbox.pheedloop().revoke_key();
    assert_eq!(api.get("/events/").await.status, 403);
    sandbox.reset();
    assert_eq!(api.get("/events/").await.status, 200);
    assert!(sandbox.pheedloop().attendees(EVENT).is_empty());
}
