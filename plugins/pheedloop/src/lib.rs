//! The PheedLoop connector: HighLevel contacts and attendees of PheedLoop events in step.
//!
//! A person is an attendee once in every event. The host maps and merges; this crate finds attendees in lists (the vendor documents
//! no other way), creates and updates them without setting off a welcome mail, keeps tasks, notes and appointments in an
//! attendee's `metadata`, understands REST hooks and walks through attendees and registrations.
//!
//! Vendor facts come from the public metadata of a third-party connector (<https://github.com/MemberJunction/MJ>) unless a comment
//! says otherwise; what could not be checked is in the manifest under `[[unverified]]`.

mod actions;
mod api;
mod attendee;
mod poll;
mod settings;
mod webhook;

use contactor_sdk::automation::{
    self, APPOINTMENTS, CONTACTS, Effects, NOTES, NOTIFICATIONS, TAGS, TASKS, TIMERS, WORKFLOWS,
};
use contactor_sdk::prelude::*;
use contactor_sdk::rest_framework::meaning;
use contactor_sdk::{admission, json};
use serde_json::Value as Json;

use settings::Settings;

/// The manifest, as the build embeds it.
pub const MANIFEST: &str = include_str!("../connector.toml");

/// What rules may do and read; the manifest's setting lists the same effects.
const EFFECTS: Effects = Effects::new(&[
    APPOINTMENTS,
    CONTACTS,
    TAGS,
    TASKS,
    NOTES,
    WORKFLOWS,
    NOTIFICATIONS,
    TIMERS,
    automation::actions(PheedLoop::run),
]);

/// The tag that a linked contact carries.
const OWN_TAG: &str = "pheedloop";

/// The connector.
pub struct PheedLoop;

impl Connector for PheedLoop {
    fn check() -> Result<Account> {
        let settings = Settings::get()?;
        let mut account = Account::new(&settings.organization_code, &settings.organization_code);
        for event in &settings.event_codes {
            let shown = event_of(&settings, event)?;
            account = account.with(event.as_str(), shown["event_name"].as_str());
        }
        Ok(account)
    }

    fn admit(_entity: &str, direction: Direction, fields: &Fields) -> Result<Decision> {
        let settings = Settings::get()?;
        let to_partner = direction == Direction::ToPartner;
        let objection = admission::email(fields, &settings.blocked_domains).or_else(|| {
            if to_partner && settings.only_tagged && !fields.has("tags", OWN_TAG) {
                return Some(format!(
                    "it does not carry the tag `{OWN_TAG}`, and the setting only_tagged keeps others from being registered"
                ));
            }
            // Nobody is mailed who must not be.
            let mails = to_partner && !settings.welcome_emails.is_empty();
            mails.then(|| admission::consent(fields)).flatten()
        });
        Ok(objection.into())
    }

    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        let (code, event) = attendee::split(id)?;
        attendee::record(&settings, event, &api::attendee(&settings, event, code)?)
    }

    /// In the first event, in the order of the setting, that has somebody with this email.
    fn find(entity: &str, key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        only_contacts(entity)?;
        let email = key.as_email()?;
        let settings = Settings::get()?;
        for event in &settings.event_codes {
            let found = api::search(&settings, event, false, |who| who.has_email(email))?;
            if !found.is_empty() {
                return found.iter().map(|one| attendee::record(&settings, event, one)).collect();
            }
        }
        Ok(Vec::new())
    }

    fn create(entity: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        let event = settings.event_codes.first().ok_or_else(|| Error::invalid("event_codes", "is empty"))?;
        let email = fields.required("email")?;
        let mut complete = fields.clone().with("code_internal", format!("{}{email}", attendee::OWN_MARK));
        for name in attendee::NAMES {
            if fields.text(name).is_none() {
                complete.set(name, Value::Empty);
            }
        }
        let mut body = attendee::to_json(&settings, &complete, &Json::Null)?;
        attendee::welcome(&settings, &mut body)?;
        send(&settings, partner::post(settings.event_path(event, "attendees")), event, None, &body)
    }

    fn update(entity: &str, id: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        let (code, event) = attendee::split(id)?;
        // PheedLoop replaces `metadata` as a whole, so what is there is read first.
        let metadata = if attendee::needs_metadata(fields) {
            api::attendee(&settings, event, code)?["metadata"].take()
        } else {
            Json::Null
        };
        let body = attendee::to_json(&settings, fields, &metadata)?;
        send(&settings, partner::patch(settings.attendee_path(event, code)), event, Some(code), &body)
    }

    /// Removes the attendee from its event; the person stays in the organisation and in other events.
    fn delete(entity: &str, id: &str) -> Result<()> {
        only_contacts(entity)?;
        let (code, event) = attendee::split(id)?;
        partner::delete(Settings::get()?.attendee_path(event, code)).answer(meaning).map(drop)
    }

    fn receive(webhook: &Webhook) -> Result<Received> {
        let settings = Settings::get()?;
        webhook.json(|body| Ok(webhook::received(&settings, body)))
    }

    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        poll::poll(&Settings::get()?, stream, cursor)
    }

    fn handle(event: &Event) -> Result<Outcome> {
        let settings = Settings::get()?;
        let mut named = event.clone().with("reminder_destination", settings.reminder_destination.as_str());
        if let Some(code) = event.text("event_code")
            && automation::mentions(&settings.rules, &event.kind, "event_name")
        {
            let name = match settings.event_names.get(code) {
                Some(name) => name.clone(),
                None => event_of(&settings, code)?["event_name"].as_str().unwrap_or(code).to_owned(),
            };
            named = named.with("event_name", name);
        }
        automation::run(&named, &settings.rules, &EFFECTS)
    }

    fn run(action: &str, input: Json) -> Result<Json> {
        actions::run(&Settings::get()?, action, input)
    }
}

contactor_sdk::export!(PheedLoop);

/// Creates or updates an attendee. Whether the answer is the record or its code alone is not documented; what it leaves out is what
/// was sent.
fn send(
    settings: &Settings,
    request: partner::Request,
    event: &str,
    code: Option<&str>,
    body: &Json,
) -> Result<PartnerRecord> {
    let mut shown = json::overlaid(body.clone(), request.json(body)?.answer(meaning)?.json()?);
    if let Some(code) = code {
        shown["code"] = code.into();
    }
    attendee::record(settings, event, &shown)
}

/// The event itself; its absence is the setting's fault.
fn event_of(settings: &Settings, code: &str) -> Result<Json> {
    let event = partner::get(settings.path(&format!("events/{}", partner::segment(code))));
    event.answer(meaning).blame_setting("event_codes", || settings.no_event(code))?.json()
}
