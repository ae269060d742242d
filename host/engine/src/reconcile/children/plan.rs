//! Reads both lists and decides what a run would write.

use std::collections::{BTreeMap, BTreeSet};

use contactor_runtime::{Invocation, Reply};
use contactor_store::{FailureClass, Link, RecordId, Side};
use contactor_sync::{
    Child, ChildLink, Fields, ListRules, Merge, Pair, Value, View, Write, merge, merge_children,
};

use super::elements::{self, Element};
use super::list::{ChildList, Home, Kind};
use crate::convert::own_side;
use crate::failure::{self, Failure};
use crate::reconcile::preview::PlannedChange;
use crate::reconcile::sides::{RunContext, SideRecord, mismatch};

/// The partner's half of a list as it was read.
pub(crate) struct PartnerList {
    /// The partner's contact.
    pub(crate) contact: SideRecord,
    /// Its children, in their order.
    pub(crate) children: Vec<Child>,
    /// The same as elements of the contact's field; empty when they are records.
    pub(crate) elements: Vec<Element>,
    /// Elements of children that belong to another contact by now.
    pub(crate) moved_away: BTreeSet<usize>,
}

/// The writes that bring two lists into step.
pub(crate) struct ListPlan {
    /// HighLevel's contact.
    pub(crate) contact: RecordId,
    /// HighLevel's children.
    pub(crate) highlevel: Vec<Child>,
    /// The partner's half.
    pub(crate) partner: PartnerList,
    /// Links of the children by HighLevel's id.
    pub(crate) links: BTreeMap<RecordId, Link>,
    /// Children of HighLevel that were linked under another contact, with the partner's id that they have there.
    pub(crate) adopted: BTreeMap<String, RecordId>,
    /// What to do about each child.
    pub(crate) pairs: Vec<Pair>,
    /// What the rows of the list as a whole write to the partner's contact.
    pub(crate) whole: Option<Merge>,
    /// The list's own link so far.
    pub(crate) link: Option<Link>,
}

impl ListPlan {
    /// What would be written, named as `tasks[<id>].<field>`.
    pub(crate) fn changes(&self, kind: Kind) -> Vec<PlannedChange> {
        let mut changes = Vec::new();
        for pair in &self.pairs {
            let highlevel = pair.highlevel.map(|at| &self.highlevel[at]);
            let partner = pair.partner.map(|at| &self.partner.children[at]);
            let id = [highlevel, partner].into_iter().flatten().find_map(|child| child.id.as_deref());
            let id = id.unwrap_or("new");
            for (side, own, write, fields) in [
                (Side::Highlevel, highlevel, pair.to_highlevel, &pair.merge.to_highlevel),
                (Side::Partner, partner, pair.to_partner, &pair.merge.to_partner),
            ] {
                let planned = |field: &str, before: Option<&Value>, after: &Value| PlannedChange {
                    side,
                    field: format!("{}[{id}].{field}", kind.list()),
                    before: before.map_or(serde_json::Value::Null, Value::to_json),
                    after: after.to_json(),
                };
                match write {
                    Write::Nothing => {}
                    Write::Remove => changes.push(planned(REMOVED, None, &Value::Boolean(true))),
                    Write::Create | Write::Update => {
                        let before = |field: &str| own.and_then(|child| child.fields.get(field));
                        changes
                            .extend(fields.iter().map(|(field, after)| planned(field, before(field), after)));
                    }
                }
            }
        }
        if let Some(whole) = &self.whole {
            changes.extend(whole.to_partner.iter().map(|(field, after)| PlannedChange {
                side: Side::Partner,
                field: field.clone(),
                before:
                    self.partner.contact.fields.get(field).map_or(serde_json::Value::Null, Value::to_json),
                after: after.to_json(),
            }));
        }
        changes
    }
}

impl RunContext {
    /// Plans the run of a contact's list; `None` when one of the contacts is gone, which is for the contact's own run to see.
    pub(crate) async fn plan_list(
        &self,
        list: &ChildList,
        contact: &Link,
        link: Option<Link>,
    ) -> Result<Option<ListPlan>, Failure> {
        let (highlevel, record) = futures_util::future::try_join(
            self.read_children(list.kind, &contact.highlevel_id),
            self.read_partner("contact", &contact.partner_id),
        )
        .await?;
        let (Some(highlevel), Some(record)) = (highlevel, record) else { return Ok(None) };
        self.plan_read_list(list, contact.highlevel_id.clone(), highlevel, record, link).await.map(Some)
    }

    /// Plans what a preview shows of the list of a contact that may not be linked, or have a counterpart, yet.
    pub(crate) async fn preview_list(
        &self,
        list: &ChildList,
        contact: &RecordId,
        counterpart: Option<SideRecord>,
    ) -> Result<Option<ListPlan>, Failure> {
        let Some(highlevel) = self.read_children(list.kind, contact).await? else { return Ok(None) };
        let nobody = SideRecord { id: RecordId::new(""), fields: Fields::new(), updated_at: None };
        let id = &self.active.connection.id;
        let link = self.engine.store().link(id, list.kind.list(), Side::Highlevel, contact).await;
        let link = link.map_err(failure::of_store)?;
        let record = counterpart.unwrap_or(nobody);
        self.plan_read_list(list, contact.clone(), highlevel, record, link).await.map(Some)
    }

    pub(crate) async fn plan_read_list(
        &self,
        list: &ChildList,
        contact: RecordId,
        highlevel: Vec<Child>,
        record: SideRecord,
        link: Option<Link>,
    ) -> Result<ListPlan, Failure> {
        let mut partner = self.partner_list(list, record).await?;
        let mut links = self.links_of(list.kind, &contact).await?;
        let adopted = self.adopt(list, &contact, &highlevel, &mut partner, &mut links).await?;
        if list.home != Home::Nowhere {
            self.let_go(list, &contact, &links, &mut partner).await?;
        }
        let moved = link.as_ref().is_some_and(|link| link.partner_id != partner.contact.id);
        let pairs = self.pairs(list, moved, &links, &highlevel, &partner);
        let whole = self.whole(list, link.as_ref(), &highlevel, &partner.contact)?;
        Ok(ListPlan { contact, highlevel, partner, links, adopted, pairs, whole, link })
    }

    pub(crate) async fn partner_list(
        &self,
        list: &ChildList,
        contact: SideRecord,
    ) -> Result<PartnerList, Failure> {
        let (children, elements) = match &list.home {
            Home::Field(field) => {
                let name = format!("{}'s contact {}", self.active.manifest.partner.name, contact.id);
                let elements = elements::parse(&name, field, contact.fields.get(field))?;
                (elements::children(&elements), elements)
            }
            Home::Records if contact.id.as_str().is_empty() => (Vec::new(), Vec::new()),
            Home::Records => {
                let records = self.find_partner(list.kind.entity(), CONTACT_ID, contact.id.as_str()).await?;
                (records.into_iter().map(of_record).collect(), Vec::new())
            }
            Home::Nowhere => (Vec::new(), Vec::new()),
        };
        Ok(PartnerList { contact, children, elements, moved_away: BTreeSet::new() })
    }

    pub(crate) async fn links_of(
        &self,
        kind: Kind,
        contact: &RecordId,
    ) -> Result<BTreeMap<RecordId, Link>, Failure> {
        let links = self.engine.store().child_links(&self.active.connection.id, kind.entity(), contact).await;
        let links = links.map_err(failure::of_store)?;
        Ok(links.into_iter().map(|link| (link.highlevel_id.clone(), link)).collect())
    }

    /// Children of HighLevel that were linked under another contact: a merge of contacts brought them here.
    async fn adopt(
        &self,
        list: &ChildList,
        contact: &RecordId,
        highlevel: &[Child],
        partner: &mut PartnerList,
        links: &mut BTreeMap<RecordId, Link>,
    ) -> Result<BTreeMap<String, RecordId>, Failure> {
        let mut adopted = BTreeMap::new();
        for child in highlevel {
            let id = RecordId::new(child.id.as_deref().unwrap_or_default());
            if links.contains_key(&id) {
                continue;
            }
            let Some(link) = self.child_link(list.kind, Side::Highlevel, &id).await? else { continue };
            let there =
                partner.children.iter().any(|own| own.id.as_deref() == Some(link.partner_id.as_str()));
            if list.home == Home::Records && !there {
                // A record of its own moves with its contact; one in a field is written anew beside the others.
                let Some(record) = self.read_partner(list.kind.entity(), &link.partner_id).await? else {
                    continue;
                };
                partner.children.push(of_record(record));
            } else if !there {
                continue;
            }
            adopted.insert(id.as_str().to_owned(), link.partner_id.clone());
            links.insert(id, Link { parent: Some(contact.clone()), ..link });
        }
        Ok(adopted)
    }

    /// Elements that the host named and whose child belongs to another contact by now leave this list.
    async fn let_go(
        &self,
        list: &ChildList,
        contact: &RecordId,
        links: &BTreeMap<RecordId, Link>,
        partner: &mut PartnerList,
    ) -> Result<(), Failure> {
        let known: BTreeSet<&str> = links.values().map(|link| link.partner_id.as_str()).collect();
        for (at, child) in partner.children.iter().enumerate() {
            let Some(id) = child.id.as_deref().filter(|id| !known.contains(id)) else { continue };
            // The host names elements by HighLevel's id; any other id means nothing outside its list.
            let link = self.child_link(list.kind, Side::Highlevel, &RecordId::new(id)).await?;
            if link
                .is_some_and(|link| link.partner_id.as_str() == id && link.parent.as_ref() != Some(contact))
            {
                partner.moved_away.insert(at);
            }
        }
        Ok(())
    }

    pub(crate) async fn child_link(
        &self,
        kind: Kind,
        side: Side,
        id: &RecordId,
    ) -> Result<Option<Link>, Failure> {
        let link = self.engine.store().link(&self.active.connection.id, kind.entity(), side, id).await;
        link.map_err(failure::of_store)
    }

    fn pairs(
        &self,
        list: &ChildList,
        moved: bool,
        links: &BTreeMap<RecordId, Link>,
        highlevel: &[Child],
        partner: &PartnerList,
    ) -> Vec<Pair> {
        let Some(rules) = list.rules(moved) else { return Vec::new() };
        let links: Vec<ChildLink> = links.values().map(child_link).collect();
        // What has left the list is out of sight; indexes are those of the whole list.
        let kept: Vec<usize> =
            (0..partner.children.len()).filter(|at| !partner.moved_away.contains(at)).collect();
        let children: Vec<Child> = kept.iter().map(|at| partner.children[*at].clone()).collect();
        let mut pairs = merge_children(&rules, &links, highlevel, &children, &self.active.context);
        for pair in &mut pairs {
            pair.partner = pair.partner.map(|at| kept[at]);
        }
        pairs
    }

    /// The rows of the list as a whole: HighLevel's list is their only field.
    pub(crate) fn whole(
        &self,
        list: &ChildList,
        link: Option<&Link>,
        highlevel: &[Child],
        contact: &SideRecord,
    ) -> Result<Option<Merge>, Failure> {
        let Some(mapping) = &list.whole else { return Ok(None) };
        let fields = whole_fields(list.kind, highlevel);
        let base = link.filter(|link| link.partner_id == contact.id).map(|link| &link.base);
        let merged =
            merge(mapping, base, Some(&View::new(fields)), Some(&contact.view()), &self.active.context)
                .map_err(|error| Failure::new(FailureClass::Config, format!("mapping: {error}")))?;
        Ok(Some(merged))
    }

    /// Removes a partner's record; one that is gone already is as good.
    pub(crate) async fn delete_partner(&self, entity: &str, id: &str) -> Result<(), Failure> {
        let call = Invocation::Delete { entity: entity.to_owned(), id: id.to_owned() };
        match self.invoke("adapter.delete", call).await? {
            Reply::Delete(Ok(()) | Err(contactor_runtime::bindings::types::Error::NotFound(_))) => Ok(()),
            Reply::Delete(Err(error)) => Err(self.of_connector("adapter.delete", &error)),
            _ => Err(mismatch("adapter.delete")),
        }
    }
}

/// What a removal is called among the changes of a child.
pub(crate) const REMOVED: &str = "(removed)";

/// The partner's field by which child records of their own name their contact.
pub(crate) const CONTACT_ID: &str = "contact_id";

impl ChildList {
    /// How its children are merged; `None` when the partner keeps none.
    pub(crate) fn rules(&self, moved: bool) -> Option<ListRules<'_>> {
        let mapping = self.children.as_ref()?;
        Some(ListRules { mapping, direction: self.direction, include: self.include.as_deref(), moved })
    }
}

/// HighLevel's list as the one field that rows of the whole list read.
pub(crate) fn whole_fields(kind: Kind, highlevel: &[Child]) -> Fields {
    let mut children: Vec<&Child> = highlevel.iter().collect();
    children.sort_by(|a, b| a.id.cmp(&b.id));
    let children = children.into_iter().map(|child| {
        let mut object: Element =
            child.fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
        object.insert("id".to_owned(), child.id.as_deref().into());
        serde_json::Value::Object(object)
    });
    Fields::from([(kind.list().to_owned(), Value::Json(children.collect()))])
}

fn of_record(record: SideRecord) -> Child {
    Child { id: Some(record.id.as_str().to_owned()), fields: record.fields, updated_at: record.updated_at }
}

fn child_link(link: &Link) -> ChildLink {
    ChildLink {
        highlevel_id: link.highlevel_id.as_str().to_owned(),
        partner_id: link.partner_id.as_str().to_owned(),
        base: link.base.clone(),
        highlevel_fingerprint: link.highlevel_fingerprint.clone(),
        partner_fingerprint: link.partner_fingerprint.clone(),
        lost: link.state.lost().map(own_side),
    }
}
