//! Walks: the resumable backfill, the sweep for what no webhook announced, and polls of the partner's streams.
//!
//! Each page's marks and the cursor behind it are committed together, so that a crash repeats a page or skips none. Every
//! state is a row; the walker only asks what is due.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use contactor_highlevel::{ContactPage, Filter, SearchRequest, Sort};
use contactor_runtime::bindings::triggers::PollPage;
use contactor_runtime::{Invocation, Reply};
use contactor_store::{
    Connection, ConnectionId, ConnectionState, Cursor, FailureClass, Found, Mark, Priority, RecordId,
    RunKind, Side, WorkspaceId,
};
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};

use crate::active::Reviewed;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::{self, Failure, of_engine, of_store};
use crate::receive::told;
use crate::reconcile::children::{self, Kind};
use crate::reconcile::{RunContext, mismatch, run_id};
use crate::{deliver, trouble};

/// Stream names of the walks over HighLevel's contacts.
pub(crate) const BACKFILL: &str = "backfill";
pub(crate) const MATCH: &str = "match";
const SWEEP: &str = "sweep";

/// The vendor's search index lags behind writes by seconds; a sweep looks back further than that.
const SWEEP_OVERLAP: SignedDuration = SignedDuration::from_mins(2);
/// Bytes of a connector's cursor.
const CURSOR: usize = 4_096;
/// How soon the walker looks again when nothing is due.
pub(crate) const IDLE: Duration = Duration::from_secs(5);
/// The rest of a walk over HighLevel's contacts whose failure a repetition does not mend.
const LOOK: SignedDuration = SignedDuration::from_mins(5);
/// A backfill that moved no page for so long keeps no other waiting.
const STALLED: SignedDuration = SignedDuration::from_mins(5);
/// Appointments that lie this far back and ahead are looked at with every sweep.
pub(crate) const APPOINTMENTS_BACK: SignedDuration = SignedDuration::from_hours(2 * 24);
pub(crate) const APPOINTMENTS_AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What one step of a walk did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A page was read; there are more.
    More,
    /// The walk is over, or rests until its next interval.
    Rest,
    /// Enough records wait; reading further would only fill the store.
    Full,
}

impl Engine {
    /// One step of the walks over a workspace's tasks, notes and appointments; their failure is nobody else's.
    pub(crate) async fn walk_workspace_safely(&self, workspace: &WorkspaceId) -> Duration {
        let steps = async {
            let tasks = self.task_walk_step(workspace).await;
            let notes = self.note_walk_step(workspace).await;
            let appointments = self.appointment_walk_step(workspace).await;
            appointments.and(Ok(tasks? | notes?))
        };
        match AssertUnwindSafe(steps).catch_unwind().await {
            Ok(Ok(true)) => Duration::ZERO,
            Ok(Ok(false)) => IDLE,
            Ok(Err(failure)) => {
                tracing::warn!(%workspace, reason = failure.message, "a walk over the workspace failed and is repeated");
                IDLE
            }
            Err(_) => {
                tracing::error!(%workspace, "a walk over the workspace panicked: this is a defect of the host");
                IDLE
            }
        }
    }

    /// One step of each walk of a connection; answers how soon it wants the next. Its failure is nobody else's.
    pub(crate) async fn walk_safely(&self, id: &ConnectionId) -> Duration {
        match AssertUnwindSafe(self.walk_connection(id)).catch_unwind().await {
            Ok(Ok(Step::More)) => Duration::ZERO,
            Ok(Ok(Step::Full)) => Duration::from_millis(200),
            Ok(Ok(Step::Rest)) => IDLE,
            Ok(Err(failure)) => {
                if failure.class == FailureClass::Auth {
                    self.needs_reconnect(id, &failure).await;
                } else {
                    tracing::warn!(connection = %id, reason = failure.message, "a walk failed and is repeated");
                }
                IDLE
            }
            Err(_) => {
                tracing::error!(connection = %id, "a walk panicked: this is a defect of the host");
                IDLE
            }
        }
    }

    async fn walk_connection(&self, id: &ConnectionId) -> Result<Step, Failure> {
        // As it is now: it may have waited for its place.
        let connection = self.store().connection(id).await.map_err(of_store)?;
        let works = |connection: &Connection| connection.state == ConnectionState::Enabled;
        let Some(connection) = connection.filter(works) else { return Ok(Step::Rest) };
        let active = self.active(id).await.map_err(of_engine)?;
        let run = self.context(&active, Priority::Backfill, false);
        let backfill = match self.backfill_ahead(&connection).await.map_err(of_engine)? {
            None => self.in_turn(&run, BACKFILL, LOOK, self.backfill_step(&run, id)).await?,
            Some(_) => Step::Rest,
        };
        let mut matching = Step::Rest;
        if active.review != Reviewed::No {
            let run = self.context(&active, Priority::Backfill, true);
            matching = self.in_turn(&run, MATCH, LOOK, self.match_step(&run)).await?;
        }
        let run = self.context(&active, Priority::Sweep, false);
        let sweep = self.in_turn(&run, SWEEP, LOOK, self.sweep_step(&run, &connection)).await?;
        let mut polled = Step::Rest;
        for stream in &active.manifest.streams {
            let record = format!("poll of {}", stream.name);
            let run = RunContext {
                tape: active.shadow(&record).map(|_| Arc::default()),
                ..self.context(&active, Priority::Sweep, false)
            };
            let seconds = connection.schedule.poll_interval(&stream.name).unwrap_or(stream.interval_seconds);
            let interval = SignedDuration::from_secs(i64::from(seconds));
            let name = format!("poll:{}", stream.name);
            let step = self.poll_step(&run, &name, &stream.name, interval);
            let step = self.in_turn(&run, &name, interval, step).await?;
            self.follow(&run, &record, &run_id(), false, &[]);
            match step {
                Step::Rest => {}
                step => polled = step,
            }
        }
        let steps = [backfill, matching, sweep, polled];
        Ok(if steps.contains(&Step::More) {
            Step::More
        } else if steps.contains(&Step::Full) {
            Step::Full
        } else {
            Step::Rest
        })
    }

    /// One step of one stream. A stream that fails rests by itself and the next has its turn; only a credential that was refused,
    /// which stops the connection, is a failure of all.
    async fn in_turn(
        &self,
        run: &RunContext,
        stream: &str,
        interval: SignedDuration,
        step: impl Future<Output = Result<Step, Failure>>,
    ) -> Result<Step, Failure> {
        let id = &run.active.connection.id;
        if trouble::rests(self.cursor(id, stream).await?.as_ref(), self.now()) {
            return Ok(Step::Rest);
        }
        let failure = match step.await {
            Ok(step) => return Ok(step),
            Err(failure) => failure,
        };
        if failure.class == FailureClass::Auth {
            return Err(failure);
        }
        let cursor = self.cursor(id, stream).await?.unwrap_or_else(|| never_read(id, stream));
        self.troubled(run, cursor, interval, failure).await?;
        Ok(Step::Rest)
    }

    // ----------------------------------------------------------------------------------------------------------- backfill

    /// Begins a walk over all contacts, or goes on with the one that was begun.
    pub(crate) async fn begin_backfill(&self, id: &ConnectionId, anew: bool) -> Result<(), EngineError> {
        let present = self.store().cursor(id, BACKFILL).await?;
        if anew || present.is_none_or(|cursor| cursor.done) {
            self.store().put_cursor(fresh(id, BACKFILL, self.now())).await?;
        }
        self.walk_wake().wake();
        Ok(())
    }

    /// The connection whose backfill has to be over before this one's goes on, if there is one.
    ///
    /// Backfills of one location share its quota, and each walks through the same contacts: one after the other is sooner at its end
    /// for the first and no later for the last. Whoever has begun goes on, then who has waited longest; both are seen in the cursors,
    /// so that a restart changes no order. One that rests because of a failure, or whose records are not worked off, keeps nobody waiting.
    pub(crate) async fn backfill_ahead(
        &self,
        connection: &Connection,
    ) -> Result<Option<ConnectionId>, EngineError> {
        let Some(own) = self.store().cursor(&connection.id, BACKFILL).await?.filter(|own| !own.done) else {
            return Ok(None);
        };
        let mut first = own;
        for other in self.store().connections(Some(&connection.workspace)).await? {
            if other.state != ConnectionState::Enabled || other.id == connection.id {
                continue;
            }
            let cursor = self.store().cursor(&other.id, BACKFILL).await?;
            let walks = cursor.filter(|cursor| !cursor.done && !trouble::rests(Some(cursor), self.now()));
            // Its partner is slow or out of order: HighLevel's quota is idle meanwhile.
            let walks = walks.filter(|cursor| {
                cursor.cursor.is_none() || self.now().duration_since(cursor.updated_at) < STALLED
            });
            first = walks
                .into_iter()
                .fold(first, |first, other| if turn(&other) < turn(&first) { other } else { first });
        }
        Ok(Some(first.connection).filter(|first| *first != connection.id))
    }

    /// One page of the backfill: by creation, so that contacts that change meanwhile do not move.
    async fn backfill_step(&self, run: &RunContext, id: &ConnectionId) -> Result<Step, Failure> {
        let Some(cursor) = self.cursor(id, BACKFILL).await? else { return Ok(Step::Rest) };
        if cursor.done {
            return Ok(Step::Rest);
        }
        let waiting = self.store().waiting(id).await.map_err(of_store)?;
        if waiting >= self.config().backfill_window {
            return Ok(Step::Full);
        }
        let request = SearchRequest {
            limit: self.config().page_size,
            sort: vec![Sort { field: "dateAdded".to_owned(), descending: false }],
            cursor: parse_cursor(cursor.cursor.as_deref())?,
            ..SearchRequest::default()
        };
        let page = self.search(run, &request).await?;
        let done = page.next.is_none();
        let moved = Cursor {
            cursor: page.next.as_ref().map(contactor_highlevel::Cursor::to_text).or(cursor.cursor),
            done,
            seen: cursor.seen + page.hits.len() as u64,
            total: page.total.or(cursor.total),
            updated_at: self.now(),
            ..fresh(id, BACKFILL, self.now())
        };
        let children = children_of(run, &page, |_| true);
        self.mark_page(id, &page, children, Priority::Backfill, moved).await?;
        // Also after the last page: another connection's backfill may have waited for it.
        Ok(Step::More)
    }

    // -------------------------------------------------------------------------------------------------------------- sweep

    /// One page of the sweep: contacts whose `dateUpdated` passed the watermark. The cursor is the watermark, and while a
    /// walk is under way `<watermark> <next watermark> <searchAfter>`.
    async fn sweep_step(&self, run: &RunContext, connection: &Connection) -> Result<Step, Failure> {
        let id = &connection.id;
        let Some(interval) = self.sweep_interval(connection) else { return Ok(Step::Rest) };
        let now = self.now();
        let Some(cursor) = self.cursor(id, SWEEP).await? else {
            // The first watermark is the moment of the first look: what lies before it is the backfill's.
            let first =
                Cursor { cursor: Some(Watermark::at(now).to_text()), done: true, ..fresh(id, SWEEP, now) };
            self.store().put_cursor(first).await.map_err(of_store)?;
            return Ok(Step::Rest);
        };
        if cursor.done && now.duration_since(cursor.updated_at) < interval {
            return Ok(Step::Rest);
        }
        let watermark =
            Watermark::parse(cursor.cursor.as_deref()).unwrap_or_else(|| Watermark::at(cursor.updated_at));
        let walk = watermark.begun(now);
        let request = SearchRequest {
            limit: self.config().page_size,
            filters: vec![Filter::updated_since(walk.from - SWEEP_OVERLAP)],
            sort: vec![Sort { field: "dateUpdated".to_owned(), descending: false }],
            cursor: parse_cursor(walk.after.as_deref())?,
            ..SearchRequest::default()
        };
        let page = self.search(run, &request).await?;
        let after = page.next.as_ref().map(contactor_highlevel::Cursor::to_text);
        let done = after.is_none();
        let next = if done { Watermark::at(walk.until.unwrap_or(now)) } else { Watermark { after, ..walk } };
        let moved = Cursor {
            cursor: Some(next.to_text()),
            done,
            seen: cursor.seen + page.hits.len() as u64,
            ..fresh(id, SWEEP, now)
        };
        let mut children = children_of(run, &page, |kind| kind != Kind::Task);
        if done {
            children.extend(self.coming_appointments(run, now).await?);
        }
        self.mark_page(id, &page, children, Priority::Sweep, moved).await?;
        Ok(if done { Step::Rest } else { Step::More })
    }

    /// Marks on the appointments of contacts that have one about now: an appointment that is moved or kept is not always
    /// announced, and HighLevel lists no changes of them.
    async fn coming_appointments(&self, run: &RunContext, now: Timestamp) -> Result<Vec<Mark>, Failure> {
        let (entity, list) = (Kind::Appointment.entity(), Kind::Appointment.list());
        if !run.active.lists.contains_key(list) {
            return Ok(Vec::new());
        }
        let id = &run.active.connection.id;
        let (from, until) = (now - APPOINTMENTS_BACK, now + APPOINTMENTS_AHEAD);
        let contacts = self.store().occurring(id, entity, from, until).await.map_err(of_store)?;
        Ok(contacts.iter().map(|contact| children::mark(list, Side::Highlevel, contact)).collect())
    }

    // --------------------------------------------------------------------------------------------------------------- poll

    /// One page of a partner's stream.
    async fn poll_step(
        &self,
        run: &RunContext,
        name: &str,
        stream: &str,
        interval: SignedDuration,
    ) -> Result<Step, Failure> {
        let id = &run.active.connection.id;
        let now = self.now();
        let cursor = self.cursor(id, name).await?.unwrap_or_else(|| never_read(id, name));
        // A stream that failed is due when its rest is over.
        if cursor.trouble.is_none() && cursor.done && now.duration_since(cursor.updated_at) < interval {
            return Ok(Step::Rest);
        }
        // A stream that never ends is read no faster than its records are worked off.
        let waiting = self.store().waiting(id).await.map_err(of_store)?;
        if waiting >= self.config().backfill_window {
            return Ok(Step::Full);
        }
        let (page, found) = read_page(run, stream, cursor.cursor.as_deref()).await?;
        let moved = Cursor {
            cursor: page.cursor,
            done: !page.more,
            seen: cursor.seen + found.marks.len() as u64,
            ..fresh(id, name, now)
        };
        self.store().mark_found(id, found, Priority::Sweep, Some(moved)).await.map_err(of_store)?;
        self.wake().wake();
        Ok(if page.more { Step::More } else { Step::Rest })
    }

    // ------------------------------------------------------------------------------------------------------------- shared

    pub(crate) async fn search(
        &self,
        run: &RunContext,
        request: &SearchRequest,
    ) -> Result<ContactPage, Failure> {
        run.location.search_contacts(request).await.map_err(|error| failure::of_highlevel(&error))
    }

    async fn mark_page(
        &self,
        id: &ConnectionId,
        page: &ContactPage,
        children: Vec<Mark>,
        priority: Priority,
        moved: Cursor,
    ) -> Result<(), Failure> {
        // A search hit is only an id: its shape differs from a read and it may be seconds old.
        let marks = page
            .hits
            .iter()
            .map(|hit| Mark {
                entity: "contact".to_owned(),
                side: Side::Highlevel,
                record: RecordId::new(hit.id.as_str()),
                snapshot: None,
                deleted: false,
            })
            .chain(children)
            .collect();
        self.store().mark(id, marks, priority, Some(moved)).await.map_err(of_store)?;
        self.wake().wake();
        Ok(())
    }

    pub(crate) async fn cursor(&self, id: &ConnectionId, stream: &str) -> Result<Option<Cursor>, Failure> {
        self.store().cursor(id, stream).await.map_err(of_store)
    }
}

/// What decides whose backfill goes first: one that has read a page, then the one that was asked for first.
fn turn(cursor: &Cursor) -> (bool, Option<Timestamp>, &ConnectionId) {
    let has_begun = cursor.cursor.is_some();
    (!has_begun, (!has_begun).then_some(cursor.updated_at), &cursor.connection)
}

/// Marks on the lists of the contacts of a page. Tasks are walked by themselves; notes and appointments of a contact that
/// changed may have changed with it.
fn children_of(run: &RunContext, page: &ContactPage, wanted: impl Fn(Kind) -> bool) -> Vec<Mark> {
    let lists = run.active.lists.iter().filter(|(_, list)| wanted(list.kind));
    let lists: Vec<&String> = lists.map(|(name, _)| name).collect();
    let mark = |contact: &str, list: &String| children::mark(list, Side::Highlevel, &RecordId::new(contact));
    page.hits.iter().flat_map(|hit| lists.iter().map(move |list| mark(hit.id.as_str(), list))).collect()
}

/// What the first page of a stream lists, for a preview.
pub(crate) struct FirstPage {
    pub(crate) marks: Vec<Mark>,
    pub(crate) more: bool,
}

pub(crate) async fn first_page(run: &RunContext, stream: &str) -> Result<FirstPage, Failure> {
    let (page, found) = read_page(run, stream, None).await?;
    Ok(FirstPage { marks: found.marks, more: page.more })
}

/// One page of a stream and what it tells.
async fn read_page(
    run: &RunContext,
    stream: &str,
    cursor: Option<&str>,
) -> Result<(PollPage, Found), Failure> {
    let call = Invocation::Poll { stream: stream.to_owned(), cursor: cursor.map(str::to_owned) };
    let page = match run.invoke("triggers.poll", call).await? {
        Reply::Poll(Ok(page)) => page,
        Reply::Poll(Err(error)) => return Err(run.of_connector("triggers.poll", &error)),
        _ => return Err(mismatch("triggers.poll")),
    };
    if let Some(why) = unusable(&page, cursor) {
        let connector = &run.active.connection.connector;
        return Err(Failure::new(FailureClass::GuestBug, format!("{connector}: triggers.poll: {why}")));
    }
    let (marks, unreadable) = told(run, &page.changes, RunKind::Poll, None)?;
    let deliveries = deliver::of_partner(run, &page.changes, None);
    Ok((page, Found { marks, deliveries, unreadable }))
}

/// Why a page cannot be gone on from.
fn unusable(page: &PollPage, cursor: Option<&str>) -> Option<String> {
    if page.cursor.as_ref().is_some_and(|next| next.len() > CURSOR) {
        return Some(format!("its cursor is longer than {CURSOR} bytes"));
    }
    // The same page would come for ever.
    (page.more && page.cursor.as_deref() == cursor)
        .then(|| "it announces another page under the cursor of this one".to_owned())
}

/// Where a sweep stands.
#[derive(Clone, Debug, PartialEq)]
struct Watermark {
    /// Changes since then are wanted.
    from: Timestamp,
    /// The next watermark: when the walk under way began.
    until: Option<Timestamp>,
    /// The vendor's cursor within the walk under way.
    after: Option<String>,
}

impl Watermark {
    fn at(from: Timestamp) -> Self {
        Self { from, until: None, after: None }
    }

    fn begun(self, now: Timestamp) -> Self {
        Self { until: Some(self.until.unwrap_or(now)), ..self }
    }

    fn to_text(&self) -> String {
        let mut text = self.from.to_string();
        if let (Some(until), Some(after)) = (&self.until, &self.after) {
            text = format!("{text} {until} {after}");
        }
        text
    }

    fn parse(text: Option<&str>) -> Option<Self> {
        let mut parts = text?.splitn(3, ' ');
        let from = parts.next()?.parse().ok()?;
        match (parts.next(), parts.next()) {
            (Some(until), Some(after)) => {
                Some(Self { from, until: Some(until.parse().ok()?), after: Some(after.to_owned()) })
            }
            _ => Some(Self::at(from)),
        }
    }
}

pub(crate) fn fresh(connection: &ConnectionId, stream: &str, now: Timestamp) -> Cursor {
    Cursor {
        connection: connection.clone(),
        stream: stream.to_owned(),
        cursor: None,
        done: false,
        seen: 0,
        total: None,
        updated_at: now,
        trouble: None,
    }
}

/// The cursor of a stream before its first page: it is due.
fn never_read(connection: &ConnectionId, stream: &str) -> Cursor {
    Cursor { done: true, ..fresh(connection, stream, Timestamp::UNIX_EPOCH) }
}

pub(crate) fn parse_cursor(text: Option<&str>) -> Result<Option<contactor_highlevel::Cursor>, Failure> {
    let Some(text) = text else { return Ok(None) };
    contactor_highlevel::Cursor::from_text(text).map(Some).ok_or_else(|| {
        Failure::new(FailureClass::Config, "a stored cursor is unreadable: begin the sync anew with --full")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_under_way_survives_a_restart_and_keeps_the_moment_it_began() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let walk = Watermark {
            after: Some("[1700000000000,\"id with space\"]".into()),
            ..Watermark::at(at(100)).begun(at(200))
        };
        let restored = Watermark::parse(Some(&walk.to_text())).unwrap();
        assert_eq!(restored, walk);
        assert_eq!(restored.begun(at(300)).until, Some(at(200)));
        assert_eq!(Watermark::parse(Some(&Watermark::at(at(100)).to_text())), Some(Watermark::at(at(100))));
        assert_eq!(Watermark::parse(Some("nonsense")), None);
    }

    #[test]
    fn a_backfill_that_has_begun_goes_on_and_then_the_one_that_was_asked_for_first() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let cursor = |id: &str, asked: i64| fresh(&ConnectionId::new(id), BACKFILL, at(asked));
        let begun = Cursor { cursor: Some("page 2".to_owned()), ..cursor("acme/z", 500) };
        let mut waiting = [cursor("acme/b", 200), begun, cursor("acme/c", 100), cursor("acme/a", 200)];
        waiting.sort_by(|one, other| turn(one).cmp(&turn(other)));
        let order: Vec<_> = waiting.iter().map(|cursor| cursor.connection.as_str()).collect();
        assert_eq!(order, ["acme/z", "acme/c", "acme/a", "acme/b"]);
    }

    #[test]
    fn a_stream_that_would_never_move_on_is_refused() {
        let page = |cursor: Option<&str>, more| PollPage {
            changes: vec![],
            cursor: cursor.map(str::to_owned),
            more,
        };
        assert_eq!(unusable(&page(Some("2"), true), Some("1")), None);
        assert_eq!(unusable(&page(Some("1"), false), Some("1")), None);
        assert!(unusable(&page(Some("1"), true), Some("1")).is_some());
        assert!(unusable(&page(None, true), None).is_some());
        assert!(unusable(&page(Some(&"x".repeat(CURSOR + 1)), false), None).is_some());
    }
}
