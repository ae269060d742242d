//! Secrets of several parts as one text, and back. What holds a secret on the way is wiped.

use std::collections::BTreeMap;
use std::io;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

/// The parts of a secret by name.
pub(crate) type SecretParts = BTreeMap<String, SecretString>;

/// A value that holds secrets, as JSON.
pub(crate) fn secret_json<T: Serialize + ?Sized>(value: &T) -> Result<SecretString, serde_json::Error> {
    let mut buffer = Wiped(Zeroizing::default());
    serde_json::to_writer(&mut buffer, value)?;
    // What serde writes is text.
    Ok(SecretString::from(str::from_utf8(&buffer.0).unwrap_or_default()))
}

/// The text members of a JSON object; those that are null are left out. `None` when it is something else: what it is must not be told.
pub(crate) fn secret_parts(text: &SecretString) -> Option<SecretParts> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text.expose_secret()).ok()?;
    let strings = members.into_iter().filter(|(_, value)| value.get() != "null");
    strings.map(|(name, value)| Some((name, unescaped(value.get())?))).collect()
}

/// A buffer that leaves no copy of itself behind when it grows.
struct Wiped(Zeroizing<Vec<u8>>);

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            *self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A JSON string without its quotes and escapes. The parser's own way would keep it in a buffer that is not wiped.
fn unescaped(json: &str) -> Option<SecretString> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    // Never longer than its escaped form.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let mut letters = escape.chars();
        let letter = match letters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (letter, behind) = code_point(letters.as_str())?;
                text.push(letter);
                rest = behind;
                continue;
            }
            itself => itself,
        };
        text.push(letter);
        rest = letters.as_str();
    }
    text.push_str(rest);
    Some(SecretString::from(text.as_str()))
}

/// The letter of `XXXX` or `XXXX\uXXXX`, and what comes behind it.
fn code_point(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let first = unit(text)?;
    let behind = &text[4..];
    if let Some(letter) = char::from_u32(u32::from(first)) {
        return Some((letter, behind));
    }
    let second = unit(behind.strip_prefix("\\u")?)?;
    let letter = char::decode_utf16([first, second]).next()?.ok()?;
    Some((letter, &behind[6..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parts(text: &str) -> Option<BTreeMap<String, String>> {
        let parts = secret_parts(&SecretString::from(text))?;
        Some(parts.into_iter().map(|(name, part)| (name, part.expose_secret().to_owned())).collect())
    }

    proptest! {
        #[test]
        fn parts_come_back_as_they_went(
            given in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..6),
        ) {
            let json = secret_json(&given).unwrap();
            prop_assert_eq!(json.expose_secret(), serde_json::to_string(&given).unwrap());
            prop_assert_eq!(parts(json.expose_secret()), Some(given));
        }

        #[test]
        fn every_escape_means_what_json_says(units in proptest::collection::vec(any::<u16>(), 0..12)) {
            let escaped: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = escaped.concat();
            let text = format!("{{\"key\":\"{escaped}\"}}");
            // Half a pair of surrogates is no text.
            let expected = serde_json::from_str::<BTreeMap<String, String>>(&text).ok();
            prop_assert_eq!(parts(&text), expected);
        }
    }

    #[test]
    fn what_is_missing_is_left_out_and_what_is_no_text_is_no_secret() {
        let text = json!({ "url": "https://a", "secret": null }).to_string();
        assert_eq!(parts(&text).unwrap(), [("url".to_owned(), "https://a".to_owned())].into());
        let slashes = r#"{"a":"\/\"\\\b\f\n\r\té😀"}"#;
        assert_eq!(parts(slashes).unwrap()["a"], "/\"\\\u{8}\u{c}\n\r\té😀");
        for broken in ["", "[]", "7", r#"{"a":7}"#, r#"{"a":"#, r#"{"a":{"b":"c"}}"#, "null"] {
            assert_eq!(parts(broken), None, "{broken}");
        }
    }
}
