//! What can be chosen about the 123FormBuilder double. Most choices are there because the vendor's behaviour is unknown
//! or its sources disagree; the nastier reading is the default.

use serde::{Deserialize, Serialize};

/// How the 123FormBuilder double behaves.
#[derive(Clone, Debug)]
pub struct FormBuilderConfig {
    /// The account's user name.
    pub username: String,
    /// The account's email; a login takes it in place of the user name.
    pub email: String,
    /// The account's password.
    pub password: String,
    /// Forms that exist from the start; the first gets the number 4100001.
    pub forms: Vec<FormConfig>,
    /// API calls per day (UTC); `None` is a plan without a quota. The free and Basic plans have 100
    /// (<https://www.123formbuilder.com/docs/api-responses/>, of API v1).
    pub daily_quota: Option<u32>,
    /// How long a token is good, in seconds; the vendor's figure is unknown.
    pub token_lifetime: u32,
    /// Behaviour that is not known.
    pub guesses: Guesses,
}

impl Default for FormBuilderConfig {
    fn default() -> Self {
        Self {
            username: "sandbox".into(),
            email: "owner@example.com".into(),
            password: "formbuilder-sandbox-not-a-real-password".into(),
            forms: vec![FormConfig::default()],
            daily_quota: None,
            token_lifetime: 900,
            guesses: Guesses::default(),
        }
    }
}

/// One form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormConfig {
    /// Display name.
    pub name: String,
    /// Its fields, in order.
    pub controls: Vec<ControlConfig>,
}

/// One field of a form.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlConfig {
    /// Its label.
    pub name: String,
    /// Labels of its parts, when it has several; their answers carry `{control}_{n}`, n from 1.
    #[serde(default)]
    pub parts: Vec<String>,
    /// The choices of a choice field, of which several may be taken.
    #[serde(default)]
    pub choices: Vec<String>,
}

impl Default for FormConfig {
    /// A contact form whose name has two parts and whose interests are a choice.
    fn default() -> Self {
        let plain = |name: &str| ControlConfig { name: name.into(), ..ControlConfig::default() };
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Self {
            name: "Contact us".into(),
            controls: vec![
                ControlConfig { parts: texts(&["First", "Last"]), ..plain("Name") },
                plain("Email"),
                plain("Phone"),
                ControlConfig { choices: texts(&["Trees", "Lawn", "Ponds"]), ..plain("Interests") },
                plain("Message"),
            ],
        }
    }
}

/// Answers to what the available sources leave open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an open question of its own")]
pub struct Guesses {
    /// Where a login's parameters may stand.
    pub login: Vec<Login>,
    /// `Authorization: Bearer` is taken.
    pub bearer: bool,
    /// The parameter or form field `JWT` is taken.
    pub jwt: bool,
    /// Status when the day's calls are used up.
    pub quota_status: u16,
    /// How `content` is written.
    pub content: Content,
    /// Ids and numbers are texts in answers.
    pub numbers_as_text: bool,
    /// One submission is answered as an array of one.
    pub one_as_array: bool,
    /// An update answers the submission; otherwise a message.
    pub update_answers_record: bool,
    /// Lists begin with the newest submission.
    pub newest_first: bool,
    /// A list from `start_submission_id` holds that submission too.
    pub start_is_inclusive: bool,
    /// Submissions in the bin are listed, with `deleted` set.
    pub lists_deleted: bool,
    /// Hours between UTC and the zone of `date`, which is written without one.
    pub zone_hours: i8,
    /// Body of a webhook.
    pub webhook_body: WebhookBody,
    /// Under which name a webhook tells the submission's number; `None`: not at all.
    pub webhook_submission_key: Option<String>,
    /// Under which name a webhook tells the form's number; `None`: not at all.
    pub webhook_form_key: Option<String>,
    /// An edited submission is announced as well.
    pub webhook_on_edit: bool,
    /// Attempts after a failed first one.
    pub webhook_retries: u32,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            login: vec![Login::Query, Login::Json, Login::Form],
            bearer: true,
            jwt: true,
            quota_status: 429,
            content: Content::Mixed,
            numbers_as_text: true,
            one_as_array: true,
            update_answers_record: false,
            newest_first: true,
            start_is_inclusive: true,
            lists_deleted: true,
            zone_hours: -5,
            webhook_body: WebhookBody::Form,
            webhook_submission_key: None,
            webhook_form_key: None,
            webhook_on_edit: false,
            webhook_retries: 0,
        }
    }
}

/// Where a login's parameters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// In the query, as the specification has it.
    Query,
    /// In a JSON body, as a working client sends them.
    Json,
    /// In a form body.
    Form,
}

/// How `content` is written: a text by the specification, an object by a working client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// JSON within a JSON text.
    Text,
    /// An object.
    Object,
    /// A text in lists, an object where one submission is asked for.
    Mixed,
}

/// The body of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookBody {
    /// `application/x-www-form-urlencoded`
    Form,
    /// `multipart/form-data`
    Multipart,
    /// One flat JSON object.
    Json,
    /// XML with a `field` element for each answer.
    Xml,
}
