//! Where a record lives on that is gone under its own id.
//!
//! HighLevel merges contacts without telling: the loser answers 404 from then on, and the survivor has its email or phone, if only as
//! a further one. Partners merge, too.
//!
//! An email is somebody's own. A phone is not: people of one household share one, so it counts only together with the name. What
//! is less than that is a doubt, which a person decides.

use std::collections::BTreeMap;

use contactor_store::{FailureClass, Link, LinkState, RecordId, Side};
use contactor_sync::{Base, Fields, LivesOn, Value};

use crate::convert::own_side;
use crate::failure::{self, Failure};
use crate::reconcile::plan::NaturalKey;
use crate::reconcile::sides::{RunContext, SideRecord};

/// A key that several people may have.
const SHARED: &str = "phone";
/// HighLevel's fields that say who somebody is.
const NAMES: [&str; 3] = ["firstName", "lastName", "name"];

/// What a search for the survivor of a gone record found.
pub(crate) enum Search {
    /// Nobody else is known by what it was known by.
    Nobody,
    /// One record is, beyond doubt.
    One(Survivor),
    /// These are, have no counterpart of their own, and may be somebody else.
    Doubt(Vec<RecordId>),
}

/// The one other record that answers to what a gone record was known by.
pub(crate) struct Survivor {
    pub(crate) id: RecordId,
    /// It has no counterpart of its own.
    pub(crate) free: bool,
}

impl Search {
    /// The one that is beyond doubt.
    pub(crate) fn proven(&self) -> Option<&Survivor> {
        match self {
            Self::One(survivor) => Some(survivor),
            _ => None,
        }
    }

    pub(super) fn lives_on(&self) -> LivesOn {
        match self {
            Self::One(survivor) if survivor.free => LivesOn::Yes,
            Self::Nobody | Self::One(_) => LivesOn::No,
            Self::Doubt(_) => LivesOn::Perhaps,
        }
    }

    /// Why nobody can tell, for the person who is asked.
    pub(crate) fn doubt(&self, system: &str) -> Option<String> {
        let Self::Doubt(others) = self else { return None };
        let others: Vec<_> = others.iter().map(RecordId::as_str).collect();
        Some(format!(
            "in {system} {} may be the same person, merged, or somebody with the same phone: give the right one the email, or the \
             name, and it is linked at the next look",
            others.join(" and ")
        ))
    }
}

impl RunContext {
    /// Looks for the record of this side, other than the pair's own, that is the same person.
    pub(crate) async fn survivor(
        &self,
        link: &Link,
        side: Side,
        left: &SideRecord,
    ) -> Result<Search, Failure> {
        let own = if side == Side::Highlevel { &link.highlevel_id } else { &link.partner_id };
        let mut found: BTreeMap<RecordId, bool> = BTreeMap::new();
        for key in self.keys_of_pair(link, side, left)? {
            for record in self.bearers(link, side, &key).await? {
                let proven = self.proves(link, side, &record, &key)?;
                *found.entry(record.id).or_default() |= proven;
            }
        }
        found.remove(own);
        let mut proven = found.iter().filter(|(_, proven)| **proven).map(|(id, _)| id);
        if let (Some(id), None) = (proven.next(), proven.next()) {
            let free = self.link(&link.entity, side, id).await?.is_none();
            return Ok(Search::One(Survivor { id: id.clone(), free }));
        }
        let mut others = Vec::new();
        for id in found.into_keys() {
            // Whoever has a counterpart of its own is known to be somebody else.
            if self.link(&link.entity, side, &id).await?.is_none() {
                others.push(id);
            }
        }
        Ok(if others.is_empty() { Search::Nobody } else { Search::Doubt(others) })
    }

    /// Whether a record may take the place of a pair's gone one when it comes to be synced itself.
    ///
    /// # Errors
    /// `Conflict` when only the phone speaks for it.
    pub(crate) fn may_succeed(
        &self,
        link: &Link,
        highlevel: &SideRecord,
        partner: &SideRecord,
    ) -> Result<(), Failure> {
        let partners = self.active.manifest.partner.name.as_str();
        let (side, system, newcomer, left, gone) = match link.state {
            // Of another pair that is whole nothing is taken over here.
            LinkState::Active => return Ok(()),
            LinkState::HighlevelMissing | LinkState::HighlevelDeleted => {
                (Side::Highlevel, "HighLevel", highlevel, partner, &link.highlevel_id)
            }
            LinkState::PartnerMissing | LinkState::PartnerDeleted => {
                (Side::Partner, partners, partner, highlevel, &link.partner_id)
            }
        };
        // When nothing is known any more of who it was, the connector's keys decide as for any two records.
        if newcomer.id == *gone || link.base.is_empty() {
            return Ok(());
        }
        for key in self.keys_of_pair(link, side, left)? {
            if self.proves(link, side, newcomer, &key)? {
                return Ok(());
            }
        }
        let (new, left) = (&newcomer.id, &left.id);
        Err(Failure::new(
            FailureClass::Conflict,
            format!(
                "{new} in {system} has the phone of {gone}, which is gone there, but neither its email nor its name: it may be the same \
                 person or somebody of the household, so it was not linked to {left}. Give it the email or the name of {left} if it is \
                 the same person, or another phone if not"
            ),
        ))
    }

    /// Whether a key says beyond doubt that a record is the person of this pair.
    fn proves(
        &self,
        link: &Link,
        side: Side,
        record: &SideRecord,
        key: &NaturalKey,
    ) -> Result<bool, Failure> {
        Ok(self.carries(&link.entity, side, record, key)
            && (key.highlevel != SHARED || self.same_name(link, side, record)?))
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

    /// The records that the system itself takes for those with this key.
    async fn bearers(&self, link: &Link, side: Side, key: &NaturalKey) -> Result<Vec<SideRecord>, Failure> {
        if side == Side::Partner {
            return self.find_partner(&link.entity, &key.partner, &key.value).await;
        }
        let (email, phone) = match key.highlevel.as_str() {
            "email" => (Some(key.value.as_str()), None),
            "phone" => (None, Some(key.value.as_str())),
            _ => return Ok(Vec::new()),
        };
        let found = self.location.find_duplicate(email, phone).await;
        let Some(found) = found.map_err(|error| failure::of_highlevel(&error))? else {
            return Ok(Vec::new());
        };
        // The duplicate search answers fewer fields than a read by id: further emails and phones are missing.
        let record = self.read_highlevel(&RecordId::new(found.id.as_str())).await?;
        // The vendor's search by phone has been faulty: what came back must really carry the key.
        let record = record.filter(|record| email.is_some() || self.carries(&link.entity, side, record, key));
        Ok(record.into_iter().collect())
    }

    /// Whether a record has a key, if only as a further one: HighLevel keeps the addresses of those that were merged.
    fn carries(&self, entity: &str, side: Side, record: &SideRecord, key: &NaturalKey) -> bool {
        let own = self.natural_keys(entity, side, &record.fields);
        if own.iter().any(|own| own.highlevel == key.highlevel && own.value == key.value) {
            return true;
        }
        let further = match (side, key.highlevel.as_str()) {
            (Side::Highlevel, "email") => "additionalEmails",
            (Side::Highlevel, "phone") => "additionalPhones",
            _ => return false,
        };
        let mut texts = Vec::new();
        if let Some(value) = record.fields.get(further) {
            collect_texts(&value.to_json(), &mut texts);
        }
        texts.into_iter().any(|text| {
            self.active.canonical_key(&key.highlevel, Some(&Value::Text(text))).as_ref() == Some(&key.value)
        })
    }

    /// Whether a record has the name that both records of the pair last agreed on, as far as the mapping knows one.
    fn same_name(&self, link: &Link, side: Side, record: &SideRecord) -> Result<bool, Failure> {
        let (mapping, side) = (self.active.mapping(&link.entity)?, own_side(side));
        let (nothing, context) = (Fields::new(), &self.active.context);
        // As the base would have it, also for rows that lead in one direction only.
        let shown = match side {
            contactor_sync::Side::Highlevel => Base::of(mapping, &record.fields, &nothing, context),
            contactor_sync::Side::Partner => Base::of(mapping, &nothing, &record.fields, context),
        };
        let name = |value: &Value| {
            let text = value.as_text().unwrap_or_default().to_lowercase();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let mut known = false;
        for row in mapping.rows().filter(|row| NAMES.contains(&row.highlevel.as_str())) {
            let Some(agreed) = link.base.get(&row.key()) else { continue };
            let before = name(agreed.of(side));
            if before != shown.get(&row.key()).map(|shown| name(shown.of(side))).unwrap_or_default() {
                return Ok(false);
            }
            known |= !before.is_empty();
        }
        Ok(known)
    }
}

fn collect_texts(value: &serde_json::Value, texts: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => texts.push(text.clone()),
        serde_json::Value::Array(all) => all.iter().for_each(|one| collect_texts(one, texts)),
        serde_json::Value::Object(all) => all.values().for_each(|one| collect_texts(one, texts)),
        _ => {}
    }
}
