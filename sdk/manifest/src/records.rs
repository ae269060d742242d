//! Records of the partner: entities, fields and how they map to HighLevel.

use serde::{Deserialize, Serialize};

/// `[[entity]]`: one kind of record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// The host's name for it: `contact`, `task`, `note`, `appointment`, ….
    pub name: String,
    /// The partner's name for it; empty when it has none.
    #[serde(default)]
    pub partner_name: String,
    /// What the partner offers.
    pub support: Support,
    /// Ways in which it can be synchronised. Without meaning when it is unsupported.
    #[serde(default)]
    pub direction: Direction,
    /// Fields that identify a record on both sides, the strongest first.
    #[serde(default)]
    pub natural_keys: Vec<NaturalKey>,
    /// The partner's field of the contact that holds the list of these records; for `projected` ones. Each element is an object
    /// with an `id` and the partner's fields of this entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projected_into: Option<String>,
    /// Condition over a record of HighLevel; one for which it does not hold is not shown to the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<String>,
    /// An update may give the partner's record another id, because its id is one of its values (an email).
    #[serde(default)]
    pub rekeys: bool,
    /// Several of the partner's records may be one person, for example submissions of a form. The newest of them is linked; an
    /// older one only fills what is empty.
    #[serde(default)]
    pub many_to_one: bool,
    /// The connector's `adapter.delete` removes such a record at the partner, so that an admin may ask for it when HighLevel's is
    /// deleted.
    #[serde(default)]
    pub deletes: bool,
    /// What an admin should know, for example what a projection can show and what is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

impl Entity {
    /// What a contact's list of these records is called: mappings of this name map the list as a whole to fields of the
    /// partner's contact.
    pub fn list_name(&self) -> String {
        format!("{}s", self.name)
    }
}

/// What a partner offers for a kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// The partner has such records.
    Native,
    /// The partner has none; they are shown in fields of another record.
    Projected,
    /// Not offered.
    Unsupported,
}

/// A field on each side by which a record's counterpart is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NaturalKey {
    /// The partner's field; the connector's `find` accepts it.
    pub partner: String,
    /// HighLevel's field.
    pub highlevel: String,
    /// The partner refuses a second record with the same value and answers `duplicate`. The host then creates without
    /// searching first, which saves a search for every record that is new.
    #[serde(default)]
    pub unique: bool,
}

/// Ways in which values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// From HighLevel to the partner only.
    ToPartner,
    /// From the partner to HighLevel only.
    ToHighlevel,
}

impl Direction {
    /// Whether every way of `other` is one of these ways.
    pub fn covers(self, other: Self) -> bool {
        self == Self::Both || self == other
    }
}

/// `[[field]]`: one field of an entity at the partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The entity that it belongs to.
    pub entity: String,
    /// Its name, as the connector reads and writes it.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Its name for a person.
    pub title: String,
    /// A record cannot be created without it.
    #[serde(default)]
    pub required: bool,
    /// It can be read, never written.
    #[serde(default)]
    pub read_only: bool,
    /// What an admin should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The type of a field's values; it decides how two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Plain text.
    Text,
    /// An email address.
    Email,
    /// A phone number; canonically E.164.
    Phone,
    /// Tags: a set, trimmed and lower-cased as HighLevel does.
    Tags,
    /// A set of texts, trimmed, case kept.
    Set,
    /// An instant, RFC 3339.
    Instant,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// Yes or no.
    Boolean,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Number,
    /// Anything else, as one JSON document.
    Json,
}

/// `[[mapping]]`: one row of the default mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The entity.
    pub entity: String,
    /// The partner's field; declared as a `[[field]]`.
    pub partner: String,
    /// HighLevel's field, by the vendor's name or `customFields.<key>`.
    pub highlevel: String,
    /// The type of HighLevel's field; left out for the vendor's own fields, which the host knows, and where it is the same as
    /// the partner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highlevel_type: Option<FieldType>,
    /// Ways in which the value travels.
    #[serde(default)]
    pub direction: Direction,
    /// Expression over the contact's fields that gives the partner's value; without one the value is taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_partner: Option<String>,
    /// Expression over the partner's fields that gives HighLevel's value; without one the value is taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_highlevel: Option<String>,
    /// What happens when both sides changed it differently.
    #[serde(default)]
    pub policy: Policy,
}

/// Who wins when both sides changed a field to different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The side that was changed last.
    #[default]
    LatestUpdate,
    /// HighLevel.
    Highlevel,
    /// The partner.
    Partner,
    /// Nobody: a person decides.
    Ask,
    /// For consent: yes from either side wins and is never taken back by the other.
    Stricter,
}
