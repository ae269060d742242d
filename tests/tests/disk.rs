//! Disks that fail under the real binary, and files that are not what it left: it stops loudly and never goes on.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use contactor_sandbox::faults::Effect;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::disk::{Disk, Fault};
use contactor_tests::host::Host;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is wrong with the database needs a person; see `contactor --help`.
const DOUBTFUL: Option<i32> = Some(6);

struct Stand {
    dir: TempDir,
    sandbox: Sandbox,
    /// Ids of the webhooks that were answered 200.
    accepted: BTreeSet<String>,
    sent: usize,
    /// Bytes that each webhook carries beside its own.
    padding: usize,
}

impl Stand {
    /// A host with a workspace and nothing in it, so that webhooks are its only load.
    async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
        Host::init(dir.path(), &sandbox, "").await.unwrap();
        let stand = Self { dir, sandbox, accepted: BTreeSet::new(), sent: 0, padding: 0 };
        let host = stand.start().await;
        let (location, token) =
            (stand.sandbox.highlevel().first_location(), stand.sandbox.highlevel().private_token());
        let workspace = json!({ "id": "acme", "location": location, "token": token });
        host.post("/workspaces", &workspace).await.unwrap();
        host.stop().await.unwrap();
        stand
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A disk to fail; tells why the test ends early when there cannot be one.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    async fn disk(&self) -> Option<Disk> {
        let disk = Disk::below(self.dir()).await.unwrap();
        if disk.is_none() {
            println!("skipped: this machine has no C compiler, or does not preload libraries");
        }
        disk
    }

    async fn start(&self) -> Host {
        Host::start(self.dir()).await.unwrap()
    }

    /// Sends so many webhooks at the same time; answers their statuses. An answer that never came counts as 0.
    async fn send(&mut self, host: &Host, count: usize) -> Vec<u16> {
        let location = self.sandbox.highlevel().first_location();
        let mut sending = Vec::new();
        for _ in 0..count {
            self.sent += 1;
            let id = format!("disk-{}", self.sent);
            let body = json!({
                "type": "ContactUpdate", "locationId": location, "webhookId": id, "id": format!("contact-{}", self.sent),
                "timestamp": Timestamp::now().to_string(), "firstName": "Ada",
                "padding": "x".repeat(self.padding),
            })
            .to_string();
            let signature = self.sandbox.highlevel().sign(body.as_bytes());
            let request = host.client().post(host.webhooks()).header("x-ghl-signature", signature).body(body);
            sending.push(async move { (id, request.send().await) });
        }
        let mut statuses = Vec::new();
        for (id, answer) in futures_util::future::join_all(sending).await {
            let Ok(answer) = answer else {
                statuses.push(0);
                continue;
            };
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                assert!(answer.headers().contains_key("retry-after"), "a sender is not told to come again");
            }
            if answer.status() == StatusCode::OK {
                self.accepted.insert(id);
            }
            statuses.push(answer.status().as_u16());
        }
        statuses
    }

    async fn send_well(&mut self, host: &Host, count: usize) {
        for _ in 0..count {
            assert_eq!(self.send(host, 1).await, [200]);
        }
    }

    /// Accepted webhooks that the store has, of all that it has.
    async fn kept(&self, host: &Host) -> usize {
        let events = host.get("/workspaces/acme/events?limit=500").await.unwrap();
        let keys = events.as_array().unwrap().iter().filter_map(|event| event["key"].as_str());
        keys.filter(|key| self.accepted.contains(*key)).count()
    }

    async fn assert_nothing_is_lost(&self, host: &Host) {
        assert_eq!(self.kept(host).await, self.accepted.len(), "webhooks that were answered 200");
    }

    /// The same files under another directory.
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.dir()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        copy
    }
}

fn file(dir: &Path, suffix: &str) -> PathBuf {
    dir.join(format!("contactor.db{suffix}"))
}

async fn readiness(host: &Host) -> (u16, String) {
    let answer = host.client().get(host.at("/readyz")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn run(dir: &Path, arguments: &[&str]) -> Output {
    Host::run(dir, arguments, &[]).await.unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_503_for_whoever_sends_and_passes_by_itself() {
    let mut stand = Stand::set().await;
    let Some(disk) = stand.disk().await else { return };
    let host = Host::start_in(stand.dir(), &disk.environment()).await.unwrap();
    stand.send_well(&host, 20).await;

    disk.fails(Fault::Full).unwrap();
    let mut rounds = 0;
    while stand.send(&host, 8).await != [503; 8] {
        rounds += 1;
        assert!(rounds < 100, "the disk never filled");
    }
    assert_eq!(stand.send(&host, 8).await, [503; 8], "and so it stays");
    host.until("the host is not ready", async || Ok(readiness(&host).await.0 == 503)).await.unwrap();
    let (_, problems) = readiness(&host).await;
    assert!(problems.contains("database or disk is full"), "{problems}");
    assert_eq!(stand.send(&host, 8).await, [503; 8], "whoever asks for its health does not make room");

    disk.is_well().unwrap();
    // Nobody asks whether it is ready: it finds out by itself.
    while stand.send(&host, 1).await == [503] {
        tokio::task::yield_now().await;
    }
    stand.send_well(&host, 10).await;
    assert_eq!(readiness(&host).await.0, 200);
    stand.assert_nothing_is_lost(&host).await;
    host.kill9().await.unwrap();
    let host = stand.start().await;
    stand.assert_nothing_is_lost(&host).await;
    host.stop().await.unwrap();
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_while_the_disk_is_full_is_not_forgotten() {
    let mut stand = Stand::set().await;
    let Some(disk) = stand.disk().await else { return };
    let host = Host::start_in(stand.dir(), &disk.environment()).await.unwrap();
    stand.send_well(&host, 20).await;
    host.install("prefinery").await.unwrap();
    let connection = host.put_prefinery(&stand.sandbox, &json!({})).await.unwrap();
    host.aim(&stand.sandbox, &connection).unwrap();
    host.until_idle().await.unwrap();
    let create = "prefinery.testers.create";
    let slow = Effect::Delay { millis: 5_000 };
    stand.sandbox.faults().add(contactor_sandbox::faults::Fault::next(1, create, slow));
    let location = stand.sandbox.highlevel().first_location();
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
    stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let reads = || stand.sandbox.recorder().requests("highlevel.contacts.get");
    let before = reads();
    host.until("the run has begun", async || Ok(reads() > before)).await.unwrap();

    disk.fails(Fault::Full).unwrap();
    while stand.send(&host, 8).await != [503; 8] {}
    host.until("the run's end could not be kept", async || {
        Ok(host.counter("contactor_store_repeated_total").await? > 0.0)
    })
    .await
    .unwrap();
    disk.is_well().unwrap();
    // Of this process: a restart would give every claim back.
    host.until_idle().await.unwrap();
    let connection = host.get("/workspaces/acme/connections/prefinery").await.unwrap();
    assert_eq!((&connection["links"], &connection["waiting"]), (&json!(1), &json!(0)), "{connection:#}");
    assert_eq!(stand.sandbox.recorder().requests(create), 1, "it was not made twice");
    host.stop().await.unwrap();
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_nothing_is_answered_200_and_the_next_process_has_all_that_was() {
    let mut stand = Stand::set().await;
    let Some(disk) = stand.disk().await else { return };
    let host = Host::start_in(stand.dir(), &disk.environment()).await.unwrap();
    stand.send_well(&host, 20).await;
    disk.fails(Fault::SyncLog).unwrap();
    let statuses = stand.send(&host, 16).await;
    // 0: the process ended before it answered.
    assert!(statuses.iter().all(|status| [503, 0].contains(status)), "{statuses:?}");
    let (code, log) = host.ends().await.unwrap();
    assert_eq!(code, Some(1));
    assert!(log.contains("THE STORE HAS STOPPED") && log.contains("disk I/O error"), "{log}");

    // While the disk fails, no start goes on.
    let refused = Host::run(stand.dir(), &["serve"], &disk.environment()).await.unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused.stderr).contains("the disk failed"), "{}", words(&refused.stderr));

    disk.is_well().unwrap();
    let host = stand.start().await;
    stand.assert_nothing_is_lost(&host).await;
    stand.send_well(&host, 5).await;
    host.stop().await.unwrap();
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_while_the_log_is_folded_ends_the_host_as_well() {
    let mut stand = Stand::set().await;
    let Some(disk) = stand.disk().await else { return };
    let host = Host::start_in(stand.dir(), &disk.environment()).await.unwrap();
    disk.fails(Fault::SyncDatabase).unwrap();
    // Commits go on until the log is long enough to be folded: 16 MiB.
    stand.padding = 100_000;
    while stand.send(&host, 1).await == [200] {
        assert!(stand.sent < 400, "the log was never folded");
    }
    let (code, log) = host.ends().await.unwrap();
    assert_eq!(code, Some(1));
    assert!(log.contains("THE STORE HAS STOPPED"), "{log}");

    disk.is_well().unwrap();
    let host = stand.start().await;
    stand.assert_nothing_is_lost(&host).await;
    host.stop().await.unwrap();
    let checked: Value =
        serde_json::from_slice(&run(stand.dir(), &["--json", "store", "check"]).await.stdout).unwrap();
    assert_eq!((&checked["problems"], &checked["doubt"]), (&json!([]), &Value::Null), "{checked}");
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_cut_garbled_or_removed_is_refused_until_somebody_accepts_the_loss() {
    let mut stand = Stand::set().await;
    let host = stand.start().await;
    stand.send_well(&host, 40).await;
    host.kill9().await.unwrap();
    let whole = std::fs::read(file(stand.dir(), "-wal")).unwrap();
    let mut garbled = whole.clone();
    garbled[whole.len() / 2] ^= 0x10;
    let ways = [
        ("cut to half", Some(whole[..whole.len() / 2].to_vec())),
        ("empty", Some(Vec::new())),
        ("removed", None),
        ("one byte garbled", Some(garbled)),
    ];
    for (way, log) in ways {
        let copy = stand.copy();
        match log {
            Some(bytes) => std::fs::write(file(copy.path(), "-wal"), bytes).unwrap(),
            None => std::fs::remove_file(file(copy.path(), "-wal")).unwrap(),
        }
        let refused = run(copy.path(), &["serve"]).await;
        let said = words(&refused.stderr);
        assert_eq!((refused.status.code(), words(&refused.stdout).as_str()), (DOUBTFUL, ""), "{way}: {said}");
        for part in [
            "lacks commits that were acknowledged",
            " are missing",
            "-wal was cut short",
            "contactor store accept",
        ] {
            assert!(said.contains(part), "{way}: {part} in {said}");
        }
        let checked = run(copy.path(), &["store", "check", "--json"]).await;
        let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(checked.status.code(), DOUBTFUL, "{way}");
        assert!(
            report["marked"].as_u64() > report["commit"].as_u64() && report["problems"] == json!([]),
            "{report}"
        );

        let accepted = run(copy.path(), &["store", "accept"]).await;
        assert!(accepted.status.success(), "{way}: {}", words(&accepted.stderr));
        let host = Host::start(copy.path()).await.unwrap();
        assert!(stand.kept(&host).await < 40, "{way}: what is missing is missing");
        assert_eq!(stand.send(&host, 1).await, [200], "{way}");
        host.stop().await.unwrap();
    }

    // The same files, untouched.
    stand.accepted.retain(|id| id.trim_start_matches("disk-").parse::<usize>().unwrap() <= 40);
    let host = stand.start().await;
    stand.assert_nothing_is_lost(&host).await;
    host.stop().await.unwrap();
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_in_the_place_of_the_database_is_refused_until_it_is_accepted() {
    let mut stand = Stand::set().await;
    let host = stand.start().await;
    stand.send_well(&host, 10).await;
    host.stop().await.unwrap();
    let backup = stand.dir().join("backup.sqlite");
    std::fs::copy(file(stand.dir(), ""), &backup).unwrap();
    let host = stand.start().await;
    stand.send_well(&host, 7).await;
    host.kill9().await.unwrap();

    // As docs/operators.md tells to.
    std::fs::copy(&backup, file(stand.dir(), "")).unwrap();
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(file(stand.dir(), suffix)).unwrap();
    }
    let refused = run(stand.dir(), &["serve"]).await;
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), DOUBTFUL, "{said}");
    assert!(said.contains("an older copy of the database was put in its place"), "{said}");
    let accepted = run(stand.dir(), &["store", "accept", "--by", "ann"]).await;
    assert!(words(&accepted.stdout).contains("the host goes on from commit"), "{}", words(&accepted.stdout));
    let again = run(stand.dir(), &["store", "accept"]).await;
    assert!(words(&again.stdout).contains("nothing to accept"), "{}", words(&again.stdout));

    let host = stand.start().await;
    assert_eq!(stand.kept(&host).await, 10);
    let on_record = host.get("/audit?actor=command-line").await.unwrap();
    assert_eq!((on_record.as_array().unwrap().len(), &on_record[0]["action"]), (1, &json!("store.accept")));
    let detail = on_record[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("acknowledged=") && detail.ends_with(" by=ann"), "{detail}");
    host.stop().await.unwrap();
    stand.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_that_is_met_while_it_runs_ends_the_host_and_it_does_not_go_on_by_itself() {
    let mut stand = Stand::set().await;
    let host = stand.start().await;
    stand.send_well(&host, 40).await;
    host.stop().await.unwrap();
    let whole = std::fs::read(file(stand.dir(), "")).unwrap();
    let host = stand.start().await;
    // Everything but the header, in place, as a disk would that forgets.
    let database = std::fs::OpenOptions::new().write(true).open(file(stand.dir(), "")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&database, &vec![0xff; whole.len() - 4096], 4096).unwrap();
    let statuses = stand.send(&host, 8).await;
    let (code, log) = host.ends().await.unwrap();
    assert_eq!(code, DOUBTFUL, "{statuses:?}: {log}");
    assert!(log.contains("THE STORE HAS STOPPED") && log.contains("malformed"), "{log}");
    let refused = run(stand.dir(), &["serve"]).await;
    assert_eq!(refused.status.code(), DOUBTFUL, "{}", words(&refused.stderr));
    let not_accepted = run(stand.dir(), &["store", "accept"]).await;
    assert_eq!(not_accepted.status.code(), DOUBTFUL, "{}", words(&not_accepted.stdout));
    stand.sandbox.shutdown().await;
}
