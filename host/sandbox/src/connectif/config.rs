//! What can be chosen about the Connectif double. Most choices are there because the vendor's behaviour is unknown.

use serde::{Deserialize, Serialize};

/// How the Connectif double behaves.
#[derive(Clone, Debug)]
pub struct ConnectifConfig {
    /// First half of the API key.
    pub key_id: String,
    /// Second half of the API key.
    pub key_secret: String,
    /// What the key may do.
    pub scopes: Scopes,
    /// The account's custom fields.
    pub custom_fields: Vec<CustomField>,
    /// The events that the account can receive.
    pub events: Vec<EventDefinition>,
    /// Request limit; `None` is none.
    pub limit: Option<Limit>,
    /// When a write of the API can be read.
    pub write_lag: WriteLag,
    /// Behaviour that is not known.
    pub guesses: Guesses,
}

impl Default for ConnectifConfig {
    fn default() -> Self {
        let field = |id: &str, kind| CustomField { id: id.into(), kind };
        let plans = ["free", "plus", "pro"].map(str::to_owned).to_vec();
        let custom_fields = vec![
            field("hl_tags", FieldKind::Checkbox(Vec::new())),
            field("hl_tasks", FieldKind::Text),
            field("hl_notes", FieldKind::Text),
            field("hl_open_tasks", FieldKind::Integer),
            field("hl_done_tasks", FieldKind::Integer),
            field("company", FieldKind::Text),
            field("plan", FieldKind::Radio(plans)),
            field("score", FieldKind::Decimal),
            field("vip", FieldKind::Boolean),
            field("renewal", FieldKind::Date),
            field("second_email", FieldKind::Email),
            field("landline", FieldKind::Phone),
        ];
        Self {
            key_id: "connectif-sandbox-key".into(),
            key_secret: "not-a-real-secret".into(),
            scopes: Scopes { read: true, write: true },
            custom_fields,
            events: vec![
                EventDefinition {
                    id: "5f0c0a7e11d2b3a4c5d6e7f8".into(),
                    integration: None,
                    email_pointer: "/email".into(),
                    fields: ["task_id", "title", "completed_at"].map(str::to_owned).to_vec(),
                },
                EventDefinition {
                    id: "6a1d1b8f22e3c4b5d6e7f809".into(),
                    integration: Some("0b9d4c6e-1111-4222-a333-444455556666".into()),
                    email_pointer: "/data/email".into(),
                    fields: Vec::new(),
                },
            ],
            limit: Some(Limit::default()),
            write_lag: WriteLag::Millis(2_000),
            guesses: Guesses::default(),
        }
    }
}

impl ConnectifConfig {
    /// No limit and no lag.
    pub fn free_of_cost() -> Self {
        Self { limit: None, write_lag: WriteLag::Millis(0), ..Self::default() }
    }
}

/// What an API key may do with contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scopes {
    /// Read Contacts; exports need it as well.
    pub read: bool,
    /// Write Contacts; imports and events need it as well.
    pub write: bool,
}

/// A request limit in fixed windows. The vendor's example of the header says 100; its window is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Requests …
    pub requests: u32,
    /// … in this many seconds.
    pub per_seconds: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Self { requests: 100, per_seconds: 60 }
    }
}

/// One custom field of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomField {
    /// The key in a contact.
    pub id: String,
    /// What its values are.
    pub kind: FieldKind,
}

/// Kinds of custom fields (<https://api-docs.connectif.cloud/connectif-api/reference/contacts/patch-contact>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the vendor's own names")]
pub enum FieldKind {
    Text,
    Email,
    Date,
    Phone,
    Boolean,
    Decimal,
    Integer,
    /// One of these.
    Radio(Vec<String>),
    /// Several of these; any when there are none.
    Checkbox(Vec<String>),
}

/// A reception event of a custom integration
/// (<https://support.connectif.ai/hc/en-us/articles/360014532280>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDefinition {
    /// Its id, 24 hexadecimal digits.
    pub id: String,
    /// The UUID in the address of a *webhook* event; `None` is a *public API* event, which takes the key and is strict.
    pub integration: Option<String>,
    /// Where the body holds the email.
    pub email_pointer: String,
    /// The fields of a public API event besides the email.
    pub fields: Vec<String>,
}

/// When a write of the API can be read; nothing that was read says that it is at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteLag {
    /// After this many milliseconds of sandbox time.
    Millis(u32),
    /// Once released by hand.
    UntilReleased,
}

/// Answers to what the available sources leave open. The defaults are the nastier reading.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guesses {
    /// Status for a missing or wrong key.
    pub bad_key_status: u16,
    /// Status for a key without the scope.
    pub missing_scope_status: u16,
    /// Status of refused data.
    pub invalid_status: u16,
    /// Status beyond the limit.
    pub limited_status: u16,
    /// Status of a PATCH that created a contact.
    pub created_status: u16,
    /// Status of a PATCH that changed one.
    pub updated_status: u16,
    /// A PATCH answers the contact; otherwise it answers nothing.
    pub patch_answers_contact: bool,
    /// `PATCH /contacts/email/{email}` takes custom fields.
    pub email_route_takes_custom_fields: bool,
    /// What null does.
    pub null: NullMeans,
    /// A custom field that does not exist is refused; otherwise it is dropped without a word.
    pub refuses_unknown_fields: bool,
    /// A contact that was just created cannot be read before the lag is over either. Not by default: operations that are tried out
    /// one after the other would not find each other's contacts.
    pub new_contacts_lag: bool,
    /// Longest text of a custom field, in characters.
    pub longest_text: usize,
    /// Purchases change a contact's `_updatedAt`.
    pub purchases_touch: bool,
    /// How often an export is asked for before it is finished.
    pub export_polls: u32,
    /// What an export's file is.
    pub export_file: ExportFile,
    /// Whether the file lies below the API's own base. By default it does not: a connector reaches no other host.
    pub export_at_own_host: bool,
    /// What `fromDate` and `toDate` of an export of contacts compare.
    pub export_dates: ExportDates,
    /// The body of an outgoing call of a workflow.
    pub webhook_body: WebhookBody,
    /// Our own API writes set workflows off.
    pub announces_api_writes: bool,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            bad_key_status: 401,
            missing_scope_status: 403,
            invalid_status: 400,
            limited_status: 429,
            created_status: 201,
            updated_status: 200,
            patch_answers_contact: false,
            email_route_takes_custom_fields: false,
            null: NullMeans::Refused,
            refuses_unknown_fields: true,
            new_contacts_lag: false,
            longest_text: 10_000,
            purchases_touch: false,
            export_polls: 3,
            export_file: ExportFile::Zip,
            export_at_own_host: false,
            export_dates: ExportDates::Created,
            webhook_body: WebhookBody::Flat,
            announces_api_writes: true,
        }
    }
}

/// What writing null does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullMeans {
    /// It is not of the field's type.
    Refused,
    /// Nothing.
    Ignored,
    /// The field is cleared.
    Cleared,
}

/// What an export's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFile {
    /// A ZIP archive of one CSV, compressed.
    Zip,
    /// The CSV itself.
    Csv,
}

/// What the dates of an export's filter compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportDates {
    /// `_createdAt`.
    Created,
    /// `_updatedAt`.
    Updated,
}

/// The body of a workflow's outgoing call. Nothing is documented; a workflow's author is assumed to choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookBody {
    /// `{"event", "email", …}`
    Flat,
    /// `{"type", "data": {"contact": {…}, …}}`
    Nested,
}
