//! A double of Prefinery (waitlist and referral): projects, testers, rewards, points, signed webhooks.
//!
//! [`Prefinery`] is also the handle of a test: it shows records, counts the mails the vendor would have sent, and acts
//! as a person in the vendor's own interface ([`ProjectAct`]).

mod config;
mod emit;
mod error;
mod inspect;
mod limits;
mod page;
mod person;
mod rewards;
mod state;
mod testers;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use http::Method;
use serde_json::Value;

pub use self::config::{
    Envelope, Guesses, PrefineryConfig, ProfileClears, ProfileUpdates, ProjectConfig, Visibility,
};
use self::error::{Answer, Fault};
use self::limits::Limits;
pub use self::person::ProjectAct;
pub use self::state::Mails;
use self::state::{Project, Tester};
use self::webhooks::{PrefineryDialect, Secrets};
use crate::SandboxConfig;
use crate::clock::{Clock, Millis};
use crate::http::{Call, Reply, Vendor};
use crate::outbox::Outbox;
use crate::recorder::lock;

/// What can be changed while the double runs.
#[derive(Clone, Debug)]
struct Settings {
    limited: bool,
    visibility: Visibility,
    guesses: Guesses,
}

/// The double and its handle.
pub struct Prefinery {
    seed: u64,
    clock: Clock,
    key: Mutex<Option<String>>,
    api_key: String,
    settings: Mutex<Settings>,
    projects: Mutex<BTreeMap<u64, Arc<Mutex<Project>>>>,
    limits: Mutex<Limits>,
    secrets: Secrets,
    outbox: Arc<Outbox>,
}

impl std::fmt::Debug for Prefinery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prefinery").field("projects", &lock(&self.projects).keys()).finish_non_exhaustive()
    }
}

/// A change in progress to one project.
struct Change<'a> {
    project: &'a mut Project,
    now: Millis,
    visibility: Visibility,
    /// False: the change is not announced.
    announced: bool,
    /// Event, name of its object, the object.
    events: Vec<(&'static str, &'static str, Value)>,
}

impl Change<'_> {
    fn emit(&mut self, event: &'static str, kind: &'static str, object: &Value) {
        if self.announced {
            self.events.push((event, kind, object.clone()));
        }
    }

    fn emit_tester(&mut self, event: &'static str, tester: &Tester) {
        let shown = self.project.tester_json(tester);
        self.emit(event, "tester", &shown);
    }

    fn visible_from(&self) -> Option<Millis> {
        match self.visibility {
            Visibility::Millis(lag) => Some(self.now + i64::from(lag)),
            Visibility::UntilReleased => None,
        }
    }
}

/// An operation and the ids in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation<'p> {
    ListProjects,
    GetProject,
    ListTesters,
    CreateTester,
    GetTester(&'p str),
    UpdateTester(&'p str),
    DeleteTester(&'p str),
    VerifyTester(&'p str),
    CheckIn(&'p str),
    InviteFriend,
    ListRewards,
    ListPoints,
    AwardPoints,
}

impl<'p> Operation<'p> {
    /// The operation of a path below `/prefinery`, with or without `.json`, and the project's number.
    fn of(method: &Method, path: &'p str) -> Option<(Self, &'p str)> {
        let path = path.strip_prefix("/api/v2/")?;
        let path = path.strip_suffix(".json").unwrap_or(path).trim_end_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        let operation = match (method.as_str(), &parts[..]) {
            ("GET", ["betas"]) => return Some((Self::ListProjects, "")),
            ("GET", ["betas", _]) => Self::GetProject,
            ("GET", ["betas", _, "testers"]) => Self::ListTesters,
            ("POST", ["betas", _, "testers"]) => Self::CreateTester,
            ("GET", ["betas", _, "testers", id]) => Self::GetTester(id),
            ("PUT", ["betas", _, "testers", id]) => Self::UpdateTester(id),
            ("DELETE", ["betas", _, "testers", id]) => Self::DeleteTester(id),
            ("GET", ["betas", _, "testers", id, "verify"]) => Self::VerifyTester(id),
            ("POST", ["betas", _, "testers", id, "checkin"]) => Self::CheckIn(id),
            ("POST", ["betas", _, "friend_invitations"]) => Self::InviteFriend,
            ("GET", ["betas", _, "rewards"]) => Self::ListRewards,
            ("GET", ["betas", _, "points"]) => Self::ListPoints,
            ("POST", ["betas", _, "points"]) => Self::AwardPoints,
            _ => return None,
        };
        Some((operation, parts[1]))
    }

    /// One of each kind; the ids do not matter.
    const ALL: [Self; 13] = [
        Self::ListProjects,
        Self::GetProject,
        Self::ListTesters,
        Self::CreateTester,
        Self::GetTester(""),
        Self::UpdateTester(""),
        Self::DeleteTester(""),
        Self::VerifyTester(""),
        Self::CheckIn(""),
        Self::InviteFriend,
        Self::ListRewards,
        Self::ListPoints,
        Self::AwardPoints,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ListProjects => "prefinery.betas.list",
            Self::GetProject => "prefinery.betas.get",
            Self::ListTesters => "prefinery.testers.list",
            Self::CreateTester => "prefinery.testers.create",
            Self::GetTester(_) => "prefinery.testers.get",
            Self::UpdateTester(_) => "prefinery.testers.update",
            Self::DeleteTester(_) => "prefinery.testers.delete",
            Self::VerifyTester(_) => "prefinery.testers.verify",
            Self::CheckIn(_) => "prefinery.testers.check_in",
            Self::InviteFriend => "prefinery.friend_invitations.create",
            Self::ListRewards => "prefinery.rewards.list",
            Self::ListPoints => "prefinery.points.list",
            Self::AwardPoints => "prefinery.points.create",
        }
    }
}

/// The names of all operations, for faults and counters.
pub fn operations() -> impl Iterator<Item = &'static str> {
    Operation::ALL.into_iter().map(Operation::name)
}

impl Prefinery {
    pub(crate) fn new(config: &SandboxConfig, clock: Clock, client: reqwest::Client) -> Self {
        let own = &config.prefinery;
        let secrets = Secrets::default();
        let dialect = Arc::new(PrefineryDialect { secrets: Arc::clone(&secrets) });
        let outbox = Outbox::new(
            dialect,
            clock.clone(),
            client,
            config.seed,
            config.webhooks,
            config.webhook_concurrency,
        );
        let settings =
            Settings { limited: own.limited, visibility: own.visibility, guesses: own.guesses.clone() };
        let double = Self {
            seed: config.seed,
            clock,
            key: Mutex::new(Some(own.api_key.clone())),
            api_key: own.api_key.clone(),
            settings: Mutex::new(settings),
            projects: Mutex::default(),
            limits: Mutex::default(),
            secrets,
            outbox: Arc::new(outbox),
        };
        for project in &own.projects {
            double.add_project(project.clone());
        }
        double
    }

    fn handle(&self, call: &Call, settings: &Settings) -> Answer {
        let (operation, project) =
            Operation::of(&call.method, &call.path).ok_or(Fault::NotFound("Not found"))?;
        let key = lock(&self.key).clone();
        if key.is_none() || presented_key(call) != key {
            return Err(Fault::BadKey);
        }
        let now = self.clock.millis();
        if settings.limited && !lock(&self.limits).take(operation.name(), project, now) {
            return Err(Fault::Limited);
        }
        if operation == Operation::ListProjects {
            let projects: Vec<_> = lock(&self.projects).values().cloned().collect();
            return page::reply(call, &projects, |project| lock(project).to_json());
        }
        let id = project.parse().map_err(|_| Fault::NotFound("Project not found"))?;
        self.change(id, settings.guesses.echoes_api_writes, |change| match operation {
            Operation::ListProjects | Operation::GetProject => {
                Ok(Reply::json(200, &change.project.to_json()))
            }
            Operation::ListTesters => testers::list(change, call),
            Operation::CreateTester => testers::create(change, call),
            Operation::GetTester(id) => testers::get(change, id),
            Operation::UpdateTester(id) => testers::update(change, call, id, &settings.guesses),
            Operation::DeleteTester(id) => testers::delete(change, id),
            Operation::VerifyTester(id) => testers::verify(change, call, id),
            Operation::CheckIn(id) => testers::check_in(change, id),
            Operation::InviteFriend => testers::invite_friend(change, call),
            Operation::ListRewards => rewards::list(change, call),
            Operation::ListPoints => rewards::list_points(change, call),
            Operation::AwardPoints => rewards::award_points(change, call),
        })
    }

    /// Runs `act` on a project; its webhooks are queued before anybody else may change the project.
    fn change<T>(
        &self,
        project: u64,
        announced: bool,
        act: impl FnOnce(&mut Change<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let project =
            lock(&self.projects).get(&project).cloned().ok_or(Fault::NotFound("Project not found"))?;
        let now = self.clock.millis();
        let Settings { visibility, guesses, .. } = lock(&self.settings).clone();
        let mut project = lock(&project);
        let mut change = Change { project: &mut project, now, visibility, announced, events: Vec::new() };
        let result = act(&mut change);
        for (event, kind, object) in change.events {
            let id = project.new_uuid();
            let name = guesses.event_names.get(event).map_or(event, String::as_str);
            let body = webhooks::body(guesses.envelope, &id, name, project.config.id, kind, &object, now);
            self.outbox.push(name, &project.config.id.to_string(), id, body.to_string().into_bytes());
        }
        result
    }
}

/// The key, by any of the three ways: Basic user name, bearer token, query parameter.
fn presented_key(call: &Call) -> Option<String> {
    if let Some(key) = call.bearer().or_else(|| call.query("api_key")) {
        return Some(key.to_owned());
    }
    let (scheme, credentials) = call.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    Some(text.split_once(':').map_or(text.as_str(), |(user, _)| user).to_owned())
}

impl Vendor for Prefinery {
    fn operation(&self, call: &Call) -> &'static str {
        Operation::of(&call.method, &call.path).map_or("prefinery.unknown", |(operation, _)| operation.name())
    }

    fn answer(&self, call: &Call) -> Reply {
        let settings = lock(&self.settings).clone();
        self.handle(call, &settings).unwrap_or_else(|fault| fault.into_reply(&settings.guesses))
    }

    fn too_many_requests(&self, _call: &Call) -> Reply {
        Fault::Limited.into_reply(&lock(&self.settings).guesses)
    }

    fn revoke_credential(&self, _call: &Call) {
        *lock(&self.key) = None;
    }
}
