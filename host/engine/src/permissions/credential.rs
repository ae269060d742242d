//! How a connector has the credential sent, in words. Two ways have the same words only if they are the same: what an author chose freely
//! is quoted, so that nothing in it passes for the words around it.

use std::collections::BTreeMap;

use contactor_manifest::{Auth, ClientAuthentication, LoginBody, Placement, Scheme, Template};

/// What somebody who enters the credential has to know of a way to authenticate. How long a login lasts is not part of it.
pub(super) fn words(auth: &Auth) -> String {
    let how = match &auth.scheme {
        Scheme::Basic { user, password } => {
            format!("by HTTP Basic: {:?} and {:?}", user.as_str(), password.as_str())
        }
        Scheme::Bearer { token } => format!("as a bearer token: {:?}", token.as_str()),
        Scheme::HeaderPair { headers } => format!("in headers: {}", pairs(headers)),
        Scheme::PrefixedHeader { header, value } => {
            format!("in a header: {header:?} = {:?}", value.as_str())
        }
        Scheme::Query { parameter, value } => format!("in a parameter: {parameter:?} = {:?}", value.as_str()),
        Scheme::Login { login } => {
            let body = match login.body {
                LoginBody::Json => "JSON",
                LoginBody::Form => "a form",
            };
            let placed = match &login.placement {
                Placement::Bearer => "as a bearer token".to_owned(),
                Placement::Header(name) => format!("in the header {name:?}"),
                Placement::Query(name) => format!("in the parameter {name:?}"),
                Placement::QueryOrForm(name) => format!("in the parameter or the form's field {name:?}"),
            };
            let (path, fields, token) = (&login.path, pairs(&login.fields), &login.token);
            format!(
                "to {path} as {body}: {fields}; and what the answer has at {token:?} with each request, {placed}"
            )
        }
        Scheme::OAuth2 { oauth2 } => {
            let client = match oauth2.client_authentication {
                ClientAuthentication::Basic => "by HTTP Basic",
                ClientAuthentication::Body => "in the body",
            };
            let (consent, tokens, scopes) = (&oauth2.authorize_url, &oauth2.token_url, &oauth2.scopes);
            format!("{client} to {tokens}, for the scopes {scopes:?} to which you consent at {consent}")
        }
    };
    let plain: Vec<&str> =
        auth.credentials.iter().filter(|part| !part.secret).map(|part| part.name.as_str()).collect();
    let spared = if plain.is_empty() {
        String::new()
    } else {
        format!(" It may read what is no secret of it: {}.", plain.join(", "))
    };
    format!("Sends your credential {how}.{spared}")
}

fn pairs(values: &BTreeMap<String, Template>) -> String {
    let pairs: Vec<String> =
        values.iter().map(|(name, value)| format!("{name:?} = {:?}", value.as_str())).collect();
    pairs.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::manifest;

    fn of(keys: &str) -> String {
        let auth = format!("[[auth]]\nid = \"a\"\ntitle = \"A\"\n{keys}\n");
        words(&manifest(&auth).auth[0])
    }

    const KEY: &str = "credential = [{ name = \"key\", title = \"Key\" }]";

    #[test]
    fn each_way_to_send_a_credential_has_words_of_its_own() {
        let login = |placement: &str| {
            format!(
                "kind = \"login\"\nlogin = {{ path = \"/token\", fields = {{ key = \"{{key}}\" }}, token = \"/jwt\", \
                 lifetime_seconds = 60, placement = {placement} }}"
            )
        };
        for (keys, expected) in [
            ("kind = \"basic\"\nuser = \"{key}\"".to_owned(), r#"by HTTP Basic: "{key}" and """#),
            ("kind = \"bearer\"\ntoken = \"{key}\"".to_owned(), r#"as a bearer token: "{key}""#),
            (
                "kind = \"header-pair\"\nheaders = { X-B = \"2\", X-A = \"{key}\" }".to_owned(),
                r#"in headers: "X-A" = "{key}", "X-B" = "2""#,
            ),
            (
                "kind = \"prefixed-header\"\nheader = \"X-Key\"\nvalue = \"apiKey {key}\"".to_owned(),
                r#"in a header: "X-Key" = "apiKey {key}""#,
            ),
            (
                "kind = \"query\"\nparameter = \"api_key\"\nvalue = \"{key}\"".to_owned(),
                r#"in a parameter: "api_key" = "{key}""#,
            ),
            (
                login("\"bearer\""),
                r#"to /token as JSON: "key" = "{key}"; and what the answer has at "/jwt" with each request, as a bearer token"#,
            ),
            (
                login("{ query-or-form = \"JWT\" }"),
                r#"to /token as JSON: "key" = "{key}"; and what the answer has at "/jwt" with each request, in the parameter or the form's field "JWT""#,
            ),
        ] {
            assert_eq!(of(&format!("{keys}\n{KEY}")), format!("Sends your credential {expected}."));
        }
        let plain = of(
            "kind = \"bearer\"\ntoken = \"{key}\"\ncredential = [{ name = \"key\", title = \"Key\", secret = false }]",
        );
        assert!(plain.ends_with("It may read what is no secret of it: key."), "{plain}");
    }

    #[test]
    fn what_an_author_writes_does_not_pass_for_the_words_around_it() {
        let two =
            of(&format!("kind = \"header-pair\"\nheaders = {{ X-A = \"{{key}}\", X-B = \"2\" }}\n{KEY}"));
        let one =
            of(&format!("kind = \"header-pair\"\nheaders = {{ X-A = '{{key}}\", \"X-B\" = \"2' }}\n{KEY}"));
        assert_ne!(one, two);
    }
}
