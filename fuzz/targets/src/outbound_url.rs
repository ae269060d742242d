//! Addresses that a manifest, an admin or an operator writes: whatever spelling a URL has, an address that is not public is refused, and
//! what is written as a range, a host or a pattern is read back as it is shown.
//!
//! Input: a URL, an address, a range or a host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use contactor_engine::untrusted::base_url;
use contactor_engine::{OpenHost, OpenRange, Outbound, OutboundConfig};
use contactor_manifest::HostPattern;
use url::{Host, Url};

static CLOSED: LazyLock<Outbound> = LazyLock::new(|| Outbound::new(OutboundConfig::default()).unwrap());

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    written(text);
    if let Ok(base) = base_url(text, &CLOSED) {
        allowed(&base);
        assert!(base.query().is_none() && base.fragment().is_none());
        assert_eq!(base_url(base.as_str(), &CLOSED).ok().as_ref(), Some(&base), "as it is stored");
    }
    if let Ok(url) = Url::parse(text)
        && CLOSED.check_url(&url).is_ok()
    {
        allowed(&url);
    }
}

/// What may be spoken with is public, by the words of the standard library.
fn allowed(url: &Url) {
    assert_eq!(url.scheme(), "https");
    assert!(url.username().is_empty() && url.password().is_none(), "no credential");
    match url.host() {
        Some(Host::Ipv4(address)) => public_v4(address),
        Some(Host::Ipv6(address)) => public_v6(address),
        Some(Host::Domain(name)) => assert!(name.parse::<IpAddr>().is_err() && !name.is_empty(), "{name}"),
        None => panic!("it names no host"),
    }
}

fn public_v4(address: Ipv4Addr) {
    let closed = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_unspecified()
        || address.is_multicast()
        || (address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64);
    assert!(!closed, "{address} is not public");
}

fn public_v6(address: Ipv6Addr) {
    let closed = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local();
    assert!(!closed, "{address} is not public");
    if let Some(inside) = address.to_ipv4() {
        public_v4(inside);
    }
}

fn written(text: &str) {
    if let Ok(range) = text.parse::<OpenRange>() {
        assert_eq!(String::from(range).parse::<OpenRange>(), Ok(range));
    }
    if let Ok(host) = OpenHost::try_from(text.to_owned()) {
        assert_eq!(OpenHost::try_from(host.to_string()), Ok(host));
    }
    if let Ok(pattern) = HostPattern::try_from(text.to_owned()) {
        assert!(text.parse::<IpAddr>().is_err(), "a pattern is never an address");
        // What it covers, a URL can name: no other spelling of a host passes by it.
        if !text.starts_with('*')
            && let Ok(url) = Url::parse(&format!("https://{text}/"))
        {
            assert!(matches!(url.host(), Some(Host::Domain(name)) if pattern.covers(name)), "{text}");
        }
    }
}
