//! What a connection's handlers change, call by call.
//!
//! A handler's call counts for the linked contacts that it is about: what it writes to their tasks, notes, tags or workflows, or to
//! the partner for the contact of the event, is a change of the contact. A contact that was linked within the window does not count:
//! a first sync brings whole lists of people, and a rule that greets each of them does what it is there for. Contacts without a
//! link are nobody's to count; `record-writes` bounds what is written to each of them. Counted is a call that succeeded, in the
//! transaction that notes its answer.

use contactor_store::{Counted, LinkState, RecordId, Side};
use serde::Serialize;
use serde_json::Value;

use super::Pass;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::reconcile::RunContext;

impl RunContext {
    /// Asks whether the contacts that a handler's call changes may be changed, before it is made; answers what counts once it
    /// succeeded.
    ///
    /// # Errors
    /// As [`pass_guard`](Self::pass_guard).
    pub(crate) async fn pass_call(
        &self,
        journal: &Journal,
        operation: &str,
        arguments: &impl Serialize,
    ) -> Result<(Vec<Counted>, Option<Pass>), Failure> {
        let arguments = serde_json::to_value(arguments).unwrap_or_default();
        let (side, contacts) = touched(operation, &arguments, journal.contact());
        let mut records = Vec::new();
        for record in contacts {
            let counted = Counted { record, side };
            if !journal.has_counted(&counted) && self.counts_for_handlers(&counted.record).await? {
                records.push(counted.record);
            }
        }
        if records.is_empty() {
            return Ok((Vec::new(), None));
        }
        let pass = self.ask_guard(side, records.clone()).await?;
        Ok((records.into_iter().map(|record| Counted { record, side }).collect(), pass))
    }

    /// Whether a contact was linked before the window began.
    async fn counts_for_handlers(&self, contact: &RecordId) -> Result<bool, Failure> {
        let link = self.link("contact", Side::Highlevel, contact).await?;
        let since = self.engine.window();
        Ok(link.is_some_and(|link| link.state == LinkState::Active && link.created_at < since))
    }
}

/// The contacts that a call changes, and on which side. `about` is the contact of the event.
fn touched(operation: &str, arguments: &Value, about: Option<RecordId>) -> (Side, Vec<RecordId>) {
    let id = |value: &Value| value.as_str().map(RecordId::new);
    let listed = |at: usize| arguments[at].as_array().into_iter().flatten().filter_map(id).collect();
    match operation {
        "partner.send" => (Side::Partner, about.into_iter().collect()),
        // Somebody new has no link, and whom an upsert finds is known only afterwards.
        "contacts.create" => (Side::Highlevel, Vec::new()),
        "contacts.upsert" => (Side::Highlevel, about.into_iter().collect()),
        "bulk.update-tags" => (Side::Highlevel, listed(1)),
        "bulk.set-business" => (Side::Highlevel, listed(0)),
        // All others name their contact first.
        _ => (Side::Highlevel, id(&arguments[0]).into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_changes_the_contacts_that_it_names_and_a_request_to_the_partner_that_of_the_event() {
        let of = |operation: &str, arguments: Value| {
            let (side, records) = touched(operation, &arguments, Some(RecordId::new("event")));
            (side, records.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let highlevel = |ids: &[&str]| (Side::Highlevel, ids.iter().map(ToString::to_string).collect());
        assert_eq!(of("contacts.update", json!(["c1", [["city", "Bern"]]])), highlevel(&["c1"]));
        assert_eq!(of("tasks.create", json!(["c2", false, []])), highlevel(&["c2"]));
        assert_eq!(of("bulk.update-tags", json!(["Add", ["c3", "c4"], ["vip"]])), highlevel(&["c3", "c4"]));
        assert_eq!(of("bulk.set-business", json!([["c5"], "b1"])), highlevel(&["c5"]));
        assert_eq!(of("contacts.create", json!([[], []])), highlevel(&[]));
        assert_eq!(of("contacts.upsert", json!([[], false])), highlevel(&["event"]));
        assert_eq!(of("partner.send", json!([{ "path": "/x" }])), (Side::Partner, vec!["event".to_owned()]));
    }
}
