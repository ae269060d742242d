//! Fingerprints: 64 bits are enough to tell a change. Two of a million records have the same one once in 37 million such sets.

use serde_json::Value as Json;

/// The fingerprint of a document. The order of an object's members does not count, that of an array's elements does.
pub fn fingerprint(json: &Json) -> u64 {
    match json {
        Json::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let each = members.into_iter().flat_map(|(name, value)| [of_text(name), fingerprint(value)]);
            combine(6, each)
        }
        Json::Array(items) => combine(5, items.iter().map(fingerprint)),
        Json::String(text) => combine(4, [of_text(text)]),
        Json::Number(number) => combine(3, [of_text(&number.to_string())]),
        Json::Bool(yes) => combine(2, [u64::from(*yes)]),
        Json::Null => combine(1, []),
    }
}

/// FNV-1a, mixed once more, because the upper bits choose the branch of the tree.
pub(super) fn of_text(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    mix(text.bytes().fold(0xCBF2_9CE4_8422_2325, step))
}

fn combine(kind: u64, parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(mix(kind), |hash, part| mix(hash.rotate_left(5) ^ part))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input reaches every bit of the output.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_members_does_not_count_and_everything_else_does() {
        assert_eq!(fingerprint(&json!({"a": 1, "b": [1, 2]})), fingerprint(&json!({"b": [1, 2], "a": 1})));
        let different = [
            json!(null),
            json!(false),
            json!(0),
            json!("0"),
            json!(""),
            json!([]),
            json!({}),
            json!([0]),
            json!([[0]]),
            json!({"0": 0}),
            json!([1, 2]),
            json!([2, 1]),
            json!({"a": null}),
            json!({"a": ""}),
            json!(["a", "b"]),
            json!(["ab"]),
            json!({"a": "b"}),
        ];
        for (index, one) in different.iter().enumerate() {
            for other in &different[index + 1..] {
                assert_ne!(fingerprint(one), fingerprint(other), "{one} and {other}");
            }
        }
    }
}
