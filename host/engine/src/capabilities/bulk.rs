//! `bulk`: operations on many contacts at once.

use contactor_highlevel::{BULK_LIMIT, BulkItem, BulkTags, BusinessId, ContactId};
use contactor_runtime::bindings::bulk::{BulkOutcome, Host, TagMode};
use contactor_runtime::bindings::types::Error;

use super::{Direct, errors};
use crate::access::Access;

impl Host for Direct {
    /// A request that fails ends the call, although earlier ones took effect: the whole call can be made again, because
    /// adding a tag that is there, and removing one that is not, changes nothing.
    async fn update_tags(
        &mut self,
        mode: TagMode,
        contact_ids: Vec<String>,
        tags: Vec<String>,
    ) -> Result<BulkOutcome, Error> {
        self.may(Access::Write)?;
        let change = tag_change(mode, tags)?;
        let contacts: Vec<ContactId> = contact_ids.into_iter().map(ContactId::new).collect();
        let mut sum = BulkOutcome { errors: 0, responses: Vec::with_capacity(contacts.len()) };
        for chunk in contacts.chunks(BULK_LIMIT) {
            let outcome =
                self.run.location.bulk_update_tags(&change, chunk).await.map_err(errors::of_highlevel)?;
            sum.errors = sum.errors.saturating_add(outcome.errors);
            sum.responses.extend(outcome.items.iter().map(response));
        }
        Ok(sum)
    }

    async fn set_business(
        &mut self,
        contact_ids: Vec<String>,
        business_id: Option<String>,
    ) -> Result<Vec<String>, Error> {
        self.may(Access::Write)?;
        check_count(contact_ids.len())?;
        let contacts: Vec<ContactId> = contact_ids.into_iter().map(ContactId::new).collect();
        let business = business_id.map(BusinessId::new);
        let changed = self.run.location.bulk_set_business(&contacts, business.as_ref()).await;
        Ok(changed.map_err(errors::of_highlevel)?.iter().map(ToString::to_string).collect())
    }
}

/// No contacts are no work; no tags to add are a mistake, said before anything is sent.
fn tag_change(mode: TagMode, tags: Vec<String>) -> Result<BulkTags, Error> {
    let named = !tags.is_empty() && tags.iter().all(|tag| !tag.trim().is_empty());
    match mode {
        TagMode::RemoveAll => Ok(BulkTags::RemoveAll),
        _ if !named => Err(errors::invalid("tags", "name at least one tag, and none that is empty")),
        TagMode::Add => Ok(BulkTags::Add(tags)),
        TagMode::Remove => Ok(BulkTags::Remove(tags)),
    }
}

/// Not split like tags: putting contacts into a business is one decision, which should not be half done.
fn check_count(contacts: usize) -> Result<(), Error> {
    if (1..=BULK_LIMIT).contains(&contacts) {
        return Ok(());
    }
    Err(errors::invalid("contact-ids", format!("1 to {BULK_LIMIT} contacts, these are {contacts}")))
}

fn response(item: &BulkItem) -> String {
    item.raw.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{Answers, Bench};
    use super::*;

    #[tokio::test]
    async fn many_contacts_are_sent_in_fifties_and_their_outcomes_are_summed() {
        let answer = json!({ "succeded": true, "errorCount": 2, "responses": [{ "contactId": "x", "message": "deleted" }] });
        let bench =
            Bench::answering(Answers::from([("POST /contacts/bulk/tags/update/add", (201, answer))])).await;
        let ids = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>();
        let mut host = bench.allowed();
        let outcome = host.update_tags(TagMode::Add, ids(101), vec!["vip".to_owned()]).await.unwrap();
        assert_eq!(outcome.errors, 6);
        assert_eq!(outcome.responses, vec![r#"{"contactId":"x","message":"deleted"}"#; 3]);
        let sent: Vec<Vec<String>> = bench
            .seen()
            .into_iter()
            .map(|seen| serde_json::from_value(seen.body["contacts"].clone()).unwrap())
            .collect();
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 1]);
        assert_eq!(sent.concat(), ids(101));

        let none = host.update_tags(TagMode::Add, vec![], vec!["vip".to_owned()]).await.unwrap();
        assert_eq!((none.errors, none.responses.len(), bench.seen().len()), (0, 0, 3));
    }

    #[test]
    fn adding_or_removing_nothing_is_a_mistake_and_removing_all_needs_no_names() {
        for mode in [TagMode::Add, TagMode::Remove] {
            for tags in [vec![], vec![String::new()], vec!["vip".to_owned(), "  ".to_owned()]] {
                assert!(matches!(tag_change(mode, tags), Err(Error::Invalid(_))));
            }
        }
        let tags = || vec!["vip".to_owned()];
        assert_eq!(tag_change(TagMode::Add, tags()), Ok(BulkTags::Add(tags())));
        assert_eq!(tag_change(TagMode::Remove, tags()), Ok(BulkTags::Remove(tags())));
        assert_eq!(tag_change(TagMode::RemoveAll, tags()), Ok(BulkTags::RemoveAll));
    }

    #[test]
    fn a_business_takes_one_to_fifty_contacts_at_once() {
        assert_eq!([0, 1, 50, 51].map(|count| check_count(count).is_ok()), [false, true, true, false]);
    }
}
