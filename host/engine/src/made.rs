//! Manifests for the tests of this crate.

use contactor_manifest::Manifest;

/// One way to authenticate.
pub(crate) const BEARER: &str = r#"
[[auth]]
id = "token"
title = "Token"
kind = "bearer"
token = "{token}"
credential = [{ name = "token", title = "Token" }]
"#;

/// The least that a manifest needs but for a way to authenticate, and these parts.
pub(crate) fn manifest(parts: &str) -> Manifest {
    let text = format!(
        r#"
        [connector]
        id = "test"
        name = "Test"
        version = "0.1.0"
        minimum_host = "0.1.0"
        summary = "For tests."

        [partner]
        name = "Testbed"
        base_url = "https://api.test.example/v1"

        {parts}
        "#
    );
    Manifest::parse(&text).unwrap()
}
