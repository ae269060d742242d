//! The Referrizer connector: contacts in step, visits from kept appointments, follow-ups to leads and redemptions.
//!
//! Little of Referrizer's reference could be read, so routes and names that are not known are settings; the manifest lists them
//! under `[[unverified]]`. Referrizer has no tags, tasks and notes: they are shown in custom fields that the settings name.
//!
//! Vendor facts come from <https://api.referrizer.com/static/docs/index.html> and from a published connector of Pipedream.

mod api;
mod contact;
mod operations;
mod settings;
mod visits;
mod walk;

use contactor_sdk::automation::{
    self, CONTACTS, Effects, NOTES, NOTIFICATIONS, TAGS, TASKS, WORKFLOWS, actions,
};
use contactor_sdk::prelude::*;
use contactor_sdk::{admission, json};
use serde_json::Value as Json;

use settings::Settings;

/// The manifest, as the build embeds it.
pub const MANIFEST: &str = include_str!("../connector.toml");

/// What rules can do; the manifest's setting `rules` lists the same.
pub const EFFECTS: Effects =
    Effects::new(&[CONTACTS, TAGS, TASKS, NOTES, WORKFLOWS, NOTIFICATIONS, actions(Referrizer::run)]);

/// Where a webhook may name a contact.
const CONTACT_IDS: [&str; 6] =
    ["/contactId", "/contact_id", "/contact/id", "/data/contact/id", "/data/id", "/id"];

/// The connector.
pub struct Referrizer;

impl Connector for Referrizer {
    fn check() -> Result<Account> {
        let settings = Settings::get()?;
        let page = api::list(settings.path("/contacts"), 1, 1, None)
            .blame_setting("path_prefix", || "there are no contacts below this prefix".into())?;
        // No operation tells whose token it is.
        let total = page.total.and_then(|total| i64::try_from(total).ok());
        Ok(Account::new("account", "the token's account").with("contacts", total))
    }

    fn admit(entity: &str, direction: Direction, fields: &Fields) -> Result<Decision> {
        if entity != "contact" {
            return Ok(Decision::Accept);
        }
        let settings = Settings::get()?;
        let to_partner = direction == Direction::ToPartner;
        let needs_email = fields.email().is_some() || (to_partner && settings.require_email);
        let objection = needs_email.then(|| admission::email(fields, &settings.blocked_domains)).flatten();
        let objection = objection.or_else(|| to_partner.then(|| admission::consent(fields)).flatten());
        Ok(objection.into())
    }

    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        contact::record(&settings, &contact::read(&settings, id)?)
    }

    fn find(entity: &str, key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        let member = match key.name.as_str() {
            "email" => "email",
            "phone" if settings.phone_key.is_empty() => return Ok(Vec::new()),
            "phone" => &settings.phone_key,
            other => {
                return Err(Error::Unsupported(format!("contacts are not found by {other}")));
            }
        };
        let Some(text) = key.as_text() else { return Ok(Vec::new()) };
        let found = contact::search(&settings, member, text)?;
        found.iter().map(|contact| contact::record(&settings, contact)).collect()
    }

    fn create(entity: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        if let Some(email) = fields.email() {
            walk::remember_own(email)?;
        }
        contact::record(&settings, &contact::create(&settings, fields)?)
    }

    fn update(entity: &str, id: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        contact::record(&settings, &contact::update(&settings, id, fields)?)
    }

    /// No webhook of Referrizer is documented. Whatever names a contact is a hint to read it.
    fn receive(webhook: &Webhook) -> Result<Received> {
        webhook.json(|body| {
            let id = CONTACT_IDS.iter().find_map(|place| json::id(body.pointer(place)?));
            let change = |id| Change::new(ChangeKind::Updated, "contact", id).event("contact_hint");
            Ok(id.map_or_else(
                || Received::rejected("the body names no contact"),
                |id| Received::Changes(vec![change(id)]),
            ))
        })
    }

    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        walk::poll(&Settings::get()?, stream, cursor)
    }

    fn handle(event: &Event) -> Result<Outcome> {
        let settings = Settings::get()?;
        let event = with_author(&settings, event)?;
        // The visit comes last: whether there is one already is known from the state, which a repetition finds changed.
        let rules = automation::run(&event, &settings.rules, &EFFECTS)?;
        Ok(rules.behind(visits::handle(&settings, &event)?))
    }

    fn run(action: &str, input: Json) -> Result<Json> {
        operations::run(&Settings::get()?, action, &input)
    }
}

contactor_sdk::export!(Referrizer);

/// The event of a note with `userId`, the user who wrote it. HighLevel's webhook does not tell it, so a note is read if a rule asks; one
/// that nobody wrote but a workflow or an app has none.
fn with_author(settings: &Settings, event: &Event) -> Result<Event> {
    let (Some(contact), Some(note)) = (&event.contact_id, event.text("id")) else { return Ok(event.clone()) };
    let asks = event.kind.starts_with("Note") && automation::mentions(&settings.rules, &event.kind, "userId");
    if !asks || event.text("userId").is_some() {
        return Ok(event.clone());
    }
    let note = notes::get(contact, note).found()?;
    Ok(event.clone().with("userId", note.as_ref().and_then(|note| note.text("userId"))))
}
