//! Every operation the double knows: method, path, name, scope, handler.
//!
//! The names are those of faults and counters. A scope of `None` means the specification declares none; the two bulk
//! operations are taken to need `contacts.write` as their neighbours do.

use http::Method;

use super::refusal::Answer;
use super::tx::{Request, Tx};
use super::wire::Version;
use super::{appointments, contacts, locations, notes, relations, search, tasks};

/// Works on the location of the token.
type Handler = fn(&mut Tx<'_>, &Request<'_>) -> Answer;

/// What carries an operation out.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    Location(Handler),
    Token,
    LocationToken,
    InstalledLocations,
    ChooseLocation,
    /// Gone since 2026 (vendor issue 333).
    Reconnect,
}

pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) scope: Option<&'static str>,
    /// The only version that has this path; `None` for all.
    pub(crate) only: Option<Version>,
    pub(crate) action: Action,
}

const fn on(
    method: Method,
    path: &'static str,
    name: &'static str,
    scope: &'static str,
    handler: Handler,
) -> Route {
    Route { method, path, name, scope: Some(scope), only: None, action: Action::Location(handler) }
}

const fn authorisation(method: Method, path: &'static str, name: &'static str, action: Action) -> Route {
    Route { method, path, name, scope: None, only: None, action }
}

const READ: &str = "contacts.readonly";
const WRITE: &str = "contacts.write";
const EVENTS_READ: &str = "calendars/events.readonly";
const EVENTS_WRITE: &str = "calendars/events.write";
const TAGS_READ: &str = "locations/tags.readonly";
const TAGS_WRITE: &str = "locations/tags.write";

/// Fixed paths stand before those with an id in the same place.
pub(crate) const ROUTES: &[Route] = &[
    // The 32 operations of the Contacts API.
    on(Method::POST, "/contacts/search", "highlevel.contacts.search", READ, search::search),
    on(Method::GET, "/contacts/search/duplicate", "highlevel.contacts.duplicate", READ, contacts::duplicate),
    on(Method::POST, "/contacts/upsert", "highlevel.contacts.upsert", WRITE, contacts::upsert),
    on(Method::POST, "/contacts/bulk/business", "highlevel.bulk.business", WRITE, relations::bulk_business),
    on(Method::POST, "/contacts/bulk/tags/update/{type}", "highlevel.bulk.tags", WRITE, relations::bulk_tags),
    on(
        Method::GET,
        "/contacts/business/{businessId}",
        "highlevel.contacts.by_business",
        READ,
        search::by_business,
    ),
    on(Method::GET, "/contacts", "highlevel.contacts.list", READ, search::list),
    on(Method::POST, "/contacts", "highlevel.contacts.create", WRITE, contacts::create),
    on(Method::GET, "/contacts/{contactId}", "highlevel.contacts.get", READ, contacts::get),
    on(Method::PUT, "/contacts/{contactId}", "highlevel.contacts.update", WRITE, contacts::update),
    on(Method::DELETE, "/contacts/{contactId}", "highlevel.contacts.delete", WRITE, contacts::delete),
    on(Method::GET, "/contacts/{contactId}/tasks", "highlevel.tasks.list", READ, tasks::list),
    on(Method::POST, "/contacts/{contactId}/tasks", "highlevel.tasks.create", WRITE, tasks::create),
    on(Method::GET, "/contacts/{contactId}/tasks/{taskId}", "highlevel.tasks.get", READ, tasks::get),
    on(Method::PUT, "/contacts/{contactId}/tasks/{taskId}", "highlevel.tasks.update", WRITE, tasks::update),
    on(
        Method::DELETE,
        "/contacts/{contactId}/tasks/{taskId}",
        "highlevel.tasks.delete",
        WRITE,
        tasks::delete,
    ),
    on(
        Method::PUT,
        "/contacts/{contactId}/tasks/{taskId}/completed",
        "highlevel.tasks.complete",
        WRITE,
        tasks::complete,
    ),
    on(Method::GET, "/contacts/{contactId}/notes", "highlevel.notes.list", READ, notes::list),
    on(Method::POST, "/contacts/{contactId}/notes", "highlevel.notes.create", WRITE, notes::create),
    on(Method::GET, "/contacts/{contactId}/notes/{id}", "highlevel.notes.get", READ, notes::get),
    on(Method::PUT, "/contacts/{contactId}/notes/{id}", "highlevel.notes.update", WRITE, notes::update),
    on(Method::DELETE, "/contacts/{contactId}/notes/{id}", "highlevel.notes.delete", WRITE, notes::delete),
    on(Method::POST, "/contacts/{contactId}/tags", "highlevel.tags.add", WRITE, relations::add_tags),
    on(Method::DELETE, "/contacts/{contactId}/tags", "highlevel.tags.remove", WRITE, relations::remove_tags),
    on(
        Method::POST,
        "/contacts/{contactId}/followers",
        "highlevel.followers.add",
        WRITE,
        relations::add_followers,
    ),
    on(
        Method::DELETE,
        "/contacts/{contactId}/followers",
        "highlevel.followers.remove",
        WRITE,
        relations::remove_followers,
    ),
    Route {
        method: Method::DELETE,
        path: "/contacts/{contactId}/campaigns/removeAll",
        name: "highlevel.campaigns.remove_all",
        scope: Some(WRITE),
        only: Some(Version::Dated),
        action: Action::Location(relations::remove_all_campaigns),
    },
    Route {
        method: Method::DELETE,
        path: "/contacts/{contactId}/campaigns/remove-all",
        name: "highlevel.campaigns.remove_all",
        scope: Some(WRITE),
        only: Some(Version::V3),
        action: Action::Location(relations::remove_all_campaigns),
    },
    on(
        Method::POST,
        "/contacts/{contactId}/campaigns/{campaignId}",
        "highlevel.campaigns.add",
        WRITE,
        relations::add_campaign,
    ),
    on(
        Method::DELETE,
        "/contacts/{contactId}/campaigns/{campaignId}",
        "highlevel.campaigns.remove",
        WRITE,
        relations::remove_campaign,
    ),
    on(
        Method::POST,
        "/contacts/{contactId}/workflow/{workflowId}",
        "highlevel.workflows.add",
        WRITE,
        relations::add_workflow,
    ),
    on(
        Method::DELETE,
        "/contacts/{contactId}/workflow/{workflowId}",
        "highlevel.workflows.remove",
        WRITE,
        relations::remove_workflow,
    ),
    on(
        Method::GET,
        "/contacts/{contactId}/appointments",
        "highlevel.appointments.of_contact",
        READ,
        appointments::of_contact,
    ),
    // Calendars.
    on(
        Method::POST,
        "/calendars/events/appointments",
        "highlevel.appointments.create",
        EVENTS_WRITE,
        appointments::create,
    ),
    on(
        Method::GET,
        "/calendars/events/appointments/{eventId}",
        "highlevel.appointments.get",
        EVENTS_READ,
        appointments::get,
    ),
    on(
        Method::PUT,
        "/calendars/events/appointments/{eventId}",
        "highlevel.appointments.update",
        EVENTS_WRITE,
        appointments::update,
    ),
    on(
        Method::DELETE,
        "/calendars/events/{eventId}",
        "highlevel.appointments.delete",
        EVENTS_WRITE,
        appointments::delete,
    ),
    on(Method::GET, "/calendars/events", "highlevel.appointments.list", EVENTS_READ, appointments::list),
    // Locations.
    on(
        Method::GET,
        "/locations/{locationId}",
        "highlevel.locations.get",
        "locations.readonly",
        locations::get,
    ),
    on(
        Method::GET,
        "/locations/{locationId}/tags",
        "highlevel.location_tags.list",
        TAGS_READ,
        locations::list_tags,
    ),
    on(
        Method::POST,
        "/locations/{locationId}/tags",
        "highlevel.location_tags.create",
        TAGS_WRITE,
        locations::create_tag,
    ),
    on(
        Method::GET,
        "/locations/{locationId}/tags/{tagId}",
        "highlevel.location_tags.get",
        TAGS_READ,
        locations::get_tag,
    ),
    on(
        Method::PUT,
        "/locations/{locationId}/tags/{tagId}",
        "highlevel.location_tags.update",
        TAGS_WRITE,
        locations::update_tag,
    ),
    on(
        Method::DELETE,
        "/locations/{locationId}/tags/{tagId}",
        "highlevel.location_tags.delete",
        TAGS_WRITE,
        locations::delete_tag,
    ),
    on(
        Method::GET,
        "/locations/{locationId}/customFields",
        "highlevel.custom_fields.list",
        "locations/customFields.readonly",
        locations::list_custom_fields,
    ),
    on(
        Method::POST,
        "/locations/{locationId}/customFields",
        "highlevel.custom_fields.create",
        "locations/customFields.write",
        locations::create_custom_field,
    ),
    on(
        Method::POST,
        "/locations/{locationId}/tasks/search",
        "highlevel.location_tasks.search",
        "locations/tasks.readonly",
        tasks::search,
    ),
    // Authorisation.
    authorisation(Method::POST, "/oauth/token", "highlevel.oauth.token", Action::Token),
    Route {
        method: Method::POST,
        path: "/oauth/locationToken",
        name: "highlevel.oauth.location_token",
        scope: Some("oauth.write"),
        only: None,
        action: Action::LocationToken,
    },
    Route {
        method: Method::GET,
        path: "/oauth/installedLocations",
        name: "highlevel.oauth.installed_locations",
        scope: Some("oauth.readonly"),
        only: None,
        action: Action::InstalledLocations,
    },
    authorisation(Method::POST, "/oauth/reconnect", "highlevel.oauth.reconnect", Action::Reconnect),
    authorisation(Method::GET, "/v2/oauth/chooselocation", "highlevel.oauth.consent", Action::ChooseLocation),
    authorisation(Method::GET, "/oauth/chooselocation", "highlevel.oauth.consent", Action::ChooseLocation),
];

/// The names of all operations, for faults and counters.
pub fn operations() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|route| route.name)
}

/// The routes of one request: normally one, two where a path exists in one version only.
pub(crate) fn find<'p>(
    method: &Method,
    path: &'p str,
) -> impl Iterator<Item = (&'static Route, Vec<&'p str>)> {
    let method = method.clone();
    ROUTES
        .iter()
        .filter(move |route| route.method == method)
        .filter_map(move |route| Some((route, captures(route.path, path)?)))
}

/// The parts of `path` that stand where `pattern` has braces, when it fits. One trailing slash is ignored.
fn captures<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
    let mut captured = Vec::new();
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            if part.is_empty() {
                return None;
            }
            captured.push(part);
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(captured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_path_wins_over_an_id_in_its_place() {
        let name = |method, path| find(&method, path).next().map(|(route, _)| route.name);
        assert_eq!(name(Method::POST, "/contacts/upsert"), Some("highlevel.contacts.upsert"));
        assert_eq!(name(Method::GET, "/contacts/"), Some("highlevel.contacts.list"));
        assert_eq!(name(Method::GET, "/contacts/abc"), Some("highlevel.contacts.get"));
        assert_eq!(name(Method::GET, "/contacts/abc/nonsense"), None);
    }

    #[test]
    fn ids_are_captured_in_order() {
        let (_, ids) = find(&Method::PUT, "/contacts/c1/tasks/t1/completed").next().unwrap();
        assert_eq!(ids, ["c1", "t1"]);
    }
}
