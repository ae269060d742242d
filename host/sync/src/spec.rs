//! Mapping rows as a connector author or an admin writes them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{FieldType, Value};

/// A side of the synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// HighLevel.
    Highlevel,
    /// The connection's partner.
    Partner,
}

impl Side {
    /// The opposite side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Highlevel => Self::Partner,
            Self::Partner => Self::Highlevel,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Highlevel => "HighLevel",
            Self::Partner => "the partner",
        })
    }
}

/// Which way a row's value may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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
    /// Whether values may leave `side`.
    pub fn flows_from(self, side: Side) -> bool {
        matches!(
            (self, side),
            (Self::Both, _) | (Self::ToPartner, Side::Highlevel) | (Self::ToHighlevel, Side::Partner)
        )
    }

    /// The only side that values leave, unless they travel both ways.
    pub fn only_source(self) -> Option<Side> {
        match self {
            Self::Both => None,
            Self::ToPartner => Some(Side::Highlevel),
            Self::ToHighlevel => Some(Side::Partner),
        }
    }
}

/// What happens when both sides changed a field to different values. Sets have no such case: they are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The record that was updated last wins; HighLevel, when a time is missing or both are equal. In a row that goes
    /// one way only, the side that it comes from wins.
    #[default]
    LatestUpdate,
    /// HighLevel wins.
    Highlevel,
    /// The partner wins.
    Partner,
    /// Nobody wins: both sides keep their value until a person decides or one side gives way.
    Ask,
    /// For consent such as "do not disturb": true, in HighLevel's terms, wins from either side, and one side's false
    /// never clears the other side's true. To clear it, both sides have to.
    Stricter,
}

/// One row of a mapping: a HighLevel field and a partner field that hold the same thing.
///
/// An expression is applied to the source side's record before the value is made canonical in the target's type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSpec {
    /// The partner's field.
    pub partner: String,
    /// HighLevel's field.
    pub highlevel: String,
    /// Type of the partner's field.
    #[serde(default)]
    pub partner_type: FieldType,
    /// Type of HighLevel's field.
    #[serde(default)]
    pub highlevel_type: FieldType,
    /// Which way the value travels.
    #[serde(default)]
    pub direction: Direction,
    /// Expression over HighLevel's record, for example `first_name|trim|title`; without one the field itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_partner: Option<String>,
    /// Expression over the partner's record; without one the field itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_highlevel: Option<String>,
    /// Tables of values that are called otherwise on the other side.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
    /// Who wins when both sides changed.
    #[serde(default)]
    pub policy: Policy,
    /// Switched off: the row counts as absent, and as an admin's row it removes the connector's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
}

impl RowSpec {
    /// A two-way row of equal types without expressions.
    pub fn new(highlevel: impl Into<String>, partner: impl Into<String>, field_type: FieldType) -> Self {
        Self {
            partner: partner.into(),
            highlevel: highlevel.into(),
            partner_type: field_type,
            highlevel_type: field_type,
            direction: Direction::default(),
            to_partner: None,
            to_highlevel: None,
            values: Values::default(),
            policy: Policy::default(),
            off: false,
        }
    }

    /// The row's identity.
    pub fn key(&self) -> RowKey {
        RowKey(format!("{}={}", self.highlevel, self.partner))
    }

    /// The row's field on `side`.
    pub fn field(&self, side: Side) -> &str {
        match side {
            Side::Highlevel => &self.highlevel,
            Side::Partner => &self.partner,
        }
    }

    /// The type of the row's field on `side`.
    pub fn field_type(&self, side: Side) -> FieldType {
        match side {
            Side::Highlevel => self.highlevel_type,
            Side::Partner => self.partner_type,
        }
    }

    /// The expression over the record of `side`, if there is one. A blank one counts as none.
    pub fn expression(&self, side: Side) -> Option<&str> {
        let source = match side {
            Side::Highlevel => &self.to_partner,
            Side::Partner => &self.to_highlevel,
        };
        source.as_deref().map(str::trim).filter(|source| !source.is_empty())
    }

    /// Whether both fields hold sets, which are merged by element.
    pub fn is_set(&self) -> bool {
        self.highlevel_type.is_set() && self.partner_type.is_set()
    }
}

/// What values of one side are called on the other. A table is applied to the value of the row's expression, or of its field,
/// before that is made canonical; to a set, element by element. A value that a table does not name passes unchanged, unless the
/// table has the name `*`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// Names of HighLevel's values, each with the partner's value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub to_partner: BTreeMap<String, serde_json::Value>,
    /// Names of the partner's values, each with HighLevel's value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub to_highlevel: BTreeMap<String, serde_json::Value>,
}

/// What a table says of every value that it does not name.
const ANY_OTHER: &str = "*";

impl Values {
    /// Whether there is no table.
    pub fn is_empty(&self) -> bool {
        self.to_partner.is_empty() && self.to_highlevel.is_empty()
    }

    /// The table over the values of `side`.
    pub(crate) fn table(&self, side: Side) -> &BTreeMap<String, serde_json::Value> {
        match side {
            Side::Highlevel => &self.to_partner,
            Side::Partner => &self.to_highlevel,
        }
    }

    /// The other side's value for a value of `side`.
    pub(crate) fn apply(&self, side: Side, value: Value) -> Value {
        let table = self.table(side);
        if table.is_empty() {
            return value;
        }
        let named = |name: &str| table.get(name).or_else(|| table.get(ANY_OTHER));
        let name = match &value {
            Value::Set(elements) => {
                let mapped = elements.iter().filter_map(|element| match named(element) {
                    None => Some(element.clone()),
                    Some(serde_json::Value::String(text)) => Some(text.clone()),
                    Some(serde_json::Value::Null) => None,
                    Some(other) => Some(other.to_string()),
                });
                return Value::Set(mapped.collect());
            }
            Value::Json(_) => return value,
            // No value is looked up under the empty name only: `*` is for values.
            Value::Null => return table.get("").map_or(Value::Null, |found| Value::from_json(found.clone())),
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Boolean(boolean) => boolean.to_string(),
        };
        named(&name).map_or(value, |found| Value::from_json(found.clone()))
    }
}

/// Identity of a row: `<HighLevel field>=<partner field>`. It stays when a row's expressions, types or policy change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowKey(String);

impl RowKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The connector's rows with the admin's laid over them.
///
/// An admin's row for a pair of fields that the connector joins too takes that row's place. A new pair replaces every
/// row of the connector that uses one of its two fields: the admin has said what they belong to. A row that is
/// switched off removes the connector's row of that pair and nothing else.
pub fn overlay(connector: Vec<RowSpec>, admin: Vec<RowSpec>) -> Vec<RowSpec> {
    let known: Vec<RowKey> = connector.iter().map(RowSpec::key).collect();
    let (replacing, new): (Vec<_>, Vec<_>) = admin.into_iter().partition(|row| known.contains(&row.key()));
    let new: Vec<_> = new.into_iter().filter(|row| !row.off).collect();

    let mut rows = Vec::with_capacity(connector.len() + new.len());
    for row in connector {
        if let Some(own) = replacing.iter().rev().find(|own| own.key() == row.key()) {
            rows.push(own.clone());
        } else if !new.iter().any(|own| own.highlevel == row.highlevel || own.partner == row.partner) {
            rows.push(row);
        }
    }
    rows.extend(new);
    rows.retain(|row| !row.off);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(highlevel: &str, partner: &str) -> RowSpec {
        RowSpec::new(highlevel, partner, FieldType::Text)
    }

    #[test]
    fn an_admins_row_takes_the_place_of_the_connectors_row_of_the_same_fields() {
        let mine = RowSpec { policy: Policy::Partner, ..row("firstName", "first") };
        let rows = overlay(vec![row("firstName", "first"), row("email", "mail")], vec![mine.clone()]);
        assert_eq!(rows, [mine, row("email", "mail")]);
    }

    #[test]
    fn a_new_pair_replaces_the_rows_that_use_one_of_its_fields() {
        let rows = overlay(
            vec![row("firstName", "first"), row("lastName", "last"), row("email", "mail")],
            vec![row("firstName", "nickname"), row("companyName", "mail")],
        );
        assert_eq!(rows, [row("lastName", "last"), row("firstName", "nickname"), row("companyName", "mail")]);
    }

    #[test]
    fn an_admin_can_switch_a_row_off() {
        let off = RowSpec { off: true, ..row("firstName", "name") };
        let rows = overlay(vec![row("firstName", "name"), row("lastName", "name")], vec![off]);
        assert_eq!(rows, [row("lastName", "name")]);
    }

    #[test]
    fn a_table_says_what_a_value_is_called_on_the_other_side() {
        let values: Values = serde_json::from_value(serde_json::json!({
            "to_partner": { "gold": 1, "silver": 2, "*": 0, "": "none" },
            "to_highlevel": { "1": "gold", "true": "yes" },
        }))
        .unwrap();
        let to_partner = |value: Value| values.apply(Side::Highlevel, value);
        assert_eq!(to_partner(Value::from("gold")), Value::from(1));
        assert_eq!(to_partner(Value::from("bronze")), Value::from(0));
        assert_eq!(to_partner(Value::Null), Value::from("none"));
        assert_eq!(to_partner(["gold", "x"].into_iter().collect()), ["1", "0"].into_iter().collect());
        let to_highlevel = |value: Value| values.apply(Side::Partner, value);
        assert_eq!(to_highlevel(Value::from(1)), Value::from("gold"));
        assert_eq!(to_highlevel(Value::from(true)), Value::from("yes"));
        assert_eq!(to_highlevel(Value::from("9")), Value::from("9"), "what is not named passes");
        assert_eq!(to_highlevel(Value::Null), Value::Null);
    }

    #[test]
    fn a_row_needs_only_its_two_fields_and_knows_no_others() {
        let short: RowSpec =
            serde_json::from_str(r#"{"highlevel": "firstName", "partner": "first"}"#).unwrap();
        assert_eq!(short, row("firstName", "first"));
        let wrong = serde_json::from_str::<RowSpec>(r#"{"highlevel": "a", "partner": "b", "polisy": "ask"}"#);
        assert!(wrong.unwrap_err().to_string().contains("polisy"));
    }
}
