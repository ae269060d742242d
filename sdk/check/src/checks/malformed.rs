//! Nothing makes a connector trap: not a webhook, a cursor, an id, an input or an event of any shape, and nothing that the partner
//! answers. A trap is a fault of the connector and ends the run; a value tells the admin what is wrong.

use contactor_manifest::Manifest;
use contactor_runtime::bindings::automations::{Event, Source};
use contactor_runtime::bindings::types::{Direction, NamedValue, Value};
use contactor_runtime::{Invocation, Reply};
use serde_json::{Value as Json, json};

use super::{count, native};
use crate::host::State;
use crate::partner::{self, Envelope, nested, wrong_answers};
use crate::report::Outcome;
use crate::subject::{Subject, ask};
use crate::values;

pub(crate) async fn run(subject: &mut Subject) -> Outcome {
    let manifest = subject.manifest();
    let before = subject.calls;
    let mut problems = answers(subject, &manifest).await;
    webhooks(subject, &manifest).await;
    cursors(subject, &manifest).await;
    problems.extend(ids(subject, &manifest).await);
    fields(subject, &manifest).await;
    inputs(subject, &manifest).await;
    events(subject, &manifest).await;
    problems.extend(subject.take_faults());
    Outcome::of(problems, count(subject.calls - before, "malformed input"))
}

/// What the partner answers.
async fn answers(subject: &mut Subject, manifest: &Manifest) -> Vec<String> {
    let mut problems = Vec::new();
    let wrong = wrong_answers();
    let mut invocations = vec![Invocation::Check];
    for entity in native(manifest) {
        let fields = values::writable(manifest, &entity.name);
        invocations.push(ask::read(&entity.name, values::ID));
        invocations.push(ask::read(&entity.name, values::EMAIL));
        for key in &entity.natural_keys {
            invocations.push(ask::find(&entity.name, &key.partner, Value::Text(values::EMAIL.into())));
        }
        invocations.push(ask::create(&entity.name, fields.clone()));
        invocations.push(ask::update(&entity.name, values::ID, fields));
        invocations.push(Invocation::Delete { entity: entity.name.clone(), id: values::ID.into() });
    }
    invocations.extend(manifest.streams.iter().map(|stream| ask::poll(&stream.name, None)));
    for invocation in &invocations {
        for wrong in &wrong {
            let answer = subject
                .call(invocation.clone(), &format!("the partner answers {}", wrong.name), &wrong.script)
                .await;
            if wrong.is_nothing && matches!(&answer.reply, Some(Reply::Read(Ok(_)))) && answer.requests() > 0
            {
                problems.push(format!(
                    "{} makes a record of no answer: {}; look at the status, and at the id in the body",
                    invocation.export(),
                    wrong.name
                ));
            }
        }
    }
    // Actions and events are many: each meets every tenth answer, and all of them together each one.
    for (index, action) in manifest.actions.iter().enumerate() {
        for wrong in wrong.iter().skip(index % 10).step_by(10) {
            let about = format!("the partner answers {}", wrong.name);
            subject.call(ask::run(&action.name, &action.example), &about, &wrong.script).await;
        }
    }
    for (index, event) in ask::events(manifest).into_iter().enumerate() {
        for wrong in wrong.iter().skip(index % 10).step_by(10) {
            let about = format!("the partner answers {}", wrong.name);
            subject.call(ask::handle(event.clone()), &about, &wrong.script).await;
        }
    }
    problems
}

/// A document's members in wrong shapes, one after the other, down to the second level.
fn distorted(sample: &Json) -> Vec<(String, Json)> {
    let shapes = [
        Json::Null,
        json!([]),
        json!({}),
        json!(5),
        json!(""),
        json!(-1.5),
        json!([[null]]),
        json!("\u{202e}\u{0}é"),
    ];
    let mut all = Vec::new();
    let mut pointers: Vec<String> = Vec::new();
    for (name, value) in sample.as_object().into_iter().flatten() {
        let own = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let inner = value.as_object().into_iter().flatten();
        pointers
            .extend(inner.map(|(inner, _)| format!("{own}/{}", inner.replace('~', "~0").replace('/', "~1"))));
        pointers.push(own);
    }
    for pointer in pointers {
        for shape in &shapes {
            let mut document = sample.clone();
            if let Some(place) = document.pointer_mut(&pointer) {
                *place = shape.clone();
                all.push((format!("`{pointer}` is {shape}"), document));
            }
        }
    }
    all
}

async fn webhooks(subject: &mut Subject, manifest: &Manifest) {
    let script = partner::not_found();
    let html = b"<html></html>".to_vec();
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("no body", Vec::new()),
        ("an HTML page", html),
        ("half a document", br#"{"event": "x", "data": {"id"#.to_vec()),
        ("bytes that are no text", vec![0xFF, 0x00, 0xC3, 0x28]),
        ("null", b"null".to_vec()),
        ("a list", b"[1, null, {}]".to_vec()),
        ("a text", b"\"x\"".to_vec()),
        ("a document nested 120 deep", nested(120).into_bytes()),
        ("a document nested 20,000 deep", nested(20_000).into_bytes()),
        ("a form", b"a=1&b=%zz&=&&a=2&%".to_vec()),
        ("a megabyte", vec![b'x'; 1 << 20]),
        (
            "a multipart body that ends too soon",
            b"--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1".to_vec(),
        ),
        ("half an XML document", b"<?xml version=\"1.0\"?><a><b>1</b><c".to_vec()),
    ];
    let types = [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/xml",
        "",
    ];
    for (name, body) in &bodies {
        for content_type in types {
            let about = format!("the body is {name}, called `{content_type}`");
            subject.call(ask::receive(content_type, body.clone()), &about, &script).await;
        }
    }
    for (name, sample) in ask::webhook_samples(manifest) {
        for (what, body) in distorted(&sample) {
            let about = format!("in the webhook of `{name}` {what}");
            subject.call(ask::receive("application/json", body.to_string()), &about, &script).await;
        }
    }
}

async fn cursors(subject: &mut Subject, manifest: &Manifest) {
    let name = native(manifest).first().map(|entity| entity.partner_name.clone()).unwrap_or_default();
    let record = values::records(manifest, "contact").pop().unwrap_or_default();
    let scripts: Vec<_> =
        Envelope::all(&name).iter().map(|envelope| envelope.script(std::slice::from_ref(&record))).collect();
    let long = "9".repeat(2_000);
    let cursors = [
        "",
        " ",
        "x",
        "0",
        "-1",
        "99999999999999999999",
        "{}",
        "[]",
        "null",
        r#"{"n":-1}"#,
        r#"{"n":18446744073709551615,"p":"x"}"#,
        "é\u{0}",
        "1|2|3",
        ":",
        &long,
    ];
    for stream in &manifest.streams {
        for cursor in cursors {
            for script in scripts.iter().step_by(3) {
                let shown: String = cursor.chars().take(20).collect();
                let about = format!("the cursor is `{shown}`");
                subject.call(ask::poll(&stream.name, Some(cursor)), &about, script).await;
            }
        }
    }
}

/// Ids are opaque and may come from anywhere: one must not lead a request elsewhere.
async fn ids(subject: &mut Subject, manifest: &Manifest) -> Vec<String> {
    let mut problems = Vec::new();
    let long = "x".repeat(5_000);
    let ids = [
        "",
        " ",
        ".",
        "..",
        "../../admin",
        "a/b?c#d",
        "a/b/c/d/e/f",
        "%2e%2e",
        "é\u{202e}",
        "7\r\nx: y",
        "\u{0}",
        &long,
    ];
    for entity in native(manifest) {
        let fields = values::writable(manifest, &entity.name);
        for id in ids {
            let invocations = [
                ask::read(&entity.name, id),
                ask::update(&entity.name, id, fields.clone()),
                Invocation::Delete { entity: entity.name.clone(), id: id.to_owned() },
            ];
            for invocation in invocations {
                let shown: String = id.chars().take(20).collect();
                let export = invocation.export();
                let answer = subject
                    .call(invocation, &format!("the id is `{}`", shown.escape_debug()), &partner::not_found())
                    .await;
                if answer
                    .calls
                    .iter()
                    .any(|call| call.operation == "partner.send" && escapes(&call.arguments))
                {
                    problems.push(format!(
                        "{export}: the id `{}` leaves its place in the path; encode every id with `partner::segment`",
                        shown.escape_debug()
                    ));
                }
            }
        }
    }
    problems
}

/// Whether a request's path holds what only an id can have brought there.
fn escapes(arguments: &str) -> bool {
    let path = serde_json::from_str::<Json>(arguments)
        .ok()
        .and_then(|request| request[1].as_str().map(str::to_owned));
    path.is_some_and(|path| {
        path.split('/').any(|segment| segment == ".." || segment == ".")
            || path.contains(['?', '#', '\r', '\n', '\0'])
    })
}

async fn fields(subject: &mut Subject, manifest: &Manifest) {
    let shapes = [
        Value::Empty,
        Value::Text(String::new()),
        Value::Text("x".repeat(200_000)),
        Value::Integer(i64::MIN),
        Value::Number(f64::NAN),
        Value::Boolean(true),
        Value::Texts(vec![String::new(), ",".into(), "é".into()]),
        Value::Texts(Vec::new()),
        Value::Json("{".into()),
        Value::Json(nested(120)),
        Value::Json(r#"[null, 7, {"id": []}]"#.into()),
    ];
    for entity in native(manifest) {
        let name = &entity.name;
        let good = values::writable(manifest, name);
        for shape in &shapes {
            for key in &entity.natural_keys {
                subject
                    .call(
                        ask::find(name, &key.partner, shape.clone()),
                        "the key has a strange value",
                        &partner::not_found(),
                    )
                    .await;
            }
            for field in &good {
                let strange = NamedValue { name: field.name.clone(), value: shape.clone() };
                let about = format!("`{}` has a strange value", field.name);
                let fields: Vec<_> = good
                    .iter()
                    .filter(|own| own.name != field.name)
                    .cloned()
                    .chain([strange.clone()])
                    .collect();
                subject.call(ask::create(name, fields.clone()), &about, &partner::not_found()).await;
                subject
                    .call(ask::update(name, values::ID, vec![strange]), &about, &partner::not_found())
                    .await;
                for direction in [Direction::ToPartner, Direction::ToHighlevel] {
                    let admit = Invocation::Admit { entity: name.clone(), direction, fields: fields.clone() };
                    subject.call(admit, &about, &partner::not_found()).await;
                }
            }
        }
        for fields in [Vec::new(), vec![good.first().cloned(); 2].into_iter().flatten().collect()] {
            subject.call(ask::create(name, fields), "few fields, or one twice", &partner::not_found()).await;
        }
    }
    for direction in [Direction::ToPartner, Direction::ToHighlevel] {
        for settings in ["{", "[]", "null", r#"{"Email": 5}"#, r#"{"Email": {"status": []}}"#] {
            let fields = vec![
                NamedValue { name: "dndSettings".into(), value: Value::Json(settings.into()) },
                NamedValue { name: "email".into(), value: Value::Text("@".into()) },
            ];
            let admit = Invocation::Admit { entity: "contact".into(), direction, fields };
            subject.call(admit, "`dndSettings` has a strange value", &partner::not_found()).await;
        }
    }
}

async fn inputs(subject: &mut Subject, manifest: &Manifest) {
    let documents = ["", "{", "null", "[]", "7", "\"x\"", "{}", &nested(120), &nested(20_000)];
    for action in &manifest.actions {
        for document in documents {
            let shown: String = document.chars().take(20).collect();
            subject
                .call(
                    ask::run(&action.name, document),
                    &format!("the input is `{shown}`"),
                    &partner::not_found(),
                )
                .await;
        }
        for (what, input) in distorted(&action.example) {
            subject.call(ask::run(&action.name, &input), &what, &partner::not_found()).await;
        }
    }
}

async fn events(subject: &mut Subject, manifest: &Manifest) {
    let script = partner::not_found();
    let mut events = ask::events(manifest);
    events.push(Event {
        id: String::new(),
        source: Source::Host,
        kind: "NoSuchKind".into(),
        contact_id: None,
        partner_id: None,
        at: "no instant".into(),
        fields: Vec::new(),
        payload: String::new(),
    });
    for event in events {
        for payload in ["", "{", "null", "[]", "7", &nested(120)] {
            let bare = Event { payload: payload.into(), fields: Vec::new(), ..event.clone() };
            subject.call(ask::handle(bare), "a strange payload without fields", &script).await;
        }
        for value in
            [Value::Empty, Value::Integer(5), Value::Json("{".into()), Value::Texts(vec![String::new()])]
        {
            let fields = event
                .fields
                .iter()
                .map(|field| NamedValue { name: field.name.clone(), value: value.clone() });
            let strange = Event { fields: fields.collect(), at: "no instant".into(), ..event.clone() };
            subject.call(ask::handle(strange), "fields of strange values", &script).await;
        }
        for contact_id in [None, Some(String::new()), Some("unknown".to_owned())] {
            let other = Event { contact_id, partner_id: None, ..event.clone() };
            subject.call(ask::handle(other), "another contact", &script).await;
        }
        for (name, error) in partner::failures() {
            let about = format!("HighLevel gives {name}");
            subject.call_with(ask::handle(event.clone()), &about, &script, State::new(), Some(error)).await;
        }
    }
}
