//! A double of 123FormBuilder (forms): logins, forms, submissions, groups, users, webhooks. API v2 only.
//!
//! [`FormBuilder`] is also the handle of a test: it shows records, counts the mails the vendor would have sent, and acts
//! as people do who fill in forms or use the vendor's own interface ([`FormAct`]).

mod config;
mod emit;
mod error;
mod forms;
mod groups;
mod inspect;
mod page;
mod params;
mod person;
mod state;
mod submissions;
mod tokens;
mod webhooks;

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use http::Method;

pub use self::config::{Content, ControlConfig, FormBuilderConfig, FormConfig, Guesses, Login, WebhookBody};
use self::error::{Answer, Fault};
pub use self::person::FormAct;
pub use self::state::Mails;
use self::state::{Account, Submission};
use self::tokens::Tokens;
use self::webhooks::FormBuilderDialect;
use crate::SandboxConfig;
use crate::clock::{Clock, Millis};
use crate::http::{Call, Reply, Vendor};
use crate::outbox::Outbox;
use crate::recorder::lock;

const DAY: Millis = 86_400_000;

/// What can be changed while the double runs.
#[derive(Clone, Debug)]
struct Settings {
    daily_quota: Option<u32>,
    guesses: Guesses,
}

/// The double and its handle.
pub struct FormBuilder {
    seed: u64,
    config: FormBuilderConfig,
    clock: Clock,
    client: reqwest::Client,
    settings: Mutex<Settings>,
    tokens: Mutex<Tokens>,
    account: Mutex<Account>,
    retries: Arc<AtomicU32>,
    outbox: Arc<Outbox>,
}

impl std::fmt::Debug for FormBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormBuilder").field("forms", &self.form_ids()).finish_non_exhaustive()
    }
}

/// A change in progress.
struct Change<'a> {
    account: &'a mut Account,
    guesses: &'a Guesses,
    outbox: &'a Outbox,
    now: Millis,
    /// False: submissions are not announced.
    announced: bool,
    /// Form and submission.
    events: Vec<(u64, u64)>,
}

impl Change<'_> {
    fn announce(&mut self, form: u64, submission: u64) {
        if self.announced {
            self.events.push((form, submission));
        }
    }

    fn submission(&mut self, form: u64, id: u64) -> Result<&mut Submission, Fault> {
        let form = forms::known_mut(self.account, form)?;
        form.submissions.get_mut(&id).ok_or(Fault::NotFound("Submission not found"))
    }
}

/// An operation and the ids in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation<'p> {
    Login,
    RefreshToken,
    InvalidateToken,
    ListForms,
    CreateForm,
    GetForm(&'p str),
    UpdateForm(&'p str),
    DeleteForm(&'p str),
    DeleteForms,
    ListFields(&'p str),
    ListSubmissions(&'p str),
    GetSubmission(&'p str, &'p str),
    UpdateSubmission(&'p str, &'p str),
    DeleteSubmission(&'p str, &'p str),
    ListGroups,
    CreateGroup,
    GetGroup(&'p str),
    UpdateGroup(&'p str),
    ListGroupForms(&'p str),
    ShareGroup(&'p str),
    UnshareGroup(&'p str),
    ListUsers,
    CreateUser,
    UpdateUser(&'p str),
    CreateAccount,
    UpdateAccount(&'p str),
}

impl<'p> Operation<'p> {
    /// The operation of a path below `/formbuilder`.
    fn of(method: &Method, path: &'p str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/v2/")?.trim_end_matches('/').split('/').collect();
        Some(match (method.as_str(), &parts[..]) {
            ("POST", ["token"]) => Self::Login,
            ("POST", ["token", "refresh"]) => Self::RefreshToken,
            ("POST", ["token", "invalidate"]) => Self::InvalidateToken,
            ("GET", ["forms"]) => Self::ListForms,
            ("POST", ["forms"]) => Self::CreateForm,
            ("DELETE", ["forms", "bulk"]) => Self::DeleteForms,
            ("GET", ["forms", form]) => Self::GetForm(form),
            ("PUT", ["forms", form]) => Self::UpdateForm(form),
            ("DELETE", ["forms", form]) => Self::DeleteForm(form),
            ("GET", ["forms", form, "fields"]) => Self::ListFields(form),
            ("GET", ["forms", form, "submissions"]) => Self::ListSubmissions(form),
            ("GET", ["forms", form, "submissions", id]) => Self::GetSubmission(form, id),
            ("PUT", ["forms", form, "submissions", id]) => Self::UpdateSubmission(form, id),
            ("DELETE", ["forms", form, "submissions", id]) => Self::DeleteSubmission(form, id),
            ("GET", ["groups"]) => Self::ListGroups,
            ("POST", ["groups"]) => Self::CreateGroup,
            ("GET", ["groups", group]) => Self::GetGroup(group),
            ("PUT", ["groups", group]) => Self::UpdateGroup(group),
            ("GET", ["groups", group, "forms"]) => Self::ListGroupForms(group),
            ("POST", ["groups", group, "share"]) => Self::ShareGroup(group),
            ("POST", ["groups", group, "unshare"]) => Self::UnshareGroup(group),
            ("GET", ["users"]) => Self::ListUsers,
            ("POST", ["users"]) => Self::CreateUser,
            ("PUT", ["users", user]) => Self::UpdateUser(user),
            ("POST", ["accounts"]) => Self::CreateAccount,
            ("PUT", ["accounts", account]) => Self::UpdateAccount(account),
            _ => return None,
        })
    }

    /// One of each kind; the ids do not matter.
    const ALL: [Self; 26] = [
        Self::Login,
        Self::RefreshToken,
        Self::InvalidateToken,
        Self::ListForms,
        Self::CreateForm,
        Self::GetForm(""),
        Self::UpdateForm(""),
        Self::DeleteForm(""),
        Self::DeleteForms,
        Self::ListFields(""),
        Self::ListSubmissions(""),
        Self::GetSubmission("", ""),
        Self::UpdateSubmission("", ""),
        Self::DeleteSubmission("", ""),
        Self::ListGroups,
        Self::CreateGroup,
        Self::GetGroup(""),
        Self::UpdateGroup(""),
        Self::ListGroupForms(""),
        Self::ShareGroup(""),
        Self::UnshareGroup(""),
        Self::ListUsers,
        Self::CreateUser,
        Self::UpdateUser(""),
        Self::CreateAccount,
        Self::UpdateAccount(""),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Login => "formbuilder.oauth.login",
            Self::RefreshToken => "formbuilder.oauth.refresh",
            Self::InvalidateToken => "formbuilder.oauth.invalidate",
            Self::ListForms => "formbuilder.forms.list",
            Self::CreateForm => "formbuilder.forms.create",
            Self::GetForm(_) => "formbuilder.forms.get",
            Self::UpdateForm(_) => "formbuilder.forms.update",
            Self::DeleteForm(_) => "formbuilder.forms.delete",
            Self::DeleteForms => "formbuilder.forms.delete_several",
            Self::ListFields(_) => "formbuilder.forms.fields",
            Self::ListSubmissions(_) => "formbuilder.submissions.list",
            Self::GetSubmission(..) => "formbuilder.submissions.get",
            Self::UpdateSubmission(..) => "formbuilder.submissions.update",
            Self::DeleteSubmission(..) => "formbuilder.submissions.delete",
            Self::ListGroups => "formbuilder.groups.list",
            Self::CreateGroup => "formbuilder.groups.create",
            Self::GetGroup(_) => "formbuilder.groups.get",
            Self::UpdateGroup(_) => "formbuilder.groups.update",
            Self::ListGroupForms(_) => "formbuilder.groups.forms",
            Self::ShareGroup(_) => "formbuilder.groups.share",
            Self::UnshareGroup(_) => "formbuilder.groups.unshare",
            Self::ListUsers => "formbuilder.users.list",
            Self::CreateUser => "formbuilder.users.create",
            Self::UpdateUser(_) => "formbuilder.users.update",
            Self::CreateAccount => "formbuilder.accounts.create",
            Self::UpdateAccount(_) => "formbuilder.accounts.update",
        }
    }
}

/// The names of all operations, for faults and counters. Those about tokens are called `oauth`, so that their bodies are
/// never recorded.
pub fn operations() -> impl Iterator<Item = &'static str> {
    Operation::ALL.into_iter().map(Operation::name)
}

impl FormBuilder {
    pub(crate) fn new(config: &SandboxConfig, clock: Clock, client: reqwest::Client) -> Self {
        let own = &config.formbuilder;
        let retries = Arc::new(AtomicU32::new(own.guesses.webhook_retries));
        let outbox = Outbox::new(
            Arc::new(FormBuilderDialect { retries: Arc::clone(&retries) }),
            clock.clone(),
            client.clone(),
            config.seed,
            config.webhooks,
            config.webhook_concurrency,
        );
        let tokens = Tokens::new(&own.username, &own.email, &own.password, own.token_lifetime, config.seed);
        Self {
            seed: config.seed,
            clock,
            client,
            settings: Mutex::new(Settings { daily_quota: own.daily_quota, guesses: own.guesses.clone() }),
            tokens: Mutex::new(tokens),
            account: Mutex::new(Account::new(&own.forms)),
            retries,
            outbox: Arc::new(outbox),
            config: own.clone(),
        }
    }

    fn handle(&self, call: &Call) -> Answer {
        let Settings { daily_quota, guesses } = lock(&self.settings).clone();
        let operation = Operation::of(&call.method, &call.path).ok_or(Fault::NotFound("Not found"))?;
        let now = self.clock.millis();
        if let Some(most) = daily_quota {
            let mut account = lock(&self.account);
            let today = now.div_euclid(DAY);
            let used = if account.calls.0 == today { account.calls.1 } else { 0 };
            // Logins count too: nothing says that they do not.
            account.calls = (today, used.saturating_add(1));
            if used >= most {
                return Err(Fault::Quota(guesses.quota_status));
            }
        }
        match operation {
            Operation::Login => return lock(&self.tokens).login(call, &guesses, now),
            Operation::RefreshToken => return lock(&self.tokens).refresh(call, &guesses, now),
            Operation::InvalidateToken => return lock(&self.tokens).invalidate(call, &guesses, now),
            _ => lock(&self.tokens).check(call, &guesses, now)?,
        };
        self.change(true, |change| carry_out(change, operation, call))
    }

    /// Runs `act` on the account; its webhooks are queued before anybody else may change the account.
    fn change<T>(
        &self,
        announced: bool,
        act: impl FnOnce(&mut Change<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let guesses = self.guesses();
        let now = self.clock.millis();
        let mut account = lock(&self.account);
        let mut change = Change {
            account: &mut account,
            guesses: &guesses,
            outbox: &self.outbox,
            now,
            announced,
            events: Vec::new(),
        };
        let result = act(&mut change);
        for (form, id) in std::mem::take(&mut change.events) {
            self.announce(&account, form, id, &guesses);
        }
        result
    }

    fn announce(&self, account: &Account, form: u64, id: u64, guesses: &Guesses) {
        let Some(form) = account.forms.get(&form) else { return };
        let Some(submission) = form.submissions.get(&id) else { return };
        let body = webhooks::body(form, submission, guesses);
        let places = (1..=webhooks::PER_FORM).map(|place| webhooks::form_target(form.id, place));
        let targets: Vec<String> = places
            .chain(form.group.map(webhooks::group_target))
            .filter(|target| self.outbox.target(target).is_some())
            .collect();
        for target in &targets {
            self.outbox.push("submission", target, format!("{id}"), body.clone());
        }
    }
}

fn carry_out(change: &mut Change<'_>, operation: Operation<'_>, call: &Call) -> Answer {
    match operation {
        // These three were answered before.
        Operation::Login | Operation::RefreshToken | Operation::InvalidateToken => {
            Err(Fault::NotFound("Not found"))
        }
        Operation::ListForms => forms::list(change, call),
        Operation::CreateForm => forms::create(change, call),
        Operation::GetForm(form) => forms::get(change, form),
        Operation::UpdateForm(form) => forms::update(change, call, form),
        Operation::DeleteForm(form) => forms::delete(change, form),
        Operation::DeleteForms => forms::delete_several(change, call),
        Operation::ListFields(form) => forms::fields(change, form),
        Operation::ListSubmissions(form) => submissions::list(change, call, form),
        Operation::GetSubmission(form, id) => submissions::get(change, call, form, id),
        Operation::UpdateSubmission(form, id) => submissions::update(change, call, form, id),
        Operation::DeleteSubmission(form, id) => submissions::delete(change, form, id),
        Operation::ListGroups => groups::list(change, call),
        Operation::CreateGroup => groups::create(change, call),
        Operation::GetGroup(group) => groups::get(change, group),
        Operation::UpdateGroup(group) => groups::update(change, call, group),
        Operation::ListGroupForms(group) => groups::forms(change, call, group),
        Operation::ShareGroup(group) => groups::share(change, call, group, true),
        Operation::UnshareGroup(group) => groups::share(change, call, group, false),
        Operation::ListUsers => groups::users(change, call),
        Operation::CreateUser => groups::create_user(change, call, false),
        Operation::UpdateUser(user) => groups::update_user(change, call, user, false),
        Operation::CreateAccount => groups::create_user(change, call, true),
        Operation::UpdateAccount(account) => groups::update_user(change, call, account, true),
    }
}

impl Vendor for FormBuilder {
    fn operation(&self, call: &Call) -> &'static str {
        Operation::of(&call.method, &call.path).map_or("formbuilder.unknown", Operation::name)
    }

    fn answer(&self, call: &Call) -> Reply {
        self.handle(call).unwrap_or_else(Fault::into_reply)
    }

    fn too_many_requests(&self, _call: &Call) -> Reply {
        Fault::Quota(self.guesses().quota_status).into_reply()
    }

    fn revoke_credential(&self, _call: &Call) {
        self.revoke_login();
    }
}
