//! What each request body may contain, as data. Source: the vendor's specification files, corrected by what is known
//! of the running service.

/// The type of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Bool,
    Number,
    TextList,
    /// A malformed address is refused.
    Email,
    /// At least one digit.
    Phone,
    /// ISO 8601 with or without a zone.
    Instant,
    Birthday,
    OneOf(&'static [&'static str]),
    Nested(&'static [Field]),
    /// `[{id | key, field_value}]`; an object in place of the array is refused.
    CustomFields,
    /// A list of anything.
    List,
}

/// One member of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
}

/// A body: the union of these lists.
pub(crate) type Schema = &'static [&'static [Field]];

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false, nullable: false }
}

const fn nullable(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false, nullable: true }
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true, nullable: false }
}

const DND_CHANNEL: &[Field] = &[
    required("status", Kind::OneOf(&["active", "inactive", "permanent"])),
    optional("message", Kind::Text),
    optional("code", Kind::Text),
];

/// v2 names the channels `Call, Email, …`, v3 `call, email, …`; which set is allowed is decided per version.
pub(crate) const DND_V2: &[Field] = &[
    optional("Call", Kind::Nested(DND_CHANNEL)),
    optional("Email", Kind::Nested(DND_CHANNEL)),
    optional("SMS", Kind::Nested(DND_CHANNEL)),
    optional("WhatsApp", Kind::Nested(DND_CHANNEL)),
    optional("GMB", Kind::Nested(DND_CHANNEL)),
    optional("FB", Kind::Nested(DND_CHANNEL)),
];

/// v3 channel name, v2 channel name.
pub(crate) const DND_NAMES: &[(&str, &str)] = &[
    ("call", "Call"),
    ("email", "Email"),
    ("sms", "SMS"),
    ("whatsApp", "WhatsApp"),
    ("gmb", "GMB"),
    ("fb", "FB"),
];

const INBOUND_DND: &[Field] = &[optional(
    "all",
    Kind::Nested(&[
        required("status", Kind::OneOf(&["active", "inactive"])),
        optional("message", Kind::Text),
    ]),
)];

/// Members of every contact body.
const CONTACT: &[Field] = &[
    nullable("firstName", Kind::Text),
    nullable("lastName", Kind::Text),
    nullable("name", Kind::Text),
    nullable("email", Kind::Email),
    nullable("phone", Kind::Phone),
    nullable("address1", Kind::Text),
    nullable("city", Kind::Text),
    nullable("state", Kind::Text),
    optional("postalCode", Kind::Text),
    nullable("website", Kind::Text),
    nullable("timezone", Kind::Text),
    optional("dnd", Kind::Bool),
    optional("dndSettings", Kind::Nested(DND_V2)),
    optional("inboundDndSettings", Kind::Nested(INBOUND_DND)),
    optional("tags", Kind::TextList),
    optional("customFields", Kind::CustomFields),
    nullable("dateOfBirth", Kind::Birthday),
    optional("country", Kind::Text),
];

/// A create carries these as well; an update refuses `locationId`, `gender` and `companyName`.
const CONTACT_NEW: &[Field] = &[
    required("locationId", Kind::Text),
    optional("gender", Kind::Text),
    nullable("companyName", Kind::Text),
    optional("source", Kind::Text),
    optional("assignedTo", Kind::Text),
];

const CONTACT_CHANGED: &[Field] = &[nullable("source", Kind::Text), nullable("assignedTo", Kind::Text)];

/// What a person can fill in for a contact in HighLevel's own interface.
pub(crate) const PERSON_CONTACT: Schema =
    &[CONTACT, CONTACT_CHANGED, &[nullable("gender", Kind::Text), nullable("companyName", Kind::Text)]];

pub(crate) const CREATE_CONTACT: Schema = &[CONTACT, CONTACT_NEW];
pub(crate) const UPDATE_CONTACT: Schema = &[CONTACT, CONTACT_CHANGED];
pub(crate) const UPSERT_CONTACT: Schema =
    &[CONTACT, CONTACT_NEW, &[optional("createNewIfDuplicateAllowed", Kind::Bool)]];

pub(crate) const SEARCH: Schema = &[&[
    required("locationId", Kind::Text),
    required("pageLimit", Kind::Number),
    optional("page", Kind::Number),
    optional("searchAfter", Kind::List),
    optional("filters", Kind::List),
    optional("sort", Kind::List),
    optional("query", Kind::Text),
]];

pub(crate) const CREATE_TASK: Schema = &[&[
    required("title", Kind::Text),
    required("dueDate", Kind::Instant),
    required("completed", Kind::Bool),
    optional("body", Kind::Text),
    optional("assignedTo", Kind::Text),
]];
pub(crate) const UPDATE_TASK: Schema = &[&[
    optional("title", Kind::Text),
    optional("dueDate", Kind::Instant),
    optional("completed", Kind::Bool),
    optional("body", Kind::Text),
    optional("assignedTo", Kind::Text),
]];
pub(crate) const COMPLETE_TASK: Schema = &[&[required("completed", Kind::Bool)]];

const NOTE: &[Field] = &[
    optional("userId", Kind::Text),
    optional("title", Kind::Text),
    optional("color", Kind::Text),
    optional("pinned", Kind::Bool),
];
pub(crate) const CREATE_NOTE: Schema = &[NOTE, &[required("body", Kind::Text)]];
pub(crate) const UPDATE_NOTE: Schema = &[NOTE, &[optional("body", Kind::Text)]];

pub(crate) const TAGS: Schema = &[&[required("tags", Kind::TextList)]];
pub(crate) const FOLLOWERS: Schema = &[&[required("followers", Kind::TextList)]];
pub(crate) const EMPTY: Schema = &[];
pub(crate) const WORKFLOW: Schema = &[&[optional("eventStartTime", Kind::Instant)]];

pub(crate) const BULK_TAGS: Schema = &[&[
    required("contacts", Kind::TextList),
    required("tags", Kind::TextList),
    required("locationId", Kind::Text),
    optional("removeAllTags", Kind::Bool),
]];
pub(crate) const BULK_BUSINESS: Schema = &[&[
    required("locationId", Kind::Text),
    required("ids", Kind::TextList),
    Field { name: "businessId", kind: Kind::Text, required: true, nullable: true },
]];

pub(crate) const LOCATION_TAG: Schema = &[&[required("name", Kind::Text)]];
pub(crate) const CREATE_CUSTOM_FIELD: Schema = &[&[
    required("name", Kind::Text),
    required("dataType", Kind::Text),
    optional("placeholder", Kind::Text),
    optional("acceptedFormat", Kind::TextList),
    optional("isMultipleFile", Kind::Bool),
    optional("maxNumberOfFiles", Kind::Number),
    optional("textBoxListOptions", Kind::List),
    optional("position", Kind::Number),
    optional("model", Kind::OneOf(&["contact", "opportunity"])),
]];
pub(crate) const SEARCH_TASKS: Schema = &[&[
    optional("contactId", Kind::TextList),
    optional("completed", Kind::Bool),
    optional("assignedTo", Kind::TextList),
    optional("query", Kind::Text),
    optional("limit", Kind::Number),
    optional("skip", Kind::Number),
    optional("businessId", Kind::Text),
]];

const APPOINTMENT: &[Field] = &[
    optional("title", Kind::Text),
    optional(
        "meetingLocationType",
        Kind::OneOf(&["custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"]),
    ),
    optional("meetingLocationId", Kind::Text),
    optional("overrideLocationConfig", Kind::Bool),
    optional(
        "appointmentStatus",
        Kind::OneOf(&["new", "confirmed", "cancelled", "showed", "noshow", "invalid"]),
    ),
    optional("assignedUserId", Kind::Text),
    optional("description", Kind::Text),
    optional("address", Kind::Text),
    optional("ignoreDateRange", Kind::Bool),
    optional("toNotify", Kind::Bool),
    optional("ignoreFreeSlotValidation", Kind::Bool),
    optional("rrule", Kind::Text),
    optional("endTime", Kind::Instant),
];
pub(crate) const CREATE_APPOINTMENT: Schema = &[
    APPOINTMENT,
    &[
        required("calendarId", Kind::Text),
        required("locationId", Kind::Text),
        required("contactId", Kind::Text),
        required("startTime", Kind::Instant),
    ],
];
pub(crate) const UPDATE_APPOINTMENT: Schema =
    &[APPOINTMENT, &[optional("calendarId", Kind::Text), optional("startTime", Kind::Instant)]];

pub(crate) const TOKEN_V2: Schema = &[&[
    required("client_id", Kind::Text),
    required("client_secret", Kind::Text),
    required("grant_type", Kind::OneOf(&["authorization_code", "refresh_token", "client_credentials"])),
    optional("code", Kind::Text),
    optional("refresh_token", Kind::Text),
    optional("user_type", Kind::OneOf(&["Company", "Location"])),
    optional("redirect_uri", Kind::Text),
]];
pub(crate) const LOCATION_TOKEN: Schema =
    &[&[required("companyId", Kind::Text), required("locationId", Kind::Text)]];

/// Query parameters of the lists.
pub(crate) const LIST_QUERY: &[&str] = &["locationId", "limit", "startAfter", "startAfterId", "query"];
pub(crate) const BUSINESS_QUERY: &[&str] = &["locationId", "limit", "skip", "query"];
pub(crate) const DUPLICATE_QUERY: &[&str] = &["locationId", "number", "email"];
pub(crate) const EVENTS_QUERY: &[&str] =
    &["locationId", "userId", "calendarId", "groupId", "startTime", "endTime"];
