//! The 123FormBuilder connector: submissions of forms become HighLevel contacts with a welcome task.
//!
//! The vendor knows forms and submissions, no people: a contact is what the admin's field map makes of a submission. Its API
//! can neither create a submission nor edit answers, so contacts flow to HighLevel only; what flows back is whether a submission
//! is approved and paid.
//!
//! Vendor facts come from transcriptions of its API v2 specification and from public clients; what could not be checked is in the
//! manifest under `[[unverified]]`.

mod actions;
mod answers;
mod api;
mod automations;
mod poll;
mod settings;
mod submission;
mod webhook;

use contactor_sdk::marks;
use contactor_sdk::prelude::*;
use serde_json::Value as Json;

pub use automations::EFFECTS;
use settings::Settings;
use submission::Submission;

/// The manifest, as the build embeds it.
pub const MANIFEST: &str = include_str!("../connector.toml");

/// The connector.
pub struct FormBuilder;

impl Connector for FormBuilder {
    fn check() -> Result<Account> {
        let settings = Settings::get()?;
        let mut names = Vec::new();
        for form in &settings.form_ids {
            let shown = api::one(&partner::get(settings::form(form)))
                .blame_setting("form_ids", || format!("this account has no form {form}"))?;
            names.push(shown["name"].as_str().unwrap_or("unnamed form").to_owned());
        }
        Ok(Account::new(settings.form_ids.join(","), names.join(", ")))
    }

    fn admit(_entity: &str, direction: Direction, _fields: &Fields) -> Result<Decision> {
        Ok(match direction {
            Direction::ToHighlevel => Decision::Accept,
            Direction::ToPartner => {
                Decision::skip("123FormBuilder's API can neither create a submission nor edit its answers")
            }
        })
    }

    /// The vendor has no search, and nothing is ever created there: nobody is found.
    fn find(entity: &str, _key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        only_contacts(entity)?;
        Ok(Vec::new())
    }

    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        only_contacts(entity)?;
        let settings = Settings::get()?;
        let (form, own) = settings::split(id)?;
        if marks::has(actions::UNLINKED, id)? {
            return Err(Error::NotFound(format!("{id}: an admin has taken it out of the synchronisation")));
        }
        let submission =
            Submission::of(&settings, form, &api::one(&partner::get(settings::submission(form, own)))?)?;
        if submission.deleted {
            return Err(Error::NotFound(format!("{id}: it lies in 123FormBuilder's bin")));
        }
        Ok(submission.record)
    }

    fn receive(webhook: &Webhook) -> Result<Received> {
        webhook::received(&Settings::get()?, webhook)
    }

    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        match stream {
            "submissions" => poll::new(&Settings::get()?, cursor),
            "all_submissions" => poll::all(&Settings::get()?, cursor),
            other => Err(Error::no_such("stream", other)),
        }
    }

    fn handle(event: &Event) -> Result<Outcome> {
        automations::handle(&Settings::get()?, event)
    }

    fn run(action: &str, input: Json) -> Result<Json> {
        actions::run(&Settings::get()?, action, &input)
    }
}

contactor_sdk::export!(FormBuilder);
