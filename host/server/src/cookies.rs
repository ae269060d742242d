//! The host's two cookies. Both are `__Host-` cookies: a browser takes them under https alone (or from this machine), for this very host,
//! and from nobody else; no script reads them, and no request of another site carries them but a click that leads here.

use http::{HeaderMap, HeaderValue, header};
use jiff::SignedDuration;

/// A session.
pub(crate) const SESSION: &str = "__Host-contactor-session";
/// A login that is under way.
pub(crate) const LOGIN: &str = "__Host-contactor-login";

/// The value of a cookie. Two of one name are none: somebody else set one of them.
pub(crate) fn get(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = pairs
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name);
    let (_, value) = found.next()?;
    found.next().is_none().then(|| value.to_owned())
}

/// Sets a cookie for so long.
pub(crate) fn set(name: &str, value: &str, lasts: SignedDuration) -> HeaderValue {
    let text =
        format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}", lasts.as_secs().max(0));
    // What the host makes fits a header; anything else is forgotten instead.
    let mut header = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

/// Lets the browser forget a cookie.
pub(crate) fn forget(name: &str) -> HeaderValue {
    set(name, "", SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::COOKIE, value.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_only_when_there_is_one() {
        let named = |value: &str| format!("a=b; {SESSION}={value}; x");
        assert_eq!(get(&with(&[&named("1")]), SESSION), Some("1".to_owned()));
        assert_eq!(get(&with(&["a=b", &named("1=2")]), SESSION), Some("1=2".to_owned()));
        for none in [vec![], vec!["a=b"], vec!["contactor-session=1"], vec!["x__Host-contactor-session=1"]] {
            assert_eq!(get(&with(&none), SESSION), None, "{none:?}");
        }
        let twice = named("1");
        assert_eq!(get(&with(&[&twice, &named("2")]), SESSION), None);
        assert_eq!(get(&with(&[&format!("{twice}; {SESSION}=1")]), SESSION), None);
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_other_sites_and_plain_connections() {
        let set = set(SESSION, "cts_0_1", SignedDuration::from_hours(2));
        assert!(set.is_sensitive());
        let parts = ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=7200"];
        let text = set.to_str().unwrap();
        assert!(parts.iter().all(|part| text.split("; ").any(|one| one == *part)), "{text}");
        assert!(!text.contains("Domain"));
        assert!(forget(LOGIN).to_str().unwrap().contains("Max-Age=0"));
    }
}
