//! JSON of the interface's values in which bytes are one text. A list of numbers would take four times the room, and as a document in
//! memory thirty times.

use std::fmt::Write as _;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::ser::Formatter;

/// The one member of what stands for bytes: a text where they are one.
const TEXT: &str = "$text";
const BASE64: &str = "$base64";

/// A value as JSON; a list of bytes is `[{"$text": …}]` or `[{"$base64": …}]`.
pub(crate) fn written(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Compact::default());
    // The types of wit/ are plain data: writing them as JSON cannot fail.
    match value.serialize(&mut serializer) {
        Ok(()) => out,
        Err(_) => Vec::new(),
    }
}

/// The value of such a text, or of one in which bytes are numbers.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    if !text.contains(TEXT) && !text.contains(BASE64) {
        return serde_json::from_str(text);
    }
    let mut plain = String::with_capacity(text.len());
    spell_out(&serde_json::from_str(text)?, &mut plain);
    serde_json::from_str(&plain)
}

/// The text of bytes that stand in a list of their own.
pub(crate) fn text_of(items: &[Value]) -> Option<&Value> {
    let [only] = items else { return None };
    bytes(only).is_some().then_some(only)
}

/// What bytes are written as; `None` of anything else.
pub(crate) fn bytes(json: &Value) -> Option<Vec<u8>> {
    let members = json.as_object().filter(|members| members.len() == 1)?;
    match (members.get(TEXT), members.get(BASE64)) {
        (Some(Value::String(text)), _) => Some(text.as_bytes().to_vec()),
        (None, Some(Value::String(text))) => STANDARD.decode(text).ok(),
        _ => None,
    }
}

/// The same JSON with bytes as numbers: what the types of wit/ are read from.
fn spell_out(json: &Value, out: &mut String) {
    // Writing to a text cannot fail.
    match json {
        Value::Array(items) => {
            out.push('[');
            if let Some(bytes) = text_of(items).and_then(bytes) {
                for (place, byte) in bytes.iter().enumerate() {
                    let _ = write!(out, "{}{byte}", if place == 0 { "" } else { "," });
                }
            } else {
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place == 0 { "" } else { "," });
                    spell_out(item, out);
                }
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (place, (name, member)) in members.iter().enumerate() {
                let _ = write!(out, "{}{}:", if place == 0 { "" } else { "," }, Value::from(name.as_str()));
                spell_out(member, out);
            }
            out.push('}');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// Collects the bytes of a list until it ends.
#[derive(Default)]
struct Compact {
    bytes: Vec<u8>,
    /// The next value is an item of a list.
    item: bool,
}

impl Formatter for Compact {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.item = true;
        if first || !self.bytes.is_empty() { Ok(()) } else { writer.write_all(b",") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.item = false;
        writer.write_all(b":")
    }

    fn write_u8<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u8) -> io::Result<()> {
        if std::mem::take(&mut self.item) {
            self.bytes.push(value);
            return Ok(());
        }
        write!(writer, "{value}")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.item = false;
        if !self.bytes.is_empty() {
            let (name, text) = match String::from_utf8(std::mem::take(&mut self.bytes)) {
                Ok(text) => (TEXT, text),
                Err(error) => (BASE64, STANDARD.encode(error.as_bytes())),
            };
            write!(writer, "{{\"{name}\":")?;
            serde_json::to_writer(&mut *writer, &text)?;
            writer.write_all(b"}")?;
        }
        writer.write_all(b"]")
    }
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::partner::{Pair, Response};
    use contactor_runtime::bindings::types::Error;
    use proptest::prelude::*;

    use super::*;

    type Answer = Result<Response, Error>;

    fn response(body: Vec<u8>) -> Response {
        let headers = vec![Pair { name: "content-type".into(), value: r#"{"$text":"no bytes"}"#.into() }];
        Response { status: 200, headers, body }
    }

    #[test]
    fn bytes_take_the_room_of_a_text_and_those_that_were_written_as_numbers_are_read_as_well() {
        for body in [vec![b'x'; 1 << 20], vec![0xff; 1 << 20]] {
            let answer: Answer = Ok(response(body));
            let text = String::from_utf8(written(&answer)).unwrap();
            assert!(text.len() < (1 << 20) * 3 / 2, "{}", text.len());
            assert_eq!(read::<Answer>(&text).unwrap(), answer);
            let numbers = serde_json::to_string(&answer).unwrap();
            assert_eq!(read::<Answer>(&numbers).unwrap(), answer);
        }
        assert_eq!(
            written(&(vec![7_u16], Vec::<u8>::new(), [[1_u8]])),
            br#"[[7],[],[[{"$text":"\u0001"}]]]"#
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(body in prop::collection::vec(any::<u8>(), 0..40), more in ".*") {
            let pair = Pair { name: more.clone(), value: more };
            let answer: Answer = Ok(Response { headers: vec![pair], ..response(body) });
            let text = String::from_utf8(written(&answer)).unwrap();
            prop_assert_eq!(read::<Answer>(&text).unwrap(), answer);
        }
    }
}
