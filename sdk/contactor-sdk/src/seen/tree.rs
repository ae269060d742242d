//! The records of a stream over several values of the state: a tree that branches by four bits of the id's fingerprint. A value that
//! is full becomes a branch with sixteen values below it.

use std::collections::BTreeMap;

use super::{ENTRY, Entries, FULL};
use crate::{Error, Result, state};

/// What a value holds in place of entries when it has become a branch. No list of entries has a length of one byte.
const BRANCH: &[u8] = b"/";
/// Levels of branches. The third is never reached within the 1,000 keys of a connection.
const DEEPEST: usize = 4;

/// The records of a stream; values are read when they are first needed.
#[derive(Debug)]
pub(super) struct Tree {
    prefix: String,
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug, Clone)]
struct Node {
    version: u64,
    /// Nothing when the node is a branch.
    entries: Option<Entries>,
}

impl Tree {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}/"), nodes: BTreeMap::new() }
    }

    /// The content that was noted for an id.
    pub(super) fn get(&mut self, id: u64) -> Result<Option<u64>> {
        let leaf = self.leaf(id)?;
        Ok(self.node(&leaf)?.entries.as_ref().and_then(|entries| entries.get(&id).copied()))
    }

    /// Notes contents, and writes every value that they change once.
    pub(super) fn insert(&mut self, entries: Entries) -> Result<()> {
        let mut by_leaf: BTreeMap<String, Entries> = BTreeMap::new();
        for (id, content) in entries {
            by_leaf.entry(self.leaf(id)?).or_default().insert(id, content);
        }
        by_leaf.into_iter().try_for_each(|(leaf, more)| {
            let mut entries = self.node(&leaf)?.entries.clone().unwrap_or_default();
            entries.extend(more);
            self.store(&leaf, entries)
        })
    }

    /// The key of the value that holds an id, or would.
    fn leaf(&mut self, id: u64) -> Result<String> {
        let mut key = self.prefix.clone();
        for level in 0..DEEPEST {
            if self.node(&key)?.entries.is_some() {
                break;
            }
            key.push(nibble(id, level));
        }
        Ok(key)
    }

    fn node(&mut self, key: &str) -> Result<&mut Node> {
        if !self.nodes.contains_key(key) {
            let node = match state::get(key)? {
                None => Node { version: 0, entries: Some(Entries::new()) },
                Some(entry) if entry.value == BRANCH => Node { version: entry.version, entries: None },
                Some(entry) => Node { version: entry.version, entries: Some(from_bytes(&entry.value)?) },
            };
            self.nodes.insert(key.to_owned(), node);
        }
        self.nodes.get_mut(key).ok_or_else(|| Error::other("a value of the seen records vanished"))
    }

    /// Writes a value, or what it falls into when it is too large. Children come before the branch that leads to them: until it is
    /// written, the former value counts.
    fn store(&mut self, key: &str, entries: Entries) -> Result<()> {
        let level = key.len() - self.prefix.len();
        if entries.len() <= FULL || level == DEEPEST {
            self.write(key, &to_bytes(entries.iter().map(|(id, content)| (*id, *content))), Some(entries))
        } else {
            let mut children: BTreeMap<char, Entries> = BTreeMap::new();
            for (id, content) in entries {
                children.entry(nibble(id, level)).or_default().insert(id, content);
            }
            for (nibble, entries) in children {
                self.store(&format!("{key}{nibble}"), entries)?;
            }
            self.write(key, BRANCH, None)
        }
    }

    fn write(&mut self, key: &str, value: &[u8], entries: Option<Entries>) -> Result<()> {
        let version = state::compare_and_set(key, self.node(key)?.version, value)?;
        self.nodes.insert(key.to_owned(), Node { version, entries });
        Ok(())
    }
}

/// The branch of an id on a level, as a digit.
fn nibble(id: u64, level: usize) -> char {
    let digit = (id >> (60 - 4 * level)) & 0xF;
    char::from_digit(u32::try_from(digit).unwrap_or_default(), 16).unwrap_or('0')
}

pub(super) fn to_bytes(entries: impl Iterator<Item = (u64, u64)>) -> Vec<u8> {
    entries.flat_map(|(id, content)| [id.to_le_bytes(), content.to_le_bytes()]).flatten().collect()
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Entries> {
    let damaged =
        || Error::other("the state's list of seen records is damaged: its length is no multiple of 16");
    let (entries, []) = bytes.as_chunks::<ENTRY>() else { return Err(damaged()) };
    let number = |half: &[u8]| half.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    Ok(entries.iter().map(|entry| (number(&entry[..8]), number(&entry[8..]))).collect())
}
