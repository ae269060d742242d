//! Between a submission and the fields of the manifest.

use contactor_sdk::json::{id as any_id, required_id, split_set};
use contactor_sdk::{Change, ChangeKind, Error, PartnerRecord, Result, Value, instant, items};
use serde_json::{Value as Json, json};

use crate::answers;
use crate::settings::Settings;

/// What a form can tell of a person; tags come beside them.
const PERSON: &str =
    "email phone first_name last_name full_name company address city postal_code website message";
/// Meanings of `approved` and `payed`, by number; the vendor lists both.
const APPROVED: [&str; 3] = ["n/a", "approved", "rejected"];
const PAYED: [&str; 5] = ["no", "yes", "invoiced", "pending", "declined"];

/// A submission as the API shows it, read.
pub(crate) struct Submission {
    pub(crate) id: String,
    /// Submissions are numbered in the order of their arrival.
    pub(crate) number: u64,
    /// It lies in the bin.
    pub(crate) deleted: bool,
    pub(crate) approved: Option<String>,
    pub(crate) payed: Option<String>,
    /// Every field is there, so that the host recognises an unchanged one without a read.
    pub(crate) record: PartnerRecord,
}

impl Submission {
    pub(crate) fn of(settings: &Settings, form: &str, json: &Json) -> Result<Self> {
        let own = required_id(json, "/id")?;
        let number =
            own.parse().map_err(|_| Error::other(format!("`/id`: expected a number, found {own}")))?;
        let (approved, payed) = (name(&APPROVED, &json["approved"]), name(&PAYED, &json["payed"]));
        let answers = answers::of_content(&json["content"])?;
        let person = answers::person(settings, form, &answers)?;
        let submitted = json["date"].as_str().and_then(|date| when(settings, date));
        let mut record = PartnerRecord::new(format!("{form}/{own}"))
            .with("form_id", form)
            .with("submission_id", own.as_str())
            .with("entry_id", any_id(&json["entry_id"]))
            .with("submitted_at", submitted.clone())
            .with("submission_country", json["country"].as_str())
            .with("approved", approved.as_deref())
            .with("payed", payed.as_deref())
            .with("answers", Value::Json(json!(answers).to_string()))
            .updated_at(submitted);
        for field in PERSON.split(' ') {
            let separator = if field == "message" { "\n" } else { " " };
            record = record.with(field, person.get(field).map(|values| values.join(separator)));
        }
        Ok(Self {
            id: record.id.clone(),
            number,
            deleted: matches!(any_id(&json["deleted"]).as_deref(), Some("1")) || json["deleted"] == true,
            approved,
            payed,
            record: record.with("tags", split_set(&json!(person.get("tags").map(|tags| tags.join(","))))),
        })
    }

    /// It is new: automations get their turn, once for each submission, however it became known.
    pub(crate) fn submitted(self) -> Change {
        change(ChangeKind::Created, &self.id, "submission", &self.id).snapshot(self.record)
    }

    /// It was there before; nothing but the contact is made of it.
    pub(crate) fn imported(self) -> Change {
        Change::new(ChangeKind::Created, "contact", self.id).snapshot(self.record)
    }
}

/// The changes of a form's submissions, as `read` makes them of each.
pub(crate) fn changes(
    settings: &Settings,
    form: &str,
    items: &[Json],
    mut read: impl FnMut(Submission) -> Result<Option<Change>>,
) -> Result<Vec<Change>> {
    items::changes(
        "contact",
        items,
        |item| id(form, item),
        |item| read(Submission::of(settings, form, item)?),
    )
}

/// The id of a submission, if it has one.
pub(crate) fn id(form: &str, json: &Json) -> Option<String> {
    any_id(&json["id"]).map(|own| format!("{form}/{own}"))
}

/// A change for automations. `key` is what the happening is known by.
pub(crate) fn change(kind: ChangeKind, id: &str, event: &str, key: &str) -> Change {
    let (form, submission) = id.split_once('/').unwrap_or((id, ""));
    let change = Change::new(kind, "contact", id).event(event).with("key", key);
    change.with("form_id", form).with("submission_id", submission)
}

/// The instant of a `date`, whose format and zone are not documented: without a zone it has that of the setting.
fn when(settings: &Settings, date: &str) -> Option<String> {
    let zoned = format!("{}{}", date.trim(), settings.utc_offset);
    instant::parse(date).or_else(|| instant::parse(&zoned)).map(instant::text)
}

fn name(names: &[&str], value: &Json) -> Option<String> {
    let text = any_id(value)?;
    let at = text.parse().ok().and_then(|number: usize| names.get(number));
    Some(at.map_or(text, ToString::to_string))
}
