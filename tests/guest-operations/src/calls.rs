//! From a name to the function of the host.

use contactor_sdk::bulk::TagMode;
use contactor_sdk::contacts::{Filter, Operator, SearchRequest, SortKey};
use contactor_sdk::log::Level;
use contactor_sdk::notifications::Message;
use contactor_sdk::partner::{Method, Pair, Request};
use contactor_sdk::timers::Timer;
use contactor_sdk::{
    Error, Result, appointments, bulk, campaigns, clock, contacts, log, notes, notifications, partner, rules,
    settings, state, tags, tasks, timers, workflows,
};
use serde_json::{Value as Json, json};

use crate::input::Input;
use crate::outcome::outcome;

/// Calls the function `interface.function` of `wit/` with the arguments of the same names.
pub(crate) fn run(function: &str, input: &Input) -> Result<Json> {
    let id = || input.text("id");
    let contact = || input.text("contact-id");
    let fields = || input.fields("fields");
    match function {
        "contacts.search" => outcome(contacts::search(&search_request(input)?)),
        "contacts.find-duplicate" => {
            outcome(contacts::find_duplicate(input.optional("email")?, input.optional("phone")?))
        }
        "contacts.get" => outcome(contacts::get(id()?)),
        "contacts.create" => outcome(contacts::create(&fields()?, &input.texts("tags")?)),
        "contacts.update" => outcome(contacts::update(id()?, &fields()?)),
        "contacts.delete" => outcome(contacts::delete(id()?)),
        "contacts.upsert" => {
            outcome(contacts::upsert(&fields()?, input.yes_or_no("create-new-if-duplicate-allowed")?))
        }
        "contacts.list-page" => outcome(contacts::list_page(
            input.optional("query")?,
            input.number("limit")?,
            input.optional("cursor")?,
        )),
        "contacts.list-by-business" => outcome(contacts::list_by_business(
            input.text("business-id")?,
            input.optional("query")?,
            input.number("limit")?,
            input.number("skip")?,
        )),
        "contacts.add-followers" => outcome(contacts::add_followers(id()?, &input.texts("user-ids")?)),
        "contacts.remove-followers" => outcome(contacts::remove_followers(id()?, &input.texts("user-ids")?)),

        "tasks.list-all" => outcome(tasks::list_all(contact()?)),
        "tasks.create" => outcome(tasks::create(contact()?, input.yes_or_no("completed")?, &fields()?)),
        "tasks.get" => outcome(tasks::get(contact()?, id()?)),
        "tasks.update" => outcome(tasks::update(contact()?, id()?, &fields()?)),
        "tasks.delete" => outcome(tasks::delete(contact()?, id()?)),
        "tasks.set-completed" => {
            outcome(tasks::set_completed(contact()?, id()?, input.yes_or_no("completed")?))
        }

        "notes.list-all" => outcome(notes::list_all(contact()?)),
        "notes.create" => outcome(notes::create(contact()?, input.text("body")?, &fields()?)),
        "notes.get" => outcome(notes::get(contact()?, id()?)),
        "notes.update" => outcome(notes::update(contact()?, id()?, &fields()?)),
        "notes.delete" => outcome(notes::delete(contact()?, id()?)),

        "tags.list-all" => outcome(tags::list_all(contact()?)),
        "tags.add" => outcome(tags::add(contact()?, &input.texts("tags")?)),
        "tags.remove" => outcome(tags::remove(contact()?, &input.texts("tags")?)),

        "appointments.list-all" => outcome(appointments::list_all(contact()?)),

        "bulk.update-tags" => {
            outcome(bulk::update_tags(tag_mode(input)?, &input.texts("contact-ids")?, &input.texts("tags")?))
        }
        "bulk.set-business" => {
            outcome(bulk::set_business(&input.texts("contact-ids")?, input.optional("business-id")?))
        }

        "campaigns.add" => outcome(campaigns::add(contact()?, input.text("campaign-id")?)),
        "campaigns.remove" => outcome(campaigns::remove(contact()?, input.text("campaign-id")?)),
        "campaigns.remove-all" => outcome(campaigns::remove_all(contact()?)),

        "workflows.add" => outcome(workflows::add(
            contact()?,
            input.text("workflow-id")?,
            input.optional("event-start-time")?,
        )),
        "workflows.remove" => outcome(workflows::remove(
            contact()?,
            input.text("workflow-id")?,
            input.optional("event-start-time")?,
        )),

        "partner.send" => outcome(partner::send(&partner_request(input)?)),
        "state.get" => outcome(state::get(input.text("key")?)),
        "state.compare-and-set" => outcome(state::compare_and_set(
            input.text("key")?,
            input.number("expected")?,
            input.text("value")?.as_bytes(),
        )),
        "state.delete" => outcome(state::delete(input.text("key")?)),
        "state.keys" => outcome(state::keys(input.text("prefix")?)),
        "settings.all" => Ok(json!({ "ok": serde_json::from_str::<Json>(&settings::all())? })),
        "rules.evaluate" => outcome(rules::evaluate(input.text("expression")?, &fields()?)),
        "rules.check-input" => outcome(rules::check_input(input.text("action")?, input.text("input")?)),
        "timers.set" => outcome(timers::set(&Timer {
            name: input.text("name")?.to_owned(),
            at: input.text("at")?.to_owned(),
            contact_id: input.optional("contact-id")?.map(str::to_owned),
            payload: input.text("payload")?.to_owned(),
        })),
        "timers.cancel" => outcome(timers::cancel(input.text("name")?)),
        "notifications.send" => outcome(notifications::send(
            input.text("destination")?,
            &Message {
                kind: input.text("kind")?.to_owned(),
                title: input.text("title")?.to_owned(),
                text: input.text("text")?.to_owned(),
                data: input.text("data")?.to_owned(),
            },
        )),
        "clock.now" => outcome(Ok(clock::now())),
        "log.write" => {
            log::write(level(input)?, input.text("message")?, &fields()?);
            outcome(Ok(()))
        }
        #[cfg(target_arch = "wasm32")]
        "memory.send" => crate::memory::send(),
        "script.run" => script(input.items("calls")?),
        other => Err(Error::Unsupported(format!("there is no function `{other}`"))),
    }
}

/// Calls one function after the other, in one instance; the answers in their order.
fn script(calls: &[Json]) -> Result<Json> {
    let call =
        |call: &Json| run(call["function"].as_str().unwrap_or_default(), &Input(call["input"].clone()));
    Ok(json!({ "ok": calls.iter().map(call).collect::<Result<Vec<_>>>()? }))
}

fn search_request(input: &Input) -> Result<SearchRequest> {
    let filters = input.items("filters")?.iter().map(|item| filter(&Input(item.clone())));
    let sort = input.items("sort")?.iter().map(|item| sort_key(&Input(item.clone())));
    Ok(SearchRequest {
        query: input.optional("query")?.map(str::to_owned),
        filters: filters.collect::<Result<_>>()?,
        sort: sort.collect::<Result<_>>()?,
        limit: input.number("limit")?,
        cursor: input.optional("cursor")?.map(str::to_owned),
    })
}

fn filter(input: &Input) -> Result<Filter> {
    let operator = match input.text("operator")? {
        "eq" => Operator::Eq,
        "not-eq" => Operator::NotEq,
        "contains" => Operator::Contains,
        "not-contains" => Operator::NotContains,
        "exists" => Operator::Exists,
        "not-exists" => Operator::NotExists,
        "range" => Operator::Range,
        other => return Err(unknown("operator", other)),
    };
    Ok(Filter { field: input.text("field")?.to_owned(), operator, value: input.0["value"].to_string() })
}

fn sort_key(input: &Input) -> Result<SortKey> {
    Ok(SortKey { field: input.text("field")?.to_owned(), descending: input.yes_or_no("descending")? })
}

fn tag_mode(input: &Input) -> Result<TagMode> {
    match input.text("mode")? {
        "add" => Ok(TagMode::Add),
        "remove" => Ok(TagMode::Remove),
        "remove-all" => Ok(TagMode::RemoveAll),
        other => Err(unknown("mode", other)),
    }
}

fn partner_request(input: &Input) -> Result<Request> {
    let method = match input.text("method")? {
        "get" => Method::Get,
        "head" => Method::Head,
        "post" => Method::Post,
        "put" => Method::Put,
        "patch" => Method::Patch,
        "delete" => Method::Delete,
        other => return Err(unknown("method", other)),
    };
    Ok(Request {
        method,
        path: input.text("path")?.to_owned(),
        query: pairs(input, "query")?,
        headers: pairs(input, "headers")?,
        body: input.optional("body")?.map(|body| body.as_bytes().to_vec()),
    })
}

fn pairs(input: &Input, name: &str) -> Result<Vec<Pair>> {
    let pair = |item: &Json| {
        let item = Input(item.clone());
        Ok(Pair { name: item.text("name")?.to_owned(), value: item.text("value")?.to_owned() })
    };
    input.items(name)?.iter().map(pair).collect()
}

fn level(input: &Input) -> Result<Level> {
    match input.text("level")? {
        "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warn" => Ok(Level::Warn),
        "error" => Ok(Level::Error),
        other => Err(unknown("level", other)),
    }
}

fn unknown(name: &str, value: &str) -> Error {
    Error::invalid(name, format!("the test gives `{value}`, which wit/ does not have"))
}
