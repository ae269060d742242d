//! Writing a contact: `PATCH` by its address creates it or changes it.

use contactor_sdk::{Error, Fields, Named, PartnerRecord, Result, log, partner, pending};
use serde_json::Value as Json;

use crate::api::{self, Shown};
use crate::contact;
use crate::settings::Settings;

/// Creates or changes a contact; answers it as it is afterwards, or will be as soon as Connectif shows it.
pub(crate) fn write(settings: &Settings, id: &str, fields: &Fields) -> Result<PartnerRecord> {
    let body = contact::body(settings, fields)?;
    let shown = patch(settings, id, &body, fields.email().is_some())?;
    Ok(contact::written_record(settings, id, &shown, fields))
}

/// Connectif cannot change an address: the contact is written under the new one, with everything that can be written, and no mail goes
/// to the old one any more. It cannot be deleted.
pub(crate) fn move_to(settings: &Settings, id: &str, email: &str, fields: &Fields) -> Result<PartnerRecord> {
    let old = pending::overlaid(id, api::contact(id)?)?;
    let old = old.ok_or_else(|| Error::NotFound(format!("the Connectif contact {id}")))?;
    let mut body = Shown::new();
    if api::contact(email)?.is_none() {
        let carried = |(key, value): &(&String, &Json)| {
            // A subscription that begins anew would welcome the person anew.
            let quiet = settings.allow_subscriptions || !contact::subscribes(key, value);
            let custom = !settings.writes_by_email_route() || key.starts_with('_');
            contact::is_own(key) && quiet && custom && !value.is_null()
        };
        body.extend(old.iter().filter(carried).map(|(key, value)| (key.clone(), value.clone())));
    }
    body.extend(contact::body(settings, fields)?);
    let shown = patch(settings, email, &body, true)?;
    if settings.pause_old_address && old.get("_emailStatus").is_none_or(|status| status == "active") {
        let pause = Shown::from_iter([("_emailStatus".to_owned(), Json::from("paused"))]);
        patch(settings, id, &pause, false)?;
    }
    log::info!("{id} is now {email} at Connectif; the old contact stays there, nothing deletes it");
    Ok(contact::written_record(settings, email, &shown, fields))
}

/// Writes, and looks whether it can be seen. `creates`: an empty body is sent as well.
fn patch(settings: &Settings, id: &str, body: &Shown, creates: bool) -> Result<Shown> {
    if !body.is_empty() || creates {
        let response = partner::patch(settings.write_path(id)).json(body)?.answer(api::meaning)?;
        // Some answers carry the contact; none is documented.
        if let Ok(shown) = serde_json::from_slice::<Shown>(&response.body)
            && shown.contains_key("_email")
        {
            return Ok(shown);
        }
    }
    let mut shown = None;
    for _ in 0..settings.reread_attempts {
        shown = api::contact(id)?;
        if shown.as_ref().is_some_and(|shown| is_visible(shown, body)) {
            return Ok(shown.unwrap_or_default());
        }
    }
    pending::note(id, shown.as_ref(), body);
    let mut contact = pending::overlaid(id, shown)?.unwrap_or_default();
    contact.extend(body.clone());
    Ok(contact)
}

/// A write is seen as a whole or not at all: one value is enough. The others may have been spelt differently, or not been kept.
fn is_visible(shown: &Shown, written: &Shown) -> bool {
    written.is_empty() || written.iter().any(|(key, value)| shown.get(key) == Some(value))
}
