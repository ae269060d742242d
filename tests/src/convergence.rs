//! Everything at once: five connections on one workspace, people who edit on all sides at random, and faults. Afterwards
//! all sides have to agree, nothing may be there twice, and the writes have to be in proportion to the edits.

mod agreement;
mod edits;

use anyhow::{Context as _, Result, ensure};
use contactor_engine::{ConnectionView, EngineConfig};
use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault, Order};
use contactor_sandbox::random::Random;
use contactor_store::WorkspaceId;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::engine::{Stand, WORKSPACE};
use crate::partners;

/// Edits between two deliveries of what they set off.
const BATCH: usize = 25;

/// What was seen.
#[derive(Clone, Debug)]
pub struct Report {
    /// Contacts at the beginning.
    pub contacts: usize,
    /// Edits by people, on any side.
    pub edits: usize,
    /// Requests that a fault struck.
    pub faults: u64,
    /// Writes that brought everybody over to the partners at the beginning.
    pub first_writes: u64,
    /// Writes of the host that the edits set off.
    pub writes: u64,
    /// Writes after everything had come to rest.
    pub late_writes: u64,
    /// Records that wait for a person.
    pub parked: Vec<String>,
    /// Records on which two sides differ.
    pub differing: Vec<String>,
    /// Things that are there twice.
    pub doubled: Vec<String>,
    /// Mails and messages that partners sent to people: no setting asks for any.
    pub mailed: Vec<String>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let each = self.writes as f64 / self.edits.max(1) as f64;
        write!(
            f,
            "{} contacts, {} edits, {} faults: {} writes to begin with, {} for the edits ({each:.1} each), {} at rest; {} \
             differ, {} doubled, {} parked",
            self.contacts,
            self.edits,
            self.faults,
            self.first_writes,
            self.writes,
            self.late_writes,
            self.differing.len(),
            self.doubled.len(),
            self.parked.len()
        )
    }
}

/// Plays so many contacts and edits.
///
/// # Errors
/// When a part does not start, or does not come to rest.
pub async fn play(contacts: usize, edits: usize, seed: u64) -> Result<Report> {
    let mut world = World::start(contacts, seed).await?;
    let first_writes = world.writes();
    world.faults_on();
    for done in 0..edits {
        world.edit(done)?;
        if done % BATCH == BATCH - 1 {
            world.stand.settle_in(Order::Shuffled).await?;
        }
    }
    world.stand.settle_in(Order::Shuffled).await?;
    let faults = world.faults_off();
    world.rest().await?;
    let writes = world.writes() - first_writes;
    // Whoever corrected the other here would do so for ever.
    world.rest().await?;
    let late_writes = world.writes() - first_writes - writes;
    Ok(Report {
        contacts,
        edits,
        faults,
        first_writes,
        writes,
        late_writes,
        parked: world.parked().await?,
        differing: world.differing().await?,
        doubled: world.doubled(),
        mailed: world.mailed(),
    })
}

struct World {
    stand: Stand,
    connections: Vec<ConnectionView>,
    location: String,
    random: Random,
    /// Contacts of HighLevel with the email that all sides know them by.
    people: Vec<(String, String)>,
}

impl World {
    async fn start(contacts: usize, seed: u64) -> Result<Self> {
        let mut config = partners::sandbox();
        config.seed = seed;
        config.recent_requests = 0;
        config.prefinery.limited = false;
        config.formbuilder.daily_quota = None;
        config.connectif.limit = None;
        config.referrizer.guesses.per_minute = None;
        // Thousands of edits within an hour are the story here, and no accident.
        let own = EngineConfig { guard_records: 0, ..EngineConfig::default() };
        let stand = Stand::serve_engine(config, own).await?;
        let location = stand.sandbox.highlevel().first_location();
        let mut connections = Vec::new();
        for partner in partners::all(&stand.sandbox) {
            connections.push(partners::connect(&stand, partner).await?);
        }
        stand.walk().await?;
        let mut world =
            Self { stand, connections, location, random: Random::new(seed, "edits"), people: Vec::new() };
        for number in 0..contacts {
            world.meet(number)?;
            if number % 100 == 99 {
                world.stand.settle().await?;
            }
        }
        world.stand.settle().await?;
        world.rest().await?;
        Ok(world)
    }

    /// A contact with a tag, a task and a note.
    fn meet(&mut self, number: usize) -> Result<()> {
        let email = format!("person{number}@example.com");
        let fields = json!({
            "firstName": format!("First{number}"), "lastName": "Last", "email": email,
            "phone": format!("+1907555{:04}", number % 10_000), "tags": [format!("team {}", number % 7)],
        });
        let contact = self.highlevel(PersonAct::CreateContact { fields })?;
        let id = contact["id"].as_str().context("a contact without an id")?.to_owned();
        self.new_task(&id, &format!("Call {number}"))?;
        let fields = json!({ "body": format!("Met at fair {number}") });
        self.highlevel(PersonAct::CreateNote { contact: id.clone(), fields })?;
        self.people.push((id, email));
        Ok(())
    }

    fn highlevel(&self, act: PersonAct) -> Result<Value> {
        Ok(self.stand.sandbox.highlevel().act(&self.location, act)?)
    }

    fn new_task(&self, contact: &str, title: &str) -> Result<Value> {
        let fields = json!({ "title": title, "dueDate": "2026-12-01T09:00:00Z", "completed": false });
        self.highlevel(PersonAct::CreateTask { contact: contact.to_owned(), fields })
    }

    /// One request in forty fails, half of them after their effect; some webhooks come twice, late or never.
    fn faults_on(&self) {
        let effects = [
            Effect::refuse(503),
            Effect::lie(502),
            Effect::Drop { after: false },
            Effect::Drop { after: true },
        ];
        let faults = self.stand.sandbox.faults();
        let when = When::Probability(0.005);
        for effect in effects {
            faults.add(Fault { operation: "*".to_owned(), effect, when, skip: 0 });
        }
        // HighLevel's client waits for its quota in real time, which proves nothing here.
        for partner in ["connectif.*", "formbuilder.*", "pheedloop.*", "prefinery.*", "referrizer.*"] {
            faults.add(Fault {
                operation: partner.to_owned(),
                effect: Effect::TooManyRequests,
                when,
                skip: 0,
            });
        }
        for outbox in self.stand.sandbox.outboxes() {
            for effect in [DeliveryEffect::Copies(3), DeliveryEffect::Delay(90), DeliveryEffect::Drop] {
                outbox.add_fault(DeliveryFault { event: "*".to_owned(), times: 20, effect });
            }
        }
    }

    /// Answers how many requests were struck.
    fn faults_off(&self) -> u64 {
        self.stand.sandbox.faults().clear();
        for outbox in self.stand.sandbox.outboxes() {
            outbox.clear_faults();
        }
        self.stand.sandbox.faults().struck()
    }

    /// Long enough for everything that is found without a webhook.
    async fn rest(&self) -> Result<()> {
        for _ in 0..3 {
            self.stand.sandbox.highlevel().refresh_index();
            self.stand.advance(SignedDuration::from_hours(25));
            self.stand.walk().await?;
        }
        Ok(())
    }

    /// Requests that changed something at a double. People act without requests.
    fn writes(&self) -> u64 {
        let counts = self.stand.sandbox.recorder().counts();
        counts.iter().filter(|(name, _)| is_write(name)).map(|(_, count)| count.carried_out).sum()
    }

    async fn parked(&self) -> Result<Vec<String>> {
        let parked = self.stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await?;
        Ok(parked.into_iter().map(|one| format!("{:?}: {}", one.key, one.reason)).collect())
    }
}

/// Whether an operation of a double changes something.
fn is_write(operation: &str) -> bool {
    // Logins, jobs that export, and subscriptions change no record.
    let aside = [".oauth.", ".exports.", ".files.", ".resthooks.", ".unknown"];
    let reads = ["get", "list", "search", "duplicate", "by_business", "of_contact", "fields", "rows"];
    let name = operation.rsplit('.').next().unwrap_or_default();
    !aside.iter().any(|part| operation.contains(part)) && !reads.contains(&name)
}

/// Asserts what has to hold.
///
/// # Errors
/// With what does not hold.
pub fn check(report: &Report, writes_per_edit: u64) -> Result<()> {
    let show = |list: &[String]| list.iter().take(5).cloned().collect::<Vec<_>>().join("\n  ");
    ensure!(report.differing.is_empty(), "sides differ:\n  {}", show(&report.differing));
    ensure!(report.doubled.is_empty(), "there twice:\n  {}", show(&report.doubled));
    ensure!(report.mailed.is_empty(), "people were written to:\n  {}", show(&report.mailed));
    ensure!(report.parked.is_empty(), "parked:\n  {}", show(&report.parked));
    ensure!(report.late_writes == 0, "{} writes although nothing had changed", report.late_writes);
    let bound = report.edits as u64 * writes_per_edit;
    ensure!(report.writes <= bound, "{} writes for {} edits, more than {bound}", report.writes, report.edits);
    ensure!(report.faults > 0 || report.edits < 50, "no fault struck, so nothing was proved");
    Ok(())
}
