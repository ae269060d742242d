use serde_json::{Map, Value, json};

use super::*;
use crate::ids::LocationId;
use crate::version::ApiVersion;

const V2: ApiVersion = ApiVersion::V20210728;

fn named(value: &Value) -> Vec<(String, Value)> {
    value.as_object().unwrap().clone().into_iter().collect()
}

fn patch(value: &Value) -> Result<ContactPatch, Vec<FieldProblem>> {
    ContactPatch::from_fields(named(value))
}

fn body(map: Map<String, Value>) -> Value {
    Value::Object(map)
}

#[test]
fn an_update_refuses_what_the_vendor_refuses_and_says_why() {
    let problems = patch(&json!({"tags": ["a"], "locationId": "l", "gender": "f", "companyName": "x",
        "additionalEmails": [], "ssn": "1", "firstName": "Ada"}))
    .unwrap_err();
    let of = |field: &str| problems.iter().find(|problem| problem.field == field).unwrap().problem.clone();
    assert_eq!(problems.len(), 6);
    assert!(of("tags").contains("adding and removing"));
    assert!(of("gender").contains("refuses it on update"));
    assert!(of("ssn").contains("does not take a field of this name"));
}

#[test]
fn a_create_takes_what_an_update_does_not() {
    let fields = json!({"gender": "f", "companyName": "x", "email": "a@b.example"});
    let draft = ContactDraft::from_fields(named(&fields)).unwrap();
    assert_eq!(
        body(draft.body(V2, &LocationId::new("l"))),
        json!({"gender": "f", "companyName": "x", "email": "a@b.example", "locationId": "l"})
    );
    assert!(ContactDraft::from_fields(named(&json!({"tags": []}))).is_err());
}

#[test]
fn only_nullable_fields_can_be_cleared() {
    let cleared = patch(&json!({"phone": null, "dateOfBirth": null})).unwrap();
    assert_eq!(body(cleared.body(V2)), json!({"phone": null, "dateOfBirth": null}));
    for field in ["postalCode", "country", "dnd"] {
        assert!(!ContactPatch::can_clear(field));
        assert!(patch(&json!({field: null})).unwrap_err()[0].problem.contains("no way to clear"), "{field}");
    }
    assert!(ContactPatch::can_clear("email"));
}

#[test]
fn a_create_leaves_out_what_is_null() {
    let draft = ContactDraft::from_fields(named(
        &json!({"email": "a@b.example", "country": null, "customFields.f": null}),
    ));
    assert_eq!(draft.unwrap().fields().into_keys().collect::<Vec<_>>(), ["email"]);
}

#[test]
fn custom_fields_are_written_under_the_key_of_the_version() {
    let patch =
        patch(&json!({"customFields.f1": "gold", "customFields.f2": ["a", "b"], "customFields.f3": 4.5,
        "customFields.f4": null}))
        .unwrap();
    let expected = |key: &str| {
        json!({"customFields": [{"id": "f1", key: "gold"}, {"id": "f2", key: ["a", "b"]}, {"id": "f3", key: 4.5},
            {"id": "f4", key: ""}]})
    };
    assert_eq!(body(patch.body(V2)), expected("field_value"));
    assert_eq!(body(patch.body(ApiVersion::V3)), expected("fieldValue"));
}

#[test]
fn a_custom_field_takes_only_the_documented_types() {
    for value in [json!(true), json!([1, 2]), json!([["a"]])] {
        assert!(patch(&json!({"customFields.f": value})).is_err(), "{value}");
    }
    assert!(patch(&json!({"customFields.": "x"})).is_err());
    assert!(patch(&json!({"customFields": []})).unwrap_err()[0].problem.contains("customFields.<id>"));
    assert!(TaskPatch::from_fields([("customFields.f", json!("x"))]).is_err());
}

#[test]
fn dnd_is_written_with_the_channel_names_of_the_version() {
    let patch = patch(&json!({"dndSettings": {"sms": {"status": "active"}}})).unwrap();
    assert_eq!(body(patch.body(V2)), json!({"dndSettings": {"SMS": {"status": "active"}}}));
    assert_eq!(body(patch.body(ApiVersion::V3)), json!({"dndSettings": {"sms": {"status": "active"}}}));
}

#[test]
fn values_are_checked_before_they_are_sent() {
    let good = [
        ("phone", json!("+14155550100"), json!("+14155550100")),
        ("country", json!("us"), json!("US")),
        ("dateOfBirth", json!("1990-09-25"), json!("1990-09-25")),
        ("dateOfBirth", json!("1990-09-25T00:00:00.000Z"), json!("1990-09-25")),
        ("inboundDndSettings", json!({"all": {"status": "active"}}), json!({"all": {"status": "active"}})),
        ("dnd", json!(false), json!(false)),
    ];
    for (field, value, sent) in good {
        assert_eq!(patch(&json!({field: value})).unwrap().fields()[field], sent, "{field}");
    }
    let bad = [
        ("phone", json!("(415) 555-0100")),
        ("phone", json!("+1415555010012345")),
        ("phone", json!("+0415")),
        ("phone", json!(14_155_550_100_i64)),
        ("country", json!("USA")),
        ("dateOfBirth", json!("25/09/1990")),
        ("dateOfBirth", json!("1990-02-30")),
        ("dnd", json!("yes")),
        ("dndSettings", json!({"SMS": {"status": "perhaps"}})),
        ("dndSettings", json!({"Pigeon": {"status": "active"}})),
        ("inboundDndSettings", json!({"all": {"status": "permanent"}})),
        ("firstName", json!(["Ada"])),
    ];
    for (field, value) in bad {
        assert_eq!(patch(&json!({field: value})).unwrap_err()[0].field, field, "{value}");
    }
}

#[test]
fn only_an_email_or_a_phone_identifies_a_new_contact() {
    let has = |value: Value| ContactDraft::from_fields(named(&value)).unwrap().has_identifier();
    assert!(has(json!({"email": "a@b.example"})));
    assert!(has(json!({"phone": "+14155550100"})));
    assert!(!has(json!({"name": "Ada"})));
    assert!(!has(json!({"email": " "})));
}

#[test]
fn a_task_needs_a_title_and_a_due_date_with_a_zone() {
    let task = |value: Value| TaskDraft::from_fields(named(&value));
    let made = task(json!({"title": "Call", "dueDate": "2026-11-21T10:00:00+01:00"})).unwrap();
    assert_eq!(
        body(made.body(V2)),
        json!({"title": "Call", "dueDate": "2026-11-21T09:00:00.000Z", "completed": false})
    );
    let missing: Vec<_> = task(json!({})).unwrap_err().into_iter().map(|problem| problem.field).collect();
    assert_eq!(missing, ["title", "dueDate"]);
    let zoneless = task(json!({"title": "Call", "dueDate": "2026-11-21T10:00:00"})).unwrap_err();
    assert_eq!(zoneless.len(), 1);
    assert!(zoneless[0].problem.contains("zone"));
}

#[test]
fn a_note_needs_its_text_and_an_update_does_not() {
    assert_eq!(NoteDraft::from_fields([("title", json!("x"))]).unwrap_err()[0].field, "body");
    assert!(NotePatch::from_fields([("title", json!("x"))]).is_ok());
    assert!(NotePatch::from_fields([("bodyText", json!("x"))]).is_err());
}

#[test]
fn a_mirrored_appointment_sets_nothing_off_unless_asked() {
    let fields = json!({"calendarId": "k", "contactId": "c", "startTime": "2026-11-21T09:00:00Z"});
    let made = AppointmentDraft::from_fields(named(&fields)).unwrap().body(V2, &LocationId::new("l"));
    assert_eq!((&made["toNotify"], &made["ignoreFreeSlotValidation"]), (&json!(false), &json!(true)));
    assert_eq!(made["locationId"], "l");
    let asked = AppointmentPatch::from_fields([("toNotify", json!(true))]).unwrap().body(V2);
    assert_eq!(asked["toNotify"], true);
    let wrong = AppointmentPatch::from_fields([("appointmentStatus", json!("completed"))]).unwrap_err();
    assert!(wrong[0].problem.contains("noshow"));
    assert!(AppointmentPatch::from_fields([("contactId", json!("c"))]).is_err());
}
