//! The host's functions, each declared once: as a plain function, and as a method of the native [`host`](crate::host).
//!
//! On `wasm32` a function calls the generated import and nothing else, so that a function that no code calls leaves no import
//! behind. Anywhere else it calls the host that is installed on the thread.

use crate::Result;

/// Makes a module of functions and, for native builds, the trait behind them.
macro_rules! interface {
    (
        $(#[doc = $about:literal])*
        $module:ident, $Trait:ident, [$($Type:ident),* $(,)?]:
        $( $(#[doc = $doc:literal])* fn $function:ident($($argument:ident: $Kind:ty),* $(,)?) -> $Answer:ty; )*
    ) => {
        $(#[doc = $about])*
        #[allow(unused_imports, reason = "not every interface speaks of named values or has types of its own")]
        #[allow(unreachable_pub, reason = "two of these modules are re-exported in part")]
        pub mod $module {
            use super::Result;
            use crate::NamedValue;
            pub use crate::bindings::contactor::connector::$module::{$($Type),*};

            $(
                $(#[doc = $doc])*
                pub fn $function($($argument: $Kind),*) -> Result<$Answer> {
                    #[cfg(target_arch = "wasm32")]
                    return crate::bindings::contactor::connector::$module::$function($($argument),*);
                    #[cfg(not(target_arch = "wasm32"))]
                    crate::host::with(|host| $Trait::$function(host, $($argument),*))
                }
            )*

            /// The host's half of this interface. What a host leaves out answers that it is not supported.
            #[cfg(not(target_arch = "wasm32"))]
            pub trait $Trait {
                $(
                    $(#[doc = $doc])*
                    fn $function(&self, $($argument: $Kind),*) -> Result<$Answer> {
                        $(let _ = $argument;)*
                        Err(crate::host::not_offered(concat!(stringify!($module), ".", stringify!($function))))
                    }
                )*
            }
        }
    };
}

interface! {
    /// HighLevel contacts. Reading needs the scope `contacts.readonly`, writing `contacts.write`.
    ///
    /// Field names are the vendor's; a custom field is `customFields.<key>`.
    contacts, Contacts, [Contact, ContactPage, Filter, Operator, SearchRequest, SortKey, UpsertOutcome]:
    /// `POST /contacts/search`. The vendor's index lags behind writes by seconds: never use it to check one's own write.
    fn search(request: &SearchRequest) -> ContactPage;
    /// `GET /contacts/search/duplicate`: the contact that the vendor would treat as the same person.
    fn find_duplicate(email: Option<&str>, phone: Option<&str>) -> Option<Contact>;
    /// `GET /contacts/{id}`.
    fn get(id: &str) -> Contact;
    /// `POST /contacts/`. Needs an email or a phone. A duplicate carries the existing contact's id.
    fn create(fields: &[NamedValue], tags: &[String]) -> Contact;
    /// `PUT /contacts/{id}` with just these fields. Tags change by [`tags`](crate::tags) alone.
    fn update(id: &str, fields: &[NamedValue]) -> Contact;
    /// `DELETE /contacts/{id}`. The vendor can restore it within 60 days.
    fn delete(id: &str) -> ();
    /// `POST /contacts/upsert`. Can change another person's record when email and phone match two contacts.
    fn upsert(fields: &[NamedValue], create_new_if_duplicate_allowed: bool) -> UpsertOutcome;
    /// `GET /contacts/`, ordered by creation; at most 100 a page.
    fn list_page(query: Option<&str>, limit: u32, cursor: Option<&str>) -> ContactPage;
    /// `GET /contacts/business/{business-id}`.
    fn list_by_business(business_id: &str, query: Option<&str>, limit: u32, skip: u32) -> ContactPage;
    /// `POST /contacts/{id}/followers`: the user ids that follow the contact afterwards.
    fn add_followers(id: &str, user_ids: &[String]) -> Vec<String>;
    /// `DELETE /contacts/{id}/followers`: the user ids that follow the contact afterwards.
    fn remove_followers(id: &str, user_ids: &[String]) -> Vec<String>;
}

interface! {
    /// Tasks of a contact. Scopes: `contacts.readonly`, `contacts.write`.
    tasks, Tasks, [Task]:
    /// `GET /contacts/{contact-id}/tasks`: all of them.
    fn list_all(contact_id: &str) -> Vec<Task>;
    /// `POST /contacts/{contact-id}/tasks`: `title` and `dueDate` are required; also `body`, `assignedTo`.
    fn create(contact_id: &str, completed: bool, fields: &[NamedValue]) -> Task;
    /// `GET /contacts/{contact-id}/tasks/{id}`.
    fn get(contact_id: &str, id: &str) -> Task;
    /// `PUT /contacts/{contact-id}/tasks/{id}` with just these fields.
    fn update(contact_id: &str, id: &str, fields: &[NamedValue]) -> Task;
    /// `DELETE /contacts/{contact-id}/tasks/{id}`.
    fn delete(contact_id: &str, id: &str) -> ();
    /// `PUT /contacts/{contact-id}/tasks/{id}/completed`.
    fn set_completed(contact_id: &str, id: &str, completed: bool) -> Task;
}

interface! {
    /// Notes of a contact. Scopes: `contacts.readonly`, `contacts.write`.
    notes, Notes, [Note]:
    /// `GET /contacts/{contact-id}/notes`: all of them. One call per contact: read notes only when needed.
    fn list_all(contact_id: &str) -> Vec<Note>;
    /// `POST /contacts/{contact-id}/notes`; fields: `userId`, `title`, `color`, `pinned`.
    fn create(contact_id: &str, body: &str, fields: &[NamedValue]) -> Note;
    /// `GET /contacts/{contact-id}/notes/{id}`.
    fn get(contact_id: &str, id: &str) -> Note;
    /// `PUT /contacts/{contact-id}/notes/{id}` with just these fields; `body` is one of them.
    fn update(contact_id: &str, id: &str, fields: &[NamedValue]) -> Note;
    /// `DELETE /contacts/{contact-id}/notes/{id}`.
    fn delete(contact_id: &str, id: &str) -> ();
}

interface! {
    /// Tags of a contact. Scopes: `contacts.readonly`, `contacts.write`. The vendor trims and lower-cases every tag.
    tags, Tags, [TagChange]:
    /// The contact's tags; reads the contact.
    fn list_all(contact_id: &str) -> Vec<String>;
    /// `POST /contacts/{contact-id}/tags`: other tags stay.
    fn add(contact_id: &str, tags: &[String]) -> TagChange;
    /// `DELETE /contacts/{contact-id}/tags`: other tags stay.
    fn remove(contact_id: &str, tags: &[String]) -> TagChange;
}

interface! {
    /// Appointments of a contact. Scope: `contacts.readonly`.
    appointments, Appointments, [Appointment]:
    /// `GET /contacts/{contact-id}/appointments`.
    fn list_all(contact_id: &str) -> Vec<Appointment>;
}

interface! {
    /// Operations on many contacts at once. Scope: `contacts.write`.
    bulk, Bulk, [BulkOutcome, TagMode]:
    /// `POST /contacts/bulk/tags/update/{type}`; the outcomes of all contacts, summed.
    fn update_tags(mode: TagMode, contact_ids: &[String], tags: &[String]) -> BulkOutcome;
    /// `POST /contacts/bulk/business`: into a business, or out of any; at most 50 ids. Answers the ids that were changed.
    fn set_business(contact_ids: &[String], business_id: Option<&str>) -> Vec<String>;
}

interface! {
    /// Campaigns of a contact. Scope: `contacts.write`.
    campaigns, Campaigns, []:
    /// `POST /contacts/{contact-id}/campaigns/{campaign-id}`.
    fn add(contact_id: &str, campaign_id: &str) -> ();
    /// `DELETE /contacts/{contact-id}/campaigns/{campaign-id}`.
    fn remove(contact_id: &str, campaign_id: &str) -> ();
    /// `DELETE /contacts/{contact-id}/campaigns/removeAll`.
    fn remove_all(contact_id: &str) -> ();
}

interface! {
    /// Workflows of a contact. Scope: `contacts.write`.
    workflows, Workflows, []:
    /// `POST /contacts/{contact-id}/workflow/{workflow-id}`; the time is RFC 3339 with an offset.
    fn add(contact_id: &str, workflow_id: &str, event_start_time: Option<&str>) -> ();
    /// `DELETE /contacts/{contact-id}/workflow/{workflow-id}`.
    fn remove(contact_id: &str, workflow_id: &str, event_start_time: Option<&str>) -> ();
}

interface! {
    /// The partner's own API, as `wit/` has it; [`crate::partner`] is what authors use.
    partner, Partner, [Method, Pair, Request, Response]:
    /// Sends a request. Every answer that arrived is a response, 4xx and 5xx included; an error means that there was none, that
    /// the host refused to send it or that the quota is used up.
    fn send(request: &Request) -> Response;
}

interface! {
    /// A small key-value store, as `wit/` has it; [`crate::state`] is what authors use.
    state, State, [Entry]:
    /// Reads a key.
    fn get(key: &str) -> Option<Entry>;
    /// Writes a key if its version still is the expected one (0: the key must not exist); otherwise a conflict. Answers the
    /// new version.
    fn compare_and_set(key: &str, expected: u64, value: &[u8]) -> u64;
    /// Removes a key; removing what is not there is fine.
    fn delete(key: &str) -> ();
    /// The keys that begin with the prefix, in order.
    fn keys(prefix: &str) -> Vec<String>;
}

interface! {
    /// The language of mappings and rules, as `wit/` has it; [`crate::rules`] is what authors use.
    rules, Rules, []:
    /// Evaluates an expression over these values.
    fn evaluate(expression: &str, fields: &[NamedValue]) -> crate::Value;
    /// Holds an input, a JSON document, against the schema that the manifest gives the action.
    fn check_input(action: &str, input: &str) -> ();
}

interface! {
    /// Durable timers of the connection. A timer that goes off is an event `timer:…` of [`handle`](crate::Connector::handle).
    timers, Timers, [Timer]:
    /// Sets a timer; one of the same name is replaced.
    fn set(timer: &Timer) -> ();
    /// Takes a timer back; one that is not there is no error.
    fn cancel(name: &str) -> ();
}

interface! {
    /// Messages to destinations that an admin set up. Scope: `notifications`.
    notifications, Notifications, [Message]:
    /// Hands a message over to the host, which delivers it at least once.
    fn send(destination: &str, message: &Message) -> ();
}

pub mod clock {
    //! The run's own time.

    /// The instant at which the run began, in milliseconds since 1970-01-01T00:00:00Z. It stands still within a run, so that a
    /// replay sees what the first attempt saw.
    pub fn now() -> u64 {
        #[cfg(target_arch = "wasm32")]
        return crate::bindings::contactor::connector::clock::now();
        #[cfg(not(target_arch = "wasm32"))]
        crate::host::with(|host| host.now())
    }
}
