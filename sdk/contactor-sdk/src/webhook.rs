//! Bodies of webhooks whose shape is not documented, as values by name.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::Webhook;
use crate::paging::decode;

impl Webhook {
    /// The body's values by name, whether it is a form (urlencoded or multipart), JSON or XML; `None` when it is none of them. What
    /// is nested comes under its own name, unless something further outside has that name.
    ///
    /// ```
    /// # use contactor_sdk::Webhook;
    /// let webhook = |body: &str| Webhook { headers: Vec::new(), body: body.into() };
    /// for body in ["id=7&name=Ada+L", r#"{"data": {"id": 7, "name": "Ada L"}}"#, "<x><id>7</id><name>Ada L</name></x>"] {
    ///     let values = webhook(body).values().unwrap();
    ///     assert_eq!((values["id"].as_str(), values["name"].as_str()), ("7", "Ada L"));
    /// }
    /// ```
    pub fn values(&self) -> Option<BTreeMap<String, String>> {
        let body = String::from_utf8_lossy(&self.body);
        let text = body.trim_start_matches('\u{feff}').trim();
        let mut values = BTreeMap::new();
        let content_type = self.header("content-type").unwrap_or_default();
        if let Some((_, rest)) = content_type.split_once("boundary=") {
            let boundary = rest.split(';').next().unwrap_or_default().trim().trim_matches('"');
            multipart(text, &format!("--{boundary}"), &mut values);
        } else if text.starts_with(['{', '[']) {
            flatten("", &serde_json::from_str(text).ok()?, &mut values);
        } else if text.starts_with('<') {
            elements(text, &mut values);
        } else if text.is_empty() || text.contains('=') {
            for pair in text.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                values.insert(decode(name), decode(value));
            }
        } else {
            return None;
        }
        Some(values)
    }
}

fn flatten(name: &str, json: &Json, values: &mut BTreeMap<String, String>) {
    match json {
        Json::Object(members) => {
            let (inner, outer): (Vec<_>, Vec<_>) =
                members.iter().partition(|(_, value)| value.is_object() || value.is_array());
            inner.into_iter().chain(outer).for_each(|(name, value)| flatten(name, value, values));
        }
        Json::Array(items) => items.iter().for_each(|item| flatten(name, item, values)),
        Json::Null => {}
        Json::String(text) => drop(values.insert(name.to_owned(), text.clone())),
        other => drop(values.insert(name.to_owned(), other.to_string())),
    }
}

/// Elements that hold nothing but text. Attributes are left out; the five predefined entities are resolved.
fn elements(text: &str, values: &mut BTreeMap<String, String>) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((tag, content)) = after.split_once('>') else { return };
        let name = tag.split_whitespace().next().unwrap_or_default();
        let value = content.split('<').next().unwrap_or_default();
        if !name.is_empty() && content[value.len()..].starts_with(&format!("</{name}>")) {
            values.insert(name.to_owned(), entities(value.trim()));
        }
        rest = content;
    }
}

fn entities(text: &str) -> String {
    let known = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    known.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

fn multipart(body: &str, boundary: &str, values: &mut BTreeMap<String, String>) {
    for part in body.split(boundary) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let name = head.split(" name=\"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(name) = name {
            values.insert(name.to_owned(), value.strip_suffix("\r\n").unwrap_or(value).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(content_type: &str, body: &str) -> Option<BTreeMap<String, String>> {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Webhook { headers, body: body.into() }.values()
    }

    #[test]
    fn parts_of_a_multipart_body_are_values() {
        let body = "--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n--b1\r\nContent-Disposition: form-data; \
                    name=\"file\"; filename=\"name=x\"\r\n\r\na=b\r\n\r\n--b1--\r\n";
        let values = values("multipart/form-data; boundary=\"b1\"", body).unwrap();
        assert_eq!((values["id"].as_str(), values["file"].as_str(), values.len()), ("7", "a=b\r\n", 2));
    }

    #[test]
    fn an_outer_value_comes_before_an_inner_one_of_its_name() {
        let values =
            values("application/json", r#"{"id": 7, "form": {"id": 8, "n": null}, "all": [1, 2]}"#).unwrap();
        assert_eq!((values["id"].as_str(), values["all"].as_str(), values.len()), ("7", "2", 2));
    }

    #[test]
    fn entities_are_resolved_once() {
        let values =
            values("text/xml", "<?xml version=\"1.0\"?>\n<a x=\"y\"><b>1 &amp;lt; 2</b><c/><d></d></a>")
                .unwrap();
        assert_eq!((values["b"].as_str(), values["d"].as_str(), values.len()), ("1 &lt; 2", "", 2));
    }

    #[test]
    fn what_is_none_of_them_and_what_is_broken_gives_nothing() {
        assert_eq!(values("text/plain", "hello"), None);
        assert_eq!(values("application/json", "{\"a\":"), None);
        assert!(values("text/xml", "<a").unwrap().is_empty());
        assert!(values("", "").unwrap().is_empty());
    }
}
