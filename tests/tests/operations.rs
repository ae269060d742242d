//! Every operation of the vendor's Contacts API, called by a component through the imports of `wit/`; and what a connector
//! gets instead of an answer: the vendor's refusal, a withheld grant, a preview, each as a value.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contactor_highlevel::operation;
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::ConnectionId;
use contactor_tests::artefacts;
use contactor_tests::engine::Stand;
use serde_json::{Value, json};

/// Function of `wit/`, the vendor's operation, and the double's name for it.
const OPERATIONS: [(&str, &str, &str); 32] = [
    ("contacts.search", "POST /contacts/search", "contacts.search"),
    ("contacts.find-duplicate", "GET /contacts/search/duplicate", "contacts.duplicate"),
    ("contacts.get", "GET /contacts/{contactId}", "contacts.get"),
    ("contacts.create", "POST /contacts/", "contacts.create"),
    ("contacts.update", "PUT /contacts/{contactId}", "contacts.update"),
    ("contacts.delete", "DELETE /contacts/{contactId}", "contacts.delete"),
    ("contacts.upsert", "POST /contacts/upsert", "contacts.upsert"),
    ("contacts.list-page", "GET /contacts/", "contacts.list"),
    ("contacts.list-by-business", "GET /contacts/business/{businessId}", "contacts.by_business"),
    ("contacts.add-followers", "POST /contacts/{contactId}/followers", "followers.add"),
    ("contacts.remove-followers", "DELETE /contacts/{contactId}/followers", "followers.remove"),
    ("tasks.list-all", "GET /contacts/{contactId}/tasks", "tasks.list"),
    ("tasks.create", "POST /contacts/{contactId}/tasks", "tasks.create"),
    ("tasks.get", "GET /contacts/{contactId}/tasks/{taskId}", "tasks.get"),
    ("tasks.update", "PUT /contacts/{contactId}/tasks/{taskId}", "tasks.update"),
    ("tasks.delete", "DELETE /contacts/{contactId}/tasks/{taskId}", "tasks.delete"),
    ("tasks.set-completed", "PUT /contacts/{contactId}/tasks/{taskId}/completed", "tasks.complete"),
    ("notes.list-all", "GET /contacts/{contactId}/notes", "notes.list"),
    ("notes.create", "POST /contacts/{contactId}/notes", "notes.create"),
    ("notes.get", "GET /contacts/{contactId}/notes/{id}", "notes.get"),
    ("notes.update", "PUT /contacts/{contactId}/notes/{id}", "notes.update"),
    ("notes.delete", "DELETE /contacts/{contactId}/notes/{id}", "notes.delete"),
    ("tags.add", "POST /contacts/{contactId}/tags", "tags.add"),
    ("tags.remove", "DELETE /contacts/{contactId}/tags", "tags.remove"),
    ("appointments.list-all", "GET /contacts/{contactId}/appointments", "appointments.of_contact"),
    ("bulk.update-tags", "POST /contacts/bulk/tags/update/{type}", "bulk.tags"),
    ("bulk.set-business", "POST /contacts/bulk/business", "bulk.business"),
    ("campaigns.add", "POST /contacts/{contactId}/campaigns/{campaignId}", "campaigns.add"),
    ("campaigns.remove", "DELETE /contacts/{contactId}/campaigns/{campaignId}", "campaigns.remove"),
    ("campaigns.remove-all", "DELETE /contacts/{contactId}/campaigns/removeAll", "campaigns.remove_all"),
    ("workflows.add", "POST /contacts/{contactId}/workflow/{workflowId}", "workflows.add"),
    ("workflows.remove", "DELETE /contacts/{contactId}/workflow/{workflowId}", "workflows.remove"),
];

/// The one function that is no operation of the vendor's: it reads the contact.
const TAGS_LIST: &str = "tags.list-all";

/// Arguments that fit every function, so that nothing but the host's own refusal can stand in its way.
fn any_input(contact: &str) -> Value {
    json!({
        "id": contact, "contact-id": contact, "contact-ids": [contact], "fields": { "firstName": "Ada" },
        "email": "ada@example.com", "limit": 1, "skip": 0, "tags": ["vip"], "mode": "add", "user-ids": ["u1"],
        "business-id": "b1", "campaign-id": "k1", "workflow-id": "w1", "body": "Hello", "completed": true,
        "create-new-if-duplicate-allowed": false,
        "method": "post", "path": "/betas.json", "key": "cursor", "expected": 0, "value": "1", "prefix": "",
    })
}

fn writes(operation: &str) -> bool {
    let found = operation::ALL.iter().find(|known| format!("{} {}", known.method, known.path) == operation);
    found.expect("the client knows the operation").is_write()
}

/// A stand with the component enabled.
struct Guest {
    stand: Stand,
    connection: ConnectionId,
    location: String,
}

impl Guest {
    async fn with_grants(grants: Option<&[&str]>) -> Self {
        let stand = Stand::start().await.unwrap();
        let connection = stand.enable("guest-operations", grants).await.unwrap().id;
        let location = stand.sandbox.highlevel().first_location();
        stand.sandbox.recorder().clear();
        Self { stand, connection, location }
    }

    async fn new() -> Self {
        Self::with_grants(None).await
    }

    /// `{"ok": …}` or `{"error": …}`, as the guest saw it.
    async fn outcome(&self, function: &str, input: Value) -> Value {
        self.stand
            .run(&self.connection, function, &input)
            .await
            .unwrap_or_else(|error| panic!("{function}: {error}"))
    }

    async fn ok(&self, function: &str, input: Value) -> Value {
        let mut outcome = self.outcome(function, input).await;
        assert!(outcome.get("ok").is_some(), "{function}: {outcome}");
        outcome["ok"].take()
    }

    async fn error(&self, function: &str, input: Value) -> Value {
        let mut outcome = self.outcome(function, input).await;
        assert!(outcome.get("error").is_some(), "{function}: {outcome}");
        outcome["error"].take()
    }

    /// The outcome in a preview.
    async fn previewed(&self, function: &str, input: &Value) -> Value {
        self.stand.engine.run_action(&self.connection, function, input, true).await.unwrap()
    }

    fn act(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    /// A contact that a person saved in HighLevel.
    fn saved(&self, fields: Value) -> String {
        text(&self.act(PersonAct::CreateContact { fields })["id"])
    }

    /// The contact at the double; null when it is gone.
    fn contact(&self, id: &str) -> Value {
        self.stand.sandbox.highlevel().contact(&self.location, id).unwrap_or_default()
    }

    fn task(&self, contact: &str) -> Value {
        self.stand.sandbox.highlevel().tasks(&self.location, contact).into_iter().next().unwrap_or_default()
    }

    fn note(&self, contact: &str) -> Value {
        self.stand.sandbox.highlevel().notes(&self.location, contact).into_iter().next().unwrap_or_default()
    }

    fn campaigns(&self, contact: &str) -> Vec<String> {
        self.stand.sandbox.highlevel().memberships(&self.location, contact).0
    }

    fn workflows(&self, contact: &str) -> Vec<String> {
        self.stand.sandbox.highlevel().memberships(&self.location, contact).1
    }

    /// Requests so far by operation, and those that were carried out.
    fn counts(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let counts = self.stand.sandbox.recorder().counts();
        counts.into_iter().map(|(name, count)| (name, (count.requests, count.carried_out))).collect()
    }

    /// The same, of the operations that were called since.
    fn counted_since(&self, before: &BTreeMap<&'static str, (u64, u64)>) -> Vec<(&'static str, (u64, u64))> {
        let since = |(name, (requests, carried_out))| {
            let (earlier, carried_out_earlier) = before.get(name).copied().unwrap_or_default();
            (name, (requests - earlier, carried_out - carried_out_earlier))
        };
        self.counts().into_iter().map(since).filter(|(_, counts)| *counts != (0, 0)).collect()
    }
}

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

/// Whether a request is the vendor's operation, for example `GET /contacts/{contactId}`.
fn fits(operation: &str, method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (wanted, template) = operation.split_once(' ').unwrap();
    let (template, parts): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(wanted, part): (&&str, &&str)| {
        if wanted.starts_with('{') { !part.is_empty() } else { wanted == part }
    };
    wanted == method && template.len() == parts.len() && template.iter().zip(&parts).all(fits)
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

// ------------------------------------------------------------------------------------------------------- completeness

#[test]
fn the_table_holds_every_operation_of_the_contacts_api() {
    let table: BTreeSet<&str> = OPERATIONS.iter().map(|row| row.1).collect();
    assert_eq!(table.len(), 32, "an operation is there twice");
    let known = operation::ALL.iter().filter(|known| known.path.starts_with("/contacts/"));
    let known: BTreeSet<String> = known.map(|known| format!("{} {}", known.method, known.path)).collect();
    assert_eq!(table, known.iter().map(String::as_str).collect());

    let Some(shared) = artefacts::shared() else {
        println!("skipped: the vendor's specification is not there");
        return;
    };
    let specification = std::fs::read_to_string(shared.join("apps/contacts.json")).unwrap();
    let specification: Value = serde_json::from_str(&specification).unwrap();
    let paths = specification["paths"].as_object().unwrap().iter();
    let published: BTreeSet<String> = paths
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(table, published.iter().map(String::as_str).collect());
}

#[test]
fn the_table_holds_every_function_of_the_interfaces_of_highlevel() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let interfaces = ["contacts", "tasks", "notes", "tags", "appointments", "bulk", "campaigns", "workflows"];
    let mut functions = BTreeSet::new();
    for interface in interfaces {
        let text = std::fs::read_to_string(wit.join(interface).with_extension("wit")).unwrap();
        let named = text
            .lines()
            .filter_map(|line| line.trim().split_once(": func("))
            .map(|(name, _)| name.to_owned());
        functions.extend(named.map(|name| format!("{interface}.{name}")));
    }
    let table: BTreeSet<String> =
        OPERATIONS.iter().map(|row| row.0).chain([TAGS_LIST]).map(str::to_owned).collect();
    assert_eq!(table, functions);
}

#[test]
fn the_component_reaches_the_host_by_the_imports_of_the_interface_and_no_other_way() {
    let report = contactor_engine::inspect(&artefacts::component("guest-operations").unwrap()).unwrap();
    let world =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/world.wit")).unwrap();
    let imports = world.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'));
    let mut imports: Vec<_> = imports.map(|name| format!("contactor:connector/{name}@0.1.0")).collect();
    let mut imported = report.imports;
    imports.sort();
    imported.sort();
    assert_eq!(imported, imports);
    assert_eq!(report.refused, None);
}

// ----------------------------------------------------------------------------------------------------------- the walk

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

// ----------------------------------------------------------------------------------------------------------- refusals

#[tokio::test]
async fn what_the_vendor_refuses_is_a_case_that_a_connector_can_act_on() {
    let guest = Guest::new().await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    let unknown = "SandboxNobody0000001";

    for (function, input) in [
        ("contacts.get", json!({ "id": unknown })),
        ("contacts.delete", json!({ "id": unknown })),
        ("tags.add", json!({ "contact-id": unknown, "tags": ["vip"] })),
        ("tasks.list-all", json!({ "contact-id": unknown })),
        ("notes.get", json!({ "contact-id": ada, "id": unknown })),
    ] {
        assert_eq!(guest.error(function, input).await["case"], "not-found", "{function}");
    }

    let twin = json!({ "fields": { "email": "ADA@example.com" } });
    assert_eq!(guest.error("contacts.create", twin).await, json!({ "case": "duplicate", "detail": ada }));

    let before = guest.stand.records();
    for (function, fields, field) in [
        (
            "contacts.create",
            json!({ "email": "bob@example.com", "favouriteColour": "green" }),
            "favouriteColour",
        ),
        ("contacts.create", json!({ "email": "not an address" }), "email"),
        ("contacts.update", json!({ "tags": ["vip"] }), "tags"),
        (
            "contacts.upsert",
            json!({ "email": "bob@example.com", "favouriteColour": "green" }),
            "favouriteColour",
        ),
        ("tasks.create", json!({ "title": "Call" }), "dueDate"),
        ("notes.update", json!({ "favouriteColour": "green" }), "favouriteColour"),
    ] {
        let input = json!({
            "id": ada, "contact-id": ada, "fields": fields, "completed": false,
            "create-new-if-duplicate-allowed": false,
        });
        let error = guest.error(function, input).await;
        assert_eq!(
            (&error["case"], &error["detail"][0]["field"]),
            (&json!("invalid"), &json!(field)),
            "{function}: {error}"
        );
    }
    assert_eq!(guest.stand.records(), before, "nothing of what was refused was written");
}

#[tokio::test]
async fn a_withdrawn_token_is_said_to_the_connector_without_the_token() {
    let guest = Guest::new().await;
    let token = guest.stand.sandbox.highlevel().private_token();
    guest.stand.sandbox.highlevel().revoke_token(&token);
    let error = guest.error("contacts.list-page", json!({ "limit": 1 })).await;
    assert_eq!(error["case"], "unauthorized");
    assert!(!error.to_string().contains(&token), "{error}");
}

#[tokio::test]
async fn without_the_grant_to_write_every_write_is_denied_and_nothing_leaves_the_host() {
    let guest = Guest::with_grants(Some(&["contacts.readonly"])).await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    let before = guest.stand.records();
    let denied = json!({ "case": "denied", "detail": "contacts.write" });
    for (function, ..) in OPERATIONS.iter().filter(|row| writes(row.1)) {
        assert_eq!(guest.error(function, any_input(&ada)).await, denied, "{function}");
    }
    assert_eq!(guest.counts(), BTreeMap::new());
    assert_eq!(guest.stand.records(), before);
    // What was granted works on.
    assert_eq!(guest.ok("contacts.get", json!({ "id": ada })).await["fields"]["firstName"], "Ada");
}

#[tokio::test]
async fn without_the_grant_to_read_every_read_is_denied_and_nothing_leaves_the_host() {
    let guest = Guest::with_grants(Some(&["contacts.write"])).await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    let denied = json!({ "case": "denied", "detail": "contacts.readonly" });
    let reads = OPERATIONS.iter().filter(|row| !writes(row.1)).map(|row| row.0).chain([TAGS_LIST]);
    for function in reads {
        assert_eq!(guest.error(function, any_input(&ada)).await, denied, "{function}");
    }
    assert_eq!(guest.counts(), BTreeMap::new());
}

#[tokio::test]
async fn without_any_grant_a_component_that_imports_highlevel_is_not_even_enabled() {
    let stand = Stand::start().await.unwrap();
    let error = stand.enable("guest-operations", Some(&[])).await.unwrap_err().to_string();
    assert!(error.contains("operations") && error.contains("which was not granted"), "{error}");
    let ungranted = ConnectionId::new("acme/operations");
    assert!(stand.run(&ungranted, "clock.now", &json!({})).await.is_err());
}

#[tokio::test]
async fn a_preview_reads_and_holds_back_every_write() {
    let guest = Guest::new().await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    guest.stand.sandbox.highlevel().refresh_index();
    let before = guest.stand.records();
    let held_back = json!({ "error": { "case": "denied", "detail": "held back: this is a preview" } });
    let operations = OPERATIONS.iter().filter(|row| writes(row.1)).map(|row| row.0);
    for function in operations.chain(["partner.send", "state.compare-and-set", "state.delete"]) {
        assert_eq!(guest.previewed(function, &any_input(&ada)).await, held_back, "{function}");
    }
    assert_eq!(guest.counts(), BTreeMap::new());

    let read = guest.previewed("contacts.get", &json!({ "id": ada })).await;
    assert_eq!(read["ok"]["fields"]["firstName"], "Ada");
    let partner = guest.previewed("partner.send", &json!({ "method": "get", "path": "/betas.json" })).await;
    assert_eq!(partner["ok"]["status"], 200);
    assert_eq!(guest.stand.records(), before);
    assert_eq!(guest.ok("state.keys", json!({ "prefix": "" })).await, json!([]));
}

// ------------------------------------------------------------------------------------------- what is not HighLevel's

#[tokio::test]
async fn a_component_reaches_its_partner_with_a_credential_that_it_never_sees() {
    let guest = Guest::new().await;
    let answer = guest.ok("partner.send", json!({ "method": "get", "path": "/betas.json" })).await;
    assert_eq!(answer["status"], 200, "the double asks for the key: {answer}");
    assert_eq!(guest.stand.sandbox.recorder().count_of("prefinery.betas.list").carried_out, 1);
    let run = guest.stand.last_run(&guest.connection).await.unwrap();
    let key = guest.stand.sandbox.prefinery().api_key();
    assert_eq!(run.calls.iter().filter(|call| call.target == "partner").count(), 1);
    assert!(!format!("{answer} {run:?}").contains(key), "the key is in what the guest or an admin sees");

    let before = guest.counts();
    for path in ["http://127.0.0.1/betas.json", "//127.0.0.1/", "/../secret", "betas.json"] {
        let error = guest.error("partner.send", json!({ "method": "get", "path": path })).await;
        assert_eq!(error["case"], "invalid", "{path}: {error}");
    }
    let headers = json!([{ "name": "Authorization", "value": "Bearer made-up" }]);
    let error = guest
        .error("partner.send", json!({ "method": "get", "path": "/betas.json", "headers": headers }))
        .await;
    assert_eq!(error["case"], "invalid", "{error}");
    assert_eq!(guest.counts(), before, "nothing of what was refused was sent");
}

#[tokio::test]
async fn state_outlives_the_instance_and_a_stale_version_is_a_conflict() {
    let guest = Guest::new().await;
    let set = |expected: u64, value: &str| json!({ "key": "cursor", "expected": expected, "value": value });
    assert_eq!(guest.ok("state.get", json!({ "key": "cursor" })).await, Value::Null);
    assert_eq!(guest.ok("state.compare-and-set", set(0, "page 1")).await, 1);
    assert_eq!(guest.ok("state.compare-and-set", set(1, "page 2")).await, 2);
    assert_eq!(guest.error("state.compare-and-set", set(1, "late")).await["case"], "conflict");
    let entry = guest.ok("state.get", json!({ "key": "cursor" })).await;
    assert_eq!(entry, json!({ "value": "page 2", "version": 2 }));
    assert_eq!(guest.ok("state.keys", json!({ "prefix": "cur" })).await, json!(["cursor"]));
    assert_eq!(guest.ok("state.delete", json!({ "key": "cursor" })).await, Value::Null);
    assert_eq!(guest.ok("state.keys", json!({ "prefix": "" })).await, json!([]));
}

#[tokio::test]
async fn settings_the_runs_own_time_and_the_log_reach_a_component() {
    let guest = Guest::new().await;
    assert_eq!(guest.ok("settings.all", json!({})).await, json!({ "greeting": "hello" }));
    assert_eq!(guest.ok("clock.now", json!({})).await, guest.stand.engine.now().as_millisecond());
    guest.ok("log.write", json!({ "level": "warn", "message": "careful", "fields": { "page": 3 } })).await;
    assert_eq!(guest.stand.last_run(&guest.connection).await.unwrap().log, ["warn: careful page=3"]);
}
