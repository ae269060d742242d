//! Contacts and their followers.

use serde_json::{Map, Value, json};

use crate::client::Location;
use crate::draft::{ContactDraft, ContactPatch, FieldProblem};
use crate::error::Error;
use crate::ids::{BusinessId, ContactId, UserId};
use crate::model::{Contact, ContactHit, Record};
use crate::operation as op;
use crate::search::{ContactPage, Cursor, MAX_LIST_PAGE, SearchRequest};
use crate::transport::{Answer, Call};

/// What an upsert did.
#[derive(Clone, Debug, PartialEq)]
pub struct Upsert {
    /// The contact is new.
    pub created: bool,
    /// The contact afterwards.
    pub contact: Contact,
}

/// What a change of followers did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerChange {
    /// All followers afterwards.
    pub followers: Vec<UserId>,
    /// Those who were really added or removed; none when the vendor does not say.
    pub changed: Option<Vec<UserId>>,
}

impl Location {
    /// `GET /contacts/{id}`.
    pub async fn contact(&self, id: &ContactId) -> Result<Contact, Error> {
        self.call(Call::new(&op::CONTACTS_GET, &[id.as_str()])).await?.record("contact")
    }

    /// `POST /contacts/search`: one page. The index lags behind writes by seconds; see [`ContactHit`] for what a hit is.
    pub async fn search_contacts(&self, request: &SearchRequest) -> Result<ContactPage, Error> {
        let call = Call::new(&op::CONTACTS_SEARCH, &[]);
        let problems = request.problems();
        if !problems.is_empty() {
            return Err(call.refuse(problems));
        }
        let mut answer = self.call(call.body(request.body(&self.id))).await?;
        let hits: Vec<ContactHit> = answer.list("contacts")?;
        let total = answer.take("total").as_u64();
        let next = search_cursor(&answer, &hits, request, total)?;
        Ok(ContactPage { hits, next, total })
    }

    /// `GET /contacts/search/duplicate`: the contact that the vendor would treat as the same person. Give either key or
    /// both; with both, the location's setting decides which counts.
    pub async fn find_duplicate(
        &self,
        email: Option<&str>,
        phone: Option<&str>,
    ) -> Result<Option<Contact>, Error> {
        let call = Call::new(&op::CONTACTS_FIND_DUPLICATE, &[]);
        if email.or(phone).is_none() {
            return Err(call.refuse(vec![FieldProblem::new("email", "give an email, a phone or both")]));
        }
        let call = call.query("locationId", &self.id).query_opt("number", phone).query_opt("email", email);
        // How a miss looks is not documented: no contact, null and an empty object all mean that there is none.
        let mut answer = match self.call(call).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        match answer.take("contact") {
            Value::Null => Ok(None),
            Value::Object(map) if map.is_empty() => Ok(None),
            value => Contact::from_value(value)
                .map(Some)
                .map_err(|error| answer.error(format!("`contact`: {error}"))),
        }
    }

    /// `POST /contacts/`. Needs an email or a phone. If the location allows a person only once and this one exists, the
    /// error is [`Duplicate`](crate::ErrorKind::Duplicate). After a lost answer, look before creating again.
    pub async fn create_contact(&self, draft: &ContactDraft, tags: &[String]) -> Result<Contact, Error> {
        let call = Call::new(&op::CONTACTS_CREATE, &[]);
        if !draft.has_identifier() {
            return Err(call.refuse(vec![no_identifier()]));
        }
        let mut body = draft.body(self.version(), &self.id);
        if !tags.is_empty() {
            body.insert("tags".to_owned(), json!(tags));
        }
        self.call(call.body(body)).await?.record("contact")
    }

    /// `PUT /contacts/{id}` with just these fields. A patch without fields reads the contact instead.
    ///
    /// The vendor accepts some fields and keeps the old value; compare the returned contact with what was sent.
    pub async fn update_contact(&self, id: &ContactId, patch: &ContactPatch) -> Result<Contact, Error> {
        if patch.is_empty() {
            return self.contact(id).await;
        }
        let call = Call::new(&op::CONTACTS_UPDATE, &[id.as_str()]).body(patch.body(self.version()));
        let mut answer = self.call(call).await?;
        answer.succeeded()?;
        answer.record("contact")
    }

    /// `DELETE /contacts/{id}`. The vendor can restore it within 60 days.
    pub async fn delete_contact(&self, id: &ContactId) -> Result<(), Error> {
        self.call(Call::new(&op::CONTACTS_DELETE, &[id.as_str()])).await?.succeeded()
    }

    /// `POST /contacts/upsert`. When email and phone match two contacts it changes the first and silently ignores the
    /// other field; with a contact's secondary email it replaces the primary one. Prefer [`Self::find_duplicate`] and
    /// [`Self::create_contact`]. Sends no tags, because they would replace the whole set.
    pub async fn upsert_contact(
        &self,
        draft: &ContactDraft,
        create_new_if_duplicate_allowed: bool,
    ) -> Result<Upsert, Error> {
        let call = Call::new(&op::CONTACTS_UPSERT, &[]);
        if !draft.has_identifier() {
            return Err(call.refuse(vec![no_identifier()]));
        }
        let mut body = draft.body(self.version(), &self.id);
        if create_new_if_duplicate_allowed {
            body.insert("createNewIfDuplicateAllowed".to_owned(), json!(true));
        }
        let mut answer = self.call(call.body(body)).await?;
        let created = answer.take("new").as_bool().unwrap_or(false);
        Ok(Upsert { created, contact: answer.record("contact")? })
    }

    /// `GET /contacts/`, which the vendor calls deprecated: ordered by creation, at most [`MAX_LIST_PAGE`] a page.
    pub async fn list_contacts(
        &self,
        query: Option<&str>,
        limit: u32,
        cursor: Option<&Cursor>,
    ) -> Result<ContactPage, Error> {
        let mut call = Call::new(&op::CONTACTS_LIST, &[])
            .query("locationId", &self.id)
            .query("limit", limit)
            .query_opt("query", query);
        if !(1..=MAX_LIST_PAGE).contains(&limit) {
            return Err(
                call.refuse(vec![FieldProblem::new("limit", format!("must be 1 to {MAX_LIST_PAGE}"))])
            );
        }
        if let Some(cursor) = cursor {
            let (Some(after), Some(after_id)) =
                (cursor.as_value().get("startAfter").and_then(Value::as_i64), list_id(cursor))
            else {
                return Err(call.refuse(vec![FieldProblem::new("cursor", "is not the cursor of a listing")]));
            };
            call = call.query("startAfter", after).query("startAfterId", after_id);
        }
        let mut answer = self.call(call).await?;
        let hits: Vec<ContactHit> = answer.list("contacts")?;
        let meta = answer.take("meta");
        let total = answer.take("count").as_u64().or_else(|| meta.get("total")?.as_u64());
        let next =
            if hits.len() < usize::try_from(limit).unwrap_or(usize::MAX) { None } else { list_cursor(&meta) };
        Ok(ContactPage { hits, next, total })
    }

    /// `GET /contacts/business/{businessId}`: paged by offset.
    pub async fn list_contacts_of_business(
        &self,
        business: &BusinessId,
        query: Option<&str>,
        limit: u32,
        skip: u32,
    ) -> Result<ContactPage, Error> {
        let call = Call::new(&op::CONTACTS_BY_BUSINESS, &[business.as_str()])
            .query("locationId", &self.id)
            .query("limit", limit)
            .query("skip", skip)
            .query_opt("query", query);
        let mut answer = self.call(call).await?;
        let hits = answer.list("contacts")?;
        let total = answer.take("count").as_u64();
        Ok(ContactPage { hits, next: None, total })
    }

    /// `POST /contacts/{id}/followers`.
    pub async fn add_followers(&self, id: &ContactId, users: &[UserId]) -> Result<FollowerChange, Error> {
        self.change_followers(Call::new(&op::FOLLOWERS_ADD, &[id.as_str()]), users, "followersAdded").await
    }

    /// `DELETE /contacts/{id}/followers`.
    pub async fn remove_followers(&self, id: &ContactId, users: &[UserId]) -> Result<FollowerChange, Error> {
        self.change_followers(Call::new(&op::FOLLOWERS_REMOVE, &[id.as_str()]), users, "followersRemoved")
            .await
    }

    async fn change_followers(
        &self,
        call: Call<'_>,
        users: &[UserId],
        changed: &str,
    ) -> Result<FollowerChange, Error> {
        if users.is_empty() {
            return Err(call.refuse(vec![FieldProblem::new("followers", "name at least one user")]));
        }
        let mut answer =
            self.call(call.body(Map::from_iter([("followers".to_owned(), json!(users))]))).await?;
        let ids = |texts: Vec<String>| texts.into_iter().map(UserId::new).collect();
        Ok(FollowerChange {
            followers: answer.texts("followers").map(ids).unwrap_or_default(),
            changed: answer.texts(changed).map(ids),
        })
    }
}

fn no_identifier() -> FieldProblem {
    FieldProblem::new("email", "a contact needs an email or a phone; HighLevel refuses one without either")
}

/// The cursor is inside the last hit. A full page without one would end a walk too early without anybody noticing.
fn search_cursor(
    answer: &Answer,
    hits: &[ContactHit],
    request: &SearchRequest,
    total: Option<u64>,
) -> Result<Option<Cursor>, Error> {
    let full = hits.len() >= usize::try_from(request.limit).unwrap_or(usize::MAX);
    let Some(last) = hits.last().filter(|_| full) else { return Ok(None) };
    let all_on_first_page = request.cursor.is_none() && total.is_some_and(|total| total <= hits.len() as u64);
    match &last.search_after {
        _ if all_on_first_page => Ok(None),
        Some(cursor) => Ok(Some(cursor.clone())),
        None => {
            Err(answer.error("the page is full and its last contact has no `searchAfter` to continue from"))
        }
    }
}

fn list_id(cursor: &Cursor) -> Option<&str> {
    cursor.as_value().get("startAfterId").and_then(Value::as_str)
}

/// The pair of `meta`; none when either part is missing.
fn list_cursor(meta: &Value) -> Option<Cursor> {
    let after = meta.get("startAfter")?.as_i64()?;
    let id = meta.get("startAfterId")?.as_str()?;
    Some(Cursor::from_value(json!({ "startAfter": after, "startAfterId": id })))
}
