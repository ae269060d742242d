//! The search index: contacts as they were a moment ago.
//!
//! Search answers from here, never from the records, so a search right after a write misses it as it does at the
//! vendor ("changes take a few seconds to appear", facts on HighLevel, 4.2).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::state::Contact;
use crate::clock::Millis;

/// What search can see, and what it will see later.
#[derive(Debug, Default)]
pub(crate) struct SearchIndex {
    visible: HashMap<String, Arc<Contact>>,
    /// Changes not yet visible; `None` waits for [`SearchIndex::release`].
    coming: VecDeque<(Option<Millis>, Arc<Contact>)>,
}

impl SearchIndex {
    /// Takes note of a changed contact that becomes visible at `from`.
    pub(crate) fn announce(&mut self, contact: Arc<Contact>, from: Option<Millis>) {
        self.coming.push_back((from, contact));
    }

    /// Makes everything visible now.
    pub(crate) fn release(&mut self) {
        while let Some((_, contact)) = self.coming.pop_front() {
            self.show(contact);
        }
    }

    /// Every contact visible at `now`, in no order.
    pub(crate) fn at(&mut self, now: Millis) -> impl Iterator<Item = &Arc<Contact>> {
        while self.coming.front().is_some_and(|(from, _)| from.is_some_and(|from| from <= now)) {
            if let Some((_, contact)) = self.coming.pop_front() {
                self.show(contact);
            }
        }
        self.visible.values()
    }

    fn show(&mut self, contact: Arc<Contact>) {
        if contact.deleted {
            self.visible.remove(&contact.id);
        } else {
            self.visible.insert(contact.id.clone(), contact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(deleted: bool) -> Arc<Contact> {
        Arc::new(Contact { id: "a".into(), deleted, ..Contact::default() })
    }

    #[test]
    fn a_change_is_seen_only_after_its_lag() {
        let mut index = SearchIndex::default();
        index.announce(contact(false), Some(500));
        assert_eq!(index.at(499).count(), 0);
        assert_eq!(index.at(500).count(), 1);
        index.announce(contact(true), None);
        assert_eq!(index.at(i64::MAX).count(), 1);
        index.release();
        assert_eq!(index.at(500).count(), 0);
    }
}
