//! The imports as the linker sees them: each call is counted and weighed, then handed to the host's own value.
//!
//! Wasmtime cannot count host calls by itself (its call hook fires for its own helpers as well) and says nothing about bytes.
//! The list below repeats the signatures of `wit/`; the compiler refuses it when one is missing or different.
//! A call beyond the budget never reaches the host. Its answer, made up here, never reaches the guest either: the store's
//! call hook ends the call first.

use crate::{
    bindings::{
        HostImports, appointments, bulk, campaigns, clock, contacts, log, notes, notifications, partner,
        rules, settings, state, tags, tasks, timers,
        types::{self, Error, NamedValue, Value},
        workflows,
    },
    store::CallState,
};

/// What a refused call answers, to nobody.
trait Refused {
    fn refused() -> Self;
}

impl<T> Refused for Result<T, Error> {
    fn refused() -> Self {
        Err(Error::Other(String::new()))
    }
}

macro_rules! refused_by_default {
    ($($type:ty),*) => { $(impl Refused for $type {
        fn refused() -> Self {
            Self::default()
        }
    })* };
}

refused_by_default!((), u64, String);

macro_rules! imports {
    ($($interface:ident {
        $(fn $function:ident($($argument:ident: $type:ty),* $(,)?) -> $answer:ty;)*
    })*) => { $(
        impl<H: HostImports> $interface::Host for CallState<H> {
            $(async fn $function(&mut self, $($argument: $type),*) -> $answer {
                if !self.budget.admit(&($(&$argument,)*)) {
                    return Refused::refused();
                }
                let answer = $interface::Host::$function(&mut self.host, $($argument),*).await;
                self.budget.receive(&answer);
                answer
            })*
        }
    )* };
}

impl<H: HostImports> types::Host for CallState<H> {}

imports! {
    contacts {
        fn search(request: contacts::SearchRequest) -> Result<contacts::ContactPage, Error>;
        fn find_duplicate(email: Option<String>, phone: Option<String>) -> Result<Option<contacts::Contact>, Error>;
        fn get(id: String) -> Result<contacts::Contact, Error>;
        fn create(fields: Vec<NamedValue>, tags: Vec<String>) -> Result<contacts::Contact, Error>;
        fn update(id: String, fields: Vec<NamedValue>) -> Result<contacts::Contact, Error>;
        fn delete(id: String) -> Result<(), Error>;
        fn upsert(fields: Vec<NamedValue>, create_new_if_duplicate_allowed: bool) -> Result<contacts::UpsertOutcome, Error>;
        fn list_page(query: Option<String>, limit: u32, cursor: Option<String>) -> Result<contacts::ContactPage, Error>;
        fn list_by_business(business_id: String, query: Option<String>, limit: u32, skip: u32) -> Result<contacts::ContactPage, Error>;
        fn add_followers(id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error>;
        fn remove_followers(id: String, user_ids: Vec<String>) -> Result<Vec<String>, Error>;
    }
    tasks {
        fn list_all(contact_id: String) -> Result<Vec<tasks::Task>, Error>;
        fn create(contact_id: String, completed: bool, fields: Vec<NamedValue>) -> Result<tasks::Task, Error>;
        fn get(contact_id: String, id: String) -> Result<tasks::Task, Error>;
        fn update(contact_id: String, id: String, fields: Vec<NamedValue>) -> Result<tasks::Task, Error>;
        fn delete(contact_id: String, id: String) -> Result<(), Error>;
        fn set_completed(contact_id: String, id: String, completed: bool) -> Result<tasks::Task, Error>;
    }
    notes {
        fn list_all(contact_id: String) -> Result<Vec<notes::Note>, Error>;
        fn create(contact_id: String, body: String, fields: Vec<NamedValue>) -> Result<notes::Note, Error>;
        fn get(contact_id: String, id: String) -> Result<notes::Note, Error>;
        fn update(contact_id: String, id: String, fields: Vec<NamedValue>) -> Result<notes::Note, Error>;
        fn delete(contact_id: String, id: String) -> Result<(), Error>;
    }
    tags {
        fn list_all(contact_id: String) -> Result<Vec<String>, Error>;
        fn add(contact_id: String, tags: Vec<String>) -> Result<tags::TagChange, Error>;
        fn remove(contact_id: String, tags: Vec<String>) -> Result<tags::TagChange, Error>;
    }
    appointments {
        fn list_all(contact_id: String) -> Result<Vec<appointments::Appointment>, Error>;
    }
    bulk {
        fn update_tags(mode: bulk::TagMode, contact_ids: Vec<String>, tags: Vec<String>) -> Result<bulk::BulkOutcome, Error>;
        fn set_business(contact_ids: Vec<String>, business_id: Option<String>) -> Result<Vec<String>, Error>;
    }
    campaigns {
        fn add(contact_id: String, campaign_id: String) -> Result<(), Error>;
        fn remove(contact_id: String, campaign_id: String) -> Result<(), Error>;
        fn remove_all(contact_id: String) -> Result<(), Error>;
    }
    workflows {
        fn add(contact_id: String, workflow_id: String, event_start_time: Option<String>) -> Result<(), Error>;
        fn remove(contact_id: String, workflow_id: String, event_start_time: Option<String>) -> Result<(), Error>;
    }
    partner {
        fn send(request: partner::Request) -> Result<partner::Response, Error>;
    }
    state {
        fn get(key: String) -> Result<Option<state::Entry>, Error>;
        fn compare_and_set(key: String, expected: u64, value: Vec<u8>) -> Result<u64, Error>;
        fn delete(key: String) -> Result<(), Error>;
        fn keys(prefix: String) -> Result<Vec<String>, Error>;
    }
    settings {
        fn all() -> String;
    }
    log {
        fn write(level: log::Level, message: String, fields: Vec<NamedValue>) -> ();
    }
    clock {
        fn now() -> u64;
    }
    rules {
        fn evaluate(expression: String, fields: Vec<NamedValue>) -> Result<Value, Error>;
        fn check_input(action: String, input: String) -> Result<(), Error>;
    }
    timers {
        fn set(timer: timers::Timer) -> Result<(), Error>;
        fn cancel(name: String) -> Result<(), Error>;
    }
    notifications {
        fn send(destination: String, message: notifications::Message) -> Result<(), Error>;
    }
}
