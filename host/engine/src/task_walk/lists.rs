//! Lists of tasks that are not as the last run of a connection left them.
//!
//! What a walk saw the last time says nothing about what a webhook, a run or a person did in between: a task that was closed and
//! opened again between two walks looks the same to both. So each contact's tasks are held against the fingerprint that the
//! last run of its list stored, on each connection for itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use contactor_store::{FailureClass, Link, LinkState, Mark, RecordId, Seen, SeenPage, Side, WorkspaceId};
use contactor_sync::Child;

use crate::active::Active;
use crate::engine::Engine;
use crate::failure::{Failure, of_store};
use crate::reconcile::children::{self, Kind};

/// Contacts with their tasks, as a whole walk saw them.
#[derive(Default)]
pub(super) struct Shown(BTreeMap<RecordId, BTreeMap<RecordId, Child>>);

/// Links per page.
const LINKS: u32 = 1_000;
/// The search may show a task otherwise than the list of its contact, and a run changes nothing about that: a difference that
/// stays the same is marked so often and then left alone.
const TRIES: u32 = 2;

/// A contact's list as the walk and the last run saw it.
struct List {
    contact: RecordId,
    /// What HighLevel shows now.
    now: String,
    /// What the last run left; none when there was none.
    left: Option<String>,
}

impl Shown {
    pub(super) fn add(&mut self, contact: &RecordId, task: &RecordId, child: Child) {
        self.0.entry(contact.clone()).or_default().insert(task.clone(), child);
    }

    /// Every list of a connection: those of contacts that have tasks, and those that had some at their last run.
    fn lists(&self, keeper: &Active, links: &[(RecordId, String)]) -> Vec<List> {
        let Some(list) = keeper.lists.get(Kind::Task.list()) else { return Vec::new() };
        let left: HashMap<&RecordId, &String> = links.iter().map(|(contact, left)| (contact, left)).collect();
        let contacts: BTreeSet<&RecordId> = self.0.keys().chain(left.keys().copied()).collect();
        let of = |contact: &RecordId| {
            let children = self.0.get(contact).map(|tasks| tasks.values().cloned().collect());
            let children: Vec<Child> = children.unwrap_or_default();
            List {
                now: list.highlevel_print(&children, &keeper.context).as_str().to_owned(),
                left: left.get(contact).map(|left| (*left).clone()),
                contact: contact.clone(),
            }
        };
        contacts.into_iter().map(of).collect()
    }
}

/// What is to be stored about one list.
#[derive(Debug, PartialEq)]
enum Verdict {
    InStep,
    /// It differs, and has differed in the same way for so long that no run will mend it.
    Known,
    /// It is looked at; this is remembered.
    Marked(String),
}

/// `before` is what was remembered when the list was last marked.
fn judge(now: &str, left: &str, before: Option<&str>) -> Verdict {
    if now == left {
        return Verdict::InStep;
    }
    let difference = format!("{now} {left}");
    let tries = before.and_then(|before| before.split_once(' ')).filter(|(_, known)| *known == difference);
    match tries.and_then(|(tries, _)| tries.parse().ok()).unwrap_or(0) {
        TRIES.. => Verdict::Known,
        tries => Verdict::Marked(format!("{} {difference}", tries + 1)),
    }
}

impl Engine {
    /// Marks the lists that are not as the last run of each connection left them; answers whether there are any.
    pub(super) async fn mark_lists(
        &self,
        workspace: &WorkspaceId,
        keepers: &[Arc<Active>],
        shown: Shown,
    ) -> Result<bool, Failure> {
        let shown = Arc::new(shown);
        let mut any = false;
        for keeper in keepers {
            let links = self.lists_left(keeper).await?;
            let (own, all) = (keeper.clone(), shown.clone());
            // Rows may be expressions: a large location keeps a core busy for a while.
            let lists = tokio::task::spawn_blocking(move || all.lists(&own, &links));
            let lists = lists.await.map_err(|_| {
                Failure::new(FailureClass::Host, "the host failed in comparing the lists of tasks")
            })?;
            any |= self.mark_differing(workspace, keeper, lists).await?;
        }
        Ok(any)
    }

    async fn mark_differing(
        &self,
        workspace: &WorkspaceId,
        keeper: &Active,
        lists: Vec<List>,
    ) -> Result<bool, Failure> {
        let id = &keeper.connection.id;
        let stream = format!("task-lists:{id}");
        let before = self.store().seen(workspace, &stream).await.map_err(of_store)?;
        let mut before: HashMap<RecordId, String> =
            before.into_iter().map(|seen| (seen.record, seen.fingerprint)).collect();
        let mut page = SeenPage::default();
        for list in lists {
            let known = before.remove(&list.contact);
            let verdict = judge(&list.now, list.left.as_deref().unwrap_or_default(), known.as_deref());
            match verdict {
                Verdict::Known => {}
                Verdict::InStep => page.gone.extend(known.map(|_| list.contact)),
                // Without its contact's link a list waits, and the link marks it.
                Verdict::Marked(_)
                    if list.left.is_none() && !self.is_linked(keeper, &list.contact).await? => {}
                Verdict::Marked(fingerprint) => {
                    page.marks.push((id.clone(), list_mark(&list.contact)));
                    page.seen.push(Seen { record: list.contact.clone(), parent: list.contact, fingerprint });
                }
            }
        }
        page.gone.extend(before.into_keys());
        let any = !page.marks.is_empty();
        if any || !page.gone.is_empty() {
            self.store().put_seen(workspace, &stream, page).await.map_err(of_store)?;
        }
        Ok(any)
    }

    /// The contacts whose list a connection keeps, and what the last run left of it.
    async fn lists_left(&self, keeper: &Active) -> Result<Vec<(RecordId, String)>, Failure> {
        let mut left = Vec::new();
        let mut after: Option<RecordId> = None;
        loop {
            let list = Kind::Task.list();
            let page = self.store().links(&keeper.connection.id, list, after.as_ref(), LINKS).await;
            let page = page.map_err(of_store)?;
            let Some(last) = page.last() else { return Ok(left) };
            after = Some(last.highlevel_id.clone());
            let print = |link: Link| (link.highlevel_id, link.highlevel_fingerprint.as_str().to_owned());
            left.extend(page.into_iter().map(print));
        }
    }

    async fn is_linked(&self, keeper: &Active, contact: &RecordId) -> Result<bool, Failure> {
        let link = self.store().link(&keeper.connection.id, "contact", Side::Highlevel, contact).await;
        Ok(link.map_err(of_store)?.is_some_and(|link| link.state == LinkState::Active))
    }
}

fn list_mark(contact: &RecordId) -> Mark {
    children::mark(Kind::Task.list(), Side::Highlevel, contact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_marked_until_it_is_plain_that_no_run_mends_it() {
        assert_eq!(judge("a", "a", None), Verdict::InStep);
        let Verdict::Marked(first) = judge("a", "b", None) else { panic!("it differs") };
        let Verdict::Marked(second) = judge("a", "b", Some(&first)) else {
            panic!("the run may have failed")
        };
        assert_eq!(judge("a", "b", Some(&second)), Verdict::Known);
        // Either side moved: that is another difference.
        for (now, left) in [("c", "b"), ("a", "c")] {
            assert!(matches!(judge(now, left, Some(&second)), Verdict::Marked(_)), "{now} {left}");
        }
        assert_eq!(judge("b", "b", Some(&second)), Verdict::InStep);
    }
}
