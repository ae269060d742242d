use contactor_manifest::{SECTION, embed};
use proptest::prelude::*;

use super::*;

const PREAMBLE: [u8; 8] = *b"\0asm\x0d\0\x01\0";

fn key(seed: u8) -> SecretKey {
    SecretKey::of_seed([seed; 32])
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 0x80);
    [&[id, length], content].concat()
}

/// A component with a nested one, in which there is a signature section, and a manifest.
fn component() -> Vec<u8> {
    let nested = [PREAMBLE.to_vec(), custom_section(SIGNATURE_SECTION, b"nested")].concat();
    let plain = [PREAMBLE.to_vec(), section(7, &[1, 2, 3]), section(4, &nested)].concat();
    embed(&plain, "id = \"acme\"").unwrap()
}

fn signed(seeds: &[u8]) -> Vec<u8> {
    seeds.iter().fold(component(), |bytes, seed| sign(&bytes, &key(*seed)).unwrap())
}

/// The sections of the signatures alone.
fn signatures(seeds: &[u8]) -> Vec<u8> {
    signed(seeds)[component().len()..].to_vec()
}

#[test]
fn whoever_signed_is_known_in_the_order_of_signing_and_what_is_signed_stays() {
    let unsigned = read(&component()).unwrap();
    assert!(unsigned.signers.is_empty());
    let both = read(&signed(&[1, 2])).unwrap();
    assert_eq!(both.signers, [key(1).public(), key(2).public()]);
    assert_eq!(both.digest, unsigned.digest);
    assert!(signed(&[1, 2]).starts_with(&component()));
}

#[test]
fn signing_again_with_the_same_key_changes_nothing() {
    assert_eq!(signed(&[1, 1]), signed(&[1]));
    assert_eq!(signed(&[1, 2, 1]), signed(&[1, 2]));
}

#[test]
fn a_signature_that_was_moved_to_another_component_is_wrong() {
    let other = embed(&component(), "id = \"other\"").unwrap();
    let moved = [other, signatures(&[1])].concat();
    assert_eq!(read(&moved), Err(SignatureError::Wrong(key(1).public())));
    assert_eq!(sign(&moved, &key(2)), Err(SignatureError::Wrong(key(1).public())));
}

#[test]
fn every_bit_that_is_flipped_is_noticed() {
    for seeds in [&[1][..], &[1, 2]] {
        let good = signed(seeds);
        for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            // A lone signature whose section lost its name is gone, and nobody has signed what is left.
            let unsigned = read(&bytes).is_ok_and(|found| found.signers.is_empty()) && seeds.len() == 1;
            assert!(unsigned || read(&bytes).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn nothing_is_hidden_before_between_or_behind_signatures() {
    let (body, [one, two]) = (component(), [signatures(&[1]), signatures(&[2])]);
    let hidden = custom_section("hidden", b"payload");
    let wrong = |key: &SecretKey| Err(SignatureError::Wrong(key.public()));
    assert_eq!(read(&[body.as_slice(), &hidden, &one].concat()), wrong(&key(1)));
    let offset = body.len() + one.len();
    for extra in [hidden.clone(), section(7, &[9]), custom_section(SECTION, b"id = \"evil\"")] {
        let followed = Err(SignatureError::Followed { offset });
        assert_eq!(read(&[body.as_slice(), &one, &extra].concat()), followed);
        assert_eq!(read(&[body.as_slice(), &one, &extra, &two].concat()), followed);
    }
    for trailing in [&[0_u8][..], b"\0asm", &[7, 0x7f]] {
        let damaged = Err(SignatureError::Section(SectionError::Damaged { offset }));
        assert_eq!(read(&[body.as_slice(), &one, trailing].concat()), damaged);
    }
}

#[test]
fn a_signature_has_one_form() {
    let body = component();
    let offset = body.len();
    let malformed = Err(SignatureError::Malformed { offset });
    let section = signatures(&[1]);
    let content = &section[section.len() - CONTENT..];
    let with = |content: &[u8]| [body.as_slice(), &custom_section(SIGNATURE_SECTION, content)].concat();
    assert!(read(&with(content)).is_ok());
    let is_none = |bytes: &[u8; 32]| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_err();
    let no_point = (0..=255_u8).map(|byte| [byte; 32]).find(is_none).unwrap();
    for wrong in [
        &[][..],
        &content[..CONTENT - 1],
        &[content, &[0]].concat(),
        &[&[2], &content[1..]].concat(),
        // A key that is no point, and one of small order with which anything would fit.
        &[&[VERSION], &no_point[..], &content[33..]].concat(),
        &[&[VERSION], &[0; 32][..], &content[33..]].concat(),
    ] {
        assert_eq!(read(&with(wrong)), malformed, "{wrong:?}");
    }
    // The same lengths in more bytes than it takes: of the section, and of its name.
    let (total, name) = (section[1], section[2]);
    assert!(total < 0x7f && usize::from(name) == SIGNATURE_SECTION.len());
    let long = [body.as_slice(), &[0, total | 0x80, 0], &section[2..]].concat();
    let named = [body.as_slice(), &[0, total + 1, name | 0x80, 0], &section[3..]].concat();
    assert_eq!([read(&long), read(&named)], [malformed.clone(), malformed]);
}

#[test]
fn one_key_counts_once_and_few_may_sign() {
    let twice = [component(), signatures(&[1]), signatures(&[1])].concat();
    assert_eq!(read(&twice), Err(SignatureError::Repeated(key(1).public())));
    let most: Vec<u8> = (1..=8).collect();
    let full = signed(&most);
    assert_eq!(read(&full).unwrap().signers.len(), MAX_SIGNATURES);
    assert_eq!(sign(&full, &key(9)), Err(SignatureError::TooMany));
    let over = [full, signatures(&[9])].concat();
    assert_eq!(read(&over), Err(SignatureError::TooMany));
}

#[test]
fn the_signatures_of_a_stranger_have_to_fit_as_well() {
    let mut bytes = signed(&[1, 2]);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(read(&bytes), Err(SignatureError::Wrong(key(2).public())));
}

#[test]
fn what_is_no_component_is_neither_signed_nor_read() {
    for bytes in [&b""[..], b"(component)", b"\0asm\x01\0\0\0"] {
        let error = sign(bytes, &key(1)).unwrap_err();
        assert!(matches!(error, SignatureError::Section(SectionError::NotAComponent(_))));
    }
}

proptest! {
    /// Cut, doubled, inserted or overwritten anywhere: whatever is still signed is what was signed.
    #[test]
    fn whatever_is_done_to_the_bytes_only_what_was_signed_is_signed(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        with in prop::collection::vec(any::<u8>(), 0..40),
        from in any::<prop::sample::Index>(),
        copies in any::<bool>(),
    ) {
        let good = signed(&[1]);
        let at = at.index(good.len());
        let end = (at + length).min(good.len());
        let from = from.index(good.len());
        let with = if copies { good[from..(from + with.len()).min(good.len())].to_vec() } else { with };
        let bytes = [&good[..at], &with, &good[end..]].concat();
        if let Ok(found) = read(&bytes) && !found.signers.is_empty() {
            prop_assert_eq!(found, read(&good).unwrap());
            prop_assert_eq!(bytes, good);
        }
    }
}
