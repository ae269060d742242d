//! The operations of the vendor's API that this client knows: name, method, path, scope.

use http::Method;

use crate::version::Part;

/// One operation of the vendor's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Our name for it, for example `contacts.get`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path as the vendor's document writes it; `{…}` stands for an id. A trailing slash counts.
    pub path: &'static str,
    /// The scope that the token needs.
    pub scope: &'static str,
    /// The vendor's document that describes it.
    pub part: Part,
}

impl Operation {
    const fn new(
        name: &'static str,
        method: Method,
        path: &'static str,
        scope: &'static str,
        part: Part,
    ) -> Self {
        Self { name, method, path, scope, part }
    }

    /// Whether it changes something at the vendor. A search is a POST and changes nothing.
    pub fn is_write(&self) -> bool {
        self.scope.split_once('.').is_some_and(|(_, access)| access == "write")
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $constant:ident = $name:literal $method:ident $path:literal $scope:literal $part:ident;)*) => {
        $(
            $(#[$doc])*
            #[doc = concat!("`", stringify!($method), " ", $path, "`")]
            pub static $constant: Operation = Operation::new($name, Method::$method, $path, $scope, Part::$part);
        )*
        /// Every operation.
        pub static ALL: &[&Operation] = &[$(&$constant),*];
    };
}

operations! {
    // --- contacts
    CONTACTS_SEARCH = "contacts.search" POST "/contacts/search" "contacts.readonly" Contacts;
    CONTACTS_FIND_DUPLICATE = "contacts.find-duplicate" GET "/contacts/search/duplicate" "contacts.readonly" Contacts;
    CONTACTS_GET = "contacts.get" GET "/contacts/{contactId}" "contacts.readonly" Contacts;
    CONTACTS_CREATE = "contacts.create" POST "/contacts/" "contacts.write" Contacts;
    CONTACTS_UPDATE = "contacts.update" PUT "/contacts/{contactId}" "contacts.write" Contacts;
    CONTACTS_DELETE = "contacts.delete" DELETE "/contacts/{contactId}" "contacts.write" Contacts;
    CONTACTS_UPSERT = "contacts.upsert" POST "/contacts/upsert" "contacts.write" Contacts;
    CONTACTS_LIST = "contacts.list" GET "/contacts/" "contacts.readonly" Contacts;
    CONTACTS_BY_BUSINESS = "contacts.list-by-business" GET "/contacts/business/{businessId}" "contacts.readonly" Contacts;
    // --- bulk; the vendor declares no scope, writing is assumed
    BULK_BUSINESS = "bulk.set-business" POST "/contacts/bulk/business" "contacts.write" Contacts;
    BULK_TAGS = "bulk.update-tags" POST "/contacts/bulk/tags/update/{type}" "contacts.write" Contacts;
    // --- tasks
    TASKS_LIST = "tasks.list" GET "/contacts/{contactId}/tasks" "contacts.readonly" Contacts;
    TASKS_CREATE = "tasks.create" POST "/contacts/{contactId}/tasks" "contacts.write" Contacts;
    TASKS_GET = "tasks.get" GET "/contacts/{contactId}/tasks/{taskId}" "contacts.readonly" Contacts;
    TASKS_UPDATE = "tasks.update" PUT "/contacts/{contactId}/tasks/{taskId}" "contacts.write" Contacts;
    TASKS_DELETE = "tasks.delete" DELETE "/contacts/{contactId}/tasks/{taskId}" "contacts.write" Contacts;
    TASKS_SET_COMPLETED = "tasks.set-completed" PUT "/contacts/{contactId}/tasks/{taskId}/completed" "contacts.write" Contacts;
    // --- notes
    NOTES_LIST = "notes.list" GET "/contacts/{contactId}/notes" "contacts.readonly" Contacts;
    NOTES_CREATE = "notes.create" POST "/contacts/{contactId}/notes" "contacts.write" Contacts;
    NOTES_GET = "notes.get" GET "/contacts/{contactId}/notes/{id}" "contacts.readonly" Contacts;
    NOTES_UPDATE = "notes.update" PUT "/contacts/{contactId}/notes/{id}" "contacts.write" Contacts;
    NOTES_DELETE = "notes.delete" DELETE "/contacts/{contactId}/notes/{id}" "contacts.write" Contacts;
    // --- tags, followers, campaigns, workflows, appointments of a contact
    TAGS_ADD = "tags.add" POST "/contacts/{contactId}/tags" "contacts.write" Contacts;
    TAGS_REMOVE = "tags.remove" DELETE "/contacts/{contactId}/tags" "contacts.write" Contacts;
    FOLLOWERS_ADD = "contacts.add-followers" POST "/contacts/{contactId}/followers" "contacts.write" Contacts;
    FOLLOWERS_REMOVE = "contacts.remove-followers" DELETE "/contacts/{contactId}/followers" "contacts.write" Contacts;
    CAMPAIGNS_ADD = "campaigns.add" POST "/contacts/{contactId}/campaigns/{campaignId}" "contacts.write" Contacts;
    CAMPAIGNS_REMOVE = "campaigns.remove" DELETE "/contacts/{contactId}/campaigns/{campaignId}" "contacts.write" Contacts;
    CAMPAIGNS_REMOVE_ALL = "campaigns.remove-all" DELETE "/contacts/{contactId}/campaigns/removeAll" "contacts.write" Contacts;
    WORKFLOWS_ADD = "workflows.add" POST "/contacts/{contactId}/workflow/{workflowId}" "contacts.write" Contacts;
    WORKFLOWS_REMOVE = "workflows.remove" DELETE "/contacts/{contactId}/workflow/{workflowId}" "contacts.write" Contacts;
    CONTACT_APPOINTMENTS = "appointments.list" GET "/contacts/{contactId}/appointments" "contacts.readonly" Contacts;
    // --- the location
    LOCATION_GET = "location.get" GET "/locations/{locationId}" "locations.readonly" Locations;
    LOCATION_TAGS_LIST = "location.tags.list" GET "/locations/{locationId}/tags" "locations/tags.readonly" Locations;
    LOCATION_TAGS_CREATE = "location.tags.create" POST "/locations/{locationId}/tags" "locations/tags.write" Locations;
    LOCATION_CUSTOM_FIELDS = "location.custom-fields.list" GET "/locations/{locationId}/customFields" "locations/customFields.readonly" Locations;
    LOCATION_TASKS_SEARCH = "location.tasks.search" POST "/locations/{locationId}/tasks/search" "locations/tasks.readonly" Locations;
    // --- calendars
    EVENTS_LIST = "calendar.events.list" GET "/calendars/events" "calendars/events.readonly" Calendars;
    APPOINTMENTS_GET = "appointments.get" GET "/calendars/events/appointments/{eventId}" "calendars/events.readonly" Calendars;
    APPOINTMENTS_CREATE = "appointments.create" POST "/calendars/events/appointments" "calendars/events.write" Calendars;
    APPOINTMENTS_UPDATE = "appointments.update" PUT "/calendars/events/appointments/{eventId}" "calendars/events.write" Calendars;
    APPOINTMENTS_DELETE = "appointments.delete" DELETE "/calendars/events/{eventId}" "calendars/events.write" Calendars;
}
