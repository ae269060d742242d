//! Who walks when: each walk is a task of its own, in rounds that wait for nobody.
//!
//! A connector whose partner answers slowly walks for minutes. The next round passes it over instead of waiting for it, and each workspace
//! has a share of the places, so that the slow walks of one leave room to those of the others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use contactor_store::{ConnectionId, ConnectionState, StoreError, WorkspaceId};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::walk::IDLE;

/// Walks at the same time, over all workspaces. They mostly wait for others; together with the runs they are fewer than the instances
/// that calls of connectors share.
const PLACES: usize = 32;
/// Of these those of one workspace: enough that a slow connection delays few others of its own.
const PLACES_OF_A_WORKSPACE: usize = 4;
/// Longest time of one walk, which is longer than a page of each of a connector's streams takes. What it has read is kept.
const LONGEST: Duration = Duration::from_mins(30);

/// What walks by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Walk {
    /// The streams of a connection.
    Connection { id: ConnectionId, workspace: WorkspaceId },
    /// Tasks, notes and appointments, once for all connections of a workspace.
    Workspace(WorkspaceId),
}

impl Walk {
    fn workspace(&self) -> &WorkspaceId {
        match self {
            Self::Connection { workspace, .. } | Self::Workspace(workspace) => workspace,
        }
    }
}

/// A walk that has a place.
struct UnderWay {
    walk: Walk,
    /// The walker was woken meanwhile: it may be past what it was woken for.
    again: bool,
}

/// The walks of a process. Those under way are aborted when this is dropped, which loses nothing: a cursor moves only together with what
/// was read.
#[derive(Default)]
struct Walks {
    /// Those of the round that have no place yet.
    waiting: VecDeque<Walk>,
    under_way: HashMap<Id, UnderWay>,
    tasks: JoinSet<Duration>,
    /// Those that have not come to an end since everybody had.
    owed: HashSet<Walk>,
}

impl Walks {
    /// Begins a round over all that may walk. Answers whether everybody came to an end since this was so the last time.
    fn begin_round(&mut self, all: Vec<Walk>) -> bool {
        {
            let known: HashSet<&Walk> = all.iter().collect();
            self.owed.retain(|walk| known.contains(walk));
        }
        let everybody_ended = self.owed.is_empty();
        if everybody_ended {
            self.owed.extend(all.iter().cloned());
        }
        let under_way: HashSet<&Walk> = self.under_way.values().map(|one| &one.walk).collect();
        // Whoever found no place in the last round keeps its turn.
        let passed_over: HashSet<Walk> = self.waiting.drain(..).collect();
        let idle = all.into_iter().filter(|walk| !under_way.contains(walk));
        let (first, then): (Vec<_>, Vec<_>) = idle.partition(|walk| passed_over.contains(walk));
        self.waiting = first.into_iter().chain(then).collect();
        everybody_ended
    }

    /// Begins the walks that have a place.
    fn fill<F>(&mut self, mut walk: impl FnMut(Walk) -> F)
    where
        F: Future<Output = Duration> + Send + 'static,
    {
        while self.under_way.len() < PLACES
            && let Some(next) = self.first()
            && let Some(next) = self.waiting.remove(next)
        {
            let task = self.tasks.spawn(walk(next.clone())).id();
            self.under_way.insert(task, UnderWay { walk: next, again: false });
        }
    }

    /// Where the first in line is whose workspace has a place left.
    fn first(&self) -> Option<usize> {
        let mut used: HashMap<&WorkspaceId, usize> = HashMap::new();
        for one in self.under_way.values() {
            *used.entry(one.walk.workspace()).or_default() += 1;
        }
        let has_place =
            |walk: &Walk| used.get(walk.workspace()).is_none_or(|used| *used < PLACES_OF_A_WORKSPACE);
        self.waiting.iter().position(has_place)
    }

    /// Whether nobody waits but for the walks of its own workspace: another round may begin.
    fn is_handed_out(&self) -> bool {
        self.first().is_none()
    }

    /// Waits until a walk ends, and answers how soon the next look is wanted; `None` when none is under way.
    async fn ended(&mut self) -> Option<Duration> {
        let (task, wait) = match self.tasks.join_next_with_id().await? {
            Ok(ended) => ended,
            // Panics are caught in the walk: this is the one of their handling.
            Err(error) => {
                tracing::error!(%error, "a walk ended badly: this is a defect of the host");
                (error.id(), IDLE)
            }
        };
        let Some(ended) = self.under_way.remove(&task) else { return Some(wait) };
        self.owed.remove(&ended.walk);
        Some(if ended.again { Duration::ZERO } else { wait })
    }

    /// Whoever is under way is looked at again as soon as it has ended.
    fn again(&mut self) {
        self.under_way.values_mut().for_each(|one| one.again = true);
    }
}

impl Engine {
    /// Sweeps, polls and backfills, until told to stop.
    pub(crate) async fn walk_until(self, stop: CancellationToken) {
        let mut walks = Walks::default();
        let mut due = Instant::now();
        loop {
            if walks.is_handed_out() && due <= Instant::now() {
                due = Instant::now() + self.real(IDLE);
                match self.all_walks().await {
                    Ok(all) => {
                        if walks.begin_round(all) {
                            metrics::counter!("contactor_walk_rounds_total").increment(1);
                        }
                    }
                    Err(error) => tracing::error!(%error, "no walk: the store does not answer"),
                }
            }
            walks.fill(|walk| self.clone().walk(walk));
            let is_handed_out = walks.is_handed_out();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.walk_wake().woken() => {
                    walks.again();
                    due = Instant::now();
                }
                Some(wait) = walks.ended() => due = due.min(Instant::now() + self.real(wait)),
                () = tokio::time::sleep_until(due), if is_handed_out => {}
            }
        }
    }

    /// Walks until every walk rests or waits for its records to be worked off, and does what the host does for itself besides: for a
    /// caller that keeps the time itself.
    pub async fn walk_until_rest(&self) {
        while self.walk_once().await < Duration::from_millis(100) {}
    }

    /// Walks everything once and to its end; answers how soon the next look is wanted.
    async fn walk_once(&self) -> Duration {
        let all = self.all_walks().await.unwrap_or_else(|error| {
            tracing::error!(%error, "no walk: the store does not answer");
            Vec::new()
        });
        let mut next = IDLE;
        // One after the other, so that the same happens each time.
        let (connections, workspaces): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|walk| matches!(walk, Walk::Connection { .. }));
        for all in [connections, workspaces] {
            let mut walks = Walks::default();
            walks.begin_round(all);
            loop {
                walks.fill(|walk| self.clone().walk(walk));
                let Some(wait) = walks.ended().await else { break };
                next = next.min(wait);
            }
        }
        self.keep_house().await;
        next
    }

    /// Whatever may walk: each connection that works, and then each workspace that has one.
    async fn all_walks(&self) -> Result<Vec<Walk>, StoreError> {
        let mut connections = self.store().connections(None).await?;
        connections.retain(|connection| connection.state == ConnectionState::Enabled);
        let mut workspaces: Vec<_> =
            connections.iter().map(|connection| connection.workspace.clone()).collect();
        workspaces.sort_unstable();
        workspaces.dedup();
        let connections = connections
            .into_iter()
            .map(|connection| Walk::Connection { id: connection.id, workspace: connection.workspace });
        Ok(connections.chain(workspaces.into_iter().map(Walk::Workspace)).collect())
    }

    /// One step of each of its streams; answers how soon it wants the next.
    async fn walk(self, walk: Walk) -> Duration {
        let steps = async {
            match &walk {
                Walk::Connection { id, .. } => self.walk_safely(id).await,
                Walk::Workspace(workspace) => self.walk_workspace_safely(workspace).await,
            }
        };
        // Boxed: the state of a walk is large, and its time limit would carry it twice.
        tokio::time::timeout(LONGEST, Box::pin(steps)).await.unwrap_or_else(|_| {
            tracing::warn!(?walk, "a walk took half an hour and was given up; it goes on from its cursors");
            IDLE
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    fn connection(workspace: &str, name: &str) -> Walk {
        let id = ConnectionId::new(format!("{workspace}/{name}"));
        Walk::Connection { id, workspace: WorkspaceId::new(workspace) }
    }

    fn name(walk: &Walk) -> String {
        match walk {
            Walk::Connection { id, .. } => id.to_string(),
            Walk::Workspace(workspace) => workspace.to_string(),
        }
    }

    /// Walks of which those that are called slow do not end before they are let.
    #[derive(Default)]
    struct Bench {
        walks: Walks,
        goes_on: Arc<Notify>,
    }

    impl Bench {
        /// Begins those that have a place, and answers who they are.
        fn begin(&mut self) -> Vec<String> {
            let (mut begun, goes_on) = (Vec::new(), &self.goes_on);
            self.walks.fill(|walk| {
                let name = name(&walk);
                let slow = name.contains("slow").then(|| Arc::clone(goes_on));
                begun.push(name);
                async move {
                    if let Some(slow) = slow {
                        slow.notified().await;
                    }
                    IDLE
                }
            });
            begun
        }

        async fn end(&mut self, count: usize) {
            for _ in 0..count {
                self.walks.ended().await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_slow_walk_is_passed_over_by_the_next_rounds_and_nobody_waits_for_it() {
        let all = || {
            let workspace = Walk::Workspace(WorkspaceId::new("other"));
            vec![connection("acme", "slow"), connection("acme", "a"), connection("other", "a"), workspace]
        };
        let mut bench = Bench::default();
        assert!(bench.walks.begin_round(all()), "nobody was owed a walk");
        assert_eq!(bench.begin(), ["acme/slow", "acme/a", "other/a", "other"]);
        bench.end(3).await;
        for _ in 0..3 {
            assert!(bench.walks.is_handed_out());
            assert!(!bench.walks.begin_round(all()), "one has not come to its end");
            assert_eq!(bench.begin(), ["acme/a", "other/a", "other"]);
            bench.end(3).await;
        }
        bench.goes_on.notify_one();
        bench.end(1).await;
        assert!(bench.walks.begin_round(all()), "everybody has");
        assert_eq!(bench.begin()[0], "acme/slow");
    }

    #[tokio::test]
    async fn slow_walks_of_one_workspace_leave_places_to_the_others_and_keep_their_turn() {
        let slow: Vec<_> = (0..9).map(|number| connection("acme", &format!("slow{number}"))).collect();
        let all = || [slow.clone(), vec![connection("other", "a")]].concat();
        let mut bench = Bench::default();
        bench.walks.begin_round(all());
        let first = ["acme/slow0", "acme/slow1", "acme/slow2", "acme/slow3", "other/a"];
        assert_eq!(bench.begin(), first);
        bench.end(1).await;
        assert!(bench.walks.is_handed_out(), "the others of acme wait for acme alone");
        bench.walks.begin_round(all());
        assert_eq!(bench.begin(), ["other/a"]);
        bench.end(1).await;

        for _ in 0..PLACES_OF_A_WORKSPACE {
            bench.goes_on.notify_one();
            bench.end(1).await;
        }
        bench.walks.begin_round(all());
        let then = ["acme/slow4", "acme/slow5", "acme/slow6", "acme/slow7", "other/a"];
        assert_eq!(bench.begin(), then, "before those that walked already");
    }

    #[tokio::test]
    async fn all_places_are_taken_by_many_workspaces_only() {
        let all: Vec<_> = (0..PLACES).map(|number| connection(&format!("w{number}"), "slow")).collect();
        let mut bench = Bench::default();
        bench.walks.begin_round([all, vec![connection("other", "a")]].concat());
        assert_eq!(bench.begin().len(), PLACES);
        assert!(!bench.walks.is_handed_out(), "one waits for a place");
        bench.goes_on.notify_one();
        bench.end(1).await;
        assert_eq!(bench.begin(), ["other/a"]);
    }

    #[tokio::test]
    async fn whoever_is_under_way_when_the_walker_is_woken_walks_again_at_once() {
        let mut bench = Bench::default();
        bench.walks.begin_round(vec![connection("acme", "a")]);
        bench.begin();
        bench.walks.again();
        assert_eq!(bench.walks.ended().await, Some(Duration::ZERO));
        bench.walks.begin_round(vec![connection("acme", "a")]);
        bench.begin();
        assert_eq!(bench.walks.ended().await, Some(IDLE));
        assert_eq!(bench.walks.ended().await, None, "none is under way");
    }
}
