//! The key-encryption keys at hand: one that wraps, and former ones that only unwrap.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::{KeyId, SecretKey};

/// Longest line of a key: id, colon, 32 bytes in base64, line end.
const LINE: usize = 64;
/// Letters of a key in base64.
const BASE64_KEY: usize = 44;

/// The key that wraps from now on, and those that came before it.
#[derive(Debug)]
pub struct KeyRing {
    current: SecretKey,
    former: Vec<SecretKey>,
}

impl KeyRing {
    /// A ring of one key.
    pub fn of(current: SecretKey) -> Self {
        Self { current, former: Vec::new() }
    }

    /// Reads `<key id>:<base64 of the key>`, one a line (or, in a variable, between blanks). The first key is the current one.
    /// Lines that begin with `#` are comments.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut keys: Vec<SecretKey> = Vec::new();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for entry in lines.flat_map(str::split_whitespace) {
            let key = parse_key(entry)?;
            if keys.iter().any(|known| known.id() == key.id()) {
                return Err("it names the same key twice");
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or("it has no line with a key")?;
        Ok(Self { current, former: keys.collect() })
    }

    /// All keys of several rings; the first ring's current key is the current one. `None` without a ring.
    pub fn joined(rings: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut rings = rings.into_iter();
        let mut all = rings.next()?;
        for ring in rings {
            for key in std::iter::once(ring.current).chain(ring.former) {
                if all.key(key.id()).is_none() {
                    all.former.push(key);
                }
            }
        }
        Some(all)
    }

    /// The key that wraps.
    pub fn current(&self) -> &SecretKey {
        &self.current
    }

    /// The ids of the keys that only unwrap, newest first.
    pub fn former(&self) -> impl Iterator<Item = &KeyId> {
        self.former.iter().map(SecretKey::id)
    }

    /// The ids of all keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        std::iter::once(self.current.id()).chain(self.former())
    }

    /// The key with this id, to open what it sealed.
    pub fn key(&self, id: &KeyId) -> Option<&SecretKey> {
        std::iter::once(&self.current).chain(&self.former).find(|key| key.id() == id)
    }

    /// The same keys behind a new current one.
    pub(super) fn renewed(self, key: SecretKey) -> Self {
        Self { current: key, former: std::iter::once(self.current).chain(self.former).collect() }
    }

    /// The same keys without those former ones that nothing needs.
    pub(super) fn without(mut self, unneeded: &[KeyId]) -> Self {
        self.former.retain(|key| !unneeded.contains(key.id()));
        self
    }

    /// The lines that [`parse`](Self::parse) reads.
    pub(super) fn lines(&self) -> Zeroizing<String> {
        // Reserved in advance: a text that grows leaves copies of itself behind.
        let mut text = Zeroizing::new(String::with_capacity(LINE * (1 + self.former.len())));
        for key in std::iter::once(&self.current).chain(&self.former) {
            text.push_str(key.id().as_str());
            text.push(':');
            let mut base64 = Zeroizing::new([0; BASE64_KEY]);
            // Always of this length and always text.
            let length = BASE64.encode_slice(key.bytes(), base64.as_mut_slice()).unwrap_or(0);
            text.push_str(str::from_utf8(&base64[..length]).unwrap_or_default());
            text.push('\n');
        }
        text
    }
}

fn parse_key(entry: &str) -> Result<SecretKey, &'static str> {
    let (id, base64) = entry.split_once(':').ok_or("a line is not `<key id>:<key>`")?;
    // Larger than any key, so that it does not grow while it is filled.
    let mut bytes = Zeroizing::new(Vec::with_capacity(base64.len() + 4));
    BASE64.decode_vec(base64, &mut bytes).map_err(|_| "a key is not base64")?;
    let key = SecretKey::from_bytes(&bytes).ok_or("a key is not 32 bytes long")?;
    if key.id().as_str() != id {
        return Err("a key does not belong to its key id: it was altered");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: usize) -> KeyRing {
        (1..keys).fold(KeyRing::of(SecretKey::random().unwrap()), |ring, _| {
            ring.renewed(SecretKey::random().unwrap())
        })
    }

    fn ids(ring: &KeyRing) -> Vec<String> {
        ring.ids().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_read_in_the_order_in_which_they_were_written() {
        for keys in 1..4 {
            let written = ring(keys);
            let lines = written.lines();
            let read = KeyRing::parse(&format!("# a comment\n\n{}", lines.as_str())).unwrap();
            assert_eq!(ids(&read), ids(&written));
            // A variable may hold them on one line.
            assert_eq!(ids(&KeyRing::parse(&lines.replace('\n', " ")).unwrap()), ids(&written));
            for key in written.ids() {
                assert_eq!(read.key(key).unwrap().bytes(), written.key(key).unwrap().bytes());
            }
        }
    }

    #[test]
    fn a_new_key_is_the_current_one_and_the_others_still_open() {
        let former = ring(2);
        let (former_ids, key) = (ids(&former), SecretKey::random().unwrap());
        let id = key.id().clone();
        let renewed = former.renewed(key);
        assert_eq!(renewed.current().id(), &id);
        assert_eq!(renewed.former().map(ToString::to_string).collect::<Vec<_>>(), former_ids);
        let unneeded = [KeyId::from_stored(former_ids[0].as_str()), id.clone()];
        // The current key is never taken away.
        assert_eq!(ids(&renewed.without(&unneeded)), [id.to_string(), former_ids[1].clone()]);
    }

    #[test]
    fn rings_join_without_naming_a_key_twice() {
        let (one, two) = (ring(2), ring(1));
        let (first, second) = (ids(&one), ids(&two));
        let again = KeyRing::parse(&one.lines()).unwrap();
        let all = KeyRing::joined([one, two, again]).unwrap();
        assert_eq!(ids(&all), [first, second].concat());
        assert!(KeyRing::joined([]).is_none());
    }

    #[test]
    fn what_holds_no_keys_is_refused_without_quoting_it() {
        let text = ring(1).lines();
        let (id, base64) = text.trim().split_once(':').unwrap();
        for broken in [
            String::new(),
            "# nothing".to_owned(),
            format!("{id} {base64}"),
            format!("0000000000000000:{base64}"),
            format!("{id}:{}", &base64[4..]),
            format!("{id}:{base64}\n{id}:{base64}"),
            format!("{id}:{base64}\nand something else"),
        ] {
            let problem = KeyRing::parse(&broken).unwrap_err();
            assert!(!problem.contains(base64) && !problem.contains(id), "{problem}");
        }
    }
}
