//! The handle: looking at the double, and setting it up.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::config::Guesses;
use super::state::{Account, Mails};
use super::{FormBuilder, submissions};
use crate::SandboxError;
use crate::outbox::Outbox;
use crate::people;
use crate::recorder::lock;

/// Setting up.
impl FormBuilder {
    /// Sets the calls that the plan allows per day, or lifts the limit.
    pub fn set_daily_quota(&self, calls: Option<u32>) {
        lock(&self.settings).daily_quota = calls;
    }

    /// Changes the answers to what is unknown.
    pub fn set_guesses(&self, guesses: Guesses) {
        self.retries.store(guesses.webhook_retries, Ordering::SeqCst);
        lock(&self.settings).guesses = guesses;
    }

    /// The answers in force.
    pub fn guesses(&self) -> Guesses {
        lock(&self.settings).guesses.clone()
    }

    /// Makes every token too old: the next call with one is answered with 401.
    pub fn expire_tokens(&self) {
        lock(&self.tokens).expire();
    }

    /// Forgets every token: the next call with one is answered with 400.
    pub fn forget_tokens(&self) {
        lock(&self.tokens).forget();
    }

    /// Withdraws the credential: tokens are forgotten and a login is answered with 403.
    pub fn revoke_login(&self) {
        let mut tokens = lock(&self.tokens);
        tokens.password = None;
        tokens.forget();
    }

    /// Fills a form in for `count` sample people, without webhooks. The form has the default form's labels.
    ///
    /// # Errors
    /// When the form is unknown or lacks a label.
    pub fn load(&self, form: u64, count: usize) -> Result<Vec<u64>, SandboxError> {
        let seed = self.seed;
        let loaded = self.change(false, |change| {
            let ids = people::people(seed).take(count).map(|person| {
                let answers = json!({
                    "Name/First": person.first_name, "Name/Last": person.last_name, "Email": person.email,
                    "Phone": person.phone, "Message": person.city,
                });
                let given = answers.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
                let answers = given.map(|(name, value)| (name.clone(), value.clone())).collect();
                submissions::submit(change, form, &Value::Object(answers))
            });
            ids.collect()
        });
        loaded.map_err(|fault| SandboxError::Refused(fault.message()))
    }

    pub(crate) fn reset(&self) {
        *lock(&self.account) = Account::new(&self.config.forms);
        let mut tokens = lock(&self.tokens);
        tokens.forget();
        tokens.password = Some(self.config.password.clone());
        self.outbox.clear();
        self.outbox.clear_faults();
    }
}

/// Looking.
impl FormBuilder {
    /// The account's user name.
    pub fn username(&self) -> &str {
        &self.config.username
    }

    /// The account's email.
    pub fn email(&self) -> &str {
        &self.config.email
    }

    /// The account's password.
    pub fn password(&self) -> &str {
        &self.config.password
    }

    /// Numbers of the forms, in order.
    pub fn form_ids(&self) -> Vec<u64> {
        lock(&self.account).forms.keys().copied().collect()
    }

    /// Number of the first form.
    pub fn first_form(&self) -> u64 {
        self.form_ids().into_iter().next().unwrap_or_default()
    }

    /// The outbox's name for the first webhook of the first form.
    pub(crate) fn first_target(&self) -> String {
        super::webhooks::form_target(self.first_form(), 1)
    }

    /// The `fieldid` of a field by its label, or of a part by `label/part`.
    pub fn field_id(&self, form: u64, label: &str) -> Option<String> {
        submissions::places(&lock(&self.account).forms.get(&form)?.controls, label)
    }

    /// Every submission of a form as the API shows one alone, oldest first. Empty when the form is unknown.
    pub fn submissions(&self, form: u64) -> Vec<Value> {
        let guesses = self.guesses();
        let account = lock(&self.account);
        let submissions = account.forms.get(&form).into_iter().flat_map(|form| form.submissions.values());
        submissions.map(|one| one.to_json(form, &guesses, false, false)).collect()
    }

    /// One submission.
    pub fn submission(&self, form: u64, id: u64) -> Option<Value> {
        let guesses = self.guesses();
        let account = lock(&self.account);
        Some(account.forms.get(&form)?.submissions.get(&id)?.to_json(form, &guesses, false, false))
    }

    /// The outgoing webhooks.
    pub fn webhooks(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// The mails the vendor would have sent.
    pub fn mails(&self) -> Mails {
        lock(&self.account).mails
    }

    /// API calls of the present day.
    pub fn calls_today(&self) -> u32 {
        lock(&self.account).calls.1
    }

    /// The whole state as JSON.
    pub fn snapshot(&self) -> Value {
        let guesses = self.guesses();
        let account = lock(&self.account);
        let forms = account.forms.values().map(|form| {
            let mut shown = form.with_controls(&guesses);
            let submissions =
                form.submissions.values().map(|one| one.to_json(form.id, &guesses, false, false));
            shown["submissions"] = submissions.collect();
            shown
        });
        json!({
            "forms": forms.collect::<Vec<_>>(),
            "groups": account.groups.values().map(|group| group.to_json(&guesses)).collect::<Vec<_>>(),
            "users": account.users.values().map(|user| user.to_json(&guesses)).collect::<Vec<_>>(),
            "mails": account.mails,
        })
    }
}
