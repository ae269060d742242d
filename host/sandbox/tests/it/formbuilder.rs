//! The 123FormBuilder double.

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::formbuilder::{Content, FormAct, FormConfig, Guesses, Login, Mails, WebhookBody};
use contactor_sandbox::outbox::{Order, Standing};
use contactor_sandbox::{Sandbox, SandboxConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Answer, Receiver, answer, http};

struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
    form: u64,
}

impl Api {
    async fn start() -> (Sandbox, Self) {
        let sandbox = Sandbox::start(SandboxConfig::for_tests()).await.unwrap();
        let mut api = Self {
            http: http(),
            base: sandbox.formbuilder_url(),
            token: String::new(),
            form: sandbox.formbuilder().first_form(),
        };
        api.token = api.login(&sandbox).await;
        (sandbox, api)
    }

    async fn login(&self, sandbox: &Sandbox) -> String {
        let double = sandbox.formbuilder();
        let body = json!({"username": double.username(), "password": double.password()});
        let answer = answer(self.http.post(format!("{}/token", self.base)).json(&body)).await;
        assert_eq!((answer.status, &answer.body["status_code"]), (200, &json!(200)));
        answer.body["token"].as_str().unwrap().to_owned()
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.base))
    }

    async fn send(&self, method: &str, path: &str) -> Answer {
        answer(self.request(method, path).bearer_auth(&self.token)).await
    }

    async fn form(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        answer(self.request(method, path).bearer_auth(&self.token).form(form)).await
    }

    fn below(&self, path: &str) -> String {
        format!("/forms/{}{path}", self.form)
    }
}

fn submit(sandbox: &Sandbox, answers: Value) -> u64 {
    let form = sandbox.formbuilder().first_form();
    let shown = sandbox.formbuilder().act(form, FormAct::Submit { answers }).unwrap();
    shown["id"].as_str().unwrap().parse().unwrap()
}

fn ids(answer: &Answer) -> Vec<u64> {
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|one| one["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_login_is_taken_from_query_json_or_form_and_a_wrong_one_is_403() {
    let (sandbox, api) = Api::start().await;
    let (name, password) = (sandbox.formbuilder().username(), sandbox.formbuilder().password());
    let pairs = [("email", sandbox.formbuilder().email()), ("password", password)];
    assert_eq!(answer(api.request("POST", "/token").query(&pairs)).await.status, 200);
    assert_eq!(answer(api.request("POST", "/token").form(&pairs)).await.status, 200);
    let wrong = answer(api.request("POST", "/token").json(&json!({"username": name, "password": "x"}))).await;
    assert_eq!((wrong.status, &wrong.body["error"]["status_code"]), (403, &json!(403)));
    sandbox.formbuilder().set_guesses(Guesses { login: vec![Login::Query], ..Guesses::default() });
    assert_eq!(answer(api.request("POST", "/token").form(&pairs)).await.status, 403);
    let recorded = format!("{:?}", sandbox.recorder().recent());
    assert!(!recorded.contains(password) && !recorded.contains(&api.token));
}

#[tokio::test]
async fn a_token_goes_into_the_header_the_query_of_a_read_or_the_form_of_a_creation() {
    let (sandbox, api) = Api::start().await;
    let query = [("JWT", api.token.as_str())];
    assert_eq!(answer(api.request("GET", "/forms").query(&query)).await.status, 200);
    assert_eq!(answer(api.request("POST", "/forms").query(&query).form(&[("name", "x")])).await.status, 400);
    let both = [query[0], ("name", "x")];
    assert_eq!(answer(api.request("POST", "/forms").form(&both)).await.status, 201);
    assert_eq!(answer(api.request("GET", "/forms")).await.status, 400, "no token");
    sandbox.formbuilder().set_guesses(Guesses { bearer: false, ..Guesses::default() });
    assert_eq!(api.send("GET", "/forms").await.status, 400);
    sandbox.formbuilder().set_guesses(Guesses { jwt: false, ..Guesses::default() });
    assert_eq!(answer(api.request("GET", "/forms").query(&query)).await.status, 400);
    assert!(!format!("{:?}", sandbox.recorder().recent()).contains(&api.token));
}

#[tokio::test]
async fn a_token_ends_is_refreshed_and_is_given_up() {
    let (sandbox, mut api) = Api::start().await;
    let refreshed = api.form("POST", "/token/refresh", &[("JWT", &api.token)]).await;
    assert_eq!(api.send("GET", "/forms").await.status, 400, "the old one is given up");
    api.token = refreshed.body["result"].as_str().unwrap().to_owned();
    assert_eq!(api.send("GET", "/forms").await.status, 200);
    sandbox.advance(SignedDuration::from_mins(16));
    let late = api.send("GET", "/forms").await;
    assert_eq!((late.status, &late.body["error"]["status_code"]), (401, &json!(401)));
    api.token = api.login(&sandbox).await;
    assert_eq!(api.form("POST", "/token/invalidate", &[("JWT", &api.token)]).await.status, 200);
    assert_eq!(api.send("GET", "/forms").await.status, 400);
}

#[tokio::test]
async fn lists_have_an_envelope_and_at_most_a_thousand_to_a_page() {
    let (sandbox, api) = Api::start().await;
    let loaded = sandbox.formbuilder().load(api.form, 1_100).unwrap();
    let list = api.send("GET", &api.below("/submissions")).await;
    let pagination = &list.body["meta"]["pagination"];
    assert_eq!(
        (ids(&list).len(), &pagination["total"], &pagination["total_pages"]),
        (100, &json!(1100), &json!(11))
    );
    assert!(pagination["links"]["next"].is_string() && pagination["links"].get("previous").is_none());
    let first = api.send("GET", &api.below("/submissions?per_page=5000")).await;
    let second = api.send("GET", &api.below("/submissions?per_page=5000&page=2")).await;
    let seen: Vec<u64> = ids(&first).into_iter().chain(ids(&second)).rev().collect();
    assert_eq!((ids(&first).len(), seen), (1000, loaded), "the newest first");
    let past = api.send("GET", &api.below("/submissions?page=99")).await;
    assert_eq!((past.status, &past.body["data"]), (200, &json!([])));
}

#[tokio::test]
async fn a_list_starts_at_a_submission_or_a_date() {
    let (sandbox, api) = Api::start().await;
    let one = submit(&sandbox, json!({"Email": "one@example.com"}));
    sandbox.advance(SignedDuration::from_hours(24));
    let token = api.login(&sandbox).await;
    let api = Api { token, ..api };
    let two = submit(&sandbox, json!({"Email": "two@example.com"}));
    let path = api.below(&format!("/submissions?start_submission_id={one}"));
    assert_eq!(ids(&api.send("GET", &path).await), [two, one]);
    sandbox.formbuilder().set_guesses(Guesses {
        start_is_inclusive: false,
        newest_first: false,
        ..Guesses::default()
    });
    assert_eq!(ids(&api.send("GET", &path).await), [two]);
    assert_eq!(ids(&api.send("GET", &api.below("/submissions?start_date=2026-11-22")).await), [two]);
    assert_eq!(api.send("GET", &api.below("/submissions?start_submission_id=x")).await.status, 422);
}

#[tokio::test]
async fn content_is_a_text_or_an_object_and_one_answer_stands_alone() {
    let (sandbox, api) = Api::start().await;
    let answers = json!({"Name/First": "Ann", "Name/Last": "Lee", "Interests": ["Trees", "Ponds"]});
    let id = submit(&sandbox, answers);
    let path = api.below(&format!("/submissions/{id}?include_recipients=1"));
    let one = api.send("GET", &path).await.body["data"][0].clone();
    let field = |label: &str| sandbox.formbuilder().field_id(api.form, label).unwrap();
    let fields = &one["content"]["fields"]["field"];
    assert_eq!(fields[0], json!({"fieldid": field("Name/First"), "fieldvalue": "Ann"}));
    assert_eq!(fields[3], json!({"fieldid": format!("{}_2", field("Interests")), "fieldvalue": "Ponds"}));
    assert_eq!(one["date"], "2026-11-21 03:00:00", "in a zone that nobody tells");
    assert!(one["recipients"].is_array());
    let listed = api.send("GET", &api.below("/submissions")).await.body["data"][0].clone();
    let text: Value = serde_json::from_str(listed["content"].as_str().unwrap()).unwrap();
    assert_eq!(text, one["content"]);

    let lone = submit(&sandbox, json!({"Email": "ann@example.com"}));
    sandbox.formbuilder().set_guesses(Guesses {
        content: Content::Object,
        one_as_array: false,
        numbers_as_text: false,
        ..Guesses::default()
    });
    let data = api.send("GET", &api.below(&format!("/submissions/{lone}"))).await.body["data"].clone();
    assert_eq!(data["id"], json!(lone));
    assert_eq!(
        data["content"]["fields"]["field"],
        json!({"fieldid": field("Email"), "fieldvalue": "ann@example.com"})
    );
}

#[tokio::test]
async fn only_payed_and_approved_can_be_written_and_each_change_counts_a_mail() {
    let (sandbox, api) = Api::start().await;
    let id = submit(&sandbox, json!({"Email": "ann@example.com"}));
    let path = api.below(&format!("/submissions/{id}"));
    let put = |query: &str| {
        let path = format!("{path}?{query}");
        let api = &api;
        async move { api.send("PUT", &path).await }
    };
    assert_eq!(put("payed=invoiced&approved=1&content=x").await.body.get("data"), None);
    let shown = sandbox.formbuilder().submission(api.form, id).unwrap();
    assert_eq!((&shown["payed"], &shown["approved"]), (&json!("2"), &json!("1")));
    assert_eq!(put("approved=1").await.status, 200);
    assert_eq!(
        sandbox.formbuilder().mails(),
        Mails { approval_notices: 1, payment_notices: 1, invitations: 0 }
    );
    let wrong = put("payed=7&approved=maybe").await;
    assert_eq!(wrong.status, 422);
    assert_eq!(
        wrong.body["error"]["message"],
        json!([["The selected payed is invalid."], ["The selected approved is invalid."]])
    );
    let elsewhere = api.form("PUT", &path, &[("approved", "2")]).await;
    assert_eq!(elsewhere.status, 422, "a form body is not read here");
    assert_eq!(api.send("POST", &api.below("/submissions")).await.status, 404, "nothing creates submissions");
    assert_eq!(api.send("DELETE", &path).await.body["status_code"], 200);
    assert_eq!(api.send("GET", &path).await.status, 404);
}

#[tokio::test]
async fn forms_are_made_found_changed_and_deleted() {
    let (_sandbox, api) = Api::start().await;
    let missing = api.form("POST", "/forms", &[]).await;
    assert_eq!(
        (missing.status, &missing.body["error"]["message"]),
        (422, &json!([["The name field is required."]]))
    );
    let made = api.form("POST", "/forms", &[("name", "Quote"), ("active", "3")]).await;
    let id = made.body["data"]["id"].as_str().unwrap();
    assert_eq!((made.status, &made.body["data"]["active"]), (201, &json!(3)));
    let changed = api.form("PUT", &format!("/forms/{id}"), &[("name", "Quotes"), ("active", "0")]).await;
    assert_eq!(changed.body["data"]["name"], "Quotes");
    assert_eq!(api.form("PUT", &format!("/forms/{id}"), &[("group_id", "5")]).await.status, 422);
    assert_eq!(ids(&api.send("GET", "/forms?search=quot").await).len(), 1);
    let fields = api.send("GET", &api.below("/fields")).await.body["data"]["controls"]["data"].clone();
    assert_eq!((&fields[1]["name"], &fields[3]["values"]), (&json!("Email"), &json!("Trees||Lawn||Ponds")));
    assert_eq!(api.send("DELETE", &format!("/forms/bulk?form_ids={id},7")).await.status, 404);
    assert_eq!(api.send("DELETE", &format!("/forms/bulk?form_ids={id}")).await.status, 200);
    assert_eq!(api.send("GET", &format!("/forms/{id}")).await.status, 404);
}

#[tokio::test]
async fn groups_are_shared_with_users_who_are_told_by_mail() {
    let (sandbox, api) = Api::start().await;
    let bad = api.form("POST", "/groups", &[("name", "Leads"), ("webhook_url", "nowhere")]).await;
    assert_eq!(bad.status, 422);
    let group = api.form("POST", "/groups", &[("name", "Leads")]).await.body["data"]["id"].clone();
    let path = format!("/groups/{}", group.as_str().unwrap());
    let user = [("username", "ben"), ("email", "ben@example.com")];
    assert_eq!(api.form("POST", "/users", &user).await.status, 201);
    assert_eq!(api.form("POST", "/users", &user).await.status, 422);
    assert_eq!(api.form("PUT", "/users/ben", &[("email", "ben2@example.com")]).await.status, 200);
    let share = [("subuser_email", "ben2@example.com")];
    for _ in 0..2 {
        assert_eq!(api.form("POST", &format!("{path}/share"), &share).await.status, 200);
    }
    assert_eq!(sandbox.formbuilder().mails().invitations, 2, "one for the user, one for the group");
    assert_eq!(api.form("POST", &format!("{path}/unshare"), &share).await.status, 200);
    assert_eq!(api.form("POST", &format!("{path}/share"), &[("subuser_id", "1")]).await.status, 422);
    assert_eq!(
        api.form("PUT", &path, &[("name", "Leads 2"), ("parent_id", "-1")]).await.body["data"]["name"],
        "Leads 2"
    );
    assert_eq!(ids(&api.send("GET", &format!("{path}/forms")).await).len(), 0);
    let account = api.form("POST", "/accounts", &[("username", "own"), ("email", "own@example.com")]).await;
    let id = account.body["data"]["id"].as_str().unwrap();
    assert_eq!(api.form("PUT", &format!("/accounts/{id}"), &[("username", "own2")]).await.status, 200);
    assert_eq!(ids(&api.send("GET", "/users").await).len(), 1, "accounts are no subusers");
}

#[tokio::test]
async fn a_plan_has_so_many_calls_a_day_and_logins_count() {
    let (sandbox, mut api) = Api::start().await;
    sandbox.formbuilder().set_daily_quota(Some(3));
    for status in [200, 200, 200, 429] {
        assert_eq!(api.send("GET", "/forms").await.status, status);
    }
    let double = sandbox.formbuilder();
    let login = [("username", double.username()), ("password", double.password())];
    assert_eq!(answer(api.request("POST", "/token").form(&login)).await.status, 429);
    double.set_guesses(Guesses { quota_status: 403, ..Guesses::default() });
    assert_eq!(api.send("GET", "/forms").await.status, 403);
    sandbox.advance(SignedDuration::from_hours(16));
    api.token = api.login(&sandbox).await;
    assert_eq!(api.send("GET", "/forms").await.status, 200, "a new day");
    assert_eq!(double.calls_today(), 2);
}

#[tokio::test]
async fn a_webhook_is_asked_with_head_first_and_a_form_has_ten() {
    let (sandbox, api) = Api::start().await;
    let receiver = Receiver::start().await;
    let double = sandbox.formbuilder();
    receiver.answer_with(405);
    assert!(double.add_webhook(api.form, receiver.url.clone()).await.is_err());
    receiver.answer_with(204);
    double.add_webhook(api.form, receiver.url.clone()).await.unwrap();
    assert!(double.add_webhook(api.form, receiver.url.clone()).await.is_err(), "a second of the same");
    for number in 2..=10 {
        let mut url = receiver.url.clone();
        url.set_query(Some(&format!("number={number}")));
        double.add_webhook(api.form, url).await.unwrap();
    }
    let eleventh = format!("{}?number=11", receiver.url).parse().unwrap();
    assert!(double.add_webhook(api.form, eleventh).await.is_err());
    receiver.take();
    submit(&sandbox, json!({"Email": "ann@example.com"}));
    assert_eq!(double.webhooks().flush(Order::Queued).await.delivered, 10);
    assert_eq!(receiver.take().len(), 10);
}

#[tokio::test]
async fn a_webhook_is_sent_once_in_four_shapes_and_only_for_new_submissions() {
    let (sandbox, api) = Api::start().await;
    let receiver = Receiver::start().await;
    let double = sandbox.formbuilder();
    double.add_webhook(api.form, receiver.url.clone()).await.unwrap();
    receiver.take();
    let email = double.field_id(api.form, "Email").unwrap();
    let shapes = [
        (WebhookBody::Form, "application/x-www-form-urlencoded", format!("{email}=a%26b%40example.com")),
        (WebhookBody::Json, "application/json", format!("{{\"{email}\":\"a&b@example.com\"}}")),
        (
            WebhookBody::Multipart,
            "multipart/form-data; boundary=",
            format!("name=\"{email}\"\r\n\r\na&b@example.com\r\n"),
        ),
        (
            WebhookBody::Xml,
            "text/xml",
            format!("<fieldid>{email}</fieldid><fieldvalue>a&amp;b@example.com</fieldvalue>"),
        ),
    ];
    for (webhook_body, content_type, part) in shapes {
        double.set_guesses(Guesses { webhook_body, ..Guesses::default() });
        submit(&sandbox, json!({"Email": "a&b@example.com"}));
        double.webhooks().flush(Order::Queued).await;
        let received = receiver.take().remove(0);
        assert!(received.header("content-type").unwrap().starts_with(content_type));
        let body = String::from_utf8(received.body).unwrap();
        assert!(body.contains(&part), "{body}");
    }
    let keys = Guesses {
        webhook_submission_key: Some("submission_id".into()),
        webhook_form_key: Some("form_id".into()),
        webhook_on_edit: false,
        ..Guesses::default()
    };
    double.set_guesses(keys);
    let id = submit(&sandbox, json!({"Email": "a@example.com"}));
    let edit = FormAct::EditSubmission { submission: id, answers: json!({"Email": "b@example.com"}) };
    double.act(api.form, edit).unwrap();
    receiver.answer_with(500);
    assert_eq!(
        double.webhooks().flush(Order::Queued).await.failed,
        1,
        "an edit is not announced, a failure not repeated"
    );
    let body = String::from_utf8(receiver.take().remove(0).body).unwrap();
    assert!(body.starts_with(&format!("form_id={}&submission_id={id}&", api.form)), "{body}");
    assert_eq!(double.webhooks().webhooks().pop().unwrap().standing, Standing::Failed);
}

#[tokio::test]
async fn the_webhook_of_a_group_hears_of_its_forms() {
    let (sandbox, api) = Api::start().await;
    let receiver = Receiver::start().await;
    let group = [("name", "Leads"), ("webhook_url", receiver.url.as_str())];
    let group = api.form("POST", "/groups", &group).await.body["data"]["id"].clone();
    submit(&sandbox, json!({"Email": "outside@example.com"}));
    sandbox.formbuilder().group_form(api.form, group.as_str().unwrap().parse().unwrap()).unwrap();
    submit(&sandbox, json!({"Email": "inside@example.com"}));
    assert_eq!(sandbox.formbuilder().webhooks().flush(Order::Queued).await.delivered, 1);
    assert!(String::from_utf8(receiver.take().remove(0).body).unwrap().contains("inside"));
}

#[tokio::test]
async fn people_edit_bin_and_delete_submissions_and_make_forms() {
    let (sandbox, api) = Api::start().await;
    let double = sandbox.formbuilder();
    let id = submit(&sandbox, json!({"Email": "ann@example.com", "Phone": "555"}));
    let act = |act| double.act(api.form, act);
    act(FormAct::EditSubmission { submission: id, answers: json!({"Phone": null}) }).unwrap();
    act(FormAct::Approve { submission: id, approved: 2 }).unwrap();
    act(FormAct::MarkPayed { submission: id, payed: 3 }).unwrap();
    let shown = act(FormAct::BinSubmission { submission: id }).unwrap();
    assert_eq!(
        (&shown["deleted"], &shown["approved"], &shown["payed"]),
        (&json!(1), &json!("2"), &json!("3"))
    );
    assert!(shown["content"]["fields"]["field"].is_object(), "one answer is left");
    assert_eq!(ids(&api.send("GET", &api.below("/submissions")).await), [id]);
    double.set_guesses(Guesses { lists_deleted: false, ..Guesses::default() });
    assert_eq!(api.send("GET", &api.below("/submissions")).await.body["data"], json!([]));
    act(FormAct::DeleteSubmission { submission: id }).unwrap();
    assert!(double.submission(api.form, id).is_none());
    assert!(act(FormAct::Submit { answers: json!({"Shoe size": "42"}) }).is_err());
    act(FormAct::CreateForm { form: FormConfig { name: "Second".into(), ..FormConfig::default() } }).unwrap();
    assert_eq!(double.form_ids().len(), 2);
    act(FormAct::DeleteForm {}).unwrap();
    assert_eq!(api.send("GET", &api.below("")).await.status, 404);
}

#[tokio::test]
async fn faults_reach_the_form_builder_as_well() {
    let (sandbox, api) = Api::start().await;
    let id = submit(&sandbox, json!({"Email": "ann@example.com"}));
    let path = api.below(&format!("/submissions/{id}?approved=1"));
    sandbox.faults().add(Fault::next(1, "formbuilder.submissions.update", Effect::lie(502)));
    assert_eq!(api.send("PUT", &path).await.status, 502);
    assert_eq!(sandbox.formbuilder().submission(api.form, id).unwrap()["approved"], "1");
    sandbox.faults().add(Fault::next(1, "formbuilder.*", Effect::TooManyRequests));
    assert_eq!(api.send("GET", "/forms").await.status, 429);
    sandbox.faults().add(Fault::next(1, "formbuilder.*", Effect::RevokeCredential));
    assert_eq!(api.send("GET", "/forms").await.status, 400);
    let page = api.http.get(format!("{}/browse/formbuilder", sandbox.control_url())).send().await.unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("ann@example.com") && html.contains("formbuilder.submissions.update"));
    sandbox.reset();
    assert!(sandbox.formbuilder().submissions(api.form).is_empty());
}
