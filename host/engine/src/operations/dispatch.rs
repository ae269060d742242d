//! From an operation's name to the typed client, and from its answer to JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use contactor_highlevel as highlevel;
use contactor_highlevel::{
    AppointmentDraft, AppointmentPatch, BulkTags, CalendarScope, ContactDraft, ContactPatch, CustomFields,
    FieldProblem, Filter, Location, NoteDraft, NotePatch, Operator, SearchRequest, Sort, TaskDraft,
    TaskPatch, TaskQuery,
};
use contactor_store::{FailureClass, Workspace};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use crate::engine::Engine;
use crate::failure::Failure;

/// Records per page unless the input says otherwise.
const PAGE: u32 = 20;
const CUSTOM: &str = "customFields.";

type Fields = BTreeMap<String, Value>;

/// Why an operation was not done.
pub(crate) enum Fault {
    /// The input cannot be used.
    Input(Vec<FieldProblem>),
    /// HighLevel, or the way there.
    HighLevel(Box<highlevel::Error>),
    /// Something that the host did on the way, such as reading the definitions of custom fields.
    Host(Failure),
}

impl From<Vec<FieldProblem>> for Fault {
    fn from(problems: Vec<FieldProblem>) -> Self {
        Self::Input(problems)
    }
}

impl From<highlevel::Error> for Fault {
    fn from(error: highlevel::Error) -> Self {
        Self::HighLevel(Box::new(error))
    }
}

type Done = Result<Value, Fault>;

/// One location, and how its custom fields are called.
pub(crate) struct Desk<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) workspace: &'a Workspace,
    pub(crate) location: Location,
}

impl Desk<'_> {
    /// Does an operation. The input fits the operation's schema.
    pub(crate) async fn run(&self, name: &str, input: Value) -> Done {
        let input = Arguments::new(input);
        match name.split_once('.').unwrap_or_default() {
            ("contacts", operation) => self.contacts(operation, input).await,
            ("bulk", operation) => self.bulk(operation, input).await,
            ("tasks", operation) => self.tasks(operation, input).await,
            ("notes", operation) => self.notes(operation, input).await,
            ("tags" | "campaigns" | "workflows", _) => self.relations(name, input).await,
            ("appointments" | "calendar", _) => self.calendars(name, input).await,
            ("location", operation) => self.of_location(operation, input).await,
            _ => Err(unknown(name)),
        }
    }

    async fn contacts(&self, operation: &str, mut input: Arguments) -> Done {
        let at = &self.location;
        match operation {
            "search" => self.page(at.search_contacts(&search_request(&mut input)?).await?).await,
            "find-duplicate" => {
                let (email, phone): (Option<String>, Option<String>) =
                    (input.take("email")?, input.take("phone")?);
                match at.find_duplicate(email.as_deref(), phone.as_deref()).await? {
                    Some(contact) => self.contact(contact).await,
                    None => Ok(Value::Null),
                }
            }
            "get" => self.contact(at.contact(&input.id("contactId")?).await?).await,
            "create" => {
                let tags: Vec<String> = input.take("tags")?.unwrap_or_default();
                let draft = ContactDraft::from_fields(self.to_ids(input.rest()).await?)?;
                self.contact(at.create_contact(&draft, &tags).await?).await
            }
            "update" => {
                let id = input.id("contactId")?;
                let patch = ContactPatch::from_fields(self.to_ids(input.rest()).await?)?;
                self.contact(at.update_contact(&id, &patch).await?).await
            }
            "delete" => done(at.delete_contact(&input.id("contactId")?).await),
            "upsert" => {
                let anew = input.take("createNewIfDuplicateAllowed")?.unwrap_or(false);
                let draft = ContactDraft::from_fields(self.to_ids(input.rest()).await?)?;
                let upsert = at.upsert_contact(&draft, anew).await?;
                Ok(json!({ "created": upsert.created, "contact": self.contact(upsert.contact).await? }))
            }
            "list" => {
                let query: Option<String> = input.take("query")?;
                let limit = input.take("limit")?.unwrap_or(PAGE);
                let cursor = cursor(&mut input)?;
                self.page(at.list_contacts(query.as_deref(), limit, cursor.as_ref()).await?).await
            }
            "list-by-business" => {
                let business = input.id("businessId")?;
                let query: Option<String> = input.take("query")?;
                let (limit, skip) = (input.take("limit")?.unwrap_or(PAGE), input.take("skip")?.unwrap_or(0));
                let page = at.list_contacts_of_business(&business, query.as_deref(), limit, skip).await?;
                self.page(page).await
            }
            "add-followers" => {
                let change = at.add_followers(&input.id("contactId")?, &input.ids("followers")?).await?;
                Ok(json!({ "followers": change.followers, "changed": change.changed }))
            }
            "remove-followers" => {
                let change = at.remove_followers(&input.id("contactId")?, &input.ids("followers")?).await?;
                Ok(json!({ "followers": change.followers, "changed": change.changed }))
            }
            _ => Err(unknown(operation)),
        }
    }

    async fn bulk(&self, operation: &str, mut input: Arguments) -> Done {
        let contacts = input.ids("contactIds")?;
        match operation {
            "set-business" => {
                let business = input.take::<String>("businessId")?.map(highlevel::BusinessId::new);
                Ok(json!(self.location.bulk_set_business(&contacts, business.as_ref()).await?))
            }
            "update-tags" => {
                let tags: Vec<String> = input.take("tags")?.unwrap_or_default();
                let change = match input.need::<String>("mode")?.as_str() {
                    "add" => BulkTags::Add(tags),
                    "remove" => BulkTags::Remove(tags),
                    _ => BulkTags::RemoveAll,
                };
                let outcome = self.location.bulk_update_tags(&change, &contacts).await?;
                let responses: Vec<_> = outcome.items.into_iter().map(|item| item.raw).collect();
                Ok(json!({ "errors": outcome.errors, "responses": responses }))
            }
            _ => Err(unknown(operation)),
        }
    }

    async fn tasks(&self, operation: &str, mut input: Arguments) -> Done {
        let (at, contact) = (&self.location, input.id("contactId")?);
        let shown = |task: &highlevel::Task| {
            let contact = task.contact_id.as_ref().unwrap_or(&contact);
            child(task.id.as_str(), contact.as_str(), task.fields())
        };
        match operation {
            "list" => Ok(at.tasks(&contact).await?.iter().map(shown).collect()),
            "create" => {
                let draft = TaskDraft::from_fields(input.rest())?;
                Ok(shown(&at.create_task(&contact, &draft).await?))
            }
            "get" => Ok(shown(&at.task(&contact, &input.id("taskId")?).await?)),
            "update" => {
                let id = input.id("taskId")?;
                let patch = TaskPatch::from_fields(input.rest())?;
                Ok(shown(&at.update_task(&contact, &id, &patch).await?))
            }
            "delete" => done(at.delete_task(&contact, &input.id("taskId")?).await),
            "set-completed" => {
                let (id, completed) = (input.id("taskId")?, input.need("completed")?);
                Ok(shown(&at.set_task_completed(&contact, &id, completed).await?))
            }
            _ => Err(unknown(operation)),
        }
    }

    async fn notes(&self, operation: &str, mut input: Arguments) -> Done {
        let (at, contact) = (&self.location, input.id("contactId")?);
        let shown = |note: &highlevel::Note| {
            let contact = note.contact_id.as_ref().unwrap_or(&contact);
            child(note.id.as_str(), contact.as_str(), note.fields())
        };
        match operation {
            "list" => Ok(at.notes(&contact).await?.iter().map(shown).collect()),
            "create" => {
                let draft = NoteDraft::from_fields(input.rest())?;
                Ok(shown(&at.create_note(&contact, &draft).await?))
            }
            "get" => Ok(shown(&at.note(&contact, &input.id("noteId")?).await?)),
            "update" => {
                let id = input.id("noteId")?;
                let patch = NotePatch::from_fields(input.rest())?;
                Ok(shown(&at.update_note(&contact, &id, &patch).await?))
            }
            "delete" => done(at.delete_note(&contact, &input.id("noteId")?).await),
            _ => Err(unknown(operation)),
        }
    }

    async fn relations(&self, name: &str, mut input: Arguments) -> Done {
        let (at, contact) = (&self.location, input.id("contactId")?);
        let start = |input: &mut Arguments| input.take::<Timestamp>("eventStartTime");
        match name {
            "tags.list" => Ok(json!(at.contact(&contact).await?.tags)),
            "tags.add" => {
                let change = at.add_tags(&contact, &input.need::<Vec<String>>("tags")?).await?;
                Ok(json!({ "tags": change.tags, "changed": change.changed }))
            }
            "tags.remove" => {
                let change = at.remove_tags(&contact, &input.need::<Vec<String>>("tags")?).await?;
                Ok(json!({ "tags": change.tags, "changed": change.changed }))
            }
            "campaigns.add" => done(at.add_to_campaign(&contact, &input.id("campaignId")?).await),
            "campaigns.remove" => done(at.remove_from_campaign(&contact, &input.id("campaignId")?).await),
            "campaigns.remove-all" => done(at.remove_from_all_campaigns(&contact).await),
            "workflows.add" => {
                let (workflow, start) = (input.id("workflowId")?, start(&mut input)?);
                done(at.add_to_workflow(&contact, &workflow, start).await)
            }
            "workflows.remove" => {
                let (workflow, start) = (input.id("workflowId")?, start(&mut input)?);
                done(at.remove_from_workflow(&contact, &workflow, start).await)
            }
            _ => Err(unknown(name)),
        }
    }

    async fn calendars(&self, name: &str, mut input: Arguments) -> Done {
        let at = &self.location;
        match name {
            "appointments.list" => {
                Ok(at.appointments_of(&input.id("contactId")?).await?.iter().map(appointment).collect())
            }
            "calendar.events.list" => {
                let (from, until) = (input.need("startTime")?, input.need("endTime")?);
                let scope = scope(&mut input)?;
                Ok(at.calendar_events(&scope, from, until).await?.iter().map(appointment).collect())
            }
            "appointments.get" => Ok(appointment(&at.appointment(&input.id("appointmentId")?).await?)),
            "appointments.create" => {
                let draft = AppointmentDraft::from_fields(input.rest())?;
                Ok(appointment(&at.create_appointment(&draft).await?))
            }
            "appointments.update" => {
                let id = input.id("appointmentId")?;
                let patch = AppointmentPatch::from_fields(input.rest())?;
                Ok(appointment(&at.update_appointment(&id, &patch).await?))
            }
            "appointments.delete" => done(at.delete_appointment(&input.id("appointmentId")?).await),
            _ => Err(unknown(name)),
        }
    }

    async fn of_location(&self, operation: &str, mut input: Arguments) -> Done {
        let at = &self.location;
        match operation {
            "get" => {
                let info = at.info().await?;
                Ok(record(info.id.as_str(), info.fields()))
            }
            "tags.list" => {
                Ok(at.location_tags().await?.iter().map(|tag| record(&tag.id, tag.fields())).collect())
            }
            "tags.create" => {
                let tag = at.create_location_tag(&input.need::<String>("name")?).await?;
                Ok(record(&tag.id, tag.fields()))
            }
            "custom-fields.list" => {
                let fields = at.custom_fields().await?;
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|field| field.key().map(str::to_owned));
                Ok(fields.into_iter().map(|field| record(&field.id, field.fields())).collect())
            }
            "tasks.search" => {
                let ids = |ids: Option<Vec<String>>| ids.unwrap_or_default();
                let query = TaskQuery {
                    contacts: ids(input.take("contactIds")?).into_iter().map(Into::into).collect(),
                    assigned_to: ids(input.take("assignedTo")?).into_iter().map(Into::into).collect(),
                    completed: input.take("completed")?,
                    query: input.take("query")?,
                    business: input.take::<String>("businessId")?.map(Into::into),
                    limit: input.take("limit")?,
                    skip: input.take("skip")?.unwrap_or(0),
                };
                let tasks = at.search_tasks(&query).await?;
                Ok(tasks
                    .iter()
                    .map(|task| {
                        let contact = task.contact_id.as_ref().map_or("", |id| id.as_str());
                        child(task.id.as_str(), contact, task.fields())
                    })
                    .collect())
            }
            _ => Err(unknown(operation)),
        }
    }

    // ------------------------------------------------------------------------------------------------------------- contacts

    async fn contact(&self, contact: highlevel::Contact) -> Done {
        let tags = contact.tags.clone();
        let mut shown = record(contact.id.as_str(), self.to_keys(contact.fields()).await?);
        shown["tags"] = json!(tags);
        Ok(shown)
    }

    async fn page(&self, page: highlevel::ContactPage) -> Done {
        let mut contacts = Vec::with_capacity(page.hits.len());
        for hit in page.hits {
            let mut shown = record(hit.id.as_str(), self.to_keys(hit.fields()).await?);
            shown["tags"] = json!(hit.tags);
            contacts.push(shown);
        }
        let next = page.next.as_ref().map(highlevel::Cursor::to_text);
        Ok(json!({ "contacts": contacts, "next": next, "total": page.total }))
    }

    async fn to_ids(&self, fields: Fields) -> Result<Fields, Fault> {
        if !has_custom_fields(&fields) {
            return Ok(fields);
        }
        Ok(self.definitions().await.map_err(Fault::Host)?.to_ids(fields)?)
    }

    /// Custom fields by key, or by id where the token may not read their definitions.
    async fn to_keys(&self, fields: Fields) -> Result<Fields, Fault> {
        if !has_custom_fields(&fields) {
            return Ok(fields);
        }
        match self.definitions().await {
            Ok(definitions) => Ok(definitions.to_keys(fields)),
            Err(failure) if failure.class == FailureClass::Denied => Ok(fields),
            Err(failure) => Err(Fault::Host(failure)),
        }
    }

    async fn definitions(&self) -> Result<Arc<CustomFields>, Failure> {
        self.engine.custom_fields(self.workspace, &self.location).await
    }
}

fn has_custom_fields(fields: &Fields) -> bool {
    fields.range(CUSTOM.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(CUSTOM))
}

/// The table names an operation that nothing here does: a defect that a test finds.
fn unknown(name: &str) -> Fault {
    Fault::Input(vec![FieldProblem::new("", format!("the host has no way to do `{name}`"))])
}

fn done(result: Result<(), highlevel::Error>) -> Done {
    result?;
    Ok(json!({ "done": true }))
}

fn record(id: &str, fields: Fields) -> Value {
    let mut record: Map<String, Value> = fields.into_iter().collect();
    record.insert("id".to_owned(), json!(id));
    Value::Object(record)
}

fn child(id: &str, contact: &str, fields: Fields) -> Value {
    let mut child = record(id, fields);
    if !contact.is_empty() {
        child["contactId"] = json!(contact);
    }
    child
}

fn appointment(one: &highlevel::Appointment) -> Value {
    let contact = one.contact_id.as_ref().map_or("", |id| id.as_str());
    child(one.id.as_str(), contact, one.fields())
}

fn cursor(input: &mut Arguments) -> Result<Option<highlevel::Cursor>, Vec<FieldProblem>> {
    let Some(text) = input.take::<String>("cursor")? else { return Ok(None) };
    let cursor = highlevel::Cursor::from_text(&text);
    cursor
        .map(Some)
        .ok_or_else(|| vec![FieldProblem::new("cursor", "pass the previous page's `next` back as it came")])
}

fn scope(input: &mut Arguments) -> Result<CalendarScope, Vec<FieldProblem>> {
    if let Some(id) = input.take::<String>("calendarId")? {
        return Ok(CalendarScope::Calendar(id.into()));
    }
    if let Some(id) = input.take::<String>("userId")? {
        return Ok(CalendarScope::User(id.into()));
    }
    Ok(CalendarScope::Group(input.need("groupId")?))
}

#[derive(serde::Deserialize)]
struct FilterInput {
    field: String,
    operator: String,
    #[serde(default)]
    value: Value,
}

#[derive(serde::Deserialize)]
struct SortInput {
    field: String,
    #[serde(default)]
    direction: String,
}

fn search_request(input: &mut Arguments) -> Result<SearchRequest, Vec<FieldProblem>> {
    let mut filters = Vec::new();
    for filter in input.take::<Vec<FilterInput>>("filters")?.unwrap_or_default() {
        let operator = operator(&filter.operator).ok_or_else(|| {
            vec![FieldProblem::new(&filter.field, format!("no comparison `{}`", filter.operator))]
        })?;
        filters.push(Filter::Field { field: filter.field, operator, value: filter.value });
    }
    let sort = input.take::<Vec<SortInput>>("sort")?.unwrap_or_default();
    Ok(SearchRequest {
        query: input.take("query")?,
        filters,
        sort: sort
            .into_iter()
            .map(|sort| Sort { field: sort.field, descending: sort.direction == "desc" })
            .collect(),
        limit: input.take("limit")?.unwrap_or(PAGE),
        cursor: cursor(input)?,
    })
}

fn operator(word: &str) -> Option<Operator> {
    let all = [
        Operator::Eq,
        Operator::NotEq,
        Operator::Contains,
        Operator::NotContains,
        Operator::Exists,
        Operator::NotExists,
        Operator::Range,
    ];
    all.into_iter().find(|operator| operator.as_str() == word)
}
