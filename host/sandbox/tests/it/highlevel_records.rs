//! Tasks, notes, tags, followers, bulk tags, appointments, tag dictionary.

use serde_json::{Value, json};

use crate::client::{id, start};

#[tokio::test]
async fn a_task_has_no_dates_of_its_own_and_its_due_date_gets_milliseconds() {
    let (sandbox, location, client) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    let path = format!("/contacts/{contact}/tasks");
    let body = json!({"title": "Call", "dueDate": "2026-12-01T10:00:00Z", "completed": false});
    let created = client.post(&path, body).await;
    assert_eq!(created.status, 201);
    let task = &created.body["task"];
    assert_eq!(task["dueDate"], "2026-12-01T10:00:00.000Z");
    let names: Vec<&String> = task.as_object().unwrap().keys().collect();
    assert!(!names.iter().any(|name| name.starts_with("date") || *name == "body"), "{names:?}");

    let one = format!("{path}/{}", id(task));
    let done = client.put(&format!("{one}/completed"), json!({"completed": true})).await;
    assert_eq!((done.status, &done.body["task"]["completed"]), (200, &json!(true)));
    let partial = client.put(&one, json!({"completed": false})).await;
    assert_eq!(
        (&partial.body["task"]["completed"], &partial.body["task"]["title"]),
        (&json!(false), &json!("Call"))
    );
    assert_eq!(client.get(&path).await.body["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(client.delete(&one).await.status, 200);
    assert_eq!(client.get(&one).await.status, 400);
    let incomplete = client.post(&path, json!({"title": "x"})).await;
    assert_eq!(incomplete.status, 422);
}

#[tokio::test]
async fn task_search_is_the_only_view_across_contacts() {
    let (sandbox, location, client) = start().await;
    let contacts = sandbox.highlevel().load(&location, 3).unwrap();
    for (index, contact) in contacts.iter().enumerate() {
        let body =
            json!({"title": format!("Call {index}"), "dueDate": "2026-12-01", "completed": index == 0});
        assert_eq!(client.post(&format!("/contacts/{contact}/tasks"), body).await.status, 201);
    }
    let path = format!("/locations/{location}/tasks/search");
    let titles = |body: &Value| -> Vec<String> {
        body["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["title"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(titles(&client.post(&path, json!({"completed": true})).await.body), ["Call 0"]);
    assert_eq!(titles(&client.post(&path, json!({"contactId": [contacts[2]]})).await.body), ["Call 2"]);
    assert_eq!(titles(&client.post(&path, json!({"limit": 2, "skip": 2})).await.body).len(), 1);
    let found = client.post(&path, json!({"query": "call 1"})).await;
    assert_eq!(found.body["tasks"][0]["contactId"], json!(contacts[1]));
    assert_eq!(client.post(&path, json!({"updatedSince": 1})).await.status, 422, "there is no such filter");
}

#[tokio::test]
async fn a_note_carries_its_plain_text_and_a_null_user() {
    let (sandbox, location, client) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    let path = format!("/contacts/{contact}/notes");
    let created = client.post(&path, json!({"body": "<p>Tom &amp; Ann</p>", "pinned": true})).await;
    assert_eq!(created.status, 201);
    let note = &created.body["note"];
    assert_eq!(
        (&note["bodyText"], &note["userId"], &note["pinned"]),
        (&json!("Tom & Ann"), &Value::Null, &json!(true))
    );
    assert_eq!(
        (note["relations"][0]["recordId"].as_str(), note.get("dateUpdated")),
        (Some(contact.as_str()), None)
    );
    let one = format!("{path}/{}", id(note));
    assert_eq!(client.put(&one, json!({"title": "T"})).await.body["note"]["body"], "<p>Tom &amp; Ann</p>");
    assert_eq!(client.put(&one, json!({"locationId": location})).await.status, 422);
    assert_eq!(client.get(&path).await.body["notes"].as_array().unwrap().len(), 1);
    assert_eq!(client.delete(&one).await.status, 200);
    assert_eq!(client.get(&one).await.status, 400);
}

#[tokio::test]
async fn tag_answers_tell_a_change_from_a_no_op() {
    let (sandbox, location, client) = start().await;
    let fields = json!({"email": "ann@example.com", "tags": ["a"]});
    let act = contactor_sandbox::highlevel::PersonAct::CreateContact { fields };
    let contact = id(&sandbox.highlevel().act(&location, act).unwrap());
    let path = format!("/contacts/{contact}/tags");
    let added = client.post(&path, json!({"tags": [" B ", "a"]})).await;
    assert_eq!(
        (added.status, &added.body["tags"], &added.body["tagsAdded"]),
        (201, &json!(["a", "b"]), &json!(["b"]))
    );
    let again = client.post(&path, json!({"tags": ["b"]})).await;
    assert_eq!(again.body["tagsAdded"], json!([]));
    let removed = client.send("DELETE", &path, Some(json!({"tags": ["A"]}))).await;
    assert_eq!((removed.status, &removed.body["tagsRemoved"]), (200, &json!(["a"])));
    let bodiless = client.delete(&path).await;
    assert_eq!((bodiless.status, &bodiless.body["message"]), (422, &json!(["tags must be an array"])));
}

#[tokio::test]
async fn bulk_tags_answer_201_and_hide_failures_inside() {
    let (sandbox, location, client) = start().await;
    let ids = sandbox.highlevel().load(&location, 2).unwrap();
    client.delete(&format!("/contacts/{}", ids[1])).await;
    let foreign = "A".repeat(20);
    let body =
        json!({"locationId": location, "contacts": [ids[0], ids[1], "abc", foreign], "tags": ["Bulk"]});
    let done = client.post("/contacts/bulk/tags/update/add", body).await;
    assert_eq!((done.status, &done.body["errorCount"]), (201, &json!(3)));
    let messages: Vec<&Value> =
        done.body["responses"].as_array().unwrap().iter().map(|one| &one["message"]).collect();
    assert_eq!(
        messages,
        [
            "Tags updated",
            "contact is deleted",
            "contact id is not a valid firebase id",
            "contact does not belong to location"
        ]
    );
    assert_eq!(done.body["responses"][0]["tagsAdded"], json!(["bulk"]));
    let all = json!({"locationId": location, "contacts": [ids[0]], "tags": [], "removeAllTags": true});
    client.post("/contacts/bulk/tags/update/remove", all).await;
    assert_eq!(sandbox.highlevel().contact(&location, &ids[0]).unwrap()["tags"], json!([]));
    let body = json!({"locationId": location, "contacts": [], "tags": []});
    assert_eq!(client.post("/contacts/bulk/tags/update/toggle", body).await.status, 422);
}

#[tokio::test]
async fn followers_campaigns_and_workflows_hang_on_the_contact() {
    let (sandbox, location, client) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    let followers = format!("/contacts/{contact}/followers");
    let added = client.post(&followers, json!({"followers": ["u1", "u2"]})).await;
    assert_eq!((added.status, &added.body["followersAdded"]), (201, &json!(["u1", "u2"])));
    let removed = client.send("DELETE", &followers, Some(json!({"followers": ["u1", "u9"]}))).await;
    assert_eq!(
        (&removed.body["followers"], &removed.body["followersRemoved"]),
        (&json!(["u2"]), &json!(["u1"]))
    );

    assert_eq!(client.post(&format!("/contacts/{contact}/campaigns/c1"), json!({})).await.status, 201);
    let start = json!({"eventStartTime": "2026-12-01T03:30:00+01:00"});
    assert_eq!(client.post(&format!("/contacts/{contact}/workflow/w1"), start).await.status, 200);
    let (campaigns, workflows) = sandbox.highlevel().memberships(&location, &contact);
    assert_eq!((campaigns, workflows), (vec!["c1".to_owned()], vec!["w1".to_owned()]));
    assert_eq!(client.delete(&format!("/contacts/{contact}/campaigns/removeAll")).await.status, 200);
    assert_eq!(client.delete(&format!("/contacts/{contact}/workflow/w1")).await.status, 200);
    assert_eq!(sandbox.highlevel().memberships(&location, &contact), (vec![], vec![]));
}

#[tokio::test]
async fn an_appointment_is_zone_less_on_the_contact_and_has_an_offset_in_the_calendar() {
    let (sandbox, location, client) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    let body = json!({
        "calendarId": "cal1", "locationId": location, "contactId": contact, "title": "Demo",
        "startTime": "2026-07-16T15:00:00Z", "toNotify": false,
    });
    let created = client.post("/calendars/events/appointments", body).await;
    assert_eq!((created.status, created.body.get("startTime")), (200, None), "the answer omits the times");
    assert_eq!(
        (&created.body["appoinmentStatus"], &created.body["appointmentStatus"]),
        (&json!("confirmed"), &json!("confirmed"))
    );

    let on_contact = client.get(&format!("/contacts/{contact}/appointments")).await.body["events"][0].clone();
    assert_eq!(on_contact["startTime"], "2026-07-16 11:00:00");
    let one = format!("/calendars/events/appointments/{}", id(&created.body));
    assert_eq!(client.get(&one).await.body["event"]["startTime"], "2026-07-16T11:00:00-04:00");
    let window =
        format!("/calendars/events?locationId={location}&startTime=1784000000000&endTime=1785000000000");
    assert_eq!(client.get(&window).await.status, 400, "one of calendar, user or group is needed");
    let listed = client.get(&format!("{window}&calendarId=cal1")).await;
    assert_eq!(listed.body["events"].as_array().unwrap().len(), 1);

    let moved =
        client.put(&one, json!({"startTime": "2026-07-16T16:00:00Z", "appointmentStatus": "showed"})).await;
    assert_eq!((moved.status, &moved.body["appointmentStatus"]), (200, &json!("showed")));
    let deleted =
        client.send("DELETE", &format!("/calendars/events/{}", id(&created.body)), Some(json!({}))).await;
    assert_eq!((deleted.status, &deleted.body["succeeded"]), (201, &json!(true)));
    let ghost = client.get(&one).await;
    assert_eq!((ghost.status, &ghost.body["event"]["deleted"]), (200, &json!(true)));
    assert_eq!(client.get(&format!("/contacts/{contact}/appointments")).await.body["events"], json!([]));
}

#[tokio::test]
async fn the_tag_dictionary_renames_and_removes_on_contacts_without_a_word() {
    let (sandbox, location, client) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    client.post(&format!("/contacts/{contact}/tags"), json!({"tags": ["old"]})).await;
    sandbox.highlevel().webhooks().clear();
    let tags = format!("/locations/{location}/tags");
    let listed = client.get(&tags).await.body["tags"].clone();
    let old = listed.as_array().unwrap().iter().find(|tag| tag["name"] == "old").unwrap().clone();
    let one = format!("{tags}/{}", id(&old));
    assert_eq!(client.put(&one, json!({"name": "New"})).await.body["tag"]["name"], "new");
    let of_contact = || sandbox.highlevel().contact(&location, &contact).unwrap()["tags"].clone();
    assert!(of_contact().as_array().unwrap().contains(&json!("new")));
    assert_eq!(client.delete(&one).await.status, 200);
    assert!(!of_contact().as_array().unwrap().contains(&json!("new")));
    assert_eq!(client.get(&one).await.status, 400);
    assert!(sandbox.highlevel().webhooks().webhooks().is_empty());
}
