//! Hands out work: claims under the lease, runs in flight up to the limits, graceful end. Walks and the housekeeping go on beside it.
//!
//! Nothing here is remembered across a restart: what waits, what is claimed and what is due are rows of the store. The loop
//! only decides *when* to ask; the store decides who gets what.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use contactor_store::{
    ClaimedDelivery, ClaimedEvent, ClaimedMessage, ClaimedRecord, FailureClass, Lease, MessageLimits,
    StoreError,
};
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::Failure;

/// Longest time between two looks at the store, should a wake-up be missed or another host have marked something.
const IDLE_POLL: Duration = Duration::from_secs(1);

/// How soon to look again when the clock stands still until somebody moves it.
const STANDING: Duration = Duration::from_millis(5);

/// How soon to look again at work that was due and not given out, because its workspace or destination has what it may have at
/// once. The end of any of it wakes the loop; this is for what ends elsewhere.
const BLOCKED_POLL: Duration = Duration::from_millis(100);

/// How long to wait before the store is asked again to keep how work ended; doubled each time, up to [`IDLE_POLL`].
const KEEP_AGAIN: Duration = Duration::from_millis(50);

/// Runs in flight, those that wait for a quota included, are at most so many times `concurrency`: each takes some memory.
const WITH_THOSE_THAT_WAIT: u32 = 16;

/// Messages in flight at once, beside the room of all other work: a receiver that hangs holds its messages for as long as a request
/// may take, and nobody else is to wait for it.
const MESSAGES: u32 = 16;
/// Of these to one destination, and of one workspace.
const MESSAGES_PER_DESTINATION: u32 = 2;
const MESSAGES_PER_WORKSPACE: u32 = 8;

/// Wakes the scheduler when there may be work.
#[derive(Default)]
pub(crate) struct Wake(Notify);

impl Wake {
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits until it is woken.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// What came of asking for work.
enum HandOut {
    /// Runs were started; there may be more to claim when they end.
    Started,
    /// Nothing was due at this instant, or nothing that its workspace or destination has room for.
    NothingDue(Timestamp),
    /// Too little room: asking for one record at a time would cost a commit each.
    Full,
}

/// Longest time of one piece of work. Requests and guests have time-outs of their own, so whatever takes longer will not end: then
/// its place is needed, and what was claimed is given back.
const DEADLINE: Duration = Duration::from_mins(30);

/// Why a piece of work did not end as it should: either way a defect of the host.
const PANICKED: &str = "the host failed in this run; its log has the details";
const ENDLESS: &str = "this run did not end within half an hour and was given up";

/// Does a piece of work to its end.
async fn ended(work: impl Future<Output = ()>) -> Result<(), &'static str> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| PANICKED)
}

/// The part of a piece of work that speaks with others, within its time. Writing down how it ended takes as long as it takes.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(DEADLINE, work).await.map_err(|_| {
        tracing::error!(why = ENDLESS, "this is a defect of the host");
        Failure::new(FailureClass::Host, ENDLESS)
    })
}

/// What a task in flight was for.
enum Finished {
    /// A record, a webhook or a delivery.
    Work,
    Message,
}

/// Runs in flight.
struct InFlight {
    tasks: JoinSet<Finished>,
    messages: u32,
}

impl InFlight {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), messages: 0 }
    }

    /// What is left of the room of `concurrency` for everything but messages. Runs that wait for their location's quota need
    /// nothing but memory: if they kept the room, a few locations at their limit would keep all others waiting.
    fn room(&self, concurrency: u32, waiting: u32) -> u32 {
        let running = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX).saturating_sub(self.messages);
        let most = concurrency.saturating_mul(WITH_THOSE_THAT_WAIT).saturating_sub(running);
        concurrency.saturating_sub(running.saturating_sub(waiting)).min(most)
    }

    fn ended(&mut self, finished: Result<Finished, tokio::task::JoinError>) {
        match finished {
            Ok(Finished::Work) => {}
            Ok(Finished::Message) => self.messages = self.messages.saturating_sub(1),
            // Panics are caught in the task: this is the one of their handling, and a restart frees the claim.
            Err(error) => tracing::error!(%error, "a task ended badly: this is a defect of the host"),
        }
    }
}

impl Engine {
    /// Runs the scheduler until `stop` is cancelled, then lets the runs in flight end and gives the lease up.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), EngineError> {
        let mut lease = self.acquire_lease().await?;
        self.hold_to_publishers().await?;
        self.ends_with(stop.clone());
        let walks = tokio::spawn(self.clone().walk_until(stop.clone()));
        let house = tokio::spawn(self.clone().keep_house_until(stop.clone()));
        let grants = tokio::spawn(self.clone().tend_grants(stop.clone()));
        let keys = tokio::spawn(self.clone().turn_keys_until(stop.clone()));
        let mut in_flight = InFlight::new();
        let mut renew = tokio::time::interval(self.config().lease_ttl() / 3);
        renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Something is claimed that no task works on: nothing is handed out until nothing is in flight, so that it can be told apart.
        let mut drains = false;
        while !stop.is_cancelled() {
            if drains && in_flight.tasks.is_empty() {
                self.free_claims(&lease).await;
                drains = false;
            }
            let handed_out =
                if drains { Ok(HandOut::Full) } else { self.hand_out(&lease, &mut in_flight).await };
            let wait = match handed_out {
                Ok(HandOut::Started) => Duration::ZERO,
                // Those that begin to wait for a quota make room without ending.
                Ok(HandOut::Full) => BLOCKED_POLL,
                Ok(HandOut::NothingDue(asked_at)) => self.real(self.idle_time(asked_at).await),
                Err(error) => {
                    tracing::error!(%error, "the store gives out no work");
                    IDLE_POLL
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                Some(finished) = in_flight.tasks.join_next() => in_flight.ended(finished),
                _ = renew.tick() => {
                    match self.acquire_lease().await {
                        Ok(renewed) => lease = renewed,
                        Err(error) => tracing::error!(%error, "the lease could not be renewed"),
                    }
                    drains |= self.has_lost_claims(&lease, in_flight.tasks.len()).await;
                }
                () = self.wake().0.notified() => {}
                () = tokio::time::sleep(wait), if !wait.is_zero() || in_flight.tasks.is_empty() => {}
            }
        }
        while let Some(finished) = in_flight.tasks.join_next().await {
            in_flight.ended(finished);
        }
        // An aborted walk loses nothing: its cursor moves only together with its marks.
        walks.abort();
        house.abort();
        // A renewal under way goes on by itself, and its answer waits in the courier's letter.
        grants.abort();
        // Nor does an aborted exchange of keys: the next start goes on with what is left.
        keys.abort();
        self.keep_usage().await?;
        self.keep_rollouts().await?;
        self.store().release_lease(&lease).await?;
        Ok(())
    }

    /// Runs what is due until nothing is, and answers how many runs that took. Periodic walks are not started.
    pub async fn run_until_idle(&self) -> Result<u64, EngineError> {
        let lease = self.acquire_lease().await?;
        let mut in_flight = InFlight::new();
        let mut runs = 0;
        loop {
            let handed_out = self.hand_out(&lease, &mut in_flight).await?;
            match in_flight.tasks.join_next().await {
                Some(finished) => {
                    runs += 1;
                    in_flight.ended(finished);
                }
                None if matches!(handed_out, HandOut::NothingDue(_)) => return Ok(runs),
                None => {}
            }
        }
    }

    pub(crate) async fn acquire_lease(&self) -> Result<Lease, StoreError> {
        self.store().acquire_lease(self.owner(), self.config().lease_ttl()).await
    }

    /// Each task has one claim at most, which ends before it: whatever is claimed beyond that is nobody's.
    async fn has_lost_claims(&self, lease: &Lease, tasks: usize) -> bool {
        match self.store().claims(lease).await {
            Ok(claims) => claims > tasks as u64,
            Err(error) => {
                tracing::warn!(%error, "claims were not counted");
                false
            }
        }
    }

    /// Nothing is in flight, so whatever is claimed was left by a task that could not end it: a defect of the host, which must not keep
    /// a record for ever.
    async fn free_claims(&self, lease: &Lease) {
        match self.store().free_claims(lease).await {
            Ok(0) => {}
            Ok(claims) => tracing::error!(
                claims,
                "claims that nobody worked on were given back: this is a defect of the host"
            ),
            Err(error) => tracing::warn!(%error, "claims were not looked through"),
        }
    }

    /// Writes down how work ended, as often as it takes: a full disk is no reason to forget it. Only the end of this process is,
    /// after which the claim is given out again.
    pub(crate) async fn until_kept<F>(&self, keep: impl Fn(Self) -> F + Send) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), StoreError>> + Send,
    {
        let mut wait = KEEP_AGAIN;
        loop {
            let kept = keep(self.clone()).await;
            if !matches!(&kept, Err(error) if error.is_passing()) {
                return kept;
            }
            metrics::counter!("contactor_store_repeated_total").increment(1);
            tokio::select! {
                () = self.end() => return kept,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(IDLE_POLL),
            }
        }
    }

    /// Claims what there is room for and starts it. Messages have a room of their own.
    async fn hand_out(&self, lease: &Lease, in_flight: &mut InFlight) -> Result<HandOut, StoreError> {
        let now = self.now();
        let room = MESSAGES.saturating_sub(in_flight.messages);
        let messages = match room {
            0 => Vec::new(),
            room => self.store().claim_messages(lease, now, room, self.message_limits()).await?,
        };
        let mut started = !messages.is_empty();
        for message in messages {
            self.start_message(lease, message, in_flight);
        }
        let waiting = u32::try_from(self.waiting_for_quota()).unwrap_or(u32::MAX);
        let room = in_flight.room(self.config().concurrency, waiting);
        if room < (self.config().concurrency / 4).max(1) {
            return Ok(HandOut::Full);
        }
        let per_workspace = self.config().concurrency_per_workspace;
        let events = self.store().claim_events(lease, now, room, per_workspace).await?;
        let room = room.saturating_sub(u32::try_from(events.len()).unwrap_or(u32::MAX));
        let deliveries = match room {
            0 => Vec::new(),
            room => self.store().claim_deliveries(lease, now, room, per_workspace).await?,
        };
        let room = room.saturating_sub(u32::try_from(deliveries.len()).unwrap_or(u32::MAX));
        let records = if room == 0 {
            Vec::new()
        } else {
            self.store().claim_records(lease, now, room, per_workspace).await?
        };
        started |= !(events.is_empty() && deliveries.is_empty() && records.is_empty());
        for event in events {
            self.start_event(lease, event, in_flight);
        }
        for delivery in deliveries {
            self.start_delivery(lease, delivery, in_flight);
        }
        for record in records {
            self.start_record(lease, record, in_flight);
        }
        Ok(if started { HandOut::Started } else { HandOut::NothingDue(now) })
    }

    fn message_limits(&self) -> MessageLimits {
        MessageLimits {
            per_destination: MESSAGES_PER_DESTINATION,
            per_workspace: MESSAGES_PER_WORKSPACE,
            per_minute: self.config().messages_per_minute,
        }
    }

    fn start_record(&self, lease: &Lease, record: ClaimedRecord, in_flight: &mut InFlight) {
        let (engine, lease) = (self.clone(), lease.clone());
        in_flight.tasks.spawn(async move {
            // Boxed: the state of a reconcile is large, and every task of the set would carry it twice.
            if let Err(why) = ended(Box::pin(engine.run_record(&lease, record.clone()))).await {
                engine.panicked(&lease, record, why).await;
            }
            Finished::Work
        });
    }

    fn start_event(&self, lease: &Lease, event: ClaimedEvent, in_flight: &mut InFlight) {
        let (engine, lease) = (self.clone(), lease.clone());
        in_flight.tasks.spawn(async move {
            if let Err(why) = ended(Box::pin(engine.run_event(&lease, event.clone()))).await {
                engine.event_panicked(&lease, &event, why).await;
            }
            Finished::Work
        });
    }

    fn start_delivery(&self, lease: &Lease, delivery: ClaimedDelivery, in_flight: &mut InFlight) {
        let (engine, lease) = (self.clone(), lease.clone());
        in_flight.tasks.spawn(async move {
            if let Err(why) = ended(Box::pin(engine.run_delivery(&lease, delivery.clone()))).await {
                engine.delivery_panicked(&lease, &delivery, why).await;
            }
            Finished::Work
        });
    }

    fn start_message(&self, lease: &Lease, message: ClaimedMessage, in_flight: &mut InFlight) {
        in_flight.messages += 1;
        let (engine, lease) = (self.clone(), lease.clone());
        in_flight.tasks.spawn(async move {
            if let Err(why) = ended(engine.run_message(&lease, message.clone())).await {
                engine.message_failed(&lease, &message, why).await;
            }
            Finished::Message
        });
    }

    /// A wait as it is slept through: a clock that somebody else moves is looked at again soon.
    pub(crate) fn real(&self, wait: Duration) -> Duration {
        if self.time_passes() { wait } else { wait.min(STANDING) }
    }

    /// How long nothing will be due. What was due when work was asked for has its share in flight already.
    async fn idle_time(&self, asked_at: Timestamp) -> Duration {
        match self.store().next_due().await {
            Ok(Some(due)) if due <= asked_at => BLOCKED_POLL,
            Ok(Some(due)) => {
                let wait = self.now().until(due).map(|span| span.get_milliseconds()).unwrap_or(0);
                Duration::from_millis(u64::try_from(wait).unwrap_or(0).max(5)).min(IDLE_POLL)
            }
            Ok(None) => IDLE_POLL,
            Err(error) => {
                tracing::error!(%error, "the store does not tell what is due");
                IDLE_POLL
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn runs_that_wait_for_a_quota_leave_their_room_to_others_up_to_a_bound() {
        let mut in_flight = InFlight::new();
        let fill = |in_flight: &mut InFlight, count: usize| {
            while in_flight.tasks.len() < count {
                in_flight.tasks.spawn(std::future::pending());
            }
        };
        assert_eq!(in_flight.room(4, 0), 4);
        fill(&mut in_flight, 4);
        assert_eq!((in_flight.room(4, 0), in_flight.room(4, 3)), (0, 3));
        in_flight.messages = 1;
        assert_eq!(in_flight.room(4, 0), 1, "messages have a room of their own");
        in_flight.messages = 0;
        fill(&mut in_flight, 62);
        assert_eq!((in_flight.room(4, 62), in_flight.room(4, 100)), (2, 2), "no more than 64 in all");
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_or_never_ends_is_given_up_and_says_which() {
        assert_eq!(ended(async {}).await, Ok(()));
        assert_eq!(ended(async { panic!("a test of panics") }).await, Err(PANICKED));
        assert_eq!(in_time(async { 7 }).await, Ok(7));
        let endless = in_time(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!((endless.class, endless.message.as_str()), (FailureClass::Host, ENDLESS));
    }
}
