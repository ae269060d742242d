//! Finding the words that a person is known by in texts, and taking them out.
//!
//! A word counts only as a whole: `jo@x.com` is no part of `banjo@x.com` or `jo@x.com.au`. Texts are read twice, as they stand and with
//! `%40` and `\u0040` taken for what they mean, in lower case of every script. Where a text can be read either way, the word is found:
//! it is worse to leave a person in a text than to take out a word too many.

use std::collections::BTreeSet;
use std::ops::Range;

use contactor_sync::phone_spellings;
use serde_json::Value;

/// What stands in the place of a word.
pub(super) const ERASED: &str = "erased";

/// What is looked for, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(Vec<Word>);

#[derive(Clone, Debug)]
struct Word {
    text: String,
    kind: Kind,
    /// The connection in whose rows alone it is looked for.
    only_at: Option<i64>,
}

/// Which characters beside a word make it a part of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Address,
    Number,
    Id,
}

impl Words {
    /// An address, or a number as E.164.
    pub(super) fn add(&mut self, word: &str) {
        if word.contains('@') {
            self.push(word, Kind::Address, None);
            return;
        }
        let mut spellings: BTreeSet<String> = phone_spellings(word);
        if let Some(digits) = word.strip_prefix('+') {
            spellings.extend(["", "00", "011"].map(|lead| format!("{lead}{digits}")));
        }
        for spelling in spellings {
            self.push(&spelling, Kind::Number, None);
        }
    }

    /// An id of a record. A partner's that is nothing but digits is another record's number at another partner.
    pub(super) fn add_id(&mut self, id: &str, connection: Option<i64>) {
        if id.contains('@') {
            self.push(id, Kind::Address, None);
        } else if id.chars().all(|c| c.is_ascii_digit()) {
            self.push(id, Kind::Number, connection);
        } else {
            self.push(id, Kind::Id, None);
        }
    }

    fn push(&mut self, word: &str, kind: Kind, only_at: Option<i64>) {
        let text = Reading::of(word, false).lower;
        if !text.trim().is_empty() {
            self.0.push(Word { text, kind, only_at });
        }
    }

    /// Whether a text of a connection, or of none, has one of the words in it.
    pub(super) fn are_in(&self, text: &str, connection: Option<i64>) -> bool {
        readings(text)
            .any(|reading| self.of(connection).any(|word| word.places(&reading.lower).next().is_some()))
    }

    /// A text without the words. A document stays one.
    pub(super) fn out_of(&self, text: &str, connection: Option<i64>) -> String {
        let blanked = self.blanked(text, connection);
        match serde_json::from_str::<Value>(text) {
            // A number that stood there without quotes.
            Ok(document) if serde_json::from_str::<serde::de::IgnoredAny>(&blanked).is_err() => {
                self.out_of_document(document, connection).to_string()
            }
            _ => blanked,
        }
    }

    fn out_of_document(&self, document: Value, connection: Option<i64>) -> Value {
        match document {
            Value::String(text) => Value::String(self.blanked(&text, connection)),
            Value::Number(number) if self.are_in(&number.to_string(), connection) => ERASED.into(),
            Value::Array(items) => {
                items.into_iter().map(|item| self.out_of_document(item, connection)).collect()
            }
            Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| {
                    (self.blanked(&name, connection), self.out_of_document(value, connection))
                })
                .collect(),
            other => other,
        }
    }

    fn blanked(&self, text: &str, connection: Option<i64>) -> String {
        let mut places: Vec<Range<usize>> = Vec::new();
        for reading in readings(text) {
            let found = self.of(connection).flat_map(|word| word.places(&reading.lower)).collect();
            places.extend(reading.origins(text, found));
        }
        places.sort_by_key(|place| place.start);
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for place in places {
            // Words may have others in them.
            if place.start >= from {
                out.push_str(&text[from..place.start]);
                out.push_str(ERASED);
            }
            from = from.max(place.end);
        }
        out.push_str(&text[from..]);
        out
    }

    fn of(&self, connection: Option<i64>) -> impl Iterator<Item = &Word> {
        self.0.iter().filter(move |word| word.only_at.is_none() || word.only_at == connection)
    }
}

impl Word {
    /// Where it stands by itself in a text in lower case.
    fn places<'a>(&'a self, lower: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let start = from + lower.get(from..)?.find(&self.text)?;
                let end = start + self.text.len();
                if self.begins_after(&lower[..start]) && self.ends_before(&lower[end..]) {
                    from = end;
                    return Some(start..end);
                }
                from = start + lower[start..].chars().next().map_or(1, char::len_utf8);
            }
        })
    }

    fn begins_after(&self, before: &str) -> bool {
        let joins = match self.kind {
            Kind::Address => "._+-",
            Kind::Number if self.text.starts_with(['+', '(']) => return true,
            Kind::Number => ".-",
            Kind::Id => "",
        };
        let bare = before.trim_end_matches(|c| joins.contains(c));
        let between = &before[bare.len()..];
        if between.contains("..") {
            return true;
        }
        let mut last = bare.chars().rev();
        match last.next() {
            // Another country's code begins there.
            Some('+') => self.kind != Kind::Number,
            // `\n` of a document that is looked at as it stands.
            Some('n' | 'r' | 't' | 'b' | 'f') if last.next() == Some('\\') => true,
            Some(c) if self.kind == Kind::Number && !between.is_empty() => !c.is_ascii_digit(),
            Some(c) => !c.is_alphanumeric(),
            None => true,
        }
    }

    fn ends_before(&self, after: &str) -> bool {
        let mut next = after.chars();
        let begins_word = |text: &str| text.starts_with(char::is_alphanumeric);
        let begins_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        match (self.kind, next.next()) {
            (_, None) => true,
            // A sentence's full stop is no part of an address, and neither is a dash.
            (Kind::Address, Some('.')) => !begins_word(next.as_str()),
            (Kind::Address, Some('-')) => !begins_word(next.as_str().trim_start_matches('-')),
            (Kind::Number, Some('.' | '-')) => !begins_number(next.as_str()),
            // An extension.
            (Kind::Number, Some('x')) => begins_number(next.as_str().trim_start()),
            (Kind::Number, Some('e')) => next.as_str().starts_with("xt"),
            (_, Some(c)) => !c.is_alphanumeric(),
        }
    }
}

/// A text in lower case, and where each byte of it comes from.
struct Reading {
    lower: String,
    decodes: bool,
}

/// A text as it stands and, where that differs, with its escapes taken for what they mean.
fn readings(text: &str) -> impl Iterator<Item = Reading> {
    let escaped = text.contains('%') || text.contains("\\u");
    std::iter::once(false).chain(escaped.then_some(true)).map(|decodes| Reading::of(text, decodes))
}

impl Reading {
    fn of(text: &str, decodes: bool) -> Self {
        let mut lower = String::with_capacity(text.len());
        read(text, decodes, |c, _| lower.push(c));
        Self { lower, decodes }
    }

    /// The places in the text of places in this reading of it, those that overlap as one. In one pass, however many there are.
    fn origins(&self, text: &str, mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
        places.sort_by_key(|place| place.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(places.len());
        for place in places {
            match apart.last_mut().filter(|last| place.start < last.end) {
                Some(last) => last.end = last.end.max(place.end),
                None => apart.push(place),
            }
        }
        let mut origins: Vec<Range<usize>> = Vec::with_capacity(apart.len());
        let (mut at, mut next) = (0, 0);
        read(text, self.decodes, |c, from| {
            while apart.get(next).is_some_and(|place| place.end <= at) {
                next += 1;
            }
            if apart.get(next).is_some_and(|place| place.contains(&at)) {
                if origins.len() <= next {
                    origins.push(from);
                } else if let Some(origin) = origins.last_mut() {
                    origin.end = from.end;
                }
            }
            at += c.len_utf8();
        });
        origins
    }
}

/// Goes through a text: every letter in lower case, with the place that it stands for. Blanks and dashes of all kinds are one.
fn read(text: &str, decodes: bool, mut each: impl FnMut(char, Range<usize>)) {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let escaped = decodes.then(|| escape(&text[at..])).flatten();
        if c == '\\' && escaped.is_none() {
            // None of them begins an escape, as what follows all of them does not: they are not looked at one by one.
            let run = text[at..].len() - text[at..].trim_start_matches('\\').len();
            (at..at + run).for_each(|at| each('\\', at..at + 1));
            at += run;
            continue;
        }
        let (c, length) = escaped.unwrap_or_else(|| (c, c.len_utf8()));
        let place = at..at + length;
        at = place.end;
        match c {
            '\u{2010}'..='\u{2015}' => each('-', place),
            c if c.is_whitespace() => each(' ', place),
            c if c.is_ascii() => each(c.to_ascii_lowercase(), place),
            c => c.to_lowercase().for_each(|c| each(c, place.clone())),
        }
    }
}

/// The character that a text begins with as `%40` or `\u0040`, also when it was escaped twice, and its length there.
fn escape(text: &str) -> Option<(char, usize)> {
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
    if text.starts_with('\\') {
        let rest = text.trim_start_matches('\\').strip_prefix('u')?;
        let c = char::from_u32(hex(rest.get(..4)?)?)?;
        return Some((c, text.len() - rest.len() + 4));
    }
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(mut digits) = rest.strip_prefix('%') {
        while let Some(twice) =
            digits.strip_prefix("25").filter(|twice| twice.get(..2).and_then(hex).is_some())
        {
            digits = twice;
        }
        let byte = digits.get(..2).and_then(hex)?;
        bytes.push(u8::try_from(byte).ok()?);
        rest = &digits[2..];
        if let Ok(decoded) = std::str::from_utf8(&bytes) {
            return Some((decoded.chars().next()?, text.len() - rest.len()));
        }
        if bytes.len() == 4 {
            break;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(words: &[&str]) -> Words {
        let mut all = Words::default();
        for word in words {
            all.add(word);
        }
        all
    }

    #[test]
    fn many_places_and_long_runs_are_read_in_one_pass() {
        // Step by step for each of them, this would take minutes.
        let jo = of(&["jo@x.com"]);
        let slashes = format!("{}%40 jo@x.com", "\\".repeat(200_000));
        assert!(jo.out_of(&slashes, None).ends_with("\\%40 erased"));
        assert_eq!(jo.out_of(&"jo%40x.com ".repeat(20_000), None), "erased ".repeat(20_000));
    }

    #[test]
    fn a_person_is_taken_out_of_a_text_and_the_others_stay() {
        let ann = of(&["ann@example.com"]);
        let text = r#"["Ann@Example.com","bob@example.com"]"#;
        assert_eq!(ann.out_of(text, None), r#"["erased","bob@example.com"]"#);
        assert_eq!(ann.out_of("nothing", None), "nothing");
    }

    #[test]
    fn an_address_is_found_in_whatever_surrounds_it() {
        let jo = of(&["jo@x.com"]);
        for text in [
            "mailto:jo@x.com",
            r#""jo@x.com""#,
            "<JO@X.com>",
            "It is jo@x.com.",
            "jo@x.com...",
            "Write to jo@x.com.\nThen",
            r#"{"text":"it is\njo@x.com.\nThen"}"#,
            r#"{"text":"{\"a\":\"\\njo@x.com\"}"}"#,
            "who=jo%40x.com&more",
            "%3Cjo%40x.com%3E",
            "who=jo%2540x.com",
            r"\u003cjo\u0040x.com\u003e",
            r#"{"in":"\\u003cjo\\u0040x.com\\u003e"}"#,
            "-jo@x.com",
            "...jo@x.com",
            "_jo@x.com_",
            "100%jo@x.com",
            r"CORP\jo@x.com",
            "héllo jo@x.com",
            "a@b.c,jo@x.com;d@e.f",
        ] {
            assert!(jo.are_in(text, None), "{text}");
            let left = jo.out_of(text, None);
            assert!(!left.to_lowercase().contains("jo") && left.contains(ERASED), "{text}: {left}");
            assert!(!jo.are_in(&left, None), "{left}");
        }
    }

    #[test]
    fn an_address_that_is_part_of_another_is_the_others() {
        let jo = of(&["jo@x.com"]);
        for text in [
            "banjo@x.com",
            "a.jo@x.com",
            "my-jo@x.com",
            "my+jo@x.com",
            "jo@x.com.au",
            "jo@x.community",
            "jo@x.com-pany.org",
            "éjo@x.com",
            "banjo%40x.com",
            r"b\u0061njo@x.com",
        ] {
            assert!(!jo.are_in(text, None), "{text}");
            assert_eq!(jo.out_of(text, None), text);
        }
    }

    #[test]
    fn case_is_that_of_every_script() {
        for (word, text) in
            [("jörg@x.com", "JÖRG@X.COM"), ("ωσ@x.gr", "Ως@x.gr ΩΣ@X.GR"), ("i@x.tr", "İ i@x.tr")]
        {
            let words = of(&[word]);
            let left = words.out_of(text, None);
            assert!(left.contains(ERASED), "{text}: {left}");
        }
    }

    #[test]
    fn a_number_is_found_in_its_notations_and_not_in_longer_ones() {
        let ann = of(&["+19075550101"]);
        for text in [
            "+19075550101",
            "tel:+19075550101",
            "(907) 555-0101",
            "1(907) 555-0101",
            "907\u{2011}555\u{2011}0101",
            "9075550101 x12",
            "9075550101x12",
            "0019075550101",
            "%2B19075550101",
            r"\u002B19075550101",
            r#"{"phone":19075550101}"#,
            "Call 907-555-0101.",
            "phone_9075550101",
        ] {
            assert!(ann.are_in(text, None), "{text}");
            assert!(!ann.out_of(text, None).contains("0101"), "{text}");
        }
        for text in
            ["49075550101", "90755501012", "+9075550101", "0.9075550101", "ab9075550101", "9075550101.5"]
        {
            assert!(!ann.are_in(text, None), "{text}");
        }
        assert_eq!(ann.out_of(r#"{"phone":19075550101}"#, None), r#"{"phone":"erased"}"#);
    }

    #[test]
    fn an_id_of_digits_is_looked_for_at_its_own_partner_only() {
        let mut words = Words::default();
        words.add_id("20000001", Some(7));
        words.add_id("ocQHyuzHvysMo5N5VsXc", None);
        let text = "20000001 and 120000001";
        assert_eq!(words.out_of(text, Some(7)), "erased and 120000001");
        assert_eq!(words.out_of(text, Some(8)), text);
        assert_eq!(words.out_of(text, None), text);
        assert_eq!(words.out_of("/contacts/ocQHyuzHvysMo5N5VsXc/tasks", None), "/contacts/erased/tasks");
    }

    /// A person's spellings, and what is somebody else's.
    fn token() -> impl Strategy<Value = (String, bool)> {
        let hers = ["jo@x.com", "JO@X.COM", "jo%40x.com", r"jo\u0040x.com", "+19075550101", "907-555-0101"];
        let others =
            ["banjo@x.com", "jo@x.com.au", "bob@x.com", "+19075550102", "jo", "x.com", "é", "%41", "9075"];
        prop_oneof![
            prop::sample::select(hers.to_vec()).prop_map(|word| (word.to_owned(), true)),
            prop::sample::select(others.to_vec()).prop_map(|word| (word.to_owned(), false)),
        ]
    }

    proptest! {
        #[test]
        fn whoever_is_asked_for_is_never_left_and_the_text_of_others_stays(
            tokens in prop::collection::vec((token(), prop::sample::select(vec![" ", ", ", "\n", "\"", "<", ">", "&a=", "; ", ". "])), 0..12),
        ) {
            let words = of(&["jo@x.com", "+19075550101"]);
            let text = |erased: bool| -> String {
                let shown = |(word, hers): &(String, bool)| if *hers && erased { ERASED.to_owned() } else { word.clone() };
                tokens.iter().flat_map(|(token, after)| [shown(token), (*after).to_owned()]).collect()
            };
            prop_assert_eq!(words.out_of(&text(false), None), text(true));
            prop_assert!(!words.are_in(&text(true), None));
        }

        #[test]
        fn any_text_is_read_and_left_without_the_person(text in ".{0,40}", after in "[ .%\\\\u0-9a-f@jox]{0,20}") {
            let words = of(&["jo@x.com", "+19075550101"]);
            let text = format!("{text} jo@x.com {after}");
            prop_assert!(words.are_in(&text, None));
            prop_assert!(!words.are_in(&words.out_of(&text, None), None));
        }
    }
}
