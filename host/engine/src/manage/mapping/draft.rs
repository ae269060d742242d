//! A draft of a mapping against what happened already: the records of the last events, planned with the draft and with the mapping
//! that is in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contactor_highlevel::webhook::Envelope;
use contactor_store::{ConnectionId, Event, EventFilter, LinkState, RecordId, RecordKey, RunFilter, Side};
use serde_json::Value as Json;

use super::trial::changes_of_partner;
use crate::active::Active;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::{PreviewItem, RunContext, Verdict};

/// Events, and runs, that are searched for records.
const SCANNED: u32 = 1_000;
/// The entity that is planned; tasks, notes and appointments follow their contact.
const CONTACT: &str = "contact";

/// What a draft would do with the records of the last events, beside what the mapping in force would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DraftReport {
    /// The records, those of the newest events first.
    pub records: Vec<DraftRecord>,
    /// How many of them an event told of; the others come from runs and links.
    pub from_events: u64,
    /// Records with which the draft does something else.
    pub different: u64,
    /// What the mapping in force would do.
    pub live: DraftTotals,
    /// What the draft would do.
    pub draft: DraftTotals,
    /// Fields that one of the two would write in more records than the other.
    pub fields: Vec<DraftField>,
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftRecord {
    /// With the mapping in force.
    pub live: PreviewItem,
    /// With the draft.
    pub draft: PreviewItem,
    /// They are not the same.
    pub differs: bool,
}

/// Everything that would be done, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DraftTotals {
    /// Records that would be created.
    pub creates: u64,
    /// Records that would be changed.
    pub updates: u64,
    /// Records that are in step.
    pub unchanged: u64,
    /// Records that a rule leaves alone.
    pub skipped: u64,
    /// Records that a person would have to look at.
    pub parked: u64,
    /// Fields on which both sides differ.
    pub conflicts: u64,
    /// Fields that would be written.
    pub changes: u64,
    /// Requests to HighLevel, reads included.
    pub highlevel_calls: u64,
    /// Requests to the partner.
    pub partner_calls: u64,
}

/// In how many records a field would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftField {
    /// The side that would be written.
    pub side: Side,
    /// The field.
    pub field: String,
    /// With the mapping in force.
    pub live: u64,
    /// With the draft.
    pub draft: u64,
}

impl Engine {
    /// Plans the records of the last events with a draft of the admin's rows, or with those in force, and says how the two differ.
    /// Records are read as they are now, on both sides; nothing is written.
    ///
    /// # Errors
    /// No such connection, or a draft that does not compile.
    pub async fn preview_mapping(
        &self,
        id: &ConnectionId,
        draft: Option<Json>,
        limit: u32,
    ) -> Result<DraftReport, EngineError> {
        let live = self.active(id).await?;
        let draft = Arc::new(live.with_mapping(draft.unwrap_or_else(|| live.connection.mapping.clone()))?);
        let (keys, from_events) = self.recent(&live, limit.clamp(1, SCANNED) as usize).await?;
        let mut report = DraftReport { from_events, ..DraftReport::default() };
        let mut fields: BTreeMap<(bool, String), (u64, u64)> = BTreeMap::new();
        for key in keys {
            let now = self.planned(&live, &key, &mut report.live).await?;
            let then = self.planned(&draft, &key, &mut report.draft).await?;
            let differs = (now.verdict, &now.changes, &now.conflicts, &now.reason)
                != (then.verdict, &then.changes, &then.conflicts, &then.reason);
            report.different += u64::from(differs);
            for change in &now.changes {
                fields.entry((change.side == Side::Partner, change.field.clone())).or_default().0 += 1;
            }
            for change in &then.changes {
                fields.entry((change.side == Side::Partner, change.field.clone())).or_default().1 += 1;
            }
            report.records.push(DraftRecord { live: now, draft: then, differs });
        }
        let uneven = fields.into_iter().filter(|(_, (live, draft))| live != draft);
        report.fields = uneven
            .map(|((partner, field), (live, draft))| DraftField {
                side: if partner { Side::Partner } else { Side::Highlevel },
                field,
                live,
                draft,
            })
            .collect();
        Ok(report)
    }

    async fn planned(
        &self,
        active: &Arc<Active>,
        key: &RecordKey,
        totals: &mut DraftTotals,
    ) -> Result<PreviewItem, EngineError> {
        let run = self.interactive(active, true);
        let item = self.preview_record(&run, key).await?;
        totals.add(&run, &item);
        Ok(item)
    }

    /// The records that the last events told of, then those of the last runs, then linked ones; each once, by HighLevel's id where
    /// there is one. With how many of them come from events.
    async fn recent(&self, active: &Arc<Active>, limit: usize) -> Result<(Vec<RecordKey>, u64), EngineError> {
        let id = &active.connection.id;
        let mut found = Found { keys: Vec::new(), known: BTreeSet::new(), limit };
        for event in self.store().events(EventFilter::newest(&active.connection.workspace, SCANNED)).await? {
            if found.is_full() {
                break;
            }
            for (side, record) in self.records_of(active, &event).await {
                self.note(id, &mut found, side, record).await?;
            }
        }
        let from_events = found.keys.len() as u64;
        let filter = RunFilter { connection: Some(id.clone()), limit: SCANNED, ..RunFilter::default() };
        if !found.is_full() {
            for run in self.store().runs(filter).await? {
                if run.entity.as_deref() != Some(CONTACT) {
                    continue;
                }
                let highlevel = run.highlevel_id.map(|record| (Side::Highlevel, record));
                let record = highlevel.or(run.partner_id.map(|record| (Side::Partner, record)));
                if let Some((side, record)) = record.filter(|_| !found.is_full()) {
                    self.note(id, &mut found, side, record).await?;
                }
            }
        }
        if !found.is_full() {
            for link in self.store().links(id, CONTACT, None, SCANNED).await? {
                self.note(id, &mut found, Side::Highlevel, link.highlevel_id).await?;
            }
        }
        Ok((found.keys, from_events))
    }

    async fn note(
        &self,
        id: &ConnectionId,
        found: &mut Found,
        side: Side,
        record: RecordId,
    ) -> Result<(), EngineError> {
        let link = self.store().link(id, CONTACT, side, &record).await?;
        let link = link.filter(|link| link.state == LinkState::Active);
        let (side, record) = link.map_or((side, record), |link| (Side::Highlevel, link.highlevel_id));
        let is_new = found.known.insert((side == Side::Partner, record.clone()));
        if is_new && !found.is_full() {
            found.keys.push(RecordKey { connection: id.clone(), entity: CONTACT.to_owned(), side, record });
        }
        Ok(())
    }

    /// The contacts that an event shows. One that cannot be read any more shows none.
    async fn records_of(&self, active: &Arc<Active>, event: &Event) -> Vec<(Side, RecordId)> {
        if event.source == Side::Highlevel {
            let snapshot = Envelope::parse(&event.body).ok().and_then(|envelope| envelope.snapshot());
            return snapshot
                .map(|shown| (Side::Highlevel, RecordId::new(shown.id.as_str())))
                .into_iter()
                .collect();
        }
        if event.connection.as_ref() != Some(&active.connection.id) || event.body.is_empty() {
            return Vec::new();
        }
        let run = self.interactive(active, true);
        let changes = changes_of_partner(&run, event).await.unwrap_or_default();
        let contacts = changes.into_iter().filter(|change| change.entity == CONTACT);
        contacts.map(|change| (Side::Partner, RecordId::new(change.id))).collect()
    }
}

/// What was found so far.
struct Found {
    keys: Vec<RecordKey>,
    known: BTreeSet<(bool, RecordId)>,
    limit: usize,
}

impl Found {
    fn is_full(&self) -> bool {
        self.keys.len() >= self.limit
    }
}

impl DraftTotals {
    fn add(&mut self, run: &RunContext, item: &PreviewItem) {
        match item.verdict {
            Verdict::CreatePartner | Verdict::CreateHighlevel => self.creates += 1,
            Verdict::Update => self.updates += 1,
            Verdict::Link | Verdict::Unchanged => self.unchanged += 1,
            Verdict::Skip => self.skipped += 1,
            Verdict::Park => self.parked += 1,
        }
        self.conflicts += item.conflicts.len() as u64;
        self.changes += item.changes.len() as u64;
        self.highlevel_calls += run.recorder.count("highlevel") + item.writes(Side::Highlevel);
        self.partner_calls += run.recorder.count("partner") + item.writes(Side::Partner);
    }
}
