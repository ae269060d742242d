//! Contacts: normalisation, duplicates, upsert and its traps.

use contactor_sandbox::highlevel::{LocationConfig, PersonAct};
use serde_json::{Value, json};

use crate::client::{Client, id, start};

async fn create(client: &Client, location: &str, mut body: Value) -> Value {
    body["locationId"] = json!(location);
    let answer = client.post("/contacts/", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["contact"].clone()
}

#[tokio::test]
async fn a_created_contact_is_normalised() {
    let (_sandbox, location, client) = start().await;
    let contact = create(
        &client,
        &location,
        json!({
            "firstName": " Ann ", "lastName": "O'Neil", "email": "Ann@Example.com", "phone": "(415) 555-0100",
            "tags": [" VIP ", "vip", "New Lead"], "dateOfBirth": "01/05/2000", "country": "us", "city": "",
        }),
    )
    .await;
    assert_eq!(contact["firstName"], "Ann");
    assert_eq!(contact["email"], "Ann@Example.com");
    assert_eq!(contact["emailLowerCase"], "ann@example.com");
    assert_eq!(contact["fullNameLowerCase"], "ann o'neil");
    assert_eq!(contact["phone"], "+14155550100");
    assert_eq!(contact["tags"], json!(["vip", "new lead"]));
    assert_eq!(contact["dateOfBirth"], "2000-01-05T00:00:00.000Z");
    assert_eq!(contact["country"], "US");
    assert_eq!(contact["dateAdded"], "2026-11-21T08:00:00.000Z");
    assert_eq!(contact.get("city"), None, "what has no value is absent");
    assert_eq!(
        (&contact["deleted"], &contact["lastUpdatedBy"]["source"]),
        (&json!(false), &json!("INTEGRATION"))
    );

    let read = client.get(&format!("/contacts/{}", id(&contact))).await.body["contact"].clone();
    assert_eq!(read["createdBy"]["sourceId"], "private");
    assert_eq!(read.get("lastUpdatedBy"), None, "seen in the answer to a create only");
}

#[tokio::test]
async fn a_contact_needs_an_email_or_a_phone_and_the_email_must_be_one() {
    let (_sandbox, location, client) = start().await;
    let nameless = client.post("/contacts/", json!({"locationId": location, "firstName": "Ann"})).await;
    assert_eq!(nameless.status, 400);
    let malformed =
        client.post("/contacts/", json!({"locationId": location, "email": "ann at example"})).await;
    assert_eq!((malformed.status, &malformed.body["message"]), (422, &json!(["email must be an email"])));
    assert_eq!(malformed.body["error"], "Unprocessable Entity");
}

#[tokio::test]
async fn a_duplicate_is_refused_with_the_id_of_the_one_there_is() {
    let (_sandbox, location, client) = start().await;
    let ann = create(&client, &location, json!({"name": "Ann Lee", "email": "ann@example.com"})).await;
    let again = client.post("/contacts/", json!({"locationId": location, "email": "ANN@example.com"})).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.body["message"], "This location does not allow duplicated contacts.");
    let meta = json!({"contactId": ann["id"], "contactName": "Ann Lee", "matchingField": "email"});
    assert_eq!(again.body["meta"], meta);

    let ben = create(&client, &location, json!({"phone": "+14155550101"})).await;
    let taken = client.put(&format!("/contacts/{}", id(&ben)), json!({"email": "ann@example.com"})).await;
    assert_eq!((taken.status, &taken.body["meta"]["matchingField"]), (400, &json!("email")));
}

#[tokio::test]
async fn where_duplicates_are_allowed_a_create_always_creates() {
    let (sandbox, _, client) = start().await;
    let config = LocationConfig { allow_duplicate_contact: true, ..LocationConfig::numbered(3) };
    sandbox.highlevel().add_location(config.clone());
    let client = client.with_token(&config.private_token);
    let one = create(&client, &config.id, json!({"email": "ann@example.com"})).await;
    let two = create(&client, &config.id, json!({"email": "ann@example.com"})).await;
    assert_ne!(one["id"], two["id"]);
    let location = client.get(&format!("/locations/{}", config.id)).await;
    assert_eq!(location.body["location"]["settings"]["allowDuplicateContact"], true);

    let body =
        json!({"locationId": config.id, "email": "ann@example.com", "createNewIfDuplicateAllowed": true});
    assert_eq!(client.post("/contacts/upsert", body).await.body["new"], true);
    let body = json!({"locationId": config.id, "email": "ann@example.com"});
    assert_eq!(client.post("/contacts/upsert", body).await.body["new"], false);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_clears_with_null() {
    let (_sandbox, location, client) = start().await;
    let ann =
        create(&client, &location, json!({"firstName": "Ann", "email": "ann@example.com", "city": "Leeds"}))
            .await;
    let path = format!("/contacts/{}", id(&ann));
    let updated = client.put(&path, json!({"city": null, "lastName": "Lee"})).await;
    assert_eq!(
        (updated.status, &updated.body["succeded"], &updated.body["succeeded"]),
        (200, &json!(true), &json!(true))
    );
    let contact = &updated.body["contact"];
    assert_eq!(
        (contact.get("city"), &contact["firstName"], &contact["lastName"]),
        (None, &json!("Ann"), &json!("Lee"))
    );

    let refused =
        client.put(&path, json!({"locationId": location, "gender": "female", "companyName": "X"})).await;
    assert_eq!(refused.status, 422);
    let messages = refused.body["message"].as_array().unwrap();
    for name in ["locationId", "gender", "companyName"] {
        assert!(messages.contains(&json!(format!("property {name} should not exist"))), "{messages:?}");
    }
}

#[tokio::test]
async fn tags_in_an_update_replace_all_others() {
    let (sandbox, location, client) = start().await;
    let ann = create(&client, &location, json!({"email": "ann@example.com", "tags": ["a", "b"]})).await;
    client.put(&format!("/contacts/{}", id(&ann)), json!({"tags": ["C"]})).await;
    let read = sandbox.highlevel().contact(&location, &id(&ann)).unwrap();
    assert_eq!(read["tags"], json!(["c"]));
    assert_eq!(
        sandbox.highlevel().tags(&location),
        ["a", "b", "c"],
        "tags come into being on first use and stay"
    );
}

#[tokio::test]
async fn custom_fields_are_written_by_id_or_key_and_unknown_ones_are_ignored() {
    let (sandbox, location, client) = start().await;
    let define = |name: &str, kind: &str| {
        let act = PersonAct::DefineCustomField { name: name.into(), data_type: kind.into() };
        sandbox.highlevel().act(&location, act).unwrap()
    };
    let (size, spend) = (define("Shoe Size", "TEXT"), define("Spend", "MONETORY"));
    assert_eq!(size["fieldKey"], "contact.shoe_size");
    let body = json!({"email": "ann@example.com", "customFields": [
        {"id": size["id"], "field_value": "42"},
        {"key": "contact.spend", "field_value": "1,234.50"},
        {"key": "unheard_of", "field_value": "x"},
    ]});
    let ann = create(&client, &location, body).await;
    let read = |contact: &Value, field: &Value| {
        let fields = contact["customFields"].as_array().unwrap();
        fields.iter().find(|entry| entry["id"] == field["id"]).map(|entry| entry["value"].clone())
    };
    assert_eq!(read(&ann, &size), Some(json!("42")));
    assert_eq!(read(&ann, &spend), Some(json!(1234.5)));
    assert_eq!(ann["customFields"].as_array().unwrap().len(), 2);

    let listed = client.get(&format!("/locations/{location}/customFields?model=contact")).await;
    assert_eq!(listed.body["customFields"].as_array().unwrap().len(), 2);
    let path = format!("/contacts/{}", id(&ann));
    let cleared = client.put(&path, json!({"customFields": [{"id": size["id"], "field_value": ""}]})).await;
    assert_eq!(read(&cleared.body["contact"], &size), None);
}

#[tokio::test]
async fn upsert_with_two_matches_changes_the_first_and_drops_the_second_field() {
    let (sandbox, location, client) = start().await;
    let ann = create(&client, &location, json!({"email": "ann@example.com", "phone": "+14155550100"})).await;
    let ben = create(&client, &location, json!({"email": "ben@example.com", "phone": "+14155550101"})).await;
    let mixed =
        json!({"locationId": location, "email": "ann@example.com", "phone": "+14155550101", "city": "Leeds"});
    let done = client.post("/contacts/upsert", mixed).await;
    assert_eq!(
        (done.status, &done.body["new"], &done.body["contact"]["id"]),
        (200, &json!(false), &ann["id"])
    );
    assert_eq!(
        (&done.body["contact"]["phone"], &done.body["contact"]["city"]),
        (&json!("+14155550100"), &json!("Leeds"))
    );
    assert_eq!(sandbox.highlevel().contact(&location, &id(&ben)).unwrap()["phone"], "+14155550101");
}

#[tokio::test]
async fn upsert_by_a_secondary_email_promotes_it_and_loses_the_primary() {
    let (sandbox, location, client) = start().await;
    let ann = create(&client, &location, json!({"email": "ann@example.com", "gender": "female"})).await;
    let act = PersonAct::AddEmail { contact: id(&ann), email: "second@example.com".into() };
    sandbox.highlevel().act(&location, act).unwrap();
    let body = json!({"locationId": location, "email": "second@example.com", "gender": "male"});
    let done = client.post("/contacts/upsert", body).await.body["contact"].clone();
    assert_eq!((&done["id"], &done["email"]), (&ann["id"], &json!("second@example.com")));
    assert_eq!(done["additionalEmails"], json!([]));
    assert_eq!(done["gender"], "female", "accepted with 200, and ignored");
}

#[tokio::test]
async fn duplicate_search_follows_the_order_of_the_location() {
    let (sandbox, location, client) = start().await;
    create(&client, &location, json!({"email": "ann@example.com"})).await;
    let ben = create(&client, &location, json!({"phone": "+14155550101"})).await;
    let path = format!(
        "/contacts/search/duplicate?locationId={location}&email=ann@example.com&number=%2B14155550101"
    );
    assert_eq!(client.get(&path).await.body["matchingField"], "email");
    let settings = PersonAct::ChangeSettings {
        allow_duplicate_contact: None,
        match_by: Some(vec![contactor_sandbox::highlevel::MatchBy::Phone]),
        country: None,
        timezone: None,
    };
    sandbox.highlevel().act(&location, settings).unwrap();
    let found = client.get(&path).await;
    assert_eq!((&found.body["matchingField"], &found.body["contact"]["id"]), (&json!("phone"), &ben["id"]));
    let miss =
        client.get(&format!("/contacts/search/duplicate?locationId={location}&email=x@example.com")).await;
    assert_eq!((miss.status, &miss.body["contact"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_deleted_contact_is_unknown_to_the_api() {
    let (_sandbox, location, client) = start().await;
    let ann = create(&client, &location, json!({"email": "ann@example.com"})).await;
    let path = format!("/contacts/{}", id(&ann));
    let deleted = client.delete(&path).await;
    assert_eq!((deleted.status, &deleted.body["succeded"]), (200, &json!(true)));
    let gone = client.get(&path).await;
    assert_eq!((gone.status, gone.body["message"].as_str().unwrap().contains("not found")), (400, true));
    assert_eq!(client.get(&format!("{path}/tasks")).await.status, 400);
    create(&client, &location, json!({"email": "ann@example.com"})).await;
}

#[tokio::test]
async fn v3_speaks_its_own_spellings() {
    let (_sandbox, location, client) = start().await;
    let v3 = Client { version: Some("v3"), ..client.clone() };
    let body = json!({"email": "ann@example.com", "dndSettings": {"email": {"status": "active"}}});
    let ann = create(&v3, &location, body).await;
    assert_eq!(ann["dndSettings"]["email"]["status"], "active");
    assert_eq!(ann.get("deleted"), None, "v3 answers a create as get-by-id does");
    let read = client.get(&format!("/contacts/{}", id(&ann))).await;
    assert_eq!(read.body["contact"]["dndSettings"]["Email"]["status"], "active");
}
