use proptest::prelude::*;
use proptest::string::string_regex;

use super::*;
use crate::model::{ConnectionId, RunId};

const SECRET: &str = "pit-00000000-fake-0000";

fn acme() -> WorkspaceId {
    WorkspaceId::new("acme")
}

fn ring() -> KeyRing {
    KeyRing::of(SecretKey::random().unwrap())
}

fn data_key(workspace: &str) -> DataKey {
    DataKey::random(WorkspaceId::new(workspace)).unwrap()
}

fn token() -> Purpose {
    Purpose::of_credential("acme")
}

fn sealed(key: &DataKey) -> Sealed {
    key.seal(&token(), &SECRET.into()).unwrap()
}

/// Everything that something of `acme` can be sealed for, each different from all others.
fn purposes() -> Vec<Purpose> {
    let (prefinery, other) = (ConnectionId::new("acme/prefinery"), ConnectionId::new("acme/other"));
    vec![
        token(),
        Purpose::of_credential("acme/prefinery/auth"),
        Purpose::of_credential("acme/prefinery/webhook"),
        Purpose::of_credential("acme/other/auth"),
        Purpose::of_credential("acme/destination:team"),
        Purpose::recording(&acme(), &prefinery, &RunId::new("1")),
        Purpose::recording(&acme(), &prefinery, &RunId::new("2")),
        Purpose::recording(&acme(), &other, &RunId::new("1")),
        Purpose::undo(&acme(), &prefinery, 1),
        Purpose::undo(&acme(), &prefinery, 2),
        Purpose::undo(&acme(), &other, 1),
        // The same name with and without a connection is not the same thing.
        Purpose::recording(&acme(), &prefinery, &RunId::new("1")).of_no_connection(),
    ]
}

#[test]
fn a_secret_opens_for_its_own_purpose_and_for_no_other() {
    let key = data_key("acme");
    for sealed_for in purposes() {
        let sealed = key.seal(&sealed_for, &SECRET.into()).unwrap();
        for purpose in purposes() {
            let opened = key.open(&purpose, &sealed);
            if purpose == sealed_for {
                assert_eq!(opened.unwrap().expose_secret(), SECRET);
            } else {
                assert!(matches!(opened, Err(VaultError::Unusable { .. })), "{purpose:?}");
            }
        }
    }
}

#[test]
fn a_row_of_another_workspace_or_under_another_key_id_does_not_open() {
    let (key, other) = (data_key("acme"), data_key("other"));
    let sealed = sealed(&key);
    let theirs = Purpose::of_credential("other");
    for refused in [key.open(&theirs, &sealed), key.seal(&theirs, &SECRET.into()).map(|_| SECRET.into())] {
        assert!(refused.unwrap_err().to_string().contains("another workspace"));
    }
    assert!(other.open(&theirs, &sealed).is_err());
    // A key of the same workspace, under whose id the row was put.
    let next = data_key("acme");
    let moved = Sealed { key_id: next.id().clone(), ..sealed.clone() };
    assert!(next.open(&token(), &moved).is_err());
    assert!(key.open(&token(), &moved).is_err(), "the key id is bound in");
    assert!(key.open(&token(), &sealed).is_ok());
}

#[test]
fn any_altered_bit_is_noticed() {
    let key = data_key("acme");
    let sealed = sealed(&key);
    for position in 0..sealed.bytes.len() {
        let mut altered = sealed.clone();
        altered.bytes[position] ^= 1;
        assert!(key.open(&token(), &altered).is_err(), "byte {position}");
    }
    for length in [0, 10, sealed.bytes.len() - 1] {
        let cut = Sealed { bytes: sealed.bytes[..length].to_vec(), ..sealed.clone() };
        assert!(key.open(&token(), &cut).is_err(), "{length} bytes");
    }
}

#[test]
fn the_same_secret_is_sealed_differently_every_time() {
    let key = data_key("acme");
    assert_ne!(sealed(&key).bytes, sealed(&key).bytes);
}

#[test]
fn a_wrapped_key_unwraps_with_its_own_wrapping_key_alone() {
    let (old, other) = (ring(), ring());
    let key = data_key("acme");
    let wrapped = key.wrap(&old).unwrap();
    let again = DataKey::unwrap(&wrapped, &old).unwrap();
    assert_eq!(again.open(&token(), &sealed(&key)).unwrap().expose_secret(), SECRET);

    let error = DataKey::unwrap(&wrapped, &other).unwrap_err();
    assert!(matches!(error, VaultError::KeyMissing { .. }), "{error}");
    assert!(error.to_string().contains(old.current().id().as_str()), "{error}");
    // Former keys still unwrap, and what is wrapped anew needs the current one.
    let both = KeyRing::joined([other, old]).unwrap();
    let anew = DataKey::unwrap(&wrapped, &both).unwrap().wrap(&both).unwrap();
    assert_eq!((&anew.id, &anew.wrapped.key_id), (key.id(), both.current().id()));
    assert!(DataKey::unwrap(&anew, &both).is_ok());
}

#[test]
fn a_wrapped_key_that_was_altered_or_put_elsewhere_does_not_unwrap() {
    let ring = ring();
    let wrapped = data_key("acme").wrap(&ring).unwrap();
    let theirs = data_key("other").wrap(&ring).unwrap();
    let exchanged = [
        WrappedKey { workspace: WorkspaceId::new("other"), ..wrapped.clone() },
        WrappedKey { id: theirs.id.clone(), ..wrapped.clone() },
        WrappedKey { wrapped: theirs.wrapped.clone(), ..wrapped.clone() },
    ];
    for exchanged in exchanged {
        let error = DataKey::unwrap(&exchanged, &ring).unwrap_err();
        assert!(matches!(error, VaultError::DataKey { .. }), "{error}");
    }
    for position in 0..wrapped.wrapped.bytes.len() {
        let mut altered = wrapped.clone();
        altered.wrapped.bytes[position] ^= 1;
        assert!(DataKey::unwrap(&altered, &ring).is_err(), "byte {position}");
    }
    // Sealed secrets and wrapped keys are not exchangeable either: their associated data begin differently.
    let sealed = Sealed { key_id: wrapped.id.clone(), bytes: wrapped.wrapped.bytes.clone() };
    assert!(DataKey::unwrap(&wrapped, &ring).unwrap().open(&token(), &sealed).is_err());
}

#[test]
fn neither_debug_nor_errors_nor_sealed_bytes_show_a_secret() {
    let (ring, key) = (ring(), data_key("acme"));
    let (sealed, wrapped) = (sealed(&key), key.wrap(&ring).unwrap());
    let error = key.open(&Purpose::of_credential("acme/else"), &sealed).unwrap_err();
    let other = DataKey::unwrap(&wrapped, &self::ring()).unwrap_err();
    let said = format!("{key:?} {ring:?} {sealed:?} {wrapped:?} {error} {error:?} {other} {other:?}");
    let bytes = [key.key.bytes(), ring.current().bytes()];
    for hidden in [SECRET.to_owned(), hex::encode(bytes[0]), hex::encode(bytes[1])] {
        assert!(!said.contains(&hidden), "{said}");
    }
    // A list of numbers would be a key as well.
    assert!(!said.contains(&format!("{:?}", &bytes[0][..4]).replace(['[', ']'], "")), "{said}");
    assert!(!sealed.bytes.windows(8).any(|window| window == &SECRET.as_bytes()[..8]));
    assert!(!wrapped.wrapped.bytes.windows(8).any(|window| window == &bytes[0][..8]));
}

/// Made by a host of the version before data keys: its key file, and the token of the workspace `acme`, a recording and an undo.
mod before {
    pub(super) const KEY: &str = "08d809391d5aee4a:DdohKC5onYnRiReT5YL14Lq4vH5xdfRcF86GQj5MP4k=";
    pub(super) const TOKEN: &str = "46c42f3faf2b1df90685028f91e7bf40290e1881e2e380212a8ce6b3e6f0eaf2c668d0f45191dc560cdcedcaba0e00a1171e";
    pub(super) const RECORDING: &str = "2634f8efa528fe85c52fa05cb210e9496a6065ca33a837db3ac490f23e8dfebd05f3fde73eb3786865bbbe184f691aac64e539da5cc2";
    pub(super) const UNDO: &str =
        "79f37b782d8883184a6b737b706fdbfa68a3668806e079183fc253fd0e45747c20f56db3c0a053c436f81385fa1ced8ae9";
}

#[test]
fn what_a_host_before_data_keys_sealed_still_opens_and_only_in_its_place() {
    let ring = KeyRing::joined([ring(), KeyRing::parse(before::KEY).unwrap()]).unwrap();
    let id = ring.former().next().unwrap().clone();
    let connection = ConnectionId::new("acme/prefinery");
    let rows = [
        (token(), before::TOKEN, "fake-token"),
        (Purpose::recording(&acme(), &connection, &RunId::new("run-1")), before::RECORDING, "fake-recording"),
        (Purpose::undo(&acme(), &connection, 7), before::UNDO, "fake-undo"),
    ];
    for (purpose, bytes, secret) in &rows {
        let sealed = Sealed { key_id: id.clone(), bytes: hex::decode(bytes).unwrap() };
        let opened = open_as_before(&ring, purpose, &sealed).unwrap().unwrap();
        assert_eq!(opened.expose_secret(), *secret);
        for (other, _, _) in rows.iter().filter(|(other, _, _)| other != purpose) {
            assert!(open_as_before(&ring, other, &sealed).unwrap().is_err());
        }
        assert!(open_as_before(&self::ring(), purpose, &sealed).is_none(), "another key is at hand");
    }
}

proptest! {
    #[test]
    fn whatever_is_sealed_for_any_place_opens_there_and_nowhere_else(
        secret in any::<String>(),
        names in proptest::collection::btree_set(string_regex("[a-z]{1,3}(/[a-z:]{1,3}){0,2}").unwrap(), 2..5),
    ) {
        let purposes: Vec<_> = names.iter().map(|name| Purpose::credential(&acme(), name)).collect();
        let key = data_key("acme");
        let sealed = key.seal(&purposes[0], &secret.as_str().into()).unwrap();
        let opened = key.open(&purposes[0], &sealed).unwrap();
        prop_assert_eq!(opened.expose_secret(), secret.as_str());
        for other in &purposes[1..] {
            prop_assert!(key.open(other, &sealed).is_err());
        }
    }
}
