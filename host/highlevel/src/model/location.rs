//! The location itself and its tag dictionary.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::wire::{Wire, record};
use crate::ids::LocationId;

record! {
    /// A location.
    LocationInfo("location", LocationId, outside []) {
        /// Its name.
        name: String = "name",
        /// The agency that it belongs to.
        company_id: String = "companyId",
        /// IANA time zone; zone-less appointment times are in it.
        timezone: String = "timezone",
        /// ISO 3166 two-letter code; the vendor normalises national phone numbers with it.
        country: String = "country",
        /// Settings that change how the API behaves.
        settings: LocationSettings = "settings",
    }
    also {}
}

impl LocationInfo {
    /// Every field with a value, under the vendor's names, without `id`.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        self.flat()
    }

    /// Whether the location lets the same person exist twice. The customer can change it at any time; which field
    /// (email or phone) identifies a person is not exposed. None when the vendor does not say.
    pub fn allows_duplicate_contacts(&self) -> Option<bool> {
        self.settings.as_ref()?.0.get("allowDuplicateContact")?.as_bool()
    }
}

/// `location.settings`, as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationSettings(pub Map<String, Value>);

impl Wire for LocationSettings {
    fn read(value: &Value) -> Option<Self> {
        value.as_object().cloned().map(Self)
    }

    fn write(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

record! {
    /// An entry of the location's tag dictionary. Contacts carry tag names only.
    LocationTag("tag", String, outside ["locationId"]) {
        /// The tag's name.
        name: String = "name",
        /// The location.
        location_id: LocationId = "locationId",
    }
    also {}
}

impl LocationTag {
    /// Every field with a value, under the vendor's names, without `id` and `locationId`.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        self.flat()
    }
}
