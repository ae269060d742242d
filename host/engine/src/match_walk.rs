//! The walk of a match report: plans every contact of a location and lists what a sync would do with it, then marks dirty what a
//! person approved.
//!
//! HighLevel's contacts are walked here. The partner's records come by its own streams and webhooks as always: while the connection is
//! under review, their runs list them instead of writing them.

use contactor_highlevel::{SearchRequest, Sort};
use contactor_store::{Cursor, RecordId};
use futures_util::{StreamExt, TryStreamExt};

use crate::engine::Engine;
use crate::failure::{Failure, of_store};
use crate::manage::basis;
use crate::reconcile::RunContext;
use crate::walk::{MATCH, Step, fresh, parse_cursor};

/// Contacts of one step: each is read on both sides, and other walks wait meanwhile.
const PAGE: u32 = 20;
/// Contacts that are planned at the same time.
const AT_ONCE: usize = 4;
/// A page that failed so often is listed with what failed of it, so that one record does not end the report.
const PATIENCE: u32 = 3;
/// Records that are marked dirty, or cleared of an earlier report, at once.
const RELEASED: u32 = 200;

impl Engine {
    /// One page of the report, or some of what was approved of it.
    pub(crate) async fn match_step(&self, run: &RunContext) -> Result<Step, Failure> {
        // An approval needs a finished walk and the walk begins when this is done, so nobody approves what an earlier report listed.
        let renewed = self.renew_step(run).await?;
        if renewed != Step::Rest {
            return Ok(renewed);
        }
        let released = self.release_step(run).await?;
        let walked = self.look_step(run).await?;
        Ok(match (released, walked) {
            (Step::More, _) | (_, Step::More) => Step::More,
            (Step::Full, _) => Step::Full,
            _ => Step::Rest,
        })
    }

    async fn renew_step(&self, run: &RunContext) -> Result<Step, Failure> {
        let id = &run.active.connection.id;
        if self.store().waiting(id).await.map_err(of_store)? >= self.config().backfill_window {
            return Ok(Step::Full);
        }
        if self.store().renew_matches(id, RELEASED).await.map_err(of_store)? == 0 {
            return Ok(Step::Rest);
        }
        self.wake().wake();
        Ok(Step::More)
    }

    async fn release_step(&self, run: &RunContext) -> Result<Step, Failure> {
        let waiting = self.store().waiting(&run.active.connection.id).await.map_err(of_store)?;
        if waiting >= self.config().backfill_window {
            return Ok(Step::Full);
        }
        let id = &run.active.connection.id;
        if self
            .store()
            .release_matches(id, basis(&run.active.connection), RELEASED)
            .await
            .map_err(of_store)?
            == 0
        {
            // What was approved for another mapping opens the review again.
            let review = self.store().review(id).await.map_err(of_store)?;
            let is_open = review.is_some_and(|review| review.ended_at.is_none());
            if is_open != run.active.under_review() {
                if is_open {
                    tracing::warn!(connection = %id, "what was approved for another mapping waits again: the match report has to be made anew");
                }
                self.forget(id);
            }
            return Ok(Step::Rest);
        }
        self.wake().wake();
        Ok(Step::More)
    }

    /// By creation, so that contacts that change meanwhile do not move.
    async fn look_step(&self, run: &RunContext) -> Result<Step, Failure> {
        let id = &run.active.connection.id;
        // Before the cursor: a page is of this report or of none, and never of a new one at the place of an old one.
        let Some(review) = self.store().review(id).await.map_err(of_store)? else { return Ok(Step::Rest) };
        let Some(cursor) = self.cursor(id, MATCH).await?.filter(|cursor| !cursor.done) else {
            return Ok(Step::Rest);
        };
        let request = SearchRequest {
            limit: self.config().page_size.min(PAGE),
            sort: vec![Sort { field: "dateAdded".to_owned(), descending: false }],
            cursor: parse_cursor(cursor.cursor.as_deref())?,
            ..SearchRequest::default()
        };
        let page = self.search(run, &request).await?;
        let gives_up = cursor.trouble.as_ref().is_some_and(|trouble| trouble.failures >= PATIENCE);
        let looks: Vec<_> = page
            .hits
            .iter()
            .map(|hit| self.look(&run.active, RecordId::new(hit.id.as_str()), gives_up))
            .collect();
        let found: Vec<_> = futures_util::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let done = page.next.is_none();
        let moved = Cursor {
            cursor: page.next.as_ref().map(contactor_highlevel::Cursor::to_text).or(cursor.cursor),
            done,
            seen: cursor.seen + page.hits.len() as u64,
            total: page.total.or(cursor.total),
            ..fresh(id, MATCH, self.now())
        };
        self.store().put_matches(id, review.walk, found, moved).await.map_err(of_store)?;
        Ok(if done { Step::Rest } else { Step::More })
    }
}
