//! The filter language of contact search: `{field, operator, value}` and groups of them.

use serde_json::{Value, json};

use super::normal;
use super::refusal::Refusal;
use super::state::Contact;

/// The longest value of a filter.
const VALUE_MAX: usize = 75;
const FIELDS: &[&str] = &[
    "id",
    "email",
    "phone",
    "firstName",
    "lastName",
    "firstNameLowerCase",
    "lastNameLowerCase",
    "contactName",
    "companyName",
    "businessName",
    "businessId",
    "address",
    "city",
    "state",
    "country",
    "postalCode",
    "website",
    "timezone",
    "tags",
    "type",
    "source",
    "assignedTo",
    "followers",
    "dnd",
    "dateAdded",
    "dateUpdated",
    "dateOfBirth",
];

/// A condition on a contact.
#[derive(Debug)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Equal(String, Vec<Value>),
    Contains(String, String),
    Exists(String),
    Range(String, Vec<(Bound, f64)>),
    Not(Box<Self>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    Above,
    From,
    Below,
    To,
}

impl Filter {
    /// Reads the `filters` of a search body; several are joined by AND.
    pub(super) fn parse(filters: Option<&Value>) -> Result<Self, Refusal> {
        let filters = filters.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(Self::All(filters.iter().map(Self::one).collect::<Result<_, _>>()?))
    }

    fn one(filter: &Value) -> Result<Self, Refusal> {
        if let Some(group) = filter.get("group").and_then(Value::as_str) {
            let members =
                filter.get("filters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let members = members.iter().map(Self::one).collect::<Result<Vec<_>, _>>()?;
            return match group {
                "AND" => Ok(Self::All(members)),
                "OR" => Ok(Self::Any(members)),
                _ => Err(invalid("filters.group must be one of the following values: AND, OR")),
            };
        }
        let text = |name: &str| filter.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (field, operator) = (text("field"), text("operator"));
        let per_channel = field.starts_with("dndSettings.") && field.ends_with(".status");
        if !FIELDS.contains(&field.as_str()) && !field.starts_with("customFields.") && !per_channel {
            return Err(invalid(&format!("filters.field {field} is not supported")));
        }
        let value = filter.get("value").cloned().unwrap_or(Value::Null);
        let negated = operator.starts_with("not_");
        let positive = match operator.trim_start_matches("not_") {
            "exists" => Self::Exists(field),
            "eq" => Self::Equal(field, each(&value)?),
            "contains" => {
                let wanted = each(&value)?.first().and_then(Value::as_str).unwrap_or_default().to_lowercase();
                Self::Contains(field, wanted)
            }
            "range" if !negated => Self::Range(field, bounds(&value)?),
            _ => return Err(invalid(&format!("filters.operator {operator} is not supported"))),
        };
        Ok(if negated { Self::Not(Box::new(positive)) } else { positive })
    }

    /// Whether `contact` meets the condition.
    pub(super) fn fits(&self, contact: &Contact) -> bool {
        match self {
            Self::All(members) => members.iter().all(|member| member.fits(contact)),
            Self::Any(members) => members.iter().any(|member| member.fits(contact)),
            Self::Not(member) => !member.fits(contact),
            Self::Exists(field) => !values(contact, field).is_empty(),
            Self::Equal(field, wanted) => {
                values(contact, field).iter().any(|value| wanted.iter().any(|wanted| same(value, wanted)))
            }
            // `contains` does not handle special characters: such a value finds nothing.
            Self::Contains(field, wanted) => {
                wanted.chars().all(|c| c.is_alphanumeric() || c == ' ')
                    && values(contact, field)
                        .iter()
                        .any(|value| value.as_str().is_some_and(|text| text.to_lowercase().contains(wanted)))
            }
            Self::Range(field, bounds) => values(contact, field).iter().filter_map(number).any(|value| {
                bounds.iter().all(|(bound, limit)| match bound {
                    Bound::Above => value > *limit,
                    Bound::From => value >= *limit,
                    Bound::Below => value < *limit,
                    Bound::To => value <= *limit,
                })
            }),
        }
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::invalid(vec![message.to_owned()])
}

fn each(value: &Value) -> Result<Vec<Value>, Refusal> {
    let values = match value {
        Value::Array(values) => values.clone(),
        Value::Null => return Err(invalid("filters.value should not be empty")),
        one => vec![one.clone()],
    };
    if values.iter().any(|value| value.as_str().is_some_and(|text| text.chars().count() > VALUE_MAX)) {
        return Err(invalid(&format!(
            "filters.value must be shorter than or equal to {VALUE_MAX} characters"
        )));
    }
    Ok(values)
}

fn bounds(value: &Value) -> Result<Vec<(Bound, f64)>, Refusal> {
    let malformed = || invalid("filters.value of a range must hold gt, gte, lt or lte");
    let members = value.as_object().filter(|members| !members.is_empty()).ok_or_else(malformed)?;
    let read = |(name, value): (&String, &Value)| {
        let bound = match name.as_str() {
            "gt" => Bound::Above,
            "gte" => Bound::From,
            "lt" => Bound::Below,
            "lte" => Bound::To,
            _ => return Err(malformed()),
        };
        number(value).map(|limit| (bound, limit)).ok_or_else(malformed)
    };
    members.iter().map(read).collect()
}

/// Numbers, and instants as epoch milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit 53 bits")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => normal::instant(text).map(|at| at as f64),
        _ => None,
    }
}

fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(a), Value::String(b)) => a.to_lowercase() == b.to_lowercase(),
        _ => value == wanted,
    }
}

/// The values of a field; empty when it is not set.
fn values(contact: &Contact, field: &str) -> Vec<Value> {
    let texts = |items: &[String]| items.iter().map(|item| json!(item)).collect();
    match field {
        "id" => vec![json!(contact.id)],
        "tags" => texts(&contact.tags),
        "followers" => texts(&contact.followers),
        "type" => vec![json!("lead")],
        "dnd" => vec![json!(contact.dnd)],
        "dateAdded" => vec![json!(contact.date_added)],
        "dateUpdated" => vec![json!(contact.date_updated)],
        "businessId" => contact.business_id.iter().map(|id| json!(id)).collect(),
        "contactName" => {
            Some(contact.name()).filter(|name| !name.is_empty()).map(Value::String).into_iter().collect()
        }
        "businessName" => contact.get("companyName").map(|value| json!(value)).into_iter().collect(),
        "address" => contact.get("address1").map(|value| json!(value)).into_iter().collect(),
        _ => {
            if let Some(id) = field.strip_prefix("customFields.") {
                return match contact.custom.get(id) {
                    Some(Value::Array(items)) => items.clone(),
                    value => value.cloned().into_iter().collect(),
                };
            }
            if let Some(channel) =
                field.strip_prefix("dndSettings.").and_then(|rest| rest.strip_suffix(".status"))
            {
                return contact
                    .dnd_settings
                    .get(channel)
                    .and_then(|s| s.get("status"))
                    .cloned()
                    .into_iter()
                    .collect();
            }
            let name = field.strip_suffix("LowerCase").unwrap_or(field);
            contact.get(name).map(|value| json!(value)).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> Contact {
        let mut contact = Contact { tags: vec!["vip".into()], date_updated: 1_000, ..Contact::default() };
        contact.text.insert("email", "Ann@Example.com".into());
        contact
    }

    fn fits(filter: &Value) -> bool {
        Filter::parse(Some(&json!([filter]))).unwrap().fits(&contact())
    }

    #[test]
    fn operators_work_on_texts_lists_and_dates() {
        assert!(fits(&json!({"field": "email", "operator": "eq", "value": "ann@example.com"})));
        assert!(fits(&json!({"field": "tags", "operator": "eq", "value": ["other", "vip"]})));
        assert!(fits(&json!({"field": "phone", "operator": "not_exists"})));
        assert!(fits(
            &json!({"field": "dateUpdated", "operator": "range", "value": {"gte": 1000, "lt": 1001}})
        ));
        assert!(!fits(
            &json!({"field": "dateUpdated", "operator": "range", "value": {"gt": "1970-01-01T00:00:01Z"}})
        ));
    }

    #[test]
    fn contains_finds_nothing_when_the_value_has_special_characters() {
        assert!(fits(&json!({"field": "email", "operator": "contains", "value": "ann"})));
        assert!(!fits(&json!({"field": "email", "operator": "contains", "value": "ann@"})));
    }

    #[test]
    fn groups_combine() {
        let no = json!({"field": "phone", "operator": "exists"});
        let yes = json!({"field": "email", "operator": "exists"});
        assert!(fits(&json!({"group": "OR", "filters": [no, yes]})));
        assert!(!fits(&json!({"group": "AND", "filters": [no, yes]})));
    }

    #[test]
    fn an_unknown_field_or_operator_is_refused() {
        for filter in [
            json!({"field": "shoeSize", "operator": "eq", "value": 1}),
            json!({"field": "email", "operator": "like", "value": "x"}),
            json!({"field": "email", "operator": "eq", "value": "x".repeat(76)}),
        ] {
            assert_eq!(Filter::parse(Some(&json!([filter]))).unwrap_err().status, 422);
        }
    }
}
