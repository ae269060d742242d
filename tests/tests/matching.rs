//! The first synchronisation is looked at before it writes: the match report, its approval bucket by bucket, and a draft of a mapping
//! against what happened already.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::path::Path;

use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::engine::Stand;
use contactor_tests::host::Host;
use contactor_tests::{artefacts, partners};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const MATCH: &str = "/workspaces/acme/connections/prefinery/match";
/// People who are on both sides, in HighLevel alone, and there without an email.
const BOTH: usize = 20;
const ALONE: usize = 32;
const NAMELESS: usize = 6;
/// Testers whom HighLevel does not know.
const TESTERS: usize = 5;

struct World {
    dir: TempDir,
    sandbox: Sandbox,
}

impl World {
    /// A location of 60 contacts and a project of 27 testers that nobody has connected yet.
    async fn new() -> Self {
        let mut config = SandboxConfig::free_of_cost();
        config.highlevel.locations[0].allow_duplicate_contact = true;
        let world =
            Self { dir: tempfile::tempdir().unwrap(), sandbox: Sandbox::start(config).await.unwrap() };
        for number in 0..BOTH {
            world.contact(json!({ "firstName": "Ann", "lastName": "Both", "email": email("both", number) }));
            world.tester(&email("both", number));
        }
        for number in 0..ALONE {
            world.contact(json!({ "firstName": "Bob", "email": email("alone", number) }));
        }
        for number in 0..NAMELESS {
            world.contact(json!({ "firstName": "Cy", "phone": format!("+1202555{:04}", 100 + number) }));
        }
        // Two contacts of one address, and one tester for both.
        world.contact(json!({ "firstName": "Dee", "email": "twice@example.com" }));
        world.contact(json!({ "firstName": "Dora", "email": "twice@example.com" }));
        world.tester("twice@example.com");
        for number in 0..TESTERS {
            world.tester(&email("tester", number));
        }
        let gone = world.tester("gone@example.com");
        world.sandbox.prefinery().act(world.project(), ProjectAct::Unsubscribe { tester: gone }).unwrap();
        Host::init(world.dir.path(), &world.sandbox, "[engine]\npartner-quotas = false\n").await.unwrap();
        world
    }

    fn location(&self) -> String {
        self.sandbox.highlevel().first_location()
    }

    fn project(&self) -> u64 {
        self.sandbox.prefinery().first_project()
    }

    fn contact(&self, fields: Value) -> String {
        let made =
            self.sandbox.highlevel().act(&self.location(), PersonAct::CreateContact { fields }).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    fn tester(&self, email: &str) -> String {
        let fields = json!({ "email": email, "profile": { "first_name": "Tess" } });
        let made = self.sandbox.prefinery().act(self.project(), ProjectAct::CreateTester { fields }).unwrap();
        made["id"].to_string()
    }

    /// Requests that change something at either double.
    fn writes(&self) -> u64 {
        let counts = self.sandbox.recorder().counts();
        let reads = [".get", ".list", ".search", ".duplicate", ".find", ".custom_fields", ".read"];
        let writing = counts.iter().filter(|(name, _)| reads.iter().all(|read| !name.ends_with(read)));
        writing.map(|(_, count)| count.requests).sum()
    }

    fn requests(&self, of: &str) -> u64 {
        self.sandbox.recorder().requests(of)
    }

    /// Enables Prefinery, under review if told so.
    async fn enable(&self, host: &Host, review: bool) -> Value {
        let token = self.sandbox.highlevel().private_token();
        let workspace = json!({ "id": "acme", "location": self.location(), "token": token });
        host.post("/workspaces", &workspace).await.unwrap();
        host.install("prefinery").await.unwrap();
        self.connect(host, review).await
    }

    async fn connect(&self, host: &Host, review: bool) -> Value {
        let (sandbox, project) = (&self.sandbox, self.project());
        let request = json!({
            "base_url": sandbox.prefinery_url(),
            "credentials": { "key": sandbox.prefinery().api_key() },
            "webhook_secret": sandbox.prefinery().signing_secret(project),
            "settings": { "beta_id": project.to_string() },
            "review": review,
        });
        let connection = host.put("/workspaces/acme/connections/prefinery", &request).await.unwrap();
        assert_eq!(connection["under_review"], review);
        connection
    }

    async fn contactor(&self, host: &Host, arguments: &[&str]) -> (i32, String, String) {
        contactor(self.dir.path(), host, arguments).await
    }
}

fn email(who: &str, number: usize) -> String {
    format!("{who}-{number:02}@example.com")
}

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

/// Waits until everything was looked at and what was approved is done, and answers the report.
async fn settled(host: &Host) -> Value {
    let mut report = Value::Null;
    host.until("the report rests", async || {
        report = host.get(MATCH).await?;
        Ok(report["walking"] == false
            && report["unread_streams"] == json!([])
            && report["waiting"] == 0
            && report["unreleased"] == 0)
    })
    .await
    .unwrap();
    report
}

fn records(report: &Value, bucket: &str) -> u64 {
    let buckets = report["buckets"].as_array().unwrap();
    buckets.iter().find(|b| b["bucket"] == bucket).map_or(0, |b| b["records"].as_u64().unwrap())
}

fn counts(report: &Value) -> Vec<u64> {
    ["matched", "new-in-partner", "new-in-highlevel", "ambiguous", "skipped", "failed"]
        .map(|bucket| records(report, bucket))
        .to_vec()
}

async fn links(host: &Host) -> u64 {
    host.get("/workspaces/acme/connections/prefinery").await.unwrap()["links"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_before_its_bucket_is_approved() {
    let world = World::new().await;
    let host = Host::start(world.dir.path()).await.unwrap();
    let connection = world.enable(&host, true).await;
    host.aim(&world.sandbox, &connection).unwrap();
    let before = host.post(&format!("{MATCH}/approve"), &json!({ "all": true })).await;
    assert!(before.unwrap_err().to_string().contains("no match report"), "nobody has seen anything yet");
    host.post(MATCH, &json!({})).await.unwrap();
    let report = settled(&host).await;
    let of = |number: usize| number as u64;
    let expected = [of(BOTH), of(ALONE), of(TESTERS), 2, of(NAMELESS) + 1, 0];
    assert_eq!(counts(&report), expected, "{report:#}");
    assert_eq!((&report["seen"], &report["under_review"]), (&json!(60), &json!(true)));
    assert!(report["estimate"]["highlevel_calls"].as_u64().unwrap() > of(ALONE), "{report:#}");
    assert_eq!(world.writes(), 0, "{:?}", world.sandbox.recorder().counts());

    // Somebody joins meanwhile: the webhook waits, too.
    world.contact(json!({ "firstName": "Eve", "email": "late@example.com" }));
    host.until("the webhook is listed", async || {
        Ok(records(&host.get(MATCH).await?, "new-in-partner") == of(ALONE) + 1)
    })
    .await
    .unwrap();
    let show = ["match", "show", "acme", "prefinery", "--bucket", "new-in-partner", "--limit", "2"];
    let (code, out, err) = world.contactor(&host, &show).await;
    assert!(code == 0 && out.contains("@example.com") && out.contains("new-in-highlevel"), "{out}{err}");
    assert!(err.contains("each is read again"), "the report is older than the data: {err}");
    let (code, out, _) = world.contactor(&host, &[&show[..], &["--json"]].concat()).await;
    let shown: Value = serde_json::from_str(&out).unwrap();
    let bucket = shown["buckets"].as_array().unwrap().iter().find(|b| b["bucket"] == "new-in-partner");
    assert_eq!((code, bucket.unwrap()["examples"].as_array().unwrap().len()), (0, 2));
    assert_eq!((world.writes(), links(&host).await), (0, 0));

    // One who was matched would be created by now: that was not approved.
    world.sandbox.prefinery().set_webhook_target(world.project(), None);
    let lost =
        world.sandbox.prefinery().tester(world.project(), &email("both", 0)).unwrap()["id"].to_string();
    world.sandbox.prefinery().act(world.project(), ProjectAct::DeleteTester { tester: lost }).unwrap();
    let approve = ["match", "approve", "acme", "prefinery", "--bucket", "matched"];
    let (code, out, err) = world.contactor(&host, &approve).await;
    assert!(code == 0 && out.contains("matched, approved"), "{out}{err}");
    let report = settled(&host).await;
    assert_eq!(links(&host).await, of(BOTH) - 1);
    assert_eq!(
        (world.requests("prefinery.testers.create"), world.requests("highlevel.contacts.create")),
        (0, 0)
    );
    assert!(world.writes() > 0, "the matched were brought into step");
    assert_eq!(records(&report, "new-in-partner"), of(ALONE) + 2, "{report:#}");
    assert_eq!(report["under_review"], true);
    // Who is linked is kept in step although others wait.
    let contacts = world.sandbox.highlevel().contacts(&world.location());
    let linked = contacts.iter().find(|c| c["email"] == email("both", 1)).unwrap();
    let edit = PersonAct::EditContact {
        contact: linked["id"].as_str().unwrap().to_owned(),
        fields: json!({ "firstName": "Anna" }),
    };
    world.sandbox.highlevel().act(&world.location(), edit).unwrap();
    host.until("the edit arrives", async || {
        let tester = world.sandbox.prefinery().tester(world.project(), &email("both", 1)).unwrap();
        Ok(tester["profile"]["first_name"] == "Anna")
    })
    .await
    .unwrap();

    let (code, _, err) = world
        .contactor(
            &host,
            &["match", "approve", "acme", "prefinery", "--bucket", "new-in-partner,new-in-highlevel"],
        )
        .await;
    assert!(code == 0 && err.contains("the review is over"), "{err}");
    let report = settled(&host).await;
    assert_eq!(report["under_review"], false);
    assert_eq!(links(&host).await, of(BOTH) + of(ALONE) + of(TESTERS) + 1);
    assert!(world.sandbox.prefinery().tester(world.project(), "late@example.com").is_some());
    let contacts = world.sandbox.highlevel().contacts(&world.location());
    assert!(contacts.iter().any(|c| c["email"] == email("tester", 0)));
    let twice = contacts.iter().filter(|c| c["email"] == "twice@example.com").count();
    assert_eq!((twice, contacts.len()), (2, 61 + TESTERS), "nobody is created twice");
    host.stop().await.unwrap();
    world.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_goes_on_after_kill_9_and_counts_everybody_once() {
    let world = World::new().await;
    let host = Host::start(world.dir.path()).await.unwrap();
    world.enable(&host, true).await;
    host.until("the partner's records are listed", async || {
        let report = host.get(MATCH).await?;
        Ok(report["unread_streams"] == json!([]) && report["waiting"] == 0)
    })
    .await
    .unwrap();
    // The third page of the walk cannot be read.
    let skip = 2;
    world.sandbox.faults().add(Fault {
        operation: "highlevel.contacts.search".to_owned(),
        effect: Effect::Answer { status: 503, body: None, retry_after: None, after: false },
        when: When::Always,
        skip,
    });
    host.post(MATCH, &json!({})).await.unwrap();
    host.until("the report is stuck in its middle", async || {
        Ok(host.get(MATCH).await?["remarks"].to_string().contains("could not be looked at"))
    })
    .await
    .unwrap();
    assert_eq!(host.get(MATCH).await.unwrap()["seen"], 40);
    host.kill9().await.unwrap();
    world.sandbox.faults().clear();
    let searches = world.requests("highlevel.contacts.search");
    let host = Host::start(world.dir.path()).await.unwrap();
    let report = settled(&host).await;
    assert_eq!((&report["seen"], &report["total"]), (&json!(60), &json!(60)));
    assert_eq!(counts(&report).iter().sum::<u64>(), 60 + TESTERS as u64 + 1, "{report:#}");
    assert_eq!(records(&report, "matched"), BOTH as u64);
    assert!(world.requests("highlevel.contacts.search") - searches < 4, "it did not begin anew");
    assert_eq!(world.writes(), 0);
    // What was approved while the host was down is done when it is up again.
    host.post(&format!("{MATCH}/approve"), &json!({ "buckets": ["matched"] })).await.unwrap();
    host.kill9().await.unwrap();
    let host = Host::start(world.dir.path()).await.unwrap();
    settled(&host).await;
    assert_eq!(links(&host).await, BOTH as u64);
    assert_eq!(world.requests("prefinery.testers.create"), 0);
    host.stop().await.unwrap();
    world.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_of_the_mapping_that_the_report_was_made_with() {
    let world = World::new().await;
    let host = Host::start(world.dir.path()).await.unwrap();
    world.enable(&host, true).await;
    host.post(MATCH, &json!({})).await.unwrap();
    settled(&host).await;
    let row = json!({ "highlevel": "lastName", "partner": "profile.last_name", "off": true });
    let row = json!({ "entity": "contact", "row": row });
    host.put("/workspaces/acme/connections/prefinery/mapping", &row).await.unwrap();
    let (code, _, err) = world.contactor(&host, &["match", "approve", "acme", "prefinery", "--all"]).await;
    assert!(code != 0 && err.contains("--anew"), "{err}");
    let start = ["match", "start", "acme", "prefinery", "--anew"];
    let (code, out, err) = world.contactor(&host, &start).await;
    assert!(code == 0 && out.contains("complete"), "{out}{err}");
    assert_eq!(world.writes(), 0);
    let (code, _, err) = world.contactor(&host, &["match", "approve", "acme", "prefinery", "--all"]).await;
    assert_eq!(code, 0, "{err}");
    settled(&host).await;
    let parked = host.get("/workspaces/acme/parked").await.unwrap();
    assert_eq!(links(&host).await, (BOTH + ALONE + TESTERS) as u64 + 1);
    assert_eq!(parked.as_array().unwrap().len(), 1, "a person sees to the second of two: {parked:#}");
    host.stop().await.unwrap();
    world.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_what_was_not_looked_at() {
    let world = World::new().await;
    let host = Host::start(world.dir.path()).await.unwrap();
    world.enable(&host, true).await;
    world.sandbox.faults().add(Fault::always("highlevel.contacts.search", Effect::refuse(503)));
    host.post(MATCH, &json!({})).await.unwrap();
    let (code, _, err) = world.contactor(&host, &["match", "approve", "acme", "prefinery", "--all"]).await;
    assert!(code != 0 && err.contains("looked at 0") && err.contains("match show"), "{err}");
    assert_eq!(world.writes(), 0);
    host.stop().await.unwrap();
    world.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_review_has_a_report_of_its_own() {
    let world = World::new().await;
    let host = Host::start(world.dir.path()).await.unwrap();
    world.enable(&host, true).await;
    host.post(MATCH, &json!({})).await.unwrap();
    settled(&host).await;
    let all = json!({ "all": true });
    host.post(&format!("{MATCH}/approve"), &all).await.unwrap();
    settled(&host).await;
    let linked = links(&host).await;
    assert!(linked > 0);
    world.sandbox.faults().add(Fault::always("highlevel.contacts.search", Effect::refuse(503)));
    world.connect(&host, true).await;
    let refused = host.post(&format!("{MATCH}/approve"), &all).await.unwrap_err().to_string();
    assert!(refused.contains("looked at 0"), "what the first report listed is of no use any more: {refused}");
    world.sandbox.faults().clear();
    host.until("everybody was looked at again", async || {
        Ok(records(&host.get(MATCH).await?, "linked") == linked)
    })
    .await
    .unwrap();
    host.stop().await.unwrap();
    world.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_waits_again_when_the_mapping_is_another() {
    let world = World::new().await;
    let host = Host::start(world.dir.path()).await.unwrap();
    let connection = world.enable(&host, true).await;
    host.aim(&world.sandbox, &connection).unwrap();
    host.post(MATCH, &json!({})).await.unwrap();
    settled(&host).await;
    let approve = ["match", "approve", "acme", "prefinery", "--bucket", "new-in-partner"];
    let (code, _, err) = world.contactor(&host, &approve).await;
    assert_eq!(code, 0, "{err}");
    settled(&host).await;
    assert_eq!(links(&host).await, ALONE as u64);
    let row = json!({ "highlevel": "lastName", "partner": "profile.last_name", "off": true });
    let row = json!({ "entity": "contact", "row": row });
    host.put("/workspaces/acme/connections/prefinery/mapping", &row).await.unwrap();
    world.contact(json!({ "firstName": "Eve", "email": "late@example.com" }));
    host.until("the new contact is listed", async || {
        Ok(records(&host.get(MATCH).await?, "new-in-partner") == ALONE as u64 + 1)
    })
    .await
    .unwrap();
    host.until_idle().await.unwrap();
    assert!(world.sandbox.prefinery().tester(world.project(), "late@example.com").is_none());
    assert_eq!(links(&host).await, ALONE as u64);
    host.stop().await.unwrap();
    world.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_read_its_connection_before_the_review_began_waits_as_well() {
    let stand = Stand::serve().await.unwrap();
    let connection = partners::connect(&stand, partners::prefinery(&stand.sandbox)).await.unwrap();
    let create = |name: &str| {
        let fields = json!({ "firstName": name, "email": format!("{name}@example.com") });
        let location = stand.sandbox.highlevel().first_location();
        stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    };
    create("ada");
    stand.settle().await.unwrap();
    // Past the engine, which goes on with what it knows of the connection.
    stand.engine.store().begin_review(&connection.id, None, "basis".to_owned()).await.unwrap();
    create("eve");
    stand.settle().await.unwrap();
    let tester = |name: &str| {
        let prefinery = stand.sandbox.prefinery();
        prefinery.tester(prefinery.first_project(), &format!("{name}@example.com"))
    };
    assert!(tester("ada").is_some() && tester("eve").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_held_against_what_happened_and_writes_nothing() {
    let world = World::new().await;
    let host = Host::start(world.dir.path()).await.unwrap();
    let connection = world.enable(&host, false).await;
    host.aim(&world.sandbox, &connection).unwrap();
    let contact =
        world.contact(json!({ "firstName": "ada", "lastName": "Byron", "email": "ada@example.com" }));
    host.until("the contact is linked", async || {
        host.until_idle().await?;
        Ok(world.sandbox.prefinery().tester(world.project(), "ada@example.com").is_some())
    })
    .await
    .unwrap();
    host.until_idle().await.unwrap();
    let stranger = world.contact(json!({ "firstName": "Eve", "email": "eve@example.com" }));
    host.until("the stranger is linked, too", async || {
        host.until_idle().await?;
        Ok(world.sandbox.prefinery().tester(world.project(), "eve@example.com").is_some())
    })
    .await
    .unwrap();
    host.until_idle().await.unwrap();

    let before = world.writes();
    let file = world.dir.path().join("draft.toml");
    let row = "[[contact]]\npartner = \"profile.first_name\"\nhighlevel = \"firstName\"\nto_partner = \"value|upper\"\n\
               to_highlevel = \"value\"\npolicy = \"highlevel\"\ndirection = \"to-partner\"\n";
    std::fs::write(&file, row).unwrap();
    let file = file.to_str().unwrap();
    let draft = ["mapping", "try", "acme", "prefinery", "--mapping", file, "--events", "100"];
    let (code, out, err) = world.contactor(&host, &[&draft[..], &["--json"]].concat()).await;
    assert_eq!(code, 0, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert!(report["from_events"].as_u64().unwrap() >= 2, "{out}");
    let record = |id: &str| {
        let all = report["records"].as_array().unwrap();
        all.iter().find(|record| record["draft"]["highlevel_id"] == id).unwrap().clone()
    };
    let ada = record(&contact);
    assert_eq!((&ada["live"]["verdict"], &ada["draft"]["verdict"]), (&json!("unchanged"), &json!("update")));
    let change = &ada["draft"]["changes"][0];
    assert_eq!(
        (&change["side"], &change["field"], &change["before"], &change["after"]),
        (&json!("partner"), &json!("profile.first_name"), &json!("ada"), &json!("ADA")),
        "{ada:#}"
    );
    assert_eq!(record(&stranger)["draft"]["changes"][0]["after"], "EVE");
    assert!(report["different"].as_u64().unwrap() >= 2);
    let field = report["fields"].as_array().unwrap().iter().find(|f| f["field"] == "profile.first_name");
    let field = field.unwrap();
    assert!(field["live"] == 0 && field["draft"].as_u64().unwrap() >= 2, "{field}");
    assert!(report["draft"]["partner_calls"].as_u64() > report["live"]["partner_calls"].as_u64());
    let (code, out, err) = world.contactor(&host, &draft).await;
    assert!(code == 0 && out.contains("ada → ADA") && err.contains("nothing was written"), "{out}{err}");
    let broken = world.dir.path().join("broken.toml");
    std::fs::write(&broken, row.replace("value|upper", "value|shout")).unwrap();
    let broken = broken.to_str().unwrap();
    let (code, _, err) = world
        .contactor(&host, &["mapping", "try", "acme", "prefinery", "--mapping", broken, "--events", "2"])
        .await;
    assert!(code != 0 && err.contains("shout"), "{err}");
    assert_eq!(world.writes(), before);
    host.stop().await.unwrap();
    world.sandbox.shutdown().await;
}
