//! Values that pass for real ones: a contact, a partner's record by its declared fields, settings that the manifest accepts.

use contactor_manifest::{FieldType, Manifest, Setting, SettingKind};
use contactor_runtime::bindings::types::{NamedValue, Value};
use contactor_sync as sync;
use serde_json::{Map, Value as Json, json};

/// The run's instant: 2026-01-02T03:04:05Z.
pub(crate) const NOW: u64 = 1_767_323_045_000;
/// The same as text.
pub(crate) const INSTANT: &str = "2026-01-02T03:04:05Z";
/// The id of the partner's record.
pub(crate) const ID: &str = "7";
/// Its email, as an id where a partner's ids are addresses.
pub(crate) const EMAIL: &str = "ada@example.com";

/// The names that ids go by.
const IDS: [&str; 7] = ["id", "_id", "uuid", "uid", "code", "key", "xml_id"];

/// The fields of HighLevel's contact.
pub(crate) fn contact() -> Vec<NamedValue> {
    named([
        ("firstName", Json::from("Ada")),
        ("lastName", "Lovelace".into()),
        ("email", EMAIL.into()),
        ("phone", "+14155550123".into()),
        ("companyName", "Analytical Engines".into()),
        ("dnd", false.into()),
        ("dateUpdated", INSTANT.into()),
    ])
}

pub(crate) fn named<const N: usize>(values: [(&str, Json); N]) -> Vec<NamedValue> {
    values
        .into_iter()
        .map(|(name, value)| NamedValue { name: name.to_owned(), value: from_json(value) })
        .collect()
}

/// A value of a field's type.
pub(crate) fn of_type(kind: FieldType) -> Json {
    match kind {
        FieldType::Email => EMAIL.into(),
        FieldType::Phone => "+14155550123".into(),
        FieldType::Tags | FieldType::Set => json!(["vip"]),
        FieldType::Instant => INSTANT.into(),
        FieldType::Date => "2026-01-02".into(),
        FieldType::Boolean => true.into(),
        FieldType::Integer => 7.into(),
        FieldType::Number => 1.5.into(),
        FieldType::Json => json!([]),
        FieldType::Text => "Ada".into(),
    }
}

/// The fields that a create or an update writes.
pub(crate) fn writable(manifest: &Manifest, entity: &str) -> Vec<NamedValue> {
    let fields = manifest.fields_of(entity).filter(|field| !field.read_only);
    fields
        .map(|field| NamedValue { name: field.name.clone(), value: from_json(of_type(field.kind)) })
        .collect()
}

/// Records as the partner might write one: its declared fields flat and nested by the dots of their names, samples of the manifest
/// first. Each carries an id under every name that ids go by.
pub(crate) fn records(manifest: &Manifest, entity: &str) -> Vec<Json> {
    let samples = manifest.triggers.iter().filter_map(|trigger| trigger.sample.clone());
    let mut records: Vec<Json> = samples.filter(Json::is_object).collect();
    let (mut flat, mut nested) = (Map::new(), json!({}));
    for field in manifest.fields_of(entity) {
        flat.insert(field.name.clone(), of_type(field.kind));
        let pointer = field.name.split('.').fold(&mut nested, |at, part| {
            if !at.is_object() {
                *at = json!({});
            }
            &mut at[part]
        });
        *pointer = of_type(field.kind);
    }
    records.extend([Json::Object(flat), nested]);
    for record in &mut records {
        let Some(members) = record.as_object_mut() else { continue };
        for name in IDS {
            members.entry(name).or_insert_with(|| ID.into());
        }
        for name in ["email", "_email"] {
            members.entry(name).or_insert_with(|| EMAIL.into());
        }
        for name in ["name", "title"] {
            members.entry(name).or_insert_with(|| "Ada".into());
        }
        for name in
            ["updated_at", "updatedAt", "_updatedAt", "modified_at", "created_at", "createdAt", "date"]
        {
            members.entry(name).or_insert_with(|| INSTANT.into());
        }
    }
    records
}

/// The record of another id, under every name that ids go by, and of another address.
pub(crate) fn of_id(record: &Json, id: &str) -> Json {
    let mut record = record.clone();
    for (name, value) in record.as_object_mut().into_iter().flatten() {
        if IDS.contains(&name.as_str()) {
            *value = id.into();
        } else if matches!(name.as_str(), "email" | "_email") {
            *value = format!("ada{id}@example.com").into();
        }
    }
    record
}

/// Settings that the manifest accepts: those that were given, and for others that have to be entered what fits.
///
/// # Errors
/// The settings for which no value was found, each with what is expected.
pub(crate) fn settings(manifest: &Manifest, given: &Map<String, Json>) -> Result<Json, Vec<String>> {
    let mut settings = given.clone();
    for setting in
        manifest.settings.iter().filter(|setting| setting.required && !given.contains_key(&setting.name))
    {
        let fits = |value: &Json| {
            let one = json!({ &setting.name: value });
            match manifest.validate_settings(&one) {
                Ok(_) => true,
                Err(problems) => problems.iter().all(|problem| problem.setting != setting.name),
            }
        };
        if let Some(value) = candidates(setting).into_iter().find(fits) {
            settings.insert(setting.name.clone(), value);
        }
    }
    let settings = Json::Object(settings);
    manifest
        .validate_settings(&settings)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn candidates(setting: &Setting) -> Vec<Json> {
    let texts = [
        "1",
        "1234",
        "a",
        "acme",
        "ABC123",
        EMAIL,
        "https://example.com",
        "/v1",
        "2026-01-02",
        "a/b",
        "field_1",
    ];
    let texts = || texts.map(Json::from).into_iter();
    let least = setting.min.unwrap_or(1.0);
    match setting.kind {
        SettingKind::Text => texts().collect(),
        #[expect(clippy::cast_possible_truncation, reason = "a bound that an author wrote")]
        SettingKind::Integer => vec![(least.ceil() as i64).into()],
        SettingKind::Number => vec![least.into()],
        SettingKind::Boolean => vec![false.into()],
        SettingKind::Choice => setting.choices.iter().map(|choice| choice.as_str().into()).collect(),
        SettingKind::List => {
            let items = setting.choices.iter().map(|choice| Json::from(choice.as_str())).chain(texts());
            std::iter::once(json!([])).chain(items.map(|item| json!([item]))).collect()
        }
        SettingKind::Map => {
            std::iter::once(json!({})).chain(texts().map(|text| json!({ "email": text }))).collect()
        }
        SettingKind::Rules => vec![json!([])],
    }
}

pub(crate) fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::Empty,
        Json::Bool(yes) => Value::Boolean(yes),
        Json::String(text) => Value::Text(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, fraction) => Value::Number(fraction.unwrap_or_default()),
        },
        Json::Array(items) if items.iter().all(Json::is_string) => {
            Value::Texts(items.iter().filter_map(Json::as_str).map(str::to_owned).collect())
        }
        other => Value::Json(other.to_string()),
    }
}

pub(crate) fn to_sync(fields: &[NamedValue]) -> sync::Fields {
    let value = |value: &Value| match value {
        Value::Empty => sync::Value::Null,
        Value::Text(text) => sync::Value::Text(text.clone()),
        Value::Integer(number) => sync::Value::Integer(*number),
        Value::Number(number) => sync::Value::Number(*number),
        Value::Boolean(yes) => sync::Value::Boolean(*yes),
        Value::Texts(texts) => sync::Value::Set(texts.iter().cloned().collect()),
        Value::Json(text) => serde_json::from_str::<Json>(text)
            .map_or_else(|_| sync::Value::Text(text.clone()), sync::Value::from_json),
    };
    fields.iter().map(|named| (named.name.clone(), value(&named.value))).collect()
}
