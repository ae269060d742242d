//! Manifests: what is taken makes sense as a whole, survives being stored, and its schema of settings takes what it gave.
//!
//! Input: a `connector.toml`.

use contactor_manifest::{Auth, Limits, Manifest, Placement, Scheme, check_path, is_host_header};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    sound(&manifest);
    let stored = serde_json::to_string(&manifest).unwrap();
    let again: Manifest = serde_json::from_str(&stored).expect("what is stored is read");
    assert_eq!(again, manifest);
    if let Ok(settings) = manifest.validate_settings(&serde_json::json!({})) {
        assert_eq!(manifest.validate_settings(&settings).as_ref(), Ok(&settings), "defaults are settings");
    }
}

fn sound(manifest: &Manifest) {
    for auth in &manifest.auth {
        for name in auth.placeholders() {
            let declared = auth.credentials.iter().any(|part| part.name == name);
            assert!(declared, "auth {}: nobody enters `{name}`", auth.id);
        }
        within_bounds(auth);
    }
    for row in &manifest.mappings {
        // A row of a list (`tasks`) names a field of the contact.
        let declared = manifest.fields.iter().any(|field| field.name == row.partner);
        assert!(declared, "nothing declares `{}`", row.partner);
    }
    let (limits, most) = (manifest.limits, Limits::MAXIMUM);
    let pairs = [
        (limits.memory_mib, most.memory_mib),
        (limits.cpu_ms, most.cpu_ms),
        (limits.call_timeout_ms, most.call_timeout_ms),
        (limits.host_calls, most.host_calls),
        (limits.traffic_mib, most.traffic_mib),
    ];
    assert!(pairs.iter().all(|(asked, most)| (1..=*most).contains(asked)), "{limits:?}");
    for path in ["/", "/a/b.json", "//", ""] {
        let _ = manifest.is_repeatable(path);
        assert!(
            manifest.quotas.iter().filter(|quota| quota.counts_all()).all(|quota| quota.counts("GET", path))
        );
    }
}

/// What sends the credential says no more of a request than its connector may.
fn within_bounds(auth: &Auth) {
    let mut headers: Vec<&str> = Vec::new();
    match &auth.scheme {
        Scheme::HeaderPair { headers: pairs } => headers.extend(pairs.keys().map(String::as_str)),
        Scheme::PrefixedHeader { header, .. } => headers.push(header),
        Scheme::Login { login } => {
            assert_eq!(check_path(&login.path), Ok(()));
            if let Placement::Header(header) = &login.placement {
                headers.push(header);
            }
        }
        Scheme::Basic { .. } | Scheme::Bearer { .. } | Scheme::Query { .. } | Scheme::OAuth2 { .. } => {}
    }
    for header in headers {
        let carries = ["authorization", "cookie"].iter().any(|own| own.eq_ignore_ascii_case(header));
        assert!(carries || !is_host_header(header), "auth {}: {header}", auth.id);
    }
}
