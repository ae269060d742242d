//! A contact as get-by-id, create, update and upsert return it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::custom_field::{self, CustomField};
use super::dnd::{DndSettings, InboundDndSettings};
use super::wire::{Wire, record};
use crate::ids::{BusinessId, ContactId, LocationId, UserId};

record! {
    /// A contact. Search results are [`ContactHit`](super::ContactHit)s: they lack fields and spell others differently.
    Contact("contact", ContactId, outside ["locationId"]) {
        /// The location that it belongs to.
        location_id: LocationId = "locationId",
        /// Full name.
        name: String = "name",
        /// First name.
        first_name: String = "firstName",
        /// Last name.
        last_name: String = "lastName",
        /// Primary email address. The vendor matches it without regard to case.
        email: String = "email",
        /// Phone in E.164, normalised by the vendor with the location's country.
        phone: String = "phone",
        /// Further addresses; the API returns them and does not accept them.
        additional_emails: Addresses = "additionalEmails",
        /// Further phones; the API returns them and does not accept them.
        additional_phones: Addresses = "additionalPhones",
        /// Street.
        address1: String = "address1",
        /// City.
        city: String = "city",
        /// State or region.
        state: String = "state",
        /// Postal code.
        postal_code: String = "postalCode",
        /// ISO 3166 two-letter code.
        country: String = "country",
        /// Website.
        website: String = "website",
        /// IANA time zone.
        timezone: String = "timezone",
        /// Name of the company, as free text.
        company_name: String = "companyName",
        /// Gender; the vendor sometimes accepts it and keeps the old value.
        gender: String = "gender",
        /// Where the contact came from.
        source: String = "source",
        /// `lead`, `customer`, ….
        kind: String = "type",
        /// Date of birth; the vendor returns midnight UTC of the day.
        date_of_birth: Date = "dateOfBirth",
        /// The user in charge.
        assigned_to: UserId = "assignedTo",
        /// The business that it belongs to.
        business_id: BusinessId = "businessId",
        /// Users that follow it.
        followers: Vec<String> = "followers",
        /// Do-not-disturb as a whole.
        dnd: bool = "dnd",
        /// Do-not-disturb by channel.
        dnd_settings: DndSettings = "dndSettings",
        /// The contact's own opt-out. In no webhook, and a change of it fires none: read it.
        inbound_dnd_settings: InboundDndSettings = "inboundDndSettings",
        /// Who created it.
        created_by: CreatedBy = "createdBy",
        /// When it was created.
        date_added: Timestamp = "dateAdded",
        /// When it changed last. A search may differ from this by milliseconds: never compare for equality.
        date_updated: Timestamp = "dateUpdated",
    }
    also {
        /// Names of its tags, trimmed and in lower case as the vendor keeps them.
        tags: Vec<String> = take_tags,
        /// Values of its custom fields.
        custom_fields: Vec<CustomField> = custom_field::take_custom_fields,
    }
}

impl Contact {
    /// Every field with a value, under the vendor's names; custom fields as `customFields.<id>`. Without `id`,
    /// `locationId` and `tags`, which are not fields to merge.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        let mut fields = self.flat();
        custom_field::add_flat(&mut fields, &self.custom_fields);
        fields
    }
}

/// Takes the tags. Elements that are no texts stay behind.
pub(super) fn take_tags(map: &mut Map<String, Value>) -> Vec<String> {
    let Some(Value::Array(elements)) = map.get_mut("tags") else { return Vec::new() };
    let tags = elements.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    elements.retain(|element| !element.is_string());
    if elements.is_empty() {
        map.remove("tags");
    }
    tags
}

/// Further emails or phones: plain texts in a contact, `{"email": …}` or `{"phone": …}` in a search result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(pub Vec<String>);

impl Wire for Addresses {
    fn read(value: &Value) -> Option<Self> {
        let text = |element: &Value| {
            let inner = element.get("email").or_else(|| element.get("phone")).unwrap_or(element);
            inner.as_str().map(str::to_owned)
        };
        value.as_array()?.iter().map(text).collect::<Option<_>>().map(Self)
    }

    fn write(&self) -> Value {
        self.0.write()
    }
}

/// Who created a record. `source_id` is the app's client id when an app did, which identifies our own creations.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatedBy(pub Map<String, Value>);

impl CreatedBy {
    /// For example `INTEGRATION`.
    pub fn source(&self) -> Option<&str> {
        self.0.get("source").and_then(Value::as_str)
    }

    /// For example `OAUTH`.
    pub fn channel(&self) -> Option<&str> {
        self.0.get("channel").and_then(Value::as_str)
    }
}

impl Wire for CreatedBy {
    fn read(value: &Value) -> Option<Self> {
        value.as_object().cloned().map(Self)
    }

    fn write(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contact(value: Value) -> Contact {
        Contact::from_json(value).unwrap()
    }

    #[test]
    fn a_contact_keeps_what_it_does_not_know() {
        let read = contact(
            json!({"id": "c", "email": "A@b.example", "visitorId": "v", "attributionSource": {"url": "u"}}),
        );
        assert_eq!(read.email.as_deref(), Some("A@b.example"));
        assert_eq!(read.fields()["visitorId"], "v");
        assert_eq!(read.fields()["attributionSource"], json!({"url": "u"}));
    }

    #[test]
    fn a_member_of_an_unexpected_type_is_kept_and_fails_nothing() {
        let read =
            contact(json!({"id": "c", "phone": 5, "dnd": "yes", "dateAdded": "yesterday", "tags": ["a", 7],
            "customFields": [{"id": "f", "value": "x"}, {"value": "no id"}, "text"], "createdBy": []}));
        assert_eq!(read.phone, None);
        assert_eq!(read.tags, ["a"]);
        assert_eq!(read.custom_fields, [CustomField { id: "f".into(), value: json!("x") }]);
        assert_eq!(read.unknown["phone"], 5);
        assert_eq!(read.unknown["dnd"], "yes");
        assert_eq!(read.unknown["dateAdded"], "yesterday");
        assert_eq!(read.unknown["tags"], json!([7]));
        assert_eq!(read.unknown["customFields"], json!([{"value": "no id"}, "text"]));
        assert_eq!(read.unknown["createdBy"], json!([]));
    }

    #[test]
    fn only_a_missing_id_makes_it_no_contact() {
        for value in
            [json!({}), json!({"id": null}), json!({"id": ""}), json!({"id": 7}), json!([]), json!("c")]
        {
            assert!(Contact::from_json(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn custom_fields_are_read_under_each_spelling_of_their_value() {
        let read = contact(json!({"id": "c", "customFields":
            [{"id": "1", "value": "a"}, {"id": "2", "field_value": ["b"]}, {"id": "3", "fieldValue": 4}, {"id": "5"}]}));
        let fields = read.fields();
        assert_eq!(fields["customFields.1"], "a");
        assert_eq!(fields["customFields.2"], json!(["b"]));
        assert_eq!(fields["customFields.3"], 4);
        assert!(!fields.contains_key("customFields.5"));
    }

    #[test]
    fn flat_fields_carry_the_vendors_names_and_no_position() {
        let read = contact(
            json!({"id": "c", "locationId": "l", "firstName": "Ada", "type": "lead", "tags": ["vip"],
            "dateOfBirth": "1990-09-25T00:00:00.000Z", "dateAdded": "2021-11-26T12:41:02.193Z", "city": null}),
        );
        let expected = json!({"firstName": "Ada", "type": "lead", "dateOfBirth": "1990-09-25",
            "dateAdded": "2021-11-26T12:41:02.193Z"});
        assert_eq!(serde_json::to_value(read.fields()).unwrap(), expected);
    }

    #[test]
    fn a_date_of_birth_with_a_time_of_day_is_left_alone() {
        let read = contact(json!({"id": "c", "dateOfBirth": "1990-09-24T18:30:00.000Z"}));
        assert_eq!(read.date_of_birth, None);
        assert_eq!(read.fields()["dateOfBirth"], "1990-09-24T18:30:00.000Z");
    }

    #[test]
    fn additional_addresses_are_read_in_both_shapes() {
        for value in [json!(["x@y.example"]), json!([{"email": "x@y.example"}])] {
            let read = contact(json!({"id": "c", "additionalEmails": value}));
            assert_eq!(read.additional_emails, Some(Addresses(vec!["x@y.example".into()])));
        }
    }
}
