//! The doubles, the real host, and the time that both of them share.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::{LOCATION_SCOPES, PersonAct};
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault, Order};
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Options;
use super::history::{Death, Decision, PEOPLE, Shape, Step, Storm};
use crate::host::Host;

/// The host's configuration beside what every test has.
const CONFIG: &str = "timeout = 1\n\n[engine]\nsweep-interval = 900\nconcurrency = 8\npartner-quotas = false\npartner-timeout = 1\n";
/// Rounds of time passing before the end is given up.
const ROUNDS: usize = 600;

/// The host's key, in its directory.
const KEY: &str = "vault.key";
/// The connection's settings: a task for each new contact.
fn rules() -> Value {
    let task = json!({ "create-task": { "title": "Welcome", "due": "2d" } });
    json!({ "rules": [{ "name": "welcome", "on": ["ContactCreate"], "do": [task] }] })
}

/// Somebody whom the history knows.
pub(super) struct Person {
    pub(super) email: String,
    /// A person deleted the contact in HighLevel.
    pub(super) deleted: Option<Deleted>,
    /// A person deleted the tester at the partner.
    pub(super) deleted_tester: Option<Deleted>,
    /// A person asked for the other record to be deleted as well.
    pub(super) confirmed: bool,
    /// A person had that undone, which the host accepted.
    pub(super) undone: bool,
    /// First and last name of the other record when its delete was confirmed, and after each edit by a person since.
    pub(super) left: Option<Names>,
}

/// First and last name, as one side has them.
pub(super) type Names = [String; 2];

impl Person {
    fn new(email: String) -> Self {
        Self { email, deleted: None, deleted_tester: None, confirmed: false, undone: false, left: None }
    }
}

/// The end of a record.
pub(super) struct Deleted {
    /// The host had noted that the contact and its tester are one person. Before that it cannot tell a contact that was created and
    /// deleted at once from one whose creation never happened, and a tester without a link is a new person.
    pub(super) linked: bool,
}

pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) location: String,
    pub(super) project: u64,
    pub(super) people: Vec<Person>,
    pub(super) edits: u64,
    pub(super) kills: u64,
    pub(super) writes_before: u64,
    host: Option<Host>,
    connection: Value,
    orders: String,
    clock: File,
    dir: TempDir,
}

impl World {
    /// A host with some people who are in step already; then the faults begin.
    pub(super) async fn set(seed: u64, shape: Shape, options: &Options) -> Result<Self> {
        let mut config = SandboxConfig::for_tests();
        config.seed = seed;
        config.recent_requests = 0;
        config.highlevel.limits = None;
        config.prefinery.limited = false;
        let sandbox = Sandbox::start(config).await?;
        let dir = tempfile::tempdir()?;
        Host::init(dir.path(), &sandbox, CONFIG).await?;
        let cache = shared_cache(dir.path())?;
        let config = dir.path().join("contactor.toml");
        let written = std::fs::read_to_string(&config)?;
        std::fs::write(&config, written + &cache)?;
        let clock = File::create_new(dir.path().join("clock"))?;
        let orders = format!("clock={}", dir.path().join("clock").display());
        let broken = options.breaks.map_or_else(String::new, |rule| format!(",break={rule}"));
        let mut world = Self {
            location: sandbox.highlevel().first_location(),
            project: sandbox.prefinery().first_project(),
            people: Vec::new(),
            edits: 0,
            kills: 0,
            writes_before: 0,
            host: None,
            connection: Value::Null,
            orders,
            clock,
            dir,
            sandbox,
        };
        world.tell_time()?;
        let host = Host::start_with(world.dir.path(), &world.orders).await?;
        world.connection = host.enable_prefinery(&world.sandbox, rules()).await?;
        let policies = json!({
            "highlevel_gone": { "then": shape.highlevel_gone.name() },
            "partner_gone": { "then": shape.partner_gone.name() },
        });
        host.put("/workspaces/acme/connections/prefinery/deletes/policy", &policies).await?;
        world.host = Some(host);
        for number in 0..PEOPLE {
            world.create_contact(&format!("person{number}"))?;
        }
        world.settle_in(Order::Queued).await?;
        world.edits = 0;
        world.writes_before = world.writes();
        world.faults_on(shape);
        // The next process breaks the rule; what was set up is there.
        world.orders.push_str(&broken);
        Ok(world)
    }

    fn faults_on(&self, shape: Shape) {
        let faults = self.sandbox.faults();
        let effects = [
            Effect::refuse(503),
            Effect::lie(502),
            Effect::Drop { after: false },
            Effect::Drop { after: true },
            Effect::TooManyRequests,
        ];
        for effect in effects {
            faults.add(Fault { operation: "*".to_owned(), effect, when: When::Probability(0.02), skip: 0 });
        }
        for after in [false, true].into_iter().filter(|_| shape.hangs) {
            // Each costs a second of real time.
            let when = When::Probability(0.004);
            faults.add(Fault { operation: "*".to_owned(), effect: Effect::Hang { after }, when, skip: 0 });
        }
        for outbox in self.sandbox.outboxes() {
            for effect in [DeliveryEffect::Copies(3), DeliveryEffect::Delay(90), DeliveryEffect::Drop] {
                outbox.add_fault(DeliveryFault { event: "*".to_owned(), times: 3, effect });
            }
        }
    }

    pub(super) async fn take(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::EditContact { person, field, value } => {
                if let Some(contact) = self.contact(*person) {
                    self.in_highlevel(PersonAct::EditContact { contact, fields: json!({ *field: value }) })?;
                    self.remember_left(*person);
                }
            }
            Step::Tag { person, tag } => {
                if let Some(contact) = self.contact(*person) {
                    self.in_highlevel(PersonAct::AddTags { contact, tags: vec![tag.clone()] })?;
                }
            }
            Step::CreateContact { name } => self.create_contact(name)?,
            Step::DeleteContact { person } => {
                if let Some(contact) = self.contact(*person) {
                    // Whether the host knew that both records are one person.
                    let linked = self.is_linked(&contact).await;
                    self.in_highlevel(PersonAct::DeleteContact { contact })?;
                    self.people[*person].deleted = Some(Deleted { linked });
                }
            }
            Step::EditTester { person, field, value } => {
                let field = if *field == "firstName" { "first_name" } else { "last_name" };
                if let Some(tester) = self.tester(*person) {
                    let fields = json!({ "profile": { field: value } });
                    self.at_partner(ProjectAct::EditTester { tester, fields })?;
                    self.remember_left(*person);
                }
            }
            Step::DeleteTester { person } => {
                if let Some(tester) = self.tester(*person) {
                    let linked = match self.contact(*person) {
                        Some(contact) => self.is_linked(&contact).await,
                        None => false,
                    };
                    self.at_partner(ProjectAct::DeleteTester { tester })?;
                    self.people[*person].deleted_tester = Some(Deleted { linked });
                }
            }
            Step::Decide(decision) => self.decide(*decision).await?,
            Step::Storm { side, retry_after } => self.storm(*side, *retry_after).await?,
            Step::CreateTester { name } => {
                let email = format!("{name}@example.com");
                let fields =
                    json!({ "email": email, "profile": { "first_name": name, "last_name": "Signup" } });
                self.at_partner(ProjectAct::CreateTester { fields })?;
                self.people.push(Person::new(email));
            }
            Step::Deliver { shuffled } => {
                let order = if *shuffled { Order::Shuffled } else { Order::Queued };
                self.deliver(order).await;
                self.round().await?;
            }
            Step::Pass { minutes } => {
                self.advance(SignedDuration::from_mins(*minutes))?;
                self.round().await?;
            }
            Step::Kill { next } => self.kill(*next).await?,
            Step::RevokeToken => {
                self.sandbox.highlevel().revoke_token(&self.sandbox.highlevel().private_token());
                self.deliver(Order::Queued).await;
                self.round().await?;
                self.reconnect().await?;
            }
        }
        Ok(())
    }

    fn in_highlevel(&mut self, act: PersonAct) -> Result<Value> {
        self.edits += 1;
        Ok(self.sandbox.highlevel().act(&self.location, act)?)
    }

    fn at_partner(&mut self, act: ProjectAct) -> Result<()> {
        self.edits += 1;
        self.sandbox.prefinery().act(self.project, act)?;
        Ok(())
    }

    fn create_contact(&mut self, name: &str) -> Result<()> {
        let email = format!("{name}@example.com");
        let fields = json!({ "firstName": name, "lastName": "Last", "email": email });
        self.in_highlevel(PersonAct::CreateContact { fields })?;
        self.people.push(Person::new(email));
        Ok(())
    }

    fn contact(&self, person: usize) -> Option<String> {
        let email = &self.people.get(person)?.email;
        let contacts = self.sandbox.highlevel().contacts(&self.location);
        let found = contacts.into_iter().find(|contact| contact["email"] == json!(email))?;
        Some(found["id"].as_str()?.to_owned())
    }

    fn tester(&self, person: usize) -> Option<String> {
        let tester = self.sandbox.prefinery().tester(self.project, &self.people.get(person)?.email)?;
        Some(tester["id"].to_string())
    }

    /// What the record shows whose delete was confirmed, or that was created again.
    fn remember_left(&mut self, person: usize) {
        let names = self.people.get(person).and_then(|known| self.left(known));
        if let Some(known) = self.people.get_mut(person).filter(|known| known.confirmed) {
            known.left = names.or_else(|| known.left.take());
        }
    }

    /// The names in the record whose counterpart a person deleted.
    pub(super) fn left(&self, person: &Person) -> Option<Names> {
        let of = |record: &Value, names: [&str; 2]| {
            names.map(|name| record[name].as_str().unwrap_or_default().to_owned())
        };
        match (&person.deleted, &person.deleted_tester) {
            (Some(_), None) => {
                let tester = self.sandbox.prefinery().tester(self.project, &person.email)?;
                Some(of(&tester["profile"], ["first_name", "last_name"]))
            }
            (None, Some(_)) => {
                let contacts = self.sandbox.highlevel().contacts(&self.location);
                let contact = contacts.iter().find(|contact| contact["email"] == json!(person.email))?;
                Some(of(contact, ["firstName", "lastName"]))
            }
            _ => None,
        }
    }

    /// Decides about what waits, or undoes what was done. The host may be dead, or die of being asked: then nothing came of it,
    /// or it did.
    async fn decide(&mut self, decision: Decision) -> Result<()> {
        self.revive().await?;
        let Ok(deletions) = self.host()?.get("/workspaces/acme/deletes").await else { return Ok(()) };
        let deletions = deletions.as_array().cloned().unwrap_or_default();
        let is_meant = |deletion: &&Value| match decision {
            Decision::Confirm | Decision::Keep => deletion["state"] == "waiting",
            Decision::Undo => deletion["state"] == "done" && !deletion["undo_until"].is_null(),
        };
        for deletion in deletions.iter().filter(is_meant) {
            let person = self.people.iter().position(|person| deletion["label"] == json!(person.email));
            if let Some(person) = person.filter(|_| decision == Decision::Confirm) {
                self.people[person].confirmed = true;
                self.remember_left(person);
            }
            let path = format!("/workspaces/acme/deletes/{}/{}", deletion["id"], decision.name());
            let answer = self.host()?.post(&path, &json!({})).await;
            if let Some(person) = person.filter(|_| decision == Decision::Undo && answer.is_ok()) {
                self.people[person].undone = true;
            }
        }
        self.round().await
    }

    /// One side refuses everything for five minutes, in which its webhooks go on to come.
    async fn storm(&mut self, side: Storm, retry_after: Option<u32>) -> Result<()> {
        let operations = match side {
            Storm::Highlevel => "highlevel.*",
            Storm::Partner => "prefinery.*",
        };
        let effect = Effect::Answer { status: 429, body: None, retry_after, after: false };
        self.sandbox.faults().add(Fault::always(operations, effect.clone()));
        for _ in 0..5 {
            self.deliver(Order::Shuffled).await;
            self.round().await?;
            self.advance(SignedDuration::from_mins(1))?;
        }
        self.sandbox.faults().remove(operations, &effect);
        Ok(())
    }

    async fn is_linked(&self, contact: &str) -> bool {
        let Ok(host) = self.host() else { return false };
        let timeline = host.get(&format!("/workspaces/acme/contacts/{contact}/timeline")).await;
        timeline.is_ok_and(|timeline| timeline["links"].as_array().is_some_and(|links| !links.is_empty()))
    }

    async fn deliver(&self, order: Order) {
        for outbox in self.sandbox.outboxes() {
            outbox.flush(order).await;
        }
    }

    // --------------------------------------------------------------------------------------------------------------- time

    fn tell_time(&self) -> Result<()> {
        let millis = self.sandbox.clock().now().as_millisecond();
        Ok(self.clock.write_all_at(&millis.to_le_bytes(), 0)?)
    }

    fn advance(&self, by: SignedDuration) -> Result<()> {
        self.sandbox.advance(by);
        self.tell_time()
    }

    // --------------------------------------------------------------------------------------------------------------- host

    pub(super) fn host(&self) -> Result<&Host> {
        self.host.as_ref().context("the host is not running")
    }

    /// Starts a process and shows the doubles where it listens.
    async fn start(&mut self, death: Option<Death>) -> Result<()> {
        let die = death.map_or_else(String::new, |death| format!(",{}", death.order()));
        let started = Host::start_with(self.dir.path(), &format!("{}{die}", self.orders)).await;
        let host = match (started, death) {
            (Ok(host), _) => host,
            // It died before it served.
            (Err(_), Some(_)) => {
                self.kills += 1;
                Host::start_with(self.dir.path(), &self.orders).await?
            }
            (Err(error), None) => return Err(error),
        };
        host.aim(&self.sandbox, &self.connection)?;
        self.host = Some(host);
        Ok(())
    }

    async fn kill(&mut self, next: Option<Death>) -> Result<()> {
        // In the middle of something, if there is anything to do.
        self.deliver(Order::Shuffled).await;
        if let Some(host) = self.host.take() {
            host.kill9().await?;
            self.kills += 1;
        }
        self.start(next).await
    }

    /// A process that died by itself is followed by another.
    async fn revive(&mut self) -> Result<()> {
        if self.host.as_mut().map(Host::has_ended).transpose()? == Some(true) {
            self.host = None;
            self.kills += 1;
            self.start(None).await?;
        }
        Ok(())
    }

    /// The host looks at everything that is due now.
    async fn round(&mut self) -> Result<()> {
        for _ in 0..2_000 {
            self.revive().await?;
            let host = self.host()?;
            let Ok(before) = host.counter(ROUND).await else { continue };
            let done = host
                .until_within(PATIENCE, "a round of the walker", async || {
                    Ok(host.counter(ROUND).await.map_or(true, |now| now >= before + 2.0))
                })
                .await;
            self.revive().await?;
            return done;
        }
        bail!("the host dies again and again")
    }

    /// Somebody gives the workspace a token that works, and enables the connection again.
    async fn reconnect(&mut self) -> Result<()> {
        self.revive().await?;
        let token = self.sandbox.highlevel().private_token();
        self.sandbox.highlevel().add_private_token(&self.location, &token, LOCATION_SCOPES)?;
        for _ in 0..20 {
            // Faults strike here as well, and the process may die while it is asked.
            self.revive().await?;
            if let Ok(connection) = self.host()?.put_prefinery(&self.sandbox, &rules()).await {
                self.connection = connection;
                return Ok(());
            }
        }
        bail!("the connection cannot be enabled again")
    }

    // ------------------------------------------------------------------------------------------------------------- the end

    /// Faults end, and everything comes to rest.
    pub(super) async fn settle(&mut self, shape: Shape) -> Result<()> {
        self.sandbox.faults().clear();
        for outbox in self.sandbox.outboxes() {
            outbox.clear_faults();
        }
        self.revive().await?;
        self.settle_in(Order::Shuffled).await?;
        // What no webhook told is found by sweeps and polls.
        for _ in 0..3 {
            self.sandbox.highlevel().refresh_index();
            self.advance(SignedDuration::from_hours(1))?;
            self.settle_in(Order::Queued).await?;
        }
        if shape.regrets {
            for decision in [Decision::Confirm, Decision::Undo] {
                self.decide(decision).await?;
                self.settle_in(Order::Queued).await?;
            }
        }
        Ok(())
    }

    async fn settle_in(&mut self, order: Order) -> Result<()> {
        let mut quiet = 0;
        let mut health = Value::Null;
        for _ in 0..ROUNDS {
            self.deliver(order).await;
            self.round().await?;
            let pending: usize = self.sandbox.outboxes().iter().map(|outbox| outbox.pending()).sum();
            let Ok(now) = self.host()?.get("/health").await else { continue };
            health = now["counts"].clone();
            let names = ["waiting", "unread_events", "deliveries", "messages"];
            let idle = names.iter().all(|name| health[name] == json!(0));
            quiet = if idle && pending == 0 { quiet + 1 } else { 0 };
            if quiet == 3 {
                return Ok(());
            }
            self.advance(SignedDuration::from_secs(30))?;
        }
        bail!("something is left: {health}")
    }

    /// Requests of the host that changed something.
    pub(super) fn writes(&self) -> u64 {
        let counts = self.sandbox.recorder().counts();
        counts.iter().filter(|(name, _)| is_write(name)).map(|(_, count)| count.carried_out).sum()
    }

    /// Stops everything; answers the host's directory, if it is to be kept.
    pub(super) async fn end(mut self, keep: bool) -> Result<Option<PathBuf>> {
        if let Some(host) = self.host.take() {
            host.kill9().await?;
        }
        self.sandbox.shutdown().await;
        Ok(keep.then(|| self.dir.keep()))
    }
}

/// What the walker counts its rounds by.
const ROUND: &str = "contactor_walk_rounds_total";
/// How long a round may take: after a 429 that names no time the host leaves HighLevel alone for ten to twenty seconds of real time, and a
/// round may meet several.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(3);

fn is_write(operation: &str) -> bool {
    ["create", "update", "delete", "add", "remove", "complete"].iter().any(|verb| operation.ends_with(verb))
}

/// Compiled components are shared by all hosts of the torture: compiling them anew would be most of what a seed does. They are
/// authenticated by the host's key, so that is shared as well. Answers lines for the configuration.
fn shared_cache(dir: &Path) -> Result<String> {
    let shared = crate::artefacts::profile_dir()?.join("torture-components");
    std::fs::create_dir_all(&shared)?;
    let (own, common) = (dir.join(KEY), shared.join(KEY));
    // The first host gives its key to all others; a link is made by one of those that come at once.
    if std::fs::hard_link(&own, &common).is_err() {
        std::fs::remove_file(&own)?;
        std::fs::copy(&common, &own)?;
    }
    Ok(format!("\n[runtime]\naot-cache = '{}'\n", shared.join("aot").display()))
}
