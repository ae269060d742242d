//! The Prefinery connector: HighLevel contacts and Prefinery testers in step.
//!
//! Prefinery's API calls a project a beta and a person a tester. The host maps and merges; this crate reads, finds, creates and
//! updates testers, decides whom to leave alone, understands webhooks and walks through all testers.
//!
//! Vendor facts come from <https://www.prefinery.com/api/v2/docs> unless a comment says otherwise; what could not be checked is in
//! the manifest under `[[unverified]]`.

mod actions;
mod api;
mod rules;
mod settings;
mod tester;
mod webhook;

use contactor_sdk::automation::{self, CONTACTS, Effects, NOTES, NOTIFICATIONS, TAGS, TASKS, WORKFLOWS};
use contactor_sdk::{items, prelude::*};
use serde_json::Value as Json;

use settings::Settings;

/// The manifest, as the build embeds it.
pub const MANIFEST: &str = include_str!("../connector.toml");

/// What rules can do; the manifest's setting `rules` lists the same.
pub const EFFECTS: Effects = Effects::new(&[
    CONTACTS,
    TAGS,
    TASKS,
    NOTES,
    WORKFLOWS,
    NOTIFICATIONS,
    automation::actions(Prefinery::run),
]);

/// The connector.
pub struct Prefinery;

impl Connector for Prefinery {
    fn check() -> Result<Account> {
        let settings = Settings::get()?;
        let beta: Json =
            partner::get(settings.project_path()).send()?.json().blame_setting("beta_id", || {
                format!("Prefinery has no project {} that this key may read", settings.beta_id)
            })?;
        let name = beta["name"].as_str().unwrap_or("unnamed project");
        Ok(Account::new(settings.beta_id, name).with("testers_count", beta["testers_count"].as_i64()))
    }

    fn admit(_entity: &str, direction: Direction, fields: &Fields) -> Result<Decision> {
        let settings = Settings::get()?;
        Ok(rules::objection(&settings, direction, fields).into())
    }

    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        let tester: Json = partner::get(settings.tester_path(id)).send()?.json()?;
        tester::record(&settings, &tester)
    }

    fn find(entity: &str, key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        only_contacts(entity)?;
        let email = key.as_email()?;
        let settings = Settings::get()?;
        let request = partner::get(settings.path("/testers")).query(&settings.email_search_param, email);
        let page = api::page(&request)?;
        // The older `email` parameter is not documented to be exact.
        let same =
            |tester: &&Json| tester["email"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(email));
        page.items.iter().filter(same).map(|tester| tester::record(&settings, tester)).collect()
    }

    fn create(entity: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        fields.required("email")?;
        let mut fields = fields.clone();
        if fields.text("status").is_none() {
            fields.set("status", settings.default_status.as_str());
        }
        // The answer is the record: a search would not find it for minutes.
        let body = tester::to_json(&settings, &fields)?;
        send(&settings, partner::post(settings.path("/testers")), &body)
    }

    fn update(entity: &str, id: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        let mut body = tester::to_json(&settings, fields)?;
        if settings.sends_whole_profile() && body["tester"].get("profile").is_some() {
            let present: Json = partner::get(settings.tester_path(id)).answer(api::meaning)?.json()?;
            body = tester::with_whole_profile(body, &present);
        }
        send(&settings, partner::put(settings.tester_path(id)), &body)
    }

    fn delete(entity: &str, id: &str) -> Result<()> {
        only_contacts(entity)?;
        partner::delete(Settings::get()?.tester_path(id)).answer(api::meaning).map(drop)
    }

    fn receive(webhook: &Webhook) -> Result<Received> {
        let settings = Settings::get()?;
        webhook.json(|body| Ok(webhook::received(&settings, body)))
    }

    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        if stream != "testers" {
            return Err(Error::no_such("stream", stream));
        }
        let settings = Settings::get()?;
        let request = partner::get(settings.path("/testers")).query("page", cursor.unwrap_or("1"));
        let page = api::page(&request)?;
        let changes = items::changes("contact", &page.items, tester::id, |tester| {
            let record = tester::record(&settings, tester)?;
            let change = Change::new(ChangeKind::Updated, "contact", record.id.clone());
            Ok([change.snapshot_if(tester::is_complete(tester), || Ok(record))])
        })?;
        Ok(PollPage::then(changes, page.next))
    }

    fn handle(event: &Event) -> Result<Outcome> {
        automation::run(event, &Settings::get()?.rules, &EFFECTS)
    }

    fn run(action: &str, input: Json) -> Result<Json> {
        actions::run(&Settings::get()?, action, &input)
    }
}

contactor_sdk::export!(Prefinery);

/// Creates or updates a tester; answers it as it is afterwards.
fn send(settings: &Settings, request: partner::Request, body: &Json) -> Result<PartnerRecord> {
    tester::record(settings, &request.json(body)?.answer(api::meaning)?.json()?)
}
