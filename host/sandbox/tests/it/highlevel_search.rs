//! Search and lists: lag, cursors, caps, shapes.

use std::collections::HashSet;

use contactor_sandbox::highlevel::{PersonAct, SearchLag};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Answer, Client, id, start};

async fn search(client: &Client, location: &str, mut body: Value) -> Answer {
    body["locationId"] = json!(location);
    if body.get("pageLimit").is_none() {
        body["pageLimit"] = json!(100);
    }
    client.post("/contacts/search", body).await
}

#[tokio::test]
async fn search_misses_a_contact_right_after_its_creation() {
    let (sandbox, location, client) = start().await;
    let created =
        client.post("/contacts/", json!({"locationId": location, "email": "ann@example.com"})).await;
    assert_eq!(search(&client, &location, json!({})).await.body["total"], 0);
    sandbox.advance(SignedDuration::from_millis(300));
    let found = search(&client, &location, json!({})).await;
    assert_eq!(found.body["contacts"][0]["id"], created.body["contact"]["id"]);

    sandbox.highlevel().set_search_lag(SearchLag::UntilReleased);
    client.delete(&format!("/contacts/{}", id(&created.body["contact"]))).await;
    sandbox.advance(SignedDuration::from_hours(1));
    assert_eq!(search(&client, &location, json!({})).await.body["total"], 1, "the index has not heard of it");
    sandbox.highlevel().refresh_index();
    assert_eq!(search(&client, &location, json!({})).await.body["total"], 0);
}

#[tokio::test]
async fn page_limit_and_location_are_needed() {
    let (_sandbox, location, client) = start().await;
    let bare = client.post("/contacts/search", json!({"locationId": location})).await;
    assert_eq!(bare.status, 422);
    assert!(bare.body["message"][0].as_str().unwrap().starts_with("pageLimit must be a number"));
    assert_eq!(client.post("/contacts/search", json!({"pageLimit": 10})).await.status, 422);
    assert_eq!(search(&client, &location, json!({"pageLimit": 501})).await.status, 422);
    assert_eq!(search(&client, &location, json!({"query": "x".repeat(76)})).await.status, 422);
    assert_eq!(search(&client, &location, json!({"unheard": 1})).await.status, 422);
}

#[tokio::test]
async fn a_cursor_walk_sees_everybody_once_in_any_order() {
    let (sandbox, location, client) = start().await;
    let loaded: HashSet<String> = sandbox.highlevel().load(&location, 230).unwrap().into_iter().collect();
    let sorts = [
        json!([{"field": "dateUpdated", "direction": "asc"}]),
        json!([{"field": "lastNameLowerCase", "direction": "desc"}, {"field": "dateAdded", "direction": "asc"}]),
        json!([{"field": "source", "direction": "asc"}]),
    ];
    for sort in sorts {
        let mut seen = Vec::new();
        let mut body = json!({"pageLimit": 50, "sort": sort});
        loop {
            let page = search(&client, &location, body.clone()).await;
            let contacts = page.body["contacts"].as_array().unwrap().clone();
            let Some(last) = contacts.last() else { break };
            body["searchAfter"] = last["searchAfter"].clone();
            seen.extend(contacts.iter().map(id));
        }
        assert_eq!(seen.len(), loaded.len(), "{sort}");
        assert_eq!(seen.into_iter().collect::<HashSet<_>>(), loaded);
    }
}

#[tokio::test]
async fn a_cursor_must_be_passed_back_whole() {
    let (sandbox, location, client) = start().await;
    sandbox.highlevel().load(&location, 3).unwrap();
    let first = search(&client, &location, json!({"pageLimit": 1})).await;
    let cursor = first.body["contacts"][0]["searchAfter"].clone();
    assert!(cursor[0].is_i64() && cursor[1].is_string() && cursor.as_array().unwrap().len() == 2);
    let half = search(&client, &location, json!({"pageLimit": 1, "searchAfter": [cursor[1]]})).await;
    assert_eq!(
        (half.status, &half.body["message"]),
        (400, &json!("Error occurred while searching for contact"))
    );
    let both = search(&client, &location, json!({"pageLimit": 1, "searchAfter": cursor, "page": 2})).await;
    assert_eq!(both.status, 400);
}

#[tokio::test]
async fn page_mode_ends_at_ten_thousand_records() {
    let (_sandbox, location, client) = start().await;
    assert_eq!(search(&client, &location, json!({"pageLimit": 500, "page": 20})).await.status, 200);
    assert_eq!(search(&client, &location, json!({"pageLimit": 500, "page": 21})).await.status, 400);
}

#[tokio::test]
async fn a_hit_has_another_shape_than_the_contact() {
    let (sandbox, location, client) = start().await;
    let fields = json!({"email": "Ann@Example.com", "address1": "1 Main St"});
    let ann = sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let second = PersonAct::AddEmail { contact: id(&ann), email: "b@example.com".into() };
    let ann = sandbox.highlevel().act(&location, second).unwrap();
    sandbox.highlevel().refresh_index();
    let hit = search(&client, &location, json!({})).await.body["contacts"][0].clone();
    assert_eq!((&hit["address"], hit.get("address1")), (&json!("1 Main St"), None));
    assert_eq!((hit.get("phone"), hit.get("emailLowerCase")), (Some(&Value::Null), None));
    assert_eq!(
        (&hit["email"], &hit["additionalEmails"]),
        (&json!("ann@example.com"), &json!([{"email": "b@example.com"}]))
    );
    assert_eq!(ann["additionalEmails"], json!(["b@example.com"]));
    assert_ne!(hit["dateUpdated"], ann["dateUpdated"], "some milliseconds off the value of the write");
}

#[tokio::test]
async fn an_incremental_feed_is_filtered_by_date() {
    let (sandbox, location, client) = start().await;
    let ids = sandbox.highlevel().load(&location, 5).unwrap();
    sandbox.advance(SignedDuration::from_mins(10));
    let watermark = sandbox.clock().now().as_millisecond();
    client.put(&format!("/contacts/{}", ids[0]), json!({"city": "Leeds"})).await;
    sandbox.advance(SignedDuration::from_secs(1));
    let body = json!({
        "filters": [{"field": "dateUpdated", "operator": "range", "value": {"gte": watermark}}],
        "sort": [{"field": "dateUpdated", "direction": "asc"}],
    });
    let found = search(&client, &location, body).await;
    assert_eq!((&found.body["total"], &found.body["contacts"][0]["id"]), (&json!(1), &json!(ids[0])));
}

#[tokio::test]
async fn the_deprecated_list_pages_by_a_pair_and_refuses_more_than_100() {
    let (sandbox, location, client) = start().await;
    let loaded = sandbox.highlevel().load(&location, 45).unwrap();
    let mut path = format!("/contacts/?locationId={location}");
    let mut seen = Vec::new();
    loop {
        let page = client.get(&path).await;
        let contacts = page.body["contacts"].as_array().unwrap().clone();
        assert!(contacts.len() <= 20);
        seen.extend(contacts.iter().map(id));
        let meta = &page.body["meta"];
        assert_eq!(meta["total"], json!(loaded.len()));
        let Some(after) = meta["startAfter"].as_i64() else { break };
        path = format!(
            "/contacts/?locationId={location}&startAfter={after}&startAfterId={}",
            meta["startAfterId"].as_str().unwrap()
        );
    }
    let newest_first: Vec<String> = loaded.into_iter().rev().collect();
    assert_eq!(seen, newest_first);
    assert_eq!(client.get(&format!("/contacts/?locationId={location}&limit=101")).await.status, 422);
    assert_eq!(client.get("/contacts/").await.status, 422);
    assert_eq!(client.get(&format!("/contacts/?locationId={location}&page=2")).await.status, 422);
}

#[tokio::test]
async fn contacts_of_a_business_are_listed_after_a_bulk_assignment() {
    let (sandbox, location, client) = start().await;
    let ids = sandbox.highlevel().load(&location, 60).unwrap();
    let body = json!({"locationId": location, "ids": &ids[..30], "businessId": "b1"});
    let done = client.post("/contacts/bulk/business", body).await;
    assert_eq!((done.status, &done.body["success"]), (200, &json!(true)));
    sandbox.highlevel().refresh_index();
    let page = client.get(&format!("/contacts/business/b1?locationId={location}&limit=10&skip=25")).await;
    assert_eq!((page.body["contacts"].as_array().unwrap().len(), &page.body["count"]), (5, &json!(30)));
    let many = json!({"locationId": location, "ids": &ids[..51], "businessId": "b1"});
    assert_eq!(client.post("/contacts/bulk/business", many).await.status, 422);
    let out = json!({"locationId": location, "ids": &ids[..1], "businessId": null});
    assert_eq!(client.post("/contacts/bulk/business", out).await.status, 200);
    assert_eq!(sandbox.highlevel().contact(&location, &ids[0]).unwrap().get("businessId"), None);
    assert!(sandbox.highlevel().webhooks().webhooks().is_empty(), "an assignment fires nothing");
}
