//! The runs of a connection as they come.

use std::collections::BTreeSet;

use contactor_server::dto::{Run, RunQuery};

use super::super::super::Context;
use crate::client::{Client, ClientError};
use crate::output::{cell, duration, json, when, word};

/// Runs that are asked for at a time.
const PAGE: u32 = 100;
/// Ids that are remembered. A run is listed when it ends and sorted by when it began, so news may stand below what is known.
const REMEMBERED: usize = 1_000;

/// Which runs have been seen.
pub(super) struct Tail {
    query: RunQuery,
    seen: BTreeSet<String>,
}

impl Tail {
    /// What was run before this is no news.
    pub(super) async fn begin(
        client: &Client,
        workspace: &str,
        connector: &str,
    ) -> Result<Self, ClientError> {
        let query = RunQuery {
            workspace: Some(workspace.to_owned()),
            connector: Some(connector.to_owned()),
            record: None,
            outcome: None,
            before: None,
            limit: Some(PAGE),
        };
        let seen = client.runs(&query).await?.into_iter().map(|run| run.id).collect();
        Ok(Self { query, seen })
    }

    /// Runs that ended since, oldest first.
    pub(super) async fn news(&mut self, client: &Client) -> Result<Vec<Run>, ClientError> {
        let mut news: Vec<Run> = Vec::new();
        let mut query = self.query.clone();
        loop {
            let page = client.runs(&query).await?;
            let full = page.len() == PAGE as usize;
            query.before = page.last().map(|run| run.id.clone());
            let before = news.len();
            let in_page = page.len();
            news.extend(page.into_iter().filter(|run| !self.seen.contains(&run.id)));
            if !full || news.len() - before < in_page {
                break;
            }
        }
        news.reverse();
        self.seen.extend(news.iter().map(|run| run.id.clone()));
        while self.seen.len() > REMEMBERED {
            self.seen.pop_first();
        }
        Ok(news)
    }
}

/// One line for a run, and one for each line that the connector logged.
pub(super) fn show(context: &Context, run: &Run) -> std::io::Result<()> {
    if context.out.json {
        return json(run);
    }
    for line in lines(run) {
        context.out.text(&line)?;
    }
    Ok(())
}

fn lines(run: &Run) -> Vec<String> {
    let record = run.highlevel_id.as_ref().or(run.partner_id.as_ref());
    let mut head = vec![when(run.started_at), word(&run.kind)];
    head.extend(run.entity.clone());
    head.extend(record.cloned());
    head.push(format!("{} in {}: {}", word(&run.outcome), duration(run.duration_us), run.summary));
    // A line of a stranger must not look like one of ours.
    let logged = run.log.iter().map(|line| format!("    {}", cell(line)));
    std::iter::once(cell(&head.join("  "))).chain(logged).collect()
}
