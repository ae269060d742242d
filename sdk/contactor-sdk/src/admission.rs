//! Clean-up rules that connectors share: reasons to leave a record alone, in words for the admin.
//!
//! ```
//! use contactor_sdk::prelude::*;
//! use contactor_sdk::admission;
//!
//! let contact = Fields::new().with("email", "ada@example.com").with("dnd", true);
//! let objection =
//!     admission::email(&contact, &["spam.example".into()]).or_else(|| admission::consent(&contact));
//! assert_eq!(objection.as_deref(), Some("the contact is set to do not disturb in HighLevel"));
//! ```

use serde_json::Value as Json;

use crate::{Fields, Named};

/// Objects to a record without a usable email address, and to one whose domain is blocked or lies below a blocked domain. The
/// address is in the field `email`.
pub fn email(record: &Fields, blocked_domains: &[String]) -> Option<String> {
    let domain = match record.email().map(|email| email.trim().rsplit_once('@')) {
        None => return Some("it has no email address".into()),
        Some(Some((name, domain))) if !name.is_empty() && domain.trim_matches('.').contains('.') => {
            domain.to_ascii_lowercase()
        }
        Some(_) => return Some("its email address is not a usable one".into()),
    };
    let covers = |blocked: &&String| {
        let blocked = blocked.trim_start_matches('.').to_ascii_lowercase();
        !blocked.is_empty()
            && domain.strip_suffix(&blocked).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let blocked = blocked_domains.iter().find(covers)?;
    Some(format!("its email domain is on the list of blocked domains ({blocked})"))
}

/// Objects to a HighLevel contact that must not be disturbed, or not by email.
pub fn consent(contact: &Fields) -> Option<String> {
    if contact.boolean("dnd") == Some(true) {
        return Some("the contact is set to do not disturb in HighLevel".into());
    }
    let channels = contact.value("dndSettings")?.to_json().ok()?;
    // The vendor spells the channel `Email` or `email`, depending on the API's version.
    let email = channels.get("Email").or_else(|| channels.get("email"))?;
    match email.get("status").and_then(Json::as_str) {
        Some("active" | "permanent") => Some("the contact has unsubscribed from email in HighLevel".into()),
        _ => None,
    }
}

/// Whether two records, of whatever side, are of one person: their fields `email` or `phone` are the same.
pub fn is_same_person(one: &impl Named, other: &impl Named) -> bool {
    ["email", "phone"].into_iter().any(|name| {
        let own = one.text(name).map(str::trim).filter(|own| !own.is_empty());
        own.zip(other.text(name)).is_some_and(|(own, told)| own.eq_ignore_ascii_case(told.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn with_email(email: &str) -> Fields {
        Fields::new().with("email", email)
    }

    #[test]
    fn one_address_or_one_number_is_one_person_and_nothing_is_nobody() {
        let of = |email: &str, phone: &str| Fields::new().with("email", email).with("phone", phone);
        assert!(is_same_person(&of("Ada@example.com ", "1"), &of("ada@example.com", "2")));
        assert!(is_same_person(&of("", "+1"), &of("ada@example.com", "+1")));
        assert!(!is_same_person(&of("", ""), &of("", "")));
        assert!(!is_same_person(&of("a@example.com", ""), &of("b@example.com", "")));
    }

    #[test]
    fn an_address_that_cannot_be_used_is_an_objection() {
        assert_eq!(email(&Fields::new(), &[]).unwrap(), "it has no email address");
        for address in ["ada", "@example.com", "ada@localhost", "ada@.com"] {
            assert!(email(&with_email(address), &[]).unwrap().contains("not a usable one"), "{address}");
        }
        assert_eq!(email(&with_email("ada@example.com"), &[]), None);
    }

    #[test]
    fn a_blocked_domain_covers_the_domains_below_it_and_no_others() {
        let blocked = ["Spam.Example".to_owned(), String::new()];
        assert!(email(&with_email("a@spam.example"), &blocked).is_some());
        assert!(email(&with_email("a@mail.SPAM.example"), &blocked).is_some());
        assert!(email(&with_email("a@notspam.example"), &blocked).is_none());
    }

    #[test]
    fn do_not_disturb_and_unsubscribed_are_objections_in_either_spelling() {
        let channel = |json: &str| Fields::new().with("dndSettings", Value::Json(json.into()));
        assert!(consent(&Fields::new().with("dnd", true)).unwrap().contains("do not disturb"));
        assert!(consent(&channel(r#"{"Email":{"status":"active"}}"#)).unwrap().contains("unsubscribed"));
        assert!(consent(&channel(r#"{"email":{"status":"permanent"}}"#)).is_some());
        assert_eq!(consent(&channel(r#"{"Email":{"status":"inactive"},"SMS":{"status":"active"}}"#)), None);
        assert_eq!(consent(&Fields::new().with("dnd", false)), None);
    }
}
