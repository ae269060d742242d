//! Webhooks come when they like: every kind that a connector's manifest names, delivered five times and in any order, leaves both
//! sides as if each had come once and in its order.
//!
//! Stands that are equal see the same things happen before any webhook of it leaves. What differs is the delivery alone, so whatever
//! differs in the end is a fault: records of either side, tags, tasks, notes, visits, mails, and how often each rule ran.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::collections::BTreeMap;

use contactor_engine::{CatalogueEntry, CatalogueKind, CatalogueWay, ConnectionView, catalogue};
use contactor_highlevel::http;
use contactor_sandbox::SandboxError;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault, Order};
use contactor_sandbox::pheedloop::Envelope;
use contactor_store::{RunFilter, RunKind, RunOutcome};
use contactor_tests::engine::Stand;
use contactor_tests::{artefacts, partners};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// How webhooks are delivered: as they should be, and as they may be.
const WAYS: [(u32, Order); 3] = [(1, Order::Queued), (5, Order::Shuffled), (5, Order::Reversed)];

/// Webhooks that a connector's manifest names as triggers, of the partner and of HighLevel.
fn webhooks(connector: &str) -> Vec<CatalogueEntry> {
    let component = artefacts::component(connector).unwrap();
    let mut entries = catalogue::of_connector(&catalogue::read_manifest(&component).unwrap());
    entries.retain(|entry| entry.kind == CatalogueKind::Trigger);
    entries
        .retain(|entry| matches!(entry.way, CatalogueWay::PartnerWebhook | CatalogueWay::HighlevelWebhook));
    entries
}

/// Whether the record is gone after it.
fn is_deletion(trigger: &CatalogueEntry) -> bool {
    trigger.name.ends_with("deleted")
}

/// Whether the partner's record was changed, by whomever.
fn is_update(trigger: &CatalogueEntry) -> bool {
    trigger.name.ends_with("updated")
}

struct World {
    stand: Stand,
    connection: ConnectionView,
    connector: String,
    location: String,
    copies: u32,
}

impl World {
    /// A connection with a rule on each of its webhooks but deletions, which leaves a tag and mostly a task and a note; and two records
    /// that both sides have.
    async fn new(connector: &str, copies: u32) -> Self {
        let stand = Stand::serve_with(partners::sandbox()).await.unwrap();
        // Of the bodies that a REST hook may have, the one that names its action.
        let mut guesses = stand.sandbox.pheedloop().guesses();
        guesses.envelope = Envelope::Named;
        stand.sandbox.pheedloop().set_guesses(guesses);
        let all = partners::all(&stand.sandbox);
        let mut partner = all.into_iter().find(|partner| partner.component == connector).unwrap();
        let rule = |trigger: CatalogueEntry| {
            let name = &trigger.name;
            let mut effects = vec![json!({ "add-tags": [name] })];
            // The list of tasks is a part of the partner's record: it would be updated, and with it the list of tasks.
            if !is_update(&trigger) {
                effects.push(json!({ "create-task": { "title": format!("Task of {name}") } }));
                effects.push(json!({ "add-note": { "body": format!("Note of {name}") } }));
            }
            json!({ "name": name, "on": [name], "do": effects })
        };
        partner.settings["rules"] = webhooks(connector).into_iter().map(rule).collect();
        let connection = partners::connect(&stand, partner).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let world = Self { stand, connection, connector: connector.to_owned(), location, copies };
        if connector == "pheedloop" {
            let (event, endpoint) = (
                world.stand.sandbox.pheedloop().first_event(),
                world.stand.webhook_url(&world.connection).unwrap(),
            );
            for action in ["registration.updated", "checkin.created"] {
                let hook = json!({ "event": event, "action": action, "endpoint": endpoint });
                world.stand.run(&world.connection.id, "resthooks.subscribe", &hook).await.unwrap();
            }
        }
        world.later().await;
        for _ in 0..2 {
            let created = match connector {
                "connectif" => "contact.created",
                "formbuilder" => "submission",
                "pheedloop" => "signup",
                "prefinery" => "tester_created",
                _ => "lead_created",
            };
            world.by_partner(created).unwrap();
            world.stand.settle().await.unwrap();
            world.later().await;
        }
        for outbox in world.stand.sandbox.outboxes() {
            outbox.clear();
            let effect = DeliveryEffect::Copies(copies);
            outbox.add_fault(DeliveryFault { event: "*".into(), times: u32::MAX, effect });
        }
        world
    }

    fn by_partner(&self, trigger: &str) -> Result<Value, SandboxError> {
        let sandbox = &self.stand.sandbox;
        match self.connector.as_str() {
            "connectif" => sandbox.connectif().emit(trigger),
            "formbuilder" => sandbox.formbuilder().emit(sandbox.formbuilder().first_form(), trigger),
            "pheedloop" => sandbox.pheedloop().emit(trigger),
            "prefinery" => sandbox.prefinery().emit(sandbox.prefinery().first_project(), trigger),
            _ => sandbox.referrizer().emit(trigger),
        }
    }

    /// It happens at its side; nothing is delivered yet, unless the double has no sender.
    async fn happen(&self, trigger: &CatalogueEntry) {
        if trigger.way == CatalogueWay::HighlevelWebhook {
            let highlevel = self.stand.sandbox.highlevel();
            highlevel.emit(&self.location, &trigger.name, trigger.example.clone()).unwrap();
        } else if (self.connector.as_str(), trigger.name.as_str()) == ("pheedloop", "attendee.created") {
            // An attendee that somebody else created is a sign-up.
            let fields = json!({ "firstName": "Ann", "email": "ann@example.com" });
            self.stand.sandbox.highlevel().act(&self.location, PersonAct::CreateContact { fields }).unwrap();
        } else if self.by_partner(&trigger.name).is_err() {
            // Referrizer sends none that is known: whoever knows a contact's id may post it.
            let mut contacts = self.stand.sandbox.referrizer().contacts();
            contacts.sort_by_key(|contact| contact["email"].to_string());
            let hint = json!({ "contactId": contacts[0]["id"] }).to_string();
            let url = self.stand.webhook_url(&self.connection).unwrap();
            let client = http::client(&http::Options::default()).unwrap();
            for _ in 0..self.copies {
                let posted = client.post(&url).body(hint.clone()).send().await.unwrap();
                assert!(posted.status().is_success(), "{}", posted.status());
            }
        }
    }

    /// The polls and walks of the next hours find nothing else.
    async fn later(&self) {
        for _ in 0..2 {
            self.stand.advance(SignedDuration::from_hours(2));
            self.stand.walk().await.unwrap();
        }
    }

    /// Rules that were carried out, by what they did. Not on updates: those are told of the host's own writes as well, of which there
    /// are more or fewer as they are put together.
    async fn runs(&self) -> BTreeMap<String, usize> {
        let filter =
            RunFilter { connection: Some(self.connection.id.clone()), limit: 1_000, ..RunFilter::default() };
        let mut runs = BTreeMap::new();
        for run in self.stand.engine.runs(filter).await.unwrap() {
            let carried_out = run.kind == RunKind::Automation && run.outcome == RunOutcome::Applied;
            if carried_out && !run.summary.contains("updated: ") {
                *runs.entry(run.summary).or_default() += 1;
            }
        }
        runs
    }

    /// Both sides without what no two stands have in common: ids, instants.
    fn state(&self) -> Value {
        let (highlevel, sandbox) = (self.stand.sandbox.highlevel(), &self.stand.sandbox);
        let mut contacts = highlevel.contacts(&self.location);
        for contact in &mut contacts {
            let id = contact["id"].as_str().unwrap().to_owned();
            contact["tasks"] = json!(highlevel.tasks(&self.location, &id));
            contact["notes"] = json!(highlevel.notes(&self.location, &id));
        }
        let partner = match self.connector.as_str() {
            "connectif" => {
                let double = sandbox.connectif();
                json!([double.contacts(), double.messages(), double.events().len()])
            }
            "formbuilder" => {
                let double = sandbox.formbuilder();
                json!([double.submissions(double.first_form()), double.mails()])
            }
            "pheedloop" => {
                let double = sandbox.pheedloop();
                json!([double.attendees(&double.first_event()), double.welcomes()])
            }
            "prefinery" => {
                let double = sandbox.prefinery();
                json!([double.testers(double.first_project()), double.mails(double.first_project())])
            }
            _ => {
                let double = sandbox.referrizer();
                json!([double.contacts(), double.visits(), double.messages()])
            }
        };
        plain(&json!({
            "contacts": contacts,
            "appointments": highlevel.appointments(&self.location),
            "partner": partner,
        }))
    }
}

/// A value without ids and instants; lists are sorted, because their order tells when something came.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !is_own(name))
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(plain).collect();
            items.sort_by_key(Value::to_string);
            items.into()
        }
        // A field in which a partner keeps a list as a text.
        Value::String(text) if text.starts_with(['[', '{']) => {
            serde_json::from_str(text).map_or_else(|_| value.clone(), |inside| plain(&inside))
        }
        // What a double changes gets a value that was not there before: the instant.
        Value::String(text) if text.to_lowercase().starts_with("sample 1") => json!("Sample"),
        other => other.clone(),
    }
}

/// Whether a member differs from one stand to the other.
fn is_own(name: &str) -> bool {
    let name = name.to_lowercase();
    let ends =
        ["id", "at", "date", "due", "link", "activity", "timestamp"].iter().any(|end| name.ends_with(end));
    ends || name.starts_with("date") || ["code", "updated", "referral_code"].contains(&name.as_str())
}

/// The first lines in which two states differ.
fn difference(one: &Value, other: &Value) -> String {
    let lines = |value: &Value| -> Vec<String> {
        serde_json::to_string_pretty(value).unwrap().lines().map(str::to_owned).collect()
    };
    let (one, other) = (lines(one), lines(other));
    let only = |here: &[String], there: &[String], sign: char| -> Vec<String> {
        let mut there = there.to_vec();
        let mut only = Vec::new();
        for line in here {
            match there.iter().position(|own| own == line) {
                Some(at) => drop(there.remove(at)),
                None => only.push(format!("{sign} {}", line.trim())),
            }
        }
        only
    };
    [only(&one, &other, '-'), only(&other, &one, '+')].concat().join("\n")
}

/// These things happen, and their webhooks come in each of the ways.
async fn compare(connector: &str, happenings: &[CatalogueEntry], each_is_seen: bool) {
    let mut expected = None;
    for (copies, order) in WAYS {
        let world = World::new(connector, copies).await;
        for trigger in happenings {
            world.happen(trigger).await;
        }
        world.stand.settle_in(order).await.unwrap();
        world.later().await;
        let (state, runs) = (world.state(), world.runs().await);
        let parked = world.stand.engine.parked(&world.connection.workspace).await.unwrap();
        assert!(parked.is_empty(), "{connector}, {order:?}: {parked:#?}");
        let Some((first, first_runs)) = &expected else {
            // HighLevel writes tags in small letters.
            let tags = state["contacts"].to_string();
            let unseen = |name: &&str| !tags.contains(&json!(name.to_lowercase()).to_string());
            let unseen: Vec<&str> =
                happenings.iter().map(|trigger| trigger.name.as_str()).filter(unseen).collect();
            assert!(unseen.is_empty() || !each_is_seen, "{connector}: no rule saw {unseen:?}: {runs:#?}");
            expected = Some((state, runs));
            continue;
        };
        assert_eq!(
            first_runs,
            &runs,
            "{connector}, {copies} times, {order:?}: {}",
            difference(first, &state)
        );
        assert!(first == &state, "{connector}, {copies} times, {order:?}:\n{}", difference(first, &state));
    }
}

/// Everything that happens to records that stay.
async fn of_records_that_stay(connector: &str) {
    let mut happenings = webhooks(connector);
    happenings.retain(|trigger| !is_deletion(trigger));
    assert!(!happenings.is_empty());
    compare(connector, &happenings, true).await;
}

/// Everything happens to a record, and it is gone before anybody was told.
async fn of_a_record_that_goes(connector: &str) {
    let happenings = webhooks(connector);
    assert!(happenings.iter().any(is_deletion));
    compare(connector, &happenings, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connectif_and_its_contacts_do_not_mind_how_webhooks_come() {
    of_records_that_stay("connectif").await;
    of_a_record_that_goes("connectif").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn formbuilder_and_its_submissions_do_not_mind_how_webhooks_come() {
    of_records_that_stay("formbuilder").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pheedloop_and_its_attendees_do_not_mind_how_webhooks_come() {
    of_records_that_stay("pheedloop").await;
    of_a_record_that_goes("pheedloop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefinery_and_its_testers_do_not_mind_how_webhooks_come() {
    of_records_that_stay("prefinery").await;
    of_a_record_that_goes("prefinery").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrizer_and_its_contacts_do_not_mind_how_webhooks_come() {
    of_records_that_stay("referrizer").await;
}
