//! The Referrizer double.

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::referrizer::{
    AccountAct, CustomShape, DuplicateCode, Messages, Prefix, ReferrizerGuesses, Route,
};
use contactor_sandbox::{Sandbox, SandboxConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Answer, answer, http, id};

struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    async fn start() -> (Sandbox, Self) {
        let sandbox = Sandbox::start(SandboxConfig::for_tests()).await.unwrap();
        let (base, token) = (sandbox.referrizer_url(), sandbox.referrizer().token().to_owned());
        (sandbox, Self { http: http(), base, token })
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let method = method.parse::<reqwest::Method>().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(body)).await
    }

    async fn contact(&self, email: &str) -> String {
        let created = self.post("/contacts", json!({"firstName": "Ann", "email": email})).await;
        assert_eq!(created.status, 201, "{}", created.body);
        id(&created.body)
    }
}

fn guess(sandbox: &Sandbox, change: impl FnOnce(&mut ReferrizerGuesses)) {
    let mut guesses = sandbox.referrizer().guesses();
    change(&mut guesses);
    sandbox.referrizer().set_guesses(guesses);
}

fn code(answer: &Answer) -> (u16, &str) {
    assert!(answer.body["message"].is_string(), "{}", answer.body);
    (answer.status, answer.body["errorCode"].as_str().unwrap())
}

#[tokio::test]
async fn only_the_bearer_token_opens_the_door() {
    let (sandbox, api) = Api::start().await;
    assert_eq!(api.get("/contacts").await.status, 200);
    let url = format!("{}/contacts", api.base);
    assert_eq!(code(&answer(api.http.get(&url)).await), (401, "MISSING_TOKEN"));
    assert_eq!(code(&answer(api.http.get(&url).bearer_auth("wrong")).await), (401, "INVALID_TOKEN"));
    assert_eq!(answer(api.http.get(&url).basic_auth(&api.token, Some(""))).await.status, 401);
    sandbox.referrizer().revoke_token();
    assert_eq!(code(&api.get("/contacts").await), (401, "INVALID_TOKEN"));
}

#[tokio::test]
async fn it_answers_with_and_without_the_version_unless_told_otherwise() {
    let (sandbox, api) = Api::start().await;
    let both = [api.get("/contacts").await.status, api.get("/v1/contacts").await.status];
    assert_eq!(both, [200, 200]);
    guess(&sandbox, |guesses| guesses.prefix = Prefix::V1);
    assert_eq!([api.get("/contacts").await.status, api.get("/v1/contacts").await.status], [404, 200]);
    guess(&sandbox, |guesses| guesses.prefix = Prefix::None);
    assert_eq!([api.get("/contacts").await.status, api.get("/v1/contacts").await.status], [200, 404]);
}

#[tokio::test]
async fn lists_are_bare_arrays_of_30_and_at_most_100_with_the_total_in_a_header() {
    let (sandbox, api) = Api::start().await;
    let loaded = sandbox.referrizer().load(160).len();
    assert!((101..160).contains(&loaded), "people whom the vendor refuses are left out: {loaded}");
    let api = &api;
    let page = |query: &'static str| async move { api.get(&format!("/contacts{query}")).await };
    let count = |answer: &Answer| answer.body.as_array().unwrap().len();
    let first = page("").await;
    assert_eq!((count(&first), first.headers["x-total-count"].to_str().unwrap()), (30, &*loaded.to_string()));
    assert_eq!(count(&page("?perPage=500").await), 100);
    assert_eq!(count(&page("?perPage=100&page=2").await), loaded - 100);
    assert_eq!(count(&page("?page=99").await), 0);
    assert_eq!(code(&page("?page=0").await), (400, "ILLEGAL_ARGUMENT"));
}

#[tokio::test]
async fn a_change_moves_the_pages_under_a_readers_feet() {
    let (_sandbox, api) = Api::start().await;
    let first = api.contact("a@example.com").await;
    api.contact("b@example.com").await;
    assert_eq!(api.get("/contacts?perPage=1").await.body[0]["email"], "b@example.com");
    api.put(&format!("/contacts/{first}"), json!({"email": "a@example.com"})).await;
    assert_eq!(api.get("/contacts?perPage=1").await.body[0]["email"], "a@example.com");
}

#[tokio::test]
async fn a_contact_is_created_read_and_replaced_as_a_whole() {
    let (sandbox, api) = Api::start().await;
    let body =
        json!({"firstName": "Ann", "lastName": "Lee", "email": " Ann@example.com ", "phone": "+15550100"});
    let created = api.post("/contacts", body).await;
    let contact = id(&created.body);
    assert!(contact.len() == 32 && contact.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
    assert_eq!(
        (&created.body["email"], &created.body["status"]),
        (&json!("Ann@example.com"), &json!("LEAD"))
    );
    let path = format!("/contacts/{contact}");
    let read = api.get(&path).await.body;
    assert_eq!(read, created.body);
    assert_eq!(read.get("updatedAt"), None, "no source shows that contacts have times");

    let mut whole = read;
    whole["lastName"] = json!("Lee-Wong");
    assert_eq!(api.put(&path, whole).await.body["phone"], "+15550100", "what is shown may come back");
    let replaced = api.put(&path, json!({"email": "ann@example.com"})).await;
    assert_eq!((replaced.status, &replaced.body["lastName"]), (200, &Value::Null));
    guess(&sandbox, |guesses| guesses.update_replaces = false);
    api.put(&path, json!({"lastName": "Lee"})).await;
    assert_eq!(api.get(&path).await.body["email"], "ann@example.com");
    assert_eq!(api.send("DELETE", &path, None).await.status, 404, "no source tells of a delete");
    guess(&sandbox, |guesses| guesses.deletes = true);
    assert_eq!(api.send("DELETE", &path, None).await.status, 200);
    assert_eq!(code(&api.get(&path).await), (404, "RESOURCE_NOT_FOUND"));
}

#[tokio::test]
async fn a_taken_email_is_a_400_and_so_is_every_other_fault_of_the_data() {
    let (sandbox, api) = Api::start().await;
    let first = api.contact("ann@example.com").await;
    let second = api.contact("ben@example.com").await;
    let again = json!({"email": "ANN@example.com"});
    assert_eq!(code(&api.post("/contacts", again.clone()).await), (400, "NOT_UNIQUE"));
    assert_eq!(code(&api.put(&format!("/contacts/{second}"), again.clone()).await), (400, "NOT_UNIQUE"));
    assert_eq!(api.put(&format!("/contacts/{first}"), again.clone()).await.status, 200, "its own email");
    guess(&sandbox, |guesses| guesses.duplicate_code = DuplicateCode::ResourceAlreadyExists);
    assert_eq!(code(&api.post("/contacts", again).await), (400, "RESOURCE_ALREADY_EXISTS"));
    let wrong = [
        (json!({"firstName": "Ann"}), "MISSING_REQUIRED_FIELD"),
        (json!({"email": "ann at example.com"}), "ILLEGAL_ARGUMENT"),
        (json!({"email": "c@example.com", "shoeSize": "42"}), "ILLEGAL_ARGUMENT"),
        (json!({"email": "c@example.com", "firstName": 7}), "ILLEGAL_ARGUMENT"),
        (json!({"email": "c@example.com", "customFields": {"Tags": "vip"}}), "INVALID_CUSTOM_FIELD_NAME"),
    ];
    for (body, expected) in wrong {
        assert_eq!(code(&api.post("/contacts", body.clone()).await), (400, expected), "{body}");
    }
    let request = api.http.post(format!("{}/contacts", api.base)).bearer_auth(&api.token);
    assert_eq!(code(&answer(request.body(r#"{"email":"c@example.com"}"#)).await), (400, "ILLEGAL_ARGUMENT"));
    assert_eq!(sandbox.referrizer().contacts().len(), 2);
}

#[tokio::test]
async fn the_unknown_routes_are_where_the_switches_put_them() {
    let (sandbox, api) = Api::start().await;
    let route = |method: &str, path: &str| Route { method: method.into(), path: path.into() };
    guess(&sandbox, |guesses| {
        guesses.create = route("PUT", "/contacts");
        guesses.update = route("PATCH", "/contact/{id}");
        guesses.reads_one = false;
        guesses.search_parameter = Some("email".into());
    });
    assert_eq!(api.post("/contacts", json!({"email": "a@example.com"})).await.status, 404);
    let contact = id(&api.put("/contacts", json!({"email": "a@example.com"})).await.body);
    assert_eq!(api.get(&format!("/contacts/{contact}")).await.status, 404);
    let body = json!({"email": "a@example.com", "firstName": "Ann"});
    let changed = api.send("PATCH", &format!("/v1/contact/{contact}"), Some(body)).await;
    assert_eq!(changed.body["firstName"], "Ann");
    api.put("/contacts", json!({"email": "b@example.com"})).await;
    let found = api.get("/contacts?email=A%40example.com").await;
    assert_eq!((found.body.as_array().unwrap().len(), &found.body[0]["id"]), (1, &json!(contact)));
    guess(&sandbox, |guesses| guesses.search_parameter = None);
    assert_eq!(api.get("/contacts?email=a@example.com").await.body.as_array().unwrap().len(), 2, "ignored");
}

#[tokio::test]
async fn custom_fields_go_by_name_in_either_shape() {
    let (sandbox, api) = Api::start().await;
    sandbox.referrizer().act(AccountAct::AddCustomField { name: "Birthday".into() }).unwrap();
    let contact = api.contact("ann@example.com").await;
    let path = format!("/contacts/{contact}");
    let body = |custom: Value| json!({"email": "ann@example.com", "customFields": custom});
    let object = api.put(&path, body(json!({"Birthday": "1 May"}))).await;
    assert_eq!(object.body["customFields"], json!({"Birthday": "1 May"}));
    guess(&sandbox, |guesses| guesses.custom_shape = CustomShape::List);
    assert_eq!(api.get(&path).await.body["customFields"], json!([{"name": "Birthday", "value": "1 May"}]));
    assert_eq!(code(&api.put(&path, body(json!({"Birthday": "x"}))).await), (400, "ILLEGAL_ARGUMENT"));
    let list = api.put(&path, body(json!([{"name": "Birthday", "value": null}]))).await;
    assert_eq!(list.body["customFields"], json!([]));
    let number = json!([{"name": "Birthday", "value": 1}]);
    assert_eq!(code(&api.put(&path, body(number)).await), (400, "ILLEGAL_ARGUMENT"));
}

#[tokio::test]
async fn a_visit_messages_the_customer_unless_it_has_a_date() {
    let (sandbox, api) = Api::start().await;
    let (first, second) = (api.contact("a@example.com").await, api.contact("b@example.com").await);
    let visit = |body: Value| api.post("/v1/visits", body);
    let dated = visit(json!({"contactId": first, "date": "2026-11-20T08:00:00.000Z", "points": 5})).await;
    assert_eq!((dated.status, dated.body["id"].is_string()), (201, true));
    assert_eq!(sandbox.referrizer().messages(), Messages::default());
    assert_eq!(visit(json!({"contactId": second})).await.status, 201);
    let messages = Messages { visit_notifications: 1, ..Messages::default() };
    assert_eq!(sandbox.referrizer().messages(), messages);

    let again = json!({"contactId": first, "date": "2026-11-20T09:00:00.000Z"});
    assert_eq!(code(&visit(again).await), (400, "CONTACT_ALREADY_CHECKED_IN"));
    let next_day = json!({"contactId": first, "date": "2026-11-21T08:00:00.000Z", "amountSpent": 20});
    assert_eq!(visit(next_day).await.status, 201);
    assert_eq!(sandbox.referrizer().contact(&first).unwrap()["loyaltyPoints"], 25);
    let refused = [
        (json!({}), 400, "MISSING_REQUIRED_FIELD"),
        (json!({"contactId": "0"}), 404, "RESOURCE_NOT_FOUND"),
        (json!({"contactId": second, "date": "2026-11-21T08:00:00.001Z"}), 400, "VISIT_DATE_IN_FUTURE"),
        (json!({"contactId": second, "date": "2026-11-20T08:00:00Z"}), 400, "ILLEGAL_ARGUMENT"),
        (json!({"contactId": second, "points": 1, "amountSpent": 1}), 400, "ILLEGAL_ARGUMENT"),
    ];
    for (body, status, expected) in refused {
        assert_eq!(code(&visit(body.clone()).await), (status, expected), "{body}");
    }
    assert_eq!(sandbox.referrizer().visits().len(), 3);
}

#[tokio::test]
async fn an_invitation_messages_the_contact() {
    let (sandbox, api) = Api::start().await;
    let path = format!("/contacts/{}/invite", api.contact("a@example.com").await);
    assert_eq!(code(&api.post(&path, json!({})).await), (400, "MISSING_REQUIRED_FIELD"));
    assert_eq!(sandbox.referrizer().messages().invitations, 0);
    assert_eq!(api.post(&path, json!({"message": "Bring a friend"})).await.status, 200);
    assert_eq!(sandbox.referrizer().messages().invitations, 1);
}

#[tokio::test]
async fn rewards_are_written_whole_and_redeemed_at_the_counter() {
    let (sandbox, api) = Api::start().await;
    let contact = api.contact("a@example.com").await;
    let body = json!({
        "title": "Mug", "points": 30, "quantity": {"total": 2, "perContact": 1}, "type": "ITEM", "itemName": "Mug",
    });
    let created = api.post("/loyalty-rewards", body).await;
    let reward = id(&created.body);
    assert_eq!(
        (created.status, &created.body["available"], &created.body["value"]),
        (201, &json!(2), &Value::Null)
    );
    let path = format!("/loyalty-rewards/{reward}");
    let changed = api.put(&path, json!({"title": "Cup", "points": 30, "quantity": {"perContact": 1}})).await;
    assert_eq!((&changed.body["title"], &changed.body["itemName"]), (&json!("Cup"), &Value::Null));
    assert_eq!(code(&api.put(&path, json!({"title": "Cup"})).await), (400, "MISSING_REQUIRED_FIELD"));
    let kind = json!({"title": "Cup", "points": 1, "type": "HUG"});
    assert_eq!(code(&api.post("/loyalty-rewards", kind).await), (400, "ILLEGAL_ARGUMENT"));

    let redeem = || {
        let (reward, contact) = (reward.clone(), contact.clone());
        let note = Some("gift".to_owned());
        sandbox.referrizer().act(AccountAct::RedeemReward { reward, contact, employee: None, note })
    };
    assert!(redeem().unwrap_err().to_string().contains("INSUFFICIENT_LOYALTY_POINTS"));
    sandbox.referrizer().act(AccountAct::GivePoints { contact: contact.clone(), points: 100 }).unwrap();
    redeem().unwrap();
    assert!(redeem().unwrap_err().to_string().contains("NOT_AVAILABLE"));
    let redeems = api.get("/v1/loyalty-rewards/redeems").await;
    assert_eq!(
        redeems.body,
        json!([{"loyaltyRewardId": reward, "contactId": contact, "points": 30,
            "date": "2026-11-21T08:00:00.000Z", "employeeId": null, "note": "gift"}])
    );
    assert_eq!(redeems.headers["x-total-count"], "1");
    assert_eq!(api.get("/loyalty-rewards").await.body[0]["id"], json!(reward));
    assert_eq!(api.get(&format!("/contacts/{contact}")).await.body["loyaltyPoints"], 70);
}

#[tokio::test]
async fn a_person_edits_in_part_and_no_api_operation_is_counted() {
    let (sandbox, api) = Api::start().await;
    let double = sandbox.referrizer();
    let fields = json!({"firstName": "Ann", "email": "ann@example.com"});
    let contact = id(&double.act(AccountAct::CreateContact { fields }).unwrap());
    let edit = json!({"status": "CUSTOMER"});
    double.act(AccountAct::EditContact { contact: contact.clone(), fields: edit }).unwrap();
    double.act(AccountAct::CheckIn { contact: contact.clone() }).unwrap();
    let shown = double.contact("ann@example.com").unwrap();
    assert_eq!((&shown["firstName"], &shown["status"]), (&json!("Ann"), &json!("CUSTOMER")));
    assert_eq!(sandbox.recorder().count_of("referrizer.contacts.create").requests, 0);
    double.act(AccountAct::DeleteContact { contact: contact.clone() }).unwrap();
    assert!(double.act(AccountAct::CheckIn { contact }).is_err());
    let page = format!("{}/browse/referrizer", sandbox.control_url());
    api.contact("zoe@example.com").await;
    let html = api.http.get(page).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("zoe@example.com") && html.contains("referrizer.contacts.create"));
}

#[tokio::test]
async fn limits_and_faults_reach_referrizer_as_well() {
    let (sandbox, api) = Api::start().await;
    guess(&sandbox, |guesses| guesses.per_minute = Some(2));
    let statuses = [api.get("/contacts").await.status, api.get("/contacts").await.status];
    assert_eq!((statuses, code(&api.get("/contacts").await)), ([200, 200], (429, "TOO_MANY_REQUESTS")));
    sandbox.advance(SignedDuration::from_mins(1));
    assert_eq!(api.get("/contacts").await.status, 200);
    sandbox.referrizer().set_guesses(ReferrizerGuesses::default());
    sandbox.faults().add(Fault::next(1, "referrizer.contacts.create", Effect::lie(500)));
    assert_eq!(api.post("/contacts", json!({"email": "a@example.com"})).await.status, 500);
    assert_eq!(code(&api.post("/contacts", json!({"email": "a@example.com"})).await), (400, "NOT_UNIQUE"));
    sandbox.faults().add(Fault::next(1, "referrizer.*", Effect::RevokeCredential));
    assert_eq!(api.get("/contacts").await.status, 401);
    sandbox.reset();
    assert_eq!(api.get("/contacts").await.body, json!([]));
}

#[tokio::test]
async fn every_trigger_of_the_connector_can_be_set_off() {
    let (sandbox, _api) = Api::start().await;
    let double = sandbox.referrizer();
    let lead = double.emit("lead_created").unwrap();
    assert_eq!((&lead["status"], double.contacts().len()), (&json!("LEAD"), 1));
    assert_eq!(double.emit("status_changed").unwrap()["status"], "CUSTOMER");
    assert_eq!(double.emit("status_changed").unwrap()["status"], "LEAD");
    let redeemed = double.emit("reward_redeemed").unwrap();
    assert_eq!((&redeemed["contactId"], double.redemptions().len()), (&lead["id"], 1));
    assert!(double.emit("moon_landed").is_err());
}

#[tokio::test]
async fn the_first_records_of_a_seed_have_always_the_same_ids() {
    let (sandbox, _api) = Api::start().await;
    sandbox.referrizer().emit("reward_redeemed").unwrap();
    let first = |records: Vec<Value>| id(&records[0]);
    assert_eq!(first(sandbox.referrizer().contacts()), "97572b00409848126d4023a66f9f74c7");
    assert_eq!(first(sandbox.referrizer().rewards()), "6bebe778ea1249f42b80738482e3ae97");
}
