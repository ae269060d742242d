//! `contacts`: the operations on contacts themselves.

use contactor_highlevel as highlevel;
use contactor_highlevel::{BusinessId, ContactDraft, ContactId, ContactPatch, Cursor, UserId};
use contactor_runtime::bindings::contacts::{
    Contact, ContactPage, Filter, Host, Operator, SearchRequest, UpsertOutcome,
};
use contactor_runtime::bindings::types::{Error, FieldProblem, NamedValue};
use contactor_store::JournalEntry;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::fields::{JsonFields, Names};
use super::{Direct, consent, errors};
use crate::access::Access;
use crate::journal;

/// How long HighLevel's search may not show what was created.
const SEARCH_LAG: SignedDuration = SignedDuration::from_secs(10);
/// Contacts of one person that are looked at, the newest first.
const NEWEST: u32 = 20;

impl Host for Direct {
    async fn search(&mut self, request: SearchRequest) -> Result<ContactPage, Error> {
        self.may(Access::Read)?;
        let request = search_request(request)?;
        let page = self.run.location.search_contacts(&request).await.map_err(errors::of_highlevel)?;
        self.page(page).await
    }

    async fn find_duplicate(
        &mut self,
        email: Option<String>,
        phone: Option<String>,
    ) -> Result<Option<Contact>, Error> {
        self.may(Access::Read)?;
        let found = self.run.location.find_duplicate(email.as_deref(), phone.as_deref()).await;
        match found.map_err(errors::of_highlevel)? {
            Some(contact) => self.contact(contact).await.map(Some),
            None => Ok(None),
        }
    }

    async fn get(&mut self, id: String) -> Result<Contact, Error> {
        self.may(Access::Read)?;
        let contact = self.run.location.contact(&ContactId::new(id)).await.map_err(errors::of_highlevel)?;
        self.contact(contact).await
    }

    async fn create(&mut self, fields: Vec<NamedValue>, tags: Vec<String>) -> Result<Contact, Error> {
        self.may(Access::Write)?;
        let draft = self.draft(&fields).await?;
        let contact = self.run.location.create_contact(&draft, &tags).await.map_err(errors::of_highlevel)?;
        self.contact(contact).await
    }

    async fn update(&mut self, id: String, fields: Vec<NamedValue>) -> Result<Contact, Error> {
        self.may(Access::Write)?;
        let id = ContactId::new(id);
        let mut fields = self.to_vendor(&fields).await?;
        if consent::touches(&fields) {
            let present = self.run.location.contact(&id).await.map_err(errors::of_highlevel)?;
            self.run.recorder.remark(consent::keep(std::slice::from_ref(&present), &mut fields));
            if fields.is_empty() {
                return self.contact(present).await;
            }
        }
        let patch = ContactPatch::from_fields(fields).map_err(|problems| errors::of_problems(&problems))?;
        let contact = self.run.location.update_contact(&id, &patch).await.map_err(errors::of_highlevel)?;
        self.contact(contact).await
    }

    async fn delete(&mut self, id: String) -> Result<(), Error> {
        self.may(Access::Write)?;
        self.run.location.delete_contact(&ContactId::new(id)).await.map_err(errors::of_highlevel)
    }

    async fn upsert(
        &mut self,
        fields: Vec<NamedValue>,
        create_new_if_duplicate_allowed: bool,
    ) -> Result<UpsertOutcome, Error> {
        self.may(Access::Write)?;
        let mut fields = self.to_vendor(&fields).await?;
        if consent::touches(&fields) {
            let present = self.may_be_upserted(&fields).await?;
            self.run.recorder.remark(consent::keep(&present, &mut fields));
        }
        let draft = ContactDraft::from_fields(fields).map_err(|problems| errors::of_problems(&problems))?;
        let upsert = self.run.location.upsert_contact(&draft, create_new_if_duplicate_allowed).await;
        let upsert = upsert.map_err(errors::of_highlevel)?;
        Ok(UpsertOutcome { created: upsert.created, contact: self.contact(upsert.contact).await? })
    }

    async fn list_page(
        &mut self,
        query: Option<String>,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<ContactPage, Error> {
        self.may(Access::Read)?;
        let cursor = cursor.as_deref().map(parse_cursor).transpose()?;
        let page = self.run.location.list_contacts(query.as_deref(), limit, cursor.as_ref()).await;
        self.page(page.map_err(errors::of_highlevel)?).await
    }

    async fn list_by_business(
        &mut self,
        business_id: String,
        query: Option<String>,
        limit: u32,
        skip: u32,
    ) -> Result<ContactPage, Error> {
        self.may(Access::Read)?;
        // The vendor documents no bound of its own here; the one of its other listing keeps an answer small.
        if !(1..=highlevel::search::MAX_LIST_PAGE).contains(&limit) {
            return Err(errors::invalid(
                "limit",
                format!("must be 1 to {}", highlevel::search::MAX_LIST_PAGE),
            ));
        }
        let business = BusinessId::new(business_id);
        let page =
            self.run.location.list_contacts_of_business(&business, query.as_deref(), limit, skip).await;
        self.page(page.map_err(errors::of_highlevel)?).await
    }

    async fn add_followers(&mut self, id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error> {
        self.may(Access::Write)?;
        let change = self.run.location.add_followers(&ContactId::new(id), &users(user_ids)).await;
        Ok(followers(&change.map_err(errors::of_highlevel)?))
    }

    async fn remove_followers(&mut self, id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error> {
        self.may(Access::Write)?;
        let change = self.run.location.remove_followers(&ContactId::new(id), &users(user_ids)).await;
        Ok(followers(&change.map_err(errors::of_highlevel)?))
    }
}

impl Direct {
    /// The contacts that an upsert may change. An email and a phone may be of two persons, and which of them HighLevel writes depends on
    /// a setting of the location that it does not show.
    async fn may_be_upserted(&self, fields: &JsonFields) -> Result<Vec<highlevel::Contact>, Error> {
        let location = &self.run.location;
        let key = |name: &str| fields.get(name).and_then(Json::as_str).filter(|key| !key.trim().is_empty());
        let mut present = Vec::<highlevel::Contact>::new();
        for (email, phone) in [(key("email"), None), (None, key("phone"))] {
            if email.is_none() && phone.is_none() {
                continue;
            }
            let found = location.find_duplicate(email, phone).await.map_err(errors::of_highlevel)?;
            let Some(found) = found.filter(|found| present.iter().all(|known| known.id != found.id)) else {
                continue;
            };
            // The search may answer fewer fields than a read, and what is not seen would not be kept.
            present.push(location.contact(&found.id).await.map_err(errors::of_highlevel)?);
        }
        Ok(present)
    }

    /// The contact that an attempt whose answer was lost has created: one that HighLevel takes for the same person, that is not older
    /// and that no other call created.
    pub(super) async fn created_contact(
        &self,
        call: &JournalEntry,
        fields: &[NamedValue],
        _tags: &[String],
    ) -> Result<Option<Contact>, Error> {
        self.may(Access::Write)?;
        let wanted = self.draft(fields).await?.fields();
        let key = |name: &str| wanted.get(name).and_then(Json::as_str);
        let found = self.run.location.find_duplicate(key("email"), key("phone")).await;
        let Some(found) = found.map_err(errors::of_highlevel)? else { return Ok(None) };
        if self.may_have_created(call, &found.id, found.date_added).await? {
            return self.contact(found).await.map(Some);
        }
        // The location allows several contacts of a person, or the create was refused as a duplicate.
        let known = [("email", key("email")), ("phone", key("phone"))];
        let Some(filter) = known.into_iter().find_map(|(name, value)| Some(is(name, value?))) else {
            return Ok(None);
        };
        self.newer_contact(call, filter).await
    }

    /// As [`created_contact`](Self::created_contact), where an upsert may have created one.
    pub(super) async fn created_upsert(
        &self,
        call: &JournalEntry,
        fields: &[NamedValue],
        create_new: &bool,
    ) -> Result<Option<UpsertOutcome>, Error> {
        if !*create_new {
            // It finds by itself what it created.
            return Ok(None);
        }
        let found = self.created_contact(call, fields, &[]).await?;
        Ok(found.map(|contact| UpsertOutcome { created: true, contact }))
    }

    /// A contact of the person that was created since a call was begun.
    async fn newer_contact(
        &self,
        call: &JournalEntry,
        filter: highlevel::Filter,
    ) -> Result<Option<Contact>, Error> {
        let Some(begun) = call.begun_at else { return Ok(None) };
        if self.run.engine.now().duration_since(begun) < SEARCH_LAG {
            return Err(Error::Unavailable(
                "HighLevel's search does not show yet whether the contact was created; it is looked for again".to_owned(),
            ));
        }
        let request = highlevel::SearchRequest {
            query: None,
            filters: vec![filter],
            sort: vec![highlevel::Sort { field: "dateAdded".to_owned(), descending: true }],
            limit: NEWEST,
            cursor: None,
        };
        let page = self.run.location.search_contacts(&request).await.map_err(errors::of_highlevel)?;
        for hit in page.hits {
            if self.may_have_created(call, &hit.id, hit.date_added).await? {
                let contact = self.run.location.contact(&hit.id).await.map_err(errors::of_highlevel)?;
                return self.contact(contact).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Whether a contact can be what a call created whose answer was lost.
    async fn may_have_created(
        &self,
        call: &JournalEntry,
        id: &ContactId,
        created: Option<Timestamp>,
    ) -> Result<bool, Error> {
        Ok(journal::may_be_of(call, id.as_str(), created)
            && self.is_unclaimed(&["contacts.create", "contacts.upsert"], id.as_str()).await?)
    }

    /// Whether no handler of the workspace is known to have made this record by one of these calls.
    pub(super) async fn is_unclaimed(&self, operations: &[&str], id: &str) -> Result<bool, Error> {
        let connection = &self.run.active.connection.id;
        let record = contactor_store::RecordId::new(id);
        for operation in operations {
            let known = self.run.engine.store().journalled(connection, operation, &record).await;
            if known.map_err(errors::of_store)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn draft(&self, fields: &[NamedValue]) -> Result<ContactDraft, Error> {
        let fields = self.to_vendor(fields).await?;
        ContactDraft::from_fields(fields).map_err(|problems| errors::of_problems(&problems))
    }

    async fn contact(&self, contact: highlevel::Contact) -> Result<Contact, Error> {
        let fields = contact.fields();
        let names = self.names([&fields].into_iter()).await?;
        Ok(record(&contact.id, contact.tags, fields, &names))
    }

    async fn page(&self, page: highlevel::ContactPage) -> Result<ContactPage, Error> {
        let fields: Vec<JsonFields> = page.hits.iter().map(highlevel::ContactHit::fields).collect();
        let names = self.names(fields.iter()).await?;
        let contacts = page.hits.into_iter().zip(fields);
        Ok(ContactPage {
            contacts: contacts.map(|(hit, fields)| record(&hit.id, hit.tags, fields, &names)).collect(),
            next: page.next.as_ref().map(Cursor::to_text),
            total: page.total,
        })
    }
}

fn is(field: &str, value: &str) -> highlevel::Filter {
    let operator = highlevel::Operator::Eq;
    highlevel::Filter::Field { field: field.to_owned(), operator, value: Json::from(value) }
}

fn record(id: &ContactId, tags: Vec<String>, fields: JsonFields, names: &Names) -> Contact {
    Contact { id: id.to_string(), tags, fields: names.to_wit(fields) }
}

fn users(ids: Vec<String>) -> Vec<UserId> {
    ids.into_iter().map(UserId::new).collect()
}

fn followers(change: &highlevel::FollowerChange) -> Vec<String> {
    change.followers.iter().map(ToString::to_string).collect()
}

// ------------------------------------------------------------------------------------------------------------------ search

/// The search as the client asks it. The client checks page size, sort keys and lengths before it sends anything.
fn search_request(request: SearchRequest) -> Result<highlevel::SearchRequest, Error> {
    let mut problems = Vec::new();
    let filters = request.filters.into_iter().filter_map(|one| filter(one, &mut problems)).collect();
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let sort = |key: contactor_runtime::bindings::contacts::SortKey| highlevel::Sort {
        field: key.field,
        descending: key.descending,
    };
    Ok(highlevel::SearchRequest {
        query: request.query,
        filters,
        sort: request.sort.into_iter().map(sort).collect(),
        limit: request.limit,
        cursor: request.cursor.as_deref().map(parse_cursor).transpose()?,
    })
}

fn filter(filter: Filter, problems: &mut Vec<FieldProblem>) -> Option<highlevel::Filter> {
    let operator = match filter.operator {
        Operator::Eq => highlevel::Operator::Eq,
        Operator::NotEq => highlevel::Operator::NotEq,
        Operator::Contains => highlevel::Operator::Contains,
        Operator::NotContains => highlevel::Operator::NotContains,
        Operator::Exists => highlevel::Operator::Exists,
        Operator::NotExists => highlevel::Operator::NotExists,
        Operator::Range => highlevel::Operator::Range,
    };
    let value = match filter.operator {
        Operator::Exists | Operator::NotExists => Json::Null,
        _ => match serde_json::from_str(&filter.value) {
            Ok(value) => value,
            Err(error) => {
                let problem = format!("the value is no JSON ({error}); a text is written with quotes");
                problems.push(FieldProblem { field: filter.field, problem });
                return None;
            }
        },
    };
    Some(highlevel::Filter::Field { field: filter.field, operator, value })
}

fn parse_cursor(text: &str) -> Result<Cursor, Error> {
    Cursor::from_text(text)
        .ok_or_else(|| errors::invalid("cursor", "pass the previous page's `next` back as it came"))
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::contacts::SortKey;
    use contactor_runtime::bindings::types::Value;
    use serde_json::json;

    use super::super::testing::{Answers, Bench};
    use super::*;

    const SEARCH: &str = "POST /contacts/search";
    const DEFINITIONS: &str = "GET /locations/loc-1/customFields";

    fn text(name: &str, value: &str) -> NamedValue {
        NamedValue { name: name.to_owned(), value: Value::Text(value.to_owned()) }
    }

    fn everything(limit: u32) -> SearchRequest {
        SearchRequest { query: None, filters: vec![], sort: vec![], limit, cursor: None }
    }

    fn definitions() -> Json {
        json!({ "customFields": [{ "id": "f1", "name": "Plan", "fieldKey": "contact.plan", "dataType": "TEXT" }] })
    }

    #[tokio::test]
    async fn a_search_is_walked_by_the_vendors_own_cursor() {
        let hit = |id: &str, at: i64| json!({ "id": id, "email": "a@b.example", "tags": ["vip"], "searchAfter": [at, id] });
        let page = json!({ "contacts": [hit("c1", 7), hit("c2", 8)], "total": 3 });
        let bench = Bench::answering(Answers::from([(SEARCH, (200, page))])).await;
        let mut host = bench.allowed();
        let first = host.search(everything(2)).await.unwrap();
        assert_eq!(first.total, Some(3));
        let expected =
            Contact { id: "c1".into(), tags: vec!["vip".into()], fields: vec![text("email", "a@b.example")] };
        assert_eq!(first.contacts[0], expected);
        host.search(SearchRequest { cursor: first.next, ..everything(2) }).await.unwrap();
        assert_eq!(bench.seen()[1].body["searchAfter"], json!([8, "c2"]));
    }

    #[tokio::test]
    async fn a_search_that_the_vendor_would_refuse_is_refused_without_asking() {
        let bench = Bench::new().await;
        let mut host = bench.allowed();
        let filter =
            |value: &str| Filter { field: "email".into(), operator: Operator::Eq, value: value.into() };
        let sort = |field: &str| SortKey { field: field.into(), descending: true };
        for (request, field) in [
            (everything(0), "limit"),
            (everything(501), "limit"),
            (SearchRequest { cursor: Some("c2".into()), ..everything(1) }, "cursor"),
            (SearchRequest { cursor: Some("{}".into()), ..everything(1) }, "cursor"),
            (SearchRequest { filters: vec![filter("no quotes")], ..everything(1) }, "email"),
            (
                SearchRequest { filters: vec![filter(&format!("\"{}\"", "x".repeat(76)))], ..everything(1) },
                "email",
            ),
            (SearchRequest { query: Some("x".repeat(76)), ..everything(1) }, "query"),
            (SearchRequest { sort: vec![sort("phone")], ..everything(1) }, "phone"),
        ] {
            let Err(Error::Invalid(problems)) = host.search(request).await else {
                panic!("not refused: {field}")
            };
            assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), [field]);
        }
        for limit in [0, 101] {
            assert!(matches!(host.list_page(None, limit, None).await, Err(Error::Invalid(_))));
            assert!(matches!(
                host.list_by_business("b1".into(), None, limit, 0).await,
                Err(Error::Invalid(_))
            ));
        }
        assert_eq!(bench.requests(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn filters_and_sort_keys_reach_the_vendor_as_json() {
        let bench = Bench::new().await;
        let filter =
            |operator, value: &str| Filter { field: "dateUpdated".into(), operator, value: value.into() };
        let request = SearchRequest {
            query: Some("ada".into()),
            filters: vec![
                filter(Operator::Range, r#"{"gte": "2026-11-20T00:00:00Z"}"#),
                filter(Operator::Exists, "ignored, and no JSON"),
            ],
            sort: vec![SortKey { field: "dateUpdated".into(), descending: true }],
            ..everything(500)
        };
        bench.allowed().search(request).await.unwrap();
        let body = json!({
            "locationId": "loc-1", "pageLimit": 500, "query": "ada",
            "sort": [{ "field": "dateUpdated", "direction": "desc" }],
            "filters": [
                { "field": "dateUpdated", "operator": "range", "value": { "gte": "2026-11-20T00:00:00Z" } },
                { "field": "dateUpdated", "operator": "exists" },
            ],
        });
        assert_eq!(bench.seen()[0].body, body);
    }

    #[tokio::test]
    async fn custom_fields_travel_by_key_and_their_definitions_are_asked_for_once() {
        let contact = json!({ "contact": { "id": "c1", "customFields": [{ "id": "f1", "value": "gold" }] } });
        let answers = [
            ("GET /contacts/c1", (200, contact.clone())),
            ("PUT /contacts/c1", (200, contact)),
            (DEFINITIONS, (200, definitions())),
        ];
        let bench = Bench::answering(Answers::from(answers)).await;
        let mut host = bench.allowed();
        let plan = || vec![text("customFields.plan", "gold")];
        assert_eq!(host.get("c1".into()).await.unwrap().fields, plan());
        assert_eq!(host.update("c1".into(), plan()).await.unwrap().fields, plan());
        let definitions = format!("{DEFINITIONS}?model=contact");
        assert_eq!(bench.requests(), ["GET /contacts/c1", &definitions, "PUT /contacts/c1"]);
        assert_eq!(bench.seen()[2].body["customFields"], json!([{ "id": "f1", "field_value": "gold" }]));
    }

    #[tokio::test]
    async fn a_custom_field_that_the_location_lacks_is_refused_by_name() {
        let bench = Bench::answering(Answers::from([(DEFINITIONS, (200, definitions()))])).await;
        let fields = vec![text("email", "ada@example.com"), text("customFields.colour", "red")];
        let Err(Error::Invalid(problems)) = bench.allowed().create(fields, vec![]).await else {
            panic!("not refused")
        };
        assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["customFields.colour"]);
        assert_eq!(bench.requests().len(), 1);
    }

    #[tokio::test]
    async fn without_the_scope_of_the_definitions_a_custom_field_is_read_by_id_and_not_written() {
        let contact = json!({ "contact": { "id": "c1", "customFields": [{ "id": "f1", "value": "gold" }] } });
        let refused = json!({ "statusCode": 401, "message": "The token is not authorized for this scope." });
        let answers = [("GET /contacts/c1", (200, contact)), (DEFINITIONS, (401, refused))];
        let bench = Bench::answering(Answers::from(answers)).await;
        let mut host = bench.allowed();
        let by_id = vec![text("customFields.f1", "gold")];
        assert_eq!(host.get("c1".into()).await.unwrap().fields, by_id);
        assert!(matches!(host.update("c1".into(), by_id).await, Err(Error::Denied(_))));
        assert!(!bench.requests().contains(&"PUT /contacts/c1".to_owned()));
    }

    #[tokio::test]
    async fn a_duplicate_names_the_contact_that_exists() {
        let refused = json!({ "statusCode": 400, "message": "This location does not allow duplicated contacts.",
            "meta": { "contactId": "c9", "matchingField": "email" } });
        let bench = Bench::answering(Answers::from([("POST /contacts/", (400, refused))])).await;
        let created = bench.allowed().create(vec![text("email", "ada@example.com")], vec![]).await;
        assert_eq!(created, Err(Error::Duplicate("c9".into())));
    }

    #[tokio::test]
    async fn tags_cannot_be_smuggled_into_an_update() {
        let bench = Bench::new().await;
        let tags = NamedValue { name: "tags".into(), value: Value::Texts(vec!["vip".into()]) };
        let Err(Error::Invalid(problems)) = bench.allowed().update("c1".into(), vec![tags]).await else {
            panic!("not refused")
        };
        assert_eq!(problems[0].field, "tags");
        assert_eq!(bench.requests(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_id_cannot_leave_the_record_that_it_names() {
        let bench = Bench::new().await;
        let mut host = bench.allowed();
        for hostile in ["", "..", "removeAll"] {
            assert!(host.delete(hostile.into()).await.is_err(), "{hostile:?}");
        }
        host.delete("c1/../../locations?x=#y".into()).await.unwrap();
        assert_eq!(bench.requests(), ["DELETE /contacts/c1%2F..%2F..%2Flocations%3Fx=%23y"]);
    }
}
