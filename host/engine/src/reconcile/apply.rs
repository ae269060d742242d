//! Carries a plan out: writes HighLevel, then the partner, and settles what both sides now agree on.
//!
//! A crash between two writes is harmless: the next run reads what was written, finds it equal and goes on. A create whose
//! answer was lost is looked up by its natural key before it is tried again, because every plan looks first.

use std::collections::{BTreeMap, BTreeSet};

use contactor_highlevel::{self as highlevel, ErrorKind};
use contactor_store::{FailureClass, FieldChange, FieldRemark, Link, LinkState, RemarkReason, Side};
use contactor_sync::{Fields, Mapping, Merge, RowSpec, Value, canonical, merge, settle};
use jiff::SignedDuration;

use super::plan::SyncPlan;
use super::remarks::keep_consent;
use super::seen::seen;
use super::sides::{CUSTOM, Created, RunContext, SideRecord, TAGS};
use crate::convert;
use crate::failure::{self, Failure};
use crate::manage::is_known;
use crate::recorder::cut;

/// Bytes of the names of custom fields that a remark lists.
const NAMES: usize = 500;

/// A field that HighLevel's update does not take.
const COMPANY: &str = "companyName";

/// What a run wrote.
pub(crate) struct Applied {
    /// The link as it is to be stored.
    pub(crate) link: Link,
    /// The fields that were written, with before and after.
    pub(crate) changes: Vec<FieldChange>,
    /// Remarks for the admin: values that a system accepted and did not keep.
    pub(crate) notes: Vec<String>,
    /// The same by field.
    pub(crate) left: Vec<FieldRemark>,
    /// Which sides got a new record.
    pub(crate) created: Option<Side>,
}

impl RunContext {
    /// Writes what the plan says and builds the link to be stored.
    pub(crate) async fn apply(&self, entity: &str, plan: SyncPlan) -> Result<(SyncPlan, Applied), Failure> {
        match (&plan.highlevel, &plan.partner) {
            (Some(highlevel), None) => {
                let highlevel = highlevel.clone();
                self.apply_new_partner(entity, plan, highlevel).await
            }
            (None, Some(partner)) => {
                let partner = partner.clone();
                let after = self.create_highlevel(&plan.merge.to_highlevel).await?;
                let applied = self.applied(entity, &plan, &after, &partner)?;
                Ok((plan, Applied { created: Some(Side::Highlevel), ..applied }))
            }
            (Some(highlevel), Some(partner)) => {
                let (highlevel, partner) = (highlevel.clone(), partner.clone());
                let highlevel = self.update_highlevel(&highlevel, &plan.merge.to_highlevel).await?;
                let partner = self.write_partner(entity, partner, &plan.merge.to_partner).await?;
                let applied = self.applied(entity, &plan, &highlevel, &partner)?;
                Ok((plan, applied))
            }
            (None, None) => Err(Failure::new(FailureClass::Host, "a run had a record on neither side")),
        }
    }

    /// Creates the partner's record, or links the one that it says it has, and writes back what the pair agrees on now.
    async fn apply_new_partner(
        &self,
        entity: &str,
        mut plan: SyncPlan,
        highlevel: SideRecord,
    ) -> Result<(SyncPlan, Applied), Failure> {
        let known = match self.create_partner(entity, &plan.merge.to_partner).await? {
            Created::Record(partner) => {
                // Only now does the partner offer anything: a tag for everybody who is linked, for example.
                plan.merge.to_highlevel = self.written_back(entity, &highlevel, &partner)?;
                let (remarks, left) =
                    self.leave_out_unknown(self.active.mapping(entity)?, &mut plan.merge).await?;
                plan.remarks.extend(remarks);
                plan.left.extend(left);
                let highlevel = self.update_highlevel(&highlevel, &plan.merge.to_highlevel).await?;
                let applied = self.applied(entity, &plan, &highlevel, &partner)?;
                return Ok((plan, Applied { created: Some(Side::Partner), ..applied }));
            }
            Created::Exists(id) => Some(id),
            Created::ExistsSomewhere => None,
        };
        // A creation was approved, and this would be a link.
        if self.active.under_review() {
            return Err(self.look_again());
        }
        let Some(found) = self.plan_duplicate(entity, &highlevel, known).await? else {
            return Err(self.look_again());
        };
        let plan = SyncPlan { creating: plan.creating, ..found };
        let (highlevel, partner) = match (&plan.highlevel, &plan.partner) {
            (Some(highlevel), Some(partner)) => (highlevel.clone(), partner.clone()),
            _ => return Err(self.look_again()),
        };
        self.note_conflicts(&highlevel.id, &plan.merge.conflicts).await?;
        let highlevel = self.update_highlevel(&highlevel, &plan.merge.to_highlevel).await?;
        let partner = self.write_partner(entity, partner, &plan.merge.to_partner).await?;
        let applied = self.applied(entity, &plan, &highlevel, &partner)?;
        Ok((plan, applied))
    }

    /// What a newly created partner's record offers beyond what it was created from. A value that the partner spelt in its
    /// own way is no news: only sets grow, and only empty fields are filled.
    fn written_back(
        &self,
        entity: &str,
        highlevel: &SideRecord,
        partner: &SideRecord,
    ) -> Result<Fields, Failure> {
        let mapping = self.active.mapping(entity)?;
        let merged =
            merge(mapping, None, Some(&highlevel.view()), Some(&partner.view()), &self.active.context)
                .map_err(|error| Failure::new(FailureClass::Config, format!("mapping: {error}")))?;
        let mut fields = merged.to_highlevel;
        for conflict in &merged.conflicts {
            fields.remove(&conflict.highlevel_field);
        }
        Ok(fields)
    }

    async fn write_partner(
        &self,
        entity: &str,
        before: SideRecord,
        fields: &Fields,
    ) -> Result<SideRecord, Failure> {
        if fields.is_empty() {
            return Ok(before);
        }
        let after = self.update_partner(entity, &before.id, fields).await?;
        self.wrote(Side::Partner);
        let fields = seen(&before.fields, fields, &after.fields);
        Ok(SideRecord { id: after.id, fields, updated_at: after.updated_at.or(before.updated_at) })
    }

    /// What was written, what was not kept, and the link that follows.
    fn applied(
        &self,
        entity: &str,
        plan: &SyncPlan,
        highlevel: &SideRecord,
        partner: &SideRecord,
    ) -> Result<Applied, Failure> {
        let mapping = self.active.mapping(entity)?;
        let mut changes = Vec::new();
        note_writes(Side::Highlevel, plan.highlevel.as_ref(), &plan.merge.to_highlevel, &mut changes);
        note_writes(Side::Partner, plan.partner.as_ref(), &plan.merge.to_partner, &mut changes);
        let mut left = Vec::new();
        self.note_dropped(
            mapping,
            contactor_sync::Side::Highlevel,
            &plan.merge.to_highlevel,
            highlevel,
            &mut left,
        );
        self.note_dropped(mapping, contactor_sync::Side::Partner, &plan.merge.to_partner, partner, &mut left);
        let link = self.settled_link(entity, plan, mapping, highlevel, partner);
        Ok(Applied { link, changes, notes: Vec::new(), left, created: None })
    }

    /// The link after the writes. While a clean-up rule holds writes back, the base stays: the difference is not forgotten.
    fn settled_link(
        &self,
        entity: &str,
        plan: &SyncPlan,
        mapping: &Mapping,
        highlevel: &SideRecord,
        partner: &SideRecord,
    ) -> Link {
        let same = plan.link.as_ref().filter(|link| self.joins(link, Some(highlevel), Some(partner)));
        let previous = same.map(|link| &link.base);
        let base = match previous {
            Some(base) if !plan.held_back.is_empty() => base.clone(),
            previous => settle(
                mapping,
                previous,
                &plan.merge,
                &highlevel.fields,
                &partner.fields,
                &self.active.context,
            ),
        };
        let print = |side, fields: &Fields| mapping.fingerprint(side, fields, &self.active.context);
        Link {
            connection: self.active.connection.id.clone(),
            entity: entity.to_owned(),
            highlevel_id: highlevel.id.clone(),
            partner_id: partner.id.clone(),
            parent: None,
            occurs_at: None,
            base,
            highlevel_fingerprint: print(contactor_sync::Side::Highlevel, &highlevel.fields),
            partner_fingerprint: print(contactor_sync::Side::Partner, &partner.fields),
            state: LinkState::Active,
            created_at: same.map_or(self.started_at, |link| link.created_at),
            updated_at: self.started_at,
        }
    }

    /// The partner knows the record and its search does not show it yet: look again when it should.
    fn look_again(&self) -> Failure {
        let partner = &self.active.manifest.partner;
        Failure {
            // A third of the lag: most partners catch up sooner than their worst case.
            retry_after: Some(SignedDuration::from_secs(i64::from((partner.lag_seconds / 3).max(1)))),
            ..Failure::new(
                FailureClass::Transient,
                format!(
                    "{} has the record already but does not show it yet; it is looked up again and linked, not created",
                    partner.name
                ),
            )
        }
    }

    // ---------------------------------------------------------------------------------------------------------- HighLevel

    pub(super) async fn create_highlevel(&self, fields: &Fields) -> Result<SideRecord, Failure> {
        let (plain, tags) = split_tags(fields);
        let plain = self.address_custom_fields(plain).await?;
        let draft = highlevel::ContactDraft::from_fields(plain)
            .map_err(|problems| failure::of_problems(&problems))?;
        let tags: Vec<String> = tags.unwrap_or_default().into_iter().collect();
        let created = self.location.create_contact(&draft, &tags).await;
        match created {
            Ok(contact) => self.side_record(&contact).await,
            Err(error) => Err(match error.kind() {
                // Somebody created it since the plan looked, or an earlier attempt did and its answer was lost.
                ErrorKind::Duplicate { existing: Some(id), .. } => Failure {
                    retry_after: Some(SignedDuration::from_secs(1)),
                    ..Failure::new(
                        FailureClass::Transient,
                        format!("HighLevel has this contact already, as {id}; it is linked, not created"),
                    )
                },
                // The vendor was seen answering 422 although the contact was there: looked up once, then believed.
                ErrorKind::Invalid(_) if self.attempts > 0 => failure::of_highlevel(&error),
                _ => failure::of_highlevel_create(&error),
            }),
        }
    }

    pub(crate) async fn update_highlevel(
        &self,
        before: &SideRecord,
        fields: &Fields,
    ) -> Result<SideRecord, Failure> {
        if fields.is_empty() {
            return Ok(before.clone());
        }
        let id = highlevel::ContactId::new(before.id.as_str());
        // The last place before the write, whoever planned it.
        let mut fields = fields.clone();
        self.recorder.remark(keep_consent(&before.fields, &mut fields));
        let fields = &fields;
        let (mut plain, tags) = split_tags(fields);
        let company = plain.remove(COMPANY);
        let mut after = before.clone();
        if !plain.is_empty() {
            let plain = self.address_custom_fields(plain).await?;
            let patch = highlevel::ContactPatch::from_fields(plain)
                .map_err(|problems| failure::of_problems(&problems))?;
            let contact = self
                .location
                .update_contact(&id, &patch)
                .await
                .map_err(|error| failure::of_highlevel_write(&error))?;
            self.wrote(Side::Highlevel);
            after = self.side_record(&contact).await?;
        }
        if let Some(company) = company {
            after = self.write_company(after, &company).await?;
        }
        if let Some(wanted) = tags {
            let present = tags_of(&before.fields);
            let add: Vec<String> = wanted.difference(&present).cloned().collect();
            let remove: Vec<String> = present.difference(&wanted).cloned().collect();
            // By name and never as a whole set: tags that others add meanwhile stay.
            let mut result = None;
            if !add.is_empty() {
                let change = self.location.add_tags(&id, &add).await;
                result = Some(change.map_err(|error| failure::of_highlevel_write(&error))?.tags);
                self.wrote(Side::Highlevel);
            }
            if !remove.is_empty() {
                let change = self.location.remove_tags(&id, &remove).await;
                result = Some(change.map_err(|error| failure::of_highlevel_write(&error))?.tags);
                self.wrote(Side::Highlevel);
            }
            if let Some(tags) = result {
                after.fields.insert(TAGS.to_owned(), Value::Set(tags.into_iter().collect()));
            }
        }
        let fields = seen(&before.fields, fields, &after.fields);
        Ok(SideRecord { fields, ..after })
    }

    /// The vendor takes a company's name in a create and in an upsert, never in an update. An upsert may hit another person, so it
    /// is sent only where the vendor's own search, which follows the same settings, finds this contact by its email and phone.
    /// Elsewhere the name is not written, which the run remarks like any value that was not kept.
    async fn write_company(&self, contact: SideRecord, company: &Value) -> Result<SideRecord, Failure> {
        let own = |name: &str| match contact.fields.get(name) {
            Some(Value::Text(text)) if !text.trim().is_empty() => Some(text.as_str()),
            _ => None,
        };
        let (email, phone) = (own("email"), own("phone"));
        if email.or(phone).is_none() {
            return Ok(contact);
        }
        let found = self.location.find_duplicate(email, phone).await;
        let found = found.map_err(|error| failure::of_highlevel(&error))?;
        if found.is_none_or(|found| found.id.as_str() != contact.id.as_str()) {
            return Ok(contact);
        }
        // A draft leaves null out; an empty text clears.
        let name = if let Value::Text(name) = company { name.as_str() } else { "" };
        let fields = [("email", email), ("phone", phone), (COMPANY, Some(name))];
        let fields: BTreeMap<String, serde_json::Value> = fields
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), serde_json::Value::from(text?))))
            .collect();
        let draft = highlevel::ContactDraft::from_fields(fields)
            .map_err(|problems| failure::of_problems(&problems))?;
        let upsert = self.location.upsert_contact(&draft, false).await;
        let upsert = upsert.map_err(|error| failure::of_highlevel(&error))?;
        self.wrote(Side::Highlevel);
        self.side_record(&upsert.contact).await
    }

    /// Turns `customFields.<key>` back into the id that a write needs.
    async fn address_custom_fields(
        &self,
        fields: Fields,
    ) -> Result<BTreeMap<String, serde_json::Value>, Failure> {
        let fields: BTreeMap<_, _> =
            fields.into_iter().map(|(name, value)| (name, convert::value_to_json(&value))).collect();
        if !fields.keys().any(|name| name.starts_with(CUSTOM)) {
            return Ok(fields);
        }
        let definitions = self.engine.custom_fields(&self.active.workspace, &self.location).await?;
        definitions.to_ids(fields).map_err(|problems| failure::of_problems(&problems))
    }

    /// Takes custom fields that the location does not have out of the writes. Their rows stay open, so that they are written
    /// once the field exists. Answers what an admin has not been told yet, and what was left out.
    pub(crate) async fn leave_out_unknown(
        &self,
        mapping: &Mapping,
        merge: &mut Merge,
    ) -> Result<(Vec<String>, Vec<FieldRemark>), Failure> {
        let named = |fields: &Fields| -> Vec<String> {
            fields.keys().filter_map(|name| name.strip_prefix(CUSTOM)).map(str::to_owned).collect()
        };
        let wanted = named(&merge.to_highlevel);
        let read = mapping.inputs(contactor_sync::Side::Highlevel);
        let read = read.iter().filter_map(|name| name.strip_prefix(CUSTOM)).collect::<Vec<_>>();
        if wanted.is_empty() && read.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let definitions = match self.engine.custom_fields(&self.active.workspace, &self.location).await {
            Ok(definitions) => definitions,
            // What is only read and has no value needs no definition.
            Err(_) if wanted.is_empty() => return Ok((Vec::new(), Vec::new())),
            Err(failure) => return Err(failure),
        };
        let (mut remarks, mut left) = (Vec::new(), Vec::new());
        let list = || {
            let known: Vec<_> = definitions.iter().filter_map(|definition| definition.key()).collect();
            cut(if known.is_empty() { "none".to_owned() } else { known.join(", ") }, NAMES)
        };
        for key in read.into_iter().filter(|key| !is_known(&definitions, key)) {
            if !wanted.iter().any(|wanted| wanted == key) && self.tells(&format!("{CUSTOM}{key}")).await {
                remarks.push(format!(
                    "HighLevel has no custom field `{key}`; it has {}. What the mapping makes of it is empty until it exists or the mapping names another",
                    list()
                ));
            }
        }
        for key in wanted.iter().filter(|key| definitions.get(key).is_none()) {
            let field = format!("{CUSTOM}{key}");
            merge.to_highlevel.remove(&field);
            left.push(FieldRemark {
                side: Side::Highlevel,
                field: field.clone(),
                reason: RemarkReason::Unknown,
                words: format!("HighLevel has no custom field `{key}`"),
            });
            merge.open.extend(mapping.rows().filter(|row| row.highlevel == field).map(RowSpec::key));
            if self.tells(&field).await {
                remarks.push(format!(
                    "HighLevel has no custom field `{key}`; it has {}. The field is left out until it exists or the mapping names another",
                    list()
                ));
            }
        }
        Ok((remarks, left))
    }

    /// Whether a remark about something of this connection is to be made: in every preview, and else once.
    pub(super) async fn tells(&self, about: &str) -> bool {
        self.preview || self.engine.tells_once(&self.active.connection, about).await
    }

    /// Some fields are accepted with a 2xx and silently not kept. Said once per field; the settled base keeps it from looping.
    fn note_dropped(
        &self,
        mapping: &Mapping,
        side: contactor_sync::Side,
        written: &Fields,
        after: &SideRecord,
        left: &mut Vec<FieldRemark>,
    ) {
        let system = match side {
            contactor_sync::Side::Highlevel => "HighLevel",
            contactor_sync::Side::Partner => self.active.manifest.partner.name.as_str(),
        };
        for (field, wanted) in written {
            let kept = after.fields.get(field).unwrap_or(&Value::Null);
            let Some(row) = mapping.rows().find(|row| row.field(side) == field) else { continue };
            let canonical = |value| canonical(row.field_type(side), value, &self.active.context).ok();
            if canonical(wanted) != canonical(kept) {
                left.push(FieldRemark {
                    side: convert::side(side),
                    field: field.clone(),
                    reason: RemarkReason::Dropped,
                    words: format!("{system} accepted `{field}` and kept {} instead", convert::show(kept)),
                });
            }
        }
    }
}

fn split_tags(fields: &Fields) -> (Fields, Option<BTreeSet<String>>) {
    let mut plain = fields.clone();
    let tags = plain.remove(TAGS).map(|value| match value {
        Value::Set(tags) => tags,
        _ => BTreeSet::new(),
    });
    (plain, tags)
}

fn tags_of(fields: &Fields) -> BTreeSet<String> {
    match fields.get(TAGS) {
        Some(Value::Set(tags)) => tags.clone(),
        _ => BTreeSet::new(),
    }
}

pub(crate) fn note_writes(
    side: Side,
    before: Option<&SideRecord>,
    written: &Fields,
    changes: &mut Vec<FieldChange>,
) {
    changes.extend(written.iter().map(|(field, after)| {
        FieldChange {
            side,
            field: field.clone(),
            before: before
                .and_then(|record| record.fields.get(field))
                .map_or(serde_json::Value::Null, convert::value_to_json),
            after: convert::value_to_json(after),
        }
    }));
}
