//! Labels of an account's own fields, for partners whose records carry ids of fields in place of names: a form, a sign-up sheet.
//!
//! ```
//! use contactor_sdk::labels::person_field;
//!
//! assert_eq!(person_field("Work e-mail *", None), Some("email"));
//! assert_eq!(person_field("Your name", Some(2)), Some("last_name"));
//! assert_eq!(person_field("Shoe size", None), None);
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Result, log, state};

/// Labels by the field's id, and the ids that have none any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    known: BTreeMap<String, String>,
    missing: Vec<String>,
}

impl Labels {
    /// The labels that were remembered under a key of the state. When one of these ids is not among them, all are read anew and
    /// remembered: that costs one look for each new field, and none for an id that is gone for good.
    ///
    /// # Errors
    /// What `read` or the state answers.
    pub fn of<'i>(
        key: &str,
        ids: impl Iterator<Item = &'i str>,
        read: impl FnOnce() -> Result<BTreeMap<String, String>>,
    ) -> Result<Self> {
        let labels: Self = state::get_json(key)?.unwrap_or_default();
        let is_new =
            |id: &&str| !labels.known.contains_key(*id) && !labels.missing.iter().any(|own| own == id);
        let new: Vec<String> = ids.filter(is_new).map(str::to_owned).collect();
        if new.is_empty() {
            return Ok(labels);
        }
        let (known, mut missing) = (read()?, labels.missing);
        missing.extend(new);
        missing.retain(|id| !known.contains_key(id));
        missing.sort();
        missing.dedup();
        let labels = Self { known, missing };
        if let Err(error) = state::update_json(key, |_| Ok(labels.clone())) {
            log::warn!("the labels of fields are read again each time: {}", error.message());
        }
        Ok(labels)
    }

    /// The label of a field.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.known.get(id).map(String::as_str)
    }
}

/// The field of a person that an English label speaks of, by a name that connectors have in common: `email`, `phone`, `first_name`,
/// `last_name`, `full_name`, `company`, `website`, `city`, `postal_code`, `address`, `message`. `part` counts the parts of a field
/// that has several, from 1: of a name the first is the first name, the second the last.
pub fn person_field(label: &str, part: Option<u32>) -> Option<&'static str> {
    let label = label.to_lowercase();
    let label = label.trim_matches([' ', '*', ':']);
    let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
    Some(match part {
        _ if has(&["email", "e-mail"]) => "email",
        _ if has(&["phone", "mobile"]) => "phone",
        _ if has(&["first name", "given name"]) => "first_name",
        _ if has(&["last name", "surname", "family name"]) => "last_name",
        _ if has(&["company", "organisation", "organization"]) => "company",
        Some(1) if label.ends_with("name") => "first_name",
        Some(2) if label.ends_with("name") => "last_name",
        None if ["name", "full name", "your name"].contains(&label) => "full_name",
        _ if has(&["website"]) => "website",
        None if has(&["city"]) => "city",
        None if has(&["postal", "zip"]) => "postal_code",
        None if has(&["address"]) => "address",
        _ if has(&["message", "comment"]) => "message",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testing::MockHost;

    #[test]
    fn labels_are_read_once_for_each_new_field_and_never_for_one_that_is_gone() {
        let _host = MockHost::new().install();
        let reads = Cell::new(0);
        let labels = |ids: &[&str], all: &[(&str, &str)]| {
            let read = || {
                reads.set(reads.get() + 1);
                Ok(all.iter().map(|(id, label)| ((*id).to_owned(), (*label).to_owned())).collect())
            };
            Labels::of("form", ids.iter().copied(), read).unwrap()
        };
        assert_eq!(labels(&["1", "9"], &[("1", "Email")]).get("1"), Some("Email"));
        assert_eq!(labels(&["1", "9"], &[]).get("9"), None);
        assert_eq!(reads.get(), 1, "9 is gone from the form");
        assert_eq!(labels(&["2"], &[("1", "Email"), ("2", "Phone"), ("9", "Back")]).get("9"), Some("Back"));
        assert_eq!(reads.get(), 2);
    }

    #[test]
    fn an_email_address_is_no_street_address() {
        assert_eq!(person_field("Email address", None), Some("email"));
        assert_eq!(person_field("Address", None), Some("address"));
        assert_eq!(person_field("Address", Some(1)), None, "which part is which is unknown");
        assert_eq!(person_field("Company name:", None), Some("company"));
    }
}
