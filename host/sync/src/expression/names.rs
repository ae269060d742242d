//! Filters for names. Their results are no longer than a few times their input.

use std::collections::BTreeMap;

use minijinja::value::Value as Data;

use super::budget::{Cost, Metered};

/// Words that stay small inside a name.
const PARTICLES: [&str; 18] = [
    "al", "bin", "da", "de", "del", "della", "den", "der", "di", "dos", "du", "la", "le", "ter", "van",
    "von", "y", "zu",
];

pub(super) fn install(environment: &mut Metered<'_>) {
    environment.add_filter("first_word", Cost::CHARACTERS, first_word);
    environment.add_filter("rest_words", Cost::CHARACTERS, rest_words);
    environment.add_filter("last_word", Cost::CHARACTERS, last_word);
    environment.add_filter("initials", Cost::CHARACTERS, initials);
    environment.add_filter("name_case", Cost::CHARACTERS, name_case);
    environment.add_filter("name_parts", Cost::CHARACTERS, name_parts);
}

/// `Ann` of `Ann Marie Smith`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn first_word(text: String) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// `Marie Smith` of `Ann Marie Smith`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn rest_words(text: String) -> String {
    text.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

/// `Smith` of `Ann Marie Smith`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn last_word(text: String) -> String {
    text.split_whitespace().last().unwrap_or_default().to_owned()
}

/// `AMS` of `Ann Marie Smith`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn initials(text: String) -> String {
    text.split_whitespace().filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
}

/// A name in the case of names. Only words that are all small or all capital are touched: `McDonald` stays what it is.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn name_case(text: String) -> String {
    let words = text.split_whitespace().enumerate().map(|(index, word)| {
        let is_mixed = word.chars().any(char::is_lowercase) && word.chars().any(char::is_uppercase);
        let small = word.to_lowercase();
        if is_mixed {
            word.to_owned()
        } else if index > 0 && PARTICLES.contains(&small.as_str()) {
            small
        } else {
            capitalised(&small)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A capital at the beginning, after a hyphen or an apostrophe, and after `Mc`.
fn capitalised(small: &str) -> String {
    let mut out = String::with_capacity(small.len());
    let mut begins = true;
    let mut part = 0;
    for c in small.chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        let separates = matches!(c, '-' | '\'' | '’');
        if separates {
            part = out.len();
        }
        // `Mcd…` begins anew; a name that is only `Mc`, or a short word such as `Mck`, is not told apart and need not be.
        begins = separates || &out[part..] == "Mc";
    }
    out
}

/// First, middle and last name of a whole one; `van Beethoven` is one last name.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn name_parts(text: String) -> Data {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut last = words.len().saturating_sub(1).max(1).min(words.len());
    while last > 1 && PARTICLES.contains(&words[last - 1].to_lowercase().as_str()) {
        last -= 1;
    }
    let joined = |words: Option<&[&str]>| words.unwrap_or_default().join(" ");
    let parts = [
        ("first", joined(words.get(..1))),
        ("middle", joined(words.get(1..last))),
        ("last", joined(words.get(last..))),
    ];
    Data::from(BTreeMap::from(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_come_first_after_separators_and_after_mc() {
        for (small, expected) in [
            ("smith", "Smith"),
            ("smith-jones", "Smith-Jones"),
            ("o'neil", "O'Neil"),
            ("d’arcy", "D’Arcy"),
            ("mcdonald", "McDonald"),
            ("ann-mcdonald", "Ann-McDonald"),
            ("tomcat", "Tomcat"),
            ("--a", "--A"),
            ("ßx", "SSx"),
        ] {
            assert_eq!(capitalised(small), expected);
        }
    }

    #[test]
    fn a_long_word_is_gone_through_once() {
        // Going back to the beginning of the word for each of its letters would be 2^36 steps.
        let word = "x".repeat(1 << 18);
        assert_eq!(capitalised(&word).len(), word.len());
    }
}
