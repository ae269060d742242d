//! A contact as a search or a listing returns it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::custom_field::{self, CustomField};
use super::wire::{Wire, record};
use crate::ids::{ContactId, LocationId};
use crate::search::Cursor;

record! {
    /// One hit of a search: enough to know that a contact exists and when it changed.
    ///
    /// It is a type of its own on purpose. A hit has `address` for `address1`, `contactName` for `name`, `null` for what
    /// get-by-id leaves out, no DND settings, and comes from an index that lags by seconds. Read the contact by its id
    /// before comparing anything.
    ContactHit("contact in a search result", ContactId, outside ["locationId", "searchAfter"]) {
        /// The location that it belongs to.
        location_id: LocationId = "locationId",
        /// Primary email address.
        email: String = "email",
        /// Phone.
        phone: String = "phone",
        /// When it was created.
        date_added: Timestamp = "dateAdded",
        /// When it changed last; can be off by milliseconds from what a write returned.
        date_updated: Timestamp = "dateUpdated",
        /// Where a search continues after this hit.
        search_after: Cursor = "searchAfter",
    }
    also {
        /// Names of its tags.
        tags: Vec<String> = super::contact::take_tags,
        /// Values of its custom fields.
        custom_fields: Vec<CustomField> = custom_field::take_custom_fields,
    }
}

impl ContactHit {
    /// Every field with a value, under the names of the search result (not those of a contact).
    pub fn fields(&self) -> BTreeMap<String, Value> {
        let mut fields = self.flat();
        custom_field::add_flat(&mut fields, &self.custom_fields);
        fields
    }
}

impl Wire for Cursor {
    fn read(value: &Value) -> Option<Self> {
        value.is_array().then(|| Self::from_value(value.clone()))
    }

    fn write(&self) -> Value {
        self.as_value().clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_search_result_with_nulls_decodes_and_keeps_its_own_names() {
        let hit = ContactHit::from_json(json!({"id": "c", "address": "1 High St", "contactName": "ada", "phone": null,
            "email": "a@b.example", "dateUpdated": "2026-11-20T10:00:00.001Z", "businessName": null,
            "additionalEmails": [{"email": "x@y.example"}], "searchAfter": [1_795_000_000_000_i64, "c"], "tags": null}))
        .unwrap();
        assert_eq!(hit.phone, None);
        assert!(hit.tags.is_empty());
        assert_eq!(hit.search_after.as_ref().unwrap().as_value(), &json!([1_795_000_000_000_i64, "c"]));
        let names: Vec<_> = hit.fields().into_keys().collect();
        assert_eq!(names, ["additionalEmails", "address", "contactName", "dateUpdated", "email"]);
    }
}
