//! Why something was parked, without what is particular to one record, so that entries with one cause are seen as a group.

/// In the place of a word that is particular to a record.
const PARTICULAR: &str = "…";
/// Characters of a cause; what differs behind them is the same cause.
const LONGEST: usize = 300;

/// The reason with its ids, numbers, addresses and quoted values taken out. Names of fields and the words of the other system
/// stay: they tell one cause from another.
pub(crate) fn cause(reason: &str) -> String {
    let mut cause = String::new();
    let mut word = String::new();
    for c in reason.chars().chain([' ']) {
        if c.is_alphanumeric() || "_-@.+%".contains(c) {
            word.push(c);
            continue;
        }
        // A full stop ends a sentence; it is no part of the word.
        let bare = word.trim_end_matches('.');
        if is_particular(bare) {
            if !cause.ends_with(PARTICULAR) {
                cause.push_str(PARTICULAR);
            }
            cause.push_str(&word[bare.len()..]);
        } else {
            cause.push_str(&word);
        }
        word.clear();
        cause.push(if c.is_control() { ' ' } else { c });
    }
    let mut cause: String = cause.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = cause.char_indices().nth(LONGEST) {
        cause.truncate(end);
    }
    cause
}

/// An id, a number, an address or a time: whatever has a digit or an at sign in it, or looks like a random id.
fn is_particular(word: &str) -> bool {
    let has = |wanted: fn(&char) -> bool| word.chars().any(|c| wanted(&c));
    let random =
        word.len() >= 15 && has(|c| c.is_uppercase()) && has(|c| c.is_lowercase()) && !has(|c| *c == '.');
    has(|c| c.is_ascii_digit() || *c == '@') || random
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_that_fail_alike_have_one_cause_and_others_have_another() {
        let refused = |path: &str, email: &str| {
            cause(&format!(
                "HighLevel: contacts.update (/contacts/{path}): email: {email} must be an email; retry it"
            ))
        };
        let one = refused("ocQHyuzHvysMo5N5VsXc", "ann@example.com");
        assert_eq!(one, refused("abCDefGHijKLmnOPqrST", "bob+x@example.co.uk"));
        assert_eq!(one, "HighLevel: contacts.update (/contacts/…): email: … must be an email; retry it");
        assert_ne!(
            cause("the partner refused email: is invalid"),
            cause("the partner refused phone: is invalid")
        );
        assert_eq!(
            cause("answered 503 at 2026-11-25T10:00:00Z"),
            cause("answered 502 at 2026-11-26T11:07:09Z")
        );
    }

    #[test]
    fn status_and_words_stay_words() {
        assert_eq!(cause("not found: a. b"), "not found: a. b");
        assert_eq!(cause("  two\n lines\t"), "two lines");
    }

    proptest! {
        #[test]
        fn a_cause_is_short_settled_and_names_no_address(reason in ".{0,600}") {
            let once = cause(&reason);
            prop_assert!(once.chars().count() <= LONGEST);
            prop_assert!(!once.contains('@') || !reason.contains('@'));
            prop_assert!(!once.chars().any(|c| c.is_ascii_digit() || c.is_control()));
        }
    }
}
