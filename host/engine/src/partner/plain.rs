//! Which parts of a stored credential are no secrets.
//!
//! That is kept with the parts, as the manifest had it by which somebody entered them. A later manifest may call any part
//! `secret = false` and send it where partners repeat what they are sent (`X-Request-Id`): were it believed, its connector would read
//! what was entered as a secret. So a part is spared where secrets are taken out only if both say so; to enter a part anew is the way
//! to have it otherwise.
//!
//! The names of these parts lie among the parts, under a name that none of them has: they are sealed, moved and forgotten with them. A
//! credential without them was stored by an earlier version of this host, and all of it is secret.
//!
//! Rejected: to take out every part, whatever was said of it, because a user's name or the id of a key may stand in any record, and a
//! record with something taken out is parked.

use std::collections::BTreeSet;

use contactor_manifest::Auth;
use secrecy::{ExposeSecret, SecretString};

use super::Secrets;

/// Where the names lie. A part's name is a placeholder of a template, which has neither spaces nor parentheses.
const NAMES: &str = "(no secrets)";

/// Puts parts that somebody entered over those that are stored.
pub(crate) fn enter(stored: &mut Secrets, entered: Secrets, auth: &Auth) {
    let mut plain: BTreeSet<String> = names(stored).map(str::to_owned).collect();
    for name in entered.keys() {
        if is_declared(auth, name) {
            plain.insert(name.clone());
        } else {
            plain.remove(name);
        }
    }
    stored.extend(entered);
    let plain: Vec<String> = plain.into_iter().collect();
    stored.insert(NAMES.to_owned(), SecretString::from(plain.join(" ")));
}

/// Whether a part is no secret: when it was entered, and by this manifest as well.
pub(super) fn is_plain(stored: &Secrets, auth: &Auth, name: &str) -> bool {
    is_declared(auth, name) && names(stored).any(|plain| plain == name)
}

/// The parts alone.
pub(super) fn parts(stored: &Secrets) -> impl Iterator<Item = (&str, &SecretString)> {
    stored.iter().map(|(name, part)| (name.as_str(), part)).filter(|(name, _)| *name != NAMES)
}

fn is_declared(auth: &Auth, name: &str) -> bool {
    auth.credentials.iter().any(|part| part.name == name && !part.secret)
}

fn names(stored: &Secrets) -> impl Iterator<Item = &str> {
    stored.get(NAMES).map(ExposeSecret::expose_secret).unwrap_or_default().split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::manifest;
    use crate::partner::redact::Hidden;

    const USER: &str = "ada@example.com";
    const KEY: &str = "fake-key-0123456789";

    /// A way to authenticate with a user and a key, and whether each of them is a secret.
    fn auth(user: bool, key: bool) -> Auth {
        let text = format!(
            r#"
            [[auth]]
            id = "pair"
            title = "Pair"
            kind = "header-pair"
            headers = {{ X-User = "{{user}}", X-Request-Id = "{{key}}" }}
            credential = [
                {{ name = "user", title = "User", secret = {user} }},
                {{ name = "key", title = "Key", secret = {key} }},
            ]
            "#
        );
        manifest(&text).auth.remove(0)
    }

    fn entered(parts: &[(&str, &str)]) -> Secrets {
        parts.iter().map(|(name, part)| ((*name).to_owned(), SecretString::from(*part))).collect()
    }

    /// What a connector reads of an answer that repeats both parts.
    fn read(auth: &Auth, stored: &Secrets) -> String {
        Hidden::new(auth, stored, None).given(format!("{USER} {KEY}"))
    }

    #[test]
    fn a_part_that_was_entered_as_a_secret_stays_one_whatever_a_later_manifest_says() {
        let mut stored = Secrets::new();
        enter(&mut stored, entered(&[("user", USER), ("key", KEY)]), &auth(false, true));
        assert_eq!(read(&auth(false, true), &stored), format!("{USER} [redacted]"));
        assert_eq!(read(&auth(false, false), &stored), format!("{USER} [redacted]"));
        // A manifest that is stricter than the one before it is followed.
        assert_eq!(read(&auth(true, true), &stored), "[redacted] [redacted]");
        // What is entered beside it changes nothing about it.
        enter(&mut stored, entered(&[("user", USER)]), &auth(false, false));
        assert_eq!(read(&auth(false, false), &stored), format!("{USER} [redacted]"));
    }

    #[test]
    fn a_part_that_is_entered_anew_is_what_the_manifest_calls_it_then() {
        let mut stored = Secrets::new();
        enter(&mut stored, entered(&[("user", USER), ("key", KEY)]), &auth(true, true));
        enter(&mut stored, entered(&[("user", USER)]), &auth(false, true));
        assert_eq!(read(&auth(false, true), &stored), format!("{USER} [redacted]"));
        enter(&mut stored, entered(&[("user", USER)]), &auth(true, true));
        assert_eq!(read(&auth(false, true), &stored), "[redacted] [redacted]");
    }

    #[test]
    fn of_a_credential_of_which_nothing_was_kept_all_is_secret_and_names_are_none() {
        let stored = entered(&[("user", USER), ("key", KEY)]);
        assert_eq!(read(&auth(false, false), &stored), "[redacted] [redacted]");
        let mut stored = Secrets::new();
        enter(&mut stored, entered(&[("user", USER), ("key", KEY)]), &auth(false, false));
        let hidden = Hidden::new(&auth(false, false), &stored, None);
        assert_eq!(hidden.kept("user key, (no secrets)".to_owned()), "user key, (no secrets)");
        assert_eq!(parts(&stored).map(|(name, _)| name).collect::<Vec<_>>(), ["key", "user"]);
    }
}
