//! The search index: contacts as they were a moment ago.
//!
//! Search answers from here, never from the records, so a search right after a write misses it as it does at the
//! vendor (its search page warns that changes take a few seconds to appear).

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
    /// Takes note at `now` of a changed contact that becomes visible at `from`.
    pub(crate) fn announce(&mut self, contact: Arc<Contact>, now: Millis, from: Option<Millis>) {
        // Nobody may ever search: what is due must not pile up.
        self.catch_up(now);
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
        self.catch_up(now);
        self.visible.values()
    }

    fn catch_up(&mut self, now: Millis) {
        while self.coming.front().is_some_and(|(from, _)| from.is_some_and(|from| from <= now)) {
            if let Some((_, contact)) = self.coming.pop_front() {
                self.show(contact);
            }
        }
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
        index.announce(contact(false), 0, Some(500));
        assert_eq!(index.at(499).count(), 0);
        assert_eq!(index.at(500).count(), 1);
        index.announce(contact(true), 500, None);
        assert_eq!(index.at(i64::MAX).count(), 1);
        index.release();
        assert_eq!(index.at(500).count(), 0);
    }
}
