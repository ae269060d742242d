//! `cargo xtask bench` measures the host against floors that run in the same minutes on the same machine.
//!
//! Rounds alternate (floor, host, floor, host, …) and medians are shown, so that a slow moment of the machine strikes both.
//! `docs/benchmarks.md` says what each figure means and what was seen.
#![expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]

mod accepts;
mod access;
mod attacks;
mod backfill;
mod backlog;
mod calls;
mod crash;
mod isolation;
mod load;
mod machine;
mod native;
mod neighbour;
mod reconciles;
mod report;
mod requests;
mod size;
mod stage;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};

use report::Report;
use size::Size;

/// Measures the host against floors of the same run.
#[derive(Parser)]
struct Arguments {
    /// Also write the figures as JSON into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Small numbers: shows that the benchmark works, measures nothing worth quoting.
    #[arg(long)]
    quick: bool,
    /// Of the attacks just those whose names have these words.
    #[arg(long, value_name = "WORDS")]
    beside: Option<String>,
    /// Just these measurements; all of them when none is named.
    only: Vec<Measurement>,
}

/// What can be measured, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// An isolated guest call over the same call of bare wasmtime.
    Calls,
    /// Durable accepts of signed webhooks.
    Accepts,
    /// Webhook, both reads, merge, write, commit.
    Reconciles,
    /// The connector as a component and linked natively.
    Isolation,
    /// HighLevel calls for each changed record.
    Requests,
    /// kill -9 under load.
    Crash,
    /// A backfill against an enforced quota, with live edits.
    Backfill,
    /// A backlog of 200,000 webhooks.
    Backlog,
    /// An edit while another workspace has a million records to do.
    Neighbour,
    /// A call while another workspace's connector attacks the host.
    Attacks,
    /// What it costs to ask whether a call is granted.
    Access,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let size = if arguments.quick { Size::quick() } else { Size::full() };
    let dir = machine::scratch()?;
    let mut report = Report::begin(arguments.quick, dir.path())?;
    for measurement in Measurement::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(measurement) {
            continue;
        }
        Report::section(&format!("{measurement:?}").to_lowercase())?;
        let figures = match measurement {
            Measurement::Calls => calls::measure(&size).await,
            Measurement::Accepts => accepts::measure(&size, dir.path()).await,
            Measurement::Reconciles => reconciles::measure(&size, dir.path()).await,
            Measurement::Isolation => isolation::measure(&size, dir.path()).await,
            Measurement::Requests => requests::measure(&size, dir.path()).await,
            Measurement::Crash => crash::measure(&size, dir.path()).await,
            Measurement::Backfill => backfill::measure(&size, dir.path()).await,
            Measurement::Backlog => backlog::measure(&size, dir.path()).await,
            Measurement::Neighbour => neighbour::measure(&size, dir.path()).await,
            Measurement::Attacks => {
                let beside = arguments.beside.as_deref().unwrap_or_default();
                attacks::measure(&size, dir.path(), beside, &mut report).await.map(|()| Vec::new())
            }
            Measurement::Access => Ok(access::measure(size.access_samples)),
        };
        for figure in figures.with_context(|| format!("{measurement:?} could not be measured"))? {
            report.add(figure)?;
        }
    }
    report.end(arguments.json.as_deref())
}
