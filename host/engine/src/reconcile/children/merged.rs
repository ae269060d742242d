//! What a merge of two contacts in HighLevel leaves behind at the partner.
//!
//! HighLevel moves the children of the loser to the survivor and deletes the loser, without telling that they belong together.
//! The survivor's lists carry the children from then on; what the loser's record still shows of them would be a second copy that
//! nobody keeps in step.

use std::collections::BTreeSet;

use contactor_store::{FieldChange, Link, RecordId, Side};
use contactor_sync::Direction;

use super::list::{ChildList, Home};
use crate::failure::{self, Failure};
use crate::reconcile::sides::RunContext;

/// What was taken off the loser's record, and the links that go with it.
#[derive(Default)]
pub(crate) struct Emptied {
    pub(crate) changes: Vec<FieldChange>,
    pub(crate) unlinked: Vec<Link>,
}

impl RunContext {
    /// Empties the lists of a contact that was merged into another one, at its record of the partner. A contact that was only
    /// deleted keeps them: that it was merged is taken for certain when the other contact has one of its children now.
    ///
    /// Records of their own stay, with their links: the survivor's list takes them over by these.
    pub(crate) async fn empty_lists(&self, loser: &Link, survivor: &RecordId) -> Result<Emptied, Failure> {
        let mut emptied = Emptied::default();
        if !self.were_merged(loser, survivor).await? {
            return Ok(emptied);
        }
        for list in self.active.lists.values() {
            let store = self.engine.store();
            let id = &self.active.connection.id;
            let own = store.link(id, list.kind.list(), Side::Highlevel, &loser.highlevel_id).await;
            let own = own.map_err(failure::of_store)?;
            let Some(record) = self.read_partner(&loser.entity, &loser.partner_id).await? else {
                return Ok(emptied);
            };
            // Nothing flows to a contact that is gone; and what the partner alone has is nobody's to remove.
            let one_way = match (&list.home, list.direction) {
                (Home::Records, _) | (_, Direction::ToHighlevel) => {
                    ChildList { children: None, ..list.clone() }
                }
                _ => ChildList { direction: Direction::ToPartner, ..list.clone() },
            };
            let contact = loser.highlevel_id.clone();
            let plan = self.plan_read_list(&one_way, contact, Vec::new(), record, own.clone()).await?;
            let applied = self.apply_list(&one_way, plan).await;
            if let Some(failure) = applied.failure {
                return Err(failure);
            }
            emptied.changes.extend(applied.changes);
            emptied.unlinked.extend(applied.unlinked);
            emptied.unlinked.extend(own);
        }
        Ok(emptied)
    }

    /// Whether a child of the one contact belongs to the other one now.
    async fn were_merged(&self, loser: &Link, survivor: &RecordId) -> Result<bool, Failure> {
        for list in self.active.lists.values() {
            let links = self.links_of(list.kind, &loser.highlevel_id).await?;
            if links.is_empty() {
                continue;
            }
            let theirs = self.read_children(list.kind, survivor).await?.unwrap_or_default();
            let theirs: BTreeSet<&str> = theirs.iter().filter_map(|child| child.id.as_deref()).collect();
            if links.keys().any(|id| theirs.contains(id.as_str())) {
                return Ok(true);
            }
        }
        // The survivor's lists may have taken all of them over already: then elements that the host named show whose they are.
        let Some(record) = self.read_partner(&loser.entity, &loser.partner_id).await? else {
            return Ok(false);
        };
        for list in self.active.lists.values().filter(|list| matches!(list.home, Home::Field(_))) {
            for child in self.partner_list(list, record.clone()).await?.children {
                let Some(id) = child.id.map(RecordId::new) else { continue };
                let link = self.child_link(list.kind, Side::Highlevel, &id).await?;
                if link.is_some_and(|link| link.parent.as_ref() == Some(survivor)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
