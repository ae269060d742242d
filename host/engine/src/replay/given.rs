//! A guest call and its outcome in a form that can be kept.

use contactor_runtime::bindings::automations::Event;
use contactor_runtime::bindings::triggers::Webhook;
use contactor_runtime::bindings::types::{Direction, NamedValue};
use contactor_runtime::{Invocation, Reply};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compact;

/// What a guest was called with; the cases of [`Invocation`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Given {
    Check,
    Admit { entity: String, direction: Direction, fields: Vec<NamedValue> },
    Read { entity: String, id: String },
    Find { entity: String, key: NamedValue },
    Create { entity: String, fields: Vec<NamedValue> },
    Update { entity: String, id: String, fields: Vec<NamedValue> },
    Delete { entity: String, id: String },
    Receive(Webhook),
    Poll { stream: String, cursor: Option<String> },
    Handle(Event),
    Run { name: String, input: String },
}

impl From<Invocation> for Given {
    fn from(call: Invocation) -> Self {
        match call {
            Invocation::Check => Self::Check,
            Invocation::Admit { entity, direction, fields } => Self::Admit { entity, direction, fields },
            Invocation::Read { entity, id } => Self::Read { entity, id },
            Invocation::Find { entity, key } => Self::Find { entity, key },
            Invocation::Create { entity, fields } => Self::Create { entity, fields },
            Invocation::Update { entity, id, fields } => Self::Update { entity, id, fields },
            Invocation::Delete { entity, id } => Self::Delete { entity, id },
            Invocation::Receive(webhook) => Self::Receive(webhook),
            Invocation::Poll { stream, cursor } => Self::Poll { stream, cursor },
            Invocation::Handle(event) => Self::Handle(event),
            Invocation::Run { name, input } => Self::Run { name, input },
        }
    }
}

impl From<Given> for Invocation {
    fn from(given: Given) -> Self {
        match given {
            Given::Check => Self::Check,
            Given::Admit { entity, direction, fields } => Self::Admit { entity, direction, fields },
            Given::Read { entity, id } => Self::Read { entity, id },
            Given::Find { entity, key } => Self::Find { entity, key },
            Given::Create { entity, fields } => Self::Create { entity, fields },
            Given::Update { entity, id, fields } => Self::Update { entity, id, fields },
            Given::Delete { entity, id } => Self::Delete { entity, id },
            Given::Receive(webhook) => Self::Receive(webhook),
            Given::Poll { stream, cursor } => Self::Poll { stream, cursor },
            Given::Handle(event) => Self::Handle(event),
            Given::Run { name, input } => Self::Run { name, input },
        }
    }
}

/// A reply as JSON, for comparing and for showing.
pub(super) fn outcome(reply: &Reply) -> String {
    let json = match reply {
        Reply::Check(answer) => serde_json::to_value(answer),
        Reply::Admit(answer) => serde_json::to_value(answer),
        Reply::Read(answer) | Reply::Create(answer) | Reply::Update(answer) => serde_json::to_value(answer),
        Reply::Find(answer) => serde_json::to_value(answer),
        Reply::Delete(answer) => serde_json::to_value(answer),
        Reply::Receive(answer) => serde_json::to_value(answer),
        Reply::Poll(answer) => serde_json::to_value(answer),
        Reply::Handle(answer) => serde_json::to_value(answer),
        Reply::Run(answer) => serde_json::to_value(answer),
    };
    // The types of wit/ are plain data: writing them as JSON cannot fail.
    json.unwrap_or_default().to_string()
}

/// JSON that is small and readable: a list of bytes becomes a text where it is one.
pub(crate) fn packed(value: &impl Serialize) -> Value {
    let mut json = serde_json::from_slice(&compact::written(value)).unwrap_or_default();
    pack(&mut json);
    json
}

/// The members of the interface's records that hold bytes.
const BYTES: [&str; 2] = ["body", "value"];

/// Bytes stand in a list of their own. Recordings have them in its place where a record holds them, and as numbers elsewhere.
fn pack(json: &mut Value) {
    match json {
        Value::Array(items) => match compact::text_of(items).and_then(compact::bytes) {
            Some(bytes) => *json = bytes.into(),
            None => items.iter_mut().for_each(pack),
        },
        Value::Object(members) => {
            for (name, member) in members {
                let text = member.as_array().and_then(|items| compact::text_of(items)).cloned();
                match text.filter(|_| BYTES.contains(&name.as_str())) {
                    Some(text) => *member = text,
                    None => pack(member),
                }
            }
        }
        _ => {}
    }
}

/// The JSON that was packed.
pub(super) fn unpacked(mut json: Value) -> Value {
    unpack(&mut json);
    json
}

fn unpack(json: &mut Value) {
    if let Some(bytes) = compact::bytes(json) {
        *json = bytes.into();
        return;
    }
    match json {
        Value::Array(items) => items.iter_mut().for_each(unpack),
        Value::Object(members) => members.values_mut().for_each(unpack),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::partner::{Pair, Response};
    use contactor_runtime::bindings::state::Entry;
    use contactor_runtime::bindings::types::Error;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_is_kept_as_a_text_where_it_is_one_and_comes_back_as_it_was() {
        for body in [b"{\"a\": 1}".to_vec(), vec![0xff, 0xfe, 0], Vec::new()] {
            let headers = vec![Pair { name: "content-type".into(), value: "application/json".into() }];
            let answer: Result<Response, Error> = Ok(Response { status: 200, headers, body });
            let kept = packed(&answer);
            assert!(!kept.to_string().contains("123,34"), "{kept}");
            assert_eq!(serde_json::from_value::<Result<Response, Error>>(unpacked(kept)).unwrap(), answer);
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back(value in prop::collection::vec(any::<u8>(), 0..40), version in any::<u64>()) {
            let answer: Result<Option<Entry>, Error> = Ok(Some(Entry { value, version }));
            let text = packed(&answer).to_string();
            let back = unpacked(serde_json::from_str(&text).unwrap());
            prop_assert_eq!(serde_json::from_value::<Result<Option<Entry>, Error>>(back).unwrap(), answer);
        }
    }
}
