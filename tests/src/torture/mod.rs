//! Random histories of edits, faults and deaths of the real host, and what must hold afterwards.
//!
//! A history is a function of its seed: what people do on which side, which requests fail before or after their effect, which
//! webhooks come twice, late, in another order or never, when time passes, and where the process dies: by `kill -9` at a step, or
//! at one of the places that the host marks for it. What two processes do at the same time is not: a seed that fails is played
//! again with the same story, not with the same interleaving.

mod history;
mod invariants;
mod world;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

pub use history::Death;
use history::History;
use world::World;

/// How a seed is played.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Breaks a rule of the host on purpose, to show that it is noticed; see `contactor_store::torture`.
    pub breaks: Option<&'static str>,
    /// Where the process dies, in the place of what the seed would choose.
    pub death: Option<Death>,
    /// Keeps the host's directory of a history in which something did not hold, for whoever looks why.
    pub keep: bool,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was the same throughout the history.
    pub shape: String,
    /// Edits by people, on any side.
    pub edits: u64,
    /// Requests that a fault struck.
    pub faults: u64,
    /// Deaths of the process.
    pub kills: u64,
    /// Requests of the host that changed something.
    pub writes: u64,
    /// Records that were deleted as confirmed and are there again, since somebody had that undone.
    pub undone: u64,
    /// Webhooks that were answered 200 and are not in the store.
    pub lost: Vec<String>,
    /// Things that are there twice, or came back.
    pub duplicated: Vec<String>,
    /// What did not come to its end, and where two sides differ.
    pub unresolved: Vec<String>,
    /// The host's directory, if it was kept.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether everything held.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.duplicated.is_empty() && self.unresolved.is_empty()
    }

    /// Adds another seed's numbers and findings.
    pub fn add(&mut self, other: Self) {
        self.edits += other.edits;
        self.faults += other.faults;
        self.kills += other.kills;
        self.writes += other.writes;
        self.undone += other.undone;
        self.lost.extend(other.lost);
        self.duplicated.extend(other.duplicated);
        self.unresolved.extend(other.unresolved);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} edits, {} faults, {} kills, {} writes, {} undone: {} lost, {} duplicated, {} unresolved",
            self.edits,
            self.faults,
            self.kills,
            self.writes,
            self.undone,
            self.lost.len(),
            self.duplicated.len(),
            self.unresolved.len()
        )
    }
}

/// Plays one seed.
///
/// # Errors
/// When a part of the stand fails; what the host does wrong is in the report.
pub async fn play(seed: u64, options: &Options) -> Result<Report> {
    let history = History::of(seed, options);
    let mut world = World::set(seed, history.shape, options).await.with_context(|| format!("seed {seed}"))?;
    for step in &history.steps {
        world.take(step).await.with_context(|| format!("seed {seed}: {step:?}"))?;
    }
    let settled = world.settle(history.shape).await;
    let mut report = invariants::check(&world).await.with_context(|| format!("seed {seed}"))?;
    if let Err(error) = settled {
        report.unresolved.push(format!("it does not come to rest: {error:#}"));
    }
    report.kept = world.end(options.keep && !report.is_clean()).await?;
    report.seed = seed;
    report.shape = history.shape.to_string();
    Ok(report)
}
