//! Canonical values: whatever a field holds, its canonical form is its own canonical form, needs no country, and survives the store.
//!
//! Input: a line with the type, a line with the country, then the value: JSON, or a text.

use contactor_sync::{Context, FieldType, Value, canonical, phone_spellings};

use crate::input::texts;

pub(crate) const TYPES: [FieldType; 11] = [
    FieldType::Text,
    FieldType::Email,
    FieldType::Phone,
    FieldType::Tags,
    FieldType::Set,
    FieldType::Instant,
    FieldType::Date,
    FieldType::Boolean,
    FieldType::Integer,
    FieldType::Number,
    FieldType::Json,
];

/// The type that a text names by its first letter, which is that of its place.
fn named(text: &str) -> FieldType {
    let place = usize::from(text.bytes().next().unwrap_or(b'a').wrapping_sub(b'a'));
    TYPES[place % TYPES.len()]
}

pub(crate) fn run(input: &[u8]) {
    let Some(([kind, country], value)) = texts::<2>(input) else { return };
    let field_type = named(kind);
    let context = Context { country: (!country.is_empty()).then(|| country.to_owned()) };
    let value = serde_json::from_str(value).map_or_else(|_| Value::from(value), Value::from_json);
    let Ok(once) = canonical(field_type, &value, &context) else { return };

    assert_eq!(canonical(field_type, &once, &context).as_ref(), Ok(&once), "of {value:?} as {field_type:?}");
    assert_eq!(canonical(field_type, &once, &Context::default()).as_ref(), Ok(&once), "without the country");
    let stored: Value = serde_json::from_str(&serde_json::to_string(&once).unwrap()).unwrap();
    assert_eq!(stored, once, "as it is stored");
    if let (FieldType::Phone, Some(phone)) = (field_type, once.as_text()) {
        assert!(phone.starts_with('+') && (5..=16).contains(&phone.len()), "{phone}");
        assert!(phone_spellings(phone).contains(phone));
    }
}
