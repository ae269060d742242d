//! Webhooks. Their body is not documented, and nothing of it is believed: the submission is read over the API, by the number that
//! the body tells or by what is new.

use contactor_sdk::{Change, Received, Result, ResultExt, Webhook, log, partner};

use crate::api::one;
use crate::poll::{newest, remember, since};
use crate::settings::{self, Settings};
use crate::submission::{self, Submission};

pub(crate) fn received(settings: &Settings, webhook: &Webhook) -> Result<Received> {
    let Some(values) = webhook.values() else {
        return Ok(Received::rejected("the body is neither a form nor JSON nor XML"));
    };
    let number = |keys: &[String]| {
        let value = keys.iter().find_map(|key| values.get(key))?.trim();
        (!value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())).then(|| value.to_owned())
    };
    let forms = match number(&settings.form_id_keys) {
        None => settings.form_ids.clone(),
        Some(form) if settings.form_ids.contains(&form) => vec![form],
        Some(_) => return Ok(Received::rejected("it is of a form that the setting form_ids does not name")),
    };
    if let ([form], Some(id)) = (&forms[..], number(&settings.submission_id_keys)) {
        if let Some(found) = one(&partner::get(settings::submission(form, &id))).found()? {
            let read = |submission: Submission| Ok(Some(submission.submitted()));
            return Ok(Received::Changes(submission::changes(settings, form, &[found], read)?));
        }
        log::info!("the webhook's number {id} is no submission of form {form}: what is new is read instead");
    }
    let mut changes = Vec::new();
    for form in &forms {
        changes.extend(newer(settings, form)?);
    }
    Ok(Received::Changes(changes))
}

/// What came since the last look. One page is enough: the next poll finds the rest.
fn newer(settings: &Settings, form: &str) -> Result<Vec<Change>> {
    let Some(last) = newest(form)? else {
        log::info!("form {form} has not been polled yet: the first poll reads this submission");
        return Ok(Vec::new());
    };
    let page = since(settings, form, last, 1)?;
    submission::changes(settings, form, &page.items, |submission| {
        if submission.number <= last || submission.deleted {
            return Ok(None);
        }
        // With more pages, some between this one and the last look have not been seen.
        if page.next.is_none() {
            remember(form, submission.number)?;
        }
        Ok(Some(submission.submitted()))
    })
}
