//! Connects Connectif. A Connectif contact is a person of a shop, known by the email address; a write creates whom it does not know.
//!
//! Connectif has no tasks, notes, tags and appointments: they are shown in custom fields whose ids an admin gives in the setting
//! `custom_fields`. Nothing lists contacts either: what changed there is told by a workflow's webhook, or found in an export.
//!
//! Vendor facts come from <https://api-docs.connectif.cloud/> unless a comment says otherwise; what could not be checked is in the
//! manifest under `[[unverified]]`.

mod actions;
mod api;
mod contact;
mod export;
mod settings;
mod tasks;
mod webhook;
mod write;

use contactor_sdk::automation::{self, CONTACTS, Effects, NOTES, NOTIFICATIONS, TAGS, TASKS, WORKFLOWS};
use contactor_sdk::{admission, pending, prelude::*};
use serde_json::Value as Json;

use settings::Settings;

/// The manifest, as the build embeds it.
pub const MANIFEST: &str = include_str!("../connector.toml");

const ACTIONS: automation::Part = automation::actions(<Connectif as Connector>::run);

/// What rules can do and read.
pub const EFFECTS: Effects = Effects::new(&[CONTACTS, TAGS, TASKS, NOTES, WORKFLOWS, NOTIFICATIONS, ACTIONS]);

/// The connector.
pub struct Connectif;

impl Connector for Connectif {
    /// Nothing says whose a key is, so a contact that cannot exist is asked for: a good key is told that there is none.
    fn check() -> Result<Account> {
        let response = api::get("contactor-check@connectif.invalid").send()?;
        let limit = response.header("x-ratelimit-limit").map(str::to_owned);
        response.ok_or_else(api::meaning).found()?;
        Ok(Account::new("connectif", "Connectif account").with("rate_limit", limit))
    }

    fn admit(_entity: &str, direction: Direction, fields: &Fields) -> Result<Decision> {
        let settings = Settings::get()?;
        let objection = admission::email(fields, &settings.blocked_domains).or_else(|| match direction {
            Direction::ToPartner if settings.skip_do_not_disturb => admission::consent(fields),
            Direction::ToHighlevel if fields.text("emailStatus") == Some("banned") => {
                Some("its email address is banned in Connectif".into())
            }
            _ => None,
        });
        Ok(objection.into())
    }

    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let shown = pending::overlaid(id, api::contact(id)?)?;
        let shown = shown.ok_or_else(|| Error::NotFound(format!("the Connectif contact {id}")))?;
        Ok(contact::record(&Settings::get()?, id, &shown))
    }

    fn find(entity: &str, key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        Ok(Self::read(entity, &contact::id(key.as_email()?)).found()?.into_iter().collect())
    }

    fn create(entity: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        write::write(&Settings::get()?, &contact::id(fields.required("email")?), fields)
    }

    fn update(entity: &str, id: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        match fields.email().map(contact::id) {
            Some(email) if email != id => write::move_to(&settings, id, &email, fields),
            _ => write::write(&settings, id, fields),
        }
    }

    fn receive(webhook: &Webhook) -> Result<Received> {
        let settings = Settings::get()?;
        webhook.json(|body| Ok(webhook::received(&settings, body)))
    }

    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        if stream != "contacts" {
            return Err(Error::no_such("stream", stream));
        }
        export::poll(&Settings::get()?, stream, cursor)
    }

    fn handle(event: &Event) -> Result<Outcome> {
        let settings = Settings::get()?;
        let own = tasks::handle(&settings, event)?;
        let by_rules = automation::run(event, &settings.rules, &EFFECTS)?;
        Ok(by_rules.behind(own))
    }

    fn run(action: &str, input: Json) -> Result<Json> {
        actions::run(&Settings::get()?, action, &input)
    }
}

contactor_sdk::export!(Connectif);
