//! A host with its doubles, ready to be measured.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contactor_sandbox::highlevel::{Limits, PersonAct, Window};
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::{Host, PATIENCE};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// The path of the connection in the admin API.
pub(crate) const CONNECTION: &str = "/workspaces/acme/connections/prefinery";

/// What differs from a fresh host: no sweep falls into a measurement, thousands of edits are no accident, and the doubles' only location may use what all
/// workspaces of a real host share.
const CONFIG: &str = "[engine]\nsweep-interval = 0\nconcurrency-per-workspace = 64\nguard-records = 0\n\n[log]\nlevel = \"error\"\n";

/// How often progress is looked at: each look costs the host some queries.
const LOOK: Duration = Duration::from_millis(25);

/// The real host as a process, the doubles in this one.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) host: Host,
    pub(crate) location: String,
    pub(crate) project: u64,
    dir: TempDir,
}

impl Stage {
    /// With a workspace and nothing else.
    pub(crate) async fn bare(scratch: &Path, sandbox: Sandbox) -> Result<Self> {
        let stage = Self::start(scratch, sandbox).await?;
        let token = stage.sandbox.highlevel().private_token();
        let workspace = json!({ "id": "acme", "location": stage.location, "token": token });
        stage.host.post("/workspaces", &workspace).await?;
        Ok(stage)
    }

    /// With a workspace in which Prefinery is enabled. The doubles' webhooks go nowhere until the host is made their target.
    pub(crate) async fn connected(scratch: &Path, sandbox: Sandbox) -> Result<Self> {
        let stage = Self::start(scratch, sandbox).await?;
        stage.host.enable_prefinery(&stage.sandbox, json!({})).await?;
        stage.sandbox.highlevel().set_webhook_target(None);
        stage.sandbox.prefinery().set_webhook_target(stage.project, None);
        Ok(stage)
    }

    /// Without a workspace, and with the room for runs that a host has unless told otherwise.
    pub(crate) async fn plain(scratch: &Path, sandbox: Sandbox) -> Result<Self> {
        Self::start_with(
            scratch,
            sandbox,
            "[engine]\nsweep-interval = 0\nguard-records = 0\n\n[log]\nlevel = \"error\"\n",
        )
        .await
    }

    async fn start(scratch: &Path, sandbox: Sandbox) -> Result<Self> {
        Self::start_with(scratch, sandbox, CONFIG).await
    }

    async fn start_with(scratch: &Path, sandbox: Sandbox, config: &str) -> Result<Self> {
        let dir = tempfile::tempdir_in(scratch)?;
        Host::init(dir.path(), &sandbox, config).await?;
        let host = Host::start(dir.path()).await?;
        let location = sandbox.highlevel().first_location();
        let project = sandbox.prefinery().first_project();
        Ok(Self { sandbox, host, location, project, dir })
    }

    /// Lets the doubles send their webhooks to the host.
    pub(crate) async fn aim(&self) -> Result<()> {
        let connection = self.host.get(CONNECTION).await?;
        self.host.aim(&self.sandbox, &connection)
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.host.url().trim_start_matches("http://").to_owned()
    }

    /// The host's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Makes contacts and brings them over, so that each is linked.
    pub(crate) async fn link(&self, count: usize) -> Result<Vec<String>> {
        let contacts = new_contacts(&self.sandbox, &self.location, "Person", count)?;
        self.host.post(&format!("{CONNECTION}/sync"), &json!({})).await?;
        let progress = self.settled().await?;
        ensure!(
            progress["links"] == count,
            "{} of {count} contacts were linked: {progress}",
            progress["links"]
        );
        Ok(contacts)
    }

    /// Waits until nothing is left to read or to run, and answers the progress then.
    pub(crate) async fn settled(&self) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let progress = self.host.get(&format!("{CONNECTION}/sync")).await?;
            if progress["walking"] == false && progress["waiting"] == 0 {
                return Ok(progress);
            }
            ensure!(begun.elapsed() < PATIENCE, "the host does not come to rest: {progress}");
            sleep(LOOK).await;
        }
    }

    /// Waits until no webhook is under way and what they set off has ended.
    pub(crate) async fn quiet(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let pending =
                self.sandbox.highlevel().webhooks().pending() + self.sandbox.prefinery().webhooks().pending();
            let health = self.host.get("/health").await?;
            if pending == 0 && health["counts"]["unread_events"] == 0 && health["counts"]["waiting"] == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "{pending} webhooks are under way, and {health}");
            sleep(LOOK).await;
        }
    }

    /// Kills the host; the doubles and its directory stay.
    pub(crate) async fn kill(self) -> Result<Down> {
        let Self { sandbox, host, location, project, dir } = self;
        host.kill9().await?;
        Ok(Down { sandbox, location, project, dir })
    }

    /// Stops the host; the doubles and its directory stay.
    pub(crate) async fn stop(self) -> Result<Down> {
        let Self { sandbox, host, location, project, dir } = self;
        host.stop().await?;
        Ok(Down { sandbox, location, project, dir })
    }

    /// Ends host and doubles.
    pub(crate) async fn end(self) -> Result<()> {
        self.host.stop().await?;
        self.sandbox.shutdown().await;
        Ok(())
    }
}

/// What a host that is down leaves behind.
pub(crate) struct Down {
    sandbox: Sandbox,
    location: String,
    project: u64,
    dir: TempDir,
}

impl Down {
    /// The host's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// With a new process in the old one's place.
    pub(crate) fn revive(self, host: Host) -> Stage {
        let Self { sandbox, location, project, dir } = self;
        Stage { sandbox, host, location, project, dir }
    }
}

/// Limits that nobody meets.
pub(crate) const PLENTY: Limits =
    Limits { burst: 100_000_000, interval_millis: 10_000, daily: 2_000_000_000, window: Window::Fixed };

/// Doubles that cost nothing and refuse nothing. They still tell their limits, because a host that is told none keeps to
/// the vendor's published ones.
pub(crate) async fn unlimited() -> Result<Sandbox> {
    let sandbox = Sandbox::start(SandboxConfig::free_of_cost()).await?;
    sandbox.highlevel().set_limits(Some(PLENTY));
    Ok(sandbox)
}

/// Contacts that differ in name and email, and from those of another family.
pub(crate) fn new_contacts(
    sandbox: &Sandbox,
    location: &str,
    family: &str,
    count: usize,
) -> Result<Vec<String>> {
    let create = |i: usize| {
        let email = format!("{}{i}@example.com", family.to_lowercase());
        let fields = json!({ "firstName": "Ada", "lastName": format!("{family} {i}"), "email": email });
        let contact = sandbox.highlevel().act(location, PersonAct::CreateContact { fields })?;
        contact["id"].as_str().map(str::to_owned).context("a contact without an id")
    };
    (0..count).map(create).collect()
}

/// Changes the first name of each contact, and answers the webhooks that HighLevel would send about it.
pub(crate) fn rename(
    sandbox: &Sandbox,
    location: &str,
    contacts: &[String],
    name: &str,
) -> Result<Vec<bytes::Bytes>> {
    let highlevel = sandbox.highlevel();
    highlevel.webhooks().clear();
    for contact in contacts {
        let fields = json!({ "firstName": name });
        highlevel.act(location, PersonAct::EditContact { contact: contact.clone(), fields })?;
    }
    // The host's own writes meanwhile have theirs as well.
    let is_ours = |body: &bytes::Bytes| {
        serde_json::from_slice::<Value>(body).is_ok_and(|event| event["firstName"] == name)
    };
    let sent = highlevel.webhooks().of_type("ContactUpdate").into_iter().map(|sent| sent.body);
    let bodies: Vec<_> = sent.filter(is_ours).collect();
    ensure!(bodies.len() == contacts.len(), "{} webhooks for {} changes", bodies.len(), contacts.len());
    Ok(bodies)
}

/// How many testers have this first name.
pub(crate) fn named(sandbox: &Sandbox, project: u64, name: &str) -> usize {
    let testers = sandbox.prefinery().testers(project);
    testers.iter().filter(|tester| tester["profile"]["first_name"] == name).count()
}
