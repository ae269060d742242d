//! The vault of the real binary: keys are exchanged under load, after kill -9, in backups, and wherever they come from.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_store::KeyFile;
use contactor_tests::host::Host;
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// People on each side of the load.
const PEOPLE: usize = 20;
/// How often both layers are exchanged under load.
const ROTATIONS: usize = 4;
/// Requests of each kind of load at least, however quick the rotations are.
const REQUESTS: usize = 40;
/// The type of a webhook that no connector asks for.
const IDLE: &str = "OpportunityUpdate";

struct Stand {
    dir: TempDir,
    sandbox: Sandbox,
}

impl Stand {
    /// A host's directory beside the doubles; the host is not started.
    async fn init() -> Self {
        let mut config = SandboxConfig::default();
        config.highlevel.limits = None;
        let (dir, sandbox) = (tempfile::tempdir().unwrap(), Sandbox::start(config).await.unwrap());
        Host::init(dir.path(), &sandbox, "").await.unwrap();
        Self { dir, sandbox }
    }

    /// A running host with a connection and some destinations, so that there is something to seal.
    async fn start() -> (Self, Host) {
        let stand = Self::init().await;
        let host = Host::start(stand.dir()).await.unwrap();
        host.enable_prefinery(&stand.sandbox, json!({})).await.unwrap();
        for number in 0..3 {
            put_destination(&host, number).await.unwrap();
        }
        (stand, host)
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn key_file(&self) -> KeyFile {
        KeyFile::at(self.path("vault.key"))
    }

    /// Compiled components on the disk.
    fn compiled(&self) -> BTreeSet<PathBuf> {
        let entries = std::fs::read_dir(self.path("aot-cache")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "compiled")).collect()
    }

    /// Changes the section `[vault]`.
    fn take_keys_from(&self, source: &str) {
        let path = self.path("contactor.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let before = text.split("\n[vault]").next().unwrap();
        std::fs::write(&path, format!("{before}\n[vault]\n{source}\n")).unwrap();
    }

    /// Runs a command; answers its exit code and all that it printed.
    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = Host::run(self.dir(), arguments, &[]).await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    /// A command that asks the host.
    async fn ask(&self, host: &Host, arguments: &[&str]) -> (i32, String) {
        self.run(&[&["--server", host.url()], arguments].concat()).await
    }

    async fn drill(&self, backup: &str, key: &str) -> (i32, Value) {
        let (backup, key) = (self.path(backup), self.path(key));
        let arguments = ["-q", "vault", "drill", "--json", "--backup", backup.to_str().unwrap()];
        let (code, said) = self.run(&[&arguments[..], &["--key-file", key.to_str().unwrap()]].concat()).await;
        // What is wrong stands behind the report.
        let report = said.split("\ncontactor: ").next().unwrap();
        (code, serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {said}")))
    }

    /// Everything that a host said, and the secrets that it must not have said.
    fn log_is_free_of(&self, secrets: &[String]) {
        let log = std::fs::read_to_string(self.path("host.log")).unwrap();
        for secret in secrets {
            assert!(!log.contains(secret.as_str()), "a secret is in the log");
        }
    }

    fn secrets(&self) -> Vec<String> {
        let keys = std::fs::read_to_string(self.path("vault.key")).unwrap();
        let keys = keys.lines().filter_map(|line| line.split_once(':')).map(|(_, key)| key.to_owned());
        keys.filter(|key| key.len() == 44)
            .chain([self.sandbox.highlevel().private_token(), self.sandbox.prefinery().api_key().to_owned()])
            .collect()
    }

    /// Sends a webhook of HighLevel that is kept and asks for no work; answers the status.
    async fn send(&self, host: &Host, number: usize) -> u16 {
        let location = self.sandbox.highlevel().first_location();
        let body = json!({
            "type": IDLE, "locationId": location, "webhookId": format!("vault-{number}"),
            "id": format!("opportunity-{number}"), "timestamp": Timestamp::now().to_string(),
        })
        .to_string();
        let signature = self.sandbox.highlevel().sign(body.as_bytes());
        let request = host.client().post(host.webhooks()).header("x-ghl-signature", signature).body(body);
        request.send().await.unwrap().status().as_u16()
    }

    /// People are created on both sides.
    fn create(&self, number: usize) {
        let (location, project) =
            (self.sandbox.highlevel().first_location(), self.sandbox.prefinery().first_project());
        let fields = json!({ "firstName": "Ada", "email": format!("contact{number}@example.com") });
        self.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let fields = json!({ "first_name": "Bob", "email": format!("tester{number}@example.com") });
        self.sandbox.prefinery().act(project, ProjectAct::CreateTester { fields }).unwrap();
    }

    /// Those who are on both sides.
    fn in_step(&self) -> usize {
        let (location, project) =
            (self.sandbox.highlevel().first_location(), self.sandbox.prefinery().first_project());
        let emails = |records: Vec<Value>| -> Vec<String> {
            records.iter().filter_map(|record| record["email"].as_str().map(str::to_owned)).collect()
        };
        let contacts = emails(self.sandbox.highlevel().contacts(&location));
        let testers = emails(self.sandbox.prefinery().testers(project));
        let numbered =
            (0..PEOPLE).flat_map(|n| [format!("contact{n}@example.com"), format!("tester{n}@example.com")]);
        numbered.filter(|email| contacts.contains(email) && testers.contains(email)).count()
    }
}

async fn put_destination(host: &Host, number: usize) -> anyhow::Result<Value> {
    let address = json!({ "kind": "chat", "url": format!("http://127.0.0.1:9/{number}") });
    host.put(&format!("/workspaces/acme/destinations/team{number}"), &address).await
}

/// The connection still works: its credential and the location's token are as they were.
async fn connection_works(host: &Host) {
    let checked = host.post("/workspaces/acme/connections/prefinery/check", &json!({})).await.unwrap();
    assert_eq!(checked["ok"], json!(true), "{checked}");
}

/// How many of the webhooks that ask for no work were kept.
async fn kept(host: &Host) -> usize {
    let (mut kept, mut before) = (0, i64::MAX);
    loop {
        let path = format!("/workspaces/acme/events?kind={IDLE}&limit=500&before={before}");
        let page = host.get(&path).await.unwrap();
        let page = page.as_array().unwrap();
        let Some(last) = page.last() else { return kept };
        before = last["seq"].as_i64().unwrap();
        kept += page.len();
    }
}

async fn status(host: &Host) -> Value {
    host.get("/vault").await.unwrap()
}

async fn until_done(host: &Host) -> Value {
    host.until("every key is exchanged", async || Ok(host.get("/vault").await?["done"] == true))
        .await
        .unwrap();
    status(host).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_layers_of_keys_are_exchanged_under_load_and_no_request_is_lost() {
    let (stand, host) = Stand::start().await;
    let first = status(&host).await;
    let (over, sent) = (CancellationToken::new(), AtomicUsize::new(0));
    let goes_on = |done: usize| done < REQUESTS || !over.is_cancelled();
    let webhooks = async {
        let mut number = 0;
        while goes_on(number) {
            assert_eq!(stand.send(&host, number).await, 200);
            number += 1;
        }
        sent.store(number, Ordering::SeqCst);
    };
    let admins = async {
        let mut number = 0;
        while goes_on(number) {
            // Each writes credentials, and has the next call read them again.
            host.put_prefinery(&stand.sandbox, &json!({})).await.unwrap();
            put_destination(&host, number % 5).await.unwrap();
            if number % 20 == 0 {
                // Not each time: it costs HighLevel's quota.
                connection_works(&host).await;
            }
            number += 1;
        }
    };
    let people = async {
        for number in 0..PEOPLE {
            stand.create(number);
            // One after the other, so that the load lasts; its pace is the host's.
            host.get("/health").await.unwrap();
        }
    };
    let rotations = async {
        for _ in 0..ROTATIONS {
            let (code, said) = stand.run(&["vault", "new-key"]).await;
            assert_eq!(code, 0, "{said}");
            let (code, said) = stand.ask(&host, &["vault", "rotate"]).await;
            assert_eq!(code, 0, "{said}");
            assert!(said.contains("everything is under the current keys"), "{said}");
        }
        over.cancel();
    };
    tokio::join!(webhooks, admins, people, rotations);

    host.until("everybody is on both sides", async || Ok(stand.in_step() == 2 * PEOPLE)).await.unwrap();
    host.until_idle().await.unwrap();
    assert_eq!(host.get("/workspaces/acme/parked").await.unwrap(), json!([]));
    assert_eq!(kept(&host).await, sent.load(Ordering::SeqCst), "webhooks that were answered 200");
    let last = until_done(&host).await;
    assert_ne!(last["current"], first["current"]);
    assert_eq!((&last["unopenable"], &last["next"]), (&json!(0), &json!("drop-former")), "{last}");
    assert_eq!(last["former"].as_array().unwrap().len(), ROTATIONS, "{last}");

    // The former keys are needed no more: without them everything goes on, also after a restart.
    let (code, said) = stand.ask(&host, &["vault", "drop-former"]).await;
    assert_eq!((code, stand.key_file().open().unwrap().former().count()), (0, 0), "{said}");
    stand.log_is_free_of(&stand.secrets());
    host.stop().await.unwrap();
    let host = Host::start(stand.dir()).await.unwrap();
    connection_works(&host).await;
    assert_eq!(status(&host).await["former"], json!([]));
    host.stop().await.unwrap();
    stand.log_is_free_of(&stand.secrets());
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machine_code_that_a_former_key_authenticated_is_gone_while_the_host_runs() {
    let (stand, host) = Stand::start().await;
    let before = stand.compiled();
    assert!(!before.is_empty());
    assert_eq!(stand.run(&["vault", "new-key"]).await.0, 0);
    assert_eq!(stand.compiled(), before, "the host does not know the new key yet");
    let (code, said) = stand.ask(&host, &["vault", "rotate"]).await;
    assert_eq!(code, 0, "{said}");
    host.install("connectif").await.unwrap();
    connection_works(&host).await;
    let since = stand.compiled();
    assert!(!since.is_empty() && since.is_disjoint(&before), "{since:?}");
    // The start derives the same key: what was compiled since stays.
    host.stop().await.unwrap();
    let host = Host::start(stand.dir()).await.unwrap();
    assert!(stand.compiled().is_superset(&since), "{since:?}");
    connection_works(&host).await;
    host.stop().await.unwrap();
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_goes_on_by_itself_after_the_restart() {
    let (stand, host) = Stand::start().await;
    host.stop().await.unwrap();
    for place in [
        "before-commit/begin_key_generation",
        "after-commit/rewrap_data_keys",
        "before-commit/replace_data_key",
        "after-commit/replace_data_key",
        "before-commit/reseal",
        "after-commit/reseal",
    ] {
        let before = stand.key_file().open().unwrap().current().id().to_string();
        let new = stand.key_file().add_key().unwrap().to_string();
        // The start itself exchanges what is left, so the new key is there before it: it dies during that, or when it is asked.
        let orders = format!("die={place}:1");
        match Host::start_with(stand.dir(), &orders).await {
            Ok(host) => {
                // Its answer may be the last thing that it does, or not come at all.
                let _ = host.post("/vault/rotate", &json!({ "keys": "all" })).await;
                let (code, _) = host.ends().await.unwrap();
                assert_eq!(code, None, "{place}: it was not killed there");
            }
            // Whoever refuses to start says why; whoever is killed says nothing.
            Err(error) => assert!(!error.to_string().contains("contactor: "), "{place}: {error}"),
        }

        // Nobody asks again: the start goes on with what is left.
        let host = Host::start(stand.dir()).await.unwrap();
        let done = until_done(&host).await;
        assert_eq!((&done["current"], &done["unopenable"]), (&json!(new), &json!(0)), "{place}: {done}");
        let needed = |former: &Value| former["key"] == json!(before) && former["data_keys"] != 0;
        assert!(!done["former"].as_array().unwrap().iter().any(needed), "{place}: {done}");
        connection_works(&host).await;
        // The same command again is answered as well.
        host.post("/vault/rotate", &json!({ "keys": "all" })).await.unwrap();
        assert_eq!(until_done(&host).await["unopenable"], json!(0), "{place}");
        connection_works(&host).await;
        host.stop().await.unwrap();
    }
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_opens_with_the_new_key_and_not_with_the_old_one() {
    let (stand, host) = Stand::start().await;
    std::fs::copy(stand.path("vault.key"), stand.path("old.key")).unwrap();
    let backup = async |name: &str| {
        let to = stand.path(name);
        let (code, said) = stand.run(&["backup", "--to", to.to_str().unwrap()]).await;
        assert_eq!(code, 0, "{said}");
    };
    backup("before.db").await;
    let (code, said) = stand.ask(&host, &["vault", "drop-former"]).await;
    assert!(code == 0 && said.contains("no former key"), "{said}");
    assert_eq!(stand.run(&["vault", "new-key"]).await.0, 0);
    let (code, said) = stand.ask(&host, &["vault", "drop-former"]).await;
    assert!(code == 4 && said.contains("still wraps with"), "the host does not know the new key yet: {said}");
    assert_eq!(stand.ask(&host, &["vault", "rotate"]).await.0, 0);
    assert_eq!(stand.ask(&host, &["vault", "drop-former"]).await.0, 0);
    backup("after.db").await;
    let (code, said) = stand.run(&["backup", "--to", stand.path("after.db").to_str().unwrap()]).await;
    assert!(code == 2 && said.contains("exists already"), "{said}");

    for (backup, key, opens) in [
        ("before.db", "old.key", true),
        ("before.db", "vault.key", false),
        ("after.db", "vault.key", true),
        ("after.db", "old.key", false),
    ] {
        let before = std::fs::read(stand.path(backup)).unwrap();
        let (code, report) = stand.drill(backup, key).await;
        assert_eq!(code, i32::from(!opens), "{backup} with {key}: {report}");
        for kind in ["data_keys", "credentials"] {
            let Value::Number(total) = &report[kind]["total"] else { panic!("{report}") };
            assert!(total.as_u64() > Some(0), "{report}");
            assert_eq!(report[kind]["opened"], if opens { json!(total) } else { json!(0) }, "{report}");
        }
        assert_eq!(std::fs::read(stand.path(backup)).unwrap(), before, "a drill changes nothing");
        assert!(
            !stand.path(&format!("{backup}-wal")).exists() && !stand.path(&format!("{backup}-shm")).exists()
        );
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&stand.path("after.db").metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // The backup is restored for real: the old key is refused, the new one accepted.
    host.stop().await.unwrap();
    for name in ["contactor.db", "contactor.db-wal", "contactor.db-shm"] {
        let _ = std::fs::remove_file(stand.path(name));
    }
    std::fs::copy(stand.path("after.db"), stand.path("contactor.db")).unwrap();
    assert_eq!(stand.run(&["store", "accept"]).await.0, 0);
    std::fs::copy(stand.path("vault.key"), stand.path("new.key")).unwrap();
    std::fs::copy(stand.path("old.key"), stand.path("vault.key")).unwrap();
    let (code, said) = stand.run(&["serve"]).await;
    assert!(code == 2 && said.contains("data keys need the key"), "{code}: {said}");
    std::fs::copy(stand.path("new.key"), stand.path("vault.key")).unwrap();
    let host = Host::start(stand.dir()).await.unwrap();
    connection_works(&host).await;
    host.stop().await.unwrap();

    // With the host stopped the database itself says what it needs.
    assert_eq!(stand.run(&["vault", "new-key"]).await.0, 0);
    let nobody = ["--server", "http://127.0.0.1:9", "vault", "drop-former"];
    let (code, said) = stand.run(&nobody).await;
    assert!(code == 4 && said.contains("still needs"), "{code}: {said}");
    assert_eq!(stand.key_file().open().unwrap().former().count(), 1);
    let host = Host::start(stand.dir()).await.unwrap();
    until_done(&host).await;
    host.stop().await.unwrap();
    assert_eq!(stand.run(&nobody).await.0, 0);
    assert_eq!(stand.key_file().open().unwrap().former().count(), 0);
    stand.sandbox.shutdown().await;
}

/// A key file and a token of `acme`, as the version before data keys left them.
const KEY_BEFORE: &str = "08d809391d5aee4a:DdohKC5onYnRiReT5YL14Lq4vH5xdfRcF86GQj5MP4k=";
const TOKEN_BEFORE: &str =
    "46c42f3faf2b1df90685028f91e7bf40290e1881e2e380212a8ce6b3e6f0eaf2c668d0f45191dc560cdcedcaba0e00a1171e";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_host_sealed_with_its_one_key_opens_and_is_sealed_anew_at_the_start() {
    let stand = Stand::init().await;
    std::fs::write(stand.path("vault.key"), format!("{KEY_BEFORE}\n")).unwrap();
    let host = Host::start(stand.dir()).await.unwrap();
    host.enable_prefinery(&stand.sandbox, json!({})).await.unwrap();
    host.stop().await.unwrap();
    let key = KEY_BEFORE.split(':').next().unwrap();
    let database = Connection::open(stand.path("contactor.db")).unwrap();
    let before =
        format!("UPDATE credentials SET key_id = '{key}', bytes = x'{TOKEN_BEFORE}' WHERE name = 'acme'");
    assert_eq!(database.execute(&before, []).unwrap(), 1);
    database.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    drop(database);
    let (code, report) = stand.drill("contactor.db", "vault.key").await;
    assert_eq!((code, &report["sealed_before"]), (0, &json!(1)), "{report}");

    // Another key does not open it: the host does not start, and says which one it needs.
    std::fs::rename(stand.path("vault.key"), stand.path("right.key")).unwrap();
    KeyFile::create(&stand.path("vault.key")).unwrap();
    let (code, said) = stand.run(&["serve"]).await;
    assert!(code == 2 && said.contains(key), "{code}: {said}");
    std::fs::rename(stand.path("right.key"), stand.path("vault.key")).unwrap();

    let host = Host::start(stand.dir()).await.unwrap();
    let done = until_done(&host).await;
    assert_eq!((&done["unopenable"], &done["sealed"][0]["older"]), (&json!(0), &json!(0)), "{done}");
    host.stop().await.unwrap();
    let (code, report) = stand.drill("contactor.db", "vault.key").await;
    assert_eq!((code, &report["sealed_before"]), (0, &json!(0)), "{report}");
    assert_eq!(report["credentials"]["total"], report["credentials"]["opened"], "{report}");
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_a_partners_webhooks_is_told_by_the_host_and_not_by_its_database() {
    let (stand, host) = Stand::start().await;
    let address = async |host: &Host| {
        let connection = host.get("/workspaces/acme/connections/prefinery").await.unwrap();
        connection["webhook_path"].as_str().unwrap().to_owned()
    };
    let first = address(&host).await;
    let token = first.strip_prefix("/webhooks/partner/").unwrap();
    let in_a_file = || {
        ["contactor.db", "contactor.db-wal"].iter().any(|name| {
            let bytes = std::fs::read(stand.path(name)).unwrap_or_default();
            bytes.windows(token.len()).any(|window| window == token.as_bytes())
        })
    };
    assert!(!in_a_file(), "while it runs");
    host.stop().await.unwrap();
    assert!(!in_a_file());

    // As the version before left it.
    let database = Connection::open(stand.path("contactor.db")).unwrap();
    database.execute("INSERT INTO unsealed_webhooks SELECT pk, ?1 FROM connections", [token]).unwrap();
    let sealed = "DELETE FROM credentials WHERE name = 'acme/prefinery/webhook-address'";
    assert_eq!(database.execute(sealed, []).unwrap(), 1);
    database.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    drop(database);
    assert!(in_a_file());
    for place in ["before-commit/put_webhook_address", "after-commit/put_webhook_address"] {
        let started = Host::start_with(stand.dir(), &format!("die={place}:1")).await;
        assert!(started.is_err(), "{place}: it was not killed there");
    }
    let host = Host::start(stand.dir()).await.unwrap();
    assert_eq!(address(&host).await, first);
    connection_works(&host).await;
    let renew = ["connection", "renew-webhook-address", "acme", "prefinery"];
    let (code, said) = stand.ask(&host, &renew).await;
    let renewed = address(&host).await;
    assert!(code == 0 && renewed != first && said.contains(&renewed), "{code}: {said}");
    host.stop().await.unwrap();
    assert!(!in_a_file(), "it was sealed at the start");
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_from_a_command_and_a_rotation_reads_them_again() {
    let stand = Stand::init().await;
    let printed = stand.path("printed.key");
    std::fs::rename(stand.path("vault.key"), &printed).unwrap();
    stand.take_keys_from(&format!("key-command = [\"cat\", \"{}\"]", printed.display()));
    let host = Host::start(stand.dir()).await.unwrap();
    host.enable_prefinery(&stand.sandbox, json!({})).await.unwrap();
    assert_eq!(status(&host).await["source"], json!("the key command cat"));
    let (code, said) = stand.run(&["vault", "new-key"]).await;
    assert!(code == 2 && said.contains("the key command cat"), "{said}");

    // What it prints now lacks the key that is needed: nothing changes.
    let before = status(&host).await;
    std::fs::rename(&printed, stand.path("aside.key")).unwrap();
    for broken in [false, true] {
        if broken {
            KeyFile::create(&printed).unwrap();
        }
        let (code, said) = stand.ask(&host, &["vault", "rotate"]).await;
        assert!(code == 4 && said.contains("goes on with the keys that it has"), "{code}: {said}");
    }
    std::fs::rename(stand.path("aside.key"), &printed).unwrap();
    assert_eq!(status(&host).await["current"], before["current"]);
    connection_works(&host).await;

    let (code, said) = stand.run(&["vault", "new-key", "--key-file", printed.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = stand.ask(&host, &["vault", "rotate"]).await;
    assert_eq!(code, 0, "{said}");
    let after = status(&host).await;
    assert_eq!(after["current"], json!(KeyFile::at(&printed).open().unwrap().current().id().to_string()));
    assert_eq!(after["former"][0]["data_keys"], json!(0), "{after}");
    connection_works(&host).await;
    host.stop().await.unwrap();

    let wrong = "key-command = [\"sh\", \"-c\", \"echo fake-secret; exit 7\"]";
    stand.take_keys_from(wrong);
    let (code, said) = stand.run(&["serve"]).await;
    assert!(code == 2 && said.contains("exit status: 7") && !said.contains("fake-secret"), "{code}: {said}");
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_prints_the_keys_is_told_no_secret_of_the_host() {
    let stand = Stand::init().await;
    let (keys, seen) = (stand.path("vault.key"), stand.path("seen"));
    let script = format!("env > '{}'; cat '{}'", seen.display(), keys.display());
    stand.take_keys_from(&format!("key-command = [\"sh\", \"-c\", \"{script}\"]"));
    let environment = [
        ("CONTACTOR_ADMIN_TOKEN", Path::new("fake-secret-token")),
        ("CONTACTOR_VAULT_KEY", Path::new("fake-secret-key")),
        ("KMS_PROFILE", Path::new("of-acme")),
    ];
    let host = Host::start_in(stand.dir(), &environment).await.unwrap();
    host.stop().await.unwrap();
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(!seen.contains("CONTACTOR_") && !seen.contains("fake-secret"), "{seen}");
    // What the command of a key management service needs goes along.
    let has = |start: &str| seen.lines().any(|line| line.starts_with(start));
    assert!(has("KMS_PROFILE=of-acme") && has("PATH="), "{seen}");
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_from_a_variable_and_a_restart_with_a_new_one_exchanges_them() {
    let stand = Stand::init().await;
    let lines = |file: &Path| -> String {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ")
    };
    let first = lines(&stand.path("vault.key"));
    stand.take_keys_from("key-env = \"TEST_VAULT_KEY\"");
    let (code, said) = stand.run(&["serve"]).await;
    assert!(code == 2 && said.contains("TEST_VAULT_KEY") && said.contains("not set"), "{code}: {said}");

    let host = Host::start_in(stand.dir(), &[("TEST_VAULT_KEY", Path::new(&first))]).await.unwrap();
    host.enable_prefinery(&stand.sandbox, json!({})).await.unwrap();
    let before = status(&host).await;
    host.stop().await.unwrap();

    stand.key_file().add_key().unwrap();
    let both = lines(&stand.path("vault.key"));
    let host = Host::start_in(stand.dir(), &[("TEST_VAULT_KEY", Path::new(&both))]).await.unwrap();
    let done = until_done(&host).await;
    assert_ne!(done["current"], before["current"]);
    assert_eq!(
        (&done["former"][0]["data_keys"], &done["next"]),
        (&json!(0), &json!("drop-former")),
        "{done}"
    );
    connection_works(&host).await;
    host.stop().await.unwrap();

    let new = both.split(' ').next().unwrap();
    let host = Host::start_in(stand.dir(), &[("TEST_VAULT_KEY", Path::new(new))]).await.unwrap();
    connection_works(&host).await;
    host.stop().await.unwrap();
    let old = Host::start_in(stand.dir(), &[("TEST_VAULT_KEY", Path::new(&first))]).await;
    assert!(old.err().unwrap().to_string().contains("data keys need the key"));
    stand.sandbox.shutdown().await;
}
