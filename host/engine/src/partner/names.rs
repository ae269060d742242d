//! Blanks what its name says is a secret: a form's field, a member of a JSON document at any depth, a parameter of a URL. It works
//! on any text, also on one that was cut off or that is no valid JSON, because a partner's answer may be either.

use super::redact::REDACTED;

/// Names of secrets, in lower case and without `-` and `_`.
const NAMES: [&str; 10] = [
    "password",
    "passwd",
    "passhash",
    "secret",
    "token",
    "apikey",
    "accesstoken",
    "refreshtoken",
    "authorization",
    "clientsecret",
];
/// Bytes of the longest name that is looked at.
const LONGEST: usize = 256;

/// Whether a value of this name is a secret: `password`, `API-Key`, `user[access_token]`.
pub(crate) fn is_secret(name: &str) -> bool {
    let last = name.trim_end_matches([']', '[']).rsplit(['[', '.']).next().unwrap_or_default();
    let plain: String =
        last.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    NAMES.contains(&plain.as_str())
}

/// A text without the values of secret names.
pub fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = text[at..].find(['"', '=']) {
        let place = at + found;
        let value = match text.as_bytes()[place] {
            b'=' => form_value(text, place),
            _ => member_value(text, place),
        };
        match value {
            Seen::Value(start, end) => {
                out.push_str(&text[kept..start]);
                out.push_str(if text[start..].starts_with(['"', '[', '{']) {
                    "\"[redacted]\""
                } else {
                    REDACTED
                });
                (kept, at) = (end, end);
            }
            Seen::Nothing(next) => at = next,
        }
    }
    out.push_str(&text[kept..]);
    out
}

/// What lies at a place of interest.
enum Seen {
    /// A secret's value, from here to there.
    Value(usize, usize),
    /// Nothing; go on here.
    Nothing(usize),
}

/// The value of `name=value`, when the name is a secret's.
fn form_value(text: &str, equals: usize) -> Seen {
    let from = text[..equals].char_indices().rev().find(|(_, c)| ends_a_name(*c));
    let from = from.map_or(0, |(place, c)| place + c.len_utf8());
    let start = equals + 1;
    let name = text[from..equals].trim_matches(' ');
    if equals - from > LONGEST || !is_secret(&decoded(name)) {
        return Seen::Nothing(start);
    }
    let value = &text[start..];
    // A space ends a value in a line of words; in a form it is written as `+`.
    let length = value
        .find(|c: char| matches!(c, '&' | '"' | '\\' | '<' | '>') || c.is_whitespace())
        .unwrap_or(value.len());
    if length == 0 { Seen::Nothing(start) } else { Seen::Value(start, start + length) }
}

fn ends_a_name(c: char) -> bool {
    matches!(c, '&' | '?' | ';' | '"' | ',' | '{' | '#' | '/' | '(') || c.is_whitespace()
}

fn decoded(name: &str) -> String {
    url::form_urlencoded::parse(name.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

/// The value of `"name": value`, when the name is a secret's. JSON within a JSON string has its quotes escaped, so a text is of one
/// level: as many backslashes stand before its first quote as before its last. Every quote may be the first of a name: of texts that
/// are cut off nobody can tell which ones are.
fn member_value(text: &str, quote: usize) -> Seen {
    let nothing = Seen::Nothing(quote + 1);
    let level = backslashes(text, quote);
    let Some(end) = closing(text, quote + 1, level).filter(|end| end - quote <= LONGEST) else {
        return nothing;
    };
    let rest = text[end + 1..].trim_start();
    let name = text[quote + 1..end].trim_end_matches('\\');
    if !rest.starts_with(':') || !is_secret(&unescaped(name)) {
        return nothing;
    }
    let rest = rest[1..].trim_start();
    let start = text.len() - rest.len();
    Seen::Value(start, start + value_length(rest, level))
}

fn unescaped(name: &str) -> String {
    if !name.contains('\\') {
        return name.to_owned();
    }
    serde_json::from_str(&format!("\"{name}\"")).unwrap_or_else(|_| name.to_owned())
}

fn backslashes(text: &str, before: usize) -> usize {
    text.as_bytes()[..before].iter().rev().take_while(|byte| **byte == b'\\').count()
}

/// The quote that ends a text of this level.
fn closing(text: &str, from: usize, level: usize) -> Option<usize> {
    let quotes = text[from..].match_indices('"').map(|(place, _)| from + place);
    quotes.into_iter().find(|quote| backslashes(&text[from..], quote - from) % (2 * (level + 1)) == level)
}

/// How long a value is; one that is cut off goes to the end.
fn value_length(text: &str, level: usize) -> usize {
    let opening = text.bytes().take_while(|byte| *byte == b'\\').count();
    if text[opening..].starts_with('"') {
        let end = closing(text, opening + 1, level);
        return end.map_or(text.len(), |end| end + 1);
    }
    if !text.starts_with(['[', '{']) {
        return text.find([',', '}', ']', '\\', '\n']).unwrap_or(text.len());
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(found) = text[at..].find(['[', ']', '{', '}', '"']) {
        let place = at + found;
        at = place + 1;
        match text.as_bytes()[place] {
            b'[' | b'{' => depth += 1,
            b'"' => match closing(text, at, level) {
                Some(end) => at = end + 1,
                None => return text.len(),
            },
            _ if depth == 1 => return at,
            _ => depth -= 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whether_its_value_is_a_secret() {
        for secret in
            ["password", "Password", "API-Key", "api_key", "user[password]", "a.client_secret", "x[token][]"]
        {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in ["passwords_sent", "tokens", "email", "key", "", "secretary"] {
            assert!(!is_secret(plain), "{plain}");
        }
    }

    #[test]
    fn fields_of_a_form_are_blanked_and_the_others_stay() {
        for (text, blanked) in [
            ("user=ada&password=hunter2&x=1", "user=ada&password=[redacted]&x=1"),
            ("password=hunter2-plain", "password=[redacted]"),
            ("user%5Bpass_word%5D=hunter2", "user%5Bpass_word%5D=[redacted]"),
            ("API-Key=k&passhash=5f4dcc", "API-Key=[redacted]&passhash=[redacted]"),
            ("GET /x?token=abc&page=2", "GET /x?token=[redacted]&page=2"),
            ("password=&x=1", "password=&x=1"),
            ("a=b=c", "a=b=c"),
        ] {
            assert_eq!(blank(text), blanked);
        }
    }

    #[test]
    fn members_are_blanked_at_any_depth_and_of_any_kind() {
        for (text, blanked) in [
            (
                r#"{"user":{"password":"hunter2","name":"Ada"}}"#,
                r#"{"user":{"password":"[redacted]","name":"Ada"}}"#,
            ),
            (r#"{"Access-Token" : "a\"b,c" , "n": 1}"#, r#"{"Access-Token" : "[redacted]" , "n": 1}"#),
            (r#"[{"token":12345},{"token":null}]"#, r#"[{"token":[redacted]},{"token":[redacted]}]"#),
            (r#"{"secret":{"a":["b}",{"c":"d"}]},"e":2}"#, r#"{"secret":"[redacted]","e":2}"#),
            (r#"{"pass\u0077ord":"hunter2"}"#, r#"{"pass\u0077ord":"[redacted]"}"#),
            (r#"{"next":"https://x/y?token=abc&z=1"}"#, r#"{"next":"https://x/y?token=[redacted]&z=1"}"#),
            (
                r#"{"body":"{\"a\":1}","password":"x","b":"c"}"#,
                r#"{"body":"{\"a\":1}","password":"[redacted]","b":"c"}"#,
            ),
            (r#"{"name":"password","value":"x"}"#, r#"{"name":"password","value":"x"}"#),
        ] {
            assert_eq!(blank(text), blanked);
        }
        let nested = serde_json::json!({ "body": r#"{"password":"hun\"ter2","n":1}"# }).to_string();
        let shown = blank(&nested);
        assert!(!shown.contains("ter2") && shown.contains(r#"\"n\":1"#), "{shown}");
    }

    #[test]
    fn a_value_that_is_cut_off_shows_nothing_wherever_it_is_cut() {
        let texts = [
            r#"{"a":1,"password":"hunter2","secret":{"deep":["hunter2"]},"b":"x"}"#,
            "a=1&password=hunter2&b=2",
        ];
        for text in texts {
            for end in 0..=text.len() {
                let shown = blank(&text[..end]);
                assert!(!shown.contains("hu"), "{end}: {shown}");
            }
        }
    }

    #[test]
    fn what_names_no_secret_stays_as_it_is() {
        for text in [
            "",
            "plain words = fine",
            r#"{"a":"b","c":[1,2,{"d":"e\\"}]}"#,
            "\"",
            "=",
            "é=ü&\"ö\":",
            "\\\"\\\":",
        ] {
            assert_eq!(blank(text), text);
        }
    }
}
