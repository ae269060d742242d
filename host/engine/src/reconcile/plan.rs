//! Decides what a run would write. Reads both sides, writes nothing.

use std::cmp::Ordering;

use contactor_runtime::bindings::types::Direction;
use contactor_store::{ConnectionId, FailureClass, FieldRemark, Link, LinkState, RecordId, RecordKey, Side};
use contactor_sync::{
    CanonicalError, FieldProblem, Fields, Merge, Problem, Seen, Value, merge, merge_decided,
};
use tokio::sync::OwnedMutexGuard;

use super::remarks;
use super::sides::{RunContext, SideRecord};
use crate::failure::{Failure, of_store};

/// How a failure begins whose record nobody can be found by.
pub(super) const NO_IDENTIFIER: &str = "no identifier";

/// What a run would do.
pub(crate) enum Plan {
    /// A clean-up rule says to leave the record alone.
    Skip { reason: String, highlevel: Option<SideRecord>, partner: Option<SideRecord> },
    /// A record of a pair is gone, and perhaps both are.
    Gone { link: Link, seen: Seen, left: Option<SideRecord> },
    /// The record is on neither side, and no pair.
    Nowhere,
    /// Both sides are known as far as they exist.
    Sync(Box<SyncPlan>),
    /// An older record of a person whose newest one is linked: it fills what HighLevel has no value for.
    Fill { highlevel: SideRecord, partner: SideRecord, fields: Fields },
}

/// The writes that bring two records into step.
pub(crate) struct SyncPlan {
    /// HighLevel's record; `None` means that it would be created.
    pub(crate) highlevel: Option<SideRecord>,
    /// The partner's record; `None` means that it would be created.
    pub(crate) partner: Option<SideRecord>,
    /// The link so far.
    pub(crate) link: Option<Link>,
    /// What differs.
    pub(crate) merge: Merge,
    /// Directions in which a clean-up rule holds the writes back, with its reason.
    pub(crate) held_back: Vec<(Side, String)>,
    /// Remarks for the admin.
    pub(crate) remarks: Vec<String>,
    /// Fields that are left out of the writes, with the reason.
    pub(crate) left: Vec<FieldRemark>,
    /// Keeps a second run from creating the same person meanwhile; released after the commit.
    pub(crate) creating: Vec<OwnedMutexGuard<()>>,
}

impl SyncPlan {
    /// Nothing would be written, and nothing new would be linked.
    pub(crate) fn is_agreed(&self) -> bool {
        self.highlevel.is_some()
            && self.partner.is_some()
            && self.merge.to_highlevel.is_empty()
            && self.merge.to_partner.is_empty()
    }
}

impl RunContext {
    /// Plans the run of a record.
    pub(crate) async fn plan(&self, key: &RecordKey, link: Option<Link>) -> Result<Plan, Failure> {
        match link {
            Some(link) => self.plan_linked(link).await,
            None => self.plan_unlinked(key).await,
        }
    }

    async fn plan_linked(&self, link: Link) -> Result<Plan, Failure> {
        let entity = link.entity.clone();
        let (highlevel, partner) = futures_util::future::try_join(
            self.read_highlevel(&link.highlevel_id),
            self.read_partner(&entity, &link.partner_id),
        )
        .await?;
        match (highlevel, partner) {
            (None, None) if link.state == LinkState::Active || link.state.is_quarantined() => {
                Ok(Plan::Gone { link, seen: Seen::Neither, left: None })
            }
            (None, None) => Ok(Plan::Nowhere),
            (None, Some(partner)) if self.is_back_alone(&link, Side::Partner).await? => {
                self.plan_from_partner(&entity, partner, Some(link)).await
            }
            (None, left) => {
                Ok(Plan::Gone { link, seen: Seen::Without(contactor_sync::Side::Highlevel), left })
            }
            (Some(highlevel), None) => self.plan_without_partner(link, highlevel).await,
            (Some(highlevel), Some(partner)) => {
                self.sync(&entity, Some(highlevel), Some(partner), Some(link), Vec::new()).await
            }
        }
    }

    /// The partner does not know the id of a linked record. Where ids change with their values, the record may go on under
    /// another one: after an update whose answer was lost.
    async fn plan_without_partner(&self, link: Link, highlevel: SideRecord) -> Result<Plan, Failure> {
        let entity = link.entity.clone();
        if self.is_back_alone(&link, Side::Highlevel).await? {
            return self.plan_from_highlevel(&entity, highlevel, Some(link)).await;
        }
        if self.active.rekeys(&entity) && matches!(link.state, LinkState::Active | LinkState::PartnerMissing)
        {
            let keys = self.natural_keys(&entity, Side::Highlevel, &highlevel.fields);
            if let (Some(partner), None) = self.counterpart(&entity, &keys).await? {
                return self.sync(&entity, Some(highlevel), Some(partner), Some(link), Vec::new()).await;
            }
        }
        let seen = Seen::Without(contactor_sync::Side::Partner);
        Ok(Plan::Gone { link, seen, left: Some(highlevel) })
    }

    /// Whether the deleted record of a pair is there again while the other one is not, because a policy deleted it, or so long ago
    /// that nobody knows: then it is like a new one.
    async fn is_back_alone(&self, link: &Link, side: Side) -> Result<bool, Failure> {
        if link.state != LinkState::deleted(side) {
            return Ok(false);
        }
        let deletion = self.deletion(link).await?;
        let deleted = deletion.is_some_and(|one| one.policy == contactor_sync::DeletePolicy::Delete);
        Ok(deleted || link.base.is_empty())
    }

    async fn plan_unlinked(&self, key: &RecordKey) -> Result<Plan, Failure> {
        match key.side {
            Side::Highlevel => match self.read_highlevel(&key.record).await? {
                Some(record) => self.plan_from_highlevel(&key.entity, record, None).await,
                None => Ok(Plan::Nowhere),
            },
            Side::Partner => match self.read_partner(&key.entity, &key.record).await? {
                Some(record) => self.plan_from_partner(&key.entity, record, None).await,
                None => Ok(Plan::Nowhere),
            },
        }
    }

    /// A contact without a counterpart: find the partner's record or plan its creation. It may have a tombstone that counts no more.
    async fn plan_from_highlevel(
        &self,
        entity: &str,
        record: SideRecord,
        own: Option<Link>,
    ) -> Result<Plan, Failure> {
        if let Some(reason) = self.admit(entity, Direction::ToPartner, &record.fields).await? {
            return Ok(Plan::Skip { reason, highlevel: Some(record), partner: None });
        }
        let keys = self.natural_keys(entity, Side::Highlevel, &record.fields);
        let guards = self.lock_keys(&keys).await;
        if own.is_none()
            && let Some(link) = self.link(entity, Side::Highlevel, &record.id).await?
        {
            drop(guards);
            return Box::pin(self.plan_linked(link)).await;
        }
        // A partner that refuses duplicates itself is asked by the create: one request instead of two for each new person.
        let refuses_duplicates = keys.iter().any(|key| key.unique);
        let missing = self.never_given(entity)?;
        // Whoever looks at a report first approves what it shows, so nothing may be found out by writing.
        let looks_first = self.preview || self.active.under_review();
        let (partner, tombstone) = if refuses_duplicates && missing.is_none() && !looks_first {
            (None, None)
        } else {
            self.counterpart(entity, &keys).await?
        };
        if let (None, Some(field)) = (&partner, missing) {
            let partner = &self.active.manifest.partner.name;
            let reason = format!(
                "it is not in {partner}, and the mapping gives {partner} no `{field}` to create it with"
            );
            return Ok(Plan::Skip { reason, highlevel: Some(record), partner: None });
        }
        self.sync(entity, Some(record), partner, own.or(tombstone), guards).await
    }

    /// A field without which the partner creates no record, and which no row of the mapping writes: an admin wants the partner's
    /// records in HighLevel and none of HighLevel's at the partner.
    fn never_given(&self, entity: &str) -> Result<Option<String>, Failure> {
        let mapping = self.active.mapping(entity)?;
        let given = |name: &str| {
            mapping
                .rows()
                .any(|row| row.partner == name && row.direction != contactor_sync::Direction::ToHighlevel)
        };
        let mut required = self.active.manifest.fields_of(entity).filter(|field| field.required);
        Ok(required.find(|field| !given(&field.name)).map(|field| field.name.clone()))
    }

    /// The plan for a contact whose create the partner refused as a duplicate; `None` while its search shows nothing.
    pub(crate) async fn plan_duplicate(
        &self,
        entity: &str,
        record: &SideRecord,
        known: Option<RecordId>,
    ) -> Result<Option<SyncPlan>, Failure> {
        let (partner, tombstone) = match known {
            Some(id) => {
                let tombstone = self.free(entity, Side::Partner, &id).await?;
                (self.read_partner(entity, &id).await?, tombstone)
            }
            None => {
                self.counterpart(entity, &self.natural_keys(entity, Side::Highlevel, &record.fields)).await?
            }
        };
        let Some(partner) = partner else { return Ok(None) };
        match self.sync(entity, Some(record.clone()), Some(partner), tombstone, Vec::new()).await? {
            Plan::Sync(plan) => Ok(Some(*plan)),
            _ => Ok(None),
        }
    }

    /// The one partner's record with one of these keys that is linked to nobody else, and the tombstone that it has.
    pub(super) async fn counterpart(
        &self,
        entity: &str,
        keys: &[NaturalKey],
    ) -> Result<(Option<SideRecord>, Option<Link>), Failure> {
        let mut found: Vec<SideRecord> = Vec::new();
        for key in keys {
            found.extend(self.find_partner(entity, &key.partner, &key.value).await?);
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        if self.active.many_to_one(entity) {
            found.sort_by(by_age);
            found.drain(..found.len().saturating_sub(1));
        }
        if found.len() > 1 {
            return Err(ambiguous(&self.active.manifest.partner.name, found.len(), keys));
        }
        let Some(partner) = found.pop() else { return Ok((None, None)) };
        let tombstone = self.free(entity, Side::Partner, &partner.id).await?;
        Ok((Some(partner), tombstone))
    }

    /// A partner's record without a counterpart: find the contact or plan its creation. It may have a tombstone that counts no more.
    async fn plan_from_partner(
        &self,
        entity: &str,
        record: SideRecord,
        own: Option<Link>,
    ) -> Result<Plan, Failure> {
        if let Some(reason) = self.admit(entity, Direction::ToHighlevel, &record.fields).await? {
            return Ok(Plan::Skip { reason, highlevel: None, partner: Some(record) });
        }
        let keys = self.natural_keys(entity, Side::Partner, &record.fields);
        if keys.is_empty() {
            if self.active.many_to_one(entity) {
                return Err(Failure::new(
                    FailureClass::Data,
                    format!(
                        "{NO_IDENTIFIER}: it has neither a usable email nor a usable phone, so nobody knows whose it is"
                    ),
                ));
            }
            // HighLevel refuses a contact that has neither.
            let reason = format!(
                "{NO_IDENTIFIER}: the partner's record has neither a usable email nor a usable phone"
            );
            return Err(Failure::new(FailureClass::Data, reason));
        }
        let mut held: Option<(RecordId, OwnedMutexGuard<()>)> = None;
        let (found, mut guards) = loop {
            let guards = self.lock_keys(&keys).await;
            if own.is_none()
                && let Some(link) = self.link(entity, Side::Partner, &record.id).await?
            {
                // Whoever is linked is created by nobody, and the plan of a pair may have to lock the same keys.
                drop(guards);
                return Box::pin(self.plan_linked(link)).await;
            }
            let found = self.contact_by(&keys).await?;
            // A run of the pair itself holds its record from the beginning.
            let mine = |id: &RecordId| {
                own.as_ref().map(|own| &own.highlevel_id) == Some(id)
                    || held.as_ref().is_some_and(|(held, _)| held == id)
            };
            let wanted = found.as_ref().filter(|_| self.active.many_to_one(entity)).map(|found| &found.id);
            let Some(id) = wanted.filter(|id| !mine(id)).cloned() else {
                break (found, guards);
            };
            // The linked record's own runs must not overlap with a change of the link. They lock the record first and these keys
            // then, so whoever has the keys must not wait for the record: it is waited for without them, and looked at anew.
            if let Some(lock) = self.try_lock_record(&id) {
                held = Some((id, lock));
                break (found, guards);
            }
            drop(guards);
            drop(held.take());
            let lock = self.lock_record(&id).await;
            held = Some((id, lock));
        };
        guards.extend(held.map(|(_, lock)| lock));
        let (mut highlevel, mut tombstone) = (None, None);
        if let Some(found) = found {
            if self.active.many_to_one(entity) {
                let link = self.link(entity, Side::Highlevel, &found.id).await?;
                if let Some(link) = link.filter(|link| link.state == LinkState::Active) {
                    return self.plan_one_of_many(link, record, guards).await;
                }
            }
            tombstone = self.free(entity, Side::Highlevel, &found.id).await?;
            // The duplicate search answers fewer fields than a read by id, and only the latter may be merged.
            highlevel = self.read_highlevel(&found.id).await?;
        }
        self.sync(entity, highlevel, Some(record), own.or(tombstone), guards).await
    }

    /// The one contact with these keys.
    async fn contact_by(&self, keys: &[NaturalKey]) -> Result<Option<SideRecord>, Failure> {
        let mut contact: Option<SideRecord> = None;
        for key in keys {
            let Some(found) = self.find_highlevel(&key.highlevel, &key.value).await? else { continue };
            if contact.as_ref().is_some_and(|other| other.id != found.id) {
                return Err(ambiguous("HighLevel", 2, keys));
            }
            contact = Some(found);
        }
        Ok(contact)
    }

    /// A further record of a person who is linked already: the newest of both keeps or takes the link.
    async fn plan_one_of_many(
        &self,
        link: Link,
        record: SideRecord,
        creating: Vec<OwnedMutexGuard<()>>,
    ) -> Result<Plan, Failure> {
        let entity = link.entity.clone();
        let (highlevel, linked) = futures_util::future::try_join(
            self.read_highlevel(&link.highlevel_id),
            self.read_partner(&entity, &link.partner_id),
        )
        .await?;
        let Some(highlevel) = highlevel else {
            let seen = match linked {
                Some(_) => Seen::Without(contactor_sync::Side::Highlevel),
                None => Seen::Neither,
            };
            return Ok(Plan::Gone { link, seen, left: linked });
        };
        let mapping = self.active.mapping(&entity)?;
        if linked.is_none_or(|linked| by_age(&linked, &record).is_lt()) {
            let base = link.base.for_successor(mapping, &record.fields, &self.active.context);
            let link = Link { base, ..link };
            return self.sync(&entity, Some(highlevel), Some(record), Some(link), creating).await;
        }
        let merged =
            merge(mapping, None, Some(&highlevel.view()), Some(&record.view()), &self.active.context)
                .map_err(|error| Failure::new(FailureClass::Config, format!("mapping: {error}")))?;
        let mut fields = merged.to_highlevel;
        fields.retain(|name, _| highlevel.fields.get(name).is_none_or(Value::is_empty));
        Ok(Plan::Fill { highlevel, partner: record, fields })
    }

    /// Merges what both sides show and asks the clean-up rules about every direction that would be written.
    pub(super) async fn sync(
        &self,
        entity: &str,
        highlevel: Option<SideRecord>,
        partner: Option<SideRecord>,
        link: Option<Link>,
        creating: Vec<OwnedMutexGuard<()>>,
    ) -> Result<Plan, Failure> {
        let mapping = self.active.mapping(entity)?;
        // A tombstone of another pair says nothing about what these two agreed on.
        let base = link
            .as_ref()
            .filter(|link| self.joins(link, highlevel.as_ref(), partner.as_ref()))
            .map(|link| &link.base);
        if let (Some(tombstone), None, Some(highlevel), Some(partner)) = (&link, base, &highlevel, &partner) {
            self.may_succeed(tombstone, highlevel, partner)?;
        }
        let highlevel_view = highlevel.as_ref().map(SideRecord::view);
        let partner_view = partner.as_ref().map(SideRecord::view);
        let mut merge = merge_decided(
            mapping,
            base,
            highlevel_view.as_ref(),
            partner_view.as_ref(),
            &self.decisions(entity),
            &self.active.context,
        )
        .map_err(|error| Failure::new(FailureClass::Config, format!("mapping: {error}")))?;
        if let (Some(record), Some(problem)) = (&partner, wrong_shape(&merge)) {
            return Err(self.misunderstood(entity, &record.id, problem));
        }
        let (told, mut left) = self.leave_out_unknown(mapping, &mut merge).await?;
        if let Some(highlevel) = highlevel.as_ref().filter(|_| entity == "contact") {
            left.extend(remarks::keep_consent_in(mapping, &highlevel.fields, &mut merge));
        }
        let mut held_back = Vec::new();
        // A record without its counterpart was admitted before the search for it.
        if let (Some(highlevel), Some(partner)) = (&highlevel, &partner) {
            if !merge.to_partner.is_empty()
                && let Some(reason) = self.admit(entity, Direction::ToPartner, &highlevel.fields).await?
            {
                left.extend(remarks::held_back(Side::Partner, &merge.to_partner, &reason));
                merge.to_partner.clear();
                held_back.push((Side::Partner, reason));
            }
            if !merge.to_highlevel.is_empty()
                && let Some(reason) = self.admit(entity, Direction::ToHighlevel, &partner.fields).await?
            {
                left.extend(remarks::held_back(Side::Highlevel, &merge.to_highlevel, &reason));
                merge.to_highlevel.clear();
                held_back.push((Side::Highlevel, reason));
            }
        }
        Ok(Plan::Sync(Box::new(SyncPlan {
            highlevel,
            partner,
            link,
            merge,
            held_back,
            remarks: told,
            left,
            creating,
        })))
    }

    /// The partner answers in another shape than its manifest says. What else it says of the record may be misread, too.
    fn misunderstood(&self, entity: &str, record: &RecordId, problem: &FieldProblem) -> Failure {
        let partner = &self.active.manifest.partner.name;
        Failure::new(
            FailureClass::Data,
            format!(
                "{partner} answered the {entity} {record} in an unexpected shape: `{}`: {}; nothing of it is written until \
                 {partner} answers as before or the connector is brought up to date, then retry",
                problem.field, problem.problem
            ),
        )
    }

    /// Whether a link is the link of these two records. A partner that changes ids is known by HighLevel's.
    pub(crate) fn joins(
        &self,
        link: &Link,
        highlevel: Option<&SideRecord>,
        partner: Option<&SideRecord>,
    ) -> bool {
        let moves = match link.state {
            LinkState::Active => self.active.rekeys(&link.entity) || self.active.many_to_one(&link.entity),
            LinkState::PartnerMissing => self.active.rekeys(&link.entity),
            _ => false,
        };
        highlevel.is_some_and(|record| record.id == link.highlevel_id)
            && partner.is_some_and(|record| moves || record.id == link.partner_id)
    }

    pub(crate) async fn link(
        &self,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<Option<Link>, Failure> {
        let link = self.engine.store().link(&self.active.connection.id, entity, side, record).await;
        link.map_err(of_store)
    }

    /// A counterpart that is linked to somebody else must not be linked again. A tombstone gives way and is answered: after
    /// a merge at the vendor the survivor takes the deleted record's place. So does one in quarantine while its record stays away.
    pub(super) async fn free(
        &self,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<Option<Link>, Failure> {
        match self.link(entity, side, record).await? {
            Some(link) if link.state == LinkState::Active || self.is_back(&link).await? => {
                let (system, other) = match side {
                    Side::Partner => (self.active.manifest.partner.name.as_str(), &link.highlevel_id),
                    Side::Highlevel => ("HighLevel", &link.partner_id),
                };
                Err(Failure::new(
                    FailureClass::Conflict,
                    format!(
                        "the matching record {record} in {system} is linked to {other} already: merge the duplicates, then retry"
                    ),
                ))
            }
            tombstone => Ok(tombstone),
        }
    }

    /// Whether the record that was not found at the last look is there again.
    async fn is_back(&self, link: &Link) -> Result<bool, Failure> {
        Ok(match link.state {
            LinkState::HighlevelMissing => self.read_highlevel(&link.highlevel_id).await?.is_some(),
            LinkState::PartnerMissing => self.read_partner(&link.entity, &link.partner_id).await?.is_some(),
            LinkState::Active | LinkState::HighlevelDeleted | LinkState::PartnerDeleted => false,
        })
    }

    /// Waits until no other run works on the record, or on its lists.
    pub(crate) async fn lock_record(&self, highlevel: &RecordId) -> OwnedMutexGuard<()> {
        self.engine.locks().lock(&record_lock(&self.active.connection.id, highlevel)).await
    }

    /// The same without waiting; `None` while another run works on it.
    fn try_lock_record(&self, highlevel: &RecordId) -> Option<OwnedMutexGuard<()>> {
        self.engine.locks().try_lock(&record_lock(&self.active.connection.id, highlevel))
    }

    /// Waits until no other run may create somebody with one of these keys. A run locks its record before the keys.
    async fn lock_keys(&self, keys: &[NaturalKey]) -> Vec<OwnedMutexGuard<()>> {
        // In the order of their names, so that two runs can never wait for each other.
        let mut names: Vec<String> = keys
            .iter()
            .map(|key| format!("{}/{}={}", self.active.workspace.id, key.highlevel, key.value))
            .collect();
        names.sort();
        names.dedup();
        let mut guards = Vec::with_capacity(names.len());
        for name in names {
            guards.push(self.engine.locks().lock(&name).await);
        }
        guards
    }

    pub(super) fn natural_keys(&self, entity: &str, side: Side, fields: &Fields) -> Vec<NaturalKey> {
        let keys = self.active.natural_keys(entity);
        keys.iter()
            .filter_map(|key| {
                let own = if side == Side::Highlevel { &key.highlevel } else { &key.partner };
                let value = self.active.canonical_key(&key.highlevel, fields.get(own))?;
                Some(NaturalKey {
                    highlevel: key.highlevel.clone(),
                    partner: key.partner.clone(),
                    value,
                    unique: key.unique,
                })
            })
            .collect()
    }
}

/// A value by which both systems know the same person.
pub(super) struct NaturalKey {
    pub(super) highlevel: String,
    pub(super) partner: String,
    pub(super) value: String,
    /// The partner refuses a second record with this value.
    pub(super) unique: bool,
}

/// The name of the lock on a record: a contact and its lists share one, because both are written to one record of the partner.
pub(crate) fn record_lock(connection: &ConnectionId, highlevel: &RecordId) -> String {
    format!("{connection}//{highlevel}")
}

/// Which of two records of the partner is older: by their times, then by their ids, which partners count up.
fn by_age(one: &SideRecord, other: &SideRecord) -> Ordering {
    let number = |record: &SideRecord| record.id.as_str().parse::<u64>().ok();
    one.updated_at
        .cmp(&other.updated_at)
        .then_with(|| number(one).cmp(&number(other)))
        .then_with(|| one.id.cmp(&other.id))
}

fn ambiguous(system: &str, count: usize, keys: &[NaturalKey]) -> Failure {
    let keys: Vec<_> = keys.iter().map(|key| key.highlevel.as_str()).collect();
    Failure::new(
        FailureClass::Conflict,
        format!(
            "{count} records in {system} match by {}: a person has to say which is the right one",
            keys.join(" or ")
        ),
    )
}

/// A value of the partner's that is of no shape that its field can have.
fn wrong_shape(merge: &Merge) -> Option<&FieldProblem> {
    merge.problems.iter().find(|problem| {
        problem.side == contactor_sync::Side::Partner
            && matches!(problem.problem, Problem::Canonical(CanonicalError::Shape { .. }))
    })
}
