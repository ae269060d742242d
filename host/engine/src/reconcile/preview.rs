//! A preview: the plan of many records, and nothing else. It holds every write back, in the engine and in the capabilities.

use std::collections::BTreeSet;
use std::sync::Arc;

use contactor_highlevel::{SearchRequest, Sort};
use contactor_store::{ConnectionId, LinkState, RecordId, RecordKey, Side};
use contactor_sync::{ConflictRecord, Fields, Policy, Seen};
use serde::{Deserialize, Serialize};

use super::children::Kind;
use super::plan::{Plan, SyncPlan};
use super::sides::{RunContext, SideRecord};
use crate::convert;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::Failure;
use crate::manage::DeletionPreview;
use crate::walk::first_page;

/// What a sync would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PreviewReport {
    /// The records that were looked at: HighLevel's in the order of its list, then those that only the partner has.
    pub items: Vec<PreviewItem>,
    /// Contacts in all; the preview looks at no more than was asked for.
    pub total: Option<u64>,
    /// Records that would be created.
    pub creates: u64,
    /// Records that would be changed.
    pub updates: u64,
    /// Records that are in step.
    pub unchanged: u64,
    /// Records that a rule leaves alone.
    pub skipped: u64,
    /// Conflicts that a policy would decide.
    pub conflicts: u64,
    /// Records that would be parked.
    pub parked: u64,
    /// Calls to HighLevel that the preview itself made.
    pub highlevel_calls: u64,
    /// Calls to HighLevel that a sync of these records would make, reads included.
    pub estimated_highlevel_calls: u64,
    /// Requests to the partner that the preview itself made.
    pub partner_calls: u64,
    /// Requests to the partner that a sync of these records would make, reads included.
    #[serde(default)]
    pub estimated_partner_calls: u64,
    /// What a reader has to know of it, such as records that could not be listed.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// What a sync of one record would do.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPreview {
    /// A report about this record alone.
    pub report: PreviewReport,
    /// What follows because one of the two records is gone.
    pub deletion: Option<DeletionPreview>,
}

/// What would happen to one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewItem {
    /// HighLevel's id.
    pub highlevel_id: Option<RecordId>,
    /// The partner's id.
    pub partner_id: Option<RecordId>,
    /// Who it is, for a person.
    pub label: Option<String>,
    /// What would happen.
    pub verdict: Verdict,
    /// Why, when it would be skipped or parked.
    pub reason: Option<String>,
    /// Fields that would be written, on either side.
    pub changes: Vec<PlannedChange>,
    /// Fields on which both sides differ and a policy decides.
    pub conflicts: Vec<PlannedConflict>,
    /// Lists of child records that follow the contact; each costs a read.
    #[serde(default)]
    pub lists: u64,
    /// The side whose record is gone while the pair is not given up.
    #[serde(default)]
    pub lost: Option<Side>,
}

/// What would happen to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It would be created at the partner.
    CreatePartner,
    /// It would be created in HighLevel.
    CreateHighlevel,
    /// It would be changed on at least one side.
    Update,
    /// It would only be linked.
    Link,
    /// Both sides agree.
    Unchanged,
    /// A rule leaves it alone.
    Skip,
    /// A person would have to look at it.
    Park,
}

/// Both sides hold different values of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedConflict {
    /// HighLevel's field.
    pub highlevel_field: String,
    /// The partner's field.
    pub partner_field: String,
    /// What HighLevel holds.
    pub highlevel: serde_json::Value,
    /// What the partner holds.
    pub partner: serde_json::Value,
    /// The row's policy.
    pub policy: Policy,
    /// Whose value would be in place on both sides; none while a person has to decide.
    pub winner: Option<Side>,
}

impl From<&ConflictRecord> for PlannedConflict {
    fn from(conflict: &ConflictRecord) -> Self {
        let held = |side| convert::value_to_json(conflict.held(side).unwrap_or_else(|| conflict.offer(side)));
        Self {
            highlevel_field: conflict.highlevel_field.clone(),
            partner_field: conflict.partner_field.clone(),
            highlevel: held(contactor_sync::Side::Highlevel),
            partner: held(contactor_sync::Side::Partner),
            policy: conflict.policy,
            winner: conflict.winner.map(|side| match side {
                contactor_sync::Side::Highlevel => Side::Highlevel,
                contactor_sync::Side::Partner => Side::Partner,
            }),
        }
    }
}

/// One field that would be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The side that would be written.
    pub side: Side,
    /// The field.
    pub field: String,
    /// Its value now.
    pub before: serde_json::Value,
    /// Its value then.
    pub after: serde_json::Value,
}

impl Engine {
    /// Plans the first `limit` contacts of the location, and as many records that only the partner has, without writing anything
    /// anywhere.
    pub async fn preview(&self, id: &ConnectionId, limit: u32) -> Result<PreviewReport, EngineError> {
        let active = self.active(id).await?;
        let run = self.interactive(&active, true);
        let mut report = PreviewReport::default();
        let mut cursor = None;
        let mut left = limit.clamp(1, 10_000);
        loop {
            let request = SearchRequest {
                limit: self.config().page_size.min(left),
                sort: vec![Sort { field: "dateAdded".to_owned(), descending: false }],
                cursor: cursor.take(),
                ..SearchRequest::default()
            };
            let page = run.location.search_contacts(&request).await?;
            report.total = page.total.or(report.total);
            for hit in &page.hits {
                let key = RecordKey {
                    connection: id.clone(),
                    entity: "contact".to_owned(),
                    side: Side::Highlevel,
                    record: RecordId::new(hit.id.as_str()),
                };
                let item = self.preview_record(&run, &key).await?;
                report.add(item);
                left = left.saturating_sub(1);
            }
            cursor = page.next;
            if cursor.is_none() || left == 0 {
                break;
            }
        }
        self.preview_partner(&run, limit.clamp(1, 10_000) as usize, &mut report).await?;
        report.highlevel_calls = run.recorder.count("highlevel");
        report.partner_calls = run.recorder.count("partner");
        Ok(report)
    }

    /// Plans records that the partner's streams list and that are not linked: those that a sync would bring to HighLevel.
    async fn preview_partner(
        &self,
        run: &RunContext,
        limit: usize,
        report: &mut PreviewReport,
    ) -> Result<(), EngineError> {
        let partner = run.active.manifest.partner.name.clone();
        if run.active.manifest.streams.is_empty() {
            report.remarks.push(format!(
                "the connector cannot list the records of {partner}: those that exist only there are not in this preview, and appear \
                 when their webhook comes"
            ));
        }
        let mut known: BTreeSet<RecordId> =
            report.items.iter().filter_map(|item| item.partner_id.clone()).collect();
        let mut left = limit;
        for stream in &run.active.manifest.streams {
            // From its beginning, and no further than one page: what the streams have read so far stays as it is.
            let found = match first_page(run, &stream.name).await {
                Ok(found) => found,
                Err(failure) => {
                    let why = failure.message;
                    report.remarks.push(format!("{partner}'s `{}` could not be listed: {why}", stream.name));
                    continue;
                }
            };
            if found.more {
                report.remarks.push(format!(
                    "of {partner}'s `{}` only the first page was looked at for records that exist only there",
                    stream.name
                ));
            }
            for mark in found.marks {
                let is_contact = mark.entity == "contact" && mark.side == Side::Partner && !mark.deleted;
                if !is_contact || left == 0 || !known.insert(mark.record.clone()) {
                    continue;
                }
                let id = &run.active.connection.id;
                let key = RecordKey {
                    connection: id.clone(),
                    entity: mark.entity.clone(),
                    side: Side::Partner,
                    record: mark.record,
                };
                if self.store().link(id, &key.entity, key.side, &key.record).await?.is_some() {
                    continue;
                }
                left -= 1;
                let item = self.preview_record(run, &key).await?;
                // One that matches a contact is that contact's business, beyond those that were looked at.
                if item.highlevel_id.is_none() {
                    report.add(item);
                }
            }
        }
        Ok(())
    }

    /// Plans one record without writing anything anywhere.
    ///
    /// # Errors
    /// No such connection, or records of this kind are not planned by themselves.
    pub async fn preview_one(&self, key: &RecordKey) -> Result<RecordPreview, EngineError> {
        let active = self.active(&key.connection).await?;
        let (id, entity) = (&key.connection, &key.entity);
        if Kind::of_entity(entity).is_some() && active.manifest.entity(entity).is_some() {
            return Err(EngineError::Invalid(format!(
                "a {entity} follows the list of its contact: preview the contact, which shows what would become of its lists"
            )));
        }
        if !active.maps(entity) {
            return Err(EngineError::Invalid(format!("{id} has no entity `{entity}` that is kept in step")));
        }
        let run = self.interactive(&active, true);
        let mut item = self.preview_record(&run, key).await?;
        let lost = item.lost;
        let mut deletion = None;
        if let Some(side) = lost {
            deletion = Some(self.planned_deletion(&run, side, &key.record).await?);
        }
        if let (Some(_), Some(highlevel)) = (lost, &item.highlevel_id)
            && let Some(stored) = self.store().deletion_of(id, entity, highlevel).await?
        {
            item.reason = Some(self.deletion_view(stored).await?.next);
        }
        let mut report = PreviewReport { total: Some(1), ..PreviewReport::default() };
        report.add(item);
        if let Some(deletion) = &deletion {
            let calls = |side| deletion.calls.iter().filter(|call| call.side == side).count() as u64;
            report.estimated_highlevel_calls = calls(Side::Highlevel);
            report.estimated_partner_calls = calls(Side::Partner);
        }
        report.highlevel_calls = run.recorder.count("highlevel");
        report.partner_calls = run.recorder.count("partner");
        Ok(RecordPreview { report, deletion })
    }

    /// What the run of a record would do.
    pub(crate) async fn preview_record(
        &self,
        run: &RunContext,
        key: &RecordKey,
    ) -> Result<PreviewItem, EngineError> {
        let link = self.store().link(&key.connection, &key.entity, key.side, &key.record).await?;
        let run =
            &RunContext { conflicts: Arc::new(self.store().unsettled_conflicts(key).await?), ..run.clone() };
        let plan = run.plan(key, link).await;
        let highlevel = match (&plan, key.side) {
            (_, Side::Highlevel) => Some(key.record.clone()),
            (Ok(Plan::Sync(plan)), Side::Partner) => plan.highlevel.as_ref().map(|record| record.id.clone()),
            (Ok(Plan::Gone { link, .. }), Side::Partner) => Some(link.highlevel_id.clone()),
            (_, Side::Partner) => None,
        };
        let planned = match (plan, &highlevel) {
            (Ok(plan), Some(highlevel)) => run.item_with_lists(highlevel.clone(), &plan).await,
            (Ok(plan), None) => Ok(item(key.record.clone(), &plan)),
            (Err(failure), _) => Err(failure),
        };
        let mut item =
            planned.unwrap_or_else(|failure| PreviewItem::parked(key.record.clone(), failure.message));
        item.highlevel_id = highlevel;
        if key.side == Side::Partner {
            item.partner_id = item.partner_id.or_else(|| Some(key.record.clone()));
        }
        Ok(item)
    }
}

impl RunContext {
    /// What a plan would do to a contact of HighLevel's, and what would follow it: its tasks, notes and appointments.
    pub(super) async fn item_with_lists(
        &self,
        record: RecordId,
        plan: &Plan,
    ) -> Result<PreviewItem, Failure> {
        let mut item = item(record.clone(), plan);
        if let Plan::Sync(plan) = plan {
            self.preview_lists(&record, plan.partner.clone(), &mut item).await?;
        }
        Ok(item)
    }

    async fn preview_lists(
        &self,
        record: &RecordId,
        counterpart: Option<SideRecord>,
        item: &mut PreviewItem,
    ) -> Result<(), Failure> {
        for list in self.active.lists.values() {
            let Some(plan) = self.preview_list(list, record, counterpart.clone()).await? else { continue };
            let changes = plan.changes(list.kind);
            if !changes.is_empty() && item.verdict == Verdict::Unchanged {
                item.verdict = Verdict::Update;
            }
            item.conflicts.extend(plan.pairs.iter().flat_map(|pair| &pair.merge.conflicts).map(Into::into));
            item.changes.extend(changes);
            item.lists += 1;
        }
        Ok(())
    }
}

impl PreviewItem {
    /// A record that a person would have to look at.
    pub(super) fn parked(record: RecordId, reason: String) -> Self {
        Self { reason: Some(reason), ..blank(record, Verdict::Park) }
    }

    /// Requests that would write one side: one for plain fields, in HighLevel one for tags, and one for each task, note or appointment.
    pub(crate) fn writes(&self, side: Side) -> u64 {
        let writes = self.changes.iter().filter(|change| change.side == side);
        let (children, own): (Vec<_>, Vec<_>) = writes.partition(|change| change.field.contains('['));
        let (tags, fields): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|change| side == Side::Highlevel && change.field == "tags");
        let children: BTreeSet<&str> =
            children.iter().filter_map(|change| change.field.split(']').next()).collect();
        u64::from(!fields.is_empty()) + u64::from(!tags.is_empty()) + children.len() as u64
    }
}

impl PreviewReport {
    fn add(&mut self, item: PreviewItem) {
        match item.verdict {
            Verdict::CreatePartner | Verdict::CreateHighlevel => self.creates += 1,
            Verdict::Update => self.updates += 1,
            Verdict::Link | Verdict::Unchanged => self.unchanged += 1,
            Verdict::Skip => self.skipped += 1,
            Verdict::Park => self.parked += 1,
        }
        self.conflicts += item.conflicts.len() as u64;
        // One read, and one for each list.
        self.estimated_highlevel_calls += 1 + item.lists + item.writes(Side::Highlevel);
        self.estimated_partner_calls += 1 + item.writes(Side::Partner);
        self.items.push(item);
    }
}

fn blank(record: RecordId, verdict: Verdict) -> PreviewItem {
    PreviewItem {
        highlevel_id: Some(record),
        partner_id: None,
        label: None,
        verdict,
        reason: None,
        changes: Vec::new(),
        conflicts: Vec::new(),
        lists: 0,
        lost: None,
    }
}

pub(super) fn item(record: RecordId, plan: &Plan) -> PreviewItem {
    match plan {
        Plan::Skip { reason, highlevel, .. } => PreviewItem {
            reason: Some(reason.clone()),
            label: highlevel.as_ref().and_then(SideRecord::label),
            ..blank(record, Verdict::Skip)
        },
        Plan::Nowhere => {
            PreviewItem { reason: Some("it is on neither side".to_owned()), ..blank(record, Verdict::Skip) }
        }
        Plan::Gone { link, seen, left } => PreviewItem {
            label: left.as_ref().and_then(SideRecord::label),
            lost: match (link.state, seen) {
                (LinkState::HighlevelDeleted | LinkState::PartnerDeleted, _) => None,
                (_, Seen::Without(contactor_sync::Side::Partner)) => Some(Side::Partner),
                (_, Seen::Without(contactor_sync::Side::Highlevel)) => Some(Side::Highlevel),
                (state, _) => Some(state.lost().unwrap_or(Side::Highlevel)),
            },
            partner_id: Some(link.partner_id.clone()),
            reason: Some(match link.state {
                LinkState::HighlevelDeleted | LinkState::PartnerDeleted => {
                    "one side was deleted; the other stays".to_owned()
                }
                _ => "it is gone on one side; it is looked for again before anything is done".to_owned(),
            }),
            ..blank(record, Verdict::Skip)
        },
        Plan::Sync(plan) => sync_item(record, plan),
        Plan::Fill { highlevel, partner, fields } => PreviewItem {
            label: highlevel.label(),
            reason: Some("a newer record of the partner is linked; this one fills what is empty".to_owned()),
            changes: changes(Side::Highlevel, Some(highlevel), fields),
            partner_id: Some(partner.id.clone()),
            ..blank(record, if fields.is_empty() { Verdict::Unchanged } else { Verdict::Update })
        },
    }
}

fn sync_item(record: RecordId, plan: &SyncPlan) -> PreviewItem {
    let verdict = match (&plan.highlevel, &plan.partner) {
        (_, None) => Verdict::CreatePartner,
        (None, _) => Verdict::CreateHighlevel,
        _ if plan.is_agreed() && !plan.held_back.is_empty() => Verdict::Skip,
        _ if plan.is_agreed() && plan.link.is_none() => Verdict::Link,
        _ if plan.is_agreed() => Verdict::Unchanged,
        _ => Verdict::Update,
    };
    let mut changes = changes(Side::Highlevel, plan.highlevel.as_ref(), &plan.merge.to_highlevel);
    changes.extend(self::changes(Side::Partner, plan.partner.as_ref(), &plan.merge.to_partner));
    PreviewItem {
        partner_id: plan.partner.as_ref().map(|partner| partner.id.clone()),
        label: plan.highlevel.as_ref().or(plan.partner.as_ref()).and_then(SideRecord::label),
        reason: plan.held_back.first().map(|(_, reason)| reason.clone()),
        changes,
        conflicts: plan.merge.conflicts.iter().map(Into::into).collect(),
        ..blank(record, verdict)
    }
}

fn changes(side: Side, before: Option<&SideRecord>, writes: &Fields) -> Vec<PlannedChange> {
    writes
        .iter()
        .map(|(field, after)| PlannedChange {
            side,
            field: field.clone(),
            before: before
                .and_then(|record| record.fields.get(field))
                .map_or(serde_json::Value::Null, convert::value_to_json),
            after: convert::value_to_json(after),
        })
        .collect()
}
