//! Webhooks on their way out: a queue with the vendor's retry rules, and every way a delivery can go wrong.
//!
//! A vendor hands over a finished body. In [`Mode::Automatic`] a worker sends it at once; in [`Mode::OnFlush`] nothing
//! leaves until a test flushes, in the order the test wants. Retries become due by the sandbox's clock, so a retry of
//! three days later costs a test one [`advance`](crate::Sandbox::advance).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Millis, iso_millis};
use crate::faults::covers;
use crate::random::Random;
use crate::recorder::lock;

/// Finished deliveries that are kept for inspection.
const KEPT: usize = 10_000;
/// How long one attempt may take; Prefinery's documented figure, HighLevel's is unknown.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// When webhooks leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As soon as they are due.
    #[default]
    Automatic,
    /// Only in [`Outbox::flush`].
    OnFlush,
}

/// The order in which a flush sends what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As queued.
    #[default]
    Queued,
    /// The newest first.
    Reversed,
    /// At random, from the sandbox's seed.
    Shuffled,
}

/// What happens to webhooks of a type while they are queued. The first matching rule with uses left applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryFault {
    /// Event type, or a prefix ending in `*`.
    pub event: String,
    /// How many webhooks it strikes.
    pub times: u32,
    /// What it does.
    pub effect: DeliveryEffect,
}

/// A way for a webhook to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryEffect {
    /// It is never sent.
    Drop,
    /// It is sent this many times in all, unchanged.
    Copies(u32),
    /// It waits until [`Outbox::release`].
    Hold,
    /// It becomes due this many seconds later.
    Delay(u32),
    /// The signature headers are left out.
    Unsigned,
    /// The body is changed after it was signed.
    Tampered,
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered with this status.
    Status(u16),
    /// No answer: connection refused, reset, or no answer in time.
    NoAnswer,
}

/// What the vendor makes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted.
    Delivered,
    /// Tried again after this long.
    RetryIn(Duration),
    /// Given up.
    Failed,
    /// Given up, and the target is removed.
    Unsubscribed,
}

/// Where a webhook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Waits for its next attempt.
    Queued,
    /// Held back by a fault.
    Held,
    /// Accepted by the receiver.
    Delivered,
    /// Given up.
    Failed,
    /// Never sent, because of a fault.
    Dropped,
    /// Nobody listens: the app or project has no target address.
    NoTarget,
}

/// One webhook and what became of it.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Position in the order of queueing; unique within one outbox.
    pub sequence: u64,
    /// The vendor's event type.
    pub event: String,
    /// Who it is for: an app id at HighLevel, a project id at Prefinery.
    pub target: String,
    /// The exact bytes that are signed and sent.
    pub body: Bytes,
    /// Identifies the delivery across its attempts.
    pub delivery_id: String,
    /// Attempts made.
    pub attempts: u32,
    /// Status of the last attempt; `None` before the first, or when nobody answered.
    pub last_status: Option<u16>,
    /// Where it stands.
    pub standing: Standing,
    /// Sandbox time of the next attempt, in milliseconds since the epoch.
    pub due: Millis,
    signed: bool,
    tampered: bool,
}

impl Webhook {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn summary(&self) -> serde_json::Value {
        serde_json::json!({
            "sequence": self.sequence, "event": self.event, "target": self.target, "body": self.json(),
            "deliveryId": self.delivery_id, "attempts": self.attempts, "lastStatus": self.last_status,
            "standing": self.standing, "due": iso_millis(self.due),
        })
    }
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flushed {
    /// Attempts made.
    pub attempts: u32,
    /// Of these, accepted.
    pub delivered: u32,
    /// Of these, to be tried again later.
    pub retrying: u32,
    /// Of these, given up.
    pub failed: u32,
}

/// The vendor's half of a delivery: headers and retry rules.
pub(crate) trait Dialect: Send + Sync {
    /// Signature headers for `body`, sent now.
    fn signature(&self, target: &str, body: &[u8], now: Millis) -> Vec<(&'static str, String)>;
    /// Other headers.
    fn headers(&self, webhook: &Webhook) -> Vec<(&'static str, String)>;
    /// The body's content type.
    fn content_type(&self, _webhook: &Webhook) -> String {
        "application/json".into()
    }
    /// What to do after attempt number `attempt` (from 1) that began `age` after the webhook was queued.
    fn verdict(&self, attempt: u32, age: Duration, outcome: Outcome) -> Verdict;
}

/// The outgoing webhooks of one vendor.
pub struct Outbox {
    state: Mutex<State>,
    /// Sends in order one after the other; two flushes at once would break the order a test asked for.
    sending: tokio::sync::Mutex<()>,
    wake: Notify,
    clock: Clock,
    client: reqwest::Client,
    dialect: Arc<dyn Dialect>,
    concurrency: usize,
}

struct State {
    mode: Mode,
    targets: BTreeMap<String, url::Url>,
    waiting: BTreeMap<u64, Entry>,
    finished: VecDeque<Webhook>,
    faults: Vec<DeliveryFault>,
    random: Random,
    next: u64,
}

struct Entry {
    webhook: Webhook,
    queued_at: Millis,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = lock(&self.state);
        f.debug_struct("Outbox")
            .field("mode", &state.mode)
            .field("waiting", &state.waiting.len())
            .finish_non_exhaustive()
    }
}

impl Outbox {
    pub(crate) fn new(
        dialect: Arc<dyn Dialect>,
        clock: Clock,
        client: reqwest::Client,
        seed: u64,
        mode: Mode,
        concurrency: usize,
    ) -> Self {
        let state = State {
            mode,
            targets: BTreeMap::new(),
            waiting: BTreeMap::new(),
            finished: VecDeque::new(),
            faults: Vec::new(),
            random: Random::new(seed, "outbox"),
            next: 1,
        };
        Self {
            state: Mutex::new(state),
            sending: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            clock,
            client,
            dialect,
            concurrency: concurrency.max(1),
        }
    }

    /// Sets or removes the address of an app (HighLevel) or project (Prefinery).
    pub fn set_target(&self, target: &str, address: Option<url::Url>) {
        let mut state = lock(&self.state);
        match address {
            Some(address) => state.targets.insert(target.to_owned(), address),
            None => state.targets.remove(target),
        };
    }

    /// The address webhooks for `target` go to; `None` when there is none, or the receiver unsubscribed it.
    pub fn target(&self, target: &str) -> Option<url::Url> {
        lock(&self.state).targets.get(target).cloned()
    }

    /// Decides when webhooks leave.
    pub fn set_mode(&self, mode: Mode) {
        lock(&self.state).mode = mode;
        self.wake.notify_one();
    }

    /// Adds a rule for webhooks queued from now on.
    pub fn add_fault(&self, fault: DeliveryFault) {
        lock(&self.state).faults.push(fault);
    }

    /// Removes the rules.
    pub fn clear_faults(&self) {
        lock(&self.state).faults.clear();
    }

    /// Every webhook still known, in the order of queueing.
    pub fn webhooks(&self) -> Vec<Webhook> {
        let state = lock(&self.state);
        let waiting = state.waiting.values().map(|entry| &entry.webhook);
        let mut all: Vec<Webhook> = state.finished.iter().chain(waiting).cloned().collect();
        all.sort_by_key(|webhook| webhook.sequence);
        all
    }

    /// Webhooks that are queued and not yet answered; those held back by a fault do not count.
    pub fn pending(&self) -> usize {
        let state = lock(&self.state);
        state.waiting.values().filter(|entry| entry.webhook.standing == Standing::Queued).count()
    }

    /// The webhooks of one event type.
    pub fn of_type(&self, event: &str) -> Vec<Webhook> {
        self.webhooks().into_iter().filter(|webhook| webhook.event == event).collect()
    }

    /// Forgets every webhook, sent or not.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.waiting.clear();
        state.finished.clear();
    }

    /// Lets every held webhook go; returns how many.
    pub fn release(&self) -> usize {
        let now = self.clock.millis();
        let mut state = lock(&self.state);
        let held = state.waiting.values_mut().filter(|entry| entry.webhook.standing == Standing::Held);
        let released = held.map(|entry| {
            entry.webhook.standing = Standing::Queued;
            entry.webhook.due = now;
        });
        let count = released.count();
        drop(state);
        self.wake.notify_one();
        count
    }

    /// Queues a copy of an earlier webhook, byte for byte, with the same delivery id. False when it is not known.
    pub fn redeliver(&self, sequence: u64) -> bool {
        let Some(webhook) = self.webhooks().into_iter().find(|webhook| webhook.sequence == sequence) else {
            return false;
        };
        let now = self.clock.millis();
        lock(&self.state).put(Webhook { attempts: 0, standing: Standing::Queued, due: now, ..webhook }, now);
        self.wake.notify_one();
        true
    }

    /// Queues a webhook, subject to the faults in force.
    pub(crate) fn push(&self, event: &str, target: &str, delivery_id: String, body: Vec<u8>) {
        let now = self.clock.millis();
        let mut state = lock(&self.state);
        let effect = state.strike(event);
        let listened = state.targets.contains_key(target);
        let standing = match effect {
            Some(DeliveryEffect::Drop) => Standing::Dropped,
            _ if !listened => Standing::NoTarget,
            Some(DeliveryEffect::Hold) => Standing::Held,
            _ => Standing::Queued,
        };
        let delay =
            if let Some(DeliveryEffect::Delay(seconds)) = effect { i64::from(seconds) * 1000 } else { 0 };
        let copies = if let Some(DeliveryEffect::Copies(copies)) = effect { copies.max(1) } else { 1 };
        let webhook = Webhook {
            sequence: 0,
            event: event.to_owned(),
            target: target.to_owned(),
            body: Bytes::from(body),
            delivery_id,
            attempts: 0,
            last_status: None,
            standing,
            due: now + delay,
            signed: effect != Some(DeliveryEffect::Unsigned),
            tampered: effect == Some(DeliveryEffect::Tampered),
        };
        for _ in 0..copies {
            state.put(webhook.clone(), now);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The sequence number that the next webhook gets.
    pub(crate) fn next_sequence(&self) -> u64 {
        lock(&self.state).next
    }

    /// Sends everything that is due, one after the other, and returns when all attempts are over.
    pub async fn flush(&self, order: Order) -> Flushed {
        let _turn = self.sending.lock().await;
        let due = {
            let mut state = lock(&self.state);
            let mut due = state.due(self.clock.millis());
            match order {
                Order::Queued => {}
                Order::Reversed => due.reverse(),
                Order::Shuffled => state.random.shuffle(&mut due),
            }
            due
        };
        let mut flushed = Flushed::default();
        for sequence in due {
            flushed.add(self.attempt(sequence).await);
        }
        flushed
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Sends in [`Mode::Automatic`] until `stop` is cancelled.
    pub(crate) async fn work(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let next = {
                let _turn = self.sending.lock().await;
                let (due, next) = {
                    let state = lock(&self.state);
                    let now = self.clock.millis();
                    let automatic = state.mode == Mode::Automatic;
                    (if automatic { state.due(now) } else { Vec::new() }, state.next_due().map(|at| at - now))
                };
                let any = !due.is_empty();
                let attempts = futures_util::stream::iter(due).map(|sequence| self.attempt(sequence));
                let sent = attempts.buffer_unordered(self.concurrency).for_each(|_| std::future::ready(()));
                tokio::select! {
                    () = sent => {}
                    () = stop.cancelled() => return,
                }
                if any {
                    continue;
                }
                next
            };
            let pause = match next {
                Some(millis) if self.clock.is_running() && millis > 0 => {
                    Duration::from_millis(millis.unsigned_abs())
                }
                _ => Duration::from_hours(1),
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn attempt(&self, sequence: u64) -> Option<Verdict> {
        let (webhook, queued_at, address) = {
            let state = lock(&self.state);
            let entry = state.waiting.get(&sequence)?;
            (entry.webhook.clone(), entry.queued_at, state.targets.get(&entry.webhook.target).cloned())
        };
        let Some(address) = address else {
            lock(&self.state).settle(sequence, Standing::NoTarget);
            return None;
        };
        let outcome = self.send(&webhook, address).await;
        let now = self.clock.millis();
        let age = Duration::from_millis((now - queued_at).unsigned_abs());
        let verdict = self.dialect.verdict(webhook.attempts + 1, age, outcome);
        let mut state = lock(&self.state);
        if let Some(entry) = state.waiting.get_mut(&sequence) {
            entry.webhook.attempts += 1;
            entry.webhook.last_status = match outcome {
                Outcome::Status(status) => Some(status),
                Outcome::NoAnswer => None,
            };
            if let Verdict::RetryIn(wait) = verdict {
                entry.webhook.due = now + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
            }
        }
        match verdict {
            Verdict::RetryIn(_) => {}
            Verdict::Delivered => state.settle(sequence, Standing::Delivered),
            Verdict::Failed => state.settle(sequence, Standing::Failed),
            Verdict::Unsubscribed => {
                state.settle(sequence, Standing::Failed);
                state.targets.remove(&webhook.target);
            }
        }
        Some(verdict)
    }

    async fn send(&self, webhook: &Webhook, address: url::Url) -> Outcome {
        let mut body = webhook.body.to_vec();
        let mut headers = self.dialect.headers(webhook);
        if webhook.signed {
            headers.extend(self.dialect.signature(&webhook.target, &body, self.clock.millis()));
        }
        if webhook.tampered {
            body.push(b' ');
        }
        let content_type = self.dialect.content_type(webhook);
        let mut request = self.client.post(address).header("content-type", content_type).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                // Read to the end, so that the connection can be used again.
                let _ = response.bytes().await;
                Outcome::Status(status)
            }
            Err(_) => Outcome::NoAnswer,
        }
    }
}

impl State {
    fn put(&mut self, mut webhook: Webhook, now: Millis) {
        webhook.sequence = self.next;
        self.next += 1;
        if matches!(webhook.standing, Standing::Queued | Standing::Held) {
            self.waiting.insert(webhook.sequence, Entry { webhook, queued_at: now });
        } else {
            self.finish(webhook);
        }
    }

    fn finish(&mut self, webhook: Webhook) {
        if self.finished.len() >= KEPT {
            self.finished.pop_front();
        }
        self.finished.push_back(webhook);
    }

    fn settle(&mut self, sequence: u64, standing: Standing) {
        if let Some(mut entry) = self.waiting.remove(&sequence) {
            entry.webhook.standing = standing;
            self.finish(entry.webhook);
        }
    }

    fn strike(&mut self, event: &str) -> Option<DeliveryEffect> {
        let fault = self.faults.iter_mut().find(|fault| fault.times > 0 && covers(&fault.event, event))?;
        fault.times -= 1;
        Some(fault.effect)
    }

    fn queued(&self) -> impl Iterator<Item = &Webhook> {
        self.waiting
            .values()
            .map(|entry| &entry.webhook)
            .filter(|webhook| webhook.standing == Standing::Queued)
    }

    fn due(&self, now: Millis) -> Vec<u64> {
        self.queued().filter(|webhook| webhook.due <= now).map(|webhook| webhook.sequence).collect()
    }

    fn next_due(&self) -> Option<Millis> {
        self.queued().map(|webhook| webhook.due).min()
    }
}

impl Flushed {
    fn add(&mut self, verdict: Option<Verdict>) {
        let Some(verdict) = verdict else { return };
        self.attempts += 1;
        match verdict {
            Verdict::Delivered => self.delivered += 1,
            Verdict::RetryIn(_) => self.retrying += 1,
            Verdict::Failed | Verdict::Unsubscribed => self.failed += 1,
        }
    }
}

/// The client that carries webhooks to their receivers.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Another part of the process may have installed the same provider already; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(
        clippy::disallowed_methods,
        reason = "plays the vendor's side: the product's client must not be involved"
    )]
    let builder = reqwest::Client::builder();
    builder.timeout(ATTEMPT_TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}
