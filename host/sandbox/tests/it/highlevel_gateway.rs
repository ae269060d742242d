//! Version header, tokens, scopes, locations, limits.

use contactor_sandbox::SandboxConfig;
use contactor_sandbox::highlevel::{Limits, LocationConfig, SearchLag};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Answer, Client, answer, start, start_with};

#[tokio::test]
async fn the_version_header_is_checked_before_the_token_and_fails_as_401() {
    let (_sandbox, location, client) = start().await;
    let path = format!("/contacts/?locationId={location}");
    let missing = Client { version: None, ..client.with_token("wrong") }.get(&path).await;
    assert_eq!((missing.status, &missing.body["message"]), (401, &json!("version header was not found.")));
    let unknown = Client { version: Some("2020-01-01"), ..client.clone() }.get(&path).await;
    assert_eq!((unknown.status, &unknown.body["message"]), (401, &json!("version header is invalid")));
    for version in ["2021-07-28", "2021-04-15", "2023-02-21", "v3"] {
        assert_eq!(
            Client { version: Some(version), ..client.clone() }.get(&path).await.status,
            200,
            "{version}"
        );
    }
}

#[tokio::test]
async fn a_path_of_another_version_cannot_be_reached() {
    let (sandbox, location, client) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    let v3 = Client { version: Some("v3"), ..client.clone() };
    let (old, new) = (
        format!("/contacts/{contact}/campaigns/removeAll"),
        format!("/contacts/{contact}/campaigns/remove-all"),
    );
    assert_eq!(client.delete(&old).await.status, 200);
    assert_eq!(v3.delete(&new).await.status, 200);
    let refused = client.delete(&new).await;
    assert_eq!((refused.status, &refused.body["message"]), (404, &json!(format!("Cannot DELETE {new}"))));
    assert_eq!(v3.delete(&old).await.status, 404);
}

#[tokio::test]
async fn tokens_fail_with_the_texts_a_client_has_to_tell_apart() {
    let (sandbox, location, client) = start().await;
    let highlevel = sandbox.highlevel();
    highlevel.add_private_token(&location, "pit-readonly", &["contacts.readonly"]).unwrap();
    highlevel.add_location(LocationConfig::numbered(2));
    let message = |answer: Answer| (answer.status, answer.body["message"].as_str().unwrap().to_owned());

    let path = format!("/contacts/?locationId={location}");
    assert_eq!(message(client.with_token("nobody").get(&path).await), (401, "Invalid JWT".into()));
    let body = json!({"locationId": location, "email": "a@example.com"});
    let unscoped = client.with_token("pit-readonly").post("/contacts/", body).await;
    assert_eq!(message(unscoped), (401, "The token is not authorized for this scope.".into()));
    let elsewhere = client.get("/contacts/?locationId=SandboxLocation00002").await;
    assert_eq!(message(elsewhere), (403, "The token does not have access to this location.".into()));

    let foreign = highlevel.load("SandboxLocation00002", 1).unwrap().remove(0);
    let foreign = client.get(&format!("/contacts/{foreign}")).await;
    assert_eq!(message(foreign), (403, "The token does not have access to this location.".into()));
    let unknown = client.get("/contacts/nobody").await;
    assert_eq!(message(unknown), (400, "Contact with id nobody not found".into()));
}

fn form(sandbox: &contactor_sandbox::Sandbox, extra: &[(&str, &str)]) -> Vec<(String, String)> {
    let app = sandbox.highlevel().app();
    let own = [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret)];
    own.iter().chain(extra).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn token(client: &Client, form: &[(String, String)]) -> Answer {
    answer(client.http.post(format!("{}/oauth/token", client.base)).form(form)).await
}

#[tokio::test]
async fn a_refresh_token_works_once_and_rotates() {
    let (sandbox, location, client) = start().await;
    let code = sandbox.highlevel().authorize(&sandbox.highlevel().app().client_id, Some(&location)).unwrap();
    let exchange = form(&sandbox, &[("grant_type", "authorization_code"), ("code", &code)]);
    let first = token(&client, &exchange).await;
    assert_eq!(first.status, 200);
    assert_eq!(
        (&first.body["userType"], &first.body["locationId"], &first.body["expires_in"]),
        (&json!("Location"), &json!(location), &json!(86_399)),
    );
    assert_eq!(token(&client, &exchange).await.status, 400, "a code works once");

    let spent = first.body["refresh_token"].as_str().unwrap().to_owned();
    let refresh = form(&sandbox, &[("grant_type", "refresh_token"), ("refresh_token", &spent)]);
    let second = token(&client, &refresh).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.body["refresh_token"], first.body["refresh_token"]);
    let again = token(&client, &refresh).await;
    assert_eq!((again.status, &again.body["error"]), (400, &json!("invalid_grant")));

    // The access token of the first pair lives until it expires.
    let access = client.with_token(first.body["access_token"].as_str().unwrap());
    let path = format!("/contacts/?locationId={location}");
    assert_eq!(access.get(&path).await.status, 200);
    sandbox.advance(SignedDuration::from_secs(86_399));
    assert_eq!(access.get(&path).await.body["message"], "Invalid JWT");
}

#[tokio::test]
async fn a_suspended_location_refuses_refresh_without_spending_the_token() {
    let (sandbox, location, client) = start().await;
    let code = sandbox.highlevel().authorize(&sandbox.highlevel().app().client_id, Some(&location)).unwrap();
    let pair =
        token(&client, &form(&sandbox, &[("grant_type", "authorization_code"), ("code", &code)])).await;
    let spent = pair.body["refresh_token"].as_str().unwrap().to_owned();
    let refresh = form(&sandbox, &[("grant_type", "refresh_token"), ("refresh_token", &spent)]);
    sandbox.highlevel().set_active(&location, false).unwrap();
    let refused = token(&client, &refresh).await;
    assert_eq!((refused.status, &refused.body["message"]), (400, &json!("Location is not active")));
    sandbox.highlevel().set_active(&location, true).unwrap();
    assert_eq!(token(&client, &refresh).await.status, 200);
}

#[tokio::test]
async fn an_agency_token_is_turned_to_a_location_and_reads_no_contacts_itself() {
    let (sandbox, location, client) = start().await;
    let app = sandbox.highlevel().app();
    let code = sandbox.highlevel().authorize(&app.client_id, None).unwrap();
    let pair =
        token(&client, &form(&sandbox, &[("grant_type", "authorization_code"), ("code", &code)])).await;
    assert_eq!((&pair.body["userType"], pair.body.get("locationId")), (&json!("Company"), None));
    let agency = client.with_token(pair.body["access_token"].as_str().unwrap());
    let company = pair.body["companyId"].as_str().unwrap().to_owned();

    assert_eq!(agency.get(&format!("/contacts/?locationId={location}")).await.status, 403);
    let installed = agency
        .get(&format!("/oauth/installedLocations?companyId={company}&appId={}&isInstalled=true", app.id))
        .await;
    assert_eq!(installed.body["locations"][0]["_id"], json!(location));
    let narrow = |id: &str| {
        let fields = [("companyId", company.clone()), ("locationId", id.to_owned())];
        answer(agency.request("POST", "/oauth/locationToken", None).form(&fields))
    };
    let own = narrow(&location).await;
    assert_eq!(own.status, 200);
    let own = client.with_token(own.body["access_token"].as_str().unwrap());
    assert_eq!(own.get(&format!("/contacts/?locationId={location}")).await.status, 200);
    assert_eq!(narrow("nowhere").await.status, 400);

    sandbox.highlevel().uninstall(&app.id, &location).unwrap();
    assert_eq!(own.get(&format!("/contacts/?locationId={location}")).await.status, 401);
    assert_eq!(narrow(&location).await.status, 400);
}

#[tokio::test]
async fn an_agency_lists_and_opens_its_locations_with_the_scopes_that_were_asked_for_and_not_without() {
    let (sandbox, location, client) = start().await;
    let app = sandbox.highlevel().app();
    let consent = async |scopes: &str, choice: &str| {
        let page = format!(
            "/v2/oauth/chooselocation?client_id={}&redirect_uri=https%3A%2F%2Fhost.example%2Fback&scope={scopes}\
             &locationId={choice}",
            app.client_id
        );
        let back = client.get(&page).await;
        let target: url::Url = back.headers["location"].to_str().unwrap().parse().unwrap();
        let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        token(&client, &form(&sandbox, &[("grant_type", "authorization_code"), ("code", &code)])).await
    };
    let scope = "The token is not authorized for this scope.";
    for (scopes, lists, opens) in [
        ("contacts.readonly", 401, 401),
        ("contacts.readonly%20oauth.readonly", 200, 401),
        ("contacts.readonly%20oauth.write", 401, 200),
    ] {
        let pair = consent(scopes, "company").await;
        let agency = client.with_token(pair.body["access_token"].as_str().unwrap());
        let company = pair.body["companyId"].as_str().unwrap();
        let listed =
            agency.get(&format!("/oauth/installedLocations?companyId={company}&appId={}", app.id)).await;
        let fields = [("companyId", company), ("locationId", location.as_str())];
        let opened = answer(agency.request("POST", "/oauth/locationToken", None).form(&fields)).await;
        assert_eq!((listed.status, opened.status), (lists, opens), "{scopes}");
        for refused in [&listed, &opened].into_iter().filter(|answer| answer.status == 401) {
            assert_eq!(refused.body["message"], scope, "{scopes}");
        }
        if opens == 200 {
            assert_eq!(opened.body["scope"], "contacts.readonly", "no more than the agency granted");
        }
    }
    let pair = consent("contacts.readonly%20oauth.write", &location).await;
    assert_eq!(pair.body["scope"], "contacts.readonly", "a location has no use for an agency's scopes");
}

#[tokio::test]
async fn the_consent_page_sends_the_browser_back_with_a_code_and_the_state() {
    let (sandbox, _, client) = start().await;
    let page = format!(
        "/v2/oauth/chooselocation?response_type=code&client_id={}&redirect_uri=https%3A%2F%2Fhost.example%2Fback\
         &scope=contacts.readonly&state=xyz",
        sandbox.highlevel().app().client_id,
    );
    let back = client.get(&page).await;
    let target: url::Url = back.headers["location"].to_str().unwrap().parse().unwrap();
    let query: std::collections::HashMap<_, _> = target.query_pairs().into_owned().collect();
    assert_eq!((back.status, query["state"].as_str()), (302, "xyz"));
    let code = query["code"].clone();
    let pair =
        token(&client, &form(&sandbox, &[("grant_type", "authorization_code"), ("code", &code)])).await;
    assert_eq!(pair.body["scope"], "contacts.readonly", "only what was asked for is granted");
}

#[tokio::test]
async fn the_lost_routes_of_old_guides_are_gone() {
    let (_sandbox, _, client) = start().await;
    let reconnect = client.post("/oauth/reconnect", json!({})).await;
    assert_eq!(
        (reconnect.status, &reconnect.body["message"]),
        (400, &json!("API endpoint has been removed"))
    );
    let unknown = client.get("/contacts/abc/nonsense").await;
    assert_eq!(
        (unknown.status, &unknown.body["message"]),
        (404, &json!("Cannot GET /contacts/abc/nonsense"))
    );
}

#[tokio::test]
async fn the_burst_limit_answers_429_without_retry_after_and_recovers_with_time() {
    let (sandbox, location, client) = start().await;
    let path = format!("/contacts/?locationId={location}");
    let number = |answer: &Answer, name: &str| answer.headers[name].to_str().unwrap().parse::<i64>().unwrap();
    let first = client.get(&path).await;
    assert_eq!(number(&first, "x-ratelimit-max"), 100);
    assert_eq!(number(&first, "x-ratelimit-remaining"), 99);
    assert_eq!(number(&first, "x-ratelimit-interval-milliseconds"), 10_000);
    assert_eq!(number(&first, "x-ratelimit-limit-daily"), 200_000);
    assert_eq!(number(&first, "x-ratelimit-daily-reset"), 86_400_000);
    for _ in 0..99 {
        assert_eq!(client.get(&path).await.status, 200);
    }
    let refused = client.get(&path).await;
    assert_eq!((refused.status, number(&refused, "x-ratelimit-remaining")), (429, 0));
    assert!(!refused.headers.contains_key("retry-after"));
    assert_eq!(number(&refused, "x-ratelimit-daily-remaining"), 199_900, "a refused request is not counted");
    sandbox.advance(SignedDuration::from_secs(10));
    assert_eq!(client.get(&path).await.status, 200);
}

#[tokio::test]
async fn the_daily_limit_lasts_until_its_reset_and_each_location_has_its_own() {
    let (sandbox, location, client) = start().await;
    let highlevel = sandbox.highlevel();
    highlevel.add_location(LocationConfig::numbered(2));
    let path = format!("/contacts/?locationId={location}");
    assert_eq!(client.get(&path).await.status, 200);
    highlevel.spend_daily(&client.token, 199_999);
    sandbox.advance(SignedDuration::from_hours(1));
    let refused = client.get(&path).await;
    assert_eq!(
        (refused.status, refused.headers["x-ratelimit-daily-remaining"].to_str().unwrap()),
        (429, "0")
    );
    assert_eq!(refused.headers["x-ratelimit-daily-reset"].to_str().unwrap(), (23 * 3_600_000).to_string());
    let other = client.with_token("pit-sandbox-not-a-real-token-00002");
    assert_eq!(other.get("/contacts/?locationId=SandboxLocation00002").await.status, 200);
    sandbox.advance(SignedDuration::from_hours(23));
    assert_eq!(client.get(&path).await.status, 200);
}

#[tokio::test]
async fn free_of_cost_means_no_limits_no_lag_and_no_record() {
    let (sandbox, location, client) = start_with(SandboxConfig::free_of_cost()).await;
    let created = client.post("/contacts/", json!({"locationId": location, "email": "a@example.com"})).await;
    assert!(!created.headers.contains_key("x-ratelimit-remaining"));
    let found = client.post("/contacts/search", json!({"locationId": location, "pageLimit": 1})).await;
    assert_eq!(found.body["total"], 1);
    assert!(sandbox.recorder().recent().is_empty());
    assert_eq!(sandbox.recorder().count_of("highlevel.contacts.create").carried_out, 1);
    sandbox.highlevel().set_limits(Some(Limits::default()));
    sandbox.highlevel().set_search_lag(SearchLag::UntilReleased);
    assert!(client.get("/contacts/x").await.headers.contains_key("x-ratelimit-remaining"));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn every_body_has_a_trace_id_of_its_own() {
    let (_sandbox, location, client) = start().await;
    let path = format!("/contacts/?locationId={location}");
    let (one, two, error) =
        (client.get(&path).await, client.get(&path).await, client.get("/contacts/x").await);
    let traces: Vec<&Value> = [&one, &two, &error].iter().map(|answer| &answer.body["traceId"]).collect();
    assert!(traces.iter().all(|trace| trace.is_string()));
    assert!(traces[0] != traces[1] && traces[1] != traces[2]);
}
