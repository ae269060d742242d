//! The real binary as a child process, killed for real when a test says so.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use contactor_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::artefacts;

/// How long anything may take before a test gives up; a patience, not a measure.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How often something is looked at that announces itself to nobody.
const LOOK: Duration = Duration::from_millis(10);

/// What a host beside doubles has to allow: they are on this machine, and nobody signs what was just built. And whoever measures lets
/// more runs of one workspace work at one time than is usual.
pub const OUTBOUND: &str = "[connectors]\nunsigned = \"allow\"\n\n[outbound]\nallow = [\"127.0.0.1\"]\nhosts = { \"*\" = [\"127.0.0.1\"] }\nrequests-per-connection = 64\n";

/// A running host with its directory.
pub struct Host {
    dir: PathBuf,
    child: Child,
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Host {
    /// Makes a directory for a host that speaks to a sandbox: key, token and configuration, as `contactor init` does.
    /// `extra` is appended to the configuration.
    ///
    /// # Errors
    /// When `init` fails.
    pub async fn init(dir: &Path, sandbox: &Sandbox, extra: &str) -> Result<()> {
        let output =
            Command::new(artefacts::binary("contactor")?).arg("init").arg("--dir").arg(dir).output().await?;
        ensure!(output.status.success(), "init failed: {}", String::from_utf8_lossy(&output.stderr));
        let key = sandbox.highlevel().webhook_public_key_pem();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n\n{OUTBOUND}\n[highlevel]\nbase-url = \"{}\"\nwebhook-keys = [\"\"\"\n{key}\"\"\"]\n\n{extra}",
            sandbox.highlevel_url()
        );
        std::fs::write(dir.join("contactor.toml"), config)?;
        Ok(())
    }

    /// Starts the host of a directory and waits until it serves.
    ///
    /// # Errors
    /// When it does not come up; its own words are in the message.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, "").await
    }

    /// The same with orders for a torture test; see `contactor_store::torture`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(dir: &Path, torture: &str) -> Result<Self> {
        Self::start_in(dir, &[("CONTACTOR_TORTURE", Path::new(torture))]).await
    }

    /// The same with variables in its environment.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_in(dir: &Path, environment: &[(&str, &Path)]) -> Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("host.log"))?;
        let mut child = command(dir)?
            .arg("serve")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("the host has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let url = loop {
            match tokio::time::timeout(PATIENCE, lines.next_line()).await?? {
                Some(line) => {
                    if let Some(url) = line.split_whitespace().find(|word| word.starts_with("http://")) {
                        break url.trim_end_matches('/').to_owned();
                    }
                }
                None => bail!("the host ended at once: {}", tail(&dir.join("host.log"))),
            }
        };
        let token = std::fs::read_to_string(dir.join("admin.token"))?;
        let token = token.lines().find(|line| !line.starts_with('#')).unwrap_or_default().trim().to_owned();
        let client = contactor_highlevel::http::client(&contactor_highlevel::http::Options::default())?;
        let host = Self { dir: dir.to_owned(), child, url, token, client };
        host.until("the host serves", async || Ok(host.client.get(host.at("/healthz")).send().await.is_ok()))
            .await?;
        Ok(host)
    }

    /// Runs another command with the configuration of a directory, to its end.
    ///
    /// # Errors
    /// When it cannot be run; how it ended is in the answer.
    pub async fn run(dir: &Path, arguments: &[&str], environment: &[(&str, &Path)]) -> Result<Output> {
        let ended = command(dir)?
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        Ok(tokio::time::timeout(PATIENCE, ended).await??)
    }

    /// Its process.
    ///
    /// # Errors
    /// When it has ended.
    pub fn id(&self) -> Result<u32> {
        self.child.id().context("the host has ended")
    }

    /// The address that it serves on.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where HighLevel's webhooks go.
    pub fn webhooks(&self) -> String {
        self.at("/webhooks/highlevel")
    }

    /// The bearer token of the admin API.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where its configuration lies.
    pub fn config(&self) -> PathBuf {
        self.dir.join("contactor.toml")
    }

    /// A client for requests of a test's own.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// An address below the host's.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Reads from the admin API.
    ///
    /// # Errors
    /// When the host does not answer, or answers with an error, which is in the message.
    pub async fn get(&self, path: &str) -> Result<Value> {
        answer(self.client.get(self.at(&format!("/api/v1{path}"))).bearer_auth(&self.token).send().await?)
            .await
    }

    /// Posts to the admin API.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request =
            self.client.post(self.at(&format!("/api/v1{path}"))).bearer_auth(&self.token).json(body);
        answer(request.send().await?).await
    }

    /// Puts to the admin API.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.put(self.at(&format!("/api/v1{path}"))).bearer_auth(&self.token).json(body);
        answer(request.send().await?).await
    }

    /// Installs a built component.
    ///
    /// # Errors
    /// When it was not built or is refused.
    pub async fn install(&self, component: &str) -> Result<Value> {
        let request = self
            .client
            .post(self.at("/api/v1/connectors"))
            .bearer_auth(&self.token)
            .header("content-type", "application/wasm")
            .body(artefacts::component(component)?);
        answer(request.send().await?).await
    }

    /// Creates the workspace `acme` on the sandbox's first location and enables Prefinery for its first project. Both
    /// doubles then send their webhooks to this host. `settings` may add to those that are needed.
    ///
    /// # Errors
    /// When the host refuses any of it.
    pub async fn enable_prefinery(&self, sandbox: &Sandbox, settings: Value) -> Result<Value> {
        let location = sandbox.highlevel().first_location();
        let token = sandbox.highlevel().private_token();
        self.post("/workspaces", &json!({ "id": "acme", "location": location, "token": token })).await?;
        self.install("prefinery").await?;
        let connection = self.put_prefinery(sandbox, &settings).await?;
        self.aim(sandbox, &connection)?;
        Ok(connection)
    }

    /// Enables Prefinery for the sandbox's first project, or enables it again.
    ///
    /// # Errors
    /// When the host refuses it.
    pub async fn put_prefinery(&self, sandbox: &Sandbox, settings: &Value) -> Result<Value> {
        let mut settings = settings.clone();
        settings["beta_id"] = json!(sandbox.prefinery().first_project().to_string());
        let request = json!({
            "base_url": sandbox.prefinery_url(),
            "credentials": { "key": sandbox.prefinery().api_key() },
            "webhook_secret": sandbox.prefinery().signing_secret(sandbox.prefinery().first_project()),
            "settings": settings,
        });
        self.put("/workspaces/acme/connections/prefinery", &request).await
    }

    /// Lets both doubles send their webhooks to this host.
    ///
    /// # Errors
    /// When an address is malformed.
    pub fn aim(&self, sandbox: &Sandbox, connection: &Value) -> Result<()> {
        sandbox.highlevel().set_webhook_target(Some(self.webhooks().parse()?));
        let path = connection["webhook_path"].as_str().context("the connection has no webhook path")?;
        sandbox
            .prefinery()
            .set_webhook_target(sandbox.prefinery().first_project(), Some(self.at(path).parse()?));
        Ok(())
    }

    /// Waits until nothing is left to walk or to run.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn until_idle(&self) -> Result<()> {
        self.until("the host is idle", async || {
            let health = self.get("/health").await?;
            let progress = self.get("/workspaces/acme/connections/prefinery/sync").await?;
            Ok(health["counts"]["waiting"] == 0
                && health["counts"]["unread_events"] == 0
                && health["counts"]["deliveries"] == 0
                && health["counts"]["messages"] == 0
                && progress["walking"] == false
                && progress["waiting"] == 0)
        })
        .await
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// When that takes too long; `what` and the end of the host's log are in the message.
    pub async fn until(&self, what: &str, is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
        self.until_within(PATIENCE, what, is_so).await
    }

    /// Waits until something is so, for so long.
    ///
    /// # Errors
    /// As [`until`](Self::until).
    pub async fn until_within(
        &self,
        patience: Duration,
        what: &str,
        mut is_so: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut last = None;
        while begun.elapsed() < patience {
            match is_so().await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(LOOK).await;
        }
        let last = last.map(|error| format!(" (last: {error:#})")).unwrap_or_default();
        bail!("waited in vain until {what}{last}\n{}", tail(&self.dir.join("host.log")))
    }

    /// Whether the process has ended by itself.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// A counter of the host's metrics; 0 before it was first counted.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn counter(&self, name: &str) -> Result<f64> {
        let text = self.client.get(self.at("/metrics")).bearer_auth(&self.token).send().await?.text().await?;
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name));
        Ok(line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0))
    }

    /// Kills the process as the kernel would: no signal handler, no farewell.
    ///
    /// # Errors
    /// When the process cannot be killed.
    pub async fn kill9(mut self) -> Result<()> {
        self.child.kill().await.context("kill -9")
    }

    /// Waits until the process ends by itself; answers its exit code and its log.
    ///
    /// # Errors
    /// When it goes on.
    pub async fn ends(mut self) -> Result<(Option<i32>, String)> {
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the host goes on")??;
        Ok((status.code(), std::fs::read_to_string(self.dir.join("host.log"))?))
    }

    /// Asks the process to end and waits for it.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.child.id().context("the host has ended already")?;
        let sent = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await?;
        ensure!(sent.success(), "the host could not be told to end");
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        ensure!(status.success(), "the host ended with {status}: {}", tail(&self.dir.join("host.log")));
        Ok(())
    }
}

fn command(dir: &Path) -> Result<Command> {
    let mut command = Command::new(artefacts::binary("contactor")?);
    command.arg("--config").arg(dir.join("contactor.toml"));
    Ok(command)
}

async fn answer(response: reqwest::Response) -> Result<Value> {
    let status = response.status();
    let url = response.url().path().to_owned();
    let text = response.text().await?;
    ensure!(status.is_success(), "{url} answered {status}: {text}");
    Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
