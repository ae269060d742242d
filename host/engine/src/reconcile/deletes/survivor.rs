//! Where a record lives on that is gone under its own id.
//!
//! HighLevel merges contacts without telling: the loser answers 404 from then on, and the survivor has its email or phone, if only as
//! a further one. Partners merge, too.

use std::collections::BTreeSet;

use contactor_store::{Link, RecordId, Side};

use crate::convert;
use crate::failure::{self, Failure};
use crate::reconcile::plan::NaturalKey;
use crate::reconcile::sides::{RunContext, SideRecord};

/// The one other record that answers to what a gone record was known by.
pub(crate) struct Survivor {
    pub(crate) id: RecordId,
    /// It has no counterpart of its own.
    pub(crate) free: bool,
}

impl RunContext {
    /// The one record of this side, other than the pair's own, with a natural key of the pair. Several are none: nobody can tell.
    pub(crate) async fn survivor(
        &self,
        link: &Link,
        side: Side,
        left: &SideRecord,
    ) -> Result<Option<Survivor>, Failure> {
        let mut found = BTreeSet::new();
        for key in self.keys_of_pair(link, side, left)? {
            match side {
                Side::Highlevel => found.extend(self.bearer(&key).await?),
                Side::Partner => {
                    let records = self.find_partner(&link.entity, &key.partner, &key.value).await?;
                    found.extend(records.into_iter().map(|record| record.id));
                }
            }
        }
        found.remove(if side == Side::Highlevel { &link.highlevel_id } else { &link.partner_id });
        let Some(id) = found.pop_first().filter(|_| found.is_empty()) else { return Ok(None) };
        let free = self.link(&link.entity, side, &id).await?.is_none();
        Ok(Some(Survivor { id, free }))
    }

    /// What both records were known by when they last agreed, or else what the one that is left is known by.
    fn keys_of_pair(&self, link: &Link, gone: Side, left: &SideRecord) -> Result<Vec<NaturalKey>, Failure> {
        let own = if gone == Side::Highlevel { Side::Partner } else { Side::Highlevel };
        let mut keys = self.natural_keys(&link.entity, own, &left.fields);
        let mapping = self.active.mapping(&link.entity)?;
        for key in self.active.natural_keys(&link.entity) {
            let row = mapping.rows().find(|row| row.highlevel == key.highlevel && row.partner == key.partner);
            // The partner's offer is in HighLevel's terms.
            let agreed = row.and_then(|row| link.base.get(&row.key()));
            let value = agreed.and_then(|agreed| {
                self.active.canonical_key(&key.highlevel, Some(agreed.of(contactor_sync::Side::Partner)))
            });
            if let Some(value) = value.filter(|value| keys.iter().all(|known| known.value != *value)) {
                keys.push(NaturalKey {
                    highlevel: key.highlevel.clone(),
                    partner: key.partner.clone(),
                    value,
                    unique: key.unique,
                });
            }
        }
        Ok(keys)
    }

    /// The contact that HighLevel itself takes for this email or phone, which it may have as a further one.
    async fn bearer(&self, key: &NaturalKey) -> Result<Option<RecordId>, Failure> {
        let (email, phone) = match key.highlevel.as_str() {
            "email" => (Some(key.value.as_str()), None),
            "phone" => (None, Some(key.value.as_str())),
            _ => return Ok(None),
        };
        let found = self.location.find_duplicate(email, phone).await;
        let Some(found) = found.map_err(|error| failure::of_highlevel(&error))? else { return Ok(None) };
        let id = RecordId::new(found.id.as_str());
        if phone.is_none() {
            return Ok(Some(id));
        }
        // The vendor's search by phone has been faulty: what came back must really carry the key.
        let Some(record) = self.read_highlevel(&id).await? else { return Ok(None) };
        let carries = record.fields.values().any(|value| {
            let text = convert::value_to_json(value).to_string().to_lowercase();
            text.contains(&key.value.to_lowercase())
        });
        Ok(carries.then_some(id))
    }
}
