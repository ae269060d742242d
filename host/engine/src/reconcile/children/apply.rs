//! Carries the plan of a list out: HighLevel child by child, then the partner, in one update where the list is a field.
//!
//! A failure in the middle keeps what was done: the links of the children that were written are stored with the run, so
//! that the next run does not have to recognise them by their content.

use contactor_runtime::bindings::types::Error as WitError;
use contactor_store::{FailureClass, FieldChange, Link, LinkState, RecordId, Side};
use contactor_sync::{
    Child, ChildLink, ConflictRecord, Fields, Pair, Then, Value, Write, list_fingerprint, settle,
};

use jiff::Timestamp;

use super::elements::{self, Element};
use super::highlevel::missing;
use super::list::{ChildList, Home};
use super::plan::{CONTACT_ID, ListPlan, REMOVED, whole_fields};
use crate::failure::Failure;
use crate::reconcile::seen::seen;
use crate::reconcile::sides::{Created, RunContext};

/// The field of a child that says when it begins.
const START: &str = "start";

/// What a run of a list wrote.
#[derive(Default)]
pub(crate) struct ListApplied {
    /// Links of children to store.
    pub(crate) children: Vec<Link>,
    /// Links of children that go.
    pub(crate) unlinked: Vec<Link>,
    /// The list's own link.
    pub(crate) link: Option<Link>,
    /// What was written.
    pub(crate) changes: Vec<FieldChange>,
    /// Disagreements that a policy decided.
    pub(crate) conflicts: Vec<ConflictRecord>,
    /// Remarks for the admin.
    pub(crate) notes: Vec<String>,
    /// Why the run did not end.
    pub(crate) failure: Option<Failure>,
}

/// One child on its way.
struct Step {
    pair: Pair,
    /// HighLevel's child as it is now.
    highlevel: Option<Child>,
    /// The partner's child as it is now, with its id.
    partner: Option<Child>,
    /// Nothing more is done about it in this run.
    over: bool,
}

impl RunContext {
    /// Writes what the plan of a list says.
    pub(crate) async fn apply_list(&self, list: &ChildList, mut plan: ListPlan) -> ListApplied {
        let mut applied = ListApplied::default();
        let mut steps = self.write_highlevel(list, &plan, &mut applied).await;
        if !applied.changes.is_empty() {
            // A count of the list counts what was just created.
            let now: Vec<Child> = steps.iter().filter_map(|step| step.highlevel.clone()).collect();
            match self.whole(list, plan.link.as_ref(), &now, &plan.partner.contact) {
                Ok(whole) => plan.whole = whole,
                Err(failure) => applied.failure = Some(failure),
            }
        }
        let contact = match &list.home {
            Home::Field(field) => self.write_field(list, field, &plan, &mut steps, &mut applied).await,
            Home::Records | Home::Nowhere => self.write_records(list, &plan, &mut steps, &mut applied).await,
        };
        match contact {
            Ok(written) => self.link_up(list, &plan, steps, &written, &mut applied),
            Err(failure) => {
                // What HighLevel got is found again by its content; a link needs both sides.
                applied.failure = Some(applied.failure.take().unwrap_or(failure));
            }
        }
        applied
    }

    // ---------------------------------------------------------------------------------------------------------- HighLevel

    async fn write_highlevel(
        &self,
        list: &ChildList,
        plan: &ListPlan,
        applied: &mut ListApplied,
    ) -> Vec<Step> {
        let Some(rules) = list.rules(false) else { return Vec::new() };
        let mut steps = Vec::with_capacity(plan.pairs.len());
        for pair in &plan.pairs {
            let mut step = Step {
                highlevel: pair.highlevel.map(|at| plan.highlevel[at].clone()),
                partner: pair.partner.map(|at| plan.partner.children[at].clone()),
                pair: pair.clone(),
                over: pair.problem.is_some(),
            };
            if let Some(problem) = &pair.problem {
                applied.notes.push(format!("{} left alone: {problem}", name(list, &step)));
            }
            for problem in &pair.merge.problems {
                applied.notes.push(format!("{}: {problem}", name(list, &step)));
            }
            if applied.failure.as_ref().is_some_and(|failure| !is_of_one_child(failure))
                && step.pair.to_highlevel != Write::Nothing
            {
                step.over = true;
            }
            if step.over {
                steps.push(step);
                continue;
            }
            let before = step.highlevel.clone();
            let fields = &pair.merge.to_highlevel;
            let written = match (pair.to_highlevel, &before) {
                (Write::Create, _) => match missing(list.kind, fields) {
                    Some(field) => {
                        applied.notes.push(format!(
                            "{} cannot be created in HighLevel without a {field}",
                            name(list, &step)
                        ));
                        step.over = true;
                        steps.push(step);
                        continue;
                    }
                    None => Some(self.create_child(list.kind, &plan.contact, fields).await),
                },
                (Write::Update, Some(before)) => {
                    Some(self.update_child(list.kind, &plan.contact, before, fields).await)
                }
                _ => None,
            };
            match written {
                None => {}
                Some(Ok(mut after)) => {
                    if let Some(before) = &before {
                        after.fields = seen(&before.fields, fields, &after.fields);
                    }
                    note(
                        Side::Highlevel,
                        list,
                        before.as_ref(),
                        after.id.as_deref(),
                        fields,
                        &mut applied.changes,
                    );
                    if let (Write::Create, Some(partner)) = (pair.to_highlevel, &step.partner) {
                        step.pair.created(&rules, &after.fields, partner, &self.active.context);
                        if partner.id.is_none() && step.pair.to_partner == Write::Nothing {
                            step.pair.to_partner = Write::Update;
                        }
                    }
                    step.highlevel = Some(after);
                }
                Some(Err(failure)) => {
                    step.over = true;
                    let told = format!("{}: {}", name(list, &step), failure.message);
                    applied.notes.push(told);
                    applied.failure.get_or_insert(failure);
                }
            }
            steps.push(step);
        }
        steps
    }

    // ------------------------------------------------------------------------------------------------------------ partner

    /// Writes the whole list, and the rows of the list as a whole, in one update of the partner's contact.
    async fn write_field(
        &self,
        list: &ChildList,
        field: &str,
        plan: &ListPlan,
        steps: &mut [Step],
        applied: &mut ListApplied,
    ) -> Result<Fields, Failure> {
        let mut slots: Vec<Option<Element>> = plan.partner.elements.iter().cloned().map(Some).collect();
        for at in &plan.partner.moved_away {
            slots[*at] = None;
        }
        let mut changed = !plan.partner.moved_away.is_empty();
        let mut changes = Vec::new();
        for step in steps.iter_mut().filter(|step| !step.over) {
            let before = step.partner.clone();
            let fields = step.pair.merge.to_partner.clone();
            let id = step.partner_id(plan);
            match (step.pair.to_partner, step.pair.partner) {
                (Write::Remove, Some(at)) => {
                    slots[at] = None;
                    note(Side::Partner, list, before.as_ref(), id.as_deref(), &removed(), &mut changes);
                    step.partner = None;
                }
                (Write::Create, _) => {
                    let id = id.unwrap_or_default();
                    let element = elements::written(Element::new(), &id, &fields);
                    note(Side::Partner, list, None, Some(&id), &fields, &mut changes);
                    step.partner =
                        Some(Child { id: Some(id), fields: elements::fields(&element), updated_at: None });
                    slots.push(Some(element));
                }
                (Write::Update, Some(at)) => {
                    let id = id.unwrap_or_default();
                    let element = elements::written(slots[at].take().unwrap_or_default(), &id, &fields);
                    note(Side::Partner, list, before.as_ref(), Some(&id), &fields, &mut changes);
                    step.partner =
                        Some(Child { id: Some(id), fields: elements::fields(&element), updated_at: None });
                    slots[at] = Some(element);
                }
                _ => continue,
            }
            changed = true;
        }
        let mut writes = plan.whole.as_ref().map(|merge| merge.to_partner.clone()).unwrap_or_default();
        let contact = &plan.partner.contact;
        for (name, after) in &writes {
            changes.push(FieldChange {
                side: Side::Partner,
                field: name.clone(),
                before: contact.fields.get(name).map_or(serde_json::Value::Null, Value::to_json),
                after: after.to_json(),
            });
        }
        if changed {
            let array = slots.into_iter().flatten().map(serde_json::Value::Object).collect();
            writes.insert(field.to_owned(), Value::Json(array));
        }
        if writes.is_empty() {
            return Ok(contact.fields.clone());
        }
        let after = self.update_partner("contact", &contact.id, &writes).await?;
        applied.changes.append(&mut changes);
        let fields = seen(&contact.fields, &writes, &after.fields);
        if changed {
            // What the partner made of the values is what counts; an answer that cannot be read is met by the next run.
            let kept = elements::parse(&self.active.manifest.partner.name, field, fields.get(field));
            for child in kept.map(|kept| elements::children(&kept)).unwrap_or_default() {
                let own = steps.iter_mut().filter_map(|step| step.partner.as_mut());
                if let Some(own) = own.into_iter().find(|own| child.id.is_some() && own.id == child.id) {
                    *own = child;
                }
            }
        }
        Ok(fields)
    }

    /// Writes children that are records of their own, one by one, and the rows of the list as a whole.
    async fn write_records(
        &self,
        list: &ChildList,
        plan: &ListPlan,
        steps: &mut [Step],
        applied: &mut ListApplied,
    ) -> Result<Fields, Failure> {
        let entity = list.kind.entity();
        let contact = &plan.partner.contact;
        for step in steps.iter_mut().filter(|step| !step.over) {
            let before = step.partner.clone();
            let mut fields = step.pair.merge.to_partner.clone();
            let id = step.partner_id(plan);
            let moved = step.highlevel.as_ref().and_then(|child| child.id.as_deref());
            let moved = moved.is_some_and(|id| plan.adopted.contains_key(id));
            if step.pair.to_partner == Write::Create || moved {
                fields.insert(CONTACT_ID.to_owned(), contact.id.as_str().into());
            }
            let written = match (step.pair.to_partner, id) {
                (Write::Create, _) => match self.create_partner(entity, &fields).await {
                    Ok(Created::Record(record)) => Ok(Some(record)),
                    Ok(_) => Err(self.of_connector(
                        "adapter.create",
                        &WitError::Conflict(format!("the partner has this {entity} already")),
                    )),
                    Err(failure) => Err(failure),
                },
                (Write::Remove, Some(id)) => self.delete_partner(entity, &id).await.map(|()| None),
                (Write::Update, Some(id)) => {
                    self.update_partner(entity, &RecordId::new(id), &fields).await.map(Some)
                }
                (Write::Nothing, Some(id)) if moved => {
                    self.update_partner(entity, &RecordId::new(id), &fields).await.map(Some)
                }
                _ => continue,
            };
            match written {
                Ok(record) => {
                    let id = record.as_ref().map(|record| record.id.as_str().to_owned());
                    let shown = if record.is_some() { fields.clone() } else { removed() };
                    note(Side::Partner, list, before.as_ref(), id.as_deref(), &shown, &mut applied.changes);
                    step.partner = record.map(|record| {
                        let all = match before {
                            Some(before) => seen(&before.fields, &fields, &record.fields),
                            None => fields.into_iter().chain(record.fields).collect(),
                        };
                        Child { id, fields: all, updated_at: record.updated_at }
                    });
                }
                Err(failure) => {
                    step.over = true;
                    applied.notes.push(format!("{}: {}", name(list, step), failure.message));
                    applied.failure.get_or_insert(failure);
                }
            }
        }
        let writes = plan.whole.as_ref().map(|merge| merge.to_partner.clone()).unwrap_or_default();
        if writes.is_empty() {
            return Ok(contact.fields.clone());
        }
        let after = self.update_partner("contact", &contact.id, &writes).await?;
        let fields = seen(&contact.fields, &writes, &after.fields);
        applied.changes.extend(writes.iter().map(|(name, after)| FieldChange {
            side: Side::Partner,
            field: name.clone(),
            before: contact.fields.get(name).map_or(serde_json::Value::Null, Value::to_json),
            after: after.to_json(),
        }));
        Ok(fields)
    }

    // -------------------------------------------------------------------------------------------------------------- links

    fn link_up(
        &self,
        list: &ChildList,
        plan: &ListPlan,
        steps: Vec<Step>,
        contact_after: &Fields,
        applied: &mut ListApplied,
    ) {
        let context = &self.active.context;
        let mut highlevel: Vec<Child> = Vec::new();
        let mut partner: Vec<Child> = Vec::new();
        for step in steps {
            highlevel.extend(step.highlevel.clone());
            partner.extend(step.partner.clone());
            if step.over {
                continue;
            }
            applied.conflicts.extend(step.pair.merge.conflicts.iter().cloned());
            let previous =
                step.pair.link.as_ref().and_then(|link| plan.links.get(&RecordId::new(&*link.highlevel_id)));
            match (step.pair.then, list.rules(false)) {
                (Then::Link, Some(rules)) => {
                    let (Some(highlevel), Some(partner)) = (&step.highlevel, &step.partner) else { continue };
                    let (Some(own), Some(theirs)) = (&highlevel.id, &partner.id) else { continue };
                    let link =
                        step.pair.link(&rules, (own, &highlevel.fields), (theirs, &partner.fields), context);
                    self.keep(list, plan, previous, &link, applied);
                }
                (Then::Lost(side), Some(_)) => {
                    if let Some(link) = &step.pair.link {
                        let link = ChildLink { lost: Some(side), ..link.clone() };
                        self.keep(list, plan, previous, &link, applied);
                    }
                }
                (Then::Unlink, _) => applied.unlinked.extend(previous.cloned()),
                _ => {}
            }
        }
        if list.children.is_none() {
            highlevel.clone_from(&plan.highlevel);
        }
        if applied.failure.is_none() {
            applied.link = Some(self.list_link(list, plan, (&highlevel, &partner), contact_after));
        }
    }

    /// Stores a child's link, unless it is as it was.
    fn keep(
        &self,
        list: &ChildList,
        plan: &ListPlan,
        previous: Option<&Link>,
        link: &ChildLink,
        applied: &mut ListApplied,
    ) {
        let link = Link {
            connection: self.active.connection.id.clone(),
            entity: list.kind.entity().to_owned(),
            highlevel_id: RecordId::new(&*link.highlevel_id),
            partner_id: RecordId::new(&*link.partner_id),
            parent: Some(plan.contact.clone()),
            base: link.base.clone(),
            highlevel_fingerprint: link.highlevel_fingerprint.clone(),
            partner_fingerprint: link.partner_fingerprint.clone(),
            state: match link.lost {
                None => LinkState::Active,
                Some(contactor_sync::Side::Highlevel) => LinkState::HighlevelDeleted,
                Some(contactor_sync::Side::Partner) => LinkState::PartnerDeleted,
            },
            occurs_at: occurs_at(plan, link),
            created_at: previous.map_or(self.started_at, |link| link.created_at),
            updated_at: self.started_at,
        };
        let moved = plan.adopted.contains_key(link.highlevel_id.as_str());
        let same = previous.is_some_and(|old| *old == Link { updated_at: old.updated_at, ..link.clone() });
        if moved || !same {
            applied.children.push(link);
        }
    }

    fn list_link(
        &self,
        list: &ChildList,
        plan: &ListPlan,
        (highlevel, partner): (&[Child], &[Child]),
        contact_after: &Fields,
    ) -> Link {
        let context = &self.active.context;
        let previous = plan.link.as_ref();
        let base = match (&list.whole, &plan.whole) {
            (Some(mapping), Some(merge)) => settle(
                mapping,
                previous.map(|link| &link.base),
                merge,
                &whole_fields(list.kind, highlevel),
                contact_after,
                context,
            ),
            _ => contactor_sync::Base::default(),
        };
        let partner_print = match &list.children {
            Some(mapping) => list_fingerprint(mapping, contactor_sync::Side::Partner, partner, context),
            None => contactor_sync::Fingerprint::from_stored(""),
        };
        Link {
            connection: self.active.connection.id.clone(),
            entity: list.kind.list().to_owned(),
            highlevel_id: plan.contact.clone(),
            partner_id: plan.partner.contact.id.clone(),
            parent: Some(plan.contact.clone()),
            base,
            highlevel_fingerprint: list.highlevel_print(highlevel, context),
            partner_fingerprint: partner_print,
            occurs_at: None,
            state: LinkState::Active,
            created_at: previous.map_or(self.started_at, |link| link.created_at),
            updated_at: self.started_at,
        }
    }
}

impl Step {
    /// The partner's id: its own, else the one it had, else HighLevel's, which nothing else in the list has.
    fn partner_id(&self, plan: &ListPlan) -> Option<String> {
        let own = self.partner.as_ref().and_then(|child| child.id.clone());
        let had = || self.pair.link.as_ref().map(|link| link.partner_id.clone());
        let adopted = || {
            let id = self.highlevel.as_ref()?.id.as_deref()?;
            Some(plan.adopted.get(id)?.as_str().to_owned())
        };
        own.or_else(had).or_else(adopted).or_else(|| self.highlevel.as_ref()?.id.clone())
    }
}

/// When a child takes place, by HighLevel.
fn occurs_at(plan: &ListPlan, link: &ChildLink) -> Option<Timestamp> {
    let child = plan.highlevel.iter().find(|child| child.id.as_deref() == Some(link.highlevel_id.as_str()));
    child?.fields.get(START)?.as_text()?.parse().ok()
}

/// A child as a remark names it.
fn name(list: &ChildList, step: &Step) -> String {
    let ids = [step.highlevel.as_ref(), step.partner.as_ref()];
    let id = ids.into_iter().flatten().find_map(|child| child.id.clone());
    format!("{} {}", list.kind.entity(), id.unwrap_or_else(|| "without an id".to_owned()))
}

/// What a removal looks like among the changes.
fn removed() -> Fields {
    Fields::from([(REMOVED.to_owned(), Value::Boolean(true))])
}

fn note(
    side: Side,
    list: &ChildList,
    before: Option<&Child>,
    id: Option<&str>,
    written: &Fields,
    changes: &mut Vec<FieldChange>,
) {
    let id = id.or_else(|| before?.id.as_deref()).unwrap_or("?");
    changes.extend(written.iter().map(|(field, after)| FieldChange {
        side,
        field: format!("{}[{id}].{field}", list.kind.list()),
        before:
            before.and_then(|child| child.fields.get(field)).map_or(serde_json::Value::Null, Value::to_json),
        after: after.to_json(),
    }));
}

/// A refused child is its own fault; any other failure would meet the next one as well.
fn is_of_one_child(failure: &Failure) -> bool {
    matches!(failure.class, FailureClass::Data | FailureClass::Config | FailureClass::Conflict)
}
