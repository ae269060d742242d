//! What a manifest may say, and how it is told that it may not.

use contactor_manifest::{
    Direction, EventId, Limits, Manifest, ManifestError, Policy, Scheme, Signature, Version,
};
use serde_json::json;

const MINIMAL: &str = r#"
[connector]
id = "acme"
name = "Acme"
version = "1.2.3"
minimum_host = "0.3.0"
summary = "A test."

[partner]
name = "Acme"
base_url = "https://api.acme.example/v1"
"#;

const CONTACT: &str = r#"
[[entity]]
name = "contact"
partner_name = "person"
support = "native"
natural_keys = [{ partner = "email", highlevel = "email" }]

[[field]]
entity = "contact"
name = "email"
type = "email"
title = "Email"
required = true

[[field]]
entity = "contact"
name = "score"
type = "integer"
title = "Score"
read_only = true
"#;

/// The credential of an [`auth`].
const KEY: &str = r#"credential = [{ name = "key", title = "Key" }]"#;

/// The minimal manifest and more.
fn parse(more: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(&format!("{MINIMAL}{more}"))
}

/// The minimal manifest with something else in the place of a part of it.
fn parse_with(part: &str, other: &str) -> Result<Manifest, ManifestError> {
    assert!(MINIMAL.contains(part), "{part}");
    Manifest::parse(&MINIMAL.replace(part, other))
}

/// The minimal manifest with another address of the partner's API.
fn parse_at(base_url: &str) -> Result<Manifest, ManifestError> {
    parse_with("https://api.acme.example/v1", base_url)
}

fn auth(keys: &str) -> String {
    format!("[[auth]]\nid = \"a\"\ntitle = \"A\"\n{keys}\n")
}

fn webhook(format: &str, signed: &str) -> String {
    format!(
        "[webhook]\nsignature = {{ kind = \"hmac-sha256\", header = \"X-Sig\", format = \"{format}\", signed = \"{signed}\" }}\n"
    )
}

#[track_caller]
fn assert_refused(more: &str, words: &[&str]) {
    let message = parse(more).expect_err(more).to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

#[test]
fn a_minimal_manifest_has_the_defaults() {
    let manifest = parse("").unwrap();
    assert_eq!(manifest.connector.version, Version::new(1, 2, 3));
    assert_eq!(manifest.limits, Limits::default());
    assert!(manifest.webhook.is_none() && manifest.entities.is_empty());
}

#[test]
fn a_manifest_survives_the_way_through_json() {
    let more = format!(
        "{CONTACT}{}",
        r#"
        [webhook]
        signature = { kind = "hmac-sha256", header = "X-Sig", format = "{signature}", signed = "{body}" }
        event_id = { pointer = "/event" }
        [[auth]]
        id = "pair"
        title = "Two headers"
        kind = "header-pair"
        headers = { X-KEY = "{key}", X-SECRET = "{secret}" }
        credential = [{ name = "key", title = "Key", secret = false }, { name = "secret", title = "Secret" }]
        [[action]]
        name = "score.add"
        title = "Add"
        writes = true
        input = '{"type": "object", "properties": {"by": {"type": "integer"}}}'
        "#
    );
    let manifest = parse(&more).unwrap();
    let json = serde_json::to_value(&manifest).unwrap();
    assert_eq!(json["auth"][0]["kind"], "header-pair");
    assert_eq!(json["action"][0]["input"]["properties"]["by"]["type"], "integer");
    assert_eq!(serde_json::from_value::<Manifest>(json).unwrap(), manifest);
}

#[test]
fn a_signature_header_whose_elements_cannot_be_told_apart_is_refused() {
    for clear in ["{signature}", "t={timestamp},v1={signature}", "v1={signature}, t={timestamp}"] {
        assert!(parse(&webhook(clear, "{body}")).is_ok(), "{clear}");
    }
    // Read back, the timestamp of the first would be its signature.
    for unclear in ["{signature},{timestamp}", "s{timestamp},s1={signature}", "{timestamp},v1={signature}"] {
        assert_refused(&webhook(unclear, "{body}"), &["webhook.signature.format", "none begins"]);
    }
}

#[test]
fn a_syntax_error_names_its_line_and_what_belongs_there() {
    assert_refused("[limits]\nmemory = 5\n", &["line 13", "unknown field `memory`", "memory_mib"]);
    assert_refused("[[entity]]\nname = \"x\"\nsupport = \"full\"\n", &["line 14", "`full`", "native"]);
    assert_refused("[limits\n", &["line 12"]);
    let message = Manifest::parse("[connector]\nid = \"Acme Inc\"\n").unwrap_err().to_string();
    assert!(message.contains("line 2") && message.contains("lower-case"), "{message}");
    let message = parse_with("1.2.3", "1.2").unwrap_err().to_string();
    assert!(message.contains("line 5"), "{message}");
    let message = parse_with("summary = \"A test.\"", "").unwrap_err().to_string();
    assert!(message.contains("missing field `summary`"), "{message}");
}

#[test]
fn every_problem_is_reported_at_once() {
    let more = format!("{CONTACT}[limits]\nmemory_mib = 0\ncpu_ms = 999999\n");
    let Err(ManifestError::Invalid(problems)) = parse(&more) else { panic!("expected problems") };
    let places: Vec<_> = problems.iter().map(|problem| problem.at.as_str()).collect();
    assert_eq!(places, ["limits.memory_mib", "limits.cpu_ms"]);
    assert!(problems[1].problem.contains("expected 1 to 10000"));
}

#[test]
fn every_limit_has_a_maximum() {
    let maximum = serde_json::to_value(Limits::MAXIMUM).unwrap();
    for (key, value) in maximum.as_object().unwrap() {
        let value = value.as_u64().unwrap();
        assert!(parse(&format!("[limits]\n{key} = {value}\n")).is_ok(), "{key}");
        assert_refused(&format!("[limits]\n{key} = {}\n", value + 1), &[&format!("limits.{key}")]);
    }
}

#[test]
fn an_address_must_be_https_and_bare() {
    for url in
        ["http://acme.example", "https://", "https://u:p@acme.example", "https://acme.example/?a=b", "acme"]
    {
        let message = parse_at(url).unwrap_err().to_string();
        assert!(message.contains("partner.base_url"), "{url}: {message}");
    }
}

#[test]
fn a_connector_names_the_hosts_of_its_partner_or_has_that_of_its_address_alone() {
    let hosts = |more: &str| {
        let manifest = parse_with("[partner]", &format!("[partner]\n{more}"))?;
        let hosts = manifest.partner.allowed_hosts().into_iter().map(String::from);
        Ok::<_, ManifestError>(hosts.collect::<Vec<_>>())
    };
    assert_eq!(hosts("").unwrap(), ["api.acme.example"]);
    let several = "hosts = [\"api.acme.example\", \"*.acme.example\"]";
    assert_eq!(hosts(several).unwrap(), ["api.acme.example", "*.acme.example"]);
    for (wrong, words) in [
        ("hosts = [\"eu.acme.example\"]", "`api.acme.example`, the host of base_url, is not among them"),
        ("hosts = [\"api.acme.example\", \"intranet\"]", "`intranet` is no full name"),
        ("hosts = [\"*.acme.example\", \"*.acme.example\"]", "there twice"),
        ("hosts = [\"*.example\"]", "line 10"),
        ("hosts = [\"api.acme.example\", \"10.0.0.7\"]", "line 10"),
        ("hosts = [\"https://api.acme.example\"]", "without scheme"),
    ] {
        let message = hosts(wrong).unwrap_err().to_string();
        assert!(message.contains(words), "{wrong}: {message}");
    }
    for url in ["https://10.0.0.7/v1", "https://[::1]/v1", "https://intranet/v1"] {
        let message = parse_at(url).unwrap_err().to_string();
        assert!(message.contains("partner.base_url"), "{url}: {message}");
    }
}

#[test]
fn a_host_that_is_too_old_is_told_both_versions() {
    let manifest = parse("").unwrap();
    assert!(manifest.supports(&Version::new(0, 3, 0)).is_ok());
    assert!(manifest.supports(&Version::new(1, 0, 0)).is_ok());
    let message = manifest.supports(&Version::new(0, 2, 9)).unwrap_err().to_string();
    assert!(
        message.contains("acme 1.2.3 needs Contactor 0.3.0") && message.contains("at most 0.2.9"),
        "{message}"
    );
}

#[test]
fn each_kind_of_authentication_has_its_own_keys() {
    let basic = parse(&auth(&format!("kind = \"basic\"\nuser = \"{{key}}\"\n{KEY}"))).unwrap();
    assert!(matches!(&basic.auth[0].scheme, Scheme::Basic { password, .. } if password.as_str().is_empty()));
    assert!(basic.auth[0].credentials[0].secret);
    for scheme in [
        r#"kind = "bearer"
           token = "{key}""#,
        r#"kind = "prefixed-header"
           header = "Authorization"
           value = "apiKey {key}""#,
        r#"kind = "query"
           parameter = "api_key"
           value = "{key}""#,
        r#"kind = "login"
           login = { path = "/token", fields = { user = "{key}" }, token = "/token", lifetime_seconds = 600, placement = { query = "JWT" } }"#,
    ] {
        parse(&auth(&format!("{scheme}\n{KEY}"))).unwrap();
    }
    assert_refused(
        &auth("kind = \"bearer\"\nuser = \"x\""),
        &["`user` does not belong here", "expected token"],
    );
    assert_refused(&auth("kind = \"query\"\nvalue = \"{key}\""), &["`parameter` is missing"]);
    assert_refused(&auth("kind = \"bearer\"\ntoken = \"{key}\""), &["no part `key` is declared"]);
    assert_refused(&auth(&format!("kind = \"bearer\"\ntoken = \"x\"\n{KEY}")), &["`key` is used nowhere"]);
    assert_refused(&auth("kind = \"magic\""), &["line 15", "`magic`", "header-pair"]);
}

#[test]
fn a_credential_goes_into_no_header_that_says_where_a_request_goes_or_what_it_does() {
    let with_key = |keys: &str| auth(&format!("{keys}\n{KEY}"));
    let single = |name: &str| format!("kind = \"prefixed-header\"\nheader = \"{name}\"\nvalue = \"{{key}}\"");
    let pair = |name: &str| {
        format!("kind = \"header-pair\"\nheaders = {{ \"{name}\" = \"{{key}}\", X-Ok = \"1\" }}")
    };
    let login = |path: &str, placement: &str| {
        format!(
            "kind = \"login\"\nlogin = {{ path = \"{path}\", fields = {{ key = \"{{key}}\" }}, token = \"/token\", \
             lifetime_seconds = 60, placement = {placement} }}"
        )
    };
    let of_token = |name: &str| login("/token", &format!("{{ header = \"{name}\" }}"));
    for name in
        ["Host", "X-HTTP-Method-Override", "x-forwarded-host", "Transfer-Encoding", "Proxy-Authorization"]
    {
        assert_refused(&with_key(&single(name)), &["auth[1].header:", name, "carries no credential"]);
        assert_refused(&with_key(&pair(name)), &["auth[1].headers:", name]);
        assert_refused(&with_key(&of_token(name)), &["auth[1].login.placement.header:", name]);
    }
    for name in ["Authorization", "Cookie", "X-Api-Key"] {
        for keys in [single(name), pair(name), of_token(name)] {
            assert!(parse(&with_key(&keys)).is_ok(), "{keys}");
        }
    }
    assert_refused(&with_key(&of_token("X Key")), &["invalid header name"]);
    assert_refused(&with_key(&login("/token", "{ query = \"\" }")), &["auth[1].login.placement", "is empty"]);
    for path in ["", "token", "/../../x", "/a/%2e%2E/x", "/a/..;/x", "//evil.example/x", "/a?b=c", "/a%5cb"] {
        assert_refused(&with_key(&login(path, "\"bearer\"")), &["auth[1].login.path"]);
    }
}

#[test]
fn oauth2_takes_the_clients_id_and_secret() {
    let manifest = parse(
        r#"
        [[auth]]
        id = "oauth"
        title = "OAuth"
        kind = "oauth2"
        oauth2 = { authorize_url = "https://a.example/authorize", token_url = "https://a.example/token" }
        credential = [{ name = "client_id", title = "Id", secret = false }, { name = "client_secret", title = "Secret" }]
        "#,
    )
    .unwrap();
    assert!(matches!(&manifest.auth[0].scheme, Scheme::OAuth2 { oauth2 } if oauth2.pkce));
}

#[test]
fn a_webhook_signature_must_be_checkable() {
    let manifest = parse(&webhook("t={timestamp},v1={signature}", "{timestamp}.{body}")).unwrap();
    let webhook_of = manifest.webhook.unwrap();
    assert!(matches!(&webhook_of.signature, Signature::HmacSha256 { tolerance_seconds: 300, .. }));
    assert_eq!(webhook_of.event_id, EventId::Body);
    assert_refused(&webhook("{timestamp}", "{body}"), &["webhook.signature.format", "`{signature}`"]);
    assert_refused(&webhook("{signature}", "{timestamp}"), &["webhook.signature.signed", "`{body}`"]);
    assert_refused(&webhook("{signature}", "{timestamp}.{body}"), &["expected `{timestamp}`"]);
    assert_refused(&webhook("{signature},{nonce}", "{body}"), &["unknown placeholder `nonce`"]);
    assert_refused(&webhook("{signature}=sha256", "{body}"), &["end with a placeholder"]);
    assert!(parse("[webhook]\nsignature = { kind = \"none\" }\n").is_ok());
}

#[test]
fn an_id_that_a_signature_does_not_cover_tells_no_event_from_its_repetition() {
    let webhook = |signature: &str, event_id: &str| {
        format!("[webhook]\nsignature = {{ {signature} }}\nevent_id = {event_id}\n")
    };
    let header = "{ header = \"X-Event\" }";
    for signed in [
        "format = \"{signature}\", signed = \"{body}\"",
        "format = \"t={timestamp},v1={signature}\", signed = \"{timestamp}.{body}\"",
    ] {
        let signature = format!("kind = \"hmac-sha256\", header = \"X-Sig\", {signed}");
        assert_refused(
            &webhook(&signature, header),
            &[
                "webhook.event_id.header",
                "`X-Event` is not covered by the signature",
                "expected `body` or a pointer",
            ],
        );
        for covered in ["\"body\"", "{ pointer = \"/id\" }"] {
            assert!(parse(&webhook(&signature, covered)).is_ok(), "{covered}");
        }
    }
    // Without a signature the address alone is the proof: whoever knows it can send whatever it likes.
    let manifest = parse(&webhook("kind = \"none\"", header)).unwrap();
    assert_eq!(manifest.webhook.unwrap().event_id, EventId::Header("X-Event".to_owned()));
    assert_refused(&webhook("kind = \"none\"", "{ header = \"X Event\" }"), &["invalid header name"]);
}

#[test]
fn mappings_must_fit_entities_and_fields() {
    let row = |keys: &str| format!("{CONTACT}[[mapping]]\nentity = \"contact\"\n{keys}\n");
    let manifest = parse(&row("partner = \"email\"\nhighlevel = \"email\"")).unwrap();
    let mapping = manifest.mappings_of("contact").next().unwrap();
    assert_eq!((mapping.direction, mapping.policy), (Direction::Both, Policy::LatestUpdate));
    assert_refused(
        &row("partner = \"mail\"\nhighlevel = \"email\""),
        &["mapping[1].partner", "email, score"],
    );
    assert_refused(&row("partner = \"score\"\nhighlevel = \"x\""), &["`score` is read-only", "to-highlevel"]);
    assert_refused(
        &row("partner = \"score\"\nhighlevel = \"x\"\ndirection = \"to-highlevel\"\nto_partner = \"value\""),
        &["mapping[1].to_partner", "never runs"],
    );
    let twice = format!(
        "{}[[mapping]]\nentity = \"contact\"\npartner = \"email\"\nhighlevel = \"email\"\n",
        row("partner = \"email\"\nhighlevel = \"email\"")
    );
    assert_refused(&twice, &["mapping[2]", "is there twice"]);
    let one_way = row("partner = \"email\"\nhighlevel = \"email\"")
        .replace("support = \"native\"", "support = \"native\"\ndirection = \"to-partner\"");
    assert_refused(&one_way, &["mapping[1].direction", "exceeds"]);
}

#[test]
fn what_is_not_native_has_to_be_explained_and_unsupported_entities_have_nothing() {
    let task = |notes: &str| format!("[[entity]]\nname = \"task\"\nsupport = \"unsupported\"\n{notes}\n");
    assert_refused(&task(""), &["entity[1].notes", "is missing"]);
    assert!(parse(&task("notes = \"Acme has no tasks.\"")).is_ok());
    let stream = "[[stream]]\nname = \"s\"\nentity = \"task\"\ninterval_seconds = 60\n";
    assert_refused(&format!("{}{stream}", task("notes = \"none\"")), &["declared as unsupported"]);
    assert_refused(stream, &["no entity `task` is declared"]);
}

#[test]
fn triggers_need_their_source() {
    let trigger = |source: &str| format!("[[trigger]]\nname = \"t\"\ntitle = \"T\"\nsource = \"{source}\"\n");
    assert_refused(&trigger("webhook"), &["has no [webhook]"]);
    assert_refused(&trigger("poll"), &["has no [[stream]]"]);
}

#[test]
fn settings_are_checked_when_they_are_declared() {
    let setting = |keys: &str| format!("[[setting]]\nname = \"s\"\ntitle = \"S\"\n{keys}\n");
    assert_refused(&setting("type = \"secret\""), &["`secret`", "boolean"]);
    assert_refused(&setting("type = \"choice\""), &["setting[1].choices"]);
    assert_refused(
        &setting("type = \"integer\"\ndefault = 5\nmax = 3"),
        &["setting[1].default", "at most 3"],
    );
    assert_refused(&setting("type = \"text\"\npattern = \"(\""), &["setting[1].pattern"]);
    assert_refused(&setting("type = \"text\"\ndefault = \"x\"\nrequired = true"), &["need not be entered"]);
}

const SETTINGS: &str = r#"
[[setting]]
name = "project"
title = "Project"
type = "text"
required = true
pattern = "[0-9]+"
[[setting]]
name = "page"
title = "Page"
type = "integer"
default = 25
min = 1
max = 100
[[setting]]
name = "mode"
title = "Mode"
type = "choice"
choices = ["a", "b"]
default = "a"
[[setting]]
name = "domains"
title = "Domains"
type = "list"
max = 2
pattern = "[a-z.]+"
[[setting]]
name = "on"
title = "On"
type = "boolean"
default = false
[[setting]]
name = "rate"
title = "Rate"
type = "number"
default = 0.5
"#;

#[test]
fn settings_are_completed_with_their_defaults() {
    let manifest = parse(SETTINGS).unwrap();
    let filled = manifest.validate_settings(&json!({ "project": "17", "mode": "b", "page": null })).unwrap();
    assert_eq!(filled, json!({ "project": "17", "page": 25, "mode": "b", "on": false, "rate": 0.5 }));
}

#[test]
fn wrong_settings_are_each_named_with_what_is_expected() {
    let manifest = parse(SETTINGS).unwrap();
    let given = json!({
        "project": "17a", "page": 2.5, "mode": "c", "domains": ["x", "y", "z"], "on": "yes", "rate": "x", "more": 1
    });
    let problems: Vec<_> =
        manifest.validate_settings(&given).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "project: `17a` does not match the pattern `[0-9]+`",
            "page: expected a whole number, found 2.5",
            "mode: expected one of a, b, found `c`",
            "domains: expected at most 2 items, found 3",
            "on: expected true or false, found \"yes\"",
            "rate: expected a number, found \"x\"",
            "more: no such setting, expected one of project, page, mode, domains, on, rate",
        ]
    );
    let missing = manifest.validate_settings(&json!({})).unwrap_err();
    assert_eq!(missing[0].to_string(), "project: is missing, expected a text");
    let whole = manifest.validate_settings(&json!([1])).unwrap_err();
    assert!(whole[0].to_string().starts_with("settings: expected an object"));
}

#[test]
fn an_action_that_needs_highlevel_names_scopes_that_the_connector_asks_for() {
    let action =
        "[[action]]\nname = \"welcome\"\ntitle = \"Welcome\"\nwrites = true\nscopes = [\"contacts.write\"]\n";
    assert_refused(action, &["action[1].scopes", "there is no [[scope]] `contacts.write`"]);
    let scope = "[[scope]]\nname = \"contacts.write\"\nwhy = \"A welcome task.\"\n";
    let manifest = parse(&format!("{action}{scope}")).unwrap();
    assert_eq!(manifest.actions[0].scopes, ["contacts.write"]);
}
