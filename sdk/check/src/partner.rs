//! What the partner answers: records in every envelope that is common, and everything that is no answer at all.

use std::sync::Arc;

use contactor_runtime::bindings::partner::{Pair, Response};
use contactor_runtime::bindings::types::Error;
use serde_json::{Value as Json, json};

use crate::CANARY;
use crate::host::Script;

/// A response with headers that a partner sends, some of which are none of a connector's business.
pub(crate) fn response(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
    let pair = |name: &str, value: &str| Pair { name: name.to_owned(), value: value.to_owned() };
    let headers = vec![
        pair("content-type", content_type),
        pair("set-cookie", &format!("session={CANARY}; HttpOnly")),
        pair("x-api-key", CANARY),
        pair("authorization", &format!("Bearer {CANARY}")),
        // The paging of partners that page by headers.
        pair("x-total-count", "1"),
        pair(
            "x-pagination",
            r#"{"previous_page":null,"next_page":null,"current_page":1,"per_page":25,"count":1,"pages":1}"#,
        ),
    ];
    Response { status, headers, body: body.into() }
}

pub(crate) fn json_response(status: u16, body: &Json) -> Response {
    response(status, "application/json", body.to_string())
}

/// The same answer to every request.
pub(crate) fn always(response: Response) -> Script {
    Arc::new(move |_, _| Ok(response.clone()))
}

/// The same failure for every request.
pub(crate) fn fails(error: Error) -> Script {
    Arc::new(move |_, _| Err(error.clone()))
}

/// There is no such record.
pub(crate) fn not_found() -> Script {
    always(json_response(404, &json!({ "error": "not found" })))
}

/// A way in which partners wrap what they answer.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    members: Vec<String>,
    list: bool,
}

impl Envelope {
    /// Every common one, for one record and for a list of records.
    pub(crate) fn all(partner_name: &str) -> Vec<Self> {
        let name = if partner_name.is_empty() { "record" } else { partner_name };
        let single = ["", "data", "result", name, "contact", "content"];
        let plural = format!("{name}s");
        let lists = [
            "",
            "data",
            "results",
            "items",
            plural.as_str(),
            "records",
            "content",
            "data/items",
            "data/records",
        ];
        let envelope = |list: bool| {
            move |path: &str| Self {
                members: path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
                list,
            }
        };
        single.into_iter().map(envelope(false)).chain(lists.into_iter().map(envelope(true))).collect()
    }

    /// The answer with these records in it; more of them follow if `endless`.
    pub(crate) fn body(&self, records: &[Json], endless: bool) -> Json {
        let content = match (self.list, records) {
            (false, [first, ..]) => first.clone(),
            _ => Json::from(records.to_vec()),
        };
        self.members.iter().rev().fold(content, |inner, member| {
            let next = if endless { json!("https://api.partner.example/v1/people/?page=2") } else { Json::Null };
            json!({ member: inner, "count": records.len(), "total": records.len(), "next": next, "previous": null, "has_more": endless })
        })
    }

    /// A partner that answers so, whatever it is asked.
    pub(crate) fn script(&self, records: &[Json]) -> Script {
        always(json_response(200, &self.body(records, false)))
    }

    /// A partner that answers with as many of these records as it is asked for.
    pub(crate) fn paged(&self, records: Arc<[Json]>) -> Script {
        const SIZES: [&str; 8] =
            ["per_page", "perPage", "page_size", "pageSize", "limit", "count", "size", "page[size]"];
        let envelope = self.clone();
        Arc::new(move |request, _| {
            let size = request.query.iter().find(|pair| SIZES.contains(&pair.name.as_str()));
            let size = size.and_then(|pair| pair.value.parse().ok()).unwrap_or(usize::MAX);
            let page = &records[..records.len().min(size)];
            Ok(json_response(200, &envelope.body(page, false)))
        })
    }

    /// A partner whose list never ends.
    pub(crate) fn endless(&self, record: &Json) -> Script {
        let mut response = json_response(200, &self.body(std::slice::from_ref(record), true));
        for header in &mut response.headers {
            match header.name.as_str() {
                "x-total-count" => "1000000".clone_into(&mut header.value),
                "x-pagination" => {
                    r#"{"next_page":2,"current_page":1,"pages":1000000}"#.clone_into(&mut header.value);
                }
                _ => {}
            }
        }
        always(response)
    }
}

/// An answer that no partner should give, with its name.
pub(crate) struct Wrong {
    pub(crate) name: &'static str,
    pub(crate) script: Script,
    /// A record or a page cannot be made of it.
    pub(crate) is_nothing: bool,
}

/// Everything that is no proper answer.
pub(crate) fn wrong_answers() -> Vec<Wrong> {
    let mut all = Vec::new();
    let mut add = |name, is_nothing, response| all.push(Wrong { name, script: always(response), is_nothing });
    let html = "<!doctype html><html><body>Service temporarily unavailable</body></html>";
    add("200 with an HTML page", true, response(200, "text/html", html));
    add("200 that calls an HTML page JSON", true, response(200, "application/json", html));
    add("200 with no body", true, response(200, "application/json", ""));
    add("204", true, response(204, "", ""));
    add(
        "200 with half a document",
        true,
        response(200, "application/json", r#"{"id": 7, "email": "ada@exa"#),
    );
    add(
        "200 with bytes that are no text",
        true,
        response(200, "application/json", [0xFF, 0xFE, 0x00, 0x80].as_slice()),
    );
    add("200 with null", true, json_response(200, &Json::Null));
    add("200 with a number", true, json_response(200, &json!(7)));
    add("200 with a text", true, json_response(200, &json!("ok")));
    add("200 with an empty object", false, json_response(200, &json!({})));
    add("200 with an empty list", false, json_response(200, &json!([])));
    add("200 with a list of nulls and numbers", true, json_response(200, &json!([null, 7, "x", []])));
    add(
        "200 with lists for objects",
        false,
        json_response(200, &json!({ "id": [], "data": [[]], "results": [[]], "items": [null] })),
    );
    add(
        "200 with objects for texts",
        false,
        json_response(
            200,
            &json!({
                "id": { "a": 1 }, "email": { "a": 1 }, "data": { "id": {}, "email": [] }, "results": [{ "id": {}, "email": 5 }]
            }),
        ),
    );
    add("200 with a document nested 120 deep", true, response(200, "application/json", nested(120)));
    add("200 with a document nested 20,000 deep", true, response(200, "application/json", nested(20_000)));
    add("200 with a text of 3 MiB", true, json_response(200, &json!("x".repeat(3 << 20))));
    add("200 with 100,000 empty objects", true, json_response(200, &Json::from(vec![json!({}); 100_000])));
    for status in [301, 400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 429, 500, 502, 503, 504, 599] {
        let name = leaked(format!("{status} with an HTML page"));
        add(name, true, response(status, "text/html", html));
        let name = leaked(format!("{status} with an error object"));
        add(
            name,
            true,
            json_response(
                status,
                &json!({
                    "error": { "code": 17, "message": "no" }, "errors": [{ "code": "x", "message": null }, null, "text"], "message": ["no"]
                }),
            ),
        );
    }
    let mut limited = json_response(429, &json!({}));
    limited.headers.push(Pair { name: "retry-after".into(), value: "99999999999999999999".into() });
    add("429 with a Retry-After that is no number of seconds", true, limited);
    for (name, error) in failures() {
        all.push(Wrong { name, script: fails(error), is_nothing: true });
    }
    all
}

/// What the host itself may answer to a call.
pub(crate) fn failures() -> Vec<(&'static str, Error)> {
    vec![
        ("no answer: unavailable", Error::Unavailable("connection reset".into())),
        ("no answer: quota used up", Error::Limited(Some(1_000))),
        ("no answer: denied", Error::Denied("held back: this is a preview".into())),
        ("no answer: unauthorized", Error::Unauthorized("the token has expired".into())),
        ("no answer: not found", Error::NotFound("nothing".into())),
        ("no answer: invalid", Error::Invalid(Vec::new())),
        ("no answer: conflict", Error::Conflict("changed meanwhile".into())),
        ("no answer: another error", Error::Other(String::new())),
    ]
}

pub(crate) fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// The few names that are made once a run.
fn leaked(name: String) -> &'static str {
    name.leak()
}
