//! Takes secrets out of what a vendor answers. Whoever is sent a credential may repeat it (a link to the next page, an echo of the
//! request in an error), as it was sent or in another spelling. The engine's requests to partners use it as well.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Fewest bytes of a secret that is taken out of an answer before anybody reads it: a shorter one occurs by chance, and what is
/// read is written to the other side.
pub const SHORTEST: usize = 8;

/// Secrets, in every spelling in which they are looked for.
#[derive(Default)]
pub struct Redactor(Vec<SecretString>);

impl Redactor {
    /// For these secrets, as far as they have this many bytes.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s SecretString>, shortest: usize) -> Self {
        let long = secrets.into_iter().filter(|secret| secret.expose_secret().len() >= shortest.max(1));
        let mut hidden: Vec<SecretString> = long.flat_map(spellings).collect();
        // The longest first: a part may lie within another one.
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self(hidden)
    }

    /// A text without the secrets.
    #[must_use]
    pub fn text(&self, mut text: String) -> String {
        for secret in self.0.iter().map(ExposeSecret::expose_secret) {
            // Once for each spelling over every answer: `str::contains` would take ten times as long.
            if memmem::find(text.as_bytes(), secret.as_bytes()).is_some() {
                text = text.replace(secret, REDACTED);
            }
        }
        text
    }

    /// A body without the secrets; what is no text in it stays as it is.
    #[must_use]
    pub fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        match String::from_utf8(bytes) {
            Ok(text) => self.text(text).into_bytes(),
            Err(error) => {
                // A secret is a text, so it lies within one of the parts that are.
                let mut kept = Vec::with_capacity(error.as_bytes().len());
                for part in error.as_bytes().utf8_chunks() {
                    kept.extend(self.text(part.valid().to_owned()).into_bytes());
                    kept.extend(part.invalid());
                }
                kept
            }
        }
    }
}

/// As it is, percent-encoded, in HTML, and as the writers of JSON in use write it: with and without escaped slashes, and with
/// `\u002b` for what could be misread in a page. Long ones also as a dump of the request shows them, in its address or elsewhere: in
/// base64 and hexadecimal.
fn spellings(secret: &SecretString) -> Vec<SecretString> {
    let plain = secret.expose_secret();
    let encoded: String = url::form_urlencoded::byte_serialize(plain.as_bytes()).collect();
    let of_address = Zeroizing::new(encoded.clone());
    let json = serde_json::Value::from(plain).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let escaped = |escape: fn(char) -> String| plain.chars().map(escape).collect::<String>();
    let mut all = vec![
        plain.to_owned(),
        lower_hex(&encoded),
        lower_hex(&encoded.replace('+', "%20")),
        encoded.replace('+', "%20"),
        encoded,
        json.replace('/', "\\/"),
        json,
        escaped(|c| if is_plain(c) { c.into() } else { format!("\\u{:04x}", u32::from(c)) }),
        escaped(|c| if is_plain(c) { c.into() } else { format!("\\u{:04X}", u32::from(c)) }),
        plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
    ];
    if plain.len() >= SHORTEST {
        // An address in a dump has it percent-encoded.
        for text in [plain, &of_address] {
            all.extend([hex::encode(text), hex::encode_upper(text)]);
            all.extend((0..3).flat_map(|before| {
                [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD]
                    .map(|alphabet| within_base64(text, before, |bytes| alphabet.encode(bytes)))
            }));
        }
    }
    // JSON within JSON: an answer that quotes another answer.
    let twice: Vec<_> =
        all.iter().filter(|text| text.contains('\\')).map(|text| text.replace('\\', "\\\\")).collect();
    all.extend(twice);
    all.sort();
    all.dedup();
    all.into_iter().map(SecretString::from).collect()
}

/// The letters of a base64 text that stand for these bytes and nothing else, when so many bytes stand before them.
fn within_base64(plain: &str, before: usize, encode: impl Fn(&[u8]) -> String) -> String {
    let bytes = Zeroizing::new([&[0; 2][..before], plain.as_bytes()].concat());
    let mut text = encode(&bytes);
    if bytes.len() % 3 != 0 {
        text.pop();
    }
    // Of the first letters all or some bits are another's.
    text.split_off((before * 8).div_ceil(6))
}

/// What no writer of JSON escapes.
fn is_plain(c: char) -> bool {
    c.is_ascii()
        && !c.is_ascii_control()
        && !matches!(c, '"' | '\\' | '\'' | '<' | '>' | '&' | '+' | '=' | '`')
}

/// `%2F` as `%2f`.
fn lower_hex(encoded: &str) -> String {
    let mut left = 0;
    let lower = |c: char| {
        left = if c == '%' { 2 } else { i32::max(left - 1, -1) };
        if c != '%' && left >= 0 { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<_> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Redactor::new(&secrets, SHORTEST)
    }

    #[test]
    fn a_secret_is_found_in_every_spelling_of_those_who_answer() {
        let redactor = redactor(&["Fake/Key+with \"quotes\"=&<X>"]);
        for spelling in [
            r#"Fake/Key+with "quotes"=&<X>"#,
            "Fake%2FKey%2Bwith+%22quotes%22%3D%26%3CX%3E",
            "Fake%2fKey%2bwith%20%22quotes%22%3d%26%3cX%3e",
            r#"Fake/Key+with \"quotes\"=&<X>"#,
            r#"Fake\/Key+with \"quotes\"=&<X>"#,
            r"Fake/Key\u002bwith \u0022quotes\u0022\u003d\u0026\u003cX\u003e",
            r"Fake/Key\u002Bwith \u0022quotes\u0022\u003D\u0026\u003CX\u003E",
            "Fake/Key+with &quot;quotes&quot;=&amp;&lt;X&gt;",
            r#"Fake\\/Key+with \\"quotes\\"=&<X>"#,
        ] {
            assert_eq!(redactor.text(format!("<{spelling}>")), "<[redacted]>");
        }
    }

    #[test]
    fn a_secret_is_found_in_a_dump_in_base64_or_hexadecimal_wherever_it_stands() {
        let secret = "fake>>secret??0123";
        let redactor = redactor(&[secret]);
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "x", "xy"] {
                let dump = format!("{before}{secret}{after}");
                for (encoded, kept) in [
                    (STANDARD_NO_PAD.encode(&dump), 4 + 3 + 2),
                    (URL_SAFE_NO_PAD.encode(&dump), 4 + 3 + 2),
                    (hex::encode(&dump), 2 * (before.len() + after.len())),
                    (hex::encode_upper(&dump), 2 * (before.len() + after.len())),
                ] {
                    let shown = redactor.text(encoded.clone());
                    let left = shown.replace(REDACTED, "");
                    assert!(shown != left && left.len() <= kept, "{encoded}: {shown}");
                }
            }
        }
    }

    #[test]
    fn a_secret_is_found_in_a_dump_of_the_address_that_it_was_in() {
        let redactor = redactor(&["fake/secret+0123"]);
        for before in ["", "a", "ab"] {
            let address = format!("{before}?key=fake%2Fsecret%2B0123");
            for dump in
                [STANDARD_NO_PAD.encode(&address), URL_SAFE_NO_PAD.encode(&address), hex::encode(&address)]
            {
                assert!(redactor.text(dump.clone()).contains(REDACTED), "{dump}");
            }
        }
    }

    #[test]
    fn a_body_that_is_no_text_keeps_what_is_no_secret() {
        let redactor = redactor(&["fake-secret-0123"]);
        let body =
            [b"\xff\xe2\x82fake-secret-0123\x80".as_slice(), b"fake-secret-0123 \xc3\xa9\xff"].concat();
        assert_eq!(redactor.bytes(body), b"\xff\xe2\x82[redacted]\x80[redacted] \xc3\xa9\xff");
    }

    #[test]
    fn a_short_secret_garbles_nothing() {
        assert_eq!(redactor(&["", "ada", "1234567"]).text("ada 1234567".to_owned()), "ada 1234567");
        assert_eq!(redactor(&["12345678"]).text("x12345678".to_owned()), "x[redacted]");
    }
}
