//! Walks the vendor's own specification of the Contacts API against the double, where it is at hand
//! (`<repository>/../shared/highlevel`).
//!
//! Known errors of the specification, which the double does not follow:
//! the search body is declared empty; `{type}` of bulk tags is not declared; its `responses` are declared as strings
//! and are objects; `userId` of a note is declared as a string and is `null` for apps; `dateOfBirth` is declared as an
//! object and is a text; members of a list are `null` when they have no value, which nothing declares; the two bulk
//! operations declare no scope.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contactor_sandbox::Sandbox;
use contactor_sandbox::highlevel::PersonAct;
use serde_json::{Map, Value, json};

use crate::client::{Client, answer, id, start};

/// Reads the specification with every reference resolved; `None` (and a printed line) when it is not there.
fn specification() -> Option<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/highlevel");
    let read = |path: &str| -> Option<Value> {
        serde_json::from_slice(&std::fs::read(folder.join(path)).ok()?).ok()
    };
    let (Some(contacts), Some(common)) = (read("apps/contacts.json"), read("common/common-schemas.json"))
    else {
        println!("skipped: the vendor's specification is not beside the repository");
        return None;
    };
    let mut schemas = contacts["components"]["schemas"].as_object().unwrap().clone();
    schemas.extend(common["components"]["schemas"].as_object().unwrap().clone());
    let mut resolved = contacts["paths"].clone();
    resolve(&mut resolved, &schemas);
    Some(resolved)
}

/// Puts the schema in place of each `$ref`, and turns `nullable` into JSON Schema.
fn resolve(value: &mut Value, schemas: &Map<String, Value>) {
    if let Some(name) = value.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        *value = schemas[name].clone();
    }
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&json!(true)) {
                let kind = map["type"].clone();
                map.insert("type".into(), json!([kind, "null"]));
            }
            map.remove("example");
            map.values_mut().for_each(|value| resolve(value, schemas));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| resolve(value, schemas)),
        _ => {}
    }
}

/// Makes a response schema say what the service really sends, where the specification is known to be wrong.
fn corrected(path: &str, mut schema: Value) -> Value {
    if path.contains("/notes") {
        for pointer in
            ["/properties/note/properties/userId/type", "/properties/notes/items/properties/userId/type"]
        {
            if let Some(kind) = schema.pointer_mut(pointer) {
                *kind = json!(["string", "null"]);
            }
        }
    }
    // Lists and search show `null` where there is no value.
    if let Some(members) =
        schema.pointer_mut("/properties/contacts/items/properties").and_then(Value::as_object_mut)
    {
        for member in members.values_mut().filter(|member| member["type"] == "string") {
            member["type"] = json!(["string", "null"]);
        }
    }
    if path.contains("/bulk/tags/") {
        schema["properties"]["responses"]["items"]["type"] = json!("object");
    }
    schema
}

struct Operation {
    method: String,
    path: String,
    declared: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn body_schema(&self) -> Option<&Value> {
        self.declared.pointer("/requestBody/content/application~1json/schema")
    }

    fn success(&self) -> (u16, Option<&Value>) {
        let responses = self.declared["responses"].as_object().unwrap();
        let (status, response) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
        (status.parse().unwrap(), response.pointer("/content/application~1json/schema"))
    }

    fn required_query(&self) -> Vec<&str> {
        let parameters = self.declared["parameters"].as_array().unwrap().iter();
        let required = parameters.filter(|one| one["in"] == "query" && one["required"] == true);
        required.map(|one| one["name"].as_str().unwrap()).collect()
    }
}

fn operations(specification: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, methods) in specification.as_object().unwrap() {
        for (method, declared) in methods.as_object().unwrap() {
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                declared: declared.clone(),
            });
        }
    }
    all
}

/// A contact with everything on it, fresh for every request, so that deletes do not disturb one another.
struct Fixture<'a> {
    sandbox: &'a Sandbox,
    location: String,
    number: std::cell::Cell<u32>,
}

impl Fixture<'_> {
    fn act(&self, act: PersonAct) -> Value {
        self.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn email(&self) -> String {
        self.number.set(self.number.get() + 1);
        format!("person{}@example.com", self.number.get())
    }

    /// The path with real ids in it.
    fn path(&self, operation: &Operation) -> (String, BTreeMap<&'static str, String>) {
        let fields = json!({
            "firstName": "Ann", "lastName": "Lee", "email": self.email(), "tags": ["a"], "country": "US",
            "timezone": "UTC", "source": "test",
        });
        let contact = id(&self.act(PersonAct::CreateContact { fields }));
        let fields = json!({"title": "Call", "dueDate": "2026-12-01", "completed": false, "body": "b", "assignedTo": "u"});
        let task = id(&self.act(PersonAct::CreateTask { contact: contact.clone(), fields }));
        let note =
            id(&self.act(PersonAct::CreateNote { contact: contact.clone(), fields: json!({"body": "n"}) }));
        let fields = json!({"calendarId": "c", "contactId": contact, "startTime": "2026-12-01T10:00:00Z"});
        self.act(PersonAct::Book { fields });
        let ids = BTreeMap::from([("contact", contact), ("task", task), ("note", note)]);
        let path = operation
            .path
            .replace("{contactId}", &ids["contact"])
            .replace("{taskId}", &ids["task"])
            .replace("{id}", &ids["note"])
            .replace("{campaignId}", "campaign1")
            .replace("{workflowId}", "workflow1")
            .replace("{businessId}", "business1")
            .replace("{type}", "add");
        (path, ids)
    }

    /// A body with every declared member.
    fn body(&self, operation: &Operation, ids: &BTreeMap<&'static str, String>) -> Option<Value> {
        let contact = |location: bool| {
            let mut body = json!({
                "firstName": "Ann", "lastName": "Lee", "name": "Ann Lee", "email": self.email(),
                "phone": format!("+1415555{:04}", self.number.get()), "address1": "1 Main St", "city": "Leeds",
                "state": "AL", "postalCode": "35061", "website": "https://example.com", "timezone": "UTC", "dnd": true,
                "dndSettings": {"Email": {"status": "active", "message": "m", "code": "101"}},
                "inboundDndSettings": {"all": {"status": "active", "message": "m"}}, "tags": ["a"],
                "customFields": [{"id": "unknown", "field_value": "x"}], "source": "test", "dateOfBirth": "2000-01-05",
                "country": "US", "assignedTo": "user1",
            });
            if location {
                body["locationId"] = json!(self.location);
                body["gender"] = json!("female");
                body["companyName"] = json!("Acme");
            }
            body
        };
        let note = json!({"body": "n", "userId": "u", "title": "t", "color": "#FFAA00", "pinned": true});
        let task = json!({"title": "t", "body": "b", "dueDate": "2026-12-01T10:00:00Z", "completed": true, "assignedTo": "u"});
        Some(match operation.name().as_str() {
            "POST /contacts/search" => json!({"locationId": self.location, "pageLimit": 20}),
            "POST /contacts/" => contact(true),
            "PUT /contacts/{contactId}" => contact(false),
            "POST /contacts/upsert" => {
                let mut body = contact(true);
                body["createNewIfDuplicateAllowed"] = json!(false);
                body
            }
            "POST /contacts/{contactId}/tasks" | "PUT /contacts/{contactId}/tasks/{taskId}" => task,
            "PUT /contacts/{contactId}/tasks/{taskId}/completed" => json!({"completed": true}),
            "POST /contacts/{contactId}/notes" | "PUT /contacts/{contactId}/notes/{id}" => note,
            "POST /contacts/{contactId}/tags" | "DELETE /contacts/{contactId}/tags" => json!({"tags": ["b"]}),
            "POST /contacts/{contactId}/followers" | "DELETE /contacts/{contactId}/followers" => {
                json!({"followers": ["u"]})
            }
            "POST /contacts/{contactId}/campaigns/{campaignId}" => json!({}),
            "POST /contacts/{contactId}/workflow/{workflowId}"
            | "DELETE /contacts/{contactId}/workflow/{workflowId}" => {
                json!({"eventStartTime": "2021-06-23T03:30:00+01:00"})
            }
            "POST /contacts/bulk/tags/update/{type}" => json!({
                "contacts": [ids["contact"]], "tags": ["b"], "locationId": self.location, "removeAllTags": false,
            }),
            "POST /contacts/bulk/business" => {
                json!({"locationId": self.location, "ids": [ids["contact"]], "businessId": "business1"})
            }
            _ => return None,
        })
    }

    /// Every required query parameter, and those that make the answer interesting.
    fn query(&self, operation: &Operation) -> Vec<(&'static str, String)> {
        match operation.path.as_str() {
            "/contacts/search/duplicate" => {
                vec![("locationId", self.location.clone()), ("email", "person1@example.com".into())]
            }
            "/contacts/business/{businessId}" => vec![("locationId", self.location.clone())],
            "/contacts/" if operation.method == "GET" => vec![("locationId", self.location.clone())],
            _ => Vec::new(),
        }
    }
}

/// A value that is not of the declared type.
fn wrong(schema: &Value) -> Value {
    let kind = &schema["type"];
    let kind = kind.as_str().or_else(|| kind[0].as_str()).unwrap_or("object");
    if kind == "string" { json!(12_345) } else { json!("not of this type") }
}

async fn send(
    client: &Client,
    operation: &Operation,
    path: &str,
    query: &[(&str, String)],
    body: Option<&Value>,
) -> crate::client::Answer {
    answer(client.request(&operation.method, path, body).query(query)).await
}

#[tokio::test]
async fn the_specification_has_the_32_operations_we_know() {
    let Some(specification) = specification() else { return };
    assert_eq!(operations(&specification).len(), 32);
}

#[tokio::test]
async fn every_operation_answers_as_declared() {
    let Some(specification) = specification() else { return };
    let (sandbox, location, client) = start().await;
    sandbox.highlevel().set_limits(None);
    let fixture = Fixture { sandbox: &sandbox, location, number: 0.into() };
    for operation in operations(&specification) {
        let (path, ids) = fixture.path(&operation);
        let into_business =
            json!({"locationId": fixture.location, "ids": [ids["contact"]], "businessId": "business1"});
        assert_eq!(client.post("/contacts/bulk/business", into_business).await.status, 200);
        sandbox.highlevel().refresh_index();
        let body = fixture.body(&operation, &ids);
        let done = send(&client, &operation, &path, &fixture.query(&operation), body.as_ref()).await;
        let (status, schema) = operation.success();
        assert_eq!(done.status, status, "{}: {}", operation.name(), done.body);
        assert!(done.body["traceId"].is_string(), "{}", operation.name());
        if let Some(schema) = schema {
            let validator = jsonschema::validator_for(&corrected(&operation.path, schema.clone())).unwrap();
            let faults: Vec<String> = validator
                .iter_errors(&done.body)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{}: {faults:#?}", operation.name());
            let declared = schema["properties"].as_object().unwrap();
            assert!(
                declared.keys().any(|name| done.body.get(name).is_some()),
                "{}: nothing declared",
                operation.name()
            );
        }
    }
}

#[tokio::test]
async fn every_required_parameter_is_required() {
    let Some(specification) = specification() else { return };
    let (sandbox, location, client) = start().await;
    sandbox.highlevel().set_limits(None);
    let fixture = Fixture { sandbox: &sandbox, location, number: 0.into() };
    for operation in operations(&specification) {
        let (path, ids) = fixture.path(&operation);
        let (body, query) = (fixture.body(&operation, &ids), fixture.query(&operation));
        let unversioned = Client { version: None, ..client.clone() };
        let refused = send(&unversioned, &operation, &path, &query, body.as_ref()).await;
        assert_eq!(refused.status, 401, "{} without Version", operation.name());
        let anonymous = client.with_token("");
        let refused = send(&anonymous, &operation, &path, &query, body.as_ref()).await;
        assert_eq!(refused.status, 401, "{} without a token", operation.name());
        for name in operation.required_query() {
            let without: Vec<_> = query.iter().filter(|(other, _)| *other != name).cloned().collect();
            let refused = send(&client, &operation, &path, &without, body.as_ref()).await;
            assert_eq!(refused.status, 422, "{} without {name}", operation.name());
        }
        let required = operation.body_schema().and_then(|schema| schema["required"].as_array()).cloned();
        for name in required.unwrap_or_default() {
            let mut without = body.clone().unwrap();
            without.as_object_mut().unwrap().remove(name.as_str().unwrap());
            let refused = send(&client, &operation, &path, &query, Some(&without)).await;
            assert_eq!(refused.status, 422, "{} without {name}", operation.name());
        }
    }
}

#[tokio::test]
async fn unknown_members_and_wrong_types_are_refused() {
    let Some(specification) = specification() else { return };
    let (sandbox, location, client) = start().await;
    sandbox.highlevel().set_limits(None);
    let fixture = Fixture { sandbox: &sandbox, location, number: 0.into() };
    let mut checked = 0;
    for operation in operations(&specification) {
        let Some(schema) = operation.body_schema() else { continue };
        let (path, ids) = fixture.path(&operation);
        let body = fixture.body(&operation, &ids).unwrap();
        let mut unknown = body.clone();
        unknown["unheardOf"] = json!(1);
        let refused = send(&client, &operation, &path, &[], Some(&unknown)).await;
        assert_eq!(refused.status, 422, "{}", operation.name());
        assert_eq!(
            refused.body["message"],
            json!(["property unheardOf should not exist"]),
            "{}",
            operation.name()
        );
        for (name, declared) in schema["properties"].as_object().unwrap() {
            assert!(body.get(name).is_some(), "{}: the test's body lacks {name}", operation.name());
            let mut mistyped = body.clone();
            mistyped[name] = wrong(declared);
            let refused = send(&client, &operation, &path, &[], Some(&mistyped)).await;
            assert_eq!(refused.status, 422, "{}: {name} of a wrong type: {}", operation.name(), refused.body);
            checked += 1;
        }
    }
    assert!(checked > 80, "{checked}");
}
