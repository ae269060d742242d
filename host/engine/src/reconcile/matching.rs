//! The match report: in which bucket a record would fall, by the plan of its run. A run of a record that is not linked asks again
//! while the report is not approved, so that no approval covers what nobody saw.

use std::sync::Arc;

use contactor_store::{
    ClaimedRecord, FailureClass, FoundMatch, LinkState, Match, MatchBucket, Priority, RecordId, RecordKey,
    RunOutcome, Side, Told,
};
use contactor_sync::Value;

use super::ending::Ending;
use super::plan::{NO_IDENTIFIER, Plan, SyncPlan};
use super::preview::{PreviewItem, item};
use super::sides::{RunContext, SideRecord};
use crate::active::Active;
use crate::engine::Engine;
use crate::failure::{Failure, of_store};
use crate::manage::basis;
use crate::recorder::cut;

/// Bytes of what a report says of one record.
const NOTE: usize = 300;
/// The entity that is matched; everything else belongs to one of its records.
const CONTACT: &str = "contact";

impl Engine {
    /// Plans one contact of HighLevel's for the report, and writes nothing. `gives_up` lists a passing failure, too.
    ///
    /// # Errors
    /// What another try may mend, such as a system that does not answer.
    pub(crate) async fn look(
        &self,
        active: &Arc<Active>,
        record: RecordId,
        gives_up: bool,
    ) -> Result<FoundMatch, Failure> {
        let run = self.context(active, Priority::Backfill, true);
        let key = RecordKey {
            connection: active.connection.id.clone(),
            entity: CONTACT.to_owned(),
            side: Side::Highlevel,
            record: record.clone(),
        };
        let link = run.link(CONTACT, Side::Highlevel, &record).await?;
        if let Some(link) = link.as_ref().filter(|link| link.state == LinkState::Active) {
            let found = Match {
                partner_id: Some(link.partner_id.clone()),
                ..run.blank(&key, MatchBucket::Linked, String::new())
            };
            return Ok(FoundMatch { from: Side::Highlevel, found });
        }
        let planned = match run.plan(&key, link).await {
            Ok(plan) => match run.item_with_lists(record, &plan).await {
                Ok(item) => Ok(run.found(&key, &plan, &item)),
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        };
        match planned {
            Ok(found) => Ok(found),
            Err(failure) if passes(failure.class) && !gives_up => Err(failure),
            Err(failure) => Ok(run.refused(&key, &failure)),
        }
    }

    /// The ending of a run that has to wait, because its record is not linked and nobody approved what would become of it.
    pub(super) async fn held(
        &self,
        run: &RunContext,
        claim: &ClaimedRecord,
        plan: &Result<Plan, Failure>,
    ) -> Result<Option<Ending>, Failure> {
        let is_linked = |link: &Option<contactor_store::Link>| {
            link.as_ref().is_some_and(|link| link.state == LinkState::Active)
        };
        // Asked of the store and not of what the run began with: the review may have begun since.
        let key = &claim.key;
        if key.entity != CONTACT || is_linked(&claim.link) {
            return Ok(None);
        }
        if self.store().review(&key.connection).await.map_err(of_store)?.is_none() {
            return Ok(None);
        }
        let found = match plan {
            Ok(Plan::Fill { .. } | Plan::Gone { .. }) => return Ok(None),
            Ok(Plan::Sync(plan)) if is_linked(&plan.link) => return Ok(None),
            Ok(plan) => run.found(key, plan, &item(key.record.clone(), plan)),
            Err(failure) if passes(failure.class) => return Ok(None),
            Err(failure) => run.refused(key, failure),
        };
        let ids = (found.found.highlevel_id.clone(), found.found.partner_id.clone());
        let held = self
            .store()
            .hold(&key.connection, basis(&run.active.connection), found)
            .await
            .map_err(of_store)?;
        // Only now: it may just have been opened again.
        let review = self.store().review(&key.connection).await.map_err(of_store)?;
        let is_over = review.is_none_or(|review| review.ended_at.is_some());
        Ok(match (held, plan) {
            // Nobody is asked any more, so it is a person's to see to like every other conflict.
            (Some(held), Ok(Plan::Sync(_))) if is_over && held.bucket == MatchBucket::Ambiguous => {
                return Err(Failure::new(FailureClass::Conflict, held.told.note));
            }
            (Some(held), Ok(Plan::Sync(_)) | Err(_)) => {
                let why = waits(&held, &run.active.manifest.partner.name);
                Some(Ending::done(RunOutcome::Skipped, why).between(ids.0, ids.1))
            }
            // Nothing would be written.
            _ => None,
        })
    }
}

impl RunContext {
    /// A record in its bucket.
    fn found(&self, key: &RecordKey, plan: &Plan, item: &PreviewItem) -> FoundMatch {
        let (bucket, reason) = self.sorted(plan);
        let (highlevel, partner) = sides(plan);
        let own = |side: Side| (key.side == side).then(|| key.record.clone());
        let note = reason.unwrap_or_else(|| self.note(item));
        let fields = |side: Side| {
            u32::try_from(item.changes.iter().filter(|change| change.side == side).count())
                .unwrap_or(u32::MAX)
        };
        let calls = |side: Side| {
            let writes = item.writes(side);
            // A record without a single value is created all the same.
            let creates = matches!(
                (bucket, side),
                (MatchBucket::NewInPartner, Side::Partner) | (MatchBucket::NewInHighlevel, Side::Highlevel)
            );
            if creates { writes.max(1) } else { writes }
        };
        let writes = MatchBucket::WRITES.contains(&bucket);
        let costs = |side, target| {
            let calls = self.recorder.count(target) + if writes { calls(side) } else { 0 };
            u32::try_from(calls).unwrap_or(u32::MAX)
        };
        let found = Match {
            highlevel_id: highlevel.map(|record| record.id.clone()).or_else(|| own(Side::Highlevel)),
            partner_id: partner.map(|record| record.id.clone()).or_else(|| own(Side::Partner)),
            told: Told {
                label: highlevel.or(partner).and_then(SideRecord::label).map(|label| cut(label, NOTE)),
                note: cut(note, NOTE),
            },
            to_highlevel: if writes { fields(Side::Highlevel) } else { 0 },
            to_partner: if writes { fields(Side::Partner) } else { 0 },
            conflicts: u32::try_from(item.conflicts.len()).unwrap_or(u32::MAX),
            highlevel_calls: costs(Side::Highlevel, "highlevel"),
            partner_calls: costs(Side::Partner, "partner"),
            ..self.blank(key, bucket, String::new())
        };
        FoundMatch { from: key.side, found }
    }

    /// A record that could not be planned.
    fn refused(&self, key: &RecordKey, failure: &Failure) -> FoundMatch {
        let bucket = match failure.class {
            FailureClass::Conflict => MatchBucket::Ambiguous,
            FailureClass::Data if failure.message.starts_with(NO_IDENTIFIER) => MatchBucket::Skipped,
            _ => MatchBucket::Failed,
        };
        FoundMatch { from: key.side, found: self.blank(key, bucket, failure.message.clone()) }
    }

    fn blank(&self, key: &RecordKey, bucket: MatchBucket, note: String) -> Match {
        let own = |side: Side| (key.side == side).then(|| key.record.clone());
        let calls = |target| u32::try_from(self.recorder.count(target)).unwrap_or(u32::MAX);
        Match {
            highlevel_id: own(Side::Highlevel),
            partner_id: own(Side::Partner),
            bucket,
            told: Told { label: None, note: cut(note, NOTE) },
            to_highlevel: 0,
            to_partner: 0,
            conflicts: 0,
            highlevel_calls: calls("highlevel"),
            partner_calls: calls("partner"),
            at: self.started_at,
            released: false,
        }
    }

    /// The bucket of a plan, and why, where nothing would be written.
    fn sorted(&self, plan: &Plan) -> (MatchBucket, Option<String>) {
        match plan {
            Plan::Skip { reason, .. } => (MatchBucket::Skipped, Some(reason.clone())),
            Plan::Nowhere => (MatchBucket::Skipped, Some("it is on neither side".to_owned())),
            Plan::Gone { .. } => {
                (MatchBucket::Skipped, Some("one side was deleted; the other stays".to_owned()))
            }
            Plan::Fill { .. } => {
                (MatchBucket::Linked, Some("a newer record of the same person is linked".to_owned()))
            }
            Plan::Sync(plan) => match (&plan.highlevel, &plan.partner) {
                (_, None) => match self.lacking(plan) {
                    Some(field) => {
                        let partner = &self.active.manifest.partner.name;
                        let why = format!(
                            "{partner} creates nobody without `{field}`, and there is no value for it"
                        );
                        (MatchBucket::Skipped, Some(why))
                    }
                    None => (MatchBucket::NewInPartner, None),
                },
                (None, _) => (MatchBucket::NewInHighlevel, None),
                _ if plan.link.as_ref().is_some_and(|link| link.state == LinkState::Active) => {
                    (MatchBucket::Linked, None)
                }
                _ => (MatchBucket::Matched, None),
            },
        }
    }

    /// A field without which the partner creates no record, and that gets no value.
    fn lacking(&self, plan: &SyncPlan) -> Option<String> {
        let mut required = self.active.manifest.fields_of(CONTACT).filter(|field| field.required);
        let lacks = |name: &str| plan.merge.to_partner.get(name).is_none_or(Value::is_empty);
        required.find(|field| lacks(&field.name)).map(|field| field.name.clone())
    }

    /// Which fields would be written, by name: what they hold stays where it is.
    fn note(&self, item: &PreviewItem) -> String {
        let partner = &self.active.manifest.partner.name;
        let mut parts = Vec::new();
        for (side, system) in [(Side::Highlevel, "HighLevel"), (Side::Partner, partner.as_str())] {
            let changes = item.changes.iter().filter(|change| change.side == side);
            let fields: Vec<&str> = changes.map(|change| change.field.as_str()).collect();
            if !fields.is_empty() {
                parts.push(format!("{system}: {}", fields.join(", ")));
            }
        }
        if !item.conflicts.is_empty() {
            let fields: Vec<&str> =
                item.conflicts.iter().map(|conflict| conflict.highlevel_field.as_str()).collect();
            parts.push(format!("conflict on {}", fields.join(", ")));
        }
        parts.extend(item.reason.clone());
        if parts.is_empty() { "both agree".to_owned() } else { parts.join("; ") }
    }
}

/// The records that a plan knows.
fn sides(plan: &Plan) -> (Option<&SideRecord>, Option<&SideRecord>) {
    match plan {
        Plan::Skip { highlevel, partner, .. } => (highlevel.as_ref(), partner.as_ref()),
        Plan::Sync(plan) => (plan.highlevel.as_ref(), plan.partner.as_ref()),
        Plan::Fill { highlevel, partner, .. } => (Some(highlevel), Some(partner)),
        Plan::Gone { .. } | Plan::Nowhere => (None, None),
    }
}

/// Another try may mend it, or it is no fault of the record's.
fn passes(class: FailureClass) -> bool {
    use FailureClass::{Auth, Host, Quota, Transient};
    matches!(class, Transient | Quota | Auth | Host)
}

fn waits(held: &Match, partner: &str) -> String {
    let what = match held.bucket {
        MatchBucket::Matched => "it would be linked".to_owned(),
        MatchBucket::NewInPartner => format!("it would be created in {partner}"),
        MatchBucket::NewInHighlevel => "it would be created in HighLevel".to_owned(),
        _ => held.told.note.clone(),
    };
    format!("waits until `{}` is approved in the match report: {what}", held.bucket.name())
}
