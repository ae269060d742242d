//! Which names an expression mentions: what it does not mention is neither read nor handed over.

/// A name with what follows its first dot: `contact.tasks` has the head `contact` and the member `tasks`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'e> {
    pub(super) head: &'e str,
    pub(super) member: Option<&'e str>,
}

/// Every name in an expression, and also what stands in quotes (`field('contact.city')`, `contact['city']`). It may find more
/// than there is, never less.
pub(super) fn names(expression: &str) -> Vec<Name<'_>> {
    let mut names = Vec::new();
    let mut rest = expression;
    let mut after_dot = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => {
                let text = quoted(&rest[1..], first);
                names.push(split(text));
                (text.len() + 2).min(rest.len())
            }
            first if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                if !after_dot {
                    names.push(Name { head: &rest[..length], member: member(&rest[length..]) });
                }
                length
            }
            other => other.len_utf8(),
        };
        after_dot = first == '.' || (after_dot && first.is_whitespace());
        rest = &rest[length..];
    }
    names
}

/// What stands before the closing quote, or everything if there is none.
fn quoted(text: &str, quote: char) -> &str {
    let mut escaped = false;
    let end = text.char_indices().find(|(_, c)| {
        let closes = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn split(text: &str) -> Name<'_> {
    match text.split_once('.') {
        Some((head, rest)) => Name { head, member: Some(rest.split('.').next().unwrap_or(rest)) },
        None => Name { head: text, member: None },
    }
}

/// The member that is named right behind a word: `.tasks` or `['tasks']`.
fn member(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    let (rest, end) = match rest.strip_prefix('.') {
        Some(rest) => (rest.trim_start(), None),
        None => {
            let rest = rest.strip_prefix('[')?.trim_start();
            let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            (&rest[1..], Some(quote))
        }
    };
    let length = rest.find(|c| end.map_or(!is_word(c), |end| c == end)).unwrap_or(rest.len());
    Some(&rest[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(expression: &str) -> Vec<(&str, Option<&str>)> {
        names(expression).into_iter().map(|name| (name.head, name.member)).collect()
    }

    #[test]
    fn names_are_found_with_their_members() {
        assert_eq!(
            found("contact.tasks|length > 2 and plan"),
            [("contact", Some("tasks")), ("length", None), ("2", None), ("and", None), ("plan", None)]
        );
        assert_eq!(found("contact['tags']"), [("contact", Some("tags")), ("tags", None)]);
        assert_eq!(found("a . b.c"), [("a", Some("b"))]);
    }

    #[test]
    fn quoted_names_count_so_that_no_mention_is_missed() {
        assert!(found("field('contact.city')").contains(&("contact", Some("city"))));
        assert!(found(r"'it\'s' in tags").contains(&("tags", None)));
        assert!(found("'unclosed").contains(&("unclosed", None)));
    }
}
