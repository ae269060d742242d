//! The walk through all 32 operations.

use std::collections::BTreeSet;

use contactor_sandbox::highlevel::PersonAct;
use serde_json::{Value, json};

use super::Guest;
use super::table::{OPERATIONS, TAGS_LIST, fits};

/// A guest whose every call must reach exactly the operation of the table.
struct Walk {
    guest: Guest,
    called: BTreeSet<&'static str>,
}

impl Walk {
    async fn call(&mut self, function: &str, input: Value) -> Value {
        let row = OPERATIONS.iter().find(|row| row.0 == function).expect("the table has the function");
        let before = self.guest.counts();
        let answer = self.guest.ok(function, input).await;
        let expected = format!("highlevel.{}", row.2);
        assert_eq!(self.guest.counted_since(&before), [(expected.as_str(), (1, 1))], "{function}");
        let seen = self.guest.stand.sandbox.recorder().recent().pop().unwrap();
        assert!(fits(row.1, &seen.method, &seen.path), "{function} was {} {}", seen.method, seen.path);
        self.called.insert(row.0);
        answer
    }
}

#[tokio::test]
async fn a_component_can_call_all_32_operations_and_each_does_what_it_says() {
    let mut walk = Walk { guest: Guest::new().await, called: BTreeSet::new() };
    let (ada, bob) = contacts(&mut walk).await;
    tasks(&mut walk, &ada).await;
    notes(&mut walk, &ada).await;
    tags(&mut walk, &ada, &bob).await;
    relations(&mut walk, &ada).await;
    searches(&mut walk, &ada, &bob).await;

    assert_eq!(walk.call("contacts.delete", json!({ "id": ada })).await, Value::Null);
    assert_eq!(walk.guest.contact(&ada), Value::Null);
    assert_ne!(walk.guest.contact(&bob), Value::Null);

    assert_eq!(walk.called, OPERATIONS.iter().map(|row| row.0).collect());
}

/// Creates two contacts, and reads and changes the first.
async fn contacts(walk: &mut Walk) -> (String, String) {
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com", "phone": "+12025550101" });
    let created = walk.call("contacts.create", json!({ "fields": fields, "tags": ["Lead"] })).await;
    let ada = text(&created["id"]);
    assert_eq!(created["tags"], json!(["lead"]));
    assert_eq!(created["fields"]["firstName"], "Ada");
    assert_eq!(walk.guest.contact(&ada)["email"], "ada@example.com");

    let read = walk.call("contacts.get", json!({ "id": ada })).await;
    assert_eq!((&read["id"], &read["fields"]["phone"]), (&json!(ada), &json!("+12025550101")));

    let update = json!({ "id": ada, "fields": { "lastName": "Lovelace", "city": "London" } });
    let updated = walk.call("contacts.update", update).await;
    assert_eq!(updated["fields"]["lastName"], "Lovelace");
    let stored = walk.guest.contact(&ada);
    assert_eq!((&stored["city"], &stored["firstName"]), (&json!("London"), &json!("Ada")));
    assert_eq!(stored["tags"], json!(["lead"]), "an update says nothing about tags");

    let upsert = |email: &str| json!({ "fields": { "firstName": "Bob", "email": email }, "create-new-if-duplicate-allowed": false });
    let new = walk.call("contacts.upsert", upsert("bob@example.com")).await;
    let bob = text(&new["contact"]["id"]);
    assert_eq!(new["created"], true);
    let again = walk.call("contacts.upsert", upsert("BOB@example.com")).await;
    assert_eq!((&again["created"], &again["contact"]["id"]), (&json!(false), &json!(bob)));

    let found = walk.call("contacts.find-duplicate", json!({ "email": "Ada@Example.com" })).await;
    assert_eq!(found["id"], json!(ada));
    let found = walk.call("contacts.find-duplicate", json!({ "phone": "+12025550199" })).await;
    assert_eq!(found, Value::Null);
    (ada, bob)
}

async fn tasks(walk: &mut Walk, ada: &str) {
    let fields = json!({ "title": "Call", "dueDate": "2026-12-01T10:00:00Z" });
    let created =
        walk.call("tasks.create", json!({ "contact-id": ada, "completed": false, "fields": fields })).await;
    let task = text(&created["id"]);
    assert_eq!((&created["contact-id"], &created["completed"]), (&json!(ada), &json!(false)));
    assert_eq!(walk.guest.task(ada)["title"], "Call");
    let key = json!({ "contact-id": ada, "id": task });

    let read = walk.call("tasks.get", key.clone()).await;
    assert_eq!(instant(&text(&read["fields"]["dueDate"])), instant("2026-12-01T10:00:00Z"));

    let fields = json!({ "title": "Call again" });
    let updated = walk.call("tasks.update", json!({ "contact-id": ada, "id": task, "fields": fields })).await;
    assert_eq!(updated["fields"]["title"], "Call again");
    assert_eq!(walk.guest.task(ada)["title"], "Call again");

    let done = json!({ "contact-id": ada, "id": task, "completed": true });
    assert_eq!(walk.call("tasks.set-completed", done).await["completed"], true);
    assert_eq!(walk.guest.task(ada)["completed"], true);

    let all = walk.call("tasks.list-all", json!({ "contact-id": ada })).await;
    assert_eq!(ids(&all), [task]);

    assert_eq!(walk.call("tasks.delete", key).await, Value::Null);
    assert_eq!(walk.guest.task(ada), Value::Null);
}

async fn notes(walk: &mut Walk, ada: &str) {
    let note = json!({ "contact-id": ada, "body": "<p>Met at the fair</p>", "fields": { "title": "Fair" } });
    let created = walk.call("notes.create", note).await;
    let note = text(&created["id"]);
    assert_eq!((&created["contact-id"], &created["fields"]["title"]), (&json!(ada), &json!("Fair")));
    assert_eq!(walk.guest.note(ada)["body"], "<p>Met at the fair</p>");
    let key = json!({ "contact-id": ada, "id": note });

    let read = walk.call("notes.get", key.clone()).await;
    assert_eq!(
        (&read["body"], &read["fields"]["bodyText"]),
        (&json!("<p>Met at the fair</p>"), &json!("Met at the fair"))
    );

    let fields = json!({ "body": "Met twice" });
    let updated = walk.call("notes.update", json!({ "contact-id": ada, "id": note, "fields": fields })).await;
    assert_eq!(updated["body"], "Met twice");
    assert_eq!(walk.guest.note(ada)["body"], "Met twice");

    let all = walk.call("notes.list-all", json!({ "contact-id": ada })).await;
    assert_eq!(ids(&all), [note]);

    assert_eq!(walk.call("notes.delete", key).await, Value::Null);
    assert_eq!(walk.guest.note(ada), Value::Null);
}

async fn tags(walk: &mut Walk, ada: &str, bob: &str) {
    let added = walk.call("tags.add", json!({ "contact-id": ada, "tags": ["VIP", "lead"] })).await;
    assert_eq!(sorted(&added["tags"]), ["lead", "vip"], "other tags stay");
    assert_eq!(added["changed"], json!(["vip"]));
    assert_eq!(sorted(&walk.guest.contact(ada)["tags"]), ["lead", "vip"]);
    assert_eq!(sorted(&walk.guest.ok(TAGS_LIST, json!({ "contact-id": ada })).await), ["lead", "vip"]);

    let removed = walk.call("tags.remove", json!({ "contact-id": ada, "tags": ["lead"] })).await;
    assert_eq!((&removed["tags"], &removed["changed"]), (&json!(["vip"]), &json!(["lead"])));
    assert_eq!(walk.guest.contact(ada)["tags"], json!(["vip"]));

    let many = |mode: &str, tags: Value| json!({ "mode": mode, "contact-ids": [ada, bob], "tags": tags });
    let outcome = walk.call("bulk.update-tags", many("add", json!(["Fair"]))).await;
    assert_eq!(outcome["errors"], 0);
    let answered: Vec<_> =
        outcome["responses"].as_array().unwrap().iter().map(|one| one["contactId"].clone()).collect();
    assert_eq!(answered, [json!(ada), json!(bob)]);
    assert_eq!(sorted(&walk.guest.contact(ada)["tags"]), ["fair", "vip"]);
    walk.call("bulk.update-tags", many("remove", json!(["vip"]))).await;
    assert_eq!(walk.guest.contact(ada)["tags"], json!(["fair"]));
    walk.call("bulk.update-tags", many("remove-all", json!([]))).await;
    assert_eq!(walk.guest.contact(ada)["tags"], json!([]));
    assert_eq!(walk.guest.contact(bob)["tags"], json!([]));

    let stranger = json!({ "mode": "add", "contact-ids": [ada, "nobody"], "tags": ["late"] });
    let outcome = walk.call("bulk.update-tags", stranger).await;
    assert_eq!(outcome["errors"], 1, "one failed, and the answer says so");
    assert_eq!(walk.guest.contact(ada)["tags"], json!(["late"]));
}

/// Followers, campaigns, workflows, appointments.
async fn relations(walk: &mut Walk, ada: &str) {
    let users = |ids: &[&str]| json!({ "id": ada, "user-ids": ids });
    let following = walk.call("contacts.add-followers", users(&["user-1", "user-2"])).await;
    assert_eq!(sorted(&following), ["user-1", "user-2"]);
    let following = walk.call("contacts.remove-followers", users(&["user-1"])).await;
    assert_eq!(following, json!(["user-2"]));
    assert_eq!(walk.guest.contact(ada)["followers"], json!(["user-2"]));

    let campaign = |id: &str| json!({ "contact-id": ada, "campaign-id": id });
    for id in ["campaign-1", "campaign-2", "campaign-3"] {
        assert_eq!(walk.call("campaigns.add", campaign(id)).await, Value::Null);
    }
    walk.call("campaigns.remove", campaign("campaign-2")).await;
    assert_eq!(walk.guest.campaigns(ada), ["campaign-1", "campaign-3"]);
    walk.call("campaigns.remove-all", json!({ "contact-id": ada })).await;
    assert_eq!(walk.guest.campaigns(ada), [""; 0]);

    let workflow = |id: &str| json!({ "contact-id": ada, "workflow-id": id, "event-start-time": "2026-12-01T10:00:00-05:00" });
    for id in ["workflow-1", "workflow-2"] {
        assert_eq!(walk.call("workflows.add", workflow(id)).await, Value::Null);
    }
    walk.call("workflows.remove", json!({ "contact-id": ada, "workflow-id": "workflow-1" })).await;
    assert_eq!(walk.guest.workflows(ada), ["workflow-2"]);

    let booked = walk.guest.act(PersonAct::Book {
        fields: json!({
            "calendarId": "calendar-1", "contactId": ada, "title": "Demo", "appointmentStatus": "confirmed",
            "startTime": "2026-12-01T10:00:00-05:00", "endTime": "2026-12-01T10:30:00-05:00",
        }),
    });
    let all = walk.call("appointments.list-all", json!({ "contact-id": ada })).await;
    assert_eq!(ids(&all), [text(&booked["id"])]);
    let one = &all[0];
    assert_eq!(
        (&one["start"], &one["end"]),
        (&json!("2026-12-01T15:00:00Z"), &json!("2026-12-01T15:30:00Z"))
    );
    assert_eq!((&one["status"], &one["fields"]["title"]), (&json!("confirmed"), &json!("Demo")));
}

/// What the vendor answers from its index.
async fn searches(walk: &mut Walk, ada: &str, bob: &str) {
    let both = sorted(&json!([ada, bob]));
    let into = json!({ "contact-ids": [ada], "business-id": "business-1" });
    assert_eq!(walk.call("bulk.set-business", into).await, json!([ada]));
    assert_eq!(walk.guest.contact(ada)["businessId"], "business-1");
    walk.guest.stand.sandbox.highlevel().refresh_index();

    let filter = json!([{ "field": "email", "operator": "eq", "value": "ada@example.com" }]);
    let page = walk.call("contacts.search", json!({ "filters": filter, "limit": 10 })).await;
    assert_eq!((ids(&page["contacts"]), &page["total"]), (vec![ada.to_owned()], &json!(1)));

    let sort = json!([{ "field": "email", "descending": true }]);
    let first = walk.call("contacts.search", json!({ "sort": sort, "limit": 1 })).await;
    assert_eq!((ids(&first["contacts"]), &first["total"]), (vec![bob.to_owned()], &json!(2)));
    let next = json!({ "sort": sort, "limit": 1, "cursor": text(&first["next"]) });
    assert_eq!(ids(&walk.call("contacts.search", next).await["contacts"]), [ada]);

    let page = walk.call("contacts.list-page", json!({ "limit": 100 })).await;
    assert_eq!(ids(&page["contacts"]), both);
    let first = walk.call("contacts.list-page", json!({ "limit": 1 })).await;
    let next = json!({ "limit": 1, "cursor": text(&first["next"]) });
    let second = walk.call("contacts.list-page", next).await;
    assert_eq!(sorted(&json!([first["contacts"][0]["id"], second["contacts"][0]["id"]])), both);

    let members = json!({ "business-id": "business-1", "limit": 10, "skip": 0 });
    assert_eq!(ids(&walk.call("contacts.list-by-business", members).await["contacts"]), [ada]);
    assert_eq!(walk.call("bulk.set-business", json!({ "contact-ids": [ada] })).await, json!([ada]));
    assert_eq!(walk.guest.contact(ada)["businessId"], Value::Null);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn instant(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

fn sorted(value: &Value) -> Vec<String> {
    let mut texts: Vec<_> =
        value.as_array().unwrap_or_else(|| panic!("{value} is no list")).iter().map(text).collect();
    texts.sort();
    texts
}

fn ids(contacts: &Value) -> Vec<String> {
    let ids: Vec<Value> = contacts.as_array().unwrap().iter().map(|contact| contact["id"].clone()).collect();
    sorted(&json!(ids))
}
