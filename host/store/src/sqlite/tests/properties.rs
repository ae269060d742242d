//! Any sequence of marks, claims, completions and crashes, against a model: no mark is lost, no record is in flight twice,
//! every event ends once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use tempfile::TempDir;

use super::fixture::*;
use crate::sqlite::SqliteStore;
use crate::*;

/// Records per side; record `n` of HighLevel and record `n` of the partner turn out to be one.
const RECORDS: usize = 3;
/// Marks per record, below the number from which hints are folded into one.
const MARKS: usize = 12;

#[derive(Clone, Debug)]
enum Step {
    Append(Side, usize),
    Mark(Side, usize, Priority),
    Claim(u32),
    Complete(Index, End),
    Takeover,
    Crash,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Done,
    Linked,
    Retry,
    Parked,
    RetryLinked,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = prop_oneof![Just(Side::Highlevel), Just(Side::Partner)];
    let priority =
        prop_oneof![Just(Priority::Interactive), Just(Priority::Webhook), Just(Priority::Backfill)];
    let end = prop_oneof![
        Just(End::Done),
        Just(End::Linked),
        Just(End::Retry),
        Just(End::Parked),
        Just(End::RetryLinked)
    ];
    let step = prop_oneof![
        6 => (side.clone(), 0..RECORDS).prop_map(|(side, record)| Step::Append(side, record)),
        2 => (side, 0..RECORDS, priority).prop_map(|(side, record, priority)| Step::Mark(side, record, priority)),
        5 => (1..4_u32).prop_map(Step::Claim),
        6 => (any::<Index>(), end).prop_map(|(index, end)| Step::Complete(index, end)),
        1 => Just(Step::Takeover),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

fn name(side: Side, record: usize) -> String {
    match side {
        Side::Highlevel => format!("h{record}"),
        Side::Partner => format!("p{record}"),
    }
}

/// The number of a record, the same for both its ids.
fn number(record: &RecordId) -> usize {
    record.as_str()[1..].parse().unwrap()
}

struct Trial {
    directory: TempDir,
    store: SqliteStore,
    path: PathBuf,
    lease: Lease,
    generations: u32,
    in_flight: Vec<ClaimedRecord>,
    linked: BTreeSet<usize>,
    /// How each event ended, `None` while it waits.
    events: BTreeMap<EventSeq, Option<EventState>>,
    /// Marks without an event that no claim has covered yet, by the id that was marked.
    unseen: BTreeMap<(Side, usize), u32>,
    marks: BTreeMap<usize, usize>,
}

impl Trial {
    async fn new() -> Self {
        let (directory, path) = directory();
        let store = SqliteStore::open(&path).unwrap();
        configure(&store, "acme").await;
        let lease = store.acquire_lease("process-0", Duration::ZERO).await.unwrap();
        Self {
            directory,
            store,
            path,
            lease,
            generations: 0,
            in_flight: Vec::new(),
            linked: BTreeSet::new(),
            events: BTreeMap::new(),
            unseen: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Append(side, record) if self.may_mark(*record) => {
                let key = format!("e{}", self.events.len());
                let marks = vec![mark(*side, &name(*side, *record))];
                let accepted = self.store.append_event(NewEvent { marks, ..event(&key, "") }).await.unwrap();
                let Accepted::New(seq) = accepted else { panic!("{accepted:?}") };
                self.events.insert(seq, None);
                let again = self.store.append_event(event(&key, "other")).await.unwrap();
                assert_eq!(again, Accepted::Duplicate);
            }
            Step::Mark(side, record, priority) if self.may_mark(*record) => {
                let marks = vec![mark(*side, &name(*side, *record))];
                self.store.mark(&connection_id("acme"), marks, *priority, None).await.unwrap();
                *self.unseen.entry((*side, *record)).or_default() += 1;
            }
            Step::Claim(limit) => {
                self.claim(*limit).await;
            }
            Step::Complete(index, end) if !self.in_flight.is_empty() => {
                let claim = self.in_flight.remove(index.index(self.in_flight.len()));
                self.complete(claim, *end).await;
            }
            // Nothing in flight to complete, or enough marks on that record.
            Step::Append(..) | Step::Mark(..) | Step::Complete(..) => {}
            Step::Takeover => self.lose_claims().await,
            Step::Crash => {
                self.generations += 1;
                let copy = self.directory.path().join(format!("{}.db", self.generations));
                crash_copy(&self.path, &copy);
                self.store = SqliteStore::open(&copy).unwrap();
                self.path = copy;
                self.lose_claims().await;
            }
        }
    }

    fn may_mark(&mut self, record: usize) -> bool {
        let marks = self.marks.entry(record).or_default();
        *marks += 1;
        *marks <= MARKS
    }

    /// Another process takes over; what the old one does from now on is refused.
    async fn lose_claims(&mut self) {
        self.generations += 1;
        let owner = format!("process-{}", self.generations);
        let next = self.store.acquire_lease(&owner, Duration::ZERO).await.unwrap();
        assert!(next.token > self.lease.token);
        for claim in std::mem::take(&mut self.in_flight) {
            for hint in claim.hints.iter().filter(|hint| hint.event.is_none()) {
                *self.unseen.entry((hint.side, number(&claim.key.record))).or_default() += 1;
            }
            let late = Completion::new(claim, Disposition::Done);
            let refused = self.store.complete_record(&self.lease, late).await;
            assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
        }
        self.lease = next;
    }

    async fn claim(&mut self, limit: u32) -> usize {
        let claimed = self.store.claim_records(&self.lease, LATER, limit, 100).await.unwrap();
        assert!(claimed.len() <= limit as usize);
        for claim in &claimed {
            let record = number(&claim.key.record);
            assert_eq!(claim.link.is_some(), self.linked.contains(&record));
            assert!(claim.link.is_none() || claim.key.side == Side::Highlevel);
            for hint in &claim.hints {
                match hint.event {
                    Some(seq) => assert_eq!(self.events[&seq], None, "{seq:?} ended before"),
                    None => *self.unseen.get_mut(&(hint.side, record)).expect("a mark from nowhere") -= 1,
                }
            }
        }
        let count = claimed.len();
        self.in_flight.extend(claimed);
        let mut ids = BTreeSet::new();
        for claim in &self.in_flight {
            let record = number(&claim.key.record);
            assert!(ids.insert((record, claim.key.side)), "{:?} is in flight twice", claim.key);
            // Two claims from before a record was linked may end; a new one must not join them.
            let other = claimed_as(&self.in_flight, record);
            assert!(other < 2 || !self.linked.contains(&record) || claim.link.is_none(), "{:?}", claim.key);
        }
        count
    }

    async fn complete(&mut self, claim: ClaimedRecord, end: End) {
        let record = number(&claim.key.record);
        let disposition = match end {
            End::Done | End::Linked => Disposition::Done,
            End::Retry | End::RetryLinked => {
                Disposition::Retry { at: Timestamp::UNIX_EPOCH, counts: matches!(end, End::Retry) }
            }
            End::Parked => Disposition::Parked { class: FailureClass::Data, reason: "no".to_owned() },
        };
        let link = matches!(end, End::Linked | End::RetryLinked).then(|| link(record));
        if link.is_some() {
            self.linked.insert(record);
        }
        let hints = claim.hints.clone();
        let completion = Completion { link, ..Completion::new(claim, disposition) };
        self.store.complete_record(&self.lease, completion).await.unwrap();

        let mut newest_first: Vec<_> = hints.iter().filter_map(|hint| hint.event).collect();
        newest_first.sort_unstable_by(|one, two| two.cmp(one));
        for (age, seq) in newest_first.into_iter().enumerate() {
            let expected = match (end, age) {
                (End::Retry | End::RetryLinked, _) => None,
                (End::Parked, 0) => Some(EventState::Parked),
                (_, 0) => Some(EventState::Applied),
                (_, _) => Some(EventState::Superseded),
            };
            self.events.insert(seq, expected);
        }
        if matches!(end, End::Retry | End::RetryLinked) {
            for hint in hints.iter().filter(|hint| hint.event.is_none()) {
                *self.unseen.entry((hint.side, record)).or_default() += 1;
            }
        }
        self.check_events().await;
    }

    async fn check_events(&self) {
        for (seq, state) in &self.events {
            let stored = self.store.event(*seq).await.unwrap().unwrap().state;
            assert_eq!(stored, state.unwrap_or(EventState::Accepted), "{seq:?}");
        }
    }

    /// Does everything that waits; then every event has ended and every mark was seen.
    async fn finish(mut self) {
        loop {
            for claim in std::mem::take(&mut self.in_flight) {
                self.complete(claim, End::Done).await;
            }
            // A call may give out nothing and yet bring rows together that the next call finds.
            if self.claim(100).await == 0 && self.claim(100).await == 0 {
                break;
            }
        }
        assert!(self.events.values().all(Option::is_some), "{:?}", self.events);
        assert!(self.unseen.values().all(|count| *count == 0), "{:?}", self.unseen);
        assert_eq!(self.store.counts(None).await.unwrap().dirty, 0);
        assert_eq!(self.store.next_due().await.unwrap(), None);
        self.check_events().await;
    }
}

fn claimed_as(claims: &[ClaimedRecord], record: usize) -> usize {
    claims.iter().filter(|claim| number(&claim.key.record) == record).count()
}

fn link(record: usize) -> Link {
    let fingerprint = || contactor_sync::Fingerprint::from_stored("0".repeat(64));
    Link {
        connection: connection_id("acme"),
        entity: "contact".to_owned(),
        highlevel_id: RecordId::new(name(Side::Highlevel, record)),
        partner_id: RecordId::new(name(Side::Partner, record)),
        parent: None,
        occurs_at: None,
        base: serde_json::from_value(json!({})).unwrap(),
        highlevel_fingerprint: fingerprint(),
        partner_fingerprint: fingerprint(),
        state: LinkState::Active,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

proptest! {
    // Every case writes to the disk many times: an eighth of what PROPTEST_CASES or the default asks for.
    #![proptest_config(ProptestConfig {
        cases: (ProptestConfig::default().cases / 8).max(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_mark_is_lost_and_every_event_ends_once(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut trial = Trial::new().await;
            for step in &steps {
                trial.step(step).await;
            }
            trial.finish().await;
        });
    }
}
