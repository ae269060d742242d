//! HighLevel by consent: the real binary, the double's rotating single-use tokens, and deaths at every step of a renewal.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::Host;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "highlevel.oauth.token";
const LOCATION_TOKEN: &str = "highlevel.oauth.location_token";
const OF_ACME: &str = "/workspaces/acme/consents";
const AGENCY: &str = "SandboxCompany000001";

/// A host that is an app of the double's marketplace.
struct World {
    dir: TempDir,
    sandbox: Sandbox,
    location: String,
    contact: String,
}

impl World {
    async fn new() -> Self {
        Self::asking("").await
    }

    /// The same with a line more in the configuration of the app, such as the scopes that are asked for.
    async fn asking(line: &str) -> Self {
        let mut config = SandboxConfig::default();
        config.highlevel.limits = None;
        let sandbox = Sandbox::start(config).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let app = sandbox.highlevel().app();
        let extra = format!(
            "timeout = 5\n[highlevel.oauth]\nclient-id = \"{}\"\nclient-secret-file = \"client.secret\"\n\
             redirect-url = \"https://host.example/oauth/highlevel/callback\"\n\
             consent-page = \"{}/v2/oauth/chooselocation\"\n{line}\n",
            app.client_id,
            sandbox.highlevel_url()
        );
        Host::init(dir.path(), &sandbox, &extra).await.unwrap();
        let secret = dir.path().join("client.secret");
        std::fs::write(&secret, &app.client_secret).unwrap();
        private(&secret);
        let location = sandbox.highlevel().first_location();
        let act = PersonAct::CreateContact { fields: json!({ "email": "first@example.com" }) };
        let contact = sandbox.highlevel().act(&location, act).unwrap()["id"].as_str().unwrap().to_owned();
        Self { dir, sandbox, location, contact }
    }

    async fn host(&self) -> Host {
        Host::start(self.dir.path()).await.unwrap()
    }

    /// A workspace without a token and with Prefinery, whose location has consented.
    async fn connected(&self) -> Host {
        let host = self.host().await;
        self.workspace(&host).await;
        self.consent(&host, OF_ACME, &self.location).await.unwrap();
        self.enable(&host).await;
        host
    }

    async fn workspace(&self, host: &Host) {
        host.post("/workspaces", &json!({ "id": "acme", "location": self.location })).await.unwrap();
    }

    async fn enable(&self, host: &Host) {
        host.install("prefinery").await.unwrap();
        let connection = host.put_prefinery(&self.sandbox, &json!({})).await.unwrap();
        host.aim(&self.sandbox, &connection).unwrap();
    }

    /// Goes to the consent page and back as a browser does. The page's words when it was refused.
    async fn consent(&self, host: &Host, path: &str, choice: &str) -> Result<Value, String> {
        let begun = host.post(path, &json!({ "white_label": true })).await.unwrap();
        self.answer(host, begun["url"].as_str().unwrap(), choice).await?;
        Ok(begun)
    }

    /// What the page says that the browser comes back to; an error when it says that nothing was connected.
    async fn answer(&self, host: &Host, page: &str, choice: &str) -> Result<String, String> {
        let page = format!("{page}&locationId={choice}");
        let redirect = host.client().get(page).send().await.unwrap();
        let back = redirect.headers()["location"].to_str().unwrap().to_owned();
        let answer = back.strip_prefix("https://host.example").unwrap();
        let ended = host.client().get(host.at(answer)).send().await.unwrap();
        let (status, text) = (ended.status(), ended.text().await.unwrap());
        if status.is_success() { Ok(text) } else { Err(text) }
    }

    async fn grant(&self, host: &Host, id: &str) -> Value {
        let grants = host.get("/oauth/grants").await.unwrap();
        grants.as_array().unwrap().iter().find(|grant| grant["id"] == id).cloned().unwrap()
    }

    /// What the host put on record of its own in the workspace, oldest first.
    async fn told(&self, host: &Host) -> Vec<String> {
        let entries = host.get("/audit?actor=the-host&workspace=acme").await.unwrap();
        let told = entries.as_array().unwrap().iter().rev().map(|entry| {
            let shown = |name: &str| entry[name].as_str().unwrap();
            format!("{} {} {}", shown("action"), shown("target"), shown("detail"))
        });
        told.collect()
    }

    fn own(&self) -> String {
        format!("location/{}", self.location)
    }

    fn tokens(&self) -> u64 {
        self.sandbox.recorder().count_of(TOKEN).carried_out
    }

    /// Reads a contact of HighLevel through the host: what is wrong, or an error when the host is away.
    async fn check(&self, host: &Host) -> anyhow::Result<Value> {
        let request = json!({ "input": { "contactId": self.contact } });
        let url = host.at("/api/v1/workspaces/acme/actions/highlevel.contacts.get");
        let answer = host.client().post(url).bearer_auth(host.token()).json(&request).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        Ok(if status.is_success() { json!([]) } else { json!([text]) })
    }

    fn fault(&self, operation: &str, effect: Effect, when: When) {
        self.sandbox.faults().add(Fault { operation: operation.to_owned(), effect, when, skip: 0 });
    }

    async fn state(&self, host: &Host) -> Value {
        host.get("/workspaces/acme/connections/prefinery").await.unwrap()["state"].clone()
    }

    fn create_contact(&self, email: &str) {
        let fields = json!({ "firstName": "Ann", "email": email });
        let act = PersonAct::CreateContact { fields };
        self.sandbox.highlevel().act(&self.location, act).unwrap();
    }

    async fn arrived(&self, host: &Host, email: &str) {
        let project = self.sandbox.prefinery().first_project();
        host.until("the contact is at Prefinery", async || {
            Ok(self.sandbox.prefinery().testers(project).iter().any(|tester| tester["email"] == email))
        })
        .await
        .unwrap();
    }
}

fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn refusal(status: u16, body: Value) -> Effect {
    Effect::Answer { status, body: Some(body), retry_after: None, after: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_is_opened_by_consent_and_its_contacts_are_kept_in_step() {
    let world = World::new().await;
    let host = world.connected().await;
    world.create_contact("ann@example.com");
    world.arrived(&host, "ann@example.com").await;
    let grant = world.grant(&host, &world.own()).await;
    assert_eq!((&grant["state"], &grant["generation"]), (&json!("active"), &json!(1)), "{grant}");
    assert_eq!(grant["workspaces"], json!(["acme"]));
    assert_eq!(grant["lacking"], json!([]));
    let connection = host.get("/workspaces/acme/connections/prefinery").await.unwrap();
    assert_eq!(connection["warnings"], json!([]), "the consent has all that the connection needs");
    // Country and time zone came from the location once it was open.
    let workspace = host.get("/workspaces/acme").await.unwrap();
    assert!(workspace["country"].is_string() && workspace["timezone"].is_string(), "{workspace}");
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_is_taken_once_and_only_for_the_workspaces_own_location() {
    let world = World::new().await;
    let other = contactor_sandbox::highlevel::LocationConfig {
        id: "OtherLocation0000001".into(),
        ..Default::default()
    };
    world.sandbox.highlevel().add_location(other);
    let host = world.host().await;
    world.workspace(&host).await;
    let refused = world.consent(&host, OF_ACME, "OtherLocation0000001").await.unwrap_err();
    assert!(refused.contains(&world.location) && refused.contains("Nothing was changed"), "{refused}");
    assert_eq!(host.get("/oauth/grants").await.unwrap(), json!([]));

    let begun = world.consent(&host, OF_ACME, &world.location).await.unwrap();
    let page = begun["url"].as_str().unwrap();
    let on_record = host.get("/audit").await.unwrap();
    let ends: Vec<_> =
        on_record.as_array().unwrap().iter().filter(|one| one["action"] == "oauth.connect").collect();
    let statuses: Vec<_> = ends.iter().map(|one| (&one["status"], &one["workspace"])).collect();
    let acme = json!("acme");
    assert_eq!(statuses, [(&json!(200), &acme), (&json!(400), &acme)], "{on_record}");
    let again = world.answer(&host, page, &world.location).await.unwrap_err();
    assert!(again.contains("begin again"), "{again}");
    let forged = page.replace("state=", "state=0");
    assert!(world.answer(&host, &forged, &world.location).await.is_err());
    let unknown = host.client().get(host.at("/oauth/highlevel/callback?code=x")).send().await.unwrap();
    assert_eq!(unknown.status(), 400);
    assert_eq!(unknown.headers()["referrer-policy"], "no-referrer");
    assert!(host.post("/workspaces/nobody/consents", &json!({})).await.is_err());
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_who_need_a_token_at_once_make_one_request() {
    let world = World::new().await;
    let host = world.connected().await;
    let before = world.tokens();
    world.sandbox.highlevel().withdraw_access(&world.location);
    let checks = join_all((0..100).map(|_| world.check(&host))).await;
    for problems in checks {
        assert_eq!(problems.unwrap(), json!([]));
    }
    assert_eq!(world.tokens() - before, 1);
    assert_eq!(world.sandbox.recorder().count_of(TOKEN).requests, world.tokens());
    assert_eq!(world.grant(&host, &world.own()).await["generation"], 2);
    host.stop().await.unwrap();
}

/// Steps of a renewal at which the host is killed, in their order.
const STEPS: [&str; 8] = [
    "before-commit/lease_grant",
    "after-commit/lease_grant",
    "grant-leased",
    "courier-spawned",
    "courier-told",
    "grant-answered",
    "before-commit/renew_grant",
    "after-commit/renew_grant",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_at_any_step_of_a_renewal_spends_one_token_and_loses_no_grant() {
    let world = World::new().await;
    let host = world.connected().await;
    host.stop().await.unwrap();
    let mut generation = 1;
    for step in STEPS {
        world.sandbox.highlevel().withdraw_access(&world.location);
        let before = world.tokens();
        let host = Host::start_with(world.dir.path(), &format!("die={step}:1")).await.unwrap();
        let asked = join_all((0..100).map(|_| world.check(&host))).await;
        assert!(asked.iter().all(Result::is_err), "{step}: the host lived on");
        assert_eq!(host.ends().await.unwrap().0, None, "{step}: it was not killed there");

        let host = world.host().await;
        let problems = world.check(&host).await.unwrap_or_else(|error| {
            let log = std::fs::read_to_string(world.dir.path().join("host.log")).unwrap();
            panic!("{step}: {error:#}\n{log}")
        });
        assert_eq!(problems, json!([]), "{step}");
        generation += 1;
        let grant = world.grant(&host, &world.own()).await;
        assert_eq!((&grant["generation"], &grant["state"]), (&json!(generation), &json!("active")), "{step}");
        assert_eq!(world.tokens() - before, 1, "{step}: token requests that succeeded");
        let left: Vec<_> = std::fs::read_dir(world.dir.path().join("couriers"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with("letter") || name.ends_with("draft"))
            .collect();
        assert!(left.len() <= 1, "{step}: {left:?}");
        host.stop().await.unwrap();
    }
    let refused = world.sandbox.recorder().count_of(TOKEN);
    assert_eq!(refused.requests, refused.carried_out, "no spent token was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_out_of_order_costs_no_grant() {
    let world = World::new().await;
    let host = world.connected().await;
    world.sandbox.highlevel().withdraw_access(&world.location);
    world.fault(TOKEN, refusal(503, json!({ "message": "down" })), When::Next(1));
    let problems = world.check(&host).await.unwrap().to_string();
    assert!(problems.contains("503"), "{problems}");
    let grant = world.grant(&host, &world.own()).await;
    assert_eq!(
        (&grant["state"], &grant["generation"], &grant["attempts"]),
        (&json!("degraded"), &json!(1), &json!(1))
    );
    host.post("/oauth/grants/renew", &json!({ "grant": world.own() })).await.unwrap();
    assert_eq!(world.check(&host).await.unwrap(), json!([]));

    // The app's secret is wrong: the operator's to mend, and no customer has to consent again.
    world.sandbox.highlevel().withdraw_access(&world.location);
    let client = json!({ "error": "UnAuthorized!", "error_description": "Invalid client credentials!" });
    world.fault(TOKEN, refusal(401, client), When::Next(1));
    let problems = world.check(&host).await.unwrap().to_string();
    assert!(problems.contains("highlevel.oauth"), "{problems}");
    assert_eq!(world.grant(&host, &world.own()).await["state"], "degraded");
    host.post("/oauth/grants/renew", &json!({ "grant": world.own() })).await.unwrap();
    assert_eq!(world.grant(&host, &world.own()).await["generation"], 3);
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_location_pauses_its_grant_and_goes_on_when_it_is_active_again() {
    let world = World::new().await;
    let host = world.connected().await;
    world.sandbox.highlevel().set_active(&world.location, false).unwrap();
    world.sandbox.highlevel().withdraw_access(&world.location);
    let problems = world.check(&host).await.unwrap().to_string();
    assert!(problems.contains("not active"), "{problems}");
    assert_eq!(world.grant(&host, &world.own()).await["state"], "paused");
    let asked = world.sandbox.recorder().count_of(TOKEN).requests;
    world.check(&host).await.unwrap();
    assert_eq!(world.sandbox.recorder().count_of(TOKEN).requests, asked, "it is asked about once a day");

    world.create_contact("ann@example.com");
    host.until("the connection stops", async || Ok(world.state(&host).await == "needs-reconnect"))
        .await
        .unwrap();
    world.sandbox.highlevel().set_active(&world.location, true).unwrap();
    host.post("/workspaces/acme/grants/renew", &json!({})).await.unwrap();
    assert_eq!(world.check(&host).await.unwrap(), json!([]));
    world.arrived(&host, "ann@example.com").await;

    // Nobody says anything: the host asks once a day, and when it starts.
    world.sandbox.highlevel().set_active(&world.location, false).unwrap();
    world.sandbox.highlevel().withdraw_access(&world.location);
    world.create_contact("bob@example.com");
    host.until("the connection stops", async || Ok(world.state(&host).await == "needs-reconnect"))
        .await
        .unwrap();
    host.stop().await.unwrap();
    world.sandbox.highlevel().set_active(&world.location, true).unwrap();
    let host = world.host().await;
    world.arrived(&host, "bob@example.com").await;
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_grant_needs_a_reconnect_which_keeps_links_and_lets_waiting_work_go_on() {
    let world = World::new().await;
    let host = world.connected().await;
    world.create_contact("ann@example.com");
    world.arrived(&host, "ann@example.com").await;
    host.until_idle().await.unwrap();
    world.sandbox.highlevel().withdraw_refresh(&world.location);
    world.sandbox.highlevel().withdraw_access(&world.location);
    world.create_contact("bob@example.com");
    host.until(
        "the connection needs a reconnect",
        async || Ok(world.state(&host).await == "needs-reconnect"),
    )
    .await
    .unwrap();
    let grant = world.grant(&host, &world.own()).await;
    assert_eq!(grant["state"], "needs-reconnect", "{grant}");
    assert!(grant["reason"].as_str().unwrap().contains("connected again"), "{grant}");
    let lost = format!("oauth.renew grant={} state=needs-reconnect before=active", world.own());
    let told = world.told(&host).await;
    assert_eq!(told.iter().filter(|told| **told == lost).count(), 1, "{told:#?}");
    let stopped = "connections.disable connector=prefinery state=needs-reconnect before=enabled";
    assert_eq!(told.iter().filter(|told| told.starts_with(stopped)).count(), 1, "{told:#?}");

    world.consent(&host, OF_ACME, &world.location).await.unwrap();
    world.arrived(&host, "bob@example.com").await;
    let goes_on = "connections.enable connector=prefinery state=enabled before=needs-reconnect";
    let told = world.told(&host).await;
    assert!(told.iter().any(|told| told.starts_with(goes_on)), "{told:#?}");
    host.until_idle().await.unwrap();
    let progress = host.get("/workspaces/acme/connections/prefinery/sync").await.unwrap();
    assert_eq!(progress["links"], 2, "{progress}");
    let project = world.sandbox.prefinery().first_project();
    assert_eq!(world.sandbox.prefinery().testers(project).len(), 2, "nobody was created twice");
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agencys_grant_opens_its_locations_as_long_as_they_have_the_app() {
    let world = World::new().await;
    let host = world.host().await;
    world.workspace(&host).await;
    world.consent(&host, "/oauth/consents", "company").await.unwrap();
    world.enable(&host).await;
    world.create_contact("ann@example.com");
    world.arrived(&host, "ann@example.com").await;
    let agency = world.grant(&host, &format!("company/{AGENCY}")).await;
    assert_eq!(agency["workspaces"], json!(["acme"]), "{agency}");
    assert_eq!(world.sandbox.recorder().count_of(LOCATION_TOKEN).carried_out, 1, "one token for all calls");
    let installed = host.get("/oauth/installations").await.unwrap();
    assert_eq!((&installed[0]["installed"], &installed[0]["workspace"]), (&json!(true), &json!("acme")));

    // The agency's own token is renewed on the way.
    world.sandbox.highlevel().withdraw_access(AGENCY);
    world.sandbox.highlevel().withdraw_access(&world.location);
    assert_eq!(world.check(&host).await.unwrap(), json!([]));
    assert_eq!(world.grant(&host, &format!("company/{AGENCY}")).await["generation"], 2);

    let app = world.sandbox.highlevel().app();
    world.sandbox.highlevel().uninstall(&app.id, &world.location).unwrap();
    host.until("the uninstallation is known", async || {
        Ok(host.get("/oauth/installations").await?[0]["installed"] == false)
    })
    .await
    .unwrap();
    let problems = world.check(&host).await.unwrap().to_string();
    assert!(problems.contains("install the app"), "{problems}");
    world.create_contact("bob@example.com");
    // Nobody tells an app of a location that has uninstalled it: the reinstallation finds what was missed.
    world.sandbox.highlevel().authorize(&app.client_id, Some(&world.location)).unwrap();
    host.until("the installation is known", async || {
        Ok(host.get("/oauth/installations").await?[0]["installed"] == true)
    })
    .await
    .unwrap();
    assert_eq!(world.check(&host).await.unwrap(), json!([]));
    let told = world.told(&host).await;
    let of = |action: &str| format!("{action} location={} ", world.location);
    for told_of in [of("oauth.uninstalled"), of("oauth.installed")] {
        assert!(told.contains(&told_of), "{told_of}: {told:#?}");
    }
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_whose_consent_lacks_a_scope_is_told_which_and_goes_on_after_the_next_consent() {
    let world = World::new().await;
    let whole = world.sandbox.highlevel().app();
    // The app was not given the scope at the marketplace: nobody can consent to it.
    let mut less = whole.clone();
    less.scopes.retain(|scope| scope != "oauth.write");
    world.sandbox.highlevel().add_app(less);
    let host = world.host().await;
    world.workspace(&host).await;
    let consent = async || {
        let begun = host.post("/oauth/consents", &json!({})).await.unwrap();
        world.answer(&host, begun["url"].as_str().unwrap(), "company").await.unwrap()
    };
    let said = consent().await;
    assert!(said.contains("1 of its locations") && said.contains("not granted oauth.write"), "{said}");
    world.enable(&host).await;
    world.create_contact("ann@example.com");
    host.until("the connection stops", async || Ok(world.state(&host).await == "needs-reconnect"))
        .await
        .unwrap();
    let connection = host.get("/workspaces/acme/connections/prefinery").await.unwrap();
    let reason = connection["state_reason"].as_str().unwrap();
    assert!(reason.contains("lacks the scope `oauth.write`"), "{reason}");
    // The grant itself is as good as before, and says what it lacks.
    let agency = world.grant(&host, &format!("company/{AGENCY}")).await;
    assert_eq!(
        (&agency["state"], &agency["lacking"]),
        (&json!("active"), &json!(["oauth.write"])),
        "{agency}"
    );
    assert_eq!(world.sandbox.recorder().count_of(LOCATION_TOKEN).carried_out, 0);

    world.sandbox.highlevel().add_app(whole);
    world.sandbox.highlevel().set_webhook_target(Some(host.webhooks().parse().unwrap()));
    let said = consent().await;
    assert!(!said.contains("not granted"), "{said}");
    world.arrived(&host, "ann@example.com").await;
    let agency = world.grant(&host, &format!("company/{AGENCY}")).await;
    assert_eq!(agency["lacking"], json!([]), "{agency}");
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_connection_needs_beyond_the_consent_is_told_scope_by_scope_and_the_rest_works() {
    let world = World::asking("scopes = [\"contacts.readonly\", \"contacts.write\"]").await;
    let host = world.connected().await;
    let lacks = |warnings: &Value, scope: &str| {
        let of_scope = format!("the consent lacks the scope `{scope}`");
        let warnings = warnings.as_array().unwrap().iter().map(|warning| warning.as_str().unwrap());
        warnings.filter(|warning| warning.contains(&of_scope)).count()
    };
    let shown = host.get("/workspaces/acme/connections/prefinery").await.unwrap();
    assert_eq!(shown["warnings"].as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(lacks(&shown["warnings"], "locations.readonly"), 1, "{shown}");
    let again = "Consent again (`contactor oauth connect acme`) with the scope in `[highlevel.oauth] scopes`";
    assert!(shown["warnings"][0].as_str().unwrap().contains(again), "{shown}");

    // What is configured needs more.
    let rule = json!({ "name": "visit", "on": ["AppointmentCreate"], "do": [{ "add-tags": ["seen"] }] });
    let enabled = host.put_prefinery(&world.sandbox, &json!({ "rules": [rule] })).await.unwrap();
    let path = "/workspaces/acme/connections/prefinery/check";
    let checked = host.post(path, &json!({})).await.unwrap();
    for warnings in [&enabled["warnings"], &checked["warnings"]] {
        assert_eq!(warnings.as_array().map(Vec::len), Some(2), "{warnings}");
        for scope in ["locations.readonly", "calendars/events.readonly"] {
            assert_eq!(lacks(warnings, scope), 1, "{warnings}");
        }
    }
    assert_eq!((&checked["ok"], &checked["problems"]), (&json!(true), &json!([])), "{checked}");
    let arguments = ["--server", host.url(), "connection", "show", "acme", "prefinery"];
    let printed = Host::run(world.dir.path(), &arguments, &[]).await.unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("calendars/events.readonly"), "{printed}");

    world.create_contact("ann@example.com");
    world.arrived(&host, "ann@example.com").await;
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agencys_scopes_are_asked_for_in_its_own_consent_alone() {
    let world = World::new().await;
    let host = world.host().await;
    world.workspace(&host).await;
    let asked = async |path: &str| {
        let begun = host.post(path, &json!({})).await.unwrap();
        let page: url::Url = begun["url"].as_str().unwrap().parse().unwrap();
        let scope = page.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
        scope.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let of_location = asked(OF_ACME).await;
    assert!(of_location.iter().all(|scope| !scope.starts_with("oauth.")), "{of_location:?}");
    let both = ["oauth.readonly", "oauth.write"].map(str::to_owned);
    assert_eq!(asked("/oauth/consents").await, [&of_location[..], &both[..]].concat());
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_signed_for_another_app_is_answered_and_not_kept() {
    let world = World::new().await;
    let host = world.connected().await;
    let app = world.sandbox.highlevel().app().id;
    // One key signs for every app, so the signature is good in all cases.
    let send = async |kind: &str, location: &str, app: Option<&str>| {
        let id = format!("{kind} at {location} of {}", app.unwrap_or("nobody"));
        let mut body = json!({
            "type": kind, "locationId": location, "id": world.contact, "webhookId": id,
            "timestamp": jiff::Timestamp::now().to_string(),
        });
        if let Some(app) = app {
            body["appId"] = json!(app);
        }
        let body = body.to_string();
        let signature = world.sandbox.highlevel().sign(body.as_bytes());
        let request = host.client().post(host.webhooks()).header("x-ghl-signature", signature).body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "anything else would be sent again");
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        answer["result"].as_str().unwrap().to_owned()
    };
    let installed = host.get("/oauth/installations").await.unwrap();
    for location in [world.location.as_str(), "NobodysLocation00001"] {
        for kind in ["ContactUpdate", "INSTALL", "UNINSTALL"] {
            assert_eq!(send(kind, location, Some("another-app")).await, "other-app", "{kind} {location}");
        }
    }
    assert_eq!(host.get("/health").await.unwrap()["held_events"], 0);
    let events = host.get("/workspaces/acme/events?limit=500").await.unwrap();
    assert!(!events.to_string().contains("another-app"), "{events}");

    // Records of one's own are read again whether or not the event names the app; an installation has to name it.
    assert_eq!(send("ContactUpdate", &world.location, Some(app.as_str())).await, "new");
    assert_eq!(send("ContactUpdate", &world.location, None).await, "new");
    assert_eq!(send("INSTALL", "NobodysLocation00001", None).await, "held");
    assert_eq!(host.get("/oauth/installations").await.unwrap(), installed);
    assert_eq!(send("INSTALL", "NobodysLocation00001", Some(app.as_str())).await, "held");
    assert_ne!(host.get("/oauth/installations").await.unwrap(), installed);
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_token_is_replaced_by_one_that_opens_the_same_location() {
    let world = World::new().await;
    let host = world.host().await;
    let token = world.sandbox.highlevel().private_token();
    let new = json!({ "id": "acme", "location": world.location, "token": token });
    host.post("/workspaces", &new).await.unwrap();
    world.enable(&host).await;
    world.sandbox.highlevel().revoke_token(&token);
    world.create_contact("ann@example.com");
    host.until(
        "the connection needs a reconnect",
        async || Ok(world.state(&host).await == "needs-reconnect"),
    )
    .await
    .unwrap();
    assert!(host.put("/workspaces/acme/token", &json!({ "token": "pit-fake-and-unknown" })).await.is_err());
    assert_eq!(world.state(&host).await, "needs-reconnect");
    let scopes =
        ["contacts.readonly", "contacts.write", "locations.readonly", "locations/customFields.readonly"];
    world.sandbox.highlevel().add_private_token(&world.location, "pit-fake-second-token", &scopes).unwrap();
    host.put("/workspaces/acme/token", &json!({ "token": "pit-fake-second-token" })).await.unwrap();
    world.arrived(&host, "ann@example.com").await;
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_needs_a_consent_keeps_nobody_from_a_private_token() {
    let world = World::new().await;
    let host = world.connected().await;
    world.sandbox.highlevel().withdraw_refresh(&world.location);
    world.sandbox.highlevel().withdraw_access(&world.location);
    let problems = world.check(&host).await.unwrap().to_string();
    assert!(problems.contains("reconnect"), "{problems}");
    assert_eq!(world.grant(&host, &world.own()).await["state"], "needs-reconnect");
    let token = world.sandbox.highlevel().private_token();
    host.put("/workspaces/acme/token", &json!({ "token": token })).await.unwrap();
    assert_eq!(world.check(&host).await.unwrap(), json!([]));
    assert_eq!(world.grant(&host, &world.own()).await["state"], "needs-reconnect", "nothing is deleted");
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_understood_is_kept_and_the_spent_token_is_not_sent_again() {
    let world = World::new().await;
    let host = world.connected().await;
    world.sandbox.highlevel().withdraw_access(&world.location);
    let surprise = json!({ "token_of_tomorrow": "fake" });
    let effect = Effect::Answer { status: 200, body: Some(surprise), retry_after: None, after: true };
    world.fault(TOKEN, effect, When::Next(1));
    let problems = world.check(&host).await.unwrap().to_string();
    assert!(problems.contains("no token"), "{problems}");
    let asked = world.sandbox.recorder().count_of(TOKEN).requests;
    assert!(host.post("/workspaces/acme/grants/renew", &json!({})).await.is_err());
    let host = {
        host.stop().await.unwrap();
        world.host().await
    };
    assert!(host.post("/workspaces/acme/grants/renew", &json!({})).await.is_err());
    assert_eq!(world.sandbox.recorder().count_of(TOKEN).requests, asked);
    assert_eq!(world.grant(&host, &world.own()).await["state"], "degraded");
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_for_a_whole_agency_is_not_taken_for_one_location() {
    let world = World::new().await;
    let host = world.host().await;
    world.workspace(&host).await;
    let refused = world.consent(&host, OF_ACME, "company").await.unwrap_err();
    assert!(refused.contains("whole agency") && refused.contains("Nothing was changed"), "{refused}");
    assert_eq!(host.get("/oauth/grants").await.unwrap(), json!([]));
    host.stop().await.unwrap();
}
