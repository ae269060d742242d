//! Why a field has its value, and what happened to a contact: real components, an engine and the doubles; and the program itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use contactor_engine::{
    ConnectionView, EngineError, FieldStory, MomentKind, Resolve, TimelineEntry, TimelineKind, TimelinePage,
    WhyField,
};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_store::{ConflictFilter, FailureClass, RecordId, RunCause, RunFilter, RunOutcome, WorkspaceId};
use contactor_sync::{Policy, Side};
use contactor_tests::artefacts;
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::host::Host;
use contactor_tests::partners;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::process::Command;

const EMAIL: &str = "ada@example.com";

/// Prefinery connected, with one linked person.
struct Stage {
    stand: Stand,
    connection: ConnectionView,
    location: String,
    project: u64,
    contact: String,
}

impl Stage {
    async fn new() -> Self {
        let stand = Stand::serve().await.unwrap();
        let prefinery = stand.sandbox.prefinery();
        let project = prefinery.first_project();
        let partner = Partner { template: None, ..partners::prefinery(&stand.sandbox) };
        let connection = partners::connect(&stand, partner).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let fields = json!({ "firstName": "Ada", "lastName": "Byron", "email": EMAIL });
        let saved = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let contact = saved["id"].as_str().unwrap().to_owned();
        let stage = Self { stand, connection, location, project, contact };
        stage.settle().await;
        stage
    }

    /// Time passes first, so that what follows is later than what was.
    async fn settle(&self) {
        self.stand.settle().await.unwrap();
        self.stand.advance(SignedDuration::from_secs(90));
    }

    fn in_highlevel(&self, fields: Value) {
        let act = PersonAct::EditContact { contact: self.contact.clone(), fields };
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
    }

    fn tester(&self) -> String {
        self.stand.sandbox.prefinery().tester(self.project, EMAIL).unwrap()["id"].to_string()
    }

    fn at_prefinery(&self, profile: &Value) {
        let act = ProjectAct::EditTester { tester: self.tester(), fields: json!({ "profile": profile }) };
        self.stand.sandbox.prefinery().act(self.project, act).unwrap();
    }

    async fn ask(&self, record: &str, field: &str) -> Result<FieldStory, EngineError> {
        let ask =
            WhyField { record: RecordId::new(record), field: field.to_owned(), connector: None, limit: 50 };
        self.stand.engine.why(&workspace(), ask).await
    }

    async fn why(&self, field: &str) -> FieldStory {
        self.ask(&self.contact, field).await.unwrap()
    }
}

fn workspace() -> WorkspaceId {
    WorkspaceId::new(WORKSPACE)
}

fn says(story: &FieldStory, parts: &[&str]) {
    for part in parts {
        assert!(story.answer.contains(part), "`{part}` is not in: {}\n{:#?}", story.answer, story.history);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_either_side_is_the_reason_and_an_outsiders_is_said_to_be_one() {
    let stage = Stage::new().await;
    // Nothing but the link: the contact brought its name along.
    let linked = stage.why("firstName").await;
    says(&linked, &["firstName is `Ada`", "Contactor did not write it in HighLevel"]);
    says(&stage.why("profile.first_name").await, &["had it when the records were linked"]);

    stage.at_prefinery(&json!({ "first_name": "Augusta" }));
    stage.settle().await;
    let story = stage.why("firstName").await;
    says(
        &story,
        &["firstName is `Augusta` because Prefinery's `profile.first_name` was changed there and copied at"],
    );
    let moment = &story.history[0];
    assert_eq!((moment.kind, &moment.before), (MomentKind::Copied, &Some(json!("Ada"))));
    assert!(moment.summary.contains("webhook") && moment.summary.contains("of Prefinery"), "{moment:?}");
    assert_eq!(story.joined[0].partner_value, Some(json!("Augusta")));
    assert!(story.history.iter().any(|moment| moment.kind == MomentKind::Linked));
    let run = stage.stand.engine.run_detail(moment.run.as_ref().unwrap()).await.unwrap();
    assert_eq!(run.cause, Some(RunCause::Webhook));

    stage.in_highlevel(json!({ "firstName": "Adele" }));
    stage.settle().await;
    says(
        &stage.why("firstName").await,
        &["`Adele` because somebody or something in HighLevel changed it there"],
    );
    // The partner's own name and its id lead to the same record.
    let theirs = stage.ask(&stage.tester(), "profile.first_name").await.unwrap();
    says(&theirs, &["profile.first_name is `Adele` because HighLevel's `firstName` was changed there"]);

    let unknown = stage.ask(&stage.contact, "shoeSize").await.unwrap_err().to_string();
    assert!(
        unknown.contains("no mapped field `shoeSize") && unknown.contains("firstName=profile.first_name"),
        "{unknown}"
    );
    let unknown = stage.ask("nobody", "firstName").await.unwrap_err().to_string();
    assert!(unknown.contains("no record `nobody`") && unknown.contains("contactor runs list"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_decided_and_what_a_person_decided_is_told_with_the_conflict() {
    let stage = Stage::new().await;
    let pair = ("lastName", "profile.last_name");
    let id = &stage.connection.id;
    stage.stand.engine.set_mapping_policy(id, "contact", pair, Policy::Highlevel).await.unwrap();
    stage.at_prefinery(&json!({ "last_name": "King" }));
    stage.in_highlevel(json!({ "lastName": "Noel" }));
    stage.settle().await;
    let decided = stage.why("profile.last_name").await;
    says(&decided, &["profile.last_name is `Noel`", "policy `highlevel` let HighLevel win over `King`"]);
    assert_eq!(decided.joined[0].row.origin, contactor_engine::RowOrigin::Admin);
    says(&stage.why("lastName").await, &["lastName is `Noel`", "let HighLevel win"]);

    stage.stand.engine.set_mapping_policy(id, "contact", pair, Policy::Ask).await.unwrap();
    stage.at_prefinery(&json!({ "last_name": "Lovelace" }));
    stage.in_highlevel(json!({ "lastName": "Milbanke" }));
    stage.settle().await;
    let waiting = stage.why("lastName").await;
    says(&waiting, &["`Milbanke` in HighLevel and `Lovelace` in Prefinery", "waits for a person"]);
    let number = waiting.joined[0].conflict.unwrap();
    let how = Resolve { take: Side::Partner, by: "ann (admin)".to_owned() };
    stage.stand.engine.resolve_conflict(&workspace(), number, how).await.unwrap();
    stage.settle().await;
    let resolved = stage.why("lastName").await;
    says(&resolved, &["lastName is `Lovelace` because ann (admin) took Prefinery's value in conflict"]);
    assert!(resolved.history.iter().any(|moment| moment.kind == MomentKind::LeftAlone));
    let filter =
        ConflictFilter { workspace: workspace(), connection: None, record: None, open: true, limit: 5 };
    assert!(stage.stand.engine.conflicts(filter).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_automation_wrote_is_told_on_both_sides() {
    let stage = Stage::new().await;
    let script = json!({ "calls": [
        { "function": "contacts.update", "input": { "id": "$contact", "fields": { "firstName": "Countess" } } }
    ] });
    stage
        .stand
        .connect(Partner {
            component: "guest-operations".to_owned(),
            base_url: stage.stand.sandbox.prefinery_url(),
            credentials: [("token".to_owned(), stage.stand.sandbox.prefinery().api_key().to_owned())].into(),
            settings: json!({
                "scripts": { "ContactTagUpdate": script.to_string() },
                "rules": [{ "name": "all", "on": ["ContactTagUpdate"], "do": [{ "add-tags": ["unused"] }] }],
            }),
            ..Partner::default()
        })
        .await
        .unwrap();
    stage.settle().await;
    let act = PersonAct::AddTags { contact: stage.contact.clone(), tags: vec!["vip".to_owned()] };
    stage.stand.sandbox.highlevel().act(&stage.location, act).unwrap();
    stage.settle().await;
    let story = stage.why("firstName").await;
    says(&story, &["firstName is `Countess` because acme/operations wrote it at", "ContactTagUpdate"]);
    let theirs = stage.why("profile.first_name").await;
    says(&theirs, &["`Countess` because HighLevel's `firstName` was written by acme/operations at"]);
    assert!(story.history.iter().any(|moment| moment.kind == MomentKind::Automation));

    let (of, record) = (workspace(), RecordId::new(&*stage.contact));
    let timeline = stage.stand.engine.timeline(&of, &record, TimelinePage::default()).await.unwrap();
    let wrote = |entry: &&TimelineEntry| entry.kind == TimelineKind::Automation && !entry.changes.is_empty();
    let automation = timeline.entries.iter().find(wrote).unwrap();
    assert!(automation.changes[0].contains("contacts.update (PUT /contacts/"), "{automation:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_the_vendor_dropped_is_told_with_what_it_kept() {
    let stage = Stage::new().await;
    let kept = stage.stand.sandbox.highlevel().contact(&stage.location, &stage.contact).unwrap();
    let answer = Effect::Answer {
        status: 200,
        body: Some(json!({ "succeeded": true, "succeded": true, "contact": kept })),
        retry_after: None,
        after: false,
    };
    stage.stand.sandbox.faults().add(Fault::next(2, "highlevel.contacts.update", answer));
    for name in ["Adele", "Augusta"] {
        stage.at_prefinery(&json!({ "first_name": name }));
        stage.settle().await;
    }
    // Told once, and in view from then on.
    let runs = stage.stand.engine.runs(RunFilter { limit: 50, ..RunFilter::default() }).await.unwrap();
    let told = runs.iter().filter(|run| run.summary.contains("accepted `firstName`")).count();
    assert_eq!(told, 1, "{runs:#?}");
    let not_kept = stage.stand.engine.connection(&stage.connection.id).await.unwrap().not_kept;
    assert!(not_kept.len() == 1 && not_kept[0].field == "firstName", "{not_kept:?}");
    let story = stage.why("firstName").await;
    says(&story, &["firstName is `Ada` although `Augusta` was copied from Prefinery's", "kept Ada instead"]);
    assert_eq!(story.history[1].kind, MomentKind::Dropped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeline_has_everything_in_order_and_comes_in_pages() {
    let stage = Stage::new().await;
    for name in ["Augusta", "Adele", "Ada"] {
        stage.at_prefinery(&json!({ "first_name": name }));
        stage.settle().await;
    }
    let record = RecordId::new(&*stage.contact);
    let of = workspace();
    let page = |before, limit| stage.stand.engine.timeline(&of, &record, TimelinePage { before, limit });
    let whole = page(None, 500).await.unwrap();
    assert!(!whole.more && whole.entries.is_sorted_by_key(|entry| entry.at), "{whole:#?}");
    let has = |kind| whole.entries.iter().any(|entry| entry.kind == kind);
    assert!(has(TimelineKind::Event) && has(TimelineKind::Run) && has(TimelineKind::Link), "{whole:#?}");
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let part = page(before, 3).await.unwrap();
        before = part.entries.first().map(|entry| entry.at);
        pages.splice(0..0, part.entries);
        if !part.more {
            break;
        }
    }
    assert_eq!(pages, whole.entries);

    // Each call with what was left of the quota, how long it took and, where it failed, whose fault that was.
    // Beside it stands what the handler made of the same event, at the same instant.
    let outcome = Some(RunOutcome::Applied);
    let filter = RunFilter { record: Some(record.clone()), outcome, limit: 1, ..RunFilter::default() };
    let newest = stage.stand.engine.runs(filter).await.unwrap().remove(0);
    let run = stage.stand.engine.run_detail(&newest.id).await.unwrap();
    let update = run.calls.iter().find(|call| call.operation == "contacts.update").unwrap();
    assert_eq!(update.path.as_deref(), Some(format!("PUT /contacts/{}", stage.contact).as_str()));
    assert!(update.request.as_ref().unwrap().contains("\"firstName\":\"Ada\""), "{update:?}");
    assert!(update.response.is_some() && update.status == Some(200) && update.class.is_none());
    let read = run.calls.iter().find(|call| call.target == "partner").unwrap();
    assert!(read.operation.starts_with("GET ") && read.status == Some(200) && read.response.is_some());

    stage.stand.sandbox.faults().add(Fault::next(1, "highlevel.contacts.update", Effect::refuse(422)));
    stage.at_prefinery(&json!({ "first_name": "Adele" }));
    stage.settle().await;
    let failed = stage.stand.engine.runs(RunFilter { limit: 20, ..RunFilter::default() }).await.unwrap();
    let failed = failed.iter().find(|run| run.class.is_some()).unwrap();
    let failed = stage.stand.engine.run_detail(&failed.id).await.unwrap();
    let refused = failed.calls.iter().find(|call| call.status == Some(422)).unwrap();
    assert_eq!(refused.class, Some(FailureClass::Data), "{refused:?}");
}

/// Runs a command against the host; answers its exit code and what it printed.
async fn contactor(dir: &Path, host: &Host, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(artefacts::binary("contactor").unwrap())
        .arg("--config")
        .arg(host.config())
        .args(["--server", host.url()])
        .args(arguments)
        .current_dir(dir)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_asks_from_the_command_line_and_sets_a_retention() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    let project = sandbox.prefinery().first_project();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let ask = async |arguments: &[&str]| contactor(dir.path(), &host, arguments).await;
    let fields = json!({ "firstName": "Ada", "email": EMAIL });
    let saved = sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let contact = saved["id"].as_str().unwrap().to_owned();
    let linked = async || Ok(sandbox.prefinery().tester(project, EMAIL).is_some());
    host.until("the contact is linked", linked).await.unwrap();
    host.until_idle().await.unwrap();
    let tester = sandbox.prefinery().tester(project, EMAIL).unwrap()["id"].to_string();
    let fields = json!({ "profile": { "first_name": "Augusta" } });
    sandbox.prefinery().act(project, ProjectAct::EditTester { tester, fields }).unwrap();
    let copied = async || {
        let contacts = sandbox.highlevel().contacts(&location);
        Ok(contacts.iter().any(|contact| contact["firstName"] == "Augusta"))
    };
    host.until("the name is copied", copied).await.unwrap();
    host.until_idle().await.unwrap();

    let (code, shown, err) = ask(&["timeline", "acme", &contact, "--field", "firstName"]).await;
    assert_eq!(code, 0, "{err}");
    for part in [
        "firstName is `Augusta` because Prefinery's `profile.first_name` was changed there",
        "row of the connector",
        "direction both, policy latest-update",
        "Ada → Augusta",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let named = [
        "timeline",
        "acme",
        &contact,
        "--field",
        "profile.first_name",
        "--connection",
        "prefinery",
        "--json",
    ];
    let story: Value = serde_json::from_str(&ask(&named).await.1).unwrap();
    assert_eq!(
        (&story["field"], &story["joined"][0]["partner_value"]),
        (&json!("profile.first_name"), &json!("Augusta"))
    );
    let (code, _, err) = ask(&["timeline", "acme", &contact, "--field", "shoeSize"]).await;
    assert!(code == 5 && err.contains("firstName=profile.first_name"), "{code} {err}");
    let elsewhere = ["timeline", "acme", &contact, "--field", "firstName", "--connection", "nobody"];
    let (code, _, err) = ask(&elsewhere).await;
    assert!(code == 5 && err.contains("the workspace has prefinery"), "{code} {err}");

    let (code, page, err) = ask(&["timeline", "acme", &contact, "--limit", "1"]).await;
    assert!(code == 0 && err.contains("there is more: --before"), "{page}{err}");
    let before = err.split("--before ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let (code, _, err) = ask(&["timeline", "acme", &contact, "--before", &before]).await;
    assert!(code == 0 && !err.contains("there is more"), "{err}");

    let runs: Value =
        serde_json::from_str(&ask(&["runs", "list", "--record", &contact, "--json"]).await.1).unwrap();
    // The newest one may be an automation's.
    let mut runs = runs.as_array().unwrap().iter();
    let copied = runs.find(|run| run["kind"] == "reconcile" && run["outcome"] == "applied").unwrap();
    let (_, run, _) = ask(&["runs", "show", copied["id"].as_str().unwrap()]).await;
    for part in ["led to by", "quota left", "left today", "PUT /contacts/", "request", "response"] {
        assert!(run.contains(part), "{part}: {run}");
    }

    let (_, shown, _) = ask(&["workspace", "show", "acme"]).await;
    assert!(shown.contains("kept 30 days (the host's retention)"), "{shown}");
    let (code, shown, err) = ask(&["workspace", "set", "acme", "--retention-days", "90"]).await;
    assert!(code == 0 && shown.contains("kept 90 days (its own retention)"), "{shown}{err}");
    for wrong in ["0", "3651", "soon"] {
        let (code, _, err) = ask(&["workspace", "set", "acme", "--retention-days", wrong]).await;
        assert!(code == 2 && err.contains("1 to 3650"), "{code} {err}");
    }
    assert!(host.put("/workspaces/acme/settings", &json!({ "retention_days": 0 })).await.is_err());
    assert_eq!(host.get("/workspaces/acme").await.unwrap()["kept_days"], 90);
    let (_, shown, _) = ask(&["workspace", "set", "acme", "--retention-days", "default"]).await;
    assert!(shown.contains("the host's retention"), "{shown}");
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}
