//! The guard against mass changes: a mapping or data that went wrong is stopped after some records and not after all.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]
#![expect(clippy::cast_possible_truncation, reason = "counts of some dozens of people")]

use std::collections::BTreeSet;

use contactor_engine::{Allow, EngineConfig, EngineError, GuardReport, ParkedAction, Released, Unsure};
use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_store::{
    AlertKind, ConnectionId, ConnectionState, FailureClass, LinkState, RecordId, RunFilter, RunOutcome, Side,
    WorkspaceId,
};
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::host::Host;
use contactor_tests::{artefacts, partners};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::process::Command;

/// More than are worked on at the same time.
const PEOPLE: usize = 60;
const LIMIT: u64 = 15;

struct World {
    stand: Stand,
    connection: ConnectionId,
    location: String,
    project: u64,
}

impl World {
    /// People who are linked, and a guard that lets a few of them be changed.
    async fn set() -> Self {
        Self::set_with(json!({})).await
    }

    /// With settings of the connection.
    async fn set_with(settings: Value) -> Self {
        let engine = EngineConfig {
            guard_records: u32::try_from(LIMIT).unwrap(),
            guard_percent: 10,
            // All at once, so that only the guard keeps them from passing the limit together.
            concurrency_per_workspace: 64,
            ..EngineConfig::default()
        };
        let stand = Stand::serve_engine(partners::sandbox(), engine).await.unwrap();
        let project = stand.sandbox.prefinery().first_project();
        let mut partner = partners::prefinery(&stand.sandbox);
        for (name, value) in settings.as_object().unwrap() {
            partner.settings[name] = value.clone();
        }
        let connection = partners::connect(&stand, partner).await.unwrap().id;
        let location = stand.sandbox.highlevel().first_location();
        let world = Self { stand, connection, location, project };
        for number in 0..PEOPLE {
            let fields =
                json!({ "firstName": "Ann", "lastName": "Lee", "email": format!("ann{number}@example.com") });
            world
                .stand
                .sandbox
                .highlevel()
                .act(&world.location, PersonAct::CreateContact { fields })
                .unwrap();
        }
        world.settle().await;
        assert_eq!(world.named("Lee"), PEOPLE, "a first sync creates as many as there are");
        assert_eq!(world.guard().await.stopped, None);
        world
    }

    async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }

    async fn guard(&self) -> GuardReport {
        self.stand.engine.guard(&self.connection).await.unwrap()
    }

    /// The first so many people's ids in HighLevel, the same ones whatever was changed.
    fn contacts(&self, people: usize) -> Vec<String> {
        let mut contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        contacts.sort_by_key(|contact| contact["email"].as_str().map(str::to_owned));
        let ids = contacts.iter().take(people);
        ids.map(|contact| contact["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Somebody gives so many of them another last name in HighLevel.
    fn rename(&self, name: &str, people: usize) {
        for contact in self.contacts(people) {
            let fields = json!({ "lastName": name });
            let act = PersonAct::EditContact { contact, fields };
            self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
        }
    }

    /// Somebody gives so many of them another first name at the partner.
    fn rename_at_partner(&self, name: &str, people: usize) {
        for tester in self.stand.sandbox.prefinery().testers(self.project).iter().take(people) {
            let tester = tester["id"].to_string();
            let act = ProjectAct::EditTester { tester, fields: json!({ "profile": { "first_name": name } }) };
            self.stand.sandbox.prefinery().act(self.project, act).unwrap();
        }
    }

    /// Testers of the partner with this last name.
    fn named(&self, name: &str) -> usize {
        let testers = self.stand.sandbox.prefinery().testers(self.project);
        testers.iter().filter(|tester| tester["profile"]["last_name"] == name).count()
    }

    fn updates(&self) -> u64 {
        self.stand.sandbox.recorder().requests("prefinery.testers.update")
    }

    /// Somebody makes a task for so many people.
    fn give_tasks(&self, title: &str, people: usize) {
        for contact in self.contacts(people) {
            let fields = json!({ "title": title, "dueDate": "2030-01-01T09:00:00Z", "completed": false });
            let act = PersonAct::CreateTask { contact, fields };
            self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
        }
    }

    fn notes(&self) -> usize {
        let notes = |id: &String| self.stand.sandbox.highlevel().notes(&self.location, id).len();
        self.contacts(PEOPLE).iter().map(notes).sum()
    }

    /// Pairs that were given up.
    async fn unlinked(&self) -> u64 {
        let links = self.stand.engine.store().links(&self.connection, "contact", None, 1_000).await.unwrap();
        links.iter().filter(|link| link.state == LinkState::PartnerDeleted).count() as u64
    }

    /// The classes of the runs that did not end well.
    async fn failures(&self) -> BTreeSet<FailureClass> {
        let runs = self.stand.engine.runs(RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap();
        runs.iter().filter_map(|run| run.class).collect()
    }

    async fn state(&self) -> (ConnectionState, String) {
        let view = self.stand.engine.connection(&self.connection).await.unwrap();
        (view.state, view.state_reason.unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mass_change_stops_after_exactly_what_is_allowed_and_a_person_lets_it_go_on() {
    let world = World::set().await;
    let before = world.updates();
    world.rename("Wrong", PEOPLE);
    world.settle().await;
    // Runs beside each other do not pass the limit together.
    assert_eq!((world.named("Wrong") as u64, world.updates() - before), (LIMIT, LIMIT));
    let (state, reason) = world.state().await;
    assert_eq!(state, ConnectionState::Paused);
    for part in [
        "mass-change guard",
        "15 of 60 linked records",
        "Prefinery",
        "60 minutes",
        "contactor guard allow acme prefinery",
    ] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let engine = &world.stand.engine;
    let workspace = WorkspaceId::new(WORKSPACE);
    assert_eq!(engine.parked(&workspace).await.unwrap(), [], "what comes waits");
    let report = world.guard().await;
    assert_eq!((report.guarded.at_partner, report.limit, report.waiting), (LIMIT, Some(LIMIT), 45));
    assert_eq!(report.latest.len(), 10);
    let failed = RunFilter { outcome: Some(RunOutcome::Parked), limit: 100, ..RunFilter::default() };
    assert!(engine.runs(failed).await.unwrap().is_empty());
    let failures = world.failures().await;
    assert!(
        failures.contains(&FailureClass::Guard) && !failures.contains(&FailureClass::Quota),
        "{failures:?}"
    );

    // Whoever decides can look at what would be done.
    let preview = engine.preview(&world.connection, 100).await.unwrap();
    assert_eq!(preview.updates, 45, "{preview:#?}");

    // Enabling it again is no permission.
    partners::connect(&world.stand, partners::prefinery(&world.stand.sandbox)).await.unwrap();
    world.settle().await;
    assert_eq!((world.state().await.0, world.updates() - before), (ConnectionState::Paused, LIMIT));

    // So many more and not one beyond: whoever tries it on five does not want to meet a whole limit more.
    engine.allow_changes(&world.connection, Allow::Records(5)).await.unwrap();
    world.settle().await;
    assert_eq!((world.named("Wrong") as u64, world.state().await.0), (LIMIT + 5, ConnectionState::Paused));
    engine.allow_changes(&world.connection, Allow::Waiting).await.unwrap();
    world.settle().await;
    assert_eq!((world.named("Wrong"), world.state().await.0), (PEOPLE, ConnectionState::Enabled));
    assert_eq!((world.updates() - before) as usize, PEOPLE, "none was written twice");
    let nothing = engine.allow_changes(&world.connection, Allow::Waiting).await.unwrap_err();
    assert!(nothing.to_string().contains("say how many"), "{nothing}");
    // What was meant leaves room for the edits of the same hour.
    world.rename("Meant", 5);
    world.settle().await;
    assert_eq!((world.named("Meant"), world.state().await.0), (5, ConnectionState::Enabled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_records_may_be_changed_again_and_one_more_may_not() {
    let world = World::set().await;
    for name in ["Once", "Twice", "Thrice"] {
        world.rename(name, LIMIT as usize);
        world.settle().await;
        assert_eq!((world.named(name) as u64, world.state().await.0), (LIMIT, ConnectionState::Enabled));
    }
    assert_eq!(world.guard().await.guarded.at_partner, LIMIT);
    world.rename("Beyond", LIMIT as usize + 1);
    world.settle().await;
    // Whoever was changed before and had not begun when the one beyond stopped the connection waits with it.
    assert!(world.named("Beyond") as u64 <= LIMIT, "{}", world.named("Beyond"));
    assert_eq!(world.state().await.0, ConnectionState::Paused);
    assert_eq!(world.guard().await.guarded.at_partner, LIMIT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_that_refuses_everything_does_not_hide_what_is_rewritten_in_highlevel() {
    let world = World::set().await;
    world.stand.sandbox.faults().add(Fault {
        operation: "prefinery.testers.update".to_owned(),
        effect: Effect::refuse(422),
        when: When::Always,
        skip: 0,
    });
    world.rename("Kept", PEOPLE);
    world.rename_at_partner("Wrong", PEOPLE);
    world.settle().await;
    let contacts = world.stand.sandbox.highlevel().contacts(&world.location);
    let wrong = contacts.iter().filter(|contact| contact["firstName"] == "Wrong").count();
    assert_eq!((wrong as u64, world.named("Kept")), (LIMIT, 0));
    let (state, reason) = world.state().await;
    assert!(state == ConnectionState::Paused && reason.contains("in HighLevel"), "{reason}");
    let guarded = world.guard().await.guarded;
    assert_eq!((guarded.in_highlevel, guarded.at_partner), (LIMIT, 0), "what was refused is no change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_preview_nor_what_a_person_asks_for_is_counted() {
    let world = World::set().await;
    let engine = &world.stand.engine;
    world.rename("Asked", PEOPLE);
    // HighLevel's search shows what was written a while ago.
    world.stand.advance(SignedDuration::from_mins(5));
    let preview = engine.preview(&world.connection, 100).await.unwrap();
    assert_eq!(preview.updates as usize, PEOPLE, "{preview:#?}");
    assert_eq!((world.guard().await.guarded.at_partner, world.named("Asked")), (0, 0));
    for contact in world.contacts(PEOPLE) {
        let contact = RecordId::new(contact);
        engine.sync_record(&world.connection, "contact", Side::Highlevel, &contact).await.unwrap();
    }
    world.settle().await;
    assert_eq!((world.named("Asked"), world.state().await.0), (PEOPLE, ConnectionState::Enabled));
    assert_eq!(world.guard().await.guarded.at_partner, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_parked_that_is_done_again_at_once_is_counted_and_done_from_the_present_state() {
    let world = World::set().await;
    world.stand.sandbox.faults().add(Fault {
        operation: "prefinery.testers.update".to_owned(),
        effect: Effect::refuse(422),
        when: When::Always,
        skip: 0,
    });
    world.rename("Refused", PEOPLE);
    world.settle().await;
    let engine = &world.stand.engine;
    let parked = engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    assert_eq!((parked.len(), world.guard().await.guarded.at_partner), (PEOPLE, 0));
    world.stand.sandbox.faults().clear();
    world.rename("Present", PEOPLE);
    world.stand.sandbox.highlevel().webhooks().clear();

    let released =
        engine.release_all(&world.connection, ParkedAction::Retry, Unsure::LeaveOut).await.unwrap();
    assert_eq!((released.released as usize, released.left_out), (PEOPLE, 0));
    world.settle().await;
    assert_eq!((world.named("Present") as u64, world.named("Refused")), (LIMIT, 0));
    assert_eq!(world.state().await.0, ConnectionState::Paused);
    assert_eq!(
        engine.release_all(&world.connection, ParkedAction::Retry, Unsure::LeaveOut).await.unwrap(),
        Released::default(),
        "once is enough"
    );
    engine.allow_changes(&world.connection, Allow::Waiting).await.unwrap();
    world.settle().await;
    assert_eq!((world.named("Present"), world.state().await.0), (PEOPLE, ConnectionState::Enabled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stopped_a_connection_in_words_like_the_guards_is_not_the_guard() {
    let world = World::set().await;
    let words = "stopped by the mass-change guard: or so says a connector".to_owned();
    let store = world.stand.engine.store();
    store.set_connection_state(&world.connection, ConnectionState::Paused, Some(words)).await.unwrap();
    assert_eq!(world.guard().await.stopped, None);
    let refused = world.stand.engine.allow_changes(&world.connection, Allow::Records(1)).await.unwrap_err();
    assert!(matches!(refused, EngineError::Conflict(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_in_which_everything_is_gone_does_not_unlink_everybody() {
    let world = World::set().await;
    for tester in world.stand.sandbox.prefinery().testers(world.project) {
        let act = ProjectAct::DeleteTester { tester: tester["id"].to_string() };
        world.stand.sandbox.prefinery().act(world.project, act).unwrap();
    }
    world.stand.engine.start_sync(&world.connection, true).await.unwrap();
    world.stand.walk().await.unwrap();
    world.settle().await;
    assert_eq!((world.unlinked().await, world.state().await.0), (LIMIT, ConnectionState::Paused));
    let report = world.guard().await;
    assert_eq!((report.guarded.in_highlevel, report.guarded.links), (LIMIT, PEOPLE as u64 - LIMIT));
    let reason = report.stopped.unwrap();
    assert!(reason.contains("lost their record in Prefinery"), "{reason}");
    assert_eq!(world.contacts(PEOPLE).len(), PEOPLE);

    // It was meant.
    world.stand.engine.allow_changes(&world.connection, Allow::All).await.unwrap();
    world.settle().await;
    assert_eq!((world.unlinked().await, world.state().await.0), (PEOPLE as u64, ConnectionState::Enabled));
    assert_eq!(world.contacts(PEOPLE).len(), PEOPLE, "nothing was deleted with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_writes_to_everybody_is_stopped_and_goes_on_where_it_was_and_new_people_do_not_count() {
    let rule = json!({
        "name": "note", "on": ["TaskCreate"], "do": [{ "add-note": { "title": "Rule", "body": "For {{ contact_id }}" } }]
    });
    let world = World::set_with(json!({ "rules": [rule] })).await;
    // They were linked a moment ago: whoever is new may be greeted.
    world.give_tasks("Greet", PEOPLE);
    world.settle().await;
    assert_eq!((world.notes(), world.state().await.0), (PEOPLE, ConnectionState::Enabled));
    assert_eq!(world.guard().await.guarded.in_highlevel, 0);

    world.stand.advance(SignedDuration::from_mins(61));
    world.give_tasks("Call", PEOPLE);
    world.settle().await;
    assert_eq!((world.notes() - PEOPLE) as u64, LIMIT);
    let (state, reason) = world.state().await;
    assert!(state == ConnectionState::Paused && reason.contains("in HighLevel"), "{reason}");
    let engine = &world.stand.engine;
    assert_eq!(engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap(), [], "what comes waits");
    let failures = world.failures().await;
    assert!(
        failures.contains(&FailureClass::Guard) && !failures.contains(&FailureClass::GuestBug),
        "{failures:?}"
    );
    let report = world.guard().await;
    assert_eq!(report.guarded.in_highlevel, LIMIT);
    assert!(report.waiting >= PEOPLE as u64 - LIMIT, "{report:?}");

    engine.allow_changes(&world.connection, Allow::Waiting).await.unwrap();
    world.settle().await;
    assert_eq!((world.notes(), world.state().await.0), (2 * PEOPLE, ConnectionState::Enabled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_that_went_wrong_is_stopped_told_and_reversed_with_little_harm() {
    let world = World::set().await;
    let engine = &world.stand.engine;
    // Everybody is called the same from now on, says a row.
    let row = json!({
        "highlevel": "lastName", "partner": "profile.last_name", "direction": "to-partner", "to_partner": "'NONE'"
    });
    engine.set_mapping_row(&world.connection, "contact", row).await.unwrap();
    engine.start_sync(&world.connection, true).await.unwrap();
    world.stand.walk().await.unwrap();
    assert_eq!(world.named("NONE") as u64, LIMIT);
    world.stand.walk().await.unwrap();
    // What is wrong is looked at once a minute.
    world.stand.advance(SignedDuration::from_mins(1));
    world.stand.walk().await.unwrap();
    let alerts = engine.alerts(&WorkspaceId::new(WORKSPACE)).await.unwrap().alerts;
    assert!(alerts.iter().any(|alert| alert.kind == AlertKind::MassChange), "{alerts:#?}");
    // It was meant after all.
    let report = engine.allow_changes(&world.connection, Allow::All).await.unwrap();
    assert_eq!((report.guarded.allowed as usize, report.guarded.at_partner), (PEOPLE, 0));
    world.stand.walk().await.unwrap();
    assert_eq!((world.named("NONE"), world.state().await.0), (PEOPLE, ConnectionState::Enabled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_forgets_nothing_of_the_count() {
    let sandbox = Sandbox::start(SandboxConfig::free_of_cost()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = "[engine]\nguard-records = 15\nguard-percent = 0\nsweep-interval = 0\n";
    Host::init(dir.path(), &sandbox, config).await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    let connection = host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let location = sandbox.highlevel().first_location();
    for number in 0..PEOPLE {
        let fields =
            json!({ "firstName": "Ann", "lastName": "Lee", "email": format!("ann{number}@example.com") });
        sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    }
    let project = sandbox.prefinery().first_project();
    let named = |name: &str| {
        let testers = sandbox.prefinery().testers(project);
        testers.iter().filter(|tester| tester["profile"]["last_name"] == name).count()
    };
    host.until("everybody is linked", async || Ok(named("Lee") == PEOPLE)).await.unwrap();
    let rename = |name: &str, people: usize| {
        for contact in sandbox.highlevel().contacts(&location).iter().take(people) {
            let contact = contact["id"].as_str().unwrap().to_owned();
            let fields = json!({ "lastName": name });
            sandbox.highlevel().act(&location, PersonAct::EditContact { contact, fields }).unwrap();
        }
    };
    rename("Once", 10);
    let path = "/workspaces/acme/connections/prefinery/guard";
    host.until("ten are changed", async || Ok(host.get(path).await?["changed_at_partner"] == 10))
        .await
        .unwrap();
    host.kill9().await.unwrap();

    let host = Host::start(dir.path()).await.unwrap();
    host.aim(&sandbox, &connection).unwrap();
    rename("Twice", PEOPLE);
    host.until("the guard stops it", async || Ok(!host.get(path).await?["stopped"].is_null())).await.unwrap();
    let stops = host.counter("contactor_guard_stops_total").await.unwrap();
    assert!((stops - 1.0).abs() < f64::EPSILON, "{stops}");
    // Those that were changed before are no others; of new ones there were five more.
    assert_eq!(host.get(path).await.unwrap()["changed_at_partner"], 15);
    assert!((5..=15).contains(&named("Twice")), "{}", named("Twice"));
    let cli = |arguments: &'static [&'static str]| {
        let mut command = Command::new(artefacts::binary("contactor").unwrap());
        command.arg("--config").arg(host.config()).args(["--server", host.url()]).args(arguments);
        async move {
            let output = command.output().await.unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        }
    };
    let (code, text) = cli(&["guard", "show", "acme", "prefinery"]).await;
    assert!(code == Some(0) && text.contains("15 of 15 within 60 minutes"), "{text}");
    let (code, text) = cli(&["guard", "show", "acme"]).await;
    assert!(code == Some(0) && text.contains("acme/prefinery") && text.contains("stopped"), "{text}");
    let (code, _) = cli(&["guard", "allow", "acme", "prefinery", "--records", "5", "--all"]).await;
    assert_eq!(code, Some(2), "a number and all exclude each other");
    let both = json!({ "records": 5, "all": true });
    let refused = host.post(&format!("{path}/allow"), &both).await.unwrap_err();
    assert!(refused.to_string().contains("exclude each other"), "{refused:#}");
    let (code, text) = cli(&["--json", "guard", "allow", "acme", "prefinery", "--records", "100"]).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(code == Some(0) && answer["stopped"].is_null(), "{text}");
    host.until("the rest follows", async || Ok(named("Twice") == PEOPLE)).await.unwrap();
    let (code, _) = cli(&["guard", "show", "acme", "nobody"]).await;
    assert_eq!(code, Some(5), "there is no such connection");
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_a_day_never_stop_anything() {
    let world = World::set().await;
    for hour in 0..4 {
        world.rename(&format!("Hour {hour}"), 12);
        world.settle().await;
        world.stand.advance(SignedDuration::from_mins(61));
    }
    assert_eq!((world.named("Hour 3"), world.state().await.0), (12, ConnectionState::Enabled));
    // The other side is counted by itself.
    world.rename_at_partner("Bo", 12);
    world.rename("Again", 12);
    world.settle().await;
    assert_eq!((world.named("Again"), world.state().await.0), (12, ConnectionState::Enabled));
    let report = world.guard().await;
    assert_eq!((report.guarded.in_highlevel, report.guarded.at_partner), (12, 12));
    world.stand.engine.disable_connection(&world.connection).await.unwrap();
    let refused = world.stand.engine.allow_changes(&world.connection, Allow::Records(1)).await.unwrap_err();
    assert!(matches!(refused, EngineError::Conflict(_)), "{refused}");
}
