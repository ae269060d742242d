//! What a poll has seen already: for partners that can neither tell what changed nor since when. The poll walks through everything,
//! and only what is new or different becomes a change.
//!
//! ```
//! use contactor_sdk::prelude::*;
//! use contactor_sdk::{json, seen::Seen};
//!
//! fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
//!     let mut seen = Seen::open(stream, cursor)?;
//!     let page: u32 = seen.position().and_then(|page| page.parse().ok()).unwrap_or(1);
//!     let people: Vec<serde_json::Value> = partner::get("/people").query("page", page).send()?.json()?;
//!     let id = |person: &serde_json::Value| json::id(&person["id"]);
//!     let changes = seen.changes("contact", &people, id, |seen, person| {
//!         let id = json::required_id(person, "/id")?;
//!         let is_news = seen.is_news(&id, person)?;
//!         Ok(is_news.then(|| Change::new(ChangeKind::Updated, "contact", id)))
//!     })?;
//!     if people.is_empty() { seen.last(changes, None) } else { seen.more(changes, (page + 1).to_string()) }
//! }
//! # use contactor_sdk::testing::{MockHost, json as answer};
//! # let _host = MockHost::new()
//! #     .route("GET /people", |request| answer(200, match request.query_value("page") {
//! #         Some("1") => serde_json::json!([{ "id": 7 }]), _ => serde_json::json!([]) }))
//! #     .install();
//! let first = poll("people", None)?;
//! assert_eq!(first.changes.len(), 1);
//! let second = poll("people", first.cursor.as_deref())?;
//! let again = poll("people", second.cursor.as_deref())?;
//! assert!(again.changes.is_empty(), "nothing is new in the second walk");
//! # Ok::<(), contactor_sdk::Error>(())
//! ```
//!
//! The host commits a page's changes together with its cursor, after `poll` has answered. So what a page noted counts only when the
//! host comes back with the cursor of that page: a crash in between repeats the page, it loses nothing. A record that two pages
//! show, because the list moved meanwhile, is one change.
//!
//! It is kept in [`state`](crate::state) as 16 bytes for each record: some 4,000 in one value, and room for over half a million records
//! of a connection. A change of the connector's idea of a record's content makes every record news once.

mod fingerprint;
mod tree;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use fingerprint::fingerprint;
use fingerprint::of_text;
use tree::Tree;

use crate::{Change, Error, PollPage, Result, items, state};

/// Bytes of a noted record: the fingerprint of its id, and of its content.
const ENTRY: usize = 16;
/// Records in one value of the state, which holds 64 KiB.
const FULL: usize = 4_000;

/// Fingerprints of contents by fingerprints of ids.
type Entries = BTreeMap<u64, u64>;

/// The records that a stream has seen, for one page of a poll.
#[derive(Debug)]
pub struct Seen {
    prefix: String,
    place: Place,
    tree: Tree,
    noted: Entries,
}

/// The cursor that the host keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    /// Counts the pages, so that the page behind a cursor is known.
    #[serde(rename = "n")]
    page: u64,
    /// The author's own cursor.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    position: Option<String>,
}

impl Seen {
    /// Opens what a stream has seen, with the cursor that the host handed to `poll`.
    ///
    /// # Errors
    /// [`Error::Other`] when the cursor is not one of this module, and what the state answers.
    pub fn open(stream: &str, cursor: Option<&str>) -> Result<Self> {
        let prefix = format!("seen/{stream}");
        let place = match cursor {
            Some(cursor) => serde_json::from_str(cursor).map_err(|_| {
                Error::other(format!("the stream `{stream}` cannot go on from the cursor `{cursor}`"))
            })?,
            None => Place { page: 0, position: None },
        };
        let mut seen = Self { tree: Tree::new(&prefix), prefix, place, noted: Entries::new() };
        seen.settle()?;
        Ok(seen)
    }

    /// The author's own cursor of this page; none at the beginning of a walk.
    pub fn position(&self) -> Option<&str> {
        self.place.position.as_deref()
    }

    /// Whether the record is new or its content another one than last time. Leave out of the content what changes by itself.
    ///
    /// # Errors
    /// What the state answers.
    pub fn is_news(&mut self, id: &str, content: &Json) -> Result<bool> {
        let (id, content) = (of_text(id), fingerprint(content));
        let known = match self.noted.get(&id) {
            Some(known) => Some(*known),
            None => self.tree.get(id)?,
        };
        if known == Some(content) {
            return Ok(false);
        }
        self.noted.insert(id, content);
        Ok(true)
    }

    /// The changes of each record, and for one that cannot be read a change that says so, as [`items::changes`](crate::items::changes)
    /// does it. `read` answers no change for what is no news. A record that could not be read is news when it can be again, even if
    /// nothing has changed since it was last seen.
    ///
    /// # Errors
    /// What `read` answers, unless it is about the record: [`Error::Invalid`] and [`Error::Other`] are.
    pub fn changes<C: IntoIterator<Item = Change>>(
        &mut self,
        entity: &str,
        items: &[Json],
        id: impl Fn(&Json) -> Option<String>,
        mut read: impl FnMut(&mut Self, &Json) -> Result<C>,
    ) -> Result<Vec<Change>> {
        let mut unreadable = Vec::new();
        let changes = items::each(
            items,
            |item| read(self, item),
            |item, error| {
                let id = id(item);
                // No content has this fingerprint but by chance.
                unreadable.extend(id.as_deref().map(|id| (of_text(id), !fingerprint(item))));
                Change::unreadable(entity, id, item, error)
            },
        )?;
        self.noted.extend(unreadable);
        Ok(changes)
    }

    /// The answer of `poll` when another page follows at this position.
    ///
    /// # Errors
    /// What the state answers.
    pub fn more(self, changes: Vec<Change>, position: impl Into<String>) -> Result<PollPage> {
        let cursor = self.note(Some(position.into()))?;
        Ok(PollPage::more(changes, cursor))
    }

    /// The answer of `poll` at the end; the next walk begins at this position, or from the start.
    ///
    /// # Errors
    /// What the state answers.
    pub fn last(self, changes: Vec<Change>, position: Option<String>) -> Result<PollPage> {
        let cursor = self.note(position)?;
        Ok(PollPage::last(changes, Some(cursor)))
    }

    /// Keeps what this page noted aside, until the host comes back with its cursor.
    fn note(self, position: Option<String>) -> Result<String> {
        let place = Place { page: self.place.page + 1, position };
        let entries: Vec<_> = self.noted.into_iter().collect();
        for (index, entries) in entries.chunks(FULL).enumerate() {
            let key = format!("{}+{:x}/{index}", self.prefix, place.page);
            let version = state::get(&key)?.map_or(0, |entry| entry.version);
            state::compare_and_set(&key, version, &tree::to_bytes(entries.iter().copied()))?;
        }
        Ok(serde_json::to_string(&place)?)
    }

    /// Takes over what the page before noted, now that the host has committed it, and forgets what never was.
    fn settle(&mut self) -> Result<()> {
        let own = format!("{}+{:x}/", self.prefix, self.place.page);
        let aside = state::keys(&format!("{}+", self.prefix))?;
        let (committed, lost): (Vec<_>, Vec<_>) = aside.into_iter().partition(|key| key.starts_with(&own));
        let mut entries = Entries::new();
        for key in &committed {
            if let Some(entry) = state::get(key)? {
                entries.extend(tree::from_bytes(&entry.value)?);
            }
        }
        self.tree.insert(entries)?;
        committed.iter().chain(&lost).try_for_each(|key| state::delete(key))
    }
}

#[cfg(test)]
mod tests;
