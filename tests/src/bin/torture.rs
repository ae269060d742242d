//! `cargo xtask torture`: random histories of edits, faults and deaths of the real host.

#![expect(clippy::print_stdout, reason = "the report is what it is for")]

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use contactor_tests::torture::{Options, Report, play};
use futures_util::StreamExt as _;

/// Seeds that are played at the same time.
const AT_ONCE: usize = 8;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>().context(argument));
    let mut next = |otherwise: u64| numbers.next().unwrap_or(Ok(otherwise));
    let (first, seeds) = (next(1)?, next(50)?);
    let begun = Instant::now();
    let mut sum = Report::default();
    let mut failed = Vec::new();
    let mut reports = futures_util::stream::iter(first..first + seeds)
        .map(|seed| async move { (seed, play(seed, &Options { keep: true, ..Options::default() }).await) })
        .buffer_unordered(AT_ONCE);
    while let Some((seed, played)) = reports.next().await {
        let report = match played {
            Ok(report) => report,
            Err(error) => Report { unresolved: vec![format!("{error:#}")], ..Report::default() },
        };
        if report.is_clean() {
            println!("seed {seed}: {report}");
        } else {
            println!("seed {seed} FAILED ({}): {report}", report.shape);
            for finding in report.lost.iter().chain(&report.duplicated).chain(&report.unresolved) {
                println!("    {finding}");
            }
            println!("    again: cargo xtask torture --seed {seed}");
            if let Some(kept) = &report.kept {
                println!("    its store: {}", kept.display());
            }
            failed.push(seed);
        }
        sum.add(report);
    }
    println!("{seeds} seeds in {:.0} s: {sum}", begun.elapsed().as_secs_f64());
    ensure!(failed.is_empty(), "{} of {seeds} seeds failed: {failed:?}", failed.len());
    Ok(())
}
