//! Records as named values: custom fields travel under their key, which a connector's author can know, although HighLevel
//! speaks of them by id.

use std::collections::BTreeMap;
use std::sync::Arc;

use contactor_highlevel::CustomFields;
use contactor_runtime::bindings::types::{Error, NamedValue};
use contactor_store::FailureClass;
use serde_json::Value as Json;

use super::{Direct, errors};
use crate::convert;
use crate::failure::Failure;

const CUSTOM: &str = "customFields.";

/// Fields under the vendor's names.
pub(super) type JsonFields = BTreeMap<String, Json>;

/// How custom fields are named in one answer.
pub(super) enum Names {
    /// By key, as the location defines them.
    Keys(Arc<CustomFields>),
    /// By id: there is none, or the definitions may not be read.
    Ids,
}

impl Names {
    /// Named values for the connector.
    pub(super) fn to_wit(&self, fields: JsonFields) -> Vec<NamedValue> {
        match self {
            Self::Keys(definitions) => convert::json_fields_to_wit(&definitions.to_keys(fields)),
            Self::Ids => convert::json_fields_to_wit(&fields),
        }
    }
}

impl Direct {
    /// How to name the custom fields of these records. Asks for the definitions only when a custom field occurs.
    pub(super) async fn names<'a>(
        &self,
        mut records: impl Iterator<Item = &'a JsonFields> + Send,
    ) -> Result<Names, Error> {
        if !records.any(has_custom_fields) {
            return Ok(Names::Ids);
        }
        match self.definitions().await {
            Ok(definitions) => Ok(Names::Keys(definitions)),
            // The token may lack the scope of the definitions; the run shows the refused call. The contact is no secret for that.
            Err(failure) if failure.class == FailureClass::Denied => Ok(Names::Ids),
            Err(failure) => Err(errors::of_failure(failure)),
        }
    }

    /// The connector's named values under the vendor's names, custom fields by id.
    pub(super) async fn to_vendor(&self, fields: &[NamedValue]) -> Result<JsonFields, Error> {
        let fields = convert::json_fields_from_wit(fields);
        if !has_custom_fields(&fields) {
            return Ok(fields);
        }
        let definitions = self.definitions().await.map_err(errors::of_failure)?;
        definitions.to_ids(fields).map_err(|problems| errors::of_problems(&problems))
    }

    async fn definitions(&self) -> Result<Arc<CustomFields>, Failure> {
        self.run.engine.custom_fields(&self.run.active.workspace, &self.run.location).await
    }
}

fn has_custom_fields(fields: &JsonFields) -> bool {
    // Sorted: the first name at or after the prefix carries it, or none does.
    fields.range(CUSTOM.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(CUSTOM))
}

#[cfg(test)]
mod tests {
    use contactor_highlevel::CustomFieldDefinition;
    use contactor_runtime::bindings::types::Value;
    use serde_json::json;

    use super::*;

    fn fields(json: Json) -> JsonFields {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_custom_field_is_noticed_wherever_its_name_sorts() {
        assert!(has_custom_fields(&fields(json!({"customFields.f1": 1}))));
        assert!(has_custom_fields(&fields(
            json!({"city": "Rome", "customFields.f1": 1, "email": "a@b.example"})
        )));
        assert!(!has_custom_fields(&fields(
            json!({"city": "Rome", "customFields": [], "email": "a@b.example"})
        )));
        assert!(!has_custom_fields(&fields(json!({}))));
    }

    #[test]
    fn a_custom_field_travels_by_key_and_by_id_when_its_key_is_unknown() {
        let definition = json!({"id": "f1", "name": "Plan", "fieldKey": "contact.plan", "dataType": "TEXT"});
        let definition = CustomFieldDefinition::from_json(definition).unwrap();
        let names = Names::Keys(Arc::new(CustomFields::new([definition])));
        let named: Vec<_> = names
            .to_wit(fields(json!({"customFields.f1": "gold", "customFields.f2": "x"})))
            .into_iter()
            .map(|field| (field.name, field.value))
            .collect();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            named,
            [("customFields.f2".to_owned(), text("x")), ("customFields.plan".to_owned(), text("gold"))]
        );
    }
}
