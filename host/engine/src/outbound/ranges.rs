//! Which addresses this host may speak with. Pure.
//!
//! The public Internet is open. Everything else is closed: this machine, private and link-local networks, what a cloud offers its
//! machines, and the addresses that carry another one inside. The tables follow IANA's registries of special-purpose addresses; of
//! IPv6 only what is assigned as global unicast is open at all, so that a range that is registered later is closed as well.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Why an address is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is this machine.
    ThisMachine,
    /// It is of a private network, or one that only a carrier's customers reach.
    Private,
    /// It is of the next cable or the next virtual switch.
    LinkLocal,
    /// A cloud answers there to its own machines, with their credentials.
    Metadata,
    /// It carries another address, which the way there decides about.
    Tunnel,
    /// It is for examples or for measuring.
    Example,
    /// Nobody can have it: multicast, reserved, or not assigned.
    Nobody,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ThisMachine => "an address of this machine",
            Self::Private => "an address of a private network",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a cloud's metadata, where its machines ask for credentials",
            Self::Tunnel => "an address with another one inside, of a tunnel or a translation",
            Self::Example => "an address for examples and measurements",
            Self::Nobody => "an address that no host can have",
        })
    }
}

/// An address that this host does not speak with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The address; an IPv4 one that was written as IPv6 is shown as what it is.
    pub(crate) address: IpAddr,
    /// Why.
    pub(crate) kind: Kind,
}

impl Closed {
    /// How an operator would open it, as in the configuration.
    pub(crate) fn opened_by(&self) -> String {
        format!("allow = [\"{}\"]", IpNet::from(self.address))
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(begin: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = begin;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

const CLOSED_V4: [(Ipv4Net, Kind); 15] = [
    (v4(0, 0, 0, 0, 8), Kind::Nobody),
    (v4(10, 0, 0, 0, 8), Kind::Private),
    // Shared address space of carriers (RFC 6598).
    (v4(100, 64, 0, 0, 10), Kind::Private),
    (v4(127, 0, 0, 0, 8), Kind::ThisMachine),
    (v4(169, 254, 0, 0, 16), Kind::LinkLocal),
    (v4(172, 16, 0, 0, 12), Kind::Private),
    (v4(192, 0, 0, 0, 24), Kind::Nobody),
    (v4(192, 0, 2, 0, 24), Kind::Example),
    // Relays of 6to4, given up by RFC 7526.
    (v4(192, 88, 99, 0, 24), Kind::Tunnel),
    (v4(192, 168, 0, 0, 16), Kind::Private),
    (v4(198, 18, 0, 0, 15), Kind::Example),
    (v4(198, 51, 100, 0, 24), Kind::Example),
    (v4(203, 0, 113, 0, 24), Kind::Example),
    (v4(224, 0, 0, 0, 4), Kind::Nobody),
    (v4(240, 0, 0, 0, 4), Kind::Nobody),
];

/// All that is assigned as global unicast; what is closed of it stands below.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

const CLOSED_V6: [(Ipv6Net, Kind); 12] = [
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Kind::ThisMachine),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), Kind::Nobody),
    // IPv4 as it was once written in IPv6.
    (v6([0, 0, 0, 0], 96), Kind::Tunnel),
    // Translation that is each network's own affair (RFC 8215).
    (v6([0x64, 0xff9b, 1, 0], 48), Kind::Tunnel),
    // Protocol assignments: Teredo, ORCHID, benchmarking.
    (v6([0x2001, 0, 0, 0], 23), Kind::Tunnel),
    (v6([0x2001, 0xdb8, 0, 0], 32), Kind::Example),
    (v6([0x2002, 0, 0, 0], 16), Kind::Tunnel),
    (v6([0x3fff, 0, 0, 0], 20), Kind::Example),
    (v6([0xfc00, 0, 0, 0], 7), Kind::Private),
    (v6([0xfe80, 0, 0, 0], 10), Kind::LinkLocal),
    // Site-local, given up by RFC 3879 and still routed by some.
    (v6([0xfec0, 0, 0, 0], 10), Kind::Private),
    (v6([0xff00, 0, 0, 0], 8), Kind::Nobody),
];

/// The translation of IPv4 that every network may use (RFC 6052): what it carries decides.
const TRANSLATED: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

/// Where clouds answer to their own machines: AWS, Azure, Google and others; AWS for containers, for pods; Oracle's first; Alibaba;
/// Azure's wire server, which has a public address.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// The same in IPv6: AWS, AWS for pods, Google.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// A range that an operator opens: `10.1.0.0/16`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpenRange(IpNet);

impl FromStr for OpenRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let net =
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                format!("`{text}` is no range of addresses; expected one such as 10.1.0.0/16 or 127.0.0.1/32")
            })?;
        if net != net.trunc() {
            let (range, one) = (net.trunc(), IpNet::from(net.addr()));
            return Err(format!("`{text}` has bits beyond its prefix: {range} is meant, or {one}"));
        }
        match net {
            IpNet::V6(net) if net.addr().to_ipv4_mapped().is_some() => {
                Err(format!("`{text}` is IPv4 that is written as IPv6: write it as IPv4"))
            }
            net => Ok(Self(net)),
        }
    }
}

impl TryFrom<String> for OpenRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<OpenRange> for String {
    fn from(range: OpenRange) -> Self {
        range.0.to_string()
    }
}

/// What an operator opened, beside the public Internet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(Vec<IpNet>);

impl Ranges {
    pub(crate) fn new(open: &[OpenRange]) -> Self {
        Self(open.iter().map(|range| range.0).collect())
    }

    /// Whether this host may speak with an address.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Closed> {
        let address = plain(address);
        let Some(kind) = kind(address) else { return Ok(()) };
        // A wide range is opened for a partner's sake; nobody means the cloud's credentials by it.
        let opens = |net: &&IpNet| {
            net.contains(&address) && (kind != Kind::Metadata || net.prefix_len() == net.max_prefix_len())
        };
        if self.0.iter().any(|net| opens(&net)) { Ok(()) } else { Err(Closed { address, kind }) }
    }
}

/// Whether an address is of this machine.
pub(crate) fn is_this_machine(address: IpAddr) -> bool {
    kind(plain(address)) == Some(Kind::ThisMachine)
}

/// An IPv4 address that is written as IPv6 is that IPv4 address: a socket that is connected to it speaks IPv4.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Why an address is closed; none when it is public.
fn kind(address: IpAddr) -> Option<Kind> {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Option<Kind> {
    if METADATA_V4.contains(&address) {
        return Some(Kind::Metadata);
    }
    CLOSED_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind)
}

fn kind_v6(address: Ipv6Addr) -> Option<Kind> {
    let carries_metadata = carried(address).into_iter().any(|inner| METADATA_V4.contains(&inner));
    if METADATA_V6.contains(&address) || carries_metadata {
        return Some(Kind::Metadata);
    }
    if TRANSLATED.contains(&address) {
        return kind_v4(last(address));
    }
    let closed = CLOSED_V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind);
    closed.or_else(|| (!GLOBAL_V6.contains(&address)).then_some(Kind::Nobody))
}

/// The IPv4 addresses that an IPv6 one may carry: at its end (translations, IPv4-compatible, ISATAP), and behind the prefix of 6to4.
/// Teredo's is covered: of that nothing is open.
fn carried(address: Ipv6Addr) -> [Ipv4Addr; 2] {
    let [a, b, first @ .., _, _, _, _, _, _, _, _, _, _] = address.octets();
    let of_6to4 = if [a, b] == [0x20, 0x02] { Ipv4Addr::from(first) } else { last(address) };
    [last(address), of_6to4]
}

fn last(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(open: &[&str]) -> Ranges {
        Ranges::new(&open.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn the_public_internet_is_open_up_to_the_edges_of_what_is_not() {
        for open in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2606:4700:4700::1111",
            "2003::1",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ] {
            assert_eq!(ranges(&[]).check(ip(open)), Ok(()), "{open}");
        }
    }

    #[test]
    fn whatever_is_not_public_is_closed_and_named_for_what_it_is() {
        for (closed, kind) in [
            ("0.0.0.0", Kind::Nobody),
            ("0.1.2.3", Kind::Nobody),
            ("10.0.0.1", Kind::Private),
            ("100.64.0.1", Kind::Private),
            ("100.127.255.255", Kind::Private),
            ("127.0.0.1", Kind::ThisMachine),
            ("127.255.255.255", Kind::ThisMachine),
            ("169.254.1.1", Kind::LinkLocal),
            ("169.254.169.254", Kind::Metadata),
            ("169.254.170.2", Kind::Metadata),
            ("100.100.100.200", Kind::Metadata),
            ("168.63.129.16", Kind::Metadata),
            ("172.16.0.0", Kind::Private),
            ("172.31.255.255", Kind::Private),
            ("192.0.0.8", Kind::Nobody),
            ("192.0.2.1", Kind::Example),
            ("192.88.99.1", Kind::Tunnel),
            ("192.168.0.1", Kind::Private),
            ("198.18.0.1", Kind::Example),
            ("198.19.255.255", Kind::Example),
            ("198.51.100.1", Kind::Example),
            ("203.0.113.1", Kind::Example),
            ("224.0.0.1", Kind::Nobody),
            ("240.0.0.1", Kind::Nobody),
            ("255.255.255.255", Kind::Nobody),
            ("::", Kind::Nobody),
            ("::1", Kind::ThisMachine),
            ("::ffff:127.0.0.1", Kind::ThisMachine),
            ("::ffff:169.254.169.254", Kind::Metadata),
            ("::127.0.0.1", Kind::Tunnel),
            ("64:ff9b::10.0.0.1", Kind::Private),
            ("64:ff9b::169.254.169.254", Kind::Metadata),
            ("64:ff9b:1::1.1.1.1", Kind::Tunnel),
            ("100::1", Kind::Nobody),
            ("2001::1", Kind::Tunnel),
            ("2001:20::1", Kind::Tunnel),
            ("2001:db8::1", Kind::Example),
            ("2002:7f00:1::", Kind::Tunnel),
            ("2002:a9fe:a9fe::", Kind::Metadata),
            ("3fff::1", Kind::Example),
            ("4000::1", Kind::Nobody),
            ("5f00::1", Kind::Nobody),
            ("fc00::1", Kind::Private),
            ("fd00:ec2::254", Kind::Metadata),
            ("fd12:3456::1", Kind::Private),
            ("fe80::1", Kind::LinkLocal),
            ("fec0::1", Kind::Private),
            ("ff02::1", Kind::Nobody),
        ] {
            let found = ranges(&[]).check(ip(closed)).map_err(|closed| closed.kind);
            assert_eq!(found, Err(kind), "{closed}");
        }
    }

    #[test]
    fn metadata_is_opened_by_its_own_name_and_by_no_range_around_it() {
        for (wide, exact, address) in [
            ("169.254.0.0/16", "169.254.169.254/32", "169.254.169.254"),
            ("0.0.0.0/0", "168.63.129.16", "168.63.129.16"),
            ("fd00::/8", "fd00:ec2::254", "fd00:ec2::254"),
            ("2002::/16", "2002:a9fe:a9fe::/128", "2002:a9fe:a9fe::"),
            ("169.254.0.0/16", "169.254.169.254", "::ffff:169.254.169.254"),
        ] {
            assert!(ranges(&[wide]).check(ip(address)).is_err(), "{wide}");
            assert_eq!(ranges(&[wide, exact]).check(ip(address)), Ok(()), "{exact}");
        }
        assert_eq!(ranges(&["169.254.0.0/16"]).check(ip("169.254.1.1")), Ok(()));
    }

    #[test]
    fn what_an_operator_writes_is_a_range_and_a_closed_address_says_how_to_open_it() {
        for (wrong, words) in [
            ("localhost", "is no range"),
            ("10.0.0.0/33", "is no range"),
            ("10.1.2.3/16", "10.1.0.0/16 is meant, or 10.1.2.3/32"),
            ("::ffff:10.0.0.1", "write it as IPv4"),
            ("", "is no range"),
        ] {
            let error = wrong.parse::<OpenRange>().unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
        for (address, shown) in
            [("::ffff:10.0.0.7", "allow = [\"10.0.0.7/32\"]"), ("fd00::7", "allow = [\"fd00::7/128\"]")]
        {
            let closed = ranges(&[]).check(ip(address)).unwrap_err();
            assert_eq!(closed.opened_by(), shown);
            let opened = shown.split('"').nth(1).unwrap();
            assert_eq!(ranges(&[opened]).check(ip(address)), Ok(()), "what it says is so");
        }
    }

    fn any_range() -> impl Strategy<Value = IpNet> {
        let v4 = (any::<u32>(), 0_u8..=32).prop_map(|(bits, prefix)| {
            IpNet::from(Ipv4Net::new(Ipv4Addr::from(bits), prefix).unwrap().trunc())
        });
        let v6 = (any::<u128>(), 0_u8..=128).prop_map(|(bits, prefix)| {
            IpNet::from(Ipv6Net::new(Ipv6Addr::from(bits), prefix).unwrap().trunc())
        });
        prop_oneof![v4, v6]
            .prop_filter("IPv4 as IPv6 is refused", |net| net.addr().to_canonical() == net.addr())
    }

    proptest! {
        #[test]
        fn the_way_an_ipv4_address_is_written_decides_nothing(bits in any::<u32>(), open in any_range()) {
            let (address, ranges) = (Ipv4Addr::from(bits), Ranges(vec![open]));
            let written = address.to_ipv6_mapped();
            prop_assert_eq!(ranges.check(address.into()), ranges.check(written.into()));
        }

        #[test]
        fn what_the_standard_library_calls_special_is_closed(bits in any::<u32>(), wide in any::<u128>()) {
            let (four, six) = (Ipv4Addr::from(bits), Ipv6Addr::from(wide));
            let is_special = four.is_private() || four.is_loopback() || four.is_link_local() || four.is_unspecified()
                || four.is_broadcast() || four.is_multicast() || four.is_documentation();
            prop_assert!(!is_special || ranges(&[]).check(four.into()).is_err());
            let is_special = six.is_loopback() || six.is_unspecified() || six.is_multicast() || six.is_unique_local()
                || six.is_unicast_link_local();
            prop_assert!(!is_special || ranges(&[]).check(six.into()).is_err());
            let is_ipv4 = plain(six.into()).is_ipv4() || TRANSLATED.contains(&six);
            prop_assert!(GLOBAL_V6.contains(&six) || is_ipv4 || ranges(&[]).check(six.into()).is_err());
        }

        #[test]
        fn a_range_opens_what_lies_in_it_and_nothing_else(open in any_range(), four in any::<u32>(), six in any::<u128>()) {
            let opened = Ranges(vec![open]);
            for address in [IpAddr::from(Ipv4Addr::from(four)), IpAddr::from(Ipv6Addr::from(six)), open.addr()] {
                let (before, after) = (ranges(&[]).check(address), opened.check(address));
                let is_wide = open.prefix_len() < open.max_prefix_len();
                match before {
                    Ok(()) => prop_assert_eq!(after, Ok(())),
                    Err(closed) if open.contains(&closed.address) => {
                        prop_assert_eq!(after.is_ok(), closed.kind != Kind::Metadata || !is_wide);
                    }
                    Err(closed) => prop_assert_eq!(after, Err(closed)),
                }
            }
        }
    }
}
