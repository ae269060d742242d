//! Somebody is told when something needs a person: on transitions, in few messages.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_engine::{NewDestination, ParkedAction};
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{AlertKind, AlertRules, DestinationKind, RunCause, RunFilter, RunOutcome, WorkspaceId};
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::partners;
use jiff::SignedDuration;
use serde_json::json;

const PEOPLE: usize = 12;

struct World {
    stand: Stand,
    location: String,
    workspace: WorkspaceId,
}

impl World {
    async fn set(rules: AlertRules) -> Self {
        Self::set_in(partners::sandbox(), rules).await
    }

    async fn set_in(mut config: SandboxConfig, rules: AlertRules) -> Self {
        config.connectif.limit = None;
        let stand = Stand::serve_with(config).await.unwrap();
        partners::connect(&stand, partners::connectif(&stand.sandbox)).await.unwrap();
        add_destination(&stand).await;
        let workspace = WorkspaceId::new(WORKSPACE);
        let rules = AlertRules { to: vec!["team".to_owned()], ..rules };
        stand.engine.set_alert_rules(&workspace, rules).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let world = Self { stand, location, workspace };
        world.pass(2).await;
        world
    }

    fn contact(&self, number: usize) {
        let fields = json!({ "firstName": "Ann", "email": format!("ann{number}@example.com") });
        let act = PersonAct::CreateContact { fields };
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
    }

    fn fault(&self, effect: Effect) {
        let (operation, when) = ("connectif.*".to_owned(), When::Always);
        self.stand.sandbox.faults().add(Fault { operation, effect, when, skip: 0 });
    }

    /// Minutes pass, in which the host does what it does.
    async fn pass(&self, minutes: i64) {
        for _ in 0..minutes {
            self.stand.advance(SignedDuration::from_mins(1));
            for outbox in self.stand.sandbox.outboxes() {
                outbox.flush(contactor_sandbox::outbox::Order::Queued).await;
            }
            self.stand.engine.walk_until_rest().await;
            self.stand.engine.run_until_idle().await.unwrap();
        }
    }

    /// What arrived so far: news and kind of each alert, message by message.
    fn told(&self) -> Vec<Vec<(String, String)>> {
        let messages = self.stand.sandbox.inbox().messages();
        let alerts = messages.iter().map(|message| {
            assert_eq!(message.body["type"], "contactor.alert", "{message:?}");
            let alerts = message.body["data"]["alerts"].as_array().unwrap().iter();
            let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            alerts.map(|alert| (word(&alert["news"]), word(&alert["kind"]))).collect()
        });
        alerts.collect()
    }

    async fn open(&self) -> Vec<AlertKind> {
        let alerts = self.stand.engine.alerts(&self.workspace).await.unwrap().alerts;
        alerts.into_iter().filter(|alert| alert.ended_at.is_none()).map(|alert| alert.kind).collect()
    }
}

async fn add_destination(stand: &Stand) {
    let destination = NewDestination {
        workspace: WORKSPACE.to_owned(),
        name: "team".to_owned(),
        kind: DestinationKind::Webhook,
        to: Vec::new(),
        url: Some(format!("{}/webhook/team", stand.sandbox.inbox_url()).into()),
        secret: Some(stand.sandbox.inbox().secret().into()),
    };
    stand.engine.put_destination(destination).await.unwrap();
}

fn pair(news: &str, kind: &str) -> (String, String) {
    (news.to_owned(), kind.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_told_once_and_that_it_is_over_once() {
    let world = World::set(AlertRules::default()).await;
    world.fault(Effect::refuse(503));
    for number in 0..PEOPLE {
        world.contact(number);
    }
    world.pass(120).await;
    assert_eq!(world.told(), [[pair("ALERT", "degraded")]]);
    world.stand.sandbox.faults().clear();
    world.pass(30).await;
    assert_eq!(world.told(), [[pair("ALERT", "degraded")], [pair("OVER", "degraded")]]);
    assert_eq!(world.open().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_parked_is_told_with_the_fix_and_again_when_it_is_ten_times_as_much() {
    let world = World::set(AlertRules::default()).await;
    world.fault(Effect::Answer {
        status: 422,
        body: Some(json!({ "message": "lists are closed" })),
        retry_after: None,
        after: false,
    });
    world.contact(100);
    world.pass(10).await;
    assert_eq!(world.told(), [[pair("ALERT", "parked")]]);
    let text = world.stand.sandbox.inbox().messages()[0].body["text"].as_str().unwrap().to_owned();
    assert!(text.contains("contactor parked show acme") && text.contains("retry the group"), "{text}");
    for number in 0..PEOPLE {
        world.contact(number);
    }
    world.pass(70).await;
    assert_eq!(world.told(), [[pair("ALERT", "parked")], [pair("WORSE", "parked")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_credential_is_told_at_once() {
    let world = World::set(AlertRules::default()).await;
    world.stand.sandbox.connectif().revoke_key();
    world.contact(1);
    world.pass(2).await;
    assert_eq!(world.told(), [[pair("ALERT", "needs-reconnect")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_highlevel_never_sent_are_noticed_by_the_sweep() {
    let world = World::set(AlertRules { missed: 5, ..AlertRules::default() }).await;
    for number in 0..PEOPLE {
        world.contact(number);
    }
    world.pass(5).await;
    for contact in world.stand.sandbox.highlevel().contacts(&world.location) {
        let contact = contact["id"].as_str().unwrap().to_owned();
        let act = PersonAct::EditContact { contact, fields: json!({ "lastName": "Smith" }) };
        world.stand.sandbox.highlevel().act(&world.location, act).unwrap();
    }
    world.stand.sandbox.highlevel().webhooks().clear();
    world.stand.sandbox.highlevel().refresh_index();
    world.pass(25).await;
    assert_eq!(world.told(), [[pair("ALERT", "missed-webhooks")]]);
    // It has begun within the last hour, whatever the clock shows.
    world.pass(35).await;
    assert_eq!(world.open().await, [AlertKind::MissedWebhooks]);
    world.pass(30).await;
    assert_eq!(world.told(), [[pair("ALERT", "missed-webhooks")], [pair("OVER", "missed-webhooks")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_has_done_again_was_missed_by_no_webhook() {
    let world = World::set(AlertRules { missed: 5, parked: 1_000, ..AlertRules::default() }).await;
    let refusal = json!({ "message": "lists are closed" });
    world.fault(Effect::Answer { status: 422, body: Some(refusal), retry_after: None, after: false });
    for number in 0..PEOPLE {
        world.contact(number);
    }
    world.pass(5).await;
    world.stand.sandbox.faults().clear();
    let engine = &world.stand.engine;
    let groups = engine.parked_groups(&world.workspace).await.unwrap();
    let contacts = groups.iter().find(|group| group.group.of.entity == "contact").unwrap();
    let released = engine.release_group(&world.workspace, &contacts.id, ParkedAction::Retry).await.unwrap();
    assert_eq!(released, PEOPLE as u64);
    world.pass(10).await;
    let runs = engine.runs(RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap();
    let asked =
        runs.iter().filter(|run| run.cause == Some(RunCause::Person) && run.outcome == RunOutcome::Applied);
    assert!(asked.count() >= PEOPLE, "{runs:#?}");
    assert_eq!((world.told(), world.open().await), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_could_be_told_is_told_when_there_is_a_destination_again() {
    let world = World::set(AlertRules::default()).await;
    world.stand.engine.remove_destination(&world.workspace, "team").await.unwrap();
    world.stand.sandbox.connectif().revoke_key();
    world.contact(1);
    world.pass(10).await;
    assert_eq!(world.open().await, [AlertKind::NeedsReconnect]);
    add_destination(&world.stand).await;
    world.pass(2).await;
    assert_eq!(world.told(), [[pair("ALERT", "needs-reconnect")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_whose_quota_is_used_up_for_long_is_told_as_highlevels_is() {
    // Quotas are kept where HighLevel's are.
    let world = World::set_in(SandboxConfig::for_tests(), AlertRules::default()).await;
    partners::connect(&world.stand, partners::prefinery(&world.stand.sandbox)).await.unwrap();
    world.stand.sandbox.faults().add(Fault {
        operation: "prefinery.testers.list".to_owned(),
        effect: Effect::Answer { status: 429, body: None, retry_after: Some(1_800), after: false },
        when: When::Always,
        skip: 0,
    });
    world.contact(1);
    world.pass(10).await;
    assert!(world.told().concat().contains(&pair("ALERT", "quota")), "{:?}", world.told());
    let alerts = world.stand.engine.alerts(&world.workspace).await.unwrap().alerts;
    let text = &alerts.iter().find(|alert| alert.kind == AlertKind::Quota).unwrap().text;
    assert!(
        text.contains("`testers of a project` of 60 requests in 60 seconds is used up")
            && text.contains("contactor quota acme"),
        "{text}"
    );
    world.stand.sandbox.faults().clear();
    world.pass(45).await;
    assert_eq!(world.open().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_falls_silent_is_noticed_and_one_that_never_spoke_is_not() {
    let world = World::set(AlertRules { silence_hours: 2, ..AlertRules::default() }).await;
    world.pass(150).await;
    assert_eq!(world.told(), [] as [Vec<_>; 0], "nobody ever sent anything");
    world.contact(1);
    world.pass(115).await;
    assert_eq!(world.told(), [] as [Vec<_>; 0]);
    world.pass(10).await;
    // HighLevel, and the partner whose webhooks the first contact had set off.
    assert_eq!(world.told(), [vec![pair("ALERT", "silence"); 2]]);
    world.contact(2);
    world.pass(10).await;
    assert_eq!(world.told().last().unwrap(), &vec![pair("OVER", "silence"); 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_name_destinations_that_exist() {
    let world = World::set(AlertRules::default()).await;
    let rules = AlertRules { to: vec!["nobody".to_owned()], ..AlertRules::default() };
    let refused = world.stand.engine.set_alert_rules(&world.workspace, rules).await.unwrap_err().to_string();
    assert!(refused.contains("contactor destination add acme nobody"), "{refused}");
}
