//! Who attacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use contactor_tests::host::Host;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{ATTACKERS, Attack, Ends, Fate};

/// How often each of them attacks.
const PACE: Duration = Duration::from_millis(200);

/// Their thread has what nobody else uses: outside of a benchmark it is on another machine, and what it costs to make a component or to
/// send it is not what the neighbour suffers from.
fn stand_back() -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy)
            .map_err(|error| anyhow!("the attackers' thread: {error:?}"))?;
    }
    Ok(())
}

/// What is said of a component that kept the compiler busy, or waited behind one that did.
const GIVEN_UP: [&str; 2] = ["was not compiled within", "the compiler stayed busy"];

/// Attackers at work.
pub(super) struct Attackers {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<()>>,
}

#[derive(Default)]
struct Shared {
    /// Attacks that were begun.
    count: AtomicUsize,
    /// They are to stop.
    over: AtomicBool,
}

impl Attackers {
    pub(super) fn begin(host: &Host, attack: Arc<Attack>, round: usize) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (client, theirs) = (Client::of(host)?, Arc::clone(&shared));
        let work = move || {
            stand_back()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let each = (0..ATTACKERS).map(|number| client.attack(&attack, number, round, &theirs));
            runtime.block_on(join_all(each)).into_iter().collect()
        };
        let thread = std::thread::Builder::new().name("attackers".to_owned()).spawn(work)?;
        Ok(Self { shared, thread })
    }

    pub(super) fn count(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    pub(super) fn have_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Lets them stop, and answers how often they attacked. Each attack has to have ended as one does.
    pub(super) async fn end(self) -> Result<usize> {
        self.shared.over.store(true, Ordering::Relaxed);
        let ended = tokio::task::spawn_blocking(|| self.thread.join()).await?;
        ended.map_err(|_| anyhow!("an attacker panicked"))??;
        Ok(self.shared.count.load(Ordering::Relaxed))
    }
}

/// A client of the host's admin API with connections of its own.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    pub(super) fn of(host: &Host) -> Result<Self> {
        let http = contactor_highlevel::http::client(&contactor_highlevel::http::Options::default())?;
        Ok(Self { http, url: host.at("/api/v1"), token: host.token().to_owned() })
    }

    /// Attacks, once after the other, until it is over.
    async fn attack(&self, attack: &Attack, number: u32, round: usize, shared: &Shared) -> Result<()> {
        let mut next = Instant::now() + PACE * number / ATTACKERS;
        while !shared.over.load(Ordering::Relaxed) {
            sleep_until(next).await;
            next = Instant::now().max(next + PACE);
            let attacked = shared.count.fetch_add(1, Ordering::Relaxed);
            match attack {
                Attack::Act { action, input, ends } => self.act(action, input, *ends).await?,
                Attack::Install { component, ends } => {
                    let number = i64::try_from(round * 10_000 + attacked)?;
                    self.install(component(number), *ends).await?;
                }
            }
        }
        Ok(())
    }

    /// An attack by an action.
    async fn act(&self, action: &str, input: &Value, ends: Ends) -> Result<()> {
        let request = self
            .http
            .post(format!("{}/workspaces/acme/actions/{action}", self.url))
            .bearer_auth(&self.token)
            .json(&json!({ "input": input }));
        let answer = request.send().await?;
        let (status, said) = (answer.status(), answer.text().await?);
        let said: Value = serde_json::from_str(&said).with_context(|| format!("{status}: {said}"))?;
        let as_told = match ends {
            Ends::Ended => !status.is_success() && !said.to_string().contains("no action"),
            Ends::Refused => status.is_success() && said["output"]["error"]["case"].is_string(),
            Ends::Unseen => status.is_success() && said["output"]["error"].is_null(),
        };
        ensure!(as_told, "the attack {action} ended otherwise: {status}: {said}");
        Ok(())
    }

    /// An installation. One that is refused at the door shows nothing of what a compiler costs others.
    pub(super) async fn install(&self, component: Vec<u8>, ends: Fate) -> Result<()> {
        let (status, said) = match self.upload(component).await {
            Ok(answer) => answer,
            // Whoever is refused is told so at once.
            Err(error) if ends == Fate::Compiled && error.is_timeout() => return Ok(()),
            Err(_) if ends == Fate::Unread => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let as_told = match ends {
            Fate::Refused(words) => status == StatusCode::UNPROCESSABLE_ENTITY && said.contains(words),
            Fate::Compiled => status.is_success() || GIVEN_UP.iter().any(|words| said.contains(words)),
            Fate::Unread => status == StatusCode::PAYLOAD_TOO_LARGE,
        };
        ensure!(as_told, "an installation ended otherwise: {status}: {said}");
        Ok(())
    }

    /// Sends a component to be installed; answers the status and what is said.
    async fn upload(&self, component: Vec<u8>) -> reqwest::Result<(StatusCode, String)> {
        let request = self
            .http
            .post(format!("{}/connectors", self.url))
            .bearer_auth(&self.token)
            .header("content-type", "application/wasm")
            .body(component);
        let answer = request.send().await?;
        Ok((answer.status(), answer.text().await?))
    }
}
