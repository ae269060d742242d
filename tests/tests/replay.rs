//! Recorded runs are run again: with the component that ran they are exact, with another build they show where the two part, and
//! neither calls anybody.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_engine::{ConnectionView, EngineError, ReplayReport};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_store::{RecordId, Run, RunFilter, RunId, RunKind, RunOutcome, Side};
use contactor_tests::artefacts;
use contactor_tests::engine::{Partner, Stand};
use contactor_tests::host::Host;
use serde_json::{Value, json};

/// Another build of a component: one text of its code is another one of the same length.
fn rebuilt(component: &str, before: &str, after: &str) -> Vec<u8> {
    assert_eq!(before.len(), after.len());
    let mut bytes = artefacts::component(component).unwrap();
    let places: Vec<usize> = bytes
        .windows(before.len())
        .enumerate()
        .filter(|(_, window)| *window == before.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{before} is not in {component}");
    for at in places {
        bytes[at..at + after.len()].copy_from_slice(after.as_bytes());
    }
    bytes
}

/// A stand whose one connector does what its scripts say.
struct Scripted {
    stand: Stand,
    connection: ConnectionView,
    location: String,
    contact: String,
}

impl Scripted {
    async fn new(calls: Value) -> Self {
        let stand = Stand::serve().await.unwrap();
        let connection = stand.connect(partner(&stand, &calls)).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
        let saved = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let contact = saved["id"].as_str().unwrap().to_owned();
        stand.settle().await.unwrap();
        Self { stand, connection, location, contact }
    }

    fn act(&self, act: PersonAct) {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
    }

    async fn tagged(&self) -> Vec<Run> {
        self.act(PersonAct::AddTags { contact: self.contact.clone(), tags: vec!["vip".to_owned()] });
        self.stand.settle().await.unwrap();
        let filter =
            RunFilter { connection: Some(self.connection.id.clone()), limit: 100, ..RunFilter::default() };
        let runs = self.stand.engine.runs(filter).await.unwrap();
        let of_tag =
            |run: &Run| run.kind == RunKind::Automation && run.summary.starts_with("ContactTagUpdate");
        runs.into_iter().rev().filter(of_tag).collect()
    }
}

fn partner(stand: &Stand, calls: &Value) -> Partner {
    let script = json!({ "calls": calls }).to_string();
    Partner {
        component: "guest-operations".to_owned(),
        base_url: stand.sandbox.prefinery_url(),
        credentials: [("token".to_owned(), stand.sandbox.prefinery().api_key().to_owned())].into(),
        settings: json!({
            "scripts": { "ContactTagUpdate": script },
            "rules": [{ "name": "all", "on": ["ContactTagUpdate"], "do": [{ "add-tags": ["unused"] }] }],
        }),
        ..Partner::default()
    }
}

/// Replays a run, and makes sure that nobody was called and nothing was written.
async fn replay(stand: &Stand, run: &RunId, component: Option<Vec<u8>>) -> ReplayReport {
    let before = (stand.sandbox.recorder().requests(""), stand.records());
    let report = stand.engine.replay(run, component).await.unwrap();
    assert_eq!((stand.sandbox.recorder().requests(""), stand.records()), before, "a replay is offline");
    report
}

fn busy_script() -> Value {
    let contact = json!("$contact");
    let due = json!({ "title": "Call", "dueDate": "2030-01-01T09:00:00Z" });
    json!([
        { "function": "contacts.get", "input": { "id": contact } },
        { "function": "tasks.create", "input": { "contact-id": contact, "completed": false, "fields": due } },
        { "function": "state.compare-and-set", "input": { "key": "seen", "expected": 0, "value": "yes" } },
        { "function": "state.get", "input": { "key": "seen" } },
        { "function": "partner.send", "input": { "method": "get", "path": "/nowhere" } },
        { "function": "notes.get", "input": { "contact-id": contact, "id": "nobody" }, "try": true },
        { "function": "clock.now", "input": {} },
        { "function": "log.write", "input": { "level": "info", "message": "seen", "fields": { "times": 1 } } },
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_is_replayed_exactly_whatever_changed_since_and_calls_nobody() {
    let scripted = Scripted::new(busy_script()).await;
    let run = scripted.tagged().await.remove(0);
    assert_eq!(run.outcome, RunOutcome::Applied, "{}", run.summary);

    // The settings, the contact, the state and the time are others by now.
    scripted.stand.connect(partner(&scripted.stand, &json!([]))).await.unwrap();
    let fields = json!({ "firstName": "Grace" });
    scripted.act(PersonAct::EditContact { contact: scripted.contact.clone(), fields });
    scripted.stand.settle().await.unwrap();
    scripted.stand.advance(jiff::SignedDuration::from_hours(5));

    let report = replay(&scripted.stand, &run.id, None).await;
    assert!(report.same, "{report:#?}");
    assert_eq!(report.recorded, report.replayed);
    let [call] = report.calls.as_slice() else { panic!("{report:#?}") };
    assert_eq!((call.export.as_str(), call.matched), ("automations.handle", 6));
    let operations = ["contacts.get", "tasks.create", "state.compare-and-set", "state.get", "partner.send"];
    assert_eq!(call.recorded_calls[..5], operations);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attempt_of_a_handler_is_a_recording_of_its_own() {
    let scripted = Scripted::new(busy_script()).await;
    let effect = Effect::refuse(503);
    scripted.stand.sandbox.faults().add(Fault::next(1, "highlevel.tasks.create", effect));
    let runs = scripted.tagged().await;
    assert_eq!(runs.len(), 2, "{runs:#?}");
    for (run, matched) in runs.iter().zip([2, 6]) {
        let report = replay(&scripted.stand, &run.id, None).await;
        assert!(report.same, "{report:#?}");
        assert_eq!(report.calls[0].matched, matched, "{}", run.summary);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_build_shows_its_other_outcome() {
    let scripted = Scripted::new(busy_script()).await;
    let run = scripted.tagged().await.remove(0);
    let report =
        replay(&scripted.stand, &run.id, Some(rebuilt("guest-operations", " calls ", " steps "))).await;
    assert!(!report.same && report.recorded != report.replayed);
    let call = &report.calls[0];
    assert_eq!((call.matched, &call.parted), (6, &None), "the calls are the same");
    let outcome = call.outcome.as_ref().unwrap();
    assert!(outcome.recorded.contains(" calls ") && outcome.replayed.contains(" steps "), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_build_shows_the_first_call_that_differs_side_by_side() {
    let stand = Stand::start().await.unwrap();
    let connection = stand.enable("prefinery", None).await.unwrap().id;
    let join = json!({ "email": "ann@example.com" });
    let act = contactor_sandbox::prefinery::ProjectAct::CreateTester { fields: join };
    stand.sandbox.prefinery().act(stand.sandbox.prefinery().first_project(), act).unwrap();
    let input = json!({ "email": "ann@example.com", "quantity": 5 });
    stand.run(&connection, "points.award", &input).await.unwrap();
    let run = stand.last_run(&connection).await.unwrap().id;
    assert!(replay(&stand, &run, None).await.same);

    let report = replay(&stand, &run, Some(rebuilt("prefinery", "/points", "/pointz"))).await;
    let parting = report.calls[0].parted.clone().unwrap();
    assert_eq!(parting.at, 1);
    let (recorded, replayed) = (parting.recorded.unwrap(), parting.replayed.unwrap());
    assert_eq!((recorded.operation.as_str(), replayed.operation.as_str()), ("partner.send", "partner.send"));
    assert!(recorded.input.contains("/points") && replayed.input.contains("/pointz"), "{replayed:?}");
    assert!(recorded.input.contains("ann@example.com"), "{recorded:?}");
    assert!(report.calls[0].outcome.is_some(), "nothing can be answered after it");

    let stranger = artefacts::component("connectif").unwrap();
    let refused = stand.engine.replay(&run, Some(stranger)).await.unwrap_err();
    assert!(matches!(&refused, EngineError::Invalid(why) if why.contains("connectif")), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconcile_is_recorded_when_a_person_asked_for_it() {
    let stand = Stand::start().await.unwrap();
    let connection = stand.enable("prefinery", None).await.unwrap().id;
    let location = stand.sandbox.highlevel().first_location();
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
    let contact = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let contact = RecordId::new(contact["id"].as_str().unwrap());
    for _ in 0..2 {
        stand.engine.sync_record(&connection, "contact", Side::Highlevel, &contact).await.unwrap();
        stand.engine.run_until_idle().await.unwrap();
    }
    let filter = RunFilter { record: Some(contact), limit: 10, ..RunFilter::default() };
    let runs = stand.engine.runs(filter).await.unwrap();
    let reconciles: Vec<_> = runs
        .iter()
        .filter(|run| run.kind == RunKind::Reconcile && run.entity.as_deref() == Some("contact"))
        .collect();
    assert_eq!(reconciles.len(), 2, "{runs:#?}");
    let exports = async |run: &Run| -> Vec<String> {
        let report = replay(&stand, &run.id, None).await;
        assert!(report.same, "{report:#?}");
        report.calls.into_iter().map(|call| call.export).collect()
    };
    assert_eq!(exports(reconciles[1]).await, ["adapter.admit", "adapter.create"]);
    assert_eq!(exports(reconciles[0]).await, ["adapter.read"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_recorded_says_why() {
    let stand = Stand::start().await.unwrap();
    let connection = stand.enable("guest-operations", None).await.unwrap().id;
    let refused = async |run: &RunId| stand.engine.replay(run, None).await.unwrap_err().to_string();

    let body = "x".repeat(700 * 1024);
    let input = json!({ "method": "post", "path": "/nowhere", "body": body });
    stand.run(&connection, "partner.send", &input).await.unwrap();
    let large = stand.last_run(&connection).await.unwrap().id;
    let why = refused(&large).await;
    assert!(why.contains("too large") && why.contains("1048576"), "{why}");

    let workspace = contactor_store::WorkspaceId::new(contactor_tests::engine::WORKSPACE);
    let input = json!({ "email": "ada@example.com" });
    let report = stand.engine.run_named(&workspace, "highlevel.contacts.create", input, false).await.unwrap();
    let why = refused(&report.run).await;
    assert!(why.contains("the host itself made its calls"), "{why}");
    assert!(refused(&RunId::new("nobody")).await.contains("no run"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_sealed_and_no_report_shows_the_credential() {
    let stand = Stand::start().await.unwrap();
    let connection = stand.enable("guest-operations", None).await.unwrap().id;
    // The connector cannot know it; that it repeats it stands for a partner that does.
    let key = stand.sandbox.prefinery().api_key().to_owned();
    let input = json!({ "method": "get", "path": format!("/echo/{key}/end") });
    stand.run(&connection, "partner.send", &input).await.unwrap();
    let run = stand.last_run(&connection).await.unwrap().id;
    let kept = stand.engine.store().recording(&run).await.unwrap().unwrap();
    let sealed = kept.sealed.unwrap().bytes;
    let holds = |text: &str| sealed.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!holds(&key) && !holds("partner.send") && !holds("/echo/"));
    let summary = stand.engine.recording(&run).await.unwrap();
    assert_eq!(summary.calls[0].recorded_calls, ["partner.send"]);
    let shown = serde_json::to_string(&(summary, replay(&stand, &run, None).await)).unwrap();
    assert!(shown.contains("/echo/") && !shown.contains(&key), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_replayed_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let act = contactor_sandbox::prefinery::ProjectAct::CreateTester {
        fields: json!({ "email": "ann@example.com" }),
    };
    sandbox.prefinery().act(sandbox.prefinery().first_project(), act).unwrap();
    host.until_idle().await.unwrap();
    let ask = async |arguments: &[&str]| -> (i32, String) {
        let output = tokio::process::Command::new(artefacts::binary("contactor").unwrap())
            .arg("--config")
            .arg(host.config())
            .args(["--server", host.url()])
            .args(arguments)
            .output()
            .await
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    let award = r#"{"email": "ann@example.com", "quantity": 5}"#;
    let (code, report) =
        ask(&["run", "acme", "prefinery.points.award", "--input", award, "--json", "-q"]).await;
    assert_eq!(code, 0, "{report}");
    let report: Value = serde_json::from_str(&report).unwrap();
    let run = report["run"].as_str().unwrap();

    let before = sandbox.recorder().requests("prefinery.points");
    let (code, shown) = ask(&["runs", "replay", run, "--preview"]).await;
    assert!(code == 0 && shown.contains("actions.run") && shown.contains("partner.send"), "{shown}");
    let (code, shown) = ask(&["runs", "replay", run]).await;
    assert!(code == 0 && shown.contains("the same: every call"), "{shown}");
    let newer = dir.path().join("newer.wasm");
    std::fs::write(&newer, rebuilt("prefinery", "/points", "/pointz")).unwrap();
    let (code, shown) = ask(&["runs", "replay", run, "--connector", newer.to_str().unwrap()]).await;
    assert!(
        code == 1 && shown.contains("they part at call 1") && shown.contains("/pointz"),
        "{code} {shown}"
    );
    assert_eq!(sandbox.recorder().requests("prefinery.points"), before);
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}
