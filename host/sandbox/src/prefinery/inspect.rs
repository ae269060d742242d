//! The handle: looking at the double, and setting it up.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use url::Url;

use super::config::{Guesses, ProjectConfig, Visibility};
use super::state::{Mails, Project};
use super::{Prefinery, testers};
use crate::SandboxError;
use crate::outbox::Outbox;
use crate::people;
use crate::recorder::lock;

/// Setting up.
impl Prefinery {
    /// Adds a project; an existing one is replaced.
    pub fn add_project(&self, config: ProjectConfig) {
        let target = config.id.to_string();
        self.outbox.set_target(&target, config.webhook_url.clone());
        lock(&self.secrets).insert(target, config.signing_secret.clone());
        lock(&self.projects).insert(config.id, Arc::new(Mutex::new(Project::new(config, self.seed))));
    }

    /// Sends the webhooks of a project to `address`, or to nobody.
    pub fn set_webhook_target(&self, project: u64, address: Option<Url>) {
        self.outbox.set_target(&project.to_string(), address);
    }

    /// Switches the request limits.
    pub fn set_limited(&self, limited: bool) {
        lock(&self.settings).limited = limited;
    }

    /// Changes when testers created from now on can be found.
    pub fn set_visibility(&self, visibility: Visibility) {
        lock(&self.settings).visibility = visibility;
    }

    /// Changes the answers to what is unknown.
    pub fn set_guesses(&self, guesses: Guesses) {
        lock(&self.settings).guesses = guesses;
    }

    /// The answers in force.
    pub fn guesses(&self) -> Guesses {
        lock(&self.settings).guesses.clone()
    }

    /// Makes every tester findable now.
    pub fn release(&self) {
        let now = self.clock.millis();
        for project in self.all() {
            for tester in lock(&project).testers.values_mut() {
                tester.visible_from = Some(tester.visible_from.map_or(now, |from| from.min(now)));
            }
        }
    }

    /// Withdraws the API key.
    pub fn revoke_key(&self) {
        *lock(&self.key) = None;
    }

    /// Adds `count` sample people to a project, findable at once and without webhooks. People whom Prefinery would
    /// refuse (no email, a malformed one) are skipped, so fewer may come back.
    ///
    /// # Errors
    /// When the project is unknown.
    pub fn load(&self, project: u64, count: usize) -> Result<Vec<u64>, SandboxError> {
        let seed = self.seed;
        let loaded = self.change(project, false, |change| {
            change.visibility = Visibility::Millis(0);
            let ids = people::people(seed).take(count).filter_map(|person| {
                let fields = json!({
                    "email": person.email, "groups": person.tags.join(", "),
                    "profile": {"first_name": person.first_name, "last_name": person.last_name,
                        "custom_var1": person.phone, "custom_var2": person.company},
                });
                testers::insert(change, fields.as_object()?).ok().map(|tester| tester.id)
            });
            Ok(ids.collect())
        });
        loaded.map_err(|_| SandboxError::Unknown { what: "project", id: project.to_string() })
    }

    pub(crate) fn reset(&self) {
        for project in self.all() {
            let mut project = lock(&project);
            *project = Project::new(project.config.clone(), self.seed);
        }
        *lock(&self.key) = Some(self.api_key.clone());
        *lock(&self.limits) = super::Limits::default();
        self.outbox.clear();
        self.outbox.clear_faults();
    }
}

/// Looking.
impl Prefinery {
    /// The API key.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Numbers of the projects, in order.
    pub fn project_ids(&self) -> Vec<u64> {
        lock(&self.projects).keys().copied().collect()
    }

    /// Number of the first project.
    pub fn first_project(&self) -> u64 {
        self.project_ids().into_iter().next().unwrap_or_default()
    }

    /// The signing secret of a project's webhooks.
    pub fn signing_secret(&self, project: u64) -> Option<String> {
        lock(&self.secrets).get(&project.to_string()).cloned()
    }

    /// The outgoing webhooks.
    pub fn webhooks(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Every tester as the API shows it, findable or not, oldest first. Empty when the project is unknown.
    pub fn testers(&self, project: u64) -> Vec<Value> {
        self.look(project, |project| {
            project.testers.values().map(|tester| project.tester_json(tester)).collect()
        })
        .unwrap_or_default()
    }

    /// A tester by id, UUID or email.
    pub fn tester(&self, project: u64, id_or_email: &str) -> Option<Value> {
        self.look(project, |project| {
            let tester = project.tester(id_or_email).or_else(|| project.by_email(id_or_email));
            tester.map(|tester| project.tester_json(tester))
        })?
    }

    /// The mails the vendor would have sent.
    pub fn mails(&self, project: u64) -> Mails {
        self.look(project, |project| project.mails).unwrap_or_default()
    }

    /// The whole state as JSON.
    pub fn snapshot(&self) -> Value {
        let projects = self.all().into_iter().map(|project| {
            let project = lock(&project);
            json!({
                "beta": project.to_json(),
                "testers": project.testers.values().map(|tester| project.tester_json(tester)).collect::<Vec<_>>(),
                "rewards": project.rewards.iter().map(super::state::Reward::to_json).collect::<Vec<_>>(),
                "points": project.points.iter().map(super::state::Point::to_json).collect::<Vec<_>>(),
                "mails": project.mails,
            })
        });
        json!({"projects": projects.collect::<Vec<_>>()})
    }

    fn all(&self) -> Vec<Arc<Mutex<Project>>> {
        lock(&self.projects).values().cloned().collect()
    }

    fn look<T>(&self, project: u64, show: impl FnOnce(&Project) -> T) -> Option<T> {
        let project = lock(&self.projects).get(&project).cloned()?;
        let project = lock(&project);
        Some(show(&project))
    }
}
