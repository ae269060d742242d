//! Custom fields: values by id, and the definitions that give an id a key.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::wire::record;
use crate::draft::FieldProblem;

/// How a flat field map names a custom field: `customFields.<id>`, or `customFields.<key>` for people.
pub const CUSTOM_FIELD_PREFIX: &str = "customFields.";

/// A custom field's value on a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomField {
    /// The definition's id.
    pub id: String,
    /// The value: a text, a number, a list of texts, or an object for files.
    pub value: Value,
}

impl CustomField {
    /// Reads one element. The value's key is `value` in reads and webhooks, `field_value` or `fieldValue` elsewhere.
    fn from_value(value: &Value) -> Option<Self> {
        let id = value.get("id")?.as_str().filter(|id| !id.is_empty())?.to_owned();
        let value = ["value", "field_value", "fieldValue"].iter().find_map(|key| value.get(*key)).cloned();
        Some(Self { id, value: value.unwrap_or(Value::Null) })
    }
}

/// Takes the custom fields out of a contact. Elements that cannot be read stay behind.
pub(super) fn take_custom_fields(map: &mut Map<String, Value>) -> Vec<CustomField> {
    let Some(Value::Array(elements)) = map.get_mut("customFields") else { return Vec::new() };
    let mut fields = Vec::with_capacity(elements.len());
    elements.retain(|element| match CustomField::from_value(element) {
        Some(field) => {
            fields.push(field);
            false
        }
        None => true,
    });
    if elements.is_empty() {
        map.remove("customFields");
    }
    fields
}

/// Adds custom fields with a value to a flat field map.
pub(super) fn add_flat(fields: &mut BTreeMap<String, Value>, custom: &[CustomField]) {
    for field in custom.iter().filter(|field| !field.value.is_null()) {
        fields.insert(format!("{CUSTOM_FIELD_PREFIX}{}", field.id), field.value.clone());
    }
}

record! {
    /// The definition of a custom field.
    CustomFieldDefinition("custom field definition", String, outside []) {
        /// The name that people see.
        name: String = "name",
        /// The key with its prefix, for example `contact.plan`.
        field_key: String = "fieldKey",
        /// The vendor's type: `TEXT`, `NUMERICAL`, `CHECKBOX`, ….
        data_type: String = "dataType",
        /// The choices of a choice field.
        picklist_options: Vec<String> = "picklistOptions",
        /// `contact` or `opportunity`.
        model: String = "model",
    }
    also {}
}

impl CustomFieldDefinition {
    /// The key without its `contact.` prefix.
    pub fn key(&self) -> Option<&str> {
        self.field_key.as_deref().map(|key| key.strip_prefix("contact.").unwrap_or(key))
    }

    /// Everything the vendor says about it, under its names.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        self.flat()
    }

    /// Whether the value is a list of texts.
    pub fn is_multiple(&self) -> bool {
        matches!(self.data_type.as_deref(), Some("CHECKBOX" | "MULTIPLE_OPTIONS"))
    }
}

/// The definitions of one location: translates between ids, which the API speaks, and keys, which people and mappings
/// speak. No webhook tells that a definition changed: fetch again when an id is unknown, and from time to time.
#[derive(Clone, Debug, Default)]
pub struct CustomFields {
    by_id: HashMap<String, CustomFieldDefinition>,
    id_by_key: HashMap<String, String>,
}

impl CustomFields {
    /// Takes the definitions of a location.
    pub fn new(definitions: impl IntoIterator<Item = CustomFieldDefinition>) -> Self {
        let mut fields = Self::default();
        for definition in definitions {
            if let Some(key) = definition.key() {
                fields.id_by_key.insert(key.to_owned(), definition.id.clone());
            }
            fields.by_id.insert(definition.id.clone(), definition);
        }
        fields
    }

    /// The definition with this id or this key.
    pub fn get(&self, id_or_key: &str) -> Option<&CustomFieldDefinition> {
        let id = self.id_by_key.get(id_or_key).map_or(id_or_key, String::as_str);
        self.by_id.get(id_or_key).or_else(|| self.by_id.get(id))
    }

    /// All definitions, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &CustomFieldDefinition> {
        self.by_id.values()
    }

    /// Names each custom field by its key where the key is known; other fields pass unchanged.
    pub fn to_keys(&self, fields: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let named = |name: String| match name
            .strip_prefix(CUSTOM_FIELD_PREFIX)
            .and_then(|id| self.by_id.get(id)?.key())
        {
            Some(key) => format!("{CUSTOM_FIELD_PREFIX}{key}"),
            None => name,
        };
        fields.into_iter().map(|(name, value)| (named(name), value)).collect()
    }

    /// Names each custom field by its id, ready for a draft or a patch; other fields pass unchanged. A `null` becomes
    /// the empty value of the field's type: an empty list for a multiple choice, an empty text for anything else.
    ///
    /// # Errors
    /// The custom fields that the location does not have.
    pub fn to_ids(
        &self,
        fields: BTreeMap<String, Value>,
    ) -> Result<BTreeMap<String, Value>, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let mut named = BTreeMap::new();
        for (name, value) in fields {
            let Some(id_or_key) = name.strip_prefix(CUSTOM_FIELD_PREFIX) else {
                named.insert(name, value);
                continue;
            };
            match self.get(id_or_key) {
                Some(definition) => {
                    let value = match value {
                        Value::Null if definition.is_multiple() => Value::Array(Vec::new()),
                        Value::Null => Value::String(String::new()),
                        value => value,
                    };
                    named.insert(format!("{CUSTOM_FIELD_PREFIX}{}", definition.id), value);
                }
                None => problems
                    .push(FieldProblem::new(&name, "the location has no custom field with this key or id")),
            }
        }
        if problems.is_empty() { Ok(named) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definitions() -> CustomFields {
        CustomFields::new(
            [
                json!({"id": "id1", "name": "Plan", "fieldKey": "contact.plan", "dataType": "TEXT"}),
                json!({"id": "id2", "name": "Tastes", "fieldKey": "contact.tastes", "dataType": "CHECKBOX"}),
            ]
            .map(|value| CustomFieldDefinition::from_json(value).unwrap()),
        )
    }

    fn fields(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn keys_and_ids_translate_into_each_other() {
        let by_key = fields(
            json!({"email": "a@b.example", "customFields.plan": "gold", "customFields.tastes": ["x"]}),
        );
        let by_id =
            fields(json!({"email": "a@b.example", "customFields.id1": "gold", "customFields.id2": ["x"]}));
        assert_eq!(definitions().to_ids(by_key.clone()), Ok(by_id.clone()));
        assert_eq!(definitions().to_keys(by_id), by_key);
    }

    #[test]
    fn an_id_is_accepted_where_a_key_is_expected_and_an_unknown_name_is_refused() {
        assert_eq!(
            definitions().to_ids(fields(json!({"customFields.id1": 1}))),
            Ok(fields(json!({"customFields.id1": 1})))
        );
        let problems = definitions().to_ids(fields(json!({"customFields.colour": 1}))).unwrap_err();
        assert_eq!(problems[0].field, "customFields.colour");
        assert_eq!(
            definitions().to_keys(fields(json!({"customFields.zz": 1}))),
            fields(json!({"customFields.zz": 1}))
        );
    }

    #[test]
    fn clearing_uses_the_empty_value_of_the_fields_type() {
        let cleared =
            definitions().to_ids(fields(json!({"customFields.plan": null, "customFields.tastes": null})));
        assert_eq!(cleared, Ok(fields(json!({"customFields.id1": "", "customFields.id2": []}))));
    }
}
