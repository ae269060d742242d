//! `contacts`: the operations on contacts themselves.

use contactor_highlevel as highlevel;
use contactor_highlevel::{BusinessId, ContactDraft, ContactId, ContactPatch, Cursor, UserId};
use contactor_runtime::bindings::contacts::{
    Contact, ContactPage, Filter, Host, Operator, SearchRequest, UpsertOutcome,
};
use contactor_runtime::bindings::types::{Error, FieldProblem, NamedValue};
use serde_json::Value as Json;

use super::access::Access;
use super::fields::{JsonFields, Names};
use super::{Capabilities, errors};

impl Host for Capabilities {
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
        let fields = self.to_vendor(&fields).await?;
        let patch = ContactPatch::from_fields(fields).map_err(|problems| errors::of_problems(&problems))?;
        let id = ContactId::new(id);
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
        let draft = self.draft(&fields).await?;
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
            return Err(errors::invalid("limit", format!("must be 1 to {}", highlevel::search::MAX_LIST_PAGE)));
        }
        let business = BusinessId::new(business_id);
        let page = self.run.location.list_contacts_of_business(&business, query.as_deref(), limit, skip).await;
        self.page(page.map_err(errors::of_highlevel)?).await
    }

    async fn add_followers(&mut self, id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error> {
        self.may(Access::Write)?;
        let change = self.run.location.add_followers(&ContactId::new(id), &users(user_ids)).await;
        Ok(followers(change.map_err(errors::of_highlevel)?))
    }

    async fn remove_followers(&mut self, id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error> {
        self.may(Access::Write)?;
        let change = self.run.location.remove_followers(&ContactId::new(id), &users(user_ids)).await;
        Ok(followers(change.map_err(errors::of_highlevel)?))
    }
}

impl Capabilities {
    async fn draft(&self, fields: &[NamedValue]) -> Result<ContactDraft, Error> {
        let fields = self.to_vendor(fields).await?;
        ContactDraft::from_fields(fields).map_err(|problems| errors::of_problems(&problems))
    }

    async fn contact(&self, contact: highlevel::Contact) -> Result<Contact, Error> {
        let fields = contact.fields();
        let names = self.names([&fields].into_iter()).await?;
        Ok(record(contact.id, contact.tags, fields, &names))
    }

    async fn page(&self, page: highlevel::ContactPage) -> Result<ContactPage, Error> {
        let fields: Vec<JsonFields> = page.hits.iter().map(highlevel::ContactHit::fields).collect();
        let names = self.names(fields.iter()).await?;
        let contacts = page.hits.into_iter().zip(fields);
        Ok(ContactPage {
            contacts: contacts.map(|(hit, fields)| record(hit.id, hit.tags, fields, &names)).collect(),
            next: page.next.as_ref().map(Cursor::to_text),
            total: page.total,
        })
    }
}

fn record(id: ContactId, tags: Vec<String>, fields: JsonFields, names: &Names) -> Contact {
    Contact { id: id.to_string(), tags, fields: names.to_wit(fields) }
}

fn users(ids: Vec<String>) -> Vec<UserId> {
    ids.into_iter().map(UserId::new).collect()
}

fn followers(change: highlevel::FollowerChange) -> Vec<String> {
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
    Cursor::from_text(text).ok_or_else(|| errors::invalid("cursor", "pass the previous page's `next` back as it came"))
}
