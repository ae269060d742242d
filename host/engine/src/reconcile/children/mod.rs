//! The tasks, notes and appointments of a contact, kept in step as one list per kind.
//!
//! HighLevel announces little of them and the partner often keeps them in a field of its contact, so the unit of work is the
//! list: its dirty record is `tasks`, `notes` or `appointments` with the contact's id. A run reads both lists, [plans](plan)
//! and [writes](apply). It needs the contact's link; once a contact is linked, its lists are marked.

mod apply;
mod elements;
mod highlevel;
mod list;
mod merged;
mod plan;

use contactor_highlevel::TaskQuery;
use contactor_store::{ClaimedRecord, Hint, Link, LinkState, Mark, RecordId, RecordKey, RunOutcome, Side};
use contactor_sync::{Fields, Glimpse, Value, list_fingerprint};

pub(crate) use apply::ListApplied;
pub(crate) use highlevel::task_child;
pub(crate) use list::{ChildList, Home, Kind, compile};
pub(crate) use merged::Emptied;

use super::ending::Ending;
use super::sides::RunContext;
use crate::appointment_walk::calendar_of;
use crate::engine::Engine;
use crate::failure::{self, Failure};

/// How a dirty record names the list of a task whose contact is not known: real `TaskCreate` webhooks do not tell it.
const ORPHAN: &str = "task:";
/// The member of a hint that names the child. No field of HighLevel's begins like this.
const CHILD: &str = "$child";
/// The member of a hint that says that the child is gone.
const DELETED: &str = "$deleted";
/// The member of a hint whose other members are all that a webhook of its kind ever shows, although more may have changed.
const PARTIAL: &str = "$partial";
/// Tasks per page, and pages, of the search for the contact of a task.
const PAGE: u32 = 100;
const PAGES: u32 = 5;

/// A mark on the list of a contact.
pub(crate) fn mark(list: &str, side: Side, contact: &RecordId) -> Mark {
    Mark { entity: list.to_owned(), side, record: contact.clone(), snapshot: None, deleted: false }
}

/// The mark of HighLevel's webhook about one child.
pub(crate) fn hinted(kind: Kind, id: &str, contact: Option<&str>, news: News, shown: Fields) -> Option<Mark> {
    let record = match (contact, kind) {
        (Some(contact), _) => RecordId::new(contact),
        (None, Kind::Task) => RecordId::new(format!("{ORPHAN}{id}")),
        (None, _) => return None,
    };
    let mut snapshot = shown;
    snapshot.insert(CHILD.to_owned(), id.into());
    match news {
        News::Deleted => drop(snapshot.insert(DELETED.to_owned(), true.into())),
        News::Partial => drop(snapshot.insert(PARTIAL.to_owned(), true.into())),
        News::Told => {}
    }
    Some(Mark { snapshot: Some(snapshot), ..mark(kind.list(), Side::Highlevel, &record) })
}

/// What a webhook about a child tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// What changed is among the fields that it shows.
    Told,
    /// Fields that it never shows may have changed as well.
    Partial,
    /// The child is gone.
    Deleted,
}

impl RunContext {
    /// Marks on all lists that the connection keeps for a contact.
    pub(crate) fn list_marks(&self, side: Side, contact: &RecordId) -> Vec<Mark> {
        self.active.lists.keys().map(|list| mark(list, side, contact)).collect()
    }

    /// Whether every hint of a list shows what is known already: our own write coming back, or old news.
    pub(crate) async fn is_list_echo(
        &self,
        list: &ChildList,
        claim: &ClaimedRecord,
    ) -> Result<bool, Failure> {
        if claim.hints.is_empty() || claim.attempts > 0 {
            return Ok(false);
        }
        for hint in &claim.hints {
            let known = match hint.side {
                Side::Highlevel => self.knows_child(list, hint).await?,
                Side::Partner => self.knows_list(list, hint, claim.link.as_ref()),
            };
            if !known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn knows_child(&self, list: &ChildList, hint: &Hint) -> Result<bool, Failure> {
        let (Some(shown), Some(rules)) = (&hint.snapshot, list.rules(false)) else { return Ok(false) };
        let Some(id) = shown.get(CHILD).and_then(Value::as_text) else { return Ok(false) };
        let link = self.child_link(list.kind, Side::Highlevel, &RecordId::new(id)).await?;
        if shown.contains_key(DELETED) {
            // The partner was never shown it, or not for long; a count of all children may have changed.
            return Ok(link.is_none() && list.whole.is_none());
        }
        let Some(link) = link.filter(|link| link.state == LinkState::Active) else { return Ok(false) };
        let mut fields = shown.clone();
        fields.retain(|name, _| ![CHILD, PARTIAL].contains(&name.as_str()));
        let glimpse = Glimpse { fields: &fields, partial: shown.contains_key(PARTIAL) };
        Ok(rules.shows_nothing_new(list.whole.as_ref(), glimpse, &link.base, &self.active.context))
    }

    /// Whether the partner's contact shows the list as it was left.
    fn knows_list(&self, list: &ChildList, hint: &Hint, link: Option<&Link>) -> bool {
        let (Home::Field(field), Some(link), Some(mapping)) = (&list.home, link, &list.children) else {
            return false;
        };
        let Some(value) = hint.snapshot.as_ref().and_then(|shown| shown.get(field)) else { return false };
        let Ok(shown) = elements::parse("", field, Some(value)) else { return false };
        let children = elements::children(&shown);
        let print = list_fingerprint(mapping, contactor_sync::Side::Partner, &children, &self.active.context);
        print == link.partner_fingerprint
    }

    /// The list links of a contact whose partner's id changed, with the new id.
    pub(crate) async fn rekeyed_lists(&self, contact: &Link) -> Result<Vec<Link>, Failure> {
        let mut lists = Vec::new();
        for list in self.active.lists.keys() {
            let id = &self.active.connection.id;
            let link = self.engine.store().link(id, list, Side::Highlevel, &contact.highlevel_id).await;
            let link = link.map_err(failure::of_store)?;
            lists.extend(link.map(|link| Link { partner_id: contact.partner_id.clone(), ..link }));
        }
        Ok(lists)
    }

    /// The link of the contact whose list this is, while both sides have the contact.
    async fn contact_of(&self, key: &RecordKey) -> Result<Option<Link>, Failure> {
        let found =
            self.engine.store().link(&self.active.connection.id, "contact", key.side, &key.record).await;
        let link = found.map_err(failure::of_store)?;
        Ok(link.filter(|link| link.state == LinkState::Active))
    }

    /// The contact of a partner's child record, by its link or by what the record says.
    async fn contact_of_child(&self, kind: Kind, key: &RecordKey) -> Result<Option<RecordId>, Failure> {
        if let Some(link) = self.child_link(kind, key.side, &key.record).await? {
            return Ok(link.parent);
        }
        if key.side == Side::Highlevel {
            return Ok(None);
        }
        let Some(record) = self.read_partner(kind.entity(), &key.record).await? else { return Ok(None) };
        let Some(contact) = record.fields.get(plan::CONTACT_ID).and_then(Value::as_text) else {
            return Ok(None);
        };
        let contact = RecordKey { record: RecordId::new(contact), ..key.clone() };
        Ok(self.contact_of(&contact).await?.map(|link| link.highlevel_id))
    }

    /// Finds the contact of a task that a webhook named without it.
    pub(crate) async fn contact_of_task(
        &self,
        id: &str,
        title: Option<&str>,
    ) -> Result<Option<RecordId>, Failure> {
        if let Some(link) = self.child_link(Kind::Task, Side::Highlevel, &RecordId::new(id)).await? {
            return Ok(link.parent);
        }
        // The search knows no ids, but the webhook shows the title.
        for page in 0..PAGES {
            let query = TaskQuery {
                query: title.map(str::to_owned),
                limit: Some(PAGE),
                skip: page * PAGE,
                ..TaskQuery::default()
            };
            let tasks = self.location.search_tasks(&query).await;
            let tasks = tasks.map_err(|error| failure::of_highlevel(&error))?;
            if let Some(task) = tasks.iter().find(|task| task.id.as_str() == id) {
                return Ok(task.contact_id.as_ref().map(|contact| RecordId::new(contact.as_str())));
            }
            if tasks.len() < PAGE as usize {
                break;
            }
        }
        Ok(None)
    }
}

impl Engine {
    /// Runs a dirty list; `None` leaves no trace.
    pub(crate) async fn reconcile_list(
        &self,
        run: &RunContext,
        list: &ChildList,
        claim: &ClaimedRecord,
    ) -> Result<Option<Ending>, Failure> {
        if let Some(task) = claim.key.record.as_str().strip_prefix(ORPHAN) {
            return self.resolve(run, list, claim, task).await.map(Some);
        }
        // Without its contact's link a list waits: the link marks it.
        let Some(contact) = run.contact_of(&claim.key).await? else { return Ok(None) };
        if claim.key.side == Side::Partner {
            // The contact was linked after the mark: the list has one address, HighLevel's.
            let marks = vec![mark(list.kind.list(), Side::Highlevel, &contact.highlevel_id)];
            return Ok(Some(Ending { marks, quiet: true, ..Ending::done(RunOutcome::Unchanged, "") }));
        }
        let Some(plan) = run.plan_list(list, &contact, claim.link.clone()).await? else {
            return Ok(Some(
                Ending::done(RunOutcome::Skipped, "its contact is gone on one side")
                    .between(Some(contact.highlevel_id), Some(contact.partner_id)),
            ));
        };
        if list.kind == Kind::Appointment {
            let calendars = plan.highlevel.iter().filter_map(|child| calendar_of(&child.fields));
            self.know_calendars(&run.active.workspace.id, calendars).await?;
        }
        let link = plan.link.clone();
        // A list that is brought over for the first time changes nothing that was agreed on.
        let planned = if link.is_some() { plan.changes(list.kind) } else { Vec::new() };
        let changed: Vec<Side> = [Side::Highlevel, Side::Partner]
            .into_iter()
            .filter(|side| planned.iter().any(|change| change.side == *side))
            .collect();
        run.pass_guard(&contact.highlevel_id, &changed).await?;
        let met = plan.pairs.iter().flat_map(|pair| &pair.merge.conflicts);
        run.note_conflicts(&contact.highlevel_id, met).await?;
        let applied = run.apply_list(list, plan).await;
        let ending = self.list_ending(run, list, claim, (contact, link), applied).await;
        ending.changes.iter().for_each(|change| run.wrote(change.side));
        Ok(Some(ending))
    }

    /// A child record that was marked by itself: the list of its contact is marked in its place.
    pub(crate) async fn reconcile_child(
        &self,
        run: &RunContext,
        kind: Kind,
        claim: &ClaimedRecord,
    ) -> Result<Option<Ending>, Failure> {
        // Without a contact that is linked there is no list to look at; the link marks it.
        let Some(contact) = run.contact_of_child(kind, &claim.key).await? else { return Ok(None) };
        let marks = vec![mark(kind.list(), Side::Highlevel, &contact)];
        Ok(Some(Ending { marks, quiet: true, ..Ending::done(RunOutcome::Unchanged, "") }))
    }

    /// A task whose contact the webhook did not tell: its contact's list is marked in its place.
    async fn resolve(
        &self,
        run: &RunContext,
        list: &ChildList,
        claim: &ClaimedRecord,
        task: &str,
    ) -> Result<Ending, Failure> {
        let shown = claim.hints.iter().rev().find_map(|hint| hint.snapshot.as_ref()?.get("title")?.as_text());
        Ok(match run.contact_of_task(task, shown).await? {
            Some(contact) => {
                let marks = vec![mark(list.kind.list(), Side::Highlevel, &contact)];
                Ending { marks, quiet: true, ..Ending::done(RunOutcome::Unchanged, "") }
            }
            None => Ending::done(
                RunOutcome::Skipped,
                format!(
                    "HighLevel did not say whose task {task} is, and its search does not show it yet: the next sweep finds it"
                ),
            ),
        })
    }

    async fn list_ending(
        &self,
        run: &RunContext,
        list: &ChildList,
        claim: &ClaimedRecord,
        (contact, link): (Link, Option<Link>),
        applied: ListApplied,
    ) -> Ending {
        let summary = summary(run, list, &applied);
        let ending = Ending {
            link: applied.link,
            replaces: link,
            children: applied.children,
            unlinked: applied.unlinked,
            conflicts: applied.conflicts,
            ..match applied.failure {
                Some(failure) => self.failed(run, claim, failure).await,
                None if applied.changes.is_empty() => Ending::done(RunOutcome::Unchanged, ""),
                None => Ending::done(RunOutcome::Applied, ""),
            }
        };
        let summary = match ending.summary.as_str() {
            "" => summary,
            failed => format!("{failed}; {summary}"),
        };
        Ending { summary, changes: applied.changes, ..ending }
            .between(Some(contact.highlevel_id), Some(contact.partner_id))
    }
}

fn summary(run: &RunContext, list: &ChildList, applied: &ListApplied) -> String {
    let mut parts = Vec::new();
    for (side, system) in
        [(Side::Highlevel, "HighLevel"), (Side::Partner, run.active.manifest.partner.name.as_str())]
    {
        let count = applied.changes.iter().filter(|change| change.side == side).count();
        if count > 0 {
            parts.push(format!("{system}: {count} values of {}", list.kind.list()));
        }
    }
    parts.extend(applied.notes.iter().cloned());
    if parts.is_empty() { "in step".to_owned() } else { parts.join("; ") }
}
